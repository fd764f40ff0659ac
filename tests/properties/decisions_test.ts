/**
 * The planner in a simulation is the planner of a tree: what a real tree decided is what a replay of its history decides.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { CompactionStrategy } from "@lsm/tree";
import { fifo, lazyLeveled, leveled, MemoryStorage, sizeTiered, Tree } from "@lsm/tree";
import { replay } from "@lsm/tree/compaction";
import fc from "fast-check";
import { below, randomFrom } from "../bench/workload.ts";
import { effort } from "../support/effort.ts";

const STRATEGIES: Readonly<Record<string, () => CompactionStrategy>> = {
  leveled: () => leveled({ l0Threshold: 2, targetSize: 4096 }),
  "leveled with many small segments": () => leveled({ l0Threshold: 3, targetSize: 1024 }),
  "leveled with segments that are worth joining": () => leveled({ l0Threshold: 2, targetSize: 1024 ** 2 }),
  sizeTiered: () => sizeTiered({ minThreshold: 3 }),
  lazyLeveled: () => lazyLeveled({ threshold: 3, targetSize: 8192 }),
  fifo: () => fifo({ limit: 20_000, ttl: 3600 }),
};

for (const [name, make] of Object.entries(STRATEGIES)) {
  Deno.test(`${name}: every decision of a real tree is the one that a replay of its history takes`, async () => {
    let decisions = 0;
    let flushes = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(0xffff_ffff),
        fc.constantFrom("uniform", "sequential", "deletes"),
        fc.integer({ min: 2, max: 8 }),
        async (seed, kind, levelCount) => {
          const strategy = make();
          const config = {
            storage: new MemoryStorage(),
            maxMemtableSize: 2048,
            blockSize: 1024,
            levelRatio: 3,
            levelCount,
            compactionStrategy: strategy,
          } as const;
          await using tree = await Tree.open("data", config);
          const random = randomFrom(seed);
          for (let i = 0; i < 1_500; i++) {
            const key = `key ${kind === "sequential" ? 10_000 + i : 10_000 + below(random, 400)}`;
            if (kind === "deletes" && random() % 3 === 0) tree.remove(key);
            else tree.insert(key, `value ${i}`);
          }
          assertEquals(tree.stats().lastError, undefined);
          const history = tree.history();
          const replayed = replay(history, strategy, tree.config);
          assertEquals(replayed.filter(({ isSame }) => !isSame), []);
          const done = history.changes.filter(({ cause }) => ["merge", "move", "drop"].includes(cause));
          assertEquals(replayed.length, done.length);
          decisions += done.length;
          flushes += history.changes.filter(({ cause }) => cause === "flush").length;
        },
      ),
      effort(12),
    );
    assert(flushes > 300 && decisions > 50, `${flushes} flushes, ${decisions} decisions`);
  });
}

Deno.test("a replay with another strategy shows where it would have done otherwise", async () => {
  const config = {
    storage: new MemoryStorage(),
    maxMemtableSize: 1024,
    compactionStrategy: leveled({ l0Threshold: 2, targetSize: 4096 }),
  } as const;
  await using tree = await Tree.open("data", config);
  for (let i = 0; i < 300; i++) tree.insert(`key ${i * 7919 % 300}`, `value ${i}`);
  const replayed = replay(tree.history(), fifo({ limit: 10_000_000 }), tree.config);
  assert(replayed.length > 0);
  assertEquals(replayed.filter(({ isSame }) => isSame), []);
  assertEquals(new Set(replayed.map(({ choice }) => choice.kind)), new Set(["none"]));
});
