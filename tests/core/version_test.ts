import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import type { Run, SegmentMeta, Version } from "../../core/version.ts";
import {
  checkRuns,
  EMPTY_VERSION,
  firstSegmentEndingAtOrAfter,
  overlap,
  placeFor,
  segmentFor,
  versionCovers,
  versionSegments,
  withoutSegments,
  withSegments,
} from "../../core/version.ts";
import { BOUND_KEYS, byteKey, metaOf, runs, version } from "../support/arbitraries.ts";
import { effort } from "../support/effort.ts";

Deno.test("the version of a tree without files covers nothing", () => {
  assertEquals(versionSegments(EMPTY_VERSION), []);
  assertEquals(versionCovers(EMPTY_VERSION, "a"), false);
  assertEquals(checkRuns(EMPTY_VERSION.runs), undefined);
});

Deno.test("a segment is found by any key of its range, ends included", () => {
  const run = runOf(1, metaOf(1, "b", "d"), metaOf(2, "f", "f"), metaOf(3, "h", "k"));
  const found = ["", "a", "b", "c", "d", "d\0", "e", "f", "g", "k", "l"].map((key) =>
    segmentFor(run, key)?.id
  );
  assertEquals(found, [undefined, undefined, 1, 1, 1, undefined, undefined, 2, undefined, 3, undefined]);
});

Deno.test("searching a run finds what looking at every segment finds", () => {
  fc.assert(fc.property(version, byteKey, (given, key) => {
    for (const run of given.runs) {
      assertEquals(
        segmentFor(run, key),
        run.segments.find(({ minKey, maxKey }) => minKey <= key && key <= maxKey),
      );
      const first = run.segments.findIndex(({ maxKey }) => maxKey >= key);
      assertEquals(firstSegmentEndingAtOrAfter(run.segments, key), first < 0 ? run.segments.length : first);
    }
    const covers = versionSegments(given).some((one) => overlap(one, { minKey: key, maxKey: key }));
    assertEquals(versionCovers(given, key), covers);
  }));
});

Deno.test("two ranges overlap exactly if they have a key in common", () => {
  const key = fc.constantFrom(...BOUND_KEYS);
  const range: fc.Arbitrary<{ minKey: string; maxKey: string }> = fc.tuple(key, key).map(([a, b]) => ({
    minKey: a < b ? a : b,
    maxKey: a < b ? b : a,
  }));
  fc.assert(fc.property(range, range, (a, b) => {
    const common = BOUND_KEYS.some((k) => a.minKey <= k && k <= a.maxKey && b.minKey <= k && k <= b.maxKey);
    assertEquals([overlap(a, b), overlap(b, a)], [common, common]);
  }));
});

Deno.test("the segments of a version come newest run first", () => {
  const given: Version = {
    ...EMPTY_VERSION,
    runs: [runOf(0, metaOf(3, "a", "b")), runOf(1, metaOf(2, "a", "b"), metaOf(1, "c", "d"))],
  };
  assertEquals(versionSegments(given).map(({ id }) => id), [3, 2, 1]);
});

Deno.test("runs that break a rule are told which", () => {
  const a = metaOf(1, "a", "c");
  const wrong: [why: string, runs: Run[]][] = [
    ["a run stands below one of a deeper level", [runOf(2, a), runOf(1, metaOf(2, "a", "c"))]],
    ["a run is empty", [runOf(0)]],
    ["segment 1 is listed twice", [runOf(0, a), runOf(0, metaOf(1, "x", "y"))]],
    ["the range of segment 2 is inverted", [runOf(0, metaOf(2, "b", "a"))]],
    ["segments 1 and 2 of one run overlap", [runOf(0, a, metaOf(2, "c", "d"))]],
    ["segments 1 and 2 of one run overlap", [runOf(0, a, metaOf(2, "a", "b"))]],
  ];
  for (const [why, runs] of wrong) assertEquals(checkRuns(runs), why);
  assertEquals(
    checkRuns([runOf(0, a), runOf(0, metaOf(2, "a", "c"), metaOf(3, "d", "d")), runOf(2, metaOf(4, "", ""))]),
    undefined,
  );
});

Deno.test("the versions that properties are tried on are legal, and of many shapes", () => {
  const seen = { deep: 0, several: 0, overlapping: 0 };
  fc.assert(
    fc.property(runs, (given) => {
      assertEquals(checkRuns(given), undefined);
      const levels = given.map(({ level }) => level);
      if (new Set(levels).size > 2) seen.deep += 1;
      if (levels.some((level, i) => level > 0 && level === levels[i - 1])) seen.several += 1;
      if (given.length > 1 && overlap(given[0]!.segments[0]!, given[1]!.segments[0]!)) seen.overlapping += 1;
    }),
    effort(300),
  );
  assert(seen.deep > 10 && seen.several > 10 && seen.overlapping > 50, JSON.stringify(seen));
});

Deno.test("taking segments away leaves the others as they are, and no run without any", () => {
  const given = [
    runOf(0, metaOf(1, "a", "b"), metaOf(2, "c", "d")),
    runOf(1, metaOf(3, "a", "d")),
    runOf(2, metaOf(4, "a", "d")),
  ];
  const left = withoutSegments(given, new Set([2, 3]));
  assertEquals(left, [runOf(0, metaOf(1, "a", "b")), runOf(2, metaOf(4, "a", "d"))]);
  assertStrictEquals(left[1], given[2]);
  assertStrictEquals(withoutSegments(given, new Set()), given);
});

Deno.test("segments join a run in the order of their keys, or stand before it as one of their own", () => {
  const given = [runOf(0, metaOf(1, "a", "z")), runOf(1, metaOf(2, "e", "f"))];
  const joined = withSegments(given, { level: 1, index: 1, join: true }, [
    metaOf(4, "x", "y"),
    metaOf(3, "a", "b"),
  ]);
  assertEquals(joined, [given[0]!, runOf(1, metaOf(3, "a", "b"), metaOf(2, "e", "f"), metaOf(4, "x", "y"))]);
  const before = withSegments(given, { level: 1, index: 1, join: false }, [metaOf(3, "a", "b")]);
  assertEquals(before, [given[0]!, runOf(1, metaOf(3, "a", "b")), given[1]!]);
  const behind = withSegments(given, { level: 2, index: 2, join: false }, [metaOf(3, "a", "b")]);
  assertEquals(behind, [...given, runOf(2, metaOf(3, "a", "b"))]);
  assertStrictEquals(withSegments(given, { level: 1, index: 1, join: true }, []), given);
});

Deno.test("putting segments back where they were taken from gives the same runs", () => {
  fc.assert(fc.property(runs, fc.nat(), (given, pick) => {
    const all = given.flatMap((run) => run.segments);
    if (all.length === 0) return;
    const segment = all[pick % all.length]!;
    const index = given.findIndex((run) => run.segments.includes(segment));
    const left = withoutSegments(given, new Set([segment.id]));
    const join = left.length === given.length;
    assertEquals(withSegments(left, { level: given[index]!.level, index, join }, [segment]), given);
  }));
});

Deno.test("the output of a merge goes where its inputs were, below what is newer and above what is older", () => {
  const given = [
    runOf(0, metaOf(5, "a", "z")),
    runOf(0, metaOf(4, "a", "m")),
    runOf(0, metaOf(3, "c", "z")),
    runOf(1, metaOf(1, "a", "c"), metaOf(2, "n", "z")),
  ];
  assertEquals(place(given, [4, 3], 0), { level: 0, index: 1, join: false });
  assertEquals(place(given, [3, 1, 2], 1), { level: 1, index: 2, join: false });
  assertEquals(place(given, [5, 4, 3, 1, 2], 3), { level: 3, index: 0, join: false });
  assertEquals(place(given, [5], 0), { level: 0, index: 0, join: false });
});

Deno.test("at a level above 0 an output joins the first run that it is disjoint from", () => {
  const given = [
    runOf(0, metaOf(5, "g", "h")),
    runOf(1, metaOf(4, "a", "h")),
    runOf(1, metaOf(3, "a", "c")),
    runOf(1, metaOf(2, "x", "z")),
  ];
  assertEquals(place(given, [5, 4], 1), { level: 1, index: 0, join: false });
  const disjoint = [runOf(0, metaOf(5, "g", "h")), ...given.slice(2)];
  assertEquals(place(disjoint, [5], 1), { level: 1, index: 0, join: true });
  assertEquals(place([runOf(0, metaOf(5, "g", "h")), runOf(0, metaOf(4, "a", "b"))], [5], 0), {
    level: 0,
    index: 0,
    join: false,
  });
});

Deno.test("there is no place above what is newer, below what is older, or around what is between", () => {
  const given = [
    runOf(0, metaOf(5, "a", "z")),
    runOf(0, metaOf(4, "a", "m")),
    runOf(0, metaOf(3, "c", "z")),
    runOf(1, metaOf(2, "a", "z")),
    runOf(2, metaOf(1, "a", "z")),
  ];
  assertEquals(place(given, [5], 1), "at level 1 it would stand below older versions of its keys");
  assertEquals(place(given, [1], 0), "at level 0 it would stand above newer versions of its keys");
  assertEquals(place(given, [5, 3], 0), "segment 4 lies between its inputs in age");
  assertEquals(place(given, [5, 2], 1), "segment 4 lies between its inputs in age");
});

Deno.test("a run that is partly older and partly newer than the inputs leaves them no place", () => {
  const given = [
    runOf(0, metaOf(4, "a", "b")),
    runOf(0, metaOf(3, "b", "c"), metaOf(2, "x", "y")),
    runOf(0, metaOf(1, "y", "z")),
  ];
  assertEquals(place(given, [4, 1], 0), "at level 0 it would stand below older versions of its keys");
});

function runOf(level: number, ...segments: SegmentMeta[]): Run {
  return { level, segments };
}

/** Where the merge of some segments may go, if its outputs have the ranges of its inputs. */
function place(runs: readonly Run[], inputs: readonly number[], level: number): unknown {
  const segments = runs.flatMap((run) => run.segments).filter(({ id }) => inputs.includes(id));
  return placeFor(runs, new Set(inputs), level, segments);
}
