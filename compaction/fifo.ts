/**
 * First in, first out: nothing is merged, and the oldest segments are dropped when there is too much or they are too old.
 *
 * For data that is written in the order of time and loses its worth: logs, metrics, caches. Write amplification is 1: each
 * byte is flushed once. Segments stay in level 0, so a read by key asks the filter of each.
 *
 * ```text
 * L0   [newest] [    ] [    ] [oldest]  -> dropped while the sum is above `limit`, or `ttl` has passed since `writtenAt`
 * ```
 *
 * Only an end of the order of age is ever dropped: if anything older with a key in common stayed, its old versions would come
 * back. Age is `now - writtenAt`, with `now` given by the caller; a clock that jumps back makes everything younger and so drops
 * nothing.
 *
 * Source: RocksDB wiki "FIFO compaction style".
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { Levels, SegmentShape } from "./levels.ts";
import { bytesOf } from "./levels.ts";
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
    choose: (levels, given) => choose(levels, given, limit, ttl),
  });
}

function choose(
  levels: Levels,
  options: LevelOptions,
  limit: number,
  ttl: number | undefined,
): CompactionChoice {
  const newestFirst = levels.levels.flat();
  let excess = bytesOf(newestFirst) - limit;
  const dropped: SegmentShape[] = [];
  let reason = "";
  for (const segment of newestFirst.toReversed()) {
    const isOld = ttl !== undefined && options.now - segment.writtenAt > ttl * 1000;
    if (segment.busy || !(isOld || excess > 0)) break;
    reason = excess > 0
      ? `there are ${excess} bytes more than the limit`
      : `the oldest are older than ${ttl} seconds`;
    dropped.push(segment);
    excess -= segment.size;
  }
  return dropped.length === 0
    ? { kind: "none" }
    : { kind: "drop", segments: dropped.map((segment) => segment.id), reason };
}
