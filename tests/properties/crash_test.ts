/**
 * After a crash at any moment a tree is what it was after some number of commits: none half, none missing in between, and at
 * least all that were durable.
 *
 * Each workload runs once on a simulated storage. Before every operation that changes the storage, and at the end, it is stopped:
 * the process dies, or the power is cut, which leaves one of many images (`io/simulated_crash.ts`). From each of them the tree
 * has to come back (`support/crash_check.ts`), now and then through further crashes during its recovery.
 *
 * - Small workloads: every outcome there is.
 * - One workload: every operation of recoveries, and of the recoveries from crashes of those.
 * - Workloads that each do something special, that other strategies merge, and generated ones: samples, everywhere.
 *
 * How long it looks is `support/effort.ts`'s to say.
 *
 * @module
 */

import { assert } from "@std/assert";
import fc from "fast-check";
import { SimulatedStorage } from "@lsm/tree/testing";
import { SeededRandom } from "../../io/simulated_choices.ts";
import type { CrashCounts, Effort } from "../support/crash_check.ts";
import { checkRecovery, noCounts } from "../support/crash_check.ts";
import { crashEverywhere, crashWorkload } from "../support/crash_everywhere.ts";
import { effort, SCALE, scaled, SEED, tried } from "../support/effort.ts";
import { PROFILES } from "../support/simulated.ts";
import type { Act, Recording, Workload } from "../support/workloads.ts";
import { anyWorkload, inserts, record, STRATEGY_NAMES } from "../support/workloads.ts";

/** More outcomes than nearly all crashes of small workloads have; of a crash that has more so many are tried. */
const ALL_OUTCOMES = 50;
/** Recoveries are crashed at all of their operations, twice over, after every so many-th stop of one workload. */
const RECOVERED_STRIDE = 90;
/** Images with long keys take as long as fifty others, so they are crashed at a share of their stops. */
const LONG_KEYS_STOP_SHARE = 12;
/** Workloads of other strategies are crashed at such a share of their stops. */
const STRATEGY_STOP_SHARE = 3;
/** How many generated workloads are run with each profile. */
const GENERATED = 8;

const NO_EFFORT: Effort = { depth: 0, stops: 0, outcomes: 0 };

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

/** Few enough acts that everything which a power cut may leave of them can be tried. */
const SMALL_WORKLOADS: readonly Pick<Workload, "durability" | "acts" | "name">[] = [
  {
    name: "journal and a segment",
    durability: "os",
    acts: [...inserts([1], 3), FLUSH, BATCH, ...inserts([2], 3), FLUSH_MEMTABLE, { act: "remove", key: 1 }],
  },
  {
    name: "a journal that is synced by each write",
    durability: "sync",
    acts: [...inserts([1, 2], 3), CLEAR],
  },
  { name: "buffers", durability: "buffered", acts: [...inserts([1, 2], 3), FLUSH, POP, ...inserts([3], 3)] },
  {
    name: "an orderly close, and on",
    durability: "os",
    acts: [...inserts([1], 3), reopen(), ...inserts([2], 3)],
  },
  {
    name: "a compaction",
    durability: "os",
    acts: [...inserts([1], 3), FLUSH_MEMTABLE, { act: "remove", key: 1 }, FLUSH_MEMTABLE, COMPACT],
  },
];

for (const profile of PROFILES) {
  Deno.test(`a tree comes back from every outcome of every crash of small workloads (${profile})`, async () => {
    const random = new SeededRandom(SEED);
    const counts = noCounts();
    let wholly = 0;
    let sampled = 0;
    for (const small of SMALL_WORKLOADS) {
      const recording = await record(
        { ...small, keyBytes: 2 },
        new SimulatedStorage({ seed: SEED, profile }),
      );
      for (const { storage, durable, begun } of recording.stops) {
        const outcomes = [...storage.crashes(scaled(ALL_OUTCOMES))];
        if (outcomes.length < scaled(ALL_OUTCOMES)) wholly += 1;
        else sampled += 1;
        for (const crashed of outcomes) {
          const survivors = { least: durable, leastAfterCut: durable, most: begun };
          await checkRecovery(recording, crashed, survivors, NO_EFFORT, random, counts);
        }
      }
    }
    assert(wholly > 60 && sampled > 0, `${wholly} crashes wholly, ${sampled} in part`);
    tell(counts);
  });
}

Deno.test("a tree comes back from a crash at any operation of a recovery, and of the recovery from that", async () => {
  const workload = WORKLOADS.find(({ name }) => name.startsWith("journals that wait"))!;
  const recording = await record(workload, new SimulatedStorage({ seed: SEED, profile: "strict" }));
  const random = new SeededRandom(SEED);
  const counts = noCounts();
  const everywhere: Effort = { depth: 2, stops: Infinity, outcomes: 1 };
  const stride = Math.max(1, Math.round(RECOVERED_STRIDE / SCALE));
  for (let i = 20 + (SEED % stride); i < recording.stops.length; i += stride) {
    const { storage, durable, returned, begun: most } = recording.stops[i]!;
    const afterCut = { least: durable, leastAfterCut: durable, most };
    await checkRecovery(recording, storage.crash(), afterCut, everywhere, random, counts);
    const afterKill = { least: returned, leastAfterCut: durable, most };
    await checkRecovery(recording, storage.kill(), afterKill, everywhere, random, counts);
  }
  assert(counts.nested > 500, `${counts.nested}`);
  tell(counts);
});

for (const profile of PROFILES) {
  for (const [i, workload] of WORKLOADS.entries()) {
    Deno.test(`a tree comes back from a crash at any operation: ${workload.name} (${profile})`, async () => {
      const recording = await record(workload, new SimulatedStorage({ seed: SEED + i, profile }));
      const happens = HAPPENS[workload.name] ?? (() => true);
      assert(happens(recording.counts), `it did too little: ${JSON.stringify(recording.counts)}`);
      const counts = noCounts();
      const stopShare = workload.keyBytes > 100 ? LONG_KEYS_STOP_SHARE : 1;
      await crashEverywhere(recording, new SeededRandom(SEED + i), counts, { stopShare });
      assert(counts.opened > recording.stops.length / stopShare && counts.nested > 0, JSON.stringify(counts));
      assert(stopShare > 1 || (counts.shorter > 0 && counts.replayed > 0), "no crash took anything");
      tell(counts);
    });
  }

  Deno.test(`a tree comes back from a crash at any operation, whatever merges it, and however durable (${profile})`, async () => {
    const counts = noCounts();
    for (const [i, strategy] of STRATEGY_NAMES.entries()) {
      for (const durability of ["buffered", "os", "sync"] as const) {
        const workload: Workload = {
          name: strategy,
          durability,
          strategy,
          keyBytes: 2,
          acts: [
            ...inserts([1, 2, 3, 4, 1, 6, 2, 5, 3, 1, 2, 4, 7, 1, 5], 350),
            FLUSH,
            BATCH,
            ...inserts([1], 9),
          ],
        };
        const recording = await record(workload, new SimulatedStorage({ seed: SEED + i, profile }));
        const { flushes, merges, drops } = recording.counts;
        assert(flushes > 3 && merges + drops > 0, `${strategy}: ${JSON.stringify(recording.counts)}`);
        const stoppedBefore = new Set(recording.stops.map(({ before }) => before?.kind));
        for (const kind of ["create", "append", "sync", "syncFolder", "rename", "remove"] as const) {
          assert(stoppedBefore.has(kind), `no crash before ${kind}`);
        }
        const random = new SeededRandom(SEED + i);
        await crashEverywhere(recording, random, counts, { stopShare: STRATEGY_STOP_SHARE });
      }
    }
    assert(counts.opened > 300 && counts.nested > 100 && counts.shorter > 0, JSON.stringify(counts));
    tell(counts);
  });

  Deno.test(`a tree comes back from a crash in the middle of anything (${profile})`, async () => {
    const counts = noCounts();
    await fc.assert(
      fc.asyncProperty(
        anyWorkload,
        fc.nat(),
        (workload, seed) => crashWorkload(workload, profile, seed, counts),
      ),
      effort(GENERATED),
    );
    assert(counts.opened > 100 && counts.nested > 0 && counts.replayed > 0, JSON.stringify(counts));
    tell(counts);
  });
}

function tell({ opened, nested }: CrashCounts): void {
  tried(opened - nested, "crashes");
  tried(nested, "crashes of recoveries");
}
