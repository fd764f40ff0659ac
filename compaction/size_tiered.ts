/**
 * Size-tiered compaction: runs of about the same size gather in a level and are merged into one run of the next.
 *
 * ```text
 * L0   [run][run][run]                 runs as they were flushed, newest first
 * L1   [    run    ][    run    ]      each made of minThreshold runs of level 0 or more
 * L2   [              run             ]
 * ```
 *
 * A level with `minThreshold` runs is merged into the next, at most `maxThreshold` at once, the oldest. The last level is
 * merged within itself. So a byte is written once for each level: write amplification is about the number of levels in
 * use, `log(data / memtable) / log(minThreshold)`, where leveled compaction pays about `ratio` for each.
 *
 * The price: a point read has to consider up to `minThreshold - 1` runs of each level (filters spare most blocks), and
 * old versions stay until the runs meet, so space may reach `minThreshold` times the live data.
 *
 * Why by level and not by comparing sizes: runs of one level are of about one size by construction, merging neighbours
 * in age is always legal, and a level's number says how often its bytes were written.
 *
 * Source: Cassandra's SizeTieredCompactionStrategy (`min_threshold`, `max_threshold`), RocksDB wiki "Universal Compaction",
 * Dayan, Athanassoulis and Idreos, "Monkey" (2017), section 2 on tiering.
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { Levels, SegmentShape } from "./levels.ts";
import { runsOf } from "./levels.ts";
import type { BuiltInStrategy, LevelOptions } from "./strategy.ts";
import { builtIn, checkOption } from "./strategy.ts";

/** How {@linkcode sizeTiered} may be set. */
export interface SizeTieredOptions {
  /** How many runs of a level are merged at least, 2 and up; 4 if not given. */
  readonly minThreshold?: number;
  /** How many runs are merged at most, `minThreshold` and up; 32 if not given. */
  readonly maxThreshold?: number;
}

const MIN_THRESHOLD = 4;
const MAX_THRESHOLD = 32;
const TARGET_BYTES = 64 * 1024 * 1024;

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
    choose: (levels, given) => choose(levels, given, minThreshold, maxThreshold),
  });
}

function choose(
  levels: Levels,
  options: LevelOptions,
  minThreshold: number,
  maxThreshold: number,
): CompactionChoice {
  const deepest = levels.levels.findLastIndex((segments) => segments.length > 0);
  const last = Math.max(options.levelCount - 1, deepest);
  for (const [level, segments] of levels.levels.entries()) {
    const runs = runsOf(segments);
    if (runs.length < minThreshold) continue;
    const oldest = oldestFree(runs, maxThreshold);
    if (oldest.length < minThreshold) continue;
    return {
      kind: "merge",
      segments: oldest.flat().map((segment) => segment.id),
      destLevel: Math.min(level + 1, last),
      targetSize: TARGET_BYTES,
      reason: `level ${level} has ${runs.length} runs, threshold ${minThreshold}`,
    };
  }
  return { kind: "none" };
}

/** Returns the oldest runs, up to the first that is busy: only neighbours in age may be merged. */
function oldestFree(
  runs: readonly (readonly SegmentShape[])[],
  most: number,
): readonly (readonly SegmentShape[])[] {
  let from = runs.length;
  while (from > 0 && runs.length - from < most && !runs[from - 1]!.some((segment) => segment.busy)) from -= 1;
  return runs.slice(from);
}
