/**
 * A tree of shapes: what a version is for a real tree, made cheap enough for a million changes.
 *
 * Levels are persistent lists, and beside each stands how many segments every one of its runs has, newest first; level 0 needs
 * none, since there each flush is a run of its own. A change takes segments away and puts others at the place where the core
 * would put them (`placeFor` in `core/version.ts`); a property compares the two.
 *
 * Only runs of the level that the outputs go to are looked at: what is higher up is newer and what is deeper is older, wherever in
 * their levels they stand.
 *
 * @module
 */

import type { SegmentId } from "../core/mod.ts";
import { Levels } from "./levels.ts";
import { beginsBefore, endsBefore, endsBehind, placedOverlap } from "./placed_segment.ts";
import type { PlacedSegment } from "./placed_segment.ts";
import { PlacedSegments } from "./placed_segments.ts";

/** Segments that come, and the level they go to. */
export interface Arrival {
  /** The level. */
  readonly level: number;
  /** The segments at that level, smallest keys first. */
  readonly segments: readonly PlacedSegment[];
}

/** A segment that goes, and which run of its level it was in, counted from the newest. */
interface Departure {
  readonly segment: PlacedSegment;
  readonly run: number;
}

/** A tree of shapes that changes. */
export class SimulatedTree {
  #placed: PlacedSegments[];
  /** How many segments each run of a level has; of level 0 nothing. */
  readonly #runs: number[][];
  readonly #byId: Map<SegmentId, PlacedSegment> = new Map();

  /** Begins without segments. */
  constructor(levelCount: number) {
    this.#placed = Array.from({ length: levelCount }, () => PlacedSegments.EMPTY);
    this.#runs = this.#placed.map(() => []);
  }

  /** Its levels. They never change: a change of the tree makes others. */
  get placed(): readonly PlacedSegments[] {
    return this.#placed;
  }

  /** Returns the segment of a number, if it is there. */
  get(id: SegmentId): PlacedSegment | undefined {
    return this.#byId.get(id);
  }

  /** Returns its shape as a value. Cost: O(levels). */
  levels(busy: ReadonlyMap<SegmentId, PlacedSegment>): Levels {
    return new Levels({ placed: [...this.#placed], busy: new Map(busy) });
  }

  /** Returns the runs of a level as lists of indices: where each begins and ends, newest first. */
  runsOf(level: number): readonly (readonly [start: number, end: number])[] {
    const { count } = this.#placed[level]!;
    if (level === 0) return Array.from({ length: count }, (_, i) => [i, i + 1] as const);
    let end = 0;
    return this.#runs[level]!.map((length) => [end, end += length] as const);
  }

  /** Returns segments by run, newest first. Requires: they are there. */
  byRun(segments: readonly PlacedSegment[]): readonly (readonly PlacedSegment[])[] {
    const runs: PlacedSegment[][] = [];
    const found = this.#departures(segments);
    for (const level of [...found.keys()].sort((a, b) => a - b)) {
      const byRun = new Map<number, PlacedSegment[]>();
      for (const { segment, run } of found.get(level)!) {
        const known = byRun.get(run);
        if (known === undefined) byRun.set(run, [segment]);
        else known.push(segment);
      }
      for (const run of [...byRun.keys()].sort((a, b) => a - b)) {
        runs.push(byRun.get(run)!.sort((a, b) => beginsBefore(a, b) ? -1 : 1));
      }
    }
    return runs;
  }

  /** Puts the segments of a flush in front. */
  flush(segments: readonly PlacedSegment[]): void {
    this.#placed[0] = this.#placed[0]!.splice(0, 0, segments);
    for (const segment of segments) this.#byId.set(segment.id, segment);
  }

  /** Takes segments away and puts others where they belong. Requires: it is legal. */
  change(removed: readonly PlacedSegment[], arrival: Arrival | undefined): void {
    const gone = this.#departures(removed);
    const before = arrival === undefined ? [] : [...this.#runs[arrival.level] ?? []];
    for (const [level, departures] of gone) this.#remove(level, departures);
    for (const segment of removed) this.#byId.delete(segment.id);
    if (arrival === undefined || arrival.segments.length === 0) return;
    while (this.#placed.length <= arrival.level) {
      this.#placed.push(PlacedSegments.EMPTY);
      this.#runs.push([]);
    }
    if (arrival.level === 0) this.#putInLevel0(removed, arrival.segments, gone.get(0) ?? []);
    else this.#put(removed, arrival, gone.get(arrival.level) ?? [], before);
    for (const segment of arrival.segments) this.#byId.set(segment.id, segment);
  }

  /** Finds which run each segment is in; of level 0 its index stands for the run. */
  #departures(segments: readonly PlacedSegment[]): Map<number, Departure[]> {
    const byLevel = new Map<number, Departure[]>();
    const inLevel0 = new Map<SegmentId, PlacedSegment>();
    for (const segment of segments) {
      if (segment.level === 0) {
        inLevel0.set(segment.id, segment);
        continue;
      }
      const run = this.runsOf(segment.level).findIndex(([start, end]) =>
        this.#indexIn(segment, start, end) >= 0
      );
      const known = byLevel.get(segment.level);
      if (known === undefined) byLevel.set(segment.level, [{ segment, run }]);
      else known.push({ segment, run });
    }
    if (inLevel0.size > 0) byLevel.set(0, this.#departuresOfLevel0(inLevel0));
    return byLevel;
  }

  /** The oldest go first, mostly. */
  #departuresOfLevel0(segments: ReadonlyMap<SegmentId, PlacedSegment>): Departure[] {
    const departures: Departure[] = [];
    const placed = this.#placed[0]!;
    for (let i = placed.count - 1; i >= 0 && departures.length < segments.size; i--) {
      const segment = placed.at(i);
      if (segments.has(segment.id)) departures.push({ segment, run: i });
    }
    return departures.reverse();
  }

  #indexIn(segment: PlacedSegment, start: number, end: number): number {
    const placed = this.#placed[segment.level]!;
    const index = placed.firstReaching(segment, start, end);
    return index < end && placed.at(index).id === segment.id ? index : -1;
  }

  #remove(level: number, departures: readonly Departure[]): void {
    let placed = this.#placed[level]!;
    const runs = this.runsOf(level);
    const indices = level === 0
      ? departures.map(({ run }) => run)
      : departures.map(({ segment, run }) => this.#indexIn(segment, ...runs[run]!)).sort((a, b) => a - b);
    for (let last = indices.length - 1; last >= 0;) {
      let first = last;
      while (first > 0 && indices[first - 1] === indices[first]! - 1) first -= 1;
      placed = placed.splice(indices[first]!, indices[last]! + 1, []);
      last = first - 1;
    }
    this.#placed[level] = placed;
    if (level === 0) return;
    const lengths = this.#runs[level]!;
    for (const { run } of departures) lengths[run]! -= 1;
    this.#runs[level] = lengths.filter((length) => length > 0);
  }

  /** Puts segments into a run of a level that they fit in, or in front of the first that they must not stand behind. */
  #put(
    removed: readonly PlacedSegment[],
    { level, segments }: Arrival,
    departures: readonly Departure[],
    lengthsBefore: readonly number[],
  ): void {
    const runs = this.runsOf(level);
    const ages = agesAfter(lengthsBefore, departures);
    const [first, last] = hullOf([...removed, ...segments]);
    let above = -1;
    let below = Infinity;
    const isTouched = runs.map(([start, end], run) => {
      const reaching = this.#placed[level]!.firstReaching(first, start, end);
      if (reaching === end || endsBefore(last, this.#placed[level]!.at(reaching))) return false;
      for (const input of removed) {
        if (!this.#touches(level, start, end, input)) continue;
        if (isNewer(input, level, ages[run]!, departures)) below = Math.min(below, run);
        else above = Math.max(above, run);
      }
      return true;
    });
    for (let run = above + 1; run < Math.min(runs.length, below); run++) {
      const [start, end] = runs[run]!;
      const isFree = !isTouched[run] || !segments.some((one) => this.#touches(level, start, end, one));
      if (isFree) return this.#join(level, run, start, end, segments);
    }
    const start = runs[above + 1]?.[0] ?? this.#placed[level]!.count;
    this.#placed[level] = this.#placed[level]!.splice(start, start, segments);
    this.#runs[level]!.splice(above + 1, 0, segments.length);
  }

  #touches(level: number, start: number, end: number, segment: PlacedSegment): boolean {
    const placed = this.#placed[level]!;
    const index = placed.firstReaching(segment, start, end);
    return index < end && placedOverlap(placed.at(index), segment);
  }

  #join(level: number, run: number, start: number, end: number, segments: readonly PlacedSegment[]): void {
    let placed = this.#placed[level]!;
    const from = placed.firstReaching(segments[0]!, start, end);
    const to = placed.firstReaching(segments.at(-1)!, start, end);
    if (from === to) {
      placed = placed.splice(from, from, segments);
    } else {
      let length = end;
      for (const segment of segments) {
        const index = placed.firstReaching(segment, start, length);
        placed = placed.splice(index, index, [segment]);
        length += 1;
      }
    }
    this.#placed[level] = placed;
    this.#runs[level]![run]! += segments.length;
  }

  /** In level 0 nothing is joined: segments stand as new as order allows, which is behind all that is newer and overlaps an input. */
  #putInLevel0(
    removed: readonly PlacedSegment[],
    segments: readonly PlacedSegment[],
    departures: readonly Departure[],
  ): void {
    const placed = this.#placed[0]!;
    const gone = new Set(departures.map(({ run }) => run));
    let start = 0;
    for (let age = 0, index = 0; index < placed.count; age++) {
      if (gone.has(age)) continue;
      const older = removed.filter((input) =>
        input.level > 0 || departures.some(({ segment, run }) => segment.id === input.id && run > age)
      );
      if (older.some((input) => placedOverlap(placed.at(index), input))) start = index + 1;
      index += 1;
    }
    this.#placed[0] = placed.splice(start, start, segments);
  }
}

/** Returns for each run that is left which of those before it was. */
function agesAfter(lengthsBefore: readonly number[], departures: readonly Departure[]): readonly number[] {
  const left = [...lengthsBefore];
  for (const { run } of departures) left[run]! -= 1;
  return left.flatMap((length, run) => length > 0 ? [run] : []);
}

/** Tells whether an input is newer than a run of a level. */
function isNewer(
  input: PlacedSegment,
  level: number,
  age: number,
  departures: readonly Departure[],
): boolean {
  if (input.level !== level) return input.level < level;
  return departures.some(({ segment, run }) => segment.id === input.id && run < age);
}

function hullOf(segments: readonly PlacedSegment[]): [first: PlacedSegment, last: PlacedSegment] {
  let [first, last] = [segments[0]!, segments[0]!];
  for (const segment of segments) {
    if (beginsBefore(segment, first)) first = segment;
    if (endsBehind(segment, last)) last = segment;
  }
  return [first, last];
}
