/**
 * A cover: which stretches of the key space some segments take, where those that overlap are one stretch.
 *
 * ```text
 * segments   [a..f]   [d..k]      [p..q]     [q..z]
 * cover      [a........k]         [p.............z]
 * ```
 *
 * Kept as sorted, disjoint stretches, so that a question is a binary search, where comparing each segment with each is
 * quadratic: a tree of 10 TB has some 160,000 segments.
 *
 * @module
 */

import type { PlacedSegment } from "./placed_segment.ts";
import { beginsBefore, endsBefore, endsBehind } from "./placed_segment.ts";

/** A stretch of the key space, both ends included. */
export interface Stretch {
  /** The segment that it begins with. */
  readonly first: PlacedSegment;
  /** The segment that it ends with. */
  readonly last: PlacedSegment;
}

/** The stretches that some segments take. */
export class KeyCover {
  readonly #stretches: Stretch[] = [];

  /** The stretches, smallest keys first. */
  get stretches(): readonly Stretch[] {
    return this.#stretches;
  }

  /** Adds a segment. Cost: O(log n), and a copy of references behind it. */
  add(segment: PlacedSegment): void {
    const from = this.indexOf(segment);
    let end = from;
    while (end < this.#stretches.length && !endsBefore(segment, this.#stretches[end]!.first)) end += 1;
    if (end === from) {
      this.#stretches.splice(from, 0, { first: segment, last: segment });
      return;
    }
    const { first } = this.#stretches[from]!;
    const { last } = this.#stretches[end - 1]!;
    this.#stretches.splice(from, end - from, {
      first: beginsBefore(segment, first) ? segment : first,
      last: endsBehind(segment, last) ? segment : last,
    });
  }

  /** Tells whether the stretch from the begin of one segment to the end of another has a key in common with the cover. */
  touches(first: PlacedSegment, last: PlacedSegment = first): boolean {
    const found = this.#stretches[this.indexOf(first)];
    return found !== undefined && !endsBefore(last, found.first);
  }

  /** Returns the index of the first stretch that does not end before a segment begins. Cost: O(log n). */
  indexOf(segment: PlacedSegment): number {
    let low = 0;
    let high = this.#stretches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (endsBefore(this.#stretches[middle]!.last, segment)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
