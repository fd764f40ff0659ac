/**
 * What benchmarks write and read: the same keys and values for the same seed, cheap enough to make in the measured loop.
 *
 * - Key `i` is the number `i` in 16 decimal digits, so keys sort as their numbers do. Random order is a permutation:
 *   every key comes once, and what must be in the tree afterwards is known.
 * - A value is 100 bytes out of a pool of random bytes in which every run of 50 comes twice, so it compresses to
 *   about half. Where in the pool it begins follows from key and generation: a read can check what it got.
 * - Keys are made in one buffer that is used again: the tree copies what it is given.
 *
 * @module
 */

/** Bytes of a key. */
export const KEY_BYTES = 16;

/** Bytes of a value. */
export const VALUE_BYTES = 100;

const RANDOM_RUN_BYTES = VALUE_BYTES / 2;
const POOL_BYTES = 1_000_000;

/** Whole numbers from 0 to 2^32 - 1, evenly spread. */
export type Random = () => number;

/** Returns a small generator (mulberry32 by Tommy Ettinger, 2017): 32 bits of state, enough for shuffling. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Returns a whole number from 0 to `count - 1`. */
export function below(random: Random, count: number): number {
  return Math.floor(random() / 0x1_0000_0000 * count);
}

/** Returns the numbers from 0 to `count - 1` in random order (Fisher and Yates, 1938). */
export function shuffled(count: number, random: Random): Uint32Array {
  const numbers = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = below(random, i + 1);
    const number = numbers[i]!;
    numbers[i] = numbers[other]!;
    numbers[other] = number;
  }
  return numbers;
}

/** Keys and values. */
export class Workload {
  readonly #key = new Uint8Array(KEY_BYTES);
  readonly #pool = new Uint8Array(POOL_BYTES);

  /** Makes the pool of values. */
  constructor(seed: number) {
    const random = randomFrom(seed);
    for (let at = 0; at < POOL_BYTES; at += VALUE_BYTES) {
      for (let i = 0; i < RANDOM_RUN_BYTES; i++) this.#pool[at + i] = random();
      this.#pool.copyWithin(at + RANDOM_RUN_BYTES, at, at + RANDOM_RUN_BYTES);
    }
  }

  /**
   * Returns the key with a number.
   *
   * @param absent Makes it the key just behind, which is never written.
   * @returns Is overwritten by the next call.
   */
  key(number: number, absent: boolean = false): Uint8Array {
    const key = this.#key;
    let rest = number;
    for (let i = KEY_BYTES - 1; i >= 0; i--) {
      const left = Math.floor(rest / 10);
      key[i] = 48 + rest - left * 10;
      rest = left;
    }
    if (absent) key[KEY_BYTES - 1]! += 128;
    return key;
  }

  /** Returns the value of a key, as written by the generation `generation`. */
  value(number: number, generation: number): Uint8Array {
    const at = Math.imul(number + 1, 0x9e3779b1 + 2 * generation) >>> 0;
    return new Uint8Array(this.#pool.buffer, at % (POOL_BYTES - VALUE_BYTES), VALUE_BYTES);
  }

  /** Returns the number of a key. */
  numberOf(key: Uint8Array): number {
    let number = 0;
    for (const digit of key) number = number * 10 + digit - 48;
    return number;
  }
}

/** Throws unless a value is the one that was written. */
export function checkSame(got: Uint8Array | undefined, wanted: Uint8Array, what: string): void {
  let same = got?.length === wanted.length;
  for (let i = 0; same && i < wanted.length; i++) same = got![i] === wanted[i];
  if (!same) throw new Error(`${what}: read another value than was written`);
}
