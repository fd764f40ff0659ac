/**
 * The engines, in the order of the table, and what must be known to compare them.
 *
 * @module
 */

import type { Open } from "./engine.ts";
import { openClassicLevel } from "./classic_level_engine.ts";
import { openDenoKv } from "./deno_kv_engine.ts";
import { openLmdb } from "./lmdb_engine.ts";
import { type PACKAGES, versionOf } from "./packages.ts";
import { openRocksdb } from "./rocksdb_engine.ts";
import { openSqlite } from "./sqlite_engine.ts";
import { openTree } from "./tree_engine.ts";

/** An engine that can be compared. */
export interface EngineKind {
  /** What it is called. */
  readonly name: string;
  /** What it is. */
  readonly title: string;
  /** What a write survives where it need not be durable, and where it must. */
  readonly durability: { readonly usual: string; readonly durable: string };
  /** What else is not the same for all. */
  readonly note: string;
  /** Opens it; none where it is a program of its own. */
  readonly open: Open | undefined;
  /** The package from npm that it needs, if it needs one. */
  readonly needs: keyof typeof PACKAGES | undefined;
  /** Whether it is the tree in one of its forms, and no peer. */
  readonly own: boolean;
  /** Whether it is only asked for its bytes on disk, unless it is named. */
  readonly sizeOnly: boolean;
}

const TREE = {
  durability: {
    usual: "death of the process; a barrier every second",
    durable: 'one writer: durability "sync"; 64 writers: insert, then await flush()',
  },
  own: true,
  needs: undefined,
};

const PEER = { own: false, sizeOnly: false, needs: undefined };

/** All of them. */
export const ENGINES: readonly EngineKind[] = [
  {
    ...TREE,
    name: "tree",
    title: "@lsm/tree, default options",
    note:
      "background work in Workers; results are the caller's own copies; beside a timer, ready() is awaited as the loop turns",
    open: openTree,
    sizeOnly: false,
  },
  ...(["none", "lz4", "zstd"] as const).map((compression) => ({
    ...TREE,
    name: `tree-${compression}`,
    title: `@lsm/tree, compression ${compression}`,
    note: "as above",
    open: ((opening) => openTree(opening, { compression })) satisfies Open,
    sizeOnly: true,
  })),
  {
    ...PEER,
    name: "classic-level",
    title: `classic-level ${versionOf("classicLevel")} (LevelDB)`,
    durability: { usual: "death of the process", durable: "sync: true; concurrent writers share barriers" },
    note:
      "writes are promises, awaited one at a time; get is getSync; Snappy; cache and write buffer 16 MiB as the tree's",
    open: openClassicLevel,
    needs: "classicLevel",
  },
  {
    ...PEER,
    name: "lmdb",
    title: `lmdb ${versionOf("lmdb")} (LMDB)`,
    durability: {
      usual: "death of the process; noSync: the loss of power may break the whole database",
      durable: "a barrier in each transaction; the writes of one turn share it",
    },
    note:
      "gets are views of a buffer that is used again (getBinaryFast), no copies; no compression, and no useWritemap, which its makers discourage",
    open: openLmdb,
    needs: "lmdb",
  },
  {
    ...PEER,
    name: "rocksdb",
    title: `@nxtedition/rocksdb ${versionOf("rocksdb")} (RocksDB)`,
    durability: {
      usual: "death of the process",
      durable: "sync: true, in the calling thread: writers share no barrier",
    },
    note: "its synchronous calls; zstd for segments, not for the log; memtables of 64 MiB, cache 16 MiB",
    open: openRocksdb,
    needs: "rocksdb",
  },
  {
    ...PEER,
    name: "deno-kv",
    title: `Deno KV of Deno ${Deno.version.deno} (SQLite)`,
    durability: { usual: "as Deno has it: it has no unsynced mode", durable: "the same" },
    note: "every call is a promise; a batch above 800 KiB is several transactions",
    open: openDenoKv,
  },
  {
    ...PEER,
    name: "node-sqlite",
    title: `node:sqlite of Deno ${Deno.version.deno} (SQLite)`,
    durability: { usual: "death of the process: WAL, synchronous NORMAL", durable: "WAL, synchronous FULL" },
    note:
      "one table without rowid, prepared statements, exclusive, mapped, cache and log 16 MiB; writers share no barrier",
    open: openSqlite,
  },
  {
    ...PEER,
    name: "leveldb-cpp",
    title: "LevelDB in C++, without a binding",
    durability: { usual: "death of the process", durable: "sync: true; 64 threads share barriers" },
    note:
      "a program of its own: no timer to be late; Snappy, Bloom filters of 10 bits, cache and write buffer 16 MiB",
    open: undefined,
  },
];

/** Returns the engine with a name. */
export function engineNamed(name: string): EngineKind {
  const found = ENGINES.find((engine) => engine.name === name);
  if (found === undefined) throw new TypeError(`Cannot run the benchmark: there is no engine ${name}`);
  return found;
}
