/**
 * Whatever fails, and whenever: the caller is told, by the right error and only if something failed; nothing that was
 * committed is lost or comes half; and when the fault is over the tree goes on.
 *
 * A workload is run again and again, each time with another operation failing, once or from then on
 * (`support/fault_run.ts` keeps the accounts). Then some faults by name, as documentation.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BlockCache, IoError, NoSpaceError, PoisonedError, Tree } from "@lsm/tree";
import type { FaultKind, FaultRule, SilentFaultKind, SimulatedOperationKind } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";
import { effort, scaled, SEED, tried } from "../support/effort.ts";
import type { FaultCounts } from "../support/fault_run.ts";
import { noFaultCounts, runWithFault } from "../support/fault_run.ts";
import { PROFILES } from "../support/simulated.ts";
import type { Workload } from "../support/workloads.ts";
import { anyKeepingWorkload, contentsOf, FAULT_ACTS, tinyConfig } from "../support/workloads.ts";

const DURABILITIES = ["buffered", "os", "sync"] as const;

/** What an operation tells of; those that it does not are in `silent_fault_test.ts`. */
type LoudFaultKind = Exclude<FaultKind, SilentFaultKind>;

const ERRORS: readonly LoudFaultKind[] = ["EIO", "ENOSPC", "EMFILE", "EACCES", "short"];

/** In one turn each operation fails under one durability and profile, another one for the next; in nine under each. */
const TURNS = Math.min(9, scaled(1));

for (const error of ERRORS) {
  for (const sticky of [false, true]) {
    const when = sticky ? "from any operation on" : "in any operation";
    Deno.test(`a failure is told, loses nothing and passes: ${error} ${when}`, async () => {
      const counts = noFaultCounts();
      for (let turn = 0; turn < TURNS; turn++) await failEverywhere(error, sticky, turn, counts);
      assert(counts.injected > 10, "next to nothing failed");
      tried(counts.injected, "faults");
      if (error === "short") return assertEquals([counts.thrown, counts.shown], [0, 0]);
      const { thrown, poisoned, unopened, scansThrown, masked, shown } = counts;
      const all = [thrown, poisoned, unopened, scansThrown, masked, shown];
      assert(all.every((count) => count > 0), JSON.stringify(counts));
    });
  }
}

/** Runs the workload again and again, each time with the next operation failing. */
async function failEverywhere(
  error: LoudFaultKind,
  sticky: boolean,
  turn: number,
  counts: FaultCounts,
): Promise<void> {
  let didSomething = true;
  for (let nth = 1; didSomething; nth++) {
    const durability = DURABILITIES[(nth + turn) % 3]!;
    const profile = PROFILES[((nth >> 1) + Math.floor(turn / 3)) % 3]!;
    const workload: Workload = { name: "faults", durability, keyBytes: 2, acts: FAULT_ACTS };
    const storage = new SimulatedStorage({ seed: SEED + nth, profile });
    const bytes = nth % 2 === 0 ? 0 : nth % 50;
    try {
      didSomething = await runWithFault(workload, storage, { nth, error, sticky, bytes }, counts);
    } catch (cause) {
      throw new Error(`${error} at operation ${nth}, ${durability}, ${profile}`, { cause });
    }
  }
}

/** Any operation of most workloads, failing in any way. */
const anyFault: fc.Arbitrary<FaultRule> = fc.record({
  nth: fc.integer({ min: 1, max: 150 }),
  error: fc.constantFrom<LoudFaultKind>("EIO", "ENOSPC", "EMFILE", "EACCES", "short"),
  sticky: fc.boolean(),
  bytes: fc.oneof(fc.constant(0), fc.nat(600)),
});

Deno.test("a failure in the middle of anything is told, loses nothing and passes", async () => {
  const counts = noFaultCounts();
  await fc.assert(
    fc.asyncProperty(
      anyKeepingWorkload,
      anyFault,
      fc.constantFrom(...PROFILES),
      fc.nat(),
      async (workload, rule, profile, seed) => {
        await runWithFault(workload, new SimulatedStorage({ seed, profile }), rule, counts);
      },
    ),
    effort(150),
  );
  assert(counts.injected > 10 && counts.thrown > 0, JSON.stringify(counts));
  tried(counts.injected, "faults");
});

/** Returns a tree with segments, a journal and every block read from the storage. */
async function treeOn(storage: SimulatedStorage): Promise<Tree> {
  const tree = await Tree.open("data", tinyConfig(storage, { blockCache: new BlockCache({ capacity: 0 }) }));
  for (let i = 0; i < 12; i++) tree.insert(`key ${i}`, `${i}`.padEnd(200, "."));
  assert(tree.segmentCount() > 1);
  return tree;
}

Deno.test("when a full disk has space again the tree goes on, and has what it had", async () => {
  for (const bytes of [0, 1, 27, 28, 100, 300, 700]) {
    const storage = new SimulatedStorage();
    const tree = await treeOn(storage);
    storage.fail({ operation: ["append", "create"], error: "ENOSPC", bytes, sticky: true });
    let refused = 0;
    for (let i = 0; i < 6; i++) {
      try {
        tree.insert(`new ${i}`, "v".repeat(150));
      } catch (error) {
        assert(error instanceof NoSpaceError, `${error}`);
        refused += 1;
      }
    }
    assert(refused > 0 && refused < 7);
    assertEquals(tree.len(), 12 + 6 - refused);
    await assertRejects(() => tree.flushMemtable(), NoSpaceError);
    storage.heal();
    tree.insert("after", "1");
    await tree.flushMemtable();
    await tree.compact();
    const contents = contentsOf(tree);
    assertEquals(tree.stats().lastError, undefined);
    const crashed = await Tree.open("data", tinyConfig(storage.crash()));
    assertEquals(contentsOf(crashed), contents);
    await crashed.close();
    await tree.close();
  }
});

Deno.test("after a failed barrier writes are refused and reads go on, until the tree is opened again", async () => {
  const barriers: Record<string, (tree: Tree) => Promise<void>> = {
    flush: (tree) => tree.flush(),
    flushMemtable: (tree) => tree.flushMemtable(),
    compact: (tree) => tree.compact(),
  };
  for (const [name, barrier] of Object.entries(barriers)) {
    const storage = new SimulatedStorage({ profile: "strict" });
    const tree = await treeOn(storage);
    await tree.flush();
    const durable = contentsOf(tree);
    tree.insert("later", "1");
    const contents = contentsOf(tree);
    storage.fail({ operation: "sync", file: name === "flush" ? /^journal/ : /^manifest/ });
    const error: unknown = await barrier(tree).catch((error) => error);
    assert(name === "flush" ? error instanceof IoError : error instanceof PoisonedError, `${name}: ${error}`);
    for (let i = 0; i < 2; i++) {
      assertThrows(() => tree.insert("refused", "1"), PoisonedError, "reopen");
      await assertRejects(() => tree.flush(), PoisonedError);
      assertEquals(contentsOf(tree), contents);
    }
    for (const crashed of storage.crashes(10)) {
      const recovered = await Tree.open("data", tinyConfig(crashed));
      assert([durable, contents].includes(contentsOf(recovered)), "neither with nor without the last write");
      await recovered.close();
    }
    await assertRejects(() => tree.close(), PoisonedError);
    assertEquals([storage.openHandles, storage.heldLocks], [0, 0]);
    const again = await Tree.open("data", tinyConfig(storage));
    assertEquals(contentsOf(again), contents);
    again.insert("accepted", "1");
    await again.close();
  }
});

Deno.test("an error while a tree is recovered is no torn tail: opening fails and changes nothing", async () => {
  const storage = new SimulatedStorage({ profile: "strict" });
  const tree = await treeOn(storage);
  tree.insert("later", "1");
  const crashed = [...storage.crashes(5), storage.kill()];
  await tree.close();
  const reading: readonly SimulatedOperationKind[] = ["open", "list", "openRead", "size", "readAt"];
  let failures = 0;
  for (const image of crashed) {
    const before = image.files();
    let isFaulty = true;
    for (let nth = 1; isFaulty; nth++) {
      const tried = image.kill();
      const fault = tried.fail({ operation: reading, nth });
      const error = await Tree.open("data", tinyConfig(tried)).then(
        (recovered) => recovered.close(),
        (e) => e,
      );
      const after = tried.files();
      isFaulty = fault.count > 0 && error !== undefined; // behind the plan a flush may read, and is tried again
      if (!isFaulty) continue;
      failures += 1;
      assert(error instanceof IoError, `${error}`);
      for (const lock of ["LOCK", "READERS"]) if (!before.has(lock)) after.delete(lock);
      assertEquals(after, before);
      assertEquals([tried.openHandles, tried.heldLocks], [0, 0]);
    }
  }
  assert(failures > 50, `${failures}`);
});

Deno.test("an error while reading is thrown: no key is absent for it, and no scan ends early", async () => {
  const reads: Record<string, (tree: Tree) => unknown> = {
    get: (tree) => tree.get("key 0"),
    "get of a key that is not there": (tree) => tree.get("key 00") ?? "absent",
    containsKey: (tree) => tree.containsKey("key 1"),
    iter: (tree) => tree.iter().toArray().length,
    "iter from the back": (tree) => tree.iter().rev().toArray().length,
    keys: (tree) => tree.prefix("key ").keys().toArray().length,
    "both ends": (tree) => {
      using range = tree.iter();
      let count = 0;
      while (!range.next().done) count += range.nextBack().done ? 1 : 2;
      return count;
    },
    len: (tree) => tree.len(),
    isEmpty: (tree) => tree.isEmpty(),
    firstKeyValue: (tree) => tree.firstKeyValue(),
    lastKeyValue: (tree) => tree.lastKeyValue(),
    snapshot: (tree) => {
      using snapshot = tree.snapshot();
      return snapshot.len();
    },
    removeEntry: (tree) => tree.removeEntry("key 3"),
    popFirst: (tree) => tree.popFirst(),
    popLast: (tree) => tree.popLast(),
    compareAndSwap: (tree) => tree.compareAndSwap("key 2", "none", "other"),
  };
  const storage = new SimulatedStorage();
  const tree = await treeOn(storage);
  const contents = contentsOf(tree);
  await tree.close();
  for (const [name, read] of Object.entries(reads)) {
    let failures = 0;
    for (let isFaulty = true; isFaulty;) {
      const copy = storage.kill();
      const tree = await Tree.open("data", tinyConfig(copy, { blockCache: new BlockCache({ capacity: 0 }) }));
      const fault = copy.fail({ operation: ["openRead", "size", "readAt"], nth: failures + 1 });
      const error = thrownBy(() => read(tree));
      isFaulty = fault.count > 0;
      assertEquals(error instanceof IoError, isFaulty, `${name}, with failure ${failures + 1}: ${error}`);
      if (isFaulty) {
        failures += 1;
        assertEquals(contentsOf(tree), contents, `${name} changed something`);
      }
      await tree.close();
    }
    assert(failures > 2, `${name} reads next to nothing`);
  }
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}
