/**
 * How large a segment is: the arithmetic of the file format, for entries that nobody has written.
 *
 * ```text
 * record  := 28 header + 4 count + 7 + key + value               of a put in a journal (3 + key of a remove)
 * block   := 12 frame + 13 header and widths + shared key bytes + entries x (1 tag + rest of the key + value)
 *            + 3 x entries if some of them are tombstones: a kind, and where each value ends
 * segment := 28 file header | block + | filter | index | properties | 24 footer
 * filter  := 12 + 1 + 64 x ceil(entries x bits / 512)
 * index   := 12 + 11 + blocks x (separator + 2 or 4 + 4)
 * ```
 *
 * Keys are taken to be numbers, written with as many decimal digits as a key has bytes, since that is what most keys are in
 * the end. What the keys of a block have in common is stored once: a block whose keys are from a stretch of
 * `s` numbers lies within one stretch of `10^j` numbers that begins at a multiple of it with a probability of `1 - s / 10^j`,
 * and then shares all digits above. The sum of that over all j is how many digits it shares. For keys without anything in
 * common, such as hashes, `sharedKeyBytes` is 0.
 *
 * Blocks are not compressed.
 *
 * @module
 */

import {
  FILE_HEADER_BYTES,
  FOOTER_BYTES,
  FRAME_HEADER_BYTES,
  INDEX_BYTES_MAX,
  RECORD_HEADER_BYTES,
} from "../core/mod.ts";

/** What decides how large entries and segments are. */
export interface EntrySizes {
  /** Bytes of a key. */
  readonly keyBytes: number;
  /** Bytes of a value. */
  readonly valueBytes: number;
  /** Bytes that the keys of a block share; `undefined` for numbers in decimal digits. */
  readonly sharedKeyBytes: number | undefined;
  /** Target bytes of a data block. */
  readonly blockSize: number;
  /** Bits of a filter for each key. */
  readonly filterBitsPerKey: number;
}

const COUNT_BYTES = 4;
const PUT_HEADER_BYTES = 7;
const REMOVE_HEADER_BYTES = 3;

/** Count, flags, length of the prefix, length of a key, length of a value. */
const BLOCK_HEADER_BYTES = 13;

/** A kind, and where the value ends, in blocks that have tombstones. */
const MIXED_BYTES = 3;

/** Seven numbers of eight bytes, one of four, and the lengths of two keys. */
const PROPERTIES_BYTES = 64;

/** The index has 64 KiB of separators from about so many blocks on; then where they end takes four bytes and not two. */
const WIDE_BLOCKS = 8_000;

/** Returns the bytes that a put takes in a journal. */
export function putRecordBytes({ keyBytes, valueBytes }: EntrySizes): number {
  return RECORD_HEADER_BYTES + COUNT_BYTES + PUT_HEADER_BYTES + keyBytes + valueBytes;
}

/** Returns the bytes that a remove takes in a journal. */
export function removeRecordBytes({ keyBytes }: EntrySizes): number {
  return RECORD_HEADER_BYTES + COUNT_BYTES + REMOVE_HEADER_BYTES + keyBytes;
}

/**
 * Returns the bytes of data blocks for each entry.
 *
 * @param density Entries for each number of the key space that they are from, above 0 and at most 1.
 * @param tombstones What share of the entries are tombstones.
 */
export function dataBytesPerEntry(sizes: EntrySizes, density: number, tombstones: number): number {
  const { keyBytes, valueBytes } = sizes;
  const value = valueBytes * (1 - tombstones);
  const count = entriesPerBlock(sizes, tombstones);
  const shared = sharedBytes(sizes, (count - 1) / density);
  const mixed = tombstones === 0 ? 0 : MIXED_BYTES * (1 - (1 - tombstones) ** count);
  return (FRAME_HEADER_BYTES + BLOCK_HEADER_BYTES + shared) / count + 1 + keyBytes - shared + value + mixed;
}

/** Returns the bytes of a whole segment, and how many a segment's data blocks may have at most for its index. */
export function fileBytes(
  sizes: EntrySizes,
  entries: number,
  tombstones: number,
  density: number,
  dataBytes: number,
): number {
  const { keyBytes, filterBitsPerKey } = sizes;
  const blocks = Math.ceil(entries / entriesPerBlock(sizes, tombstones));
  const filter = filterBitsPerKey === 0
    ? 0
    : FRAME_HEADER_BYTES + 1 + 64 * Math.ceil(entries * filterBitsPerKey / 512);
  const index = FRAME_HEADER_BYTES + 11 + blocks * indexEntryBytes(sizes, density, blocks);
  const properties = FRAME_HEADER_BYTES + PROPERTIES_BYTES + 2 * keyBytes;
  return Math.round(FILE_HEADER_BYTES + dataBytes + filter + index + properties + FOOTER_BYTES);
}

/** Returns how many bytes of data fill the index of a segment, which ends it whatever its target size. */
export function dataBytesMax(sizes: EntrySizes, density: number): number {
  const blocks = INDEX_BYTES_MAX / (indexEntryBytes(sizes, density, WIDE_BLOCKS) + 1);
  return blocks * sizes.blockSize;
}

function indexEntryBytes(sizes: EntrySizes, density: number, blocks: number): number {
  const separator = Math.min(sizes.keyBytes, sharedBytes(sizes, 1 / density) + 1);
  return separator + (blocks < WIDE_BLOCKS ? 2 : 4) + 4;
}

/** An entry is added to a block as long as what is there, and it, are within the target. */
function entriesPerBlock({ keyBytes, valueBytes, blockSize }: EntrySizes, tombstones: number): number {
  return Math.max(1, Math.floor((blockSize + 1) / (keyBytes + valueBytes * (1 - tombstones) + 1)));
}

/** Returns how many bytes keys have in common that are from a stretch of so many numbers. */
function sharedBytes({ keyBytes, sharedKeyBytes }: EntrySizes, stretch: number): number {
  if (sharedKeyBytes !== undefined) return Math.min(sharedKeyBytes, keyBytes);
  if (stretch < 1) return keyBytes;
  let [first, power] = [0, 1];
  while (power < stretch) {
    first += 1;
    power *= 10;
  }
  if (first >= keyBytes) return 0;
  // The sum of 1 / 10^j from there on; what is behind the last digit is too little to count.
  return keyBytes - first - stretch / power / 0.9;
}
