import { assertEquals } from "@std/assert";
import { Levels } from "../../compaction/levels.ts";
import { majorChoice } from "../../compaction/major.ts";
import type { CompactionChoice, Interval } from "../../core/mod.ts";
import { shapes } from "../support/shapes.ts";

const TARGET_BYTES = 64 * 1024 * 1024;

function chosen(text: string, interval?: Interval, levelCount = 7): CompactionChoice {
  return majorChoice(Levels.from(shapes(text)), levelCount, interval);
}

function segmentsOf(choice: CompactionChoice): readonly number[] {
  return choice.kind === "none" ? [] : choice.segments;
}

Deno.test("what shares keys is merged into the last level", () => {
  assertEquals(chosen("L0  #9 a..k 10M  #8 c..z 12M\nL3  #5 a..f 40M"), {
    kind: "merge",
    segments: [9, 8, 5],
    destLevel: 6,
    targetSize: TARGET_BYTES,
    reason: "asked for",
  });
});

Deno.test("large segments of the last level without tombstones are left alone, and so is nothing", () => {
  assertEquals(chosen(""), { kind: "none" });
  assertEquals(chosen("L6  #1 a..f 40M  #2 g..z 40M"), { kind: "none" });
  assertEquals(chosen("L6  #1 a..z 9000G"), { kind: "none" });
});

Deno.test("small neighbours are joined, up to the size that a segment should have", () => {
  assertEquals(segmentsOf(chosen("L6  #1 a..b 1M  #2 c..d 1M")), [1, 2]);
  assertEquals(segmentsOf(chosen("L6  #1 a..b 60M  #2 c..d 5M  #3 e..f 40M  #4 g..h 19M  #5 i..k 1M")), [
    2,
    3,
    4,
  ]);
  assertEquals(chosen("L6  #1 a..b 60M  #2 c..d 5M  #3 e..f 60M"), { kind: "none" });
});

Deno.test("a tombstone in the last level is a reason to merge, and one segment of nothing else goes at once", () => {
  assertEquals(chosen("L6  #1 a..f 40M  #2 g..z 40M 1d").kind, "merge");
  assertEquals(chosen("L6  #1 a..f 40M  #2 g..z 40M 10d\nL3 #3 h..k 1M"), {
    kind: "merge",
    segments: [3, 2],
    destLevel: 6,
    targetSize: TARGET_BYTES,
    reason: "asked for",
  });
  assertEquals(chosen("L0 #4 p..q 1M\nL2 #3 k..m 1M 10d\nL6  #1 a..f 40M 10d"), {
    kind: "drop",
    segments: [1, 3],
    reason: "asked for",
  });
});

Deno.test("what shares no key is moved, all at once, before anything is merged", () => {
  assertEquals(chosen("L0 #9 s..t 1M #8 a..b 1M\nL4 #7 c..d 1M\nL6  #1 a..b 40M #2 x..z 1M"), {
    kind: "move",
    segments: [7, 9],
    destLevel: 6,
    reason: "asked for",
  });
});

Deno.test("groups that share no key are merged in steps, small neighbours together", () => {
  const groups = "L5  #11 a..b 100M  #12 d..e 100M  #13 g..h 100M  #14 j..k 100M\n" +
    "L6  #1 a..c 1M  #2 d..f 1M  #3 g..i 1M  #4 j..l 1M";
  assertEquals(segmentsOf(chosen(groups)), [11, 1, 12, 2]);
  assertEquals(segmentsOf(chosen(groups.replace("100M", "9000G"))), [11, 1]);
});

Deno.test("a second run of the last level is merged", () => {
  assertEquals(segmentsOf(chosen("L6  #2 e..z 40M  #1 a..f 40M")), [2, 1]);
});

Deno.test("the deepest level in use is the last one if it is deeper than there should be", () => {
  assertEquals(chosen("L7  #1 a..f 1M"), { kind: "none" });
  const choice = chosen("L2 #3 a..b 1M\nL9  #1 a..f 1M");
  assertEquals(choice.kind === "merge" && choice.destLevel, 9);
});

Deno.test("of an interval only what overlaps it is compacted, with what is older and overlaps that", () => {
  const tree = "L0  #9 c..h 1M\nL1  #8 g..m 1M\nL6  #1 a..d 40M  #2 e..g 40M  #3 h..k 40M  #4 l..p 40M";
  const of = (lower: string, upper: string | undefined): readonly number[] =>
    segmentsOf(chosen(tree, { lower, upper }));
  assertEquals(of("i", "j"), [8, 2, 3, 4]);
  assertEquals(of("h", "i"), [9, 8, 1, 2, 3, 4]);
  assertEquals(of("a", "b"), []);
  assertEquals(of("a", "c"), []);
  assertEquals(of("a", "c\0"), [9, 8, 1, 2, 3, 4]);
  assertEquals(of("n", undefined), []);
  assertEquals(of("m", undefined), [8, 2, 3, 4]);
  assertEquals(of("i", "i"), []);
  assertEquals(of("i", "c"), []);
});

Deno.test("neighbours are not joined across a segment that is left alone", () => {
  const tree = "L3  #9 d..x 1M\nL6  #1 a..b 1M  #2 f..g 1M";
  assertEquals(segmentsOf(chosen(tree, { lower: "a", upper: "c" })), []);
  assertEquals(segmentsOf(chosen("L6  #1 a..b 1M  #2 f..g 1M", { lower: "a", upper: "g" })), [1, 2]);
  // Segment 9 is newer than what is asked for and does not overlap it: both ends are settled.
  const between = "L5  #9 c..d 1M\nL6  #1 a..b 1M  #2 f..g 1M";
  assertEquals(segmentsOf(chosen(between, { lower: "f", upper: "g" })), []);
});
