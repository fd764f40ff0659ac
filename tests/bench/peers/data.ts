/**
 * Keys and values, in so few steps that making them is no part of what is measured.
 *
 * - Key `i` is the number `i` in 16 decimal digits, so keys sort as their numbers do; it is written four digits at a time.
 * - A value is half random bytes, then the same bytes again, so it compresses to about half. There are some thousand of them,
 *   made beforehand; which of them a key has follows from its number and from how often it was written.
 * - `checksum` is what the loops gather of all that they read, a few steps for each value, in order. `contentHash` is of
 *   every byte of every entry, outside of what is measured.
 *
 * @module
 */

import { randomFrom } from "../workload.ts";

/** Bytes of a key. */
export const KEY_BYTES = 16;

const VALUES_MAX = 16_384;
const POOL_BYTES_MAX = 8 * 1024 * 1024;
const GROUPS = 10_000;
const KNUTH = 0x9e37_79b1;
const FNV_PRIME = 0x0100_0193;
const FNV_BASE = 0x811c_9dc5;

/** The four digits of each number below 10,000, as they lie in memory. */
const DIGITS: Uint32Array = digitGroups();

/** Makes keys in one buffer, which the next key overwrites. */
export class KeyMaker {
  /** The key that was made last. */
  readonly key: Uint8Array = new Uint8Array(KEY_BYTES);
  readonly #words: Uint32Array = new Uint32Array(this.key.buffer);

  /** Makes the key with a number below 2^32. */
  make(number: number): Uint8Array {
    const high = Math.floor(number / (GROUPS * GROUPS));
    const low = number - high * GROUPS * GROUPS;
    const middle = Math.floor(low / GROUPS);
    this.#words[0] = DIGITS[0]!;
    this.#words[1] = DIGITS[high]!;
    this.#words[2] = DIGITS[middle]!;
    this.#words[3] = DIGITS[low - middle * GROUPS]!;
    return this.key;
  }

  /** Makes the key that sorts just behind the one with a number, and that is never written. */
  makeAbsent(number: number): Uint8Array {
    const key = this.make(number);
    key[KEY_BYTES - 1]! += 128;
    return key;
  }
}

/** The values. */
export class Values {
  /** All of them, one behind the other. */
  readonly pool: Uint8Array;
  readonly #values: readonly Uint8Array[];

  /** Makes the values, which follow from the seed. */
  constructor(valueBytes: number, seed: number) {
    const count = Math.max(1, Math.min(VALUES_MAX, Math.floor(POOL_BYTES_MAX / valueBytes)));
    const random = randomFrom(seed);
    const half = Math.ceil(valueBytes / 2);
    const pool = new Uint8Array(count * valueBytes);
    for (let at = 0; at < pool.length; at += valueBytes) {
      for (let i = 0; i < half; i++) pool[at + i] = random();
      pool.copyWithin(at + half, at, at + valueBytes - half);
    }
    this.pool = pool;
    this.#values = Array.from(
      { length: count },
      (_, i) => pool.subarray(i * valueBytes, (i + 1) * valueBytes),
    );
  }

  /** Returns the value of a key, as written for the `generation`th time, from 0 on. */
  of(number: number, generation: number): Uint8Array {
    return this.#values[(Math.imul(number + 1, KNUTH + 2 * generation) >>> 0) % this.#values.length]!;
  }
}

/** Returns the checksum of what was read so far and a value. */
export function checksum(before: number, value: Uint8Array | undefined): number {
  if (value === undefined) return Math.imul(before, 31) | 0;
  const length = value.length;
  return (Math.imul(before, 31) + value[0]! + (value[length - 1]! << 8) + length) | 0;
}

/** Returns the checksum of what was read so far and an entry. */
export function entryChecksum(before: number, key: Uint8Array, value: Uint8Array): number {
  return checksum(before + key[KEY_BYTES - 1]!, value);
}

/** The hash of entries in order, every byte of them (FNV-1a by Fowler, Noll and Vo). */
export class ContentHash {
  /** The hash of what was added. */
  hash: number = FNV_BASE;
  /** How many were added. */
  count = 0;

  /** Adds an entry. */
  add(key: Uint8Array, value: Uint8Array): void {
    let hash = this.hash;
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key[i]!, FNV_PRIME);
    for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value[i]!, FNV_PRIME);
    this.hash = hash >>> 0;
    this.count += 1;
  }
}

function digitGroups(): Uint32Array {
  const bytes = new Uint8Array(4 * GROUPS);
  for (let i = 0; i < GROUPS; i++) {
    const text = String(i).padStart(4, "0");
    for (let at = 0; at < 4; at++) bytes[4 * i + at] = text.charCodeAt(at);
  }
  return new Uint32Array(bytes.buffer);
}
