/**
 * A task: work on segments as a complete value.
 *
 * Whoever runs it, in the same thread or another, needs nothing else: inputs, ids for the outputs that nothing else will
 * ever use, where the outputs go, what lies below them, how they are encoded. It enters the state's `inFlight`
 * in the step that starts it, and its result comes back as a command.
 *
 * Arithmetic of the ids: a merge cuts a new segment when `targetSize` is reached, so there are at most
 * `ceil(input bytes / targetSize)` cuts for size, plus one at most for each input where a full index forces one.
 *
 * @module
 */

import type { CompressionName } from "./codec.ts";
import type { Salt } from "./file_header.ts";
import type { Memtable } from "./memtable.ts";
import type { SegmentOrigin } from "./segment.ts";
import type { Run, SegmentId } from "./version.ts";

/** Keys from one to another, both included. */
export interface KeyRange {
  /** The smallest key. */
  readonly minKey: string;
  /** The greatest key. */
  readonly maxKey: string;
}

/** What a task asks of a run that is older than its inputs: which ranges of keys it covers. */
export interface OlderRun {
  /** The ranges, sorted and disjoint. */
  readonly segments: readonly KeyRange[];
}

/** How the outputs of a task are encoded. */
export interface TaskEncoding {
  /** Target bytes of a data block. */
  readonly blockSize: number;
  /** Bits of the filter for each key. */
  readonly filterBitsPerKey: number;
  /** The seed of the key hash. */
  readonly hashSeed: number;
  /** How blocks are compressed. */
  readonly compression: CompressionName;
}

/** What every task says. */
export interface TaskBase {
  /** Tells tasks of one handle apart. */
  readonly id: number;
  /** The first id reserved for outputs. */
  readonly firstOutput: SegmentId;
  /** How many ids are reserved. */
  readonly outputs: number;
  /** The salt of this open of the tree, from which each output's is made. */
  readonly salt: Salt;
  /** The level the outputs go to. */
  readonly destLevel: number;
  /** Bytes from which on a new output is begun. */
  readonly targetSize: number;
  /** How the outputs are encoded. */
  readonly encoding: TaskEncoding;
  /** What the outputs inherit. */
  readonly origin: SegmentOrigin;
  /** Runs older than the inputs: a tombstone that none of them covers goes. */
  readonly older: readonly OlderRun[];
  /** Why it is done, in words. */
  readonly reason: string;
}

/** Writes a memtable to segments. */
export interface FlushTask extends TaskBase {
  /** Tells it from a merge. */
  readonly kind: "flush";
  /** The memtable. */
  readonly memtable: Memtable;
}

/** Merges segments. */
export interface MergeTask extends TaskBase {
  /** Tells it from a flush. */
  readonly kind: "merge";
  /** The segments as runs, newest first. */
  readonly inputs: readonly Run[];
}

/** Work on segments as a complete value. */
export type Task = FlushTask | MergeTask;

/** Returns how many ids a task needs for its outputs. */
export function outputsNeeded(inputBytes: number, targetSize: number, inputs: number): number {
  return Math.ceil(inputBytes / targetSize) + inputs;
}

/** Returns the ids of the segments that a task reads. */
export function taskInputs(task: Task): readonly SegmentId[] {
  return task.kind === "flush" ? [] : task.inputs.flatMap((run) => run.segments.map((segment) => segment.id));
}
