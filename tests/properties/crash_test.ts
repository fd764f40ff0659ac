/**
 * After a crash at any moment a tree is what it was after some number of commits: none half, none missing in between, and at
 * least all that were durable.
 *
 * Each workload runs once on a simulated storage. Before every operation that changes the storage, and at the end, it is stopped:
 * the process dies, or the power is cut, which leaves one of many images (`io/simulated_crash.ts`). From each of them the tree
 * has to come back (`support/crash_check.ts`), now and then through further crashes during its recovery.
 *
 * The constants are for a minute on a small machine; larger ones look longer and at more.
 *
 * @module
 */

import { assert } from "@std/assert";
import fc from "fast-check";

import { SimulatedStorage } from "@lsm/tree/testing";
import { SeededRandom } from "../../io/simulated_choices.ts";
import type { CrashCounts, Effort } from "../support/crash_check.ts";
import { checkRecovery, noCounts } from "../support/crash_check.ts";
import { effort } from "../support/effort.ts";
import type { Act, Recording, Workload } from "../support/workloads.ts";
import { anyWorkload, record } from "../support/workloads.ts";

const PROFILES = ["prefix", "strict", "garbage"] as const;

/** How many outcomes of a power cut are tried at each stop. */
const OUTCOMES = 3;
/** More outcomes than any crash of the smallest workload has. */
const ALL_OUTCOMES = 2000;
/** Recoveries are crashed at all of their operations, twice over, after every so many-th stop of one workload. */
const RECOVERED_STRIDE = 90;
/** Images with long keys take as long as fifty others, so they are crashed at a share of their stops. */
const LONG_KEYS_STOP_SHARE = 12;
/** How many generated workloads are run with each profile, and at which share of their stops they are crashed. */
const GENERATED = 8;
const GENERATED_STOP_SHARE = 4;
/** Of so many recoveries one is crashed itself, and of so many of those one a second time. */
const NESTED_SHARE = 24;
const TWICE_NESTED_SHARE = 3;

const EFFORTS: readonly Effort[] = [
  { depth: 0, stops: 0, outcomes: 0 },
  { depth: 1, stops: 3, outcomes: 2 },
  { depth: 2, stops: 2, outcomes: 1 },
];

/**
 * A recovery after a kill is always crashed: it reads what the process before it did not sync, and must not go by it before it
 * has done so itself.
 */
const KILL_EFFORT: Effort = { depth: 1, stops: 2, outcomes: 1 };

function inserts(keys: readonly number[], bytes: number): Act[] {
  return keys.map((key) => ({ act: "insert", key, bytes }));
}

const JAM: Act = { act: "jam" };
const FLUSH: Act = { act: "flush" };
const BEGIN_FLUSH: Act = { act: "beginFlush" };
const YIELD: Act = { act: "yield" };
const FLUSH_MEMTABLE: Act = { act: "flushMemtable" };
const COMPACT: Act = { act: "compact" };
const CLEAR: Act = { act: "clear" };
const POP: Act = { act: "popFirst" };
const BATCH: Act = { act: "batch", inserts: [1, 2, 5], removes: [3] };

function reopen(memtableBytes = 1024): Act {
  return { act: "reopen", memtableBytes };
}

const WORKLOADS: readonly Workload[] = [
  {
    name: "a few writes and flushes of the journal",
    durability: "os",
    keyBytes: 2,
    acts: [
      ...inserts([1, 2, 3], 20),
      FLUSH,
      BATCH,
      { act: "remove", key: 2 },
      BEGIN_FLUSH,
      ...inserts([4], 30),
      YIELD,
      YIELD,
      ...inserts([1, 5], 600),
      YIELD,
      ...inserts([6], 20),
    ],
  },
  {
    name: "memtables that are flushed and merged",
    durability: "os",
    keyBytes: 2,
    acts: [
      ...inserts([1, 2, 3, 4, 1], 330),
      BEGIN_FLUSH,
      BATCH,
      ...inserts([5, 2, 1, 4, 2, 2, 3], 400),
      { act: "remove", key: 4 },
      FLUSH,
      ...inserts([7, 7, 1, 5], 300),
    ],
  },
  {
    name: "journals that wait for one another",
    durability: "os",
    keyBytes: 2,
    acts: [
      ...inserts([9], 10),
      FLUSH,
      JAM,
      ...inserts([1, 2, 3, 4, 5, 6], 520),
      BEGIN_FLUSH,
      ...inserts([7, 1], 10),
      FLUSH,
      JAM,
      ...inserts([1, 2, 3, 4], 530),
      BATCH,
    ],
  },
  {
    name: "segments that are moved",
    durability: "os",
    keyBytes: 2,
    acts: [...inserts([10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61], 520), BATCH],
  },
  {
    name: "clears and pops, buffered",
    durability: "buffered",
    keyBytes: 2,
    acts: [
      ...inserts([1, 2, 3, 4], 300),
      POP,
      BATCH,
      CLEAR,
      ...inserts([4, 2], 40),
      FLUSH,
      CLEAR,
      POP,
      ...inserts([1, 2, 3], 400),
      POP,
      FLUSH_MEMTABLE,
      CLEAR,
      ...inserts([9], 10),
      COMPACT,
    ],
  },
  {
    name: "writes that are synced one by one",
    durability: "sync",
    keyBytes: 2,
    acts: [
      ...inserts([1, 2, 3, 1], 350),
      BATCH,
      POP,
      ...inserts([5, 1], 600),
      reopen(),
      ...inserts([2], 10),
      CLEAR,
    ],
  },
  {
    name: "closes and other limits",
    durability: "os",
    keyBytes: 2,
    acts: [
      reopen(),
      ...inserts([1, 2], 300),
      reopen(8192),
      ...inserts([3, 4, 5, 6, 7, 1], 380),
      reopen(1024),
      BATCH,
      FLUSH_MEMTABLE,
      reopen(2500),
      reopen(1024),
      ...inserts([2], 5),
    ],
  },
  {
    name: "compactions until nothing is left",
    durability: "os",
    keyBytes: 2,
    acts: [
      ...inserts([1, 2, 3, 4], 400),
      COMPACT,
      ...inserts([2, 3], 600),
      { act: "remove", key: 1 },
      COMPACT,
      reopen(),
      COMPACT,
      CLEAR,
      COMPACT,
      reopen(),
      ...inserts([1], 5),
    ],
  },
  {
    name: "keys so long that the manifest grows",
    durability: "os",
    keyBytes: 7_000,
    acts: [1, 2, 3, 4, 5, 6].flatMap((key) => [...inserts([key], 10), FLUSH_MEMTABLE]),
  },
];

/** Crashes a recording everywhere, or at a share of its stops. */
async function crashEverywhere(
  recording: Recording,
  random: SeededRandom,
  counts: CrashCounts,
  stopShare = 1,
): Promise<void> {
  const effort = (): Effort => {
    if (random.below(NESTED_SHARE) > 0) return EFFORTS[0]!;
    return EFFORTS[random.below(TWICE_NESTED_SHARE) > 0 ? 1 : 2]!;
  };
  const seen = new Set<string>();
  for (const [i, { storage, before, durable, returned, begun }] of recording.stops.entries()) {
    if (stopShare > 1 && random.below(stopShare) > 0) continue;
    try {
      for (const crashed of storage.crashes(OUTCOMES)) {
        const image = imageOf(crashed, durable);
        if (seen.has(image)) continue;
        seen.add(image);
        const survivors = { least: durable, leastAfterCut: durable, most: begun };
        await checkRecovery(recording, crashed, survivors, effort(), random, counts);
      }
      const least = recording.workload.durability === "buffered" ? durable : returned;
      const survivors = { least, leastAfterCut: durable, most: begun };
      await checkRecovery(recording, storage.kill(), survivors, KILL_EFFORT, random, counts);
    } catch (error) {
      const where = before === undefined ? "the end" : `${before.kind} ${before.file}`;
      throw new Error(`after a crash at stop ${i}, before ${where}`, { cause: error });
    }
  }
}

/** Tells images apart: one that was checked before, with no less durable, need not be checked again. */
function imageOf(storage: SimulatedStorage, durable: number): string {
  const decoder = new TextDecoder("latin1");
  return Array.from(storage.files(), ([name, bytes]) => `${name}:${decoder.decode(bytes)}`).sort().join(
    "\0",
  ) + durable;
}

/** What each workload above is there for. */
const HAPPENS: Readonly<Record<string, (counts: Recording["counts"]) => boolean>> = {
  "memtables that are flushed and merged": ({ flushes, merges, removals }) =>
    flushes >= 3 && merges >= 1 && removals >= 4,
  "journals that wait for one another": ({ flushes }) => flushes >= 4,
  "segments that are moved": ({ moves }) => moves >= 2,
  "clears and pops, buffered": ({ flushes }) => flushes >= 2,
  "writes that are synced one by one": ({ flushes, manifests }) => flushes >= 1 && manifests >= 2,
  "closes and other limits": ({ manifests, flushes }) => manifests >= 5 && flushes >= 2,
  "compactions until nothing is left": ({ merges, removals }) => merges >= 1 && removals >= 6,
  "keys so long that the manifest grows": ({ manifests, flushes }) => manifests >= 3 && flushes >= 5,
};

Deno.test("a tree comes back from every outcome of every crash of a small workload, order kept", async () => {
  const workload: Workload = {
    name: "small",
    durability: "os",
    keyBytes: 2,
    acts: [...inserts([1], 3), FLUSH, BATCH, ...inserts([2], 3), FLUSH_MEMTABLE, { act: "remove", key: 1 }],
  };
  const recording = await record(workload, new SimulatedStorage({ profile: "prefix" }));
  const random = new SeededRandom(1);
  const counts = noCounts();
  let most = 0;
  for (const { storage, durable, begun } of recording.stops) {
    const outcomes = [...storage.crashes(ALL_OUTCOMES)];
    most = Math.max(most, outcomes.length);
    for (const crashed of outcomes) {
      const survivors = { least: durable, leastAfterCut: durable, most: begun };
      await checkRecovery(recording, crashed, survivors, EFFORTS[0]!, random, counts);
    }
  }
  assert(most > 100 && most < ALL_OUTCOMES, `${most}`);
});

Deno.test("a tree comes back from a crash at any operation of a recovery, and of the recovery from that", async () => {
  const workload = WORKLOADS.find(({ name }) => name.startsWith("journals that wait"))!;
  const recording = await record(workload, new SimulatedStorage({ profile: "strict" }));
  const random = new SeededRandom(1);
  const counts = noCounts();
  const everywhere: Effort = { depth: 2, stops: Infinity, outcomes: 1 };
  for (let i = 20; i < recording.stops.length; i += RECOVERED_STRIDE) {
    const { storage, durable, returned, begun } = recording.stops[i]!;
    const most = begun;
    await checkRecovery(
      recording,
      storage.crash(),
      { least: durable, leastAfterCut: durable, most },
      everywhere,
      random,
      counts,
    );
    await checkRecovery(
      recording,
      storage.kill(),
      { least: returned, leastAfterCut: durable, most },
      everywhere,
      random,
      counts,
    );
  }
  assert(counts.nested > 500, `${counts.nested}`);
});

for (const profile of PROFILES) {
  for (const [i, workload] of WORKLOADS.entries()) {
    Deno.test(`a tree comes back from a crash at any operation: ${workload.name} (${profile})`, async () => {
      const recording = await record(workload, new SimulatedStorage({ seed: i + 1, profile }));
      const happens = HAPPENS[workload.name] ?? (() => true);
      assert(happens(recording.counts), `it did too little: ${JSON.stringify(recording.counts)}`);
      const counts = noCounts();
      const stopShare = workload.keyBytes > 100 ? LONG_KEYS_STOP_SHARE : 1;
      await crashEverywhere(recording, new SeededRandom(i), counts, stopShare);
      assert(counts.opened > recording.stops.length / stopShare && counts.nested > 0, JSON.stringify(counts));
      assert(stopShare > 1 || (counts.shorter > 0 && counts.replayed > 0), "no crash took anything");
    });
  }

  Deno.test(`a tree comes back from a crash in the middle of anything (${profile})`, async () => {
    const counts = noCounts();
    await fc.assert(
      fc.asyncProperty(anyWorkload, fc.nat(), async (workload, seed) => {
        const recording = await record(workload, new SimulatedStorage({ seed, profile }));
        await crashEverywhere(recording, new SeededRandom(seed), counts, GENERATED_STOP_SHARE);
      }),
      effort(GENERATED),
    );
    assert(counts.opened > 100 && counts.nested > 0 && counts.replayed > 0, JSON.stringify(counts));
  });
}
