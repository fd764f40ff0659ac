/**
 * The tree: what users call.
 *
 * It checks what it is given, turns it into batches and reads, and leaves the rest to the engine. Every write goes through
 * one batch, and every read-modify-write reads and writes in one turn, so nothing can come between.
 *
 * @module
 */

import type { Bytes, Entry, Key, TreeState, Value } from "../core/mod.ts";
import { BatchBuilder, checkValue, keyFromBytes, toKey, versionSegments } from "../core/mod.ts";
import type { Config, ResolvedConfig } from "./config.ts";
import type { Engine } from "./engine.ts";
import type { EntryHost, TreeEntry } from "./entry.ts";
import { entryAt } from "./entry.ts";
import type { TreeHistory } from "./history.ts";
import { treeHistory } from "./history.ts";
import type { RecoveryReport } from "./open.ts";
import { openEngine } from "./open.ts";
import type { CompactOptions } from "./maintenance.ts";
import { compact, compactionOf, flushMemtable, ready } from "./maintenance.ts";
import { Reads } from "./reads.ts";
import { Snapshot } from "./snapshot.ts";
import type { TreeStats } from "./stats.ts";
import { diskBytes, statsOf } from "./stats.ts";
import type { TreeVerifyOptions, VerifyReport } from "./verify.ts";
import { verifyIn } from "./verify.ts";
import { Batch } from "./write_batch.ts";

/** What a compare-and-swap did: it wrote, or it found another value. */
export type CompareAndSwapResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly current: Bytes | undefined };

/** Records of single writes are encoded in chunks of this size, one behind the other. */
const CHUNK_BYTES = 256 * 1024;

/**
 * A persistent sorted map from keys to values.
 *
 * Reads and writes are synchronous; what waits for the disk returns a promise. Order is bytewise lexicographic.
 *
 * @example Usage
 * ```ts
 * import { MemoryStorage, Tree } from "@lsm/tree";
 * import { assertEquals } from "@std/assert";
 *
 * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
 * tree.insert("my_key", "my_value");
 * assertEquals(new TextDecoder().decode(tree.get("my_key")), "my_value");
 * await tree.flush(); // survives power loss from here on
 * ```
 */
export class Tree extends Reads implements AsyncDisposable {
  /** What `open()` found and did. */
  readonly recovery: RecoveryReport;
  readonly #builder = new BatchBuilder(CHUNK_BYTES);
  readonly #host: EntryHost;

  /**
   * Trees are made by `Tree.open()`.
   *
   * @internal
   */
  constructor(engine: Engine, recovery: RecoveryReport) {
    super(engine);
    this.recovery = recovery;
    this.#host = {
      get: (key) => this.valueAt(key),
      put: (key, value) => this.#put(key, value),
      remove: (key) => this.#remove(key),
      guarded: (callback) => engine.guarded(callback),
    };
  }

  /**
   * Opens the tree in a folder, making or recovering it.
   *
   * @param folder The folder; made if it is missing, unless `createIfMissing` is `false`.
   * @throws {LockedError} If another handle or process has it open.
   * @throws {NotFoundError} If there is none and `createIfMissing` is `false`.
   * @throws {AlreadyExistsError} If there is one and `errorIfExists` is `true`, or the folder holds something else.
   * @throws {CorruptionError} If the manifest is damaged or a file that it lists is missing.
   * @throws {JournalRecoveryError} If the journal is damaged where a crash cannot explain it.
   * @throws {IoError} If the operating system refuses.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assert } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * assert(tree.recovery.created);
   * ```
   */
  static async open(folder: string | URL, config: Config = {}): Promise<Tree> {
    const { engine, recovery } = await openEngine(folder, config);
    return new Tree(engine, recovery);
  }

  /**
   * The state that is read; throws if it may not be read any more.
   *
   * @internal
   */
  protected override readState(): TreeState {
    return this.engine.state;
  }

  /** The folder it lives in. */
  get folder(): string {
    return this.engine.folder;
  }

  /** All options, with what was stored and the defaults filled in. */
  get config(): ResolvedConfig {
    return this.engine.config;
  }

  /**
   * Writes a key with a value; visible to the next read, journalled before it returns.
   *
   * Cost: O(log n) in the memtable and one write call to the operating system; now and then a flush.
   *
   * @param key 0 to 65,535 bytes; copied.
   * @param value 0 bytes to 1 GiB; copied.
   * @throws {TypeError} If one has a wrong type or a lone surrogate.
   * @throws {RangeError} If one is too long; nothing is written.
   * @throws {NoSpaceError} If the disk is full; the write is absent. Free space and go on.
   * @throws {PoisonedError} If an earlier sync failed.
   */
  insert(key: Key, value: Value): void {
    const bytes = toKey(key);
    checkValue(value);
    this.#put(bytes, value);
  }

  /** Removes a key; no error if it is absent. */
  remove(key: Key): void {
    this.#remove(toKey(key));
  }

  /** Removes a key and returns the value it had, or `undefined` if it was absent. */
  removeEntry(key: Key): Bytes | undefined {
    const bytes = toKey(key);
    this.engine.checkWritable();
    const old = this.valueAt(bytes);
    if (old !== undefined) this.#remove(bytes);
    return old;
  }

  /**
   * Removes the entry with the smallest key and returns it, or `undefined` if there is none.
   *
   * Cost: as a `get` and a `remove`. What was popped before is not passed over again, so a queue stays linear.
   */
  popFirst(): Entry | undefined {
    return this.#pop(this.#writable().firstKeyValue(), "first");
  }

  /** Removes the entry with the greatest key and returns it, or `undefined` if there is none. */
  popLast(): Entry | undefined {
    return this.#pop(this.#writable().lastKeyValue(), "last");
  }

  #writable(): this {
    this.engine.checkWritable();
    return this;
  }

  #pop(entry: Entry | undefined, end: "first" | "last"): Entry | undefined {
    if (entry === undefined) return undefined;
    this.#builder.remove(keyFromBytes(entry[0], 0, entry[0].length));
    this.engine.commit(this.#builder.finish(), end);
    return entry;
  }

  /** Removes everything, atomically. Cost: one journal record; files go when the memtable is flushed. */
  clear(): void {
    this.engine.checkWritable();
    this.#builder.clear();
    this.engine.commit(this.#builder.finish());
  }

  /** Returns an empty batch. */
  batch(): Batch {
    this.readState();
    return new Batch((batch) => {
      this.engine.checkWritable();
      if (batch.operations.length > 0) this.engine.commit(this.#builder.adopt(batch));
    });
  }

  /**
   * Returns the entry of a key, occupied or vacant as it is now.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assertEquals } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * const text = new TextDecoder();
   * const count = (old: Uint8Array) => String(Number(text.decode(old)) + 1);
   * for (const word of ["a", "b", "a"]) tree.entry(word).andUpdate(count).orInsert("1");
   * assertEquals(text.decode(tree.get("a")), "2");
   * ```
   */
  entry(key: Key): TreeEntry {
    return entryAt(this.#host, toKey(key));
  }

  /**
   * Writes `next` if the key has the value `expected` now; `undefined` stands for absent in both.
   *
   * @returns `{ ok: true }`, or what the key has instead.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assertEquals } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * assertEquals(tree.compareAndSwap("lock", undefined, "me"), { ok: true });
   * assertEquals(tree.compareAndSwap("lock", undefined, "you").ok, false);
   * ```
   */
  compareAndSwap(key: Key, expected: Value | undefined, next: Value | undefined): CompareAndSwapResult {
    const bytes = toKey(key);
    if (expected !== undefined) checkValue(expected, "expected value");
    if (next !== undefined) checkValue(next, "next value");
    this.engine.checkWritable();
    const current = this.valueAt(bytes);
    if (!sameValue(current, expected)) return { ok: false, current };
    this.#replace(bytes, current, next);
    return { ok: true };
  }

  /**
   * Writes what `update` returns for the value that the key has now, or removes the key if that is `undefined`.
   *
   * @param update Is given `undefined` for an absent key. If it throws, nothing has changed.
   * @returns The old value.
   */
  fetchUpdate(key: Key, update: (old: Bytes | undefined) => Value | undefined): Bytes | undefined {
    return this.#update(key, update).old;
  }

  /**
   * Does what `fetchUpdate` does.
   *
   * @returns The new value.
   */
  updateFetch(key: Key, update: (old: Bytes | undefined) => Value | undefined): Bytes | undefined {
    return this.#update(key, update).now();
  }

  #update(
    key: Key,
    update: (old: Bytes | undefined) => Value | undefined,
  ): { readonly old: Bytes | undefined; readonly now: () => Bytes | undefined } {
    const bytes = toKey(key);
    if (typeof update !== "function") {
      throw new TypeError("Cannot update the key: the update is not a function");
    }
    this.engine.checkWritable();
    const old = this.valueAt(bytes);
    const given = old?.slice() as Bytes | undefined;
    const next = this.engine.guarded(() => update(given));
    if (next !== undefined) checkValue(next);
    this.#replace(bytes, old, next);
    return { old, now: () => this.valueAt(bytes) };
  }

  #replace(key: string, old: Bytes | undefined, next: Value | undefined): void {
    if (next !== undefined) this.#put(key, next);
    else if (old !== undefined) this.#remove(key);
  }

  #put(key: string, value: Value): void {
    checkValue(value);
    this.engine.checkWritable();
    this.#builder.put(key, value);
    this.engine.commit(this.#builder.finish());
  }

  #remove(key: string): void {
    this.engine.checkWritable();
    this.#builder.remove(key);
    this.engine.commit(this.#builder.finish());
  }

  /** Returns the tree as it is now; O(1). Close it when it is not needed any more: it keeps files. */
  snapshot(): Snapshot {
    return new Snapshot(this.engine);
  }

  /** Returns about how many entries there are, from what is known of segments and memtables; O(segments). */
  approximateLen(): number {
    const { active, sealed, version } = this.engine.state;
    let count = active.map.size;
    if (active.clears) return count;
    for (const memtable of sealed) {
      count += memtable.map.size;
      if (memtable.clears) return count;
    }
    for (const segment of versionSegments(version)) count += segment.entries - 2 * segment.tombstones;
    return Math.max(0, count);
  }

  /**
   * Makes every write so far survive power loss, whatever the `durability`.
   *
   * Concurrent calls share one barrier.
   *
   * @throws {IoError} If the barrier fails; then the tree is poisoned.
   */
  flush(): Promise<void> {
    return this.engine.flush();
  }

  /**
   * Resolves when a write would not have to wait.
   *
   * A writer that awaits this before it writes is never held in its own thread by backpressure. Where background work has
   * failed it resolves too: the write would throw at once.
   *
   * @throws {ClosedError} If the tree is closed, or is closed meanwhile.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * for (let i = 0; i < 1000; i++) {
   *   if (i % 100 === 0) await tree.ready();
   *   tree.insert(`key ${i}`, "value");
   * }
   * ```
   */
  ready(): Promise<void> {
    return ready(this.engine);
  }

  /**
   * Writes the memtable to a segment now.
   *
   * @throws {NoSpaceError} If the disk is full; nothing is lost.
   */
  flushMemtable(): Promise<void> {
    return flushMemtable(this.engine);
  }

  /**
   * Compacts keys into one run of the last level; tombstones go.
   *
   * Writes go on meanwhile; what they write is not waited for. Of several calls each waits for the one before.
   *
   * Cost: reads and writes the segments that have the keys once, with what lies between them; in a Worker beside the caller, or with
   * `background: "inline"` in this call.
   *
   * @param options Which keys, all if not given; a signal that ends it early, with what was committed by then kept; and a
   * function that is told how far it is, some times a second, and must not write to the tree.
   * @throws {TypeError} If an option has a wrong type.
   * @throws {NoSpaceError} If the disk is full; nothing is lost.
   * @throws The reason of the signal, or what `onProgress` throws.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assertEquals } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * tree.insert("a", "1");
   * await tree.flushMemtable();
   * tree.remove("a");
   * let done = 0;
   * await tree.compact({ onProgress: ({ doneBytes, totalBytes }) => done = doneBytes / totalBytes });
   * assertEquals([done, tree.segmentCount()], [1, 0]);
   * ```
   */
  // deno-lint-ignore require-await -- what it throws must come as a rejection
  async compact(options: CompactOptions = {}): Promise<void> {
    return compact(this.engine, compactionOf(options));
  }

  /** Finishes background work, flushes and releases the lock; calling it again does nothing more. */
  close(): Promise<void> {
    return this.engine.close();
  }

  /** Closes the tree. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Returns the shape of the tree and what this handle has done. */
  stats(): TreeStats {
    return statsOf(this.engine);
  }

  /**
   * Returns the last changes of the tree with their causes: why a segment exists, which change made it or took it away.
   *
   * The manifest keeps them, so they outlive the handle; the oldest are forgotten when they are many, see `forgotten`.
   *
   * Cost: some 10 us for each change; 128 KiB of them are kept, about 700 flushes or 100 merges of ten segments.
   *
   * @returns A value that never changes: the history as it is now.
   * @throws {ClosedError} If the tree was closed.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assertEquals } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * tree.insert("a", "1");
   * await tree.flushMemtable();
   * tree.insert("a", "2");
   * await tree.compact();
   * const { forgotten, changes } = tree.history();
   * assertEquals([forgotten, changes.map(({ cause }) => cause)], [0, ["created", "flush", "flush", "merge"]]);
   *
   * // What became of the segment that was flushed first, and why is what came of it where it is?
   * const flushed = changes[1]!.added[0]!.id;
   * const gone = changes.findLast(({ removed }) => removed.includes(flushed));
   * assertEquals([gone?.cause, gone?.reason], ["merge", "asked for"]);
   * assertEquals(gone?.added.map(({ level, entries }) => [level, entries]), [[6, 1]]);
   * ```
   */
  history(): TreeHistory {
    return treeHistory(this.readState().history);
  }

  /**
   * Returns the bytes of the files of segments, journals and manifests. Cost: lists the folder.
   *
   * @throws {IoError} If the folder cannot be listed.
   */
  diskSpace(): number {
    return diskBytes(this.engine);
  }

  /**
   * Looks at every byte on disk that counts, read-only: checksums, order, and whether the files fit each other.
   *
   * Reads and writes go on meanwhile; it tells of the files as they are when it begins, and until it ends none of them is removed. What is
   * only in memory yet (`durability: "buffered"`) is not looked at.
   *
   * Cost: reads the tree once in this thread. The event loop has its turn every few milliseconds, but for the journals, which are read in one
   * go, as by an open.
   *
   * @returns What was found; damage is reported and never thrown.
   * @throws {TypeError} If an option has a wrong type.
   * @throws {ClosedError} If the tree was closed.
   * @throws {IoError} If the operating system refuses.
   * @throws The reason of the signal, or what `onProgress` throws.
   *
   * @example Usage
   * ```ts
   * import { MemoryStorage, Tree } from "@lsm/tree";
   * import { assert } from "@std/assert";
   *
   * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
   * tree.insert("a", "1");
   * assert((await tree.verify()).ok);
   * ```
   */
  async verify(options: TreeVerifyOptions = {}): Promise<VerifyReport> {
    this.readState();
    return await verifyIn(this.folder, this.config.storage, options);
  }

  /** Returns how many segments there are. */
  segmentCount(): number {
    return this.engine.segments().length;
  }
}

function sameValue(current: Bytes | undefined, expected: Value | undefined): boolean {
  if (current === undefined || expected === undefined) return current === expected;
  const bytes = typeof expected === "string" ? new TextEncoder().encode(expected) : expected;
  return current.length === bytes.length && current.every((byte, i) => byte === bytes[i]);
}
