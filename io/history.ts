/**
 * The history of a tree as users see it: what changed, when, why, which segments came and which went.
 *
 * ```text
 * 12  flush   L0 + #34            full: 16777301 bytes of journal
 * 13  merge   - #34 #31 #12       level 0 has 4 runs, threshold 4
 *             L1 + #35 #36
 * ```
 *
 * Made of the core's history (`core/history.ts`), which keeps edits as bytes, when somebody asks. A copy through and through:
 * nothing that a caller does to it reaches the tree.
 *
 * @module
 */

import type { SegmentShape } from "../compaction/mod.ts";
import type { Change, ChangeCause, History, SegmentId, SegmentMeta } from "../core/mod.ts";
import { historyChanges, keyToBytes } from "../core/mod.ts";

/** One change of which segments make up a tree, or of what is stored beside them. */
export interface TreeChange {
  /** Its number; the first change of a tree has 1, and there are no gaps. */
  readonly number: number;
  /** When it was decided, in ms since the epoch. */
  readonly time: number;
  /**
   * Why: the tree was `"created"`, `"recovered"` after it had not been closed, `"configured"` anew or `"closed"`; a memtable was
   * written (`"flush"`); or a compaction did what its strategy or the user wanted (`"merge"`, `"move"`, `"drop"`).
   */
  readonly cause: ChangeCause;
  /** What led to it, in words. A strategy of the user's own says what it likes. */
  readonly reason: string;
  /** The segments that went; one that moved is also among `added`. */
  readonly removed: readonly SegmentId[];
  /** The segments that came, at their new level. */
  readonly added: readonly SegmentShape[];
}

/** The last changes of a tree. */
export interface TreeHistory {
  /** How many changes came before the first of `changes`. */
  readonly forgotten: number;
  /** The changes, oldest first. */
  readonly changes: readonly TreeChange[];
}

/**
 * Returns a history as users see it. Cost: decodes all of it, some 10 us for each change.
 *
 * @throws {CorruptionError} If a change cannot be decoded.
 */
export function treeHistory(history: History): TreeHistory {
  const changes = historyChanges(history).map(treeChange);
  return Object.freeze({ forgotten: history.forgotten, changes: Object.freeze(changes) });
}

function treeChange({ number, time, cause, reason, removed, added }: Change): TreeChange {
  const shapes = added.flatMap(({ level, segments }) => segments.map((segment) => shapeAt(level, segment)));
  return Object.freeze({
    number,
    time,
    cause,
    reason,
    removed: Object.freeze(removed),
    added: Object.freeze(shapes),
  });
}

function shapeAt(level: number, segment: SegmentMeta): SegmentShape {
  const { id, size, minKey, maxKey, entries, tombstones, writtenAt, seqnoMin, seqnoMax } = segment;
  return Object.freeze({
    id,
    level,
    size,
    minKey: keyToBytes(minKey),
    maxKey: keyToBytes(maxKey),
    entries,
    tombstones,
    writtenAt,
    seqnoMin,
    seqnoMax,
    busy: false,
  });
}
