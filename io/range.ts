/**
 * Ranges: the entries of one moment, from both ends.
 *
 * A range is an iterator over the state of the moment it was made in, whatever is written, flushed or compacted while it
 * runs. It pins the files of that state until it is done, returned, disposed of, or throws. A range that is only
 * forgotten is found by the garbage collector some day, which `stats().leaks` counts.
 *
 * @module
 */

import type { Bytes, Cursor, Entry, Interval, TreeState } from "../core/mod.ts";
import { ClosedError, MergedRange } from "../core/mod.ts";
import type { RangeOptions } from "./bounds.ts";
import { COPY_OUT } from "./copy_out.ts";
import type { Engine } from "./engine.ts";
import { Pin } from "./pin.ts";

/** What ranges over the same entries share. */
interface Shared {
  readonly engine: Engine;
  readonly merged: MergedRange;
  readonly pin: Pin;
  left: number;
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/**
 * The entries of one moment, from both ends.
 *
 * @example Usage
 * ```ts
 * import { MemoryStorage, Tree } from "@lsm/tree";
 * import { assertEquals } from "@std/assert";
 *
 * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
 * for (const key of ["a", "b", "c", "d"]) tree.insert(key, "");
 * using range = tree.range({ gte: "b" });
 * const text = new TextDecoder();
 * assertEquals(text.decode(range.next().value?.[0]), "b");
 * assertEquals(text.decode(range.nextBack().value?.[0]), "d");
 * assertEquals(range.toArray().length, 1);
 * ```
 */
export class Range extends Iterator<Entry> implements Disposable {
  #shared: Shared | undefined;
  readonly #reversed: boolean;

  /**
   * Ranges are made by `tree.range()` and its like.
   *
   * @internal
   */
  constructor(shared: Shared, reversed: boolean) {
    super();
    this.#shared = shared;
    this.#reversed = reversed;
  }

  /**
   * Makes a range over a part of a state.
   *
   * @internal
   */
  static of(engine: Engine, state: TreeState, interval: Interval, options: RangeOptions): Range {
    const lower = interval.lower < state.emptyBelow ? state.emptyBelow : interval.lower;
    const { emptyFrom } = state;
    const upper = emptyFrom !== undefined && (interval.upper === undefined || emptyFrom < interval.upper)
      ? emptyFrom
      : interval.upper;
    const merged = new MergedRange(state, { lower, upper }, engine.readers);
    const shared = { engine, merged, pin: new Pin(engine, state.version), left: options.limit ?? Infinity };
    const range = new Range(shared, options.reverse ?? false);
    shared.pin.watch(range);
    return range;
  }

  /**
   * Takes the next entry from the front.
   *
   * Cost: O(k) comparisons for k memtables and runs; one block read per block of each.
   *
   * @throws {ClosedError} If the tree was closed.
   * @throws {CorruptionError} If a block is damaged; then the range is done.
   */
  next(): IteratorResult<Entry, undefined> {
    return this.#entry(this.#step(this.#reversed));
  }

  /** Takes the next entry from the back; the two ends meet, and then both are done. */
  nextBack(): IteratorResult<Entry, undefined> {
    return this.#entry(this.#step(!this.#reversed));
  }

  /** Returns a range over what is left, with its ends swapped; this one is done after it. */
  rev(): Range {
    const shared = this.#shared;
    if (shared === undefined) return Range.#finished(!this.#reversed);
    this.#shared = undefined;
    shared.pin.unwatch(this);
    const range = new Range(shared, !this.#reversed);
    shared.pin.watch(range);
    return range;
  }

  static #finished(reversed: boolean): Range {
    const range = new Range(undefined as unknown as Shared, reversed);
    range.#shared = undefined;
    return range;
  }

  /** Returns the keys of what is left; values are not read out. */
  keys(): IteratorObject<Bytes, undefined, unknown> {
    return new Part(this, () => this.#part(keyOf));
  }

  /** Returns the values of what is left; keys are not read out. */
  values(): IteratorObject<Bytes, undefined, unknown> {
    return new Part(this, () => this.#part(valueOf));
  }

  /** Ends the range; `break`, `return` and errors in a loop do this too. */
  override return(): IteratorResult<Entry, undefined> {
    this.#finish();
    return DONE;
  }

  /** Ends the range. */
  override [Symbol.dispose](): void {
    this.#finish();
  }

  #part(part: (cursor: Cursor) => Bytes): IteratorResult<Bytes, undefined> {
    const cursor = this.#step(this.#reversed);
    return cursor === undefined ? DONE : { done: false, value: part(cursor) };
  }

  #entry(cursor: Cursor | undefined): IteratorResult<Entry, undefined> {
    return cursor === undefined ? DONE : { done: false, value: [keyOf(cursor), valueOf(cursor)] };
  }

  /** Moves one end and returns where it stands. */
  #step(back: boolean): Cursor | undefined {
    const shared = this.#shared;
    if (shared === undefined) return undefined;
    if (shared.engine.isClosed) {
      throw new ClosedError(`Cannot read on: the tree "${shared.engine.folder}" is closed`);
    }
    if (shared.left <= 0) return this.#finish();
    shared.left -= 1;
    let cursor: Cursor | undefined;
    try {
      cursor = back ? shared.merged.nextBack() : shared.merged.next();
    } catch (error) {
      this.#finish();
      throw error;
    }
    return cursor ?? this.#finish();
  }

  #finish(): undefined {
    const shared = this.#shared;
    this.#shared = undefined;
    if (shared !== undefined) {
      shared.pin.unwatch(this);
      shared.pin.release();
    }
    return undefined;
  }
}

function keyOf(cursor: Cursor): Bytes {
  return COPY_OUT.copy(cursor.key, 0, cursor.keyBytes);
}

function valueOf(cursor: Cursor): Bytes {
  return COPY_OUT.copy(cursor.value, cursor.valueStart, cursor.valueEnd);
}

/** One part of each entry of a range. */
class Part extends Iterator<Bytes> {
  readonly #range: Range;
  readonly #take: () => IteratorResult<Bytes, undefined>;

  constructor(range: Range, take: () => IteratorResult<Bytes, undefined>) {
    super();
    this.#range = range;
    this.#take = take;
  }

  next(): IteratorResult<Bytes, undefined> {
    return this.#take();
  }

  override return(): IteratorResult<Bytes, undefined> {
    this.#range.return();
    return DONE;
  }
}
