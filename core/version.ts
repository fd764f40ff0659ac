/**
 * The version: which segments make up the tree, and in which order.
 *
 * ```text
 * version   runs, newest first            level
 *           [ a..f ][ g..q ]              0      a flush goes in front
 *           [ b..p ]                      0
 *           [ a..c ][ d..k ][ l..z ]      1      a merge's output takes the place of its inputs
 *           [ a..g ][ h..z ]              2
 * ```
 *
 * A *run* is a list of segments that are sorted and disjoint, all of one level. For a key the first run that has it
 * is right: order is position, never an id and never a sequence number.
 *
 * Invariants (`checkVersion`):
 * - Segments of a run are sorted by key and disjoint; no run is empty; ids are unique.
 * - Levels never decrease from run to run.
 * - A segment holds one entry per key.
 *
 * The version is a fold of edits (`edit.ts`), live and in recovery alike.
 *
 * @module
 */

import type { StoredConfig } from "./config.ts";
import { DEFAULT_STORED_CONFIG } from "./config.ts";
import type { Salt } from "./file_header.ts";
import type { JournalRef } from "./memtable.ts";

/** The number of a segment. */
export type SegmentId = number;

/** What the version knows of a segment. */
export interface SegmentMeta {
  /** Its number. */
  readonly id: SegmentId;
  /** The length of its file in bytes. */
  readonly size: number;
  /** Its smallest key. */
  readonly minKey: string;
  /** Its greatest key. */
  readonly maxKey: string;
  /** How many entries it has, tombstones included. */
  readonly entries: number;
  /** How many of them are tombstones. */
  readonly tombstones: number;
  /** The first batch that any of its inputs held. */
  readonly seqnoMin: number;
  /** The last batch that any of its inputs held. */
  readonly seqnoMax: number;
  /** When the youngest of its inputs was flushed, in ms since the epoch. */
  readonly writtenAt: number;
  /** The salt in its file's header. */
  readonly salt: Salt;
}

/** Segments that are sorted by key and disjoint. */
export interface Run {
  /** The level it belongs to. */
  readonly level: number;
  /** Its segments, smallest keys first. */
  readonly segments: readonly SegmentMeta[];
}

/**
 * What a recovery or an orderly close decided about journals: of those with an id below `nextId` exactly
 * these bytes count, and all others are dead.
 */
export interface JournalFence {
  /** The journals that count, oldest first. */
  readonly journals: readonly JournalRef[];
  /** Journals from this id on are newer than the decision. */
  readonly nextId: number;
  /** The last batch at the time of the decision. */
  readonly lastSeqno: number;
}

/** Which segments make up the tree. */
export interface Version {
  /** Newest first. */
  readonly runs: readonly Run[];
  /** The number of the last edit folded in. */
  readonly editNumber: number;
  /** The last batch that the segments hold. */
  readonly flushedSeqno: number;
  /** Ids of files from here on were never used. */
  readonly nextId: number;
  /** What was last decided about journals. */
  readonly fence: JournalFence;
  /** The options that are stored with the tree. */
  readonly config: StoredConfig;
  /** The seed of the key hash. */
  readonly hashSeed: number;
}

/** The version of a tree that has no file yet. */
export const EMPTY_VERSION: Version = {
  runs: [],
  editNumber: 0,
  flushedSeqno: 0,
  nextId: 1,
  fence: { journals: [], nextId: 0, lastSeqno: 0 },
  config: DEFAULT_STORED_CONFIG,
  hashSeed: 0,
};

/** Returns the segment of a run whose range includes `key`, or `undefined`. Cost: O(log segments). */
export function segmentFor(run: Run, key: string): SegmentMeta | undefined {
  const at = firstSegmentEndingAtOrAfter(run.segments, key);
  const segment = run.segments[at];
  return segment !== undefined && segment.minKey <= key ? segment : undefined;
}

/** Returns the index of the first segment whose greatest key is at or after `key`; their number if none. */
export function firstSegmentEndingAtOrAfter(segments: readonly SegmentMeta[], key: string): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.maxKey < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Tells whether any segment's range includes `key`. */
export function versionCovers(version: Version, key: string): boolean {
  return version.runs.some((run) => segmentFor(run, key) !== undefined);
}

/** Tells whether the key ranges of two segments have a key in common. */
export function overlap(
  a: { readonly minKey: string; readonly maxKey: string },
  b: { readonly minKey: string; readonly maxKey: string },
): boolean {
  return a.minKey <= b.maxKey && b.minKey <= a.maxKey;
}

/** Returns all segments, newest run first. */
export function versionSegments(version: Version): readonly SegmentMeta[] {
  return version.runs.flatMap((run) => run.segments);
}

/** Returns what violates an invariant of a version, or `undefined` if nothing does. */
export function checkRuns(runs: readonly Run[]): string | undefined {
  const ids = new Set<SegmentId>();
  let level = 0;
  for (const run of runs) {
    if (run.level < level) return "a run stands below one of a deeper level";
    level = run.level;
    if (run.segments.length === 0) return "a run is empty";
    let before: SegmentMeta | undefined;
    for (const segment of run.segments) {
      if (ids.has(segment.id)) return `segment ${segment.id} is listed twice`;
      ids.add(segment.id);
      if (segment.minKey > segment.maxKey) return `the range of segment ${segment.id} is inverted`;
      if (before !== undefined && before.maxKey >= segment.minKey) {
        return `segments ${before.id} and ${segment.id} of one run overlap`;
      }
      before = segment;
    }
  }
  return undefined;
}

/** Where the outputs of a task go among the runs that are left when its inputs are gone. */
export interface Place {
  /** The level. */
  readonly level: number;
  /** The index of the run to join, or before which to stand as a run of its own. */
  readonly index: number;
  /** Whether to join that run. */
  readonly join: boolean;
}

/** Returns the runs without some segments; runs that lose all of theirs go too. */
export function withoutSegments(runs: readonly Run[], removed: ReadonlySet<SegmentId>): readonly Run[] {
  if (removed.size === 0) return runs;
  const left: Run[] = [];
  for (const run of runs) {
    if (!run.segments.some((segment) => removed.has(segment.id))) {
      left.push(run);
      continue;
    }
    const segments = run.segments.filter((segment) => !removed.has(segment.id));
    if (segments.length > 0) left.push({ level: run.level, segments });
  }
  return left;
}

/** Returns the runs with segments put at a place. */
export function withSegments(
  runs: readonly Run[],
  place: Place,
  segments: readonly SegmentMeta[],
): readonly Run[] {
  if (segments.length === 0) return runs;
  const joined = place.join ? runs[place.index]!.segments : [];
  const sorted = [...joined, ...segments].sort((a, b) =>
    a.minKey < b.minKey ? -1 : a.minKey > b.minKey ? 1 : 0
  );
  const run: Run = { level: place.level, segments: sorted };
  return [...runs.slice(0, place.index), run, ...runs.slice(place.join ? place.index + 1 : place.index)];
}

/**
 * Returns where the outputs of a merge or move of `inputs` to `level` belong, or why no place is right.
 *
 * Every segment that stays and shares keys with an input is either newer than all such inputs, and must stand
 * above the outputs, or older than all of them, and must stand below. At a level above 0 the outputs join a
 * run that they are disjoint from; otherwise they are a run of their own, as new as order allows.
 */
export function placeFor(
  runs: readonly Run[],
  inputs: ReadonlySet<SegmentId>,
  level: number,
  outputs: readonly { readonly minKey: string; readonly maxKey: string }[],
): Place | string {
  const taken = runs.map((run) => run.segments.filter((segment) => inputs.has(segment.id)));
  let above = -1;
  let below = Infinity;
  let index = 0;
  for (const [age, run] of runs.entries()) {
    const left = run.segments.filter((segment) => !inputs.has(segment.id));
    if (left.length === 0) continue;
    const newer = taken.slice(0, age).flat();
    const older = taken.slice(age + 1).flat();
    const underNewer = left.some((segment) => newer.some((input) => overlap(segment, input)));
    const overOlder = left.some((segment) => older.some((input) => overlap(segment, input)));
    if (underNewer && overOlder) {
      const between = left.find((segment) =>
        newer.some((input) => overlap(segment, input)) && older.some((input) => overlap(segment, input))
      );
      if (between !== undefined) return `segment ${between.id} lies between its inputs in age`;
    }
    if (underNewer) below = Math.min(below, index);
    if (overOlder) above = Math.max(above, index);
    index += 1;
  }
  return placeAmong(withoutSegments(runs, inputs), level, outputs, above, below);
}

/** Finds a place behind run `above` and before run `below` among the runs of `level`. */
function placeAmong(
  left: readonly Run[],
  level: number,
  outputs: readonly { readonly minKey: string; readonly maxKey: string }[],
  above: number,
  below: number,
): Place | string {
  const first = left.filter((run) => run.level < level).length;
  const end = left.filter((run) => run.level <= level).length;
  if (level > 0) {
    for (let index = Math.max(first, above + 1); index < Math.min(end, below); index++) {
      const free = left[index]!.segments.every((segment) =>
        !outputs.some((output) => overlap(segment, output))
      );
      if (free) return { level, index, join: true };
    }
  }
  const index = Math.max(first, above + 1);
  if (index > Math.min(end, below)) {
    return above >= end
      ? `at level ${level} it would stand above newer versions of its keys`
      : `at level ${level} it would stand below older versions of its keys`;
  }
  return { level, index, join: false };
}
