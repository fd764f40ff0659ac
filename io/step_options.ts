/**
 * What steps follow, made of a handle's options.
 *
 * The core knows neither strategies nor compressors: it is given functions. This is the place where a strategy of the
 * compaction library meets the state machine.
 *
 * @module
 */

import { Levels, majorChoice } from "../compaction/mod.ts";
import type { LevelOptions } from "../compaction/mod.ts";
import type { StepOptions, Version } from "../core/mod.ts";
import { clockOf } from "./clock.ts";
import type { ResolvedConfig } from "./config.ts";
import { compressionAt } from "./config.ts";

/** How many runs of level 0 are normal where the strategy does not say. */
const LEVEL_0_THRESHOLD = 4;

/** Returns what steps of a tree with these options follow. */
export function stepOptions(config: ResolvedConfig): StepOptions {
  const { durability, maxMemtableSize, blockSize, filterBitsPerKey, levelCount } = config;
  return {
    durability,
    maxMemtableSize,
    blockSize,
    filterBitsPerKey,
    compressionAt: (level) => compressionAt(config.compression, level),
    levelCount,
    choose: (version, busy, now) =>
      config.compactionStrategy.choose(Levels.of(version, busy, levelCount), levelOptions(config, now)),
    major: (version, interval) =>
      majorChoice(Levels.of(version, new Set(), levelCount), levelCount, interval),
    tasksMax: 1,
    compacting: true,
    level0Threshold: config.compactionStrategy.level0Threshold ?? LEVEL_0_THRESHOLD,
    debt: debtOf(config),
  };
}

function levelOptions(
  { levelCount, levelRatio, maxMemtableSize }: ResolvedConfig,
  now: number,
): LevelOptions {
  return { levelCount, levelRatio, maxMemtableSize, now };
}

/** Asks the strategy once for each version: pressure is looked at with every write. One that throws or answers nonsense owes nothing. */
function debtOf(config: ResolvedConfig): StepOptions["debt"] {
  const strategy = config.compactionStrategy;
  const clock = clockOf(config.storage);
  let of: Version | undefined;
  let bytes = 0;
  return (version) => {
    if (of === version || strategy.debt === undefined) return bytes;
    of = version;
    try {
      const answer = strategy.debt(
        Levels.of(version, new Set(), config.levelCount),
        levelOptions(config, clock()),
      );
      bytes = typeof answer === "number" && answer > 0 ? answer : 0;
    } catch {
      bytes = 0;
    }
    return bytes;
  };
}
