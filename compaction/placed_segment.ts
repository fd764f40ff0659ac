/**
 * A segment at a level, as `Levels` keeps it: what is known of it, in a form that is cheap to compare.
 *
 * A strategy of the user's own sees plain shapes with bounds of bytes (`SegmentShape`). Making those for each segment of each
 * shape that is ever asked about would cost more than all choices together: a simulated load of 10 TB makes 15,000,000 segments,
 * and looks at a few of each level. So a shape is made when someone asks for it, once.
 *
 * Bounds are compared as numbers first: the first six bytes of a key are a double (its *head*), and only keys
 * with the same head are compared as byte strings. A simulated key is a number anyway and never needs more.
 *
 * @module
 */

import type { SegmentMeta } from "../core/mod.ts";
import { keyToBytes } from "../core/mod.ts";
import type { SegmentShape } from "./levels.ts";

/** What is known of a segment, wherever it stands. Its keys are byte strings. */
export type SegmentFacts = Omit<SegmentMeta, "salt">;

/** Bytes of a key that its head holds: as many as a double holds exactly. */
const HEAD_BYTES = 6;

/** Returns the first bytes of a key as a number: if `a < b`, then the head of `a` is at most that of `b`. */
export function headOf(key: string): number {
  let head = 0;
  for (let i = 0; i < HEAD_BYTES; i++) head = head * 256 + (i < key.length ? key.charCodeAt(i) : 0);
  return head;
}

/** A segment at a level. */
export class PlacedSegment {
  /** Its number. */
  readonly id: number;
  /** Its level. */
  readonly level: number;
  /** The length of its file in bytes. */
  readonly size: number;
  /** The head of its smallest key. */
  readonly minHead: number;
  /** The head of its greatest key. */
  readonly maxHead: number;
  /** What else is known of it. */
  readonly facts: SegmentFacts;
  /** Whether keys with the same head are the same key, as those are that are numbers. */
  readonly #isExact: boolean;
  #shape: SegmentShape | undefined;

  /** Places a segment. Numbers are given where its keys are numbers. */
  constructor(facts: SegmentFacts, level: number, minNumber?: number, maxNumber?: number) {
    this.id = facts.id;
    this.level = level;
    this.size = facts.size;
    this.minHead = minNumber ?? headOf(facts.minKey);
    this.maxHead = maxNumber ?? headOf(facts.maxKey);
    this.facts = facts;
    this.#isExact = minNumber !== undefined;
  }

  /** The same segment at another level. */
  at(level: number): PlacedSegment {
    if (level === this.level) return this;
    if (this.#isExact) return new PlacedSegment(this.facts, level, this.minHead, this.maxHead);
    return new PlacedSegment(this.facts, level);
  }

  /** Tells whether its smallest key is less than another's, with which it shares the head. */
  hasLessMinKey(other: PlacedSegment): boolean {
    return !this.#isExact && this.facts.minKey < other.facts.minKey;
  }

  /** Tells whether its greatest key is greater than another's, with which it shares the head. */
  hasGreaterMaxKey(other: PlacedSegment): boolean {
    return !this.#isExact && this.facts.maxKey > other.facts.maxKey;
  }

  /** Tells whether its greatest key is less than the smallest one of another, with which it shares the head. */
  hasMaxKeyBelow(other: PlacedSegment): boolean {
    return !this.#isExact && this.facts.maxKey < other.facts.minKey;
  }

  /** What a strategy sees of it while nothing needs it. */
  get shape(): SegmentShape {
    const { id, level, size, facts } = this;
    return this.#shape ??= Object.freeze({
      id,
      level,
      size,
      minKey: keyToBytes(facts.minKey),
      maxKey: keyToBytes(facts.maxKey),
      entries: facts.entries,
      tombstones: facts.tombstones,
      writtenAt: facts.writtenAt,
      seqnoMin: facts.seqnoMin,
      seqnoMax: facts.seqnoMax,
      busy: false,
    });
  }
}

/** Tells whether a segment ends before another begins. */
export function endsBefore(one: PlacedSegment, other: PlacedSegment): boolean {
  return one.maxHead === other.minHead ? one.hasMaxKeyBelow(other) : one.maxHead < other.minHead;
}

/** Tells whether a segment begins before another does. */
export function beginsBefore(one: PlacedSegment, other: PlacedSegment): boolean {
  return one.minHead === other.minHead ? one.hasLessMinKey(other) : one.minHead < other.minHead;
}

/** Tells whether a segment ends behind where another does. */
export function endsBehind(one: PlacedSegment, other: PlacedSegment): boolean {
  return one.maxHead === other.maxHead ? one.hasGreaterMaxKey(other) : one.maxHead > other.maxHead;
}

/** Tells whether the key ranges of two segments have a key in common. */
export function placedOverlap(one: PlacedSegment, other: PlacedSegment): boolean {
  return !endsBefore(one, other) && !endsBefore(other, one);
}
