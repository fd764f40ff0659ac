/**
 * What a user may set, and what it becomes.
 *
 * An option that is given wins over the stored one, the stored one over the default. Stored options decide what the tree
 * looks like on disk (`core/config.ts`); all others belong to the handle.
 *
 * @module
 */

import type { CompactionStrategy } from "../compaction/mod.ts";
import { leveled, storedStrategy, strategyFrom } from "../compaction/mod.ts";
import type { CompressionName, RecoveryMode, StoredConfig } from "../core/mod.ts";
import { checkNumber, checkStoredConfig, CorruptionError } from "../core/mod.ts";
import { workerObstacle } from "./background.ts";
import { BlockCache } from "./block_cache.ts";
import type { Storage } from "./storage.ts";

/** How blocks are compressed: one way for all, or one for each level. */
export type Compression = CompressionName | ((level: number) => CompressionName);

/** What a returned write survives: see the table in the README. */
export type Durability = "buffered" | "os" | "sync";

/** The options of a tree; all may be left out. */
export interface Config {
  /** Bytes appended to the journal before the memtable is sealed and flushed; 16 MiB, 1 KiB and up. Stored. */
  readonly maxMemtableSize?: number;
  /** Target bytes of a data block; 4 KiB, 1 KiB to 4 MiB. Stored. */
  readonly blockSize?: number;
  /** The cache of blocks; one of 16 MiB of its own. One may serve several trees. */
  readonly blockCache?: BlockCache;
  /** How many levels there are; 7, 2 to 64. Stored. */
  readonly levelCount?: number;
  /** Growth from level to level; 10, 2 and up. Stored. */
  readonly levelRatio?: number;
  /** Which segments are merged, and when; `leveled()`. Stored by name and options, if it is one of this module's. */
  readonly compactionStrategy?: CompactionStrategy;
  /** How blocks are compressed; `"none"`. Stored, unless it is a function. */
  readonly compression?: Compression;
  /** Bits of a segment's filter for each key; 10, 0 for no filter. Stored. */
  readonly filterBitsPerKey?: number;
  /** What a returned write survives; `"os"`: the death of the process. */
  readonly durability?: Durability;
  /** Milliseconds between background syncs of the journal while there is something to sync; 1000, `null` for never. */
  readonly fsyncInterval?: number | null;
  /** Where flushes and compactions run; in a Worker, where one can be had. */
  readonly background?: "worker" | "inline";
  /** How many segment files are held open at once; 256. */
  readonly maxOpenFiles?: number;
  /** What to do where the journal's replay stops; `"tolerate-tail"`. */
  readonly recoveryMode?: RecoveryMode;
  /** Shows the tree as of `open()`, without the lock and without changing a byte; `false`. */
  readonly readOnly?: boolean;
  /** Whether a tree is made where there is none; `true`. */
  readonly createIfMissing?: boolean;
  /** Whether a tree that is there is an error; `false`. */
  readonly errorIfExists?: boolean;
  /** Where the bytes are kept; files in the folder. */
  readonly storage?: Storage;
}

/** All options of an open tree, with what was stored and the defaults filled in. */
export interface ResolvedConfig extends Required<Omit<Config, "storage">> {
  /** Where the bytes are kept. */
  readonly storage: Storage;
}

/** The options that belong to the handle, checked, with defaults. */
export type HandleConfig = Omit<ResolvedConfig, keyof StoredOptions>;

type StoredOptions = Pick<
  ResolvedConfig,
  | "maxMemtableSize"
  | "blockSize"
  | "levelCount"
  | "levelRatio"
  | "filterBitsPerKey"
  | "compactionStrategy"
  | "compression"
>;

const COMPRESSIONS: readonly string[] = ["none", "lz4", "zstd"];
const CACHE_BYTES = 16 * 1024 * 1024;
const FSYNC_INTERVAL_MS = 1000;
const OPEN_FILES_MAX = 256;

/**
 * Returns the options that belong to the handle.
 *
 * @throws {TypeError} If one has a wrong type or is none of those that exist.
 * @throws {RangeError} If a number is out of its limits.
 */
export function handleConfig(config: Config, storage: Storage): HandleConfig {
  checkGiven(config);
  return {
    blockCache: config.blockCache ?? new BlockCache({ capacity: CACHE_BYTES }),
    durability: config.durability ?? "os",
    fsyncInterval: config.fsyncInterval === undefined ? FSYNC_INTERVAL_MS : config.fsyncInterval,
    background: workerObstacle(storage) === undefined && !config.readOnly
      ? config.background ?? "worker"
      : "inline",
    maxOpenFiles: config.maxOpenFiles ?? OPEN_FILES_MAX,
    recoveryMode: config.recoveryMode ?? "tolerate-tail",
    readOnly: config.readOnly ?? false,
    createIfMissing: config.createIfMissing ?? true,
    errorIfExists: config.errorIfExists ?? false,
    storage,
  };
}

function checkGiven(config: Config): void {
  if (typeof config !== "object" || config === null) {
    throw new TypeError("Cannot open a tree: the config is no object");
  }
  for (const [name, value] of Object.entries(config)) {
    if (value === null && name !== "fsyncInterval") {
      throw new TypeError(`Cannot use option ${name}: it is null; leave it out for the default`);
    }
  }
  checkStorage(config.storage);
  checkOneOf("durability", config.durability, ["buffered", "os", "sync"]);
  checkOneOf("background", config.background, ["worker", "inline"]);
  checkOneOf("recoveryMode", config.recoveryMode, ["tolerate-tail", "strict", "point-in-time"]);
  for (const name of ["readOnly", "createIfMissing", "errorIfExists"] as const) {
    checkOneOf(name, config[name], [true, false]);
  }
  if (config.fsyncInterval !== undefined && config.fsyncInterval !== null) {
    checkNumber("fsyncInterval", config.fsyncInterval, { least: 0, most: 2 ** 31 - 1, whole: false });
  }
  if (config.maxOpenFiles !== undefined) {
    checkNumber("maxOpenFiles", config.maxOpenFiles, { least: 1, most: 2 ** 31, whole: true });
  }
  if (config.blockCache !== undefined && !(config.blockCache instanceof BlockCache)) {
    throw new TypeError("Cannot use option blockCache: it is not a BlockCache");
  }
  const { compression, compactionStrategy: strategy } = config;
  if (typeof compression !== "function") checkOneOf("compression", compression, COMPRESSIONS);
  if (
    strategy !== undefined && (typeof strategy?.choose !== "function" || typeof strategy.name !== "string")
  ) {
    throw new TypeError("Cannot use option compactionStrategy: it has no name or no choose function");
  }
}

function checkStorage(storage: Storage | undefined): void {
  if (storage === undefined) return;
  const calls = ["open", "list", "create", "openRead", "lock"] as const;
  if (calls.some((call) => typeof storage[call] !== "function")) {
    throw new TypeError("Cannot use option storage: it is not a Storage");
  }
}

function checkOneOf(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (value === undefined || allowed.includes(value)) return;
  const list = allowed.map((one) => JSON.stringify(one)).join(", ");
  const got = typeof value === "string" ? JSON.stringify(value) : typeof value;
  throw new TypeError(`Cannot use option ${name}: ${got} is none of ${list}`);
}

/** Options as they apply, and as they are stored. */
export interface MergedConfig {
  /** All options. */
  readonly resolved: ResolvedConfig;
  /** Those that are stored. */
  readonly stored: StoredConfig;
  /** What a user should know. */
  readonly notes: readonly string[];
}

/**
 * Returns all options: given ones over stored ones over defaults.
 *
 * @throws {TypeError} If one has a wrong type.
 * @throws {RangeError} If a number is out of its limits.
 * @throws {CorruptionError} If a stored strategy has options that it refuses.
 */
export function mergeConfig(config: Config, handle: HandleConfig, stored: StoredConfig): MergedConfig {
  const notes: string[] = [];
  const numbers = {
    maxMemtableSize: config.maxMemtableSize ?? stored.maxMemtableSize,
    blockSize: config.blockSize ?? stored.blockSize,
    levelCount: config.levelCount ?? stored.levelCount,
    levelRatio: config.levelRatio ?? stored.levelRatio,
    filterBitsPerKey: config.filterBitsPerKey ?? stored.filterBitsPerKey,
  };
  const compactionStrategy = config.compactionStrategy ?? storedOrDefaultStrategy(stored, notes);
  const compression = config.compression ?? storedOrDefaultCompression(stored, notes);
  const merged: StoredConfig = {
    ...numbers,
    compression: typeof compression === "function" ? "custom" : compression,
    strategy: storedStrategy(compactionStrategy),
  };
  checkStoredConfig(merged);
  const resolved = Object.freeze({ ...handle, ...numbers, compactionStrategy, compression });
  return { resolved, stored: merged, notes };
}

function storedOrDefaultStrategy(stored: StoredConfig, notes: string[]): CompactionStrategy {
  const strategy = strategyAsStored(stored);
  if (strategy !== undefined) return strategy;
  notes.push(
    `the compaction strategy "${stored.strategy.name}" cannot be stored and was not given: leveled applies`,
  );
  return leveled();
}

/** Options that a strategy refuses are none that this module has stored: nobody has given them wrong. */
function strategyAsStored({ strategy }: StoredConfig): CompactionStrategy | undefined {
  try {
    return strategyFrom(strategy);
  } catch (cause) {
    throw new CorruptionError(
      `Cannot use the compaction strategy that is stored with the tree: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function storedOrDefaultCompression(stored: StoredConfig, notes: string[]): CompressionName {
  if (stored.compression !== "custom") return stored.compression;
  notes.push("the compression function cannot be stored and was not given: none applies");
  return "none";
}

/** Returns how blocks of a level are compressed, checking what a function of the user's own says. */
export function compressionAt(compression: Compression, level: number): CompressionName {
  if (typeof compression !== "function") return compression;
  const name = compression(level);
  if (!COMPRESSIONS.includes(name)) {
    throw new TypeError(`Cannot compress level ${level}: the function gave no known name`);
  }
  return name;
}
