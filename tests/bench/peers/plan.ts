/**
 * What a process has to do, as data: which operation on which key, in which order. Each engine gets the same.
 *
 * - A plan is made before anything is measured, and follows from the task alone.
 * - What should have been read and what should be there afterwards is worked out from the plan by `expectedOf`, on an array
 *   in memory, after the measurement: no engine is fast by leaving something out.
 * - Where every operation is of the same kind, or has the same detail, that is said once.
 *
 * @module
 */

import { below, type Random, randomFrom, shuffled } from "../workload.ts";
import { checksum, ContentHash, entryChecksum, KeyMaker, type Values } from "./data.ts";
import type { Workload } from "./workloads.ts";
import { Zipfian } from "./zipfian.ts";

/** The kinds of operations. An update reads a value and writes the next one. */
export const PUT = 0;
/** See above. */
export const GET = 1;
/** A get of a key that is not there. */
export const GET_ABSENT = 2;
/** A seek to a key; the entries from there on are read. */
export const SEEK = 3;
/** See above. */
export const UPDATE = 4;

/** What to do. */
export interface Plan {
  /** Entries that are there before, in the order in which they came; each written once. */
  readonly loaded: Uint32Array;
  /** The kind of each operation; one for all of them. */
  readonly kinds: Uint8Array;
  /** The number of the key of each operation. */
  readonly numbers: Uint32Array;
  /** The generation of what is written, or how many entries are read, of each operation; one for all of them. */
  readonly details: Uint8Array;
}

/** What a plan follows from. */
export interface PlanOptions {
  /** How many entries a store gets. */
  readonly entries: number;
  /** How many it did get before, where the plan is for a store that has been filled. */
  readonly loaded: number;
  /** What order and values follow from. */
  readonly seed: number;
  /** Gives other operations on the same entries; 0 if it is not given. */
  readonly variant?: number;
}

/** What should have been read, and what should be there. */
export interface Expected {
  /** The checksum of what was read. */
  readonly checksum: number;
  /** The hash of all entries. */
  readonly hash: number;
  /** How many there are. */
  readonly count: number;
}

const HOT_SHARE = 0.01;
const SEEK_ENTRIES = 10;
const SCAN_ENTRIES_MAX = 100;
const GENERATIONS = 7;
const GET_SEED = 0x6e7;

/** Makes the plan of a workload. */
export function planOf(workload: Workload, options: PlanOptions): Plan {
  const { entries, seed, variant = 0 } = options;
  const count = Math.max(1, Math.round(entries * workload.share));
  const order = shuffled(entries, randomFrom(seed));
  const loaded = workload.onto === "loaded" ? order.subarray(0, options.loaded) : new Uint32Array();
  const random = randomFrom(seed + GET_SEED + variant);
  const { kind } = workload;
  if (kind === "scan" || kind === "open") {
    return { loaded, kinds: one(GET), numbers: loaded.slice(0, 1), details: one(0) };
  }
  if (kind === "inOrder") {
    return {
      loaded,
      kinds: one(PUT),
      numbers: Uint32Array.from({ length: count }, (_, i) => i),
      details: one(0),
    };
  }
  if (kind === "random") {
    return { loaded, kinds: one(PUT), numbers: order.subarray(0, count), details: one(0) };
  }
  const others = shuffledCopy(loaded, random);
  switch (kind) {
    case "overwrite":
      return { loaded, kinds: one(PUT), numbers: repeated(others, count), details: one(1) };
    case "get":
      return { loaded, kinds: one(GET), numbers: repeated(others, count), details: one(0) };
    case "absent":
      return { loaded, kinds: one(GET_ABSENT), numbers: repeated(others, count), details: one(0) };
    case "hot": {
      const hot = others.subarray(0, Math.max(1, Math.floor(others.length * HOT_SHARE)));
      const numbers = Uint32Array.from({ length: count }, () => hot[below(random, hot.length)]!);
      return { loaded, kinds: one(GET), numbers, details: one(0) };
    }
    case "seek":
      return { loaded, kinds: one(SEEK), numbers: repeated(others, count), details: one(SEEK_ENTRIES) };
    case "zipfian":
      return { loaded, ...zipfianPlan(workload, { entries, count, others, random }) };
  }
}

/** The mixed workloads of YCSB (Cooper and others, 2010). */
function zipfianPlan(
  workload: Workload,
  options: {
    readonly entries: number;
    readonly count: number;
    readonly others: Uint32Array;
    readonly random: Random;
  },
): Omit<Plan, "loaded"> {
  const { entries, count, others, random } = options;
  const { mix } = workload;
  if (mix === undefined) throw new TypeError(`${workload.name} has no mix`);
  const zipfian = new Zipfian(others.length, random);
  const kinds = new Uint8Array(count);
  const numbers = new Uint32Array(count);
  const details = new Uint8Array(count);
  let inserted = 0;
  for (let i = 0; i < count; i++) {
    const first = below(random, 100) < mix.percent;
    kinds[i] = first ? mix.first : mix.second;
    // What is inserted is new; all else is chosen among what was loaded.
    numbers[i] = kinds[i] === PUT && mix.inserts ? entries + inserted++ : others[zipfian.next()]!;
    details[i] = kinds[i] === SEEK
      ? 1 + below(random, SCAN_ENTRIES_MAX)
      : mix.inserts
      ? 0
      : 1 + i % GENERATIONS;
  }
  return { kinds, numbers, details };
}

/** Returns what the first `done` operations of a plan should have read, and what should be there after them. */
export function expectedOf(plan: Plan, done: number, values: Values): Expected {
  const model = new Model(plan, values);
  let sum = 0;
  const { kinds, numbers, details } = plan;
  for (let i = 0; i < done; i++) {
    const number = numbers[i]!;
    const detail = details.length === 1 ? details[0]! : details[i]!;
    const kind = kinds.length === 1 ? kinds[0]! : kinds[i]!;
    if (kind === GET || kind === UPDATE) sum = checksum(sum, model.get(number));
    if (kind === GET_ABSENT) sum = checksum(sum, undefined);
    if (kind === SEEK) {
      model.each({ from: number, count: detail }, (key, value) => sum = entryChecksum(sum, key, value));
    }
    if (kind === PUT || kind === UPDATE) model.put(number, detail);
  }
  const content = new ContentHash();
  model.each({}, (key, value) => content.add(key, value));
  return { checksum: sum, hash: content.hash, count: content.count };
}

/** Returns what a scan of the loaded entries should have read, that was ended after `done` of them. */
export function expectedOfScan(plan: Plan, reverse: boolean, done: number, values: Values): Expected {
  const model = new Model(plan, values);
  let sum = 0;
  model.each({ reverse, count: done }, (key, value) => sum = entryChecksum(sum, key, value));
  return { checksum: sum, hash: 0, count: plan.loaded.length };
}

/** What is in a store: for each number, how it was written last. */
class Model {
  /** 0 is absent. */
  readonly #written: Uint8Array;
  readonly #values: Values;
  readonly #keys = new KeyMaker();

  constructor(plan: Plan, values: Values) {
    let extent = 0;
    for (const number of plan.loaded) extent = Math.max(extent, number + 1);
    for (const number of plan.numbers) extent = Math.max(extent, number + 1);
    this.#written = new Uint8Array(extent);
    for (const number of plan.loaded) this.#written[number] = 1;
    this.#values = values;
  }

  put(number: number, generation: number): void {
    this.#written[number] = generation + 1;
  }

  get(number: number): Uint8Array | undefined {
    const written = this.#written[number]!;
    return written === 0 ? undefined : this.#values.of(number, written - 1);
  }

  each(
    options: { readonly from?: number; readonly count?: number; readonly reverse?: boolean },
    visit: (key: Uint8Array, value: Uint8Array) => void,
  ): void {
    const { from = 0, reverse = false } = options;
    let left = options.count ?? Infinity;
    const extent = this.#written.length;
    for (let i = from; i < extent && left > 0; i++) {
      const number = reverse ? extent - 1 - i : i;
      const value = this.get(number);
      if (value === undefined) continue;
      visit(this.#keys.make(number), value);
      left -= 1;
    }
  }
}

function one(byte: number): Uint8Array {
  return Uint8Array.of(byte);
}

function shuffledCopy(numbers: Uint32Array, random: Random): Uint32Array {
  return shuffled(numbers.length, random).map((at) => numbers[at]!);
}

/** As many numbers as are wanted: from the beginning again where there are not so many. */
function repeated(numbers: Uint32Array, count: number): Uint32Array {
  if (count <= numbers.length) return numbers.subarray(0, count);
  return Uint32Array.from({ length: count }, (_, i) => numbers[i % numbers.length]!);
}
