/**
 * Deno KV, which is SQLite behind a queue: every call is a promise, and every commit goes to the disk as Deno has it.
 *
 * - There is no way to ask for less or for more durability.
 * - A transaction takes 1,000 writes and 800 KiB: what is larger is split, and is not one transaction any more.
 *
 * @module
 */

import type { Engine, Opening, Visit } from "./engine.ts";

/** The most that Deno takes in a transaction, less what keys and values need to be told apart. */
const TRANSACTION_WRITES_MAX = 1_000;
const TRANSACTION_BYTES_MAX = 700_000;

/** The most entries that are fetched at once. */
const FETCHED_ENTRIES_MAX = 500;

/** Opens a database in a file of the folder. */
export async function openDenoKv({ folder }: Opening): Promise<Engine> {
  return new DenoKvEngine(await Deno.openKv(`${folder}/entries.kv`));
}

class DenoKvEngine implements Engine {
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    await this.#kv.set([key], value);
  }

  async putMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    const entryBytes = (keys[0]?.length ?? 0) + (values[0]?.length ?? 0);
    const size = Math.min(TRANSACTION_WRITES_MAX, Math.floor(TRANSACTION_BYTES_MAX / entryBytes));
    for (let from = 0; from < keys.length; from += size) {
      const transaction = this.#kv.atomic();
      const to = Math.min(from + size, keys.length);
      for (let i = from; i < to; i++) transaction.set([keys[i]!], values[i]!);
      const { ok } = await transaction.commit();
      if (!ok) throw new Error("a transaction was refused");
    }
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { value } = await this.#kv.get<Uint8Array>([key]);
    return value ?? undefined;
  }

  async scan(reverse: boolean, visit: Visit): Promise<void> {
    await this.#list({ prefix: [] }, { reverse, batchSize: FETCHED_ENTRIES_MAX }, visit);
  }

  async seek(key: Uint8Array, count: number, visit: Visit): Promise<void> {
    const end = new Uint8Array([0xff]);
    await this.#list({ start: [key], end: [end] }, { limit: count, batchSize: count }, visit);
  }

  close(): void {
    this.#kv.close();
  }

  async #list(selector: Deno.KvListSelector, options: Deno.KvListOptions, visit: Visit): Promise<void> {
    for await (const { key, value } of this.#kv.list<Uint8Array>(selector, options)) {
      visit(key[0] as Uint8Array, value);
    }
  }
}
