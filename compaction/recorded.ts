/**
 * A recorded history: what changed a real tree, as `tree.history()` tells it, and the load that its flushes are.
 *
 * The simulator knows keys as numbers, a history as bytes. What the bounds of all flushes begin with is left out, and
 * the next bytes are the digits of a number, as many as 48 bits hold, to the base of how many bytes there are from the
 * least to the greatest in use: so decimal digits count as such, and hashes by bytes. How many of a flush's keys are
 * written again by a later one does not stand in a history, but shows in its merges: of inputs with `a` and `b`
 * entries from the same stretch of `K` keys, `K x (1 - (1 - a/K)(1 - b/K))` are left. For each merge of two runs or
 * more the K that explains it is found by bisection, and the density of the key space is taken to be the median of
 * what they say. Where no merge lost an entry, every key is taken to be a new one.
 *
 * Given up: which parts of the key space are hot. Tombstones are taken for what they are on average.
 *
 * @module
 */

import type { SegmentShape } from "./levels.ts";

/** A change of which segments made up a tree. */
export interface RecordedChange {
  /** When it was decided, in ms since the epoch. */
  readonly time: number;
  /** Why: `"flush"`, `"merge"`, `"move"`, `"drop"`, or something that concerns no segment. */
  readonly cause: string;
  /** What led to it, in words. */
  readonly reason: string;
  /** The segments that went; one that moved is also among `added`. */
  readonly removed: readonly number[];
  /** The segments that came, at their new level. */
  readonly added: readonly SegmentShape[];
}

/** What changed a real tree, as `tree.history()` tells it. */
export interface RecordedHistory {
  /** How many changes came before the first of `changes`. */
  readonly forgotten: number;
  /** The changes, oldest first. */
  readonly changes: readonly RecordedChange[];
}

/** A flush of a history, its keys as numbers. */
export interface RecordedFlush {
  /** Its first key. */
  readonly from: number;
  /** The first key behind it. */
  readonly to: number;
  /** Its entries. */
  readonly entries: number;
  /** How many of them are tombstones. */
  readonly tombstones: number;
  /** Bytes of its segments. */
  readonly bytes: number;
  /** How many batches it held. */
  readonly batches: number;
  /** When it was written. */
  readonly time: number;
}

/** The load that a history is. */
export interface RecordedLoad {
  /** Its flushes that wrote something, oldest first. */
  readonly flushes: readonly RecordedFlush[];
  /** How many keys there are for each number of the key space. */
  readonly density: number;
  /** Bytes of a key, on average over the bounds. */
  readonly keyBytes: number;
}

/** Numbers of keys are below this. */
const NUMBERS = 2 ** 48;

/** Returns the load that a history is. */
export function recordedLoad({ changes }: RecordedHistory): RecordedLoad {
  const written = changes.filter(({ cause, added }) => cause === "flush" && added.length > 0);
  const bounds = written.flatMap(({ added }) => added.flatMap(({ minKey, maxKey }) => [minKey, maxKey]));
  const numberOf = numbering(bounds);
  const stretchOf = (shapes: readonly SegmentShape[]): { readonly from: number; readonly to: number } => ({
    from: shapes.reduce((least, { minKey }) => Math.min(least, numberOf(minKey)), Infinity),
    to: shapes.reduce((most, { maxKey }) => Math.max(most, numberOf(maxKey)), 0) + 1,
  });
  const flushes = written.map(({ added, time }) => ({
    ...stretchOf(added),
    entries: sum(added, "entries"),
    tombstones: sum(added, "tombstones"),
    bytes: sum(added, "size"),
    batches: added[0]!.seqnoMax - added[0]!.seqnoMin + 1,
    time,
  }));
  const keyBytes = bounds.reduce((bytes, key) => bytes + key.length, 0) / Math.max(1, bounds.length);
  const most = flushes.reduce((most, { entries, from, to }) => Math.max(most, entries / (to - from)), 0);
  return { flushes, density: Math.max(most, densityOf(changes, stretchOf)), keyBytes: Math.round(keyBytes) };
}

/** Returns how many keys there are for each number, as the merges tell it. */
function densityOf(
  changes: readonly RecordedChange[],
  stretchOf: (shapes: readonly SegmentShape[]) => { readonly from: number; readonly to: number },
): number {
  const known = new Map<number, SegmentShape>();
  const densities: number[] = [];
  for (const { cause, removed, added } of changes) {
    const inputs = removed.map((id) => known.get(id));
    if (cause === "merge" && added.length > 0 && inputs.every((input) => input !== undefined)) {
      const keys = keysBehind(inputs, sum(added, "entries"));
      const { from, to } = stretchOf(inputs);
      if (keys !== undefined) densities.push(keys / (to - from));
    }
    for (const segment of added) known.set(segment.id, segment);
  }
  densities.sort((a, b) => a - b);
  return densities[densities.length >>> 1] ?? Infinity;
}

/** Returns of how many keys the inputs of a merge must be, if that many entries were left; nothing if it does not tell. */
function keysBehind(inputs: readonly SegmentShape[], left: number): number | undefined {
  const byLevel = new Map<string, number>();
  for (const { level, id, entries } of inputs) {
    // Segments of one run stand side by side and do not meet.
    const run = level === 0 ? `0 ${id}` : `${level}`;
    byLevel.set(run, (byLevel.get(run) ?? 0) + entries);
  }
  const runs = [...byLevel.values()];
  if (runs.length < 2 || left >= runs.reduce((all, entries) => all + entries, 0)) return undefined;
  let low = Math.max(left, ...runs);
  let high = low * 1e6;
  for (let round = 0; round < 60; round++) {
    const keys = (low + high) / 2;
    const reached = keys * (1 - runs.reduce((missed, entries) => missed * (1 - entries / keys), 1));
    if (reached < left) low = keys;
    else high = keys;
  }
  return high;
}

function sum(segments: readonly SegmentShape[], what: "entries" | "tombstones" | "size"): number {
  return segments.reduce((all, segment) => all + segment[what], 0);
}

/** Returns what makes a number of a key, such that the order of some keys is the order of their numbers. */
function numbering(keys: readonly Uint8Array[]): (key: Uint8Array) => number {
  const skipped = prefixBytes(keys);
  let [least, greatest] = [255, 0];
  for (const key of keys) {
    for (const byte of key.subarray(skipped)) {
      least = Math.min(least, byte);
      greatest = Math.max(greatest, byte);
    }
  }
  const base = Math.max(2, greatest - least + 1);
  const digits = Math.floor(Math.log2(NUMBERS) / Math.log2(base));
  return (key) => {
    let number = 0;
    for (let i = 0; i < digits; i++) {
      const byte = key[skipped + i];
      number = number * base + (byte === undefined ? 0 : Math.min(Math.max(byte - least, 0), base - 1));
    }
    return number;
  };
}

/** Returns how many bytes all keys begin with alike. */
function prefixBytes(keys: readonly Uint8Array[]): number {
  const [first] = keys;
  if (first === undefined) return 0;
  let shared = first.length;
  for (const key of keys) {
    let bytes = 0;
    while (bytes < shared && bytes < key.length && key[bytes] === first[bytes]) bytes += 1;
    shared = bytes;
  }
  return shared;
}
