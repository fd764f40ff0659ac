/**
 * What `worker_places_test.ts` and `worker_life_test.ts` run in a process of its own: a tree with the default background.
 *
 * Arguments: what to do, the folder, and where the module comes from; this checkout if that is not said. It answers with one line of
 * JSON and then ends by itself, or does not.
 *
 * - `live`: writes, flushes, compacts, closes, reopens, checks, closes.
 * - `idle`: writes and flushes, waits until nothing is to be done, and leaves the tree open.
 * - `busy`: begins a compaction and leaves the tree open; it answers at once.
 *
 * Nothing but this checkout is imported, so that it runs where no package can be had.
 */

import type * as lsm from "../../mod.ts";
import type { Config, Tree as LsmTree } from "../../mod.ts";
import { differing, writeNumber } from "../support/numbered_writes.ts";
import type { WorkerAnswer } from "../support/worker_children.ts";

/** What `live` answers. */
export interface LiveAnswer extends WorkerAnswer {
  /** Where background work ran in the end, as the configuration and the statistics say. */
  readonly modes: readonly string[];
  /** Why there. */
  readonly reason: string;
  /** Workers that were seen: before the first task, during a flush, during a compaction. */
  readonly threads: readonly number[];
  /** What background work has failed with; empty if nothing. */
  readonly lastError: string;
  /** Flushes, merges and writes that were stopped. */
  readonly flushes: number;
  readonly merges: number;
  readonly stops: number;
  /** Keys that were wrong: before the close, and after it. */
  readonly differing: readonly (readonly string[])[];
}

/** What the others answer. */
export interface OpenAnswer extends WorkerAnswer {
  /** Tasks under way. */
  readonly tasks: number;
  /** Workers that are there. */
  readonly threads: number;
}

const WRITES = 6000;
const YIELD_EVERY = 100;
const [task = "", folder = "", module] = Deno.args;
// What is named in the text needs no leave to be read.
const { leveled, Tree }: typeof lsm = module === undefined
  ? await import("../../mod.ts")
  : await import(module);
const CONFIG: Config = {
  maxMemtableSize: 64 * 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 32 * 1024 }),
};
const TASKS: Readonly<Record<string, () => Promise<object>>> = { live, idle, busy };

const answer = await TASKS[task]!();
console.log(JSON.stringify({ ...answer, saidAt: Date.now() }));

async function live(): Promise<Omit<LiveAnswer, "saidAt">> {
  const tree = await Tree.open(folder, CONFIG);
  const threadsBefore = tree.stats().background.threads;
  const count = await write(tree, WRITES);
  const threadsFlushing = await mostThreads(tree, tree.flushMemtable());
  const threadsCompacting = await mostThreads(tree, tree.compact());
  const { background, lastError, flushes, merges, stalls } = tree.stats();
  const modes = [tree.config.background, background.mode];
  const differingBefore = differing(tree, count);
  await tree.close();
  const again = await Tree.open(folder, CONFIG);
  const differingAfter = differing(again, count);
  await again.close();
  return {
    count,
    modes,
    reason: background.reason,
    threads: [threadsBefore, threadsFlushing, threadsCompacting],
    lastError: lastError === undefined ? "" : String(lastError),
    flushes,
    merges,
    stops: stalls.stops,
    differing: [differingBefore, differingAfter],
  };
}

async function idle(): Promise<Omit<OpenAnswer, "saidAt">> {
  const tree = await Tree.open(folder, CONFIG);
  const count = await write(tree, WRITES);
  await tree.flushMemtable();
  while (tree.stats().background.tasks > 0) await pause(1);
  return { count, ...workOf(tree) };
}

async function busy(): Promise<Omit<OpenAnswer, "saidAt">> {
  // Nothing is merged before it is asked for.
  const tree = await Tree.open(folder, { ...CONFIG, compactionStrategy: leveled({ l0Threshold: 1000 }) });
  const count = await write(tree, 4 * WRITES);
  await tree.flushMemtable();
  tree.compact();
  while (tree.stats().background.tasks === 0) await pause(0);
  return { count, ...workOf(tree) };
}

async function write(tree: LsmTree, count: number): Promise<number> {
  for (let number = 1; number <= count; number++) {
    if (number % YIELD_EVERY === 0) {
      await tree.ready();
      await pause(0);
    }
    writeNumber(tree, number);
  }
  return count;
}

/** Returns how many Workers were seen while something was waited for. */
async function mostThreads(tree: LsmTree, work: Promise<void>): Promise<number> {
  let most = 0;
  let isOver = false;
  const ended = work.finally(() => isOver = true);
  while (!isOver) {
    most = Math.max(most, tree.stats().background.threads);
    await pause(1);
  }
  await ended;
  return most;
}

function workOf(tree: LsmTree): { readonly tasks: number; readonly threads: number } {
  const { tasks, threads } = tree.stats().background;
  return { tasks, threads };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
