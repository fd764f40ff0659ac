/**
 * The tasks of a tree: begun where background work runs, and folded into the state when they have ended.
 *
 * Until a tree is open, and with `background: "inline"`, they run in the calling thread; a Worker is not made before the first
 * task after that.
 *
 * @module
 */

import type { Command, Task, TreeState } from "../core/mod.ts";
import type { Background, TaskOutcome } from "./background.ts";
import { InlineBackground, workerObstacle } from "./background.ts";
import type { ResolvedConfig } from "./config.ts";
import { FileStorage } from "./file_storage.ts";
import { MERGE_LANES, WorkerBackground } from "./worker_background.ts";

/** What tasks need of the engine. */
export interface TaskHost {
  /** The state of this moment, also while the tree is being closed. */
  currentState(): TreeState;
  /** Folds in how a task has ended. */
  taskEnded(command: Command): void;
  /** Files that were handed over were removed, or not. */
  removed(names: readonly string[], isDone: boolean): void;
  /** Puts what is still buffered of journals into their files, from which a Worker reads. */
  drainJournals(): void;
  /** Poisons the tree if a barrier failed; returns the error behind it. */
  poisonIfBarrier(error: unknown): unknown;
}

/** What was run. */
export interface TaskCounts {
  /** Bytes of segments written. */
  readonly bytes: number;
  /** Flushes that were run. */
  readonly flushes: number;
  /** Merges that were run. */
  readonly merges: number;
}

/** The tasks of a tree. */
export class Tasks {
  readonly #host: TaskHost;
  readonly #config: ResolvedConfig;
  readonly #clock: () => number;
  #background: Background;
  #counts: TaskCounts = { bytes: 0, flushes: 0, merges: 0 };
  /** Called as tasks in this thread get on. */
  #watch: (() => void) | undefined;

  /** Runs tasks in the calling thread until {@linkcode moveToWorkers}. */
  constructor(host: TaskHost, config: ResolvedConfig, clock: () => number) {
    this.#host = host;
    this.#config = config;
    this.#clock = clock;
    const wish = config.readOnly ? "a read-only handle has no work to do" : "it was asked for";
    const reason = workerObstacle(config.storage) ?? wish;
    this.#background = new InlineBackground(config.storage, reason, () => this.#watch?.());
  }

  /** Runs tasks where the configuration says from now on; returns how many may be under way. */
  moveToWorkers(): number {
    const { background, storage } = this.#config;
    if (background === "inline" || !(storage instanceof FileStorage)) return 1;
    this.#background = new WorkerBackground(storage, {
      wake: () => this.drain(),
      activity: () => this.#host.currentState().seqno,
      removed: (names, isDone) => this.#host.removed(names, isDone),
    });
    return 1 + MERGE_LANES;
  }

  /** Where they run. */
  get background(): Pick<Background, "mode" | "reason" | "threads" | "hasNews"> {
    return this.#background;
  }

  /** What was run. */
  get counts(): TaskCounts {
    return this.#counts;
  }

  /** Calls `watch` as tasks in this thread get on. */
  watchWith(watch: (() => void) | undefined): void {
    this.#watch = watch;
  }

  /** Begins a task. How it ends is folded in, now or later. */
  begin(task: Task): void {
    let outcome: TaskOutcome | undefined;
    try {
      if (this.#background.mode === "worker") this.#host.drainJournals();
      outcome = this.#background.begin(task);
    } catch (error) {
      outcome = { kind: "failed", task, error };
    }
    if (outcome !== undefined) this.#ended(outcome);
  }

  /** Folds in what has ended. */
  drain(): void {
    for (const outcome of this.#background.ended()) this.#ended(outcome);
  }

  #ended(outcome: TaskOutcome): void {
    if (this.#host.currentState().poisoned !== undefined) return;
    const now = this.#clock();
    const task = outcome.task.id;
    if (outcome.kind === "finished") {
      const { bytes, flushes, merges } = this.#counts;
      const isFlush = outcome.task.kind === "flush";
      this.#counts = {
        bytes: bytes + outcome.bytes,
        flushes: flushes + (isFlush ? 1 : 0),
        merges: merges + (isFlush ? 0 : 1),
      };
      this.#host.taskEnded({ kind: "task_finished", task, outputs: outcome.outputs, now });
    } else if (outcome.kind === "cancelled") {
      this.#host.taskEnded({ kind: "task_cancelled", task, now });
    } else {
      const error = this.#host.poisonIfBarrier(outcome.error);
      this.#host.taskEnded({ kind: "task_failed", task, error, now });
    }
  }

  /** Holds the thread until some task has got on, at most so long; says whether there is one to wait for. */
  workOn(milliseconds: number): boolean {
    const { failure, poisoned, inFlight } = this.#host.currentState();
    if (poisoned !== undefined || failure?.work === "flush" || inFlight.length === 0) return false;
    this.#background.hold(milliseconds);
    this.drain();
    return true;
  }

  /** Has files removed beside this thread; says whether that can be done now. */
  remove(names: readonly string[]): boolean {
    return this.#background.remove(names);
  }

  /** Gives tasks up that nobody wants any more. */
  cancel(tasks: readonly Task[]): void {
    for (const task of tasks) this.#background.cancel(task);
  }

  /** Returns how many bytes of its inputs a task has read. */
  progressOf(task: Task): number {
    return this.#background.progressOf(task);
  }

  /** Ends what is left. */
  close(): void {
    this.#background.close();
  }
}
