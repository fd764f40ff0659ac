/**
 * Opening: from a folder to an engine, making or recovering what is in it.
 *
 * ```text
 * writer     look -> lock -> read CURRENT, manifest, journals -> plan -> write once more what may not be durable
 *                 -> commit the decision -> remove what is of no use -> go
 * read-only  lock READERS shared -> read -> plan -> go; begun anew if a writer changed the files meanwhile
 * ```
 *
 * Nothing is changed before the whole plan stands (`core/recovery.ts`), and nothing is removed before the plan is
 * durable: a crash at any point leaves what the next open needs. A folder that holds something else is not touched.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import type { Chronicle, Dropped, RecoveryPlan, Salt, Version } from "../core/mod.ts";
import {
  AlreadyExistsError,
  CorruptionError,
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  DEFAULT_STORED_CONFIG,
  EMPTY_CHRONICLE,
  fileName,
  LOCK_NAME,
  LockedError,
  lostJournalName,
  NotFoundError,
  openedState,
  parseFileName,
  READERS_NAME,
  recoveredEdit,
  rewriteJournals,
  snapshotEdit,
  TreeError,
  withEdit,
} from "../core/mod.ts";
import { BarrierError } from "./barrier.ts";
import { clockOf, randomWords } from "./clock.ts";
import type { Config, HandleConfig } from "./config.ts";
import { handleConfig, mergeConfig } from "./config.ts";
import { Engine } from "./engine.ts";
import { FileStorage } from "./file_storage.ts";
import { writeJournal } from "./journal_writer.ts";
import { ManifestWriter } from "./manifest_writer.ts";
import type { Planned } from "./planned.ts";
import { readTree, readUnderWriter } from "./planned.ts";
import { stepOptions } from "./step_options.ts";
import type { Storage, StorageEntry, StorageLock } from "./storage.ts";

/** What `open()` found and did. */
export interface RecoveryReport {
  /** Whether the tree was made by this call. */
  readonly created: boolean;
  /** Whether the tree was closed in order before. */
  readonly cleanClose: boolean;
  /** Journals that were read. */
  readonly journals: number;
  /** Batches that were replayed from them. */
  readonly batches: number;
  /** What a crash left unfinished, or `undefined` if nothing was. */
  readonly dropped: Dropped | undefined;
  /** Files that were of no use any more and were removed. */
  readonly orphans: number;
  /** How long it took. */
  readonly milliseconds: number;
  /** What a user should know beside that. */
  readonly notes: readonly string[];
}

/** An engine, and what opening it found. */
export interface Opened {
  /** The engine. */
  readonly engine: Engine;
  /** What was found and done. */
  readonly recovery: RecoveryReport;
}

/** So many recovered journals may wait in memory; more are flushed before `open()` resolves. */
const LIVE_JOURNALS_MAX = 4;

/** A writer holds READERS only while it removes files: a read-only open tries again for about 5 s. */
export const LOCK_ATTEMPTS_MAX = 1000;
/** The pause between two tries. */
export const LOCK_PAUSE_MS = 5;

/** A read-only handle makes no file. */
const NO_SALT: Salt = { low: 0, high: 0 };

/** Opens the tree in a folder. */
export async function openEngine(folder: string | URL, config: Config): Promise<Opened> {
  const started = performance.now();
  const path = pathOf(folder);
  const storage = config?.storage ?? new FileStorage(path);
  const handle = handleConfig(config, storage);
  mergeConfig(config, handle, DEFAULT_STORED_CONFIG); // wrong numbers are refused before anything is touched
  await Promise.resolve();
  for (let attempt = 1;; attempt++) {
    try {
      return inFolder(path, () => openOnce(path, config, handle, storage, started));
    } catch (error) {
      storage.close();
      if (!handle.readOnly || !(error instanceof LockedError) || attempt === LOCK_ATTEMPTS_MAX) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
  }
}

function openOnce(
  path: string,
  config: Config,
  handle: HandleConfig,
  storage: Storage,
  started: number,
): Opened {
  const { created, notes } = storage.open({
    create: handle.createIfMissing && !handle.readOnly,
    readOnly: handle.readOnly,
  });
  const opened = handle.readOnly
    ? openReadOnly(path, config, handle, storage)
    : openWriter(path, config, handle, storage);
  return {
    engine: opened.engine,
    recovery: Object.freeze({
      ...opened.recovery,
      created: opened.recovery.created || created,
      notes: Object.freeze([...notes, ...opened.recovery.notes]),
      milliseconds: performance.now() - started,
    }),
  };
}

/**
 * Returns the path of a folder.
 *
 * @throws {TypeError} If it is no path and no file URL.
 */
export function pathOf(folder: string | URL): string {
  if (folder instanceof URL) {
    if (folder.protocol !== "file:") {
      throw new TypeError(`Cannot open a tree: "${folder.protocol}" is not a file URL`);
    }
    return fileURLToPath(folder);
  }
  if (typeof folder !== "string") {
    throw new TypeError("Cannot open a tree: the folder is neither a string nor a URL");
  }
  if (folder === "") throw new TypeError("Cannot open a tree: the folder's name is empty");
  return folder;
}

/** What is in a folder. */
export interface Found {
  /** All that is there. */
  readonly entries: readonly StorageEntry[];
  /** The names of the plain files. */
  readonly names: readonly string[];
  /** What they make up. */
  readonly kind: "tree" | "nothing" | "something else";
}

/**
 * Looks at a folder without changing it.
 *
 * @throws {CorruptionError} If there are files of a tree, but nothing that names its manifest.
 */
export function look(folder: string, storage: Storage): Found {
  const entries = storage.list();
  const names = entries.filter((entry) => entry.isFile).map((entry) => entry.name);
  if (names.includes(CURRENT_NAME)) return { entries, names, kind: "tree" };
  const ours = names.filter((name) => parseFileName(name) !== undefined);
  const begun = ours.every((name) => name === fileName("manifest", 1));
  if (!begun) {
    throw new CorruptionError(
      `Cannot open "${folder}": "${CURRENT_NAME}" is missing but other files of a tree are there; restore or repair it`,
      { file: CURRENT_NAME },
    );
  }
  const known = [LOCK_NAME, READERS_NAME, CURRENT_TEMPORARY_NAME, ...ours];
  const foreign = entries.some(({ name }) => !name.startsWith(".") && !known.includes(name));
  return { entries, names, kind: foreign ? "something else" : "nothing" };
}

function openWriter(folder: string, config: Config, handle: HandleConfig, storage: Storage): Opened {
  checkExistence(folder, handle, look(folder, storage).kind);
  const lock = storage.lock(LOCK_NAME, "exclusive");
  try {
    const found = look(folder, storage);
    checkExistence(folder, handle, found.kind);
    makeReadersFile(storage, found);
    const salt = newSalt(storage);
    return found.kind === "nothing"
      ? createTree(folder, config, handle, storage, lock, salt)
      : recoverTree(folder, config, handle, storage, lock, salt, found);
  } catch (error) {
    lock.release();
    throw error instanceof BarrierError ? error.cause : error; // there is no tree yet to be poisoned
  }
}

function checkExistence(folder: string, handle: HandleConfig, kind: Found["kind"]): void {
  if (kind === "tree" && handle.errorIfExists) {
    throw new AlreadyExistsError(
      `Cannot create a tree in "${folder}": there is one already and errorIfExists is set`,
    );
  }
  if (kind === "something else") {
    throw new AlreadyExistsError(
      `Cannot open a tree in "${folder}": the folder holds other files and no tree; name an empty folder`,
    );
  }
  if (kind === "nothing" && (handle.readOnly || !handle.createIfMissing)) {
    const why = handle.readOnly ? "a read-only handle makes none" : "createIfMissing is false";
    throw new NotFoundError(`Cannot open "${folder}": there is no tree and ${why}`);
  }
}

/** Read-only handles lock a file that they may not make. */
function makeReadersFile(storage: Storage, found: Found): void {
  if (!found.names.includes(READERS_NAME)) storage.lock(READERS_NAME, "exclusive").release();
}

function newSalt(storage: Storage): Salt {
  const [low, high] = randomWords(storage, 2);
  return { low: low!, high: high! };
}

function createTree(
  folder: string,
  config: Config,
  handle: HandleConfig,
  storage: Storage,
  lock: StorageLock,
  salt: Salt,
): Opened {
  const merged = mergeConfig(config, handle, DEFAULT_STORED_CONFIG);
  const hashSeed = randomWords(storage, 1)[0]!;
  const configured: Version = { ...EMPTY_CHRONICLE.version, config: merged.stored, hashSeed };
  const clock = clockOf(storage);
  const created = withEdit(EMPTY_CHRONICLE, snapshotEdit(configured, "created", clock()));
  const manifest = ManifestWriter.after(storage, salt, 0);
  try {
    manifest.replace(created, "created", 0, clock());
  } catch (error) {
    manifest.close();
    throw error;
  }
  const engine = new Engine({
    folder,
    config: merged.resolved,
    options: stepOptions(merged.resolved),
    state: openedState(created.version, [], 0, 1, salt, created.history),
    manifest,
    closedAt: -1,
    locks: [lock],
    clock,
  });
  engine.begin();
  return {
    engine,
    recovery: {
      created: true,
      cleanClose: true,
      journals: 0,
      batches: 0,
      dropped: undefined,
      orphans: 0,
      milliseconds: 0,
      notes: merged.notes,
    },
  };
}

function recoverTree(
  folder: string,
  config: Config,
  handle: HandleConfig,
  storage: Storage,
  lock: StorageLock,
  salt: Salt,
  found: Found,
): Opened {
  const planned = inFolder(folder, () => readTree(folder, config, handle, storage, found.names));
  const { merged, manifest } = planned;
  const clock = clockOf(storage);
  const plan = madeDurable(storage, planned.plan, salt);
  const writer = ManifestWriter.after(storage, salt, manifest.header.id);
  try {
    const { version, history } = commitPlan({ ...planned, plan }, writer, clock());
    const orphans = removeOrphans(
      storage,
      plan.orphans.filter((name) => name !== fileName("manifest", writer.id)),
    );
    const engine = new Engine({
      folder,
      config: merged.resolved,
      options: stepOptions(merged.resolved),
      state: openedState(version, plan.sealed, plan.lastSeqno, plan.nextId, salt, history),
      manifest: writer,
      closedAt: plan.cleanClose && version === manifest.version ? version.editNumber : -1,
      locks: [lock],
      clock,
    });
    if (plan.journals.length > LIVE_JOURNALS_MAX) engine.seal();
    engine.begin();
    return { engine, recovery: reportOf(planned, orphans) };
  } catch (error) {
    writer.close();
    throw error;
  }
}

/** Returns the plan when all that it counts on survives power loss; journals that are given up are set aside. */
function madeDurable(storage: Storage, plan: RecoveryPlan, salt: Salt): RecoveryPlan {
  // Whoever renamed CURRENT may have been killed before the sync: other files without a CURRENT would look like a damaged tree.
  if (plan.isNew) storage.syncFolder();
  const rewritten = rewriteJournals(plan, salt);
  const { journals, lost } = rewritten?.plan ?? plan;
  if (rewritten !== undefined) {
    writeJournal(storage, rewritten.id, rewritten.header, rewritten.pieces());
    storage.syncFolder();
  }
  for (const id of lost) {
    if (!journals.some((journal) => journal.id === id)) {
      storage.rename(fileName("journal", id), lostJournalName(id));
    }
  }
  return rewritten?.plan ?? plan;
}

/**
 * Writes down what the plan decided and what the configuration has become, in a new manifest; returns the version after that.
 *
 * Nothing is written where there is nothing to say: opening and closing a tree that was closed in order changes no file.
 */
function commitPlan({ manifest, plan, merged }: Planned, writer: ManifestWriter, now: number): Chronicle {
  const edit = recoveredEdit(plan, now, merged.stored);
  if (!plan.isNew && edit.config === undefined && manifest.tail === undefined) return manifest;
  const decided = withEdit(manifest, edit);
  writer.replace(decided, edit.cause, plan.lastSeqno, now);
  return decided;
}

/** Removes files that no edit names. A read-only handle may still read them: while one is there, they wait for another open. */
function removeOrphans(storage: Storage, names: readonly string[]): number {
  if (names.length === 0) return 0;
  let lock: StorageLock;
  try {
    lock = storage.lock(READERS_NAME, "exclusive");
  } catch {
    return 0;
  }
  let removed = 0;
  for (const name of names) {
    try {
      storage.remove(name);
      removed += 1;
    } catch {
      // It is of no use and does no harm: no edit names it.
    }
  }
  lock.release();
  return removed;
}

function reportOf({ plan, merged, journals }: Planned, orphans: number): RecoveryReport {
  return {
    created: false,
    cleanClose: plan.cleanClose,
    journals,
    batches: plan.batches,
    dropped: plan.dropped,
    orphans,
    milliseconds: 0,
    notes: [...plan.notes, ...merged.notes],
  };
}

/** Names the folder in the message of what went wrong in it. */
function inFolder<T>(folder: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TreeError && !error.message.includes(`"${folder}"`)) {
      error.message = `Cannot open "${folder}": ${error.message}`;
    }
    throw error;
  }
}

function openReadOnly(folder: string, config: Config, handle: HandleConfig, storage: Storage): Opened {
  checkExistence(folder, handle, look(folder, storage).kind);
  const lock = storage.lock(READERS_NAME, "shared");
  try {
    const planned = inFolder(folder, () => readUnderWriter(folder, config, handle, storage));
    const { plan, merged } = planned;
    const engine = new Engine({
      folder,
      config: merged.resolved,
      options: stepOptions(merged.resolved),
      state: openedState(plan.version, plan.sealed, plan.lastSeqno, plan.nextId, NO_SALT, plan.history),
      manifest: undefined,
      closedAt: -1,
      locks: [lock],
      clock: clockOf(storage),
    });
    return { engine, recovery: reportOf(planned, 0) };
  } catch (error) {
    lock.release();
    throw error;
  }
}
