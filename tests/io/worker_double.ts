/**
 * What runs instead of `io/worker.ts` in `worker_death_child.ts`: a Worker that dies, or seems to, in the middle of its first task.
 *
 * It says that it is there, claims the task as the real one does, begins an output, and then does what the search of its address says:
 *
 * - `throws`: an error that nobody catches.
 * - `closes`: ends itself, of which nobody is told.
 * - `stays`: does nothing any more and shows no sign of life.
 */

import { fileName } from "../../core/mod.ts";
import { SharedCells } from "../../io/shared_cells.ts";
import type { TaskMessage } from "../../io/task_message.ts";
import type { WorkerStart } from "../../io/worker.ts";

const how = new URL(import.meta.url).search.slice(1);
const scope = self as unknown as { onmessage: (event: MessageEvent) => void; close(): void };

scope.onmessage = ({ data }) => {
  const { lane, cells, folder } = data as WorkerStart;
  const shared = new SharedCells(cells);
  const own = shared.lane(lane);
  own.isReady = true;
  shared.replied();
  scope.onmessage = ({ data }) => {
    const { id, firstOutput } = data as TaskMessage;
    if (!own.claim(id)) return;
    Deno.writeTextFileSync(`${folder}/${fileName("segment", firstOutput)}`, "begun");
    if (how === "throws") throw new Error("the Worker has had enough");
    if (how === "closes") scope.close();
  };
};
