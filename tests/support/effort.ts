/**
 * How hard the properties look: as long as fits into every run of the tests, or longer and elsewhere, in a soak.
 *
 * ```sh
 * deno test -A tests/properties/crash_test.ts -- --seed=7 --scale=20
 * ```
 *
 * looks twenty times as long, at cases that follow from the seed 7. Without arguments a property draws its seed, and prints it if it
 * fails; what is fixed for the sake of its examples has seed 1.
 *
 * What was looked at is counted, and printed in lines of one form, `tried 1234 crashes`, which whoever runs the tests adds up.
 *
 * @module
 */

import type fc from "fast-check";

function argument(name: string): number | undefined {
  const prefix = `--${name}=`;
  const given = Deno.args.find((argument) => argument.startsWith(prefix));
  return given === undefined ? undefined : Number(given.slice(prefix.length));
}

const GIVEN_SEED = argument("seed");

/** How many times as hard as in every run of the tests. */
export const SCALE: number = argument("scale") ?? 1;

/** What cases follow from that are not drawn by a property. */
export const SEED: number = GIVEN_SEED ?? 1;

/** Shrinking stops here: a long list that fails is better than none. */
const TIME_LIMIT_MILLISECONDS = 30_000;

/** Returns a number of cases, as hard as is wanted now. */
export function scaled(count: number): number {
  return Math.max(1, Math.round(count * SCALE));
}

/** Returns how hard a property looks that does so many runs in every run of the tests. */
export function effort(
  numRuns = 100,
): Pick<fc.Parameters<unknown>, "numRuns" | "interruptAfterTimeLimit" | "seed"> {
  return {
    numRuns: scaled(numRuns),
    interruptAfterTimeLimit: Math.max(1, SCALE) * TIME_LIMIT_MILLISECONDS,
    ...(GIVEN_SEED === undefined ? {} : { seed: GIVEN_SEED }),
  };
}

/** Tells how much was tried of something. */
export function tried(count: number, what: string): void {
  console.log(`tried ${count} ${what}`);
}
