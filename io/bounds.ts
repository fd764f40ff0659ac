/**
 * Bounds: which part of the tree a range reads, as the user says it.
 *
 * What contradicts itself (`gt` with `gte`) or has a wrong type is refused; what is merely empty, an inverted range for one,
 * is an empty interval.
 *
 * Inside there are only half-open intervals: `gt k` is "at or after the successor of k", `lte k` is "before it".
 *
 * @module
 */

import type { Interval, Key } from "../core/mod.ts";
import { keySuccessor, prefixSuccessor, toKey } from "../core/mod.ts";

/** How many entries a range hands out, and from which end. */
export interface RangeOptions {
  /** How many entries are handed out at most, from both ends together. */
  readonly limit?: number;
  /** Whether `next()` takes from the end. */
  readonly reverse?: boolean;
}

/** Which part of the tree a range reads. */
export interface Bounds extends RangeOptions {
  /** Keys after this one. */
  readonly gt?: Key;
  /** Keys at or after this one. */
  readonly gte?: Key;
  /** Keys before this one. */
  readonly lt?: Key;
  /** Keys at or before this one. */
  readonly lte?: Key;
}

/** Everything. */
export const EVERYTHING: Interval = { lower: "", upper: undefined };

/**
 * Returns the interval that bounds mean.
 *
 * @throws {TypeError} If a bound has a wrong type, or two contradict each other in kind.
 * @throws {RangeError} If a bound is too long.
 */
export function intervalOf(bounds: Bounds): Interval {
  if (typeof bounds !== "object" || bounds === null) {
    throw new TypeError("Cannot read a range: the bounds are no object");
  }
  const { gt, gte, lt, lte } = bounds;
  if (gt !== undefined && gte !== undefined) {
    throw new TypeError("Cannot read a range: it has both gt and gte");
  }
  if (lt !== undefined && lte !== undefined) {
    throw new TypeError("Cannot read a range: it has both lt and lte");
  }
  let lower = "";
  if (gt !== undefined) lower = keySuccessor(toKey(gt, "bound gt"));
  else if (gte !== undefined) lower = toKey(gte, "bound gte");
  let upper: string | undefined;
  if (lte !== undefined) upper = keySuccessor(toKey(lte, "bound lte"));
  else if (lt !== undefined) upper = toKey(lt, "bound lt");
  return { lower, upper };
}

/** Returns the interval of the keys that begin with a prefix. */
export function intervalOfPrefix(prefix: Key): Interval {
  const lower = toKey(prefix, "prefix");
  return { lower, upper: prefixSuccessor(lower) };
}

/**
 * Throws unless the options of a range are right.
 *
 * @throws {TypeError} If one has a wrong type.
 * @throws {RangeError} If the limit is negative or not whole.
 */
export function checkRangeOptions(options: RangeOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Cannot read a range: the options are no object");
  }
  const { limit, reverse } = options;
  if (limit !== undefined) {
    if (typeof limit !== "number") throw new TypeError("Cannot read a range: the limit is not a number");
    if (!Number.isInteger(limit) || limit < 0) {
      throw new RangeError(`Cannot read a range: the limit ${limit} is not a whole number from 0 on`);
    }
  }
  if (reverse !== undefined && typeof reverse !== "boolean") {
    throw new TypeError("Cannot read a range: reverse is not true or false");
  }
}
