/**
 * A workload that is crashed everywhere: the process dies, or the power is cut, before every operation that changes the storage and
 * at the end; a cut leaves one of many images (`io/simulated_crash.ts`): all of them where they are few, and otherwise a sample, of
 * which no two are the same. From each the tree has to come back (`crash_check.ts`), now and then through further crashes.
 *
 * @module
 */

import type { CrashProfile } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";
import { SeededRandom } from "../../io/simulated_choices.ts";
import type { CrashCounts, Effort } from "./crash_check.ts";
import { checkRecovery, noCounts } from "./crash_check.ts";
import { scaled } from "./effort.ts";
import type { Recording, Workload } from "./workloads.ts";
import { record } from "./workloads.ts";

/** How many outcomes of a power cut are tried at each stop. */
const OUTCOMES = 3;
/** Generated workloads are crashed at such a share of their stops. */
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

/** How thoroughly to crash. */
export interface CrashOptions {
  /** How many outcomes of a power cut are tried at each stop; all of them where they are fewer. */
  readonly outcomes?: number;
  /** Of so many stops one is tried. */
  readonly stopShare?: number;
}

/** Runs a workload and crashes it at some of its stops; all follows from the seed. */
export async function crashWorkload(
  workload: Workload,
  profile: CrashProfile,
  seed: number,
  counts: CrashCounts = noCounts(),
): Promise<void> {
  const recording = await record(workload, new SimulatedStorage({ seed, profile }));
  await crashEverywhere(recording, new SeededRandom(seed), counts, { stopShare: GENERATED_STOP_SHARE });
}

/** Crashes a recording everywhere, or at a share of its stops. */
export async function crashEverywhere(
  recording: Recording,
  random: SeededRandom,
  counts: CrashCounts,
  { outcomes = scaled(OUTCOMES), stopShare = 1 }: CrashOptions = {},
): Promise<void> {
  const effort = (): Effort => {
    if (random.below(NESTED_SHARE) > 0) return EFFORTS[0]!;
    return EFFORTS[random.below(TWICE_NESTED_SHARE) > 0 ? 1 : 2]!;
  };
  const seen = new Set<string>();
  for (const [i, { storage, before, durable, returned, begun }] of recording.stops.entries()) {
    if (stopShare > 1 && random.below(stopShare) > 0) continue;
    try {
      for (const crashed of storage.crashes(outcomes)) {
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
