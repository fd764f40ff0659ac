/**
 * What steps follow, made of a handle's options.
 *
 * The core knows neither strategies nor compressors: it is given functions. This is the place where a strategy of the
 * compaction library meets the state machine.
 *
 * @module
 */

import { Levels, majorChoice } from "../compaction/mod.ts";
import type { StepOptions } from "../core/mod.ts";
import type { ResolvedConfig } from "./config.ts";
import { compressionAt } from "./config.ts";

/** How many runs of level 0 are normal where the strategy does not say. */
const LEVEL_0_THRESHOLD = 4;

/** Returns what steps of a tree with these options follow. */
export function stepOptions(config: ResolvedConfig): StepOptions {
  const { durability, maxMemtableSize, blockSize, filterBitsPerKey, levelCount, levelRatio } = config;
  return {
    durability,
    maxMemtableSize,
    blockSize,
    filterBitsPerKey,
    compressionAt: (level) => compressionAt(config.compression, level),
    levelCount,
    choose: (version, busy, now) =>
      config.compactionStrategy.choose(Levels.of(version, busy, levelCount), {
        levelCount,
        levelRatio,
        maxMemtableSize,
        now,
      }),
    major: (version, interval) =>
      majorChoice(Levels.of(version, new Set(), levelCount), levelCount, interval),
    tasksMax: 1,
    compacting: true,
    level0Threshold: config.compactionStrategy.level0Threshold ?? LEVEL_0_THRESHOLD,
    debt: () => 0,
  };
}
