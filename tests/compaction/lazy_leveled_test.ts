import { assertEquals, assertThrows } from "@std/assert";
import type { CompactionChoice } from "../../compaction/mod.ts";
import { lazyLeveled, Levels } from "../../compaction/mod.ts";
import { shapes } from "../support/shapes.ts";

const OPTIONS = { levelCount: 4, levelRatio: 10, maxMemtableSize: 1024, now: 0 };
const strategy = lazyLeveled({ threshold: 2, targetSize: 4096 });

function chosen(text: string, options = OPTIONS): CompactionChoice {
  return strategy.choose(Levels.from(shapes(text)), options);
}

Deno.test("fewer runs than the threshold are left alone, whatever the last level has", () => {
  assertEquals(chosen("L0 #5 a..z 4K\nL1 #4 a..z 4K\nL2 #3 a..z 4K\nL3 #1 a..z 1K"), { kind: "none" });
});

Deno.test("a full tier becomes one run of the next while the last level is large", () => {
  assertEquals(chosen("L0 #5 a..z 4K #4 a..z 4K\nL3 #1 a..z 100K"), {
    kind: "merge",
    segments: [5, 4],
    destLevel: 1,
    targetSize: 4096,
    reason: "level 0 has 2 runs, threshold 2",
  });
});

Deno.test("all tiers are merged into the last level when level 0 alone has enough", () => {
  assertEquals(chosen("L0 #5 a..z 5K #4 a..z 5K\nL1 #3 a..z 4K\nL3 #1 a..z 100K"), {
    kind: "merge",
    segments: [5, 4, 3, 1],
    destLevel: 3,
    targetSize: 4096,
    reason:
      "level 0 has 2 runs, threshold 2; 14336 bytes of the tiers share keys with 102400 of the last level",
  });
});

Deno.test("otherwise level 0 stays out of it, so that flushes do not wait for a long merge", () => {
  const choice = chosen("L0 #5 a..z 4K #4 a..z 4K\nL1 #3 a..z 4K\nL2 #2 a..z 8K\nL3 #1 a..z 100K");
  assertEquals(choice.kind === "merge" && [choice.segments, choice.destLevel], [[3, 2, 1], 3]);
});

Deno.test("into an empty last level everything is merged at once", () => {
  const choice = chosen("L0 #5 a..z 4K #4 a..z 4K");
  assertEquals(choice.kind === "merge" && choice.destLevel, 3);
});

Deno.test("the tier above the last level has no other way to go", () => {
  const choice = chosen("L0 #6 a..z 1K\nL2 #5 a..z 1K #4 a..z 1K\nL3 #1 a..z 100K");
  assertEquals(choice.kind === "merge" && [choice.segments, choice.destLevel], [[5, 4, 1], 3]);
});

Deno.test("of the last level only what shares keys is rewritten", () => {
  const choice = chosen("L0 #5 c..d 4K #4 c..e 4K\nL3 #1 a..b 100K #2 d..f 10K #3 g..z 100K");
  assertEquals(choice.kind === "merge" && choice.segments, [5, 4, 2]);
});

Deno.test("stretches of keys are looked at each for itself", () => {
  // The stretch of c is worth it, that of m is not: it would drag along a hundred times its size.
  const choice = chosen("L0 #5 c..d 4K #4 c..e 4K #7 m..n 1K #6 m..n 1K\nL3 #1 c..d 9K #2 m..n 200K");
  assertEquals(choice.kind === "merge" && choice.segments, [5, 4, 1]);
  // Both are, and both are small, but a segment lies in between.
  const apart = chosen("L0 #5 c..d 1K #4 c..e 1K #7 m..n 1K #6 m..n 1K\nL3 #1 c..d 1K #2 m..n 1K #3 f..g 9K");
  assertEquals(apart.kind === "merge" && apart.segments, [5, 4, 1]);
  const together = chosen("L0 #5 c..d 1K #4 c..e 1K #7 m..n 1K #6 m..n 1K\nL3 #1 c..d 1K #2 m..n 1K");
  assertEquals(together.kind === "merge" && together.segments, [5, 4, 1, 7, 6, 2]);
});

Deno.test("segments that share no key with anything older are moved to the last level", () => {
  assertEquals(chosen("L0 #5 q..r 4K #4 s..t 4K\nL3 #1 a..p 100K"), {
    kind: "move",
    segments: [5, 4],
    destLevel: 3,
    reason: "level 0 has 2 runs, threshold 2; 2 segments share no key with any that is older",
  });
});

Deno.test("several runs of the last level become one, and so do several flushes where there is one level", () => {
  assertEquals(chosen("L0 #5 a..z 4K\nL3 #2 a..k 4K #1 c..z 90K"), {
    kind: "merge",
    segments: [2, 1],
    destLevel: 3,
    targetSize: 4096,
    reason: "the last level has 2 runs instead of one",
  });
  const one = Levels.from(shapes("L0 #2 a..k 4K #1 l..z 90K"), { levelCount: 1 });
  const choice = strategy.choose(one, { ...OPTIONS, levelCount: 1 });
  assertEquals(choice.kind === "merge" && choice.destLevel, 0);
});

Deno.test("a level that is deeper than there should be is the last one", () => {
  const choice = chosen("L0 #5 a..z 4K #4 a..z 4K\nL5 #1 a..z 9K");
  assertEquals(choice.kind === "merge" && choice.destLevel, 5);
});

Deno.test("nothing is begun with levels that are busy, and other levels go on", () => {
  const last = "L3 #1 a..z 100K";
  assertEquals(chosen(`L0 #5 a..z 4K #4* a..z 4K\n${last}`).kind, "none");
  assertEquals(chosen("L3 #2* a..k 4K #1 c..z 90K").kind, "none");
  // While all from level 1 on is being merged flushes gather above it, and are merged there.
  const choice = chosen(`L0 #5 a..z 1K #4 a..z 1K\nL1 #3* a..z 1K\n${last.replace("#1", "#1*")}`);
  assertEquals(choice.kind === "merge" && [choice.segments, choice.destLevel], [[5, 4], 1]);
  // Even if they have enough for the last level by themselves.
  const large = chosen(`L0 #5 a..z 9K #4 a..z 9K\nL1 #3* a..z 1K\n${last.replace("#1", "#1*")}`);
  assertEquals(large.kind === "merge" && [large.segments, large.destLevel], [[5, 4], 1]);
  assertEquals(chosen(`L2 #5 a..z 9K #4 a..z 9K\n${last.replace("#1", "#1*")}`).kind, "none");
  // A merge of level 0 into level 1 is no obstacle to what level 1 has.
  const below = chosen(`L0 #9* a..z 1K #8* a..z 1K\nL1 #5 a..z 9K #4 a..z 9K\n${last}`);
  assertEquals(below.kind === "merge" && [below.segments, below.destLevel], [[5, 4, 1], 3]);
});

Deno.test("large tiers are looked at stretch by stretch only when they are worth it as a whole", () => {
  const many = Array.from({ length: 70 }, (_, i) => `#${100 + i} ${key(i)}..${key(i)}x 1K`).join(" ");
  const full = `L0 #901 ${key(0)}..${key(99)} 1K #900 ${key(0)}..${key(99)} 1K`;
  const choice = chosen(`${full}\nL1 ${many}\nL3 #1 ${key(0)}..${key(99)} 1000K`);
  assertEquals(choice.kind === "merge" && choice.destLevel, 1);
  const worthIt = chosen(`${full}\nL1 ${many}\nL3 #1 ${key(0)}..${key(99)} 600K`);
  assertEquals(worthIt.kind === "merge" && [worthIt.segments.length, worthIt.destLevel], [71, 3]);
});

function key(i: number): string {
  return `k${100 + i}`;
}

Deno.test("what is owed is what will be rewritten", () => {
  const debt = (text: string): number => strategy.debt!(Levels.from(shapes(text)), OPTIONS) / 1024;
  assertEquals(debt("L0 #5 a..z 4K\nL3 #1 a..z 100K"), 0);
  assertEquals(debt("L0 #5 a..z 4K #4 a..z 4K\nL3 #1 a..z 100K"), 8);
  assertEquals(debt("L0 #5 a..z 4K #4 a..z 4K\nL1 #3 a..z 2K\nL3 #1 a..z 100K"), 110);
  assertEquals(debt("L3 #2 a..k 4K #1 c..z 90K"), 0);
  const only = { ...OPTIONS, levelCount: 1 };
  const flushes = Levels.from(shapes("L0 #2 a..k 4K #1 c..z 90K"), { levelCount: 1 });
  assertEquals(strategy.debt!(flushes, only) / 1024, 94);
  assertEquals([strategy.level0Threshold, lazyLeveled().level0Threshold], [2, 4]);
});

Deno.test("options that make no sense are refused", () => {
  assertThrows(() => lazyLeveled({ threshold: 1 }), RangeError, "threshold");
  assertThrows(() => lazyLeveled({ targetSize: 1000 }), RangeError, "targetSize");
  assertThrows(() => lazyLeveled({ threshold: "4" as unknown as number }), TypeError, "threshold");
});

Deno.test("a shape may have fewer levels than the tree", () => {
  const levels = Levels.from(shapes("L0 #5 a..z 4K #4 a..z 4K"), { levelCount: 1 });
  const choice = strategy.choose(levels, OPTIONS);
  assertEquals(choice.kind === "merge" && [choice.segments, choice.destLevel], [[5, 4], 3]);
  assertEquals(strategy.debt!(levels, OPTIONS) / 1024, 8);
  assertEquals(strategy.choose(Levels.from([], { levelCount: 1 }), OPTIONS), { kind: "none" });
});

Deno.test("small neighbours of the last level are joined when no tier is full", () => {
  const keys = [..."abcdefghijklmnop"];
  const small = `L3  ${keys.map((key, i) => `#${i + 1} ${key}..${key} 32`).join(" ")}`;
  const choice = chosen(small);
  assertEquals(choice.kind === "merge" && [choice.segments.length, choice.destLevel, choice.reason], [
    16,
    3,
    "16 neighbours of level 3 are small",
  ]);
  assertEquals(chosen(`L0 #91 x..z 1K\n${small}`).kind, "merge");
  assertEquals(chosen(`L0 #91* x..z 1K\n${small}`).kind, "none");
});
