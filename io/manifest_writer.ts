/**
 * The manifest writer: makes edits durable, one at a time.
 *
 * Order: append the edit, sync, then append its mark (`core/manifest.ts`). When what was appended has grown to several times
 * the snapshot a new manifest takes its place, which takes the history along: write it, sync it, write `CURRENT.tmp`, sync it, sync the folder, rename it to
 * `CURRENT`, sync the folder, remove the old one. The folder is synced before the rename too: otherwise the rename could
 * survive a crash that the new manifest's name does not.
 *
 * An append that fails is taken back; a failed sync leaves unknown what is on disk, and is a {@linkcode BarrierError}.
 *
 * @module
 */

import type { Chronicle, Edit, EditCause, ManifestHead, RecordKind, Salt } from "../core/mod.ts";
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  encodeCurrent,
  encodeEdit,
  encodeFileHeader,
  encodeHistory,
  encodeRecord,
  fileName,
  fileSalt,
  RECORD_CLOSING,
  RECORD_EDIT,
  RECORD_HISTORY,
  RECORD_MARK,
  snapshotEdit,
  withEdit,
} from "../core/mod.ts";
import { BarrierError, syncFile, syncFolder, takeBack } from "./barrier.ts";
import { createAnew } from "./segment_writer.ts";
import type { Storage, StorageFile } from "./storage.ts";
import { appendWhole } from "./whole.ts";

/**
 * A manifest is written anew when what was appended to it is this many times as long as its snapshot, and longer than the least.
 * The history does not count: it is of a bounded length, and an open folds only what stands behind the snapshot.
 */
const GROWTH_MAX = 8;
const GROWN_BYTES_MIN = 64 * 1024;

/** The manifest of a handle. */
export class ManifestWriter {
  readonly #storage: Storage;
  readonly #salt: Salt;
  #file: StorageFile | undefined;
  #head: ManifestHead;
  /** Bytes written to manifests. */
  bytesWritten = 0;

  private constructor(storage: Storage, salt: Salt, head: ManifestHead) {
    this.#storage = storage;
    this.#salt = salt;
    this.#head = head;
  }

  /** Its number. */
  get id(): number {
    return this.#head.id;
  }

  /** Goes on from a manifest that is whole: the first edit begins a new one, since a file is only appended to by its maker. */
  static after(storage: Storage, salt: Salt, id: number): ManifestWriter {
    return new ManifestWriter(storage, salt, { id, seed: 0, bytes: 0, bytesMax: 0 });
  }

  /**
   * Writes a manifest for a version with its history and makes `CURRENT` name it; the one before, if there is one, goes.
   *
   * With cause `"closed"` it ends with a closing record, which needs no mark: nothing is appended to it any more.
   *
   * @throws {IoError} If it could not be written; `CURRENT` names what it named before.
   * @throws {BarrierError} If it is unknown what `CURRENT` names.
   */
  replace({ version, history }: Chronicle, cause: EditCause, durable: number, now: number): void {
    const before = this.#head.id;
    const id = before + 1;
    const { header, bytes } = encodeFileHeader("manifest", id, fileSalt(this.#salt, id));
    let length = bytes.length;
    const recordOf = (kind: RecordKind, payload: Uint8Array): Uint8Array<ArrayBuffer> => {
      const record = encodeRecord(payload, kind, header.seed, length, version.editNumber, durable);
      length += record.length;
      return record;
    };
    const past = recordOf(RECORD_HISTORY, encodeHistory(history));
    const snapshot = recordOf(RECORD_EDIT, encodeEdit(snapshotEdit(version, cause, now)));
    const parts = [bytes, past, snapshot];
    if (cause === "closed") parts.push(recordOf(RECORD_CLOSING, new Uint8Array(0)));
    const file = createAnew(this.#storage, fileName("manifest", id));
    try {
      for (const part of parts) appendWhole(file, part, 0, part.length);
      file.sync();
      replaceCurrent(this.#storage, id);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file?.close();
    this.#file = file;
    const bytesMax = length + Math.max(GROWN_BYTES_MIN, GROWTH_MAX * snapshot.length);
    this.#head = { id, seed: header.seed, bytes: length, bytesMax };
    this.bytesWritten += length;
    if (cause !== "closed") this.#mark(version.editNumber, durable);
    if (before > 0) this.#remove(before);
  }

  /** One that cannot be removed is an orphan: `CURRENT` names another, and the next open removes it. */
  #remove(id: number): void {
    try {
      this.#storage.remove(fileName("manifest", id));
    } catch {
      // See above.
    }
  }

  /**
   * Makes an edit durable.
   *
   * @param before The version that it changes, with its history.
   * @throws {CorruptionError} If it does not fit the version; nothing has changed.
   * @throws {IoError} If it could not be appended; nothing has changed.
   * @throws {BarrierError} If it is unknown whether it is on disk.
   */
  commit(edit: Edit, before: Chronicle, durable: number, now: number): void {
    const after = withEdit(before, edit);
    const { editNumber } = after.version;
    if (this.#file === undefined) this.replace(before, "snapshot", durable, now);
    this.#append(encodeEdit(edit), RECORD_EDIT, editNumber, durable);
    syncFile(this.#file!);
    this.#mark(editNumber, durable);
    if (this.#head.bytes > this.#head.bytesMax) this.#replaceGrown(after, durable, now);
  }

  /** Lets go of the file. */
  close(): void {
    this.#file?.close();
  }

  #append(
    payload: Uint8Array,
    kind: typeof RECORD_EDIT | typeof RECORD_MARK,
    number: number,
    durable: number,
  ): void {
    const head = this.#head;
    const record = encodeRecord(payload, kind, head.seed, head.bytes, number, durable);
    try {
      appendWhole(this.#file!, record, 0, record.length);
    } catch (error) {
      takeBack(this.#file!, head.bytes, error);
    }
    this.#head = { ...head, bytes: head.bytes + record.length };
    this.bytesWritten += record.length;
  }

  /** A mark that cannot be written is done without: it only tells damage from a crash. */
  #mark(number: number, durable: number): void {
    try {
      this.#append(new Uint8Array(0), RECORD_MARK, number, durable);
    } catch (error) {
      if (error instanceof BarrierError) throw error;
    }
  }

  /** Begins a new manifest; if that fails before `CURRENT` names it, the old one goes on. */
  #replaceGrown(grown: Chronicle, durable: number, now: number): void {
    try {
      this.replace(grown, "snapshot", durable, now);
    } catch (error) {
      if (error instanceof BarrierError) throw error;
    }
  }
}

/** Makes `CURRENT` name a manifest; from the rename on a failure leaves unknown which one it names. */
function replaceCurrent(storage: Storage, id: number): void {
  const file = createAnew(storage, CURRENT_TEMPORARY_NAME);
  try {
    const bytes = encodeCurrent(id);
    appendWhole(file, bytes, 0, bytes.length);
    file.sync();
  } finally {
    file.close();
  }
  syncFolder(storage);
  storage.rename(CURRENT_TEMPORARY_NAME, CURRENT_NAME);
  syncFolder(storage);
}
