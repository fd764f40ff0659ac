/**
 * The LZ4 block format (Collet 2011; lz4, `doc/lz4_Block_format.md`), in TypeScript.
 *
 * ```text
 * block    = sequence* last
 * sequence = token literals... offset match    token: count of literals << 4 | bytes of the match - 4
 * last     = token literals...                 the low half of its token is 0
 * ```
 * A half of a token that is 15 goes on in bytes that are added to it, up to and with the first that is not
 * 255: for the literals right behind the token, for the match behind the offset. The offset is two bytes,
 * little endian: the match repeats what stands that far back in the output, and may run into itself. The
 * last match starts at least 12 bytes before the end and the last 5 bytes are literals: fast decoders of
 * others rely on it.
 *
 * Invariants:
 * - The compressor is greedy and forgets everything between two calls: equal bytes give equal blocks.
 * - The decompressor reads and writes inside its two arrays whatever it is given, and either fills its
 *   output to the last byte with the input used up, or throws `CorruptionError`.
 *
 * Why own code: of the packages on npm, the WASM builds read a file when they are imported (a permission),
 * load only through a bundler or come up asynchronously, others are native addons, and those in plain
 * JavaScript take 1.3 to 4 times as long, one of them without noticing that a block was cut short. The
 * format is small and final.
 *
 * Bytes move in words of eight, as `DataView` BigInts: optimised code keeps them in registers. Rows take 0.6
 * of the time of words of four to decompress, 0.4 of that of single bytes. (Doubles would do as well, but an
 * engine may change the bits of a NaN.) A copy may write up to seven bytes too many, always inside the
 * array, and what comes next overwrites them.
 *
 * @module
 */

import { CorruptionError } from "../core/errors.ts";

/** The most bytes that are compressed, and that a block can claim to hold: the limit of LZ4 itself. */
export const LZ4_RAW_BYTES_MAX = 0x7e00_0000;

/** A byte of a block stands for at most this many bytes: one of a match's length adds 255. */
const EXPANSION_MAX = 255;

const MATCH_BYTES_MIN = 4;
const OFFSET_MAX = 65_535;

/** No match starts in the last 12 bytes, and none reaches into the last 5. */
const LAST_MATCH_START = 12;
const LAST_LITERALS = 5;

/** How far behind its end a copy in words of eight may write. */
const OVERRUN = 7;

/** 4,096 places are 16 KiB: a block fits into the first-level cache too. Twice as many gain 1% at 64 KiB. */
const HASH_BITS = 12;
const HASH_SHIFT = 32 - HASH_BITS;

/** After 64 looks without a match the search takes every second place, after 64 more every third. */
const SKIP_SHIFT = 6;
const SKIP_START = 1 << SKIP_SHIFT;

/** An output array of up to this many bytes is kept for the next call. */
const SCRATCH_BYTES_MAX = 262_144;

/** Where four bytes with this hash were seen last. Cleared by each call: it takes 0.2 us. */
const lastSeen = new Int32Array(1 << HASH_BITS);
let scratch = new Uint8Array(20_480);

/**
 * Compresses bytes to an LZ4 block, if that makes them fewer.
 *
 * Cost: one hash, one look into a table of 16 KiB and one comparison a byte, fewer where nothing matches.
 *
 * @param bytes What to compress.
 * @returns The block, or `undefined` if it would not be smaller than `bytes` or there are too many of them.
 */
export function compressLz4(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const length = bytes.length;
  if (length <= LAST_MATCH_START || length > LZ4_RAW_BYTES_MAX) return undefined;
  const out = outputFor(length);
  const from = new DataView(bytes.buffer, bytes.byteOffset, length);
  const to = new DataView(out.buffer);
  const table = lastSeen.fill(0);
  const matchStartMax = length - LAST_MATCH_START;
  const matchEndMax = length - LAST_LITERALS;
  let literals = 0; // where those that are not written yet begin
  let size = 0;
  let at = 1; // a place never seen reads as 0, and 0 is a place that may be tried
  let misses = SKIP_START;
  while (at <= matchStartMax) {
    const word = from.getInt32(at, true);
    const hash = Math.imul(word, 0x9e3779b1) >>> HASH_SHIFT;
    const seen = table[hash]!;
    table[hash] = at;
    if (from.getInt32(seen, true) !== word || at - seen > OFFSET_MAX) {
      at += misses++ >>> SKIP_SHIFT;
      continue;
    }
    misses = SKIP_START;
    const offset = at - seen;
    let start = at;
    while (start > literals && start > offset && bytes[start - 1] === bytes[start - 1 - offset]) start--;
    let end = at + MATCH_BYTES_MIN;
    while (end + 4 <= matchEndMax && from.getInt32(end, true) === from.getInt32(end - offset, true)) end += 4;
    while (end < matchEndMax && bytes[end] === bytes[end - offset]) end++;

    const literalBytes = start - literals;
    const extraBytes = end - start - MATCH_BYTES_MIN;
    out[size++] = Math.min(literalBytes, 15) << 4 | Math.min(extraBytes, 15);
    if (literalBytes >= 15) size = putLength(out, size, literalBytes - 15);
    for (let i = 0; i < literalBytes; i += 8) {
      to.setBigInt64(size + i, from.getBigInt64(literals + i, true), true);
    }
    size += literalBytes;
    out[size++] = offset & 255;
    out[size++] = offset >>> 8;
    if (extraBytes >= 15) size = putLength(out, size, extraBytes - 15);
    literals = end;
    at = end;
    // A place inside the match is worth remembering too: rows of equal length match there next time.
    table[Math.imul(from.getInt32(end - 2, true), 0x9e3779b1) >>> HASH_SHIFT] = end - 2;
  }
  const literalBytes = length - literals;
  out[size++] = Math.min(literalBytes, 15) << 4;
  if (literalBytes >= 15) size = putLength(out, size, literalBytes - 15);
  if (size + literalBytes >= length) return undefined;
  out.set(bytes.subarray(literals), size);
  return out.slice(0, size + literalBytes);
}

/**
 * Decompresses an LZ4 block of which the number of bytes in it is known.
 *
 * Cost: allocates `rawBytes`, once it is known that the block could hold that many.
 *
 * @param block The whole block and nothing else.
 * @param rawBytes How many bytes it holds.
 * @returns Those bytes.
 * @throws {CorruptionError} If it is not a block of exactly `rawBytes` bytes.
 */
export function decompressLz4(block: Uint8Array, rawBytes: number): Uint8Array<ArrayBuffer> {
  const length = block.length;
  if (!(rawBytes >= 0 && rawBytes <= Math.min(length * EXPANSION_MAX, LZ4_RAW_BYTES_MAX))) {
    throw corrupt(block, rawBytes, "it cannot hold that many");
  }
  const out = new Uint8Array(rawBytes);
  const from = new DataView(block.buffer, block.byteOffset, length);
  const to = new DataView(out.buffer);
  const wideReadMax = length - OVERRUN;
  const wideWriteMax = rawBytes - OVERRUN;
  let at = 0;
  let size = 0;
  while (at < length) {
    const token = block[at++]!;
    let literalBytes = token >>> 4;
    if (literalBytes === 15) {
      let more = 255;
      while (more === 255 && at < length) {
        more = block[at++]!;
        literalBytes += more;
      }
      if (more === 255) throw corrupt(block, rawBytes, "it ends within a length");
    }
    if (literalBytes > length - at) throw corrupt(block, rawBytes, "it ends within literals");
    if (literalBytes > rawBytes - size) throw corrupt(block, rawBytes, "it holds more");
    const literalEnd = at + literalBytes;
    if (literalEnd < wideReadMax && size + literalBytes < wideWriteMax) {
      const shift = size - at;
      for (; at < literalEnd; at += 8) to.setBigInt64(at + shift, from.getBigInt64(at, true), true);
      at = literalEnd;
      size = literalEnd + shift;
    } else {
      while (at < literalEnd) out[size++] = block[at++]!;
    }

    if (at === length) {
      if ((token & 15) !== 0) throw corrupt(block, rawBytes, "it ends within a match");
      if (size !== rawBytes) throw corrupt(block, rawBytes, "it holds fewer");
      return out;
    }
    if (length - at < 2) throw corrupt(block, rawBytes, "it ends within an offset");
    const offset = block[at]! | block[at + 1]! << 8;
    at += 2;
    if (offset === 0 || offset > size) throw corrupt(block, rawBytes, "an offset points outside of it");
    let matchBytes = (token & 15) + MATCH_BYTES_MIN;
    if (matchBytes === 15 + MATCH_BYTES_MIN) {
      let more = 255;
      while (more === 255 && at < length) {
        more = block[at++]!;
        matchBytes += more;
      }
      if (more === 255) throw corrupt(block, rawBytes, "it ends within a length");
    }
    if (matchBytes > rawBytes - size) throw corrupt(block, rawBytes, "it holds more");
    const matchEnd = size + matchBytes;
    if (offset >= 8 && matchEnd < wideWriteMax) {
      for (; size < matchEnd; size += 8) to.setBigInt64(size, to.getBigInt64(size - offset, true), true);
      size = matchEnd;
    } else {
      for (; size < matchEnd; size++) out[size] = out[size - offset]!;
    }
  }
  throw corrupt(block, rawBytes, "it ends without a last sequence");
}

/** Returns an array for the worst case: literals only, their count, and what a copy may write too much. */
function outputFor(length: number): Uint8Array<ArrayBuffer> {
  const needed = length + Math.ceil(length / EXPANSION_MAX) + 16 + OVERRUN;
  if (needed <= scratch.length) return scratch;
  const out = new Uint8Array(needed);
  if (needed <= SCRATCH_BYTES_MAX) scratch = out;
  return out;
}

/** Writes what a length has above 15, and returns where it ends. */
function putLength(out: Uint8Array, size: number, rest: number): number {
  for (; rest >= 255; rest -= 255) out[size++] = 255;
  out[size++] = rest;
  return size;
}

function corrupt(block: Uint8Array, rawBytes: number, why: string): CorruptionError {
  return new CorruptionError(
    `Cannot decompress an lz4 block of ${block.length} bytes to ${rawBytes}: ${why}`,
  );
}
