/**
 * The manifest: the edits that make up the version, and `CURRENT`, which names it.
 *
 * ```text
 * manifest := file header | record of kind 5 (history) ? | record of kind 2 (edit, a snapshot)
 *             | (record of kind 2 (edit) | record of kind 4 (mark) | record of kind 3 (closing)) *
 * CURRENT  := "manifest-000007 " | crc32 of what stands before it, 8 hex digits | "\n"
 * ```
 *
 * Records are numbered without gaps, from the number that the snapshot has. A new manifest is written when the old one
 * has grown, at an open that found a torn tail, since a torn file is never appended to, and at an orderly close: what a
 * later misfortune cuts off the end of a closed tree's manifest is then its one edit, which is found out, or none. `CURRENT`
 * is replaced by write, sync, rename and sync of the folder, so that it always names a whole manifest.
 *
 * The history that stands in front has the snapshot's number and tells of the last edits up to it (`history.ts`). Nothing of it
 * is applied: the snapshot holds what came of it. It stands in front and not behind, so that the rule for a torn tail needs no
 * exception: where a byte of it is damaged or missing the manifest has no whole edit, and that is an error. A manifest without
 * one is read too, its history begins with the next edit.
 *
 * A mark is written behind each edit once that is durable, and is not synced itself. Without it a flipped byte in the last edit
 * of a process that was killed would look like a torn write, and what it had flushed would be gone in silence: its
 * journals are removed by then. A whole mark, closing record or later edit behind a record that is not whole
 * proves that an edit was durable and is damaged. And a last edit without a mark may be one that nobody synced, the process being
 * killed before: recovery writes the version down anew before it removes a file on its word.
 *
 * A closing record carries the number of the last edit. It only counts as the last record of the file: edits may follow
 * it when the tree is opened again.
 *
 * @module
 */

import { textToBytes } from "./bytes.ts";
import { checksum } from "./checksum.ts";
import type { Edit } from "./edit.ts";
import { applyEdit, decodeEdit } from "./edit.ts";
import { CorruptionError } from "./errors.ts";
import type { FileHeader } from "./file_header.ts";
import { decodeFileHeader } from "./file_header.ts";
import { CURRENT_NAME, fileName, parseFileName } from "./file_names.ts";
import type { Chronicle, History } from "./history.ts";
import { decodeHistory, historyAfter, withEncodedEdits } from "./history.ts";
import { NUMBER_MAX } from "./little_endian.ts";
import type { RecordRef, RecordTail } from "./record.ts";
import {
  durableOf,
  RECORD_CLOSING,
  RECORD_EDIT,
  RECORD_HEADER_BYTES,
  RECORD_HISTORY,
  RECORD_MARK,
  scanRecords,
} from "./record.ts";
import { EMPTY_VERSION } from "./version.ts";

/** A manifest that is being appended to. */
export interface ManifestHead {
  /** Its number. */
  readonly id: number;
  /** The seed of its checksums. */
  readonly seed: number;
  /** Its length in bytes. */
  readonly bytes: number;
  /** The length from which on a new one takes its place. */
  readonly bytesMax: number;
}

/** A manifest as it was found: the version after all of its edits with its history, and what is known of the file. */
export interface ManifestScan extends Chronicle {
  /** Its header. */
  readonly header: FileHeader;
  /** Its edits, in order. */
  readonly edits: readonly Edit[];
  /** Whether a closing record is its last. */
  readonly closed: boolean;
  /** Whether a record behind the last edit says that it is durable: whoever was to sync it may have been killed before. */
  readonly marked: boolean;
  /** What stands behind its last whole record. */
  readonly tail: RecordTail | undefined;
  /** The highest batch that any of its records knows to be durable. */
  readonly durable: number;
}

/**
 * Reads a manifest.
 *
 * @throws {CorruptionError} If anything but a tail behind whole edits is damaged.
 * @throws {UnsupportedFormatError} If a newer module wrote it.
 */
export function scanManifest(file: Uint8Array, id: number): ManifestScan {
  const name = fileName("manifest", id);
  const header = decodeFileHeader(file, "manifest", id, name);
  const { records, tail, behind } = scanRecords(file, header.seed);
  const edits: Edit[] = [];
  let version = EMPTY_VERSION;
  let number: number | undefined;
  const past = records[0]?.kind === RECORD_HISTORY ? records[0] : undefined;
  const folded: RecordRef[] = [];
  for (const record of past === undefined ? records : records.slice(1)) {
    const damaged = (why: string): CorruptionError =>
      new CorruptionError(`Cannot read "${name}": ${why}`, {
        file: name,
        offset: record.start - RECORD_HEADER_BYTES,
      });
    if (record.kind === RECORD_CLOSING || record.kind === RECORD_MARK) {
      if (record.number !== number) throw damaged("a record that marks an edit has the wrong number");
      continue;
    }
    if (record.kind !== RECORD_EDIT) throw damaged("a record has no place in a manifest");
    if (number !== undefined && record.number !== number + 1) throw damaged("an edit is missing");
    const edit = decodeEdit(file, record.start, record.end);
    if (number === undefined) {
      if (past !== undefined && past.number !== record.number) {
        throw damaged("its history has another number");
      }
      version = { ...EMPTY_VERSION, editNumber: record.number - 1 };
    }
    version = applyEdit(version, edit);
    number = record.number;
    edits.push(edit);
    folded.push(record);
  }
  if (edits.length === 0) {
    throw new CorruptionError(`Cannot read "${name}": it has no whole edit`, { file: name, offset: 0 });
  }
  for (const record of behind) {
    const durableEdit = record.kind === RECORD_EDIT ? record.number - 1 : record.number;
    if (durableEdit > number!) {
      throw new CorruptionError(`Cannot read "${name}": ${tail!.reason} at byte ${tail!.offset}`, {
        file: name,
        offset: tail!.offset,
      });
    }
  }
  return {
    header,
    edits,
    version,
    history: historyOf(file, past, folded),
    closed: tail === undefined && records.at(-1)!.kind === RECORD_CLOSING,
    marked: records.at(-1)!.kind !== RECORD_EDIT,
    tail,
    durable: Math.max(durableOf(records), durableOf(behind), version.flushedSeqno),
  };
}

/** Returns the history of the version after some edits: what stands in front of the first, and those behind it. */
function historyOf(file: Uint8Array, past: RecordRef | undefined, edits: readonly RecordRef[]): History {
  const before = past === undefined
    ? historyAfter(edits[0]!.number)
    : decodeHistory(file, past.start, past.end, past.number);
  return withEncodedEdits(before, edits.slice(1).map((edit) => file.slice(edit.start, edit.end)));
}

/** Returns the content of `CURRENT` that names a manifest. */
export function encodeCurrent(id: number): Uint8Array<ArrayBuffer> {
  const name = textToBytes(fileName("manifest", id) + " ");
  const sum = checksum(name, 0, name.length, 0).toString(16).padStart(8, "0");
  const line = textToBytes(sum + "\n");
  const bytes = new Uint8Array(name.length + line.length);
  bytes.set(name);
  bytes.set(line, name.length);
  return bytes;
}

/**
 * Returns the number of the manifest that `CURRENT` names.
 *
 * @throws {CorruptionError} If it names none.
 */
export function decodeCurrent(bytes: Uint8Array): number {
  const text = String.fromCharCode(...bytes.subarray(0, 64));
  const parsed = parseFileName(text.slice(0, text.indexOf(" ")));
  if (parsed?.kind === "manifest" && parsed.id <= NUMBER_MAX) {
    const expected = encodeCurrent(parsed.id);
    if (expected.length === bytes.length && expected.every((byte, i) => byte === bytes[i])) return parsed.id;
  }
  throw new CorruptionError(`Cannot read "${CURRENT_NAME}": it does not name a manifest`, {
    file: CURRENT_NAME,
    offset: 0,
  });
}
