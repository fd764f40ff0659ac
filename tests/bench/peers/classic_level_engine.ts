/**
 * LevelDB through `classic-level`, a Node-API addon.
 *
 * - Writes are promises; a get is synchronous, and iterators hand out a thousand entries at a time.
 * - Without `sync` a write is given to the operating system, with it to the disk; writers that wait at once share barriers.
 * - It has Bloom filters of 10 bits, and compresses with Snappy, as it does by default.
 *
 * @module
 */

import type { Engine, Maybe, Opening, Visit } from "./engine.ts";
import { CACHE_BYTES, WRITE_BUFFER_BYTES } from "./engine.ts";
import { load } from "./packages.ts";

type Entry = readonly [key: Uint8Array, value: Uint8Array];
type Options = Readonly<Record<string, unknown>>;

/** What is used of an iterator. */
interface LevelIterator {
  nextv(count: number): Promise<readonly Entry[]>;
  seek(target: Uint8Array): void;
  close(): Promise<void>;
}

/** What is used of a batch: faster than a list of operations. */
interface LevelBatch {
  put(key: Uint8Array, value: Uint8Array): void;
  write(options: Options): Promise<void>;
}

/** What is used of a database. */
interface Level {
  open(): Promise<void>;
  put(key: Uint8Array, value: Uint8Array, options: Options): Promise<void>;
  batch(): LevelBatch;
  getSync(key: Uint8Array): Uint8Array | undefined;
  iterator(options: Options): LevelIterator;
  close(): Promise<void>;
}

interface Package {
  readonly ClassicLevel: new (location: string, options: Options) => Level;
}

const ENTRIES_AT_ONCE = 1_000;

/** By default an iterator hands out no more than 16 KiB at a time: too little for large values, and slow for small ones. */
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/** Opens a database. */
export async function openClassicLevel(opening: Opening): Promise<Engine> {
  const { ClassicLevel } = await load<Package>("classicLevel");
  const level = new ClassicLevel(`${opening.folder}/level`, {
    keyEncoding: "view",
    valueEncoding: "view",
    cacheSize: CACHE_BYTES,
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
  await level.open();
  return new ClassicLevelEngine(level, opening);
}

class ClassicLevelEngine implements Engine {
  readonly #level: Level;
  readonly #write: Options;
  /** Where nothing is written one iterator does for all seeks. */
  readonly #shared: LevelIterator | undefined;

  constructor(level: Level, { durable, readOnly }: Opening) {
    this.#level = level;
    this.#write = { sync: durable };
    this.#shared = readOnly ? level.iterator({ highWaterMarkBytes: BYTES_AT_ONCE }) : undefined;
  }

  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.#level.put(key, value, this.#write);
  }

  putMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    const batch = this.#level.batch();
    for (let i = 0; i < keys.length; i++) batch.put(keys[i]!, values[i]!);
    return batch.write(this.#write);
  }

  get(key: Uint8Array): Maybe<Uint8Array | undefined> {
    return this.#level.getSync(key);
  }

  async scan(reverse: boolean, visit: Visit): Promise<void> {
    const iterator = this.#level.iterator({ reverse, highWaterMarkBytes: BYTES_AT_ONCE });
    for (;;) {
      const entries = await iterator.nextv(ENTRIES_AT_ONCE);
      if (entries.length === 0) break;
      for (const [key, value] of entries) visit(key, value);
    }
    await iterator.close();
  }

  async seek(key: Uint8Array, count: number, visit: Visit): Promise<void> {
    const iterator = this.#shared ??
      this.#level.iterator({ gte: key, limit: count, highWaterMarkBytes: BYTES_AT_ONCE });
    if (this.#shared !== undefined) iterator.seek(key);
    for (const [found, value] of await iterator.nextv(count)) visit(found, value);
    if (this.#shared === undefined) await iterator.close();
  }

  async close(): Promise<void> {
    await this.#shared?.close();
    await this.#level.close();
  }
}
