/**
 * The segment writer: where a task's outputs become files.
 *
 * Bytes are gathered into pieces of 256 KiB, since a write of 4 KiB costs as much in calls as in copying. An output is synced
 * when it is closed, and the folder once at the end: only then may an edit name them.
 *
 * If anything fails, every file that was begun is removed; what cannot be removed is an orphan that the next open removes.
 *
 * @module
 */

import type { SegmentSink } from "../compaction/mod.ts";
import type { SegmentId } from "../core/mod.ts";
import { AlreadyExistsError, fileName } from "../core/mod.ts";
import { syncFolder } from "./barrier.ts";
import type { Storage, StorageFile } from "./storage.ts";
import type { TaskWatch } from "./task_run.ts";
import { appendWhole } from "./whole.ts";

const PIECE_BYTES = 256 * 1024;

/** Writes the outputs of one task. */
export class SegmentWriter implements SegmentSink {
  readonly #storage: Storage;
  readonly #watch: TaskWatch;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #used = 0;
  #file: StorageFile | undefined;
  readonly #begun: string[] = [];
  /** Bytes of segments written. */
  bytes = 0;

  /** Writes to `storage`; creates nothing yet. */
  constructor(storage: Storage, watch: TaskWatch) {
    this.#storage = storage;
    this.#watch = watch;
  }

  open(id: SegmentId): void {
    const name = fileName("segment", id);
    this.#file = createAnew(this.#storage, name);
    this.#begun.push(name);
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes += bytes.length;
    this.#watch.wrote(bytes.length);
    if (this.#used + bytes.length > PIECE_BYTES) this.#empty();
    if (bytes.length > PIECE_BYTES) return appendWhole(this.#file!, bytes, 0, bytes.length);
    this.#piece.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  close(): void {
    this.#empty();
    this.#watch.syncing(true);
    this.#file!.sync();
    this.#watch.syncing(false);
    this.#file!.close();
    this.#file = undefined;
  }

  /** Makes the outputs' names survive power loss. */
  finish(): void {
    if (this.#begun.length > 0) syncFolder(this.#storage);
  }

  /** Removes what was begun, as far as that goes. */
  abandon(): void {
    this.#file?.close();
    for (const name of this.#begun) {
      try {
        this.#storage.remove(name);
      } catch {
        // An orphan: no edit names it, and the next open removes it.
      }
    }
  }

  #empty(): void {
    appendWhole(this.#file!, this.#piece, 0, this.#used);
    this.#used = 0;
  }
}

/** Creates a file whose id nothing has used; one of that name is left over from a crash or a failure. */
export function createAnew(storage: Storage, name: string): StorageFile {
  try {
    return storage.create(name);
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
    storage.remove(name);
    return storage.create(name);
  }
}
