/**
 * A choice: what a compaction strategy wants done, and whether that may be done.
 *
 * A strategy is a pure function from the shape of the tree to a choice, and may be the user's own. So nothing it says is
 * trusted: `checkChoice` refuses what would lose data, bring old versions back or change the same segments twice.
 *
 * - *merge* and *move* are legal if no other overlapping segment lies between two of the inputs in age, and there is a
 *   place at the wanted level below everything newer and above everything older that overlaps.
 * - *drop* is legal if nothing older than a dropped segment overlaps it: an older version would come back.
 *
 * @module
 */

import type { Place, Run, SegmentId, SegmentMeta, Version } from "./version.ts";
import { checkRuns, overlap, placeFor, withoutSegments, withSegments } from "./version.ts";

/** What a compaction strategy wants done. */
export type CompactionChoice =
  & (
    | { readonly kind: "none" }
    | {
      readonly kind: "merge";
      readonly segments: readonly SegmentId[];
      readonly destLevel: number;
      /** Bytes from which on a new output is begun, 1 KiB and up. */
      readonly targetSize: number;
    }
    | { readonly kind: "move"; readonly segments: readonly SegmentId[]; readonly destLevel: number }
    | { readonly kind: "drop"; readonly segments: readonly SegmentId[] }
  )
  & { /** Why, in words. */ readonly reason?: string };

/** Segments of the version that a choice names, as runs. */
export interface ChosenSegments {
  /** The segments, newest run first. */
  readonly runs: readonly Run[];
  /** Their ids. */
  readonly ids: ReadonlySet<SegmentId>;
}

/** Bytes below which a target size makes no sense. */
export const TARGET_BYTES_MIN = 1024;

/** Returns the segments that a choice names, or why it is not legal. */
export function checkChoice(
  choice: Exclude<CompactionChoice, { kind: "none" }>,
  version: Version,
  busy: ReadonlySet<SegmentId>,
  levelCount: number,
): ChosenSegments | string {
  if (choice.reason !== undefined && typeof choice.reason !== "string") return "its reason is no text";
  const named = Array.isArray(choice.segments) ? choice.segments as readonly SegmentId[] : [];
  const ids = new Set(named);
  if (ids.size === 0) return "it names no segment";
  if (ids.size !== named.length) return "it names a segment twice";
  const runs = chosenRuns(version, ids);
  const known = new Set(runs.flatMap((run) => run.segments.map((segment) => segment.id)));
  for (const id of ids) {
    if (!known.has(id)) return `there is no segment ${id}`;
    if (busy.has(id)) return `segment ${id} is busy`;
  }
  const why = choice.kind === "drop"
    ? checkDrop(version, ids)
    : checkDestination(choice, version, runs, ids, levelCount);
  return why ?? { runs, ids };
}

function chosenRuns(version: Version, ids: ReadonlySet<SegmentId>): readonly Run[] {
  return version.runs
    .map((run) => ({ level: run.level, segments: run.segments.filter((segment) => ids.has(segment.id)) }))
    .filter((run) => run.segments.length > 0);
}

function checkDestination(
  choice: { readonly kind: string; readonly destLevel: number; readonly targetSize?: number },
  version: Version,
  runs: readonly Run[],
  ids: ReadonlySet<SegmentId>,
  levelCount: number,
): string | undefined {
  const { destLevel, targetSize } = choice;
  if (!Number.isInteger(destLevel) || destLevel < 0 || destLevel >= levelCount) {
    return `there is no level ${destLevel}`;
  }
  if (choice.kind === "merge" && !(typeof targetSize === "number" && targetSize >= TARGET_BYTES_MIN)) {
    return `a target size of ${targetSize} is not a number of at least ${TARGET_BYTES_MIN} bytes`;
  }
  const segments = runs.flatMap((run) => run.segments);
  const place = placeFor(version.runs, ids, destLevel, segments);
  if (typeof place === "string") return place;
  return choice.kind === "move" ? checkMove(version, ids, place, segments) : undefined;
}

function checkMove(
  version: Version,
  ids: ReadonlySet<SegmentId>,
  place: Place,
  segments: readonly SegmentMeta[],
): string | undefined {
  return checkRuns(withSegments(withoutSegments(version.runs, ids), place, segments));
}

function checkDrop(version: Version, ids: ReadonlySet<SegmentId>): string | undefined {
  const dropped: SegmentMeta[] = [];
  for (const run of version.runs) {
    for (const segment of run.segments) {
      if (!ids.has(segment.id) && dropped.some((newer) => overlap(newer, segment))) {
        return `older versions in segment ${segment.id} would come back`;
      }
    }
    dropped.push(...run.segments.filter((segment) => ids.has(segment.id)));
  }
  return undefined;
}
