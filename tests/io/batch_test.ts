/**
 * Batches: several writes that happen all or not at all.
 *
 * The bytes that a batch becomes are in `tests/core/batch_test.ts`; here is what a user builds and commits.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ClosedError, MemoryStorage, NoSpaceError } from "@lsm/tree";
import { effort } from "../support/effort.ts";
import {
  contentsOf,
  copyOf,
  FailingStorage,
  keysOf,
  numbered,
  openInMemory,
  text,
  texts,
  TINY,
  treeOf,
  withSegments,
  writeFile,
} from "../support/trees.ts";

Deno.test("a batch happens when it is committed, and not before", async () => {
  await using tree = await treeOf(["a", "b"]);
  const batch = tree.batch().insert("c", "3").remove("a");
  assertEquals(texts(tree), ["a=a", "b=b"]);
  using before = tree.snapshot();
  assertEquals(batch.commit(), undefined);
  assertEquals(texts(tree), ["b=b", "c=3"]);
  assertEquals(texts(before), ["a=a", "b=b"]);
});

Deno.test("each call returns the batch, and length counts the operations", async () => {
  await using tree = await treeOf(["a"]);
  const batch = tree.batch();
  assertEquals(batch.length, 0);
  assertStrictEquals(batch.insert("a", "1"), batch);
  assertStrictEquals(batch.remove("a"), batch);
  assertStrictEquals(batch.clear(), batch);
  batch.insert("a", "2").insert("a", "2").remove("not there");
  assertEquals(batch.length, 6);
  batch.commit();
  assertEquals(texts(tree), ["a=2"]);
});

Deno.test("the last operation on a key wins", async () => {
  await using tree = await treeOf(["a", "b"]);
  tree.batch().insert("a", "1").insert("a", "2").remove("b").insert("b", "3").insert("c", "4").remove("c")
    .commit();
  assertEquals(texts(tree), ["a=2", "b=3"]);
});

Deno.test("a clear in a batch removes what was there and what stands before it in the batch", async () => {
  await withSegments(numbered(40), async (tree) => {
    using before = tree.snapshot();
    tree.batch().insert("a", "1").clear().insert("b", "2").remove("key00").commit();
    assertEquals(texts(tree), ["b=2"]);
    await tree.compact();
    assertEquals([texts(tree), before.len()], [["b=2"], 40]);
    tree.batch().insert("c", "3").clear().commit();
    assertEquals(tree.isEmpty(), true);
  });
});

Deno.test("a committed batch cannot be used again", async () => {
  await using tree = await treeOf([]);
  for (const batch of [tree.batch().insert("a", "1"), tree.batch()]) {
    batch.commit();
    for (
      const use of [
        () => batch.insert("b", "2"),
        () => batch.remove("a"),
        () => batch.clear(),
        () => batch.commit(),
      ]
    ) assertThrows(use, TypeError, "Cannot use the batch");
  }
  assertEquals(texts(tree), ["a=1"]);
});

Deno.test("an empty batch commits to nothing, and one that is dropped leaves no trace", async () => {
  const storage = new MemoryStorage();
  await using tree = await openInMemory({ storage, fsyncInterval: null });
  const before = contentsOf(storage);
  tree.batch().commit();
  tree.batch().insert("a", "1").clear();
  assertEquals(contentsOf(storage), before);
  assertEquals([tree.stats().batches.written, tree.len()], [0, 0]);
});

Deno.test("a wrong argument leaves the batch as it was", async () => {
  await using tree = await treeOf([]);
  const batch = tree.batch().insert("a", "1");
  assertThrows(() => batch.insert("b", undefined as never), TypeError);
  assertThrows(() => batch.insert("b", "\ud800"), TypeError);
  assertThrows(() => batch.insert("k".repeat(65_536), ""), RangeError);
  assertThrows(() => batch.insert("b", new Uint8Array(2 ** 30 + 1)), RangeError);
  assertThrows(() => batch.remove(1 as never), TypeError);
  assertEquals(batch.length, 1);
  batch.insert("c", "3").commit();
  assertEquals(texts(tree), ["a=1", "c=3"]);
});

Deno.test("a batch that could not be committed has not happened, and can be committed later", async () => {
  const storage = new FailingStorage();
  await using tree = await treeOf(["a"], { storage });
  const batch = tree.batch().insert("b", "2").remove("a");
  storage.failing.set("append", "journal");
  assertThrows(() => batch.commit(), NoSpaceError);
  assertThrows(() => tree.fetchUpdate("c", () => batch.commit() as never), TypeError, "Cannot write");
  assertEquals(texts(tree), ["a=a"]);
  storage.failing.clear();
  batch.insert("c", "3").commit();
  assertEquals(texts(tree), ["b=2", "c=3"]);
});

Deno.test("several batches may be built at the same time", async () => {
  await using tree = await treeOf([]);
  const batches = [0, 1, 2].map(() => tree.batch());
  for (const key of numbered(30)) for (const [i, batch] of batches.entries()) batch.insert(`${i}${key}`, key);
  tree.insert("between", "1");
  for (const batch of batches.toReversed()) batch.commit();
  assertEquals(
    keysOf(tree),
    [0, 1, 2].flatMap((i) => numbered(30).map((key) => `${i}${key}`)).concat("between"),
  );
});

Deno.test("a batch larger than the memtable is still all or nothing", async () => {
  const storage = new MemoryStorage();
  await using tree = await openInMemory({ ...TINY, storage });
  const batch = tree.batch();
  for (const key of numbered(1000)) batch.insert(key, key.repeat(5));
  for (const key of numbered(1000).slice(500)) batch.remove(key);
  assertEquals(batch.length, 1500);
  batch.commit();
  assertEquals(keysOf(tree), numbered(1000).slice(0, 500));
  assert(tree.stats().flushes > 0);
  await using copy = await openInMemory({ storage: copyOf(storage) });
  assertEquals(texts(copy), texts(tree));
});

Deno.test("a batch cut off by a crash, at whatever byte, leaves no trace", async () => {
  const storage = new MemoryStorage();
  await using tree = await openInMemory({ storage, fsyncInterval: null });
  tree.insert("a", "1");
  const [name, before] = [...contentsOf(storage)].find(([name]) => name.startsWith("journal"))!;
  tree.batch().insert("b", "2").remove("a").clear().insert("c", "3").commit();
  const after = contentsOf(storage).get(name)!;
  for (let length = before.length; length <= after.length; length++) {
    const left = copyOf(storage);
    writeFile(left, name, after.subarray(0, length));
    await using copy = await openInMemory({ storage: left });
    const whole = length === after.length;
    assertEquals(texts(copy), whole ? ["c=3"] : ["a=1"], `${length} bytes`);
    assertEquals(copy.recovery.batches, whole ? 2 : 1);
    assertEquals(
      copy.recovery.dropped?.bytes,
      whole || length === before.length ? undefined : length - before.length,
    );
  }
});

Deno.test("a batch does what its operations do one by one", async () => {
  const operation = fc.tuple(fc.constantFrom("insert", "insert", "remove", "clear"), fc.nat(5), fc.nat(9));
  const batches = fc.array(fc.array(operation, { maxLength: 8 }), { maxLength: 8, size: "max" });
  await fc.assert(
    fc.asyncProperty(batches, async (given) => {
      await using one = await openInMemory(TINY);
      await using many = await openInMemory(TINY);
      for (const operations of given) {
        const batch = one.batch();
        for (const [kind, key, value] of operations) {
          if (kind === "insert") batch.insert(`${key}`, `${value}`), many.insert(`${key}`, `${value}`);
          else if (kind === "remove") batch.remove(`${key}`), many.remove(`${key}`);
          else batch.clear(), many.clear();
        }
        batch.commit();
        assertEquals(texts(one), texts(many));
      }
    }),
    effort(100),
  );
});

Deno.test("after the tree is closed a batch cannot be committed", async () => {
  const tree = await treeOf([]);
  const batch = tree.batch().insert("a", "1");
  await tree.close();
  assertThrows(() => batch.commit(), ClosedError, "Cannot");
});

Deno.test("a batch copies what it is given when it is given it", async () => {
  await using tree = await treeOf([]);
  const bytes = new Uint8Array([97, 98]);
  const batch = tree.batch().insert(bytes, bytes).remove(bytes.subarray(1));
  bytes.fill(99);
  batch.insert(bytes, bytes);
  bytes.fill(100);
  batch.commit();
  bytes.fill(101);
  assertEquals(texts(tree), ["ab=ab", "cc=cc"]);
  assertEquals(text(tree.get("ab")), "ab");
});
