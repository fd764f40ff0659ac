/**
 * Statistics: the shape of a tree and what this handle has done, as a value.
 *
 * All of it is known already: asking costs a pass over the list of segments, reads no file and cannot fail. Bytes on disk
 * are another matter and stand apart in {@linkcode diskBytes}, which lists the folder.
 *
 * @module
 */

import type { BackgroundMode } from "./background.ts";
import type { Stalls } from "./backpressure.ts";
import type { Engine } from "./engine.ts";
import type { Pressure } from "../core/mod.ts";
import { parseFileName } from "../core/mod.ts";

/** One level of a tree. */
export interface LevelStats {
  /** Its number. */
  readonly level: number;
  /** How many runs it has: lists of segments that are sorted and disjoint. */
  readonly runs: number;
  /** How many segments it has. */
  readonly segments: number;
  /** Their bytes on disk. */
  readonly bytes: number;
  /** Their entries, tombstones included. */
  readonly entries: number;
  /** Their tombstones. */
  readonly tombstones: number;
}

/** The shape of a tree and what this handle has done. */
export interface TreeStats {
  /** The levels that have segments. */
  readonly levels: readonly LevelStats[];
  /** Segments in all. */
  readonly segments: number;
  /** What is in memory, in bytes. */
  readonly memory: {
    /** Journals of memtables, which their values point into. */
    readonly memtables: number;
    /** Indexes and filters of segments that were read. */
    readonly indexes: number;
    /** Blocks in the cache, those of other trees that share it included. */
    readonly blockCache: number;
  };
  /** The memtables. */
  readonly memtables: {
    /** Entries of the active one. */
    readonly activeEntries: number;
    /** Bytes of its journal. */
    readonly activeBytes: number;
    /** How many wait to be flushed. */
    readonly sealed: number;
  };
  /** Blocks found in the cache and blocks read. */
  readonly cache: { readonly hits: number; readonly misses: number };
  /** Point reads of a segment that its filter ended, and those it let through. */
  readonly filter: { readonly hits: number; readonly passes: number };
  /** Bytes that this handle has written. */
  readonly written: {
    /** By the user: keys and values. */
    readonly user: number;
    /** To journals. */
    readonly journals: number;
    /** To segments, by flushes and merges. */
    readonly segments: number;
    /** To manifests. */
    readonly manifests: number;
  };
  /** Bytes written to segments for each byte written by the user; 0 before the first write. */
  readonly writeAmplification: number;
  /** How often memtables were flushed. */
  readonly flushes: number;
  /** How often segments were merged. */
  readonly merges: number;
  /** How often segments were moved without rewriting. */
  readonly moves: number;
  /** Barriers of the journal that were passed. */
  readonly syncs: number;
  /** Where flushes and compactions run, and why there. */
  readonly background: {
    /** In Workers, or in the calling thread. */
    readonly mode: BackgroundMode;
    /** Why; empty where nothing is to be said. */
    readonly reason: string;
    /** Workers that are there now; they come and go with the work. */
    readonly threads: number;
    /** Flushes and merges under way. */
    readonly tasks: number;
  };
  /** How hard writers are pressed, and why. */
  readonly pressure: Pressure;
  /** How often and how long writes of this handle were slowed down or stopped. */
  readonly stalls: Stalls;
  /** What background work has failed with, as long as it has not succeeded; also what poisoned the tree. */
  readonly lastError: unknown;
  /** Batches in all, and how many of them survive power loss. */
  readonly batches: { readonly written: number; readonly durable: number };
  /** Versions that snapshots and ranges keep, the current one included. */
  readonly pinnedVersions: number;
  /** Snapshots and ranges that were garbage before they were closed. */
  readonly leaks: number;
  /** Segment files held open. */
  readonly openFiles: number;
}

/** Returns the bytes of the files of segments, journals and the manifest. Cost: lists the folder. */
export function diskBytes(engine: Engine): number {
  engine.checkOpen();
  const files = engine.config.storage.list().filter(({ name }) => parseFileName(name) !== undefined);
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Returns the statistics of a tree. */
export function statsOf(engine: Engine): TreeStats {
  const { state, counts, readers, logBytes } = engine;
  const { background, counts: done } = engine.tasks;
  const levels = levelStats(engine);
  return {
    levels,
    segments: levels.reduce((sum, level) => sum + level.segments, 0),
    memory: {
      memtables: state.active.bytes + state.sealed.reduce((sum, memtable) => sum + memtable.bytes, 0),
      indexes: readers.bytes,
      blockCache: engine.config.blockCache.size,
    },
    memtables: {
      activeEntries: state.active.map.size,
      activeBytes: state.active.bytes,
      sealed: state.sealed.length,
    },
    cache: { hits: readers.counts.cacheHits, misses: readers.counts.cacheMisses },
    filter: { hits: readers.counts.filterHits, passes: readers.counts.filterPasses },
    written: {
      user: counts.userBytes,
      journals: logBytes.journals,
      segments: done.bytes,
      manifests: logBytes.manifests,
    },
    writeAmplification: counts.userBytes === 0 ? 0 : done.bytes / counts.userBytes,
    flushes: done.flushes,
    merges: done.merges,
    moves: counts.moves,
    syncs: logBytes.syncs,
    background: {
      mode: background.mode,
      reason: background.reason,
      threads: background.threads,
      tasks: state.inFlight.length,
    },
    pressure: engine.pressure(),
    stalls: engine.stalls,
    lastError: state.poisoned?.error ?? state.failure?.error,
    batches: { written: state.seqno, durable: state.durableSeqno },
    pinnedVersions: engine.pinnedVersions,
    leaks: counts.leaks,
    openFiles: readers.openFiles,
  };
}

function levelStats(engine: Engine): readonly LevelStats[] {
  const levels = new Map<number, LevelStats>();
  for (const { level, segments } of engine.state.version.runs) {
    const before = levels.get(level) ?? { level, runs: 0, segments: 0, bytes: 0, entries: 0, tombstones: 0 };
    let { bytes, entries, tombstones } = before;
    for (const segment of segments) {
      bytes += segment.size;
      entries += segment.entries;
      tombstones += segment.tombstones;
    }
    const count = before.segments + segments.length;
    levels.set(level, { level, runs: before.runs + 1, segments: count, bytes, entries, tombstones });
  }
  return [...levels.values()];
}
