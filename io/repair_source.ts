/**
 * What a repair reads: the files of a damaged tree, and in which order they count.
 *
 * ```text
 * manifest readable   its runs, newest first; segments that it does not list are not used
 * otherwise           all segments, newest first by (last batch, id), as their own properties say
 * in front of both    the journals' batches that are not in segments
 * ```
 *
 * Nothing is written here. A sector that the disk cannot read is lost bytes like any others; every other refusal is thrown.
 *
 * @module
 */

import type {
  LostBytes,
  Memtable,
  RecordRef,
  SalvagedBlock,
  SalvagedJournal,
  SalvagedManifest,
  SegmentBytes,
  SegmentMeta,
  SegmentParts,
  Version,
} from "../core/mod.ts";
import {
  applyBatch,
  CorruptionError,
  CURRENT_NAME,
  decodeBatch,
  decodeCurrent,
  EMPTY_MEMTABLE,
  fileName,
  IoError,
  isDamage,
  newOwner,
  NotFoundError,
  overlap,
  RECORD_HEADER_BYTES,
  salvageBlocks,
  salvageJournal,
  salvageManifest,
  segmentParts,
  versionSegments,
} from "../core/mod.ts";
import { CODECS } from "./codecs.ts";
import type { Storage, StorageEntry } from "./storage.ts";
import { systemCode } from "./system_error.ts";
import { idsOf } from "./verify.ts";
import { readFile, readWhole } from "./whole.ts";

/** Which order of segments counted: the manifest's, none that the manifest knows, since its end is missing, or none at all. */
export type ManifestUse = "used" | "prefix" | "none";

/** The bytes of journals by number, in order. */
type JournalFiles = ReadonlyMap<number, Uint8Array<ArrayBuffer>>;

/** A segment, and what is known of it. */
interface Candidate {
  readonly id: number;
  readonly meta: SegmentMeta | undefined;
  /** Its range and last batch, as far as known. */
  readonly range: { readonly minKey: string; readonly maxKey: string } | undefined;
  readonly seqnoMax: number;
}

/** The files of a damaged tree. */
export class RepairSource {
  readonly #storage: Storage;
  readonly #names: readonly string[];
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #lost: LostBytes[] = [];
  readonly #notes: string[] = [];
  /** Which order of segments counts. */
  readonly manifest: ManifestUse;
  /** The version that the manifest tells of, as far as it can be read. */
  readonly version: Version | undefined;
  /** The runs of segments, newest first; those of one are disjoint and sorted. */
  readonly #runs: readonly (readonly Candidate[])[];
  /** What the journals hold beyond the segments. */
  readonly memtable: Memtable;
  /** Batches out of journals. */
  batches = 0;
  /** Segments that were read. */
  segments = 0;
  /** Bytes of segments that were read. */
  bytes = 0;

  /** Reads everything but the segments. */
  constructor(storage: Storage, entries: readonly StorageEntry[]) {
    this.#storage = storage;
    const plain = entries.filter((entry) => entry.isFile);
    this.#names = plain.map((entry) => entry.name);
    this.#sizes = new Map(plain.map(({ name, size }) => [name, size]));
    const found = this.#findManifest();
    this.version = found?.version;
    const lostBefore = this.#lost.length;
    const files = this.#readJournals();
    const used = found !== undefined && this.#isUsable(found, files) ? found : undefined;
    this.manifest = used !== undefined ? "used" : found !== undefined ? "prefix" : "none";
    if (used === undefined) this.#tellOrderIsLost(found);
    this.#runs = used === undefined ? this.#allRuns() : this.#listedRuns(used.version);
    const journals = this.#journals(used?.version, files);
    this.memtable = this.#replay(journals, this.#flushedSeqno(found), used, lostBefore);
  }

  /** Bytes that could not be read so far. */
  get lost(): readonly LostBytes[] {
    return this.#lost;
  }

  /** What a user should know so far. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  /** Bytes of all segments that will be read. */
  get totalBytes(): number {
    return this.#runs.flat().reduce((sum, { id }) => sum + this.#sizeOf(fileName("segment", id)), 0);
  }

  /** Returns the blocks of each run that can be read, newest run first; nothing is read before they are asked for. */
  blocks(): readonly Iterator<SalvagedBlock>[] {
    return this.memtable.clears ? [] : this.#runs.map((run) => this.#blocksOf(run));
  }

  /** Adds bytes that could not be read. */
  readonly lose = (lost: LostBytes): void => {
    this.#lost.push(Object.freeze(lost));
  };

  #sizeOf(name: string): number {
    return this.#sizes.get(name) ?? 0;
  }

  /** Returns all bytes of a file, `undefined` if they cannot be had. */
  #read(name: string): Uint8Array<ArrayBuffer> | undefined {
    if (!this.#names.includes(name)) return undefined;
    const file = this.#storage.openRead(name);
    try {
      return readable(name, 0, () => readFile(file));
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.lose({ file: name, offset: 0, bytes: this.#sizeOf(name), reason: error.message });
      return undefined;
    } finally {
      file.close();
    }
  }

  /** Returns what the manifest that `CURRENT` names says; if nothing, what the newest says that says anything. */
  #findManifest(): SalvagedManifest | undefined {
    const named = this.#currentId();
    const ids = idsOf("manifest", this.#names).reverse();
    const ordered = named === undefined ? ids : [named, ...ids.filter((id) => id !== named)];
    for (const id of ordered) {
      const name = fileName("manifest", id);
      const bytes = this.#read(name);
      const found = bytes && salvageManifest(bytes, id);
      if (found?.isWhole) return found;
      const reason = bytes === undefined ? "it is missing" : "its edits are not all readable";
      this.lose({ file: name, offset: 0, bytes: bytes?.length ?? 0, reason });
      if (found !== undefined) return found;
    }
    if (ordered.length === 0) {
      this.lose({ file: CURRENT_NAME, offset: 0, bytes: 0, reason: "there is no manifest" });
    }
    return undefined;
  }

  #currentId(): number | undefined {
    const bytes = this.#read(CURRENT_NAME);
    try {
      if (bytes !== undefined) return decodeCurrent(bytes);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
    this.#notes.push(`"${CURRENT_NAME}" does not name a manifest: the newest that is there was taken`);
    return undefined;
  }

  /**
   * Tells whether the order that a manifest gives is that of all segments that count.
   *
   * A manifest that was cut off between two edits looks whole. What was flushed after them is then in segments that it does not
   * list, and in no journal any more.
   */
  #isUsable({ version, isWhole, durable }: SalvagedManifest, files: JournalFiles): boolean {
    const listed = new Set(versionSegments(version).map(({ id }) => id));
    const there = idsOf("segment", this.#names);
    const unlisted = there.filter((id) => !listed.has(id));
    if (!isWhole) return unlisted.length === 0 && there.length === listed.size;
    const isNewer = (id: number): boolean => {
      const { properties } = this.#parts(id, undefined);
      return properties === undefined || properties.seqnoMax > version.flushedSeqno;
    };
    if (!unlisted.some(isNewer)) return true;
    const journals = salvagedJournals(version, files);
    // A gap that damage to a journal explains says nothing of the manifest.
    if (journals.some(({ lost }) => lost.length > 0)) return true;
    const numbers = journals.flatMap(({ batches }) => batches.map(({ number }) => number));
    let last = version.flushedSeqno;
    for (const number of numbers) if (number === last + 1) last = number;
    return last >= numbers.reduce((most, number) => Math.max(most, number), durable);
  }

  #tellOrderIsLost(found: SalvagedManifest | undefined): void {
    if (!this.#lost.some(({ file }) => file === CURRENT_NAME || file.startsWith("manifest"))) {
      this.lose({ file: CURRENT_NAME, offset: 0, bytes: 0, reason: "the manifest that it names is cut off" });
    }
    const known = found === undefined ? "" : ", but for the options of the tree";
    this.#notes.push(
      `what the manifest says was not used${known}: removed keys and older values may have come back`,
    );
  }

  /** Returns the last batch that segments hold, as far as is known. */
  #flushedSeqno(found: SalvagedManifest | undefined): number {
    const flushed = found?.version.flushedSeqno ?? 0;
    if (this.manifest === "used") return flushed;
    return this.#runs.flat().reduce((seqno, { seqnoMax }) => Math.max(seqno, seqnoMax), flushed);
  }

  #listedRuns({ runs }: Version): (readonly Candidate[])[] {
    return runs.map(({ segments }) =>
      segments.map((meta) => ({ id: meta.id, meta, range: meta, seqnoMax: meta.seqnoMax })).filter(
        ({ id, meta }) => {
          const name = fileName("segment", id);
          const isThere = this.#names.includes(name);
          if (!isThere) this.lose({ file: name, offset: 0, bytes: meta.size, reason: "it is missing" });
          return isThere;
        },
      )
    );
  }

  /** Returns all segments as runs, newest first by what they say of themselves. */
  #allRuns(): Candidate[][] {
    let seqnoMax = 0;
    const candidates = idsOf("segment", this.#names).map((id): Candidate => {
      const { properties } = this.#parts(id, undefined);
      // Ids grow with time: one that says nothing of itself is taken to be as new as those made before it.
      seqnoMax = Math.max(seqnoMax, properties?.seqnoMax ?? 0);
      return { id, meta: undefined, range: properties, seqnoMax: properties?.seqnoMax ?? seqnoMax };
    });
    candidates.sort((a, b) => b.seqnoMax - a.seqnoMax || b.id - a.id);
    const runs: Candidate[][] = [];
    for (const one of candidates) {
      const last = runs.at(-1);
      const fits = last?.every(({ range }) => range && one.range && !overlap(range, one.range)) ?? false;
      if (fits) last!.push(one);
      else runs.push([one]);
    }
    const minKey = ({ range }: Candidate): string => range?.minKey ?? "";
    return runs.map((run) => run.sort((a, b) => minKey(a) < minKey(b) ? -1 : 1));
  }

  #bytesOf(id: number): SegmentBytes {
    const name = fileName("segment", id);
    return {
      id,
      size: this.#sizeOf(name),
      // Opened for each block: of thousands of runs no file stays open.
      read: (offset, length) => {
        const file = this.#storage.openRead(name);
        try {
          return readable(name, offset, () => readWhole(file, offset, length));
        } finally {
          file.close();
        }
      },
    };
  }

  #parts(id: number, meta: SegmentMeta | undefined): SegmentParts {
    return segmentParts(this.#bytesOf(id), meta, CODECS);
  }

  *#blocksOf(run: readonly Candidate[]): Generator<SalvagedBlock, void> {
    for (const { id, meta } of run) {
      const file = this.#bytesOf(id);
      const parts = this.#parts(id, meta);
      for (const { message } of parts.problems) this.#notes.push(message);
      this.segments += 1;
      for (const found of salvageBlocks(file, parts, meta?.size ?? file.size, CODECS, this.lose)) {
        this.bytes += found.bytes;
        yield found;
      }
    }
  }

  #readJournals(): JournalFiles {
    const files = new Map<number, Uint8Array<ArrayBuffer>>();
    for (const id of idsOf("journal", this.#names)) {
      const bytes = this.#read(fileName("journal", id));
      if (bytes !== undefined) files.set(id, bytes);
    }
    return files;
  }

  /** Returns the journals that count, or all if nobody knows which, in order; those that are missing are lost. */
  #journals(version: Version | undefined, files: JournalFiles): readonly SalvagedJournal[] {
    for (const { id, validBytes } of version?.fence.journals ?? []) {
      const file = fileName("journal", id);
      if (!this.#names.includes(file)) {
        this.lose({ file, offset: 0, bytes: validBytes, reason: "it is missing" });
      }
    }
    return salvagedJournals(version, files);
  }

  /** Returns the fold of all batches that are not in segments. */
  #replay(
    journals: readonly SalvagedJournal[],
    flushed: number,
    used: SalvagedManifest | undefined,
    lostBefore: number,
  ): Memtable {
    let memtable = EMPTY_MEMTABLE;
    let last = flushed;
    const batches = batchesBehind(journals, flushed);
    for (const one of lostBatches(journals, flushed, batches)) this.lose(one);
    for (const { journal, record } of batches.values()) {
      const offset = record.start - RECORD_HEADER_BYTES;
      const place = {
        seqno: record.number,
        journal: journal.id,
        validBytes: record.end,
        bytes: record.end - offset,
      };
      try {
        const operations = decodeBatch(journal.file, record.start, record.end);
        memtable = applyBatch(memtable, { bytes: journal.file, operations }, place, () => true, newOwner());
        this.batches += 1;
      } catch (error) {
        if (!isDamage(error)) throw error;
        const file = fileName("journal", journal.id);
        this.lose({ file, offset, bytes: place.bytes, reason: error.message });
      }
      if (this.#lost.length === lostBefore) {
        this.#checkGap(last, record.number, fileName("journal", journal.id));
      }
      last = record.number;
    }
    const durable = Math.max(used?.durable ?? 0, used?.version.fence.lastSeqno ?? 0);
    if (this.#lost.length === lostBefore) this.#checkGap(last, durable + 1, CURRENT_NAME);
    if (this.#lost.length > lostBefore) {
      this.#notes.push(
        "batches are missing between or behind others: what is there may be no state that ever was",
      );
    }
    return memtable;
  }

  /** Reports batches of which no file tells. Without the manifest nobody knows which were flushed. */
  #checkGap(last: number, next: number, file: string): void {
    if (next <= last + 1 || this.manifest !== "used") return;
    this.lose({ file, offset: 0, bytes: 0, reason: `batches ${last + 1} to ${next - 1} are in no journal` });
  }
}

/** Returns what journals still say that count for a version, or all of them. */
function salvagedJournals(version: Version | undefined, files: JournalFiles): SalvagedJournal[] {
  const listed = new Map(version?.fence.journals.map(({ id, validBytes }) => [id, validBytes]));
  return [...files]
    .filter(([id]) => version === undefined || listed.has(id) || id >= version.fence.nextId)
    .map(([id, bytes]) => salvageJournal(bytes, id, listed.get(id) ?? bytes.length));
}

/** A batch, and where it stands. */
interface SalvagedBatch {
  readonly journal: SalvagedJournal;
  readonly record: RecordRef;
}

/** Returns the batches behind number `flushed` in order; of those that a recovery had begun to copy, one of both. */
function batchesBehind(
  journals: readonly SalvagedJournal[],
  flushed: number,
): ReadonlyMap<number, SalvagedBatch> {
  const byNumber = new Map<number, SalvagedBatch>();
  for (const journal of journals) {
    for (const record of journal.batches) {
      if (record.number > flushed && !byNumber.has(record.number)) {
        byNumber.set(record.number, { journal, record });
      }
    }
  }
  return new Map([...byNumber].sort(([a], [b]) => a - b));
}

/**
 * Returns what journals have lost that may have held batches which are nowhere else.
 *
 * Numbers tell: between two whole records of a journal stood the batches with the numbers between theirs, and behind its last one
 * stood nothing that counts if another journal goes on with the next number.
 */
function lostBatches(
  journals: readonly SalvagedJournal[],
  flushed: number,
  batches: ReadonlyMap<number, SalvagedBatch>,
): LostBytes[] {
  const lost: LostBytes[] = [];
  let before = flushed;
  for (const journal of journals) {
    for (const one of journal.lost) {
      const inFront = journal.batches.findLast((record) => record.end <= one.offset)?.number ?? before;
      const behind = journal.batches.find((record) => record.start > one.offset)?.number;
      let next = Math.max(inFront, flushed) + 1;
      while (behind !== undefined && next < behind && batches.has(next)) next += 1;
      if (behind === undefined ? !batches.has(next) : next < behind) lost.push(one);
    }
    before = Math.max(before, journal.batches.at(-1)?.number ?? 0);
  }
  return lost;
}

/** Returns what `read` gives; a place that the disk cannot read is damaged, and not refused. */
function readable<T>(file: string, offset: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof IoError) || systemCode(error.cause) !== "EIO") throw error;
    throw new CorruptionError(`Cannot read "${file}" at byte ${offset}: the disk cannot read it`, {
      file,
      offset,
      cause: error,
    });
  }
}

/**
 * Throws unless there is anything of a tree.
 *
 * @throws {NotFoundError} If there is nothing.
 */
export function checkSource(folder: string, entries: readonly StorageEntry[]): void {
  const names = entries.filter((entry) => entry.isFile).map((entry) => entry.name);
  const kinds = ["journal", "manifest", "segment"] as const;
  if (names.includes(CURRENT_NAME) || kinds.some((kind) => idsOf(kind, names).length > 0)) return;
  throw new NotFoundError(`Cannot repair "${folder}": there is no file of a tree`);
}
