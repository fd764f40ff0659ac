/**
 * Every way of reading a state, compared with a sorted map.
 *
 * A state is read by key (`lookup`) and by range, from the front, from the back and from both ends in turns; all of
 * them must tell the same. Entries are copied out as byte strings while the cursor stands on them.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { Cursor, Interval, ReadView, SegmentSource } from "../../core/mod.ts";
import { keyFromBytes, lookup, MergedRange } from "../../core/mod.ts";
import type { Pair, SortedModel } from "./sorted_model.ts";
import { ALL } from "./sorted_model.ts";

/** Returns the entry that a cursor stands on. */
export function pairAt(cursor: Cursor): Pair {
  return [
    keyFromBytes(cursor.key, 0, cursor.keyBytes),
    keyFromBytes(cursor.value, cursor.valueStart, cursor.valueEnd),
  ];
}

/** Returns what is in an interval, front to back. */
export function forwards(view: ReadView, interval: Interval, source: SegmentSource): Pair[] {
  const range = new MergedRange(view, interval, source);
  const pairs: Pair[] = [];
  for (let cursor = range.next(); cursor !== undefined; cursor = range.next()) pairs.push(pairAt(cursor));
  assert(range.next() === undefined && range.nextBack() === undefined, "done is not done");
  return pairs;
}

/** Returns what is in an interval, back to front. */
export function backwards(view: ReadView, interval: Interval, source: SegmentSource): Pair[] {
  const range = new MergedRange(view, interval, source);
  const pairs: Pair[] = [];
  for (let at = range.nextBack(); at !== undefined; at = range.nextBack()) pairs.push(pairAt(at));
  assert(range.next() === undefined && range.nextBack() === undefined, "done is not done");
  return pairs;
}

/** Returns what is in an interval, in order, read from both ends in turns. */
export function inTurns(view: ReadView, interval: Interval, source: SegmentSource): Pair[] {
  const range = new MergedRange(view, interval, source);
  const front: Pair[] = [];
  const back: Pair[] = [];
  for (let turn = 0;; turn++) {
    const cursor = turn % 2 === 0 ? range.next() : range.nextBack();
    if (cursor === undefined) return [...front, ...back.reverse()];
    (turn % 2 === 0 ? front : back).push(pairAt(cursor));
  }
}

/** Returns the value of a key. */
export function valueOf(view: ReadView, key: string, source: SegmentSource): string | undefined {
  const found = lookup(view, key, source);
  return found === undefined ? undefined : keyFromBytes(found.bytes, found.start, found.end);
}

/** Checks that a view holds what a model does, by every way of reading it. */
export function checkView(
  view: ReadView,
  model: SortedModel,
  source: SegmentSource,
  interval: Interval,
  keys: Iterable<string>,
): void {
  assertSame(forwards(view, ALL, source), model.pairs());
  const within = model.pairs(interval);
  assertSame(forwards(view, interval, source), within);
  assertSame(inTurns(view, interval, source), within);
  assertSame(backwards(view, interval, source), within.reverse());
  for (const key of keys) {
    const value = valueOf(view, key, source);
    assert(value === model.get(key), `${JSON.stringify(key)} has the wrong value`);
  }
}

/** As `assertEquals`, many times faster where they are. */
function assertSame(actual: readonly Pair[], expected: readonly Pair[]): void {
  const same = actual.length === expected.length &&
    actual.every(([key, value], i) => key === expected[i]![0] && value === expected[i]![1]);
  assert(same, `${text(actual)} should be ${text(expected)}`);
}

function text(pairs: readonly Pair[]): string {
  return JSON.stringify(pairs.map(([key, value]) => `${key}=${value.slice(0, 12)}`));
}
