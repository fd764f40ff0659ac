/**
 * A task, run: its inputs are read, its outputs written, with file handles of its own.
 *
 * A task is a complete value (`core/task.ts`), so the same function runs it in the calling thread and in a Worker. It neither
 * fills the cache nor counts among the reads of the user.
 *
 * Whoever wants to know how far it is, or to end it early, watches: the watch hears of every block that is read and written,
 * and what it throws ends the task like any other failure: what was begun is removed.
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

/** Hears how a task gets on. */
export interface TaskWatch {
  /** Called when bytes of inputs were read. What it throws ends the task. */
  read(bytes: number): void;
  /** Called when bytes of outputs were written. What it throws ends the task. */
  wrote(bytes: number): void;
  /** Called before and after an output is synced, which may take long. */
  syncing(isBegun: boolean): void;
}

/** Ends a task that nobody wants any more. */
export class TaskCancelled extends Error {}

/** Tasks read each block once: keeping any would only push out what readers want. */
const NO_CACHE = new BlockCache({ capacity: 0 });

/** A task reads its inputs front to back, one file for each run at a time. */
const OPEN_FILES_MAX = 64;

/** Inputs are read this many bytes at a time: 64 blocks for one call and one buffer. */
const WINDOW_BYTES = 256 * 1024;

/**
 * Runs a task in the calling thread.
 *
 * @returns Its outputs, which survive power loss.
 * @throws What reading, writing or the watch threw; what was begun is removed.
 */
export function runTask(task: Task, storage: Storage, codecs: Codecs, watch: TaskWatch): TaskResult {
  const writer = new SegmentWriter(storage, watch);
  const readers = new SegmentReaders(storage, NO_CACHE, codecs, OPEN_FILES_MAX, {
    windowBytes: WINDOW_BYTES,
    blockRead: (bytes) => watch.read(bytes),
  });
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
