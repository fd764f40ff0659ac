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
 * Each level has a score: level 0 its segments by the threshold, the others their bytes by their target. The
 * highest score from 1 on is worked off: level 0 as a whole with what it overlaps in L1; of a deeper level the one
 * segment that drags along the fewest bytes of the next level for each of its own (RocksDB's kMinOverlappingRatio). A
 * segment that overlaps nothing below is moved without being rewritten.
 *
 * Arithmetic: a byte that goes down one level takes about `ratio` bytes of that level along, so with L levels in use an
 * update is written about `ratio x L` times at worst; in practice about half of that, since a level is on average
 * half full. A point read looks at every segment of level 0 and one of each level below. Space: at most
 * `1 + 1/ratio` of the live data, for overwrites that have not met.
 *
 * Why L1 as large as level 0 when that is merged: then that merge reads about as much from either side, which makes its
 * write amplification 2 (RocksDB tuning guide).
 *
 * Source: LevelDB (doc/impl.md), RocksDB wiki "Leveled Compaction".
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { Levels, SegmentShape } from "./levels.ts";
import { bytesOf, compareKeys, runsOf, shapesOverlap } from "./levels.ts";
import type { BuiltInStrategy, LevelOptions } from "./strategy.ts";
import { builtIn, checkOption } from "./strategy.ts";

/** How {@linkcode leveled} may be set. */
export interface LeveledOptions {
  /** How many segments level 0 may have before it is merged; 4 if not given. */
  readonly l0Threshold?: number;
  /** Bytes from which on a merge begins a new segment, 1 KiB and up; 64 MiB if not given. */
  readonly targetSize?: number;
}

const L0_THRESHOLD = 4;
const TARGET_BYTES = 64 * 1024 * 1024;

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
    choose: (levels, given) => choose(levels, given, l0Threshold, targetSize),
  });
}

function choose(
  levels: Levels,
  options: LevelOptions,
  l0Threshold: number,
  targetSize: number,
): CompactionChoice {
  const deepest = levels.levels.findLastIndex((level) => level.length > 0);
  if (deepest >= options.levelCount) return liftDeepest(levels, deepest, options.levelCount - 1, targetSize);
  const scores = levels.levels.slice(0, options.levelCount - 1).map((level, i) => ({
    level: i,
    score: i === 0 ? level.length / l0Threshold : bytesOf(level) / targetOf(i, options, l0Threshold),
  }));
  scores.sort((a, b) => b.score - a.score || a.level - b.level);
  for (const { level, score } of scores) {
    if (score < 1) break;
    const choice = level === 0 ? pushLevel0(levels, targetSize) : pushSegment(levels, level, targetSize);
    if (choice.kind !== "none") {
      const reason = level === 0
        ? `level 0 has ${levels.levels[0]!.length} segments, threshold ${l0Threshold}`
        : `level ${level} is ${score.toFixed(2)} times its target`;
      return { ...choice, reason };
    }
  }
  return { kind: "none" };
}

function targetOf(level: number, options: LevelOptions, l0Threshold: number): number {
  return l0Threshold * options.maxMemtableSize * options.levelRatio ** (level - 1);
}

/** Takes all of level 0 down, with what it overlaps. */
function pushLevel0(levels: Levels, targetSize: number): CompactionChoice {
  const flushed = levels.levels[0]!;
  const chosen = withAllToTakeDown(levels, 0, flushed, []);
  if (chosen.some((segment) => segment.busy)) return { kind: "none" };
  const apart = flushed.every((a, i) => flushed.every((b, j) => j <= i || !shapesOverlap(a, b)));
  if (chosen.length === flushed.length && apart) return moveDown(levels, 0, flushed);
  return { kind: "merge", segments: idsOf(chosen), destLevel: 1, targetSize };
}

/** Takes the segment down that drags along the least. */
function pushSegment(levels: Levels, level: number, targetSize: number): CompactionChoice {
  const own = levels.levels[level]!;
  const overlapped = runsOf(own).length > 1 ? own : [];
  let best: { readonly chosen: readonly SegmentShape[]; readonly ratio: number } | undefined;
  for (const segment of own) {
    const chosen = withAllToTakeDown(levels, level, [segment], overlapped);
    if (chosen.some((one) => one.busy)) continue;
    const ratio = bytesOf(chosen) / Math.max(segment.size, 1);
    if (best === undefined || ratio < best.ratio) best = { chosen, ratio };
  }
  if (best === undefined) return { kind: "none" };
  if (best.chosen.length === 1) return moveDown(levels, level, best.chosen);
  return { kind: "merge", segments: idsOf(best.chosen), destLevel: level + 1, targetSize };
}

/** Takes segments down that overlap nothing there; those that only hide what is not there any more are dropped. */
function moveDown(levels: Levels, level: number, segments: readonly SegmentShape[]): CompactionChoice {
  const below = levels.levels.keys().filter((one) => one > level).toArray();
  const hidesNothing = segments.every((segment) =>
    segment.tombstones === segment.entries &&
    below.every((one) => overlapping(levels, one, [segment]).length === 0)
  );
  return hidesNothing
    ? { kind: "drop", segments: idsOf(segments) }
    : { kind: "move", segments: idsOf(segments), destLevel: level + 1 };
}

/** Empties a level that is deeper than there are levels, one segment at a time, into the last one. */
function liftDeepest(levels: Levels, deepest: number, last: number, targetSize: number): CompactionChoice {
  for (const segment of levels.levels[deepest]!) {
    const chosen = withAllToLift(levels, deepest, last, segment);
    if (chosen.some((one) => one.busy)) continue;
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
  levels: Levels,
  level: number,
  first: readonly SegmentShape[],
  overlapped: readonly SegmentShape[],
): readonly SegmentShape[] {
  const chosen = new Set(first);
  for (let before = 0; before < chosen.size;) {
    before = chosen.size;
    addOverlapping(chosen, overlapped);
    for (const below of overlapping(levels, level + 1, [...chosen])) chosen.add(below);
  }
  return [...chosen];
}

/** Adds what overlaps a segment that is chosen and stands before it. */
function addOverlapping(chosen: Set<SegmentShape>, segments: readonly SegmentShape[]): void {
  for (const [i, segment] of segments.entries()) {
    if (chosen.has(segment)) continue;
    if (segments.some((one, j) => j < i && chosen.has(one) && shapesOverlap(one, segment))) {
      chosen.add(segment);
    }
  }
}

/**
 * Returns a segment of the deepest level with all that has to go up to the last level with it: of the levels between what is newer
 * and overlaps, and of the last level what is in their range.
 */
function withAllToLift(
  levels: Levels,
  deepest: number,
  last: number,
  first: SegmentShape,
): readonly SegmentShape[] {
  const oldestFirst = levels.levels.slice(last + 1, deepest + 1).flat().reverse();
  const chosen = new Set([first]);
  for (let before = 0; before < chosen.size;) {
    before = chosen.size;
    addOverlapping(chosen, oldestFirst);
    for (const newer of overlapping(levels, last, [...chosen])) chosen.add(newer);
  }
  return [...chosen];
}

/** Returns the segments of a level that overlap the range from the first to the last of `by`. */
function overlapping(levels: Levels, level: number, by: readonly SegmentShape[]): readonly SegmentShape[] {
  const minKey = by.map((segment) => segment.minKey).reduce((a, b) => compareKeys(a, b) <= 0 ? a : b);
  const maxKey = by.map((segment) => segment.maxKey).reduce((a, b) => compareKeys(a, b) >= 0 ? a : b);
  const segments = levels.levels[level] ?? [];
  return isOneRun(segments)
    ? segments.slice(...stretchOf(segments, minKey, maxKey))
    : segments.filter((segment) => shapesOverlap(segment, { minKey, maxKey }));
}

/** Levels are asked about for each segment of the level above, so what they are is found out once. */
const ONE_RUN: WeakMap<readonly SegmentShape[], boolean> = new WeakMap();

function isOneRun(segments: readonly SegmentShape[]): boolean {
  let known = ONE_RUN.get(segments);
  if (known === undefined) {
    known = runsOf(segments).length <= 1;
    ONE_RUN.set(segments, known);
  }
  return known;
}

/** Returns where the segments of a run that overlap a range begin and end. Cost: O(log segments), and one step for each. */
function stretchOf(
  run: readonly SegmentShape[],
  minKey: Uint8Array,
  maxKey: Uint8Array,
): [start: number, end: number] {
  let start = 0;
  let high = run.length;
  while (start < high) {
    const middle = (start + high) >>> 1;
    if (compareKeys(run[middle]!.maxKey, minKey) < 0) start = middle + 1;
    else high = middle;
  }
  let end = start;
  while (end < run.length && compareKeys(run[end]!.minKey, maxKey) <= 0) end += 1;
  return [start, end];
}

function idsOf(segments: readonly SegmentShape[]): readonly number[] {
  return segments.map((segment) => segment.id);
}
