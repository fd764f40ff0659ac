/**
 * A segment that nobody has written: a stretch of the key space, and what share of its keys it holds.
 *
 * Its bounds are numbers. As keys they are written with sixteen decimal digits, which sort as the numbers do; that is only
 * needed where a strategy of the user's own looks at them, or someone prints them.
 *
 * @module
 */

import type { KeyShares, KeyStretch } from "./key_shares.ts";
import { PlacedSegment } from "./placed_segment.ts";
import type { SegmentFacts } from "./placed_segment.ts";

/** Digits of a key: 2^48 has fifteen. */
const KEY_DIGITS = 16;

/** What a simulated segment inherits from its inputs. */
export interface SimulatedOrigin {
  /** The first operation that any of them held. */
  readonly seqnoMin: number;
  /** The last. */
  readonly seqnoMax: number;
  /** When the youngest of them was flushed, in ms. */
  readonly writtenAt: number;
}

/** A segment that nobody has written. */
export class SimulatedSegment implements SegmentFacts, KeyStretch {
  readonly id: number;
  readonly size: number;
  readonly from: number;
  readonly to: number;
  readonly entries: number;
  readonly tombstones: number;
  readonly shares: KeyShares;
  readonly #origin: SimulatedOrigin;

  /** Makes one of `entries` entries, `tombstones` among them. */
  constructor(
    id: number,
    size: number,
    { from, to, shares }: KeyStretch,
    entries: number,
    tombstones: number,
    origin: SimulatedOrigin,
  ) {
    this.id = id;
    this.size = size;
    this.from = from;
    this.to = to;
    this.entries = entries;
    this.tombstones = tombstones;
    this.shares = shares;
    this.#origin = origin;
  }

  get seqnoMin(): number {
    return this.#origin.seqnoMin;
  }

  get seqnoMax(): number {
    return this.#origin.seqnoMax;
  }

  get writtenAt(): number {
    return this.#origin.writtenAt;
  }

  /** Its smallest key. */
  get minKey(): string {
    return keyOf(this.from);
  }

  /** Its greatest key. */
  get maxKey(): string {
    return keyOf(this.to - 1);
  }

  /** The segment at a level. */
  at(level: number): PlacedSegment {
    return new PlacedSegment(this, level, this.from, this.to - 1);
  }
}

/** Returns the simulated segment that was placed. Requires: it is one. */
export function simulated({ facts }: PlacedSegment): SimulatedSegment {
  return facts as SimulatedSegment;
}

/** Returns a place for a search: a segment of one key. */
export function placeOfKey(key: number): PlacedSegment {
  const shares: KeyShares = { puts: [], tombstones: 0, ghosts: 0 };
  const origin = { seqnoMin: 0, seqnoMax: 0, writtenAt: 0 };
  return new SimulatedSegment(0, 0, { from: key, to: key + 1, shares }, 0, 0, origin).at(0);
}

function keyOf(number: number): string {
  return String(number).padStart(KEY_DIGITS, "0");
}
