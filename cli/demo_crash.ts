/**
 * The crash of the demo: a process writes, is killed in the middle of it, and the tree is held to what it acknowledged.
 *
 * ```text
 * parent                              child (demo_writer.ts)
 *   start  ------------------------->   open the tree, which nobody else may have open
 *   read   <-------------------------   commit, acknowledge, commit, acknowledge, ...
 *   kill -9 after so many  --------->   gone, wherever it was
 *   read on until the pipe is empty     what it had acknowledged before it died counts too
 *   open the tree, look
 * ```
 *
 * What must hold: each acknowledged batch is there, no batch is there in part, and the batches that are there are the
 * first ones without a gap. One more than was acknowledged may be there: it died before it could say so.
 *
 * @module
 */

import { TextLineStream } from "@std/streams";
import type { Tree } from "@lsm/tree";
import { BATCH_ENTRIES, WRITTEN_PREFIX, writtenKey, writtenValue } from "./demo_writer.ts";
import { check } from "./demo_text.ts";

/** How to run the writer. */
export interface WriterOptions {
  /** The folder of the tree, which becomes its own: it may read and write there and nowhere else. */
  readonly folder: string;
  /** It is killed when it has acknowledged so many batches. */
  readonly batches: number;
  /** Is told of each acknowledgement. */
  readonly onBatch: (batch: number) => void;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** Runs the writer, kills it, and returns how many batches it acknowledged before it was gone. */
export async function killWriter({ folder, batches, onBatch, signal }: WriterOptions): Promise<number> {
  const program = import.meta.resolve("./demo_writer.ts");
  const writer = new Deno.Command(denoCommand(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-read=.", "--allow-write=.", program],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal,
  }).spawn();
  let acknowledged = 0;
  const lines = writer.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) {
    acknowledged = Number(line);
    onBatch(acknowledged);
    if (acknowledged === batches) writer.kill("SIGKILL");
  }
  const { success } = await writer.status;
  signal.throwIfAborted();
  check(!success && acknowledged >= batches, "the writer ended before it was killed");
  return acknowledged;
}

/** Returns how many batches of the writer are there, all of them whole and without a gap. */
export function wholeBatches(tree: Tree): number {
  const text = new TextDecoder();
  let entries = 0;
  for (const [key, value] of tree.prefix(WRITTEN_PREFIX)) {
    const batch = Math.floor(entries / BATCH_ENTRIES) + 1;
    const entry = entries % BATCH_ENTRIES;
    check(text.decode(key) === writtenKey(batch, entry), `entry ${entry} of batch ${batch} is missing`);
    check(text.decode(value) === writtenValue(batch, entry), `entry ${entry} of batch ${batch} is another`);
    entries += 1;
  }
  check(entries % BATCH_ENTRIES === 0, "the last batch is there in part");
  return entries / BATCH_ENTRIES;
}

/** The program that this runs in: by its path, or by its name where only that may be run. */
function denoCommand(): string {
  const path = Deno.execPath();
  return Deno.permissions.querySync({ name: "run", command: path }).state === "granted" ? path : "deno";
}
