/**
 * Calls that wait, in any order with writes that do not: what each promise promises holds at the moment it resolves.
 *
 * Awaited syncs go through a gate, so that a test decides when one begins to count and when it is over. A crash at the moment
 * that `flush()` resolves must leave everything written before its call.
 *
 * - *By hand*: one barrier for flushes that come together; a flush never rides on a barrier that began before its last
 *   record; close waits for the barrier under way.
 * - *By a scheduler*: several clients write, flush, flush memtables, compact, read and close; all orders of their turns and of the
 *   ends of syncs are tried.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Config } from "../../mod.ts";
import { ClosedError, IoError, leveled, MemoryStorage, PoisonedError, Tree } from "../../mod.ts";
import { SimulatedStorage } from "../../io/simulated_storage.ts";
import { effort } from "../support/effort.ts";
import { WrappedStorage } from "../support/wrapped_storage.ts";

const TINY: Config = {
  maxMemtableSize: 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 1024 }),
  fsyncInterval: null,
};

/** A storage whose awaited syncs wait until they are let through, one by one. */
function gatedStorage(): { storage: WrappedStorage; disk: SimulatedStorage; gates: (() => void)[] } {
  const gates: (() => void)[] = [];
  const disk = new SimulatedStorage({ seed: 1 });
  const storage = new WrappedStorage(disk, async (sync) => {
    const done = sync();
    done.catch(() => {}); // It is waited for behind the gate.
    await new Promise<void>((resolve) => gates.push(resolve));
    await done;
  });
  return { storage, disk, gates };
}

/** Lets all that can go on without a gate go on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Says whether a promise has resolved. */
function watched(promise: Promise<void>): { done: boolean } {
  const state = { done: false };
  promise.then(() => state.done = true, () => {});
  return state;
}

async function openGated(config: Config = {}) {
  const { storage, disk, gates } = gatedStorage();
  const tree = await Tree.open("tree", { fsyncInterval: null, ...config, storage });
  return { tree, storage, disk, gates };
}

Deno.test("flushes that come together share one barrier, and one with nothing to do needs none", async () => {
  const { tree, gates } = await openGated();
  tree.insert("a", "1");
  const flushes = Array.from({ length: 10 }, () => tree.flush());
  await settle();
  assertEquals(gates.length, 1);
  gates[0]!();
  await Promise.all(flushes);
  await tree.flush();
  assertEquals(gates.length, 1);
  await tree.close();
});

Deno.test("a flush waits for a barrier that began after its last record", async () => {
  for (const durability of ["buffered", "os"] as const) {
    const { tree, disk, gates } = await openGated({ durability });
    tree.insert("a", "1");
    const first = tree.flush();
    const firstState = watched(first);
    await settle();
    tree.insert("b", "2");
    const late = [tree.flush(), tree.flush()];
    const lateState = watched(late[0]!);
    await settle();
    assertEquals([gates.length, firstState.done, lateState.done], [1, false, false]);

    gates[0]!();
    await first;
    await settle();
    assertEquals([gates.length, lateState.done], [2, false], "the second barrier has begun and is not over");

    gates[1]!();
    await Promise.all(late);
    for (const crashed of disk.crashes(20)) {
      await using again = await Tree.open("tree", { storage: crashed });
      assertEquals(again.len(), 2);
    }
    assertEquals(gates.length, 2);
    await tree.close();
  }
});

Deno.test("a barrier that was begun covers what is written before its turn comes, and no more is needed", async () => {
  const { tree, gates } = await openGated();
  tree.insert("a", "1");
  const first = tree.flush();
  tree.insert("b", "2");
  const second = tree.flush();
  await settle();
  gates[0]!();
  await Promise.all([first, second]);
  assertEquals(gates.length, 1);
  await tree.close();
});

Deno.test("close waits for the barrier under way, and both resolve", async () => {
  const { tree, storage, gates } = await openGated();
  tree.insert("a", "1");
  const flushed = tree.flush();
  await settle();
  tree.insert("b", "2");
  const late = tree.flush();
  const closed = tree.close();
  const state = watched(closed);
  assertThrows(() => tree.insert("c", "3"), ClosedError);
  await assertRejects(() => tree.flushMemtable(), ClosedError);
  await assertRejects(() => tree.compact(), ClosedError);
  await settle();
  assertEquals(state.done, false);
  await assertRejects(() => Tree.open("tree", { storage }), Error, "LOCK");
  gates[0]!();
  for (let i = 1; !state.done; i++) {
    await settle();
    gates[i]?.();
  }
  await Promise.all([flushed, late, closed, tree.close()]);
  await using again = await Tree.open("tree", { storage });
  assertEquals([again.len(), again.recovery.cleanClose], [2, true]);
});

Deno.test("a memtable may be flushed and its journal removed while a barrier is on it", async () => {
  const { tree, disk, gates } = await openGated();
  tree.insert("a", "1");
  const flushed = tree.flush();
  await settle();
  await tree.flushMemtable();
  assertEquals(disk.list().filter(({ name }) => name.startsWith("journal-")), []);
  tree.insert("b", "2");
  gates[0]!();
  await flushed;
  const again = tree.flush();
  await settle();
  gates[1]!();
  await again;
  assertEquals(gates.length, 2);
  await tree.close();
  assertEquals(disk.openHandles, 0);
});

Deno.test("a barrier that fails rejects every flush that waits for it, and poisons the tree", async () => {
  const { tree, storage, disk, gates } = await openGated();
  tree.insert("a", "1");
  await tree.flushMemtable();
  tree.insert("b", "2");
  disk.fail({ operation: "sync", file: /^journal-/ });
  const flushes = [tree.flush(), tree.flush()];
  const settled = Promise.allSettled(flushes);
  await settle();
  gates.at(-1)!();
  for (const outcome of await settled) {
    assert(
      outcome.status === "rejected" &&
        (outcome.reason instanceof IoError || outcome.reason instanceof PoisonedError),
    );
  }
  assertEquals(tree.len(), 2);
  assertThrows(() => tree.insert("c", "3"), PoisonedError);
  await assertRejects(() => tree.flush(), PoisonedError);
  await assertRejects(() => tree.flushMemtable(), PoisonedError);
  await assertRejects(() => tree.close(), PoisonedError);
  await using again = await Tree.open("tree", { storage });
  assert(again.containsKey("a") && !again.containsKey("c"));
});

/** What a client does in one turn. */
type Turn = "write" | "remove" | "flush" | "flushMemtable" | "compact" | "read" | "snapshot" | "close";

const turn: fc.Arbitrary<Turn> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("write" as const, "write" as const, "remove" as const) },
  { weight: 6, arbitrary: fc.constant("flush" as const) },
  {
    weight: 6,
    arbitrary: fc.constantFrom<Turn>("flushMemtable", "compact", "read", "snapshot"),
  },
  { weight: 1, arbitrary: fc.constant("close" as const) },
);

/** What a tree holds, and the number of the write that made it so. */
type Contents = ReadonlyMap<string, string>;

function contentsOf(tree: Pick<Tree, "iter">): Contents {
  const text = new TextDecoder();
  return new Map(tree.iter().map(([key, value]) => [text.decode(key), text.decode(value)]));
}

Deno.test("whatever comes between, a flush that resolved survives a crash, and reads see every write before them", async () => {
  const seen = { flushes: 0, lateFlushes: 0, closedFlushes: 0, crashes: 0, merges: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.array(turn, { maxLength: 20, size: "max" }), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.constantFrom("buffered" as const, "os" as const),
      async (scheduler, clients, syncsAtStart, durability) => {
        const disk = new SimulatedStorage({ seed: clients.flat().length });
        let closedDown = false;
        const storage = new WrappedStorage(disk, async (sync, name) => {
          const early = syncsAtStart ? sync() : undefined;
          early?.catch(() => {});
          await scheduler.schedule(Promise.resolve(), `sync ${name}`);
          await (early ?? sync());
        });
        const tree = await Tree.open("tree", { ...TINY, durability, storage });
        const history: Contents[] = [new Map()];
        const waiting: Promise<void>[] = [];
        const failures: unknown[] = [];
        const wait = (promise: Promise<void>): void => {
          promise.catch(() => {}); // It is waited for at the end.
          waiting.push(promise);
        };
        let closed: Promise<void> | undefined;

        const write = (change: (contents: Map<string, string>) => void, act: () => void): void => {
          if (closed !== undefined) return void assertThrows(act, ClosedError);
          act();
          const contents = new Map(history.at(-1));
          change(contents);
          history.push(contents);
        };
        const flush = async (): Promise<void> => {
          const least = history.length - 1;
          const before = closed;
          try {
            await tree.flush();
          } catch (error) {
            assert(before !== undefined && error instanceof ClosedError, `flush: ${error}`);
            seen.closedFlushes += 1;
            return;
          }
          seen.flushes += 1;
          if (history.length - 1 > least) seen.lateFlushes += 1;
          for (const crashed of disk.crashes(3)) {
            seen.crashes += 1;
            await using again = await Tree.open("tree", { ...TINY, storage: crashed });
            const { written } = again.stats().batches;
            assert(written >= least, `${written} of ${least} writes survived`);
            assertEquals(contentsOf(again), history[written]);
          }
        };
        const upkeep = async (kind: "flushMemtable" | "compact"): Promise<void> => {
          const before = closed;
          try {
            await tree[kind]();
          } catch (error) {
            assert(before !== undefined && error instanceof ClosedError, `${kind}: ${error}`);
          }
        };
        const perform = (kind: Turn, i: number): void => {
          const key = `key ${i % 7}`;
          const value = `${history.length} ${"-".repeat(i % 3 === 0 ? 400 : 40)}`;
          if (kind === "write") write((map) => map.set(key, value), () => tree.insert(key, value));
          else if (kind === "remove") write((map) => map.delete(key), () => tree.remove(key));
          else if (kind === "flush") wait(flush());
          else if (kind === "flushMemtable" || kind === "compact") wait(upkeep(kind));
          else if (kind === "close") {
            seen.merges += closed === undefined ? tree.stats().merges : 0;
            closed ??= tree.close().then(() => void (closedDown = true));
            wait(tree.close());
          } else if (closedDown) assertThrows(() => tree.snapshot(), ClosedError);
          else if (kind === "read") assertEquals(contentsOf(tree), history.at(-1));
          else {
            const snapshot = tree.snapshot();
            const expected = history.at(-1);
            wait(
              scheduler.schedule(Promise.resolve(), "read the snapshot").then(() => {
                if (closedDown) return void assertThrows(() => snapshot.len(), ClosedError);
                assertEquals(contentsOf(snapshot), expected);
                snapshot.close();
              }),
            );
          }
        };
        const turns = clients.map((client, c) =>
          scheduler.scheduleSequence(client.map((kind, i) => ({
            label: `client ${c}: ${kind}`,
            builder: () => {
              try {
                perform(kind, i + c);
              } catch (error) {
                failures.push(error);
              }
              return Promise.resolve();
            },
          }))).task
        );
        await scheduler.waitFor(Promise.all(turns));
        for (const error of failures) throw error;
        await scheduler.waitFor(settledAll(waiting));
        await scheduler.waitFor(tree.close());
        assertEquals([disk.openHandles, disk.heldLocks], [0, 0]);
        await using again = await Tree.open("tree", { ...TINY, storage: disk });
        assertEquals(contentsOf(again), history.at(-1));
        assertEquals(again.recovery.cleanClose, true);
      },
    ),
    effort(150),
  );
  for (const [what, count] of Object.entries(seen)) assert(count > 0, `no ${what}`);
});

/** Waits for promises that may be added to while it waits. */
async function settledAll(promises: readonly Promise<void>[]): Promise<void> {
  for (const promise of promises) await promise;
}

Deno.test("trees that share a storage one after the other never meet", async () => {
  const storage = new MemoryStorage();
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    for (;;) {
      try {
        await using tree = await Tree.open("tree", { ...TINY, storage });
        tree.updateFetch(
          "count",
          (old) => String(Number(old === undefined ? 0 : new TextDecoder().decode(old)) + 1),
        );
        return;
      } catch (error) {
        assertEquals((error as { code?: string }).code, "LOCKED", `opening ${i}`);
        await settle();
      }
    }
  }));
  await using tree = await Tree.open("tree", { storage });
  assertEquals(new TextDecoder().decode(tree.get("count")), "20");
});
