/**
 * Codecs for tests of the pure folders: no compression, and one that writes runs of equal bytes as pairs.
 *
 * ```text
 * packed := (count u8, byte) *          count from 1 on
 * ```
 *
 * They keep the contract of `core/codec.ts`, so that blocks and segments can be tested with a real change of size and
 * without anything native. The run-length codec stands in the place of LZ4; nothing is in that of zstd.
 *
 * @module
 */

import type { Codec, Codecs } from "../../core/codec.ts";
import { CorruptionError } from "../../core/errors.ts";

/** Compresses nothing. */
export const NO_CODEC: Codec = {
  name: "none",
  id: 0,
  compress: () => undefined,
  decompress: (bytes) => new Uint8Array(bytes),
};

/** Writes runs of equal bytes as pairs. */
export const RUN_LENGTH: Codec = { name: "lz4", id: 1, compress: pack, decompress: unpack };

/** All that a reader knows. */
export const TEST_CODECS: Codecs = { none: NO_CODEC, lz4: RUN_LENGTH, zstd: NO_CODEC };

function pack(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const pairs: number[] = [];
  for (let at = 0; at < bytes.length;) {
    let count = 1;
    while (count < 255 && bytes[at + count] === bytes[at]) count++;
    pairs.push(count, bytes[at]!);
    at += count;
    if (pairs.length >= bytes.length) return undefined;
  }
  return pairs.length < bytes.length ? new Uint8Array(pairs) : undefined;
}

function unpack(bytes: Uint8Array, rawBytes: number): Uint8Array<ArrayBuffer> {
  const counts = bytes.filter((_, i) => i % 2 === 0);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (bytes.length % 2 !== 0 || counts.includes(0) || total !== rawBytes) {
    throw new CorruptionError("Cannot decompress a block: its runs do not fit");
  }
  const raw = new Uint8Array(rawBytes);
  let at = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    raw.fill(bytes[i + 1]!, at, at + bytes[i]!);
    at += bytes[i]!;
  }
  return raw;
}
