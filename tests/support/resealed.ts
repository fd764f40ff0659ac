/**
 * Files whose checksums are made right again after they were changed, so that what lies behind a checksum is met.
 *
 * A checksum stops accidents; a decoder must stay total behind it all the same: a file may come from a newer module with a mistake,
 * or from someone who means harm. Every checksum of the formats is covered: file header, records with payload, frames, footer, `CURRENT`.
 *
 * Lengths are taken as they are found: where they still can be followed all is sealed, from there on nothing is. The frames
 * of a segment are found by what its index said before the change (`segmentPlaces`), so that the index itself can be attacked.
 *
 * @module
 */

import { Block } from "../../core/block.ts";
import { checksum, placeSeed } from "../../core/checksum.ts";
import { FILE_HEADER_BYTES } from "../../core/file_header.ts";
import { parseFileName } from "../../core/file_names.ts";
import { FRAME_HEADER_BYTES } from "../../core/frame.ts";
import { readU32, readU64, writeU32 } from "../../core/little_endian.ts";
import { RECORD_HEADER_BYTES } from "../../core/record.ts";
import { FOOTER_BYTES } from "../../core/segment.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Where a frame stands in a segment. */
export interface FramePlace {
  /** Its first byte. */
  readonly start: number;
  /** The byte behind its last. */
  readonly end: number;
}

/** Returns where the frames of an undamaged segment stand: data first, then filter if there is one, index, properties. */
export function segmentPlaces(file: Uint8Array): readonly FramePlace[] {
  const footer = file.length - FOOTER_BYTES;
  const filterOffset = readU64(file, footer);
  const [filterBytes, indexBytes, propertiesBytes] = [8, 12, 16].map((at) => readU32(file, footer + at));
  const indexAt = filterOffset + filterBytes!;
  const index = new Block(file.slice(indexAt + FRAME_HEADER_BYTES, indexAt + indexBytes!));
  const lengths = Array.from({ length: index.count }, (_, i) => readU32(index.bytes, index.valueStart(i)));
  if (filterBytes! > 0) lengths.push(filterBytes!);
  lengths.push(indexBytes!, propertiesBytes!);
  let end = FILE_HEADER_BYTES;
  return lengths.map((length) => ({ start: end, end: end += length }));
}

/** Makes the checksum of a file's header right and returns it: the seed of all others. */
export function resealHeader(file: Bytes): number {
  if (file.length < FILE_HEADER_BYTES) return 0;
  const seed = checksum(file, 0, FILE_HEADER_BYTES - 4, 0);
  writeU32(file, FILE_HEADER_BYTES - 4, seed);
  return seed;
}

/** Makes the checksums of a journal or manifest right, in place, up to a record whose length leads out of the file. */
export function resealRecords(file: Bytes): Bytes {
  const fileSeed = resealHeader(file);
  let at = FILE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const seed = placeSeed(fileSeed, at);
    const start = at + RECORD_HEADER_BYTES;
    const end = start + readU32(file, at + 4);
    if (end <= file.length) writeU32(file, at + 8, start === end ? seed : checksum(file, start, end, seed));
    writeU32(file, at, checksum(file, at + 4, start, seed));
    if (end > file.length) break;
    at = end;
  }
  return file;
}

/** Makes the checksum of the frame at `start` right, in place. */
export function resealFrame(file: Bytes, { start, end }: FramePlace, fileSeed: number): void {
  if (end > file.length || end - start < FRAME_HEADER_BYTES) return;
  writeU32(file, start, checksum(file, start + 4, end, placeSeed(fileSeed, start)));
}

/** Makes the checksum of a segment's footer right, in place. */
export function resealFooter(file: Bytes, fileSeed: number): void {
  const footer = file.length - FOOTER_BYTES;
  if (footer < 0) return;
  writeU32(file, footer + 20, checksum(file, footer, footer + 20, placeSeed(fileSeed, footer)));
}

/** Makes the checksums of a segment right, in place. */
export function resealSegment(file: Bytes, places: readonly FramePlace[]): Bytes {
  const seed = resealHeader(file);
  for (const place of places) resealFrame(file, place, seed);
  resealFooter(file, seed);
  return file;
}

/** Returns `CURRENT` with the checksum of what it names. */
export function resealCurrent(file: Bytes): Bytes {
  const end = file.indexOf(0x20) + 1;
  if (end === 0) return file;
  const sum = checksum(file, 0, end, 0).toString(16).padStart(8, "0");
  const sealed = new Uint8Array(end + 9);
  sealed.set(file.subarray(0, end));
  sealed.set(new TextEncoder().encode(`${sum}\n`), end);
  return sealed;
}

/**
 * Returns a changed file of a tree with its checksums right.
 *
 * @param before The file before the change, which says where the frames of a segment stand.
 */
export function resealed(name: string, file: Bytes, before: Uint8Array): Bytes {
  if (name === "CURRENT") return resealCurrent(file);
  const kind = parseFileName(name)?.kind;
  if (kind === undefined) return file;
  return kind === "segment" ? resealSegment(file, segmentPlaces(before)) : resealRecords(file);
}
