/**
 * What a compaction strategy is: a pure function from the shape of the tree to a choice.
 *
 * `choose` is asked when the version has changed and at most once a minute besides, never per write. It is asked again
 * after each choice until it answers `none`, so it should converge: doing what it says must bring it closer to that.
 *
 * @module
 */

import type { CompactionChoice, StoredStrategy } from "../core/mod.ts";
import type { LevelParts, Levels } from "./levels.ts";

/** What a strategy is told beside the shape. */
export interface LevelOptions {
  /** How many levels there are. */
  readonly levelCount: number;
  /** Growth from level to level. */
  readonly levelRatio: number;
  /** Bytes of journal that a flush is made of. */
  readonly maxMemtableSize: number;
  /** The time, in ms since the epoch. */
  readonly now: number;
}

/** Decides which segments are merged, and when. */
export interface CompactionStrategy {
  /** Its name, which is stored with the tree. */
  readonly name: string;
  /**
   * How many runs of level 0 are normal for it; 4 if it does not say.
   *
   * The tree slows writers down when level 0 has more than twice as many, and stops them at three times as many while a
   * compaction is under way.
   */
  readonly level0Threshold?: number;
  /** Returns what should be done next. Pure. */
  choose(levels: Levels, options: LevelOptions): CompactionChoice;
  /** Returns how many bytes it would rewrite or push down at least before it is content; 0 if it does not say. Pure. */
  debt?(levels: Levels, options: LevelOptions): number;
}

/** How many runs of level 0 are normal for a strategy that does not say. */
export const LEVEL0_THRESHOLD = 4;

/** A strategy of this module: its options can be stored, and it can be made again from them. */
export interface BuiltInStrategy extends CompactionStrategy {
  /** The options it was made with. */
  readonly options: Readonly<Record<string, number>>;
  /** How many runs of level 0 are normal for it. */
  readonly level0Threshold: number;
}

const MADE_HERE: WeakSet<CompactionStrategy> = new WeakSet();

/** Marks a strategy as one of this module's. */
export function builtIn(strategy: BuiltInStrategy): BuiltInStrategy {
  MADE_HERE.add(strategy);
  return Object.freeze(strategy);
}

/** Returns a strategy as it is stored. */
export function storedStrategy(strategy: CompactionStrategy): StoredStrategy {
  if (!MADE_HERE.has(strategy)) return { name: strategy.name, options: [], custom: true };
  const options = Object.entries((strategy as BuiltInStrategy).options).sort(([a], [b]) => a < b ? -1 : 1);
  return { name: strategy.name, options, custom: false };
}

/** Throws unless an option of a strategy is a whole number from `least` on. */
export function checkOption(name: string, value: unknown, least: number): void {
  if (typeof value !== "number") throw new TypeError(`Cannot use option ${name}: it is not a number`);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`Cannot use option ${name}: ${value} is not a whole number from ${least} on`);
  }
}

/** Returns the last level: the deepest there should be, or the deepest in use if there once were more. */
export function lastLevel({ placed }: LevelParts, options: Pick<LevelOptions, "levelCount">): number {
  return Math.max(options.levelCount - 1, placed.findLastIndex((segments) => segments.count > 0), 0);
}

/** Tells whether no segment of the levels from `first` to `last` is busy. Cost: O(busy segments). */
export function areQuiet({ busy }: LevelParts, first: number, last: number): boolean {
  return busy.size === 0 || !busy.values().some(({ level }) => level >= first && level <= last);
}
