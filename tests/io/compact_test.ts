/**
 * `compact()`: of everything or of a range, with progress, and ended early. In the calling thread and in a Worker.
 */

import { assert, assertEquals, assertGreater, assertRejects, assertStrictEquals } from "@std/assert";
import type { CompactProgress, Config } from "@lsm/tree";
import { ClosedError, MemoryStorage, NoSpaceError, Tree } from "@lsm/tree";
import { SimulatedStorage } from "../../io/simulated_storage.ts";
import { testWithFiles } from "../support/permissions.ts";
import { keysOf, numbered, openInMemory, TINY } from "../support/trees.ts";

/** Lets segments lie where they were flushed. */
const IDLE: Config = {
  maxMemtableSize: 4096,
  blockSize: 1024,
  compactionStrategy: { name: "idle", level0Threshold: Infinity, choose: () => ({ kind: "none" }) },
};

/** Writes so many keys in two rounds, so that level 0 overlaps, and removes every third. */
function fill(tree: Tree, count: number): string[] {
  const keys = numbered(count);
  for (const round of ["1", "2"]) {
    for (const key of keys) tree.insert(key, round.padEnd(100, "."));
  }
  const removed = keys.filter((_, i) => i % 3 === 0);
  for (const key of removed) tree.remove(key);
  return keys.filter((_, i) => i % 3 !== 0);
}

function runsOf(tree: Tree): string {
  return tree.stats().levels.map(({ level, runs }) => `L${level} ${runs}`).join();
}

function tombstonesOf(tree: Tree): number {
  return tree.stats().levels.reduce((sum, level) => sum + level.tombstones, 0);
}

/** Registers a test in memory with work in the calling thread, and one on files with work in a Worker. */
function testBoth(name: string, fn: (open: (config?: Config) => Promise<Tree>) => Promise<void>): void {
  Deno.test(`${name} (inline)`, () => fn((config) => openInMemory({ ...IDLE, ...config })));
  testWithFiles(`${name} (worker)`, (folder) => fn((config) => Tree.open(folder, { ...IDLE, ...config })));
}

testBoth("compact leaves one run in the last level and no tombstone", async (open) => {
  await using tree = await open();
  const left = fill(tree, 500);
  await tree.compact();
  assertEquals([runsOf(tree), tombstonesOf(tree)], ["L6 1", 0]);
  assertEquals(keysOf(tree), left);
  const { merges } = tree.stats();
  await tree.compact();
  assertEquals(tree.stats().merges, merges, "nothing was left to do");
});

testBoth("compact of a range leaves keys outside of it where they are", async (open) => {
  await using tree = await open();
  for (const key of ["a", "b", "c", "x", "y", "z"]) {
    tree.insert(key, "1");
    await tree.flushMemtable();
    tree.remove(key);
    await tree.flushMemtable();
    tree.insert(key, "2");
    await tree.flushMemtable();
  }
  assertEquals(tree.segmentCount(), 18);
  await tree.compact({ range: { gte: "b", lt: "x" } });
  assertEquals(keysOf(tree).join(""), "abcxyz");
  const levels = new Map(tree.stats().levels.map(({ level, segments }) => [level, segments]));
  assertEquals([levels.get(0), levels.get(6)], [12, 1]);
  await tree.compact({ range: { gt: "z" } });
  await tree.compact({ range: { gte: "x", lt: "x" } });
  assertEquals(tree.segmentCount(), 13);
});

testBoth("compact tells how far it is, up to all of it", async (open) => {
  await using tree = await open();
  fill(tree, 3_000);
  await tree.flushMemtable();
  const told: CompactProgress[] = [];
  await tree.compact({ onProgress: (progress) => void told.push(progress) });
  assertGreater(told.length, 0);
  let before = 0;
  for (const { doneBytes, totalBytes } of told) {
    assert(doneBytes >= before && doneBytes <= totalBytes, JSON.stringify(told));
    before = doneBytes;
  }
  const last = told.at(-1)!;
  assertEquals(last.doneBytes, last.totalBytes);
  assertGreater(last.totalBytes, 100_000);
});

testBoth("a signal ends a compaction with its reason, and nothing is lost", async (open) => {
  await using tree = await open();
  const left = fill(tree, 3_000);
  await tree.flushMemtable();
  const before = runsOf(tree);
  const reason = new Error("enough");
  await assertRejects(() => tree.compact({ signal: AbortSignal.abort(reason) }), Error, "enough");
  assertEquals(runsOf(tree), before);
  const controller = new AbortController();
  const error = await assertRejects(() =>
    tree.compact({ signal: controller.signal, onProgress: () => controller.abort(reason) })
  );
  assertStrictEquals(error, reason);
  assertEquals([keysOf(tree), tree.stats().lastError], [left, undefined]);
  // In this thread progress is told in the middle of the merge, which then goes no further.
  if (tree.config.background === "inline") assertEquals([tree.stats().merges, runsOf(tree)], [0, before]);
  tree.insert("zzz", "after");
  await tree.compact();
  assertEquals(keysOf(tree), [...left, "zzz"]);
  assertEquals([runsOf(tree), tree.stats().background.tasks], ["L6 1", 0]);
});

testBoth("what onProgress throws ends the compaction and is thrown", async (open) => {
  await using tree = await open();
  const left = fill(tree, 3_000);
  const error = await assertRejects(() =>
    tree.compact({
      onProgress: () => {
        throw new RangeError("mine");
      },
    }), RangeError);
  assertEquals(error.message, "mine");
  assertEquals([keysOf(tree), tree.stats().lastError], [left, undefined]);
});

testBoth("writing from onProgress is refused", async (open) => {
  await using tree = await open();
  fill(tree, 2_000);
  await assertRejects(
    () => tree.compact({ onProgress: () => tree.insert("a", "b") }),
    TypeError,
    "inside a callback",
  );
});

testBoth("of several compactions each waits for the one before", async (open) => {
  await using tree = await open();
  const left = fill(tree, 600);
  await Promise.all([tree.compact(), tree.compact({ range: { lt: "key1" } }), tree.compact()]);
  assertEquals([keysOf(tree), runsOf(tree)], [left, "L6 1"]);
});

testBoth("a tree may be closed while it compacts", async (open) => {
  const tree = await open();
  fill(tree, 3_000);
  await tree.flushMemtable();
  const compacted = tree.compact().then(() => "done", (error) => error);
  await tree.close();
  const outcome = await compacted;
  assert(outcome === "done" || outcome instanceof ClosedError, String(outcome));
});

testBoth("writes go on while it compacts, and a snapshot keeps what it saw", async (open) => {
  await using tree = await open();
  const left = fill(tree, 1_000);
  using snapshot = tree.snapshot();
  const compacted = tree.compact();
  for (let i = 0; i < 500; i++) tree.insert(`other ${1000 + i}`, "x");
  await compacted;
  assertEquals(keysOf(snapshot), left);
  assertEquals(tree.len(), left.length + 500);
});

Deno.test("compact refuses options of a wrong type", async () => {
  await using tree = await openInMemory(TINY);
  const wrong: unknown[] = [null, 1, { signal: {} }, { onProgress: 1 }, { range: 1 }, { range: { gt: 1 } }];
  for (const options of [...wrong, { range: { gt: "a", gte: "b" } }]) {
    await assertRejects(() => tree.compact(options as never), TypeError);
  }
});

Deno.test("a compaction that meets a full disk throws it, loses nothing, and may be asked for again", async () => {
  const storage = new SimulatedStorage({ seed: 1, profile: "prefix" });
  const tree = await Tree.open("data", { ...IDLE, storage, fsyncInterval: null });
  const left = fill(tree, 500);
  await tree.flushMemtable();
  storage.fail({ operation: "append", file: /^segment/, error: "ENOSPC", sticky: true });
  await assertRejects(() => tree.compact(), NoSpaceError);
  assertEquals(keysOf(tree), left);
  storage.heal();
  await tree.compact();
  assertEquals([keysOf(tree), runsOf(tree), tree.stats().lastError], [left, "L6 1", undefined]);
  await tree.close();
});

Deno.test("the strategy is asked again after a compaction, and what it fails with is thrown", async () => {
  let isBroken = false;
  await using tree = await Tree.open("data", {
    ...IDLE,
    storage: new MemoryStorage(),
    compactionStrategy: {
      name: "mine",
      choose: () => {
        if (isBroken) throw new Error("broken strategy");
        return { kind: "none" };
      },
    },
  });
  fill(tree, 100);
  await tree.flushMemtable();
  isBroken = true;
  await assertRejects(() => tree.compact(), Error, "broken strategy");
  assertEquals(runsOf(tree), "L6 1");
  isBroken = false;
  await tree.compact();
});
