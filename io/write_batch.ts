/**
 * The batch that a user builds: all of it happens, or nothing.
 *
 * Operations are encoded as they are added, into a buffer of the batch's own, since other writes may come in between. The
 * commit copies them behind the last record that the tree has encoded, so that small batches share their memory.
 *
 * @module
 */

import type { Batch as EncodedBatch, Key, Value } from "../core/mod.ts";
import { BatchBuilder, checkValue, toKey } from "../core/mod.ts";

const CHUNK_BYTES = 1024;

/**
 * Several writes that happen all or not at all: in memory, on disk and across a crash.
 *
 * The last operation on a key wins. A batch that is dropped without `commit` leaves no trace.
 *
 * @example Usage
 * ```ts
 * import { MemoryStorage, Tree } from "@lsm/tree";
 * import { assertEquals } from "@std/assert";
 *
 * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
 * tree.insert("old", "1");
 * tree.batch().insert("new", "2").remove("old").commit();
 * assertEquals(tree.len(), 1);
 * ```
 */
export class Batch {
  readonly #commit: (batch: EncodedBatch) => void;
  #builder: BatchBuilder | undefined = new BatchBuilder(CHUNK_BYTES);
  #length = 0;

  /**
   * Batches are made by `tree.batch()`.
   *
   * @internal
   */
  constructor(commit: (batch: EncodedBatch) => void) {
    this.#commit = commit;
  }

  /** How many operations it has. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds a write of a key with a value; both are copied.
   *
   * @throws {TypeError} If one has a wrong type or a lone surrogate, or the batch was committed.
   * @throws {RangeError} If one is too long; the batch stays as it was.
   */
  insert(key: Key, value: Value): this {
    const builder = this.#open();
    const bytes = toKey(key);
    checkValue(value);
    builder.put(bytes, value);
    this.#length = builder.length;
    return this;
  }

  /** Adds the removal of a key. */
  remove(key: Key): this {
    const builder = this.#open();
    builder.remove(toKey(key));
    this.#length = builder.length;
    return this;
  }

  /** Adds the removal of everything, what stands before it in the batch included. */
  clear(): this {
    const builder = this.#open();
    builder.clear();
    this.#length = builder.length;
    return this;
  }

  /**
   * Makes all of it happen at once. A committed batch cannot be used again; one that could not be committed can.
   *
   * @throws {TypeError} If it was committed before.
   * @throws {IoError} If it could not be written; then nothing of it has happened.
   */
  commit(): void {
    const builder = this.#open();
    this.#commit(builder.peek());
    this.#builder = undefined;
  }

  #open(): BatchBuilder {
    if (this.#builder === undefined) throw new TypeError("Cannot use the batch: it is committed");
    return this.#builder;
  }
}
