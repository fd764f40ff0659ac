/**
 * Salvage: what can be had from damaged files, and which bytes are lost.
 *
 * Where opening stops, this goes on behind the damage. Nothing is believed without its checksum, so what comes out is what was
 * written; what is missing is named by file, offset and length.
 *
 * ```text
 * segment    by its index; without one, frame after frame: a frame's checksum tells where it ends
 * journal    whole records in front of, between and behind damage
 * manifest   the snapshot with the edits that follow it without a gap
 * ```
 *
 * A frame does not hold its own length. One that is not compressed is as long as its block; of a compressed one each length is
 * tried, up to that of its block, until the checksum is right and it decompresses. Of blocks above 16 MiB only those that are not
 * compressed are found that way.
 *
 * @module
 */

import { Block, BLOCK_BYTES_MAX } from "./block.ts";
import { checksum, placeSeed } from "./checksum.ts";
import type { Codecs } from "./codec.ts";
import { Cursor } from "./cursor.ts";
import type { Edit } from "./edit.ts";
import { applyEdit, decodeEdit } from "./edit.ts";
import { FILE_HEADER_BYTES } from "./file_header.ts";
import { fileName } from "./file_names.ts";
import { decodeFrame, FRAME_DATA, FRAME_HEADER_BYTES, FRAME_PROPERTIES } from "./frame.ts";
import type { SegmentBytes, SegmentParts } from "./inspection.ts";
import { headerSeeds, isDamage, readBlock } from "./inspection.ts";
import { readU16, readU32 } from "./little_endian.ts";
import { scanManifest } from "./manifest.ts";
import type { RecordRef } from "./record.ts";
import { RECORD_BATCH, RECORD_EDIT, RECORD_HEADER_BYTES, scanRecords } from "./record.ts";
import type { Version } from "./version.ts";
import { EMPTY_VERSION } from "./version.ts";

/** Bytes that could not be read. */
export interface LostBytes {
  /** The name of the file. */
  readonly file: string;
  /** Where they begin. */
  readonly offset: number;
  /** How many there are, as far as is known; 0 where nobody knows. */
  readonly bytes: number;
  /** Why. */
  readonly reason: string;
}

/** Told of bytes that could not be read. */
export type LostListener = (lost: LostBytes) => void;

/** What a manifest still says. */
export interface SalvagedManifest {
  /** The version after the edits that could be read. */
  readonly version: Version;
  /** Whether no later edit is missing. */
  readonly isWhole: boolean;
  /** The highest batch that it knows to be durable. */
  readonly durable: number;
}

/**
 * Returns what a manifest still says, or `undefined` if its snapshot is lost.
 *
 * @throws {UnsupportedFormatError} If a newer module wrote it.
 */
export function salvageManifest(file: Uint8Array, id: number): SalvagedManifest | undefined {
  try {
    const { version, durable } = scanManifest(file, id);
    return { version, isWhole: true, durable };
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  for (const seed of headerSeeds(file, "manifest", id)) {
    const { records, behind } = scanRecords(file, seed);
    const found = foldFromSnapshot(file, [...records, ...behind]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function foldFromSnapshot(file: Uint8Array, records: readonly RecordRef[]): SalvagedManifest | undefined {
  let version: Version | undefined;
  let end = 0;
  for (const record of records) {
    if (version !== undefined && record.start - RECORD_HEADER_BYTES !== end) break;
    if (record.kind === RECORD_EDIT) {
      const next = versionAfter(version, file, record);
      if (next === undefined) {
        if (version !== undefined) break;
        continue;
      }
      version = next;
    }
    end = record.end;
  }
  return version && { version, isWhole: end === file.length, durable: version.flushedSeqno };
}

/** Returns the version after an edit that stands in a record, or `undefined` if it does not follow `before`. */
function versionAfter(before: Version | undefined, file: Uint8Array, record: RecordRef): Version | undefined {
  try {
    const edit = decodeEdit(file, record.start, record.end);
    if (before !== undefined) {
      return before.editNumber + 1 === record.number ? applyEdit(before, edit) : undefined;
    }
    return isSnapshot(edit)
      ? applyEdit({ ...EMPTY_VERSION, editNumber: record.number - 1 }, edit)
      : undefined;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}

/** Tells whether an edit makes a whole version: only the first of a manifest has both parts and takes nothing away. */
function isSnapshot({ config, fence, removed }: Edit): boolean {
  return config !== undefined && fence !== undefined && removed.length === 0;
}

/** What a journal still says. */
export interface SalvagedJournal {
  /** Its number. */
  readonly id: number;
  /** Its bytes. */
  readonly file: Uint8Array;
  /** Its whole batches, in the order in which they stand. */
  readonly batches: readonly RecordRef[];
  /** What stands between, in front of and behind whole records. */
  readonly lost: readonly LostBytes[];
}

/**
 * Returns what a journal still says.
 *
 * @param validBytes How many of its bytes count.
 * @throws {UnsupportedFormatError} If a newer module wrote it.
 */
export function salvageJournal(file: Uint8Array, id: number, validBytes: number): SalvagedJournal {
  const name = fileName("journal", id);
  let records: readonly RecordRef[] = [];
  for (const seed of headerSeeds(file, "journal", id)) {
    const scan = scanRecords(file, seed);
    const found = [...scan.records, ...scan.behind];
    if (found.length > records.length) records = found;
  }
  const lost: LostBytes[] = [];
  let at = FILE_HEADER_BYTES;
  const skipTo = (to: number): void => {
    if (to > at && at < validBytes) {
      lost.push({ file: name, offset: at, bytes: to - at, reason: "no whole record stands there" });
    }
  };
  if (file.length < FILE_HEADER_BYTES) {
    lost.push({ file: name, offset: 0, bytes: file.length, reason: "its header is cut off" });
  }
  for (const record of records) {
    skipTo(record.start - RECORD_HEADER_BYTES);
    at = record.end;
  }
  skipTo(file.length);
  if (validBytes > file.length) {
    lost.push({
      file: name,
      offset: file.length,
      bytes: validBytes - file.length,
      reason: "the file ends before them",
    });
  }
  const batches = records.filter(({ kind, end }) => kind === RECORD_BATCH && end <= validBytes);
  return { id, file, batches, lost };
}

/** A block that could be read, and where it stands. */
export interface SalvagedBlock {
  /** The name of the file. */
  readonly file: string;
  /** Where its frame begins. */
  readonly offset: number;
  /** How many bytes its frame has. */
  readonly bytes: number;
  /** The block. */
  readonly block: Block;
}

/** Gives the blocks of a segment that can be read, in order; says which cannot. */
export function* salvageBlocks(
  file: SegmentBytes,
  parts: SegmentParts,
  size: number,
  codecs: Codecs,
  lost: LostListener,
): Generator<SalvagedBlock, void> {
  const { name, index, seed } = parts;
  if (index === undefined) {
    if (seed === undefined) lost({ file: name, offset: 0, bytes: size, reason: "its header is lost" });
    else yield* new FrameWalk(file, parts, seed, size, codecs, lost).blocks();
    return;
  }
  for (let i = 0; i < index.count; i++) {
    const offset = index.offset(i);
    const place = { file: name, offset, bytes: index.offset(i + 1) - offset };
    let block: Block;
    try {
      block = readBlock(file, parts, i, codecs);
    } catch (error) {
      if (!isDamage(error)) throw error;
      lost({ ...place, reason: error.message });
      continue;
    }
    yield { ...place, block };
  }
}

/** How many bytes are looked through at once for the next frame. */
const PIECE_BYTES = 64 * 1024;

/** A walk from frame to frame, where no index says where they stand. */
class FrameWalk {
  readonly #file: SegmentBytes;
  readonly #name: string;
  readonly #seed: number;
  readonly #size: number;
  readonly #codecs: Codecs;
  readonly #lost: LostListener;
  /** Where the data end, if the footer says so; otherwise the file's end. */
  readonly #end: number;
  readonly #isEndKnown: boolean;

  constructor(
    file: SegmentBytes,
    { name, footer }: SegmentParts,
    seed: number,
    size: number,
    codecs: Codecs,
    lost: LostListener,
  ) {
    this.#file = file;
    this.#name = name;
    this.#seed = seed;
    this.#size = size;
    this.#codecs = codecs;
    this.#lost = lost;
    this.#end = footer?.filterOffset ?? file.size;
    this.#isEndKnown = footer !== undefined;
  }

  *blocks(): Generator<SalvagedBlock, void> {
    let at = FILE_HEADER_BYTES;
    while (at < this.#end) {
      const frame = this.#frameAt(at);
      if (frame === "behind the data") return;
      if (frame !== undefined) {
        const { block, end } = frame;
        if (block === undefined) this.#lose(at, end, "the block does not decode");
        else yield { file: this.#name, offset: at, bytes: end - at, block };
        at = end;
        continue;
      }
      const next = this.#nextFrame(at + 1);
      if (next === this.#end && !this.#isEndKnown) break;
      this.#lose(at, next, "no whole block stands there");
      at = next;
    }
    if (!this.#isEndKnown) this.#lose(at, Math.max(at, this.#size), "the file ends before its data do");
  }

  #lose(offset: number, end: number, reason: string): void {
    this.#lost({ file: this.#name, offset, bytes: end - offset, reason });
  }

  /** Returns where the next frame begins, or where the data end. */
  #nextFrame(from: number): number {
    for (let start = from; start < this.#end; start += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES + FRAME_HEADER_BYTES, this.#file.size - start);
      const piece = this.#file.read(start, length);
      for (let i = 0; i + FRAME_HEADER_BYTES <= length && i < PIECE_BYTES; i++) {
        if (isFrameHeader(piece, i) && this.#frameAt(start + i) !== undefined) return start + i;
      }
    }
    return this.#end;
  }

  /** Returns the frame at `at`; `undefined` if none begins there. */
  #frameAt(
    at: number,
  ): { readonly block: Block | undefined; readonly end: number } | "behind the data" | undefined {
    const room = this.#file.size - at;
    if (room < FRAME_HEADER_BYTES) return undefined;
    const header = this.#file.read(at, FRAME_HEADER_BYTES);
    if (!isFrameHeader(header, 0)) return undefined;
    const rawBytes = readU32(header, 4);
    const isPacked = header[8] !== 0;
    if (isPacked && rawBytes > BLOCK_BYTES_MAX) return undefined;
    const most = FRAME_HEADER_BYTES + rawBytes;
    if (!isPacked && most > room) return undefined;
    const bytes = this.#file.read(at, Math.min(most, room));
    const end = this.#endOfFrame(bytes, at, isPacked);
    if (end === undefined) return undefined;
    if (bytes[9] !== FRAME_DATA) return "behind the data";
    return { block: this.#blockIn(bytes.slice(0, end), at), end: at + end };
  }

  /** Returns the length with which the checksum is right. */
  #endOfFrame(bytes: Uint8Array<ArrayBuffer>, at: number, isPacked: boolean): number | undefined {
    const stored = readU32(bytes, 0);
    const seed = placeSeed(this.#seed, at);
    if (!isPacked) return checksum(bytes, 4, bytes.length, seed) === stored ? bytes.length : undefined;
    let sum = checksum(bytes, 4, FRAME_HEADER_BYTES, seed);
    for (let end = FRAME_HEADER_BYTES + 1; end <= bytes.length; end++) {
      sum = checksum(bytes, end - 1, end, sum);
      // One length in 2^32 has the right checksum by chance: then it does not decompress.
      if (sum === stored && this.#blockIn(bytes.slice(0, end), at) !== undefined) return end;
    }
    return undefined;
  }

  #blockIn(frame: Uint8Array<ArrayBuffer>, at: number): Block | undefined {
    try {
      const block = new Block(decodeFrame(frame, FRAME_DATA, this.#codecs, this.#seed, at, this.#name));
      return block.count === 0 ? undefined : block;
    } catch (error) {
      if (!isDamage(error)) throw error;
      return undefined;
    }
  }
}

/** Tells whether what stands at `at` may be the header of a frame. */
function isFrameHeader(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at + 9]!;
  return bytes[at + 8]! <= 2 && type >= FRAME_DATA && type <= FRAME_PROPERTIES &&
    readU16(bytes, at + 10) === 0;
}

/**
 * A cursor over blocks that come one after the other: forwards, once.
 *
 * A block whose keys are not all behind those before it is passed over, since a merge needs order.
 */
export class SalvageCursor extends Cursor {
  readonly #blocks: Iterator<SalvagedBlock>;
  readonly #lost: LostListener;
  #block: Block | undefined;
  #entry = 0;
  #lastKey: string | undefined;

  /**
   * Stands on nothing until it is sent to the first entry.
   *
   * @param lost Told of each block that is passed over.
   */
  constructor(blocks: Iterator<SalvagedBlock>, lost: LostListener) {
    super();
    this.#blocks = blocks;
    this.#lost = lost;
  }

  /** Goes to the first entry that is left. */
  override seekFirst(): void {
    this.#nextBlock();
  }

  /** Goes to the next entry. */
  override next(): void {
    if (this.#entry + 1 < this.#block!.count) this.#stand(this.#entry + 1);
    else this.#nextBlock();
  }

  /** Cannot be done. */
  override seekLast(): void {
    throw forwardsOnly();
  }

  /** Cannot be done. */
  override seekAtOrAfter(_key: string): void {
    throw forwardsOnly();
  }

  /** Cannot be done. */
  override seekBefore(_key: string): void {
    throw forwardsOnly();
  }

  /** Cannot be done. */
  override previous(): void {
    throw forwardsOnly();
  }

  #nextBlock(): void {
    for (;;) {
      const { value, done } = this.#blocks.next();
      if (done) {
        this.valid = false;
        return;
      }
      const { block, ...place }: SalvagedBlock = value;
      const isBehind = this.#lastKey === undefined || block.key(0) > this.#lastKey;
      if (isBehind && block.checkOrder() === undefined) {
        this.#block = block;
        this.#lastKey = block.key(block.count - 1);
        this.#stand(0);
        return;
      }
      this.#lost({ ...place, reason: "its keys are not behind those before it" });
    }
  }

  #stand(entry: number): void {
    this.#entry = entry;
    this.standOn(this.#block!, entry);
  }
}

function forwardsOnly(): RangeError {
  return new RangeError("Cannot move this cursor but forwards");
}
