/**
 * First in, first out: nothing is merged, and the oldest segments are dropped when there is too much or they are too old.
 *
 * For data that is written in the order of time and loses its worth: logs, metrics, caches.
 *
 * ```text
 * L0   [newest] [    ] [    ] [oldest]  -> dropped while the sum is above `limit`, or `ttl` has passed since `writtenAt`
 * ```
 *
 * Arithmetic, for flushes of P bytes:
 * - Write amplification is 1: each byte is flushed, and never written again.
 * - Space: at most `limit`, and for the moment one flush more. What is overwritten or removed takes its space until it is dropped.
 * - Reads: `limit / P` runs, all in level 0. A point read asks the filter of each whose range has the key, a range looks into all
 *   of them: choose large memtables. So many runs are normal here, and do not slow down writers.
 *
 * Only an end of the order of age is ever dropped: if anything older with a key in common stayed, its old versions would come
 * back. So the oldest that is not to go yet, because it is busy or was written late, keeps all newer ones. Segments of one
 * run share no key; of them those that were written first go first.
 *
 * Age is `now - writtenAt`, with `now` given by the caller: a clock that jumps back makes everything younger and so drops
 * nothing, and one that jumps forward drops what then is too old.
 *
 * Source: RocksDB wiki "FIFO compaction style".
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { LevelParts } from "./levels.ts";
import { placedOf } from "./levels.ts";
import type { PlacedSegment } from "./placed_segment.ts";
import { endsBefore } from "./placed_segment.ts";
import type { PlacedSegments } from "./placed_segments.ts";
import type { BuiltInStrategy, LevelOptions } from "./strategy.ts";
import { builtIn, checkOption } from "./strategy.ts";

/** How {@linkcode fifo} is set. */
export interface FifoOptions {
  /** Bytes of segments that are kept at most. */
  readonly limit: number;
  /** Seconds that a segment is kept at most, from when it was written; for ever if not given. */
  readonly ttl?: number;
}

/**
 * Returns first in, first out: the oldest segments are dropped above a limit of bytes or of age.
 *
 * @throws {TypeError} If an option is not a number.
 * @throws {RangeError} If an option is too small.
 *
 * @example Usage
 * ```ts
 * import { fifo, Levels } from "@lsm/tree/compaction";
 * import { assertEquals } from "@std/assert";
 *
 * const strategy = fifo({ limit: 1_000_000, ttl: 3600 });
 * const options = { levelCount: 7, levelRatio: 10, maxMemtableSize: 1024, now: 0 };
 * assertEquals(strategy.choose(Levels.from([]), options).kind, "none");
 * ```
 */
export function fifo(options: FifoOptions): BuiltInStrategy {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Cannot make fifo: it needs a limit");
  }
  const { limit, ttl } = options;
  checkOption("limit", limit, 1);
  if (ttl !== undefined && (typeof ttl !== "number" || Number.isNaN(ttl))) {
    throw new TypeError("Cannot use option ttl: it is not a number");
  }
  if (ttl !== undefined && ttl <= 0) throw new RangeError(`Cannot use option ttl: ${ttl} is not above 0`);
  const stored: Readonly<Record<string, number>> = ttl === undefined ? { limit } : { limit, ttl };
  return builtIn({
    name: "fifo",
    options: Object.freeze(stored),
    level0Threshold: Infinity,
    choose: (levels, given) => choose(placedOf(levels), given, limit, ttl),
    debt: () => 0,
  });
}

function choose(
  { placed, busy }: LevelParts,
  options: LevelOptions,
  limit: number,
  ttl: number | undefined,
): CompactionChoice {
  const excess = placed.reduce((sum, segments) => sum + segments.bytes, 0) - limit;
  if (excess <= 0 && ttl === undefined) return { kind: "none" };
  const dropped: number[] = [];
  let bytes = 0;
  for (const segment of oldestFirst(placed)) {
    const isOld = ttl !== undefined && options.now - segment.facts.writtenAt > ttl * 1000;
    if (busy.has(segment.id) || !(isOld || bytes < excess)) break;
    dropped.push(segment.id);
    bytes += segment.size;
  }
  if (dropped.length === 0) return { kind: "none" };
  const reason = excess > 0
    ? `there are ${excess} bytes more than the limit of ${limit}`
    : `the oldest are older than ${ttl} seconds`;
  return { kind: "drop", segments: dropped, reason };
}

/** Gives all segments in an order in which they may be dropped. Cost: a step for each; a run below level 0 is sorted. */
function* oldestFirst(placed: readonly PlacedSegments[]): Generator<PlacedSegment, void> {
  for (let level = placed.length - 1; level >= 0; level--) {
    const segments = placed[level]!;
    for (let end = segments.count; end > 0;) {
      let start = end - 1;
      while (level > 0 && start > 0 && endsBefore(segments.at(start - 1), segments.at(start))) start -= 1;
      yield* segments.slice(start, end).sort(byAge);
      end = start;
    }
  }
}

/** Segments of one run share no key, so any of them may be dropped first. */
function byAge({ facts: a }: PlacedSegment, { facts: b }: PlacedSegment): number {
  return a.writtenAt - b.writtenAt || a.seqnoMax - b.seqnoMax;
}
