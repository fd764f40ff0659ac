/**
 * The process of one engine and one workload: makes the plan, opens the store, measures, closes, and checks what was done.
 *
 * ```text
 * plan | open | come to rest, warm up | measured | come to rest, close | open, compare all entries, close
 *      ^ memory counts from here      ^ time, processor time
 * ```
 *
 * A store that others have loaded comes to rest and is read once, at most for as long as a measurement, before anything is measured.
 *
 * @module
 */

import { type Quantiles, Times } from "../lateness.ts";
import { checksum, ContentHash, KeyMaker, Values } from "./data.ts";
import { drive, type Driven } from "./drive.ts";
import type { Engine, Open } from "./engine.ts";
import { engineNamed } from "./engines.ts";
import { folderAtRest, folderBytes } from "./folders.ts";
import { runProgram } from "./leveldb_program.ts";
import { load } from "./packages.ts";
import { type Expected, expectedOf, expectedOfScan, type Plan, planOf } from "./plan.ts";
import { cpuBetween, type CpuSeconds, cpuSeconds, markMemory, peakMemory } from "./resources.ts";
import { type Message, PROBE, type Result, type Task } from "./task.ts";
import { LOAD, type Workload, workloadNamed } from "./workloads.ts";

/** What was done and seen, before it is checked. */
export interface Ran extends Driven {
  /** See {@linkcode Result}. */
  readonly cpu: CpuSeconds;
  /** See {@linkcode Result}. */
  readonly cpuUntilClosed: CpuSeconds;
  /** See {@linkcode Result}. */
  readonly peakMemoryBytes: number;
  /** All entries afterwards, where something was written. */
  readonly content: Pick<ContentHash, "hash" | "count"> | undefined;
}

const REST_SECONDS_MAX = 30;
const PROBE_ENTRIES = 100;
const WARM_SHARE = 0.25;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const task: Task = JSON.parse(Deno.args[0]!);
  const say = (message: Message): void => console.log(JSON.stringify(message));
  if (task.workload === PROBE) say({ works: await probe(task) });
  else say({ result: await runTask(task, (progress) => say({ progress })) });
}

/** Does a task in this process. */
export async function runTask(task: Task, onProgress: (done: number) => void): Promise<Result> {
  const { open, needs } = engineNamed(task.engine);
  // Whoever opens a store has loaded its code before.
  if (needs !== undefined) await load(needs);
  return await runWith(open, task, onProgress);
}

/**
 * Does a task with an engine of the caller's.
 *
 * @param open Opens it; none where it is a program of its own.
 * @throws {Error} If it did not do what it should.
 */
export async function runWith(
  open: Open | undefined,
  task: Task,
  onProgress: (done: number) => void,
): Promise<Result> {
  const workload = workloadNamed(task.workload);
  const plan = planOf(workload, task);
  const values = new Values(task.valueBytes, task.seed);
  const what = { task, workload, plan, values, onProgress };
  const ran = open === undefined ? await runProgram(what) : await runHere(open, what);
  check(ran, workload, wanted(ran, what));
  return {
    operations: ran.operations,
    wanted: ran.wanted,
    seconds: ran.seconds,
    cpu: ran.cpu,
    cpuUntilClosed: ran.cpuUntilClosed,
    peakMemoryBytes: ran.peakMemoryBytes,
    diskBytes: folderBytes(task.folder),
    times: quantilesOf(ran.times),
    lateMakingThreads: ran.lateMakingThreads,
    verified: ran.content?.count ?? 0,
  };
}

/** What there is to do, made from a task. */
export interface Work {
  /** The task. */
  readonly task: Task;
  /** Its workload. */
  readonly workload: Workload;
  /** Its plan. */
  readonly plan: Plan;
  /** Its values. */
  readonly values: Values;
  /** Is told how far it is. */
  readonly onProgress: (done: number) => void;
}

async function runHere(open: Open, work: Work): Promise<Ran> {
  const { task, workload, plan, values, onProgress } = work;
  const { folder, secondsMax, restMs } = task;
  const { durable, writers, readOnly } = workload;
  const opening = { folder, durable, writers, readOnly };
  const base = markMemory();
  if (workload.measure === "once") {
    return { ...await openOnce(() => open(opening), work), ...memoryAbove(base) };
  }
  const engine = await open(opening);
  if (workload.onto === "loaded") {
    await folderAtRest(folder, restMs, REST_SECONDS_MAX);
    await warm(engine, work);
  }
  const before = cpuSeconds();
  const driven = await drive(engine, { workload, plan, values, secondsMax, onProgress });
  const after = cpuSeconds();
  const memory = memoryAbove(base);
  await engine.settle?.();
  if (!readOnly) await folderAtRest(folder, restMs, REST_SECONDS_MAX);
  await engine.close();
  const cpuUntilClosed = cpuBetween(before, cpuSeconds());
  const content = readOnly ? undefined : await contentOf(await open({ ...opening, readOnly: true }));
  return { ...driven, cpu: cpuBetween(before, after), cpuUntilClosed, ...memory, content };
}

/** Opens the store and gets one value. */
async function openOnce(
  open: () => Promise<Engine>,
  { plan }: Work,
): Promise<Omit<Ran, "peakMemoryBytes">> {
  const before = cpuSeconds();
  const begun = performance.now();
  const engine = await open();
  const got = await engine.get(new KeyMaker().make(plan.numbers[0]!));
  const seconds = (performance.now() - begun) / 1_000;
  const cpu = cpuBetween(before, cpuSeconds());
  await engine.close();
  return {
    operations: 1,
    wanted: 1,
    seconds,
    checksum: checksum(0, got),
    times: new Float64Array(),
    lateMakingThreads: 0,
    cpu,
    cpuUntilClosed: cpu,
    content: undefined,
  };
}

/** Reads everything once, and some at random: files into the operating system's memory, code into its compiled form. */
async function warm(engine: Engine, { task, values }: Work): Promise<void> {
  const { entries, loaded, seed, secondsMax } = task;
  for (const { name, share } of [{ name: "readseq", share: 1 }, { name: "readrandom", share: WARM_SHARE }]) {
    const workload = { ...workloadNamed(name), share };
    const plan = planOf(workload, { entries, loaded, seed, variant: 1 });
    await drive(engine, { workload, plan, values, secondsMax });
  }
}

async function contentOf(engine: Engine): Promise<ContentHash> {
  const content = new ContentHash();
  await engine.scan(false, (key, value) => content.add(key, value));
  await engine.close();
  return content;
}

function memoryAbove(base: number): Pick<Ran, "peakMemoryBytes"> {
  return { peakMemoryBytes: Math.max(0, peakMemory() - base) };
}

function wanted(ran: Ran, { workload, plan, values }: Work): Expected {
  if (workload.kind === "scan") return expectedOfScan(plan, workload.reverse, ran.operations, values);
  return expectedOf(plan, ran.operations, values);
}

/** Throws unless what was read is what had been written, and what is there is what should be. */
function check({ checksum, content }: Ran, { name }: Workload, expected: Expected): void {
  if (checksum !== expected.checksum) throw new Error(`${name}: other values were read than were written`);
  if (content === undefined) return;
  if (content.count !== expected.count) {
    throw new Error(`${name}: ${content.count} entries are there where ${expected.count} should be`);
  }
  if (content.hash !== expected.hash) throw new Error(`${name}: other entries are there than were written`);
}

function quantilesOf(milliseconds: Float64Array): Quantiles | undefined {
  if (milliseconds.length === 0) return undefined;
  const times = new Times(milliseconds.length);
  for (const time of milliseconds) times.add(time);
  return times.quantiles();
}

/** Opens a store, writes and reads some entries. */
async function probe(task: Task): Promise<string> {
  const { title } = engineNamed(task.engine);
  await runTask({ ...task, workload: LOAD.name, entries: PROBE_ENTRIES, loaded: 0 }, () => {});
  return title;
}
