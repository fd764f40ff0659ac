/**
 * The journal writer: the files that batches are appended to, and their barriers.
 *
 * - A journal that is created has its header written and synced; if that fails the file is removed again. The id may be one
 *   that was used before a power cut took the name, and what does not reach the disk may read as bytes of that older file:
 *   they are not believed as long as the header, with its salt, is not theirs too.
 * - An append that fails is taken back by cutting the journal to its length before: no record ever follows a bad
 *   one. If even that fails, the tree is poisoned.
 * - Under `"buffered"` records wait in memory. They stay where they were encoded; only neighbours in one chunk are
 *   written together. A seal, a barrier and a full buffer write them out, oldest first.
 * - A failed sync is never retried: a second one may report success for bytes that are gone.
 *
 * @module
 */

import type { Barrier, JournalHead } from "../core/mod.ts";
import { encodeRecord, fileName, RECORD_CLOSING } from "../core/mod.ts";
import { BarrierError, syncFile, syncFolder, takeBack } from "./barrier.ts";
import { createAnew } from "./segment_writer.ts";
import type { Storage, StorageFile } from "./storage.ts";
import { appendWhole } from "./whole.ts";

interface OpenJournal {
  readonly file: StorageFile;
  /** The length that the file has, without what waits. */
  bytes: number;
}

/** Records that wait in memory, one behind the other in a chunk. */
interface Waiting {
  readonly journal: OpenJournal;
  readonly bytes: Uint8Array;
  readonly start: number;
  end: number;
}

/** Records are written out when so many bytes wait. */
const BUFFER_BYTES = 64 * 1024;

/** The journals of a handle. */
export class JournalWriter {
  readonly #storage: Storage;
  readonly #buffered: boolean;
  readonly #journals: Map<number, OpenJournal> = new Map();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Bytes written to journals. */
  bytesWritten = 0;
  /** Barriers passed. */
  syncs = 0;

  /** Writes to `storage`; `buffered` lets records wait in memory. */
  constructor(storage: Storage, buffered: boolean) {
    this.#storage = storage;
    this.#buffered = buffered;
  }

  /** Creates a journal. */
  create(id: number, header: Uint8Array): void {
    const file = beginJournal(this.#storage, id, header);
    this.#journals.set(id, { file, bytes: header.length });
  }

  /** Appends a record at `offset`, which is the journal's length with what waits. */
  append(id: number, bytes: Uint8Array, start: number, end: number): void {
    const journal = this.#journals.get(id)!;
    if (!this.#buffered) return this.#write(journal, bytes, start, end);
    if (this.#waitingBytes + end - start > BUFFER_BYTES) this.drain();
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.journal === journal && last.bytes === bytes && last.end === start) {
      last.end = end;
    } else this.#waiting.push({ journal, bytes, start, end });
    this.#waitingBytes += end - start;
  }

  /** Writes out what waits, oldest first; what could not be written goes on waiting. */
  drain(): void {
    while (this.#waiting.length > 0) {
      const { journal, bytes, start, end } = this.#waiting[0]!;
      this.#write(journal, bytes, start, end);
      this.#waiting.shift();
      this.#waitingBytes -= end - start;
    }
  }

  #write(journal: OpenJournal, bytes: Uint8Array, start: number, end: number): void {
    try {
      appendWhole(journal.file, bytes, start, end);
    } catch (error) {
      takeBack(journal.file, journal.bytes, error);
    }
    journal.bytes += end - start;
    this.bytesWritten += end - start;
  }

  /** Passes a barrier: older journals, the folder, the newest journal. Requires: nothing waits. */
  sync(ids: readonly number[], folder: boolean): void {
    for (const [i, id] of ids.entries()) {
      if (folder && i === ids.length - 1) syncFolder(this.#storage);
      const journal = this.#journals.get(id);
      if (journal !== undefined) syncFile(journal.file);
    }
    this.syncs += 1;
  }

  /** Passes a barrier without blocking. Requires: nothing waits. */
  async syncAsync(barrier: Barrier): Promise<void> {
    for (const [i, id] of barrier.journals.entries()) {
      if (barrier.folder && i === barrier.journals.length - 1) syncFolder(this.#storage);
      try {
        await this.#journals.get(id)?.file.syncAsync();
      } catch (error) {
        throw new BarrierError(`Cannot sync "${fileName("journal", id)}"`, { cause: error });
      }
    }
    this.syncs += 1;
  }

  /** Says in a journal that the tree was closed in order after batch `seqno`. */
  closing(head: JournalHead, seqno: number): void {
    const record = encodeRecord(new Uint8Array(0), RECORD_CLOSING, head.seed, head.bytes, seqno, seqno);
    const journal = this.#journals.get(head.id)!;
    this.#write(journal, record, 0, record.length);
    syncFile(journal.file);
  }

  /** Closes a journal whose batches are all in segments. */
  forget(id: number): void {
    this.#journals.get(id)?.file.close();
    this.#journals.delete(id);
  }

  /** Closes all journals. */
  close(): void {
    for (const id of [...this.#journals.keys()]) this.forget(id);
    this.#waiting = [];
  }
}

/** Writes a whole journal and syncs it; its name is not durable yet. One that cannot be written is removed again. */
export function writeJournal(
  storage: Storage,
  id: number,
  header: Uint8Array,
  pieces: Iterable<Uint8Array>,
): void {
  const file = beginJournal(storage, id, header);
  try {
    for (const piece of pieces) appendWhole(file, piece, 0, piece.length);
    file.sync();
    file.close();
  } catch (error) {
    giveUp(storage, file);
    throw error;
  }
}

/** Creates a journal that has its header, synced. */
function beginJournal(storage: Storage, id: number, header: Uint8Array): StorageFile {
  const file = createAnew(storage, fileName("journal", id));
  try {
    appendWhole(file, header, 0, header.length);
    file.sync();
    return file;
  } catch (error) {
    giveUp(storage, file);
    throw error;
  }
}

function giveUp(storage: Storage, file: StorageFile): void {
  file.close();
  try {
    storage.remove(file.name);
  } catch {
    // Left for the next try, which removes a file that is in its way, or for an open, which finds nothing new in it.
  }
}
