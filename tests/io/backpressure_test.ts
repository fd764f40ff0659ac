import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import type { Pressure } from "../../core/mod.ts";
import { Backpressure } from "../../io/backpressure.ts";
import { SimulatedStorage } from "../../io/simulated_storage.ts";
import { Tree } from "../../mod.ts";

const GO: Pressure = { level: "go", ratio: 0, reason: "" };
const STOP: Pressure = { level: "stop", ratio: 1, reason: "full" };

function slow(ratio: number): Pressure {
  return { level: "slow", ratio, reason: "nearly full" };
}

/** A host whose pressure is what a test says, and that is relieved after so many looks. */
function hostOf(
  pressure: Pressure,
  relievedAfter = Infinity,
): ConstructorParameters<typeof Backpressure>[0] & {
  pressed: Pressure;
  retries: number;
} {
  let looks = 0;
  return {
    pressed: pressure,
    retries: 0,
    pressure(): Pressure {
      return this.pressed;
    },
    retry(): void {
      this.retries += 1;
    },
    workOn(): boolean {
      looks += 1;
      if (looks >= relievedAfter) this.pressed = GO;
      return relievedAfter !== Infinity;
    },
    stuck: () => new Error("stuck"),
  };
}

/** How many ms writes of 100 bytes take under a pressure. */
function timeOf(pressure: Pressure, writes: number): number {
  const backpressure = new Backpressure(hostOf(pressure));
  const begun = performance.now();
  for (let i = 0; i < writes; i++) backpressure.pass(100);
  return performance.now() - begun;
}

Deno.test("without pressure nobody waits", () => {
  const backpressure = new Backpressure(hostOf(GO));
  backpressure.pass(1e9);
  assertEquals(backpressure.stalls, { stops: 0, stoppedMs: 0, slowdowns: 0, slowedMs: 0 });
});

Deno.test("a slowed writer takes longer the nearer the limit is", () => {
  const [easy, hard] = [timeOf(slow(0.05), 2_000), timeOf(slow(1), 2_000)];
  assertLess(easy, 50);
  // 200,000 bytes at 2 MiB a second.
  assertGreater(hard, 70);
  assertLess(easy * 3, hard);
});

Deno.test("a hundred small writes a moment before the limit take no longer than ten milliseconds or so", () => {
  const backpressure = new Backpressure(hostOf(slow(1)));
  const times = Array.from({ length: 20 }, () => {
    const begun = performance.now();
    for (let i = 0; i < 100; i++) backpressure.pass(100);
    return performance.now() - begun;
  });
  const median = times.sort((a, b) => a - b)[10]!;
  assert(median > 2 && median < 12, `${median} ms`);
  const { slowdowns, slowedMs, stops } = backpressure.stalls;
  assert(slowdowns > 0 && slowedMs > 50 && stops === 0);
});

Deno.test("a slowed writer of a large batch is not held for seconds", () => {
  const backpressure = new Backpressure(hostOf(slow(1)));
  const begun = performance.now();
  backpressure.pass(1e9);
  assertLess(performance.now() - begun, 100);
});

Deno.test("a stopped writer works on until there is room, and what failed is tried again first", () => {
  const host = hostOf(STOP, 3);
  const backpressure = new Backpressure(host);
  backpressure.pass(100);
  assertEquals([host.retries, backpressure.stalls.stops], [1, 1]);
});

Deno.test("a stopped writer with nothing to wait for is told why", () => {
  const backpressure = new Backpressure(hostOf(STOP));
  assertThrows(() => backpressure.pass(100), Error, "stuck");
  assertEquals(backpressure.stalls.stops, 1);
});

Deno.test("a writer that is stopped by work that fails gets its error before anything is appended", async () => {
  const storage = new SimulatedStorage({ seed: 1, profile: "prefix" });
  const tree = await Tree.open("data", { storage, maxMemtableSize: 1024, fsyncInterval: null });
  storage.fail({ operation: "create", file: /^segment/, error: "EIO", sticky: true });
  let written = 0;
  const error = assertThrows(() => {
    for (; written < 1_000; written++) tree.insert(`${written}`, "x".repeat(100));
  });
  assert(String(error).includes("segment"), String(error));
  const { pressure, stalls, lastError } = tree.stats();
  assertEquals([pressure.level, pressure.reason], ["stop", "4 sealed memtables wait to be flushed, limit 4"]);
  assert(stalls.stops > 0 && lastError !== undefined);
  assertEquals(tree.len(), written);
  await tree.ready(); // the write would not wait, it would throw
  storage.heal();
  tree.insert("more", "");
  assertEquals([tree.stats().pressure, tree.len()], [{ level: "go", ratio: 0, reason: "" }, written + 1]);
  await tree.close();
});
