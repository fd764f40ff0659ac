/**
 * The point read: the newest version of one key.
 *
 * Order: active memtable, sealed memtables newest first, then the runs of the version newest first. The first that has
 * the key is right, also if what it has is a tombstone. A memtable that clears hides everything behind it. The
 * filter of a segment is asked before any of its blocks.
 *
 * A read is a pure function of a state and a way to get a block: it is synchronous, and slow storage would only need
 * to fetch a missing block and run it again.
 *
 * Cost: O(log n) comparisons in each memtable; per run whose range includes the key one hash probe, and with a
 * chance of about 1 % (or if the key is there) one block.
 *
 * @module
 */

import type { Found } from "./arena.ts";
import type { SegmentSource } from "./cursor.ts";
import { hashKey, tagOf } from "./filter.ts";
import type { Memtable } from "./memtable.ts";
import { TOMBSTONE_POSITION } from "./memtable.ts";
import { mapGet } from "./sorted_map.ts";
import type { Version } from "./version.ts";
import { segmentFor } from "./version.ts";

/** What reads look at: a state of the tree, or the part of it that says what is in the tree. */
export interface ReadView {
  /** The memtable that writes go to. */
  readonly active: Memtable;
  /** Memtables that wait to be flushed, newest first. */
  readonly sealed: readonly Memtable[];
  /** The segments. */
  readonly version: Version;
}

/** Returns where the value of a key stands, or `undefined` if the key is absent. */
export function lookup(view: ReadView, key: string, source: SegmentSource): Found | undefined {
  const active = mapGet(view.active.map, key);
  if (active !== undefined) return foundAt(view.active, active);
  if (view.active.clears) return undefined;
  for (const memtable of view.sealed) {
    const position = mapGet(memtable.map, key);
    if (position !== undefined) return foundAt(memtable, position);
    if (memtable.clears) return undefined;
  }
  return lookupSegments(view.version, key, source);
}

function foundAt(memtable: Memtable, position: number): Found | undefined {
  return position === TOMBSTONE_POSITION ? undefined : memtable.arena.valueAt(position);
}

function lookupSegments(version: Version, key: string, source: SegmentSource): Found | undefined {
  let hash = -1;
  for (const run of version.runs) {
    const segment = segmentFor(run, key);
    if (segment === undefined) continue;
    if (hash < 0) hash = hashKey(key, version.hashSeed);
    if (!source.mayContain(segment, hash)) continue;
    const block = source.block(segment, source.index(segment).find(key), true);
    const entry = block.find(key, tagOf(hash));
    if (entry < 0) continue;
    if (block.isTombstone(entry)) return undefined;
    return { bytes: block.bytes, start: block.valueStart(entry), end: block.valueEnd(entry) };
  }
  return undefined;
}
