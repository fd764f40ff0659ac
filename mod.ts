/**
 * A log-structured merge tree: a persistent sorted key-value store for Deno, in TypeScript.
 *
 * ```ts
 * import { MemoryStorage, Tree } from "@lsm/tree";
 * import { assertEquals } from "@std/assert";
 *
 * // Leave out `storage` to keep the tree in a folder on disk.
 * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
 * tree.insert("user:1", "Ada");
 * tree.insert("user:2", "Grace");
 *
 * const text = new TextDecoder();
 * assertEquals(text.decode(tree.get("user:1")), "Ada");
 * assertEquals(tree.prefix("user:").rev().values().map((value) => text.decode(value)).toArray(), ["Grace", "Ada"]);
 *
 * await tree.flush(); // every write so far survives power loss
 * ```
 *
 * @module
 */

export * from "./io/mod.ts";
export * from "./core/errors.ts";
export type { Bytes, Entry, Key, Value } from "./core/bytes.ts";
export type { RecoveryMode } from "./core/recovery.ts";
export { compare, fifo, lazyLeveled, leveled, Levels, simulate, sizeTiered } from "./compaction/mod.ts";
export type {
  CompactionChoice,
  CompactionStrategy,
  LevelOptions,
  SegmentId,
  SegmentShape,
  SimulationOptions,
  SimulationReport,
  Workload,
} from "./compaction/mod.ts";
