/**
 * What a returned write survives, and what is promised when the disk does not do its part.
 *
 * In memory: what a storage holds while a tree is open on it is what the operating system would have been given.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { CompactionStrategy, Config, Durability, Tree } from "@lsm/tree";
import { ClosedError, IoError, MemoryStorage, NoSpaceError, PoisonedError, TreeError } from "@lsm/tree";
import { Durability as Barriers } from "../../io/durability.ts";
import { JournalWriter } from "../../io/journal_writer.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";
import {
  copyOf,
  FailingStorage,
  namesOf,
  numbered,
  openInMemory,
  READS,
  text,
  texts,
  TINY,
  treeOf,
  WRITES,
} from "../support/trees.ts";

/** Returns what a tree would have if the process died now. */
async function survivors(tree: Tree): Promise<string[]> {
  await using copy = await openInMemory({ storage: copyOf(tree.config.storage) });
  return texts(copy);
}

/** Opens a tree and writes one key. */
async function opened(durability: Durability, config: Config = {}): Promise<Tree> {
  return await treeOf(["a"], { durability, fsyncInterval: null, ...config });
}

function later(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits for something that has to happen in a few seconds. */
async function soon(happened: () => boolean | Promise<boolean>): Promise<void> {
  const began = performance.now();
  while (!await happened()) {
    assert(performance.now() - began < 5_000, "it has not happened in 5 s");
    await later(5);
  }
}

Deno.test("a returned write survives the death of the process, unless it is buffered", async () => {
  for (const [durability, survives] of [["buffered", false], ["os", true], ["sync", true]] as const) {
    await using tree = await opened(durability);
    tree.batch().insert("b", "2").remove("a").commit();
    assertEquals(await survivors(tree), survives ? ["b=2"] : [], durability);
    assertEquals(texts(tree), ["b=2"]);
  }
});

Deno.test("a returned write survives power loss under sync", async () => {
  await using tree = await opened("sync");
  assertEquals(tree.stats().batches, { written: 1, durable: 1 });
  tree.clear();
  tree.entry("b").orInsert("2");
  assertEquals(tree.stats().batches, { written: 3, durable: 3 });
  assertEquals(tree.stats().syncs, 3);
});

Deno.test("flush makes all writes so far survive power loss, whatever the mode", async () => {
  for (const durability of ["buffered", "os", "sync"] as const) {
    await using tree = await opened(durability);
    await tree.flush();
    assertEquals(tree.stats().batches, { written: 1, durable: 1 }, durability);
    assertEquals(await survivors(tree), ["a=a"], durability);
  }
});

Deno.test("what is buffered is written out when the buffer is full, in the order of the writes", async () => {
  await using tree = await opened("buffered", { maxMemtableSize: 1024 * 1024 });
  for (const key of numbered(2000)) tree.insert(key, "v".repeat(100));
  const left = await survivors(tree);
  assert(left.length > 500 && left.length < 2001, `${left.length}`);
  assertEquals(left, texts(tree).slice(0, left.length));
});

Deno.test("what is buffered is written out by a flush of the memtable, by close and by the interval", async () => {
  const storage = new MemoryStorage();
  const tree = await opened("buffered", { storage });
  await tree.flushMemtable();
  assertEquals(await survivors(tree), ["a=a"]);
  tree.insert("b", "2");
  await tree.close();
  await using again = await openInMemory({ storage, durability: "buffered", fsyncInterval: 5 });
  assertEquals(texts(again), ["a=a", "b=2"]);
  again.insert("c", "3");
  assertEquals(await survivors(again), ["a=a", "b=2"]);
  await soon(async () => (await survivors(again)).length === 3);
});

Deno.test("what is buffered in two chunks is written out in the order in which it was written", async () => {
  const storage = new MemoryStorage();
  // Records of 20 KiB are encoded in chunks of 256 KiB, and at most 64 KiB of them wait: now and then in two chunks.
  await using tree = await openInMemory({ storage, durability: "buffered", fsyncInterval: null });
  const keys = numbered(40);
  for (const [i, key] of keys.entries()) {
    tree.insert(key, key.repeat(4_000));
    await using copy = await openInMemory({ storage: copyOf(storage) });
    assertEquals([copy.recovery.dropped, copy.len() <= i + 1], [undefined, true]);
  }
  await tree.flush();
  assertEquals((await survivors(tree)).length, keys.length);
});

Deno.test("the interval syncs what was written, and then there is nothing to sync", async () => {
  await using tree = await opened("os", { fsyncInterval: 5 });
  await soon(() => tree.stats().batches.durable === 1);
  const { syncs } = tree.stats();
  await later(30);
  assertEquals(tree.stats().syncs, syncs);
  tree.insert("b", "2");
  await soon(() => tree.stats().batches.durable === 2);
});

Deno.test("a clock that jumps back lets nothing wait for longer than the interval", async () => {
  for (const jump of [-3_600_000, 3_600_000]) {
    const tree = new PureTree(SMALL).put(["a", "1"]);
    let now = 10_000_000;
    let passed = 0;
    const host = {
      currentState: () => tree.state,
      barrierPassed: () => void (passed += 1),
      poisonIfBarrier: String,
    };
    const storage = new MemoryStorage();
    storage.open({ create: true, readOnly: false });
    const barriers = new Barriers(host, new JournalWriter(storage, false), 1_000, () => now);
    barriers.keepInterval(now += 500);
    await Promise.resolve();
    assertEquals(passed, 0);
    barriers.keepInterval(now += jump);
    await barriers.stop();
    assertEquals(passed, 1);
  }
});

Deno.test("the interval also syncs what was written while a sync was under way", async () => {
  const storage = new FailingStorage();
  await using tree = await opened("os", { storage, fsyncInterval: 200 });
  const { promise, resolve } = Promise.withResolvers<void>();
  storage.held = promise;
  await later(230); // the sync of the first write has begun and waits
  tree.insert("b", "2");
  storage.held = undefined;
  resolve();
  const began = performance.now();
  while (tree.stats().batches.durable < 2 && performance.now() - began < 2000) await later(5);
  assertEquals(tree.stats().batches, { written: 2, durable: 2 });
});

Deno.test("the interval is kept in a loop that never yields", async () => {
  await using tree = await opened("os", { fsyncInterval: 5, maxMemtableSize: 2 ** 30 });
  const { syncs } = tree.stats();
  const began = performance.now();
  while (performance.now() - began < 100) tree.insert("a", "1");
  const { batches, syncs: after } = tree.stats();
  assert(batches.durable > 0, `${batches.durable} of ${batches.written}`);
  assert(after - syncs >= 2 && after - syncs <= 25, `${after - syncs} syncs in 20 intervals`);
});

Deno.test("with an interval of null nothing is synced but on demand", async () => {
  await using tree = await opened("os", { maxMemtableSize: 2 ** 30 });
  const began = performance.now();
  while (performance.now() - began < 20) tree.insert("a", "1");
  await later(20);
  assertEquals([tree.stats().batches.durable, tree.stats().syncs], [0, 0]);
  await tree.flush();
  assertEquals(tree.stats().batches.durable, tree.stats().batches.written);
});

Deno.test("what a full disk keeps in the buffer is written out when there is space again", async () => {
  const storage = new FailingStorage();
  await using tree = await opened("buffered", { storage, fsyncInterval: 5 });
  storage.failing.set("append", "journal");
  await later(30);
  assertEquals([await survivors(tree), texts(tree)], [[], ["a=a"]]);
  storage.failing.clear();
  const began = performance.now();
  while (tree.stats().batches.durable < 1 && performance.now() - began < 2000) await later(5);
  assertEquals(await survivors(tree), ["a=a"]);
});

Deno.test("a failed sync of the interval poisons the tree and is no unhandled rejection", async () => {
  const storage = new FailingStorage();
  const tree = await opened("os", { storage, fsyncInterval: 5 });
  storage.failing.set("sync", "journal");
  while (tree.stats().lastError === undefined) await later(5);
  assertStrictEquals(tree.stats().lastError, storage.error);
  assertThrows(() => tree.insert("b", "2"), PoisonedError);
  assertEquals(text(tree.get("a")), "a");
  storage.failing.clear();
  await assertRejects(() => tree.close(), PoisonedError);
});

Deno.test("after close every use is a ClosedError, and close does nothing more", async () => {
  const tree = await treeOf(["a"]);
  const occupied = tree.entry("a");
  const batch = tree.batch().insert("c", "3");
  const empty = tree.batch();
  await tree.close();
  const uses: Record<string, (tree: Tree) => unknown> = {
    ...READS,
    ...WRITES,
    iterator: (tree) => tree[Symbol.iterator](),
    "for of": (tree) => [...tree],
    approximateLen: (tree) => tree.approximateLen(),
    snapshot: (tree) => tree.snapshot(),
    stats: (tree) => tree.stats(),
    diskSpace: (tree) => tree.diskSpace(),
    segmentCount: (tree) => tree.segmentCount(),
    entry: (tree) => tree.entry("a"),
    batch: (tree) => tree.batch(),
    "entry made before": () => occupied.orInsert("1"),
    "batch made before": () => batch.commit(),
    "empty batch made before": () => empty.commit(),
  };
  for (const [name, use] of Object.entries(uses)) {
    assertEquals(assertThrows(() => use(tree), ClosedError, "Cannot", name).code, "CLOSED");
  }
  for (const name of ["flush", "ready", "flushMemtable", "compact"] as const) {
    await assertRejects(() => tree[name](), ClosedError, "Cannot", name);
  }
  await tree.close();
  await tree[Symbol.asyncDispose]();
  assertEquals([tree.folder, tree.recovery.created, tree.config.levelCount], ["data", true, 7]);
});

Deno.test("from the call of close on nothing is written", async () => {
  const storage = new MemoryStorage();
  const tree = await treeOf(["a"], { storage });
  const closing = [tree.close(), tree.close()];
  for (const [name, write] of Object.entries(WRITES)) assertThrows(() => write(tree), ClosedError, "", name);
  await Promise.all(closing);
  await using again = await openInMemory({ storage });
  assertEquals([texts(again), again.recovery.cleanClose], [["a=a"], true]);
});

Deno.test("a flush that is under way when the tree is closed resolves", async () => {
  const tree = await treeOf(["a"]);
  const flushed = tree.flush();
  await tree.close();
  await flushed;
});

Deno.test("concurrent flushes share one fsync, and one with nothing to do needs none", async () => {
  await using tree = await treeOf(["a", "b"], { fsyncInterval: null });
  await Promise.all(Array.from({ length: 20 }, () => tree.flush()));
  assertEquals(tree.stats().syncs, 1);
  await tree.flush();
  assertEquals(tree.stats().syncs, 1);
  assertEquals(tree.stats().batches, { written: 2, durable: 2 });
});

Deno.test("a flush covers what was written before it, also while another is under way", async () => {
  await using tree = await treeOf(["a"], { fsyncInterval: null });
  const first = tree.flush();
  await Promise.resolve();
  await Promise.resolve(); // the first barrier has begun by now
  tree.insert("b", "2");
  await tree.flush();
  assertEquals(tree.stats().batches, { written: 2, durable: 2 });
  await first;
});

Deno.test("ready resolves when a write would not have to wait", async () => {
  await using tree = await treeOf(numbered(50));
  assertEquals(await tree.ready(), undefined);
});

Deno.test("a full disk refuses the write alone: free space and go on", async () => {
  const storage = new FailingStorage();
  await using tree = await openInMemory({ storage, fsyncInterval: null });
  storage.failing.set("create", "journal");
  assertThrows(() => tree.insert("a", "1"), NoSpaceError, "Cannot");
  storage.failing.clear();
  tree.insert("a", "1");
  storage.failing.set("append", "journal");
  for (const [name, write] of Object.entries(WRITES)) {
    const error = assertThrows(() => write(tree), NoSpaceError, "Cannot", name);
    assert(error instanceof IoError && error instanceof TreeError && error.code === "NO_SPACE");
    assertEquals(texts(tree), ["a=1"], name);
  }
  storage.failing.clear();
  tree.insert("b", "2");
  assertEquals(texts(tree), ["a=1", "b=2"]);
  await using copy = await openInMemory({ storage: copyOf(storage) });
  assertEquals(texts(copy), ["a=1", "b=2"]);
});

Deno.test("a failed barrier poisons the tree: reads go on, writes are refused until it is reopened", async () => {
  for (const durability of ["os", "sync"] as const) {
    const storage = new FailingStorage();
    const tree = await openInMemory({ storage, durability, fsyncInterval: null });
    tree.insert("a", "1");
    storage.error = new IoError("Cannot sync: the disk reports an input/output error; check the disk");
    storage.failing.set("sync", "journal");
    if (durability === "sync") assertThrows(() => tree.insert("b", "2"), IoError, "Cannot");
    else {
      tree.insert("a", "1");
      await assertRejects(() => tree.flush(), IoError, "Cannot");
    }
    storage.failing.clear();
    assertEquals(text(tree.get("a")), "1");
    for (const [name, write] of Object.entries(WRITES)) {
      const error = assertThrows(() => write(tree), PoisonedError, `"data"`, name);
      assertEquals([error.code, error.cause], ["POISONED", storage.error], name);
    }
    for (const name of ["flush", "flushMemtable", "compact"] as const) {
      await assertRejects(() => tree[name](), PoisonedError, "Cannot", `${name} ${durability}`);
    }
    assertStrictEquals(tree.stats().lastError, storage.error);
    await assertRejects(() => tree.close(), PoisonedError);
    assertThrows(() => tree.get("a"), ClosedError);
    await using again = await openInMemory({ storage });
    assertEquals(text(again.get("a")), "1");
    again.insert("c", "3");
  }
});

Deno.test("after a failed barrier no file is removed, whoever lets go of it", async () => {
  const storage = new FailingStorage();
  const tree = await openInMemory({ ...TINY, storage, fsyncInterval: null });
  for (const key of numbered(40)) tree.insert(key, key.padEnd(100, "."));
  const [early, late] = [tree.snapshot(), tree.snapshot()];
  await tree.compact();
  tree.insert("a", "1");
  const late2 = tree.snapshot();
  await tree.compact();
  const before = namesOf(storage, "segment");
  assert(before.length > tree.segmentCount());
  tree.insert("a", "2");
  storage.failing.set("sync", "journal");
  await assertRejects(() => tree.flush(), NoSpaceError);
  storage.failing.clear();
  early.close();
  late.close();
  assertEquals(namesOf(storage, "segment"), before);
  await assertRejects(() => tree.close(), PoisonedError);
  late2.close();
  assertEquals(namesOf(storage, "segment"), before);
});

Deno.test("a flush that meets a full disk fails no write, and is done when there is space again", async () => {
  const storage = new FailingStorage();
  await using tree = await treeOf(["a"], { storage });
  storage.failing.set("create", "segment");
  for (const key of numbered(12)) tree.insert(key, key.padEnd(100, "."));
  assertEquals(tree.len(), 13);
  assertStrictEquals(tree.stats().lastError, storage.error);
  for (const maintain of [() => tree.flushMemtable(), () => tree.compact()]) {
    assertStrictEquals(await assertRejects(maintain, NoSpaceError), storage.error);
  }
  assertEquals(tree.len(), 13);
  storage.failing.clear();
  await tree.flushMemtable();
  assertEquals([tree.stats().lastError, tree.len(), tree.segmentCount() > 0], [undefined, 13, true]);
});

Deno.test("a compaction that was asked for and failed is thrown and shown, and is over when its pause is", async () => {
  const storage = new FailingStorage();
  const compactionStrategy: CompactionStrategy = { name: "idle", choose: () => ({ kind: "none" }) };
  await using tree = await treeOf(numbered(30), { storage, compactionStrategy });
  await tree.flushMemtable();
  storage.failing.set("create", "segment");
  assertStrictEquals(await assertRejects(() => tree.compact(), NoSpaceError), storage.error);
  assertStrictEquals(tree.stats().lastError, storage.error);
  const began = performance.now();
  while (tree.stats().lastError !== undefined && performance.now() - began < 5000) await later(10);
  assertEquals([tree.stats().lastError, tree.len()], [undefined, 30]);
  storage.failing.clear();
  await tree.compact();
  assertEquals([tree.len(), tree.segmentCount()], [30, 1]);
});

Deno.test("a flush that failed is tried again when its pause is over, also if nothing is written", async () => {
  const storage = new FailingStorage();
  await using tree = await treeOf([], { storage });
  storage.failing.set("append", "segment");
  for (const key of numbered(12)) tree.insert(key, key.padEnd(100, "."));
  assertStrictEquals(tree.stats().lastError, storage.error);
  storage.failing.clear();
  const began = performance.now();
  while (tree.stats().lastError !== undefined && performance.now() - began < 5000) await later(10);
  const { lastError, segments, memtables } = tree.stats();
  assertEquals([lastError, segments > 0, memtables.sealed, tree.len()], [undefined, true, 0, 12]);
});

Deno.test("a writer at a stop whose flush goes on failing gets that error, before anything is written", async () => {
  const storage = new FailingStorage();
  await using tree = await treeOf([], { storage });
  storage.failing.set("create", "segment");
  let written = 0;
  const error = assertThrows(() => {
    for (; written < 1000; written++) tree.insert(`${written}`, ".".repeat(500));
  }, NoSpaceError);
  assertStrictEquals(error, storage.error);
  assertEquals(tree.stats().pressure.level, "stop");
  assertEquals([tree.len(), tree.stats().batches.written], [written, written]);
  storage.failing.clear();
  tree.insert("more", "1");
  assertEquals([tree.len(), tree.stats().pressure.level], [written + 1, "go"]);
});

Deno.test("close throws what background work failed with, and has closed the tree all the same", async () => {
  const storage = new FailingStorage();
  const tree = await treeOf(["a"], { storage });
  storage.failing.set("create", "segment");
  for (const key of numbered(12)) tree.insert(key, key.padEnd(100, "."));
  const before = texts(tree);
  assertStrictEquals(await assertRejects(() => tree.close(), NoSpaceError), storage.error);
  assertThrows(() => tree.get("a"), ClosedError);
  storage.failing.clear();
  await using again = await openInMemory({ storage });
  assertEquals([texts(again), again.recovery.dropped], [before, undefined]);
});
