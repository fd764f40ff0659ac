/**
 * The block cache: bounded by bytes, one for several trees, and of no effect but speed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Tree } from "@lsm/tree";
import { BlockCache } from "@lsm/tree";
import { numbered, openInMemory, text, TINY } from "../support/trees.ts";

/** Opens a tree with `count` entries of about 100 bytes, all in segments. */
async function flushed(blockCache: BlockCache, count = 200, prefix = "key"): Promise<Tree> {
  const tree = await openInMemory({ ...TINY, blockCache });
  for (const key of numbered(count, prefix)) tree.insert(key, key.padEnd(100, "."));
  await tree.flushMemtable();
  return tree;
}

function readAll(tree: Tree, count = 200, prefix = "key"): void {
  for (const key of numbered(count, prefix)) assertEquals(text(tree.get(key)), key.padEnd(100, "."));
}

Deno.test("a block that was read is in the cache when it is read again", async () => {
  const blockCache = new BlockCache({ capacity: 2 ** 20 });
  await using tree = await flushed(blockCache);
  readAll(tree);
  const first = tree.stats().cache;
  assert(first.misses > 0 && blockCache.size > 0);
  readAll(tree);
  const second = tree.stats().cache;
  assertEquals(second.misses, first.misses);
  assertEquals(second.hits - first.hits, 200);
});

Deno.test("the cache keeps no more bytes than its capacity", async () => {
  const blockCache = new BlockCache({ capacity: 5000 });
  await using tree = await flushed(blockCache);
  for (const key of numbered(200)) {
    assertEquals(text(tree.get(key)), key.padEnd(100, "."));
    assert(blockCache.size <= 5000);
  }
  assert(blockCache.size > 1000);
  assertEquals(tree.stats().memory.blockCache, blockCache.size);
});

Deno.test("a capacity of 0 keeps nothing", async () => {
  const blockCache = new BlockCache({ capacity: 0 });
  await using tree = await flushed(blockCache);
  readAll(tree);
  readAll(tree);
  assertEquals([blockCache.size, tree.stats().cache.hits, blockCache.capacity], [0, 0, 0]);
});

Deno.test("several trees may share a cache: their blocks are told apart, and go when their tree is closed", async () => {
  const blockCache = new BlockCache({ capacity: 2 ** 20 });
  const trees = await Promise.all(["a", "b", "c"].map((prefix) => flushed(blockCache, 50, prefix)));
  for (let round = 0; round < 2; round++) {
    for (const [i, tree] of trees.entries()) readAll(tree, 50, "abc"[i]);
  }
  let size = blockCache.size;
  for (const [i, tree] of trees.entries()) {
    await tree.close();
    assert(blockCache.size < size);
    size = blockCache.size;
    for (const [j, other] of trees.entries()) if (j > i) readAll(other, 50, "abc"[j]);
  }
  assertEquals(blockCache.size, 0);
});

Deno.test("blocks of segments that were compacted away leave the cache", async () => {
  const blockCache = new BlockCache({ capacity: 2 ** 20 });
  await using tree = await flushed(blockCache);
  readAll(tree);
  tree.clear();
  await tree.compact();
  assertEquals([tree.segmentCount(), blockCache.size], [0, 0]);
});

Deno.test("a small cache that is shared and overrun answers as none does", async () => {
  const blockCache = new BlockCache({ capacity: 3000 });
  await using one = await flushed(blockCache);
  await using two = await flushed(blockCache, 200, "other");
  for (let i = 0; i < 200; i++) {
    const [a, b] = [numbered(200)[(i * 7) % 200]!, numbered(200, "other")[(i * 13) % 200]!];
    assertEquals([text(one.get(a)), text(two.get(b))], [a.padEnd(100, "."), b.padEnd(100, ".")]);
  }
  const [range, other] = [one.iter(), two.iter()];
  for (const key of numbered(200)) {
    assertEquals(text(range.next().value![0]), key);
    assertEquals(text(other.nextBack().value![0]).length, 8);
  }
});
