/**
 * The segments of a level in their order, as a persistent list: a changed one shares nearly all of its memory with the one before.
 *
 * ```text
 *                 [ . . . . . ]                    nodes of up to 64 items, leaves of segments;
 *        [ . . . ][ . . . . ][ . . ]               beside the items stand, as numbers, where each
 *  [ s s s ][ s s s s ][ s s ][ s s s s s ] ...    ends and what comes before it: count and bytes
 * ```
 *
 * A level of a large tree has 160,000 segments, and a compaction changes a dozen of them. Copying the level for each
 * would take a millisecond; here one node of each height is copied: some 3 us. A search compares numbers that stand
 * side by side, and looks at a segment only where two have the same head: what costs in a large tree is fetching
 * things from all over the memory.
 *
 * Sums are kept, not counted anew: count, bytes, and *breaks*, the places where a segment does not end before the next
 * begins. A level without a break is one run, and its segments are found by binary search. The list does not know more
 * than its sequence says: two lists of the same segments answer alike, whatever changes made them.
 *
 * Invariants: all leaves have the same height; no node is empty or has more than {@linkcode ITEMS_MAX} items; one with fewer than
 * {@linkcode ITEMS_MIN} is joined with a neighbour when it is made; a list is never changed.
 *
 * @module
 */

import type { PlacedSegment } from "./placed_segment.ts";
import { endsBefore, endsBehind } from "./placed_segment.ts";

const ITEMS_MAX = 64;
const ITEMS_MIN = 16;

/** Numbers beside the items of a node. */
interface Sums {
  /** The head of the greatest key of each item. */
  readonly ends: readonly number[];
  /** How many segments come before each item, and behind the last how many there are. */
  readonly counts: readonly number[];
  /** How many bytes come before each item, and behind the last how many there are. */
  readonly bytes: readonly number[];
}

interface Leaf extends Sums {
  readonly isLeaf: true;
  readonly items: readonly PlacedSegment[];
}

interface Inner extends Sums {
  readonly isLeaf: false;
  readonly items: readonly Node[];
}

type Node = Leaf | Inner;

/** The counts of leaves, by how many segments these have. */
const LEAF_COUNTS: readonly (readonly number[])[] = Array.from(
  { length: ITEMS_MAX + 1 },
  (_, length) => Array.from({ length: length + 1 }, (_, i) => i),
);

/** A persistent list of segments. */
export class PlacedSegments {
  /** How many there are. */
  readonly count: number;
  /** Their bytes. */
  readonly bytes: number;
  /** At how many places a segment does not end before the next one begins. */
  readonly breaks: number;
  readonly #root: Node;
  #flat: readonly PlacedSegment[] | undefined;

  private constructor(root: Node, breaks: number) {
    this.count = root.counts.at(-1)!;
    this.bytes = root.bytes.at(-1)!;
    this.breaks = breaks;
    this.#root = root;
  }

  /** The list without segments. */
  static readonly EMPTY: PlacedSegments = new PlacedSegments(leafOf([]), 0);

  /** Returns the list of some segments. Cost: O(n). */
  static of(segments: readonly PlacedSegment[]): PlacedSegments {
    return PlacedSegments.EMPTY.splice(0, 0, segments);
  }

  /** Returns the segment at an index. Requires: it is from 0 to `count - 1`. Cost: O(log n). */
  at(index: number): PlacedSegment {
    let node = this.#root;
    let rest = index;
    while (!node.isLeaf) {
      const item = itemWith(node.counts, rest);
      rest -= node.counts[item]!;
      node = node.items[item]!;
    }
    return node.items[rest]!;
  }

  /** All of them. Cost: O(n), the first time. */
  get flat(): readonly PlacedSegment[] {
    return this.#flat ??= this.slice(0, this.count);
  }

  /** Returns those from an index to another. Cost: O(log n), and a step for each. */
  slice(start: number, end: number): PlacedSegment[] {
    const found: PlacedSegment[] = [];
    if (start < end) gather(this.#root, start, end, found);
    return found;
  }

  /** Returns the bytes of those from an index to another. Cost: O(log n). */
  bytesOf(start: number, end: number): number {
    return start < end ? bytesBefore(this.#root, end) - bytesBefore(this.#root, start) : 0;
  }

  /**
   * Returns the index of the first segment from `from` to `to` that does not end before another begins; `to` if there is none.
   *
   * Requires: there is no break between them. Cost: O(log n).
   */
  firstReaching(segment: PlacedSegment, from = 0, to: number = this.count): number {
    return this.#first(from, to, segment.minHead, (one) => !endsBefore(one, segment));
  }

  /**
   * Returns the index of the first segment from `from` to `to` that begins behind the end of another; `to` if there is none.
   *
   * Requires: there is no break between them. Cost: O(log n).
   */
  firstBehind(segment: PlacedSegment, from = 0, to: number = this.count): number {
    // The first that ends where the other does, or later, is the last that may have begun before that.
    const last = this.#first(from, to, segment.maxHead, (one) => !endsBehind(segment, one));
    return last === to || endsBefore(segment, this.at(last)) ? last : last + 1;
  }

  /**
   * Returns the bytes of all that overlap a segment.
   *
   * Requires: there is no break. Cost: O(log n), and a step for each; those are in one leaf mostly, and then none of
   * them is looked at but the last.
   */
  bytesOverlapping(segment: PlacedSegment): number {
    let node = this.#root;
    while (!node.isLeaf) {
      const item = firstEnding(node.ends, segment.minHead);
      if (item === node.items.length) return 0;
      node = node.items[item]!;
    }
    const { ends, items, bytes } = node;
    const start = firstEnding(ends, segment.minHead);
    let last = start;
    while (last < items.length && ends[last]! < segment.maxHead) last += 1;
    if (start === items.length || last === items.length || ends[start] === segment.minHead) {
      // It goes on in the next leaf, or heads alone do not tell.
      const from = this.firstReaching(segment);
      return this.bytesOf(from, this.firstBehind(segment, from));
    }
    const end = endsBefore(segment, items[last]!) ? last : last + 1;
    return bytes[end]! - bytes[start]!;
  }

  /** Returns the first index from `from` to `to` whose end is above `head`, or is `head` and passes; `to` if there is none. */
  #first(from: number, to: number, head: number, passes: (segment: PlacedSegment) => boolean): number {
    if (from >= to) return to;
    let node = this.#root;
    let [low, high, before] = [from, to, 0];
    while (!node.isLeaf) {
      let item = itemWith(node.counts, low);
      let last = itemWith(node.counts, high - 1);
      while (item < last) {
        const middle = (item + last) >>> 1;
        const end = node.ends[middle]!;
        if (end > head || (end === head && passes(lastOf(node.items[middle]!)))) last = middle;
        else item = middle + 1;
      }
      const skipped = node.counts[item]!;
      low = Math.max(0, low - skipped);
      high = Math.min(node.counts[item + 1]!, high) - skipped;
      before += skipped;
      node = node.items[item]!;
      if (low >= high) return before + high;
    }
    const { ends, items } = node;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const end = ends[middle]!;
      if (end > head || (end === head && passes(items[middle]!))) high = middle;
      else low = middle + 1;
    }
    return before + low;
  }

  /** Returns the list with those from an index to another replaced. Cost: O(log n), and a step for each. */
  splice(start: number, end: number, segments: readonly PlacedSegment[]): PlacedSegments {
    if (start === end && segments.length === 0) return this;
    const before = start > 0 ? this.at(start - 1) : undefined;
    const after = end < this.count ? this.at(end) : undefined;
    let breaks = this.breaks + breaksOf(before, segments, after);
    if (this.breaks > 0) breaks -= breaksOf(before, this.slice(start, end), after);
    let nodes = spliced(this.#root, start, end, segments);
    if (nodes.length === 0) return PlacedSegments.EMPTY;
    while (nodes.length > 1) nodes = innersOf(nodes);
    let root = nodes[0]!;
    while (!root.isLeaf && root.items.length === 1) root = root.items[0]!;
    return new PlacedSegments(root, breaks);
  }
}

/** Returns the nodes, of the same height, that a node becomes when some of its segments are replaced; none if nothing is left. */
function spliced(
  node: Node,
  start: number,
  end: number,
  segments: readonly PlacedSegment[],
): readonly Node[] {
  if (node.isLeaf) return leavesOf(node.items.slice(0, start).concat(segments, node.items.slice(end)));
  const { counts, items } = node;
  let first = itemWith(counts, Math.min(start, counts.at(-1)! - 1));
  let last = end > start ? itemWith(counts, end - 1) : first;
  const from = start - counts[first]!;
  const to = end - counts[last]!;
  let made = first === last
    ? spliced(items[first]!, from, to, segments)
    : spliced(items[first]!, from, counts[first + 1]! - counts[first]!, segments)
      .concat(spliced(items[last]!, 0, to, []));
  if (made.some((one) => one.items.length < ITEMS_MIN)) {
    if (first > 0) made = [items[first -= 1]!].concat(made);
    else if (last < items.length - 1) made = made.concat(items[last += 1]!);
    made = regrouped(made);
  }
  return innersOf(items.slice(0, first).concat(made, items.slice(last + 1)));
}

/** Returns nodes of one height with their items spread evenly. */
function regrouped(nodes: readonly Node[]): readonly Node[] {
  const leaves = nodes.filter((node) => node.isLeaf);
  if (leaves.length > 0) return leavesOf(leaves.flatMap(({ items }) => items));
  return innersOf(nodes.flatMap((node) => node.isLeaf ? [] : node.items));
}

function leavesOf(segments: readonly PlacedSegment[]): readonly Leaf[] {
  return segments.length <= ITEMS_MAX
    ? (segments.length === 0 ? [] : [leafOf(segments)])
    : evenParts(segments).map(leafOf);
}

function innersOf(nodes: readonly Node[]): readonly Inner[] {
  return nodes.length <= ITEMS_MAX
    ? (nodes.length === 0 ? [] : [innerOf(nodes)])
    : evenParts(nodes).map(innerOf);
}

function evenParts<T>(items: readonly T[]): (readonly T[])[] {
  const parts = Math.ceil(items.length / ITEMS_MAX);
  return Array.from(
    { length: parts },
    (_, i) => items.slice(Math.floor(i * items.length / parts), Math.floor((i + 1) * items.length / parts)),
  );
}

function leafOf(items: readonly PlacedSegment[]): Leaf {
  const { length } = items;
  const ends = new Array<number>(length);
  const bytes = new Array<number>(length + 1);
  bytes[0] = 0;
  for (let i = 0; i < length; i++) {
    const { maxHead, size } = items[i]!;
    ends[i] = maxHead;
    bytes[i + 1] = bytes[i]! + size;
  }
  return { isLeaf: true, items, ends, counts: LEAF_COUNTS[length]!, bytes };
}

function innerOf(items: readonly Node[]): Inner {
  const { length } = items;
  const ends = new Array<number>(length);
  const counts = new Array<number>(length + 1);
  const bytes = new Array<number>(length + 1);
  counts[0] = 0;
  bytes[0] = 0;
  for (let i = 0; i < length; i++) {
    const item = items[i]!;
    ends[i] = item.ends[item.ends.length - 1]!;
    counts[i + 1] = counts[i]! + item.counts[item.counts.length - 1]!;
    bytes[i + 1] = bytes[i]! + item.bytes[item.bytes.length - 1]!;
  }
  return { isLeaf: false, items, ends, counts, bytes };
}

/** Returns the first item that does not end below a head; their number if all do. */
function firstEnding(ends: readonly number[], head: number): number {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ends[middle]! < head) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the last item before which there are `index` segments or fewer. */
function itemWith(counts: readonly number[], index: number): number {
  let low = 0;
  let high = counts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (counts[middle]! <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}

function gather(node: Node, start: number, end: number, into: PlacedSegment[]): void {
  if (node.isLeaf) {
    for (let i = start; i < end; i++) into.push(node.items[i]!);
    return;
  }
  const { counts, items } = node;
  for (let item = itemWith(counts, start); item < items.length && counts[item]! < end; item++) {
    const before = counts[item]!;
    gather(items[item]!, Math.max(0, start - before), Math.min(end, counts[item + 1]!) - before, into);
  }
}

function bytesBefore(root: Node, index: number): number {
  let node = root;
  let rest = index;
  let bytes = 0;
  while (!node.isLeaf) {
    const item = itemWith(node.counts, rest);
    bytes += node.bytes[item]!;
    rest -= node.counts[item]!;
    node = node.items[item]!;
  }
  return bytes + node.bytes[rest]!;
}

function lastOf(node: Node): PlacedSegment {
  let last = node;
  while (!last.isLeaf) last = last.items.at(-1)!;
  return last.items.at(-1)!;
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
