/**
 * Groups: segments that have to be compacted together, in stretches of the key space that are independent of each other.
 *
 * ```text
 * asked for   .....c==============q.....
 * L1          [a....d]                         each segment in the interval, and whatever is older than it and overlaps it:
 * L3             [c..e] [g..h]                 groups that share no key, so each may be merged for itself
 * L6          [a..b]  [f..g]   [k..m] [p..z]
 *              \_________/      \__/   \__/
 *            a group to merge      settled
 * ```
 *
 * A group may always be merged into the last level: what is left alone is newer than all of it that it overlaps.
 *
 * - *settled*: one segment of the last level without tombstones. Nothing can be won.
 * - *drop*: one segment of tombstones alone. It hides nothing, since nothing older overlaps it.
 * - *move*: one segment without tombstones above the last level. Nothing has to be rewritten.
 * - *merge*: all others.
 *
 * @module
 */

import type { Interval } from "../core/mod.ts";
import type { Stretch } from "./cover.ts";
import { KeyCover } from "./cover.ts";
import type { LevelParts } from "./levels.ts";
import type { PlacedSegment } from "./placed_segment.ts";
import { endsBefore } from "./placed_segment.ts";
import { PlacedSegments } from "./placed_segments.ts";

/**
 * Small groups are merged together up to so many times the target size of a segment.
 *
 * That is seconds of work, and there is not a step for each of a thousand.
 */
export const STEP_TARGETS = 4;

/** Segments that have to be compacted together. */
export interface Group extends Stretch {
  /** The segments, newest first. */
  readonly segments: readonly PlacedSegment[];
  /** Their bytes in the last level. */
  readonly bytesInLast: number;
  /** Their bytes above it. */
  readonly bytesAbove: number;
  /** Their bytes in the topmost level that was looked at. */
  readonly bytesOnTop: number;
  /** What is to be done with them. */
  readonly state: "settled" | "drop" | "move" | "merge";
}

/** Groups, and what lies between them. */
export interface Groups {
  /** Smallest keys first. */
  readonly groups: readonly Group[];
  /** Tells whether no other segment has a key from the first of two neighbours to the second. */
  readonly areAlone: (first: Group, second: Group) => boolean;
}

/**
 * Returns the groups of an interval.
 *
 * One pass from the newest to the oldest finds all that has to go down with what is chosen: only what is older does.
 * Cost: O(n log n).
 */
export function groupsWithin({ placed }: LevelParts, last: number, interval: Interval): Groups {
  const [cover, others] = [new KeyCover(), new KeyCover()];
  const chosen: PlacedSegment[] = [];
  for (const { flat } of placed) {
    for (const segment of flat) {
      const isChosen = isWithin(segment, interval) || cover.touches(segment);
      if (isChosen) chosen.push(segment);
      (isChosen ? cover : others).add(segment);
    }
  }
  return {
    groups: groupsIn(cover, chosen, 0, last),
    areAlone: (first, second) => !others.touches(first.first, second.last),
  };
}

function isWithin({ facts }: PlacedSegment, { lower, upper }: Interval): boolean {
  return facts.maxKey >= lower && (upper === undefined || (facts.minKey < upper && lower < upper));
}

/**
 * Returns the groups of all that is from level `top` on, but of the last level only what shares keys with others.
 *
 * Cost: O(n log n) for n segments above, and a step for each that they overlap.
 */
export function groupsAbove({ placed }: LevelParts, top: number, last: number): Groups {
  const cover = new KeyCover();
  const chosen: PlacedSegment[] = [];
  for (const segments of placed.slice(top, last)) {
    for (const segment of segments.flat) {
      chosen.push(segment);
      cover.add(segment);
    }
  }
  const lowest = placed[last] ?? PlacedSegments.EMPTY;
  for (const segment of lowest.breaks === 0 ? under(cover.stretches, lowest) : lowest.flat) {
    if (!cover.touches(segment)) continue;
    chosen.push(segment);
    cover.add(segment);
  }
  return {
    groups: groupsIn(cover, chosen, top, last),
    areAlone: (first, second) => {
      const own = [...first.segments, ...second.segments].filter(({ level }) => level === last).length;
      return countBetween(lowest, first.first, second.last) === own;
    },
  };
}

/** Returns the groups of one level, whatever else there is: those that share keys with one another. Cost: O(n log n). */
export function groupsOfLevel({ placed }: LevelParts, level: number): Groups {
  const cover = new KeyCover();
  const { flat } = placed[level]!;
  for (const segment of flat) cover.add(segment);
  return { groups: groupsIn(cover, flat, level, level), areAlone: () => true };
}

/** Returns the segments of a run that share keys with some stretches, each once. */
function under(stretches: readonly Stretch[], run: PlacedSegments): readonly PlacedSegment[] {
  const found: PlacedSegment[] = [];
  let end = 0;
  for (const { first, last } of stretches) {
    const start = run.firstReaching(first, end);
    end = run.firstBehind(last, start);
    found.push(...run.slice(start, end));
  }
  return found;
}

/** Returns how many segments of a level have a key from the begin of one segment to the end of another. */
function countBetween(segments: PlacedSegments, first: PlacedSegment, last: PlacedSegment): number {
  if (segments.breaks === 0) return segments.firstBehind(last) - segments.firstReaching(first);
  return segments.flat.filter((one) => !endsBefore(one, first) && !endsBefore(last, one)).length;
}

function groupsIn(
  cover: KeyCover,
  chosen: readonly PlacedSegment[],
  top: number,
  lastLevel: number,
): readonly Group[] {
  const members = cover.stretches.map((): PlacedSegment[] => []);
  for (const segment of chosen) members[cover.indexOf(segment)]!.push(segment);
  return cover.stretches.map(({ first, last }, i): Group => {
    const segments = members[i]!;
    let [bytesOnTop, bytesAbove, bytesInLast] = [0, 0, 0];
    for (const { level, size } of segments) {
      if (level === top) bytesOnTop += size;
      if (level < lastLevel) bytesAbove += size;
      else bytesInLast += size;
    }
    const state = stateOf(segments, lastLevel);
    return { first, last, segments, bytesOnTop, bytesAbove, bytesInLast, state };
  });
}

function stateOf(segments: readonly PlacedSegment[], lastLevel: number): Group["state"] {
  if (segments.length > 1) return "merge";
  const { level, facts: { tombstones, entries } } = segments[0]!;
  if (tombstones === 0) return level === lastLevel ? "settled" : "move";
  return tombstones === entries ? "drop" : "merge";
}

/**
 * Returns the first neighbours, `least` of them or more, that are all wanted and have at most so many bytes together.
 *
 * A single one may have more.
 *
 * Neighbours may become one segment, so nothing that is left alone may lie in between.
 */
export function firstNeighbours(
  { groups, areAlone }: Groups,
  least: number,
  bytesMax: number,
  isWanted: (group: Group) => boolean,
): readonly Group[] {
  for (let from = 0; from < groups.length; from++) {
    let bytes = 0;
    let end = from;
    for (; end < groups.length && isWanted(groups[end]!); end++) {
      bytes += groups[end]!.bytesAbove + groups[end]!.bytesInLast;
      if (end > from && (bytes > bytesMax || !areAlone(groups[end - 1]!, groups[end]!))) break;
    }
    if (end - from >= least) return groups.slice(from, end);
  }
  return [];
}

/** Returns the ids of all segments of some groups. */
export function idsOfGroups(groups: readonly Group[]): readonly number[] {
  return groups.flatMap((group) => group.segments.map((segment) => segment.id));
}
