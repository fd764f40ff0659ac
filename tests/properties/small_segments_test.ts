/**
 * Data that comes in order is moved and not rewritten, and yet does not leave a file for each flush.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { lazyLeveled, leveled, MemoryStorage, sizeTiered, Tree } from "@lsm/tree";

const ENTRIES = 20_000;

for (const strategy of [leveled(), lazyLeveled(), sizeTiered()]) {
  Deno.test(`${strategy.name}: ${ENTRIES} entries in order, in tiny memtables, end in few segments, and all are there`, async () => {
    const config = {
      storage: new MemoryStorage(),
      maxMemtableSize: 4096,
      compactionStrategy: strategy,
    } as const;
    await using tree = await Tree.open("data", config);
    const key = (i: number): string => `key ${String(i).padStart(8, "0")}`;
    for (let i = 0; i < ENTRIES; i++) tree.insert(key(i), `value ${i}`);
    const { flushes, written } = tree.stats();
    assert(flushes > 200, `${flushes} flushes`);
    assertLess(tree.segmentCount(), 70);
    // Once for the flush, and at most three times for joining sixteen parts to one.
    assertLess(written.segments / (ENTRIES * (key(0).length + "value 12345".length)), 4);
    assertEquals(tree.len(), ENTRIES);
    assertEquals(tree.lastKeyValue()?.map((bytes) => new TextDecoder().decode(bytes)), [
      key(ENTRIES - 1),
      `value ${ENTRIES - 1}`,
    ]);
  });
}
