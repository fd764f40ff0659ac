/**
 * The fuzzer: inputs of a mutator for every decoder, with and without right checksums, for a test of seconds or a run of hours.
 *
 * What a decoder may do: give something that is well formed and, where it says so, the only encoding of that; or throw one of the
 * errors of damage. Any other error, or an input that takes long, ends the run with an error that names the seed, the decoder and
 * the bytes. All but the time follows from the seed.
 *
 * @module
 */

import type { Decoder } from "./decoder.ts";
import { isDamage } from "./decoder.ts";
import { DECODERS } from "./decoders.ts";
import { Mutator, outcomeOf, outcomeOfSize, shortHex } from "./mutator.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a run did. */
export interface FuzzCounts {
  /** Inputs that were decoded. */
  readonly inputs: number;
  /** How many of them were accepted. */
  readonly accepted: number;
  /** How many different outcomes there were, of all decoders together. */
  readonly outcomes: number;
  /** For each decoder: its inputs, how many were accepted, and its different outcomes. */
  readonly decoders: ReadonlyMap<string, readonly [inputs: number, accepted: number, outcomes: number]>;
}

/** No input of a few kilobytes takes so long unless a loop follows a length that lies. */
const INPUT_MS_MAX = 5_000;

/**
 * Decodes so many inputs for each decoder, half of them with right checksums where there are any.
 *
 * @throws {Error} If a decoder does anything but decode or say that the bytes are damaged.
 */
export function fuzzDecoders(
  seed: number,
  inputs: number,
  decoders: readonly Decoder[] = DECODERS,
): FuzzCounts {
  const counts = new Map<string, readonly [number, number, number]>();
  for (const [i, decoder] of decoders.entries()) {
    const mutator = new Mutator(seed + i * 0x1_0000, decoder.samples);
    let accepted = 0;
    for (let n = 0; n < inputs; n++) {
      const input = mutator.next();
      const bytes = n % 2 === 0 ? decoder.seal(input) : input;
      const outcome = outcomeOfDecoding(decoder, bytes, seed);
      if (outcome.startsWith("decoded")) accepted += 1;
      mutator.keep(bytes, outcome);
    }
    counts.set(decoder.name, [inputs, accepted, mutator.outcomes]);
  }
  const sum = (at: 0 | 1 | 2): number => counts.values().reduce((total, one) => total + one[at], 0);
  return { inputs: sum(0), accepted: sum(1), outcomes: sum(2), decoders: counts };
}

/**
 * Decodes one input and returns what came of it.
 *
 * @throws {Error} As {@linkcode fuzzDecoders}.
 */
export function outcomeOfDecoding({ name, decode }: Decoder, bytes: Bytes, seed: number): string {
  const given = bytes.slice();
  const began = performance.now();
  let outcome: string;
  try {
    outcome = outcomeOfSize(decode(bytes));
  } catch (error) {
    if (!isDamage(error)) {
      throw new Error(`Decoder "${name}", seed ${seed}: ${error}; input ${shortHex(given)}`, {
        cause: error,
      });
    }
    outcome = outcomeOf(error);
  }
  const milliseconds = performance.now() - began;
  if (milliseconds > INPUT_MS_MAX) {
    throw new Error(`Decoder "${name}", seed ${seed}: ${milliseconds} ms for ${shortHex(given)}`);
  }
  return outcome;
}
