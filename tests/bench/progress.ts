/**
 * A progress bar on the standard error, so that what a benchmark prints stays clean. None where that is no terminal.
 *
 * It is drawn by a timer a few times a second: far too seldom to be seen in a figure.
 *
 * @module
 */

import process from "node:process";
import cliProgress from "cli-progress";

/** What is used of the library, which comes without types. */
interface Bar {
  start(total: number, done: number, payload: BarPayload): void;
  update(done: number, payload: BarPayload): void;
  stop(): void;
}

interface BarPayload {
  readonly note: string;
}

interface BarLibrary {
  readonly SingleBar: new (options: Readonly<Record<string, unknown>>, preset: unknown) => Bar;
  readonly Presets: { readonly shades_classic: unknown };
}

const { SingleBar, Presets }: BarLibrary = cliProgress;

/**
 * Shows how far something is while it runs; `action` is given a function that is to be told how much is done, and what is under way
 * where that differs.
 */
export async function withBar<T>(
  what: string,
  total: number,
  action: (show: (done: number, note?: string) => void) => Promise<T>,
): Promise<T> {
  const bar = new SingleBar({
    format: `{bar} {value} of {total} ${what}{note}`,
    stream: process.stderr,
    barsize: 30,
    fps: 4,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  }, Presets.shades_classic);
  bar.start(total, 0, { note: "" });
  try {
    return await action((done, note) => bar.update(done, { note: note === undefined ? "" : `: ${note}` }));
  } finally {
    bar.stop();
  }
}
