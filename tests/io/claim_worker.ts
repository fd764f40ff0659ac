/**
 * What `shared_cells_test.ts` runs beside itself: it claims tasks, one after the other, each as soon as it is offered.
 *
 * Two more cells are shared: the number of the task that is offered, and that of the last one that was answered, negative if it
 * was claimed here.
 */

import { SharedCells } from "../../io/shared_cells.ts";

/** What it is told. */
export interface ClaimStart {
  /** The lane's cells. */
  readonly cells: SharedArrayBuffer;
  /** The cells by which the two keep step. */
  readonly steps: SharedArrayBuffer;
  /** How many tasks there will be. */
  readonly tasks: number;
}

const scope = self as unknown as { onmessage: (event: MessageEvent) => void };

scope.onmessage = ({ data }) => {
  const { cells, steps, tasks } = data as ClaimStart;
  const shared = new SharedCells(cells);
  const lane = shared.lane(1);
  const [offered, answered] = [0, 1];
  const step = new Int32Array(steps);
  lane.isReady = true;
  shared.replied();
  for (let task = 1; task <= tasks; task++) {
    while (Atomics.load(step, offered) !== task);
    Atomics.store(step, answered, lane.claim(task) ? -task : task);
  }
};
