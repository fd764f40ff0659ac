/**
 * Any strategy is legal on any tree: levels may have several runs, as size-tiered compaction leaves them.
 *
 * Leveled compaction took the newer of two overlapping segments of a level down past the older one, was refused, and so
 * never compacted again. A major compaction took overlapping runs of the last level for one run, and did nothing.
 *
 * @module
 */

import { leveled, Levels } from "@lsm/tree/compaction";
import { MemoryStorage, sizeTiered, Tree } from "@lsm/tree";
import { assert, assertEquals } from "@std/assert";
import { majorChoice } from "../../compaction/major.ts";
import { shapes } from "../support/shapes.ts";

const OPTIONS = { levelCount: 4, levelRatio: 2, maxMemtableSize: 1_000, now: 0 };

Deno.test("leveled compaction takes what is older and overlaps down with a segment", () => {
  const levels = Levels.from(shapes(`
    L1  #9 a..c 5K   #5 b..d 5K
    L2  #1 d..e 1K   #2 x..z 1K
  `));
  assertEquals(leveled({ l0Threshold: 1, targetSize: 1024 }).choose(levels, OPTIONS), {
    kind: "merge",
    segments: [5, 1],
    destLevel: 2,
    targetSize: 1024,
    reason: "level 1 is 10.24 times its target",
  });
});

Deno.test("a level that is too deep is lifted with what is newer and overlaps", () => {
  const levels = Levels.from(shapes(`
    L3  #7 j..m 1K   #5 e..k 1K
    L4  #1 d..f 1K
  `));
  assertEquals(leveled({ targetSize: 1024 }).choose(levels, { ...OPTIONS, levelCount: 3 }), {
    kind: "merge",
    segments: [1, 5, 7],
    destLevel: 2,
    targetSize: 1024,
    reason: "level 4 is deeper than the 3 levels there are",
  });
});

Deno.test("a major compaction merges overlapping runs of the last level", () => {
  const levels = Levels.from(shapes("L3  #9 a..c 5K   #5 b..d 5K"));
  assertEquals(majorChoice(levels, 4).kind, "merge");
  assertEquals(majorChoice(Levels.from(shapes("L3  #9 a..c 50M   #5 d..e 50M")), 4), { kind: "none" });
});

Deno.test("a tree that was size-tiered opens with leveled compaction, and compacts", async () => {
  const storage = new MemoryStorage();
  const config = { storage, maxMemtableSize: 1024, blockSize: 1024, levelCount: 5, levelRatio: 2 };
  {
    const compactionStrategy = sizeTiered({ minThreshold: 3, maxThreshold: 3 });
    await using tree = await Tree.open("data", { ...config, compactionStrategy });
    for (let i = 0; i < 500; i++) tree.insert(`key ${i * 7919 % 400}`, `value ${i}`);
    assert(
      tree.stats().levels.some((level) => level.level > 0 && level.runs > 1),
      "no level has several runs",
    );
  }
  const compactionStrategy = leveled({ l0Threshold: 2, targetSize: 2048 });
  await using tree = await Tree.open("data", { ...config, compactionStrategy });
  const { lastError, levels } = tree.stats();
  assertEquals(lastError, undefined);
  assertEquals(levels.filter((level) => level.runs > 1), []);
  assertEquals(tree.len(), 400);
});
