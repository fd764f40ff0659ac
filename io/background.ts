/**
 * Background work: who runs a task, and where.
 *
 * One port, two implementations, the same pure functions and so the same results:
 * - `inline` (here) runs it in the calling thread, at once: deterministic, and the one way for any storage but files;
 * - `worker` (`worker_background.ts`) runs it in threads beside it.
 *
 * How a task has ended is a value, also a failure: it comes back as a command and never throws out of what began it.
 *
 * @module
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { SegmentMeta, Task } from "../core/mod.ts";
import { CODECS } from "./codecs.ts";
import { FileStorage } from "./file_storage.ts";
import type { Storage } from "./storage.ts";
import { runTask, TaskCancelled } from "./task_run.ts";

/** How a task has ended. */
export type TaskOutcome =
  & { /** The task. */ readonly task: Task }
  & (
    | { readonly kind: "finished"; readonly outputs: readonly SegmentMeta[]; readonly bytes: number }
    | { readonly kind: "failed"; readonly error: unknown }
    | { readonly kind: "cancelled" }
  );

/** Where background work runs. */
export type BackgroundMode = "worker" | "inline";

/** Runs tasks. */
export interface Background {
  /** Where. */
  readonly mode: BackgroundMode;
  /** Why there, in words. */
  readonly reason: string;
  /** Threads it has now. */
  readonly threads: number;
  /** Whether a task may have ended that {@linkcode ended} has not told yet. Cost: next to nothing, for it is asked at each write. */
  readonly hasNews: boolean;
  /** Begins a task; returns how it has ended if it has. */
  begin(task: Task): TaskOutcome | undefined;
  /** Returns how tasks have ended since this was asked last. */
  ended(): readonly TaskOutcome[];
  /** Holds the calling thread until a task may have ended, at most so long; what nobody has begun it runs itself. */
  hold(milliseconds: number): void;
  /** Ends a task early; it will have ended as `cancelled`, or as it did if it was faster. */
  cancel(task: Task): void;
  /** Returns how many bytes of its inputs a task has read. */
  progressOf(task: Task): number;
  /** Has files removed beside the calling thread; says whether that can be done now. */
  remove(names: readonly string[]): boolean;
  /** Ends what is left. Requires: nobody waits for a task any more. */
  close(): void;
}

/** Runs tasks in the calling thread. */
export class InlineBackground implements Background {
  readonly mode = "inline";
  readonly reason: string;
  readonly threads = 0;
  readonly hasNews = false;
  readonly #storage: Storage;
  readonly #listener: () => void;
  #running: Task | undefined;
  #read = 0;
  #isCancelled = false;

  /** Runs tasks on `storage`; `listener` is called as they get on, and may cancel them. */
  constructor(storage: Storage, reason: string, listener: () => void = () => {}) {
    this.#storage = storage;
    this.reason = reason;
    this.#listener = listener;
  }

  begin(task: Task): TaskOutcome {
    this.#running = task;
    this.#read = 0;
    this.#isCancelled = false;
    try {
      const watch = {
        read: (bytes: number) => this.#goOn(bytes),
        wrote: () => {},
        syncing: () => {},
      };
      return { kind: "finished", task, ...runTask(task, this.#storage, CODECS, watch) };
    } catch (error) {
      return error instanceof TaskCancelled ? { kind: "cancelled", task } : { kind: "failed", task, error };
    } finally {
      this.#running = undefined;
    }
  }

  #goOn(bytes: number): void {
    this.#read += bytes;
    this.#listener();
    if (this.#isCancelled) throw new TaskCancelled("Cannot go on: the task was cancelled");
  }

  ended(): readonly TaskOutcome[] {
    return [];
  }

  hold(): void {}

  cancel(task: Task): void {
    if (this.#running === task) this.#isCancelled = true;
  }

  progressOf(task: Task): number {
    return this.#running === task ? this.#read : 0;
  }

  remove(): boolean {
    return false;
  }

  close(): void {}
}

/** A bundler puts what stands in many files into one of another name, and leaves out the Worker's. */
const IS_BUNDLED = !new URL(import.meta.url).pathname.endsWith("/io/background.ts");

/** The file that a Worker runs. */
export const WORKER_URL: URL = new URL("./worker.ts", import.meta.url);

/** Returns what keeps background work of a storage from running in a Worker, or `undefined` if nothing is known to. */
export function workerObstacle(storage: Storage, url: URL = WORKER_URL): string | undefined {
  if (!(storage instanceof FileStorage)) return "only files can have a worker";
  if (typeof Worker === "undefined") return "this runtime has no Worker";
  if (IS_BUNDLED) return "the module was bundled, without the worker's file";
  if (url.protocol !== "file:") return undefined;
  const path = fileURLToPath(url);
  const folder = dirname(dirname(path));
  if (Deno.permissions.querySync({ name: "read", path: folder }).state !== "granted") {
    return "a worker needs read access to the module's own folder";
  }
  try {
    return Deno.statSync(path).isFile ? undefined : "the worker's file is not there";
  } catch {
    return "the worker's file is not there";
  }
}
