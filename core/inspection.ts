/**
 * Inspection: what is wrong with the bytes of a tree, all of it and not only what stops a read.
 *
 * A read believes a part once its checksum has passed. An inspection compares what all parts say of each other as well: header,
 * footer, index, filter and properties of a segment with what the manifest says of it, and each of them with the data.
 *
 * - Total: a problem is a value, and the next part is looked at all the same. Only what the way to the bytes throws beside
 *   {@linkcode CorruptionError} comes out, such as a refusal of the operating system.
 * - A damaged header loses nothing where the manifest is known: it has the salt, and with that all checksums' seed.
 * - Without a readable index nobody knows where a block ends, so the data are not looked at; that is a problem already.
 * - Memory: the index and filter of one segment, and one block.
 *
 * @module
 */

import { Block } from "./block.ts";
import { checksum } from "./checksum.ts";
import type { Codecs } from "./codec.ts";
import type { TreeError } from "./errors.ts";
import { CorruptionError, UnsupportedFormatError } from "./errors.ts";
import type { FileKind } from "./file_header.ts";
import { decodeFileHeader, encodeFileHeader, FILE_HEADER_BYTES } from "./file_header.ts";
import { fileName } from "./file_names.ts";
import { filterMayContain, hashBytes, isFilter, tagOf } from "./filter.ts";
import type { FrameType } from "./frame.ts";
import { decodeFrame, FRAME_DATA, FRAME_FILTER, FRAME_INDEX, FRAME_PROPERTIES } from "./frame.ts";
import { historyChanges, replayHistory } from "./history.ts";
import type { JournalScan } from "./journal.ts";
import { journalBatch } from "./journal.ts";
import { readU32 } from "./little_endian.ts";
import type { ManifestScan } from "./manifest.ts";
import { RECORD_HEADER_BYTES } from "./record.ts";
import type { Footer, SegmentProperties } from "./segment.ts";
import { decodeFooter, decodeProperties, FOOTER_BYTES, SegmentIndex } from "./segment.ts";
import type { SegmentId, SegmentMeta, Version } from "./version.ts";

/** A file of a segment, wherever its bytes are. */
export interface SegmentBytes {
  /** The number that its name has. */
  readonly id: SegmentId;
  /** Its length in bytes. */
  readonly size: number;
  /**
   * Returns some of its bytes.
   *
   * @throws {CorruptionError} If it ends before.
   */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

/** The parts of a segment beside its data, as far as they can be read. */
export interface SegmentParts {
  /** The file's name. */
  readonly name: string;
  /** The seed of the file's checksums, or `undefined` if nothing tells it. */
  readonly seed: number | undefined;
  /** Where the parts stand. */
  readonly footer: Footer | undefined;
  /** Where the blocks stand. */
  readonly index: SegmentIndex | undefined;
  /** The filter; empty if there is none. */
  readonly filter: Uint8Array | undefined;
  /** What the segment says of itself. */
  readonly properties: SegmentProperties | undefined;
  /** What is wrong with them. */
  readonly problems: readonly TreeError[];
}

/** What a segment should be, as far as that is known. */
export interface SegmentExpectation {
  /** What the manifest says of it; `undefined` where that cannot be read. */
  readonly meta: SegmentMeta | undefined;
  /** The version that it belongs to. */
  readonly version: Version | undefined;
}

/** What one step of an inspection looked at. */
export interface Inspected {
  /** How many bytes. */
  readonly bytes: number;
  /** What is wrong with them. */
  readonly problems: readonly TreeError[];
}

/** Returns what `action` gives; what is damaged is put to `problems`, at a place if the error names none. */
function attempt<T>(problems: TreeError[], name: string, offset: number, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!isDamage(error)) throw error;
    problems.push(error.file === undefined ? placed(error, name, offset) : error);
    return undefined;
  }
}

/** Tells whether an error says something of bytes that were read, and not that they could not be. */
export function isDamage(error: unknown): error is CorruptionError | UnsupportedFormatError {
  return error instanceof CorruptionError || error instanceof UnsupportedFormatError;
}

function placed(error: TreeError, name: string, offset: number): TreeError {
  const message = `Cannot read "${name}" at byte ${offset}: ${error.message}`;
  const options = { file: name, offset, cause: error };
  return error instanceof UnsupportedFormatError
    ? new UnsupportedFormatError(message, options)
    : new CorruptionError(message, options);
}

function wrong(name: string, offset: number, why: string): CorruptionError {
  return new CorruptionError(`Cannot trust "${name}" at byte ${offset}: ${why}`, { file: name, offset });
}

/**
 * Reads all parts of a segment but its data.
 *
 * @param meta What the manifest says of it; its salt stands in for a header that is damaged.
 */
export function segmentParts(
  file: SegmentBytes,
  meta: SegmentMeta | undefined,
  codecs: Codecs,
): SegmentParts {
  const name = fileName("segment", file.id);
  const problems: TreeError[] = [];
  if (meta !== undefined && file.size !== meta.size) {
    const offset = Math.min(file.size, meta.size);
    problems.push(wrong(name, offset, `it has ${file.size} bytes, the manifest says ${meta.size}`));
  }
  const seeds = seedsOf(file, name, meta, problems);
  const { seed, footer } = footerOf(file, name, seeds, problems);
  if (seed === undefined || footer === undefined) {
    return { name, seed, footer, index: undefined, filter: undefined, properties: undefined, problems };
  }
  const { filterOffset, filterBytes, indexBytes, propertiesBytes } = footer;
  const indexOffset = filterOffset + filterBytes;
  const frame = (offset: number, length: number, type: FrameType): Uint8Array<ArrayBuffer> =>
    decodeFrame(file.read(offset, length), type, codecs, seed, offset, name);
  const filter = filterBytes === 0
    ? new Uint8Array(0)
    : attempt(problems, name, filterOffset, () => frame(filterOffset, filterBytes, FRAME_FILTER));
  if (filter !== undefined && !isFilter(filter)) problems.push(wrong(name, filterOffset, "it has no filter"));
  const index = attempt(
    problems,
    name,
    indexOffset,
    () => new SegmentIndex(frame(indexOffset, indexBytes, FRAME_INDEX), filterOffset, name),
  );
  const propertiesOffset = indexOffset + indexBytes;
  const properties = attempt(
    problems,
    name,
    propertiesOffset,
    () => decodeProperties(frame(propertiesOffset, propertiesBytes, FRAME_PROPERTIES)),
  );
  return { name, seed, footer, index, filter, properties, problems };
}

/** Returns what may be the seed of the file's checksums, most likely first. */
function seedsOf(
  file: SegmentBytes,
  name: string,
  meta: SegmentMeta | undefined,
  problems: TreeError[],
): number[] {
  const bytes = attempt(problems, name, 0, () => file.read(0, FILE_HEADER_BYTES));
  const header = bytes &&
    attempt(problems, name, 0, () => decodeFileHeader(bytes, "segment", file.id, name));
  if (header !== undefined) {
    const { low, high } = header.salt;
    if (meta === undefined) return [header.seed];
    if (low !== meta.salt.low || high !== meta.salt.high) {
      problems.push(wrong(name, 16, "it is not the file that the manifest lists"));
    }
  }
  if (meta !== undefined) return [encodeFileHeader("segment", file.id, meta.salt).header.seed];
  return bytes === undefined ? [] : attempt([], name, 0, () => headerSeeds(bytes, "segment", file.id)) ?? [];
}

/**
 * Returns what may be the seed of a file's checksums, most likely first; none if it has no header, or a whole one of another file.
 *
 * Where one byte of the header differs, either its checksum is still what it was or what it covers.
 *
 * @param bytes The file, or its beginning.
 * @throws {UnsupportedFormatError} If a newer module wrote it.
 */
export function headerSeeds(bytes: Uint8Array, kind: FileKind, id: number): number[] {
  if (bytes.length < FILE_HEADER_BYTES) return [];
  try {
    return [decodeFileHeader(bytes, kind, id, fileName(kind, id)).seed];
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    const stored = readU32(bytes, FILE_HEADER_BYTES - 4);
    const actual = checksum(bytes, 0, FILE_HEADER_BYTES - 4, 0);
    return stored === actual ? [] : [stored, actual];
  }
}

function footerOf(
  file: SegmentBytes,
  name: string,
  seeds: readonly number[],
  problems: TreeError[],
): { readonly seed: number | undefined; readonly footer: Footer | undefined } {
  const offset = file.size - FOOTER_BYTES;
  if (offset < 0) problems.push(wrong(name, file.size, "it ends before its footer does"));
  const bytes = offset < 0
    ? undefined
    : attempt(problems, name, offset, () => file.read(offset, FOOTER_BYTES));
  if (bytes === undefined) return { seed: seeds[0], footer: undefined };
  const found: TreeError[] = [];
  for (const seed of seeds) {
    const footer = attempt(found, name, offset, () => decodeFooter(bytes, seed, file.size, name));
    if (footer !== undefined) return { seed, footer };
  }
  problems.push(...found.slice(0, 1));
  return { seed: seeds[0], footer: undefined };
}

/**
 * Looks at all of a segment, one block at a step.
 *
 * Cost: reads the file once; for each entry one comparison of keys, one hash, one question to the filter.
 */
export function* inspectSegment(
  file: SegmentBytes,
  expected: SegmentExpectation,
  codecs: Codecs,
): Generator<Inspected, void> {
  const parts = segmentParts(file, expected.meta, codecs);
  const { index, footer } = parts;
  const problems = [...parts.problems, ...wrongProperties(parts, expected)];
  const dataBytes = index === undefined ? 0 : index.offset(index.count) - FILE_HEADER_BYTES;
  yield { bytes: file.size - dataBytes, problems };
  if (index === undefined || footer === undefined) return;
  const data = new DataInspection(file, parts, index, expected, codecs);
  for (let i = 0; i < index.count; i++) {
    yield { bytes: index.offset(i + 1) - index.offset(i), problems: data.block(i) };
  }
  yield { bytes: 0, problems: data.totals() };
}

/** Compares what a segment says of itself with what others say of it. */
function wrongProperties(
  { name, footer, properties }: SegmentParts,
  { meta, version }: SegmentExpectation,
): TreeError[] {
  if (footer === undefined || properties === undefined) return [];
  const offset = footer.filterOffset + footer.filterBytes + footer.indexBytes;
  const reasons: string[] = [];
  const of = ["entries", "tombstones", "seqnoMin", "seqnoMax", "writtenAt", "minKey", "maxKey"] as const;
  for (const field of of) {
    if (meta !== undefined && properties[field] !== meta[field]) {
      reasons.push(`the manifest gives it another ${field}`);
    }
  }
  if (properties.seqnoMin > properties.seqnoMax) reasons.push("its last batch is before its first");
  if (version !== undefined && properties.hashSeed !== version.hashSeed) {
    reasons.push("its keys have another hash seed than the tree's");
  }
  return reasons.map((why) => wrong(name, offset, why));
}

/** The inspection of the data of one segment, block after block. */
class DataInspection {
  readonly #file: SegmentBytes;
  readonly #parts: SegmentParts;
  readonly #index: SegmentIndex;
  readonly #codecs: Codecs;
  /** What the counts and the ends should be. */
  readonly #expected:
    | {
      readonly entries: number;
      readonly tombstones: number;
      readonly minKey: string;
      readonly maxKey: string;
    }
    | undefined;
  readonly #hashSeed: number | undefined;
  #entries = 0;
  #tombstones = 0;
  #rawBytes = 0;
  #unread = 0;
  #lastKey: string | undefined;
  #key: Uint8Array = new Uint8Array(64);

  constructor(
    file: SegmentBytes,
    parts: SegmentParts,
    index: SegmentIndex,
    { meta, version }: SegmentExpectation,
    codecs: Codecs,
  ) {
    this.#file = file;
    this.#parts = parts;
    this.#index = index;
    this.#codecs = codecs;
    this.#expected = meta ?? parts.properties;
    this.#hashSeed = version?.hashSeed ?? parts.properties?.hashSeed;
  }

  /** Looks at data block `i`. */
  block(i: number): TreeError[] {
    const problems: TreeError[] = [];
    const { name } = this.#parts;
    const offset = this.#index.offset(i);
    const block = attempt(problems, name, offset, () => readBlock(this.#file, this.#parts, i, this.#codecs));
    if (block === undefined) {
      this.#unread += 1;
      return problems;
    }
    this.#rawBytes += block.bytes.length;
    this.#entries += block.count;
    const reasons = [block.checkOrder(), this.#wrongPlace(block, i), this.#wrongEntry(block)];
    for (const why of reasons) if (why !== undefined) problems.push(wrong(name, offset, why));
    return problems;
  }

  /** Returns why a block does not belong where it is, or `undefined` if it does. */
  #wrongPlace(block: Block, i: number): string | undefined {
    const first = block.key(0);
    const last = block.key(block.count - 1);
    const before = this.#lastKey;
    this.#lastKey = last;
    if (before !== undefined && first <= before) return "its first key is not behind the block before";
    if (first < this.#index.separator(i)) return "its first key is before its separator";
    if (i + 1 < this.#index.count && last >= this.#index.separator(i + 1)) {
      return "its last key is not before the next separator";
    }
    if (i === 0 && this.#expected !== undefined && first !== this.#expected.minKey) {
      return "its first key is not the segment's smallest";
    }
    if (i === this.#index.count - 1 && this.#expected !== undefined && last !== this.#expected.maxKey) {
      return "its last key is not the segment's greatest";
    }
    return undefined;
  }

  /** Counts the entries of a block, and returns why a read of one by its key would miss it. */
  #wrongEntry(block: Block): string | undefined {
    let why: string | undefined;
    for (let i = 0; i < block.count; i++) {
      if (block.isTombstone(i)) this.#tombstones += 1;
      if (this.#hashSeed === undefined) continue;
      const length = block.prefixBytes + block.keyEnd(i) - block.keyStart(i);
      if (length > this.#key.length) this.#key = new Uint8Array(2 * length);
      block.copyKey(i, this.#key);
      const hash = hashBytes(this.#key, 0, length, this.#hashSeed);
      if (block.tag(i) !== tagOf(hash)) why ??= `entry ${i} has the wrong tag`;
      const { filter } = this.#parts;
      if (filter !== undefined && !mayContain(filter, hash)) why ??= `entry ${i} is not in the filter`;
    }
    return why;
  }

  /** Compares what was counted with what is said of the segment, if all blocks were read. */
  totals(): TreeError[] {
    const { name, properties } = this.#parts;
    if (this.#unread > 0) return [];
    const offset = this.#index.offset(this.#index.count);
    const reasons: string[] = [];
    const expect = (what: string, counted: number, said: number | undefined): void => {
      if (said !== undefined && counted !== said) {
        reasons.push(`it has ${counted} ${what}, where ${said} were written`);
      }
    };
    expect("entries", this.#entries, this.#expected?.entries);
    expect("tombstones", this.#tombstones, this.#expected?.tombstones);
    expect("blocks", this.#index.count, properties?.blocks);
    expect("bytes of blocks", this.#rawBytes, properties?.rawBytes);
    return reasons.map((why) => wrong(name, offset, why));
  }
}

function mayContain(filter: Uint8Array, hash: number): boolean {
  return filter.length === 0 || filterMayContain(filter, hash);
}

/**
 * Returns data block `i` of a segment. Requires: its index was read.
 *
 * @throws {CorruptionError} If it is damaged.
 */
export function readBlock(
  file: SegmentBytes,
  { name, seed, index }: SegmentParts,
  i: number,
  codecs: Codecs,
): Block {
  const offset = index!.offset(i);
  const frame = file.read(offset, index!.offset(i + 1) - offset);
  const block = new Block(decodeFrame(frame, FRAME_DATA, codecs, seed!, offset, name));
  if (block.count === 0) throw wrong(name, offset, "the block is empty");
  return block;
}

/** Returns what is wrong with whole records of a journal: batches that do not decode. What is not whole is for recovery to judge. */
export function inspectJournal(scan: JournalScan): readonly TreeError[] {
  const problems: TreeError[] = [];
  for (const record of scan.batches) {
    attempt(
      problems,
      fileName("journal", scan.id),
      record.start - RECORD_HEADER_BYTES,
      () => void journalBatch(scan, record),
    );
  }
  return problems;
}

/** Returns what is wrong with a manifest that could be read: a history that tells of another tree, batches that cannot be. */
export function inspectManifest({ header, version, history }: ManifestScan): readonly TreeError[] {
  const name = fileName("manifest", header.id);
  const problems: TreeError[] = [];
  attempt(problems, name, FILE_HEADER_BYTES, () => {
    if (history.forgotten > 0) return void historyChanges(history);
    let last: Version | undefined;
    for (const { after } of replayHistory(history)) last = after;
    if (JSON.stringify(last?.runs) !== JSON.stringify(version.runs)) {
      throw wrong(name, FILE_HEADER_BYTES, "its history tells of another tree");
    }
  });
  for (const run of version.runs) {
    for (const { id, seqnoMin, seqnoMax } of run.segments) {
      if (seqnoMin > seqnoMax || seqnoMax > version.flushedSeqno) {
        problems.push(wrong(name, 0, `the batches of segment ${id} are none that were flushed`));
      }
    }
  }
  return problems;
}
