import { assertEquals, assertThrows } from "@std/assert";
import { Levels, sizeTiered } from "../../compaction/mod.ts";
import { shapes, versionOf } from "../support/shapes.ts";

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

Deno.test("in level 0 each flush counts, even where one follows the other in key order", () => {
  const levels = Levels.of(versionOf("L0 #3 a..c 4K\nL0 #2 d..f 4K\nL0 #1 g..k 4K"), new Set(), 3);
  assertEquals(sizeTiered({ minThreshold: 3 }).choose(levels, OPTIONS), {
    kind: "move",
    segments: [3, 2, 1],
    destLevel: 1,
    reason: "level 0 has 3 runs, threshold 3",
  });
});

Deno.test("segments of one flush are one run", () => {
  const [first, second] = shapes("L0 #3 a..f 4K #2 g..z 4K");
  const flush = { seqnoMin: 7, seqnoMax: 9 };
  const levels = Levels.from([{ ...first!, ...flush }, { ...second!, ...flush }]);
  assertEquals(sizeTiered({ minThreshold: 2 }).choose(levels, OPTIONS), { kind: "none" });
});

Deno.test("runs that share no key are moved, unless they hide something", () => {
  const strategy = sizeTiered({ minThreshold: 2 });
  const kind = (newer: string, older: string): string =>
    strategy.choose(Levels.of(versionOf(`L1 ${newer}\nL1 ${older}`), new Set(), 3), OPTIONS).kind;
  assertEquals(kind("#3 m..p 4K #4 x..z 4K", "#1 a..k 4K #2 q..w 4K"), "move");
  assertEquals(kind("#3 m..p 4K #4 x..z 4K 1d", "#1 a..k 4K #2 q..w 4K"), "merge");
  assertEquals(kind("#3 m..p 4K #4 x..z 4K", "#1 a..m 4K #2 q..w 4K"), "merge");
});

Deno.test("the last level is merged within itself", () => {
  const choice = sizeTiered({ minThreshold: 2 }).choose(
    Levels.from(shapes("L2 #2 a..z 4K #1 a..z 4K")),
    OPTIONS,
  );
  assertEquals(choice, {
    kind: "merge",
    segments: [2, 1],
    destLevel: 2,
    targetSize: 64 * 1024 * 1024,
    reason: "the last level has 2 runs of similar size, threshold 2",
  });
});

Deno.test("in the last level a giant is left alone until as much has gathered beside it", () => {
  const strategy = sizeTiered({ minThreshold: 3 });
  const chosen = (text: string): readonly number[] | undefined => {
    const choice = strategy.choose(Levels.from(shapes(text)), OPTIONS);
    return choice.kind === "merge" ? choice.segments : undefined;
  };
  assertEquals(chosen("L2 #4 a..z 2K #3 a..z 2K #1 a..z 5K"), undefined);
  assertEquals(chosen("L2 #4 a..z 2K #3 a..z 3K #1 a..z 5K"), [4, 3, 1]);
  assertEquals(chosen("L2 #5 a..z 2K #4 a..z 2K #3 a..z 3K #1 a..z 9000G"), [5, 4, 3]);
  // Of several that are alike those with the fewest bytes, wherever they are.
  assertEquals(chosen("L2 #6 a..z 5K #5 a..z 5K #4 a..z 5K #3 a..z 2K #2 a..z 2K #1 a..z 2K"), [3, 2, 1]);
});

Deno.test("a level that is deeper than there should be is the last one", () => {
  const choice = sizeTiered({ minThreshold: 2 }).choose(
    Levels.from(shapes("L3 #4 a..z 4K #3 a..z 4K\nL5 #1 a..z 4K")),
    OPTIONS,
  );
  assertEquals(choice.kind === "merge" && [choice.segments, choice.destLevel], [[4, 3], 4]);
});

Deno.test("a level is left alone while any of it is busy, and others are not", () => {
  const strategy = sizeTiered({ minThreshold: 2 });
  const options = { ...OPTIONS, levelCount: 6 };
  const chosen = (text: string): readonly number[] => {
    const choice = strategy.choose(Levels.from(shapes(text)), options);
    return choice.kind === "merge" ? choice.segments : [];
  };
  const L3 = "L3 #2 a..z 4K #1 a..z 4K";
  assertEquals(chosen(`L0 #6 a..z 4K #5* a..z 4K #4 a..z 4K\n${L3}`), [2, 1]);
  assertEquals(chosen(`L0 #6 a..z 4K #5 a..z 4K\nL1 #4* a..z 4K\n${L3}`), [6, 5]);
  assertEquals(chosen(`L2 #4* a..z 4K\n${L3}\nL4 #0* a..z 4K`), [2, 1]);
  assertEquals(chosen("L4 #4* a..z 4K\nL5 #3 a..z 4K #2* a..z 4K #1 a..z 4K"), []);
});

Deno.test("what is owed is what full levels have, and what is alike in the last one", () => {
  const strategy = sizeTiered({ minThreshold: 2 });
  const levels = Levels.from(shapes(`
    L0 #9 a..z 4K #8 a..z 4K
    L1 #7 a..z 16K
    L2 #2 a..z 3K #1 a..z 3K`));
  assertEquals(strategy.debt!(levels, OPTIONS), 14 * 1024);
  assertEquals(strategy.debt!(Levels.from(shapes("L1 #7 a..z 16K")), OPTIONS), 0);
  assertEquals([strategy.level0Threshold, sizeTiered().level0Threshold], [2, 4]);
});

Deno.test("thresholds that make no sense are refused", () => {
  assertThrows(() => sizeTiered({ minThreshold: 1 }), RangeError, "minThreshold");
  assertThrows(() => sizeTiered({ minThreshold: 8, maxThreshold: 7 }), RangeError, "maxThreshold");
  assertThrows(() => sizeTiered({ minThreshold: "4" as unknown as number }), TypeError, "minThreshold");
});

Deno.test("small neighbours of a level that is one run are joined when no level is full", () => {
  const keys = [..."abcdefghijklmnop"];
  const small = keys.map((key, i) => `#${i + 1} ${key}..${key} 1K`).join(" ");
  const chosen = (text: string): unknown => {
    const choice = sizeTiered().choose(Levels.of(versionOf(text), new Set(), 3), OPTIONS);
    return choice.kind === "merge" && [choice.segments.length, choice.destLevel, choice.reason];
  };
  assertEquals(chosen(`L1 ${small}`), [16, 1, "16 neighbours of level 1 are small"]);
  assertEquals(chosen(`L2 ${small}`), [16, 2, "16 neighbours of level 2 are small"]);
  assertEquals(chosen(`L1 #30 a..z 1K\nL1 ${small}`), false);
});
