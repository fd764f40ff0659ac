/**
 * A storage around another one, for tests that hold it up or end it.
 *
 * - *Holding up*: an awaited sync goes through a function of the test's, which decides when it begins and when it is over.
 * - *Ending*: after `die()` locks and descriptors are free, as after the death of a process, and whatever the tree still
 *   tries is refused. It cannot tidy up: what is in the folder stays as it was at that moment.
 *
 * A file that is closed while a sync of it is under way stays open until that is over, as in the operating system.
 *
 * @module
 */

import type {
  Storage,
  StorageEntry,
  StorageFile,
  StorageLock,
  StorageOpened,
  StorageOpenOptions,
} from "../../mod.ts";

/** Does an awaited sync: `sync` is the one of the storage below, `name` the file's. */
export type SyncAsync = (sync: () => Promise<void>, name: string) => Promise<void>;

/** A storage around another one. */
export class WrappedStorage implements Storage {
  readonly kind: string = "wrapped";
  readonly now: Storage["now"];
  readonly random: Storage["random"];
  readonly #inner: Storage;
  readonly #syncAsync: SyncAsync;
  readonly #files: Set<StorageFile> = new Set();
  readonly #locks: Set<StorageLock> = new Set();
  #dead = false;

  /** Wraps a storage; awaited syncs go through `syncAsync`. */
  constructor(inner: Storage, syncAsync: SyncAsync = (sync) => sync()) {
    this.#inner = inner;
    this.now = inner.now && (() => inner.now!());
    this.random = inner.random && ((words) => inner.random!(words));
    this.#syncAsync = syncAsync;
  }

  /** Frees locks and descriptors and refuses everything from now on. */
  die(): void {
    this.#dead = true;
    for (const file of this.#files) file.close();
    for (const lock of this.#locks) lock.release();
  }

  #alive(): Storage {
    if (this.#dead) throw new Error("The process of this storage is dead");
    return this.#inner;
  }

  open(options: StorageOpenOptions): StorageOpened {
    return this.#alive().open(options);
  }

  list(): StorageEntry[] {
    return this.#alive().list();
  }

  create(name: string): StorageFile {
    return this.#file(this.#alive().create(name));
  }

  openRead(name: string): StorageFile {
    return this.#file(this.#alive().openRead(name));
  }

  rename(from: string, to: string): void {
    this.#alive().rename(from, to);
  }

  remove(name: string): void {
    this.#alive().remove(name);
  }

  syncFolder(): void {
    this.#alive().syncFolder();
  }

  lock(name: string, mode: "exclusive" | "shared"): StorageLock {
    const lock = this.#alive().lock(name, mode);
    this.#locks.add(lock);
    return lock;
  }

  close(): void {
    if (!this.#dead) this.#inner.close();
  }

  #file(file: StorageFile): StorageFile {
    this.#files.add(file);
    let syncs = 0;
    let closed = false;
    const closeIfDone = (): void => {
      if (!closed || syncs > 0) return;
      this.#files.delete(file);
      file.close();
    };
    const alive = (): StorageFile => {
      this.#alive();
      return file;
    };
    return {
      name: file.name,
      append: (bytes, start, end) => alive().append(bytes, start, end),
      readAt: (into, start, end, position) => alive().readAt(into, start, end, position),
      size: () => alive().size(),
      truncate: (length) => alive().truncate(length),
      sync: () => alive().sync(),
      syncAsync: async () => {
        syncs += 1;
        try {
          await this.#syncAsync(() => alive().syncAsync(), file.name);
        } finally {
          syncs -= 1;
          closeIfDone();
        }
      },
      close: () => {
        closed = true;
        closeIfDone();
      },
    };
  }
}
