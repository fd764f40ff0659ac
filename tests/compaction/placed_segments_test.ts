import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  beginsBefore,
  endsBefore,
  endsBehind,
  headOf,
  placedOverlap,
  PlacedSegment,
} from "../../compaction/placed_segment.ts";
import { PlacedSegments } from "../../compaction/placed_segments.ts";
import { byteKey } from "../support/arbitraries.ts";
import { effort } from "../support/effort.ts";

Deno.test("a list that is spliced over and over holds what an array would hold, with its sums", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          start: fc.nat(10_000),
          removed: fc.oneof(fc.nat(20), fc.nat(500)),
          added: fc.oneof(fc.nat(15), fc.nat(400)),
        }),
        { maxLength: 30, size: "max" },
      ),
      (changes) => {
        let list = PlacedSegments.EMPTY;
        let expected: readonly PlacedSegment[] = [];
        let id = 0;
        for (const { start, removed, added } of changes) {
          const from = start % (expected.length + 1);
          const to = Math.min(expected.length, from + removed);
          const coming = Array.from({ length: added }, () => numbered(id += 1, id * 7919 % 1_000, 5));
          const [before, flat] = [list, list.flat];
          list = list.splice(from, to, coming);
          expected = expected.toSpliced(from, to - from, ...coming);
          assertEquals(list.flat.map((one) => one.id), expected.map((one) => one.id));
          assertEquals([list.count, list.bytes], [expected.length, bytesOf(expected)]);
          assertEquals(list.breaks, breaksOf(expected));
          assert(before.flat === flat, "the list before has changed");
          if (expected.length === 0) continue;
          const index = start * 31 % expected.length;
          assert(list.at(index) === expected[index]);
          assertEquals(list.slice(from, index), expected.slice(from, index));
          assertEquals(list.bytesOf(from, index), bytesOf(expected.slice(from, index)));
        }
      },
    ),
    effort(60),
  );
});

Deno.test("a search finds the first segment that reaches another, and the first behind it", () => {
  fc.assert(
    fc.property(
      fc.nat(900),
      fc.nat(10_000),
      fc.nat(40),
      fc.nat(900),
      fc.nat(900),
      (count, at, width, a, b) => {
        const segments = Array.from({ length: count }, (_, i) => numbered(i, i * 10, i % 9));
        const list = PlacedSegments.of(segments);
        const wanted = numbered(0, at, width);
        const [from, to] = [Math.min(a, b, count), Math.min(Math.max(a, b), count)];
        const inRange = segments.slice(from, to);
        const reaching = inRange.findIndex((one) => !endsBefore(one, wanted));
        const behind = inRange.findIndex((one) => endsBefore(wanted, one));
        assertEquals(list.firstReaching(wanted, from, to), reaching < 0 ? to : from + reaching);
        assertEquals(list.firstBehind(wanted, from, to), behind < 0 ? to : from + behind);
        const overlapping = segments.filter((one) => placedOverlap(one, wanted));
        assertEquals(list.bytesOverlapping(wanted), bytesOf(overlapping));
      },
    ),
    effort(500),
  );
});

Deno.test("keys that begin alike are told apart by all of their bytes", () => {
  fc.assert(
    fc.property(byteKey, byteKey, byteKey, byteKey, fc.constantFrom("", "prefix-of-eight"), (...given) => {
      const prefix = given.pop()!;
      const [a, b, c, d] = given.map((key) => prefix + key) as [string, string, string, string];
      const [one, other] = [keyed(a, b), keyed(c, d)];
      assertEquals(endsBefore(one, other), one.facts.maxKey < other.facts.minKey);
      assertEquals(beginsBefore(one, other), one.facts.minKey < other.facts.minKey);
      assertEquals(endsBehind(one, other), one.facts.maxKey > other.facts.maxKey);
      assertEquals(
        placedOverlap(one, other),
        one.facts.minKey <= other.facts.maxKey && other.facts.minKey <= one.facts.maxKey,
      );
      assert(a >= b || headOf(a) <= headOf(b));
    }),
  );
  const segments = ["a", "b", "c", "d"].map((key) => keyed(`a long prefix ${key}`, `a long prefix ${key}9`));
  const list = PlacedSegments.of(segments);
  assertEquals(list.firstReaching(keyed("a long prefix b91", "a long prefix b92")), 2);
  assertEquals(list.firstBehind(keyed("a long prefix b", "a long prefix c")), 3);
  assertEquals(list.bytesOverlapping(keyed("a long prefix b", "a long prefix c")), 20);
  assertEquals(list.bytesOverlapping(keyed("a long prefix b91", "a long prefix b92")), 0);
});

Deno.test("a change of a large level takes microseconds and not milliseconds", () => {
  let list = PlacedSegments.of(Array.from({ length: 160_000 }, (_, i) => numbered(i, i * 10, 9)));
  const started = performance.now();
  for (let round = 0; round < 2_000; round++) {
    const index = round * 7919 % 159_000;
    list = list.splice(index, index + 12, list.slice(index, index + 12));
  }
  const each = (performance.now() - started) / 2_000;
  assertEquals([list.count, list.breaks], [160_000, 0]);
  assert(each < 0.5, `${each} ms for each`);
});

Deno.test("a segment at another level is the same but for its level, and its shape is made once", () => {
  const segment = keyed("a", "b");
  assert(segment.at(1) === segment && segment.shape === segment.shape);
  assertEquals(segment.at(3).shape, { ...segment.shape, level: 3 });
  const number = numbered(5, 100, 20);
  assertEquals([number.at(2).minHead, number.at(2).maxHead, number.at(2).level], [100, 120, 2]);
});

/** Returns a segment of the keys `from` to `from + width`, which are numbers. */
function numbered(id: number, from: number, width: number): PlacedSegment {
  const facts = { ...keyed("", "").facts, id, size: id % 97 + 1 };
  return new PlacedSegment(facts, 1, from, from + width);
}

function keyed(a: string, b: string): PlacedSegment {
  const [minKey, maxKey] = [a, b].sort((x, y) => x < y ? -1 : x > y ? 1 : 0) as [string, string];
  const facts = { id: 1, size: 10, entries: 1, tombstones: 0, seqnoMin: 1, seqnoMax: 1, writtenAt: 0 };
  return new PlacedSegment({ ...facts, minKey, maxKey }, 1);
}

function bytesOf(segments: readonly PlacedSegment[]): number {
  return segments.reduce((sum, { size }) => sum + size, 0);
}

function breaksOf(segments: readonly PlacedSegment[]): number {
  return segments.filter((one, i) => i > 0 && !endsBefore(segments[i - 1]!, one)).length;
}
