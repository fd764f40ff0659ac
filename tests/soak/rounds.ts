/**
 * The rounds of a soak: which file is run next, at which seed and how hard, and what is read out of what it printed.
 *
 * Files take turns. At first each runs as hard as in every run of the tests; from how long that took follows the scale at which
 * the next round takes as long as rounds should.
 *
 * @module
 */

/** One run of a file. */
export interface Round {
  /** The path of the test file. */
  readonly file: string;
  /** What its cases follow from. */
  readonly seed: number;
  /** How hard it looks. */
  readonly scale: number;
}

/** How a round failed. */
export interface Failure {
  /** The name of the test. */
  readonly test: string;
  /** What the case was shrunk to, where a property failed. */
  readonly shrunk: string | undefined;
  /** All that was printed. */
  readonly output: string;
}

/** More would only take longer to shrink. */
const SCALE_MAX = 100;

/** Far apart, so that soaks with seeds next to each other share none. */
const SEED_STEP = 1_000_003;
const SEEDS = 2 ** 31;

/** The rounds of a soak, in order. */
export class Rounds {
  readonly #files: readonly string[];
  readonly #seed: number;
  readonly #seconds: number;
  readonly #scales: Map<string, number> = new Map();
  #begun = 0;
  /** How many were run. */
  count = 0;

  /** Begins; each round should take so many seconds. */
  constructor(files: readonly string[], seed: number, seconds: number) {
    this.#files = files;
    this.#seed = seed;
    this.#seconds = seconds;
  }

  /** Returns the next round. */
  next(): Round {
    const file = this.#files[this.#begun % this.#files.length]!;
    const seed = (this.#seed + SEED_STEP * this.#begun) % SEEDS;
    this.#begun += 1;
    return { file, seed, scale: this.#scales.get(file) ?? 1 };
  }

  /** Tells how long a round took. */
  took({ file, scale }: Round, seconds: number): void {
    this.count += 1;
    const wanted = Math.floor(scale * this.#seconds / Math.max(seconds, 0.1));
    this.#scales.set(file, Math.min(SCALE_MAX, Math.max(1, wanted)));
  }
}

/** Returns what was tried, by what it is, out of what tests printed. */
export function countsIn(output: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, count, what] of output.matchAll(/^tried (\d+) (.+)$/gm)) {
    addCounts(counts, new Map([[what!, Number(count)]]));
  }
  return counts;
}

/** Adds counts to sums. */
export function addCounts(sums: Map<string, number>, counts: ReadonlyMap<string, number>): void {
  for (const [what, count] of counts) sums.set(what, (sums.get(what) ?? 0) + count);
}

/** Returns which test failed, and what its case was shrunk to, out of what tests printed. */
export function failureIn(output: string): Failure {
  const test = /^(.+) \.\.\. FAILED/m.exec(output)?.[1] ?? "(no test: see above)";
  const shrunk = /^Counterexample: (.*)$/m.exec(output)?.[1];
  return { test, shrunk, output };
}
