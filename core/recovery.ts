/**
 * Recovery: from what is in the folder to the state that was live, and what must be done before it may change.
 *
 * 1. The manifest gives the version (`manifest.ts`).
 * 2. Journals that count: those that the version's fence lists, each up to its valid bytes, and those with an id from the
 *    fence's `nextId` on. All others are dead, whatever they hold: a file whose removal a crash undid is never
 *    replayed onto newer state.
 * 3. Replay begins with the batch after `flushedSeqno` and accepts only the next number, in order of ids.
 * 4. Let D be the highest batch that the manifest, the fence or any readable record of a journal that counts knows to be
 *    durable. If replay ends below D, what is missing had been made durable: that is damage
 *    ({@linkcode JournalRecoveryError}). If it ends at D or above, a crash explains what is left over: it is dropped
 *    and reported.
 * 5. Consecutive journals are folded into memtables of up to the wanted size, with the function that live writes use.
 *
 * All of this is a plan: nothing was changed when it is made. Batches out of journals that no fence lists are written once more
 * (`rewritten_journal.ts`), since nobody knows what became of the syncs of whoever wrote them. What was decided is committed as one edit
 * ({@linkcode recoveredEdit}) before the tree takes a write or removes a file, so that a second crash finds the same
 * decision: otherwise what was dropped could come back, or what came after could be dropped.
 *
 * @module
 */

import type { StoredConfig } from "./config.ts";
import { configChanges } from "./config.ts";
import type { Edit } from "./edit.ts";
import { CorruptionError, JournalRecoveryError, UnsupportedFormatError } from "./errors.ts";
import { fileName, lostJournalName, parseFileName } from "./file_names.ts";
import type { Chronicle } from "./history.ts";
import type { JournalScan } from "./journal.ts";
import { journalBatch } from "./journal.ts";
import type { ManifestScan } from "./manifest.ts";
import type { JournalRef, Memtable } from "./memtable.ts";
import { applyBatch, EMPTY_MEMTABLE } from "./memtable.ts";
import type { RecordRef } from "./record.ts";
import { RECORD_HEADER_BYTES } from "./record.ts";
import { newOwner } from "./sorted_map.ts";
import { isCovered } from "./state.ts";
import type { Version } from "./version.ts";
import { versionSegments } from "./version.ts";

/** What to do where replay stops. */
export type RecoveryMode = "tolerate-tail" | "strict" | "point-in-time";

/** What was left over where replay stopped. */
export interface Dropped {
  /** The bytes of journals that were given up. */
  readonly bytes: number;
  /** Where it stopped, and why. */
  readonly reason: string;
}

/** What recovery found and decided: which segments make up the tree, how they came about, and what else there is. */
export interface RecoveryPlan extends Chronicle {
  /** The memtables of the journals, newest first. */
  readonly sealed: readonly Memtable[];
  /** The journals that count from now on, oldest first. */
  readonly journals: readonly JournalRef[];
  /** What was replayed from journals that no fence lists, so that nothing is known of their syncs; oldest first. */
  readonly unfenced: readonly JournalSpan[];
  /** The last batch. */
  readonly lastSeqno: number;
  /** Ids of files from here on were never used. */
  readonly nextId: number;
  /** How many batches were replayed. */
  readonly batches: number;
  /** What was left over, or `undefined` if nothing was. */
  readonly dropped: Dropped | undefined;
  /** Journals that point-in-time recovery gives up and renames. */
  readonly lost: readonly number[];
  /** Names of files that are of no use any more. */
  readonly orphans: readonly string[];
  /** Whether the tree was closed in order and not written since. */
  readonly cleanClose: boolean;
  /**
   * Whether the fence must be committed: it is another one, or nothing says that the last edit, or the `CURRENT` that led to it, is
   * durable. The latter shows in a manifest beside the one that counts, which goes only when the folder was synced.
   */
  readonly isNew: boolean;
  /** What a user should know. */
  readonly notes: readonly string[];
}

/** Batches of a journal that stand one behind the other. */
export interface JournalSpan {
  /** The journal. */
  readonly journal: JournalScan;
  /** The index of the first batch. */
  readonly from: number;
  /** The index behind the last one. */
  readonly to: number;
}

/** What recovery looks at. */
export interface RecoveryInput {
  /** The manifest. */
  readonly manifest: ManifestScan;
  /** All journals that count (see {@linkcode countingJournals}), oldest first. */
  readonly journals: readonly JournalScan[];
  /** The names of all plain files in the folder. */
  readonly names: readonly string[];
  /** What to do where replay stops. */
  readonly mode: RecoveryMode;
  /** Bytes of journal that one memtable is made of. */
  readonly maxMemtableSize: number;
}

/**
 * Returns the ids of the journals that count, oldest first.
 *
 * @throws {CorruptionError} If one that the manifest lists is not there, nor set aside.
 */
export function countingJournals(version: Version, names: readonly string[]): readonly number[] {
  const { fence } = version;
  const there = new Set(idsOf("journal", names));
  const listed: number[] = [];
  for (const { id } of fence.journals) {
    if (there.has(id)) listed.push(id);
    // Set aside by a point-in-time recovery that did not come to write its decision down: what it held is missed in any case.
    else if (!names.includes(lostJournalName(id))) throw missing(fileName("journal", id));
  }
  const newer = [...there].filter((id) => id >= fence.nextId).sort((a, b) => a - b);
  return [...listed, ...newer];
}

function idsOf(kind: "journal" | "segment" | "manifest", names: readonly string[]): number[] {
  return names.map(parseFileName).filter((file) => file?.kind === kind).map((file) => file!.id);
}

function missing(file: string): CorruptionError {
  return new CorruptionError(`Cannot open the tree: "${file}", which the manifest lists, is missing`, {
    file,
  });
}

/**
 * Returns the plan that brings back the state that was live.
 *
 * @throws {CorruptionError} If a segment that the manifest lists is not there.
 * @throws {JournalRecoveryError} If a durable batch cannot be replayed, or, in mode `"strict"`, anything is left over.
 */
export function planRecovery(input: RecoveryInput): RecoveryPlan {
  const { manifest, journals, names, mode } = input;
  const { version, history } = manifest;
  const { fence } = version;
  const segments = new Set(idsOf("segment", names));
  for (const { id } of versionSegments(version)) {
    if (!segments.has(id)) throw missing(fileName("segment", id));
  }
  const replay = replayJournals(version, journals, input.maxMemtableSize);
  const durable = Math.max(
    manifest.durable,
    fence.lastSeqno,
    ...journals.filter((journal) => journal.id >= fence.nextId).map((journal) => journal.durable),
  );
  const unreadable = replay.lastSeqno < durable;
  if (unreadable ? mode !== "point-in-time" : mode === "strict" && replay.dropped !== undefined) {
    throw damagedJournal(replay, durable);
  }
  const dropped = replay.dropped ?? (unreadable ? droppedWhole(replay, durable) : undefined);
  const lost = mode === "point-in-time" && replay.dropped !== undefined ? replay.lost : [];
  const orphans = orphansOf(version, manifest.header.id, replay.journals, lost, names);
  const listed = fence.journals.filter((journal) => journal.lastSeqno > version.flushedSeqno);
  const same = listed.length === replay.journals.length &&
    listed.every((journal, i) =>
      journal.id === replay.journals[i]!.id && journal.validBytes === replay.journals[i]!.validBytes
    );
  return {
    version,
    history,
    sealed: replay.sealed,
    journals: replay.journals,
    unfenced: replay.spans.filter(({ journal }) => journal.id >= fence.nextId),
    lastSeqno: Math.max(replay.lastSeqno, version.flushedSeqno),
    nextId: nextIdOf(version, names),
    batches: replay.batches,
    dropped,
    lost,
    orphans,
    cleanClose: manifest.closed && same && dropped === undefined,
    isNew: unreadable || !same || !manifest.marked ||
      journals.some((journal) => journal.id >= fence.nextId) ||
      idsOf("manifest", orphans).length > 0,
    notes: notesOf(manifest, journals, replay),
  };
}

interface Replay {
  readonly sealed: readonly Memtable[];
  readonly journals: readonly JournalRef[];
  /** Which batches of which journals were replayed, in order. */
  readonly spans: readonly JournalSpan[];
  readonly lastSeqno: number;
  readonly batches: number;
  readonly dropped: Dropped | undefined;
  readonly lost: readonly number[];
  readonly at: { readonly file: string; readonly offset: number } | undefined;
}

/** A place where replay could not go on. */
interface Stop {
  readonly journal: JournalScan;
  readonly offset: number;
  readonly reason: string;
}

function replayJournals(
  version: Version,
  journals: readonly JournalScan[],
  memtableBytesMax: number,
): Replay {
  const sealed: Memtable[] = [];
  let memtable = EMPTY_MEMTABLE;
  let next = version.flushedSeqno + 1;
  let batches = 0;
  let stop: Stop | undefined;
  const spans: JournalSpan[] = [];
  const seal = (): void => {
    if (memtable.lastSeqno > 0) sealed.unshift(memtable);
    memtable = EMPTY_MEMTABLE;
  };
  for (const journal of journals) {
    const listed = version.fence.journals.find((one) => one.id === journal.id);
    const validBytes = listed?.validBytes ?? journal.file.length;
    let from = -1;
    let to = -1;
    for (const [i, record] of journal.batches.entries()) {
      if (record.end > validBytes || record.number < next) continue;
      if (record.number > next) {
        stop ??= { journal, offset: record.start - RECORD_HEADER_BYTES, reason: `batch ${next} is missing` };
        break;
      }
      if (memtable.bytes >= memtableBytesMax) seal();
      memtable = replayBatch(memtable, sealed, version, journal, record);
      if (from < 0) from = i;
      to = i + 1;
      next += 1;
      batches += 1;
      stop = undefined;
    }
    if (from >= 0) spans.push({ journal, from, to });
    stop ??= endOf(journal, listed);
  }
  seal();
  const used = new Set(spans.map(({ journal }) => journal.id));
  return {
    sealed,
    journals: liveJournals(sealed),
    spans,
    lastSeqno: next - 1,
    batches,
    dropped: stop === undefined ? undefined : droppedAt(stop, journals),
    lost: stop === undefined
      ? []
      : journals.filter((one) => !used.has(one.id) || one === stop.journal).map((one) => one.id),
    at: stop === undefined ? undefined : { file: fileName("journal", stop.journal.id), offset: stop.offset },
  };
}

/** Returns where a journal ends too early, or `undefined` if it does not: of a listed one only the listed bytes count. */
function endOf(journal: JournalScan, listed: JournalRef | undefined): Stop | undefined {
  const { tail, file } = journal;
  if (tail !== undefined && (listed === undefined || tail.offset < listed.validBytes)) {
    return { journal, offset: tail.offset, reason: tail.reason };
  }
  if (listed === undefined || listed.validBytes <= file.length) return undefined;
  return { journal, offset: file.length, reason: "it is cut off" };
}

function replayBatch(
  memtable: Memtable,
  sealed: readonly Memtable[],
  version: Version,
  journal: JournalScan,
  record: RecordRef,
): Memtable {
  const place = {
    seqno: record.number,
    journal: journal.id,
    validBytes: record.end,
    bytes: record.end - record.start + RECORD_HEADER_BYTES,
  };
  const covered = (key: string): boolean => isCovered({ sealed, version }, key);
  try {
    const batch = { bytes: journal.file, operations: journalBatch(journal, record) };
    return applyBatch(memtable, batch, place, covered, newOwner());
  } catch (error) {
    if (error instanceof UnsupportedFormatError) throw error;
    const file = fileName("journal", journal.id);
    throw new JournalRecoveryError(`Cannot replay "${file}": a batch does not decode`, {
      file,
      offset: record.start,
      cause: error,
    });
  }
}

/** Returns the journals that memtables, newest first, are the folds of, oldest first. */
export function liveJournals(sealed: readonly Memtable[]): readonly JournalRef[] {
  return uniteRefs([...sealed].reverse().flatMap((memtable) => memtable.journals));
}

/** One journal may have filled several memtables; the last one knows how far it is valid. */
function uniteRefs(refs: readonly JournalRef[]): readonly JournalRef[] {
  const byId = new Map<number, JournalRef>();
  for (const ref of refs) byId.set(ref.id, ref);
  return [...byId.values()];
}

function droppedAt(stop: Stop, journals: readonly JournalScan[]): Dropped {
  let bytes = stop.journal.file.length - stop.offset;
  for (const journal of journals) if (journal.id > stop.journal.id) bytes += journal.file.length;
  return {
    bytes,
    reason: `"${fileName("journal", stop.journal.id)}" at byte ${stop.offset}: ${stop.reason}`,
  };
}

/** Says what is missing where no journal that is there tells of it. */
function droppedWhole(replay: Replay, durable: number): Dropped {
  return { bytes: 0, reason: `batches ${replay.lastSeqno + 1} to ${durable} are in no journal` };
}

function damagedJournal(replay: Replay, durable: number): JournalRecoveryError {
  const where = replay.dropped?.reason ?? "journals are missing";
  const why = replay.lastSeqno < durable
    ? `batch ${replay.lastSeqno + 1} cannot be read, though all up to ${durable} were made durable`
    : "what a crash left unfinished is not accepted in this recovery mode";
  return new JournalRecoveryError(
    `Cannot recover the journal: ${why} (${where}); restore a backup, or open with recoveryMode "point-in-time" to give up what follows`,
    { file: replay.at?.file, offset: replay.at?.offset },
  );
}

/** A name further ahead is not one that the tree gave since its last edit: counting on from it would use the numbers up. */
const IDS_AHEAD_MAX = 2 ** 40;

/** Returns an id that no name in the folder has, and none behind it that the tree can come to. */
function nextIdOf(version: Version, names: readonly string[]): number {
  let next = version.nextId;
  for (const name of names) {
    const id = parseFileName(name.replace(/^lost-/, ""))?.id;
    if (id !== undefined && id < version.nextId + IDS_AHEAD_MAX) next = Math.max(next, id + 1);
  }
  return next;
}

function orphansOf(
  version: Version,
  manifest: number,
  journals: readonly JournalRef[],
  lost: readonly number[],
  names: readonly string[],
): readonly string[] {
  const live = {
    segment: new Set(versionSegments(version).map((segment) => segment.id)),
    journal: new Set([...journals.map((journal) => journal.id), ...lost]),
    manifest: new Set([manifest]),
  };
  return names.filter((name) => {
    const file = parseFileName(name);
    return name === "CURRENT.tmp" || (file !== undefined && !live[file.kind].has(file.id));
  });
}

function notesOf(
  manifest: ManifestScan,
  journals: readonly JournalScan[],
  replay: Replay,
): readonly string[] {
  const notes: string[] = [];
  if (manifest.tail !== undefined) {
    const { offset, bytes, reason } = manifest.tail;
    notes.push(`dropped the last ${bytes} bytes of the manifest, at byte ${offset}: ${reason}`);
  }
  for (const journal of journals) {
    if (journal.tail === undefined || replay.at?.file === fileName("journal", journal.id)) continue;
    const { offset, bytes, reason } = journal.tail;
    notes.push(`ignored ${bytes} bytes of "${fileName("journal", journal.id)}" at byte ${offset}: ${reason}`);
  }
  return notes;
}

/** Returns the edit that makes what a plan decided survive, and what the stored options have become. */
export function recoveredEdit(
  plan: RecoveryPlan,
  time: number,
  config: StoredConfig = plan.version.config,
): Edit {
  const { version } = plan;
  const changes = configChanges(version.config, config);
  const cause = plan.isNew || changes.length === 0 ? "recovered" : "configured";
  const edit = fenceEdit(cause, version, plan.journals, plan.lastSeqno, plan.nextId, time);
  const dropped = plan.dropped === undefined
    ? []
    : [`${plan.dropped.bytes} bytes dropped: ${plan.dropped.reason}`];
  const found = cause === "recovered" ? [edit.reason, ...dropped] : [];
  const stored = changes.length === 0 ? undefined : { stored: config, hashSeed: version.hashSeed };
  return { ...edit, reason: [...found, ...plan.notes, ...changes].join("; "), config: stored };
}

/** Returns an edit that changes nothing but what counts of the journals. */
export function fenceEdit(
  cause: "recovered" | "configured" | "closed",
  version: Version,
  journals: readonly JournalRef[],
  lastSeqno: number,
  nextId: number,
  time: number,
): Edit {
  const { flushedSeqno } = version;
  const refs = uniteRefs(journals);
  const reason = refs.length === 0
    ? "all batches are in segments"
    : `batches ${flushedSeqno + 1} to ${lastSeqno} are in journals ${refs.map(({ id }) => id).join(", ")}`;
  return {
    cause,
    reason,
    time,
    nextId,
    flushedSeqno,
    removed: [],
    added: [],
    config: undefined,
    fence: { journals: refs, nextId, lastSeqno },
  };
}
