/** Shared cells: a task is run once, whoever asks, and a thread that is held sees what others do. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { SharedCells } from "../../io/shared_cells.ts";
import { testWithSources } from "../support/permissions.ts";
import type { ClaimStart } from "./claim_worker.ts";

const TASKS = 1_000;

/** The cells of two lanes as the two sides see them. */
function bothSides(): { readonly tree: SharedCells; readonly worker: SharedCells } {
  const tree = new SharedCells(2);
  return { tree, worker: new SharedCells(tree.buffer) };
}

Deno.test("a task that was offered is claimed once, and then cannot be taken back", () => {
  const { tree, worker } = bothSides();
  tree.lane(0).offer(7);
  assertEquals(worker.lane(1).claim(7), false);
  assertEquals(worker.lane(0).claim(6), false);
  assertEquals(worker.lane(0).claim(7), true);
  assertEquals([worker.lane(0).claim(7), tree.lane(0).takeBack(7)], [false, false]);
});

Deno.test("a task is offered until somebody has it", () => {
  const { tree, worker } = bothSides();
  assertEquals(worker.lane(0).isOffered, false);
  tree.lane(0).offer(7);
  assertEquals([worker.lane(0).isOffered, worker.lane(1).isOffered], [true, false]);
  worker.lane(0).claim(7);
  assertEquals(worker.lane(0).isOffered, false);
  tree.lane(0).offer(8);
  tree.lane(0).takeBack(8);
  assertEquals(worker.lane(0).isOffered, false);
});

Deno.test("a task that was taken back cannot be claimed, also if its message comes after the next one was offered", () => {
  const { tree, worker } = bothSides();
  tree.lane(0).offer(7);
  assertEquals([tree.lane(0).takeBack(7), tree.lane(0).takeBack(7)], [true, false]);
  assertEquals(worker.lane(0).claim(7), false);
  tree.lane(0).offer(8);
  assertEquals([worker.lane(0).claim(7), tree.lane(0).takeBack(7)], [false, false]);
  assertEquals(worker.lane(0).claim(8), true);
});

Deno.test("only the task that is not wanted any more is told so", () => {
  const { tree, worker } = bothSides();
  tree.lane(0).offer(7);
  worker.lane(0).claim(7);
  assertEquals(worker.lane(0).isCancelled(7), false);
  tree.lane(1).cancel(7);
  assertEquals(worker.lane(0).isCancelled(7), false, "that was another lane");
  tree.lane(0).cancel(7);
  assertEquals(worker.lane(0).isCancelled(7), true);
  tree.lane(0).offer(8);
  assertEquals(worker.lane(0).isCancelled(7), true);
  worker.lane(0).claim(8);
  assertEquals(worker.lane(0).isCancelled(8), false);
  tree.lane(0).offer(9);
  assertEquals(worker.lane(0).isCancelled(8), true, "its Worker was taken for dead, and is not");
});

Deno.test("each lane shows how its Worker gets on, and a new task begins at nothing", () => {
  const { tree, worker } = bothSides();
  worker.lane(0).isReady = true;
  worker.lane(0).beat();
  worker.lane(0).beat();
  worker.lane(0).progress = 2 ** 31 - 1;
  worker.lane(0).isSyncing = true;
  const seen = (lane: number): readonly unknown[] => {
    const { isReady, beats, progress, isSyncing } = tree.lane(lane);
    return [isReady, beats, progress, isSyncing];
  };
  assertEquals([seen(0), seen(1)], [[true, 2, 2 ** 31 - 1, true], [false, 0, 0, false]]);
  tree.lane(0).offer(8);
  assertEquals(seen(0), [true, 2, 0, false]);
  tree.lane(0).isReady = false;
  assertEquals(seen(0), [false, 2, 0, false]);
});

Deno.test("a thread is not held where there was a reply, and not for ever where there was none", () => {
  const { tree, worker } = bothSides();
  worker.replied();
  assertEquals(tree.replies, 1);
  tree.waitForReply(0, 1_000_000);
  const begun = performance.now();
  tree.waitForReply(1, 20);
  assertGreater(performance.now() - begun, 10);
});

testWithSources("of two threads that reach for a task at the same moment exactly one gets it", async () => {
  const shared = new SharedCells(2);
  const lane = shared.lane(1);
  const steps = new SharedArrayBuffer(8);
  const [offered, answered] = [0, 1];
  const step = new Int32Array(steps);
  const worker = new Worker(new URL("./claim_worker.ts", import.meta.url), { type: "module" });
  const start: ClaimStart = { cells: shared.buffer, steps, tasks: TASKS };
  try {
    worker.postMessage(start);
    await new Promise((resolve) => setTimeout(resolve, 0));
    while (shared.replies === 0) shared.waitForReply(0, 1_000);
    assert(lane.isReady);
    let taken = 0;
    for (let task = 1; task <= TASKS; task++) {
      lane.offer(task);
      Atomics.store(step, offered, task);
      const hasAnswered = (): boolean => Math.abs(Atomics.load(step, answered)) === task;
      // Now and then the Worker is given the time, so that both win on any machine.
      while (task % 10 === 0 && !hasAnswered());
      for (let pause = task % 64; pause > 0; pause--) Atomics.load(step, offered);
      const isMine = lane.takeBack(task);
      while (!hasAnswered());
      const isTheirs = Atomics.load(step, answered) < 0;
      assert(isMine !== isTheirs, `task ${task}: both or nobody`);
      if (isMine) taken += 1;
    }
    assert(taken > 0 && taken < TASKS, `${taken} of ${TASKS}: they never met`);
  } finally {
    worker.terminate();
  }
});
