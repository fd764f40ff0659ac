import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { SegmentShape } from "../../compaction/levels.ts";
import { leveled } from "../../compaction/leveled.ts";
import type { RecordedChange } from "../../compaction/recorded.ts";
import { recordedLoad } from "../../compaction/recorded.ts";
import { replay } from "../../compaction/replay.ts";
import { simulate } from "../../compaction/simulate.ts";
import { keyToBytes } from "../../core/bytes.ts";
import { shapes } from "../support/shapes.ts";

const OPTIONS = { levelCount: 3, levelRatio: 4, maxMemtableSize: 16 * 1024 ** 2 };

Deno.test("the bounds of flushes are numbers to the base of what is in use, behind what all begin with", () => {
  const { flushes, keyBytes } = recordedLoad({
    forgotten: 0,
    changes: [flush(1, "user:0100", "user:0899", 10), flush(2, "user:0250", "user:0250", 1)],
  });
  const digits = (text: string): number => Number(text.padEnd(14, "0"));
  assertEquals(flushes.map(({ from, to }) => [from, to]), [
    [digits("100"), digits("899") + 1],
    [digits("250"), digits("250") + 1],
  ]);
  assertEquals([keyBytes, flushes[0]!.entries, flushes[0]!.batches], [9, 10, 1]);
  assertEquals(recordedLoad({ forgotten: 0, changes: [] }).flushes, []);
});

Deno.test("merges tell of how many keys the writes were", () => {
  // Two flushes of 500 random keys out of 1,000 leave 750.
  const changes = [
    flush(1, "00", "99", 500),
    flush(2, "00", "99", 500),
    { ...change("merge", [1, 2], [{ ...shape(3, "00", "99", 750), level: 1 }]) },
  ];
  const { density, flushes } = recordedLoad({ forgotten: 0, changes });
  const [{ from, to }] = flushes as [typeof flushes[0]];
  assertAlmostEquals(density * (to - from), 1_000, 1);
  // One that has lost nothing, or had one input, tells nothing.
  const silent = [
    ...changes.slice(0, 2),
    change("merge", [1, 2], [{ ...shape(3, "00", "99", 1_000), level: 1 }]),
    change("merge", [3], [{ ...shape(4, "00", "99", 900), level: 2 }]),
    change("drop", [4], []),
  ];
  assertEquals(recordedLoad({ forgotten: 0, changes: silent }).density, Infinity);
});

Deno.test("the flushes of a history are a load that can be simulated", () => {
  const changes = Array.from({ length: 40 }, (_, i) => flush(i + 1, "000", "999", 500));
  changes.push(change("merge", [1, 2], [{ ...shape(90, "000", "999", 750), level: 1 }]));
  const report = simulate({
    strategy: leveled({ targetSize: 16 * 1024 }),
    workload: { kind: "recorded", history: { forgotten: 3, changes } },
    config: { maxMemtableSize: 50_000 },
  });
  assertEquals([report.flushes, report.history.at(-1)!.operations], [40, 40]);
  assertAlmostEquals(report.written.flushes / (40 * 50_000), 1, 0.05);
  const entries = report.levels.levels.slice(1).flat().reduce((sum, one) => sum + one.entries, 0);
  assert(entries > 900 && entries < 2_100, `${entries} entries below level 0, of 1,000 keys`);
  const nothing = simulate({
    strategy: leveled(),
    workload: { kind: "recorded", history: { forgotten: 0, changes: [] } },
  });
  assertEquals([nothing.flushes, nothing.writeAmplification], [0, 0]);
});

Deno.test("a replay tells where a tree did what its strategy does not say, and where it did not do what it says", () => {
  const strategy = leveled({ l0Threshold: 2 });
  const merged = { ...shape(3, "a", "z", 10), level: 1 };
  const by = (reason: string): RecordedChange => ({ ...change("merge", [1, 2], [merged]), reason });
  const two = [flush(1, "a", "m", 10), flush(2, "c", "z", 10)];
  const same = replay(
    { forgotten: 0, changes: [...two, by("level 0 has 2 segments, threshold 2")] },
    strategy,
    OPTIONS,
  );
  assertEquals(same.map(({ isSame, choice }) => [isSame, choice.kind]), [[true, "merge"]]);
  const asked = replay({ forgotten: 0, changes: [...two, by("asked for")] }, strategy, OPTIONS);
  assertEquals(asked.map(({ isSame, choice }) => [isSame, choice.kind]), [[false, "merge"]]);
  const early = replay({ forgotten: 0, changes: [two[0]!, change("drop", [1], [])] }, strategy, OPTIONS);
  assertEquals(early.map(({ isSame, choice }) => [isSame, choice.kind]), [[false, "none"]]);
  const missed = replay({ forgotten: 0, changes: two }, strategy, OPTIONS);
  assertEquals(missed.map(({ isSame, change }) => [isSame, change]), [[false, undefined]]);
  const created = { ...change("created", [], []) };
  assertEquals(replay({ forgotten: 0, changes: [created] }, strategy, OPTIONS), []);
  assertThrows(() => replay({ forgotten: 2, changes: [] }, strategy, OPTIONS), RangeError, "first 2 changes");
  const wrong = [
    ...two,
    flush(4, "c", "d", 1),
    change("merge", [1, 4], [{ ...shape(5, "a", "m", 9), level: 1 }]),
  ];
  assertThrows(
    () => replay({ forgotten: 0, changes: wrong }, strategy, OPTIONS),
    RangeError,
    "between its inputs",
  );
});

function flush(id: number, minKey: string, maxKey: string, entries: number): RecordedChange {
  return change("flush", [], [shape(id, minKey, maxKey, entries)]);
}

function change(cause: string, removed: readonly number[], added: readonly SegmentShape[]): RecordedChange {
  return { cause, removed, added, reason: "", time: 1_000 };
}

function shape(id: number, minKey: string, maxKey: string, entries: number): SegmentShape {
  const [one] = shapes(`L0  #${id} a..z 50000`);
  return { ...one!, minKey: keyToBytes(minKey), maxKey: keyToBytes(maxKey), entries };
}
