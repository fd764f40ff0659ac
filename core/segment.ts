/**
 * A segment: a sorted file of entries that is written once.
 *
 * ```text
 * segment    := file header | data frame + | filter frame? | index frame | properties frame | footer
 * footer     := filterOffset u64 | filterBytes u32 | indexBytes u32 | propertiesBytes u32 | crc u32
 * index      := block (untagged) of one put per data frame: separator -> frameBytes u32
 * properties := entries | tombstones | seqnoMin | seqnoMax | writtenAt | blocks | rawBytes (u64 each)
 *               | hashSeed u32 | minKey | maxKey
 * ```
 *
 * - A separator is the shortest key that is greater than all before the block and not greater than its first key; the
 *   first one is empty. The block that may hold a key is the last whose separator is at or before it.
 * - Data frames stand one behind the other from the file header on, so the index need not give offsets.
 * - The footer's checksum is seeded like every other, and its lengths must add up to the file's length.
 * - What the properties say stands in the manifest too; `verify` compares them, `repair` has only them.
 *
 * Arithmetic: 16-byte keys and 100-byte values in 4 KiB blocks give 35 entries a block; header 12, columns 13 + 35, index
 * entry about 8, filter 44 bytes a block: 3 % on top of the data.
 *
 * @module
 */

import { compareKey, keyFromBytes } from "./bytes.ts";
import { Block, BlockBuilder } from "./block.ts";
import { checksum, placeSeed } from "./checksum.ts";
import type { Codec } from "./codec.ts";
import { PUT, TOMBSTONE } from "./entry_kind.ts";
import { CorruptionError } from "./errors.ts";
import type { Salt } from "./file_header.ts";
import { encodeFileHeader, FILE_HEADER_BYTES } from "./file_header.ts";
import { FilterBuilder, hashBytes, tagOf } from "./filter.ts";
import type { FrameType } from "./frame.ts";
import {
  encodeFrame,
  FRAME_DATA,
  FRAME_FILTER,
  FRAME_HEADER_BYTES,
  FRAME_INDEX,
  FRAME_PROPERTIES,
} from "./frame.ts";
import { ByteReader, ByteWriter, readU32, readU64, writeU32, writeU64 } from "./little_endian.ts";
import type { SegmentId, SegmentMeta } from "./version.ts";

/** The length of the footer in bytes. */
export const FOOTER_BYTES = 24;

/** An index larger than this ends its segment: a block is at most 16 MiB, and the next separator may be 64 KiB. */
export const INDEX_BYTES_MAX: number = 8 * 1024 * 1024;

/** How a segment is written. */
export interface SegmentOptions {
  /** Target bytes of a data block. */
  readonly blockSize: number;
  /** Bits of the filter for each key. */
  readonly filterBitsPerKey: number;
  /** The seed of the key hash. */
  readonly hashSeed: number;
  /** How blocks are compressed. */
  readonly codec: Codec;
}

/** What a segment inherits from its inputs. */
export interface SegmentOrigin {
  /** The first batch that any of its inputs held. */
  readonly seqnoMin: number;
  /** The last batch that any of its inputs held. */
  readonly seqnoMax: number;
  /** When the youngest of its inputs was flushed, in ms since the epoch. */
  readonly writtenAt: number;
}

/** Takes sorted entries and gives the bytes of a segment, front to back. */
export class SegmentBuilder {
  readonly #id: SegmentId;
  readonly #salt: Salt;
  readonly #seed: number;
  readonly #options: SegmentOptions;
  readonly #origin: SegmentOrigin;
  readonly #emit: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly #block = new BlockBuilder(true);
  readonly #index = new BlockBuilder(false);
  readonly #filter: FilterBuilder;
  #bytes: number;
  #entries = 0;
  #tombstones = 0;
  #rawBytes = 0;
  #minKey: string | undefined;
  #maxKey = "";
  #separator: Uint8Array = new Uint8Array(0);

  /** Begins a segment; `emit` is given its bytes in order. */
  constructor(
    id: SegmentId,
    salt: Salt,
    options: SegmentOptions,
    origin: SegmentOrigin,
    emit: (bytes: Uint8Array<ArrayBuffer>) => void,
  ) {
    const { header, bytes } = encodeFileHeader("segment", id, salt);
    this.#id = id;
    this.#salt = salt;
    this.#seed = header.seed;
    this.#options = options;
    this.#origin = origin;
    this.#emit = emit;
    this.#filter = new FilterBuilder(options.filterBitsPerKey);
    this.#bytes = bytes.length;
    emit(bytes);
  }

  /** About how many bytes the file will have. */
  get bytes(): number {
    return this.#bytes + this.#block.bytes;
  }

  /** Whether its index is as large as it may get. */
  get isFull(): boolean {
    return this.#index.bytes + 4 * this.#index.count >= INDEX_BYTES_MAX;
  }

  /** Adds an entry. Requires: its key is greater than the last; the value's bytes stay as they are. */
  add(
    isTombstone: boolean,
    key: Uint8Array,
    keyBytes: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const block = this.#block;
    if (block.count > 0 && block.bytes + keyBytes + valueEnd - valueStart > this.#options.blockSize) {
      this.#endBlock();
    }
    if (block.count === 0) this.#addSeparator(key, keyBytes);
    const hash = hashBytes(key, 0, keyBytes, this.#options.hashSeed);
    this.#filter.add(hash);
    block.add(isTombstone ? TOMBSTONE : PUT, key, keyBytes, tagOf(hash), value, valueStart, valueEnd);
    this.#entries += 1;
    if (isTombstone) this.#tombstones += 1;
  }

  /** Gives the index the shortest key that tells the new block from the one before. */
  #addSeparator(key: Uint8Array, keyBytes: number): void {
    let length = 0;
    if (this.#minKey === undefined) {
      this.#minKey = keyFromBytes(key, 0, keyBytes);
    } else {
      const last = this.#maxKey;
      while (length < last.length && last.charCodeAt(length) === key[length]) length++;
      length += 1;
    }
    this.#separator = key.slice(0, length);
  }

  #endBlock(): void {
    this.#maxKey = this.#block.lastKey();
    const length = this.#write(this.#block.finish(FRAME_HEADER_BYTES), FRAME_DATA, this.#options.codec);
    const value = new Uint8Array(4);
    writeU32(value, 0, length);
    this.#index.add(PUT, this.#separator, this.#separator.length, 0, value, 0, 4);
  }

  /** Emits a frame and returns its length. */
  #write(
    block: Uint8Array<ArrayBuffer>,
    type: FrameType,
    codec?: Codec,
  ): number {
    this.#rawBytes += block.length - FRAME_HEADER_BYTES;
    const frame = encodeFrame(block, type, codec, this.#seed, this.#bytes);
    this.#bytes += frame.length;
    this.#emit(frame);
    return frame.length;
  }

  /** Emits the rest of the file and returns what the version needs to know of it. Requires: there is an entry. */
  finish(): SegmentMeta {
    this.#endBlock();
    const blocks = this.#index.count;
    const rawBytes = this.#rawBytes;
    const filterOffset = this.#bytes;
    const filter = this.#filter.finish();
    const filterBytes = filter.length === 0 ? 0 : this.#write(behindHeadroom(filter), FRAME_FILTER);
    const indexBytes = this.#write(this.#index.finish(FRAME_HEADER_BYTES), FRAME_INDEX);
    const minKey = this.#minKey!;
    const properties = new ByteWriter();
    properties.u64(this.#entries).u64(this.#tombstones).u64(this.#origin.seqnoMin).u64(this.#origin.seqnoMax)
      .u64(this.#origin.writtenAt).u64(blocks).u64(rawBytes).u32(this.#options.hashSeed).key(minKey).key(
        this.#maxKey,
      );
    const propertiesBytes = this.#write(behindHeadroom(properties.finish()), FRAME_PROPERTIES);
    const footer = new Uint8Array(FOOTER_BYTES);
    writeU64(footer, 0, filterOffset);
    writeU32(footer, 8, filterBytes);
    writeU32(footer, 12, indexBytes);
    writeU32(footer, 16, propertiesBytes);
    writeU32(footer, 20, checksum(footer, 0, 20, placeSeed(this.#seed, this.#bytes)));
    this.#emit(footer);
    return {
      id: this.#id,
      size: this.#bytes + FOOTER_BYTES,
      minKey,
      maxKey: this.#maxKey,
      entries: this.#entries,
      tombstones: this.#tombstones,
      ...this.#origin,
      salt: this.#salt,
    };
  }
}

function behindHeadroom(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(FRAME_HEADER_BYTES + bytes.length);
  block.set(bytes, FRAME_HEADER_BYTES);
  return block;
}

/** Where the parts behind a segment's data stand. */
export interface Footer {
  /** Where the filter's frame begins, and the data ends. */
  readonly filterOffset: number;
  /** The length of the filter's frame; 0 for none. */
  readonly filterBytes: number;
  /** The length of the index's frame. */
  readonly indexBytes: number;
  /** The length of the properties' frame. */
  readonly propertiesBytes: number;
}

/**
 * Returns what the last {@linkcode FOOTER_BYTES} of a segment say.
 *
 * @param size The length of the file.
 * @throws {CorruptionError} If they are damaged or do not fit the file.
 */
export function decodeFooter(bytes: Uint8Array, fileSeed: number, size: number, name: string): Footer {
  const offset = size - FOOTER_BYTES;
  const damaged = (why: string): CorruptionError =>
    new CorruptionError(`Cannot read the footer at byte ${offset} of "${name}": ${why}`, {
      file: name,
      offset,
    });
  if (bytes.length !== FOOTER_BYTES) throw damaged("it is cut off");
  if (readU32(bytes, 20) !== checksum(bytes, 0, 20, placeSeed(fileSeed, offset))) {
    throw damaged("it has a bad checksum");
  }
  const footer: Footer = {
    filterOffset: readU64(bytes, 0),
    filterBytes: readU32(bytes, 8),
    indexBytes: readU32(bytes, 12),
    propertiesBytes: readU32(bytes, 16),
  };
  const { filterOffset, filterBytes, indexBytes, propertiesBytes } = footer;
  if (
    filterOffset < FILE_HEADER_BYTES || filterOffset + filterBytes + indexBytes + propertiesBytes !== offset
  ) {
    throw damaged("its lengths do not fit the file");
  }
  return footer;
}

/** What a segment says of itself. */
export interface SegmentProperties extends SegmentOrigin {
  /** How many entries it has. */
  readonly entries: number;
  /** How many of them are tombstones. */
  readonly tombstones: number;
  /** How many data blocks it has. */
  readonly blocks: number;
  /** The bytes of its data blocks before compression. */
  readonly rawBytes: number;
  /** The seed of the key hash. */
  readonly hashSeed: number;
  /** Its smallest key. */
  readonly minKey: string;
  /** Its greatest key. */
  readonly maxKey: string;
}

/**
 * Returns the properties in a block.
 *
 * @throws {CorruptionError} If they are none.
 */
export function decodeProperties(block: Uint8Array): SegmentProperties {
  const reader = new ByteReader(block, 0, block.length, "the properties of a segment");
  const properties: SegmentProperties = {
    entries: reader.u64(),
    tombstones: reader.u64(),
    seqnoMin: reader.u64(),
    seqnoMax: reader.u64(),
    writtenAt: reader.u64(),
    blocks: reader.u64(),
    rawBytes: reader.u64(),
    hashSeed: reader.u32(),
    minKey: reader.key(),
    maxKey: reader.key(),
  };
  reader.done();
  return properties;
}

/** How many bytes behind the common prefix a separator's head has: as many as a double holds exactly. */
const HEAD_BYTES = 6;

/**
 * The index of a segment, searched by numbers.
 *
 * The first six bytes of each separator behind their common prefix are kept as one double, so a search compares
 * numbers and looks at keys only among separators with the same head. Measured with 30,000 blocks and random
 * 16-byte keys: 137 ns a search, where comparing bytes takes 527.
 */
export class SegmentIndex {
  /** How many data blocks there are. */
  readonly count: number;
  readonly #block: Block;
  readonly #offsets: Float64Array;
  readonly #heads: Float64Array;
  readonly #prefix: string;

  /**
   * Makes the index out of its block.
   *
   * @param filterOffset Where the data ends.
   * @throws {CorruptionError} If it is no index of this file.
   */
  constructor(bytes: Uint8Array, filterOffset: number, name: string) {
    const block = new Block(bytes);
    const { count } = block;
    const damaged = (why: string): CorruptionError =>
      new CorruptionError(`Cannot read the index of "${name}": ${why}`, { file: name, offset: filterOffset });
    if (count === 0 || block.prefixBytes + block.keyEnd(0) - block.keyStart(0) !== 0) {
      throw damaged("it does not begin with the empty key");
    }
    const wrong = block.checkOrder();
    if (wrong !== undefined) throw damaged(wrong);
    this.count = count;
    this.#block = block;
    this.#offsets = new Float64Array(count + 1);
    this.#heads = new Float64Array(count);
    let offset = FILE_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      const start = block.valueStart(i);
      if (block.valueEnd(i) - start !== 4) throw damaged("an entry is not a length");
      this.#offsets[i] = offset;
      offset += readU32(bytes, start);
    }
    this.#offsets[count] = offset;
    if (offset !== filterOffset) throw damaged("its lengths do not fit the file");
    this.#prefix = count > 1 ? sharedPrefix(block.key(1), block.key(count - 1)) : "";
    for (let i = 1; i < count; i++) this.#heads[i] = headOf(block.key(i), this.#prefix.length);
  }

  /** Returns where the frame of data block `i` begins; of `count`, where the data ends. */
  offset(i: number): number {
    return this.#offsets[i]!;
  }

  /** Returns the separator of data block `i`: none of its keys is before it, all of the block before are. */
  separator(i: number): string {
    return this.#block.key(i);
  }

  /** Bytes that the index takes in memory. */
  get bytes(): number {
    return this.#block.bytes.length + this.#offsets.byteLength + this.#heads.byteLength;
  }

  /** Returns the data block that holds `key` if any does. Cost: O(log count). */
  find(key: string): number {
    const prefix = this.#prefix;
    if (!key.startsWith(prefix)) return key < prefix ? 0 : this.count - 1;
    const head = headOf(key, prefix.length);
    const heads = this.#heads;
    let low = 1;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (heads[middle]! < head) low = middle + 1;
      else high = middle;
    }
    if (low < this.count && heads[low]! <= head) return this.#findAmongSameHead(key, low, head);
    return low - 1;
  }

  /** Continues the search among separators from `low` on, the first whose head equals that of `key`. */
  #findAmongSameHead(key: string, low: number, head: number): number {
    const block = this.#block;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const isAtOrBefore = this.#heads[middle]! === head &&
        compareKey(key, block.bytes, block.keyStart(middle), block.keyEnd(middle)) >= 0;
      if (isAtOrBefore) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function sharedPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && length < b.length && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return a.slice(0, length);
}

/** Returns six bytes from `from` on as a number; bytes behind the end count as 0, so that a tie needs the keys. */
function headOf(key: string, from: number): number {
  let head = 0;
  for (let i = from; i < from + HEAD_BYTES; i++) head = head * 256 + (i < key.length ? key.charCodeAt(i) : 0);
  return head;
}
