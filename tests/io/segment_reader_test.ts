/** Segment readers: only the file that the manifest lists is read, what is kept of it goes with it, and few open files are enough. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { BlockCache, CorruptionError, MemoryStorage, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import {
  contentsOf,
  namesOf,
  numbered,
  openInMemory,
  texts,
  TINY,
  withSegments,
  writeFile,
} from "../support/trees.ts";

Deno.test("a segment of the same number, size and keys that another tree wrote is not read in place of ours", async () => {
  const storages = [new MemoryStorage(), new MemoryStorage()];
  for (const storage of storages) {
    await using tree = await openInMemory({ storage });
    for (const key of numbered(20)) tree.insert(key, key);
    await tree.flushMemtable();
  }
  const [mine, other] = storages.map((storage) => contentsOf(storage));
  const [name] = namesOf(storages[0]!, "segment");
  assertEquals([...mine!.keys()].includes(name!) && other!.get(name!)?.length, mine!.get(name!)!.length);
  writeFile(storages[0]!, name!, other!.get(name!)!);
  await using tree = await openInMemory({ storage: storages[0]! });
  for (const key of numbered(20)) {
    assertThrows(() => tree.get(key), CorruptionError, "it is not the file that the manifest lists");
  }
});

Deno.test("what is kept of a segment goes with it", async () => {
  const blockCache = new BlockCache({ capacity: 1 << 20 });
  await withSegments(numbered(40), async (tree) => {
    for (const key of numbered(40)) tree.get(key);
    assert(tree.stats().memory.indexes > 0 && blockCache.size > 0);
    tree.clear();
    await tree.flushMemtable();
    assertEquals([tree.segmentCount(), tree.stats().memory.indexes, blockCache.size], [0, 0, 0]);
  }, { blockCache });
});

Deno.test("where no more files can be opened, those that were opened longest ago are closed", async () => {
  const storage = new SimulatedStorage({ seed: 1 });
  const config = { ...TINY, storage, blockCache: new BlockCache({ capacity: 0 }) };
  const tree = await Tree.open("data", config);
  for (const key of numbered(40)) tree.insert(key, key.padEnd(100, "."));
  const expected = texts(tree);
  assert(tree.segmentCount() > 3);
  await tree.close();
  await using again = await Tree.open("data", config);
  const fault = storage.fail({ operation: "openRead", file: /^segment/, nth: 2, error: "EMFILE" });
  assertEquals([texts(again), fault.count], [expected, 1]);
});
