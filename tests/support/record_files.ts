/**
 * Journals and manifests as bytes, written record by record as the shell writes them.
 *
 * ```text
 * const file = recordFile("manifest", 7, SALT);
 * file.edit(1, snapshot).mark(1).close(1);
 * scanManifest(file.bytes(), 7);
 * ```
 *
 * @module
 */

import type { Operation } from "../../core/batch.ts";
import { BatchBuilder } from "../../core/batch.ts";
import type { Edit } from "../../core/edit.ts";
import { encodeEdit } from "../../core/edit.ts";
import { PUT } from "../../core/entry_kind.ts";
import type { FileKind, Salt } from "../../core/file_header.ts";
import { encodeFileHeader } from "../../core/file_header.ts";
import type { History } from "../../core/history.ts";
import { encodeHistory } from "../../core/history.ts";
import { readU16, readU32 } from "../../core/little_endian.ts";
import type { RecordKind } from "../../core/record.ts";
import {
  encodeRecord,
  RECORD_BATCH,
  RECORD_CLOSING,
  RECORD_EDIT,
  RECORD_HISTORY,
  RECORD_MARK,
  sealRecord,
} from "../../core/record.ts";
import type { GivenOperation } from "./arbitraries.ts";
import { joined } from "./damage.ts";

/** A salt for files of which it does not matter. */
export const SALT: Salt = { low: 0x5a17_5a17, high: 0x0b5e_c7ed };

/** A file of records that grows. */
export class RecordFile {
  readonly #parts: Uint8Array[];
  #length: number;
  /** The seed of its checksums. */
  readonly seed: number;
  /** Where each record begins. */
  readonly offsets: number[] = [];

  /** Begins with the header. */
  constructor(kind: FileKind, id: number, salt: Salt) {
    const { header, bytes } = encodeFileHeader(kind, id, salt);
    this.seed = header.seed;
    this.#parts = [bytes];
    this.#length = bytes.length;
  }

  /** Appends bytes that may be anything. */
  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }

  /** Appends a record. */
  record(kind: RecordKind, number: number, durable: number, payload: Uint8Array = new Uint8Array(0)): this {
    this.offsets.push(this.#length);
    return this.raw(encodeRecord(payload, kind, this.seed, this.#length, number, durable));
  }

  /** Appends a batch, sealed in place like the tree does. */
  batch(number: number, operations: readonly GivenOperation[], durable = 0): this {
    const builder = new BatchBuilder(64);
    addOperations(builder, operations);
    const { bytes, start, end } = builder.finish();
    this.offsets.push(this.#length);
    sealRecord(bytes, start, end, RECORD_BATCH, this.seed, this.#length, number, durable);
    return this.raw(bytes.subarray(start, end));
  }

  /** Appends an edit. */
  edit(number: number, edit: Edit, durable = 0): this {
    return this.record(RECORD_EDIT, number, durable, encodeEdit(edit));
  }

  /** Appends the history of the version that the next edit, a snapshot, makes. */
  history(number: number, history: History, durable = 0): this {
    return this.record(RECORD_HISTORY, number, durable, encodeHistory(history));
  }

  /** Appends a mark: the edit of this number is durable. */
  mark(number: number, durable = 0): this {
    return this.record(RECORD_MARK, number, durable);
  }

  /** Appends a closing record. */
  close(number: number, durable = 0): this {
    return this.record(RECORD_CLOSING, number, durable);
  }

  /** Returns the file so far. */
  bytes(): Uint8Array<ArrayBuffer> {
    return joined(...this.#parts);
  }
}

/** Returns a file of records with nothing in it but the header. */
export function recordFile(kind: FileKind, id: number, salt: Salt = SALT): RecordFile {
  return new RecordFile(kind, id, salt);
}

/** Gives operations to a builder. */
export function addOperations(builder: BatchBuilder, operations: readonly GivenOperation[]): void {
  for (const operation of operations) {
    if (operation.kind === "put") builder.put(operation.key, operation.value);
    else if (operation.kind === "remove") builder.remove(operation.key);
    else builder.clear();
  }
}

/** An operation with its value, or `null` for one that has none. */
export type PlainOperation = readonly [kind: number, key: string, value: readonly number[] | null];

/** Returns operations as plain data, with their values out of the bytes that they stand in. */
export function plainOperations(bytes: Uint8Array, operations: readonly Operation[]): PlainOperation[] {
  return operations.map(({ kind, key, at }) => {
    if (kind !== PUT) return [kind, key, null];
    const start = at + 7 + readU16(bytes, at + 1);
    return [kind, key, [...bytes.subarray(start, start + readU32(bytes, at + 3))]];
  });
}
