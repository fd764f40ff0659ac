/**
 * A thread beside the tree's: one Worker, for one lane or several (`worker_lane.ts`).
 *
 * The Worker is made for the first task and ended after a second without a task or a write: a Worker has no `unref` and would keep the
 * process alive. Making it holds the calling thread for 10 to 40 ms.
 *
 * Messages go both ways on a port that is only read when somebody asks, so a thread that is held, or in the middle of a task, reads them
 * all the same; what is posted to an event loop has no content and only wakes it.
 *
 * @module
 */

import { receiveMessageOnPort } from "node:worker_threads";
import { WORKER_URL } from "./background.ts";
import type { SharedCells } from "./shared_cells.ts";
import type { RemovalReply, TaskReply, WorkerMessage } from "./task_message.ts";
import type { WorkerStart } from "./worker.ts";

/** What a thread tells. */
export interface ThreadHost {
  /** There may be messages. */
  wake(): void;
  /** A number that changes as long as the tree is written to. */
  activity(): number;
  /** Files that were handed over were removed, or not. */
  removed(names: readonly string[], isDone: boolean): void;
  /** The Worker has ended by itself. */
  died(thread: WorkerThread, why: string): void;
}

/** A Worker without a task is ended after this time in which nothing is written either, and in any case after the longer one. */
const IDLE_MS = 1000;
const IDLE_MS_MAX = 30_000;

interface Received {
  readonly message: TaskReply | RemovalReply;
}

/** One Worker. */
export class WorkerThread {
  readonly #host: ThreadHost;
  readonly #lanes: readonly number[];
  readonly #shared: SharedCells;
  readonly #folder: string;
  #worker: Worker | undefined;
  #port: MessagePort | undefined;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  /** Names of files that were handed over, a list for each message without an answer. */
  #handedOver: (readonly string[])[] = [];
  #restsSince = 0;
  #activity = 0;

  /** Makes no Worker yet. */
  constructor(host: ThreadHost, lanes: readonly number[], shared: SharedCells, folder: string) {
    this.#host = host;
    this.#lanes = lanes;
    this.#shared = shared;
    this.#folder = folder;
  }

  /** Whether it has a Worker. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** Whether it has files to remove. */
  get isRemoving(): boolean {
    return this.#handedOver.length > 0;
  }

  /**
   * Sends a message, to a Worker that is made for it if there is none.
   *
   * @throws What making the Worker throws.
   */
  send(message: WorkerMessage): void {
    clearTimeout(this.#idleTimer);
    if (this.#worker === undefined) this.#start();
    this.#post(message);
  }

  #post(message: WorkerMessage): void {
    this.#port!.postMessage(message);
    this.#worker!.postMessage(null);
  }

  #start(): void {
    const worker = new Worker(WORKER_URL, { type: "module", name: "lsm tree" });
    const { port1, port2 } = new MessageChannel();
    const start: WorkerStart = {
      lanes: this.#lanes,
      cells: this.#shared.buffer,
      port: port2,
      folder: this.#folder,
    };
    for (const lane of this.#lanes) this.#shared.lane(lane).isReady = false;
    worker.onmessage = () => this.#host.wake();
    worker.onerror = (event) => {
      event.preventDefault();
      this.#host.died(this, event.message);
    };
    worker.postMessage(start, [port2]);
    this.#worker = worker;
    this.#port = port1;
  }

  /** Has files removed; says whether there is a Worker that can do that now. */
  remove(names: readonly string[]): boolean {
    if (this.#worker === undefined || !this.#shared.lane(this.#lanes[0]!).isReady) return false;
    this.#post({ kind: "remove", names });
    this.#handedOver.push(names);
    return true;
  }

  /** Returns the next answer to a task, if there is one; what else has come is passed on. */
  receive(): TaskReply | undefined {
    while (this.#port !== undefined) {
      // The types of this function only know the ports of Node.
      const received = receiveMessageOnPort(this.#port as never) as Received | undefined;
      if (received === undefined) return undefined;
      if (received.message.kind !== "removed") return received.message;
      const names = this.#handedOver.shift();
      if (names !== undefined) this.#host.removed(names, received.message.isDone);
    }
    return undefined;
  }

  /** Says that it has no task any more. */
  rest(): void {
    if (this.#worker === undefined) return;
    clearTimeout(this.#idleTimer);
    this.#restsSince = performance.now();
    this.#armIdle();
  }

  /** A tree that is written to will soon have a task again, and making a Worker anew would hold the thread that writes. */
  #armIdle(): void {
    this.#activity = this.#host.activity();
    this.#idleTimer = setTimeout(() => {
      const isLong = performance.now() - this.#restsSince > IDLE_MS_MAX;
      const isIdle = isLong || this.#activity === this.#host.activity();
      if (isIdle && !this.isRemoving) this.close();
      else this.#armIdle();
    }, IDLE_MS);
    Deno.unrefTimer(this.#idleTimer);
  }

  /** Ends the Worker: what of it comes back to its event loop at once, a task under way when it next shows a sign of life. */
  close(): void {
    clearTimeout(this.#idleTimer);
    this.#worker?.terminate();
    this.#port?.close();
    this.#worker = undefined;
    this.#port = undefined;
    for (const names of this.#handedOver.splice(0)) this.#host.removed(names, false);
  }
}
