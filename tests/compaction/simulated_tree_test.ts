import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { placedOf } from "../../compaction/levels.ts";
import type { PlacedSegment } from "../../compaction/placed_segment.ts";
import { SimulatedSegment } from "../../compaction/simulated_segment.ts";
import { SimulatedTree } from "../../compaction/simulated_tree.ts";
import { checkChoice } from "../../core/choice.ts";
import type { Run, SegmentMeta } from "../../core/version.ts";
import { EMPTY_VERSION, placeFor, withoutSegments, withSegments } from "../../core/version.ts";
import { effort } from "../support/effort.ts";

const LEVELS = 4;

/** A flush of a range, or a choice by which of the segments it takes. */
type Action =
  | { readonly do: "flush"; readonly from: number; readonly width: number }
  | {
    readonly do: "merge" | "move" | "drop";
    readonly first: number;
    readonly count: number;
    readonly level: number;
    readonly parts: number;
  };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constant("flush" as const), from: fc.nat(60), width: fc.integer({ min: 1, max: 30 }) }),
  fc.record({
    do: fc.constantFrom("merge", "merge", "move", "drop"),
    first: fc.nat(20),
    count: fc.integer({ min: 1, max: 6 }),
    level: fc.nat(LEVELS - 1),
    parts: fc.integer({ min: 1, max: 3 }),
  }),
);

Deno.test("any legal change puts segments where the core would put them", () => {
  const counts = { merge: 0, move: 0, drop: 0 };
  fc.assert(
    fc.property(fc.array(action, { minLength: 5, maxLength: 60 }), (actions) => {
      const tree = new SimulatedTree(LEVELS);
      let runs: readonly Run[] = [];
      let id = 0;
      for (const one of actions) {
        if (one.do === "flush") {
          const segment = segmentOf(id += 1, one.from, one.from + one.width);
          tree.flush([segment.at(0)]);
          runs = [{ level: 0, segments: [metaOf(segment)] }, ...runs];
        } else {
          // Neighbours in age, so that something is legal now and then.
          const all = runs.flatMap((run) => run.segments);
          const chosen = all.slice(-1 - one.first % Math.max(1, all.length)).slice(0, one.count);
          const choice = { kind: one.do, segments: chosen.map((meta) => meta.id), destLevel: one.level };
          const full = { ...choice, targetSize: 1024 } as Parameters<typeof checkChoice>[0];
          const checked = checkChoice(full, { ...EMPTY_VERSION, runs }, new Set(), LEVELS);
          if (typeof checked === "string" || one.level === 0) continue;
          counts[one.do] += 1;
          const inputs = chosen.map((meta) => tree.get(meta.id)!);
          assertEquals(
            tree.byRun(inputs).map((run) => run.map((segment) => segment.id)),
            idsOf(checked.runs),
          );
          if (one.do === "drop") {
            tree.change(inputs, undefined);
            runs = withoutSegments(runs, checked.ids);
          } else {
            const outputs = one.do === "move"
              ? sorted(inputs.map((input) => input.facts as SimulatedSegment))
              : parts(inputs, one.parts, () => id += 1);
            tree.change(inputs, {
              level: one.level,
              segments: outputs.map((output) => output.at(one.level)),
            });
            const metas = outputs.map(metaOf);
            const place = placeFor(runs, checked.ids, one.level, metas);
            assert(typeof place !== "string");
            runs = withSegments(withoutSegments(runs, checked.ids), place, metas);
          }
        }
        assertEquals(runsOf(tree), idsOf(runs));
        const { placed } = placedOf(tree.levels(new Map()));
        assert(placed.every((segments, level) => segments === tree.placed[level]));
      }
    }),
    effort(1_000),
  );
  assert(counts.merge > 1_000 && counts.move > 500 && counts.drop > 200, JSON.stringify(counts));
});

Deno.test("a change to level 0 stands behind what is newer, and a level that was not there is made", () => {
  const tree = new SimulatedTree(2);
  const flushed = [1, 2, 3].map((id) => segmentOf(id, 0, 10));
  for (const segment of flushed) tree.flush([segment.at(0)]);
  tree.change([tree.get(1)!, tree.get(2)!], { level: 0, segments: [segmentOf(4, 0, 10).at(0)] });
  assertEquals(runsOf(tree), [[3], [4]]);
  tree.change([tree.get(4)!], { level: 5, segments: [segmentOf(5, 0, 10).at(5)] });
  assertEquals([runsOf(tree), tree.placed.length, tree.get(4)], [[[3], [5]], 6, undefined]);
  // Another one at level 0, newer than what comes up, and one that it does not touch.
  tree.flush([segmentOf(6, 20, 30).at(0)]);
  tree.change([tree.get(5)!], { level: 0, segments: [segmentOf(7, 0, 10).at(0)] });
  assertEquals(runsOf(tree), [[6], [3], [7]]);
});

Deno.test("bounds of a simulated segment are numbers with sixteen digits", () => {
  const { shape } = segmentOf(1, 7, 2 ** 48).at(2);
  const text = new TextDecoder();
  assertEquals([text.decode(shape.minKey), text.decode(shape.maxKey)], [
    "0000000000000007",
    "0281474976710655",
  ]);
  assertEquals([shape.level, shape.seqnoMin, shape.seqnoMax, shape.writtenAt], [2, 1, 1, 1]);
});

function segmentOf(id: number, from: number, to: number): SimulatedSegment {
  const shares = { puts: [1], tombstones: 0, ghosts: 0 };
  const origin = { seqnoMin: id, seqnoMax: id, writtenAt: id };
  return new SimulatedSegment(id, 1_000 + id, { from, to, shares }, to - from, 0, origin);
}

function metaOf(segment: SimulatedSegment): SegmentMeta {
  const { id, size, minKey, maxKey, entries, tombstones, seqnoMin, seqnoMax, writtenAt } = segment;
  return {
    id,
    size,
    minKey,
    maxKey,
    entries,
    tombstones,
    seqnoMin,
    seqnoMax,
    writtenAt,
    salt: { low: 0, high: 0 },
  };
}

function sorted(segments: readonly SimulatedSegment[]): SimulatedSegment[] {
  return segments.toSorted((a, b) => a.from - b.from);
}

/** Returns the stretches that inputs cover, the first cut into parts. */
function parts(inputs: readonly PlacedSegment[], count: number, nextId: () => number): SimulatedSegment[] {
  const stretches: [from: number, to: number][] = [];
  for (const { from, to } of sorted(inputs.map((input) => input.facts as SimulatedSegment))) {
    const last = stretches.at(-1);
    if (last === undefined || last[1] < from) stretches.push([from, to]);
    else last[1] = Math.max(last[1], to);
  }
  const [[from, to], ...others] = stretches as [[number, number]];
  const width = Math.ceil((to - from) / count);
  const cuts: [number, number][] = [];
  for (let at = from; at < to; at += width) cuts.push([at, Math.min(to, at + width)]);
  return [...cuts, ...others].map(([start, end]) => segmentOf(nextId(), start, end));
}

function runsOf(tree: SimulatedTree): number[][] {
  return tree.placed.flatMap((segments, level) =>
    tree.runsOf(level).map(([start, end]) => segments.slice(start, end).map(({ id }) => id))
  );
}

function idsOf(runs: readonly Run[]): number[][] {
  return runs.map((run) => run.segments.map(({ id }) => id));
}
