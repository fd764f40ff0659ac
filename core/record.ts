/**
 * Records: how a journal and a manifest are written, one after the other, behind the file's header.
 *
 * ```text
 * record  := headerCrc u32 | payloadBytes u32 | payloadCrc u32 | number u56 | kind u8 | durable u64 | payload
 * ```
 *
 * - `headerCrc` covers the 24 bytes behind it. A length is used only after it has passed: a flipped
 *   length without a checksum of its own looks like a torn tail, and everything behind it would be dropped in silence.
 * - `payloadCrc` covers the payload. Both are seeded with the file and the record's offset (`checksum.ts`).
 * - `number` counts batches (in journals) or edits (in manifests) without gaps; the upper 8 of its 64 bits are the kind.
 * - `durable` is the highest batch known to survive power loss when the record was written, in whatever
 *   file it stands. It tells damage from a crash (`recovery.ts`).
 *
 * Reading stops at the first record that is not whole. What stands behind it is searched all the same, byte by byte, but
 * only for what it says of the lost one: if a later record knows it to be durable, its loss is damage and no crash. Where a header
 * is whole and its payload is not, the search goes on behind that payload: what looks like records in there is a value.
 *
 * Given up: no blocks of fixed size as in LevelDB's log, so nothing is padded or split, and a reader cannot skip to
 * the next block after damage; the search does that at 1 byte a step, only then.
 *
 * @module
 */

import { checksum, placeSeed } from "./checksum.ts";
import { UnsupportedFormatError } from "./errors.ts";
import { FILE_HEADER_BYTES } from "./file_header.ts";
import { readU32, writeU32, writeU64 } from "./little_endian.ts";

/** The length of a record's header in bytes. */
export const RECORD_HEADER_BYTES = 28;

/** A record that holds a batch. */
export const RECORD_BATCH = 1;
/** A record that holds an edit of the version. */
export const RECORD_EDIT = 2;
/** A record without a payload that says: closed in order here. */
export const RECORD_CLOSING = 3;

/** A record without a payload that says: the edit of this number is durable. */
export const RECORD_MARK = 4;

/** A record that holds the history of the version that the next record makes. */
export const RECORD_HISTORY = 5;

/** What a record holds. */
export type RecordKind =
  | typeof RECORD_BATCH
  | typeof RECORD_EDIT
  | typeof RECORD_CLOSING
  | typeof RECORD_MARK
  | typeof RECORD_HISTORY;

/** What a record's header says, and where its payload stands. */
export interface RecordRef {
  /** What it holds. */
  readonly kind: RecordKind;
  /** Its number. */
  readonly number: number;
  /** The highest batch that was known to be durable when it was written. */
  readonly durable: number;
  /** Where the payload begins in the file. */
  readonly start: number;
  /** Where the payload, and so the record, ends in the file. */
  readonly end: number;
}

/** Why reading stopped before the end of a file. */
export interface RecordTail {
  /** Where the first record that is not whole begins. */
  readonly offset: number;
  /** How many bytes stand from there on. */
  readonly bytes: number;
  /** What is wrong with it. */
  readonly reason: string;
}

/** All records of a file up to the first that is not whole. */
export interface RecordScan {
  /** The whole records, in order. */
  readonly records: readonly RecordRef[];
  /** What stands behind them, or `undefined` if nothing does. */
  readonly tail: RecordTail | undefined;
  /** Whole records that were found behind the tail's beginning: they say what must have been there. */
  readonly behind: readonly RecordRef[];
}

/** Writes the header of the record whose payload ends at `end`, in the room left for it at `start`. */
export function sealRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
  kind: RecordKind,
  fileSeed: number,
  offset: number,
  number: number,
  durable: number,
): void {
  const seed = placeSeed(fileSeed, offset);
  const payload = start + RECORD_HEADER_BYTES;
  writeU32(bytes, start + 4, end - payload);
  writeU32(bytes, start + 8, end === payload ? seed : checksum(bytes, payload, end, seed));
  writeU64(bytes, start + 12, number);
  bytes[start + 19] = kind;
  writeU64(bytes, start + 20, durable);
  writeU32(bytes, start, checksum(bytes, start + 4, payload, seed));
}

/** Returns a record of its own buffer. */
export function encodeRecord(
  payload: Uint8Array,
  kind: RecordKind,
  fileSeed: number,
  offset: number,
  number: number,
  durable: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + payload.length);
  bytes.set(payload, RECORD_HEADER_BYTES);
  sealRecord(bytes, 0, bytes.length, kind, fileSeed, offset, number, durable);
  return bytes;
}

/**
 * Reads all records of a file. Cost: one pass; the search only behind damage.
 *
 * Total: any bytes give a result, but for a whole record of an unknown kind.
 *
 * @throws {UnsupportedFormatError} If a newer module wrote such a record.
 */
export function scanRecords(file: Uint8Array, fileSeed: number): RecordScan {
  const records: RecordRef[] = [];
  let at = FILE_HEADER_BYTES;
  while (at < file.length) {
    const found = recordAt(file, at, fileSeed);
    if (typeof found === "string") {
      const tail = { offset: at, bytes: file.length - at, reason: found };
      return { records, tail, behind: recordsBehind(file, at, fileSeed) };
    }
    records.push(found);
    at = found.end;
  }
  return { records, tail: undefined, behind: [] };
}

/** Returns the highest `durable` of some records. */
export function durableOf(records: readonly RecordRef[]): number {
  return records.reduce((durable, record) => Math.max(durable, record.durable), 0);
}

/**
 * Returns the record at `at`, or what is wrong with it.
 *
 * @throws {UnsupportedFormatError} If a newer module wrote it.
 */
export function recordAt(file: Uint8Array, at: number, fileSeed: number): RecordRef | string {
  const start = at + RECORD_HEADER_BYTES;
  if (start > file.length) return "a record's header is cut off";
  const seed = placeSeed(fileSeed, at);
  if (readU32(file, at) !== checksum(file, at + 4, start, seed)) {
    return "a record's header has a bad checksum";
  }
  const end = start + readU32(file, at + 4);
  if (end > file.length) return "a record is cut off";
  const stored = readU32(file, at + 8);
  if (stored !== (start === end ? seed : checksum(file, start, end, seed))) {
    return "a record has a bad checksum";
  }
  const kind = file[at + 19]!;
  if (!isRecordKind(kind)) {
    throw new UnsupportedFormatError(
      `Cannot read a record of kind ${kind}: this module does not know it; update the module`,
      { offset: at },
    );
  }
  const number = readU56(file, at + 12);
  const durable = readU56(file, at + 20);
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(durable) || file[at + 27] !== 0) {
    return "a record's number is too large";
  }
  return { kind, number, durable, start, end };
}

function readU56(file: Uint8Array, at: number): number {
  const high = file[at + 4]! | (file[at + 5]! << 8) | (file[at + 6]! << 16);
  return readU32(file, at) + high * 4_294_967_296;
}

function isRecordKind(kind: number): kind is RecordKind {
  return kind >= RECORD_BATCH && kind <= RECORD_HISTORY;
}

/** Searches for whole records behind a damaged place, at any byte but those of records whose header is whole. Cost: one pass. */
function recordsBehind(file: Uint8Array, from: number, fileSeed: number): RecordRef[] {
  const records: RecordRef[] = [];
  let at = from;
  while (at + RECORD_HEADER_BYTES <= file.length) {
    if (!isHeaderOfRecord(file, at, fileSeed)) {
      at += 1;
      continue;
    }
    const found = recordAt(file, at, fileSeed);
    if (typeof found !== "string") records.push(found);
    at += RECORD_HEADER_BYTES + readU32(file, at + 4);
  }
  return records;
}

/** Tells whether a whole header of a record that ends within the file stands at `at`; the likely "no" costs no checksum. */
function isHeaderOfRecord(file: Uint8Array, at: number, fileSeed: number): boolean {
  const start = at + RECORD_HEADER_BYTES;
  return readU32(file, at + 4) <= file.length - start && isRecordKind(file[at + 19]!) &&
    readU32(file, at) === checksum(file, at + 4, start, placeSeed(fileSeed, at));
}
