/**
 * The hunt: which test kills which mutant, and which mutants live.
 *
 * First the tests are run without any mutant, and must pass: tests that fail anyway would kill everything. How long each file took
 * there says how long it may take at most. Then mutant after mutant is made in a copy of the checkout, one copy for each that
 * runs beside the others, and the tests that are said to kill it are run, until one of them does.
 *
 * @module
 */

import { asMutant, copyCheckout } from "./copies.ts";
import type { Mutant } from "./mutant.ts";
import { runTests, typeErrors } from "./test_run.ts";

/** What became of a mutant. */
export interface Fate {
  /** The mutant. */
  readonly mutant: Mutant;
  /** How it was killed, or `undefined` if it lives. */
  readonly killed:
    | { /** The file. */ readonly file: string; /** The test. */ readonly test: string }
    | undefined;
  /** How long that took. */
  readonly seconds: number;
}

/** How mutants are hunted. */
export interface HuntOptions {
  /** How many of them at once. */
  readonly jobs: number;
  /** Whether all tests are run, and not only those that are said to kill a mutant. */
  readonly allTests: boolean;
  /** Ends the hunt early. */
  readonly interrupt?: AbortSignal;
  /** Called with each line of progress. */
  readonly say: (line: string) => void;
}

/** Without a mutant no run takes so long. */
const UNMUTATED_SECONDS_MAX = 3600;

/** A test file may take this many times as long as without a mutant, and so much longer, before it counts as hung. */
const SLOWER_MAX = 8;
const SLOWER_SECONDS = 30;

/** What stands for all tests where test files are named. */
const ALL_TESTS = "all tests";

/**
 * Hunts mutants in copies of the checkout in `root`; returns their fates in the order of the list.
 *
 * @throws {RangeError} If a mutant does not fit the sources.
 * @throws {Error} If a test fails without any mutant.
 */
export async function hunt(
  root: string,
  mutants: readonly Mutant[],
  options: HuntOptions,
): Promise<readonly Fate[]> {
  const folders: string[] = [];
  try {
    for (let i = 0; i < Math.min(options.jobs, mutants.length); i++) folders.push(await copyCheckout(root));
    const limits = await timeLimits(folders[0]!, mutants, options);
    const fates: Fate[] = [];
    const left = [...mutants.entries()];
    const begun = performance.now();
    let done = 0;
    const huntIn = async (folder: string): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [i, mutant] = next;
        const fate = await fateOf(folder, mutant, limits, options);
        fates[i] = fate;
        done += 1;
        const minutes = (performance.now() - begun) / done * (mutants.length - done) / 60_000;
        options.say(`${done} of ${mutants.length}, about ${minutes.toFixed(1)} min left: ${fateText(fate)}`);
      }
    };
    await Promise.all(folders.map(huntIn));
    return fates;
  } finally {
    for (const folder of folders) await Deno.remove(folder, { recursive: true });
  }
}

/** Returns the mutants whose types are wrong: each is a mistake of the list, which a compiler would have found. */
export async function withWrongTypes(
  root: string,
  mutants: readonly Mutant[],
  say: (line: string) => void,
): Promise<readonly Mutant[]> {
  const folder = await copyCheckout(root);
  try {
    const wrong: Mutant[] = [];
    for (const [i, mutant] of mutants.entries()) {
      const why = await asMutant(folder, mutant, () => typeErrors(folder, mutant.file));
      if (why !== undefined) wrong.push(mutant);
      say(
        `${i + 1} of ${mutants.length}, types are ${
          why === undefined ? "right" : `WRONG: ${why}`
        }: ${mutant.name}`,
      );
    }
    return wrong;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the tests without any mutant; returns how many seconds each file may take with one. */
async function timeLimits(
  folder: string,
  mutants: readonly Mutant[],
  { allTests, interrupt, say }: HuntOptions,
): Promise<ReadonlyMap<string, number>> {
  const files = allTests ? [ALL_TESTS] : [...new Set(mutants.flatMap((mutant) => mutant.killedBy))].sort();
  const limits = new Map<string, number>();
  for (const file of files) {
    const run = await runTests(folder, fileOf(file), UNMUTATED_SECONDS_MAX, interrupt);
    say(`without any mutant ${file} ${run.kind} in ${run.seconds.toFixed(1)} s`);
    if (run.kind === "failed") {
      throw new Error(`Cannot hunt mutants: "${run.test}" fails without any: ${run.output}`);
    }
    limits.set(file, run.seconds * SLOWER_MAX + SLOWER_SECONDS);
  }
  return limits;
}

function fileOf(file: string): string | undefined {
  return file === ALL_TESTS ? undefined : file;
}

async function fateOf(
  folder: string,
  mutant: Mutant,
  limits: ReadonlyMap<string, number>,
  { allTests, interrupt }: HuntOptions,
): Promise<Fate> {
  return await asMutant(folder, mutant, async () => {
    let seconds = 0;
    for (const file of allTests ? [ALL_TESTS] : mutant.killedBy) {
      const run = await runTests(folder, fileOf(file), limits.get(file)!, interrupt);
      seconds += run.seconds;
      if (run.kind === "passed") continue;
      const test = run.kind === "failed" ? run.test : `no test: it hung for ${run.seconds.toFixed(0)} s`;
      return { mutant, killed: { file, test }, seconds };
    }
    return { mutant, killed: undefined, seconds };
  });
}

/** Returns a fate in words. */
export function fateText({ mutant, killed, seconds }: Fate): string {
  const after = `${seconds.toFixed(1)} s`;
  return killed === undefined
    ? `LIVES after ${after}: ${mutant.name}`
    : `killed in ${after}: ${mutant.name}\n    by "${killed.test}" (${killed.file})`;
}
