/**
 * What every {@linkcode Storage} refuses before it does anything.
 *
 * They stand here once, so that all implementations refuse the same arguments with the same words: a wrong argument
 * is the caller's mistake and a `TypeError` or `RangeError`; the use of a handle that is closed, or was
 * opened for reading only, is an `IoError` like every other refusal of the port. The checks guard the files as well:
 * the number of a closed descriptor belongs to the next file that is opened, so a closed
 * handle that went on would write into another file.
 *
 * @module
 */

import { IoError } from "../core/errors.ts";
import { FILE_NAME } from "./storage.ts";

/** Throws a `TypeError` unless `name` can name a file: `.` and `..` fit the pattern, and are folders. */
export function checkName(name: string): void {
  if (FILE_NAME.test(name) && name !== "." && name !== "..") return;
  throw new TypeError(`Cannot use ${JSON.stringify(name)} as the name of a file: it must match ${FILE_NAME}`);
}

/** Throws a `RangeError` unless `start` to `end` lies within `bytes`. */
export function checkSpan(bytes: Uint8Array, start: number, end: number): void {
  if (isLength(start) && isLength(end) && start <= end && end <= bytes.length) return;
  throw new RangeError(`Cannot use bytes ${start} to ${end}: the buffer has ${bytes.length}`);
}

/** Throws a `RangeError` unless `position` can be a byte of a file. */
export function checkPosition(position: number): void {
  if (isLength(position)) return;
  throw new RangeError(`Cannot read at ${position}: it is not a whole number of bytes`);
}

/** Throws a `RangeError` unless a file of `size` bytes can be cut back to `length`. */
export function checkCut(length: number, size: number): void {
  if (isLength(length) && length <= size) return;
  throw new RangeError(`Cannot cut back to ${length} bytes: the file has ${size}`);
}

/** The error of a call on a handle that is closed. */
export function closedHandle(action: string, file: string): IoError {
  return new IoError(`Cannot ${action} "${file}": its handle is closed`, { file });
}

/** The error of a change through a handle that `openRead` gave. */
export function readOnlyHandle(action: string, file: string): IoError {
  return new IoError(`Cannot ${action} "${file}": it was opened for reading only`, { file });
}

function isLength(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
