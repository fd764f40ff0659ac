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
  start(total: number, done: number): void;
  update(done: number): void;
  stop(): void;
}

interface BarLibrary {
  readonly SingleBar: new (options: Readonly<Record<string, unknown>>, preset: unknown) => Bar;
  readonly Presets: { readonly shades_classic: unknown };
}

const { SingleBar, Presets }: BarLibrary = cliProgress;

/** Shows how far something is while it runs; `action` is given a function that is to be told how much is done. */
export async function withBar<T>(
  what: string,
  total: number,
  action: (show: (done: number) => void) => Promise<T>,
): Promise<T> {
  const bar = new SingleBar({
    format: `{bar} {value} of {total} ${what}`,
    stream: process.stderr,
    barsize: 30,
    fps: 4,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  }, Presets.shades_classic);
  bar.start(total, 0);
  try {
    return await action((done) => bar.update(done));
  } finally {
    bar.stop();
  }
}
