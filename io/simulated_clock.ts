/**
 * Time and random bits of a simulated storage.
 *
 * The clock stands still, unless a test moves it or it was made to jump. One that jumps does so when it is read, one time in
 * four, forth or back: by a moment, an hour or a year, as clocks do that are set by hand, by a server of time, or by a
 * battery that ran empty.
 *
 * A crash or a kill begins another *life* of the disk: the time goes on, and the bits are others, even if the seed is the
 * same. Both are apart from the chance that crashes and faults follow, so who asks the time changes none of them.
 *
 * Invariant: the time is a whole number of ms from 0 on.
 *
 * @module
 */

import { SeededRandom } from "./simulated_choices.ts";

/**
 * Whether the clock of a {@linkcode SimulatedStorage} moves by itself.
 *
 * - `"still"`: it begins at the start of 2020 and shows the same until a test moves it. Intervals and the age of segments are
 *   what the test says.
 * - `"jumps"`: it also jumps forth and back, by up to a year, by the seed.
 *
 * @example Segments that grow old
 * ```ts
 * import { fifo, Tree } from "@lsm/tree";
 * import { SimulatedStorage } from "@lsm/tree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const storage = new SimulatedStorage();
 * const compactionStrategy = fifo({ limit: 1_000_000, ttl: 60 }); // seconds
 * await using tree = await Tree.open("data", { storage, compactionStrategy });
 * tree.insert("old", "1");
 * await tree.flushMemtable();
 *
 * storage.advance(-3_600_000); // a clock that goes back makes nothing older
 * tree.insert("new", "2");
 * assertEquals(tree.containsKey("old"), true);
 *
 * storage.advance(3_600_000 + 61_000);
 * tree.insert("new", "3");
 * assertEquals([tree.containsKey("old"), tree.containsKey("new")], [false, true]);
 * ```
 */
export type ClockKind = "still" | "jumps";

/** What a simulated clock shows first: midnight of the first of January 2020, in Greenwich. */
const START = Date.UTC(2020, 0, 1);

/** How far a clock jumps, in ms. */
const JUMPS: readonly number[] = [1, 50, 1000, 60_000, 3_600_000, 365 * 86_400_000];

/** One time in so many. */
const JUMP_EVERY = 4;

/** The clock of one life of a disk, and its random bits. */
export class SimulatedClock {
  readonly #kind: ClockKind;
  readonly #life: number;
  readonly #jumps: SeededRandom;
  readonly #bits: SeededRandom;
  #time: number;

  /** Begins at a time. */
  constructor(kind: ClockKind, seed: number, life: number = 0, time: number = START) {
    this.#kind = kind;
    this.#life = life;
    this.#time = time;
    this.#jumps = new SeededRandom((seed >>> 0) + (2 * life + 1) * 2 ** 32);
    this.#bits = new SeededRandom((seed >>> 0) + (2 * life + 2) * 2 ** 32);
  }

  /** Returns the clock of the next life. */
  next(seed: number): SimulatedClock {
    return new SimulatedClock(this.#kind, seed, this.#life + 1, this.#time);
  }

  /** Returns the time; it may jump first. */
  read(): number {
    if (this.#kind === "jumps" && this.#jumps.below(JUMP_EVERY) === 0) {
      const jump = JUMPS[this.#jumps.below(JUMPS.length)]!;
      this.#time = Math.max(0, this.#time + (this.#jumps.below(2) === 0 ? jump : -jump));
    }
    return this.#time;
  }

  /** Moves it, back if `milliseconds` is negative. */
  advance(milliseconds: number): void {
    const time = this.#time + milliseconds;
    if (!Number.isSafeInteger(time) || time < 0) {
      throw new RangeError(`Cannot move the clock by ${milliseconds} ms: ${time} is no time`);
    }
    this.#time = time;
  }

  /** Fills words with random bits. */
  fill(words: Uint32Array): void {
    for (let i = 0; i < words.length; i++) words[i] = this.#bits.below(2 ** 32);
  }
}
