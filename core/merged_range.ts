/**
 * A range of a state, readable from both ends.
 *
 * ```text
 *   lower [ a  b  c  d  e  f  g ) upper
 *           front ->      <- back          the two meet, and then both are done
 * ```
 *
 * Each end is a merge of its own cursors in its own direction, made when that end is first asked. An end stays on the
 * entry it gave last and moves when asked again, so where the ends stand is all that is needed to see them meet.
 *
 * Invariants: no entry comes twice, none is missed; done stays done; entries hidden by a newer tombstone or
 * clear never come.
 *
 * @module
 */

import { compareBytes, compareKey } from "./bytes.ts";
import type { Cursor, SegmentSource } from "./cursor.ts";
import { MemtableCursor, RunCursor } from "./cursor.ts";
import type { ReadView } from "./lookup.ts";
import type { Interval } from "./interval.ts";
import { Merge } from "./merge.ts";
import type { Run } from "./version.ts";
import { firstSegmentEndingAtOrAfter } from "./version.ts";

/** A range of a state, readable from both ends. */
export class MergedRange {
  readonly #view: ReadView;
  readonly #interval: Interval;
  readonly #source: SegmentSource;
  #front: Merge | undefined;
  #back: Merge | undefined;
  #done: boolean;

  /** Reads nothing before it is first asked. */
  constructor(view: ReadView, interval: Interval, source: SegmentSource) {
    this.#view = view;
    this.#interval = interval;
    this.#source = source;
    this.#done = interval.upper !== undefined && interval.upper <= interval.lower;
  }

  /** Returns the cursor on the next entry from the front, or `undefined` when there are none left. */
  next(): Cursor | undefined {
    if (this.#done) return undefined;
    const { lower, upper } = this.#interval;
    let front = this.#front;
    if (front === undefined) {
      front = this.#front = this.#merge("forward");
      front.seek(lower === "" ? undefined : lower);
    } else front.advance();
    const met = this.#back?.current;
    for (let current = front.current; current !== undefined; front.advance(), current = front.current) {
      if (upper !== undefined && compareKey(upper, current.key, 0, current.keyBytes) <= 0) break;
      if (met !== undefined && order(current, met) >= 0) break;
      if (!current.isTombstone) return current;
    }
    return this.#finish();
  }

  /** Returns the cursor on the next entry from the back, or `undefined` when there are none left. */
  nextBack(): Cursor | undefined {
    if (this.#done) return undefined;
    const { lower, upper } = this.#interval;
    let back = this.#back;
    if (back === undefined) {
      back = this.#back = this.#merge("backward");
      back.seek(upper);
    } else back.advance();
    const met = this.#front?.current;
    for (let current = back.current; current !== undefined; back.advance(), current = back.current) {
      if (compareKey(lower, current.key, 0, current.keyBytes) > 0) break;
      if (met !== undefined && order(met, current) >= 0) break;
      if (!current.isTombstone) return current;
    }
    return this.#finish();
  }

  #finish(): undefined {
    this.#done = true;
    this.#front = this.#back = undefined;
    return undefined;
  }

  #merge(direction: "forward" | "backward"): Merge {
    return new Merge(cursorsOf(this.#view, this.#interval, this.#source), direction);
  }
}

function order(a: Cursor, b: Cursor): number {
  return compareBytes(a.key, 0, a.keyBytes, b.key, 0, b.keyBytes);
}

/** Returns cursors over all that is visible in an interval, newest first. */
function cursorsOf(view: ReadView, interval: Interval, source: SegmentSource): Cursor[] {
  const cursors: Cursor[] = [];
  for (const memtable of [view.active, ...view.sealed]) {
    if (memtable.map.size > 0) cursors.push(new MemtableCursor(memtable));
    if (memtable.clears) return cursors;
  }
  for (const run of view.version.runs) {
    if (runTouches(run, interval)) cursors.push(new RunCursor(run, source));
  }
  return cursors;
}

function runTouches(run: Run, { lower, upper }: Interval): boolean {
  const segment = run.segments[firstSegmentEndingAtOrAfter(run.segments, lower)];
  return segment !== undefined && (upper === undefined || segment.minKey < upper);
}
