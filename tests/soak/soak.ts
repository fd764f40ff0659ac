/**
 * The soak, `deno task soak`: all tests that can look harder than in every run do so, at other cases each time, until the time is up.
 *
 * ```text
 * deno task soak [--minutes 60] [--seed 1] [--only crash] [--round-seconds 60]
 * ```
 *
 * - The tests are those that take their effort from `support/effort.ts`. One file after the other runs in a process of its own, with
 *   a seed that follows from the one given and a scale at which it takes about as long as a round.
 * - At the first failure it stops with code 1 and prints the seed, how to run just that again, and what the case was shrunk to:
 *   the list of commands that `tests/regressions/` keeps (`crashWorkload`, `runWithFault` and `answersAsAMap` take such lists).
 * - In the end it prints what was tried, in sums.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { walk } from "@std/fs";
import type { Failure, Round } from "./rounds.ts";
import { addCounts, countsIn, failureIn, Rounds } from "./rounds.ts";

const ROOT = new URL("../../", import.meta.url);

/** A round that takes so many times as long as it should hangs. */
const HANG_FACTOR = 10;
const HANG_SECONDS_MIN = 600;

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly only: string;
  readonly roundSeconds: number;
}

if (import.meta.main) Deno.exitCode = await main();

async function main(): Promise<number> {
  const options = optionsFrom(Deno.args);
  const files = await soakFiles(options.only);
  if (files.length === 0) throw new Error(`no test that can be scaled has "${options.only}" in its name`);
  const rounds = new Rounds(files, options.seed, options.roundSeconds);
  const counts = new Map<string, number>();
  const begun = performance.now();
  const secondsSince = (): number => (performance.now() - begun) / 1000;
  console.log(`${files.length} files for ${options.minutes} minutes, from seed ${options.seed}`);
  for (let round = rounds.next(); secondsSince() < options.minutes * 60; round = rounds.next()) {
    const before = performance.now();
    const failure = await run(round, options.roundSeconds, counts);
    const seconds = (performance.now() - before) / 1000;
    if (failure !== undefined) {
      console.error(textOf(failure, round));
      return 1;
    }
    rounds.took(round, seconds);
    const at = `${Math.floor(secondsSince() / 60)}`.padStart(3);
    console.log(
      `${at} min  ${round.file}  seed ${round.seed}, scale ${round.scale}: ok in ${Math.round(seconds)} s`,
    );
  }
  for (const [what, count] of [...counts].sort()) console.log(`tried ${count} ${what}`);
  console.log(`${rounds.count} rounds in ${Math.round(secondsSince() / 60)} minutes, none failed`);
  return 0;
}

function optionsFrom(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "60" },
      seed: { type: "string", default: "1" },
      only: { type: "string", default: "" },
      "round-seconds": { type: "string", default: "60" },
    },
  });
  return {
    minutes: numberFrom("minutes", values.minutes),
    seed: Math.floor(numberFrom("seed", values.seed)),
    only: values.only,
    roundSeconds: numberFrom("round-seconds", values["round-seconds"]),
  };
}

function numberFrom(name: string, text: string): number {
  const number = Number(text);
  if (!(number >= 0) || text.trim() === "") throw new Error(`Cannot soak: --${name} ${text} is not a number`);
  return number;
}

/** Returns the test files that take their effort from where it is scaled. */
async function soakFiles(only: string): Promise<string[]> {
  const files: string[] = [];
  const root = decodeURIComponent(ROOT.pathname);
  for await (const { path } of walk(`${root}tests`, { match: [/_test\.ts$/], includeDirs: false })) {
    const isScaled = (await Deno.readTextFile(path)).includes("support/effort.ts");
    if (isScaled && path.includes(only)) files.push(path.slice(root.length));
  }
  return files.sort();
}

/** Runs a round; returns how it failed, if it did. */
async function run(
  { file, seed, scale }: Round,
  roundSeconds: number,
  counts: Map<string, number>,
): Promise<Failure | undefined> {
  const limit = new AbortController();
  const hangs = Math.max(HANG_SECONDS_MIN, HANG_FACTOR * roundSeconds);
  const timer = setTimeout(() => limit.abort(), hangs * 1000);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", file, "--", `--seed=${seed}`, `--scale=${scale}`],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: limit.signal,
  });
  const { success, stdout, stderr } = await command.output();
  clearTimeout(timer);
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  addCounts(counts, countsIn(output));
  if (success) return undefined;
  return limit.signal.aborted ? { test: "(it hangs)", shrunk: undefined, output } : failureIn(output);
}

function textOf({ test, shrunk, output }: Failure, { file, seed, scale }: Round): string {
  const again = `deno test -A ${file} --filter ${JSON.stringify(test)} -- --seed=${seed} --scale=${scale}`;
  return [
    output,
    `FAILED  ${file}: ${test}`,
    `seed    ${seed}`,
    `again   ${again}`,
    `shrunk  ${shrunk ?? "nothing: the case follows from the seed alone"}`,
  ].join("\n");
}
