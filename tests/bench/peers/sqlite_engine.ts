/**
 * SQLite, through the module that Deno has of Node: one table that is itself the tree of keys, and prepared statements.
 *
 * - A write ahead log without a barrier for each commit (`synchronous = NORMAL`); with one (`FULL`) where writes must be durable.
 *   After the loss of power the first has lost the latest commits and is whole, as the tree is.
 * - It has the file for itself, as the tree has its folder, a log of 16 MiB before it is moved into the table, and reads through a map of the
 *   file: each makes it faster, all together about twice as fast as by default.
 * - All calls are synchronous and have one connection: writers do not share barriers.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Engine, Opening, Visit } from "./engine.ts";
import { CACHE_BYTES, WRITE_BUFFER_BYTES } from "./engine.ts";

/** What the types of the module do not know yet: rows come as arrays, which are made faster than objects. */
type ArrayStatement = StatementSync & { setReturnArrays(on: boolean): void };

/** A row of the table. */
type Row = readonly [key: Uint8Array, value: Uint8Array];

/** SQLite's own page size, in which the length of its log is told. */
const PAGE_BYTES = 4096;
const MAPPED_BYTES = 256 * 1024 * 1024;

/** Opens a database in a file of the folder. */
export function openSqlite({ folder, durable }: Opening): Promise<Engine> {
  const database = new DatabaseSync(`${folder}/entries.sqlite`);
  database.exec(`
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"};
    PRAGMA cache_size = -${CACHE_BYTES / 1024};
    PRAGMA wal_autocheckpoint = ${WRITE_BUFFER_BYTES / PAGE_BYTES};
    PRAGMA mmap_size = ${MAPPED_BYTES};
    CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  `);
  return Promise.resolve(new SqliteEngine(database));
}

class SqliteEngine implements Engine {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #get: StatementSync;
  readonly #forwards: StatementSync;
  readonly #backwards: StatementSync;
  readonly #seek: StatementSync;

  constructor(database: DatabaseSync) {
    const rows = (text: string): StatementSync => {
      const statement = database.prepare(text);
      (statement as ArrayStatement).setReturnArrays(true);
      return statement;
    };
    this.#database = database;
    this.#put = database.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?)");
    this.#get = rows("SELECT value FROM entries WHERE key = ?");
    this.#forwards = rows("SELECT key, value FROM entries ORDER BY key");
    this.#backwards = rows("SELECT key, value FROM entries ORDER BY key DESC");
    this.#seek = rows("SELECT key, value FROM entries WHERE key >= ? ORDER BY key LIMIT ?");
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#put.run(key, value);
  }

  putMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): void {
    this.#database.exec("BEGIN");
    for (let i = 0; i < keys.length; i++) this.#put.run(keys[i]!, values[i]!);
    this.#database.exec("COMMIT");
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const row = this.#get.get(key) as unknown as readonly [Uint8Array] | undefined;
    return row?.[0];
  }

  scan(reverse: boolean, visit: Visit): void {
    const statement = reverse ? this.#backwards : this.#forwards;
    for (const [key, value] of statement.iterate() as unknown as Iterable<Row>) visit(key, value);
  }

  seek(key: Uint8Array, count: number, visit: Visit): void {
    for (const [found, value] of this.#seek.all(key, count) as unknown as readonly Row[]) visit(found, value);
  }

  close(): void {
    this.#database.close();
  }
}
