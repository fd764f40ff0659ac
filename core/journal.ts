/**
 * The journal: one record per batch, appended before the batch becomes visible.
 *
 * ```text
 * journal := file header | (record of kind 1, payload a batch)* | record of kind 3 (closing)?
 * ```
 *
 * Batches are numbered without gaps across journals: the first of a journal is the next after the last of the one
 * before. A journal is created at the first write after a seal and never appended to by another open of the tree. A
 * closing record carries the number of the last batch and says that the tree was closed here in order.
 *
 * Reading a journal never fails on its content: what is not whole is a *tail*, and whether a tail is a
 * crash's or damage is for recovery to say, which sees all journals.
 *
 * @module
 */

import type { Operation } from "./batch.ts";
import { decodeBatch } from "./batch.ts";
import { checksum } from "./checksum.ts";
import { CorruptionError } from "./errors.ts";
import { decodeFileHeader, FILE_HEADER_BYTES } from "./file_header.ts";
import { fileName } from "./file_names.ts";
import { readU32 } from "./little_endian.ts";
import type { RecordRef, RecordTail } from "./record.ts";
import { durableOf, RECORD_BATCH, RECORD_CLOSING, RECORD_HEADER_BYTES, scanRecords } from "./record.ts";

/** The journal that is being appended to. */
export interface JournalHead {
  /** Its number. */
  readonly id: number;
  /** The seed of its checksums. */
  readonly seed: number;
  /** Its length in bytes. */
  readonly bytes: number;
}

/** A journal as it was found. */
export interface JournalScan {
  /** Its number. */
  readonly id: number;
  /** Its bytes. */
  readonly file: Uint8Array;
  /** Its whole batches, in order. */
  readonly batches: readonly RecordRef[];
  /** Whether it ends with a closing record. */
  readonly closed: boolean;
  /** What stands behind its last whole record. */
  readonly tail: RecordTail | undefined;
  /** The highest batch that any of its records knows to be durable. */
  readonly durable: number;
}

/**
 * Reads a journal. Total, but for a format that is newer than this module.
 *
 * @throws {UnsupportedFormatError} If a newer module wrote it.
 */
export function scanJournal(file: Uint8Array, id: number): JournalScan {
  let seed: number;
  try {
    seed = decodeFileHeader(file, "journal", id, fileName("journal", id)).seed;
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    const tail = { offset: 0, bytes: file.length, reason: "its header is not whole" };
    return { id, file, batches: [], closed: false, tail, durable: durableBehindHeader(file) };
  }
  const { records, tail, behind } = scanRecords(file, seed);
  const durable = Math.max(durableOf(records), durableOf(behind));
  const batches: RecordRef[] = [];
  for (const [i, record] of records.entries()) {
    if (record.kind === RECORD_BATCH) batches.push(record);
    else if (record.kind !== RECORD_CLOSING || i !== records.length - 1) {
      const offset = record.start - RECORD_HEADER_BYTES;
      const misplaced = { offset, bytes: file.length - offset, reason: "a record has no place in a journal" };
      return { id, file, batches, closed: false, tail: misplaced, durable };
    }
  }
  const closed = tail === undefined && records.at(-1)?.kind === RECORD_CLOSING;
  return { id, file, batches, closed, tail, durable };
}

/**
 * Returns what the records behind a damaged header know to be durable.
 *
 * One flipped byte is either in the header's checksum or in what that covers, so one of the two still is the file's seed.
 */
function durableBehindHeader(file: Uint8Array): number {
  if (file.length < FILE_HEADER_BYTES) return 0;
  const stored = readU32(file, FILE_HEADER_BYTES - 4);
  const actual = checksum(file, 0, FILE_HEADER_BYTES - 4, 0);
  if (stored === actual) return 0;
  const scans = [scanRecords(file, stored), scanRecords(file, actual)];
  return Math.max(...scans.flatMap(({ records, behind }) => [durableOf(records), durableOf(behind)]));
}

/** Returns the operations of a batch of a journal. */
export function journalBatch(scan: JournalScan, record: RecordRef): readonly Operation[] {
  return decodeBatch(scan.file, record.start, record.end);
}
