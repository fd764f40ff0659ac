/**
 * The shell: the tree itself, and the storages that it can live in.
 *
 * A storage of one's own is any object that keeps the promises of {@linkcode Storage}. Files, memory and the simulated disk of
 * `@lsm/tree/testing` are three of them, and one suite of tests holds all to the same.
 *
 * @module
 */

export { BlockCache } from "./block_cache.ts";
export type { BlockCacheOptions } from "./block_cache.ts";
export type { Bounds, RangeOptions } from "./bounds.ts";
export type { Compression, Config, Durability, ResolvedConfig } from "./config.ts";
export type { EntryBase, OccupiedEntry, TreeEntry, VacantEntry } from "./entry.ts";
export { FileStorage } from "./file_storage.ts";
export type { CompactOptions, CompactProgress } from "./maintenance.ts";
export { MemoryStorage } from "./memory_storage.ts";
export type { ChangeCause } from "../core/mod.ts";
export type { TreeChange, TreeHistory } from "./history.ts";
export type { RecoveryReport } from "./open.ts";
export { repair } from "./repair.ts";
export type { LostPart, RepairOptions, RepairProgress, RepairReport } from "./repair.ts";
export type { ManifestUse } from "./repair_source.ts";
export { Range } from "./range.ts";
export type { Reads } from "./reads.ts";
export { Snapshot } from "./snapshot.ts";
export type { BackgroundMode } from "./background.ts";
export type { Stalls } from "./backpressure.ts";
export type { Pressure } from "../core/mod.ts";
export type { LevelStats, TreeStats } from "./stats.ts";
export type {
  Storage,
  StorageEntry,
  StorageFile,
  StorageLock,
  StorageOpened,
  StorageOpenOptions,
} from "./storage.ts";
export { FILE_NAME } from "./storage.ts";
export { Tree } from "./tree.ts";
export type { CompareAndSwapResult } from "./tree.ts";
export { verify } from "./verify.ts";
export type { TreeVerifyOptions, VerifyOptions, VerifyProgress, VerifyReport } from "./verify.ts";
export { Batch } from "./write_batch.ts";
