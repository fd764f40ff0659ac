/**
 * The codecs of the segments' blocks: none, LZ4 (`io/lz4.ts`, TypeScript) and zstd (`io/zstd.ts`, native).
 *
 * Measured on Deno 2.9.6 with 64 different blocks each, the best of five. Rows: 4 bytes of lengths, a key of
 * 16 random hex digits (sorted, neighbours among a million) and 100 bytes of value, half of them random and
 * the other half repeated. Text: small JSON objects.
 * ```text
 *                  share left           compress, us         decompress, us
 *                  lz4   zstd  zstd 3   lz4   zstd  zstd 3   lz4   zstd  zstd 3   none
 * rows  4 KiB      0.59  0.55  0.54      11     41     44    2.7     27     27    0.1
 * rows 16 KiB      0.58  0.52  0.53      36     69     84      8     39     40    0.1
 * rows 64 KiB      0.57  0.52  0.52     124    143    231     26     82     83    0.1
 * text  4 KiB      0.42  0.27  0.27      15     43     45      7     31     31    0.1
 * text 16 KiB      0.37  0.23  0.23      55     78     85     25     46     44    0.1
 * text 64 KiB      0.35  0.22  0.21     210    208    225    101    101     96    0.1
 * ```
 * (zstd is level 1, which is what is used; zstd 3 is level 3.)
 * - none reads fastest: a block of the page cache takes about 1 us to read and check, so a codec is most of
 *   what a block costs. It is the default.
 * - lz4 fits blocks of 4 KiB: larger ones save it little, and a lookup decompresses more for its one entry.
 *   It finds repetitions only; digits and random bytes stay as long as they are.
 * - zstd fits blocks of 16 KiB and up, in the last levels, where most of the bytes are: 25 us of each call
 *   are the same for any block. Rows of 116 bytes then take 0.53 of their own size, with lz4 in 4 KiB 0.62.
 *
 * @module
 */

import { type Codec, CODEC_IDS, type Codecs } from "../core/codec.ts";
import { CorruptionError } from "../core/errors.ts";
import { compressLz4, decompressLz4 } from "./lz4.ts";
import { compressZstd, decompressZstd } from "./zstd.ts";

const NONE: Codec = {
  name: "none",
  id: CODEC_IDS.none,
  compress: () => undefined,
  decompress: decompressNone,
};

const LZ4: Codec = {
  name: "lz4",
  id: CODEC_IDS.lz4,
  compress: compressLz4,
  decompress: decompressLz4,
};

const ZSTD: Codec = {
  name: "zstd",
  id: CODEC_IDS.zstd,
  compress: compressZstd,
  decompress: decompressZstd,
};

/** The codec of each name. */
export const CODECS: Codecs = { none: NONE, lz4: LZ4, zstd: ZSTD };

function decompressNone(bytes: Uint8Array, rawBytes: number): Uint8Array<ArrayBuffer> {
  if (bytes.length !== rawBytes) {
    throw new CorruptionError(
      `Cannot read a block of ${bytes.length} bytes that is not compressed as ${rawBytes}`,
    );
  }
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer ? new Uint8Array(buffer, bytes.byteOffset, rawBytes) : bytes.slice();
}
