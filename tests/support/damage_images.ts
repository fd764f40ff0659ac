/**
 * Small trees of many shapes, to be damaged: how they ended, how they are compressed, filtered and merged, with values larger than a block.
 *
 * A shape makes an *image*: the storage of a tree that is not open, what the tree held after each commit, and the keys to ask for.
 * Nothing is merged but by `compact`, so that an image has several segments and a journal with durable and other batches.
 *
 * @module
 */

import type { CompactionStrategy, Config } from "@lsm/tree";
import { fifo, lazyLeveled, leveled, sizeTiered, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import type { CompressionName } from "../../core/codec.ts";
import { contentsOf, tinyConfig } from "./workloads.ts";

/** How a tree came to its end. */
export type ImageEnd = "close" | "kill" | "compact";

/** What a tree is like. */
export interface ImageShape {
  /** How it ended. */
  readonly end: ImageEnd;
  /** How its blocks are compressed. */
  readonly compression: CompressionName;
  /** Bits of its filters for each key; 0 for none. */
  readonly filterBitsPerKey: number;
  /** What made its levels. */
  readonly strategy: keyof typeof STRATEGIES;
  /** Whether one of its values is larger than a block, and so a block of its own. */
  readonly isLarge: boolean;
}

/** A tree that is not open, and what it held. */
export interface TreeImage {
  /** What it is like. */
  readonly shape: ImageShape;
  /** Its files. */
  readonly storage: SimulatedStorage;
  /** What it held after each commit. */
  readonly contents: readonly string[];
  /** The keys that it ever had, and some others. */
  readonly keys: readonly string[];
}

/** The strategies, so that nothing is merged by itself. */
const STRATEGIES: { readonly [name: string]: () => CompactionStrategy } = {
  leveled: () => leveled({ l0Threshold: 9, targetSize: 1024 }),
  lazyLeveled: () => lazyLeveled({ threshold: 9 }),
  sizeTiered: () => sizeTiered({ minThreshold: 9 }),
  fifo: () => fifo({ limit: 1_000_000 }),
};

/** The shapes that are damaged in tests: each end, compression, filter, strategy and size of value at least once. */
export const IMAGE_SHAPES: readonly ImageShape[] = [
  shapeOf("close", "lz4", 10, "leveled", true),
  shapeOf("close", "zstd", 0, "sizeTiered", false),
  shapeOf("kill", "zstd", 10, "lazyLeveled", true),
  shapeOf("kill", "none", 0, "fifo", false),
  shapeOf("compact", "none", 10, "sizeTiered", true),
  shapeOf("compact", "lz4", 0, "lazyLeveled", false),
  shapeOf("compact", "zstd", 10, "leveled", true),
  shapeOf("compact", "lz4", 10, "fifo", true),
];

function shapeOf(
  end: ImageEnd,
  compression: CompressionName,
  filterBitsPerKey: number,
  strategy: string,
  isLarge: boolean,
): ImageShape {
  return { end, compression, filterBitsPerKey, strategy, isLarge };
}

/** Returns a shape in words. */
export function shapeText({ end, compression, filterBitsPerKey, strategy, isLarge }: ImageShape): string {
  const filter = filterBitsPerKey === 0 ? "no filter" : "filter";
  return `${end}, ${compression}, ${filter}, ${strategy}${isLarge ? ", large value" : ""}`;
}

/** Returns how the tree of a shape is opened. */
export function configOf(
  { compression, filterBitsPerKey, strategy }: ImageShape,
  storage: SimulatedStorage,
): Config {
  return tinyConfig(storage, {
    compression,
    filterBitsPerKey,
    compactionStrategy: STRATEGIES[strategy]!(),
  });
}

/** Makes a tree of a shape: a flush, a merge of it if it is compacted, a flush with a removal, then batches that stay in the journal. */
export async function treeImage(shape: ImageShape): Promise<TreeImage> {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", configOf(shape, storage));
  const contents: string[] = [""];
  const write = (change: (tree: Tree) => void): void => {
    change(tree);
    contents.push(contentsOf(tree));
  };
  for (let i = 0; i < 4; i++) write((tree) => tree.insert(`a${i}`, `${i}`.padEnd(40, ".")));
  if (shape.isLarge) write((tree) => tree.insert("a2x", "large ".repeat(220)));
  await tree.flushMemtable();
  if (shape.end === "compact") await tree.compact();
  write((tree) => tree.remove("a2"));
  write((tree) => tree.insert("b", "1"));
  await tree.flushMemtable();
  write((tree) => tree.insert("c", "1"));
  write((tree) => tree.batch().insert("d", "1").remove("a0").commit());
  await tree.flush();
  write((tree) => tree.insert("e", "1"));
  write((tree) => tree.insert("f", "1"));
  const killed = storage.kill();
  await tree.close();
  const keys = ["a0", "a1", "a2", "a2x", "a3", "b", "c", "d", "e", "f", "", "absent", "z"];
  return { shape, storage: shape.end === "kill" ? killed : storage, contents, keys };
}
