import { assertEquals, assertThrows } from "@std/assert";
import { fifo, Levels, strategyFrom } from "../../compaction/mod.ts";
import type { FifoOptions } from "../../compaction/mod.ts";
import { storedStrategy } from "../../compaction/mod.ts";
import { shapes } from "../support/shapes.ts";

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
    reason: `there are ${3 * KIB} bytes more than the limit`,
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

Deno.test("deeper levels are older, and a busy segment ends what may be dropped", () => {
  const strategy = fifo({ limit: KIB });
  const choice = strategy.choose(
    Levels.from(shapes("L0 #4 a..z 4K\nL1 #3* a..z 4K\nL2 #2 a..k 4K #1 l..z 4K")),
    OPTIONS,
  );
  assertEquals(choice.kind === "drop" && choice.segments, [1, 2]);
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
