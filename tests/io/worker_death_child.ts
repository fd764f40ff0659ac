/**
 * What `worker_life_test.ts` runs in a process of its own: a tree some of whose Workers are not what they should be.
 *
 * Arguments: the folder, what becomes of a Worker, how many Workers that happens to, and how the writer goes on: `yields` or `never
 * yields`. It answers with one line of JSON and ends by itself.
 *
 * A Worker `throws`, `closes` or `stays` as `worker_double.ts` says; or it is `deaf`, a script that knows nothing of what it is
 * sent; `refused`, which is thrown by its constructor; `terminated`, the real one, by another hand.
 */

import type { Config, Tree as LsmTree } from "../../mod.ts";
import { leveled, Tree } from "../../mod.ts";
import { differing, writeNumber } from "../support/numbered_writes.ts";
import type { WorkerAnswer } from "../support/worker_children.ts";

/** What it answers. */
export interface DeathAnswer extends WorkerAnswer {
  /** What was refused, as text. */
  readonly refusals: readonly string[];
  /** What `stats()` said had failed. */
  readonly seenErrors: readonly string[];
  /** How long it took until the Worker was missed, in ms. */
  readonly missedMs: number;
  /** Workers that were made. */
  readonly made: number;
  /** Where background work ran in the end. */
  readonly modes: readonly string[];
  /** Why there. */
  readonly reason: string;
  /** Flushes and merges. */
  readonly tasks: number;
  /** Keys that were wrong: before the close, and after it. */
  readonly differing: readonly (readonly string[])[];
  /** Files of no use that the next open found. */
  readonly orphans: number;
}

const WRITES = 3000;
const [folder = "", what = "", count = "1", writer] = Deno.args;
const CONFIG: Config = {
  maxMemtableSize: 32 * 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 32 * 1024 }),
};
const RealWorker = globalThis.Worker;
let made = 0;
globalThis.Worker = class extends RealWorker {
  constructor(url: string | URL, options?: WorkerOptions) {
    made += 1;
    const isDouble = made <= Number(count);
    if (isDouble && what === "refused") throw new TypeError("there shall be no Worker");
    super(isDouble ? scriptFor(url) : url, options);
    if (isDouble && what === "terminated") this.terminate();
  }
};

function scriptFor(url: string | URL): string | URL {
  if (what === "terminated") return url;
  if (what === "deaf") return "data:text/javascript,self.onmessage = () => {}";
  const script = new URL("./worker_double.ts", import.meta.url);
  script.search = what;
  return script;
}

const refusals: string[] = [];
const seenErrors = new Set<string>();
let missedAt: number | undefined;
const begunAt = performance.now();

const tree = await Tree.open(folder, CONFIG);
if (writer === "never yields") await writeInOneGo(tree);
else await writeWithPauses(tree);
const { background, flushes, merges } = tree.stats();
const modes = [tree.config.background, background.mode];
const madeThen = made;
const before = differing(tree, WRITES);
await tree.close();
const again = await Tree.open(folder, CONFIG);
const answer: DeathAnswer = {
  count: WRITES,
  refusals,
  seenErrors: [...seenErrors],
  missedMs: (missedAt ?? performance.now()) - begunAt,
  made: madeThen,
  modes,
  reason: background.reason,
  tasks: flushes + merges,
  differing: [before, differing(again, WRITES)],
  orphans: again.recovery.orphans,
  saidAt: 0,
};
await again.close();
console.log(JSON.stringify({ ...answer, saidAt: Date.now() }));

/**
 * Goes on whenever it is not stopped, and waits in the end until all that failed has been done after all.
 *
 * `ready()` also lets those go on who would be told of a failure, and a write tries again first: that would hold the thread.
 */
async function writeWithPauses(tree: LsmTree): Promise<void> {
  for (let number = 1; number <= WRITES; number++) {
    while (tree.stats().pressure.level === "stop") await pause(tree);
    write(tree, number);
    if (number % 100 === 0) await pause(tree);
  }
  while (look(tree) || tree.stats().memtables.sealed > 0 || tree.stats().background.tasks > 0) {
    await pause(tree);
  }
}

async function pause(tree: LsmTree): Promise<void> {
  look(tree);
  await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Lets a Worker begin a task, and then never again the event loop run; what is refused is tried again. */
async function writeInOneGo(tree: LsmTree): Promise<void> {
  let number = 1;
  while (tree.stats().background.tasks === 0) write(tree, number++);
  while (!hasBegun()) await new Promise((resolve) => setTimeout(resolve, 1));
  for (; number <= WRITES; number++) write(tree, number);
  look(tree);
}

/** Whether a Worker has begun an output. */
function hasBegun(): boolean {
  return [...Deno.readDirSync(folder)].some(({ name }) => name.startsWith("segment-"));
}

function write(tree: LsmTree, number: number): void {
  for (;;) {
    try {
      return writeNumber(tree, number);
    } catch (error) {
      refusals.push(String(error));
      look(tree);
      if (refusals.length > 100) throw error;
    }
  }
}

/** Notes what background work has failed with, and says whether it has. */
function look(tree: LsmTree): boolean {
  const { lastError, background } = tree.stats();
  if (lastError !== undefined) seenErrors.add(String(lastError));
  if (lastError !== undefined || background.mode === "inline") missedAt ??= performance.now();
  return lastError !== undefined;
}
