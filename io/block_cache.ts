/**
 * The block cache: decoded blocks, bounded by bytes, shared by as many trees as one likes.
 *
 * A segment's reader keeps an array with one slot for each block; a slot is empty or points to a cached block. So a hit is
 * one array access and one flag, with no hashing. What is to go is decided by a clock: a hand goes round over all cached
 * blocks, takes the first whose flag is down, and takes the flags down on its way (Corbató 1968, "CLOCK").
 *
 * Invariant: the bytes of all cached blocks are never above the capacity.
 *
 * @module
 */

import type { Block } from "../core/mod.ts";

/** One cached block. */
interface Cached {
  readonly block: Block;
  readonly slots: (Cached | undefined)[];
  readonly index: number;
  readonly bytes: number;
  used: boolean;
  /** Where it stands in the ring. */
  at: number;
}

/** The slots for the blocks of one segment. */
export type BlockSlots = (Cached | undefined)[];

/** What a cached block takes beside its bytes: two small objects. */
const OVERHEAD_BYTES = 160;

/** How {@linkcode BlockCache} may be set. */
export interface BlockCacheOptions {
  /** Bytes of blocks that are kept at most; 0 keeps none. */
  readonly capacity: number;
}

/**
 * A cache of blocks for one tree or several.
 *
 * @example Usage
 * ```ts
 * import { BlockCache, MemoryStorage, Tree } from "@lsm/tree";
 *
 * const blockCache = new BlockCache({ capacity: 64 * 1024 * 1024 });
 * await using users = await Tree.open("users", { storage: new MemoryStorage(), blockCache });
 * await using posts = await Tree.open("posts", { storage: new MemoryStorage(), blockCache });
 * ```
 */
export class BlockCache {
  /** Bytes of blocks that are kept at most. */
  readonly capacity: number;
  #bytes = 0;
  #hand = 0;
  readonly #ring: Cached[] = [];

  /**
   * Makes an empty cache.
   *
   * @throws {TypeError} If the capacity is not a number.
   * @throws {RangeError} If it is negative or not whole.
   */
  constructor(options: BlockCacheOptions) {
    const capacity = options?.capacity;
    if (typeof capacity !== "number") {
      throw new TypeError("Cannot make a block cache: the capacity is not a number");
    }
    if (!(capacity >= 0) || !Number.isSafeInteger(capacity)) {
      throw new RangeError(`Cannot make a block cache: ${capacity} is not a whole number of bytes`);
    }
    this.capacity = capacity;
  }

  /** Bytes of the blocks that are kept. */
  get size(): number {
    return this.#bytes;
  }

  /**
   * Returns a kept block.
   *
   * @internal
   */
  get(slots: BlockSlots, index: number): Block | undefined {
    const cached = slots[index];
    if (cached === undefined) return undefined;
    cached.used = true;
    return cached.block;
  }

  /**
   * Keeps a block, and lets others go for it.
   *
   * @internal
   */
  add(slots: BlockSlots, index: number, block: Block): void {
    const bytes = block.bytes.length + OVERHEAD_BYTES;
    if (bytes > this.capacity || slots[index] !== undefined) return;
    while (this.#bytes + bytes > this.capacity) this.#evictOne();
    const cached: Cached = { block, slots, index, bytes, used: false, at: this.#ring.length };
    this.#ring.push(cached);
    slots[index] = cached;
    this.#bytes += bytes;
  }

  /**
   * Lets all blocks of a segment go.
   *
   * @internal
   */
  drop(slots: BlockSlots): void {
    for (const cached of slots) if (cached !== undefined) this.#remove(cached);
  }

  #evictOne(): void {
    for (;;) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const cached = this.#ring[this.#hand]!;
      if (!cached.used) return this.#remove(cached);
      cached.used = false;
      this.#hand += 1;
    }
  }

  #remove(cached: Cached): void {
    const last = this.#ring.pop()!;
    if (last !== cached) {
      this.#ring[cached.at] = last;
      last.at = cached.at;
    }
    cached.slots[cached.index] = undefined;
    this.#bytes -= cached.bytes;
  }
}
