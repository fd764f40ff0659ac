/**
 * The port between the tree and whatever keeps its bytes.
 *
 * A storage is one flat folder of named files. The port is as narrow as an LSM
 * tree allows: files are created, appended to, cut back to an earlier length,
 * read at a position, synced, renamed and removed. Nothing is ever overwritten in
 * place, so there are few things that can be half done, and a simulated storage can
 * enumerate all of them.
 *
 * Invariants every implementation keeps (one suite of tests runs on all of them):
 * - Names match `FILE_NAME`; a name that does not is a `TypeError`. No paths, no links.
 * - A new file's entry in the folder survives power loss only after `syncFolder`; its bytes
 *   and length only after a `sync` of the file.
 * - `append` may write less than it was given, `readAt` may read less than it was asked
 *   for: callers loop. `readAt` returns 0 only at or behind the end of the file.
 * - Every refusal is an `IoError`, a full disk a `NoSpaceError`, a name that is not there a
 *   `NotFoundError`, a name that is there already on `create` an `AlreadyExistsError`, a lock held
 *   elsewhere a `LockedError`. `file` names the file.
 *
 * All calls are synchronous but `syncAsync`: a positional read out of the page cache costs
 * about half a microsecond this way, and 10 to 100 awaited.
 *
 * @module
 */

/** What the name of a file in a storage may be. */
export const FILE_NAME: RegExp = /^[0-9A-Za-z._-]{1,255}$/;

/** One open file of a {@linkcode Storage}. */
export interface StorageFile {
  /** The name it was opened under. */
  readonly name: string;
  /**
   * Appends bytes at the end of the file.
   *
   * @param bytes The buffer to take them from.
   * @param start Where in `bytes` to begin.
   * @param end Where in `bytes` to stop, exclusive.
   * @returns How many were written: at least 1, perhaps fewer than asked.
   * @throws {IoError} If the operating system refuses. Some bytes may have been written: see `truncate`.
   */
  append(bytes: Uint8Array, start: number, end: number): number;
  /**
   * Reads bytes at a position.
   *
   * @param into The buffer to fill.
   * @param start Where in `into` to begin.
   * @param end Where in `into` to stop, exclusive.
   * @param position The byte of the file to begin at.
   * @returns How many were read: perhaps fewer than asked, 0 only at the end of the file.
   * @throws {IoError} If the operating system refuses.
   */
  readAt(into: Uint8Array, start: number, end: number, position: number): number;
  /** Returns the length of the file in bytes. */
  size(): number;
  /** Cuts the file back to `length` bytes; later appends go there. */
  truncate(length: number): void;
  /** Makes the bytes and the length of the file survive power loss, before it returns. */
  sync(): void;
  /** Does the same without blocking; covers at least what was appended before the call. */
  syncAsync(): Promise<void>;
  /** Releases the handle. Calling it again does nothing. */
  close(): void;
}

/** A held lock. */
export interface StorageLock {
  /** Releases the lock. Calling it again does nothing. */
  release(): void;
}

/** One entry of a storage's folder. */
export interface StorageEntry {
  /** The name of the file. */
  readonly name: string;
  /** Its length in bytes. */
  readonly size: number;
  /** Whether it is a plain file: links, folders and devices are listed, never opened. */
  readonly isFile: boolean;
}

/** How to open a storage. */
export interface StorageOpenOptions {
  /** Create the folder if it is missing. */
  readonly create: boolean;
  /** Never change a byte. */
  readonly readOnly: boolean;
}

/** Tells how a storage came up. */
export interface StorageOpened {
  /** Whether the folder was made by this call. */
  readonly created: boolean;
  /** What a user should know, for `recovery.notes`. */
  readonly notes: readonly string[];
}

/** A flat folder of files that a tree lives in. */
export interface Storage {
  /** Which kind it is: only `"files"` can have a background Worker. */
  readonly kind: string;
  /**
   * Gets the folder ready, creating it where asked.
   *
   * @throws {NotFoundError} If it is missing and `create` is false.
   * @throws {IoError} If the operating system refuses.
   */
  open(options: StorageOpenOptions): StorageOpened;
  /** Lists all that is in the folder, in no order. */
  list(): StorageEntry[];
  /** Creates a new empty file for appending and reading. */
  create(name: string): StorageFile;
  /** Opens a file for reading only. */
  openRead(name: string): StorageFile;
  /** Renames a file, replacing a file that has the new name. */
  rename(from: string, to: string): void;
  /** Removes a file; handles that are open on it go on working. */
  remove(name: string): void;
  /** Makes creations, renames and removals so far survive power loss, before it returns. */
  syncFolder(): void;
  /**
   * Takes an advisory lock that dies with the process; excludes other handles of this process too.
   *
   * Creates the lock file if it is missing, unless `mode` is `"shared"`, which needs it only to be readable.
   *
   * @param name The lock file. It is never removed.
   * @param mode `"exclusive"` for a writer, `"shared"` for readers.
   * @throws {LockedError} If it is held in a way that excludes this one; never waits.
   */
  lock(name: string, mode: "exclusive" | "shared"): StorageLock;
  /** Releases what the storage itself holds. Files that are open stay open. */
  close(): void;
  /**
   * Returns the time in ms since the epoch; the system's clock is asked where this is missing.
   *
   * A tree writes it into its history and its segments, and measures by it how old segments are and when an interval or a pause
   * is over. It may go back.
   */
  now?(): number;
  /**
   * Fills `words` with random bits, which have to differ from one call to the next and from one process to the next; the system's
   * are taken where this is missing.
   *
   * A tree takes two words each time it is opened for writing, which tell its files from older ones of the same name, and one when
   * it is made, against keys that are chosen to collide.
   */
  random?(words: Uint32Array<ArrayBuffer>): void;
}
