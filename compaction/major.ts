/**
 * Major compaction: everything into one run of the last level, without tombstones.
 *
 * What a user asks for with `compact()`: the smallest files and the fastest reads, at the price of rewriting everything
 * once. Where the tree is already one run of the last level without a tombstone there is nothing to do.
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { Levels } from "./levels.ts";
import { runsOf } from "./levels.ts";

/** Bytes from which on a major compaction begins a new segment. */
const TARGET_BYTES = 64 * 1024 * 1024;

/** Returns the choice that compacts everything. */
export function majorChoice(levels: Levels, levelCount: number): CompactionChoice {
  const segments = levels.levels.flat();
  const last = levelCount - 1;
  const settled = segments.every((segment) => segment.level === last && segment.tombstones === 0);
  if (settled && runsOf(segments).length <= 1) return { kind: "none" };
  return {
    kind: "merge",
    segments: segments.map((segment) => segment.id),
    destLevel: last,
    targetSize: TARGET_BYTES,
    reason: "asked for",
  };
}
