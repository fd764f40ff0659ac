/**
 * Tiers: levels in which runs gather until there are enough of them to be merged.
 *
 * What size-tiered compaction and lazy levelling share: which runs a level has, which of them may be taken, and whether
 * they have to be rewritten at all.
 *
 * - The *oldest* runs of a level are taken, without a gap. Whatever stays in the level is newer and whatever is below is
 *   older, so taking them down is always legal.
 * - Runs that share no key become one run by being moved: nothing is rewritten. So data that is written in the order of its
 *   keys is written once, whatever the strategy, unless its segments are so small that they are worth joining
 *   (`small_segments.ts`). Runs with tombstones are merged all the same, or those would never go.
 * - While a merge of a level is under way the level is left alone: its newer runs cannot go below those that are being
 *   merged. What is under way in other levels is no obstacle, for whatever is newer stays above.
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { LevelParts } from "./levels.ts";
import type { PlacedSegment } from "./placed_segment.ts";
import { beginsBefore, endsBefore } from "./placed_segment.ts";
import { PlacedSegments } from "./placed_segments.ts";

/** A run of a level. */
export interface TierRun {
  /** Its segments, smallest keys first. */
  readonly segments: readonly PlacedSegment[];
  /** Their bytes. */
  readonly bytes: number;
}

/** Bytes from which on a merge of tiers begins a new segment where nothing is said. */
export const TIER_TARGET_BYTES: number = 64 * 1024 * 1024;

/** Runs by the level that they were found in: most levels are the same when a strategy is asked again. */
const RUNS: WeakMap<PlacedSegments, readonly TierRun[]> = new WeakMap();

/**
 * Returns the runs of a level, newest first.
 *
 * In level 0 each flush is a run of its own, even if it follows the one before it in key order: a read looks into each.
 * Cost: O(n), the first time for a level.
 */
export function tierRuns({ placed }: LevelParts, level: number): readonly TierRun[] {
  const segments = placed[level] ?? PlacedSegments.EMPTY;
  let runs = RUNS.get(segments);
  if (runs === undefined) {
    runs = runsIn(segments.flat, level === 0);
    RUNS.set(segments, runs);
  }
  return runs;
}

function runsIn(segments: readonly PlacedSegment[], areFlushes: boolean): readonly TierRun[] {
  const runs: { segments: PlacedSegment[]; bytes: number }[] = [];
  for (const segment of segments) {
    const run = runs.at(-1);
    const before = run?.segments.at(-1);
    if (
      before !== undefined && endsBefore(before, segment) && (!areFlushes || isSameFlush(before, segment))
    ) {
      run!.segments.push(segment);
      run!.bytes += segment.size;
    } else runs.push({ segments: [segment], bytes: segment.size });
  }
  return runs;
}

/** The segments of one flush hold the same batches. */
function isSameFlush({ facts: a }: PlacedSegment, { facts: b }: PlacedSegment): boolean {
  return a.seqnoMin === b.seqnoMin && a.seqnoMax === b.seqnoMax;
}

/** Returns how many runs a level has. Cost: O(1) below level 0. */
export function tierCount(parts: LevelParts, level: number): number {
  const segments = parts.placed[level] ?? PlacedSegments.EMPTY;
  if (level === 0) return tierRuns(parts, level).length;
  return segments.count === 0 ? 0 : segments.breaks + 1;
}

/** Returns the bytes of some runs. */
export function bytesOfRuns(runs: readonly TierRun[]): number {
  return runs.reduce((sum, run) => sum + run.bytes, 0);
}

/** Returns the choice that makes one run of several at a level: a move if they share no key, otherwise a merge. */
export function oneRunOf(
  runs: readonly TierRun[],
  destLevel: number,
  targetSize: number,
  reason: string,
): CompactionChoice {
  const segments = runs.flatMap((run) => run.segments);
  const ids = segments.map((segment) => segment.id);
  // A move within level 0 would change nothing: each flush stays a run of its own.
  return destLevel > 0 && isWithoutWork(segments)
    ? { kind: "move", segments: ids, destLevel, reason }
    : { kind: "merge", segments: ids, destLevel, targetSize, reason };
}

/** Tells whether segments are one run as they are, and hide nothing. Cost: O(n log n). */
function isWithoutWork(segments: readonly PlacedSegment[]): boolean {
  if (segments.some(({ facts }) => facts.tombstones > 0)) return false;
  const sorted = segments.toSorted((a, b) => beginsBefore(a, b) ? -1 : 1);
  return sorted.every((segment, i) => i === 0 || endsBefore(sorted[i - 1]!, segment));
}

/** Returns the bytes of the levels above `end` that have enough runs to be merged: each is rewritten once at least. */
export function fullBytes(parts: LevelParts, end: number, threshold: number): number {
  let bytes = 0;
  for (let level = 0; level < end; level++) {
    if (tierCount(parts, level) >= threshold) bytes += parts.placed[level]!.bytes;
  }
  return bytes;
}
