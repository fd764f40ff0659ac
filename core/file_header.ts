/**
 * The 28 bytes that each file of a tree begins with.
 *
 * ```text
 * header := magic "LSMT" (4) | kind (1): 'J' 'M' 'S' | version u8 (1) | zero u16 (2)
 *           | id u64 (8) | salt (8) | crc32 of the 24 bytes before (4)
 * ```
 *
 * - `kind` tells a journal, a manifest and a segment apart, so that a file under a wrong name is found out.
 * - `salt` is random for each open of a tree and mixed with the file's id. It seeds every checksum of the
 *   file: after a crash an id may come back, and bytes of the file that had it before must not be believed.
 * - The checksum of the header is the file's seed (see `checksum.ts`).
 *
 * A header with a good checksum and an unknown version was written by a newer module: that is
 * {@linkcode UnsupportedFormatError}, never corruption.
 *
 * @module
 */

import { checksum } from "./checksum.ts";
import { CorruptionError, UnsupportedFormatError } from "./errors.ts";
import { readU16, readU32, readU64, writeU32, writeU64 } from "./little_endian.ts";

/** What a file holds. */
export type FileKind = "journal" | "manifest" | "segment";

/** Sixty-four random bits, as two unsigned 32-bit numbers. */
export interface Salt {
  /** The lower half. */
  readonly low: number;
  /** The upper half. */
  readonly high: number;
}

/** What a file header says. */
export interface FileHeader {
  /** What the file holds. */
  readonly kind: FileKind;
  /** The file's number. */
  readonly id: number;
  /** The file's salt. */
  readonly salt: Salt;
  /** The header's checksum, with which all others of the file are seeded. */
  readonly seed: number;
}

/** The length of a file header in bytes. */
export const FILE_HEADER_BYTES = 28;

/** The version of all formats that this module writes. */
export const FORMAT_VERSION = 1;

const MAGIC = 0x544d534c;
const KIND_BYTES: { readonly [kind in FileKind]: number } = { journal: 0x4a, manifest: 0x4d, segment: 0x53 };

/** Returns the salt of the file `id` in an open of the tree that drew `salt`. */
export function fileSalt(salt: Salt, id: number): Salt {
  const low = id >>> 0;
  const high = Math.floor(id / 4_294_967_296);
  return {
    low: (salt.low ^ Math.imul(low + 1, 0x9e3779b1)) >>> 0,
    high: (salt.high ^ Math.imul(low ^ Math.imul(high + 1, 0x85ebca6b), 0xc2b2ae35)) >>> 0,
  };
}

/** Returns the header of a new file with its bytes. */
export function encodeFileHeader(
  kind: FileKind,
  id: number,
  salt: Salt,
): { readonly header: FileHeader; readonly bytes: Uint8Array<ArrayBuffer> } {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  writeU32(bytes, 0, MAGIC);
  bytes[4] = KIND_BYTES[kind];
  bytes[5] = FORMAT_VERSION;
  writeU64(bytes, 8, id);
  writeU32(bytes, 16, salt.low);
  writeU32(bytes, 20, salt.high);
  const seed = checksum(bytes, 0, 24, 0);
  writeU32(bytes, 24, seed);
  return { header: { kind, id, salt, seed }, bytes };
}

/**
 * Returns what the header at the beginning of `bytes` says.
 *
 * @param id The number that the file's name has.
 * @throws {CorruptionError} If it is not the undamaged header of such a file.
 * @throws {UnsupportedFormatError} If a newer module wrote it.
 */
export function decodeFileHeader(bytes: Uint8Array, kind: FileKind, id: number, file: string): FileHeader {
  const wrong = (why: string): CorruptionError =>
    new CorruptionError(`Cannot read "${file}": ${why}`, { file, offset: 0 });
  if (bytes.length < FILE_HEADER_BYTES) throw wrong("it ends before its header does");
  if (readU32(bytes, 0) !== MAGIC) throw wrong("it does not begin as a file of a tree does");
  const seed = checksum(bytes, 0, 24, 0);
  if (readU32(bytes, 24) !== seed) throw wrong("its header has a bad checksum");
  if (bytes[5]! !== FORMAT_VERSION) {
    throw new UnsupportedFormatError(
      `Cannot read "${file}": it has format ${
        bytes[5]
      }, this module knows up to ${FORMAT_VERSION}; update the module`,
      { file, offset: 5 },
    );
  }
  if (bytes[4] !== KIND_BYTES[kind] || readU16(bytes, 6) !== 0) throw wrong(`it is not a ${kind}`);
  if (readU64(bytes, 8) !== id) throw wrong("it belongs to another file's name");
  return { kind, id, salt: { low: readU32(bytes, 16), high: readU32(bytes, 20) }, seed };
}
