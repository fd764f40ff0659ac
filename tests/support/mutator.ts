/**
 * A mutator: changes valid encodings so that a decoder is led into its corners, and keeps what was new.
 *
 * ```text
 * corpus -> choose one -> 1 to 4 changes -> decode -> outcome never seen? -> corpus
 * ```
 *
 * The signal for "new" is the outcome: the class of the error with its message, numbers left out, or the size of what was decoded,
 * rounded to powers of two. It stands in for coverage (as AFL, Zalewski 2014, has it by counting edges), which V8 gives only for
 * whole runs: each `throw` of a decoder has a message of its own, so a new message is a new branch, and a size of another magnitude
 * another depth of its loops. What it cannot see is a branch that neither throws nor changes a size.
 *
 * All of it follows from the seed: the same seed with the same decoder gives the same inputs.
 *
 * @module
 */

import { SeededRandom } from "../../io/simulated_choices.ts";
import { joined } from "./damage.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Numbers at which lengths, counts and kinds turn over. */
const EDGES: readonly number[] = [
  ...[0, 1, 2, 3, 4, 6, 7, 8, 12, 16, 24, 28, 31, 32, 63, 64, 127, 128, 255, 256, 1023, 1024, 4096],
  ...[
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0xff_ffff,
    0x100_0000,
    0x100_0001,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
  ],
];

/** Upper halves of numbers in eight bytes: zero, the last safe one, the first that is not, all ones. */
const UPPER_EDGES: readonly number[] = [0, 0, 1, 0x1f_ffff, 0x20_0000, 0xffff_ffff];

/** More inputs than this push the oldest that was found out again. */
const CORPUS_MAX = 400;

/** Longer inputs are not made by doubling parts: a decoder's loops need no more. */
const INPUT_BYTES_MAX = 8_192;

/** Returns `bytes` with the lower bytes of `value` written at `at`, as many as fit. */
function withNumber(bytes: Bytes, at: number, width: number, value: number): Bytes {
  for (let i = 0; i < width && at + i < bytes.length; i++) bytes[at + i] = Math.floor(value / 2 ** (8 * i));
  return bytes;
}

/** Changes inputs of one decoder. */
export class Mutator {
  readonly #random: SeededRandom;
  readonly #samples: readonly Uint8Array[];
  readonly #found: Uint8Array[] = [];
  readonly #outcomes: Set<string> = new Set();

  /** Begins with valid encodings, which are never forgotten. */
  constructor(seed: number, samples: readonly Uint8Array[]) {
    this.#random = new SeededRandom(seed);
    this.#samples = samples;
  }

  /** How many different outcomes there were. */
  get outcomes(): number {
    return this.#outcomes.size;
  }

  /** Returns the next input, which is the caller's own. */
  next(): Bytes {
    let bytes = this.#any().slice() as Bytes;
    for (let left = 1 + this.#random.below(4); left > 0; left--) bytes = this.#change(bytes);
    return bytes;
  }

  /** Tells what came of an input; it is kept if that is new. */
  keep(bytes: Uint8Array, outcome: string): void {
    if (this.#outcomes.has(outcome)) return;
    this.#outcomes.add(outcome);
    this.#found.push(bytes.slice());
    if (this.#found.length > CORPUS_MAX) this.#found.shift();
  }

  #any(): Uint8Array {
    const { length } = this.#samples;
    const at = this.#random.below(length + this.#found.length);
    return at < length ? this.#samples[at]! : this.#found[at - length]!;
  }

  #edge(): number {
    return EDGES[this.#random.below(EDGES.length)]!;
  }

  #change(bytes: Bytes): Bytes {
    const random = this.#random;
    const { length } = bytes;
    if (length === 0) return Uint8Array.from({ length: random.below(40) }, () => random.below(256));
    const at = random.below(length);
    const end = Math.min(length, at + 1 + random.below(random.below(4) === 0 ? length : 24));
    switch (random.below(12)) {
      case 0:
        return withNumber(bytes, at, 1, bytes[at]! ^ (1 << random.below(8)));
      case 1:
        return withNumber(bytes, at, 1, random.below(2) === 0 ? random.below(256) : this.#edge());
      case 2:
        return withNumber(bytes, at, 2, this.#edge());
      case 3:
        return withNumber(bytes, at, 4, this.#edge());
      case 4:
        withNumber(bytes, at, 4, random.below(2) === 0 ? 0xffff_ffff : this.#edge());
        return withNumber(bytes, at + 4, 4, UPPER_EDGES[random.below(UPPER_EDGES.length)]!);
      case 5: // A length that is off by a little.
        return withNumber(bytes, at, 1, bytes[at]! + random.below(9) - 4);
      case 6:
        return joined(bytes.subarray(0, at), bytes.subarray(end));
      case 7:
        if (length > INPUT_BYTES_MAX) return bytes;
        return joined(bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end));
      case 8: {
        const inserted = Uint8Array.from({ length: 1 + random.below(12) }, () => random.below(256));
        return joined(bytes.subarray(0, at), inserted, bytes.subarray(at));
      }
      case 9: { // The beginning of this one and the end of another.
        const other = this.#any();
        return joined(bytes.subarray(0, at), other.subarray(random.below(other.length + 1)));
      }
      case 10:
        bytes.fill(random.below(3) === 0 ? 255 : 0, at, end);
        return bytes;
      default: { // One part in another's place.
        const to = random.below(length);
        bytes.copyWithin(to, at, end);
        return bytes;
      }
    }
  }
}

/** Returns the outcome of an error: its class and message without numbers and the names of options. */
export function outcomeOf(error: Error): string {
  const cause = error.cause instanceof Error ? ` < ${outcomeOf(error.cause)}` : "";
  const message = error.message.replace(/option [^:]*:/g, "option:").replace(
    /-?\d[\d.]*(e[-+]?\d+)?|-?Infinity|NaN/g,
    "#",
  );
  return `${error.name}: ${message}${cause}`;
}

/** Returns the outcome of something decoded that has so many parts. */
export function outcomeOfSize(size: number): string {
  return `decoded ${Math.ceil(Math.log2(size + 1))}`;
}

/** Returns bytes as hexadecimal digits for a message, the middle left out if they are many. */
export function shortHex(bytes: Uint8Array): string {
  if (bytes.length <= 300) return bytes.toHex();
  return `${bytes.subarray(0, 200).toHex()}...${
    bytes.subarray(bytes.length - 80).toHex()
  } (${bytes.length} bytes)`;
}
