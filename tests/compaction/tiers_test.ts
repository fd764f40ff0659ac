import { assertEquals } from "@std/assert";
import { Levels, placedOf } from "../../compaction/levels.ts";
import type { LevelParts } from "../../compaction/levels.ts";
import { bytesOfRuns, fullBytes, oneRunOf, tierCount, tierRuns } from "../../compaction/tiers.ts";
import { versionOf } from "../support/shapes.ts";

function partsOf(text: string, busy: readonly number[] = []): LevelParts {
  return placedOf(Levels.of(versionOf(text), new Set(busy), 4));
}

function idsOf(parts: LevelParts, level: number): number[][] {
  return tierRuns(parts, level).map((run) => run.segments.map((segment) => segment.id));
}

Deno.test("a level has as many runs as it takes, but in level 0 each flush is one", () => {
  const parts = partsOf(
    "L0 #9 a..c 1K\nL0 #8 d..f 1K\nL1 #4 d..f 1K #5 g..h 2K\nL1 #2 a..e 1K\nL1 #3 f..z 1K",
  );
  assertEquals(idsOf(parts, 0), [[9], [8]]);
  assertEquals(idsOf(parts, 1), [[4, 5], [2, 3]]);
  assertEquals(tierRuns(parts, 1).map((run) => run.bytes), [3072, 2048]);
  assertEquals(bytesOfRuns(tierRuns(parts, 1)), 5120);
  assertEquals([tierRuns(parts, 2), tierRuns(parts, 9)], [[], []]);
  assertEquals([0, 1, 2, 9].map((level) => tierCount(parts, level)), [2, 2, 0, 0]);
});

Deno.test("a level that did not change is not looked at again", () => {
  const version = versionOf("L0 #9 a..c 1K\nL1 #4 d..f 1K");
  const of = (busy: readonly number[]): LevelParts => placedOf(Levels.of(version, new Set(busy), 4));
  assertEquals(tierRuns(of([]), 1) === tierRuns(of([9]), 1), true);
});

Deno.test("runs that share no key are moved, but not within level 0", () => {
  const parts = partsOf("L0 #9 a..c 1K\nL0 #8 d..f 1K");
  assertEquals(oneRunOf(tierRuns(parts, 0), 1, 4096, "why"), {
    kind: "move",
    segments: [9, 8],
    destLevel: 1,
    reason: "why",
  });
  assertEquals(oneRunOf(tierRuns(parts, 0), 0, 4096, "why"), {
    kind: "merge",
    segments: [9, 8],
    destLevel: 0,
    targetSize: 4096,
    reason: "why",
  });
});

Deno.test("the bytes of full levels are those with enough runs", () => {
  const parts = partsOf("L0 #9 a..c 1K\nL0 #8 a..f 1K\nL1 #7 a..f 4K\nL2 #6 a..f 8K\nL2 #5 a..f 8K");
  assertEquals(fullBytes(parts, 4, 2), 18 * 1024);
  assertEquals(fullBytes(parts, 2, 2), 2 * 1024);
});
