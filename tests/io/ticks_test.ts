import { assertEquals } from "@std/assert";
import type { Failure } from "../../core/mod.ts";
import { Ticks } from "../../io/ticks.ts";

/** Ticks with a clock of the test's. */
function ticksAt(start: number): {
  readonly ticks: Ticks;
  readonly told: string[];
  clock: number;
  failure: Failure | undefined;
} {
  const told: string[] = [];
  const test = {
    told,
    clock: start,
    failure: undefined as Failure | undefined,
    ticks: undefined as unknown as Ticks,
  };
  test.ticks = new Ticks({
    failure: () => test.failure,
    tick: (ask, now) => {
      told.push(`${now}${ask ? " ask" : ""}`);
      test.failure = undefined;
    },
  }, () => test.clock);
  return test;
}

function failed(work: Failure["work"], retryAt: number, failedAt = retryAt - 100): Failure {
  return { work, error: new Error("no"), attempts: 1, failedAt, retryAt };
}

Deno.test("the strategy is asked after a minute, and after a clock that jumps", () => {
  const { ticks, told } = ticksAt(1_000);
  ticks.keep(60_999);
  assertEquals(told, []);
  ticks.keep(61_000);
  ticks.keep(61_001);
  assertEquals(told, ["61000 ask"]);
  ticks.keep(5);
  assertEquals(told, ["61000 ask", "5 ask"]);
  ticks.stop();
});

Deno.test("what failed is tried again when its pause is over, but a strategy only when it is asked", () => {
  const test = ticksAt(0);
  test.failure = failed("flush", 100);
  test.ticks.keep(99);
  assertEquals(test.told, []);
  test.ticks.keep(100);
  assertEquals(test.told, ["100"]);
  test.failure = failed("strategy", 200);
  test.ticks.keep(300);
  assertEquals(test.told, ["100"]);
  test.ticks.stop();
});

Deno.test("a pause is over once the clock has gone back behind its beginning, also in an idle process", async () => {
  const test = ticksAt(1_000);
  test.failure = failed("flush", 31_000, 1_000);
  test.ticks.keep(1_000);
  assertEquals(test.told, []);
  test.ticks.keep(999);
  assertEquals(test.told, ["999"]);
  test.failure = failed("flush", 31_000, 1_000);
  test.clock = 500;
  test.ticks.arm();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(test.told, ["999", "500"]);
  test.ticks.stop();
});

Deno.test("in an idle process a timer does it, and keeps nothing alive", async () => {
  const test = ticksAt(0);
  test.ticks.askSoon();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(test.told, ["0 ask"]);
  test.failure = failed("compaction", 5);
  test.ticks.arm();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(test.told, ["0 ask", "0"]);
  test.ticks.stop();
});
