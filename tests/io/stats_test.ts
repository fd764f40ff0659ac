/**
 * Statistics: what a tree says about its shape and what it has done, checked against what its storage holds.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Storage, Tree } from "@lsm/tree";
import { MemoryStorage } from "@lsm/tree";
import { namesOf, numbered, openInMemory, TINY, treeOf, withSegments } from "../support/trees.ts";

/** The bytes of segments, journals and manifests in a storage. */
function stored(storage: Storage): number {
  return storage.list().filter(({ name }) => /^(segment|journal|manifest)-/.test(name))
    .reduce((sum, { size }) => sum + size, 0);
}

/** What must hold at any moment. */
function checkSums(tree: Tree): void {
  const stats = tree.stats();
  const { storage } = tree.config;
  assertEquals(stats.segments, namesOf(storage, "segment").length);
  assertEquals(tree.segmentCount(), stats.segments);
  assertEquals(stats.levels.reduce((sum, level) => sum + level.segments, 0), stats.segments);
  assertEquals(tree.diskSpace(), stored(storage));
  assert(stats.batches.durable <= stats.batches.written);
}

Deno.test("a new tree has nothing and has done nothing", async () => {
  await using tree = await openInMemory();
  const { levels, segments, flushes, merges, moves, leaks, lastError, pressure, ...stats } = tree.stats();
  assertEquals([levels, segments, flushes, merges, moves, leaks], [[], 0, 0, 0, 0, 0]);
  assertEquals([lastError, pressure.level, stats.pinnedVersions], [undefined, "go", 0]);
  assertEquals([stats.batches, stats.writeAmplification], [{ written: 0, durable: 0 }, 0]);
  assertEquals([stats.memtables.activeEntries, stats.memtables.sealed], [0, 0]);
  assertEquals(tree.approximateLen(), 0);
  checkSums(tree);
});

Deno.test("stats, diskSpace and segmentCount are what the storage holds, at every moment", async () => {
  const storage = new MemoryStorage();
  await using tree = await openInMemory({ ...TINY, storage });
  for (const key of numbered(200)) {
    tree.insert(key, key.padEnd(60, "."));
    checkSums(tree);
  }
  const { flushes, merges, moves, written, batches, writeAmplification } = tree.stats();
  assert(flushes > 5 && merges + moves > 0);
  assertEquals(batches.written, 200);
  assert(written.user >= 200 * 66 && written.journals >= written.user && written.segments > 0);
  assertEquals(writeAmplification, written.segments / written.user);
  for (const key of numbered(200)) tree.remove(key);
  checkSums(tree);
  assert(tree.stats().levels.some((level) => level.tombstones > 0));
  await tree.compact();
  checkSums(tree);
  assertEquals([tree.segmentCount(), tree.stats().levels], [0, []]);
});

Deno.test("diskSpace is what the storage holds after the tree was opened again, too", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(numbered(60), { storage })).close();
  for (let i = 0; i < 3; i++) {
    await using tree = await openInMemory({ ...TINY, storage });
    checkSums(tree);
    tree.insert("more", "1");
    checkSums(tree);
  }
});

Deno.test("levels tell their runs, segments, bytes, entries and tombstones", async () => {
  await withSegments(numbered(60), async (tree) => {
    await tree.compact();
    tree.remove("key00");
    tree.insert("key01", "new");
    await tree.flushMemtable();
    const [flushed, last] = tree.stats().levels;
    assertEquals([flushed!.level, flushed!.runs, flushed!.segments], [0, 1, 1]);
    assertEquals([flushed!.entries, flushed!.tombstones], [2, 1]);
    assertEquals([last!.level, last!.runs, last!.entries, last!.tombstones], [6, 1, 60, 0]);
    const segments = tree.config.storage.list().filter(({ name }) => name.startsWith("segment"));
    assertEquals(flushed!.bytes + last!.bytes, segments.reduce((sum, { size }) => sum + size, 0));
    assert(Math.abs(tree.approximateLen() - 59) <= 2);
  }, { compactionStrategy: { name: "idle", choose: () => ({ kind: "none" }) } });
});

Deno.test("filters save reads of keys that are not there", async () => {
  await withSegments(numbered(60), (tree) => {
    for (const key of numbered(60)) assertEquals(tree.get(`${key}x`), undefined);
    const { hits, passes } = tree.stats().filter;
    assert(hits > passes * 5, `${hits} saved, ${passes} not`);
  });
});

Deno.test("memory tells what the memtable takes, and lets it go after a flush", async () => {
  await using tree = await openInMemory();
  tree.insert("a", "1".repeat(1000));
  const { memtables, memory } = tree.stats();
  assertEquals([memtables.activeEntries, memtables.activeBytes >= 1000], [1, true]);
  assert(memory.memtables >= 1000);
  await tree.flushMemtable();
  assertEquals([tree.stats().memtables.activeBytes, tree.stats().memory.memtables], [0, 0]);
});

Deno.test("a stats object is a value: it stays what it was", async () => {
  await using tree = await treeOf(["a"]);
  const stats = tree.stats();
  const copy = structuredClone({ ...stats, lastError: undefined });
  tree.insert("b", "2");
  await tree.flushMemtable();
  assertEquals({ ...stats }, copy);
  assertEquals(tree.stats().batches.written, 2);
});
