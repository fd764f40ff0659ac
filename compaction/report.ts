/**
 * What a simulation tells: three amplifications, the decisions behind them, and the shape of the tree over time.
 *
 * - Amplifications are what strategies are chosen by: more of one buys less of another.
 * - Decisions are in full, in the order of a real tree's history, with what each cost: the bytes that flushes and decisions
 *   wrote add up to those of the write amplification.
 * - A million of decisions takes some hundred megabytes; the shape over time is noted 200 times at most.
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { Levels } from "./levels.ts";

/** A decision of the strategy, and what it cost. */
export interface SimulatedCompaction {
  /** What was chosen. */
  readonly choice: CompactionChoice;
  /** Bytes of the segments that it named. */
  readonly inputBytes: number;
  /** Bytes that it wrote: those of its outputs if it was a merge, otherwise 0. */
  readonly outputBytes: number;
  /** Why, in the words of the strategy. */
  readonly reason: string;
}

/** The shape of the tree at one moment. */
export interface SimulatedMoment {
  /** How many operations had been written. */
  readonly operations: number;
  /** Bytes of each level. */
  readonly levelBytes: readonly number[];
  /** Segments of each level. */
  readonly levelSegments: readonly number[];
}

/** What a simulation tells. */
export interface SimulationReport {
  /** The name of the strategy. */
  readonly strategy: string;
  /** Bytes written to segments for each byte of keys and values written by the user; 0 if nothing was flushed. */
  readonly writeAmplification: number;
  /** Segments that a point read of a present key has to consider, on average over the second half of the load. */
  readonly readAmplification: number;
  /** Bytes on disk for each byte of live keys and values, on average over the second half of the load. */
  readonly spaceAmplification: number;
  /** How often writers were stopped, how many operations came while they were, and for how long in all. */
  readonly stalls: { readonly count: number; readonly operations: number; readonly milliseconds: number };
  /** How many memtables were flushed. */
  readonly flushes: number;
  /** Bytes that the user wrote, that flushes wrote and that compactions wrote. */
  readonly written: { readonly user: number; readonly flushes: number; readonly compactions: number };
  /** Every decision, in the order in which they were taken. */
  readonly compactions: readonly SimulatedCompaction[];
  /** The shape over time: after some of the flushes, evenly spread, and at the end. */
  readonly history: readonly SimulatedMoment[];
  /** The shape at the end. */
  readonly levels: Levels;
}
