import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Groups } from "../../compaction/groups.ts";
import {
  firstNeighbours,
  groupsAbove,
  groupsOfLevel,
  groupsWithin,
  idsOfGroups,
} from "../../compaction/groups.ts";
import { Levels, placedOf } from "../../compaction/levels.ts";
import { bytesOfAKey, runForms, ShapeTree } from "../support/shape_tree.ts";
import { shapes } from "../support/shapes.ts";

const ALL = { lower: "", upper: undefined };

function textOf({ groups }: Groups): string[] {
  return groups.map((group) =>
    `${group.first.facts.minKey}..${group.last.facts.maxKey} ${group.state} ` +
    group.segments.map(({ id }) => `#${id}`).join(" ")
  );
}

Deno.test("segments that share keys are a group, and what is to be done with it follows from its shape", () => {
  const parts = placedOf(Levels.from(shapes(`
    L0  #9 a..d 1K  #8 x..x 1K 10d  #7 w..w 1K
    L1  #6 c..e 1K  #5 p..q 1K 2d
    L6  #1 b..b 1K  #2 g..h 1K  #3 k..l 1K 1d`)));
  assertEquals(textOf(groupsWithin(parts, 6, ALL)), [
    "a..e merge #9 #6 #1",
    "g..h settled #2",
    "k..l merge #3",
    "p..q merge #5",
    "w..w move #7",
    "x..x drop #8",
  ]);
  assertEquals(textOf(groupsAbove(parts, 0, 6)), [
    "a..e merge #9 #6 #1",
    "p..q merge #5",
    "w..w move #7",
    "x..x drop #8",
  ]);
  assertEquals(textOf(groupsAbove(parts, 1, 6)), ["c..e move #6", "p..q merge #5"]);
});

Deno.test("the bytes of a group are told for the top, all above the last level, and that", () => {
  const parts = placedOf(Levels.from(shapes("L1 #4 a..d 1K\nL2 #3 b..e 2K\nL6 #1 a..a 4K #2 c..c 8K")));
  const [group] = groupsAbove(parts, 1, 6).groups;
  assertEquals([group!.bytesOnTop, group!.bytesAbove, group!.bytesInLast], [1024, 3072, 12 * 1024]);
});

Deno.test("the groups of a level are what overlaps within it, whatever lies above and below", () => {
  const parts = placedOf(
    Levels.from(shapes("L1 #9 a..z 1K\nL2 #3 c..f 1K #4 p..q 1K #1 a..d 1K #2 k..l 1K\nL6 #5 a..z 1K")),
  );
  const groups = groupsOfLevel(parts, 2);
  assertEquals(groups.groups.map((group) => group.segments.map(({ id }) => id)), [[3, 1], [2], [4]]);
  assertEquals(idsOfGroups(firstNeighbours(groups, 1, 10_000, () => true)), [3, 1, 2, 4]);
});

Deno.test("of all that is above the last level both ways find the same groups", () => {
  let several = 0;
  fc.assert(fc.property(runForms, bytesOfAKey, (forms, keyBytes) => {
    const tree = new ShapeTree(4, keyBytes, forms);
    const levels = tree.levels();
    const last = Math.max(3, levels.levels.findLastIndex((level) => level.length > 0));
    const parts = placedOf(levels);
    // A newer run of the last level that overlaps what is merged there may stay above it.
    if ((parts.placed[last]?.breaks ?? 0) > 0) return;
    const above = groupsAbove(parts, 0, last);
    const within = groupsWithin(parts, last, ALL);
    const isTop = ({ bytesAbove }: { readonly bytesAbove: number }): boolean => bytesAbove > 0;
    assertEquals(
      textOf(above).filter((_, i) => isTop(above.groups[i]!)),
      textOf(within).filter((_, i) => isTop(within.groups[i]!)),
    );
    if (above.groups.length > 1) several += 1;
  }));
  assertEquals(several > 10, true);
});

Deno.test("neighbours are taken as long as they are wanted, small, and nothing else lies in between", () => {
  const parts = placedOf(Levels.from(shapes(`
    L1  #11 a..b 1K  #12 d..e 1K  #13 g..h 1K  #14 j..k 9K  #15 m..n 1K
    L6  #1 a..b 1K  #2 d..e 1K  #3 f..f 1K  #4 g..h 1K  #5 j..k 1K  #6 m..n 1K`)));
  const first = (groups: Groups, least: number, bytesMax: number): readonly number[] =>
    idsOfGroups(firstNeighbours(groups, least, bytesMax, (group) => group.state === "merge"));
  const above = groupsAbove(parts, 0, 6);
  assertEquals(first(above, 1, 100_000), [11, 1, 12, 2]);
  assertEquals(first(above, 1, 3_000), [11, 1]);
  assertEquals(first(above, 1, 10), [11, 1]);
  assertEquals(first(above, 3, 100_000), [13, 4, 14, 5, 15, 6]);
  assertEquals(first(above, 4, 100_000), []);
  assertEquals(first(groupsWithin(parts, 6, { lower: "d", upper: "g" }), 1, 100_000), [12, 2]);
});

Deno.test("nothing lies between neighbours only if no run of the last level has a segment there", () => {
  const first = (last: string): readonly number[] => {
    const above = groupsAbove(placedOf(Levels.from(shapes(`L1 #11 a..b 1K #12 g..h 1K\n${last}`))), 0, 6);
    return idsOfGroups(firstNeighbours(above, 1, 100_000, () => true));
  };
  assertEquals(first("L6 #3 g..h 1K #1 a..b 1K #2 g..g 1K"), [11, 1, 12, 3, 2]);
  assertEquals(first("L6 #3 d..e 1K #1 a..b 1K #2 g..g 1K"), [11, 1]);
});

Deno.test("without a last level there are groups all the same", () => {
  const parts = placedOf(Levels.from(shapes("L0 #2 a..c 1K #1 b..d 1K"), { levelCount: 1 }));
  assertEquals(
    groupsAbove(parts, 0, 3).groups.map(({ bytesAbove, bytesInLast }) => [bytesAbove, bytesInLast]),
    [[2048, 0]],
  );
});
