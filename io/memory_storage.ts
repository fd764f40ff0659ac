/**
 * A storage that keeps its files in memory.
 *
 * Names and contents are apart, as names and inodes are on a disk: a rename or a removal changes the map of
 * names and never the contents, so handles that are open on them go on working, and a lock is held on
 * the contents, not on the name. That is all it takes to behave as files do; one suite of tests and a
 * property that runs random calls on both hold it to that.
 *
 * Contents are chunks of equal size: an append never moves what is there, as doubling one buffer would, and a
 * file of no bytes takes none.
 *
 * Invariants:
 * - Bytes are copied on the way in and on the way out; no caller ever sees a chunk.
 * - What lies behind `length` in the last chunk is never read.
 * - `append` and `readAt` are never short, and nothing waits: there is nothing to sync.
 *
 * @module
 */

import { AlreadyExistsError, NotFoundError } from "../core/errors.ts";
import { takeLock } from "./held_lock.ts";
import {
  checkCut,
  checkName,
  checkPosition,
  checkSpan,
  closedHandle,
  readOnlyHandle,
} from "./storage_checks.ts";
import type {
  Storage,
  StorageEntry,
  StorageFile,
  StorageLock,
  StorageOpened,
  StorageOpenOptions,
} from "./storage.ts";

/** Four blocks of a segment: a chunk costs 1 us to allocate, and the tail of the last one is all that is wasted. */
const CHUNK_BYTES = 16_384;

/**
 * A storage for trees that never touch a disk.
 *
 * It needs no permission. What is in it lives as long as the instance: a tree that is opened again with the same instance
 * has its data, and two handles of one instance exclude each other with `LockedError` as two of one folder do.
 *
 * Cost: the bytes appended, rounded up to 16 KiB a file.
 *
 * @example Usage
 * ```ts
 * import { MemoryStorage } from "@lsm/tree";
 * import { assertEquals } from "@std/assert";
 *
 * const storage = new MemoryStorage();
 * storage.open({ create: true, readOnly: false });
 * const file = storage.create("notes");
 * file.append(new Uint8Array([1, 2, 3]), 0, 3);
 * file.close();
 *
 * const again = storage.openRead("notes");
 * const into = new Uint8Array(2);
 * assertEquals(again.readAt(into, 0, 2, 1), 2);
 * assertEquals(into, new Uint8Array([2, 3]));
 * again.close();
 * ```
 */
export class MemoryStorage implements Storage {
  /** Always `"memory"`: background work runs inline. */
  readonly kind: string = "memory";
  #files: Map<string, Contents> | undefined;

  /**
   * Gets the storage ready; the first call with `create` is what makes it exist.
   *
   * @param options How to open it.
   * @returns Whether this call created it. There are no notes.
   * @throws {NotFoundError} If it was never created, and `create` is false or `readOnly` true.
   */
  open(options: StorageOpenOptions): StorageOpened {
    if (this.#files !== undefined) return { created: false, notes: [] };
    if (!options.create || options.readOnly) {
      throw new NotFoundError("Cannot open the memory storage: nothing was created in it yet");
    }
    this.#files = new Map();
    return { created: true, notes: [] };
  }

  /** Lists all files, in the order of their creation. */
  list(): StorageEntry[] {
    return Array.from(this.#all(), ([name, { length }]) => ({ name, size: length, isFile: true }));
  }

  /**
   * Creates a new empty file for appending and reading.
   *
   * @param name The name of the file.
   * @returns A handle that appends and reads.
   * @throws {AlreadyExistsError} If the name is taken.
   */
  create(name: string): StorageFile {
    checkName(name);
    const files = this.#all(name);
    if (files.has(name)) {
      throw new AlreadyExistsError(`Cannot create "${name}": it exists already`, { file: name });
    }
    const contents = emptyContents();
    files.set(name, contents);
    return new MemoryFile(name, contents, true);
  }

  /**
   * Opens a file for reading only.
   *
   * @param name The name of the file.
   * @returns A handle that reads; it sees what others append.
   * @throws {NotFoundError} If there is no such file.
   */
  openRead(name: string): StorageFile {
    return new MemoryFile(name, this.#named(name, `open "${name}"`), false);
  }

  /**
   * Renames a file, replacing a file that has the new name.
   *
   * @param from The name it has.
   * @param to The name it gets.
   * @throws {NotFoundError} If there is no file `from`.
   */
  rename(from: string, to: string): void {
    checkName(to);
    const contents = this.#named(from, `rename "${from}" to "${to}"`);
    const files = this.#all();
    files.delete(from);
    files.set(to, contents);
  }

  /**
   * Removes a file; handles that are open on it go on working.
   *
   * @param name The name of the file.
   * @throws {NotFoundError} If there is no such file.
   */
  remove(name: string): void {
    this.#named(name, `remove "${name}"`);
    this.#all().delete(name);
  }

  /** Does nothing: memory does not survive power loss. */
  syncFolder(): void {
    this.#all();
  }

  /**
   * Takes a lock that excludes other handles of the same instance.
   *
   * @param name The lock file, which is created unless `mode` is `"shared"`: then a missing one means that there is
   * nothing to exclude, and no lock is taken.
   * @param mode `"exclusive"` for a writer, `"shared"` for readers.
   * @returns The held lock.
   * @throws {LockedError} If it is held in a way that excludes this one; never waits.
   */
  lock(name: string, mode: "exclusive" | "shared"): StorageLock {
    checkName(name);
    let contents = this.#files?.get(name);
    if (contents === undefined) {
      if (mode === "shared") return { release: () => {} };
      contents = emptyContents();
      this.#all(name).set(name, contents);
    }
    return takeLock(contents, name, mode);
  }

  /** Does nothing: the files stay, for the next `open`. */
  close(): void {}

  #all(file?: string): Map<string, Contents> {
    if (this.#files !== undefined) return this.#files;
    throw new NotFoundError("Cannot use the memory storage: open it with `create` first", { file });
  }

  #named(name: string, action: string): Contents {
    checkName(name);
    const contents = this.#all(name).get(name);
    if (contents !== undefined) return contents;
    throw new NotFoundError(`Cannot ${action}: it does not exist`, { file: name });
  }
}

/** What a name stands for: bytes, and who holds a lock on them. */
interface Contents {
  readonly chunks: Uint8Array[];
  length: number;
  exclusive: boolean;
  /** How many hold it shared. */
  shared: number;
}

function emptyContents(): Contents {
  return { chunks: [], length: 0, exclusive: false, shared: 0 };
}

/** One handle; it lets go of the contents when it is closed. */
class MemoryFile implements StorageFile {
  readonly name: string;
  readonly #writable: boolean;
  #contents: Contents | undefined;

  constructor(name: string, contents: Contents, writable: boolean) {
    this.name = name;
    this.#contents = contents;
    this.#writable = writable;
  }

  append(bytes: Uint8Array, start: number, end: number): number {
    checkSpan(bytes, start, end);
    const contents = this.#changing("append to");
    for (let at = start; at < end;) {
      const offset = contents.length % CHUNK_BYTES;
      if (offset === 0) contents.chunks.push(new Uint8Array(CHUNK_BYTES));
      const count = Math.min(end - at, CHUNK_BYTES - offset);
      contents.chunks.at(-1)?.set(bytes.subarray(at, at + count), offset);
      contents.length += count;
      at += count;
    }
    return end - start;
  }

  readAt(into: Uint8Array, start: number, end: number, position: number): number {
    checkSpan(into, start, end);
    checkPosition(position);
    const { chunks, length } = this.#reading("read");
    const stop = Math.min(position + (end - start), length);
    let at = position;
    while (at < stop) {
      const offset = at % CHUNK_BYTES;
      const count = Math.min(stop - at, CHUNK_BYTES - offset);
      const chunk = chunks[Math.floor(at / CHUNK_BYTES)];
      if (chunk !== undefined) into.set(chunk.subarray(offset, offset + count), start + (at - position));
      at += count;
    }
    return at - position;
  }

  size(): number {
    return this.#reading("measure").length;
  }

  truncate(length: number): void {
    const contents = this.#changing("cut back");
    checkCut(length, contents.length);
    contents.length = length;
    contents.chunks.length = Math.ceil(length / CHUNK_BYTES);
  }

  sync(): void {
    this.#reading("sync");
  }

  syncAsync(): Promise<void> {
    return new Promise((resolve) => resolve(this.sync()));
  }

  close(): void {
    this.#contents = undefined;
  }

  #reading(action: string): Contents {
    if (this.#contents === undefined) throw closedHandle(action, this.name);
    return this.#contents;
  }

  #changing(action: string): Contents {
    const contents = this.#reading(action);
    if (!this.#writable) throw readOnlyHandle(action, this.name);
    return contents;
  }
}
