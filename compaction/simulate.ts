/**
 * The simulator: what a strategy does with a workload, on shapes alone.
 *
 * ```text
 * workload -> flushes -> tree of shapes -> strategy.choose -> merges of shares -> tree of shapes -> ...
 *                                          the same function that a real tree asks, in the same order
 * ```
 *
 * No keys, no data, no disk and no loop over operations: one step per flush, so that a load of 10 TB takes a minute
 * and one of 100 GB less than a second. What a merge leaves follows from what share of their keys its inputs hold
 * (`key_shares.ts`), how large that is from the file format (`segment_bytes.ts`), what is asked when from the order in
 * which a tree works inline (`inline_order.ts`). All random numbers come from the seed.
 *
 * What the figures mean:
 * - Write amplification: bytes of all segments that were written, by those of keys and values that the user wrote.
 *   What is still in the memtable at the end counts as written by the user. Journals and manifests do not count.
 * - Read and space amplification: the average over the second half of the load, when the tree has its shape; see
 *   `amplification.ts`. One moment would say more about the last merge than about the strategy.
 * - Stalls: how often a device of {@linkcode SimulationOptions.bytesPerSecond} would have stopped the writer; see `device.ts`.
 *   Writers are stopped at three times as many runs in level 0 as the strategy finds normal, as in the real tree.
 *
 * Given up: compression, the manifest, journals and caches; and the tick of a minute, at which a real tree asks its
 * strategy while nothing is written. Times are those at which memtables were full.
 *
 * @module
 */

import type { Amplification } from "./amplification.ts";
import { amplificationOf } from "./amplification.ts";
import { Device } from "./device.ts";
import type { Load } from "./load.ts";
import { loadOf } from "./load.ts";
import { Random } from "./random.ts";
import type { SimulatedMoment, SimulationReport } from "./report.ts";
import { SimulatedWork } from "./simulated_work.ts";
import type { CompactionStrategy, LevelOptions } from "./strategy.ts";
import { LEVEL0_THRESHOLD } from "./strategy.ts";
import type { Workload } from "./workload.ts";
import { checkNumber, checkWhole, checkWorkload } from "./workload.ts";

/** How a simulated tree is set. */
export interface SimulatedConfig extends LevelOptions {
  /** Target bytes of a data block; 4 KiB if not given. */
  readonly blockSize: number;
  /** Bits of a filter for each key; 10 if not given. */
  readonly filterBitsPerKey: number;
}

/** What is simulated. */
export interface SimulationOptions {
  /** Decides what is merged, and when. */
  readonly strategy: CompactionStrategy;
  /** What is written. */
  readonly workload: Workload;
  /** How the tree is set; what is not given has the default of a tree, and `now`, when the load begins, is 0. */
  readonly config?: Partial<SimulatedConfig>;
  /** A whole number that all random numbers come from; 1 if not given. */
  readonly seed?: number;
  /** Bytes that the device reads and writes in a second for flushes, compactions and reads; 500,000,000 if not given. */
  readonly bytesPerSecond?: number;
}

const CONFIG_DEFAULTS: SimulatedConfig = {
  levelCount: 7,
  levelRatio: 10,
  maxMemtableSize: 16 * 1024 * 1024,
  now: 0,
  blockSize: 4 * 1024,
  filterBitsPerKey: 10,
};

const BYTES_PER_SECOND = 500_000_000;

/** How often the shape is noted, at most. */
const MOMENTS_MAX = 200;

/** What part of the keys that are not there a filter of ten bits a key lets through: filters are in memory, what passes costs a block. */
const FILTER_PASSES = 0.01;

/** Writers stop at so many times the runs in level 0 that the strategy finds normal, as in `core/pressure.ts`. */
const LEVEL0_STOP_FACTOR = 3;

/**
 * Returns what a strategy makes of a workload.
 *
 * Pure and deterministic: the same options give the same report. Cost: some 30 us for each flush and each compaction,
 * whatever the size of the tree; 10 TB in 16 MiB memtables are 830,000 flushes.
 *
 * @throws {TypeError} If an option has a wrong type.
 * @throws {RangeError} If a number makes no sense, or a strategy of the user's own chooses what may not be done or comes to no end.
 *
 * @example Usage
 * ```ts
 * import { simulate, sizeTiered } from "@lsm/tree/compaction";
 * import { assert } from "@std/assert";
 *
 * const report = simulate({
 *   strategy: sizeTiered(),
 *   workload: { kind: "uniform", keys: 1_000_000, operations: 10_000_000, entryBytes: 116 },
 *   config: { maxMemtableSize: 1024 * 1024 },
 * });
 * assert(report.writeAmplification > 2 && report.writeAmplification < 8);
 * ```
 */
export function simulate(options: SimulationOptions): SimulationReport {
  const { strategy, workload, seed = 1, bytesPerSecond = BYTES_PER_SECOND } = checked(options);
  const config = configOf(options.config);
  const load = loadOf(workload, config);
  const random = new Random(seed);
  const work = new SimulatedWork(strategy, load, config, random);
  const limit = LEVEL0_STOP_FACTOR * (strategy.level0Threshold ?? LEVEL0_THRESHOLD);
  const device = new Device(bytesPerSecond, limit);
  const reads = workload.readsPerWrite ?? 0;
  const history: SimulatedMoment[] = [];
  const moments: Amplification[] = [];
  let [operations, flushes, readBytes] = [0, 0, 0];
  for (const step of load.steps()) {
    const now = device.arrive(config.now + step.time, step.operations);
    const before = work.bytesMoved;
    work.flush(step, operations, now);
    operations += step.operations;
    flushes += 1;
    if (isMoment(flushes, load.flushes)) {
      history.push(momentOf(work, operations));
      const amplification = amplificationOf(work.tree, load, operations, random);
      if (flushes * 2 >= load.flushes) moments.push(amplification);
      // Of the segments that a read considers one has the key, and filters let some of the others through.
      readBytes = config.blockSize * (1 + FILTER_PASSES * Math.max(0, amplification.read - 1));
    }
    device.work(now, work.bytesMoved - before + reads * step.operations * readBytes);
  }
  return reportOf(strategy.name, load, work, device, flushes, history, moments);
}

function reportOf(
  strategy: string,
  load: Load,
  work: SimulatedWork,
  device: Device,
  flushes: number,
  history: readonly SimulatedMoment[],
  moments: readonly Amplification[],
): SimulationReport {
  const { flushBytes, mergeBytes, compactions } = work;
  return {
    strategy,
    writeAmplification: load.userBytes === 0 ? 0 : (flushBytes + mergeBytes) / load.userBytes,
    readAmplification: average(moments.map(({ read }) => read)),
    spaceAmplification: average(moments.map(({ space }) => space)),
    stalls: device.stalls,
    flushes,
    written: { user: load.userBytes, flushes: flushBytes, compactions: mergeBytes },
    compactions,
    history,
    levels: work.levels(),
  };
}

function checked(options: SimulationOptions): SimulationOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Cannot simulate: there are no options");
  }
  const { strategy, workload, seed, bytesPerSecond } = options;
  if (typeof strategy?.choose !== "function") {
    throw new TypeError("Cannot simulate: the strategy has no function choose");
  }
  checkWorkload(workload);
  if (seed !== undefined) checkWhole("seed", seed, 0, Number.MAX_SAFE_INTEGER);
  if (bytesPerSecond !== undefined) checkNumber("bytesPerSecond", bytesPerSecond, 1, 1e15);
  return options;
}

function configOf(given: Partial<SimulatedConfig> = {}): SimulatedConfig {
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  const config: SimulatedConfig = { ...CONFIG_DEFAULTS, ...Object.fromEntries(known) };
  checkWhole("maxMemtableSize", config.maxMemtableSize, 1024, 2 ** 40);
  checkWhole("levelCount", config.levelCount, 2, 64);
  checkNumber("levelRatio", config.levelRatio, 2, 10_000);
  checkNumber("now", config.now, 0, Number.MAX_SAFE_INTEGER);
  checkWhole("blockSize", config.blockSize, 1024, 4 * 1024 * 1024);
  checkNumber("filterBitsPerKey", config.filterBitsPerKey, 0, 64);
  return config;
}

/** Tells whether the shape is noted after a flush: {@linkcode MOMENTS_MAX} of them at most, and the last one. */
function isMoment(flush: number, flushes: number): boolean {
  const most = Math.min(MOMENTS_MAX, flushes);
  return Math.floor(flush * most / flushes) > Math.floor((flush - 1) * most / flushes);
}

function momentOf({ tree }: SimulatedWork, operations: number): SimulatedMoment {
  return {
    operations,
    levelBytes: tree.placed.map(({ bytes }) => bytes),
    levelSegments: tree.placed.map(({ count }) => count),
  };
}

function average(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);
}
