/**
 * What the demo prints, in 80 columns: steps with the time they took, numbers, tables, a progress bar.
 *
 * The bar is drawn on a terminal only and is gone when its step has ended. Colours are left out where the runtime says
 * so (`NO_COLOR`, no terminal).
 *
 * @module
 */

import process from "node:process";
import cliProgress from "cli-progress";

/** What is used of the progress bar, which comes without types. */
interface Bar {
  start(total: number, done: number): void;
  update(done: number): void;
  stop(): void;
}

interface BarOptions {
  readonly format: string;
  readonly stream: unknown;
  readonly barsize: number;
  readonly hideCursor: boolean;
  readonly clearOnComplete: boolean;
  readonly stopOnComplete: boolean;
  readonly gracefulExit: boolean;
}

interface BarLibrary {
  readonly SingleBar: new (options: BarOptions, preset: unknown) => Bar;
  readonly Presets: { readonly shades_classic: unknown };
}

const COLUMNS = 80;
const BAR_COLUMNS = 30;
const { SingleBar, Presets }: BarLibrary = cliProgress;

/** What ends the demo with a message: a promise of the tree that does not hold, or an interrupt. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

/** Throws unless something holds. */
export function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new DemoError(otherwise);
}

/** Adds a line to what a step tells. */
export type Say = (line: string) => void;

/** Does a step, then prints its title, how long it took and what it said; returns what it returns. */
export async function step<T>(title: string, action: (say: Say) => T | Promise<T>): Promise<T> {
  const lines: string[] = [];
  const started = performance.now();
  let took = "failed";
  try {
    const result = await action((line) => lines.push(line));
    took = duration(performance.now() - started);
    return result;
  } finally {
    const dots = ".".repeat(COLUMNS - title.length - took.length - 2);
    console.log(`\n%c${title}%c ${dots} ${took}`, "font-weight: bold", "");
    for (const line of lines) console.log(`  ${line}`);
  }
}

/**
 * Shows how far something is, while it runs.
 *
 * @param action Is given a function that is to be told how much is done.
 */
export async function withBar<T>(
  what: string,
  total: number,
  action: (show: (done: number) => void) => Promise<T>,
): Promise<T> {
  const bar = new SingleBar({
    format: `  {bar} {value} of {total} ${what}`,
    stream: process.stdout,
    barsize: BAR_COLUMNS,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    gracefulExit: false,
  }, Presets.shades_classic);
  bar.start(total, 0);
  try {
    return await action((done) => bar.update(Math.min(done, total)));
  } finally {
    bar.stop();
  }
}

/** Returns a table: the first row is its head, numbers are to the right. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join("   "));
}

/** Returns a count: `171,075`. */
export function count(number: number): string {
  return Math.round(number).toLocaleString("en-US");
}

/** Returns bytes: `25.6 MB`. */
export function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Returns a share: `97.5 %`. */
export function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : 100 * part / whole).toFixed(1)} %`;
}

/** Returns a time: `1.92 s`, `35.1 ms`, `2.1 µs`. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  if (milliseconds >= 0.1) return `${milliseconds.toFixed(1)} ms`;
  return `${(milliseconds * 1000).toFixed(1)} µs`;
}
