/**
 * The state of a tree: one immutable value.
 *
 * ```text
 * version     which segments make up the tree                 = fold of the manifest's edits
 * history     the last of those edits
 * sealed      memtables that wait to be flushed, newest first = folds of older journals
 * active      the memtable that writes go to                  = fold of the newest journal
 * committing  changes of the version on their way to the manifest, oldest first
 * inFlight    tasks under way
 * ```
 *
 * A snapshot *is* a state: taking one is O(1), and nothing that happens later changes it. (Between two states that somebody keeps, the
 * shell may let writes edit the memtable's nodes in place: that is what the token of a `write` says, see `command.ts`.)
 *
 * Invariants:
 * - Every batch up to `version.flushedSeqno` is in the segments; later ones are in `sealed`, then `active`, in order.
 * - `durableSeqno <= seqno`, and every batch up to it survives power loss.
 * - No two of `inFlight` and `committing` share an input.
 * - Only the first of `committing` may be under way.
 * - No live key is below `emptyBelow` nor at or above `emptyFrom`.
 * - After `poisoned` is set nothing changes any more.
 *
 * @module
 */

import type { CompressionName } from "./codec.ts";
import type { CompactionChoice } from "./choice.ts";
import type { Edit } from "./edit.ts";
import type { Interval } from "./interval.ts";
import type { Salt } from "./file_header.ts";
import type { History } from "./history.ts";
import { historyAfter } from "./history.ts";
import type { JournalHead } from "./journal.ts";
import type { Memtable } from "./memtable.ts";
import { EMPTY_MEMTABLE, memtableCovers } from "./memtable.ts";
import type { Task } from "./task.ts";
import { taskInputs } from "./task.ts";
import type { SegmentId, SegmentMeta, Version } from "./version.ts";
import { versionCovers } from "./version.ts";

/** A change of the version on its way to the manifest. */
export type PendingChange =
  | { readonly kind: "task"; readonly task: Task; readonly outputs: readonly SegmentMeta[] }
  | {
    readonly kind: "move";
    readonly segments: readonly SegmentMeta[];
    readonly destLevel: number;
    readonly reason: string;
  }
  | { readonly kind: "drop"; readonly segments: readonly SegmentMeta[]; readonly reason: string };

/** Work that failed and is kept. */
export interface Failure {
  /** Which work. */
  readonly work: "flush" | "compaction" | "strategy";
  /** Why it failed. */
  readonly error: unknown;
  /** How often in a row. */
  readonly attempts: number;
  /** When it failed, in ms since the epoch. */
  readonly failedAt: number;
  /** When it is tried again, in ms since the epoch. */
  readonly retryAt: number;
}

/** Returns whether the pause after a failure is over. It is, too, once the clock has gone back behind its beginning. */
export function isPauseOver({ failedAt, retryAt }: Failure, now: number): boolean {
  return now >= retryAt || now < failedAt;
}

/** A compaction that the user asked for. */
export interface ManualCompaction {
  /** Tells it from others. */
  readonly id: number;
  /** The keys that it is about. */
  readonly interval: Interval;
  /** How often it has chosen something. */
  readonly rounds: number;
}

/** The state of a tree. */
export interface TreeState {
  /** Which segments make up the tree. */
  readonly version: Version;
  /** The last edits that made the version. */
  readonly history: History;
  /** The memtable that writes go to. */
  readonly active: Memtable;
  /** Memtables that wait to be flushed, newest first. */
  readonly sealed: readonly Memtable[];
  /** The journal of the active memtable; `undefined` until the first write to it. */
  readonly journal: JournalHead | undefined;
  /** The number of the last batch. */
  readonly seqno: number;
  /** The last batch that is known to survive power loss. */
  readonly durableSeqno: number;
  /** The newest journal whose entry in the folder is known to survive power loss. */
  readonly durableJournal: number;
  /** The last batch that recovery found: memtables up to it wait without a flush of their own. */
  readonly recoveredSeqno: number;
  /** Sealed memtables up to this batch are to be flushed. */
  readonly flushTarget: number;
  /** Ids of files from here on were never used. */
  readonly nextId: number;
  /** The number of the next task. */
  readonly nextTask: number;
  /** Random bits of this open of the tree, mixed into each new file's salt. */
  readonly salt: Salt;
  /** Changes of the version on their way to the manifest, oldest first. */
  readonly committing: readonly PendingChange[];
  /** The edit of the first of them, once it is under way. */
  readonly edit: Edit | undefined;
  /** Tasks under way. */
  readonly inFlight: readonly Task[];
  /** Whether the strategy is to be asked again: the version changed, or time has passed. */
  readonly askStrategy: boolean;
  /** How often the strategy has chosen something since the last flush, minute or wish of the user's. */
  readonly rounds: number;
  /** The compaction that the user asked for, before which the strategy is not asked. */
  readonly manual: ManualCompaction | undefined;
  /** Work that failed and is kept; `undefined` while all goes well. */
  readonly failure: Failure | undefined;
  /** Why writes are refused until the tree is reopened; `undefined` while they are not. */
  readonly poisoned: { readonly error: unknown } | undefined;
  /** No live key is below this one. */
  readonly emptyBelow: string;
  /** No live key is at or above this one; `undefined` for no such limit. */
  readonly emptyFrom: string | undefined;
}

/** What steps follow that is not part of the state. */
export interface StepOptions {
  /** What a returned write survives. */
  readonly durability: "buffered" | "os" | "sync";
  /** Bytes appended to a journal before its memtable is sealed. */
  readonly maxMemtableSize: number;
  /** Target bytes of a data block. */
  readonly blockSize: number;
  /** Bits of a filter for each key. */
  readonly filterBitsPerKey: number;
  /** How blocks of a level are compressed. */
  readonly compressionAt: (level: number) => CompressionName;
  /** How many levels there are. */
  readonly levelCount: number;
  /** Asks the strategy; may throw what the strategy throws. */
  readonly choose: (version: Version, busy: ReadonlySet<SegmentId>, now: number) => CompactionChoice;
  /** Returns what is left to do of a compaction that the user asked for. Requires: no segment is busy. */
  readonly major: (version: Version, interval: Interval) => CompactionChoice;
  /** How many tasks may be under way at once. Where there are several, one place is kept for a flush. */
  readonly tasksMax: number;
  /** Whether compactions are begun; a tree that is being closed begins none. */
  readonly compacting: boolean;
  /** How many runs of level 0 are normal for the strategy. */
  readonly level0Threshold: number;
  /** Returns how many bytes the strategy still has to push down. */
  readonly debt: (version: Version) => number;
}

/** Returns the state of a tree that was just opened. */
export function openedState(
  version: Version,
  sealed: readonly Memtable[],
  lastSeqno: number,
  nextId: number,
  salt: Salt,
  history: History = historyAfter(version.editNumber),
): TreeState {
  return {
    version,
    history,
    active: EMPTY_MEMTABLE,
    sealed,
    journal: undefined,
    seqno: lastSeqno,
    durableSeqno: lastSeqno,
    durableJournal: 0,
    recoveredSeqno: lastSeqno,
    flushTarget: 0,
    nextId,
    nextTask: 1,
    salt,
    committing: [],
    edit: undefined,
    inFlight: [],
    askStrategy: true,
    rounds: 0,
    manual: undefined,
    failure: undefined,
    poisoned: undefined,
    emptyBelow: "",
    emptyFrom: undefined,
  };
}

/**
 * Tells whether anything older than the active memtable may have a key. Cost: O(log n) per memtable and run.
 *
 * What stands behind a memtable that clears is hidden and does not count.
 */
export function isCovered(view: Pick<TreeState, "sealed" | "version">, key: string): boolean {
  for (const memtable of view.sealed) {
    if (memtableCovers(memtable, key)) return true;
    if (memtable.clears) return false;
  }
  return versionCovers(view.version, key);
}

/** Returns the segments that tasks or pending changes need as they are. */
export function busySegments(state: TreeState): ReadonlySet<SegmentId> {
  const busy = new Set<SegmentId>();
  for (const task of state.inFlight) for (const id of taskInputs(task)) busy.add(id);
  for (const change of state.committing) {
    if (change.kind === "task") { for (const id of taskInputs(change.task)) busy.add(id); }
    else for (const segment of change.segments) busy.add(segment.id);
  }
  return busy;
}

/** What a barrier has to sync, and what is durable after it. */
export interface Barrier {
  /** Journals that may have bytes in no safe place, oldest first. */
  readonly journals: readonly number[];
  /** Whether the folder has entries in no safe place. */
  readonly folder: boolean;
  /** The last batch that is durable afterwards. */
  readonly seqno: number;
  /** The newest journal whose entry is durable afterwards. */
  readonly journal: number;
}

/**
 * Returns the barrier that makes every batch so far durable, or `undefined` if they are.
 *
 * Order: older journals first. If a newer one were durable and an older one not, a crash would leave a hole.
 */
export function barrierOf(state: TreeState): Barrier | undefined {
  if (state.durableSeqno >= state.seqno) return undefined;
  const journals: number[] = [];
  for (const memtable of [...state.sealed].reverse()) addJournals(memtable, state.durableSeqno, journals);
  addJournals(state.active, state.durableSeqno, journals);
  const newest = journals.at(-1) ?? 0;
  return { journals, folder: newest > state.durableJournal, seqno: state.seqno, journal: newest };
}

function addJournals(memtable: Memtable, durableSeqno: number, journals: number[]): void {
  for (const journal of memtable.journals) if (journal.lastSeqno > durableSeqno) journals.push(journal.id);
}
