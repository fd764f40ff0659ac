/**
 * The result of a hunt as a table in `RESULT.md`: a row for each mutant, with the test that killed it.
 *
 * A hunt of a few of them replaces their rows alone, so each row has its date. Rows stand in the order of the list; those
 * of mutants that are not in it any more go.
 *
 * @module
 */

import type { Fate } from "./hunt.ts";
import { MUTANTS } from "./mutants.ts";
import { denoCommand } from "./test_run.ts";

/** Where the result stands. */
export const RESULT_URL: URL = new URL("./RESULT.md", import.meta.url);

/** The cells of a row: the mutant, where a real store had it, the test that killed it, its file, seconds, date, version of Deno. */
export type Row = readonly string[];

const HEADINGS: Row = ["What is wrong", "Like", "Killed by the test", "In", "Seconds", "Date", "Deno"];

/** Returns the rows of a table by the mutant's name. */
export function rowsOf(markdown: string): ReadonlyMap<string, Row> {
  const rows = markdown.split("\n").filter((line) => line.startsWith("|")).slice(2).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  return new Map(rows.map((row) => [row[0]!, row]));
}

/** Returns text as it stands in a cell. */
export function cellOf(text: string): string {
  return text.replaceAll("|", "/").replaceAll(/\s+/g, " ").replaceAll(/[<>*_`]/g, "").trim();
}

/** Returns the page with some fates put in, and all other rows as they were. */
export function resultText(
  before: string,
  fates: readonly Fate[],
  names: readonly string[],
  date: string,
  version: string,
): string {
  const rows = new Map(rowsOf(before));
  for (const { mutant, killed, seconds } of fates) {
    const { name, like = "" } = mutant;
    const [test, file] = killed === undefined ? ["LIVES", ""] : [killed.test, killed.file];
    const row = [name, like, test, file, seconds.toFixed(1), date, version].map(cellOf);
    rows.set(row[0]!, row);
  }
  const listed = names.map(cellOf).flatMap((name) => rows.has(name) ? [rows.get(name)!] : []);
  const killed = listed.filter((row) => row[2] !== "LIVES").length;
  const lines = [HEADINGS, HEADINGS.map(() => "---"), ...listed].map((row) => `| ${row.join(" | ")} |`);
  return [
    "# Mutants, and the tests that kill them",
    "",
    "Each row is the store with one small thing wrong, and the first test that failed on it. Written by `deno task mutants --write`;",
    "the changes themselves stand beside this file.",
    "",
    `${killed} of ${listed.length} killed.`,
    "",
    ...lines,
    "",
  ].join("\n");
}

/** Puts fates into the page. */
export async function writeResult(fates: readonly Fate[]): Promise<void> {
  let before = "";
  try {
    before = await Deno.readTextFile(RESULT_URL);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const date = new Date().toISOString().slice(0, 10);
  const names = MUTANTS.map(({ name }) => name);
  await Deno.writeTextFile(RESULT_URL, resultText(before, fates, names, date, Deno.version.deno));
  await new Deno.Command(denoCommand(), { args: ["fmt", "--quiet", RESULT_URL.pathname], stdin: "null" })
    .output();
}
