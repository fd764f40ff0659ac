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
 * A change of the tree makes a new value, which shares all but the changed part with the one before: levels are persistent lists
 * (`placed_segments.ts`), the shapes in `levels` are made when someone looks at them, and what is busy is kept beside. So a strategy
 * that only asks for sums and a few segments costs microseconds, whatever the size of the tree: {@linkcode placedOf} is for
 * those of this module, which the simulator asks some million times.
 *
 * @module
 */

import type { Run, SegmentId, SegmentMeta, Version } from "../core/mod.ts";
import { compareBytes, keyFromBytes } from "../core/mod.ts";
import { PlacedSegment } from "./placed_segment.ts";
import { PlacedSegments } from "./placed_segments.ts";

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

/** What a shape is made of, for the strategies of this module. */
export interface LevelParts {
  /** The segments of each level. */
  readonly placed: readonly PlacedSegments[];
  /** Those that a task or a pending change needs as they are. */
  readonly busy: ReadonlyMap<SegmentId, PlacedSegment>;
}

/** How many levels there are where nothing is said. */
const LEVEL_COUNT = 7;

/** Set by the class: nobody else sees its parts. */
let partsOf: (levels: Levels) => LevelParts;

/** Returns what a shape is made of. Cost: O(1). */
export function placedOf(levels: Levels): LevelParts {
  return partsOf(levels);
}

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
  /** The segments of each level; see the invariant above. Cost: the shapes of a level are made when they are first looked at. */
  declare readonly levels: readonly (readonly SegmentShape[])[];
  readonly #placed: readonly PlacedSegments[];
  readonly #busy: ReadonlyMap<SegmentId, PlacedSegment>;
  #shapes: readonly (readonly SegmentShape[])[] | undefined;

  /** An own property, as data would be, so that two values are compared by what they hold. */
  static readonly #LEVELS: PropertyDescriptor = {
    get(this: Levels): readonly (readonly SegmentShape[])[] {
      return this.#shapes ??= this.#placed.map((segments) => shapesOf(segments, this.#busy));
    },
    enumerable: true,
  };

  /**
   * Shapes are made by {@linkcode Levels.from}.
   *
   * @internal
   */
  constructor(parts: LevelParts) {
    this.#placed = parts.placed;
    this.#busy = parts.busy;
    Object.defineProperty(this, "levels", Levels.#LEVELS);
  }

  static {
    partsOf = (levels) => ({ placed: levels.#placed, busy: levels.#busy });
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
    const busy = new Map<SegmentId, PlacedSegment>();
    const placed = levels.map((shapes, level) =>
      PlacedSegments.of(
        ordered(shapes).map((shape) => {
          const keys = { minKey: textOf(shape.minKey), maxKey: textOf(shape.maxKey) };
          const one = new PlacedSegment({ ...shape, ...keys }, level);
          if (shape.busy) busy.set(shape.id, one);
          return one;
        }),
      )
    );
    return new Levels({ placed, busy });
  }

  /**
   * Returns the shape of a version, whose order of runs says which is newer.
   *
   * Cost: O(runs), and a step for each segment of a level that has changed since it was asked about; with busy segments one for each.
   */
  static of(version: Version, busy: ReadonlySet<SegmentId>, levelCount: number): Levels {
    const placed = placedLevels(version, levelCount);
    const needed = new Map<SegmentId, PlacedSegment>();
    if (busy.size > 0) {
      for (const segments of placed) {
        for (const one of segments.flat) if (busy.has(one.id)) needed.set(one.id, one);
      }
    }
    return new Levels({ placed, busy: needed });
  }

  /** Returns the shape as text, a line for each level that has segments. */
  toString(): string {
    const lines: string[] = [];
    for (const [level, segments] of this.#placed.entries()) {
      if (segments.count === 0) continue;
      const mebibytes = (segments.bytes / 1_048_576).toFixed(1);
      const ids = segments.flat.map(({ id }) => `#${id}${this.#busy.has(id) ? "*" : ""}`).join(" ");
      lines.push(`L${level}  ${segments.count} segments, ${mebibytes} MiB   ${ids}`);
    }
    return lines.join("\n");
  }
}

/** Shapes by the list they were made of, so that levels which did not change have the same ones. */
const SHAPES: WeakMap<PlacedSegments, readonly SegmentShape[]> = new WeakMap();

/** What the shapes of a level were made of. */
const LISTS: WeakMap<readonly SegmentShape[], PlacedSegments> = new WeakMap();

function shapesOf(
  segments: PlacedSegments,
  busy: ReadonlyMap<SegmentId, PlacedSegment>,
): readonly SegmentShape[] {
  let shapes = SHAPES.get(segments);
  if (shapes === undefined) {
    shapes = listed(segments.flat.map((segment) => segment.shape), segments);
    SHAPES.set(segments, shapes);
  }
  if (busy.size === 0 || !shapes.some(({ id }) => busy.has(id))) return shapes;
  const marked = shapes.map((shape) => busy.has(shape.id) ? Object.freeze({ ...shape, busy: true }) : shape);
  return listed(marked, segments);
}

/** Freezes shapes: other values have the same ones, and a strategy of the user's own may not be in TypeScript. */
function listed(shapes: readonly SegmentShape[], segments: PlacedSegments): readonly SegmentShape[] {
  LISTS.set(shapes, segments);
  return Object.freeze(shapes);
}

/** Segments of versions as they were placed, and levels of versions by their first run. */
const PLACED: WeakMap<SegmentMeta, PlacedSegment> = new WeakMap();
const PLACED_RUNS: WeakMap<Run, { readonly runs: readonly Run[]; readonly segments: PlacedSegments }> =
  new WeakMap();

/** Returns the levels of a version. Runs are never changed, so a level that has the same ones is the same. */
function placedLevels(version: Version, levelCount: number): readonly PlacedSegments[] {
  const levels: PlacedSegments[] = Array.from({ length: levelCount }, () => PlacedSegments.EMPTY);
  for (let first = 0; first < version.runs.length;) {
    const { level } = version.runs[first]!;
    let end = first;
    while (end < version.runs.length && version.runs[end]!.level === level) end += 1;
    while (levels.length <= level) levels.push(PlacedSegments.EMPTY);
    levels[level] = placedRuns(version.runs.slice(first, end), level);
    first = end;
  }
  return levels;
}

function placedRuns(runs: readonly Run[], level: number): PlacedSegments {
  const known = PLACED_RUNS.get(runs[0]!);
  if (known?.runs.length === runs.length && runs.every((run, i) => run === known.runs[i])) {
    return known.segments;
  }
  const segments = PlacedSegments.of(runs.flatMap((run) => run.segments.map((meta) => placed(meta, level))));
  PLACED_RUNS.set(runs[0]!, { runs, segments });
  return segments;
}

function placed(meta: SegmentMeta, level: number): PlacedSegment {
  const known = PLACED.get(meta);
  if (known?.level === level) return known;
  const made = known?.at(level) ?? new PlacedSegment(meta, level);
  PLACED.set(meta, made);
  return made;
}

function textOf(key: Uint8Array): string {
  return keyFromBytes(key, 0, key.length);
}

/** Returns the bytes of some segments. Cost: O(1) for a level of a shape. */
export function bytesOf(segments: readonly SegmentShape[]): number {
  return LISTS.get(segments)?.bytes ?? segments.reduce((sum, segment) => sum + segment.size, 0);
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

/** Runs by the list they were found in. */
const RUNS: WeakMap<readonly SegmentShape[], readonly (readonly SegmentShape[])[]> = new WeakMap();

/**
 * Returns the runs of a level, newest first: a run ends where the next segment does not follow in key order.
 *
 * Two runs of which the newer one ends before the older one begins count as one: they are sorted and disjoint.
 *
 * Cost: O(n), the first time for a level of a shape.
 */
export function runsOf(segments: readonly SegmentShape[]): readonly (readonly SegmentShape[])[] {
  const list = LISTS.get(segments);
  if (list?.breaks === 0) return list.count === 0 ? [] : [segments];
  const known = RUNS.get(segments);
  if (known !== undefined) return known;
  const runs: SegmentShape[][] = [];
  for (const segment of segments) {
    const before = runs.at(-1)?.at(-1);
    if (before !== undefined && compareKeys(before.maxKey, segment.minKey) < 0) runs.at(-1)!.push(segment);
    else runs.push([segment]);
  }
  if (list !== undefined) RUNS.set(segments, runs);
  return runs;
}

/** Sorts the segments of a level by key, and those that overlap newest first. */
function ordered(segments: readonly SegmentShape[]): readonly SegmentShape[] {
  const byKey = [...segments].sort((a, b) => compareKeys(a.minKey, b.minKey));
  const anyOverlap = byKey.some((segment, i) => i > 0 && shapesOverlap(byKey[i - 1]!, segment));
  return anyOverlap ? byKey.sort((a, b) => b.seqnoMax - a.seqnoMax) : byKey;
}
