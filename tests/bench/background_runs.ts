/**
 * What the background benchmark does: random inserts into one tree beside its flushes and merges, and what is seen meanwhile.
 *
 * The statistics of the tree are looked at after every 100 writes, outside of the times that are taken: levels never seen
 * above a limit were not above it for longer than 100 writes.
 *
 * @module
 */

import type { Config, Tree, TreeStats } from "@lsm/tree";
import type { Quantiles } from "./lateness.ts";
import { idleYields, machineAlone, Times, yieldOnce } from "./lateness.ts";
import { peakMemoryBytes } from "./machine.ts";
import { checkSame, randomFrom, shuffled, Workload } from "./workload.ts";

/**
 * What the writer does every 100 writes: it lets its event loop turn, waits with `tree.ready()` until it would not be
 * held, or neither.
 */
export type Manner = "yield" | "ready" | "neverYield";

/** What to run. */
export interface BackgroundOptions {
  /** How many entries are inserted, each under a key of its own. */
  readonly count: number;
  /** What order and values follow from. */
  readonly seed: number;
  /** How the writer lets others in. */
  readonly manner: Manner;
  /** Where flushes and merges run. */
  readonly background: NonNullable<Config["background"]>;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Is told how many were inserted, now and then. */
  readonly onProgress: (inserted: number) => void;
}

/** What was seen. */
export interface BackgroundResult {
  /** How long the inserts took, in s. */
  readonly seconds: number;
  /** How long background work went on after the last of them, in s. */
  readonly settledSeconds: number;
  /** What a yield takes on an idle loop, in ms. It is taken off from the next two. */
  readonly idle: Quantiles;
  /** For how much longer than it should a loop without a tree was held, in ms: what the machine adds by itself. */
  readonly alone: Quantiles;
  /** How late yields were, in ms. */
  readonly late: Quantiles;
  /** How long 100 writes with their yield held the event loop, in ms, without those that made a Worker. */
  readonly held: Quantiles;
  /** The same of those that made one. */
  readonly heldMakingWorkers: Quantiles;
  /** How long the writer waited in `ready()`, in s. */
  readonly readySeconds: number;
  /** The most that was seen of each. */
  readonly most: { readonly level0Runs: number; readonly sealed: number; readonly threads: number };
  /** The most memory that the process had had when the inserts ended, and before them, in bytes. */
  readonly peakMemoryBytes: number;
  /** See above. */
  readonly peakMemoryBytesBefore: number;
  /** The tree's own statistics, when its background work had ended. */
  readonly stats: TreeStats;
}

const TURN_WRITES = 100;
const SHOWN_EVERY_TURNS = 50;
const LOOK_MS = 5;

/** Inserts everything into a new tree, and waits until its background work has ended. */
export async function runBackground(
  tree: Tree,
  order: Uint32Array,
  options: BackgroundOptions,
): Promise<BackgroundResult> {
  const idle = await idleYields();
  const alone = await machineAlone();
  const peakMemoryBytesBefore = peakMemoryBytes();
  const writer = new Writer(tree, order, options);
  const begun = performance.now();
  await writer.run();
  const seconds = (performance.now() - begun) / 1000;
  const peak = peakMemoryBytes();
  const settledSeconds = await settle(tree);
  const base = options.manner === "yield" ? idle.p50 : 0;
  return {
    seconds,
    settledSeconds,
    idle,
    alone,
    late: writer.late.quantiles(base),
    held: writer.held.quantiles(base),
    heldMakingWorkers: writer.heldMakingWorkers.quantiles(base),
    readySeconds: writer.readyMs / 1000,
    most: writer.most,
    peakMemoryBytes: peak,
    peakMemoryBytesBefore,
    stats: tree.stats(),
  };
}

/** Returns the order in which the keys come. */
export function orderOf({ count, seed }: Pick<BackgroundOptions, "count" | "seed">): Uint32Array {
  return shuffled(count, randomFrom(seed));
}

class Writer {
  readonly late: Times;
  readonly held: Times;
  readonly heldMakingWorkers: Times;
  readyMs = 0;
  most: BackgroundResult["most"] = { level0Runs: 0, sealed: 0, threads: 0 };
  readonly #tree: Tree;
  readonly #order: Uint32Array;
  readonly #options: BackgroundOptions;
  readonly #workload: Workload;
  #threads = 0;

  constructor(tree: Tree, order: Uint32Array, options: BackgroundOptions) {
    const turns = Math.ceil(order.length / TURN_WRITES);
    this.late = new Times(turns);
    this.held = new Times(turns);
    this.heldMakingWorkers = new Times(turns);
    this.#tree = tree;
    this.#order = order;
    this.#options = options;
    this.#workload = new Workload(options.seed);
  }

  async run(): Promise<void> {
    const { manner, signal, onProgress } = this.#options;
    const count = this.#order.length;
    for (let from = 0; from < count; from += TURN_WRITES) {
      if (manner === "ready") await this.#ready();
      const begun = performance.now();
      this.#write(from, Math.min(from + TURN_WRITES, count));
      if (manner === "yield") this.late.add(await yieldOnce());
      this.#note(performance.now() - begun);
      signal.throwIfAborted();
      if (from % (TURN_WRITES * SHOWN_EVERY_TURNS) === 0) onProgress(from);
    }
    onProgress(count);
  }

  #write(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const number = this.#order[i]!;
      this.#tree.insert(this.#workload.key(number), this.#workload.value(number, 0));
    }
  }

  async #ready(): Promise<void> {
    const begun = performance.now();
    await this.#tree.ready();
    this.readyMs += performance.now() - begun;
  }

  #note(held: number): void {
    const { levels, memtables, background } = this.#tree.stats();
    const { threads } = background;
    (threads > this.#threads ? this.heldMakingWorkers : this.held).add(held);
    this.#threads = threads;
    this.most = {
      level0Runs: Math.max(this.most.level0Runs, levels.find(({ level }) => level === 0)?.runs ?? 0),
      sealed: Math.max(this.most.sealed, memtables.sealed),
      threads: Math.max(this.most.threads, threads),
    };
  }
}

async function settle(tree: Tree): Promise<number> {
  const begun = performance.now();
  for (;;) {
    const { background, lastError } = tree.stats();
    if (lastError !== undefined) throw lastError;
    if (background.tasks === 0) return (performance.now() - begun) / 1000;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * Reads two trees beside each other and throws unless they have the same entries, and as many as there should be.
 *
 * @returns How many.
 */
export async function checkSameContent(
  one: Tree,
  other: Tree,
  count: number,
  options: Pick<BackgroundOptions, "signal" | "onProgress">,
): Promise<number> {
  using ours = one.iter();
  using theirs = other.iter();
  let read = 0;
  for (const [key, value] of ours) {
    const { value: entry, done } = theirs.next();
    if (done) throw new Error(`the trees differ: one of them ends after ${read} entries`);
    checkSame(key, entry[0], "a key of the other tree");
    checkSame(value, entry[1], "a value of the other tree");
    read += 1;
    if (read % (TURN_WRITES * SHOWN_EVERY_TURNS) > 0) continue;
    options.onProgress(read);
    await yieldOnce();
    options.signal.throwIfAborted();
  }
  if (!theirs.next().done) throw new Error(`the trees differ: one of them ends after ${read} entries`);
  if (read !== count) throw new Error(`${read} entries are there where ${count} were inserted`);
  return read;
}
