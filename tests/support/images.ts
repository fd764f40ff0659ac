/**
 * Images: small trees that are not open any more, with a bit of everything, to be damaged.
 *
 * What a tree held after each commit is kept with it, so that whoever opens or repairs a damaged copy knows what may come back.
 * A copy is what `storage.kill()` returns; the image itself is never changed.
 *
 * @module
 */

import { leveled, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { contentsOf, tinyConfig } from "./workloads.ts";

/** How a tree ended: closed in order, compacted before that, or by the death of its process. */
export type ImageEnd = "close" | "compact" | "kill";

/** A tree that is not open, and what it holds. */
export interface Image {
  /** Where it is. */
  readonly storage: SimulatedStorage;
  /** What it holds after each commit. */
  readonly contents: readonly string[];
}

/** Opens a tree; nothing is merged but by `compact`. */
export function openImage(storage: SimulatedStorage): Promise<Tree> {
  return Tree.open("data", tinyConfig(storage, { compactionStrategy: leveled({ l0Threshold: 4 }) }));
}

/** Returns a tree with two segments, a removal, and a journal whose first two batches are durable. */
export async function imageOf(end: ImageEnd): Promise<Image> {
  const storage = new SimulatedStorage();
  const tree = await openImage(storage);
  const contents: string[] = [];
  const write = (change: (tree: Tree) => void): void => {
    change(tree);
    contents.push(contentsOf(tree));
  };
  for (let i = 0; i < 4; i++) write((tree) => tree.insert(`a${i}`, `${i}`.padEnd(20, ".")));
  await tree.flushMemtable();
  write((tree) => tree.remove("a2"));
  write((tree) => tree.insert("b", "1"));
  await tree.flushMemtable();
  if (end === "compact") await tree.compact();
  else {
    write((tree) => tree.insert("c", "1"));
    write((tree) => tree.batch().insert("d", "1").remove("a0").commit());
    await tree.flush();
    write((tree) => tree.insert("e", "1"));
    write((tree) => tree.insert("f", "1"));
  }
  const killed = storage.kill();
  await tree.close();
  return { storage: end === "kill" ? killed : storage, contents };
}
