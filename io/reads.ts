/**
 * Reads: what a tree and a snapshot have in common.
 *
 * What leaves is a copy: changing it changes neither the tree nor another result. A read that ends within one call
 * needs no pin; a range, which goes on later, takes one.
 *
 * Each read is a pure function of one state; a tree takes the state of the moment, a snapshot the one it was made from.
 *
 * @module
 */

import type { Bytes, Cursor, Entry, Interval, Key, TreeState } from "../core/mod.ts";
import { lookup, MergedRange, toKey } from "../core/mod.ts";
import type { Bounds, RangeOptions } from "./bounds.ts";
import { checkRangeOptions, EVERYTHING, intervalOf, intervalOfPrefix } from "./bounds.ts";
import { COPY_OUT } from "./copy_out.ts";
import type { Engine } from "./engine.ts";
import { Range } from "./range.ts";

/** What can be read of a tree or a snapshot. */
export abstract class Reads {
  /**
   * The engine behind it.
   *
   * @internal
   */
  protected readonly engine: Engine;

  /**
   * Reads through an engine.
   *
   * @internal
   */
  protected constructor(engine: Engine) {
    this.engine = engine;
  }

  /**
   * The state that is read; throws if it may not be read any more.
   *
   * @internal
   */
  protected abstract readState(): TreeState;

  /**
   * Returns the value of a key.
   *
   * Cost: O(log n) comparisons in each memtable; one filter per segment that may have the key, and usually one block.
   *
   * @param key 0 to 65,535 bytes.
   * @returns A copy of the value, or `undefined` if the key is absent.
   * @throws {CorruptionError} If a block fails its checksum.
   * @throws {ClosedError} If the tree or snapshot is closed.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assertEquals } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * tree.insert("key", "value");
   * assertEquals(tree.get("key"), new TextEncoder().encode("value"));
   * assertEquals(tree.get("other"), undefined);
   * ```
   */
  get(key: Key): Bytes | undefined {
    return this.valueAt(toKey(key));
  }

  /**
   * Returns a copy of the value of a byte string.
   *
   * @internal
   */
  protected valueAt(key: string): Bytes | undefined {
    const found = lookup(this.readState(), key, this.engine.readers);
    return found === undefined ? undefined : COPY_OUT.copy(found.bytes, found.start, found.end);
  }

  /**
   * Tells whether a key is there. Cost: as `get`, without the copy.
   *
   * @param key 0 to 65,535 bytes.
   */
  containsKey(key: Key): boolean {
    const state = this.readState();
    return lookup(state, toKey(key), this.engine.readers) !== undefined;
  }

  /** Returns all entries in order of their keys, readable from both ends. */
  iter(): Range {
    return Range.of(this.engine, this.readState(), EVERYTHING, {});
  }

  /**
   * Returns the entries between bounds, readable from both ends.
   *
   * @param bounds All if not given. An inverted or empty range has no entries.
   * @throws {TypeError} If a bound has a wrong type, or there are both `gt` and `gte`, or both `lt` and `lte`.
   * @throws {RangeError} If `limit` is negative or not whole, or a bound is longer than 65,535 bytes.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assertEquals } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * for (const key of ["a", "b", "c", "d"]) tree.insert(key, "");
   * const text = new TextDecoder();
   * const keys = tree.range({ gt: "a", lte: "d", reverse: true, limit: 2 }).keys().map((key) => text.decode(key));
   * assertEquals(keys.toArray(), ["d", "c"]);
   * ```
   */
  range(bounds: Bounds = {}): Range {
    const state = this.readState();
    const interval = intervalOf(bounds);
    checkRangeOptions(bounds);
    return Range.of(this.engine, state, interval, bounds);
  }

  /**
   * Returns the entries whose keys begin with a prefix, readable from both ends.
   *
   * @param prefix 0 to 65,535 bytes; the empty one means everything.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assertEquals } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * for (const key of ["post:1", "user:1", "user:2"]) tree.insert(key, "");
   * assertEquals(tree.prefix("user:").toArray().length, 2);
   * ```
   */
  prefix(prefix: Key, options: RangeOptions = {}): Range {
    const state = this.readState();
    const interval = intervalOfPrefix(prefix);
    checkRangeOptions(options);
    return Range.of(this.engine, state, interval, options);
  }

  /** Returns the entry with the smallest key, or `undefined` if there is none. */
  firstKeyValue(): Entry | undefined {
    return entryOf(this.#end("next"));
  }

  /** Returns the entry with the greatest key, or `undefined` if there is none. */
  lastKeyValue(): Entry | undefined {
    return entryOf(this.#end("nextBack"));
  }

  /** Returns all entries, as `iter()` does. */
  [Symbol.iterator](): Range {
    return this.iter();
  }

  /** Tells whether there is no entry. Cost: stops at the first live key; grows with the removed keys before it. */
  isEmpty(): boolean {
    return this.#end("next") === undefined;
  }

  /** Returns the exact number of entries. Cost: O(n), a scan. */
  len(): number {
    const merged = this.#merged();
    let count = 0;
    while (merged.next() !== undefined) count += 1;
    return count;
  }

  #end(move: "next" | "nextBack"): Cursor | undefined {
    return this.#merged()[move]();
  }

  /** What is alive, read within one call: no pin is needed. */
  #merged(): MergedRange {
    const state = this.readState();
    const interval: Interval = { lower: state.emptyBelow, upper: state.emptyFrom };
    return new MergedRange(state, interval, this.engine.readers);
  }
}

/** Returns a copy of the entry that a cursor stands on. */
function entryOf(cursor: Cursor | undefined): Entry | undefined {
  if (cursor === undefined) return undefined;
  return [
    COPY_OUT.copy(cursor.key, 0, cursor.keyBytes),
    COPY_OUT.copy(cursor.value, cursor.valueStart, cursor.valueEnd),
  ];
}
