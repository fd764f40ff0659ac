/**
 * What a compaction strategy is: a pure function from the shape of the tree to a choice.
 *
 * `choose` is asked when the version has changed and at most once a minute besides, never per write. It is asked again
 * after each choice until it answers `none`, so it should converge: doing what it says must bring it closer to that.
 *
 * @module
 */

import type { CompactionChoice, StoredStrategy } from "../core/mod.ts";
import type { Levels } from "./levels.ts";

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
  /** Returns what should be done next. Pure. */
  choose(levels: Levels, options: LevelOptions): CompactionChoice;
}

/** A strategy of this module: its options can be stored, and it can be made again from them. */
export interface BuiltInStrategy extends CompactionStrategy {
  /** The options it was made with. */
  readonly options: Readonly<Record<string, number>>;
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
