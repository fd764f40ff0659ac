/**
 * The memtable: what was written since the last flush, sorted.
 *
 * A fold of batches, as they stand in the journal: the same function builds it live and in recovery. A persistent
 * sorted map from byte strings to values, so an older memtable stays what it was at the cost of one copied path
 * per write.
 *
 * Invariants:
 * - A value is a position in the arena, where the journal's bytes are; {@linkcode TOMBSTONE_POSITION} is a tombstone.
 * - A tombstone is kept only where something older may have the key. Without that nothing is left of a remove, which
 *   keeps a queue's memtable as small as its queue.
 * - `clears` says that everything older is hidden: a memtable that clears needs no tombstones.
 * - `bytes` is what was appended to its journals, not what is alive: a hot key overwritten for ever seals too.
 *
 * @module
 */

import { Arena } from "./arena.ts";
import type { Batch } from "./batch.ts";
import { CLEAR, PUT } from "./entry_kind.ts";
import type { Owner, SortedMap } from "./sorted_map.ts";
import { emptySortedMap, mapDelete, mapFirst, mapLast, mapPut } from "./sorted_map.ts";

/** What stands for the position of a tombstone. */
export const TOMBSTONE_POSITION: number = -1;

/** A journal that a memtable is the fold of. */
export interface JournalRef {
  /** The journal's number. */
  readonly id: number;
  /** How many of its bytes hold whole records. */
  readonly validBytes: number;
  /** The number of its last batch. */
  readonly lastSeqno: number;
}

/** What was written since the last flush, sorted. */
export interface Memtable {
  /** The position of each key's newest value. */
  readonly map: SortedMap<number>;
  /** What positions point into. */
  readonly arena: Arena;
  /** The journals it is the fold of, oldest first. */
  readonly journals: readonly JournalRef[];
  /** The number of its first batch; 0 while it has none. */
  readonly firstSeqno: number;
  /** The number of its last batch; 0 while it has none. */
  readonly lastSeqno: number;
  /** Bytes appended to its journals. */
  readonly bytes: number;
  /** Whether everything older is hidden. */
  readonly clears: boolean;
}

/** The memtable of a tree that nothing was written to. */
export const EMPTY_MEMTABLE: Memtable = {
  map: emptySortedMap(),
  arena: new Arena(),
  journals: [],
  firstSeqno: 0,
  lastSeqno: 0,
  bytes: 0,
  clears: false,
};

/** Where a batch stands: its number, and the journal with the length it has after it. */
export interface BatchPlace {
  /** The number of the batch. */
  readonly seqno: number;
  /** The journal that holds it. */
  readonly journal: number;
  /** The journal's length after it. */
  readonly validBytes: number;
  /** The bytes of its record. */
  readonly bytes: number;
}

/**
 * Returns the memtable after one more batch.
 *
 * Cost: O(log n) an operation; nodes made for this batch are edited in place for the rest of it.
 *
 * @param covered Tells whether something older than the memtable may have a key.
 * @param owner Given, nodes that carry it are edited in place: see `sorted_map.ts`.
 */
export function applyBatch(
  memtable: Memtable,
  batch: Pick<Batch, "bytes" | "operations">,
  place: BatchPlace,
  covered: (key: string) => boolean,
  owner?: Owner,
): Memtable {
  let { map, clears } = memtable;
  const arena = memtable.firstSeqno === 0 ? new Arena() : memtable.arena;
  const base = arena.baseOf(batch.bytes);
  for (const { kind, key, at } of batch.operations) {
    if (kind === PUT) {
      map = mapPut(map, key, base + at, owner);
    } else if (kind === CLEAR) {
      map = emptySortedMap();
      clears = true;
    } else {
      map = !clears && covered(key)
        ? mapPut(map, key, TOMBSTONE_POSITION, owner)
        : mapDelete(map, key, owner);
    }
  }
  return {
    map,
    arena,
    journals: withJournal(memtable.journals, place),
    firstSeqno: memtable.firstSeqno === 0 ? place.seqno : memtable.firstSeqno,
    lastSeqno: place.seqno,
    bytes: memtable.bytes + place.bytes,
    clears,
  };
}

function withJournal(journals: readonly JournalRef[], place: BatchPlace): readonly JournalRef[] {
  const grown = { id: place.journal, validBytes: place.validBytes, lastSeqno: place.seqno };
  const last = journals.length - 1;
  if (last < 0 || journals[last]!.id !== place.journal) return [...journals, grown];
  if (last === 0) return [grown];
  return [...journals.slice(0, last), grown];
}

/** Tells whether the range of a memtable's keys includes a key. Cost: O(log n). */
export function memtableCovers(memtable: Memtable, key: string): boolean {
  const first = mapFirst(memtable.map);
  return first !== undefined && first[0] <= key && key <= mapLast(memtable.map)![0];
}
