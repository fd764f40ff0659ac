/**
 * Blocks to compress, for the tests of the codecs: made of random bytes, runs and copies, or of rows as a
 * segment has them.
 *
 * All of it follows from the arguments, random numbers included: a failure comes back.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Codec } from "../../core/codec.ts";
import { CorruptionError } from "../../core/errors.ts";

const ENCODER = new TextEncoder();

/** How a block is put together: new bytes, one byte over and over, or a piece of what stands before. */
export type Piece =
  | { readonly kind: "fresh"; readonly bytes: number; readonly seed: number }
  | { readonly kind: "run"; readonly bytes: number; readonly value: number }
  | { readonly kind: "copy"; readonly bytes: number; readonly back: number };

const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({ kind: fc.constant("fresh" as const), bytes: fc.nat(600), seed: fc.nat() }),
  fc.record({ kind: fc.constant("run" as const), bytes: fc.nat(900), value: fc.nat(255) }),
  fc.record({ kind: fc.constant("copy" as const), bytes: fc.nat(600), back: fc.nat(3_000) }),
);
/** A block of a few pieces, or of few different bytes. */
export const block: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map(build),
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ maxLength: 2_000, max: 3 }),
);
/** A block that both codecs make smaller: half of it is zeros. */
export const halfEmptyBlock: fc.Arbitrary<Uint8Array> = block.map((bytes) =>
  join(bytes, new Uint8Array(bytes.length + 64))
);

/** Puts a block together. */
export function build(pieces: readonly Piece[]): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  for (const part of pieces) {
    const random = part.kind === "fresh" ? randomNumbers(part.seed) : undefined;
    for (let i = 0; i < part.bytes; i++) {
      if (part.kind === "run") out.push(part.value);
      else if (part.kind === "copy") out.push(out[Math.max(0, out.length - 1 - part.back)] ?? 0);
      else out.push(random!.next().value >>> 11 & 255);
    }
  }
  return new Uint8Array(out);
}

/** Rows as a segment has them: sorted keys of 16 hex digits, values of 50 random bytes and 50 equal ones. */
export function rows(count: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(5);
  const digits = (): string => random.next().value.toString(16).padStart(8, "0");
  // Neighbours among a million random keys share about five digits.
  const keys = Array.from({ length: count }, () => `3a7c1${digits().slice(0, 3)}${digits()}`).sort();
  return join(...keys.map((key) => {
    const value = new Uint8Array(100).fill(120);
    for (let i = 0; i < 50; i++) value[i] = random.next().value >>> 11;
    return join(new Uint8Array([0, 16, 0, 100]), ENCODER.encode(key), value);
  }));
}

/** Returns the bytes of all parts in one array. */
export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Random numbers of 32 bits, the same for the same seed (Marsaglia 2003, xorshift). */
function* randomNumbers(seed: number): Generator<number, never> {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  while (true) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

/** Compresses a block that is known to get smaller. */
export function compressed(codec: Codec, bytes: Uint8Array): Uint8Array {
  const packed = codec.compress(bytes);
  assert(packed !== undefined, `${codec.name} did not make ${bytes.length} bytes smaller`);
  return packed;
}

/** Says how decompression ended, and fails if it ended in any other way than the two allowed. */
export function outcome(codec: Codec, bytes: Uint8Array, rawBytes: number): "bytes" | "corrupt" {
  let back: Uint8Array;
  try {
    back = codec.decompress(bytes, rawBytes);
  } catch (error) {
    assert(error instanceof CorruptionError, `${error}`);
    return "corrupt";
  }
  assertEquals(back.length, rawBytes);
  return "bytes";
}
