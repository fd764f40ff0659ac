/**
 * RocksDB through `@nxtedition/rocksdb`, a Node-API addon that ships with its binary.
 *
 * - Used through its synchronous calls, which are several times faster than its promises: one batch that is written and cleared over and
 *   over, `_getManySync`, `_nextvSync`. They have an underscore, and are what its makers use.
 * - Without `sync` a write is given to the operating system, with it to the disk. Writes are made in the calling thread,
 *   so that writers do not share barriers.
 * - It has Bloom filters of 10 bits, memtables of 64 MiB, and compresses segments with zstd, as it does by default; its log
 *   is not compressed, which is faster.
 *
 * @module
 */

import type { Engine, Opening, Visit } from "./engine.ts";
import { CACHE_BYTES } from "./engine.ts";
import { load } from "./packages.ts";

type Options = Readonly<Record<string, unknown>>;

/** What is used of an iterator: its rows are keys and values in turn. */
interface RocksIterator {
  _seekSync(target: Uint8Array): void;
  _nextvSync(count: number): { readonly rows: readonly Uint8Array[]; readonly finished: boolean };
  _closeSync(): void;
}

interface RocksBatch {
  _put(key: Uint8Array, value: Uint8Array, options: Options): void;
  _writeSync(options: Options): void;
  _clear(): void;
}

/** What is used of a database. */
interface Rocks {
  open(): Promise<void>;
  _chainedBatch(): RocksBatch;
  _getManySync(keys: readonly Uint8Array[], options: Options): readonly (Uint8Array | undefined)[];
  _iterator(options: Options): RocksIterator;
  detachResource(iterator: RocksIterator): void;
  close(): Promise<void>;
}

interface Package {
  readonly RocksLevel: new (location: string, options: Options) => Rocks;
}

const ENTRIES_AT_ONCE = 1_000;
const NO_OPTIONS: Options = {};
const AS_BYTES: Options = { keyEncoding: "buffer", valueEncoding: "buffer", fillCache: true };

/** Opens a database. */
export async function openRocksdb(opening: Opening): Promise<Engine> {
  const { RocksLevel } = await load<Package>("rocksdb");
  const rocks = new RocksLevel(`${opening.folder}/rocks`, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    cacheSize: CACHE_BYTES,
    walCompression: false,
  });
  await rocks.open();
  return new RocksdbEngine(rocks, opening);
}

class RocksdbEngine implements Engine {
  readonly #rocks: Rocks;
  readonly #write: Options;
  /** One for all writes: the database remembers each that is made. */
  readonly #batch: RocksBatch;
  readonly #key: Uint8Array[] = [];
  /** Where nothing is written one iterator does for all seeks. */
  readonly #shared: RocksIterator | undefined;

  constructor(rocks: Rocks, { durable, readOnly }: Opening) {
    this.#rocks = rocks;
    this.#write = { sync: durable };
    this.#batch = rocks._chainedBatch();
    this.#shared = readOnly ? rocks._iterator(AS_BYTES) : undefined;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#batch._put(key, value, NO_OPTIONS);
    this.#batch._writeSync(this.#write);
    this.#batch._clear();
  }

  putMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): void {
    for (let i = 0; i < keys.length; i++) this.#batch._put(keys[i]!, values[i]!, NO_OPTIONS);
    this.#batch._writeSync(this.#write);
    this.#batch._clear();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#key[0] = key;
    return this.#rocks._getManySync(this.#key, AS_BYTES)[0];
  }

  scan(reverse: boolean, visit: Visit): void {
    const iterator = this.#rocks._iterator({ ...AS_BYTES, reverse });
    for (let finished = false; !finished;) finished = this.#next(iterator, ENTRIES_AT_ONCE, visit);
    this.#end(iterator);
  }

  seek(key: Uint8Array, count: number, visit: Visit): void {
    const iterator = this.#shared ?? this.#rocks._iterator(AS_BYTES);
    iterator._seekSync(key);
    this.#next(iterator, count, visit);
    if (this.#shared === undefined) this.#end(iterator);
  }

  async close(): Promise<void> {
    if (this.#shared !== undefined) this.#end(this.#shared);
    await this.#rocks.close();
  }

  #next(iterator: RocksIterator, count: number, visit: Visit): boolean {
    const { rows, finished } = iterator._nextvSync(count);
    for (let i = 0; i < rows.length; i += 2) visit(rows[i]!, rows[i + 1]!);
    return finished;
  }

  #end(iterator: RocksIterator): void {
    iterator._closeSync();
    this.#rocks.detachResource(iterator);
  }
}
