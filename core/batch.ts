/**
 * A batch: operations that happen all or not at all, encoded once as the payload of one journal record.
 *
 * ```text
 * payload   := count u32 | operation * count
 * operation := 1 | keyBytes u16 | valueBytes u32 | key | value        put
 *            | 2 | keyBytes u16 | key                                 tombstone
 *            | 7                                                      clear
 * ```
 *
 * The bytes are encoded where they will stay: in a chunk that the journal is written from and that the memtable's
 * positions point into (`arena.ts`). A chunk is written once, never pooled, and lives as long as a memtable needs it.
 * The builder leaves room for the record's header in front, which `step` fills in when it gives the batch its number.
 *
 * @module
 */

import type { Value } from "./bytes.ts";
import { keyFromBytes, textToBytes, VALUE_BYTES_MAX, writeKey, writeText } from "./bytes.ts";
import { CLEAR, PUT, TOMBSTONE, unknownKind } from "./entry_kind.ts";
import type { EntryKind } from "./entry_kind.ts";
import { CorruptionError } from "./errors.ts";
import { readU16, readU32, writeU16, writeU32 } from "./little_endian.ts";
import { RECORD_HEADER_BYTES } from "./record.ts";

/** One operation of a batch. */
export interface Operation {
  /** What it does. */
  readonly kind: EntryKind;
  /** The key it does it to; empty for a clear. */
  readonly key: string;
  /** Where it begins in the bytes of its batch. */
  readonly at: number;
}

/** A batch with its bytes. */
export interface Batch {
  /** The chunk that holds the record. */
  readonly bytes: Uint8Array;
  /** Where the record begins: its header, then the payload. */
  readonly start: number;
  /** Where the record ends. */
  readonly end: number;
  /** The operations, in the order they were given. */
  readonly operations: readonly Operation[];
}

/** The most bytes one batch may have, encoded: its length must fit in 32 bits with room to spare. */
export const BATCH_BYTES_MAX = 2_147_483_647;

/** Strings up to this long are encoded in place, with room for three bytes a char. */
const TEXT_IN_PLACE_MAX = 4_096;

/** A batch that would take more than this part of a chunk keeps the one it has. */
const ADOPTED_PART = 4;

const PAYLOAD_HEADER_BYTES = RECORD_HEADER_BYTES + 4;

/** Encodes batches, one after the other, into chunks. */
export class BatchBuilder {
  readonly #chunkBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #start = 0;
  #at = PAYLOAD_HEADER_BYTES;
  #moved = false;
  #operations: Operation[] = [];

  /** Makes a builder that allocates chunks of at least `chunkBytes`. */
  constructor(chunkBytes: number) {
    this.#chunkBytes = Math.max(chunkBytes, PAYLOAD_HEADER_BYTES);
    this.#bytes = new Uint8Array(this.#chunkBytes);
  }

  /** How many operations the batch has so far. */
  get length(): number {
    return this.#operations.length;
  }

  /** Adds a put. Requires: `key` from `toKey`, `value` passed `checkValue`. */
  put(key: string, value: Value): void {
    if (typeof value === "string" && value.length > TEXT_IN_PLACE_MAX) value = textToBytes(value);
    const room = typeof value === "string" ? value.length * 3 : value.length;
    if (room > VALUE_BYTES_MAX) throw new RangeError(`Cannot use this value: it is ${room} bytes long`);
    const at = this.#reserve(7 + key.length + room);
    const bytes = this.#bytes;
    const from = writeKey(key, bytes, at + 7);
    let to: number;
    if (typeof value === "string") {
      to = writeText(value, bytes, from);
    } else {
      bytes.set(value, from);
      to = from + value.length;
    }
    bytes[at] = PUT;
    writeU16(bytes, at + 1, key.length);
    writeU32(bytes, at + 3, to - from);
    this.#operations.push({ kind: PUT, key, at });
    this.#at = to;
  }

  /** Adds a tombstone. Requires: `key` from `toKey`. */
  remove(key: string): void {
    const at = this.#reserve(3 + key.length);
    this.#bytes[at] = TOMBSTONE;
    writeU16(this.#bytes, at + 1, key.length);
    this.#operations.push({ kind: TOMBSTONE, key, at });
    this.#at = writeKey(key, this.#bytes, at + 3);
  }

  /** Adds a clear. */
  clear(): void {
    const at = this.#reserve(1);
    this.#bytes[at] = CLEAR;
    this.#operations.push({ kind: CLEAR, key: "", at });
    this.#at = at + 1;
  }

  /** Returns the batch as it is; the builder may still add to it, and what was returned must not be used after that. */
  peek(): Batch {
    this.#reserve(0);
    const bytes = this.#bytes;
    const start = this.#start;
    const end = this.#at;
    writeU32(bytes, start + RECORD_HEADER_BYTES, this.#operations.length);
    if (this.#moved) this.#operations = decodeBatch(bytes, start + RECORD_HEADER_BYTES, end);
    this.#moved = false;
    return { bytes, start, end, operations: this.#operations };
  }

  /** Returns the batch; the builder goes on with an empty one behind it. */
  finish(): Batch {
    const batch = this.peek();
    this.#start = batch.end;
    this.#at = batch.end + PAYLOAD_HEADER_BYTES;
    this.#operations = [];
    return batch;
  }

  /**
   * Returns a batch of another builder with its bytes copied here, so that many small ones share a chunk.
   *
   * Requires: this builder's own batch is empty.
   */
  adopt(batch: Batch): Batch {
    const length = batch.end - batch.start;
    if (length > this.#chunkBytes / ADOPTED_PART) return batch;
    this.#reserve(length);
    const start = this.#start;
    this.#bytes.set(batch.bytes.subarray(batch.start, batch.end), start);
    const shift = start - batch.start;
    this.#start = start + length;
    this.#at = this.#start + PAYLOAD_HEADER_BYTES;
    const operations = batch.operations.map(({ kind, key, at }) => ({ kind, key, at: at + shift }));
    return { bytes: this.#bytes, start, end: this.#start, operations };
  }

  /** Returns where `count` more bytes go, in a larger chunk if this one is full. */
  #reserve(count: number): number {
    const at = this.#at;
    if (at + count <= this.#bytes.length) return at;
    const used = at - this.#start;
    if (used + count > BATCH_BYTES_MAX) {
      throw new RangeError(`Cannot add to this batch: it would have more than ${BATCH_BYTES_MAX} bytes`);
    }
    const several = this.#operations.length > 0;
    const wanted = Math.min((used + count) * (several ? 2 : 1), BATCH_BYTES_MAX);
    const chunk = new Uint8Array(Math.max(this.#chunkBytes, wanted));
    if (several) chunk.set(this.#bytes.subarray(this.#start, at));
    this.#bytes = chunk;
    this.#start = 0;
    this.#at = used;
    this.#moved ||= several;
    return used;
  }
}

/**
 * Returns the operations of the payload in `bytes[start, end)`.
 *
 * @throws {CorruptionError} If it is not a payload.
 * @throws {UnsupportedFormatError} If it has an operation of a kind that this module does not know.
 */
export function decodeBatch(bytes: Uint8Array, start: number, end: number): Operation[] {
  if (end - start < 4) throw notABatch(start);
  const count = readU32(bytes, start);
  const operations: Operation[] = [];
  let at = start + 4;
  for (let i = 0; i < count; i++) {
    if (at >= end) throw notABatch(at);
    const kind = bytes[at]!;
    if (kind === CLEAR) {
      operations.push({ kind: CLEAR, key: "", at });
      at += 1;
      continue;
    }
    if (kind !== PUT && kind !== TOMBSTONE) throw unknownKind(kind, "the journal");
    const headerBytes = kind === PUT ? 7 : 3;
    if (at + headerBytes > end) throw notABatch(at);
    const keyStart = at + headerBytes;
    const keyEnd = keyStart + readU16(bytes, at + 1);
    const valueEnd = kind === PUT ? keyEnd + readU32(bytes, at + 3) : keyEnd;
    if (valueEnd > end) throw notABatch(at);
    const key = keyFromBytes(bytes, keyStart, keyEnd);
    operations.push({ kind, key, at });
    at = valueEnd;
  }
  if (at !== end) throw notABatch(at);
  return operations;
}

function notABatch(offset: number): CorruptionError {
  return new CorruptionError(`Cannot decode a batch: its lengths do not fit its bytes`, { offset });
}

/** Returns the bytes of keys and values in a batch. */
export function userBytesOf({ bytes, operations }: Batch): number {
  let count = 0;
  for (const { kind, key, at } of operations) {
    count += key.length + (kind === PUT ? readU32(bytes, at + 3) : 0);
  }
  return count;
}
