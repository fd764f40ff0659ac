/**
 * Workloads: what a process does to a tree, as values, and what a tree may hold when it is stopped anywhere.
 *
 * Running one gives a *recording*: what the tree holds after each commit, and a *stop* before each operation that changes
 * the storage, with what had been begun, returned and made durable by then. What comes back after a crash at a
 * stop has to be one of those contents, and not an earlier one than what was durable.
 *
 * Which one is no guess: the tree says how many batches it has (`stats().batches`), and no two contents next to each
 * other are equal, since each value is written once and each batch carries its number.
 *
 * @module
 */

import fc from "fast-check";
import { assert, assertEquals } from "@std/assert";
import type { CompactionStrategy, Config } from "@lsm/tree";
import { fifo, lazyLeveled, leveled, sizeTiered, Tree } from "@lsm/tree";
import type { Fault, SimulatedOperation, SimulatedStorage } from "@lsm/tree/testing";

/** One thing that a process does. Keys are numbers, values numbered by their commit. */
export type Act =
  | { readonly act: "insert"; readonly key: number; readonly bytes: number }
  | { readonly act: "remove"; readonly key: number }
  | { readonly act: "batch"; readonly inserts: readonly number[]; readonly removes: readonly number[] }
  | { readonly act: "clear" | "popFirst" | "yield" }
  /** Begins a flush that is waited for at the next act that waits. */
  | { readonly act: "beginFlush" }
  | { readonly act: "flush" | "flushMemtable" | "compact" }
  /** From here on no segment can be written, until it has to be: memtables and their journals wait. */
  | { readonly act: "jam" }
  | { readonly act: "reopen"; readonly memtableBytes: number };

/** The name of a strategy that a workload can have. */
export type StrategyName = "leveled" | "sizeTiered" | "lazyLeveled" | "fifo";

/** Strategies with the least limits; fifo drops what is older than some ten writes. */
const STRATEGIES: Readonly<Record<StrategyName, CompactionStrategy>> = {
  leveled: leveled({ l0Threshold: 2, targetSize: 1024 }),
  sizeTiered: sizeTiered({ minThreshold: 2, maxThreshold: 4 }),
  lazyLeveled: lazyLeveled({ threshold: 2, targetSize: 1024 }),
  fifo: fifo({ limit: 4000 }),
};

/** All of them. */
export const STRATEGY_NAMES = Object.keys(STRATEGIES) as readonly StrategyName[];

/** What a process does, and how. */
export interface Workload {
  /** What it is about. */
  readonly name: string;
  /** What a returned write survives. */
  readonly durability: "buffered" | "os" | "sync";
  /** How segments are merged; `"leveled"` if not given. */
  readonly strategy?: StrategyName;
  /** How long keys are made by repeating them: long ones make long edits, and a manifest that grows. */
  readonly keyBytes: number;
  /** What it does. */
  readonly acts: readonly Act[];
}

/** A moment in front of an operation that changes the storage. */
export interface Stop {
  /** What is there if the process dies now. */
  readonly storage: SimulatedStorage;
  /** The operation that was not done any more. */
  readonly before: SimulatedOperation | undefined;
  /** How many commits are durable for certain. */
  readonly durable: number;
  /** How many commits have returned. */
  readonly returned: number;
  /** How many commits were begun. */
  readonly begun: number;
}

/** What a workload did. */
export interface Recording {
  /** What it was. */
  readonly workload: Workload;
  /** What the tree holds after each number of commits. */
  readonly contents: readonly string[];
  /** Where it can be stopped, the last one behind its end. */
  readonly stops: readonly Stop[];
  /** How often things happened. */
  readonly counts: {
    flushes: number;
    merges: number;
    moves: number;
    drops: number;
    manifests: number;
    removals: number;
  };
}

/** The least memtable, so that a few writes fill it. */
export const TINY_MEMTABLE_BYTES = 1024;

/** The least limits. */
export function tinyConfig(storage: SimulatedStorage, more: Config = {}): Config {
  return {
    storage,
    maxMemtableSize: TINY_MEMTABLE_BYTES,
    blockSize: 1024,
    compactionStrategy: STRATEGIES.leveled,
    compression: "none",
    fsyncInterval: null,
    ...more,
  };
}

/** A tree takes no more writes when so many memtables and another one wait. */
const WAITING_MAX = 3;

const NEEDS_SEGMENTS: ReadonlySet<Act["act"]> = new Set(["flushMemtable", "compact", "reopen"] as const);

const CHANGING: ReadonlySet<SimulatedOperation["kind"]> = new Set(
  ["create", "rename", "remove", "syncFolder", "lock", "append", "truncate", "sync"] as const,
);

/** Calls `stop` before each operation of a storage that changes it. */
export function beforeEachChange(
  storage: SimulatedStorage,
  stop: (before: SimulatedOperation) => void,
): void {
  storage.watch((operation) => {
    if (CHANGING.has(operation.kind)) stop(operation);
  });
}

/** Returns all that a tree holds as one text. */
export function contentsOf(tree: Tree): string {
  const text = new TextDecoder();
  return Array.from(tree, ([key, value]) => `${text.decode(key)}=${text.decode(value)}`).join("\n");
}

/** A commit that was undone. */
export interface Undone {
  /** What the tree would hold with it. */
  readonly contents: string;
  /** Does it again. */
  readonly redo: () => void;
}

/** What is expected of a tree: what it holds, after each number of commits. */
export class Expected {
  readonly #keyBytes: number;
  /** What it holds after each number of commits. */
  readonly contents: string[] = [""];
  readonly #maps: ReadonlyMap<string, string>[] = [new Map()];

  /** Expects nothing in the tree. */
  constructor({ keyBytes }: Workload) {
    this.#keyBytes = keyBytes;
  }

  /** How many commits there were. */
  get commits(): number {
    return this.contents.length - 1;
  }

  /** What it holds. */
  get last(): string {
    return this.contents.at(-1)!;
  }

  #keyOf(key: number): string {
    return `k${key}`.repeat(Math.ceil(this.#keyBytes / 2));
  }

  /** Commits an act and returns how to do the same to a tree, or `undefined` if the act is no write. */
  commit(act: Act): ((tree: Tree) => void) | undefined {
    const map = new Map(this.#maps.at(-1));
    const number = this.contents.length;
    const write = this.#change(act, map, number);
    if (write === undefined) return undefined;
    this.#add(map);
    return write;
  }

  #add(map: ReadonlyMap<string, string>): void {
    const entries = [...map].sort(([a], [b]) => a < b ? -1 : 1);
    this.#maps.push(map);
    this.contents.push(entries.map(([key, value]) => `${key}=${value}`).join("\n"));
  }

  /** Undoes the last commit; returns what the tree would hold with it, and how to do it again. */
  takeBack(): Undone {
    const map = this.#maps.pop()!;
    return { contents: this.contents.pop()!, redo: () => this.#add(map) };
  }

  /** Goes back to the last time that the tree held this, but not behind the first `least` commits. */
  goBackTo(contents: string, least: number): void {
    const commits = this.contents.lastIndexOf(contents);
    assert(commits >= least, `what is there is nothing that the tree held after its first ${least} commits`);
    this.contents.length = commits + 1;
    this.#maps.length = commits + 1;
  }

  #change(act: Act, map: Map<string, string>, number: number): ((tree: Tree) => void) | undefined {
    switch (act.act) {
      case "insert": {
        const key = this.#keyOf(act.key);
        const value = `${number}`.padEnd(act.bytes, ".");
        map.set(key, value);
        return (tree) => tree.insert(key, value);
      }
      case "remove": {
        const key = this.#keyOf(act.key);
        map.delete(key);
        return (tree) => tree.remove(key);
      }
      case "batch": {
        const inserts = [...act.inserts.map((key) => this.#keyOf(key)), "#"];
        const removes = act.removes.map((key) => this.#keyOf(key));
        for (const key of inserts) map.set(key, `${number}`);
        for (const key of removes) map.delete(key);
        return (tree) => {
          const batch = tree.batch();
          for (const key of inserts) batch.insert(key, `${number}`);
          for (const key of removes) batch.remove(key);
          batch.commit();
        };
      }
      case "clear":
        map.clear();
        return (tree) => tree.clear();
      case "popFirst": {
        const [first] = [...map.keys()].sort();
        if (first === undefined) return undefined;
        map.delete(first);
        return (tree) => assertEquals(tree.popFirst()?.[0], new TextEncoder().encode(first));
      }
    }
    return undefined;
  }
}

/** Returns the options of a workload that are its own. */
export function configFor({ durability, strategy = "leveled" }: Workload): Config {
  return { durability, compactionStrategy: STRATEGIES[strategy] };
}

/** Opens the tree of a workload. */
export function openFor(
  workload: Workload,
  storage: SimulatedStorage,
  maxMemtableSize: number = TINY_MEMTABLE_BYTES,
): Promise<Tree> {
  return Tree.open("data", tinyConfig(storage, { ...configFor(workload), maxMemtableSize }));
}

/** Checks that a tree holds what is expected; fifo may have dropped what was written before some commit. */
export function assertHeld(contents: string, expected: string, workload: Workload, message?: string): void {
  if (workload.strategy !== "fifo") return assertEquals(contents, expected, message);
  const held = new Set(linesOf(contents));
  const kept = linesOf(expected).filter((line) => held.has(line));
  assertEquals(held.size, kept.length, `${message}: something else`);
  const dropped = linesOf(expected).filter((line) => !held.has(line)).map(commitOf);
  assert(
    Math.max(...dropped) < Math.min(...kept.map(commitOf)),
    `${message}: a newer entry was dropped than one that is kept`,
  );
}

function linesOf(contents: string): readonly string[] {
  return contents === "" ? [] : contents.split("\n");
}

/** Returns the commit that wrote an entry: each value begins with it. */
function commitOf(line: string): number {
  return parseInt(line.slice(line.indexOf("=") + 1));
}

/** Runs a workload on an empty storage. */
export async function record(workload: Workload, storage: SimulatedStorage): Promise<Recording> {
  const expected = new Expected(workload);
  const stops: Stop[] = [];
  const counts = { flushes: 0, merges: 0, moves: 0, drops: 0, manifests: 0, removals: 0 };
  const waiting: Promise<void>[] = [];
  let durable = 0;
  let returned = 0;
  let tree: Tree | undefined;
  const stop = (before?: SimulatedOperation): void => {
    stops.push({ storage: storage.kill(), before, durable, returned, begun: expected.commits });
  };
  beforeEachChange(storage, stop);
  const isDurable = (count: number): void => {
    durable = Math.max(durable, count);
    assert(tree!.stats().batches.durable >= durable, "the tree does not know what is durable");
  };
  const close = async (): Promise<void> => {
    const { flushes, merges, moves } = tree!.stats();
    counts.flushes += flushes;
    counts.merges += merges;
    counts.moves += moves;
    await tree!.close();
    durable = returned;
  };
  let jam: Fault | undefined;
  const carryOut = async (act: Act): Promise<void> => {
    const before = expected.commits;
    if (NEEDS_SEGMENTS.has(act.act) || tree!.stats().memtables.sealed >= WAITING_MAX) jam?.heal();
    const write = expected.commit(act);
    if (write !== undefined) {
      write(tree!);
      returned = expected.commits;
      if (workload.durability === "sync") durable = returned;
    } else if (act.act === "beginFlush") {
      waiting.push(tree!.flush().then(() => isDurable(before)));
    } else if (act.act === "reopen") {
      await Promise.all(waiting.splice(0));
      await close();
      tree = await openFor(workload, storage, act.memtableBytes);
      assertEquals([tree.recovery.cleanClose, tree.recovery.dropped], [true, undefined]);
    } else if (act.act === "flush" || act.act === "flushMemtable" || act.act === "compact") {
      await Promise.all(waiting.splice(0));
      await tree![act.act]();
      isDurable(before);
    } else if (act.act === "jam") {
      jam?.heal();
      jam = storage.fail({ operation: "create", file: /^segment/, error: "ENOSPC", sticky: true });
    } else await Promise.resolve();
  };
  tree = await openFor(workload, storage);
  for (const act of workload.acts) await carryOut(act);
  await Promise.all(waiting);
  assertHeld(contentsOf(tree), expected.last, workload, "at the end");
  assertEquals(tree.stats().batches.written, returned);
  counts.drops = tree.history().changes.filter(({ cause }) => cause === "drop").length;
  jam?.heal();
  await close();
  stop();
  for (const { kind } of storage.log) {
    if (kind === "rename") counts.manifests += 1;
    if (kind === "remove") counts.removals += 1;
  }
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
  return { workload, contents: expected.contents, stops, counts };
}

/** Returns acts that insert keys, one by one. */
export function inserts(keys: readonly number[], bytes: number): Act[] {
  return keys.map((key) => ({ act: "insert", key, bytes }));
}

/** Flushes, merges, a close with a journal that is replayed, one without: where each operation is to fail once. */
export const FAULT_ACTS: readonly Act[] = [
  ...inserts([0, 1], 10),
  { act: "flush" },
  ...inserts([2, 3, 4, 0], 300),
  { act: "remove", key: 1 },
  { act: "batch", inserts: [1, 2], removes: [3] },
  { act: "compact" },
  ...inserts([0, 1], 300),
  { act: "reopen", memtableBytes: 8192 },
  ...inserts([0, 1, 2], 300),
  { act: "beginFlush" },
  { act: "popFirst" },
  { act: "reopen", memtableBytes: 1024 },
  ...inserts([0, 1], 5),
  { act: "flushMemtable" },
  ...inserts([0], 5),
];

const key = fc.nat(7);
const valueBytes = fc.oneof(fc.nat(60), fc.integer({ min: 200, max: 700 }));
const memtableBytes = fc.constantFrom(TINY_MEMTABLE_BYTES, 2500, 8192);

/** Anything that a process may do. */
export const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ act: fc.constant("insert" as const), key, bytes: valueBytes }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant("remove" as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant("batch" as const),
      inserts: fc.array(key, { maxLength: 4 }),
      removes: fc.array(key, { maxLength: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("clear" as const) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom("popFirst" as const, "yield" as const) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom("beginFlush" as const, "jam" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constantFrom("flush" as const, "flushMemtable" as const, "compact" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("reopen" as const), memtableBytes }) },
);

/** Nobody can tell what is first in a tree that drops. */
function withoutPops(workload: Workload): Workload {
  if (workload.strategy !== "fifo") return workload;
  return { ...workload, acts: workload.acts.filter(({ act }) => act !== "popFirst") };
}

/** Any workload. */
export const anyWorkload: fc.Arbitrary<Workload> = fc.record({
  name: fc.constant("generated"),
  durability: fc.constantFrom("buffered" as const, "os" as const, "sync" as const),
  strategy: fc.constantFrom(...STRATEGY_NAMES),
  keyBytes: fc.constant(2),
  acts: fc.array(anyAct, { minLength: 3, maxLength: 25 }),
}).map(withoutPops);

/** Any workload whose strategy drops nothing: what the tree holds is known to the entry. */
export const anyKeepingWorkload: fc.Arbitrary<Workload> = anyWorkload.filter(({ strategy }) =>
  strategy !== "fifo"
);
