import { assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import { fifo, lazyLeveled, leveled, MemoryStorage, sizeTiered, Tree } from "@lsm/tree";
import type { CompactionStrategy } from "@lsm/tree";
import { effort } from "../support/effort.ts";

const KEYS = 200;
const WRITES = 400;

const strategy: fc.Arbitrary<CompactionStrategy> = fc.oneof(
  fc.record({ l0Threshold: fc.integer({ min: 1, max: 4 }), targetSize: fc.constantFrom(1024, 4096) }).map(
    leveled,
  ),
  fc.record({ minThreshold: fc.integer({ min: 2, max: 4 }) }).map(sizeTiered),
  fc.record({ threshold: fc.integer({ min: 2, max: 4 }), targetSize: fc.constantFrom(1024, 4096) }).map(
    lazyLeveled,
  ),
  fc.constant(fifo({ limit: 2 ** 40 })),
);

Deno.test("any strategy is legal on any tree: the content stays when each open takes another", async () => {
  let mergesTotal = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(strategy, { minLength: 2, maxLength: 5 }),
      fc.nat(),
      async (strategies, seed) => {
        const storage = new MemoryStorage();
        const model = new Map<string, string>();
        let number = seed;
        for (const compactionStrategy of strategies) {
          await using tree = await Tree.open("data", {
            storage,
            maxMemtableSize: 1024,
            levelCount: 4,
            compactionStrategy,
            fsyncInterval: null,
          });
          for (let i = 0; i < WRITES; i++) {
            number += 1;
            const key = `key ${(Math.imul(number, 7919) >>> 0) % KEYS}`;
            if (number % 5 === 0) {
              tree.remove(key);
              model.delete(key);
            } else {
              tree.insert(key, String(number));
              model.set(key, String(number));
            }
          }
          const stats = tree.stats();
          assertEquals(stats.lastError, undefined);
          mergesTotal += stats.merges;
          const text = new TextDecoder();
          const found = tree.iter().map(([key, value]) => [text.decode(key), text.decode(value)]).toArray();
          assertEquals(found, [...model].sort(([a], [b]) => a < b ? -1 : 1));
        }
      },
    ),
    effort(25),
  );
  assertGreater(mergesTotal, 100);
});
