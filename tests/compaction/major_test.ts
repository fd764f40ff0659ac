import { assertEquals } from "@std/assert";
import { Levels } from "../../compaction/levels.ts";
import { majorChoice } from "../../compaction/major.ts";
import { shapes } from "../support/shapes.ts";

Deno.test("everything is merged into the last level", () => {
  const levels = Levels.from(shapes(`
    L0  #9 a..k 10M  #8 c..z 12M
    L3  #5 a..f 40M
  `));
  assertEquals(majorChoice(levels, 7), {
    kind: "merge",
    segments: [9, 8, 5],
    destLevel: 6,
    targetSize: 64 * 1024 * 1024,
    reason: "asked for",
  });
});

Deno.test("one run of the last level without a tombstone is left alone, and so is nothing", () => {
  assertEquals(majorChoice(Levels.from([]), 7), { kind: "none" });
  assertEquals(majorChoice(Levels.from(shapes("L6  #1 a..f 1M  #2 g..z 1M")), 7), { kind: "none" });
});

Deno.test("tombstones, another level or a second run are reasons to merge", () => {
  for (
    const shape of [
      "L6  #1 a..f 1M  #2 g..z 1M 1d",
      "L5  #1 a..f 1M",
      "L6  #2 e..z 1M  #1 a..f 1M",
      "L7  #1 a..f 1M",
    ]
  ) {
    assertEquals(majorChoice(Levels.from(shapes(shape)), 7).kind, "merge", shape);
  }
});
