/**
 * The segments of a level in their order, as a persistent list: a changed one shares nearly all of its memory with the one before.
 *
 * ```text
 * [ chunk of up to 512 ][ chunk ][ chunk ] ...        with the index that each chunk begins at
 * ```
 *
 * A level of a large tree has 160,000 segments, and a compaction changes a dozen of them. Copying the level for each
 * would take a millisecond; here it copies one chunk and the list of chunks: about 2 us.
 *
 * Sums are kept, not counted anew: bytes, and *breaks*, the places where a segment does not end before the next begins. A level
 * without a break is one run, and its segments are found by binary search. The list does not know more than its sequence says:
 * two lists of the same segments answer alike, whatever changes made them.
 *
 * Invariants: no chunk is empty or longer than {@linkcode CHUNK_SEGMENTS_MAX}; a list is never changed.
 *
 * @module
 */

import type { PlacedSegment } from "./placed_segment.ts";
import { endsBefore } from "./placed_segment.ts";

/** The most segments of a chunk: the square root of the largest levels, about. */
const CHUNK_SEGMENTS_MAX = 512;

/** A chunk with fewer is joined with the one before it when it is made. */
const CHUNK_SEGMENTS_MIN = 128;

type Chunk = readonly PlacedSegment[];

/** A persistent list of segments. */
export class PlacedSegments {
  /** How many there are. */
  readonly count: number;
  /** Their bytes. */
  readonly bytes: number;
  /** At how many places a segment does not end before the next one begins. */
  readonly breaks: number;
  readonly #chunks: readonly Chunk[];
  readonly #starts: readonly number[];
  #flat: Chunk | undefined;

  private constructor(chunks: readonly Chunk[], bytes: number, breaks: number) {
    const starts: number[] = [];
    let count = 0;
    for (const chunk of chunks) {
      starts.push(count);
      count += chunk.length;
    }
    this.count = count;
    this.bytes = bytes;
    this.breaks = breaks;
    this.#chunks = chunks;
    this.#starts = starts;
  }

  /** The list without segments. */
  static readonly EMPTY: PlacedSegments = new PlacedSegments([], 0, 0);

  /** Returns the list of some segments. Cost: O(n). */
  static of(segments: readonly PlacedSegment[]): PlacedSegments {
    return PlacedSegments.EMPTY.splice(0, 0, segments);
  }

  /** Returns the segment at an index. Requires: it is from 0 to `count - 1`. Cost: O(log chunks). */
  at(index: number): PlacedSegment {
    const chunk = this.#chunkOf(index);
    return this.#chunks[chunk]![index - this.#starts[chunk]!]!;
  }

  /** All of them. Cost: O(n), the first time. */
  get flat(): readonly PlacedSegment[] {
    return this.#flat ??= this.#chunks.length === 1 ? this.#chunks[0]! : this.#chunks.flat();
  }

  /** Returns those from an index to another. Cost: O(log chunks), and a step for each. */
  slice(start: number, end: number): PlacedSegment[] {
    const found: PlacedSegment[] = [];
    this.#visit(start, end, (segment) => found.push(segment));
    return found;
  }

  /** Returns the bytes of those from an index to another. Cost: O(log chunks), and a step for each. */
  bytesOf(start: number, end: number): number {
    let bytes = 0;
    if (start >= end) return bytes;
    let chunk = this.#chunkOf(start);
    for (let index = start; index < end; chunk++) {
      const from = this.#starts[chunk]!;
      const segments = this.#chunks[chunk]!;
      const to = Math.min(end, from + segments.length);
      for (; index < to; index++) bytes += segments[index - from]!.size;
    }
    return bytes;
  }

  /**
   * Returns the index of the first segment from `from` to `to` that does not end before another begins; `to` if there is none.
   *
   * Requires: there is no break between them. Cost: O(log n).
   */
  firstReaching(segment: PlacedSegment, from = 0, to: number = this.count): number {
    return this.#first(from, to, (one) => !endsBefore(one, segment));
  }

  /** Returns the index of the first segment from `from` to `to` that begins behind the end of another; `to` if there is none. */
  firstBehind(segment: PlacedSegment, from = 0, to: number = this.count): number {
    return this.#first(from, to, (one) => endsBefore(segment, one));
  }

  /** Returns the list with those from an index to another replaced. Cost: O(sqrt n), and a step for each. */
  splice(start: number, end: number, segments: readonly PlacedSegment[]): PlacedSegments {
    if (start === end && segments.length === 0) return this;
    const removed = this.slice(start, end);
    const before = start > 0 ? this.at(start - 1) : undefined;
    const after = end < this.count ? this.at(end) : undefined;
    const bytes = this.bytes + sizeOf(segments) - sizeOf(removed);
    const breaks = this.breaks + breaksOf(before, segments, after) - breaksOf(before, removed, after);
    return new PlacedSegments(this.#chunksWith(start, end, segments), bytes, breaks);
  }

  #chunksWith(start: number, end: number, segments: readonly PlacedSegment[]): readonly Chunk[] {
    if (this.#chunks.length === 0) return chunked(segments);
    let first = this.#chunkOf(Math.min(start, this.count - 1));
    const last = end > start ? this.#chunkOf(end - 1) : first;
    const head = this.#chunks[first]!.slice(0, start - this.#starts[first]!);
    const tail = this.#chunks[last]!.slice(end - this.#starts[last]!);
    let middle = [...head, ...segments, ...tail];
    if (middle.length < CHUNK_SEGMENTS_MIN && first > 0) {
      first -= 1;
      middle = [...this.#chunks[first]!, ...middle];
    }
    return [...this.#chunks.slice(0, first), ...chunked(middle), ...this.#chunks.slice(last + 1)];
  }

  #visit(start: number, end: number, visit: (segment: PlacedSegment) => void): void {
    if (start >= end) return;
    let chunk = this.#chunkOf(start);
    for (let index = start; index < end; chunk++) {
      const from = this.#starts[chunk]!;
      const segments = this.#chunks[chunk]!;
      const to = Math.min(end, from + segments.length);
      for (; index < to; index++) visit(segments[index - from]!);
    }
  }

  /** Returns the chunk that an index is in. Requires: the index is from 0 to `count - 1`. */
  #chunkOf(index: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Returns the first index from `from` to `to` that passes; all behind it do too. */
  #first(from: number, to: number, passes: (segment: PlacedSegment) => boolean): number {
    if (from >= to) return to;
    let low = this.#chunkOf(from);
    let high = this.#chunkOf(to - 1);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (passes(this.#chunks[middle]!.at(-1)!)) high = middle;
      else low = middle + 1;
    }
    const start = this.#starts[low]!;
    const chunk = this.#chunks[low]!;
    let first = Math.max(0, from - start);
    let end = Math.min(chunk.length, to - start);
    while (first < end) {
      const middle = (first + end) >>> 1;
      if (passes(chunk[middle]!)) end = middle;
      else first = middle + 1;
    }
    return start + first;
  }
}

function chunked(segments: readonly PlacedSegment[]): readonly Chunk[] {
  const count = Math.ceil(segments.length / CHUNK_SEGMENTS_MAX);
  if (count <= 1) return count === 0 ? [] : [[...segments]];
  return Array.from(
    { length: count },
    (_, i) =>
      segments.slice(
        Math.floor(i * segments.length / count),
        Math.floor((i + 1) * segments.length / count),
      ),
  );
}

function sizeOf(segments: readonly PlacedSegment[]): number {
  let bytes = 0;
  for (const segment of segments) bytes += segment.size;
  return bytes;
}

function breaksOf(
  before: PlacedSegment | undefined,
  segments: readonly PlacedSegment[],
  after: PlacedSegment | undefined,
): number {
  let breaks = 0;
  let last = before;
  for (const segment of segments) {
    if (last !== undefined && !endsBefore(last, segment)) breaks += 1;
    last = segment;
  }
  if (last !== undefined && after !== undefined && !endsBefore(last, after)) breaks += 1;
  return breaks;
}
