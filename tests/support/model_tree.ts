/**
 * A tree in the most obvious way: a `Map` that is sorted anew for each read.
 *
 * It has the calls of a `Tree`, so that one interpreter (`tree_session.ts`) drives both and everything they answer
 * can be compared. Keys and values are byte strings inside: each char is one byte, so `<` is the order of the tree.
 *
 * What it says of a tree:
 * - A write replaces the whole map. A snapshot, a range or a read-only handle keeps the map of its moment.
 * - Flushing, compacting and reopening change nothing.
 * - A closed tree takes its snapshots and ranges with it, and not its read-only neighbours.
 *
 * @module
 */

import { ClosedError, ReadOnlyError } from "../../core/errors.ts";
import type { Bounds, Bytes, Entry, Key, RangeOptions, Value } from "../../mod.ts";

/** What can be done with a range. */
export interface RangeLike {
  next(): IteratorResult<Entry, undefined>;
  nextBack(): IteratorResult<Entry, undefined>;
  rev(): RangeLike;
  return(): IteratorResult<Entry, undefined>;
  keys(): Iterator<Bytes, undefined>;
  values(): Iterator<Bytes, undefined>;
}

/** What can be read of a tree or a snapshot. */
export interface ReadsLike {
  get(key: Key): Bytes | undefined;
  containsKey(key: Key): boolean;
  iter(): RangeLike;
  range(bounds?: Bounds): RangeLike;
  prefix(prefix: Key, options?: RangeOptions): RangeLike;
  firstKeyValue(): Entry | undefined;
  lastKeyValue(): Entry | undefined;
  isEmpty(): boolean;
  len(): number;
}

/** What can be done with a snapshot. */
export interface SnapshotLike extends ReadsLike {
  close(): void;
}

/** What can be done with a batch. */
export interface BatchLike {
  readonly length: number;
  insert(key: Key, value: Value): BatchLike;
  remove(key: Key): BatchLike;
  clear(): BatchLike;
  commit(): void;
}

interface EntryBase {
  readonly key: Uint8Array;
  orInsert(value: Value): Uint8Array;
  orInsertWith(value: () => Value): Uint8Array;
  orInsertWithKey(value: (key: Uint8Array) => Value): Uint8Array;
  andUpdate(update: (old: Uint8Array) => Value): EntryLike;
}

/** What can be done with an entry. */
export type EntryLike =
  | EntryBase & {
    readonly kind: "occupied";
    get(): Bytes | undefined;
    update(value: Value): void;
    remove(): Bytes | undefined;
  }
  | EntryBase & { readonly kind: "vacant"; insert(value: Value): Bytes };

/** What a callback makes of a value. */
export type Update = (old: Bytes | undefined) => Value | undefined;

/** What a compare-and-swap answers. */
export type SwapLike = { readonly ok: true } | { readonly ok: false; readonly current: Bytes | undefined };

/** What can be done with a tree. */
export interface TreeLike extends ReadsLike {
  insert(key: Key, value: Value): void;
  remove(key: Key): void;
  removeEntry(key: Key): Bytes | undefined;
  popFirst(): Entry | undefined;
  popLast(): Entry | undefined;
  clear(): void;
  batch(): BatchLike;
  entry(key: Key): EntryLike;
  compareAndSwap(key: Key, expected: Value | undefined, next: Value | undefined): SwapLike;
  fetchUpdate(key: Key, update: Update): Bytes | undefined;
  updateFetch(key: Key, update: Update): Bytes | undefined;
  snapshot(): SnapshotLike;
  approximateLen(): number;
  flush(): Promise<void>;
  flushMemtable(): Promise<void>;
  compact(): Promise<void>;
  close(): Promise<void>;
}

type Contents = ReadonlyMap<string, string>;
type Pair = readonly [key: string, value: string];

const KEY_BYTES_MAX = 65_535;

/** Returns bytes, or the UTF-8 bytes of a text, as a byte string. */
export function byteString(given: Key): string {
  const bytes = typeof given === "string" ? new TextEncoder().encode(given) : given;
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Returns the bytes of a byte string. */
export function bytesOf(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function keyOf(given: Key): string {
  if (given.length > KEY_BYTES_MAX) throw new RangeError("The key is too long");
  return byteString(given);
}

function entryOf(pair: Pair | undefined): Entry | undefined {
  return pair === undefined ? undefined : [bytesOf(pair[0]), bytesOf(pair[1])];
}

abstract class ModelReads implements ReadsLike {
  /** Throws if it may not be read any more. */
  protected abstract contents(): Contents;
  /** Throws if ranges may not be read any more. */
  protected abstract checkRange(): void;

  get(key: Key): Bytes | undefined {
    const value = this.contents().get(keyOf(key));
    return value === undefined ? undefined : bytesOf(value);
  }

  containsKey(key: Key): boolean {
    return this.contents().has(keyOf(key));
  }

  iter(): RangeLike {
    return this.range();
  }

  range(bounds: Bounds = {}): RangeLike {
    const { gt, gte, lt, lte } = bounds;
    if ((gt !== undefined && gte !== undefined) || (lt !== undefined && lte !== undefined)) {
      throw new TypeError("Two bounds for one end");
    }
    return this.#select(
      bounds,
      (key) =>
        (gt === undefined || key > keyOf(gt)) && (gte === undefined || key >= keyOf(gte)) &&
        (lt === undefined || key < keyOf(lt)) && (lte === undefined || key <= keyOf(lte)),
    );
  }

  prefix(prefix: Key, options: RangeOptions = {}): RangeLike {
    return this.#select(options, (key) => key.startsWith(keyOf(prefix)));
  }

  #select(options: RangeOptions, has: (key: string) => boolean): RangeLike {
    const pairs = this.sorted().filter(([key]) => has(key));
    const left = options.limit ?? Infinity;
    return new ModelRange({ pairs, left, check: () => this.checkRange() }, options.reverse ?? false);
  }

  firstKeyValue(): Entry | undefined {
    return entryOf(this.sorted()[0]);
  }

  lastKeyValue(): Entry | undefined {
    return entryOf(this.sorted().at(-1));
  }

  isEmpty(): boolean {
    return this.contents().size === 0;
  }

  len(): number {
    return this.contents().size;
  }

  protected sorted(): Pair[] {
    return [...this.contents()].sort(([a], [b]) => a < b ? -1 : 1);
  }
}

interface Shared {
  readonly pairs: Pair[];
  left: number;
  readonly check: () => void;
}

class ModelRange implements RangeLike {
  #shared: Shared | undefined;
  readonly #reversed: boolean;

  constructor(shared: Shared | undefined, reversed: boolean) {
    this.#shared = shared;
    this.#reversed = reversed;
  }

  next(): IteratorResult<Entry, undefined> {
    return this.#step(this.#reversed);
  }

  nextBack(): IteratorResult<Entry, undefined> {
    return this.#step(!this.#reversed);
  }

  rev(): RangeLike {
    const shared = this.#shared;
    this.#shared = undefined;
    return new ModelRange(shared, !this.#reversed);
  }

  return(): IteratorResult<Entry, undefined> {
    this.#shared = undefined;
    return { done: true, value: undefined };
  }

  keys(): Iterator<Bytes, undefined> {
    return this.#part(0);
  }

  values(): Iterator<Bytes, undefined> {
    return this.#part(1);
  }

  #part(part: 0 | 1): Iterator<Bytes, undefined> {
    const next = (): IteratorResult<Bytes, undefined> => {
      const { done, value } = this.next();
      return done ? { done, value } : { done: false, value: value[part] };
    };
    return { next };
  }

  #step(back: boolean): IteratorResult<Entry, undefined> {
    const shared = this.#shared;
    if (shared === undefined) return this.return();
    shared.check();
    const pair = shared.left > 0 ? (back ? shared.pairs.pop() : shared.pairs.shift()) : undefined;
    const entry = entryOf(pair);
    if (entry === undefined) return this.return();
    shared.left -= 1;
    return { done: false, value: entry };
  }
}

class ModelSnapshot extends ModelReads implements SnapshotLike {
  readonly #contents: Contents;
  readonly #check: () => void;
  #open = true;

  constructor(contents: Contents, check: () => void) {
    super();
    this.#contents = contents;
    this.#check = check;
  }

  protected override contents(): Contents {
    if (!this.#open) throw new ClosedError("The snapshot is closed");
    this.#check();
    return this.#contents;
  }

  protected override checkRange(): void {
    this.#check();
  }

  close(): void {
    this.#open = false;
  }
}

/** What a handle of the model leaves behind for the next one. */
export interface ModelStore {
  contents: Contents;
}

/** A tree in the most obvious way. */
export class ModelTree extends ModelReads implements TreeLike {
  readonly #store: ModelStore;
  readonly #readOnly: boolean;
  #closed = false;
  #inCallback = false;

  /** Opens what is in the store; read only, it is what is there now. */
  constructor(store: ModelStore, readOnly: boolean) {
    super();
    this.#store = readOnly ? { contents: store.contents } : store;
    this.#readOnly = readOnly;
  }

  protected override contents(): Contents {
    this.checkRange();
    return this.#store.contents;
  }

  protected override checkRange(): void {
    if (this.#closed) throw new ClosedError("The tree is closed");
  }

  #write(change: (contents: Map<string, string>) => void): void {
    if (this.#closed) throw new ClosedError("The tree is closed");
    if (this.#readOnly) throw new ReadOnlyError("The tree is read-only");
    if (this.#inCallback) throw new TypeError("A callback may not write");
    const contents = new Map(this.#store.contents);
    change(contents);
    this.#store.contents = contents;
  }

  #guarded<T>(callback: () => T): T {
    const before = this.#inCallback;
    this.#inCallback = true;
    try {
      return callback();
    } finally {
      this.#inCallback = before;
    }
  }

  insert(key: Key, value: Value): void {
    const name = keyOf(key);
    this.#write((contents) => contents.set(name, byteString(value)));
  }

  remove(key: Key): void {
    const name = keyOf(key);
    this.#write((contents) => contents.delete(name));
  }

  removeEntry(key: Key): Bytes | undefined {
    const old = this.get(key);
    this.remove(key);
    return old;
  }

  popFirst(): Entry | undefined {
    return this.#pop(this.firstKeyValue());
  }

  popLast(): Entry | undefined {
    return this.#pop(this.lastKeyValue());
  }

  #pop(entry: Entry | undefined): Entry | undefined {
    this.#write((contents) => entry !== undefined && contents.delete(byteString(entry[0])));
    return entry;
  }

  clear(): void {
    this.#write((contents) => contents.clear());
  }

  batch(): BatchLike {
    const changes: ((contents: Map<string, string>) => void)[] = [];
    let committed = false;
    const add = (change: (contents: Map<string, string>) => void): BatchLike => {
      if (committed) throw new TypeError("The batch is committed");
      changes.push(change);
      return batch;
    };
    const batch: BatchLike = {
      get length() {
        return changes.length;
      },
      insert: (key, value) => {
        const name = keyOf(key);
        return add((contents) => contents.set(name, byteString(value)));
      },
      remove: (key) => {
        const name = keyOf(key);
        return add((contents) => contents.delete(name));
      },
      clear: () => add((contents) => contents.clear()),
      commit: () => {
        if (committed) throw new TypeError("The batch is committed");
        if (changes.length > 0) this.#write((contents) => changes.forEach((change) => change(contents)));
        committed = true;
      },
    };
    return batch;
  }

  entry(key: Key): EntryLike {
    const given = bytesOf(keyOf(key));
    const write = (value: Value): Bytes => {
      this.insert(given, value);
      return bytesOf(byteString(value));
    };
    const orInsertWithKey = (value: (key: Uint8Array) => Value): Uint8Array =>
      this.get(given) ?? write(this.#guarded(() => value(given)));
    const base: EntryBase = {
      key: given,
      orInsert: (value) => orInsertWithKey(() => value),
      orInsertWith: orInsertWithKey,
      orInsertWithKey,
      andUpdate: (update) => {
        const old = this.get(given);
        if (old !== undefined) write(this.#guarded(() => update(old)));
        return this.entry(given);
      },
    };
    if (!this.containsKey(given)) return { ...base, kind: "vacant", insert: write };
    return {
      ...base,
      kind: "occupied",
      get: () => this.get(given),
      update: write,
      remove: () => this.removeEntry(given),
    };
  }

  compareAndSwap(key: Key, expected: Value | undefined, next: Value | undefined): SwapLike {
    const current = this.get(key);
    const wanted = expected === undefined ? undefined : byteString(expected);
    if ((current === undefined ? undefined : byteString(current)) !== wanted) return { ok: false, current };
    if (next === undefined) this.remove(key);
    else this.insert(key, next);
    return { ok: true };
  }

  fetchUpdate(key: Key, update: Update): Bytes | undefined {
    const old = this.get(key);
    const next = this.#guarded(() => update(old));
    if (next === undefined) this.remove(key);
    else this.insert(key, next);
    return old;
  }

  updateFetch(key: Key, update: Update): Bytes | undefined {
    this.fetchUpdate(key, update);
    return this.get(key);
  }

  snapshot(): SnapshotLike {
    return new ModelSnapshot(this.contents(), () => this.checkRange());
  }

  approximateLen(): number {
    return this.len();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  flushMemtable(): Promise<void> {
    return Promise.resolve();
  }

  compact(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}
