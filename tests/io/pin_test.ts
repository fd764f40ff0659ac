/**
 * Pins: who reads an older version keeps its files; who was only forgotten lets go of them late, and is counted.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, assertEquals } from "@std/assert";
import type { Tree } from "@lsm/tree";
import { namesOf, numbered, openInMemory, text, withSegments } from "../support/trees.ts";

function segmentFiles(tree: Tree): string[] {
  return namesOf(tree.config.storage, "segment");
}

/** Collects garbage until something has happened, a few seconds at most. */
async function collectUntil(happened: () => boolean): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  for (let tries = 0; tries < 200 && !happened(); tries++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("files go when the last reader of their version lets go, and no sooner", async () => {
  await withSegments(numbered(40), async (tree) => {
    const before = segmentFiles(tree);
    const range = tree.iter();
    const reversed = tree.iter().rev();
    const snapshot = tree.snapshot();
    const inner = snapshot.range({ gte: "key20" });
    await tree.compact();
    const [compacted] = segmentFiles(tree).filter((name) => !before.includes(name));
    assert(compacted !== undefined);
    const held = [...before, compacted].sort();
    assertEquals([segmentFiles(tree), tree.segmentCount()], [held, 1]);
    range[Symbol.dispose]();
    snapshot.close();
    assertEquals(segmentFiles(tree), held);
    assertEquals([...reversed].length, 40);
    assertEquals(segmentFiles(tree), held);
    assertEquals([...inner].length, 20);
    assertEquals(segmentFiles(tree), [compacted]);
    assertEquals([tree.len(), tree.stats().pinnedVersions], [40, 0]);
  });
});

Deno.test("readers of different versions keep different files", async () => {
  await withSegments(numbered(40), async (tree) => {
    await tree.compact();
    const old = segmentFiles(tree);
    using snapshot = tree.snapshot();
    tree.insert("key00", "new");
    await tree.compact();
    const middle = segmentFiles(tree).filter((name) => !old.includes(name));
    const range = tree.iter();
    tree.insert("key00", "newest");
    await tree.compact();
    assertEquals(tree.stats().pinnedVersions, 2);
    assertEquals(segmentFiles(tree).length, 3);
    assertEquals(text(range.next().value![1]), "new");
    range[Symbol.dispose]();
    assertEquals(segmentFiles(tree).filter((name) => middle.includes(name)), []);
    assertEquals(segmentFiles(tree).length, 2);
    assertEquals(text(snapshot.get("key00")), "key00".padEnd(100, "."));
  });
});

Deno.test("files that a reader keeps when the tree is closed are removed at the next open", async () => {
  await withSegments(numbered(40), async (tree) => {
    const snapshot = tree.snapshot();
    tree.clear();
    await tree.compact();
    const { storage } = tree.config;
    const files = segmentFiles(tree).length;
    assert(files > 0);
    await tree.close();
    snapshot.close();
    await using again = await openInMemory({ storage });
    assertEquals([namesOf(storage, "segment"), again.recovery.orphans], [[], files]);
  });
});

Deno.test("ranges and snapshots that are forgotten let go of their files some day, and are counted", async () => {
  await withSegments(numbered(40), async (tree) => {
    forget(tree);
    assertEquals([tree.stats().pinnedVersions, tree.stats().leaks], [1, 0]);
    tree.clear();
    await tree.compact();
    assert(segmentFiles(tree).length > 0);
    await collectUntil(() => tree.stats().leaks === 3);
    assertEquals([tree.stats().leaks, tree.stats().pinnedVersions, segmentFiles(tree)], [3, 0, []]);
  });
});

/** Makes a range, half of one and a snapshot, and keeps none of them; the closed ones are no leaks. */
function forget(tree: Tree): void {
  tree.iter();
  tree.iter().rev().next();
  tree.snapshot();
  tree.iter()[Symbol.dispose]();
  tree.snapshot().close();
}
