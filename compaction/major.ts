/**
 * Major compaction: all keys of an interval in one run of the last level, without tombstones.
 *
 * What a user asks for with `compact()`: the smallest files and the fastest reads. It is done in steps, each a choice of its own,
 * so that it can be watched and stopped: the caller does what is chosen and asks again, until nothing is left to do.
 *
 * The tree is looked at as groups that share no key (`groups.ts`). First all groups that hide nothing are dropped and all
 * that need no rewriting are moved, then the others are merged into the last level, small neighbours in one step, and
 * in the end neighbours are joined that are together smaller than one segment should be.
 *
 * It ends: each step leaves fewer groups that are not settled, or else fewer segments. A tombstone that something newer covers,
 * which is not compacted itself, may take a second step. Cost: each byte is rewritten once, those of the last level only where
 * they share keys with something newer or are joined. A tree of one large group needs as much free space again.
 *
 * Why not level by level, as RocksDB's CompactRange does it? Those steps are smaller, but a byte is rewritten once for each level
 * on its way down, and those of each level with all that comes from above.
 *
 * @module
 */

import type { CompactionChoice, Interval } from "../core/mod.ts";
import { firstNeighbours, groupsWithin, idsOfGroups, STEP_TARGETS } from "./groups.ts";
import type { Levels } from "./levels.ts";
import { placedOf } from "./levels.ts";
import { lastLevel } from "./strategy.ts";

/** Bytes from which on a major compaction begins a new segment. */
const TARGET_BYTES = 64 * 1024 * 1024;

const EVERYTHING: Interval = { lower: "", upper: undefined };
const REASON = "asked for";

/**
 * Returns the next step of compacting the keys of an interval into the last level, or `none` when that is done.
 *
 * The last level is `levelCount - 1`, or the deepest that is in use if that is deeper.
 *
 * Requires: nothing is busy. What is under way has to end first.
 *
 * @param interval Which keys; all if not given.
 */
export function majorChoice(
  levels: Levels,
  levelCount: number,
  interval: Interval = EVERYTHING,
): CompactionChoice {
  const parts = placedOf(levels);
  const last = lastLevel(parts, { levelCount });
  const all = groupsWithin(parts, last, interval);
  const dropped = all.groups.filter((group) => group.state === "drop");
  if (dropped.length > 0) return { kind: "drop", segments: idsOfGroups(dropped), reason: REASON };
  const moved = all.groups.filter((group) => group.state === "move");
  if (moved.length > 0) {
    return { kind: "move", segments: idsOfGroups(moved), destLevel: last, reason: REASON };
  }
  let step = firstNeighbours(all, 1, STEP_TARGETS * TARGET_BYTES, (group) => group.state === "merge");
  if (step.length === 0) step = firstNeighbours(all, 2, TARGET_BYTES, (group) => group.state === "settled");
  if (step.length === 0) return { kind: "none" };
  return {
    kind: "merge",
    segments: idsOfGroups(step),
    destLevel: last,
    targetSize: TARGET_BYTES,
    reason: REASON,
  };
}
