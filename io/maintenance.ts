/**
 * Maintenance that a user asks for: a flush of the memtable, and a compaction.
 *
 * Both are wishes folded into the state; whoever runs the tasks, here it is only waited for them. What keeps a wish from being
 * granted is thrown, and nothing is lost by it.
 *
 * @module
 */

import type { Interval, Task } from "../core/mod.ts";
import { ClosedError, versionSegments } from "../core/mod.ts";
import type { Bounds } from "./bounds.ts";
import { EVERYTHING, intervalOf } from "./bounds.ts";
import type { Engine } from "./engine.ts";

/** How far a compaction is. */
export interface CompactProgress {
  /** Bytes of segments that have been read. */
  readonly doneBytes: number;
  /** Bytes of segments to be read in all, as far as is known. */
  readonly totalBytes: number;
}

/** What a user may say about a compaction. */
export interface CompactOptions {
  /** The keys that are compacted; all if not given. `limit` and `reverse` mean nothing here. */
  readonly range?: Bounds;
  /** Ends it early, with its reason. */
  readonly signal?: AbortSignal;
  /** Told how far it is, some times a second. It must not write to the tree. */
  readonly onProgress?: (progress: CompactProgress) => void;
}

/** How a compaction is done. */
export interface Compaction {
  /** The keys that it is about. */
  readonly interval: Interval;
  /** Ends it early. */
  readonly signal: AbortSignal | undefined;
  /** Told how far it is. */
  readonly onProgress: ((progress: CompactProgress) => void) | undefined;
}

/** How often progress of work in a Worker is looked at. */
const LOOK_MS = 50;

/**
 * Returns what a user said about a compaction, checked.
 *
 * @throws {TypeError} If an option has a wrong type.
 */
export function compactionOf(options: CompactOptions): Compaction {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Cannot compact: the options are no object");
  }
  const { range, signal, onProgress } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("Cannot compact: the signal is not an AbortSignal");
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError("Cannot compact: onProgress is not a function");
  }
  return { interval: range === undefined ? EVERYTHING : intervalOf(range), signal, onProgress };
}

/** Resolves when a write would not have to wait; also when it would throw instead. */
export async function ready(engine: Engine): Promise<void> {
  engine.checkOpen();
  if (engine.pressure().level === "go") return;
  await engine.until(() => isStuck(engine) || engine.pressure().level === "go");
  engine.checkOpen();
}

/** Writes the memtable to a segment. */
export async function flushMemtable(engine: Engine): Promise<void> {
  engine.checkWritable();
  if (engine.pressure().level === "stop") {
    await engine.until(() => isStuck(engine) || engine.pressure().level !== "stop");
    engine.checkWritable();
  }
  const target = engine.state.seqno;
  let isOld = engine.state.inFlight.length > 0;
  engine.seal();
  for (;;) {
    await engine.until(() => isStuck(engine) || engine.state.version.flushedSeqno >= target);
    if (!isOld || !canRetry(engine)) break;
    // What has failed may have been begun long before this call: it is tried again once before anybody is told.
    isOld = false;
    engine.retry();
  }
  throwIfStuck(engine);
}

function canRetry(engine: Engine): boolean {
  if (engine.isClosed) return false;
  const { failure, poisoned } = engine.state;
  return poisoned === undefined && failure !== undefined && failure.work !== "strategy";
}

function isStuck(engine: Engine): boolean {
  return engine.isClosed || engine.hasFailed;
}

function throwIfStuck(engine: Engine): void {
  if (engine.isClosed) {
    throw new ClosedError(`Cannot go on with the tree "${engine.folder}": it was closed meanwhile`);
  }
  engine.throwFailure();
}

/**
 * Compacts the keys of an interval into the last level.
 *
 * One compaction at a time: another waits for it. What a compaction has committed stays when it is ended early.
 */
export async function compact(engine: Engine, options: Compaction): Promise<void> {
  engine.checkWritable();
  options.signal?.throwIfAborted();
  await flushMemtable(engine);
  await engine.until(() => isStuck(engine) || engine.state.manual === undefined);
  throwIfStuck(engine);
  options.signal?.throwIfAborted();
  await new RunningCompaction(engine, options).run();
}

/** A compaction under way. */
class RunningCompaction {
  readonly #engine: Engine;
  readonly #options: Compaction;
  readonly #id: number;
  readonly #totalBytes: number;
  /** Its merges that have not ended, with the bytes of their inputs. */
  #merges: ReadonlyMap<Task, number> = new Map();
  #endedBytes = 0;
  #toldAt = -Infinity;
  #ended: { readonly error: unknown } | undefined;

  constructor(engine: Engine, options: Compaction) {
    this.#engine = engine;
    this.#options = options;
    this.#id = engine.newCompactionId();
    this.#totalBytes = bytesWithin(engine, options.interval);
  }

  async run(): Promise<void> {
    const { signal, onProgress, interval } = this.#options;
    const abort = (): void => this.#end(signal!.reason);
    signal?.addEventListener("abort", abort);
    const look = (): void => this.#look(false);
    const timer = onProgress === undefined ? undefined : setInterval(look, LOOK_MS);
    this.#engine.tasks.watchWith(look);
    try {
      this.#engine.compact(this.#id, interval);
      for (let isOld = true;; isOld = false) {
        await this.#engine.until(() => {
          this.#count();
          return this.#ended !== undefined || isStuck(this.#engine) || !this.#isWanted();
        });
        // What the strategy had begun before it is waited for, and may have failed.
        if (!isOld || !canRetry(this.#engine) || this.#engine.state.manual?.rounds !== 0) break;
        this.#engine.retry();
      }
      this.#look(true);
    } finally {
      clearInterval(timer);
      signal?.removeEventListener("abort", abort);
      this.#engine.tasks.watchWith(undefined);
      if (!this.#engine.isClosed && this.#isWanted()) this.#engine.abandonCompaction(this.#id);
    }
    if (this.#ended !== undefined) throw this.#ended.error;
    throwIfStuck(this.#engine);
  }

  #isWanted(): boolean {
    return !this.#engine.isClosed && this.#engine.state.manual?.id === this.#id;
  }

  /** Ends it early; what of it runs is cancelled. */
  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    if (this.#isWanted()) this.#engine.abandonCompaction(this.#id);
  }

  /** Counts merges that have ended, and finds those that have begun. */
  #count(): void {
    const { state } = this.#engine;
    const merges = new Map<Task, number>();
    for (const task of this.#isWanted() ? state.inFlight : []) {
      if (task.kind === "merge" && state.manual!.rounds > 0) merges.set(task, bytesOf(task));
    }
    for (const [task, bytes] of this.#merges) if (!merges.has(task)) this.#endedBytes += bytes;
    this.#merges = merges;
  }

  /** Tells how far it is, at most every so often. */
  #look(isOver: boolean): void {
    const { onProgress } = this.#options;
    const now = performance.now();
    if (onProgress === undefined || this.#ended !== undefined || this.#engine.isClosed) return;
    if (!isOver && now - this.#toldAt < LOOK_MS) return;
    this.#toldAt = now;
    this.#count();
    let doneBytes = this.#endedBytes;
    let totalBytes = this.#endedBytes;
    for (const [task, bytes] of this.#merges) {
      doneBytes += Math.min(this.#engine.tasks.progressOf(task), bytes);
      totalBytes += bytes;
    }
    totalBytes = Math.max(totalBytes, this.#totalBytes);
    if (isOver && !isStuck(this.#engine)) doneBytes = totalBytes;
    try {
      this.#engine.guarded(() => onProgress({ doneBytes, totalBytes }));
    } catch (error) {
      this.#end(error);
    }
  }
}

function bytesOf(task: Task): number {
  if (task.kind === "flush") return 0;
  return task.inputs.flatMap((run) => run.segments).reduce((sum, segment) => sum + segment.size, 0);
}

function bytesWithin(engine: Engine, { lower, upper }: Interval): number {
  return versionSegments(engine.state.version)
    .filter(({ minKey, maxKey }) => maxKey >= lower && (upper === undefined || minKey < upper))
    .reduce((sum, segment) => sum + segment.size, 0);
}
