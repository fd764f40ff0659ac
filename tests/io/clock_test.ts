/**
 * Time and chance of a tree: they come from its storage, and no clock, however it jumps, breaks anything.
 *
 * What goes by the clock: the times in the history and in segments, when a strategy is asked again, when the journal is synced in
 * the background, when failed work is tried again.
 */

import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Storage } from "@lsm/tree";
import { fifo, MemoryStorage, NoSpaceError, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { clockOf, randomWords } from "../../io/clock.ts";
import { effort } from "../support/effort.ts";
import { anyKeepingWorkload, contentsOf, openFor, record, tinyConfig } from "../support/workloads.ts";
import { numbered } from "../support/trees.ts";

const YEAR_MS = 365 * 86_400_000;
const START = Date.UTC(2020, 0, 1);

function salts(storage: Storage): string {
  return randomWords(storage, 2).join(" ");
}

Deno.test("a storage without a clock and chance of its own has the system's", () => {
  const storage = new MemoryStorage();
  const before = Date.now();
  const time = clockOf(storage)();
  assert(time >= before && time <= Date.now());
  assertNotEquals(salts(storage), salts(storage));
});

Deno.test("whatever a storage's clock says, a time is a whole number from 0 on", () => {
  const storage: Storage = new MemoryStorage();
  const said = [5.9, -3, NaN, Infinity, -Infinity, 0];
  const clock = clockOf(Object.assign(storage, { now: () => said.shift()! }));
  assertEquals([clock(), clock(), clock(), clock(), clock(), clock()], [
    5,
    0,
    0,
    Number.MAX_SAFE_INTEGER,
    0,
    0,
  ]);
});

Deno.test("a simulated clock stands still until it is moved, and not behind 1970", () => {
  const storage = new SimulatedStorage();
  assertEquals([storage.now(), storage.now()], [START, START]);
  storage.advance(5);
  storage.advance(-7);
  assertEquals(storage.now(), START - 2);
  for (const by of [0.5, NaN, -START, Infinity]) assertThrows(() => storage.advance(by), RangeError);
  assertEquals(storage.now(), START - 2);
});

Deno.test("a simulated clock that jumps does so by its seed, forth and back", () => {
  const times = (seed: number): number[] => {
    const storage = new SimulatedStorage({ seed, clock: "jumps" });
    return Array.from({ length: 200 }, () => storage.now());
  };
  assertEquals(times(1), times(1));
  assertNotEquals(times(1), times(2));
  const steps = times(1).map((time, i, all) => time - (all[i - 1] ?? START));
  assert(steps.some((step) => step >= YEAR_MS) && steps.some((step) => step <= -YEAR_MS), "no year");
  assert(steps.filter((step) => step === 0).length > 100, "it seldom rests");
});

Deno.test("a crash and a kill take the time along, and get random bits of their own", () => {
  for (const clock of ["still", "jumps"] as const) {
    const storage = new SimulatedStorage({ seed: 3, clock });
    storage.open({ create: true, readOnly: false });
    storage.advance(YEAR_MS);
    const lives = [storage, storage.crash(), storage.crash(3), storage.kill(), ...storage.crashes(1)];
    const second = lives[2]!.crash(3);
    const seen = [...lives, second].map(salts);
    assertEquals(new Set(seen).size, seen.length, "the same bits twice");
    assertEquals(salts(storage.crash(3)), seen[2], "one seed, one outcome");
    if (clock === "still") {
      assertEquals([...lives, second].map((one) => one.now() - START - YEAR_MS), [0, 0, 0, 0, 0, 0]);
    } else {for (const one of lives) {
        assert(Array.from({ length: 50 }, () => one.now()).some((time) => time !== one.now()));
      }}
  }
});

Deno.test("the times of the history are the storage's, also if they go back, and survive", async () => {
  const storage = new SimulatedStorage();
  let tree = await Tree.open("data", tinyConfig(storage));
  storage.advance(-YEAR_MS);
  tree.insert("a", "1");
  await tree.flushMemtable();
  storage.advance(2 * YEAR_MS);
  tree.insert("a", "2");
  await tree.flushMemtable();
  const times = (): number[] => tree.history().changes.map(({ time }) => time - START);
  assertEquals(new Set(times()), new Set([0, -YEAR_MS, YEAR_MS]));
  const before = times();
  await tree.close();
  tree = await Tree.open("data", tinyConfig(storage));
  assertEquals(times().slice(0, before.length), before);
  await tree.close();
});

Deno.test("segments grow old by the storage's clock: fifo drops them when it goes on and none when it goes back", async () => {
  const storage = new SimulatedStorage();
  await using tree = await Tree.open(
    "data",
    tinyConfig(storage, { compactionStrategy: fifo({ limit: 1_000_000, ttl: 3600 }) }),
  );
  for (const key of numbered(20)) tree.insert(key, "v".repeat(200));
  await tree.flushMemtable();
  const segments = tree.segmentCount();
  assert(segments > 1);
  const seen: [number, number][] = [];
  for (const by of [-YEAR_MS, -60_000, YEAR_MS, 3_000_000, 599_000, 2000]) {
    storage.advance(by);
    tree.insert("b", "1");
    await tree.flush();
    seen.push([storage.now() - START, tree.segmentCount()]);
  }
  assertEquals(seen.map(([, count]) => count === segments), [true, true, true, true, true, true]);
  storage.advance(62_000);
  tree.insert("b", "2");
  assertEquals([tree.segmentCount(), tree.len()], [0, 1]);
});

Deno.test("the journal is synced when the interval has passed on the storage's clock, whichever way it went", async () => {
  const storage = new SimulatedStorage();
  await using tree = await Tree.open("data", { storage, fsyncInterval: 500 });
  const durable = async (key: string): Promise<number> => {
    tree.insert(key, "1");
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
    return tree.stats().batches.durable;
  };
  assertEquals(await durable("a"), 0);
  storage.advance(499);
  assertEquals(await durable("b"), 0);
  storage.advance(1);
  assertEquals(await durable("c"), 3);
  assertEquals(await durable("d"), 3);
  storage.advance(-YEAR_MS);
  assertEquals(await durable("e"), 5);
  storage.advance(10 * YEAR_MS);
  assertEquals(await durable("f"), 6);
});

Deno.test("what failed is tried again when its pause has passed on the storage's clock", async () => {
  const storage = new SimulatedStorage();
  await using tree = await Tree.open("data", tinyConfig(storage));
  const fault = storage.fail({ operation: "create", file: /^segment/, error: "ENOSPC", sticky: true });
  for (const key of numbered(8)) tree.insert(key, "v".repeat(200));
  assertEquals(fault.count, 1, "time stands still");
  storage.advance(99);
  tree.insert("a", "1");
  assertEquals(fault.count, 1);
  storage.advance(1);
  tree.insert("a", "2");
  assertEquals(fault.count, 2);
  await assertRejects(() => tree.flushMemtable(), NoSpaceError);
  fault.heal();
  storage.advance(YEAR_MS);
  tree.insert("a", "3");
  assertEquals([tree.stats().lastError, tree.stats().memtables.sealed], [undefined, 0]);
});

Deno.test("a tree on a clock that jumps loses no write, hangs nowhere and recovers from any crash", async () => {
  let jumps = 0;
  await fc.assert(
    fc.asyncProperty(anyKeepingWorkload, fc.integer(), async (workload, seed) => {
      const storage = new SimulatedStorage({ seed, profile: "strict", clock: "jumps" });
      const { contents, stops } = await record(workload, storage);
      if (storage.now() !== START) jumps += 1;
      for (const { storage: stopped, durable } of stops.filter((_, i) => i % 9 === 0)) {
        const crashed = stopped.crash();
        const tree = await openFor(workload, crashed);
        assert(contents.indexOf(contentsOf(tree), durable) >= 0, "nothing that the tree ever held");
        tree.insert("after", "1");
        await tree.flushMemtable();
        await tree.close();
      }
    }),
    effort(25),
  );
  assert(jumps > 10, `${jumps}`);
});

Deno.test("barriers in the background go on while the clock jumps", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const storage = new SimulatedStorage({ seed, clock: "jumps" });
    const tree = await Tree.open("data", tinyConfig(storage, { fsyncInterval: 1000 }));
    for (const key of numbered(100)) {
      tree.insert(key, "v".repeat(100));
      await Promise.resolve();
    }
    const { durable } = tree.stats().batches;
    assert(durable > 50, `${durable}`);
    for (const crashed of storage.crashes(3)) {
      await using recovered = await Tree.open("data", tinyConfig(crashed));
      assert(recovered.len() >= durable);
    }
    assertEquals([tree.len(), tree.stats().lastError], [100, undefined]);
    await tree.close();
  }
});
