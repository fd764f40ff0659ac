/**
 * Leveled compaction: every level below 0 is one sorted run, each about `levelRatio` times the one above.
 *
 * ```text
 * L0   flushes, overlapping, newest first      merged into L1 when there are l0Threshold
 * L1   one run of segments                     target  l0Threshold x maxMemtableSize
 * L2   one run                                 target  ratio x L1
 * ...                                          last level: no target
 * ```
 *
 * Each level has a score: level 0 its segments by the threshold, the others their bytes by their target, without what is busy,
 * since that is on its way. The highest score from 1 on is worked off: level 0 as a whole with what it overlaps in L1; of a
 * deeper level the one segment that drags along the fewest bytes of the next level for each of its own (RocksDB's
 * kMinOverlappingRatio). A segment that overlaps nothing below is moved without being rewritten, as deep as that holds but
 * not below the deepest level in use: data that comes in order is placed once.
 *
 * When nothing has to go down, a level that another strategy has left several runs is made one, in steps of stretches
 * that share no key, and small neighbours are joined (`small_segments.ts`). Neither counts as debt: it makes no later
 * merge longer, and writers need not wait for it.
 *
 * Of a level with more than {@linkcode CANDIDATES_MAX} segments so many are compared, spread over it from a place that
 * its bytes decide (the choice is a function of the shape alone, and another place comes up next time). Simulated,
 * 5,000,000,000 uniform writes to a fifth as many keys: write amplification 23.61 with 8 of them, 23.42 with 16, 23.33
 * with 32, and 23.14 if all are compared, which costs a search for each of 10,000 segments and choice.
 *
 * Arithmetic: a byte that goes down one level takes about `ratio` bytes of that level along, so with L levels below
 * level 0 in use an update is written about `ratio x L` times at worst. In practice it is about half of that: the
 * segment that drags along the least is taken; a level that has just been emptied into is below its target; the last
 * level is hardly ever full, so it has fewer than `ratio` bytes for each of the level above; L1 is as large as level 0
 * when that is merged, so that step costs 2 and not `ratio`; and what is written twice before it gets down goes down
 * once. Simulated with uniform writes, ratio 10 and three times as many writes as keys: 15 for 10 GB in 4 levels, 23
 * for 100 GB in 5 (`tests/compaction/simulate_test.ts`).
 *
 * A point read looks at every segment of level 0 and one of each level below. Space: `1 + 1/ratio` of the live data
 * while the last level is full, since all above it have a `1/ratio`-th; up to 2 while a new last level is filling and
 * is no larger than the one above.
 *
 * Why L1 as large as level 0 when that is merged: then that merge reads about as much from either side, which makes its
 * write amplification 2 (RocksDB tuning guide).
 *
 * Source: LevelDB (doc/impl.md), RocksDB wiki "Leveled Compaction".
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import { firstNeighbours, groupsOfLevel, idsOfGroups, STEP_TARGETS } from "./groups.ts";
import type { LevelParts } from "./levels.ts";
import { placedOf } from "./levels.ts";
import type { PlacedSegment } from "./placed_segment.ts";
import { beginsBefore, endsBefore, endsBehind, placedOverlap } from "./placed_segment.ts";
import { joinSmall } from "./small_segments.ts";
import type { BuiltInStrategy, LevelOptions } from "./strategy.ts";
import { areQuiet, builtIn, checkOption } from "./strategy.ts";

/** How {@linkcode leveled} may be set. */
export interface LeveledOptions {
  /** How many segments level 0 may have before it is merged; 4 if not given. */
  readonly l0Threshold?: number;
  /** Bytes from which on a merge begins a new segment, 1 KiB and up; 64 MiB if not given. */
  readonly targetSize?: number;
}

const L0_THRESHOLD = 4;
const TARGET_BYTES = 64 * 1024 * 1024;

/** Of a larger level, so many segments are candidates. */
const CANDIDATES_MAX = 16;

/**
 * Returns leveled compaction, the default: the fewest segments to read, at the price of rewriting.
 *
 * @throws {TypeError} If an option is not a number.
 * @throws {RangeError} If an option is too small.
 *
 * @example Usage
 * ```ts
 * import { leveled, Levels } from "@lsm/tree/compaction";
 * import { assertEquals } from "@std/assert";
 *
 * const strategy = leveled({ l0Threshold: 2 });
 * const options = { levelCount: 7, levelRatio: 10, maxMemtableSize: 1024, now: 0 };
 * assertEquals(strategy.choose(Levels.from([]), options).kind, "none");
 * ```
 */
export function leveled(options: LeveledOptions = {}): BuiltInStrategy {
  const { l0Threshold = L0_THRESHOLD, targetSize = TARGET_BYTES } = options;
  checkOption("l0Threshold", l0Threshold, 1);
  checkOption("targetSize", targetSize, 1024);
  return builtIn({
    name: "leveled",
    options: Object.freeze({ l0Threshold, targetSize }),
    level0Threshold: l0Threshold,
    choose: (levels, given) => choose(placedOf(levels), given, l0Threshold, targetSize),
    debt: (levels, given) => debt(placedOf(levels), given, l0Threshold),
  });
}

function choose(
  parts: LevelParts,
  options: LevelOptions,
  l0Threshold: number,
  targetSize: number,
): CompactionChoice {
  const deepest = parts.placed.findLastIndex((segments) => segments.count > 0);
  if (deepest >= options.levelCount) return liftDeepest(parts, deepest, options.levelCount - 1, targetSize);
  const scores = scoresOf(parts, options, l0Threshold);
  for (let level = worstOf(scores); level >= 0; level = worstOf(scores)) {
    const choice = level === 0
      ? pushLevel0(parts, deepest, targetSize)
      : pushSegment(parts, level, deepest, targetSize);
    if (choice.kind !== "none") {
      const reason = level === 0
        ? `level 0 has ${parts.placed[0]!.count} segments, threshold ${l0Threshold}`
        : `level ${level} is ${scores[level]!.toFixed(2)} times its target`;
      return { ...choice, reason };
    }
    scores[level] = 0;
  }
  return tidy(parts, targetSize);
}

/** Makes one run of a level that has several, or joins small neighbours, where nothing has to go down. */
function tidy(parts: LevelParts, targetSize: number): CompactionChoice {
  for (const [level, { breaks }] of parts.placed.entries()) {
    if (level === 0) continue;
    if (breaks > 0 && !areQuiet(parts, 0, level)) break;
    const choice = breaks > 0 ? oneRun(parts, level, targetSize) : joinSmall(parts, level, targetSize);
    if (choice.kind !== "none") return choice;
  }
  return { kind: "none" };
}

/** Merges stretches of a level in which segments overlap; where none do, a move puts them into one run. */
function oneRun(parts: LevelParts, level: number, targetSize: number): CompactionChoice {
  const reason = `level ${level} has several runs instead of one`;
  const groups = firstNeighbours(
    groupsOfLevel(parts, level),
    1,
    STEP_TARGETS * targetSize,
    (group) => group.segments.length > 1,
  );
  if (groups.length === 0) {
    return { kind: "move", segments: idsOf(parts.placed[level]!.flat), destLevel: level, reason };
  }
  return { kind: "merge", segments: idsOfGroups(groups), destLevel: level, targetSize, reason };
}

/** Returns the score of each level but the last. What is busy is on its way and does not count. */
function scoresOf(parts: LevelParts, options: LevelOptions, l0Threshold: number): number[] {
  const free = parts.placed.map(({ count, bytes }, level) => level === 0 ? count : bytes);
  for (const { level, size } of parts.busy.values()) free[level]! -= level === 0 ? 1 : size;
  free.length = Math.min(options.levelCount - 1, free.length);
  for (let level = 0; level < free.length; level++) {
    free[level]! /= level === 0 ? l0Threshold : targetOf(level, options, l0Threshold);
  }
  return free;
}

/** Returns the level with the highest score from 1 on, the upper one if two have it; -1 if there is none. */
function worstOf(scores: readonly number[]): number {
  let worst = -1;
  for (let level = 0; level < scores.length; level++) {
    if (scores[level]! >= 1 && (worst < 0 || scores[level]! > scores[worst]!)) worst = level;
  }
  return worst;
}

function targetOf(level: number, options: LevelOptions, l0Threshold: number): number {
  return l0Threshold * options.maxMemtableSize * options.levelRatio ** (level - 1);
}

/** Returns the bytes above the targets of their levels, all of level 0 where it is to be merged, and what is too deep. */
function debt(parts: LevelParts, options: LevelOptions, l0Threshold: number): number {
  let bytes = 0;
  for (const [level, segments] of parts.placed.entries()) {
    if (level >= options.levelCount) bytes += segments.bytes;
    else if (level === options.levelCount - 1) continue;
    else if (level > 0) bytes += Math.max(0, segments.bytes - targetOf(level, options, l0Threshold));
    else if (segments.count >= l0Threshold) bytes += segments.bytes;
  }
  return bytes;
}

/** Takes all of level 0 down, with what it overlaps. */
function pushLevel0(parts: LevelParts, deepest: number, targetSize: number): CompactionChoice {
  const flushed = parts.placed[0]!.flat;
  const chosen = withAllToTakeDown(parts, 0, flushed, []);
  if (isAnyBusy(parts, chosen)) return { kind: "none" };
  if (chosen.length === flushed.length && areApart(flushed)) return moveDown(parts, 0, flushed, deepest);
  return { kind: "merge", segments: idsOf(chosen), destLevel: 1, targetSize };
}

function areApart(segments: readonly PlacedSegment[]): boolean {
  const sorted = segments.toSorted((a, b) => beginsBefore(a, b) ? -1 : 1);
  return sorted.every((segment, i) => i === 0 || endsBefore(sorted[i - 1]!, segment));
}

/** Takes the segment down that drags along the least, of some that are spread over the level. */
function pushSegment(
  parts: LevelParts,
  level: number,
  deepest: number,
  targetSize: number,
): CompactionChoice {
  const { count, bytes } = parts.placed[level]!;
  const wanted = Math.min(count, CANDIDATES_MAX);
  const from = count === wanted ? 0 : bytes % count;
  const chosen = leastOf(parts, level, wanted, from) ??
    (count === wanted ? undefined : leastOf(parts, level, count, 0));
  if (chosen === undefined) return { kind: "none" };
  if (chosen.length === 1) return moveDown(parts, level, chosen, deepest);
  return { kind: "merge", segments: idsOf(chosen), destLevel: level + 1, targetSize };
}

/** Returns what goes down with the best of `wanted` segments from index `from` on; nothing if all need what is busy. */
function leastOf(
  parts: LevelParts,
  level: number,
  wanted: number,
  from: number,
): readonly PlacedSegment[] | undefined {
  const own = parts.placed[level]!;
  const areRuns = own.breaks === 0 && parts.placed[level + 1]!.breaks === 0;
  let best: PlacedSegment | undefined;
  let least = Infinity;
  for (let i = 0; i < wanted; i++) {
    const segment = own.at((from + Math.floor(i * own.count / wanted)) % own.count);
    const bytes = areRuns ? bytesBelow(parts, level, segment) : bytesWith(parts, level, segment);
    const ratio = bytes / Math.max(segment.size, 1);
    if (ratio < least) [best, least] = [segment, ratio];
  }
  if (best === undefined) return undefined;
  return areRuns ? [best, ...overlapping(parts, level + 1, [best])] : withAll(parts, level, best);
}

/** Returns the bytes below that overlap a segment, both levels being runs; infinitely many if any of it is busy. */
function bytesBelow({ placed, busy }: LevelParts, level: number, segment: PlacedSegment): number {
  const below = placed[level + 1]!;
  if (busy.size === 0) return below.bytesOverlapping(segment);
  if (busy.has(segment.id)) return Infinity;
  const start = below.firstReaching(segment);
  const end = below.firstBehind(segment, start);
  for (let i = start; i < end; i++) if (busy.has(below.at(i).id)) return Infinity;
  return below.bytesOf(start, end);
}

/** Returns the bytes of all that goes down with a segment, but for its own; infinitely many if any of it is busy. */
function bytesWith(parts: LevelParts, level: number, segment: PlacedSegment): number {
  const chosen = withAll(parts, level, segment);
  if (isAnyBusy(parts, chosen)) return Infinity;
  return chosen.reduce((sum, one) => sum + one.size, 0) - segment.size;
}

function withAll(parts: LevelParts, level: number, segment: PlacedSegment): readonly PlacedSegment[] {
  const own = parts.placed[level]!;
  return withAllToTakeDown(parts, level, [segment], own.breaks === 0 ? [] : own.flat);
}

/**
 * Takes segments down that overlap nothing there; those that only hide what is not there any more are dropped.
 *
 * They go as far as they overlap nothing, but not below what is in use: data that comes in order is then
 * placed once, and levels that are too small to be needed stay empty.
 */
function moveDown(
  parts: LevelParts,
  level: number,
  segments: readonly PlacedSegment[],
  deepest: number,
): CompactionChoice {
  const isFree = (below: number): boolean => overlapping(parts, below, segments).length === 0;
  let destLevel = level + 1;
  while (destLevel < deepest && isFree(destLevel + 1)) destLevel += 1;
  const onlyHides = segments.every(({ facts }) => facts.tombstones === facts.entries);
  if (onlyHides && destLevel >= deepest) return { kind: "drop", segments: idsOf(segments) };
  return { kind: "move", segments: idsOf(segments), destLevel };
}

/** Empties a level that is deeper than there are levels, one segment at a time, into the last one. */
function liftDeepest(
  parts: LevelParts,
  deepest: number,
  last: number,
  targetSize: number,
): CompactionChoice {
  for (const segment of parts.placed[deepest]!.flat) {
    const chosen = withAllToLift(parts, deepest, last, segment);
    if (isAnyBusy(parts, chosen)) continue;
    const reason = `level ${deepest} is deeper than the ${last + 1} levels there are`;
    if (chosen.length === 1) return { kind: "move", segments: [segment.id], destLevel: last, reason };
    return { kind: "merge", segments: idsOf(chosen), destLevel: last, targetSize, reason };
  }
  return { kind: "none" };
}

/**
 * Returns segments of a level with all that has to go down with them: of the next level what is in their range, and of their
 * own what is older and overlaps.
 *
 * Another strategy may have left a level several runs, for any is legal on any tree.
 *
 * @param overlapped Its own level if that has several runs, newest first; otherwise nothing.
 */
function withAllToTakeDown(
  parts: LevelParts,
  level: number,
  first: readonly PlacedSegment[],
  overlapped: readonly PlacedSegment[],
): readonly PlacedSegment[] {
  const chosen = new Set(first);
  for (let before = 0; before < chosen.size;) {
    before = chosen.size;
    addOverlapping(chosen, overlapped);
    for (const below of overlapping(parts, level + 1, [...chosen])) chosen.add(below);
  }
  return [...chosen];
}

/** Adds what overlaps a segment that is chosen and stands before it. */
function addOverlapping(chosen: Set<PlacedSegment>, segments: readonly PlacedSegment[]): void {
  for (const [i, segment] of segments.entries()) {
    if (chosen.has(segment)) continue;
    if (segments.some((one, j) => j < i && chosen.has(one) && placedOverlap(one, segment))) {
      chosen.add(segment);
    }
  }
}

/**
 * Returns a segment of the deepest level with all that has to go up to the last level with it: of the levels between what is newer
 * and overlaps, and of the last level what is in their range.
 */
function withAllToLift(
  parts: LevelParts,
  deepest: number,
  last: number,
  first: PlacedSegment,
): readonly PlacedSegment[] {
  const oldestFirst = parts.placed.slice(last + 1, deepest + 1).flatMap(({ flat }) => flat).reverse();
  const chosen = new Set([first]);
  for (let before = 0; before < chosen.size;) {
    before = chosen.size;
    addOverlapping(chosen, oldestFirst);
    for (const newer of overlapping(parts, last, [...chosen])) chosen.add(newer);
  }
  return [...chosen];
}

/** Returns the segments of a level that overlap the range from the first to the last of `by`. */
function overlapping(
  { placed }: LevelParts,
  level: number,
  by: readonly PlacedSegment[],
): readonly PlacedSegment[] {
  const segments = placed[level];
  if (segments === undefined || segments.count === 0) return [];
  const first = by.reduce((a, b) => beginsBefore(b, a) ? b : a);
  const last = by.reduce((a, b) => endsBehind(b, a) ? b : a);
  if (segments.breaks > 0) {
    return segments.flat.filter((one) => !endsBefore(one, first) && !endsBefore(last, one));
  }
  const start = segments.firstReaching(first);
  return segments.slice(start, segments.firstBehind(last, start));
}

function isAnyBusy({ busy }: LevelParts, segments: readonly PlacedSegment[]): boolean {
  return busy.size > 0 && segments.some(({ id }) => busy.has(id));
}

function idsOf(segments: readonly PlacedSegment[]): readonly number[] {
  return segments.map(({ id }) => id);
}
