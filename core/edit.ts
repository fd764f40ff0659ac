/**
 * An edit: one change of the version, as a value that the manifest keeps.
 *
 * ```text
 * edit    := cause u8 | reason text | time u64 | nextId u64 | flushedSeqno u64
 *            | removed u32, id u64 * removed
 *            | added u32, place * added
 *            | parts u8 | config?  (parts & 1) | hashSeed u32?  (parts & 1) | fence?  (parts & 2)
 * place   := level u8 | index u32 | join u8 | segments u32, meta * segments
 * meta    := id | size | entries | tombstones | seqnoMin | seqnoMax | writtenAt (u64 each)
 *            | salt (8) | minKey | maxKey
 * fence   := nextId u64 | lastSeqno u64 | journals u32, (id u64 | validBytes u64 | lastSeqno u64) * journals
 * text, key := bytes u16 | bytes
 * ```
 *
 * The manifest is a list of edits; the first, a snapshot, adds everything to the empty version. `applyEdit` is
 * the only function that changes a version, live and in recovery: what was recovered equals what was live.
 *
 * Why one kind of edit with parts and not one per cause: what an edit does is always "take segments away, put
 * segments in place, move the marks"; the cause only says why (LevelDB's VersionEdit is the model).
 *
 * @module
 */

import type { StoredConfig } from "./config.ts";
import { readConfig, readLabel, writeConfig, writeLabel } from "./config.ts";
import { CorruptionError } from "./errors.ts";
import { ByteReader, ByteWriter, NUMBER_MAX } from "./little_endian.ts";
import type { JournalRef } from "./memtable.ts";
import type { JournalFence, Place, Run, SegmentId, SegmentMeta, Version } from "./version.ts";
import { checkRuns, EMPTY_VERSION, withoutSegments, withSegments } from "./version.ts";

/** Why the version changed. */
export type EditCause =
  | "created"
  | "snapshot"
  | "recovered"
  | "configured"
  | "flush"
  | "merge"
  | "move"
  | "drop"
  | "closed";

/** What stands on disk for a cause is its index here. */
const CAUSES: readonly EditCause[] = [
  "created",
  "snapshot",
  "recovered",
  "configured",
  "flush",
  "merge",
  "move",
  "drop",
  "closed",
];

/** Segments put at a place. */
export interface Placement extends Place {
  /** The segments. */
  readonly segments: readonly SegmentMeta[];
}

/** One change of the version. */
export interface Edit {
  /** Why. */
  readonly cause: EditCause;
  /** What led to it, in words. */
  readonly reason: string;
  /** When, in ms since the epoch. */
  readonly time: number;
  /** Ids of files from here on were never used. */
  readonly nextId: number;
  /** The last batch that the segments hold after it. */
  readonly flushedSeqno: number;
  /** Segments that go. */
  readonly removed: readonly SegmentId[];
  /** Segments that come, each place among the runs that are left after what stands before it in this list. */
  readonly added: readonly Placement[];
  /** New stored options with the hash seed, or `undefined` to keep both. */
  readonly config: { readonly stored: StoredConfig; readonly hashSeed: number } | undefined;
  /** A new decision about journals, or `undefined` to keep the last one. */
  readonly fence: JournalFence | undefined;
}

/**
 * Returns the version after an edit.
 *
 * @throws {CorruptionError} If the edit does not fit the version.
 */
export function applyEdit(version: Version, edit: Edit): Version {
  const removed = new Set(edit.removed);
  let runs = withoutSegments(version.runs, removed);
  const count = (of: readonly Run[]): number => of.reduce((sum, run) => sum + run.segments.length, 0);
  if (removed.size !== edit.removed.length || count(version.runs) - count(runs) !== removed.size) {
    throw unfit("it removes a segment that is not there");
  }
  for (const placement of edit.added) {
    const known = placement.join ? placement.index < runs.length : placement.index <= runs.length;
    if (!known) throw unfit("it adds segments at a place that is not there");
    if (placement.join && runs[placement.index]!.level !== placement.level) {
      throw unfit("it joins a run of another level");
    }
    if (placement.segments.length === 0) throw unfit("it adds a run without segments");
    runs = withSegments(runs, placement, placement.segments);
  }
  const wrong = checkRuns(runs);
  if (wrong !== undefined) throw unfit(wrong);
  if (edit.nextId < version.nextId || edit.flushedSeqno < version.flushedSeqno) {
    throw unfit("a mark goes back");
  }
  if (Math.max(edit.nextId, edit.flushedSeqno, version.editNumber + 1) > NUMBER_MAX) {
    throw unfit("it leaves no numbers to go on with");
  }
  return {
    runs,
    editNumber: version.editNumber + 1,
    flushedSeqno: edit.flushedSeqno,
    nextId: edit.nextId,
    fence: withoutFlushed(edit.fence ?? version.fence, edit.flushedSeqno),
    config: edit.config?.stored ?? version.config,
    hashSeed: edit.config?.hashSeed ?? version.hashSeed,
  };
}

function unfit(why: string): CorruptionError {
  return new CorruptionError(`Cannot apply an edit of the manifest: ${why}`);
}

/** A journal whose batches are all in segments does not count any more: its file may be gone. */
function withoutFlushed(fence: JournalFence, flushedSeqno: number): JournalFence {
  if (!fence.journals.some((journal) => journal.lastSeqno <= flushedSeqno)) return fence;
  return { ...fence, journals: fence.journals.filter((journal) => journal.lastSeqno > flushedSeqno) };
}

/** Returns the edit that makes the empty version into `version`, which is numbered anew. */
export function snapshotEdit(version: Version, cause: EditCause, time: number): Edit {
  return {
    cause,
    reason: "",
    time,
    nextId: version.nextId,
    flushedSeqno: version.flushedSeqno,
    removed: [],
    added: version.runs.map((run, index) => ({
      level: run.level,
      index,
      join: false,
      segments: run.segments,
    })),
    config: { stored: version.config, hashSeed: version.hashSeed },
    fence: version.fence,
  };
}

/** Returns the fold of edits over the empty version. */
export function foldEdits(edits: Iterable<Edit>): Version {
  let version = EMPTY_VERSION;
  for (const edit of edits) version = applyEdit(version, edit);
  return version;
}

/** Returns the bytes of an edit. */
export function encodeEdit(edit: Edit): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.u8(CAUSES.indexOf(edit.cause));
  writeLabel(writer, edit.reason);
  writer.u64(edit.time).u64(edit.nextId).u64(edit.flushedSeqno);
  writer.u32(edit.removed.length);
  for (const id of edit.removed) writer.u64(id);
  writer.u32(edit.added.length);
  for (const placement of edit.added) writePlacement(writer, placement);
  writer.u8((edit.config === undefined ? 0 : 1) | (edit.fence === undefined ? 0 : 2));
  if (edit.config !== undefined) {
    writeConfig(writer, edit.config.stored);
    writer.u32(edit.config.hashSeed);
  }
  if (edit.fence !== undefined) writeFence(writer, edit.fence);
  return writer.finish();
}

/**
 * Returns the edit in `bytes[start, end)`.
 *
 * @throws {CorruptionError} If it is none.
 */
export function decodeEdit(bytes: Uint8Array, start: number, end: number): Edit {
  const reader = new ByteReader(bytes, start, end, "an edit of the manifest");
  const cause = CAUSES[reader.u8()];
  if (cause === undefined) throw reader.corrupt("its cause is unknown");
  const reason = readLabel(reader);
  const time = reader.u64();
  const nextId = reader.u64();
  const flushedSeqno = reader.u64();
  const removed: SegmentId[] = [];
  for (let left = reader.count(8); left > 0; left--) removed.push(reader.u64());
  const added: Placement[] = [];
  for (let left = reader.count(10); left > 0; left--) added.push(readPlacement(reader));
  const parts = reader.u8();
  if (parts > 3) throw reader.corrupt("it has unknown parts");
  const config = (parts & 1) === 0 ? undefined : { stored: readConfig(reader), hashSeed: reader.u32() };
  const fence = (parts & 2) === 0 ? undefined : readFence(reader);
  reader.done();
  return { cause, reason, time, nextId, flushedSeqno, removed, added, config, fence };
}

function writePlacement(writer: ByteWriter, placement: Placement): void {
  writer.u8(placement.level).u32(placement.index).u8(placement.join ? 1 : 0).u32(placement.segments.length);
  for (const meta of placement.segments) {
    writer.u64(meta.id).u64(meta.size).u64(meta.entries).u64(meta.tombstones);
    writer.u64(meta.seqnoMin).u64(meta.seqnoMax).u64(meta.writtenAt);
    writer.u32(meta.salt.low).u32(meta.salt.high).key(meta.minKey).key(meta.maxKey);
  }
}

/** The least bytes of a segment in a placement: seven numbers, a salt, two empty keys. */
const META_BYTES_MIN = 68;

function readPlacement(reader: ByteReader): Placement {
  const level = reader.u8();
  const index = reader.u32();
  const join = reader.u8();
  if (join > 1) throw reader.corrupt("a flag is neither 0 nor 1");
  const segments: SegmentMeta[] = [];
  for (let left = reader.count(META_BYTES_MIN); left > 0; left--) {
    segments.push({
      id: reader.u64(),
      size: reader.u64(),
      entries: reader.u64(),
      tombstones: reader.u64(),
      seqnoMin: reader.u64(),
      seqnoMax: reader.u64(),
      writtenAt: reader.u64(),
      salt: { low: reader.u32(), high: reader.u32() },
      minKey: reader.key(),
      maxKey: reader.key(),
    });
  }
  return { level, index, join: join === 1, segments };
}

function writeFence(writer: ByteWriter, fence: JournalFence): void {
  writer.u64(fence.nextId).u64(fence.lastSeqno).u32(fence.journals.length);
  for (const journal of fence.journals) writer.u64(journal.id).u64(journal.validBytes).u64(journal.lastSeqno);
}

function readFence(reader: ByteReader): JournalFence {
  const nextId = reader.u64();
  const lastSeqno = reader.u64();
  const journals: JournalRef[] = [];
  for (let left = reader.count(24); left > 0; left--) {
    journals.push({ id: reader.u64(), validBytes: reader.u64(), lastSeqno: reader.u64() });
  }
  return { journals, nextId, lastSeqno };
}
