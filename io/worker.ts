/**
 * The Worker: runs tasks of one tree in a thread of its own, with file handles of its own.
 *
 * ```text
 * start { lanes, cells, port, folder }  ->  ready
 * task { lane, ... }                    ->  claim it, run it, reply on the port, wake the tree's event loop
 * remove { names }                      ->  remove files, reply, wake
 * ```
 *
 * Messages and replies travel on a port that each side only reads when it asks, so there is one reader whether a thread is held or not;
 * what is posted to an event loop has no content and only wakes it. Whatever a task throws is an answer, never an
 * error of the Worker.
 *
 * A Worker with several lanes looks at each block of a merge whether a flush is waiting, and does that first, in the middle: one
 * thread is enough for both, and a second would cost some 100 MB of memory more.
 *
 * It takes no lock but to remove files, and decides nothing: the ids it writes to were reserved for the task, and no edit names them
 * before it has answered.
 *
 * @module
 */

import { receiveMessageOnPort } from "node:worker_threads";
import type { Memtable, Task } from "../core/mod.ts";
import { CODECS } from "./codecs.ts";
import { encodeError } from "./error_message.ts";
import { FileStorage } from "./file_storage.ts";
import type { LaneCells } from "./shared_cells.ts";
import { SharedCells } from "./shared_cells.ts";
import { removeAlone } from "./removals.ts";
import type { Outcome, RemovalReply, TaskMessage, TaskReply, WorkerMessage } from "./task_message.ts";
import { memtableOf } from "./task_message.ts";
import type { TaskWatch } from "./task_run.ts";
import { runTask, TaskCancelled } from "./task_run.ts";

/** What a Worker is told first. */
export interface WorkerStart {
  /** Which lanes it has. */
  readonly lanes: readonly number[];
  /** Memory that is shared with the tree's thread. */
  readonly cells: SharedArrayBuffer;
  /** Where messages come from and replies go. */
  readonly port: MessagePort;
  /** The absolute path of the folder. */
  readonly folder: string;
}

/** The scope of a Worker: the types of the runtime's main scope do not know it. */
interface WorkerScope {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

const KIB = 1024;

const scope = self as unknown as WorkerScope;
scope.onmessage = ({ data }) => begin(data as WorkerStart);

function begin({ lanes, cells, port, folder }: WorkerStart): void {
  const shared = new SharedCells(cells);
  const own = new Map(lanes.map((lane) => [lane, shared.lane(lane)]));
  const storage = new FileStorage(folder);
  const work = (): void => {
    for (let message = next(port); message !== undefined; message = next(port)) {
      const reply = answer(message, storage, own, work);
      if (reply === undefined) continue;
      port.postMessage(reply);
      shared.replied();
      scope.postMessage(null);
    }
  };
  scope.onmessage = work;
  for (const lane of own.values()) lane.isReady = true;
  shared.replied();
  scope.postMessage(null);
}

function next(port: MessagePort): WorkerMessage | undefined {
  // The types of this function only know the ports of Node.
  return receiveMessageOnPort(port as never)?.message as WorkerMessage | undefined;
}

function answer(
  message: WorkerMessage,
  storage: FileStorage,
  lanes: ReadonlyMap<number, LaneCells>,
  work: () => void,
): TaskReply | RemovalReply | undefined {
  if (message.kind === "remove") {
    const { names } = message;
    return { kind: "removed", names, isDone: removeAlone(storage, names) };
  }
  const { lane, ...told } = message;
  if (!lanes.get(lane)!.claim(told.id)) return undefined;
  return { lane, task: told.id, ...howItWent(told, storage, watchOf(told, lane, lanes, work)) };
}

function howItWent(
  message: TaskMessage,
  storage: FileStorage,
  watch: TaskWatch,
): Outcome {
  let task: Task;
  try {
    task = message.kind === "flush" ? { ...message, memtable: memtableOf(message, storage) } : message;
  } catch (error) {
    return { kind: "unreadable", error: encodeError(error) };
  }
  try {
    return { kind: "finished", ...runTask(task, storage, CODECS, watch) };
  } catch (error) {
    return { kind: "failed", error: encodeError(error) };
  } finally {
    if (task.kind === "flush") freeBuffers(task.memtable);
  }
}

/** The journal of a memtable is megabytes that the garbage collector would leave until it feels the need. */
function freeBuffers({ arena }: Memtable): void {
  for (const buffer of arena.buffers()) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Shows in the shared cells how a task gets on, ends it when it is not wanted any more, and lets flushes through. */
function watchOf(
  task: TaskMessage,
  lane: number,
  lanes: ReadonlyMap<number, LaneCells>,
  work: () => void,
): TaskWatch {
  const own = lanes.get(lane)!;
  const others = [...lanes.values()].filter((one) => one !== own);
  let read = 0;
  const beat = (): void => {
    for (const one of lanes.values()) one.beat();
    own.progress = Math.floor(read / KIB);
    if (own.isCancelled(task.id)) throw new TaskCancelled("Cannot go on: the task was cancelled");
    // A merge may take minutes, and a flush that waits for it would hold the writer.
    if (task.kind === "merge" && others.some((one) => one.isOffered)) work();
  };
  return {
    read: (bytes) => {
      read += bytes;
      beat();
    },
    wrote: beat,
    syncing: (isBegun) => {
      if (isBegun) beat();
      for (const one of lanes.values()) one.isSyncing = isBegun;
      if (!isBegun) beat();
    },
  };
}
