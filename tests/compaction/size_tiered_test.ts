import { assertEquals, assertThrows } from "@std/assert";
import { Levels, sizeTiered } from "../../compaction/mod.ts";
import { shapes } from "../support/shapes.ts";

const OPTIONS = { levelCount: 3, levelRatio: 10, maxMemtableSize: 1024, now: 0 };

Deno.test("fewer runs than the threshold are left alone", () => {
  const levels = Levels.from(shapes(`
    L0 #6 a..z 4K #5 a..z 4K #4 a..z 4K
    L1 #3 a..z 16K #2 a..z 16K #1 a..z 16K`));
  assertEquals(sizeTiered().choose(levels, OPTIONS), { kind: "none" });
});

Deno.test("all runs of a level that has reached the threshold become one run of the next", () => {
  const levels = Levels.from(shapes("L0 #4 a..z 4K #3 a..z 4K #2 a..z 4K #1 a..z 4K"));
  assertEquals(sizeTiered().choose(levels, OPTIONS), {
    kind: "merge",
    segments: [4, 3, 2, 1],
    destLevel: 1,
    targetSize: 64 * 1024 * 1024,
    reason: "level 0 has 4 runs, threshold 4",
  });
});

Deno.test("the oldest are taken where there are more than may be merged at once", () => {
  const levels = Levels.from(shapes("L0 #5 a..z 4K #4 a..z 4K #3 a..z 4K #2 a..z 4K #1 a..z 4K"));
  const choice = sizeTiered({ minThreshold: 2, maxThreshold: 3 }).choose(levels, OPTIONS);
  assertEquals(choice.kind === "merge" && choice.segments, [3, 2, 1]);
});

Deno.test("segments that follow one another in key order count as one run", () => {
  const levels = Levels.from(shapes("L1 #5 a..f 4K #4 g..p 4K #3 q..z 4K #2 a..m 4K #1 n..z 4K"));
  assertEquals(sizeTiered({ minThreshold: 3 }).choose(levels, OPTIONS), { kind: "none" });
  const choice = sizeTiered({ minThreshold: 2 }).choose(levels, OPTIONS);
  assertEquals(choice.kind === "merge" && choice.segments.length, 5);
});

Deno.test("the last level is merged within itself", () => {
  const choice = sizeTiered({ minThreshold: 2 }).choose(
    Levels.from(shapes("L2 #2 a..z 4K #1 a..z 4K")),
    OPTIONS,
  );
  assertEquals(choice.kind === "merge" && choice.destLevel, 2);
});

Deno.test("a busy run and all newer ones are left alone", () => {
  const strategy = sizeTiered({ minThreshold: 2 });
  const choice = strategy.choose(
    Levels.from(shapes("L0 #4 a..z 4K #3* a..z 4K #2 a..z 4K #1 a..z 4K")),
    OPTIONS,
  );
  assertEquals(choice.kind === "merge" && choice.segments, [2, 1]);
  assertEquals(strategy.choose(Levels.from(shapes("L0 #3 a..z 4K #2 a..z 4K #1* a..z 4K")), OPTIONS), {
    kind: "none",
  });
});

Deno.test("thresholds that make no sense are refused", () => {
  assertThrows(() => sizeTiered({ minThreshold: 1 }), RangeError, "minThreshold");
  assertThrows(() => sizeTiered({ minThreshold: 8, maxThreshold: 7 }), RangeError, "maxThreshold");
  assertThrows(() => sizeTiered({ minThreshold: "4" as unknown as number }), TypeError, "minThreshold");
});
