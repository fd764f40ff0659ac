/**
 * Read and space amplification of a tree of shapes, at one moment.
 *
 * For a key of the key space each run, from the newest on, has a segment that covers it or none, and that holds it
 * with the probability that is its share. So what a read has to consider, and what is alive, are sums along the runs:
 *
 * ```text
 * left = 1                                 how likely nothing newer decides about the key
 * for each run that covers it, newest first:
 *   considered += 1
 *   reads      += considered x left x share          found here, after so many segments
 *   live       += left x share
 *   left       *= 1 - share - removed
 * ```
 *
 * The average is taken over {@linkcode PLACES_MAX} places, one at a random spot in each equal part of the key space:
 * even shares make the error some tenths of a percent, where counting all pieces would cost as much as a
 * merge of the whole tree. Where there are thousands of runs (fifo), fewer places do.
 *
 * A segment is *considered* if its key range covers the key, whether or not its filter then spares its blocks.
 *
 * @module
 */

import type { Load } from "./load.ts";
import { endsBefore } from "./placed_segment.ts";
import type { PlacedSegments } from "./placed_segments.ts";
import type { Random } from "./random.ts";
import { placeOfKey, simulated } from "./simulated_segment.ts";
import type { SimulatedSegment } from "./simulated_segment.ts";
import type { SimulatedTree } from "./simulated_tree.ts";

/** How a tree stands at one moment. */
export interface Amplification {
  /** Segments that a point read of a present key has to consider, on average; 0 if there is none. */
  readonly read: number;
  /** Bytes of segments for each byte of live keys and values; 0 if there are none. */
  readonly space: number;
}

const PLACES_MAX = 512;
const PLACES_MIN = 32;

/** So many runs are looked at in all. */
const LOOKS_MAX = 50_000;

/** Returns the amplification of a tree after so many operations. */
export function amplificationOf(
  tree: SimulatedTree,
  load: Load,
  operations: number,
  random: Random,
): Amplification {
  const runs = tree.placed.flatMap((segments, level) =>
    tree.runsOf(level).map(([start, end]) => ({ segments, start, end }))
  );
  const places = Math.min(PLACES_MAX, Math.max(PLACES_MIN, Math.round(LOOKS_MAX / (runs.length + 1))));
  const keys = load.keysAfter(operations);
  const sums = { reads: 0, found: 0, live: 0 };
  for (let place = 0; place < places; place++) {
    const key = Math.min(keys - 1, Math.floor((place + random.next()) / places * keys));
    addReads(runs, key, load, sums);
  }
  const bytes = tree.placed.reduce((sum, segments) => sum + segments.bytes, 0);
  const liveBytes = sums.live / places * keys * load.entryBytes;
  return {
    read: sums.found === 0 ? 0 : sums.reads / sums.found,
    space: liveBytes === 0 ? 0 : bytes / liveBytes,
  };
}

/** Adds what reads of one key find. */
function addReads(
  runs: readonly { readonly segments: PlacedSegments; readonly start: number; readonly end: number }[],
  key: number,
  load: Load,
  sums: { reads: number; found: number; live: number },
): void {
  const { bands, reads, isOnce } = load;
  const left = bands.map(() => 1);
  let considered = 0;
  for (const { segments, start, end } of runs) {
    const segment = segmentAt(segments, start, end, key);
    if (segment === undefined) continue;
    considered += 1;
    const { puts, tombstones, ghosts } = segment.shares;
    for (let band = 0; band < bands.length; band++) {
      const put = puts[band]!;
      const here = isOnce ? Math.min(left[band]!, put) : left[band]! * put;
      sums.reads += considered * here * reads[band]!;
      sums.found += here * reads[band]!;
      sums.live += here * bands[band]!;
      left[band] = isOnce ? left[band]! - here : left[band]! * (1 - put - tombstones - ghosts);
    }
  }
}

function segmentAt(
  segments: PlacedSegments,
  start: number,
  end: number,
  key: number,
): SimulatedSegment | undefined {
  if (end - start === 1) {
    const only = simulated(segments.at(start));
    return only.from <= key && key < only.to ? only : undefined;
  }
  const place = placeOfKey(key);
  const index = segments.firstReaching(place, start, end);
  if (index === end || endsBefore(place, segments.at(index))) return undefined;
  return simulated(segments.at(index));
}
