/**
 * Ranks of which the first come most often: rank `r` in proportion to `1 / (r + 1)^0.99`, as in YCSB.
 *
 * The method is that of Gray and others, "Quickly generating billion-record synthetic databases" (1994): one random number and one power
 * for each rank, after a sum over all ranks at the beginning.
 *
 * @module
 */

import type { Random } from "../workload.ts";

const THETA = 0.99;
const RANDOM_RANGE = 2 ** 32;

/** Draws ranks from 0 to `count - 1`. */
export class Zipfian {
  readonly #count: number;
  readonly #random: Random;
  readonly #zeta: number;
  readonly #eta: number;

  /** Cost: O(count). */
  constructor(count: number, random: Random) {
    let zeta = 0;
    for (let i = 1; i <= count; i++) zeta += i ** -THETA;
    const zetaOfTwo = 1 + 2 ** -THETA;
    this.#count = count;
    this.#random = random;
    this.#zeta = zeta;
    this.#eta = (1 - (2 / count) ** (1 - THETA)) / (1 - zetaOfTwo / zeta);
  }

  /** Returns the next rank. */
  next(): number {
    const share = this.#random() / RANDOM_RANGE;
    const scaled = share * this.#zeta;
    if (scaled < 1) return 0;
    if (scaled < 1 + 2 ** -THETA) return Math.min(1, this.#count - 1);
    const rank = this.#count * (this.#eta * share - this.#eta + 1) ** (1 / (1 - THETA));
    return Math.min(this.#count - 1, Math.floor(rank));
  }
}
