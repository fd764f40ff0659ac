/**
 * Segments put together part by part, with all checksums right, whatever nonsense they say.
 *
 * The builder cannot be made to write keys out of order or a tag that is wrong, so what an inspection must find behind good
 * checksums is written here.
 *
 * @module
 */

import { BlockBuilder } from "../../core/block.ts";
import { keyToBytes } from "../../core/bytes.ts";
import { checksum, placeSeed } from "../../core/checksum.ts";
import { PUT, TOMBSTONE } from "../../core/entry_kind.ts";
import { encodeFileHeader } from "../../core/file_header.ts";
import { FilterBuilder, hashKey, tagOf } from "../../core/filter.ts";
import type { FrameType } from "../../core/frame.ts";
import {
  encodeFrame,
  FRAME_DATA,
  FRAME_FILTER,
  FRAME_HEADER_BYTES,
  FRAME_INDEX,
  FRAME_PROPERTIES,
} from "../../core/frame.ts";
import { ByteWriter, writeU32, writeU64 } from "../../core/little_endian.ts";
import type { SegmentProperties } from "../../core/segment.ts";
import { FOOTER_BYTES } from "../../core/segment.ts";
import { joined } from "./damage.ts";
import { SALT } from "./record_files.ts";
import type { SegmentFile } from "./segment_files.ts";
import { ORIGIN, SEGMENT_OPTIONS } from "./segment_files.ts";

/** A block: its separator, and its keys, of which those with an exclamation mark are tombstones. */
export interface CraftedBlock {
  readonly separator: string;
  readonly keys: readonly string[];
}

/** What is out of the ordinary. */
export interface Oddities {
  /** What the properties say instead. */
  readonly properties?: Partial<SegmentProperties>;
  /** The keys that the filter has, if not all. */
  readonly filterKeys?: readonly string[];
  /** The filter itself. */
  readonly filter?: Uint8Array;
  /** The seed that tags are made with. */
  readonly tagSeed?: number;
  /** Whether blocks have tags. */
  readonly isTagged?: boolean;
  /** The bytes of the first block instead. */
  readonly firstBlock?: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Returns a segment of such blocks, with what the manifest would say of it. */
export function craftedSegment(blocks: readonly CraftedBlock[], odd: Oddities = {}): SegmentFile {
  const id = 12;
  const { header, bytes } = encodeFileHeader("segment", id, SALT);
  const { hashSeed } = SEGMENT_OPTIONS;
  const parts: Uint8Array[] = [bytes];
  let at = bytes.length;
  const write = (content: Uint8Array, type: FrameType): number => {
    const frame = encodeFrame(
      joined(new Uint8Array(FRAME_HEADER_BYTES), content),
      type,
      undefined,
      header.seed,
      at,
    );
    parts.push(frame);
    at += frame.length;
    return frame.length;
  };
  const index = new BlockBuilder(false);
  let rawBytes = 0;
  for (const [i, { separator, keys }] of blocks.entries()) {
    const block = i === 0 && odd.firstBlock !== undefined ? odd.firstBlock : dataBlock(keys, odd);
    rawBytes += block.length;
    const length = new Uint8Array(4);
    writeU32(length, 0, write(block, FRAME_DATA));
    index.add(PUT, keyToBytes(separator), separator.length, 0, length, 0, 4);
  }
  const all = blocks.flatMap(({ keys }) => keys);
  const footer = new Uint8Array(FOOTER_BYTES);
  writeU64(footer, 0, at);
  const filter = new FilterBuilder(SEGMENT_OPTIONS.filterBitsPerKey);
  for (const key of odd.filterKeys ?? all) filter.add(hashKey(key.replace("!", ""), hashSeed));
  writeU32(footer, 8, write(odd.filter ?? filter.finish(), FRAME_FILTER));
  writeU32(footer, 12, write(index.finish(0), FRAME_INDEX));
  const properties: SegmentProperties = {
    entries: all.length,
    tombstones: all.filter((key) => key.includes("!")).length,
    ...ORIGIN,
    blocks: blocks.length,
    rawBytes,
    hashSeed,
    minKey: all[0]!,
    maxKey: all.at(-1)!,
    ...odd.properties,
  };
  writeU32(footer, 16, write(encodeProperties(properties), FRAME_PROPERTIES));
  writeU32(footer, 20, checksum(footer, 0, 20, placeSeed(header.seed, at)));
  parts.push(footer);
  const { entries, tombstones, seqnoMin, seqnoMax, writtenAt, minKey, maxKey } = properties;
  const size = at + FOOTER_BYTES;
  return {
    meta: { id, size, minKey, maxKey, entries, tombstones, seqnoMin, seqnoMax, writtenAt, salt: SALT },
    file: joined(...parts),
  };
}

function dataBlock(keys: readonly string[], { tagSeed, isTagged = true }: Oddities): Uint8Array {
  const block = new BlockBuilder(isTagged);
  for (const given of keys) {
    const key = given.replace("!", "");
    const tag = tagOf(hashKey(key, tagSeed ?? SEGMENT_OPTIONS.hashSeed));
    const kind = given === key ? PUT : TOMBSTONE;
    block.add(kind, keyToBytes(key), key.length, tag, NO_BYTES, 0, 0);
  }
  return block.finish(0);
}

function encodeProperties(properties: SegmentProperties): Uint8Array {
  const writer = new ByteWriter();
  const { entries, tombstones, seqnoMin, seqnoMax, writtenAt, blocks, rawBytes } = properties;
  for (const number of [entries, tombstones, seqnoMin, seqnoMax, writtenAt, blocks, rawBytes]) {
    writer.u64(number);
  }
  return writer.u32(properties.hashSeed).key(properties.minKey).key(properties.maxKey).finish();
}
