/**
 * One open file of a {@linkcode FileStorage}, and how it comes to be open.
 *
 * Invariants:
 * - Only plain files are opened. Permissions of Deno are a matter of paths: with leave for a folder it follows a link in it
 *   to anywhere. So a new file must be new (`O_EXCL` refuses links, dangling ones too), and an old one is looked at,
 *   opened without following, and looked at again.
 * - A handle knows the length of the file it appends to, and writes there. `O_APPEND` would do the same, but not tell
 *   the length, and some systems refuse to truncate beside it.
 * - A closed handle is told by a descriptor of -1, never by the operating system: the number of a closed descriptor may
 *   be another file's at once. A barrier that is running is safe from that: Deno keeps the file open until it is done.
 *
 * Why `node:fs` and not `Deno.FsFile`: it reads and writes at a position, in one system call where `FsFile` needs a seek
 * before. A 4 KiB read takes 0.88 of `FsFile`'s time, an append of 128 bytes 0.93. One thing it does not do: it
 * hides short writes. It goes on until all is written or the system refuses, and then does not say how much was;
 * so `append` asks the file, and reports it.
 *
 * @module
 */

import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { IoError, type TreeError } from "../core/errors.ts";
import type { StorageFile } from "./storage.ts";
import { checkCut, checkPosition, checkSpan, closedHandle, readOnlyHandle } from "./storage_checks.ts";
import { systemError } from "./system_error.ts";

/** `node:fs` refuses 2 GiB in one call, and Linux reads and writes a page less than that. */
const CALL_BYTES_MAX = 2 ** 30;

/** A file that is replaced between two looks at it is opened again: CURRENT is, beside a writer. */
const OPEN_TRIES_MAX = 100;

// Windows has neither flag. A pipe opened without O_NONBLOCK waits for its other end.
const NO_FOLLOW = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const CREATE_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
const READ_FLAGS = constants.O_RDONLY | NO_FOLLOW;

/** Where a file is, and what messages call it. */
export interface Place {
  /** Its name in the storage. */
  readonly name: string;
  /** Its path. */
  readonly path: string;
  /** The folder that a permission flag would have to name. */
  readonly folder: string;
}

/** Creates a file that only its owner may read, for appending and reading. */
export function createFile(place: Place, mode: number): StorageFile {
  return new OpenFile(place, openSync(place.path, CREATE_FLAGS, mode), true);
}

/** Opens a plain file for reading: what was looked at before is what is open after, and no link was followed. */
export function openFile(place: Place): StorageFile {
  for (let tries = 0; tries < OPEN_TRIES_MAX; tries++) {
    const before = plainFile(place);
    const descriptor = openSync(place.path, READ_FLAGS);
    let isSame = false;
    try {
      const after = fstatSync(descriptor);
      isSame = after.dev === before.dev && after.ino === before.ino;
    } finally {
      if (!isSame) closeSync(descriptor);
    }
    if (isSame) return new OpenFile(place, descriptor, false);
  }
  throw new IoError(`Cannot open "${place.name}": it keeps being replaced; try again`, { file: place.name });
}

/** Returns which file a path names, itself and not what it leads to; throws unless it is a plain one. */
export function plainFile({ name, path }: Place): { readonly dev: number; readonly ino: number } {
  const info = lstatSync(path);
  if (info.isFile()) return info;
  throw new IoError(
    `Cannot use "${name}": it is not a plain file; take away the link or folder of that name`,
    { file: name },
  );
}

/** One descriptor. */
class OpenFile implements StorageFile {
  readonly name: string;
  readonly #place: Place;
  readonly #writable: boolean;
  #descriptor: number;
  #length = 0;

  constructor(place: Place, descriptor: number, writable: boolean) {
    this.name = place.name;
    this.#place = place;
    this.#descriptor = descriptor;
    this.#writable = writable;
  }

  append(bytes: Uint8Array, start: number, end: number): number {
    checkSpan(bytes, start, end);
    const descriptor = this.#changing("append to");
    const count = Math.min(end - start, CALL_BYTES_MAX);
    let written: number;
    try {
      written = writeSync(descriptor, bytes, start, count, this.#length);
    } catch (error) {
      written = Math.min(this.#grown(), count);
      if (written === 0) throw this.#refusal(error, "append to");
    }
    this.#length += written;
    return written;
  }

  readAt(into: Uint8Array, start: number, end: number, position: number): number {
    checkSpan(into, start, end);
    checkPosition(position);
    const descriptor = this.#using("read");
    if (start === end) return 0;
    try {
      return readSync(descriptor, into, start, Math.min(end - start, CALL_BYTES_MAX), position);
    } catch (error) {
      throw this.#refusal(error, "read");
    }
  }

  size(): number {
    const descriptor = this.#using("measure");
    if (this.#writable) return this.#length;
    try {
      return fstatSync(descriptor).size;
    } catch (error) {
      throw this.#refusal(error, "measure");
    }
  }

  truncate(length: number): void {
    const descriptor = this.#changing("cut back");
    checkCut(length, this.#length);
    try {
      ftruncateSync(descriptor, length);
    } catch (error) {
      throw this.#refusal(error, "cut back");
    }
    this.#length = length;
  }

  sync(): void {
    const descriptor = this.#using("sync");
    try {
      // It leaves out the times, never the length.
      fdatasyncSync(descriptor);
    } catch (error) {
      throw this.#refusal(error, "sync");
    }
  }

  async syncAsync(): Promise<void> {
    const descriptor = this.#using("sync");
    try {
      await new Promise<void>((resolve, reject) => {
        fdatasync(descriptor, (error) => error ? reject(error) : resolve());
      });
    } catch (error) {
      throw this.#refusal(error, "sync");
    }
  }

  close(): void {
    if (this.#descriptor < 0) return;
    const descriptor = this.#descriptor;
    this.#descriptor = -1;
    try {
      closeSync(descriptor);
    } catch (error) {
      throw this.#refusal(error, "close");
    }
  }

  /** How many bytes of a refused append are in the file all the same: `node:fs` does not tell. */
  #grown(): number {
    try {
      return Math.max(0, fstatSync(this.#descriptor).size - this.#length);
    } catch {
      return 0;
    }
  }

  #using(action: string): number {
    if (this.#descriptor < 0) throw closedHandle(action, this.name);
    return this.#descriptor;
  }

  #changing(action: string): number {
    const descriptor = this.#using(action);
    if (!this.#writable) throw readOnlyHandle(action, this.name);
    return descriptor;
  }

  #refusal(error: unknown, action: string): TreeError {
    const { name, folder } = this.#place;
    return systemError(error, { action: `${action} "${name}"`, file: name, folder });
  }
}
