/**
 * What the quick benchmark does: fills trees, reads and overwrites one of them, and checks what it read.
 *
 * Each run is timed as a whole; nothing is timed entry by entry, which would cost as much as a fast read.
 *
 * @module
 */

import type { Config, TreeStats } from "@lsm/tree";
import { Tree } from "@lsm/tree";
import { below, checkSame, KEY_BYTES, randomFrom, shuffled, VALUE_BYTES, Workload } from "./workload.ts";

/** What to run. */
export interface BenchOptions {
  /** How many entries a tree gets. */
  readonly entries: number;
  /** What order and values follow from. */
  readonly seed: number;
  /** The configuration of the trees. */
  readonly config: Config;
  /** Is told of each run when it has ended. */
  readonly onRow: (row: Row) => void;
}

/** One run. */
export interface Row {
  /** What was done. */
  readonly name: string;
  /** How often. */
  readonly count: number;
  /** Of what. */
  readonly unit: "entries" | "gets" | "ranges" | "times";
  /** How long it took. */
  readonly seconds: number;
}

/** What is known beside the times. */
export interface Results {
  /** Bytes of all keys and values, and of the files that hold them after random inserts and after overwriting. */
  readonly bytes: { readonly data: number; readonly filled: number; readonly overwritten: number };
  /** Bytes written for each byte of keys and values: to segments, and with journals and manifests. */
  readonly writeAmplification: { readonly segments: number; readonly all: number };
  /** The shape of the tree that was filled and overwritten. */
  readonly levels: TreeStats["levels"];
}

const BATCH_ENTRIES = 1_000;
const RANGE_ENTRIES = 100;
const RANGES = 10_000;
const CHECKED_EVERY = 16;

/** Runs everything once, in a folder that is there. */
export function runBench(options: BenchOptions, folder: string): Promise<Results> {
  return new Bench(options, folder).run();
}

/** A tree that was filled and closed. */
interface Filled {
  readonly folder: string;
  readonly written: TreeStats["written"];
}

class Bench {
  readonly #options: BenchOptions;
  readonly #folder: string;
  readonly #workload: Workload;
  readonly #insertOrder: Uint32Array;
  /** Another order: what was inserted together lies in one segment, and gets must not profit from that. */
  readonly #getOrder: Uint32Array;

  constructor(options: BenchOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#workload = new Workload(options.seed);
    const random = randomFrom(options.seed);
    this.#insertOrder = shuffled(options.entries, random);
    this.#getOrder = shuffled(options.entries, random);
  }

  async run(): Promise<Results> {
    this.#loopAlone();
    await this.#fill("insert, in order", (tree) => this.#insertAll(tree, 0));
    await this.#fill("insert, random, batches of 1,000", (tree) => this.#insertBatches(tree));
    const name = "insert, random, one at a time";
    const filled = await this.#fill(name, (tree) => this.#insertAll(tree, 0, this.#insertOrder), "keep");
    return await this.#useFilled(filled);
  }

  async #useFilled({ folder, written: before }: Filled): Promise<Results> {
    const { entries, config } = this.#options;
    const tree = await this.#measureAsync("open", () => Tree.open(folder, config));
    try {
      this.#read(tree);
      const filled = tree.diskSpace();
      await this.#overwrite(tree);
      const { written, levels } = tree.stats();
      const data = entries * (KEY_BYTES + VALUE_BYTES);
      const segments = before.segments + written.segments;
      const logs = before.journals + before.manifests + written.journals + written.manifests;
      return {
        bytes: { data, filled, overwritten: tree.diskSpace() },
        writeAmplification: { segments: segments / (2 * data), all: (segments + logs) / (2 * data) },
        levels,
      };
    } finally {
      await tree.close();
    }
  }

  #read(tree: Tree): void {
    const { entries } = this.#options;
    this.#measure("scan forwards", entries, "entries", () => this.#scan(tree, false, 0));
    this.#measure("scan backwards", entries, "entries", () => this.#scan(tree, true, 0));
    this.#measure("get, random", entries, "gets", () => this.#get(tree, this.#getOrder));
    this.#measure("get, absent", entries, "gets", () => this.#getAbsent(tree));
    const hot = this.#getOrder.subarray(0, Math.ceil(entries / 100));
    this.#measure("get, a hot 1 %", entries, "gets", () => this.#get(tree, hot));
    this.#measure(`range of ${RANGE_ENTRIES}`, RANGES, "ranges", () => this.#ranges(tree));
  }

  async #overwrite(tree: Tree): Promise<void> {
    const { entries } = this.#options;
    const name = "overwrite, random, one at a time";
    this.#measure(name, entries, "entries", () => this.#insertAll(tree, 1, this.#getOrder));
    await this.#measureAsync("flush (one fsync)", () => tree.flush());
    await this.#measureAsync("flushMemtable", () => tree.flushMemtable());
    this.#measure("scan forwards, overwritten", entries, "entries", () => this.#scan(tree, false, 1));
  }

  /** Fills a new tree, which is removed again unless it is kept. */
  async #fill(name: string, write: (tree: Tree) => void, then?: "keep"): Promise<Filled> {
    const folder = Deno.makeTempDirSync({ dir: this.#folder });
    const { entries, config } = this.#options;
    const tree = await Tree.open(folder, config);
    try {
      this.#measure(name, entries, "entries", () => write(tree));
      if (then !== "keep") expect(tree.len(), entries, name);
      return { folder, written: tree.stats().written };
    } finally {
      await tree.close();
      if (then !== "keep") Deno.removeSync(folder, { recursive: true });
    }
  }

  /** What making keys and values costs, so that it can be taken off. */
  #loopAlone(): void {
    let sum = 0;
    this.#measure("the loop alone", this.#options.entries, "entries", () => {
      for (const number of this.#insertOrder) {
        sum += this.#workload.key(number)[15]! + this.#workload.value(number, 0)[0]!;
      }
    });
    if (sum === 0) throw new Error("the loop made no keys");
  }

  #insertAll(tree: Tree, generation: number, order?: Uint32Array): void {
    for (let i = 0; i < this.#options.entries; i++) {
      const number = order === undefined ? i : order[i]!;
      tree.insert(this.#workload.key(number), this.#workload.value(number, generation));
    }
  }

  #insertBatches(tree: Tree): void {
    for (let from = 0; from < this.#insertOrder.length; from += BATCH_ENTRIES) {
      const batch = tree.batch();
      for (const number of this.#insertOrder.subarray(from, from + BATCH_ENTRIES)) {
        batch.insert(this.#workload.key(number), this.#workload.value(number, 0));
      }
      batch.commit();
    }
  }

  #scan(tree: Tree, reverse: boolean, generation: number): void {
    const last = this.#options.entries - 1;
    let at = 0;
    for (const [key, value] of tree.range({ reverse })) {
      if (at % CHECKED_EVERY === 0) this.#check(reverse ? last - at : at, key, value, generation);
      at += 1;
    }
    expect(at, this.#options.entries, "a scan");
  }

  #check(number: number, key: Uint8Array, value: Uint8Array, generation: number): void {
    expect(this.#workload.numberOf(key), number, "a key");
    checkSame(value, this.#workload.value(number, generation), "a scan");
  }

  #get(tree: Tree, numbers: Uint32Array): void {
    for (let i = 0; i < this.#options.entries; i++) {
      const number = numbers[i % numbers.length]!;
      const value = tree.get(this.#workload.key(number));
      if (i % CHECKED_EVERY === 0) checkSame(value, this.#workload.value(number, 0), "a get");
      else expect(value?.length, VALUE_BYTES, "the length of a value");
    }
  }

  #getAbsent(tree: Tree): void {
    for (const number of this.#getOrder) {
      expect(tree.get(this.#workload.key(number, true)), undefined, "a get");
    }
  }

  #ranges(tree: Tree): void {
    const random = randomFrom(this.#options.seed);
    const { entries } = this.#options;
    for (let i = 0; i < RANGES; i++) {
      const number = below(random, entries);
      let found = 0;
      for (const [key] of tree.range({ gte: this.#workload.key(number), limit: RANGE_ENTRIES })) {
        if (found === 0) expect(this.#workload.numberOf(key), number, "the first key of a range");
        found += 1;
      }
      expect(found, Math.min(RANGE_ENTRIES, entries - number), "a range");
    }
  }

  #measure(name: string, count: number, unit: Row["unit"], action: () => void): void {
    const started = performance.now();
    action();
    this.#options.onRow({ name, count, unit, seconds: (performance.now() - started) / 1000 });
  }

  async #measureAsync<T>(name: string, action: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await action();
    this.#options.onRow({ name, count: 1, unit: "times", seconds: (performance.now() - started) / 1000 });
    return result;
  }
}

function expect<T>(got: T, wanted: T, what: string): void {
  if (got !== wanted) throw new Error(`${what}: got ${got} where ${wanted} was expected`);
}
