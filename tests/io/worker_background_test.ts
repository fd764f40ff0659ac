/** Several Workers at once: more than a machine with two cores is given by itself. */

import { assert, assertEquals } from "@std/assert";
import type { CompactionChoice, Task } from "../../core/mod.ts";
import { step } from "../../core/mod.ts";
import type { TaskOutcome } from "../../io/background.ts";
import { InlineBackground } from "../../io/background.ts";
import { FileStorage } from "../../io/file_storage.ts";
import { openEngine } from "../../io/open.ts";
import { stepOptions } from "../../io/step_options.ts";
import { Tree } from "../../io/tree.ts";
import { WorkerBackground } from "../../io/worker_background.ts";
import { testWithFiles } from "../support/permissions.ts";

const KEYS = 2_000;

/** Returns a merge of each of two stretches of keys, and the flush of a memtable, begun by nobody. */
async function tasksOf(folder: string): Promise<readonly Task[]> {
  const { engine, recovery } = await openEngine(folder, {
    maxMemtableSize: 1024 * 1024,
    background: "inline",
    compactionStrategy: { name: "idle", choose: () => ({ kind: "none" }) },
  });
  const tree = new Tree(engine, recovery);
  for (const round of ["a", "a", "b", "b"]) {
    for (let i = 0; i < KEYS; i++) tree.insert(`${round}${i}`, round.repeat(100));
    await tree.flushMemtable();
  }
  for (let i = 0; i < KEYS; i++) tree.insert(`c${i}`, "c".repeat(100));
  const options = { ...stepOptions(tree.config), tasksMax: 9 };
  let state = engine.state;
  const [b2, b1, a2, a1] = state.version.runs.flatMap((run) => run.segments.map(({ id }) => id));
  for (const segments of [[a1!, a2!], [b1!, b2!]]) {
    const choice: CompactionChoice = { kind: "merge", segments, destLevel: 1, targetSize: 64 * 1024 };
    state = step(state, { kind: "choose", choice, now: 1 }, options).state;
  }
  state = step(state, { kind: "seal", now: 1 }, options).state;
  await tree.close();
  return state.inFlight;
}

/** Runs tasks at the same time, and returns how they ended, in order of their numbers. */
async function runAll(background: WorkerBackground, tasks: readonly Task[]): Promise<TaskOutcome[]> {
  const outcomes = tasks.flatMap((task) => background.begin(task) ?? []);
  const deadline = performance.now() + 30_000;
  while (outcomes.length < tasks.length && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    outcomes.push(...background.ended());
  }
  return outcomes.sort((x, y) => x.task.id - y.task.id);
}

function outputsOf(outcomes: readonly TaskOutcome[]): unknown {
  return outcomes.map((outcome) => {
    assert(outcome.kind === "finished", outcome.kind);
    return outcome.outputs;
  });
}

testWithFiles("a flush goes before a merge that its thread has begun", async (folder) => {
  const tasks = await tasksOf(folder);
  const merge = tasks.find((task) => task.kind === "merge")!;
  const flush = tasks.find((task) => task.kind === "flush")!;
  const host = { wake: () => {}, activity: () => 0, removed: () => {} };
  const background = new WorkerBackground(new FileStorage(folder), host, 1);
  const ended: string[] = [];
  // Both wait when the Worker comes: the merge's message is the first, so it is begun first.
  for (const task of [merge, flush]) assertEquals(background.begin(task), undefined);
  const deadline = performance.now() + 30_000;
  while (ended.length < 2 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    ended.push(...background.ended().map((outcome) => `${outcome.task.kind} ${outcome.kind}`));
  }
  background.close();
  assertEquals(ended, ["flush finished", "merge finished"]);
});

for (const lanes of [1, 2, 3]) {
  testWithFiles(`with ${lanes} threads, merges and a flush give what they give inline`, async (folder) => {
    const tasks = await tasksOf(folder);
    assertEquals(tasks.map((task) => task.kind).sort(), ["flush", "merge", "merge"]);
    const storage = new FileStorage(folder);
    const background = new WorkerBackground(
      storage,
      { wake: () => {}, activity: () => 0, removed: () => {} },
      lanes,
    );
    // A lane has room for one merge: another is run here rather than kept waiting.
    const outcomes = await runAll(background, tasks);
    assertEquals(background.threads, lanes);
    const inline = new InlineBackground(storage, "");
    assertEquals(
      outputsOf(outcomes),
      outputsOf(tasks.toSorted((x, y) => x.id - y.id).map((task) => inline.begin(task))),
    );
    assertEquals([background.mode, background.reason], ["worker", ""]);
    background.close();
    assertEquals(background.threads, 0);
  });
}
