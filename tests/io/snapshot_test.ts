/**
 * Snapshots: the tree as it was at one moment.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Tree } from "@lsm/tree";
import { ClosedError, MemoryStorage, Snapshot } from "@lsm/tree";
import {
  entryText,
  keysOf,
  namesOf,
  numbered,
  openInMemory,
  READS,
  text,
  texts,
  treeOf,
  withSegments,
} from "../support/trees.ts";

/** Everything that a tree and a snapshot can both be asked. */
function answers(reads: Tree | Snapshot): unknown[] {
  return [
    reads.len(),
    reads.isEmpty(),
    entryText(reads.firstKeyValue()),
    entryText(reads.lastKeyValue()),
    texts(reads.iter()),
    texts(reads.range({ gt: "key05", lte: "key45", reverse: true, limit: 20 })),
    texts(reads.prefix("key1").rev()),
    keysOf(reads),
    ...["key00", "key10", "other"].map((key) => [text(reads.get(key)), reads.containsKey(key)]),
  ];
}

Deno.test("a snapshot answers every read as the tree did when it was taken", async () => {
  await withSegments(numbered(60), async (tree) => {
    tree.remove("key10");
    const before = answers(tree);
    using snapshot = tree.snapshot();
    assert(snapshot instanceof Snapshot);
    const changes: Record<string, () => unknown> = {
      nothing: () => {},
      inserts: () => numbered(60).forEach((key) => tree.insert(key, "changed")),
      removes: () => numbered(30).forEach((key) => tree.remove(key)),
      pops: () => [tree.popFirst(), tree.popLast()],
      batch: () => tree.batch().insert("a", "1").insert("z", "2").commit(),
      flush: () => tree.flushMemtable(),
      compaction: () => tree.compact(),
      clear: () => tree.clear(),
      "compaction of nothing": () => tree.compact(),
      "new life": () => tree.insert("key10", "again"),
    };
    for (const [name, change] of Object.entries(changes)) {
      await change();
      assertEquals(answers(snapshot), before, name);
    }
    assertEquals(texts(tree), ["key10=again"]);
  });
});

Deno.test("a snapshot of an empty tree is empty", async () => {
  await using tree = await openInMemory();
  using snapshot = tree.snapshot();
  tree.insert("a", "1");
  assertEquals([snapshot.isEmpty(), snapshot.len(), snapshot.firstKeyValue()], [true, 0, undefined]);
  assertEquals([snapshot.get("a"), snapshot.iter().next().done], [undefined, true]);
});

Deno.test("snapshots see what was written when each was taken", async () => {
  await using tree = await treeOf([]);
  const snapshots = numbered(40).map((key) => {
    tree.insert(key, key);
    return tree.snapshot();
  });
  tree.clear();
  await tree.compact();
  assertEquals(snapshots.map((snapshot) => snapshot.len()), numbered(40).map((_, i) => i + 1));
  assertEquals(snapshots.map((snapshot) => text(snapshot.lastKeyValue()![0])), numbered(40));
  for (const snapshot of snapshots) snapshot.close();
  assertEquals(tree.stats().pinnedVersions, 0);
});

Deno.test("reading a closed snapshot throws ClosedError; closing it again does nothing", async () => {
  await using tree = await treeOf(["a"]);
  const snapshot = tree.snapshot();
  snapshot.close();
  snapshot.close();
  snapshot[Symbol.dispose]();
  for (const [name, read] of Object.entries(READS)) {
    assertThrows(() => read(snapshot), ClosedError, "Cannot", name);
  }
  assertThrows(() => [...snapshot], ClosedError);
  let outside: Snapshot | undefined;
  {
    using inside = tree.snapshot();
    outside = inside;
    assertEquals(texts(inside), ["a=a"]);
  }
  assertThrows(() => outside.get("a"), ClosedError);
  assertEquals(text(tree.get("a")), "a");
});

Deno.test("after the tree is closed its snapshots throw ClosedError, and may still be closed", async () => {
  const tree = await treeOf(["a"]);
  const snapshot = tree.snapshot();
  await tree.close();
  for (const [name, read] of Object.entries(READS)) {
    assertThrows(() => read(snapshot), ClosedError, `"data"`, name);
  }
  snapshot.close();
  assertThrows(() => snapshot.get("a"), ClosedError);
});

Deno.test("a range of a snapshot outlives it", async () => {
  await withSegments(numbered(40), async (tree) => {
    const snapshot = tree.snapshot();
    const range = snapshot.iter();
    range.next();
    snapshot.close();
    tree.clear();
    await tree.compact();
    assertEquals(keysOf(range), numbered(40).slice(1));
    assertEquals(tree.stats().pinnedVersions, 0);
  });
});

Deno.test("a snapshot keeps the segments that it reads, and lets go of them when it is closed", async () => {
  const storage = new MemoryStorage();
  await withSegments(numbered(60), async (tree) => {
    const before = namesOf(storage, "segment");
    const snapshot = tree.snapshot();
    const second = tree.snapshot();
    tree.clear();
    await tree.compact();
    assertEquals(namesOf(storage, "segment"), before);
    assertEquals(tree.segmentCount(), 0);
    snapshot.close();
    assertEquals(namesOf(storage, "segment"), before);
    second.close();
    assertEquals(namesOf(storage, "segment"), []);
  }, { storage });
});
