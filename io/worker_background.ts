/**
 * Background work in Workers: flushes in one lane, merges in the others.
 *
 * ```text
 * lane 0    flushes                    a merge of minutes must not keep a memtable waiting
 * lane 1..  merges                     as many as there are cores beside the writer's and the flush's, 1 to 3
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
import type { Background, BackgroundMode, TaskOutcome } from "./background.ts";
import { InlineBackground } from "./background.ts";
import { decodeError } from "./error_message.ts";
import type { FileStorage } from "./file_storage.ts";
import { SharedCells } from "./shared_cells.ts";
import { TaskCancelled } from "./task_run.ts";
import type { LaneHost } from "./worker_lane.ts";
import { WorkerLane } from "./worker_lane.ts";

/** What Workers tell. */
export interface BackgroundHost {
  /** There may be news. */
  wake(): void;
  /** A number that changes as long as the tree is written to. */
  activity(): number;
  /** Files that were handed over were removed, or not. */
  removed(names: readonly string[], isDone: boolean): void;
}

/** How many merges may run at once. */
export const MERGE_LANES: number = Math.min(3, Math.max(1, navigator.hardwareConcurrency - 2));

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
export class WorkerBackground implements Background, LaneHost {
  readonly #host: BackgroundHost;
  readonly #inline: InlineBackground;
  readonly #shared = new SharedCells(1 + MERGE_LANES);
  readonly #lanes: readonly WorkerLane[];
  #mode: BackgroundMode = "worker";
  #reason = "";
  #seen = 0;
  readonly #deaths: Map<WorkerLane, number> = new Map();
  /** What has ended without a reply. */
  #outcomes: TaskOutcome[] = [];

  /** Makes lanes without Workers. */
  constructor(storage: FileStorage, host: BackgroundHost) {
    this.#host = host;
    this.#inline = new InlineBackground(storage, "");
    this.#lanes = Array.from(
      { length: 1 + MERGE_LANES },
      (_, i) => new WorkerLane(this, i, this.#shared, storage.folder),
    );
  }

  get mode(): BackgroundMode {
    return this.#mode;
  }

  get reason(): string {
    return this.#reason;
  }

  get threads(): number {
    return this.#lanes.filter((lane) => lane.isRunning).length;
  }

  get hasNews(): boolean {
    return this.#shared.replies !== this.#seen || this.#outcomes.length > 0;
  }

  begin(task: Task): TaskOutcome | undefined {
    const lanes = task.kind === "flush" ? this.#lanes.slice(0, 1) : this.#lanes.slice(1);
    const lane = lanes.find((one) => one.task === undefined);
    if (this.#mode === "inline" || lane === undefined) return this.#inline.begin(task);
    try {
      lane.begin(task);
      return undefined;
    } catch (error) {
      lane.close();
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
    for (const lane of this.#lanes) {
      const { task } = lane;
      const reply = lane.reply();
      if (reply === undefined) continue;
      this.#deaths.delete(lane);
      if (reply.kind === "finished") {
        outcomes.push({ kind: "finished", task: task!, outputs: reply.outputs, bytes: reply.bytes });
      } else if (reply.kind === "unreadable") {
        // What the journal does not give is still in memory.
        this.#reason = `a memtable was flushed from memory: ${reply.error.message}`;
        outcomes.push(this.#inline.begin(task!));
      } else {
        const error = decodeError(reply.error);
        outcomes.push(
          error instanceof TaskCancelled
            ? { kind: "cancelled", task: task! }
            : { kind: "failed", task: task!, error },
        );
      }
    }
    return outcomes;
  }

  hold(milliseconds: number): void {
    for (const lane of this.#lanes) {
      if (lane.task === undefined || lane.silentMs < (lane.isReady ? PATIENCE_MS : START_PATIENCE_MS)) {
        continue;
      }
      const task = lane.takeBack();
      if (task !== undefined) {
        this.#outcomes.push(this.#inline.begin(task));
        return;
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
    return this.#lanes[0]!.remove(names);
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

  died(lane: WorkerLane, error: Error): void {
    const { task } = lane;
    const isUnclaimed = lane.takeBack() !== undefined;
    lane.forget();
    const deaths = (this.#deaths.get(lane) ?? 0) + 1;
    this.#deaths.set(lane, deaths);
    if (!lane.isReady) this.#giveUp(`a worker did not start: ${error.message}`);
    else if (deaths >= DEATHS_MAX) this.#giveUp(`workers died: ${error.message}`);
    if (task !== undefined) {
      this.#outcomes.push(
        isUnclaimed ? this.#inline.begin(task) : { kind: "failed", task, error },
      );
    }
    this.#host.wake();
  }

  close(): void {
    for (const lane of this.#lanes) lane.cancel();
    const deadline = performance.now() + END_MS_MAX;
    for (const lane of this.#lanes) {
      lane.takeBack();
      for (; lane.isBusy && performance.now() < deadline; lane.reply()) {
        this.#shared.waitForReply(this.#shared.replies, END_LOOK_MS);
      }
      lane.close();
    }
  }
}
