/**
 * The port between blocks and whatever compresses them.
 *
 * The pure folders take compressors as values: what a block or a merge does with them depends on nothing
 * else, and a test can pass one of its own. The real ones are in `io/codecs.ts`.
 *
 * Invariants every implementation keeps:
 * - `decompress(compress(bytes), bytes.length)` equals `bytes`.
 * - Equal bytes compress to equal bytes, whatever was compressed before: the same merge writes the
 *   same segment.
 * - `decompress` is total. Whatever it is given, it returns as many bytes as were asked for or throws a
 *   `CorruptionError`, and it checks what is claimed against what is there before it allocates.
 *
 * An id is one byte on disk, so a number once given is never given to another codec.
 *
 * @module
 */

/** How the blocks of a segment are compressed. */
export type CompressionName = "none" | "lz4" | "zstd";

/** What stands for each codec on disk. */
export const CODEC_IDS: { readonly none: 0; readonly lz4: 1; readonly zstd: 2 } = {
  none: 0,
  lz4: 1,
  zstd: 2,
};

/** One way to compress a block. */
export interface Codec {
  /** What it is called in a configuration. */
  readonly name: CompressionName;
  /** What stands for it on disk; the one of `name` in {@linkcode CODEC_IDS}. */
  readonly id: number;
  /**
   * Compresses bytes, if that makes them fewer.
   *
   * @param bytes What to compress; it is only read, and not kept.
   * @returns Fewer bytes than it was given, or `undefined` where it finds none to save.
   */
  compress(bytes: Uint8Array): Uint8Array | undefined;
  /**
   * Decompresses what `compress` returned.
   *
   * Cost: allocates at most `rawBytes` plus a constant, and only once `bytes` could hold that many.
   *
   * @param bytes What `compress` returned; it is only read.
   * @param rawBytes How many bytes `compress` had been given.
   * @returns The bytes. `none` gives `bytes` itself back; the others give memory of their own.
   * @throws {CorruptionError} If `bytes` are anything but `rawBytes` bytes, compressed.
   */
  decompress(bytes: Uint8Array, rawBytes: number): Uint8Array<ArrayBuffer>;
}

/** A codec for each name. */
export type Codecs = { readonly [name in CompressionName]: Codec };
