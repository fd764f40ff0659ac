/**
 * What comes out of a tree is the caller's own: changing it changes neither the tree nor another result.
 *
 * Small results share a buffer, large ones have one of their own; both are tried, from memory and from segments.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Bytes, Tree } from "@lsm/tree";
import { BlockCache } from "@lsm/tree";
import { openInMemory, text, TINY, utf8 } from "../support/trees.ts";

const SIZES: readonly number[] = [0, 1, 48, 49, 1024, 1025, 20_000];

/** Calls that give bytes, and leave the tree as it was. */
const CALLS: Readonly<Record<string, (tree: Tree) => (Uint8Array | undefined)[]>> = {
  get: (tree) => [tree.get("b")],
  "get twice": (tree) => [tree.get("b"), tree.get("b")],
  iter: (tree) => tree.iter().toArray().flat(),
  "from the back": (tree) => tree.iter().rev().toArray().flat(),
  keys: (tree) => tree.iter().keys().toArray(),
  values: (tree) => tree.iter().values().toArray(),
  firstKeyValue: (tree) => tree.firstKeyValue() ?? [],
  lastKeyValue: (tree) => tree.lastKeyValue() ?? [],
  snapshot: (tree) => {
    using snapshot = tree.snapshot();
    return [snapshot.get("b"), ...snapshot.iter().toArray().flat()];
  },
  "entry.key": (tree) => [tree.entry("b").key, tree.entry("b").key],
  "entry.get": (tree) => {
    const entry = tree.entry("b");
    return entry.kind === "occupied" ? [entry.get(), entry.get()] : [];
  },
  orInsert: (tree) => [tree.entry("b").orInsert("never"), tree.entry("b").orInsertWith(() => "never")],
  compareAndSwap: (tree) => {
    const result = tree.compareAndSwap("b", undefined, "never");
    return result.ok ? [] : [result.current];
  },
};

/** Calls that give bytes of the key "b" and change it; what they leave is put right after them. */
const CHANGES: Readonly<Record<string, (tree: Tree) => (Uint8Array | undefined)[]>> = {
  removeEntry: (tree) => [tree.removeEntry("b")],
  fetchUpdate: (tree) => [tree.fetchUpdate("b", () => "new")],
  updateFetch: (tree) => [tree.updateFetch("b", (old) => old)],
  popFirst: (tree) => tree.popFirst() ?? [],
  popLast: (tree) => tree.popLast() ?? [],
  "vacant.insert": (tree) => {
    const value = tree.removeEntry("b")!;
    const entry = tree.entry("b");
    return entry.kind === "vacant" ? [entry.insert(value)] : [];
  },
};

function fill(tree: Tree, size: number): void {
  for (const key of ["a", "b", "c"]) tree.insert(key, key.repeat(size));
}

async function withPlaces(size: number, fn: (tree: Tree, place: string) => void): Promise<void> {
  for (const place of ["memory", "segments", "segments without a cache"]) {
    const blockCache = new BlockCache({ capacity: place.endsWith("cache") ? 0 : 2 ** 20 });
    await using tree = await openInMemory({ ...TINY, maxMemtableSize: 2 ** 20, blockCache });
    fill(tree, size);
    if (place !== "memory") await tree.flushMemtable();
    fn(tree, `${place}, ${size} bytes`);
  }
}

Deno.test("changing a result changes neither the tree nor another result", async () => {
  for (const size of SIZES) {
    await withPlaces(size, (tree, place) => {
      const before = tree.iter().toArray().map(([key, value]) => [text(key), text(value)]);
      for (const [name, call] of Object.entries(CALLS)) {
        const spoilt = call(tree);
        const kept = call(tree);
        const copies = kept.map((bytes) => bytes?.slice());
        for (const bytes of spoilt) bytes?.fill(0xee);
        assertEquals(kept, copies, `${name}, ${place}`);
        assert(spoilt.length > 0 && spoilt.every((bytes) => bytes !== undefined), name);
        assertEquals(tree.iter().toArray().map(([key, value]) => [text(key), text(value)]), before, name);
      }
      for (const [name, call] of Object.entries(CHANGES)) {
        using snapshot = tree.snapshot();
        for (const bytes of call(tree)) bytes?.fill(0xee);
        assertEquals(snapshot.iter().toArray().map(([key, value]) => [text(key), text(value)]), before, name);
        if (name === "updateFetch" || name === "vacant.insert") {
          assertEquals(text(tree.get("b")), "b".repeat(size), `${name}, ${place}`);
        }
        fill(tree, size);
      }
    });
  }
});

Deno.test("results lie in plain memory, and never reach into one another", async () => {
  for (const size of SIZES) {
    await withPlaces(size, (tree) => {
      const results: Uint8Array[] = Object.values(CALLS).flatMap((call) => call(tree)).filter((bytes) =>
        bytes !== undefined
      );
      for (const bytes of results) {
        assert(bytes instanceof Uint8Array && bytes.buffer instanceof ArrayBuffer);
        assertEquals(Object.getPrototypeOf(bytes), Uint8Array.prototype);
      }
      const spans = results.filter((bytes) => bytes.length > 0);
      for (const [i, a] of spans.entries()) {
        for (const b of spans.slice(i + 1)) {
          const apart = a.buffer !== b.buffer || a.byteOffset + a.length <= b.byteOffset ||
            b.byteOffset + b.length <= a.byteOffset;
          assert(apart, "two results share a byte");
        }
      }
    });
  }
});

Deno.test("a result stays what it was when the tree goes on and is closed", async () => {
  const tree = await openInMemory(TINY);
  fill(tree, 100);
  const results: Bytes[] = [tree.get("a")!, ...tree.iter().values()];
  const texts = results.map(text);
  for (let i = 0; i < 200; i++) tree.insert("a", `${i}`.repeat(30));
  tree.clear();
  await tree.compact();
  await tree.close();
  assertEquals(results.map(text), texts);
});

Deno.test("entries are arrays of their own", async () => {
  await using tree = await openInMemory();
  tree.insert("a", "1");
  const entry = tree.firstKeyValue()!;
  entry.reverse();
  entry[0] = utf8("x");
  assertEquals(tree.firstKeyValue(), [utf8("a"), utf8("1")]);
});
