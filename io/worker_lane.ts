/**
 * A lane: room for one task at a time in a thread that it may share with other lanes.
 *
 * Whether the thread is alive shows in the lane's beat, which goes up with every block. One that stays silent too long is given up, and
 * its task has failed; a new try gets ids of its own, so whatever a Worker still does that is not as dead as it seemed touches no file
 * that counts. A sync may take long and has a longer time.
 *
 * @module
 */

import type { Task } from "../core/mod.ts";
import type { LaneCells } from "./shared_cells.ts";
import type { TaskReply } from "./task_message.ts";
import { messageOf } from "./task_message.ts";
import type { WorkerThread } from "./worker_thread.ts";

/** A Worker that is not ready after this time will not come: its module cannot be loaded. */
const START_MS_MAX = 15_000;

/** A Worker that shows no sign of life for so long is taken for dead; while it syncs, for longer. */
const SILENT_MS_MAX = 10_000;
const SYNC_MS_MAX = 120_000;

/** How often signs of life are looked for. */
const LOOK_MS = 1000;

/** Room for one task. */
export class WorkerLane {
  /** The thread that it is in. */
  readonly thread: WorkerThread;
  readonly #number: number;
  readonly #cells: LaneCells;
  readonly #silent: (why: string) => void;
  #task: Task | undefined;
  #lookTimer: ReturnType<typeof setInterval> | undefined;
  #beats = 0;
  #seenAt = 0;

  /** Makes an empty lane; `silent` is called when its thread seems dead. */
  constructor(thread: WorkerThread, number: number, cells: LaneCells, silent: (why: string) => void) {
    this.thread = thread;
    this.#number = number;
    this.#cells = cells;
    this.#silent = silent;
  }

  /** The task it was given and has not answered. */
  get task(): Task | undefined {
    return this.#task;
  }

  /** Whether its Worker has said that it is there. */
  get isReady(): boolean {
    return this.#cells.isReady;
  }

  /** For how many ms its task has shown no sign of life. */
  get silentMs(): number {
    return performance.now() - this.#seenAt;
  }

  /** How many bytes of inputs its task has read. */
  get progress(): number {
    return this.#cells.progress * 1024;
  }

  /**
   * Gives it a task. Requires: it has none.
   *
   * @throws What making the Worker throws.
   */
  begin(task: Task): void {
    // Offered first: a Worker in the middle of a merge looks here whether there is a message for it.
    this.#cells.offer(task.id);
    this.thread.send({ lane: this.#number, ...messageOf(task) });
    this.#task = task;
    this.#seen();
    this.#lookTimer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Says that its task was answered; returns it if that is so. */
  answered(reply: TaskReply): Task | undefined {
    const task = this.#task;
    if (task === undefined || reply.task !== task.id) return undefined;
    this.forget();
    return task;
  }

  /** Takes its task back, if its Worker has not begun it. */
  takeBack(): Task | undefined {
    const task = this.#task;
    if (task === undefined || !this.#cells.takeBack(task.id)) return undefined;
    this.forget();
    return task;
  }

  /** Says that its task is not wanted any more. */
  cancel(): void {
    if (this.#task !== undefined) this.#cells.cancel(this.#task.id);
  }

  /** Forgets its task. */
  forget(): void {
    this.#task = undefined;
    clearInterval(this.#lookTimer);
  }

  #seen(): void {
    this.#beats = this.#cells.beats;
    this.#seenAt = performance.now();
  }

  /** Looks for a sign of life; one that has given none for too long is taken for dead. */
  look(): void {
    if (this.#task === undefined) return;
    if (this.#cells.beats !== this.#beats) return this.#seen();
    const most = !this.isReady ? START_MS_MAX : this.#cells.isSyncing ? SYNC_MS_MAX : SILENT_MS_MAX;
    if (this.silentMs > most) this.#silent(`it gave no sign of life for ${Math.round(this.silentMs)} ms`);
  }
}
