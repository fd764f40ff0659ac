/**
 * Whole reads and writes over a port that may do less than it was asked for.
 *
 * The operating system may write or read fewer bytes than asked, on a full disk for one, so every caller has to loop; they
 * do it here. A file that ends too early is damage and never a short answer: nobody works on half a block.
 *
 * @module
 */

import { CorruptionError } from "../core/mod.ts";
import type { StorageFile } from "./storage.ts";

/**
 * Appends all of `bytes[start, end)`.
 *
 * @throws {IoError} If the operating system refuses; some bytes may have been written.
 */
export function appendWhole(file: StorageFile, bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end;) at += file.append(bytes, at, end);
}

/**
 * Returns `length` bytes from `position` on.
 *
 * @throws {CorruptionError} If the file ends before.
 * @throws {IoError} If the operating system refuses.
 */
export function readWhole(file: StorageFile, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const count = file.readAt(bytes, at, length, position + at);
    if (count === 0) {
      throw new CorruptionError(
        `Cannot read ${length} bytes at byte ${position} of "${file.name}": the file ends at byte ${
          position + at
        }`,
        { file: file.name, offset: position + at },
      );
    }
    at += count;
  }
  return bytes;
}

/** Returns all bytes of a file. */
export function readFile(file: StorageFile): Uint8Array<ArrayBuffer> {
  return readWhole(file, 0, file.size());
}
