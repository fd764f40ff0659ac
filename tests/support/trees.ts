/**
 * Trees for tests: in memory, with limits so small that a few writes flush and compact, and words for what is in them.
 *
 * Everything here goes through the package's own name, as a user's code does: what these tests can see is what a user
 * can see. Files that only crashed trees have are made by copying a storage while a tree is open on it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Config, Entry, Key, Storage, StorageFile } from "@lsm/tree";
import { leveled, MemoryStorage, NoSpaceError, Tree } from "@lsm/tree";

/** The least that each option may be: a handful of writes is a flush, a handful of flushes a compaction. */
export const TINY: Config = Object.freeze({
  maxMemtableSize: 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 1024 }),
  background: "inline",
});

/** All reads of a tree and a snapshot, by name: each must refuse what the others refuse. */
export const READS: Readonly<Record<string, (reads: Pick<Tree, ReadName>) => unknown>> = {
  get: (reads) => reads.get("a"),
  containsKey: (reads) => reads.containsKey("a"),
  iter: (reads) => reads.iter(),
  range: (reads) => reads.range({ gte: "a" }),
  prefix: (reads) => reads.prefix("a"),
  firstKeyValue: (reads) => reads.firstKeyValue(),
  lastKeyValue: (reads) => reads.lastKeyValue(),
  isEmpty: (reads) => reads.isEmpty(),
  len: (reads) => reads.len(),
};

type ReadName =
  | "get"
  | "containsKey"
  | "iter"
  | "range"
  | "prefix"
  | "firstKeyValue"
  | "lastKeyValue"
  | "isEmpty"
  | "len";

/** All writes of a tree that return at once, by name. Each would change a tree that has the key "a" alone. */
export const WRITES: Readonly<Record<string, (tree: Tree) => unknown>> = {
  insert: (tree) => tree.insert("b", "2"),
  remove: (tree) => tree.remove("a"),
  removeEntry: (tree) => tree.removeEntry("a"),
  popFirst: (tree) => tree.popFirst(),
  popLast: (tree) => tree.popLast(),
  clear: (tree) => tree.clear(),
  "batch().commit": (tree) => tree.batch().insert("b", "2").commit(),
  compareAndSwap: (tree) => tree.compareAndSwap("b", undefined, "2"),
  fetchUpdate: (tree) => tree.fetchUpdate("b", () => "2"),
  updateFetch: (tree) => tree.updateFetch("b", () => "2"),
  "entry().orInsert": (tree) => tree.entry("b").orInsert("2"),
  "entry().orInsertWith": (tree) => tree.entry("b").orInsertWith(() => "2"),
  "entry().orInsertWithKey": (tree) => tree.entry("b").orInsertWithKey((key) => key),
  "entry().andUpdate": (tree) => tree.entry("a").andUpdate(() => "2"),
  "occupied.update": (tree) => {
    const entry = tree.entry("a");
    if (entry.kind === "occupied") entry.update("2");
  },
  "occupied.remove": (tree) => {
    const entry = tree.entry("a");
    if (entry.kind === "occupied") entry.remove();
  },
  "vacant.insert": (tree) => {
    const entry = tree.entry("b");
    if (entry.kind === "vacant") entry.insert("2");
  },
};

/** Opens a tree in memory; with a `storage` of its own unless one is given. */
export function openInMemory(config: Config = {}): Promise<Tree> {
  return Tree.open("data", { storage: new MemoryStorage(), ...config });
}

/** Opens a tree in memory with the least limits, and writes keys into it, each with itself as its value. */
export async function treeOf(keys: readonly Key[], config: Config = {}): Promise<Tree> {
  const tree = await openInMemory({ ...TINY, ...config });
  for (const key of keys) tree.insert(key, key);
  return tree;
}

/** Returns the bytes of a text. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Returns bytes as text, and `undefined` as itself. */
export function text(bytes: Uint8Array): string;
export function text(bytes: Uint8Array | undefined): string | undefined;
export function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** Returns entries as `key=value`. */
export function texts(entries: Iterable<Entry>): string[] {
  return Array.from(entries, ([key, value]) => `${text(key)}=${text(value)}`);
}

/** Returns the keys of entries as text. */
export function keysOf(entries: Iterable<Entry>): string[] {
  return Array.from(entries, ([key]) => text(key));
}

/** Returns an entry as `key=value`. */
export function entryText(entry: Entry | undefined): string | undefined {
  return entry && texts([entry])[0];
}

/** Returns `count` keys of equal length, in order. */
export function numbered(count: number, prefix = "key"): string[] {
  const digits = String(count).length;
  return Array.from({ length: count }, (_, i) => prefix + String(i).padStart(digits, "0"));
}

/** Runs `fn` on a tree in memory that was flushed and compacted while it was filled, and checks that it was. */
export async function withSegments(
  keys: readonly string[],
  fn: (tree: Tree) => void | Promise<void>,
  config: Config = {},
): Promise<void> {
  await using tree = await openInMemory({ ...TINY, ...config });
  for (const key of keys) tree.insert(key, key.padEnd(100, "."));
  assert(tree.stats().flushes > 1, "no flush");
  assert(tree.segmentCount() > 1, "no segments");
  await fn(tree);
}

/** Returns a copy of what is in a storage now: what would be left if the process died here. */
export function copyOf(storage: Storage): MemoryStorage {
  const copy = new MemoryStorage();
  copy.open({ create: true, readOnly: false });
  for (const [name, bytes] of contentsOf(storage)) writeFile(copy, name, bytes);
  return copy;
}

/** Returns the bytes of all files of a storage, by name. */
export function contentsOf(storage: Storage): Map<string, Uint8Array> {
  return new Map(
    storage.list().map(({ name, size }) => {
      const file = storage.openRead(name);
      const bytes = new Uint8Array(size);
      if (size > 0) assertEquals(file.readAt(bytes, 0, size, 0), size);
      file.close();
      return [name, bytes];
    }),
  );
}

/** Returns the names of all files of a storage that begin with `prefix`, in order. */
export function namesOf(storage: Storage, prefix = ""): string[] {
  return storage.list().map(({ name }) => name).filter((name) => name.startsWith(prefix)).sort();
}

/** Replaces a file of a storage. */
export function writeFile(storage: Storage, name: string, bytes: Uint8Array): void {
  if (namesOf(storage).includes(name)) storage.remove(name);
  const file = storage.create(name);
  if (bytes.length > 0) assertEquals(file.append(bytes, 0, bytes.length), bytes.length);
  file.close();
}

/** What may be told to fail. */
export type Failing = "create" | "append" | "sync";

/** A storage in memory in which calls can be made to fail, on files whose name begins with a prefix. */
export class FailingStorage extends MemoryStorage {
  /** The calls that fail now. */
  readonly failing: Map<Failing, string> = new Map();
  /** The error that they fail with. */
  error: Error = new NoSpaceError("Cannot write: no space left on device; free space and try again");

  /** What barriers that do not block wait for. */
  held: Promise<void> | undefined;

  /** Creates a file, unless that is to fail. */
  override create(name: string): StorageFile {
    this.#check("create", name);
    const file = super.create(name);
    const check = this.#check.bind(this);
    const held = () => this.held;
    return {
      name,
      append(bytes, start, end) {
        check("append", name);
        return file.append(bytes, start, end);
      },
      readAt: (into, start, end, position) => file.readAt(into, start, end, position),
      size: () => file.size(),
      truncate: (length) => file.truncate(length),
      sync() {
        check("sync", name);
        file.sync();
      },
      async syncAsync() {
        check("sync", name);
        await held();
        await file.syncAsync();
      },
      close: () => file.close(),
    };
  }

  #check(call: Failing, name: string): void {
    const prefix = this.failing.get(call);
    if (prefix !== undefined && name.startsWith(prefix)) throw this.error;
  }
}
