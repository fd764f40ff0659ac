import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { bytesOf, compareKeys, Levels, runsOf, shapesOverlap } from "../../compaction/levels.ts";
import type { SegmentShape } from "../../compaction/levels.ts";
import { keyToBytes } from "../../core/bytes.ts";
import { versionSegments } from "../../core/version.ts";
import { byteKey, version } from "../support/arbitraries.ts";
import { shapes, versionOf } from "../support/shapes.ts";

Deno.test("the shape of a version has its levels in order, newest runs first, and says what is busy", () => {
  const given = versionOf(`
    L0  #9 a..k 10K
    L0  #8 c..z 12K 3d
    L2  #5 a..f 40K  #6 g..z 1K
  `);
  const levels = Levels.of(given, new Set([8]), 4);
  assertEquals(ids(levels), [[9, 8], [], [5, 6], []]);
  const [, eight] = levels.levels[0]!;
  assertEquals(eight, {
    id: 8,
    level: 0,
    size: 12 * 1024,
    minKey: keyToBytes("c"),
    maxKey: keyToBytes("z"),
    entries: 10,
    tombstones: 3,
    writtenAt: 8_000,
    seqnoMin: 8,
    seqnoMax: 8,
    busy: true,
  });
  assertEquals(levels.levels.flat().filter((segment) => segment.busy).map(({ id }) => id), [8]);
});

Deno.test("there are as many levels as asked for, and more where the version has them", () => {
  assertEquals(Levels.of(versionOf("L5  #1 a..z 1K"), new Set(), 3).levels.length, 6);
  assertEquals(Levels.of(versionOf(""), new Set(), 3).levels, [[], [], []]);
  assertEquals([Levels.from([]).levels.length, Levels.from([], { levelCount: 2 }).levels.length], [7, 2]);
  assertEquals(Levels.from(shapes("L9  #1 a..z 1K")).levels.length, 10);
});

Deno.test("bounds are the same bytes each time a segment is looked at", () => {
  const given = versionOf("L0  #9 a..k 10K");
  const [a, b] = [1, 2].map(() => Levels.of(given, new Set(), 1).levels[0]![0]!);
  assert(a!.minKey === b!.minKey && a!.maxKey === b!.maxKey);
});

Deno.test("segments given in any order stand by key, or newest first where two of a level overlap", () => {
  const apart = Levels.from(shapes("L1  #3 m..n 1K  #9 a..b 1K  #5 x..z 1K"));
  assertEquals(ids(apart)[1], [9, 3, 5]);
  const over = Levels.from(shapes("L0  #3 m..n 1K  #9 a..b 1K  #5 n..z 1K"));
  assertEquals(ids(over)[0], [9, 5, 3]);
});

Deno.test("a shape is one line for each level that has segments", () => {
  const levels = Levels.from(shapes(`
    L0  #9* a..k 10M  #8 c..z 12M
    L2  #5 a..f 512K
  `));
  assertEquals(levels.toString(), "L0  2 segments, 22.0 MiB   #9* #8\nL2  1 segments, 0.5 MiB   #5");
  assertEquals(`${Levels.from([])}`, "");
});

Deno.test("a run ends where the next segment does not follow in key order", () => {
  const runs = (text: string): number[][] => runsOf(shapes(text)).map((run) => run.map(({ id }) => id));
  assertEquals(runs(""), []);
  assertEquals(runs("L1  #1 a..b 1K  #2 c..d 1K"), [[1, 2]]);
  assertEquals(runs("L1  #1 a..b 1K  #2 b..d 1K"), [[1], [2]]);
  assertEquals(runs("L1  #5 k..m 1K  #6 x..z 1K  #1 a..b 1K  #2 c..d 1K"), [[5, 6], [1, 2]]);
});

Deno.test("sizes add up beyond 32 bits", () => {
  assertEquals(bytesOf(shapes("L1  #1 a..b 5000G  #2 c..d 3000G")), 8_000 * 2 ** 30);
  assertEquals(bytesOf([]), 0);
});

Deno.test("keys compare by bytes, a prefix first, and ranges overlap if they have a key in common", () => {
  fc.assert(fc.property(byteKey, byteKey, byteKey, byteKey, (a, b, c, d) => {
    assertEquals(Math.sign(compareKeys(keyToBytes(a), keyToBytes(b))), a < b ? -1 : a > b ? 1 : 0);
    const [one, other] = [[a, b].sort(order), [c, d].sort(order)];
    const range = ([min, max]: string[]): Pick<SegmentShape, "minKey" | "maxKey"> => ({
      minKey: keyToBytes(min!),
      maxKey: keyToBytes(max!),
    });
    assertEquals(shapesOverlap(range(one), range(other)), one[0]! <= other[1]! && other[0]! <= one[1]!);
  }));
});

Deno.test("any version's shape has each of its segments once, at its level, and what overlaps newest first", () => {
  fc.assert(fc.property(version, fc.nat(6), (given, levelCount) => {
    const levels = Levels.of(given, new Set(), levelCount);
    const all = levels.levels.flat();
    assertEquals(all.map(({ id }) => id), versionSegments(given).map(({ id }) => id));
    const levelOf = new Map(given.runs.flatMap((run) => run.segments.map(({ id }) => [id, run.level])));
    for (const [level, segments] of levels.levels.entries()) {
      for (const segment of segments) assertEquals([segment.level, levelOf.get(segment.id)], [level, level]);
    }
    // Given as they come, in any order, they make the same shape as far as order is of any meaning.
    const again = Levels.from([...all].reverse(), { levelCount });
    for (const [level, segments] of again.levels.entries()) {
      assertEquals(segments.map(({ id }) => id).sort(), levels.levels[level]!.map(({ id }) => id).sort());
      for (const [i, older] of segments.entries()) {
        for (const newer of segments.slice(0, i)) {
          assert(!shapesOverlap(newer, older) || newer.seqnoMax >= older.seqnoMax);
        }
      }
    }
  }));
});

Deno.test("what was given to a strategy never changes, whatever the strategy or its maker does", () => {
  const given = shapes("L0  #9 a..k 10K  #8 c..z 12K").map((shape) => ({ ...shape }));
  const levels = Levels.from(given);
  const text = levels.toString();
  given[0]!.id = 77;
  given[0]!.minKey[0] = 0;
  const first = levels.levels[0]!;
  assertThrows(() => (first as SegmentShape[]).reverse(), TypeError);
  assertThrows(() => Object.assign(first[0]!, { size: 1 }), TypeError);
  assertEquals([levels.toString(), first[0]!.minKey], [text, keyToBytes("a")]);
});

Deno.test("levels that did not change are not made anew", () => {
  const before = versionOf("L0  #9 a..k 10K\n L1  #5 a..f 1K  #6 g..z 1K\n L2  #1 a..z 1K");
  const flushed = { level: 0, segments: [{ ...before.runs[0]!.segments[0]!, id: 10 }] };
  const [one, other] = [before, { ...before, runs: [flushed, ...before.runs] }]
    .map((version) => Levels.of(version, new Set(), 4));
  assertEquals(ids(other!), [[10, 9], [5, 6], [1], []]);
  assert(one!.levels[1] === other!.levels[1] && one!.levels[2] === other!.levels[2]);
  const busy = Levels.of(before, new Set([6]), 4);
  assert(busy.levels[2] === one!.levels[2]);
  assertEquals(busy.levels[1]!.map((segment) => segment.busy), [false, true]);
  assertEquals(`${busy}`.split("\n")[1], "L1  2 segments, 0.0 MiB   #5 #6*");
  // The same segment at another level is another shape.
  const [, ...moved] = before.runs;
  const lower = { ...before, runs: moved.map((run) => ({ ...run, level: run.level + 1 })) };
  assertEquals(Levels.of(lower, new Set(), 4).levels[2]!.map((segment) => segment.level), [2, 2]);
});

Deno.test("two shapes are equal if they hold the same", () => {
  const text = "L0  #9 a..k 10K  #8* c..z 12K";
  assertEquals(Levels.from(shapes(text)), Levels.from(shapes(text)));
  assertNotEquals(Levels.from(shapes(text)), Levels.from(shapes(text.replace("*", ""))));
});

Deno.test("runs and bytes of a level are known without counting, and are what counting gives", () => {
  fc.assert(fc.property(version, (given) => {
    for (const level of Levels.of(given, new Set(), 4).levels) {
      const copy = [...level];
      assertEquals(runsOf(level).map((run) => [...run]), runsOf(copy).map((run) => [...run]));
      assertEquals(runsOf(level), runsOf(level));
      assertEquals(bytesOf(level), bytesOf(copy));
    }
  }));
});

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function ids(levels: Levels): number[][] {
  return levels.levels.map((level) => level.map(({ id }) => id));
}
