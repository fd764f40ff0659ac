/**
 * `deno task mutants`: makes the store wrong in many small ways, one at a time, and shows that the tests notice each of them.
 *
 * ```text
 * deno task mutants [--only TEXT] [--jobs N] [--all-tests] [--types] [--list] [--write]
 *   --only TEXT   only mutants whose name or file has this text
 *   --jobs N      so many at once, 1 if not given; more than there are cores make tests look hung
 *   --all-tests   all tests for each, and not only those that are said to kill it
 *   --types       only look whether the mutants have right types
 *   --list        only show which there are
 *   --write       put the result into tests/mutants/RESULT.md
 * ```
 *
 * Ends with 1 if a mutant lives.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import type { Fate } from "./hunt.ts";
import { fateText, hunt, withWrongTypes } from "./hunt.ts";
import { MUTANTS } from "./mutants.ts";
import { writeResult } from "./result.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/[/\\]$/, "");

if (import.meta.main) Deno.exitCode = await main(Deno.args);

/** Hunts mutants; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      jobs: { type: "string", default: "1" },
      "all-tests": { type: "boolean", default: false },
      types: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const jobs = Number(values.jobs);
  if (!(jobs >= 1) || !Number.isInteger(jobs)) {
    console.error(`Cannot hunt mutants: ${values.jobs} is no number of jobs`);
    return 1;
  }
  const mutants = MUTANTS.filter(({ name, file }) =>
    name.includes(values.only) || file.includes(values.only)
  );
  if (values.list) {
    for (const { name, file, like } of mutants) {
      console.log(`${file}: ${name}${like === undefined ? "" : ` (${like})`}`);
    }
    return 0;
  }
  if (mutants.length === 0) {
    console.error(`Cannot hunt mutants: the name of none has "${values.only}"`);
    return 1;
  }
  if (values.types) return (await withWrongTypes(ROOT, mutants, console.log)).length === 0 ? 0 : 1;
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort(new Error("interrupted"));
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    const fates = await hunt(ROOT, mutants, {
      jobs,
      allTests: values["all-tests"],
      interrupt: interrupt.signal,
      say: (line) => console.log(line),
    });
    if (values.write) await writeResult(fates);
    return conclude(fates);
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}

function conclude(fates: readonly Fate[]): number {
  const alive = fates.filter(({ killed }) => killed === undefined);
  for (const fate of alive) console.log(fateText(fate));
  console.log(`${fates.length - alive.length} of ${fates.length} killed`);
  return alive.length === 0 ? 0 : 1;
}
