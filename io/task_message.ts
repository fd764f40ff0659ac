/**
 * Tasks between threads: what a Worker is told, and what it answers.
 *
 * A task is a complete value, but for the memtable of a flush: that is megabytes of keys in a map, and its journal is on
 * disk anyway. So the message names the journals with the bytes and the batches that count, and the Worker folds them
 * again, with the function that writes and recovery use. It keeps every tombstone, since it knows of nothing older, and the
 * rewrite drops those that hide nothing.
 *
 * Of the older runs of a merge only the ranges within its keys are sent: that is all a tombstone asks about.
 *
 * @module
 */

import type { FlushTask, JournalRef, KeyRange, Memtable, MergeTask, Task } from "../core/mod.ts";
import type { SegmentMeta } from "../core/mod.ts";
import {
  applyBatch,
  CorruptionError,
  decodeBatch,
  decodeFileHeader,
  EMPTY_MEMTABLE,
  FILE_HEADER_BYTES,
  fileName,
  newOwner,
  overlap,
  RECORD_BATCH,
  RECORD_HEADER_BYTES,
  recordAt,
} from "../core/mod.ts";
import type { ErrorMessage } from "./error_message.ts";
import type { Storage } from "./storage.ts";
import { readWhole } from "./whole.ts";

/** A flush whose memtable is told by its journals. */
export interface FlushMessage extends Omit<FlushTask, "memtable"> {
  /** The journals, oldest first, and how much of them counts. */
  readonly journals: readonly JournalRef[];
}

/** A task as a message. */
export type TaskMessage = FlushMessage | MergeTask;

/** What a Worker is told to do. */
export type WorkerMessage =
  | (TaskMessage & { /** Which lane it is for. */ readonly lane: number })
  | RemovalMessage;

/** How a task went. */
export type Outcome =
  | { readonly kind: "finished"; readonly outputs: readonly SegmentMeta[]; readonly bytes: number }
  | { readonly kind: "failed"; readonly error: ErrorMessage }
  | {
    /** The journals do not give the memtable. */ readonly kind: "unreadable";
    readonly error: ErrorMessage;
  };

/** How a task went, as a message. */
export type TaskReply = Outcome & { readonly lane: number; readonly task: number };

/** Files that a Worker is to remove. */
export interface RemovalMessage {
  /** Tells it from a task. */
  readonly kind: "remove";
  /** Their names. */
  readonly names: readonly string[];
}

/** Whether files were removed. */
export interface RemovalReply {
  /** Tells it from the end of a task. */
  readonly kind: "removed";
  /** Their names. */
  readonly names: readonly string[];
  /** False if a read-only handle looks at the folder. */
  readonly isDone: boolean;
}

/** Returns a task as a message. Cost: O(segments) of what is sent. */
export function messageOf(task: Task): TaskMessage {
  if (task.kind === "flush") {
    const { memtable, older, ...rest } = task;
    return { ...rest, older: rangesOf(older, undefined), journals: memtable.journals };
  }
  const keys: KeyRange = {
    minKey: task.inputs.map((run) => run.segments[0]!.minKey).reduce((a, b) => a < b ? a : b),
    maxKey: task.inputs.map((run) => run.segments.at(-1)!.maxKey).reduce((a, b) => a > b ? a : b),
  };
  return { ...task, older: rangesOf(task.older, keys) };
}

function rangesOf(older: Task["older"], within: KeyRange | undefined): Task["older"] {
  return older.map(({ segments }) => ({
    segments: segments
      .filter((segment) => within === undefined || overlap(segment, within))
      .map(({ minKey, maxKey }) => ({ minKey, maxKey })),
  }));
}

/**
 * Returns the memtable that a message is about, folded from its journals anew.
 *
 * @throws {CorruptionError} If the journals do not hold all of its batches.
 */
export function memtableOf(message: FlushMessage, storage: Storage): Memtable {
  const { seqnoMin, seqnoMax } = message.origin;
  const owner = newOwner();
  let memtable = EMPTY_MEMTABLE;
  let next = seqnoMin;
  for (const { id, validBytes } of message.journals) {
    const name = fileName("journal", id);
    const bytes = readPart(storage, name, validBytes);
    const { seed } = decodeFileHeader(bytes, "journal", id, name);
    // One record after the other: a list of all of them would be most of what a flush keeps.
    let at = FILE_HEADER_BYTES;
    while (at < bytes.length && next <= seqnoMax) {
      const record = recordAt(bytes, at, seed);
      if (typeof record === "string") break;
      at = record.end;
      if (record.number !== next || record.kind !== RECORD_BATCH) continue;
      next += 1;
      const length = record.end - record.start + RECORD_HEADER_BYTES;
      const place = { seqno: record.number, journal: id, validBytes: record.end, bytes: length };
      const batch = { bytes, operations: decodeBatch(bytes, record.start, record.end) };
      memtable = applyBatch(memtable, batch, place, () => true, owner);
    }
  }
  if (next <= seqnoMax) {
    throw new CorruptionError(
      `Cannot flush batches ${seqnoMin} to ${seqnoMax}: their journals do not hold all of them`,
    );
  }
  return memtable;
}

/** Returns the first bytes of a file: behind them a journal may hold what another memtable is made of. */
function readPart(storage: Storage, name: string, bytes: number): Uint8Array<ArrayBuffer> {
  const file = storage.openRead(name);
  try {
    return readWhole(file, 0, bytes);
  } finally {
    file.close();
  }
}
