/**
 * LMDB through `lmdb`, a Node-API addon.
 *
 * - `noSync`: a write is in the operating system's memory when its transaction has ended. After the loss of power such a database may be
 *   broken, which no other engine here risks. Without it (`overlappingSync` off) a transaction ends with its barrier.
 * - One at a time a write is a synchronous transaction of its own. Batches, and many writers, use the promises: what comes in one
 *   turn of the event loop is one transaction, which is faster than a synchronous one of as many writes.
 * - `getBinaryFast` shows the value in a buffer that is used again: it is no copy of the caller's own.
 *
 * @module
 */

import type { Engine, Maybe, Opening, Visit } from "./engine.ts";
import { load } from "./packages.ts";

type Options = Readonly<Record<string, unknown>>;

/** What is used of a database. */
interface Lmdb {
  put(key: Uint8Array, value: Uint8Array): Promise<boolean>;
  putSync(key: Uint8Array, value: Uint8Array): void;
  getBinaryFast(key: Uint8Array): Uint8Array | undefined;
  getRange(options: Options): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  close(): Promise<void>;
}

interface Package {
  open(options: Options): Lmdb;
}

/** Opens a database. */
export async function openLmdb(opening: Opening): Promise<Engine> {
  const { folder, durable } = opening;
  const { open } = await load<Package>("lmdb");
  const lmdb = open({
    path: `${folder}/lmdb`,
    encoding: "binary",
    keyEncoding: "binary",
    noMemInit: true,
    ...(durable ? { overlappingSync: false } : { noSync: true }),
  });
  return new LmdbEngine(lmdb, opening);
}

class LmdbEngine implements Engine {
  readonly #lmdb: Lmdb;
  readonly #together: boolean;

  constructor(lmdb: Lmdb, { writers }: Opening) {
    this.#lmdb = lmdb;
    this.#together = writers > 1;
  }

  put(key: Uint8Array, value: Uint8Array): Maybe<void> {
    if (this.#together) return this.#lmdb.put(key, value) as Promise<unknown> as Promise<void>;
    this.#lmdb.putSync(key, value);
  }

  async putMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    let last: Promise<boolean> | undefined;
    for (let i = 0; i < keys.length; i++) last = this.#lmdb.put(keys[i]!, values[i]!);
    await last;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#lmdb.getBinaryFast(key);
  }

  scan(reverse: boolean, visit: Visit): void {
    for (const { key, value } of this.#lmdb.getRange({ reverse })) visit(key, value);
  }

  seek(key: Uint8Array, count: number, visit: Visit): void {
    for (const { key: found, value } of this.#lmdb.getRange({ start: key, limit: count })) {
      visit(found, value);
    }
  }

  close(): Promise<void> {
    return this.#lmdb.close();
  }
}
