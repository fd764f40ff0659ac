/**
 * A merge may write more bytes than it reads: what was compressed well is written with less compression, or none.
 *
 * What went wrong: a merge has as many ids for its outputs as the bytes of its inputs on disk call for. When the outputs
 * were larger it ran out of them and failed, again and again, so the tree could not be compacted any more. Found
 * by `properties/model_test.ts`.
 */

import { assertEquals } from "@std/assert";
import { leveled, MemoryStorage, Tree } from "../../mod.ts";

Deno.test("a tree that was compressed is compacted without compression", async () => {
  const storage = new MemoryStorage();
  const compactionStrategy = leveled({ l0Threshold: 100, targetSize: 1024 });
  const config = {
    storage,
    compactionStrategy,
    blockSize: 1024,
    maxMemtableSize: 16_384,
    fsyncInterval: null,
  };
  const compressed = await Tree.open("tree", { ...config, compression: "zstd" });
  for (let i = 0; i < 40; i++) compressed.insert(`key ${i % 20}`, new Uint8Array(900));
  await compressed.close();

  const plain = await Tree.open("tree", {
    ...config,
    compression: "none",
    compactionStrategy: leveled({ l0Threshold: 1, targetSize: 1024 }),
  });
  await plain.flushMemtable();
  assertEquals(plain.stats().lastError, undefined);
  assertEquals(plain.stats().merges > 0, true);
  assertEquals(plain.len(), 20);
  await plain.close();
});

Deno.test("blocks that get smaller when they are written leave a merge ids enough", async () => {
  const tree = await Tree.open("tree", {
    storage: new MemoryStorage(),
    compactionStrategy: leveled({ l0Threshold: 2, targetSize: 1024 }),
    maxMemtableSize: 1024,
    blockSize: 1024,
    compression: "lz4",
    filterBitsPerKey: 0,
    fsyncInterval: null,
  });
  tree.insert("b", new Uint8Array(2000));
  tree.batch().insert("a", new Uint8Array(2000)).insert("c", new Uint8Array(983)).insert(
    "d",
    new Uint8Array(9),
  ).insert("e", "").commit();
  assertEquals(tree.stats().lastError, undefined);
  assertEquals(tree.len(), 5);
  await tree.close();
});
