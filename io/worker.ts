/**
 * The Worker: runs tasks of one tree in a thread of its own, with file handles of its own.
 *
 * ```text
 * start { lane, cells, port, folder }   ->  ready
 * task                                  ->  claim it, run it, reply on the port, wake the tree's event loop
 * remove { names }                      ->  remove files, reply, wake
 * ```
 *
 * Replies travel on a port that the other side only drains when it asks, so there is one reader whether its thread is held or not;
 * what is posted to its event loop has no content and only wakes it. Whatever a task throws is an answer, never an
 * error of the Worker.
 *
 * It takes no lock and decides nothing: the ids it writes to were reserved for the task, and no edit names them before it has
 * answered.
 *
 * @module
 */

import type { Memtable, Task } from "../core/mod.ts";
import { CODECS } from "./codecs.ts";
import { encodeError } from "./error_message.ts";
import { FileStorage } from "./file_storage.ts";
import type { LaneCells } from "./shared_cells.ts";
import { SharedCells } from "./shared_cells.ts";
import { removeAlone } from "./removals.ts";
import type { RemovalMessage, RemovalReply, TaskMessage, TaskReply } from "./task_message.ts";
import { memtableOf } from "./task_message.ts";
import type { TaskWatch } from "./task_run.ts";
import { runTask, TaskCancelled } from "./task_run.ts";

/** What a Worker is told first. */
export interface WorkerStart {
  /** Which lane it is. */
  readonly lane: number;
  /** Memory that is shared with the tree's thread. */
  readonly cells: SharedArrayBuffer;
  /** Where replies go. */
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

function begin({ lane, cells, port, folder }: WorkerStart): void {
  const shared = new SharedCells(cells);
  const own = shared.lane(lane);
  const storage = new FileStorage(folder);
  scope.onmessage = ({ data }) => {
    const reply = answer(data as TaskMessage | RemovalMessage, storage, own);
    if (reply === undefined) return;
    port.postMessage(reply);
    shared.replied();
    scope.postMessage(null);
  };
  own.isReady = true;
  shared.replied();
  scope.postMessage(null);
}

function answer(
  message: TaskMessage | RemovalMessage,
  storage: FileStorage,
  cells: LaneCells,
): TaskReply | RemovalReply | undefined {
  if (message.kind === "remove") {
    const { names } = message;
    return { kind: "removed", names, isDone: removeAlone(storage, names) };
  }
  return cells.claim(message.id) ? replyTo(message, storage, cells) : undefined;
}

function replyTo(message: TaskMessage, storage: FileStorage, cells: LaneCells): TaskReply {
  let task: Task;
  try {
    task = message.kind === "flush" ? { ...message, memtable: memtableOf(message, storage) } : message;
  } catch (error) {
    return { task: message.id, kind: "unreadable", error: encodeError(error) };
  }
  try {
    return { task: task.id, kind: "finished", ...runTask(task, storage, CODECS, watchOf(task, cells)) };
  } catch (error) {
    return { task: task.id, kind: "failed", error: encodeError(error) };
  } finally {
    if (task.kind === "flush") freeBuffers(task.memtable);
  }
}

/** The journal of a memtable is megabytes that the garbage collector would leave until it feels the need. */
function freeBuffers({ arena }: Memtable): void {
  for (const buffer of arena.buffers()) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Shows in the shared cells how a task gets on, and ends it when it is not wanted any more. */
function watchOf(task: Task, cells: LaneCells): TaskWatch {
  let read = 0;
  const beat = (): void => {
    cells.beat(Math.floor(read / KIB));
    if (cells.isCancelled(task.id)) throw new TaskCancelled("Cannot go on: the task was cancelled");
  };
  return {
    read: (bytes) => {
      read += bytes;
      beat();
    },
    wrote: beat,
    syncing: (isBegun) => {
      cells.isSyncing = isBegun;
      beat();
    },
  };
}
