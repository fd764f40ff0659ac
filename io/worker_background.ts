/**
 * Background work in Workers: flushes in one lane, merges in the others.
 *
 * ```text
 * thread 0   lane 0  flushes     lane 1  merges     a flush goes before, in the middle of a merge (`worker.ts`)
 * thread 1   lane 2  merges
 * thread 2   lane 3  merges                         as many threads as there are cores beside the writer's, 1 to 3
 * ```
 *
 * The thread that writes only appends and publishes. A message is the task, an answer what became of it (`task_message.ts`).
 *
 * Invariant: a thread that is held waits only for what ends without its event loop. A task that no Worker has begun it runs
 * itself; one that a Worker has begun ends in that Worker, or the Worker is found dead.
 *
 * Where a Worker cannot be made, or dies again and again, tasks run inline from then on, and `reason` says why.
 *
 * @module
 */

import type { Task } from "../core/mod.ts";
import { IoError } from "../core/mod.ts";
import type { Background, BackgroundMode, TaskOutcome } from "./background.ts";
import { InlineBackground } from "./background.ts";
import { decodeError } from "./error_message.ts";
import type { FileStorage } from "./file_storage.ts";
import { SharedCells } from "./shared_cells.ts";
import type { TaskReply } from "./task_message.ts";
import { TaskCancelled } from "./task_run.ts";
import { WorkerLane } from "./worker_lane.ts";
import type { ThreadHost } from "./worker_thread.ts";
import { WorkerThread } from "./worker_thread.ts";

/** What Workers tell. */
export interface BackgroundHost {
  /** There may be news. */
  wake(): void;
  /** A number that changes as long as the tree is written to. */
  activity(): number;
  /** Files that were handed over were removed, or not. */
  removed(names: readonly string[], isDone: boolean): void;
}

/** How many merges may run at once: each in a thread of its own. */
export const MERGE_LANES: number = Math.min(3, Math.max(1, navigator.hardwareConcurrency - 1));

/** A Worker that has died this often without a task done between is given up. */
const DEATHS_MAX = 3;

/** A held thread leaves a task for so long to a Worker that is there and does not begin it. */
const PATIENCE_MS = 20;

/** And for so long to one that is being made. */
const START_PATIENCE_MS = 100;

/**
 * Where a tree is closed with a task under way, its Worker is waited for: `terminate()` only ends what comes back to its event loop,
 * and it must not touch the folder when that is another handle's. At most so long; asked this often.
 */
const END_MS_MAX = 2_000;
const END_LOOK_MS = 10;

/** Runs tasks in Workers. */
export class WorkerBackground implements Background, ThreadHost {
  readonly #host: BackgroundHost;
  readonly #inline: InlineBackground;
  readonly #shared: SharedCells;
  readonly #threads: readonly WorkerThread[];
  readonly #lanes: readonly WorkerLane[];
  #mode: BackgroundMode = "worker";
  #reason = "";
  #seen = 0;
  readonly #deaths: Map<WorkerThread, number> = new Map();
  /** What has ended without a reply. */
  #outcomes: TaskOutcome[] = [];

  /** Makes threads without Workers, one for each merge that may run. */
  constructor(storage: FileStorage, host: BackgroundHost, mergeLanes: number = MERGE_LANES) {
    this.#host = host;
    this.#shared = new SharedCells(1 + mergeLanes);
    this.#inline = new InlineBackground(storage, "");
    const lanesOf = (thread: number): number[] => thread === 0 ? [0, 1] : [thread + 1];
    this.#threads = Array.from(
      { length: mergeLanes },
      (_, i) => new WorkerThread(this, lanesOf(i), this.#shared, storage.folder),
    );
    this.#lanes = this.#threads.flatMap((thread, i) =>
      lanesOf(i).map((lane) =>
        new WorkerLane(thread, lane, this.#shared.lane(lane), (why) => this.died(thread, why))
      )
    );
  }

  get mode(): BackgroundMode {
    return this.#mode;
  }

  get reason(): string {
    return this.#reason;
  }

  get threads(): number {
    return this.#threads.filter((thread) => thread.isRunning).length;
  }

  get hasNews(): boolean {
    return this.#shared.replies !== this.#seen || this.#outcomes.length > 0;
  }

  begin(task: Task): TaskOutcome | undefined {
    const lanes = task.kind === "flush" ? this.#lanes.slice(0, 1) : this.#lanes.slice(1);
    // The first thread is the flushes' too.
    const lane = lanes.findLast((one) => one.task === undefined);
    if (this.#mode === "inline" || lane === undefined) return this.#inline.begin(task);
    try {
      lane.begin(task);
      return undefined;
    } catch (error) {
      lane.thread.close();
      this.#giveUp(`a worker could not be made: ${(error as Error).message}`);
      return this.#inline.begin(task);
    }
  }

  #giveUp(reason: string): void {
    this.#mode = "inline";
    this.#reason = reason;
  }

  ended(): readonly TaskOutcome[] {
    this.#seen = this.#shared.replies;
    const outcomes = this.#outcomes;
    this.#outcomes = [];
    for (const thread of this.#threads) {
      for (let reply = thread.receive(); reply !== undefined; reply = thread.receive()) {
        const task = this.#lanes[reply.lane]?.answered(reply);
        if (task !== undefined) outcomes.push(this.#outcomeOf(reply, task));
        this.#deaths.delete(thread);
        this.#restIfDone(thread);
      }
    }
    return outcomes;
  }

  #outcomeOf(reply: TaskReply, task: Task): TaskOutcome {
    if (reply.kind === "finished") {
      return { kind: "finished", task, outputs: reply.outputs, bytes: reply.bytes };
    }
    if (reply.kind === "unreadable") {
      // What the journal does not give is still in memory.
      this.#reason = `a memtable was flushed from memory: ${reply.error.message}`;
      return this.#inline.begin(task);
    }
    const error = decodeError(reply.error);
    return error instanceof TaskCancelled ? { kind: "cancelled", task } : { kind: "failed", task, error };
  }

  #isBusy(thread: WorkerThread): boolean {
    return this.#lanes.some((lane) => lane.thread === thread && lane.task !== undefined);
  }

  #restIfDone(thread: WorkerThread): void {
    if (!this.#isBusy(thread)) thread.rest();
  }

  hold(milliseconds: number): void {
    for (const lane of this.#lanes) {
      if (lane.task === undefined || lane.silentMs < (lane.isReady ? PATIENCE_MS : START_PATIENCE_MS)) {
        continue;
      }
      const task = lane.takeBack();
      if (task !== undefined) {
        this.#outcomes.push(this.#inline.begin(task));
        return this.#restIfDone(lane.thread);
      }
      lane.look();
    }
    if (!this.hasNews) this.#shared.waitForReply(this.#seen, milliseconds);
  }

  cancel(task: Task): void {
    this.#inline.cancel(task);
    this.#lanes.find((lane) => lane.task === task)?.cancel();
  }

  progressOf(task: Task): number {
    const lane = this.#lanes.find((one) => one.task === task);
    return lane === undefined ? this.#inline.progressOf(task) : lane.progress;
  }

  remove(names: readonly string[]): boolean {
    return this.#threads[0]!.remove(names);
  }

  wake(): void {
    this.#host.wake();
  }

  activity(): number {
    return this.#host.activity();
  }

  removed(names: readonly string[], isDone: boolean): void {
    this.#host.removed(names, isDone);
  }

  died(thread: WorkerThread, why: string): void {
    const lanes = this.#lanes.filter((lane) => lane.thread === thread);
    for (const lane of lanes) lane.cancel();
    thread.close();
    const error = new IoError(`Cannot go on with background work: the worker has ended: ${why}`);
    const deaths = (this.#deaths.get(thread) ?? 0) + 1;
    this.#deaths.set(thread, deaths);
    if (!lanes[0]!.isReady) this.#giveUp(`a worker did not start: ${error.message}`);
    else if (deaths >= DEATHS_MAX) this.#giveUp(`workers died: ${error.message}`);
    for (const lane of lanes) {
      const { task } = lane;
      if (task === undefined) continue;
      // What it has begun it may still be writing.
      const isUnclaimed = lane.takeBack() !== undefined;
      lane.forget();
      this.#outcomes.push(isUnclaimed ? this.#inline.begin(task) : { kind: "failed", task, error });
    }
    this.#host.wake();
  }

  close(): void {
    const deadline = performance.now() + END_MS_MAX;
    for (const lane of this.#lanes) {
      lane.cancel();
      lane.takeBack();
    }
    for (const thread of this.#threads) {
      while ((this.#isBusy(thread) || thread.isRemoving) && performance.now() < deadline) {
        this.#shared.waitForReply(this.#shared.replies, END_LOOK_MS);
        this.ended();
      }
      thread.close();
    }
    for (const lane of this.#lanes) lane.forget();
  }
}
