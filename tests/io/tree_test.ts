/**
 * The tree as its users see it: reads, writes, read-modify-writes, and what they refuse.
 *
 * Every test goes through the package's own name. Ranges, batches, snapshots and entries have files of their own,
 * and so have what goes in (`input_test.ts`) and what survives (`durability_test.ts`).
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { Value } from "@lsm/tree";
import * as lsm from "@lsm/tree";
import * as io from "@lsm/tree/io";
import { MemoryStorage, Tree } from "@lsm/tree";
import {
  entryText,
  keysOf,
  numbered,
  openInMemory,
  text,
  texts,
  TINY,
  treeOf,
  utf8,
  withSegments,
  WRITES,
} from "../support/trees.ts";

Deno.test("every name of the front page is exported, and each error has its code", () => {
  const codes: Record<string, string> = {
    CorruptionError: "CORRUPTION",
    JournalRecoveryError: "JOURNAL_RECOVERY",
    IoError: "IO",
    NoSpaceError: "NO_SPACE",
    LockedError: "LOCKED",
    ClosedError: "CLOSED",
    PoisonedError: "POISONED",
    ReadOnlyError: "READ_ONLY",
    NotFoundError: "NOT_FOUND",
    AlreadyExistsError: "ALREADY_EXISTS",
    UnsupportedFormatError: "UNSUPPORTED_FORMAT",
  };
  const cause = new Error("behind it");
  for (const [name, code] of Object.entries(codes)) {
    const { [name as "IoError"]: Class } = lsm;
    const error = new Class("Cannot go on", { cause, file: "segment-000001", offset: 7 });
    assert(error instanceof lsm.TreeError && error instanceof Error, name);
    assertEquals([error.name, error.code, error.cause, error.file, error.offset], [
      name,
      code as "IO",
      cause,
      "segment-000001",
      7,
    ]);
  }
  assert(new lsm.NoSpaceError("Cannot go on") instanceof lsm.IoError);
  const values = [lsm.Tree, lsm.Range, lsm.Batch, lsm.Snapshot, lsm.BlockCache, lsm.Levels, lsm.leveled];
  for (const value of values) assertEquals(typeof value, "function");
  assertStrictEquals(lsm.MemoryStorage, io.MemoryStorage);
  assertStrictEquals(lsm.FileStorage, io.FileStorage);
});

Deno.test("the front page of the seed, in TypeScript", async () => {
  await using tree = await Tree.open("data", { storage: new MemoryStorage() });
  tree.insert("my_key", "my_value");
  assertEquals(tree.get("my_key"), utf8("my_value"));
  await tree.flush();
  for (const key of ["prefix:1", "prefix:2", "q"]) tree.insert(key, key);
  assertEquals(keysOf(tree.prefix("prefix")), ["prefix:1", "prefix:2"]);
  assertEquals(keysOf(tree.range({ gte: "a", lte: "z" })), ["my_key", "prefix:1", "prefix:2", "q"]);
  assertEquals(keysOf(tree.prefix("prefix").rev()), ["prefix:2", "prefix:1"]);
});

Deno.test("a write is visible to the next read", async () => {
  await using tree = await openInMemory();
  assertEquals(tree.get("a"), undefined);
  assertEquals(tree.containsKey("a"), false);
  tree.insert("a", "1");
  assertEquals(tree.get("a"), utf8("1"));
  assertEquals(tree.containsKey("a"), true);
  tree.insert("a", "2");
  assertEquals(text(tree.get("a")), "2");
  tree.remove("a");
  assertEquals(tree.get("a"), undefined);
  assertEquals(tree.containsKey("a"), false);
  tree.remove("a");
  assertEquals(tree.len(), 0);
});

Deno.test("first, last, isEmpty and len see what is alive, wherever it is", async () => {
  await withSegments(numbered(60), async (tree) => {
    assertEquals(text(tree.firstKeyValue()![0]), "key00");
    assertEquals(text(tree.lastKeyValue()![0]), "key59");
    assertEquals(tree.len(), 60);
    for (const key of numbered(60).slice(0, 20)) tree.remove(key);
    for (const key of numbered(60).slice(50)) tree.remove(key);
    assertEquals(text(tree.firstKeyValue()![0]), "key20");
    assertEquals(text(tree.lastKeyValue()![0]), "key49");
    assertEquals(tree.len(), 30);
    assertEquals(tree.isEmpty(), false);
    for (const key of numbered(60)) tree.remove(key);
    assertEquals(tree.firstKeyValue(), undefined);
    assertEquals(tree.lastKeyValue(), undefined);
    assertEquals(tree.len(), 0);
    assertEquals(tree.isEmpty(), true);
    await tree.compact();
    assertEquals(tree.isEmpty(), true);
    assertEquals(tree.segmentCount(), 0);
  });
});

Deno.test("removeEntry removes and returns the old value", async () => {
  await withSegments(numbered(30), (tree) => {
    assertEquals(text(tree.removeEntry("key03")), "key03".padEnd(100, "."));
    assertEquals(tree.removeEntry("key03"), undefined);
    assertEquals(tree.get("key03"), undefined);
    assertEquals(tree.len(), 29);
  });
});

Deno.test("popFirst and popLast take the ends until nothing is left", async () => {
  await withSegments(numbered(30), (tree) => {
    const popped: string[] = [];
    for (let i = 0; i < 15; i++) {
      popped.push(text(tree.popFirst()![0]), text(tree.popLast()![0]));
    }
    assertEquals(popped.sort(), numbered(30));
    assertEquals(tree.popFirst(), undefined);
    assertEquals(tree.popLast(), undefined);
    assertEquals(tree.isEmpty(), true);
  });
});

Deno.test("what is written below the first or above the last pop is found", async () => {
  await using tree = await treeOf(numbered(40));
  for (let i = 0; i < 10; i++) tree.popFirst();
  for (let i = 0; i < 10; i++) tree.popLast();
  tree.insert("a", "1");
  tree.batch().insert("z", "2").commit();
  tree.entry("key01").orInsert("3");
  assertEquals(keysOf(tree), ["a", "key01", ...numbered(40).slice(10, 30), "z"]);
  assertEquals(entryText(tree.popFirst()), "a=1");
  assertEquals(entryText(tree.popFirst()), "key01=3");
  assertEquals(entryText(tree.popLast()), "z=2");
  assertEquals(tree.len(), 20);
});

Deno.test("emptying a tree of 20,000 entries from either end does not pass again over what is gone", async () => {
  const keys = numbered(20_000);
  const began = performance.now();
  for (const pop of ["popFirst", "popLast"] as const) {
    await using tree = await openInMemory({ maxMemtableSize: 256 * 1024 });
    for (const key of keys) tree.insert(key, "job");
    assert(tree.stats().flushes > 1);
    for (const key of pop === "popFirst" ? keys : keys.toReversed()) {
      assertEquals(text(tree[pop]()![0]), key);
    }
    assertEquals(tree[pop](), undefined);
  }
  assert(performance.now() - began < 10_000, "it scans what it has popped");
});

Deno.test("clear removes everything at once, and what is written after it stays", async () => {
  const storage = new MemoryStorage();
  {
    await using tree = await openInMemory({ ...TINY, storage });
    for (const key of numbered(50)) tree.insert(key, key);
    using before = tree.snapshot();
    tree.clear();
    assertEquals([tree.len(), tree.isEmpty(), tree.get("key01"), before.len()], [0, true, undefined, 50]);
    tree.insert("key01", "new");
    assertEquals(texts(tree), ["key01=new"]);
  }
  await using tree = await openInMemory({ storage });
  assertEquals(texts(tree), ["key01=new"]);
  tree.clear();
  await tree.compact();
  assertEquals([tree.len(), tree.segmentCount()], [0, 0]);
});

Deno.test("approximateLen is exact for keys written once, and never negative", async () => {
  await withSegments(numbered(100), async (tree) => {
    assertEquals(tree.approximateLen(), 100);
    for (const key of numbered(100)) tree.remove(key);
    assert(tree.approximateLen() >= 0);
    await tree.compact();
    assertEquals(tree.approximateLen(), 0);
  });
});

Deno.test("compareAndSwap writes only over what was expected; undefined stands for absent", async () => {
  await using tree = await openInMemory();
  assertEquals(tree.compareAndSwap("k", "x", "1"), { ok: false, current: undefined });
  assertEquals(tree.compareAndSwap("k", "", "1"), { ok: false, current: undefined });
  assertEquals(tree.compareAndSwap("k", undefined, undefined), { ok: true });
  assertEquals(tree.compareAndSwap("k", undefined, "1"), { ok: true });
  assertEquals(tree.compareAndSwap("k", undefined, "2"), { ok: false, current: utf8("1") });
  assertEquals(tree.compareAndSwap("k", "12", "2"), { ok: false, current: utf8("1") });
  assertEquals(tree.compareAndSwap("k", utf8("1"), new Uint8Array(0)), { ok: true });
  assertEquals(tree.compareAndSwap("k", undefined, "3"), { ok: false, current: new Uint8Array(0) });
  assertEquals(tree.compareAndSwap("k", "", undefined), { ok: true });
  assertEquals(tree.containsKey("k"), false);
  tree.insert("k", "é");
  assertEquals(tree.compareAndSwap("k", "é", "ß").ok, true);
  assertEquals(text(tree.get("k")), "ß");
});

Deno.test("fetchUpdate returns the old value and updateFetch the new one", async () => {
  await using tree = await openInMemory();
  const seen: (string | undefined)[] = [];
  const grow = (old: Uint8Array | undefined): Value => {
    seen.push(text(old));
    return (text(old) ?? "") + "x";
  };
  assertEquals(tree.fetchUpdate("k", grow), undefined);
  assertEquals(tree.fetchUpdate("k", grow), utf8("x"));
  assertEquals(tree.updateFetch("k", grow), utf8("xxx"));
  assertEquals(seen, [undefined, "x", "xx"]);
  assertEquals(tree.fetchUpdate("k", () => undefined), utf8("xxx"));
  assertEquals(tree.containsKey("k"), false);
  assertEquals(tree.updateFetch("k", () => ""), new Uint8Array(0));
  assertEquals(tree.updateFetch("k", () => undefined), undefined);
  assertEquals(tree.fetchUpdate("k", () => undefined), undefined);
  assertEquals(tree.isEmpty(), true);
});

Deno.test("an update may change what it is given: that is neither in the tree nor what is returned", async () => {
  await using tree = await treeOf(["abc"]);
  const seen: Uint8Array[] = [];
  const spoil = (old: Uint8Array | undefined): Value => {
    seen.push(old!);
    old!.fill(0);
    return "new";
  };
  assertEquals(text(tree.fetchUpdate("abc", spoil)), "abc");
  tree.updateFetch("abc", spoil);
  tree.entry("abc").andUpdate(spoil);
  assertEquals([seen.length, texts(tree)], [3, ["abc=new"]]);
});

Deno.test("an update that throws changes nothing, and its error passes through", async () => {
  await using tree = await treeOf(["a"]);
  const mine = new Error("mine");
  const fail = (): never => {
    throw mine;
  };
  for (
    const update of [
      () => tree.fetchUpdate("a", fail),
      () => tree.updateFetch("b", fail),
      () => tree.entry("a").andUpdate(fail),
      () => tree.entry("b").orInsertWith(fail),
      () => tree.entry("b").orInsertWithKey(fail),
    ]
  ) {
    assertStrictEquals(assertThrows(update), mine);
    assertEquals(texts(tree), ["a=a"]);
  }
  tree.insert("b", "the tree goes on");
  assertEquals(tree.len(), 2);
});

Deno.test("a write from inside a callback is a TypeError; a read is not", async () => {
  for (const [name, write] of Object.entries(WRITES)) {
    await using tree = await treeOf(["a"]);
    const callbacks: Record<string, (inside: () => Value) => unknown> = {
      fetchUpdate: (inside) => tree.fetchUpdate("k", inside),
      updateFetch: (inside) => tree.updateFetch("a", inside),
      andUpdate: (inside) => tree.entry("a").andUpdate(inside),
      orInsertWith: (inside) => tree.entry("k").orInsertWith(inside),
      orInsertWithKey: (inside) => tree.entry("k").orInsertWithKey(inside),
    };
    for (const [outer, call] of Object.entries(callbacks)) {
      const told = `${name} inside ${outer}`;
      assertThrows(() => call(() => String(write(tree))), TypeError, "Cannot write", told);
      assertEquals(texts(tree), ["a=a"], told);
    }
    tree.fetchUpdate("k", () => {
      assertThrows(() => write(tree), TypeError, "Cannot write", name);
      return `${texts(tree)} ${text(tree.get("a"))} ${tree.snapshot().len()}`;
    });
    assertEquals(text(tree.get("k")), "a=a a 1");
  }
});

Deno.test("maintenance from inside a callback is refused as a write is", async () => {
  await using tree = await treeOf(["a"]);
  const tried: Promise<unknown>[] = [];
  tree.fetchUpdate("a", () => {
    tried.push(assertRejects(() => tree.flushMemtable(), TypeError, "Cannot write"));
    tried.push(assertRejects(() => tree.compact(), TypeError, "Cannot write"));
    return "b";
  });
  await Promise.all(tried);
  assertEquals(texts(tree), ["a=b"]);
});

Deno.test("another tree may be written from inside a callback", async () => {
  await using one = await treeOf(["a"]);
  await using other = await treeOf(["a"]);
  one.updateFetch("a", (old) => other.fetchUpdate("a", () => old) ?? "");
  assertEquals([...texts(one), ...texts(other)], ["a=a", "a=a"]);
});

Deno.test("compact leaves one copy of each live key and no tombstone", async () => {
  await withSegments([...numbered(50), ...numbered(50)], async (tree) => {
    for (const key of numbered(50).slice(10)) tree.remove(key);
    const before = texts(tree);
    await tree.compact();
    assertEquals(texts(tree), before);
    const { levels } = tree.stats();
    assertEquals(levels.map(({ level, entries, tombstones }) => [level, entries, tombstones]), [[6, 10, 0]]);
    const { merges } = tree.stats();
    await tree.compact();
    assertEquals(tree.stats().merges, merges);
    assertEquals(texts(tree), before);
  });
});
