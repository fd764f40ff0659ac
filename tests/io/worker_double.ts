/**
 * What runs instead of `io/worker.ts` in `worker_death_child.ts`: a Worker that dies, or seems to, in the middle of its first task.
 *
 * It says that it is there, claims the task as the real one does, begins an output, and then does what the search of its address says:
 *
 * - `throws`: an error that nobody catches.
 * - `closes`: ends itself, of which nobody is told.
 * - `stays`: does nothing any more and shows no sign of life.
 */

import { receiveMessageOnPort } from "node:worker_threads";
import { fileName } from "../../core/mod.ts";
import { SharedCells } from "../../io/shared_cells.ts";
import type { WorkerMessage } from "../../io/task_message.ts";
import type { WorkerStart } from "../../io/worker.ts";

const how = new URL(import.meta.url).search.slice(1);
const scope = self as unknown as { onmessage: (event: MessageEvent) => void; close(): void };

scope.onmessage = ({ data }) => {
  const { lanes, cells, port, folder } = data as WorkerStart;
  const shared = new SharedCells(cells);
  for (const lane of lanes) shared.lane(lane).isReady = true;
  shared.replied();
  scope.onmessage = () => {
    // The types of this function only know the ports of Node.
    const message = receiveMessageOnPort(port as never)?.message as WorkerMessage | undefined;
    if (message === undefined || message.kind === "remove") return;
    if (!shared.lane(message.lane).claim(message.id)) return;
    Deno.writeTextFileSync(`${folder}/${fileName("segment", message.firstOutput)}`, "begun");
    if (how === "throws") throw new Error("the Worker has had enough");
    if (how === "closes") scope.close();
  };
};
