import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ChosenSegments, CompactionChoice } from "../../core/choice.ts";
import { checkChoice, TARGET_BYTES_MIN } from "../../core/choice.ts";
import type { Run, SegmentId, SegmentMeta, Version } from "../../core/version.ts";
import { checkRuns, EMPTY_VERSION, placeFor, withoutSegments, withSegments } from "../../core/version.ts";
import { BOUND_KEYS, metaOf, runs } from "../support/arbitraries.ts";
import { effort } from "../support/effort.ts";

const LEVELS = 7;
/** Three flushes, newest first, over a level of two and one of one. */
const SHAPE: readonly Run[] = [
  { level: 0, segments: [metaOf(6, "a", "f")] },
  { level: 0, segments: [metaOf(5, "x", "z")] },
  { level: 0, segments: [metaOf(4, "c", "m")] },
  { level: 1, segments: [metaOf(2, "a", "k"), metaOf(3, "l", "z")] },
  { level: 2, segments: [metaOf(1, "a", "z")] },
];

type Choice = Exclude<CompactionChoice, { kind: "none" }>;

Deno.test("a merge of neighbours in age is legal, and what it names comes back as runs", () => {
  const checked = checkChoice(merge([4, 6], 1), versionOf(SHAPE), new Set(), LEVELS);
  assertEquals(
    checked,
    {
      runs: [{ level: 0, segments: [metaOf(6, "a", "f")] }, { level: 0, segments: [metaOf(4, "c", "m")] }],
      ids: new Set([4, 6]),
    } satisfies ChosenSegments,
  );
});

Deno.test("a merge may leave out what shares no key with it", () => {
  assertEquals(why(merge([6, 4, 2], 1)), undefined);
  assertEquals(why(merge([6, 4, 2], 0)), undefined);
  assertEquals(why(merge([5, 3], 1)), undefined);
});

Deno.test("a merge that would reorder versions is refused", () => {
  assertEquals(why(merge([6, 2], 1)), "segment 4 lies between its inputs in age");
  assertEquals(why(merge([6], 1)), "at level 1 it would stand below older versions of its keys");
  assertEquals(why(merge([6, 4], 2)), "at level 2 it would stand below older versions of its keys");
  assertEquals(why(merge([1], 0)), "at level 0 it would stand above newer versions of its keys");
});

Deno.test("a move is legal where a merge would be and nothing has to be merged", () => {
  assertEquals(why(move([5], 0)), undefined);
  assertEquals(why(move([1], 6)), undefined);
  assertEquals(why(move([2, 3], 2)), undefined);
  assertEquals(why(move([6, 4], 0)), "segments 6 and 4 of one run overlap");
  assertEquals(why(move([5], 2)), "at level 2 it would stand below older versions of its keys");
});

Deno.test("a drop that would bring older versions back is refused", () => {
  assertEquals(why(drop([6])), "older versions in segment 4 would come back");
  assertEquals(why(drop([2])), "older versions in segment 1 would come back");
  assertEquals(why(drop([2, 1])), undefined);
  assertEquals(why(drop([1])), undefined);
  assertEquals(why(drop([6, 5, 4, 3, 2, 1])), undefined);
});

Deno.test("a choice of segments that are busy, unknown, named twice or not at all is refused", () => {
  for (const choose of [(ids: number[]) => merge(ids, 2), (ids: number[]) => move(ids, 2), drop]) {
    assertEquals(why(choose([])), "it names no segment");
    assertEquals(why(choose([1, 1])), "it names a segment twice");
    assertEquals(why(choose([1, 9])), "there is no segment 9");
    assertEquals(why(choose([1, 2]), [2]), "segment 2 is busy");
    assertEquals(why({ ...choose([1]), segments: undefined as unknown as number[] }), "it names no segment");
    assertEquals(why({ ...choose([1]), segments: ["1"] as unknown as number[] }), "there is no segment 1");
  }
});

Deno.test("a reason that is no text is refused: it could not be written down", () => {
  for (const reason of [5, null, {}, Symbol("why")]) {
    for (const choice of [merge([6, 4], 1), move([5], 0), drop([1])]) {
      assertEquals(why({ ...choice, reason: reason as string }), "its reason is no text");
    }
  }
  for (const reason of [undefined, "", "why"]) {
    assertEquals(why({ ...drop([1]), reason } as Choice), undefined);
  }
});

Deno.test("a level that is not there is refused", () => {
  for (const level of [-1, 7, 1.5, NaN, Infinity, "1" as unknown as number, undefined as unknown as number]) {
    assertEquals(why(merge([1], level)), `there is no level ${level}`);
    assertEquals(why(move([1], level)), `there is no level ${level}`);
  }
  assertEquals(why(merge([1], 6)), undefined);
});

Deno.test("a target size that makes no sense is refused", () => {
  for (const size of [0, -1, TARGET_BYTES_MIN - 1, NaN, undefined, "4096", 4096n, null]) {
    const choice = { ...merge([1], 2), targetSize: size as number };
    assertEquals(why(choice), `a target size of ${size} is not a number of at least 1024 bytes`);
  }
  for (const size of [TARGET_BYTES_MIN, 4096.5, Infinity]) {
    assertEquals(why({ ...merge([1], 2), targetSize: size } as Choice), undefined);
  }
});

Deno.test("whatever is accepted leaves the newest version of each key visible, in any version with any contents", () => {
  const seen = { merge: 0, move: 0, drop: 0, reordered: 0, joined: 0 };
  fc.assert(
    fc.property(runs, picks, fc.nat(4), fc.nat(2), fc.nat(), (given, wanted, level, kind, seed) => {
      const all = given.flatMap((run) => run.segments.map(({ id }) => id));
      if (all.length === 0) return;
      const ids = [...new Set(wanted.map((pick) => all[pick % all.length]!))];
      const choice = [merge(ids, level), move(ids, level), drop(ids)][kind]!;
      const checked = checkChoice(choice, versionOf(given), new Set(), LEVELS);
      if (typeof checked === "string") {
        seen.reordered += 1;
        return;
      }
      seen[choice.kind] += 1;
      const before = contentsOf(given, seed);
      const { runs: after, contents, joined } = applied(given, before, choice, checked, seed);
      if (joined) seen.joined += 1;
      assertEquals(checkRuns(after), undefined);
      const [old, now] = [visible(given, before), visible(after, contents)];
      for (const [key, version] of old) {
        const there = now.get(key);
        if (choice.kind !== "drop") assertEquals(there, version);
        else assert(there === version || there === undefined);
      }
      if (choice.kind !== "drop") assertEquals(now.size, old.size);
    }),
    effort(3_000),
  );
  for (const [what, count] of Object.entries(seen)) assert(count > 50, `${what}: ${count}`);
});

Deno.test("what is refused as a reordering would show an older version, for some contents", () => {
  let tried = 0;
  let seen = 0;
  fc.assert(
    fc.property(runs, picks, (given, wanted) => {
      const all = given.flatMap((run) => run.segments);
      if (all.length === 0) return;
      const ids = [...new Set(wanted.map((pick) => all[pick % all.length]!.id))];
      const why = checkChoice(merge(ids, 0), versionOf(given), new Set(), LEVELS);
      if (typeof why !== "string" || !why.includes("lies between")) return;
      const between = all.find(({ id }) => why.startsWith(`segment ${id} `))!;
      const age = given.findIndex((run) => run.segments.includes(between));
      const chosen = (run: Run): boolean =>
        run.segments.some(({ id, minKey, maxKey }) =>
          ids.includes(id) && minKey <= between.maxKey && between.minKey <= maxKey
        );
      tried += 1;
      if (given.slice(0, age).some(chosen) && given.slice(age + 1).some(chosen)) seen += 1;
    }),
    effort(1_000),
  );
  assert(tried > 50 && seen === tried, `${seen} of ${tried}`);
});

const picks: fc.Arbitrary<readonly number[]> = fc.array(fc.nat(), { minLength: 1, maxLength: 5 });

/** What each segment holds: keys with the number of their version, a greater one being newer. */
type Contents = ReadonlyMap<SegmentId, ReadonlyMap<string, number>>;

/** Fills each segment with some of the keys of its range, both ends among them. */
function contentsOf(given: readonly Run[], seed: number): Contents {
  const contents = new Map<SegmentId, ReadonlyMap<string, number>>();
  for (const [age, run] of given.entries()) {
    for (const { id, minKey, maxKey } of run.segments) {
      const keys = BOUND_KEYS.filter((key, i) =>
        key === minKey || key === maxKey || (minKey < key && key < maxKey && chance(seed, id * 16 + i))
      );
      contents.set(id, new Map(keys.map((key) => [key, 100 - age])));
    }
  }
  return contents;
}

/** What reads find: for each key the version in the first run that has it. */
function visible(given: readonly Run[], contents: Contents): Map<string, number> {
  const found = new Map<string, number>();
  for (const run of given) {
    for (const { id } of run.segments) {
      for (const [key, version] of contents.get(id)!) if (!found.has(key)) found.set(key, version);
    }
  }
  return found;
}

/** Does what a choice says, as simply as possible. */
function applied(
  given: readonly Run[],
  contents: Contents,
  choice: Choice,
  { runs: chosen, ids }: ChosenSegments,
  seed: number,
): { readonly runs: readonly Run[]; readonly contents: Contents; readonly joined: boolean } {
  const left = withoutSegments(given, ids);
  if (choice.kind === "drop") return { runs: left, contents, joined: false };
  const outputs = new Map(contents);
  const segments = choice.kind === "move"
    ? chosen.flatMap((run) => run.segments)
    : mergedSegments([...visible(chosen, contents)].sort(([a], [b]) => a < b ? -1 : 1), outputs, seed);
  const place = placeFor(given, ids, choice.destLevel, segments);
  assert(typeof place !== "string", `accepted, and then there was no place: ${place}`);
  return { runs: withSegments(left, place, segments), contents: outputs, joined: place.join };
}

/** Cuts merged entries into new segments, somewhere. */
function mergedSegments(
  entries: readonly (readonly [string, number])[],
  outputs: Map<SegmentId, ReadonlyMap<string, number>>,
  seed: number,
): SegmentMeta[] {
  const segments: SegmentMeta[] = [];
  let from = 0;
  for (let to = 1; to <= entries.length; to++) {
    if (to < entries.length && !chance(seed, to)) continue;
    const id = 200 + segments.length;
    outputs.set(id, new Map(entries.slice(from, to)));
    segments.push(metaOf(id, entries[from]![0], entries[to - 1]![0]));
    from = to;
  }
  return segments;
}

/** Heads or tails, the same for the same numbers. */
function chance(seed: number, n: number): boolean {
  const mixed = Math.imul(seed ^ Math.imul(n + 1, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) % 2 === 0;
}

function versionOf(given: readonly Run[]): Version {
  return { ...EMPTY_VERSION, runs: given };
}

/** Why a choice is refused in `SHAPE`; `undefined` if it is not. */
function why(choice: Choice, busy: readonly SegmentId[] = []): string | undefined {
  const checked = checkChoice(choice, versionOf(SHAPE), new Set(busy), LEVELS);
  return typeof checked === "string" ? checked : undefined;
}

function merge(segments: readonly SegmentId[], destLevel: number): Choice {
  return { kind: "merge", segments, destLevel, targetSize: 1 << 20 };
}

function move(segments: readonly SegmentId[], destLevel: number): Choice {
  return { kind: "move", segments, destLevel };
}

function drop(segments: readonly SegmentId[]): Choice {
  return { kind: "drop", segments };
}
