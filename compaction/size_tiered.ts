/**
 * Size-tiered compaction: runs of about the same size gather in a level and are merged into one run of the next.
 *
 * ```text
 * L0   [run][run][run]                 runs as they were flushed, newest first
 * L1   [    run    ][    run    ]      each made of minThreshold runs of level 0 or more
 * L2   [              run             ]
 * ```
 *
 * A level with `T = minThreshold` runs is merged into the next, at most `maxThreshold` at once, the oldest. Runs that share no
 * key are moved instead.
 *
 * Arithmetic, for N bytes of data and flushes of P bytes, so `L = log(N / P) / log(T)` levels in use:
 * - Write amplification: a byte is written once by the flush and once for each level it goes down, `1 + L`. Leveled
 *   compaction pays up to `ratio` for each level.
 * - Reads: up to `T - 1` runs in each level, `(T - 1) x L` in all; filters spare a point read most of their blocks, a range has to
 *   look into all of them.
 * - Space: old versions stay until the runs meet, and each of the last level's `T - 1` runs may hold the same keys, so up to
 *   `T` times the live data, and as much again for the moment in which the last level is merged.
 *
 * Why by level and not by comparing sizes: runs of one level are of about one size by construction, merging neighbours
 * in age is always legal, and a level's number says how often its bytes were written.
 *
 * The *last level* has no next one, so its runs are merged within it, and there sizes do differ. Merging a giant of many
 * terabytes with every few small runs that arrive would cost its size each time. So only neighbours in age are merged of which
 * none is larger than all the others together: then every byte comes into a run at least twice as large as the one it was
 * in, and is rewritten there at most `log2(N / run)` times. What is left in the end are runs each of which is larger than any
 * `T - 1` newer neighbours together: sizes that grow geometrically, so no more than some `T x log2(N / run)` runs.
 *
 * Source: Cassandra's SizeTieredCompactionStrategy (`min_threshold`, `max_threshold`, buckets of similar size), RocksDB wiki
 * "Universal Compaction", Dayan, Athanassoulis and Idreos, "Monkey" (SIGMOD 2017), section 2 on tiering.
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { LevelParts } from "./levels.ts";
import { placedOf } from "./levels.ts";
import { joinSmall } from "./small_segments.ts";
import type { BuiltInStrategy, LevelOptions } from "./strategy.ts";
import { areQuiet, builtIn, checkOption, lastLevel } from "./strategy.ts";
import type { TierRun } from "./tiers.ts";
import { bytesOfRuns, fullBytes, oneRunOf, TIER_TARGET_BYTES, tierCount, tierRuns } from "./tiers.ts";

/** How {@linkcode sizeTiered} may be set. */
export interface SizeTieredOptions {
  /** How many runs of a level are merged at least, 2 and up; 4 if not given. */
  readonly minThreshold?: number;
  /** How many runs are merged at most, `minThreshold` and up; 32 if not given. */
  readonly maxThreshold?: number;
}

const MIN_THRESHOLD = 4;
const MAX_THRESHOLD = 32;

/**
 * Returns size-tiered compaction: the least rewriting, at the price of more runs to read and more space.
 *
 * @throws {TypeError} If an option is not a number.
 * @throws {RangeError} If an option is too small.
 *
 * @example Usage
 * ```ts
 * import { Levels, sizeTiered } from "@lsm/tree/compaction";
 * import { assertEquals } from "@std/assert";
 *
 * const options = { levelCount: 7, levelRatio: 10, maxMemtableSize: 1024, now: 0 };
 * assertEquals(sizeTiered({ minThreshold: 8 }).choose(Levels.from([]), options).kind, "none");
 * ```
 */
export function sizeTiered(options: SizeTieredOptions = {}): BuiltInStrategy {
  const { minThreshold = MIN_THRESHOLD } = options;
  const { maxThreshold = Math.max(MAX_THRESHOLD, minThreshold) } = options;
  checkOption("minThreshold", minThreshold, 2);
  checkOption("maxThreshold", maxThreshold, minThreshold);
  return builtIn({
    name: "sizeTiered",
    options: Object.freeze({ minThreshold, maxThreshold }),
    level0Threshold: minThreshold,
    choose: (levels, given) => choose(placedOf(levels), given, minThreshold, maxThreshold),
    debt: (levels, given) => debt(placedOf(levels), given, minThreshold, maxThreshold),
  });
}

function choose(
  parts: LevelParts,
  options: LevelOptions,
  minThreshold: number,
  maxThreshold: number,
): CompactionChoice {
  const last = lastLevel(parts, options);
  for (let level = 0; level < last; level++) {
    const count = tierCount(parts, level);
    if (count < minThreshold || !areQuiet(parts, level, level)) continue;
    const reason = `level ${level} has ${count} runs, threshold ${minThreshold}`;
    return oneRunOf(tierRuns(parts, level).slice(-maxThreshold), level + 1, TIER_TARGET_BYTES, reason);
  }
  const alike = areQuiet(parts, last, last) ? alikeIn(parts, last, minThreshold, maxThreshold) : [];
  if (alike.length === 0) return joinInRuns(parts, last);
  const reason = `the last level has ${alike.length} runs of similar size, threshold ${minThreshold}`;
  return oneRunOf(alike, last, TIER_TARGET_BYTES, reason);
}

/** Joins small neighbours of a level that is one run: data that comes in order gathers there in segments of one flush each. */
function joinInRuns(parts: LevelParts, last: number): CompactionChoice {
  for (let level = 1; level <= last; level++) {
    if (tierCount(parts, level) !== 1) continue;
    const choice = joinSmall(parts, level, TIER_TARGET_BYTES);
    if (choice.kind !== "none") return choice;
  }
  return { kind: "none" };
}

/** Returns the bytes that are to be rewritten for sure: of full levels, and of what is alike in the last one. */
function debt(parts: LevelParts, options: LevelOptions, minThreshold: number, maxThreshold: number): number {
  const last = lastLevel(parts, options);
  const alike = alikeIn(parts, last, minThreshold, maxThreshold);
  return fullBytes(parts, last, minThreshold) + bytesOfRuns(alike);
}

/**
 * Returns neighbours in age of a level of which none is larger than all others together; of several those with the fewest bytes.
 *
 * Cost: O(runs x maxThreshold).
 */
function alikeIn(
  parts: LevelParts,
  level: number,
  minThreshold: number,
  maxThreshold: number,
): readonly TierRun[] {
  if (tierCount(parts, level) < minThreshold) return [];
  const runs = tierRuns(parts, level);
  let [bestFrom, bestEnd, bestBytes] = [0, 0, Infinity];
  for (let end = runs.length; end >= minThreshold; end--) {
    let [bytes, largest] = [0, 0];
    for (let from = end - 1; from >= Math.max(0, end - maxThreshold); from--) {
      bytes += runs[from]!.bytes;
      largest = Math.max(largest, runs[from]!.bytes);
      if (bytes >= bestBytes) break;
      if (end - from >= minThreshold && largest <= bytes - largest) {
        [bestFrom, bestEnd, bestBytes] = [from, end, bytes];
      }
    }
  }
  return runs.slice(bestFrom, bestEnd);
}
