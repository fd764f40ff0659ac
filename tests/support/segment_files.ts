/**
 * Segments as bytes, written by the builder and read part by part as the shell reads them.
 *
 * Reading is strict: each part is decoded and checked, and what the parts say of each other is compared. A test that changes
 * a byte anywhere in a segment thus learns whether any part lets it pass.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Block } from "../../core/block.ts";
import { keyToBytes } from "../../core/bytes.ts";
import type { Salt } from "../../core/file_header.ts";
import { decodeFileHeader } from "../../core/file_header.ts";
import { fileName } from "../../core/file_names.ts";
import type { FrameType } from "../../core/frame.ts";
import { decodeFrame, FRAME_DATA, FRAME_FILTER, FRAME_INDEX, FRAME_PROPERTIES } from "../../core/frame.ts";
import type { Footer, SegmentOptions, SegmentOrigin, SegmentProperties } from "../../core/segment.ts";
import {
  decodeFooter,
  decodeProperties,
  FOOTER_BYTES,
  SegmentBuilder,
  SegmentIndex,
} from "../../core/segment.ts";
import type { SegmentMeta } from "../../core/version.ts";
import type { GivenEntry } from "./arbitraries.ts";
import { joined } from "./damage.ts";
import { SALT } from "./record_files.ts";
import { NO_CODEC, TEST_CODECS } from "./run_length_codec.ts";

/** A segment with its bytes. */
export interface SegmentFile {
  /** What the version knows of it. */
  readonly meta: SegmentMeta;
  /** Its bytes. */
  readonly file: Uint8Array<ArrayBuffer>;
}

/** A segment, read whole. */
export interface SegmentParts {
  /** Where the parts stand. */
  readonly footer: Footer;
  /** Its filter; empty for none. */
  readonly filter: Uint8Array;
  /** Its index as entries: separators with the length of a frame. */
  readonly indexBlock: Block;
  /** Its index. */
  readonly index: SegmentIndex;
  /** What it says of itself. */
  readonly properties: SegmentProperties;
  /** Its data. */
  readonly blocks: readonly Block[];
}

/** How segments of tests are written: blocks of a few entries. */
export const SEGMENT_OPTIONS: SegmentOptions = {
  blockSize: 24,
  filterBitsPerKey: 10,
  hashSeed: 77,
  codec: NO_CODEC,
};

/** What segments of tests inherit. */
export const ORIGIN: SegmentOrigin = { seqnoMin: 3, seqnoMax: 9, writtenAt: 1_700_000_000_000 };

/** Writes a segment. */
export function segmentFile(
  entries: readonly GivenEntry[],
  options: Partial<SegmentOptions> = {},
  id: number = 12,
  salt: Salt = SALT,
): SegmentFile {
  const parts: Uint8Array[] = [];
  const builder = new SegmentBuilder(
    id,
    salt,
    { ...SEGMENT_OPTIONS, ...options },
    ORIGIN,
    (part) => parts.push(part),
  );
  for (const [key, value] of entries) {
    const bytes = value ?? new Uint8Array(0);
    builder.add(value === null, keyToBytes(key), key.length, bytes, 0, bytes.length);
  }
  const meta = builder.finish();
  return { meta, file: joined(...parts) };
}

/**
 * Reads all parts of a segment.
 *
 * @throws {CorruptionError} If one of them is damaged.
 */
export function readSegment(file: Uint8Array<ArrayBuffer>, id: number = 12): SegmentParts {
  const name = fileName("segment", id);
  const { seed } = decodeFileHeader(file, "segment", id, name);
  const footer = decodeFooter(
    file.subarray(Math.max(0, file.length - FOOTER_BYTES)),
    seed,
    file.length,
    name,
  );
  const frame = (offset: number, length: number, type: FrameType): Uint8Array =>
    decodeFrame(file.slice(offset, offset + length), type, TEST_CODECS, seed, offset, name);
  const { filterOffset, filterBytes, indexBytes, propertiesBytes } = footer;
  const filter = filterBytes === 0 ? new Uint8Array(0) : frame(filterOffset, filterBytes, FRAME_FILTER);
  const indexAt = filterOffset + filterBytes;
  const indexBlock = frame(indexAt, indexBytes, FRAME_INDEX);
  const index = new SegmentIndex(indexBlock, filterOffset, name);
  const properties = decodeProperties(frame(indexAt + indexBytes, propertiesBytes, FRAME_PROPERTIES));
  const blocks = Array.from({ length: index.count }, (_, i) => {
    const offset = index.offset(i);
    return new Block(frame(offset, index.offset(i + 1) - offset, FRAME_DATA));
  });
  assertEquals(index.offset(index.count), filterOffset);
  return { footer, filter, indexBlock: new Block(indexBlock), index, properties, blocks };
}
