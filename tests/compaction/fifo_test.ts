import { assertEquals, assertThrows } from "@std/assert";
import { fifo, Levels, strategyFrom } from "../../compaction/mod.ts";
import type { FifoOptions } from "../../compaction/mod.ts";
import { storedStrategy } from "../../compaction/mod.ts";
import { shapes, versionOf } from "../support/shapes.ts";

const OPTIONS = { levelCount: 7, levelRatio: 10, maxMemtableSize: 1024, now: 0 };
const KIB = 1024;

Deno.test("nothing is dropped below the limit", () => {
  const levels = Levels.from(shapes("L0 #3 a..z 4K #2 a..z 4K #1 a..z 4K"));
  assertEquals(fifo({ limit: 12 * KIB }).choose(levels, OPTIONS), { kind: "none" });
});

Deno.test("above the limit the oldest are dropped, as few as will do", () => {
  const levels = Levels.from(shapes("L0 #4 a..z 4K #3 a..z 4K #2 a..z 4K #1 a..z 4K"));
  assertEquals(fifo({ limit: 9 * KIB }).choose(levels, OPTIONS), {
    kind: "drop",
    segments: [1, 2],
    reason: `there are ${7 * KIB} bytes more than the limit of ${9 * KIB}`,
  });
});

Deno.test("segments older than the time to live are dropped, and those alone", () => {
  // Written at second 3, 2 and 1.
  const levels = Levels.from(shapes("L0 #3 a..z 4K #2 a..z 4K #1 a..z 4K"));
  const strategy = fifo({ limit: 1_000 * KIB, ttl: 10 });
  assertEquals(strategy.choose(levels, { ...OPTIONS, now: 11_000 }), { kind: "none" });
  const choice = strategy.choose(levels, { ...OPTIONS, now: 12_500 });
  assertEquals(choice, { kind: "drop", segments: [1, 2], reason: "the oldest are older than 10 seconds" });
});

Deno.test("a clock that jumps back drops nothing", () => {
  const levels = Levels.from(shapes("L0 #3 a..z 4K #2 a..z 4K #1 a..z 4K"));
  assertEquals(fifo({ limit: 1_000 * KIB, ttl: 10 }).choose(levels, { ...OPTIONS, now: -1e12 }), {
    kind: "none",
  });
});

Deno.test("segments written in the future are young, and keep what is newer", () => {
  const [third, second, first] = shapes("L0 #3 a..z 4K #2 a..z 4K #1 a..z 4K");
  const levels = Levels.from([third!, { ...second!, writtenAt: 1e12 }, first!]);
  const choice = fifo({ limit: 1_000 * KIB, ttl: 10 }).choose(levels, { ...OPTIONS, now: 1e9 });
  assertEquals(choice.kind === "drop" && choice.segments, [1]);
});

Deno.test("deeper levels are older, and a busy segment ends what may be dropped", () => {
  const strategy = fifo({ limit: KIB });
  const choice = strategy.choose(
    Levels.from(shapes("L0 #4 a..z 4K\nL1 #3* a..z 4K\nL2 #2 a..k 4K #1 l..z 4K")),
    OPTIONS,
  );
  assertEquals(choice.kind === "drop" && choice.segments, [1, 2]);
});

Deno.test("of a run, which shares no key, those that were written first go first", () => {
  const levels = Levels.from(shapes("L1 #9 a..z 4K\nL2 #3 a..c 4K #1 d..f 4K #4 g..k 4K #2 l..z 4K"));
  const choice = fifo({ limit: 12 * KIB }).choose(levels, OPTIONS);
  assertEquals(choice.kind === "drop" && choice.segments, [1, 2]);
});

Deno.test("in level 0 the order of flushes counts, whatever their keys", () => {
  // Each flush has smaller keys than the one before: as if they were one run, sorted by key.
  const version = versionOf("L0 #3 a..c 4K\nL0 #2 d..f 4K\nL0 #1 g..k 4K");
  const levels = Levels.of(version, new Set(), 7);
  const choice = fifo({ limit: 8 * KIB }).choose(levels, OPTIONS);
  assertEquals(choice.kind === "drop" && choice.segments, [1]);
});

Deno.test("the limit holds for segments of terabytes", () => {
  const levels = Levels.from(shapes("L0 #4 a..z 4096G #3 a..z 4096G #2 a..z 4096G #1 a..z 4096G"));
  const tebibyte = 2 ** 40;
  const choice = fifo({ limit: 8 * tebibyte + 1 }).choose(levels, OPTIONS);
  assertEquals(choice, {
    kind: "drop",
    segments: [1, 2],
    reason: `there are ${8 * tebibyte - 1} bytes more than the limit of ${8 * tebibyte + 1}`,
  });
  assertEquals(fifo({ limit: 16 * tebibyte }).choose(levels, OPTIONS), { kind: "none" });
});

Deno.test("any number of runs in level 0 is normal, and nothing is owed", () => {
  const strategy = fifo({ limit: KIB });
  const levels = Levels.from(shapes("L0 #2 a..z 4K #1 a..z 4K"));
  assertEquals([strategy.level0Threshold, strategy.debt!(levels, OPTIONS)], [Infinity, 0]);
});

Deno.test("a limit and a time to live that make no sense are refused", () => {
  assertThrows(() => fifo(undefined as unknown as FifoOptions), TypeError, "limit");
  assertThrows(() => fifo({ limit: 0 }), RangeError, "limit");
  assertThrows(() => fifo({ limit: 1, ttl: 0 }), RangeError, "ttl");
  assertThrows(() => fifo({ limit: 1, ttl: NaN }), TypeError, "ttl");
});

Deno.test("fifo is stored with its options and made again from them", () => {
  for (const options of [{ limit: 1000 }, { limit: 1000, ttl: 60 }]) {
    const again = strategyFrom(storedStrategy(fifo(options)))!;
    assertEquals(storedStrategy(again), storedStrategy(fifo(options)));
  }
});
