/**
 * A half-open interval of keys: `lower` is in it, `upper` is the first that is not any more.
 *
 * All of "after", "up to and including" and "begins with" are said this way (`io/bounds.ts`), so that inside there is one
 * comparison for each end.
 *
 * @module
 */

/** A half-open interval of keys. */
export interface Interval {
  /** The smallest key that is in it. */
  readonly lower: string;
  /** The smallest key that is not in it any more, or `undefined` for no end. */
  readonly upper: string | undefined;
}
