/**
 * What an entry is: one byte, with room.
 *
 * ```text
 * 1 put               a key with a value
 * 2 tombstone         a key that was removed, hiding what is older
 * 3 range tombstone   reserved
 * 4 merge operand     reserved
 * 5 value pointer     reserved
 * 6 expiry            reserved
 * 7 clear             everything older is gone; in journals only, never in a segment
 * ```
 *
 * 0 is no kind, so that zeros are never an entry. A reserved or unknown kind was written by a newer module:
 * {@linkcode UnsupportedFormatError}, since skipping it would give wrong answers.
 *
 * @module
 */

import { UnsupportedFormatError } from "./errors.ts";

/** A key with a value. */
export const PUT = 1;
/** A key that was removed. */
export const TOMBSTONE = 2;
/** Everything older is gone. */
export const CLEAR = 7;

/** The kinds that this module writes and reads. */
export type EntryKind = typeof PUT | typeof TOMBSTONE | typeof CLEAR;

/** Makes the error for a kind that this module does not know. */
export function unknownKind(kind: number, where: string): UnsupportedFormatError {
  return new UnsupportedFormatError(
    `Cannot read ${where}: it has an entry of kind ${kind}, which this module does not know; update the module`,
  );
}
