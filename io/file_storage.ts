/**
 * A storage that keeps its files in a folder of the file system.
 *
 * This file says what each call is; `descriptor.ts` has the open files, `folder.ts` the folder, `system_error.ts` what
 * becomes of a refusal.
 *
 * Invariants:
 * - The folder's real path is settled once, in `open`: what becomes of links above it later changes nothing.
 * - Files are made with mode 0600 and the folder with 0700: a store of data is nobody else's to read.
 *   (`ensureDirSync` of `@std/fs` cannot set a mode, so it does not come in here.)
 * - No raw error of the operating system or of Deno leaves a call.
 *
 * A lock is one of the operating system's on an open file, not the existence of a file: it ends with the process,
 * however that ends. `node:fs` has none, so the lock file is a `Deno.FsFile`.
 *
 * Tried on Linux. On Windows a folder cannot be synced, so `syncFolder` does nothing there.
 *
 * @module
 */

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { LockedError, NotFoundError, type TreeError } from "../core/errors.ts";
import { createFile, openFile, type Place, plainFile } from "./descriptor.ts";
import { entriesOf, isEmpty, isFolder, isGranted, makeFolder, syncAbove, syncFolderAt } from "./folder.ts";
import type {
  Storage,
  StorageEntry,
  StorageFile,
  StorageLock,
  StorageOpened,
  StorageOpenOptions,
} from "./storage.ts";
import { checkName } from "./storage_checks.ts";
import { systemCode, systemError } from "./system_error.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/**
 * A folder of the file system that a tree lives in; what `Tree.open` makes of a path.
 *
 * It needs `--allow-read=FOLDER --allow-write=FOLDER` and nothing else; to be read only, the first. It holds nothing
 * open by itself, so one instance may serve several trees, and `close` has nothing to do.
 *
 * @example Usage
 * ```ts
 * import { FileStorage } from "@lsm/tree/io";
 * import { assertEquals } from "@std/assert";
 *
 * const storage = new FileStorage(Deno.makeTempDirSync());
 * storage.open({ create: true, readOnly: false });
 * const file = storage.create("notes");
 * file.append(new Uint8Array([1, 2, 3]), 0, 3);
 * file.sync();
 * file.close();
 * storage.syncFolder();
 * assertEquals(storage.list(), [{ name: "notes", size: 3, isFile: true }]);
 * Deno.removeSync(storage.folder, { recursive: true });
 * ```
 */
export class FileStorage implements Storage {
  /** Always `"files"`: background work may run in a Worker. */
  readonly kind: string = "files";
  #folder: string;

  /**
   * Names a folder; nothing is touched before `open`.
   *
   * @param folder A path, or a `file:` URL. A relative path is resolved now: a later change of the working folder changes nothing.
   * @throws {TypeError} If it is empty, holds a NUL or is a URL of another scheme.
   */
  constructor(folder: string | URL) {
    const path = typeof folder === "string" ? folder : fileURLToPath(folder);
    if (path === "" || path.includes("\0")) {
      throw new TypeError(`Cannot use ${JSON.stringify(path)} as a folder: it is empty or holds a NUL`);
    }
    this.#folder = resolve(path);
  }

  /** The absolute path of the folder; after `open` its real one, if permissions reach it. */
  get folder(): string {
    return this.#folder;
  }

  /**
   * Gets the folder ready, creating it where asked, with those above it that are missing.
   *
   * A new folder is made to survive power loss by a sync of the folder above it; where permissions do not allow
   * that, a note says so.
   *
   * @param options How to open it. `create` does nothing beside `readOnly`.
   * @returns Whether the folder was made, and notes.
   * @throws {NotFoundError} If it is missing, and not to be created.
   * @throws {IoError} If it is not a folder, a permission is missing or the operating system refuses.
   */
  open(options: StorageOpenOptions): StorageOpened {
    try {
      const created = !isFolder(this.#folder);
      if (created && (!options.create || options.readOnly)) {
        throw new NotFoundError(`Cannot open the folder "${this.#folder}": it does not exist`);
      }
      const made = created ? makeFolder(this.#folder, FOLDER_MODE) : [];
      const real = Deno.realPathSync(this.#folder);
      // Flags that name the folder through a link do not reach its real path.
      if (isGranted("read", real) && (options.readOnly || isGranted("write", real))) this.#folder = real;
      if (created) return { created, notes: syncAbove(made) };
      // Whoever made it may have been killed before the sync. With files in it, it was opened before.
      if (!options.readOnly && isEmpty(this.#folder)) syncAbove([dirname(this.#folder)]);
      return { created, notes: [] };
    } catch (error) {
      throw this.#refusal(error, `open the folder "${this.#folder}"`);
    }
  }

  /**
   * Lists all that is in the folder, in no order.
   *
   * Cost: a look at each file, about 2 us.
   *
   * @returns The entries; the size of what is not a file is 0.
   * @throws {IoError} If the operating system refuses.
   */
  list(): StorageEntry[] {
    try {
      return entriesOf(this.#folder);
    } catch (error) {
      throw this.#refusal(error, `list the folder "${this.#folder}"`);
    }
  }

  /**
   * Creates a new empty file for appending and reading, with mode 0600.
   *
   * @param name The name of the file.
   * @returns A handle that appends and reads. It is the only one that ever appends to the file.
   * @throws {AlreadyExistsError} If the name is taken, be it by a link that leads nowhere.
   * @throws {IoError} If the operating system refuses.
   */
  create(name: string): StorageFile {
    const place = this.#place(name);
    try {
      return createFile(place, FILE_MODE);
    } catch (error) {
      throw this.#refusal(error, `create "${name}"`, name);
    }
  }

  /**
   * Opens a plain file for reading only.
   *
   * Cost: about 15 us, for two looks at the file beside the opening.
   *
   * @param name The name of the file.
   * @returns A handle that reads; it sees what others append.
   * @throws {NotFoundError} If there is no such file.
   * @throws {IoError} If it is a link, a folder or a device, or the operating system refuses.
   */
  openRead(name: string): StorageFile {
    const place = this.#place(name);
    try {
      return openFile(place);
    } catch (error) {
      throw this.#refusal(error, `open "${name}"`, name);
    }
  }

  /**
   * Renames a file, replacing a file that has the new name.
   *
   * @param from The name it has.
   * @param to The name it gets. A link of that name is replaced, what it leads to is not.
   * @throws {NotFoundError} If there is no file `from`.
   * @throws {IoError} If it is not a plain file, or the operating system refuses.
   */
  rename(from: string, to: string): void {
    const place = this.#place(from);
    const target = this.#place(to);
    try {
      plainFile(place);
      Deno.renameSync(place.path, target.path);
    } catch (error) {
      throw this.#refusal(error, `rename "${from}" to "${to}"`, from);
    }
  }

  /**
   * Removes a plain file; handles that are open on it go on working.
   *
   * @param name The name of the file.
   * @throws {NotFoundError} If there is no such file.
   * @throws {IoError} If it is not a plain file (Deno would remove an empty folder), or the operating system refuses.
   */
  remove(name: string): void {
    const place = this.#place(name);
    try {
      plainFile(place);
      Deno.removeSync(place.path);
    } catch (error) {
      throw this.#refusal(error, `remove "${name}"`, name);
    }
  }

  /**
   * Makes creations, renames and removals so far survive power loss, before it returns.
   *
   * On Windows, and where the file system says that it cannot sync a folder, it does nothing.
   *
   * @throws {IoError} If the operating system refuses.
   */
  syncFolder(): void {
    try {
      syncFolderAt(this.#folder);
    } catch (error) {
      throw this.#refusal(error, `sync the folder "${this.#folder}"`);
    }
  }

  /**
   * Takes an advisory lock that dies with the process; excludes other handles of this process too.
   *
   * @param name The lock file, which is created unless `mode` is `"shared"`: a reader changes no byte. Where it is missing no
   * writer has made it, so there is nothing to exclude, and no lock is taken.
   * @param mode `"exclusive"` for a writer, `"shared"` for readers.
   * @returns The held lock.
   * @throws {LockedError} If it is held in a way that excludes this one; never waits.
   * @throws {IoError} If it is not a plain file, or the operating system refuses.
   */
  lock(name: string, mode: "exclusive" | "shared"): StorageLock {
    const place = this.#place(name);
    try {
      const file = openLock(place, mode);
      if (file === undefined) return { release: () => {} };
      return heldLock(file, name, mode);
    } catch (error) {
      throw this.#refusal(error, `lock "${name}"`, name);
    }
  }

  /** Does nothing: files and locks are released one by one. */
  close(): void {}

  #place(name: string): Place {
    checkName(name);
    return { name, path: join(this.#folder, name), folder: this.#folder };
  }

  #refusal(error: unknown, action: string, file?: string): TreeError {
    return systemError(error, { action, file, folder: this.#folder });
  }
}

/** Opens a lock file, creating it for a writer; `undefined` if it is missing for a reader. */
function openLock(place: Place, mode: "exclusive" | "shared"): Deno.FsFile | undefined {
  try {
    if (mode === "shared") return openExistingLock(place, { read: true });
    return Deno.openSync(place.path, { read: true, write: true, createNew: true, mode: FILE_MODE });
  } catch (error) {
    switch (systemCode(error)) {
      case "EEXIST":
        return openExistingLock(place, { read: true, write: true });
      case "ENOENT":
        if (mode === "shared") return undefined;
    }
    throw error;
  }
}

function openExistingLock(place: Place, options: Deno.OpenOptions): Deno.FsFile {
  plainFile(place);
  return Deno.openSync(place.path, options);
}

function heldLock(file: Deno.FsFile, name: string, mode: "exclusive" | "shared"): StorageLock {
  let held = false;
  try {
    held = file.tryLockSync(mode === "exclusive");
  } finally {
    if (!held) file.close();
  }
  if (!held) {
    throw new LockedError(
      `Cannot lock "${name}": another handle or process holds it; close that one and try again`,
      { file: name },
    );
  }
  return {
    release() {
      if (held) file.close();
      held = false;
    },
  };
}
