/**
 * The history of a version: the last edits that made it, each with its cause, oldest first.
 *
 * The version says what the tree is made of, the history why: which flush or merge made segment 34, which change took
 * segment 12 away, when and for what reason. It is a fold of the same edits as the version, live and in recovery, and
 * {@linkcode withEdit} folds both at once, so that they never tell of different trees.
 *
 * ```text
 * history := forgotten u64 | (bytes u32 | edit) *        the edits have the numbers forgotten + 1, forgotten + 2, ...
 * ```
 *
 * A manifest is written anew at each close and when it has grown; then its edits become one, and the history stands in
 * front of that (`manifest.ts`). So it must be short: every such manifest costs its bytes once. The arithmetic of
 * {@linkcode HISTORY_BYTES_MAX}: with keys of 16 bytes a flush takes 180 bytes, a merge of ten segments into ten 1.2 KB. So 128 KiB
 * are 720 flushes, or 280 with one such merge for four of them: what became of the last 4 GiB at the default size of
 * memtables. When that is full an open takes 0.1 ms longer, the first commit after it and a close some 0.4 ms each beside their 3
 * and 1.5 ms, which are mostly barriers; all other commits take what they took.
 *
 * Edits are kept as their bytes and decoded when somebody asks: opening and closing a tree then only copies them, and they take
 * a quarter of the memory. Adding one copies a list of at most some 2,000 references: 2 us beside a barrier.
 *
 * Invariants:
 * - `forgotten + edits.length` is the number of the version's last edit: there are no gaps.
 * - Of all edits so far the longest list of last ones is kept whose `bytes` are within the limit; the very last always is.
 *   So folding one at a time, or many at once, or a part of them after a recovery, gives the same.
 * - If nothing was forgotten, the fold of the edits over the empty version is the version ({@linkcode replayHistory}).
 *
 * @module
 */

import type { Edit, EditCause } from "./edit.ts";
import { applyEdit, decodeEdit, encodeEdit } from "./edit.ts";
import { CorruptionError } from "./errors.ts";
import { ByteReader, writeU32, writeU64 } from "./little_endian.ts";
import type { Version } from "./version.ts";
import { EMPTY_VERSION } from "./version.ts";

/** The last edits of a version. */
export interface History {
  /** How many edits came before those that are kept. */
  readonly forgotten: number;
  /** The edits as bytes, oldest first. */
  readonly edits: readonly Uint8Array[];
  /** What they take in a manifest. */
  readonly bytes: number;
}

/** A version and how it came about. */
export interface Chronicle {
  /** The version. */
  readonly version: Version;
  /** The last edits that made it. */
  readonly history: History;
}

/** Why the version of a tree changed. A snapshot of a manifest that has grown is no change. */
export type ChangeCause = Exclude<EditCause, "snapshot">;

/** One edit of a history. */
export interface Change extends Edit {
  /** Its number: the first edit of a tree has 1. */
  readonly number: number;
  /** Why. */
  readonly cause: ChangeCause;
}

/** A change, and the versions that it lies between. */
export interface Replayed {
  /** The version that it was made from. */
  readonly before: Version;
  /** The change. */
  readonly change: Change;
  /** The version that it made. */
  readonly after: Version;
}

/** So many bytes of edits are kept, see the arithmetic above. */
export const HISTORY_BYTES_MAX: number = 128 * 1024;

/** What stands before all edits, and before each. */
const FORGOTTEN_BYTES = 8;
const LENGTH_BYTES = 4;

/** The version of a tree that has no file yet, and its history. */
export const EMPTY_CHRONICLE: Chronicle = { version: EMPTY_VERSION, history: historyAfter(0) };

/** Returns the history of which only is known how many edits there were. */
export function historyAfter(forgotten: number): History {
  return { forgotten, edits: [], bytes: 0 };
}

/**
 * Returns the version after an edit, and its history. Cost: O(segments) for the version, one encoding for the history.
 *
 * @throws {CorruptionError} If the edit does not fit the version.
 */
export function withEdit({ version, history }: Chronicle, edit: Edit): Chronicle {
  const after = applyEdit(version, edit);
  return { version: after, history: withEncodedEdits(history, [encodeEdit(edit).slice()]) };
}

/** Returns the history after edits that are bytes already, which must not change any more. */
export function withEncodedEdits(history: History, added: readonly Uint8Array[]): History {
  const edits = [...history.edits, ...added];
  let bytes = added.reduce((sum, edit) => sum + LENGTH_BYTES + edit.length, history.bytes);
  let first = 0;
  while (bytes > HISTORY_BYTES_MAX && first < edits.length - 1) {
    bytes -= LENGTH_BYTES + edits[first]!.length;
    first += 1;
  }
  return { forgotten: history.forgotten + first, edits: first === 0 ? edits : edits.slice(first), bytes };
}

/**
 * Returns what a history tells, oldest first. Cost: decodes all of it, 2 us for each change, at first 10.
 *
 * @throws {CorruptionError} If an edit cannot be decoded: its checksum was right, so whoever wrote it was wrong.
 */
export function historyChanges({ forgotten, edits }: History): readonly Change[] {
  return edits.map((bytes, i): Change => {
    const edit = decodeEdit(bytes, 0, bytes.length);
    const { cause } = edit;
    if (cause === "snapshot") throw new CorruptionError("Cannot read a history: a snapshot is no change");
    return { ...edit, number: forgotten + i + 1, cause };
  });
}

/**
 * Gives each change with the versions before and after it, oldest first.
 *
 * @throws {RangeError} If any were forgotten: nobody knows the version that the first was made from.
 * @throws {CorruptionError} If an edit cannot be decoded, or does not fit.
 */
export function* replayHistory(history: History): Generator<Replayed, void> {
  if (history.forgotten > 0) {
    throw new RangeError(`Cannot replay a history: its first ${history.forgotten} changes are forgotten`);
  }
  let before = EMPTY_VERSION;
  for (const change of historyChanges(history)) {
    const after = applyEdit(before, change);
    yield { before, change, after };
    before = after;
  }
}

/** Returns the bytes of a history. */
export function encodeHistory({ forgotten, edits, bytes }: History): Uint8Array<ArrayBuffer> {
  const encoded = new Uint8Array(FORGOTTEN_BYTES + bytes);
  writeU64(encoded, 0, forgotten);
  let at = FORGOTTEN_BYTES;
  for (const edit of edits) {
    writeU32(encoded, at, edit.length);
    encoded.set(edit, at + LENGTH_BYTES);
    at += LENGTH_BYTES + edit.length;
  }
  return encoded;
}

/**
 * Returns the history in `bytes[start, end)`, whose last edit has `number`; keeps no reference to them.
 *
 * @throws {CorruptionError} If it is none.
 */
export function decodeHistory(bytes: Uint8Array, start: number, end: number, number: number): History {
  const copy = bytes.slice(start, end);
  const readerAt = (at: number): ByteReader =>
    new ByteReader(copy, at, copy.length, "a history in the manifest");
  const forgotten = readerAt(0).u64();
  const edits: Uint8Array[] = [];
  let at = FORGOTTEN_BYTES;
  while (at < copy.length) {
    const length = readerAt(at).count(1);
    edits.push(copy.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
    at += LENGTH_BYTES + length;
  }
  if (forgotten + edits.length !== number) {
    throw readerAt(at).corrupt("its edits are not the last ones up to its number");
  }
  return { forgotten, edits, bytes: copy.length - FORGOTTEN_BYTES };
}
