/**
 * The guard against the tree becoming several times slower: a few seconds of the main workloads, as ratios against plain TypeScript
 * in the same process. Prints them as JSON; `guard_test.ts` has the limits.
 *
 * ```sh
 * deno run --allow-read --allow-write tests/bench/guard.ts FOLDER
 * ```
 *
 * - The baseline never changes: a `Map` from keys as text to copies of values, and a sorted array of the keys for scans and seeks. It
 *   keeps nothing; it stands for how fast this machine is at this moment.
 * - Both do the same work in turn, round by round, and what counts is the median of the rounds' ratios: what slows
 *   the machine down for a while meets both, and a round that is disturbed is no median.
 * - The tree works inline with a memtable of 256 KiB, so that flushes, merges, filters and several levels are part of it.
 * - It is a process of its own, so that no other test's garbage, and no counting of what code was run, is measured.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { checksum, entryChecksum, KeyMaker, Values } from "./peers/data.ts";
import type { Engine, Visit } from "./peers/engine.ts";
import { openTree } from "./peers/tree_engine.ts";
import { randomFrom, shuffled } from "./workload.ts";

/** What both must do for a workload; reads answer with a checksum. */
type Work = (engine: Engine) => number;

const ENTRIES = 20_000;
const BATCH_ENTRIES = 1_000;
const SEEKS = 2_000;
const SEEK_ENTRIES = 10;
const ROUNDS = 5;
const VALUE_BYTES = 100;
const OPENING = { durable: false, writers: 1, readOnly: false };
const CONFIG = { background: "inline", maxMemtableSize: 256 * 1024 } as const;

const order = shuffled(ENTRIES, randomFrom(1));
const otherOrder = shuffled(ENTRIES, randomFrom(2));
const keys = new KeyMaker();
const values = new Values(VALUE_BYTES, 1);

const WORKS: Readonly<Record<string, Work>> = {
  "fill one at a time": fill,
  "fill in batches": fillInBatches,
  "get": get,
  "get what is absent": getAbsent,
  "scan": scan,
  "seek, then read 10": seek,
};

/** Returns how many times as long as the baseline the tree takes for each workload, the median of the rounds. */
async function ratios(folder: string): Promise<Record<string, number>> {
  const rounds: Record<string, number>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const place = `${folder}/${round}`;
    Deno.mkdirSync(place);
    rounds.push(await ratiosOfRound(place));
    Deno.removeSync(place, { recursive: true });
  }
  return Object.fromEntries(
    Object.keys(WORKS).map((name) => [name, median(rounds.map((round) => round[name]!))]),
  );
}

async function ratiosOfRound(folder: string): Promise<Record<string, number>> {
  const tree = await openTree({ ...OPENING, folder: `${folder}/one` }, CONFIG);
  const batched = await openTree({ ...OPENING, folder: `${folder}/batched` }, CONFIG);
  const baseline = new Baseline();
  const found: Record<string, number> = {};
  for (const [name, work] of Object.entries(WORKS)) {
    const together = name === "fill in batches";
    const base = await timed(together ? new Baseline() : baseline, work);
    const tried = await timed(together ? batched : tree, work);
    assertEquals(tried.checksum, base.checksum, `${name}: both read the same`);
    found[name] = tried.milliseconds / base.milliseconds;
  }
  await tree.close();
  await batched.close();
  return found;
}

/** Stands for the machine. Keys become text and bytes again in loops of their own, not in native code, so that both are slowed alike. */
class Baseline implements Engine {
  readonly #map = new Map<string, Uint8Array>();
  #sorted: readonly string[] = [];

  put(key: Uint8Array, value: Uint8Array): void {
    this.#map.set(textOf(key), value.slice());
  }

  putMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): void {
    for (let i = 0; i < keys.length; i++) this.put(keys[i]!, values[i]!);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#map.get(textOf(key))?.slice();
  }

  scan(_reverse: boolean, visit: Visit): void {
    for (const key of this.#sorted) visit(bytesOf(key), this.#map.get(key)!.slice());
  }

  seek(key: Uint8Array, count: number, visit: Visit): void {
    const from = lowerBound(this.#sorted, textOf(key));
    const to = Math.min(from + count, this.#sorted.length);
    for (let i = from; i < to; i++) {
      const found = this.#sorted[i]!;
      visit(bytesOf(found), this.#map.get(found)!.slice());
    }
  }

  settle(): Promise<void> {
    this.#sorted = [...this.#map.keys()].sort();
    return Promise.resolve();
  }

  close(): void {}
}

function textOf(key: Uint8Array): string {
  let text = "";
  for (let i = 0; i < key.length; i++) text += String.fromCharCode(key[i]!);
  return text;
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function fill(engine: Engine): number {
  for (const number of order) engine.put(keys.make(number), values.of(number, 0));
  return 0;
}

function fillInBatches(engine: Engine): number {
  for (let from = 0; from < ENTRIES; from += BATCH_ENTRIES) {
    const numbers = [...order.subarray(from, from + BATCH_ENTRIES)];
    engine.putMany(numbers.map((number) => keys.make(number).slice()), numbers.map((n) => values.of(n, 0)));
  }
  return 0;
}

function get(engine: Engine): number {
  let sum = 0;
  for (const number of otherOrder) sum = checksum(sum, valueNow(engine.get(keys.make(number))));
  return sum;
}

function getAbsent(engine: Engine): number {
  let found = 0;
  for (const number of otherOrder) found += Number(engine.get(keys.makeAbsent(number)) !== undefined);
  return found;
}

function scan(engine: Engine): number {
  let sum = 0;
  engine.scan(false, (key, value) => sum = entryChecksum(sum, key, value));
  return sum;
}

function seek(engine: Engine): number {
  let sum = 0;
  for (const number of otherOrder.subarray(0, SEEKS)) {
    engine.seek(keys.make(number), SEEK_ENTRIES, (key, value) => sum = entryChecksum(sum, key, value));
  }
  return sum;
}

/** What is left to do afterwards is not timed: sorting the baseline's keys. The tree is at rest, since it works inline. */
async function timed(
  engine: Engine,
  work: Work,
): Promise<{ readonly milliseconds: number; readonly checksum: number }> {
  const begun = performance.now();
  const checksum = work(engine);
  const milliseconds = performance.now() - begun;
  await engine.settle?.();
  return { milliseconds, checksum };
}

/** Both answer at once. */
function valueNow(got: ReturnType<Engine["get"]>): Uint8Array | undefined {
  if (got instanceof Promise) throw new TypeError("a promise where a value was expected");
  return got;
}

function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1]!;
}

if (import.meta.main) console.log(JSON.stringify(await ratios(Deno.args[0]!)));
