/**
 * Background work: who runs a task, and where.
 *
 * A task is a complete value (`core/task.ts`), so whoever runs it needs only the storage. It has readers of its own, which
 * neither fill the cache nor count among the reads of the user.
 *
 * `inline` runs it in the calling thread, at once: deterministic, and the one way for any storage but files.
 *
 * @module
 */

import { rewrite } from "../compaction/mod.ts";
import type { Codecs, SegmentMeta, Task } from "../core/mod.ts";
import { BlockCache } from "./block_cache.ts";
import { SegmentReaders } from "./segment_reader.ts";
import { SegmentWriter } from "./segment_writer.ts";
import type { Storage } from "./storage.ts";

/** What a task wrote. */
export interface TaskResult {
  /** The segments. */
  readonly outputs: readonly SegmentMeta[];
  /** Their bytes. */
  readonly bytes: number;
}

/** Tasks read each block once: keeping any would only push out what readers want. */
const NO_CACHE = new BlockCache({ capacity: 0 });

/** A task reads its inputs front to back, one file for each run at a time. */
const OPEN_FILES_MAX = 64;

/** Inputs are read this many bytes at a time: 64 blocks for one call and one buffer. */
const WINDOW_BYTES = 256 * 1024;

/**
 * Runs a task in the calling thread, with file handles of its own.
 *
 * @returns Its outputs, which survive power loss.
 * @throws What reading or writing threw; what was begun is removed.
 */
export function runInline(task: Task, storage: Storage, codecs: Codecs): TaskResult {
  const writer = new SegmentWriter(storage);
  const readers = new SegmentReaders(storage, NO_CACHE, codecs, OPEN_FILES_MAX, WINDOW_BYTES);
  try {
    const outputs = rewrite(task, readers, codecs[task.encoding.compression], writer);
    writer.finish();
    return { outputs, bytes: writer.bytes };
  } catch (error) {
    writer.abandon();
    throw error;
  } finally {
    readers.close();
  }
}
