/**
 * Measured write amplification beside what the simulator predicts for the same strategy, options and load.
 *
 * A data set ten times the memtable is written in random order and overwritten a few times, in a tree whose work runs inline. Then
 * what the tree counted is compared with `simulate`, which knows the load only by its numbers.
 *
 * @module
 */

import type { CompactionStrategy, Config, Workload } from "@lsm/tree";
import { fifo, lazyLeveled, leveled, MemoryStorage, simulate, sizeTiered, Tree } from "@lsm/tree";
import type { Random } from "./workload.ts";
import { below, randomFrom } from "./workload.ts";

/** Bytes of a key: decimal digits. */
export const KEY_BYTES = 16;

/** Bytes of a value. */
export const VALUE_BYTES = 100;

/** What is written, and into what. */
export interface AmplificationOptions {
  /** Bytes of journal that a flush is made of. */
  readonly maxMemtableSize: number;
  /** How many times the memtable the data set is. */
  readonly memtables: number;
  /** How many operations there are for each key. */
  readonly rounds: number;
  /** Which keys come. */
  readonly kind: "uniform" | "sequential" | "deleteHeavy";
  /** The seed of the load. */
  readonly seed: number;
}

/** What one strategy did with a load, and what was predicted. */
export interface AmplificationRow {
  /** The strategy. */
  readonly strategy: string;
  /** Which keys came. */
  readonly kind: string;
  /** How many memtables were flushed. */
  readonly flushes: number;
  /** Bytes of segments written for each byte of keys and values. */
  readonly measured: number;
  /** The same, as predicted. */
  readonly predicted: number;
  /** Bytes of segments at the end for each byte of live keys and values. */
  readonly space: number;
}

/** Returns the strategies to compare, set for trees of this size. */
export function strategiesFor(maxMemtableSize: number, dataBytes: number): readonly CompactionStrategy[] {
  const targetSize = Math.max(1024, Math.floor(maxMemtableSize / 4));
  return [
    leveled({ targetSize }),
    sizeTiered(),
    lazyLeveled({ targetSize }),
    fifo({ limit: dataBytes }),
  ];
}

/** Returns how many keys the data set of a load has. */
export function keysOf({ maxMemtableSize, memtables }: AmplificationOptions): number {
  return Math.round(maxMemtableSize * memtables / (KEY_BYTES + VALUE_BYTES));
}

/** Writes a load to a tree in memory and to a simulated one. */
export async function measure(
  strategy: CompactionStrategy,
  options: AmplificationOptions,
): Promise<AmplificationRow> {
  const { maxMemtableSize, kind } = options;
  const keys = keysOf(options);
  const operations = Math.round(keys * options.rounds);
  const config: Config = {
    storage: new MemoryStorage(),
    background: "inline",
    durability: "buffered",
    compression: "none",
    levelRatio: 4,
    maxMemtableSize,
    compactionStrategy: strategy,
  };
  await using tree = await Tree.open("data", config);
  write(tree, kind, keys, operations, randomFrom(options.seed));
  const { written, flushes, levels, lastError } = tree.stats();
  if (lastError !== undefined) throw lastError;
  const workload: Workload = {
    kind,
    keys,
    operations,
    entryBytes: KEY_BYTES + VALUE_BYTES,
    keyBytes: KEY_BYTES,
  };
  const report = simulate({ strategy, workload, config: { maxMemtableSize, levelRatio: 4 } });
  const bytes = levels.reduce((sum, level) => sum + level.bytes, 0);
  return {
    strategy: strategy.name,
    kind,
    flushes,
    measured: written.segments / written.user,
    predicted: report.writeAmplification,
    space: bytes / (tree.len() * (KEY_BYTES + VALUE_BYTES)),
  };
}

/** The share of removes in a load that removes, as the simulator takes it where nothing is said. */
const REMOVES = 0.3;

function write(
  tree: Tree,
  kind: AmplificationOptions["kind"],
  keys: number,
  operations: number,
  random: Random,
): void {
  const value = new Uint8Array(VALUE_BYTES);
  const live = new LiveKeys();
  for (let i = 0; i < operations; i++) {
    if (kind === "deleteHeavy" && live.count > 0 && random() < REMOVES * 2 ** 32) {
      tree.remove(keyOf(live.take(random)));
      continue;
    }
    const key = kind === "sequential" ? i % keys : below(random, keys);
    value[i % VALUE_BYTES] = i;
    tree.insert(keyOf(key), value);
    live.add(key);
  }
}

function keyOf(number: number): string {
  return String(number).padStart(KEY_BYTES, "0");
}

/** The keys that exist, any of which can be taken in one step. */
class LiveKeys {
  readonly #keys: number[] = [];
  readonly #places: Map<number, number> = new Map();

  get count(): number {
    return this.#keys.length;
  }

  add(key: number): void {
    if (this.#places.has(key)) return;
    this.#places.set(key, this.#keys.length);
    this.#keys.push(key);
  }

  take(random: Random): number {
    const place = below(random, this.#keys.length);
    const key = this.#keys[place]!;
    const last = this.#keys.pop()!;
    if (last !== key) {
      this.#keys[place] = last;
      this.#places.set(last, place);
    }
    this.#places.delete(key);
    return key;
  }
}
