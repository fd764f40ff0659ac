/**
 * Small segments: neighbours of a level that are worth joining, though nothing has to go down.
 *
 * Segments that are moved stay as small as they were flushed. With memtables of 16 KiB and a target size of 64 MiB data that comes
 * in order would leave 4,096 files where one would do, and each file costs a descriptor, a line of the manifest and a filter.
 *
 * ```text
 * before   [   big   ][ 40K ][ 2K ][ 2K ][ 2K ] ... [ 2K ]      sixteen parts or more, or enough for a whole segment,
 * after    [   big   ][ 40K ][            34K            ]      none larger than an eighth of them together
 * ```
 *
 * - A level is looked at if its segments have less than an eighth of the target size on average. So it keeps at most
 *   eight times as many as it needs, or some dozens, and a tree whose memtables are not much smaller than the target
 *   size is left as it is.
 * - What is joined becomes eight times as large as any part of it, or more. So a byte is written at most
 *   `log8(target / flush)` times for it, and mostly `log16` of that, since it takes sixteen to begin with.
 * - A *part* is what one merge or flush has left side by side: it had its reasons to cut there (a full index, or values that
 *   are larger than a segment and were compressed), and would again. So each join leaves fewer parts, and it ends.
 *
 * Simulated, entries of 100 bytes in order, without and with joining: segments that are left, and write amplification.
 *
 * ```text
 * memtable   entries        needed   segments      write amplification
 *  16 KiB      1,000,000         2   8,474    71         0.92  3.27
 *   1 MiB     10,000,000        14   1,325   108         0.90  1.79
 *   4 MiB    100,000,000       135   3,314  1,064        0.90  1.54
 *  16 MiB    100,000,000       135     828   828         0.90  0.90
 * ```
 *
 * A queue that is 50,000 entries deep, in memtables of 8 KiB, had 322 segments and write amplification 59; with joining it has
 * 42 and 6, since what is joined goes down with what it hides. Random writes leave nothing to join.
 *
 * Why not join when a move is chosen? Few neighbours of the same size are there then, and whoever joins four of them at a time
 * writes every byte once more for each factor of four.
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { LevelParts } from "./levels.ts";
import type { PlacedSegment } from "./placed_segment.ts";
import { PlacedSegments } from "./placed_segments.ts";
import { areQuiet } from "./strategy.ts";

/** So many parts are joined at least, if they are less than a whole segment. */
const PARTS_MIN = 16;

/** What is small has less than one in so many of the target size, and of what it is joined with. */
const SMALL_SHARE = 8;

/**
 * Returns the choice that joins small neighbours of a level, or `none` if there is nothing to join.
 *
 * Requires: the level is one run. Cost: O(1) where segments are not small on average, otherwise a step for each, and for each part
 * one for each segment that it may be joined with.
 */
export function joinSmall(parts: LevelParts, level: number, targetSize: number): CompactionChoice {
  const run = parts.placed[level] ?? PlacedSegments.EMPTY;
  // What is under way in a level, or on its way there, may come to stand between two neighbours.
  if (run.bytes * SMALL_SHARE >= run.count * targetSize || !areQuiet(parts, 0, level)) {
    return { kind: "none" };
  }
  const segments = smallIn(run.flat, targetSize).map(({ id }) => id);
  if (segments.length === 0) return { kind: "none" };
  const reason = `${segments.length} neighbours of level ${level} are small`;
  return { kind: "merge", segments, destLevel: level, targetSize, reason };
}

function smallIn(segments: readonly PlacedSegment[], targetSize: number): readonly PlacedSegment[] {
  for (let start = 0; start < segments.length;) {
    const end = endOfSmall(segments, start, targetSize);
    if (end > start) return segments.slice(start, end);
    start += 1;
    while (start < segments.length && isSamePart(segments[start - 1]!, segments[start]!)) start += 1;
  }
  return [];
}

/** Returns where the longest stretch ends that begins at an index and is worth joining; the index if there is none. */
function endOfSmall(segments: readonly PlacedSegment[], start: number, targetSize: number): number {
  let [bytes, parts, part, largest, found] = [0, 0, 0, 0, start];
  for (let end = start; end < segments.length && bytes < targetSize;) {
    const segment = segments[end]!;
    if (segment.size * SMALL_SHARE >= targetSize) break;
    if (end === start || !isSamePart(segments[end - 1]!, segment)) {
      parts += 1;
      part = 0;
    }
    bytes += segment.size;
    part += segment.size;
    largest = Math.max(largest, part);
    end += 1;
    if ((parts >= PARTS_MIN || bytes >= targetSize) && largest * SMALL_SHARE <= bytes) found = end;
  }
  return found;
}

/** Tells whether two neighbours came out of one merge or flush: then they inherited the same. */
function isSamePart({ facts: a }: PlacedSegment, { facts: b }: PlacedSegment): boolean {
  return a.seqnoMin === b.seqnoMin && a.seqnoMax === b.seqnoMax && a.writtenAt === b.writtenAt;
}
