/**
 * The shape of a tree: its segments by level, as an immutable value that a strategy looks at.
 *
 * Shapes alone: no keys but the bounds, no data, no disk. So a strategy is a pure function of it, a test can write one
 * down, and a simulation can make millions.
 *
 * ```text
 * L0  3 segments, 12.0 MiB   #9 #8 #7
 * L1  2 segments, 40.1 MiB   #5 #6
 * ```
 *
 * Invariant: within a level segments are sorted by key; where two overlap, the newer one comes first. At level 0 that
 * makes them newest first.
 *
 * @module
 */

import type { SegmentId, SegmentMeta, Version } from "../core/mod.ts";
import { compareBytes, keyToBytes } from "../core/mod.ts";

/** What a strategy knows of a segment. */
export interface SegmentShape {
  /** Its number. */
  readonly id: SegmentId;
  /** Its level. */
  readonly level: number;
  /** The length of its file in bytes. */
  readonly size: number;
  /** Its smallest key. */
  readonly minKey: Uint8Array;
  /** Its greatest key. */
  readonly maxKey: Uint8Array;
  /** How many entries it has, tombstones included. */
  readonly entries: number;
  /** How many of them are tombstones. */
  readonly tombstones: number;
  /** When the youngest of its inputs was flushed, in ms since the epoch. */
  readonly writtenAt: number;
  /** The first batch that any of its inputs held. */
  readonly seqnoMin: number;
  /** The last batch that any of its inputs held. */
  readonly seqnoMax: number;
  /** Whether a task or a pending change needs it as it is. */
  readonly busy: boolean;
}

/** How many levels there are where nothing is said. */
const LEVEL_COUNT = 7;

/**
 * The shape of a tree.
 *
 * @example Usage
 * ```ts
 * import { Levels } from "@lsm/tree/compaction";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = (text: string) => new TextEncoder().encode(text);
 * const segment = {
 *   id: 1, level: 0, size: 4096, minKey: bytes("a"), maxKey: bytes("k"), entries: 40, tombstones: 0,
 *   writtenAt: 0, seqnoMin: 1, seqnoMax: 40, busy: false,
 * };
 * const levels = Levels.from([segment, { ...segment, id: 2, level: 1 }]);
 * assertEquals(levels.levels[1]?.map((one) => one.id), [2]);
 * ```
 */
export class Levels {
  /** The segments of each level; see the invariant above. */
  readonly levels: readonly (readonly SegmentShape[])[];

  /**
   * Shapes are made by {@linkcode Levels.from}.
   *
   * @internal
   */
  constructor(levels: readonly (readonly SegmentShape[])[]) {
    this.levels = levels;
  }

  /**
   * Returns the shape that segments make.
   *
   * @param segments In any order; of two that overlap in one level the one with the higher `seqnoMax` is newer.
   * @param options How many levels there are at least; 7 if not given.
   */
  static from(segments: Iterable<SegmentShape>, options: { levelCount?: number } = {}): Levels {
    const levels: SegmentShape[][] = Array.from({ length: options.levelCount ?? LEVEL_COUNT }, () => []);
    for (const segment of segments) {
      while (levels.length <= segment.level) levels.push([]);
      levels[segment.level]!.push(segment);
    }
    return new Levels(levels.map(ordered));
  }

  /** Returns the shape of a version, whose order of runs says which is newer. */
  static of(version: Version, busy: ReadonlySet<SegmentId>, levelCount: number): Levels {
    const levels: SegmentShape[][] = Array.from({ length: levelCount }, () => []);
    for (const run of version.runs) {
      while (levels.length <= run.level) levels.push([]);
      for (const segment of run.segments) levels[run.level]!.push(shapeOf(segment, run.level, busy));
    }
    return new Levels(levels);
  }

  /** Returns the shape as text, a line for each level that has segments. */
  toString(): string {
    const lines: string[] = [];
    for (const [level, segments] of this.levels.entries()) {
      if (segments.length === 0) continue;
      const mebibytes = (bytesOf(segments) / 1_048_576).toFixed(1);
      const ids = segments.map((segment) => `#${segment.id}${segment.busy ? "*" : ""}`).join(" ");
      lines.push(`L${level}  ${segments.length} segments, ${mebibytes} MiB   ${ids}`);
    }
    return lines.join("\n");
  }
}

/** Bounds as bytes, made once for each segment. */
const BOUNDS: WeakMap<SegmentMeta, { readonly minKey: Uint8Array; readonly maxKey: Uint8Array }> =
  new WeakMap();

function shapeOf(segment: SegmentMeta, level: number, busy: ReadonlySet<SegmentId>): SegmentShape {
  let bounds = BOUNDS.get(segment);
  if (bounds === undefined) {
    bounds = { minKey: keyToBytes(segment.minKey), maxKey: keyToBytes(segment.maxKey) };
    BOUNDS.set(segment, bounds);
  }
  return {
    id: segment.id,
    level,
    size: segment.size,
    minKey: bounds.minKey,
    maxKey: bounds.maxKey,
    entries: segment.entries,
    tombstones: segment.tombstones,
    writtenAt: segment.writtenAt,
    seqnoMin: segment.seqnoMin,
    seqnoMax: segment.seqnoMax,
    busy: busy.has(segment.id),
  };
}

/** Returns the bytes of some segments. */
export function bytesOf(segments: readonly SegmentShape[]): number {
  return segments.reduce((sum, segment) => sum + segment.size, 0);
}

/** Compares two keys. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

/** Tells whether the key ranges of two segments have a key in common. */
export function shapesOverlap(
  a: { readonly minKey: Uint8Array; readonly maxKey: Uint8Array },
  b: { readonly minKey: Uint8Array; readonly maxKey: Uint8Array },
): boolean {
  return compareKeys(a.minKey, b.maxKey) <= 0 && compareKeys(b.minKey, a.maxKey) <= 0;
}

/**
 * Returns the runs of a level, newest first: a run ends where the next segment does not follow in key order.
 *
 * Two runs of which the newer one ends before the older one begins count as one: they are sorted and disjoint.
 */
export function runsOf(segments: readonly SegmentShape[]): readonly (readonly SegmentShape[])[] {
  const runs: SegmentShape[][] = [];
  for (const segment of segments) {
    const before = runs.at(-1)?.at(-1);
    if (before !== undefined && compareKeys(before.maxKey, segment.minKey) < 0) runs.at(-1)!.push(segment);
    else runs.push([segment]);
  }
  return runs;
}

/** Sorts the segments of a level by key, and those that overlap newest first. */
function ordered(segments: readonly SegmentShape[]): readonly SegmentShape[] {
  const byKey = [...segments].sort((a, b) => compareKeys(a.minKey, b.minKey));
  const anyOverlap = byKey.some((segment, i) => i > 0 && shapesOverlap(byKey[i - 1]!, segment));
  return anyOverlap ? byKey.sort((a, b) => b.seqnoMax - a.seqnoMax) : byKey;
}
