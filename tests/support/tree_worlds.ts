/**
 * Worlds: where a session's trees live, the real ones in a memory storage and those of the model in a variable.
 *
 * What a model has no words for is checked here: background work of a real tree has not failed, nothing was left for the garbage
 * collector, and after closing there is no file but those that the manifest names.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  CURRENT_NAME,
  decodeCurrent,
  fileName,
  LOCK_NAME,
  READERS_NAME,
  scanManifest,
  versionSegments,
} from "../../core/mod.ts";
import { readFile } from "../../io/whole.ts";
import type { CompactionStrategy, Config, Storage } from "../../mod.ts";
import { BlockCache, leveled, MemoryStorage, sizeTiered, Tree } from "../../mod.ts";
import type { TreeLike } from "./model_tree.ts";
import { ModelTree } from "./model_tree.ts";
import type { Variant } from "./tree_actions.ts";

/** What a session opens. */
export interface World {
  /** Opens the tree for writing. */
  open(variant: Variant): Promise<TreeLike>;
  /** Opens it beside the writer, read only. */
  openReader(): Promise<TreeLike>;
  /** Checks what only a real tree has, after each action. */
  check(tree: TreeLike): void;
  /** Is told before a tree that was open is closed, and after. */
  closing(tree: TreeLike): void;
  closed(): void;
}

/** How often things happened that should happen now and then. */
export interface Counts {
  flushes: number;
  merges: number;
  moves: number;
  clears: number;
  reopenings: number;
  /** Snapshots and ranges that were read while older versions of the tree were kept for them. */
  pinned: number;
}

/** Returns a world in which nothing is stored but a map. */
export function modelWorld(): World {
  const store = { contents: new Map<string, string>() };
  return {
    open: () => Promise.resolve(new ModelTree(store, false)),
    openReader: () => Promise.resolve(new ModelTree(store, true)),
    check: () => {},
    closing: () => {},
    closed: () => {},
  };
}

/** Returns a world with the real tree, in memory. */
export function treeWorld(counts: Counts): World {
  const storage = new MemoryStorage();
  return {
    open: (variant) => Tree.open("tree", { ...configOf(variant), storage }),
    openReader: () => Tree.open("tree", { storage, readOnly: true }),
    check: (tree) => {
      const { lastError, leaks, pinnedVersions } = (tree as Tree).stats();
      assertEquals(lastError, undefined);
      assertEquals(leaks, 0);
      if (pinnedVersions > 1) counts.pinned += 1;
    },
    closing: (tree) => {
      const { flushes, merges, moves } = (tree as Tree).stats();
      counts.flushes += flushes;
      counts.merges += merges;
      counts.moves += moves;
    },
    closed: () => assertEquals(storage.list().map(({ name }) => name).sort(), namesOfTree(storage)),
  };
}

/** Returns the names of the files that a closed tree is made of, as its manifest says. */
export function namesOfTree(storage: Storage): readonly string[] {
  const id = decodeCurrent(wholeFile(storage, CURRENT_NAME));
  const manifest = fileName("manifest", id);
  const { version } = scanManifest(wholeFile(storage, manifest), id);
  return [
    CURRENT_NAME,
    LOCK_NAME,
    READERS_NAME,
    manifest,
    ...versionSegments(version).map((segment) => fileName("segment", segment.id)),
    ...version.fence.journals.map((journal) => fileName("journal", journal.id)),
  ].sort();
}

function wholeFile(storage: Storage, name: string): Uint8Array {
  const file = storage.openRead(name);
  try {
    return readFile(file);
  } finally {
    file.close();
  }
}

const SQUASH: CompactionStrategy = {
  name: "squash",
  choose: (levels, { levelCount }) => {
    const segments = levels.levels.flat();
    if (segments.length < 2 || segments.some((segment) => segment.busy)) return { kind: "none" };
    const destLevel = Math.max(levelCount, levels.levels.length) - 1;
    return { kind: "merge", segments: segments.map(({ id }) => id), destLevel, targetSize: 2 ** 20 };
  },
};

const NEVER: CompactionStrategy = { name: "never", choose: () => ({ kind: "none" }) };

const STRATEGIES: Readonly<Record<Variant["strategy"], CompactionStrategy | undefined>> = {
  default: undefined,
  eager: leveled({ l0Threshold: 1, targetSize: 4096 }),
  fine: leveled({ l0Threshold: 2, targetSize: 1024 }),
  tiered: sizeTiered({ minThreshold: 2, maxThreshold: 4 }),
  squash: SQUASH,
  never: NEVER,
};

/** Returns the options of a variant. */
export function configOf(variant: Variant): Config {
  const { cache, compression, strategy, ...rest } = variant;
  return {
    ...rest,
    blockCache: new BlockCache({ capacity: cache }),
    compression: compression === "by level"
      ? (level) => (["none", "lz4", "zstd"] as const)[level % 3]!
      : compression,
    compactionStrategy: STRATEGIES[strategy],
    // A timer would go on behind a test that fails.
    fsyncInterval: null,
  };
}
