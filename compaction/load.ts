/**
 * The load: a workload as a list of flushes, each with what share of which keys it writes.
 *
 * One step per flush: what n operations do to K keys follows from their number. A memtable is sealed when its journal
 * has `maxMemtableSize` bytes, so n is that by the bytes of a record, and a flush of random writes reaches
 * `1 - (1 - p)^n` of the keys that a write hits with probability p.
 *
 * Popularity (zipfian) comes in bands of ranks, each twice as wide as the one before or so, within which all keys are
 * equally likely: with {@linkcode BANDS} bands the popularity within one differs by a few ten percent, of which the
 * reached keys depend little.
 *
 * @module
 */

import type { KeyShares, KeySpread, KeyStretch } from "./key_shares.ts";
import type { RecordedFlush } from "./recorded.ts";
import { recordedLoad } from "./recorded.ts";
import type { EntrySizes } from "./segment_bytes.ts";
import { putRecordBytes, removeRecordBytes } from "./segment_bytes.ts";
import type {
  DeleteHeavyWorkload,
  GeneratedWorkload,
  TimeOrderedWorkload,
  Workload,
  ZipfianWorkload,
} from "./workload.ts";
import { WORKLOAD_DEFAULTS } from "./workload.ts";

/** Into how many bands keys are divided where they are not equally popular. */
const BANDS = 40;

/** Into how many parts a memtable is divided where what is in it changes while it is written. */
const STEPS = 16;

/** What a memtable holds when it is flushed. */
export interface LoadStep {
  /** How many operations it takes. */
  readonly operations: number;
  /** Bytes of keys and values that the user has written with them. */
  readonly userBytes: number;
  /** When the last of them comes, in ms since the load began. */
  readonly time: number;
  /** What it holds, smallest keys first. */
  readonly stretches: readonly KeyStretch[];
}

/** A workload as a list of flushes. */
export interface Load extends KeySpread {
  /** How large entries are. */
  readonly sizes: EntrySizes;
  /** What share of the reads each band gets; 1 in all. */
  readonly reads: readonly number[];
  /** Bytes of a live key with its value. */
  readonly entryBytes: number;
  /** Operations in all, those that stay in the memtable at the end included. */
  readonly operations: number;
  /** Bytes of keys and values in all, those included. */
  readonly userBytes: number;
  /** About how many flushes there are. */
  readonly flushes: number;
  /** Returns the first key that nothing was written behind, after so many operations. */
  keysAfter(operations: number): number;
  /** Gives the flushes in order. */
  steps(): Iterable<LoadStep>;
}

/** How a tree makes segments, as far as the load depends on it. */
export interface LoadOptions {
  /** Bytes of journal that a flush is made of. */
  readonly maxMemtableSize: number;
  /** Target bytes of a data block. */
  readonly blockSize: number;
  /** Bits of a filter for each key. */
  readonly filterBitsPerKey: number;
}

/** Returns the load that a workload is. Requires: it was checked. */
export function loadOf(workload: Workload, options: LoadOptions): Load {
  if (workload.kind === "recorded") return loadOfHistory(workload, options);
  const { entryBytes, operations, keys } = workload;
  const keyBytes = workload.keyBytes ?? Math.min(WORKLOAD_DEFAULTS.keyBytes, entryBytes);
  const { blockSize, filterBitsPerKey } = options;
  const sizes: EntrySizes = {
    keyBytes,
    valueBytes: entryBytes - keyBytes,
    sharedKeyBytes: workload.sharedKeyBytes,
    blockSize,
    filterBitsPerKey,
  };
  const removes = workload.kind === "deleteHeavy" ? workload.removes ?? WORKLOAD_DEFAULTS.removes : 0;
  const recordBytes = (1 - removes) * putRecordBytes(sizes) + removes * removeRecordBytes(sizes);
  const perFlush = Math.ceil(options.maxMemtableSize / recordBytes);
  const userBytesEach = (1 - removes) * entryBytes + removes * keyBytes;
  const perSecond = workload.operationsPerSecond ?? WORKLOAD_DEFAULTS.operationsPerSecond;
  const { spread, reads, stretches } = keysOf(workload);
  return {
    ...spread,
    sizes,
    reads,
    entryBytes,
    operations,
    userBytes: operations * userBytesEach,
    flushes: Math.floor(operations / perFlush),
    keysAfter: (written) => spread.isOnce ? Math.min(written, keys) : keys,
    *steps(): Generator<LoadStep, void> {
      for (let first = 0; first + perFlush <= operations; first += perFlush) {
        yield {
          operations: perFlush,
          userBytes: perFlush * userBytesEach,
          time: (first + perFlush) / perSecond * 1000,
          stretches: stretches(first, perFlush),
        };
      }
    },
  };
}

interface Keys {
  readonly spread: KeySpread;
  readonly reads: readonly number[];
  /** Returns what `count` operations from `first` on leave in a memtable. */
  readonly stretches: (first: number, count: number) => readonly KeyStretch[];
}

function keysOf(workload: GeneratedWorkload): Keys {
  switch (workload.kind) {
    case "uniform":
      return randomKeys(workload.keys, [1], [1]);
    case "zipfian": {
      const { bands, weights } = bandsOf(workload);
      return randomKeys(workload.keys, bands, weights);
    }
    case "sequential":
      return keysInOrder(workload.keys, 0);
    case "timeOrdered":
      return keysInOrder(workload.keys, disorderOf(workload));
    case "deleteHeavy":
      return removedKeys(workload);
  }
}

/** Random writes: a write goes to a band by its weight, and there to any of its keys. */
function randomKeys(keys: number, bands: readonly number[], weights: readonly number[]): Keys {
  const chances = bands.map((share, band) => weights[band]! / (share * keys));
  return {
    spread: { bands, isOnce: false },
    reads: weights,
    stretches: (_, count) => {
      const puts = chances.map((chance) => reached(chance, count));
      return [{ from: 0, to: keys, shares: { puts, tombstones: 0, ghosts: 0 } }];
    },
  };
}

/** Returns the probability that something of a probability happens at least once in so many times. */
function reached(chance: number, times: number): number {
  return chance >= 1 ? 1 : -Math.expm1(times * Math.log1p(-chance));
}

/** Returns the bands of a zipfian distribution, narrow ones for the most popular keys. */
function bandsOf(
  { keys, skew = WORKLOAD_DEFAULTS.skew }: ZipfianWorkload,
): { readonly bands: readonly number[]; readonly weights: readonly number[] } {
  const edges = [0];
  for (let band = 1; band <= BANDS; band++) {
    const edge = Math.min(keys, Math.max(edges.at(-1)! + 1, Math.round(keys ** (band / BANDS))));
    if (edge > edges.at(-1)!) edges.push(edge);
  }
  const weights = edges.slice(1).map((edge, i) => weightOf(edges[i]!, edge, skew));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    bands: edges.slice(1).map((edge, i) => (edge - edges[i]!) / keys),
    weights: weights.map((weight) => weight / all),
  };
}

/** Returns the sum of `1 / r^skew` for the ranks behind `from` up to `to`: exact for the first, then the integral. */
function weightOf(from: number, to: number, skew: number): number {
  const exact = Math.min(to, Math.max(from, 100));
  let weight = 0;
  for (let rank = from + 1; rank <= exact; rank++) weight += rank ** -skew;
  if (to === exact) return weight;
  const integral = (rank: number): number =>
    Math.abs(1 - skew) < 1e-9 ? Math.log(rank) : rank ** (1 - skew) / (1 - skew);
  return weight + integral(to + 0.5) - integral(exact + 0.5);
}

function disorderOf({ disorder = WORKLOAD_DEFAULTS.disorder }: TimeOrderedWorkload): number {
  return disorder;
}

/** Keys in order, up to `disorder` places early or late. */
function keysInOrder(keys: number, disorder: number): Keys {
  return {
    spread: { bands: [1], isOnce: true },
    reads: [1],
    stretches: (first, count) => {
      const full = (from: number, to: number, share: number): KeyStretch => ({
        from,
        to,
        shares: { puts: [share], tombstones: 0, ghosts: 0 },
      });
      if (count >= keys) return [full(0, keys, 1)];
      const from = first % keys;
      const to = from + count;
      // A memtable that goes past the last key has some of the last and some of the first.
      if (to > keys) return [full(0, to - keys, 1), full(from, keys, 1)];
      const early = Math.min(disorder, from);
      const late = Math.min(disorder, keys - to);
      return [full(from - early, to + late, count / (count + early + late))];
    },
  };
}

/**
 * Puts of any key and removes of any that exists.
 *
 * Of all operations r remove. In the long run a key is there with a probability of `(1 - 2r) / (1 - r)`: then puts make as many keys
 * as removes take. Removing any of the keys that are there, as often as r says, is removing any of all keys, there or
 * not, more often by the share that is there. That share approaches the one above as `1 - e^(-(1 - r) operations / keys)`.
 */
function removedKeys({ keys, removes = WORKLOAD_DEFAULTS.removes }: DeleteHeavyWorkload): Keys {
  const inTheEnd = (1 - 2 * removes) / (1 - removes);
  const liveAfter = (operations: number): number =>
    inTheEnd * -Math.expm1(-(1 - removes) * operations / keys);
  return {
    spread: { bands: [1], isOnce: false },
    reads: [1],
    stretches: (first, count) => {
      const each = count / STEPS;
      let [puts, removed, putTimes, removeTimes] = [0, 0, 0, 0];
      for (let step = 0; step < STEPS; step++) {
        const live = Math.max(liveAfter(first + (step + 0.5) * each), 1 / keys);
        const [put, remove] = [each * (1 - removes) / keys, each * removes / keys / live];
        const touched = -Math.expm1(-(put + remove));
        puts += touched * (put / (put + remove) - puts);
        removed += touched * (remove / (put + remove) - removed);
        putTimes += put;
        removeTimes += remove;
      }
      // Keys that were not there and were not put either were removed in vain.
      const ghosts = (1 - liveAfter(first)) * Math.exp(-putTimes) * -Math.expm1(-removeTimes);
      const tombstones = Math.max(0, removed - ghosts);
      return [{ from: 0, to: keys, shares: { puts: [puts], tombstones, ghosts } }];
    },
  };
}

/** The load of a history: what it says of each flush, in a key space as dense as its merges tell. */
function loadOfHistory(workload: Workload & { readonly kind: "recorded" }, options: LoadOptions): Load {
  const { flushes, density, keyBytes } = recordedLoad(workload.history);
  const { blockSize, filterBitsPerKey } = options;
  const entries = flushes.reduce((sum, flush) => sum + flush.entries, 0);
  const puts = entries - flushes.reduce((sum, flush) => sum + flush.tombstones, 0);
  const bytes = flushes.reduce((sum, flush) => sum + flush.bytes, 0);
  // What a segment has beside keys and values is about 3 bytes an entry, filter and index included.
  const valueBytes = Math.max(0, Math.round((bytes - 3 * entries) / Math.max(puts, 1)) - keyBytes);
  const sizes: EntrySizes = { keyBytes, valueBytes, sharedKeyBytes: 0, blockSize, filterBitsPerKey };
  const entryBytes = keyBytes + valueBytes;
  const bytesOf = (flush: RecordedFlush): number =>
    flush.batches * (entryBytes - valueBytes * flush.tombstones / Math.max(flush.entries, 1));
  // Numbers become keys; 32 times 2^48 of them are still exact.
  const scale = Math.min(density, 32);
  const end = flushes.reduce((most, { to }) => Math.max(most, Math.ceil(to * scale)), 1);
  const start = flushes[0]?.time ?? 0;
  return {
    bands: [1],
    isOnce: false,
    sizes,
    reads: [1],
    entryBytes,
    operations: flushes.reduce((sum, { batches }) => sum + batches, 0),
    userBytes: flushes.reduce((sum, flush) => sum + bytesOf(flush), 0),
    flushes: flushes.length,
    keysAfter: () => end,
    *steps(): Generator<LoadStep, void> {
      for (const flush of flushes) {
        const from = Math.floor(flush.from * scale);
        const to = Math.max(from + 1, Math.ceil(flush.to * scale));
        yield {
          operations: flush.batches,
          userBytes: bytesOf(flush),
          time: flush.time - start,
          stretches: [{ from, to, shares: recordedShares(flush, to - from) }],
        };
      }
    },
  };
}

function recordedShares({ entries, tombstones }: RecordedFlush, keys: number): KeyShares {
  return {
    puts: [Math.min(1, (entries - tombstones) / keys)],
    tombstones: Math.min(1, tombstones / keys),
    ghosts: 0,
  };
}
