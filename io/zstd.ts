/**
 * Blocks as zstd frames (RFC 8878), by `node:zlib`: built in, native, needs no permission.
 *
 * ```text
 * frame      = magic(4) descriptor(1) window(0 or 1) content size(1, 2 or 4) block*    RFC 8878, 3.1.1
 * descriptor = code of the content size << 6 | one segment << 5     no checksum, no dictionary
 * block      = (bytes << 3 | type << 1 | last)(3) content           type 1 is one byte, repeated
 * ```
 *
 * Invariants:
 * - A frame carries its content size: the size is pledged to the compressor, which fits its tables to
 *   it. It has no checksum, as the block around it has one.
 * - `node:zlib` sees a frame only after its outline was found to be exactly this, to end where the bytes
 *   end, and to claim the size that is expected, at most 128 KiB for each of its blocks. By itself it
 *   returns no bytes and no error for a frame that is cut short, ignores what stands behind a whole
 *   one, and makes room for whatever a header claims.
 * - Equal bytes give equal frames in one version of the runtime; another may bring another zstd.
 *
 * Most of a call on a small block is not zstd: `node:zlib` builds a stream object for each, 25 us that no
 * option saves. Decoding 4 KiB takes 2 to 6 us of its own, but what would be needed to use one stream
 * again and again, and synchronously, is not public. So zstd wants blocks of 16 KiB and up.
 *
 * @module
 */

import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CorruptionError } from "../core/errors.ts";

/** Level 3 takes 5 to 65% longer than level 1, and saves 6% of 64 KiB of text at best and of rows nothing. */
const ZSTD_PARAMS = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 0 };

/** The least that `node:zlib` takes as the size of its output buffers. */
const CHUNK_BYTES_MIN = 64;

/** The first four bytes of every zstd frame, read in little endian. */
const ZSTD_MAGIC = 0xfd2f_b528;

/** The most that one block of a frame holds, whatever it takes up. */
const ZSTD_BLOCK_BYTES_MAX = 131_072;

/** The most bytes that are handed to zstd: one buffer has to hold them. */
const ZSTD_RAW_BYTES_MAX = 0x7e00_0000;

/**
 * Compresses bytes to one zstd frame, if that makes them fewer.
 *
 * @param bytes What to compress.
 * @returns The frame, or `undefined` if it would not be smaller than `bytes` or there are too many of them.
 */
export function compressZstd(bytes: Uint8Array): Uint8Array | undefined {
  const length = bytes.length;
  if (length === 0 || length > ZSTD_RAW_BYTES_MAX) return undefined;
  const options = {
    chunkSize: Math.max(length, CHUNK_BYTES_MIN),
    pledgedSrcSize: length,
    params: ZSTD_PARAMS,
  };
  const frame = zstdCompressSync(bytes, options);
  return frame.length < length ? new Uint8Array(frame.buffer, frame.byteOffset, frame.length) : undefined;
}

/**
 * Decompresses one zstd frame of which the number of bytes in it is known.
 *
 * Cost: allocates `rawBytes`, once the frame's outline says that it could hold that many.
 *
 * @param frame The whole frame and nothing else.
 * @param rawBytes How many bytes it holds.
 * @returns Those bytes.
 * @throws {CorruptionError} If it is not a frame of `compressZstd` with exactly `rawBytes` bytes.
 */
export function decompressZstd(frame: Uint8Array, rawBytes: number): Uint8Array<ArrayBuffer> {
  const fault = faultOf(frame, rawBytes);
  if (fault !== undefined) throw corrupt(frame, rawBytes, fault);
  const raw = decode(frame, rawBytes);
  if (raw.length !== rawBytes) throw corrupt(frame, rawBytes, `it holds ${raw.length}`);
  const { buffer, byteOffset } = raw;
  // A small buffer is a slice of a pool: kept in a cache, it would keep the whole pool alive.
  const own = buffer instanceof ArrayBuffer && buffer.byteLength <= rawBytes + CHUNK_BYTES_MIN;
  return own ? new Uint8Array(buffer, byteOffset, rawBytes) : new Uint8Array(raw);
}

function decode(frame: Uint8Array, rawBytes: number): Uint8Array {
  // With one byte to spare: a buffer that is full to the last makes `node:zlib` allocate a second one.
  const chunkSize = Math.max(rawBytes + 1, CHUNK_BYTES_MIN);
  try {
    return zstdDecompressSync(frame, { chunkSize, maxOutputLength: Math.max(rawBytes, 1) });
  } catch (cause) {
    throw corrupt(frame, rawBytes, "it is damaged", cause);
  }
}

/** Says why bytes cannot be a frame of `compressZstd` that holds `rawBytes`, from their outline alone. */
function faultOf(frame: Uint8Array, rawBytes: number): string | undefined {
  const length = frame.length;
  const view = new DataView(frame.buffer, frame.byteOffset, length);
  if (length < 6 || view.getUint32(0, true) !== ZSTD_MAGIC) return "it is no zstd frame";
  const descriptor = frame[4]!;
  const oneSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >>> 6;
  if ((descriptor & 0x1f) !== 0 || sizeCode === 3 || (sizeCode === 0 && !oneSegment)) {
    return "its header is not one that is written here";
  }
  const sizeAt = oneSegment ? 5 : 6;
  let at = sizeAt + (1 << sizeCode);
  if (at > length) return "it ends within its header";
  const claimed = sizeCode === 0
    ? frame[sizeAt]!
    : sizeCode === 1
    ? view.getUint16(sizeAt, true) + 256
    : view.getUint32(sizeAt, true);
  if (claimed !== rawBytes) return `it claims to hold ${claimed}`;
  let blocks = 0;
  let last = false;
  while (!last) {
    if (at + 3 > length) return "it ends within a block's header";
    const header = frame[at]! | frame[at + 1]! << 8 | frame[at + 2]! << 16;
    const repeated = (header >>> 1 & 3) === 1;
    at += 3 + (repeated ? 1 : header >>> 3);
    blocks++;
    last = (header & 1) !== 0;
  }
  if (at !== length) return at > length ? "it ends within a block" : "something stands behind it";
  return rawBytes > blocks * ZSTD_BLOCK_BYTES_MAX ? "it cannot hold that many" : undefined;
}

function corrupt(frame: Uint8Array, rawBytes: number, why: string, cause?: unknown): CorruptionError {
  return new CorruptionError(
    `Cannot decompress a zstd frame of ${frame.length} bytes to ${rawBytes}: ${why}`,
    { cause },
  );
}
