/**
 * What can happen to bytes on disk, and how a decoder may answer.
 *
 * Small things are damaged in every way that one byte can be; longer ones by each bit, by zero and by 255. A damaged
 * copy is only valid until the next is asked for: all are made in one buffer, which keeps a million of them cheap.
 *
 * @module
 */

import { assert } from "@std/assert";
import { CorruptionError, UnsupportedFormatError } from "../../core/errors.ts";

/** Bytes of which one differs. */
export interface ChangedByte {
  /** Which one. */
  readonly at: number;
  /** All of them. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Gives `bytes` with one byte changed: each of `[from, to)`, to every other value. */
export function* everyChange(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): Generator<ChangedByte, void> {
  const copy = new Uint8Array(bytes);
  for (let at = from; at < to; at++) {
    const before = copy[at]!;
    for (let by = 1; by < 256; by++) {
      copy[at] = before ^ by;
      yield { at, bytes: copy };
    }
    copy[at] = before;
  }
}

/** Gives `bytes` with one byte changed: each bit of each of `[from, to)` flipped, the byte zeroed, and all ones. */
export function* someChanges(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): Generator<ChangedByte, void> {
  const copy = new Uint8Array(bytes);
  for (let at = from; at < to; at++) {
    const before = copy[at]!;
    for (const value of new Set([1, 2, 4, 8, 16, 32, 64, 128].map((bit) => before ^ bit).concat(0, 255))) {
      if (value === before) continue;
      copy[at] = value;
      yield { at, bytes: copy };
    }
    copy[at] = before;
  }
}

/** Returns `bytes` cut off at each place, shortest first. */
export function cutOff(bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: bytes.length }, (_, length) => bytes.slice(0, length));
}

/** Returns `bytes` with something behind them: zeros, ones, noise, their own beginning and end. */
export function extended(bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const tails = [1, 3, 28, 100].flatMap((length) => [
    new Uint8Array(length),
    new Uint8Array(length).fill(255),
    Uint8Array.from({ length }, (_, i) => i * 197 + 31),
  ]);
  return [...tails, bytes, bytes.subarray(bytes.length >> 1)].map((tail) => joined(bytes, tail));
}

/** Returns all parts in one array. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Returns what `decode` gives, or `undefined` if it says that the bytes are damaged or too new; nothing else may happen. */
export function valueUnlessDamaged<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    assert(error instanceof CorruptionError || error instanceof UnsupportedFormatError, `${error}`);
    return undefined;
  }
}

/** Tells whether two byte arrays are equal; much faster than an assertion, for loops over many. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
