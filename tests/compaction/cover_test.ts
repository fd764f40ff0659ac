import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { KeyCover } from "../../compaction/cover.ts";
import { PlacedSegment } from "../../compaction/placed_segment.ts";
import { metaOf } from "../support/arbitraries.ts";

/** A segment from one number to another, as keys. */
function between(from: number, to: number): PlacedSegment {
  const key = (n: number): string => `k${String(n).padStart(3, "0")}`;
  return new PlacedSegment(metaOf(1, key(from), key(to)), 1);
}

function textOf(cover: KeyCover): string {
  return cover.stretches.map(({ first, last }) => `${first.facts.minKey}..${last.facts.maxKey}`).join(" ");
}

Deno.test("segments that overlap are one stretch, and neighbours that do not are two", () => {
  const cover = new KeyCover();
  for (const [from, to] of [[1, 3], [7, 9], [4, 4], [20, 25]]) cover.add(between(from!, to!));
  assertEquals(textOf(cover), "k001..k003 k004..k004 k007..k009 k020..k025");
  cover.add(between(3, 7));
  assertEquals(textOf(cover), "k001..k009 k020..k025");
  cover.add(between(0, 99));
  assertEquals(textOf(cover), "k000..k099");
});

Deno.test("a cover knows what it has in common with a stretch, as a set of keys would", () => {
  const pair = fc.tuple(fc.nat(40), fc.nat(6)).map((
    [from, length],
  ): [number, number] => [from, from + length]);
  fc.assert(fc.property(fc.array(pair, { maxLength: 12 }), pair, pair, (added, [from, to], [other, end]) => {
    const cover = new KeyCover();
    const keys = new Set<number>();
    for (const [a, b] of added) {
      cover.add(between(a, b));
      for (let key = a; key <= b; key++) keys.add(key);
    }
    const has = (a: number, b: number): boolean => [...keys].some((key) => key >= a && key <= b);
    assertEquals(cover.touches(between(from, to)), has(from, to));
    const last = Math.max(to, end);
    assertEquals(cover.touches(between(from, to), between(other, last)), has(from, last));
    const index = cover.indexOf(between(from, to));
    assertEquals(
      cover.stretches.every(({ last }, i) =>
        (last.facts.maxKey >= between(from, to).facts.minKey) === i >= index
      ),
      true,
    );
  }));
});
