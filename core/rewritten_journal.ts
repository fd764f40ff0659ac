/**
 * A rewritten journal: what recovery replayed from journals that no fence lists, written once more into a new file.
 *
 * Why not sync the journals that are there? Whoever wrote them may have gone because a sync failed. The operating system then
 * takes their pages for clean: they are read as they were written, a second sync has nothing to do and succeeds, and the next
 * power cut takes them ("fsyncgate", PostgreSQL 2018; Rebello and others, "Can Applications Recover from fsync Failures?", 2020).
 * An open cannot know whether that happened. New bytes in a new file are dirty, so that their sync means what it says.
 *
 * - Batches keep their numbers and what they know to be durable; only checksums are new, since they know file and place.
 * - Until the decision is committed both copies may be there, whole or in part: replay goes through journals in order of their
 *   ids and skips numbers that it has, so that it makes the same of both as of the first.
 * - A journal that a fence lists is not rewritten: its sync had succeeded before the fence was written.
 *
 * Cost: the bytes of the journals, once, and only after a tree was not closed in order.
 *
 * @module
 */

import type { Salt } from "./file_header.ts";
import { encodeFileHeader, fileSalt } from "./file_header.ts";
import { fileName } from "./file_names.ts";
import type { JournalRef, Memtable } from "./memtable.ts";
import type { RecordRef } from "./record.ts";
import { RECORD_HEADER_BYTES, sealRecord } from "./record.ts";
import type { JournalSpan, RecoveryPlan } from "./recovery.ts";
import { liveJournals } from "./recovery.ts";

/** A journal to be written, and the plan that counts on it. */
export interface RewrittenJournal {
  /** Its number. */
  readonly id: number;
  /** The plan, with this journal in place of those that it holds the batches of. */
  readonly plan: RecoveryPlan;
  /** Its header. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** Its records, in pieces; each piece is good until the next is asked for. */
  readonly pieces: () => Generator<Uint8Array<ArrayBuffer>, void>;
}

/** Records are copied into pieces of about this size. */
const PIECE_BYTES = 256 * 1024;

/**
 * Returns the journal that takes the place of those that no fence lists, or `undefined` if nothing was replayed from any.
 *
 * @param salt Random bits of this open of the tree.
 */
export function rewriteJournals(plan: RecoveryPlan, salt: Salt): RewrittenJournal | undefined {
  const { unfenced } = plan;
  if (unfenced.length === 0) return undefined;
  const id = plan.nextId;
  const { header, bytes } = encodeFileHeader("journal", id, fileSalt(salt, id));
  const replaced = new Set(unfenced.map(({ journal }) => journal.id));
  const ends = endsOf(unfenced, bytes.length, new Set(plan.sealed.map((memtable) => memtable.lastSeqno)));
  const sealed = plan.sealed.map((memtable) => withJournal(memtable, id, replaced, ends));
  const orphans = [...replaced].filter((one) => !plan.lost.includes(one)).map((one) =>
    fileName("journal", one)
  );
  return {
    id,
    plan: {
      ...plan,
      sealed,
      journals: liveJournals(sealed),
      nextId: id + 1,
      orphans: [...new Set([...plan.orphans, ...orphans])],
    },
    header: bytes,
    pieces: () => piecesOf(unfenced, header.seed, bytes.length),
  };
}

/** Returns where some batches, by their numbers, end in the new journal. */
function endsOf(
  spans: readonly JournalSpan[],
  headerBytes: number,
  wanted: ReadonlySet<number>,
): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  let end = headerBytes;
  for (const { journal, from, to } of spans) {
    for (let i = from; i < to; i++) {
      const record = journal.batches[i]!;
      end += lengthOf(record);
      if (wanted.has(record.number)) ends.set(record.number, end);
    }
  }
  return ends;
}

function lengthOf({ start, end }: RecordRef): number {
  return RECORD_HEADER_BYTES + end - start;
}

/** Returns a memtable that is the fold of a new journal where it was that of others. */
function withJournal(
  memtable: Memtable,
  id: number,
  replaced: ReadonlySet<number>,
  ends: ReadonlyMap<number, number>,
): Memtable {
  const last = memtable.journals.at(-1)!;
  if (!replaced.has(last.id)) return memtable; // journals that a fence lists are older than all others
  const kept = memtable.journals.filter((journal) => !replaced.has(journal.id));
  const rewritten: JournalRef = { id, validBytes: ends.get(last.lastSeqno)!, lastSeqno: last.lastSeqno };
  return { ...memtable, journals: [...kept, rewritten] };
}

function* piecesOf(
  spans: readonly JournalSpan[],
  seed: number,
  headerBytes: number,
): Generator<Uint8Array<ArrayBuffer>, void> {
  let piece = new Uint8Array(PIECE_BYTES);
  let used = 0;
  let offset = headerBytes;
  for (const { journal, from, to } of spans) {
    for (let i = from; i < to; i++) {
      const record = journal.batches[i]!;
      const length = lengthOf(record);
      if (used > 0 && used + length > PIECE_BYTES) {
        yield piece.subarray(0, used);
        used = 0;
      }
      if (length > piece.length) piece = new Uint8Array(length);
      piece.set(journal.file.subarray(record.start - RECORD_HEADER_BYTES, record.end), used);
      sealRecord(piece, used, used + length, record.kind, seed, offset, record.number, record.durable);
      used += length;
      offset += length;
    }
  }
  yield piece.subarray(0, used);
}
