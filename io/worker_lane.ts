/**
 * A lane: one Worker as the tree's thread sees it, running one task at a time.
 *
 * The Worker is made for the first task and ended after a second without a task or a write: a Worker has no `unref` and would keep the
 * process alive. Making it holds the calling thread for 10 to 40 ms.
 *
 * Whether it is alive shows in its beat, which goes up with every block. One that stays silent too long is ended, and its
 * task has failed; a new try gets ids of its own, so whatever a Worker still does that is not as dead as it seemed touches no file
 * that counts. A sync may take long and has a longer time.
 *
 * @module
 */

import { receiveMessageOnPort } from "node:worker_threads";
import type { Task } from "../core/mod.ts";
import { IoError } from "../core/mod.ts";
import { WORKER_URL } from "./background.ts";
import type { LaneCells, SharedCells } from "./shared_cells.ts";
import type { RemovalMessage, RemovalReply, TaskReply } from "./task_message.ts";
import { messageOf } from "./task_message.ts";
import type { WorkerStart } from "./worker.ts";

/** What a lane tells. */
export interface LaneHost {
  /** There may be replies. */
  wake(): void;
  /** A number that changes as long as the tree is written to. */
  activity(): number;
  /** Files that were handed over were removed, or not. */
  removed(names: readonly string[], isDone: boolean): void;
  /** The Worker could not be made or has ended by itself; its task has failed. */
  died(lane: WorkerLane, error: Error): void;
}

/** A Worker without a task is ended after this time in which nothing is written either, and in any case after the longer one. */
const IDLE_MS = 1000;
const IDLE_MS_MAX = 30_000;

/** A Worker that is not ready after this time will not come: its module cannot be loaded. */
const START_MS_MAX = 15_000;

/** A Worker that shows no sign of life for so long is taken for dead; while it syncs, for longer. */
const SILENT_MS_MAX = 10_000;
const SYNC_MS_MAX = 120_000;

/** How often signs of life are looked for. */
const LOOK_MS = 1000;

interface Received {
  readonly message: TaskReply | RemovalReply;
}

/** One Worker. */
export class WorkerLane {
  readonly #host: LaneHost;
  readonly #number: number;
  readonly #shared: SharedCells;
  readonly #cells: LaneCells;
  readonly #folder: string;
  #worker: Worker | undefined;
  #port: MessagePort | undefined;
  #task: Task | undefined;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #lookTimer: ReturnType<typeof setInterval> | undefined;
  #handedOver: readonly string[] = [];
  #restsSince = 0;
  #activity = 0;
  #beats = 0;
  #seenAt = 0;

  /** Makes a lane without a Worker. */
  constructor(host: LaneHost, number: number, shared: SharedCells, folder: string) {
    this.#host = host;
    this.#number = number;
    this.#shared = shared;
    this.#cells = shared.lane(number);
    this.#folder = folder;
  }

  /** The task it was given and has not answered. */
  get task(): Task | undefined {
    return this.#task;
  }

  /** Whether its Worker has something to do. */
  get isBusy(): boolean {
    return this.#task !== undefined || this.#handedOver.length > 0;
  }

  /** Whether it has a Worker. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
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
    clearTimeout(this.#idleTimer);
    if (this.#worker === undefined) this.#start();
    this.#cells.offer(task.id);
    this.#worker!.postMessage(messageOf(task));
    this.#task = task;
    this.#seen();
    this.#lookTimer = setInterval(() => this.look(), LOOK_MS);
  }

  #start(): void {
    const worker = new Worker(WORKER_URL, { type: "module", name: "lsm tree" });
    const { port1, port2 } = new MessageChannel();
    const start: WorkerStart = {
      lane: this.#number,
      cells: this.#shared.buffer,
      port: port2,
      folder: this.#folder,
    };
    this.#cells.isReady = false;
    worker.onmessage = () => this.#host.wake();
    worker.onerror = (event) => {
      event.preventDefault();
      this.#die(event.message);
    };
    worker.postMessage(start, [port2]);
    this.#worker = worker;
    this.#port = port1;
  }

  /** Has files removed; says whether its Worker can do that now: it is there, and has nothing else to remove. */
  remove(names: readonly string[]): boolean {
    if (this.#worker === undefined || !this.isReady || this.#handedOver.length > 0) return false;
    const message: RemovalMessage = { kind: "remove", names };
    this.#worker.postMessage(message);
    this.#handedOver = names;
    return true;
  }

  /** Returns the answer to its task, if it is there; what else has come is passed on. */
  reply(): TaskReply | undefined {
    while (this.#port !== undefined) {
      // The types of this function only know the ports of Node.
      const received = receiveMessageOnPort(this.#port as never) as Received | undefined;
      if (received === undefined) return undefined;
      const { message } = received;
      if (message.kind === "removed") this.#handBack(message.isDone);
      else if (message.task === this.#task?.id) {
        this.#rest();
        return message;
      }
    }
    return undefined;
  }

  #handBack(isDone: boolean): void {
    const names = this.#handedOver;
    this.#handedOver = [];
    if (names.length > 0) this.#host.removed(names, isDone);
  }

  /** Takes its task back, if its Worker has not begun it. */
  takeBack(): Task | undefined {
    const task = this.#task;
    if (task === undefined || !this.#cells.takeBack(task.id)) return undefined;
    this.#rest();
    return task;
  }

  /** Says that its task is not wanted any more. */
  cancel(): void {
    if (this.#task !== undefined) this.#cells.cancel(this.#task.id);
  }

  #rest(): void {
    this.#task = undefined;
    clearInterval(this.#lookTimer);
    this.#restsSince = performance.now();
    this.#armIdle();
  }

  /** A tree that is written to will soon have a task again, and making a Worker anew would hold the thread that writes. */
  #armIdle(): void {
    this.#activity = this.#host.activity();
    this.#idleTimer = setTimeout(() => {
      const isLong = performance.now() - this.#restsSince > IDLE_MS_MAX;
      if (isLong || this.#activity === this.#host.activity()) this.close();
      else this.#armIdle();
    }, IDLE_MS);
    Deno.unrefTimer(this.#idleTimer);
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
    if (this.silentMs > most) this.#die(`it gave no sign of life for ${Math.round(this.silentMs)} ms`);
  }

  #die(why: string): void {
    this.close();
    const error = new IoError(`Cannot go on with background work: the worker has ended: ${why}`);
    this.#host.died(this, error);
  }

  /** Forgets its task. */
  forget(): void {
    this.#task = undefined;
  }

  /** Ends the Worker: what of it comes back to its event loop at once, a task under way when it next shows a sign of life. */
  close(): void {
    this.cancel();
    clearTimeout(this.#idleTimer);
    clearInterval(this.#lookTimer);
    this.#worker?.terminate();
    this.#port?.close();
    this.#worker = undefined;
    this.#port = undefined;
    this.#handBack(false);
  }
}
