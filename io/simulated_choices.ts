/**
 * Choices of a simulation: one function asks for them, two kinds of answers.
 *
 * What a power cut leaves is computed by a function that asks, wherever a disk may do one thing or another, which one it
 * did. Answered at random it gives one outcome, the same for the same seed; answered like an odometer, whose last digit
 * moves first, it gives them all, one after the other. So what is sampled and what is enumerated can never differ.
 *
 * Convention: answer 0 is "nothing of it happened", the last answer "all of it". Sampling leans on that: each
 * crash has a temper of its own, so that "nearly all", "nearly nothing" and "half of it" are all common, which
 * independent coins never give.
 *
 * The generator is xorshift with 32 bits (Marsaglia 2003), multiplied once more on the way out.
 *
 * @module
 */

/** Random numbers that follow from a seed. */
export class SeededRandom {
  #state: number;

  /** Begins; any number is a seed. */
  constructor(seed: number) {
    const mixed = Math.imul((seed ^ 0x5bd1e995) >>> 0, 0x9e3779b1) ^ Math.floor(seed / 4_294_967_296);
    this.#state = mixed >>> 0 || 1;
  }

  /** Returns a whole number from 0 to `bound`, exclusive. */
  below(bound: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return Math.floor((Math.imul(state, 0x2c1b3c6d) >>> 0) / 4_294_967_296 * bound);
  }

  /** Fills bytes. */
  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.below(256);
  }
}

/** Answers the questions of a simulation. */
export interface Chooser {
  /** Whether only whole operations are wanted: none cut in the middle. */
  readonly isCoarse: boolean;
  /**
   * Returns one of `count` answers, from 0 on.
   *
   * @param likely Answers that sampling prefers.
   */
  pick(count: number, likely?: readonly number[]): number;
}

/** How often, in percent, a crash of this temper answers "all of it" and "nothing of it" straight away. */
const TEMPERS: readonly { readonly all: number; readonly nothing: number }[] = [
  { all: 0, nothing: 0 },
  { all: 90, nothing: 0 },
  { all: 0, nothing: 90 },
  { all: 45, nothing: 45 },
  { all: 70, nothing: 20 },
];

/** Answers at random. */
export class Sampler implements Chooser {
  readonly isCoarse = false;
  readonly #random: SeededRandom;
  readonly #temper: { readonly all: number; readonly nothing: number };

  /** Draws a temper. */
  constructor(random: SeededRandom) {
    this.#random = random;
    this.#temper = TEMPERS[random.below(TEMPERS.length)]!;
  }

  pick(count: number, likely: readonly number[] = []): number {
    if (count <= 1) return 0;
    const percent = this.#random.below(100);
    if (percent < this.#temper.all) return count - 1;
    if (percent < this.#temper.all + this.#temper.nothing) return 0;
    if (likely.length > 0 && this.#random.below(2) === 0) return likely[this.#random.below(likely.length)]!;
    return this.#random.below(count);
  }
}

/** Goes through all answers to all questions. */
export class Odometer implements Chooser {
  readonly isCoarse: boolean;
  readonly #digits: { at: number; readonly count: number }[] = [];
  #asked = 0;

  /** Stands at the answer 0 to every question. */
  constructor(isCoarse: boolean) {
    this.isCoarse = isCoarse;
  }

  pick(count: number): number {
    if (count <= 1) return 0;
    if (this.#asked === this.#digits.length) this.#digits.push({ at: 0, count });
    return this.#digits[this.#asked++]!.at;
  }

  /** Moves on; `false` once all answers were given. */
  advance(): boolean {
    this.#asked = 0;
    for (let digit = this.#digits.pop(); digit !== undefined; digit = this.#digits.pop()) {
      if (digit.at + 1 < digit.count) {
        this.#digits.push({ at: digit.at + 1, count: digit.count });
        return true;
      }
    }
    return false;
  }
}
