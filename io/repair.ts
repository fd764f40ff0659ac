/**
 * Repair: a new tree with all that can still be read of a damaged one.
 *
 * ```text
 * lock the source shared -> manifest, journals -> merge runs block by block, newest first -> write the new tree -> verify it
 * ```
 *
 * Never in place: of the source not a byte and not a name changes, so a repair that gave too little can be tried again, with other
 * means too. The new tree is written as a user would write it, in sorted batches, so it is right whatever the source was.
 *
 * What a repair cannot promise is a state that ever was: behind a batch that is lost later ones are kept, and a key whose newest
 * version is lost shows the one before. It names the bytes that are lost, and whoever knows what stood there knows what is missing.
 *
 * @module
 */

import type { LostBytes } from "../core/mod.ts";
import {
  AlreadyExistsError,
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  DEFAULT_STORED_CONFIG,
  LOCK_NAME,
  MemtableCursor,
  Merge,
  NotFoundError,
  parseFileName,
  READERS_NAME,
  SalvageCursor,
} from "../core/mod.ts";
import { handleConfig, mergeConfig } from "./config.ts";
import { pathOf } from "./open.ts";
import { checkPaceOptions, Pace } from "./pace.ts";
import type { ManifestUse } from "./repair_source.ts";
import { checkSource, RepairSource } from "./repair_source.ts";
import type { Storage } from "./storage.ts";
import { Tree } from "./tree.ts";
import { storageOf, verify } from "./verify.ts";

/** How far a repair is. */
export interface RepairProgress {
  /** Bytes of segments that have been read. */
  readonly doneBytes: number;
  /** Bytes of segments to be read in all. */
  readonly totalBytes: number;
}

/** What a user says about a repair. */
export interface RepairOptions {
  /** The folder of the new tree: missing, or empty. */
  readonly out: string | URL;
  /** Where the bytes of the damaged tree are kept; files in its folder. */
  readonly storage?: Storage;
  /** Where the bytes of the new tree are kept; files in `out`. */
  readonly outStorage?: Storage;
  /** Ends it early, with its reason; nothing is left of the new tree. */
  readonly signal?: AbortSignal;
  /** Told how far it is, some times a second and at the end. */
  readonly onProgress?: (progress: RepairProgress) => void;
}

/** Bytes of a damaged tree that a repair could not read. */
export type LostPart = LostBytes;

/** What a repair found and did. */
export interface RepairReport {
  /** How many entries the new tree has. */
  readonly entries: number;
  /** How many batches came out of journals. */
  readonly batches: number;
  /** How many segments were read. */
  readonly segments: number;
  /** What could not be read, and may have held entries. */
  readonly lost: readonly LostPart[];
  /**
   * Whose order of segments counted: the manifest's (`"used"`), or that of their last batches, because the end of the manifest
   * (`"prefix"`) or all of it (`"none"`) is lost.
   */
  readonly manifest: ManifestUse;
  /** What a user should know beside that. */
  readonly notes: readonly string[];
  /** How long it took. */
  readonly milliseconds: number;
}

/** A batch of the new tree is committed when it has so many bytes. */
const BATCH_BYTES = 256 * 1024;

/**
 * Makes a new tree out of what can be read of a damaged one.
 *
 * The damaged tree is only read: not a byte and not a name of it changes. It may lack `CURRENT`, its manifest, segments and journals; of
 * damaged files everything is taken whose checksum is right, block by block and batch by batch. The new tree has its stored options, where
 * they are known, and was verified when this resolves.
 *
 * What differs from what the tree held is explained by `lost`, but for what a crash had not brought to the disk. Behind a lost
 * batch later ones are kept, so what comes out may be no state that ever was. Where the order of the segments is not known
 * (`manifest` is not `"used"`), removed keys and older values may come back.
 *
 * Cost: reads the tree once, and writes it. Memory: the journals, and one block of each run of segments.
 *
 * @param folder The folder of the damaged tree.
 * @param options Where the new tree goes, and more.
 * @returns What was found, and what is lost.
 * @throws {TypeError} If an option has a wrong type.
 * @throws {NotFoundError} If there is no file of a tree.
 * @throws {AlreadyExistsError} If `out` is not empty, or lies in the folder of the damaged tree.
 * @throws {LockedError} If the tree is open for writing.
 * @throws {UnsupportedFormatError} If a newer module wrote it.
 * @throws {IoError} If the operating system refuses; sectors that the disk cannot read are lost bytes instead.
 * @throws The reason of the signal, or what `onProgress` throws.
 *
 * @example Usage
 * ```ts
 * import { MemoryStorage, repair, Tree } from "@lsm/tree";
 * import { assertEquals } from "@std/assert";
 *
 * const storage = new MemoryStorage();
 * const damaged = await Tree.open("data", { storage });
 * damaged.insert("a", "1");
 * await damaged.close();
 * storage.remove("CURRENT");
 *
 * const outStorage = new MemoryStorage();
 * const { entries, lost } = await repair("data", { out: "repaired", storage, outStorage });
 * assertEquals([entries, lost.length], [1, 0]);
 *
 * await using tree = await Tree.open("repaired", { storage: outStorage });
 * assertEquals(new TextDecoder().decode(tree.get("a")), "1");
 * ```
 */
export async function repair(folder: string | URL, options: RepairOptions): Promise<RepairReport> {
  const started = performance.now();
  checkPaceOptions(options, "repair the tree");
  const path = pathOf(folder);
  const outPath = pathOf(options.out);
  const storage = storageOf(options.storage, path);
  const outStorage = storageOf(options.outStorage, outPath);
  const pace = new Pace(options);
  pace.check();
  if (options.outStorage === undefined && `${outPath}/`.startsWith(`${path}/`)) {
    throw new AlreadyExistsError(
      `Cannot repair into "${outPath}": it lies in the damaged tree; name another`,
    );
  }
  checkOut(outPath, outStorage);
  storage.open({ create: false, readOnly: true });
  try {
    checkSource(path, storage.list());
    const lock = storage.lock(LOCK_NAME, "shared");
    try {
      const source = new RepairSource(storage, storage.list());
      const { entries, notes } = await writeTree(outPath, outStorage, source, pace, options.signal);
      return Object.freeze({
        entries,
        batches: source.batches,
        segments: source.segments,
        lost: Object.freeze([...source.lost]),
        manifest: source.manifest,
        notes: Object.freeze([...source.notes, ...notes]),
        milliseconds: performance.now() - started,
      });
    } finally {
      lock.release();
    }
  } finally {
    storage.close();
  }
}

/** Files that are never removed, so they are left of a repair that has failed. */
const LOCKS: readonly string[] = [LOCK_NAME, READERS_NAME];

/** Throws unless a new tree may be made there. */
function checkOut(folder: string, storage: Storage): void {
  try {
    storage.open({ create: false, readOnly: true });
  } catch (error) {
    if (error instanceof NotFoundError) return;
    throw error;
  }
  const isEmpty = storage.list().every(({ name }) => name.startsWith(".") || LOCKS.includes(name));
  storage.close();
  if (!isEmpty) {
    throw new AlreadyExistsError(`Cannot repair into "${folder}": the folder is not empty; name another`);
  }
}

/** Writes the new tree and verifies it; if that fails, nothing is left of it. */
async function writeTree(
  folder: string,
  storage: Storage,
  source: RepairSource,
  pace: Pace,
  signal: AbortSignal | undefined,
): Promise<{ readonly entries: number; readonly notes: readonly string[] }> {
  const { resolved, notes } = mergeConfig(
    {},
    handleConfig({}, storage),
    source.version?.config ?? DEFAULT_STORED_CONFIG,
  );
  try {
    const { maxMemtableSize, blockSize, levelCount, levelRatio, filterBitsPerKey } = resolved;
    const { compression, compactionStrategy } = resolved;
    const stored = { maxMemtableSize, blockSize, levelCount, levelRatio, filterBitsPerKey };
    const tree = await Tree.open(folder, { ...stored, compression, compactionStrategy, storage });
    let entries: number;
    try {
      entries = await copyEntries(tree, source, pace);
      await tree.flushMemtable();
    } finally {
      await tree.close();
    }
    const { problems } = await verify(folder, { storage, signal });
    if (problems.length > 0) throw problems[0];
    pace.finish();
    return { entries, notes };
  } catch (error) {
    removeTree(storage);
    throw error;
  }
}

/** Writes what is alive into the new tree, in sorted batches; returns how many entries. */
async function copyEntries(tree: Tree, source: RepairSource, pace: Pace): Promise<number> {
  const { memtable } = source;
  const runs = source.blocks().map((blocks) => new SalvageCursor(blocks, source.lose));
  const merge = new Merge(
    [...memtable.map.size > 0 ? [new MemtableCursor(memtable)] : [], ...runs],
    "forward",
  );
  pace.expect(source.totalBytes);
  let entries = 0;
  let readBytes = 0;
  merge.seek(undefined);
  while (merge.current !== undefined) {
    entries += copyBatch(tree, merge);
    await tree.ready();
    await pace.done(source.bytes - readBytes);
    readBytes = source.bytes;
  }
  return entries;
}

/** Writes a batch of what is alive; returns how many entries. */
function copyBatch(tree: Tree, merge: Merge): number {
  const batch = tree.batch();
  let bytes = 0;
  for (let current = merge.current; current !== undefined && bytes < BATCH_BYTES;) {
    if (!current.isTombstone) {
      const { key, keyBytes, value, valueStart, valueEnd } = current;
      batch.insert(key.subarray(0, keyBytes), value.subarray(valueStart, valueEnd));
    }
    bytes += current.keyBytes + current.valueEnd - current.valueStart + 1;
    merge.advance();
    current = merge.current;
  }
  batch.commit();
  return batch.length;
}

/** Removes what was written of a new tree, as far as that goes; what names it goes first. */
function removeTree(storage: Storage): void {
  try {
    const names = storage.list().map(({ name }) => name);
    const isOurs = (name: string): boolean =>
      name === CURRENT_TEMPORARY_NAME || parseFileName(name) !== undefined;
    for (const name of [CURRENT_NAME, ...names.filter(isOurs)]) {
      if (names.includes(name)) storage.remove(name);
    }
  } catch {
    // What went wrong before says more.
  }
}
