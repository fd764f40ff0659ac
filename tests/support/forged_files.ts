/**
 * Forged files: whole and with right checksums, but with parts that no writer of this module would write.
 *
 * A journal or a manifest is taken apart into records, a segment into its decompressed parts; one part is changed, and all is put
 * together again with lengths and checksums that fit. What a reader then meets is only the change itself. A segment of another length
 * needs a manifest that says so.
 *
 * @module
 */

import { Block, BlockBuilder } from "../../core/block.ts";
import { keyToBytes } from "../../core/bytes.ts";
import { encodeEdit, snapshotEdit } from "../../core/edit.ts";
import { PUT } from "../../core/entry_kind.ts";
import type { FileKind, Salt } from "../../core/file_header.ts";
import { decodeFileHeader, encodeFileHeader } from "../../core/file_header.ts";
import { fileName } from "../../core/file_names.ts";
import type { FrameType } from "../../core/frame.ts";
import {
  decodeFrame,
  encodeFrame,
  FRAME_DATA,
  FRAME_FILTER,
  FRAME_HEADER_BYTES,
  FRAME_INDEX,
  FRAME_PROPERTIES,
} from "../../core/frame.ts";
import { readU32, writeU32, writeU64 } from "../../core/little_endian.ts";
import { scanManifest } from "../../core/manifest.ts";
import type { RecordKind } from "../../core/record.ts";
import { scanRecords } from "../../core/record.ts";
import { FOOTER_BYTES } from "../../core/segment.ts";
import type { SegmentMeta, Version } from "../../core/version.ts";
import { CODECS } from "../../io/codecs.ts";
import { joined } from "./damage.ts";
import { recordFile } from "./record_files.ts";
import { resealFooter, segmentPlaces } from "./resealed.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A record, to be changed. */
export interface LooseRecord {
  /** What it holds. */
  kind: RecordKind;
  /** Its number. */
  number: number;
  /** The highest durable batch. */
  durable: number;
  /** What it holds. */
  payload: Uint8Array;
}

/** Takes a journal or a manifest apart. */
export function recordsOf(file: Bytes, kind: FileKind, id: number): LooseRecord[] {
  const { seed } = decodeFileHeader(file, kind, id, fileName(kind, id));
  return scanRecords(file, seed).records.map(({ kind, number, durable, start, end }) => ({
    kind,
    number,
    durable,
    payload: file.slice(start, end),
  }));
}

/** Puts a journal or a manifest together. */
export function forgedRecords(
  kind: FileKind,
  id: number,
  salt: Salt,
  records: readonly LooseRecord[],
): Bytes {
  const file = recordFile(kind, id, salt);
  for (const { kind, number, durable, payload } of records) file.record(kind, number, durable, payload);
  return file.bytes();
}

/** Returns a manifest, which may have been closed, with its version changed. */
export function forgedManifest(file: Bytes, id: number, change: (version: Version) => Version): Bytes {
  const { version, header, durable, closed } = scanManifest(file, id);
  const edit = encodeEdit(snapshotEdit(change(version), "closed", 1_700_000_000_000));
  const forged = recordFile("manifest", id, header.salt).record(2, version.editNumber, durable, edit);
  return (closed ? forged.close(version.editNumber, durable) : forged.mark(version.editNumber, durable))
    .bytes();
}

/** Returns a version with what it knows of one segment changed. */
export function withMeta(version: Version, id: number, change: Partial<SegmentMeta>): Version {
  const runs = version.runs.map(({ level, segments }) => ({
    level,
    segments: segments.map((meta) => meta.id === id ? { ...meta, ...change } : meta),
  }));
  return { ...version, runs };
}

/** The parts of a segment, decompressed. */
export interface SegmentPieces {
  /** Its data blocks. */
  readonly blocks: readonly Uint8Array[];
  /** A separator for each. */
  readonly separators: readonly string[];
  /** Its filter; empty for none. */
  readonly filter: Uint8Array;
  /** Its properties. */
  readonly properties: Uint8Array;
  /** Its index, if it is not the one of these blocks. */
  readonly index?: Uint8Array;
}

/** Takes a segment apart. */
export function piecesOf(file: Bytes, id: number): SegmentPieces {
  const name = fileName("segment", id);
  const { seed } = decodeFileHeader(file, "segment", id, name);
  const places = [...segmentPlaces(file)];
  const decode = ({ start, end }: { start: number; end: number }): Uint8Array =>
    decodeFrame(file.slice(start, end), file[start + 9]! as FrameType, CODECS, seed, start, name);
  const properties = decode(places.pop()!);
  const index = new Block(decode(places.pop()!));
  const blocks = places.slice(0, index.count).map(decode);
  const filter = places.length > index.count ? decode(places[index.count]!) : new Uint8Array(0);
  return { blocks, separators: blocks.map((_, i) => index.key(i)), filter, properties };
}

/**
 * Puts a segment together, not compressed; its checksums fit whatever the parts are.
 *
 * @param lengthsOff Is added to each length of a data frame in the index.
 */
export function forgedSegment(id: number, salt: Salt, pieces: SegmentPieces, lengthsOff = 0): Bytes {
  const { header, bytes } = encodeFileHeader("segment", id, salt);
  const parts: Bytes[] = [bytes];
  let offset = bytes.length;
  const write = (block: Uint8Array, type: FrameType): number => {
    const framed = joined(new Uint8Array(FRAME_HEADER_BYTES), block);
    const frame = encodeFrame(framed, type, undefined, header.seed, offset);
    parts.push(frame);
    offset += frame.length;
    return frame.length;
  };
  const index = new BlockBuilder(false);
  for (const [i, block] of pieces.blocks.entries()) {
    const length = new Uint8Array(4);
    writeU32(length, 0, write(block, FRAME_DATA) + lengthsOff);
    const separator = keyToBytes(pieces.separators[i]!);
    index.add(PUT, separator, separator.length, 0, length, 0, 4);
  }
  const footer = new Uint8Array(FOOTER_BYTES);
  writeU64(footer, 0, offset);
  if (pieces.filter.length > 0) writeU32(footer, 8, write(pieces.filter, FRAME_FILTER));
  writeU32(footer, 12, write(pieces.index ?? index.finish(0), FRAME_INDEX));
  writeU32(footer, 16, write(pieces.properties, FRAME_PROPERTIES));
  const file = joined(...parts, footer);
  resealFooter(file, header.seed);
  return file;
}

/** Returns the salt in a file's header. */
export function saltOf(file: Uint8Array): Salt {
  return { low: readU32(file, 16), high: readU32(file, 20) };
}
