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

/** A segment that goes: where it stands in its level, and in which run, counted from the newest. */
interface Departure {
  readonly segment: PlacedSegment;
  readonly index: number;
  readonly run: number;
}

const NOTHING: ReadonlyMap<SegmentId, PlacedSegment> = new Map();

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
    return new Levels({ placed: this.#placed.slice(), busy: busy.size === 0 ? NOTHING : new Map(busy) });
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
    const runs: (readonly PlacedSegment[])[] = [];
    for (let level = 0; level < this.#placed.length; level++) {
      const own = segments.filter((segment) => segment.level === level);
      if (own.length === 0) continue;
      if (level > 0 && this.#runs[level]!.length === 1) {
        runs.push(own.sort((a, b) => beginsBefore(a, b) ? -1 : 1));
        continue;
      }
      const byRun = new Map<number, PlacedSegment[]>();
      for (const { segment, run } of this.#departures(own).get(level)!) {
        const known = byRun.get(run);
        if (known === undefined) byRun.set(run, [segment]);
        else known.push(segment);
      }
      runs.push(...[...byRun.keys()].sort((a, b) => a - b).map((run) => byRun.get(run)!));
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
    for (const segment of removed) this.#byId.delete(segment.id);
    const coming = arrival?.segments ?? [];
    const level = arrival?.level ?? -1;
    while (this.#placed.length <= level) {
      this.#placed.push(PlacedSegments.EMPTY);
      this.#runs.push([]);
    }
    const isReplaced = coming.length > 0 && level > 0 &&
      this.#replace(removed, level, coming, gone.get(level) ?? []);
    const before = [...this.#runs[level] ?? []];
    for (const [from, departures] of gone) {
      if (!isReplaced || from !== level) this.#remove(from, departures);
    }
    for (const segment of coming) this.#byId.set(segment.id, segment);
    if (isReplaced || coming.length === 0) return;
    if (level === 0) this.#putInLevel0(removed, coming, gone.get(0) ?? []);
    else this.#put(removed, level, coming, gone.get(level) ?? [], before);
  }

  /** Finds where each segment stands. */
  #departures(segments: readonly PlacedSegment[]): Map<number, Departure[]> {
    const byLevel = new Map<number, PlacedSegment[]>();
    for (const segment of segments) {
      const known = byLevel.get(segment.level);
      if (known === undefined) byLevel.set(segment.level, [segment]);
      else known.push(segment);
    }
    const departures = new Map<number, Departure[]>();
    for (const [level, own] of byLevel) {
      departures.set(level, level === 0 ? this.#departuresOfLevel0(own) : this.#departuresOf(level, own));
    }
    return departures;
  }

  /** Segments mostly stand side by side, so what follows one that was found is compared with the next that is wanted. */
  #departuresOf(level: number, segments: readonly PlacedSegment[]): Departure[] {
    const placed = this.#placed[level]!;
    const runs = this.runsOf(level);
    const found: Departure[] = [];
    for (let next = 0; next < segments.length;) {
      const segment = segments[next]!;
      let index = -1;
      const run = runs.findIndex(([start, end]) => {
        index = placed.firstReaching(segment, start, end);
        return index < end && placed.at(index).id === segment.id;
      });
      const end = Math.min(runs[run]![1], index + segments.length - next);
      for (const one of placed.slice(index, end)) {
        if (one.id !== segments[next]!.id) break;
        found.push({ segment: one, index, run });
        index += 1;
        next += 1;
      }
    }
    return found.sort((a, b) => a.index - b.index);
  }

  /** The oldest go first, mostly. */
  #departuresOfLevel0(segments: readonly PlacedSegment[]): Departure[] {
    const ids = new Set(segments.map(({ id }) => id));
    const departures: Departure[] = [];
    const placed = this.#placed[0]!;
    for (let index = placed.count - 1; index >= 0 && departures.length < ids.size; index--) {
      const segment = placed.at(index);
      if (ids.has(segment.id)) departures.push({ segment, index, run: index });
    }
    return departures.reverse();
  }

  #remove(level: number, departures: readonly Departure[]): void {
    let placed = this.#placed[level]!;
    for (let last = departures.length - 1; last >= 0;) {
      let first = last;
      while (first > 0 && departures[first - 1]!.index === departures[first]!.index - 1) first -= 1;
      placed = placed.splice(departures[first]!.index, departures[last]!.index + 1, []);
      last = first - 1;
    }
    this.#placed[level] = placed;
    if (level === 0) return;
    const lengths = this.#runs[level]!;
    for (const { run } of departures) lengths[run]! -= 1;
    this.#runs[level] = lengths.filter((length) => length > 0);
  }

  /** Puts segments where others of the only run of a level go, in one change, if nothing else is in their way. */
  #replace(
    removed: readonly PlacedSegment[],
    level: number,
    segments: readonly PlacedSegment[],
    departures: readonly Departure[],
  ): boolean {
    if (this.#runs[level]!.length !== 1) return false;
    const placed = this.#placed[level]!;
    const [first, last] = hullOf(removed, segments);
    const start = departures[0]?.index ?? placed.firstReaching(first);
    const end = start + departures.length;
    if (departures.length > 0 && departures.at(-1)!.index !== end - 1) return false;
    if (start > 0 && !endsBefore(placed.at(start - 1), first)) return false;
    if (end < placed.count && !endsBefore(last, placed.at(end))) return false;
    this.#placed[level] = placed.splice(start, end, segments);
    this.#runs[level]![0] = this.#placed[level]!.count;
    return true;
  }

  /** Puts segments into a run of a level that they fit in, or in front of the first that they must not stand behind. */
  #put(
    removed: readonly PlacedSegment[],
    level: number,
    segments: readonly PlacedSegment[],
    departures: readonly Departure[],
    lengthsBefore: readonly number[],
  ): void {
    const runs = this.runsOf(level);
    const ages = agesAfter(lengthsBefore, departures);
    const [first, last] = hullOf(removed, segments);
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
    let [start, index] = [0, 0];
    for (let age = 0; index < placed.count; age++) {
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

function hullOf(
  some: readonly PlacedSegment[],
  others: readonly PlacedSegment[],
): [first: PlacedSegment, last: PlacedSegment] {
  let [first, last] = [some[0]!, some[0]!];
  for (const segments of [some, others]) {
    for (const segment of segments) {
      if (beginsBefore(segment, first)) first = segment;
      if (endsBehind(segment, last)) last = segment;
    }
  }
  return [first, last];
}
