import { assertEquals, assertThrows } from "@std/assert";
import { sizeTiered } from "../../compaction/mod.ts";
import { levelsOf } from "../support/shapes.ts";

const OPTIONS = { levelCount: 3, levelRatio: 10, maxMemtableSize: 1024, now: 0 };

Deno.test("fewer runs than the threshold are left alone", () => {
  const levels = levelsOf(`
    L0 a-z:4 a-z:4 a-z:4
    L1 a-z:16 a-z:16 a-z:16`);
  assertEquals(sizeTiered().choose(levels, OPTIONS), { kind: "none" });
});

Deno.test("all runs of a level that has reached the threshold become one run of the next", () => {
  const levels = levelsOf("L0 a-z:4 a-z:4 a-z:4 a-z:4");
  assertEquals(sizeTiered().choose(levels, OPTIONS), {
    kind: "merge",
    segments: [1, 2, 3, 4],
    destLevel: 1,
    targetSize: 64 * 1024 * 1024,
    reason: "level 0 has 4 runs, threshold 4",
  });
});

Deno.test("the oldest are taken where there are more than may be merged at once", () => {
  const levels = levelsOf("L0 a-z:4 a-z:4 a-z:4 a-z:4 a-z:4");
  const choice = sizeTiered({ minThreshold: 2, maxThreshold: 3 }).choose(levels, OPTIONS);
  assertEquals(choice.kind === "merge" && choice.segments, [3, 4, 5]);
});

Deno.test("segments that follow one another in key order count as one run", () => {
  const levels = levelsOf("L1 a-f:4 g-p:4 q-z:4 a-m:4 n-z:4");
  assertEquals(sizeTiered({ minThreshold: 3 }).choose(levels, OPTIONS), { kind: "none" });
  const choice = sizeTiered({ minThreshold: 2 }).choose(levels, OPTIONS);
  assertEquals(choice.kind === "merge" && choice.segments.length, 5);
});

Deno.test("the last level is merged within itself", () => {
  const choice = sizeTiered({ minThreshold: 2 }).choose(levelsOf("L2 a-z:4 a-z:4"), OPTIONS);
  assertEquals(choice.kind === "merge" && choice.destLevel, 2);
});

Deno.test("a busy run and all newer ones are left alone", () => {
  const strategy = sizeTiered({ minThreshold: 2 });
  const choice = strategy.choose(levelsOf("L0 a-z:4 a-z:4* a-z:4 a-z:4"), OPTIONS);
  assertEquals(choice.kind === "merge" && choice.segments, [3, 4]);
  assertEquals(strategy.choose(levelsOf("L0 a-z:4 a-z:4 a-z:4*"), OPTIONS), { kind: "none" });
});

Deno.test("thresholds that make no sense are refused", () => {
  assertThrows(() => sizeTiered({ minThreshold: 1 }), RangeError, "minThreshold");
  assertThrows(() => sizeTiered({ minThreshold: 8, maxThreshold: 7 }), RangeError, "maxThreshold");
  assertThrows(() => sizeTiered({ minThreshold: "4" as unknown as number }), TypeError, "minThreshold");
});
