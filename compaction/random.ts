/**
 * Random numbers of a seed: the same seed, the same simulation.
 *
 * Thirty-two bits of state, xorshift (Marsaglia, "Xorshift RNGs", 2003), whose products are spread once more, since
 * its low bits alone are poor. Good enough to shake the bounds of segments; not for secrets.
 *
 * @module
 */

/** Random numbers of a seed. */
export class Random {
  #state: number;

  /** Begins with a seed; every whole number is one. */
  constructor(seed: number) {
    // The state must not be 0, and neighbouring seeds should not begin alike.
    this.#state = (Math.imul(seed ^ (seed / 0x1_0000_0000), 0x9e3779b1) ^ 0x5bd1e995) || 1;
  }

  /** Returns a number from 0 to 1, which is never reached. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (Math.imul(x, 0x2c1b3c6d) >>> 0) / 0x1_0000_0000;
  }

  /** Returns a number around 0 with a standard deviation of 1: the sum of four even ones, nearly normal and never far off. */
  around(): number {
    return (this.next() + this.next() + this.next() + this.next() - 2) * Math.sqrt(3);
  }
}
