/**
 * The tree of this package, with its default options.
 *
 * - Writes are given to the operating system before they return: `durability: "os"`, the default.
 * - To be durable, one writer has `durability: "sync"`, where a write waits for its barrier; many writers await
 *   `flush()` after each write and share barriers.
 * - What is read is the caller's own copy.
 *
 * @module
 */

import type { Config, Tree as OpenTree } from "@lsm/tree";
import { Tree } from "@lsm/tree";
import type { Engine, Maybe, Opening, Visit } from "./engine.ts";

const LOOK_MS = 5;

/** Opens a tree. */
export async function openTree(opening: Opening, config: Config = {}): Promise<Engine> {
  const { folder, durable, writers } = opening;
  const durability = durable && writers === 1 ? "sync" : "os";
  const tree = await Tree.open(folder, { durability, ...config });
  return new TreeEngine(tree, durable && writers > 1);
}

class TreeEngine implements Engine {
  readonly #tree: OpenTree;
  readonly #shareBarriers: boolean;

  constructor(tree: OpenTree, shareBarriers: boolean) {
    this.#tree = tree;
    this.#shareBarriers = shareBarriers;
  }

  put(key: Uint8Array, value: Uint8Array): Maybe<void> {
    this.#tree.insert(key, value);
    if (this.#shareBarriers) return this.#tree.flush();
  }

  putMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): void {
    const batch = this.#tree.batch();
    for (let i = 0; i < keys.length; i++) batch.insert(keys[i]!, values[i]!);
    batch.commit();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#tree.get(key);
  }

  scan(reverse: boolean, visit: Visit): void {
    for (const [key, value] of this.#tree.range({ reverse })) visit(key, value);
  }

  seek(key: Uint8Array, count: number, visit: Visit): void {
    for (const [found, value] of this.#tree.range({ gte: key, limit: count })) visit(found, value);
  }

  ready(): Promise<void> {
    return this.#tree.ready();
  }

  async settle(): Promise<void> {
    for (;;) {
      const { background, lastError } = this.#tree.stats();
      if (lastError !== undefined) throw lastError;
      if (background.tasks === 0) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  threads(): number {
    return this.#tree.stats().background.threads;
  }

  close(): Promise<void> {
    return this.#tree.close();
  }
}
