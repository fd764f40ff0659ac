import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LevelParts } from "../../compaction/levels.ts";
import { Levels, placedOf } from "../../compaction/levels.ts";
import { joinSmall } from "../../compaction/small_segments.ts";
import type { SegmentMeta } from "../../core/version.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import { metaOf } from "../support/arbitraries.ts";

const TARGET = 1024;

/** A level of segments of these sizes, each from a merge of its own, unless it is told which. */
function levelOf(sizes: readonly number[], origins?: readonly number[]): readonly SegmentMeta[] {
  return sizes.map((size, i) => {
    const key = String(i).padStart(6, "0");
    const seqno = origins?.[i] ?? i + 1;
    return { ...metaOf(i + 1, key, key), size, seqnoMin: seqno, seqnoMax: seqno, writtenAt: seqno };
  });
}

function partsOf(segments: readonly SegmentMeta[], busy: readonly number[] = []): LevelParts {
  const runs = segments.length === 0 ? [] : [{ level: 1, segments }];
  return placedOf(Levels.of({ ...EMPTY_VERSION, runs }, new Set(busy), 4));
}

function joined(sizes: readonly number[], origins?: readonly number[]): readonly number[] {
  const choice = joinSmall(partsOf(levelOf(sizes, origins)), 1, TARGET);
  return choice.kind === "none" ? [] : choice.segments;
}

/** The numbers from one to another. */
function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

const many = (count: number, size: number): number[] => Array(count).fill(size);

Deno.test("sixteen small neighbours are joined, or fewer if they are enough for a segment", () => {
  assertEquals(joined(many(15, 2)), []);
  assertEquals(joined(many(16, 2)), numbers(1, 16));
  assertEquals(joined(many(9, 120)), numbers(1, 9));
  assertEquals(joined(many(8, 120)), []);
  assertEquals(joined([]), []);
});

Deno.test("the choice is a merge within the level that says why", () => {
  assertEquals(joinSmall(partsOf(levelOf(many(16, 2))), 1, TARGET), {
    kind: "merge",
    segments: numbers(1, 16),
    destLevel: 1,
    targetSize: TARGET,
    reason: "16 neighbours of level 1 are small",
  });
  assertEquals(joinSmall(partsOf(levelOf(many(16, 2))), 9, TARGET), { kind: "none" });
});

Deno.test("what is larger than an eighth of all that is joined is left alone, and so is what is larger than one of the target", () => {
  assertEquals(joined([40, ...many(20, 2)]), numbers(2, 21));
  assertEquals(joined([...many(20, 2), 40]), numbers(1, 20));
  assertEquals(joined([4, ...many(20, 2)]), numbers(1, 21));
  assertEquals(joined([...many(20, 2), 128, ...many(20, 2)]), numbers(1, 20));
  assertEquals(joined([...many(9, 2), 128, ...many(9, 2)]), []);
});

Deno.test("a level whose segments are not small on average is left alone", () => {
  assertEquals(joined([...many(20, 2), ...many(3, 1024)]), []);
  assertEquals(joined([...many(20, 2), ...many(2, 1024)]), numbers(1, 20));
});

Deno.test("what one merge has left side by side counts as one part", () => {
  assertEquals(joined(many(40, 2), many(40, 7)), []);
  const beside = (count: number): readonly number[] => [...many(40, 99), ...numbers(1, count)];
  assertEquals(joined(many(55, 2), beside(15)), []);
  assertEquals(joined(many(56, 2), beside(16)), numbers(41, 56));
});

Deno.test("nothing is joined while anything is under way in the level or above it", () => {
  const segments = levelOf([...many(16, 2), 900]);
  assertEquals(joinSmall(partsOf(segments, [17]), 1, TARGET).kind, "none");
  assertEquals(joinSmall(partsOf(segments), 1, TARGET).kind, "merge");
});

Deno.test("joining ends, however outputs are cut, and little is left that is small", () => {
  let joins = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          { weight: 30, arbitrary: fc.integer({ min: 1, max: 20 }) },
          { weight: 1, arbitrary: fc.integer({ min: 1, max: 1500 }) },
        ),
        { maxLength: 300, size: "max" },
      ),
      fc.constantFrom(1, 3, 1000),
      (sizes, cuts) => {
        let segments = levelOf(sizes);
        let nextId = 1_000;
        for (let rounds = 0;; rounds++) {
          assert(rounds < 300, "it does not end");
          const choice = joinSmall(partsOf(segments), 1, TARGET);
          if (choice.kind === "none") break;
          joins += 1;
          const from = segments.findIndex(({ id }) => id === choice.segments[0]);
          const inputs = segments.slice(from, from + choice.segments.length);
          assertEquals(inputs.map(({ id }) => id), choice.segments);
          // As many outputs as inputs, say, since values are larger than a segment when they are not compressed.
          const outputs = cutInto(Math.min(cuts, inputs.length), inputs, nextId += 1_000);
          segments = [...segments.slice(0, from), ...outputs, ...segments.slice(from + inputs.length)];
        }
        const bytes = segments.reduce((sum, { size }) => sum + size, 0);
        if (cuts === 1) assert(segments.length <= 40 + 8 * bytes / TARGET, `${segments.map((s) => s.size)}`);
      },
    ),
  );
  assert(joins > 100, `${joins}`);
});

function cutInto(count: number, inputs: readonly SegmentMeta[], firstId: number): readonly SegmentMeta[] {
  const size = inputs.reduce((sum, input) => sum + input.size, 0) / count;
  return numbers(0, count - 1).map((i) => ({
    ...inputs[i]!,
    id: firstId + i,
    maxKey: i === count - 1 ? inputs.at(-1)!.maxKey : inputs[i]!.maxKey,
    size,
    seqnoMin: firstId,
    seqnoMax: firstId,
    writtenAt: firstId,
  }));
}
