/**
 * Verifying: every checksum and every order of a tree, looked at without changing a byte.
 *
 * ```text
 * lock READERS shared -> CURRENT -> manifest -> journals that count -> what recovery would do -> each segment, block by block
 * ```
 *
 * What is wrong is a value in the report, and the next thing is looked at all the same; what keeps from looking (the operating
 * system refuses, there is no tree) is thrown. `core/inspection.ts` says what is right.
 *
 * It goes beside a writer as a read-only handle does: the lock keeps segments from being removed, and where a file changed while
 * it was read, it begins anew. So what is reported is there, and not half of one moment and half of another.
 *
 * @module
 */

import type { JournalScan, ManifestScan, SegmentMeta, TreeError, Version } from "../core/mod.ts";
import {
  CorruptionError,
  countingJournals,
  CURRENT_NAME,
  decodeCurrent,
  fileName,
  inspectJournal,
  inspectManifest,
  inspectSegment,
  isDamage,
  JournalRecoveryError,
  LockedError,
  lostJournalName,
  NotFoundError,
  parseFileName,
  planRecovery,
  READERS_NAME,
  scanJournal,
  scanManifest,
  versionSegments,
} from "../core/mod.ts";
import { CODECS } from "./codecs.ts";
import { FileStorage } from "./file_storage.ts";
import { LOCK_ATTEMPTS_MAX, LOCK_PAUSE_MS, look, pathOf } from "./open.ts";
import { checkPaceOptions, Pace } from "./pace.ts";
import { READ_ATTEMPTS_MAX, readNamed } from "./planned.ts";
import type { Storage, StorageEntry, StorageLock } from "./storage.ts";
import { readWhole } from "./whole.ts";

/** How far a verification is. */
export interface VerifyProgress {
  /** Bytes that have been looked at. */
  readonly doneBytes: number;
  /** Bytes to be looked at in all. */
  readonly totalBytes: number;
}

/** What a user may say about the verification of an open tree. */
export interface TreeVerifyOptions {
  /** Ends it early, with its reason. */
  readonly signal?: AbortSignal;
  /** Told how far it is, some times a second and at the end. */
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/** What a user may say about a verification. */
export interface VerifyOptions extends TreeVerifyOptions {
  /** Where the bytes are kept; files in the folder. */
  readonly storage?: Storage;
}

/** What a verification found. */
export interface VerifyReport {
  /** Whether nothing is wrong. */
  readonly ok: boolean;
  /** What is wrong, each with its file and the byte where known. */
  readonly problems: readonly TreeError[];
  /** How many files were looked at. */
  readonly files: number;
  /** How many bytes were looked at. */
  readonly bytes: number;
  /** What is no damage but may be of interest: what a crash left unfinished, files of no use. */
  readonly notes: readonly string[];
}

/** Of one file so many problems are listed; of the others only is said how many there are. */
const PROBLEMS_PER_FILE_MAX = 100;

/**
 * Looks at every byte of a tree that counts: checksums, order, and whether the files fit each other.
 *
 * Read-only: it changes no byte and makes no file. It works beside a writer too: the files that the tree consists of when it begins
 * are kept until it ends.
 *
 * Cost: reads the tree once, about 130 MB/s; gives the event loop its turn every few milliseconds, but for the journals, which are read
 * in one go, as by an open (16 MiB take some 200 ms). Memory: the journals, and one block with the index and the filter of one
 * segment.
 *
 * @param folder The folder of the tree.
 * @returns What was found; damage is reported and never thrown.
 * @throws {TypeError} If an option has a wrong type.
 * @throws {NotFoundError} If there is no tree.
 * @throws {LockedError} If a writer removes files for longer than some seconds.
 * @throws {IoError} If the operating system refuses.
 * @throws The reason of the signal, or what `onProgress` throws.
 *
 * @example Usage
 * ```ts
 * import { MemoryStorage, Tree, verify } from "@lsm/tree";
 * import { assertEquals } from "@std/assert";
 *
 * const storage = new MemoryStorage();
 * const tree = await Tree.open("data", { storage });
 * tree.insert("a", "1");
 * await tree.close();
 *
 * const { ok, problems } = await verify("data", { storage });
 * assertEquals([ok, problems.length], [true, 0]);
 * ```
 */
export async function verify(folder: string | URL, options: VerifyOptions = {}): Promise<VerifyReport> {
  checkPaceOptions(options, "verify the tree");
  const path = pathOf(folder);
  const storage = storageOf(options.storage, path);
  options.signal?.throwIfAborted();
  storage.open({ create: false, readOnly: true });
  try {
    return await verifyIn(path, storage, options);
  } finally {
    storage.close();
  }
}

/**
 * Returns the storage that was given, or the files in a folder.
 *
 * @throws {TypeError} If it is no storage.
 */
export function storageOf(given: Storage | undefined, path: string): Storage {
  if (given === undefined) return new FileStorage(path);
  if (typeof given?.openRead !== "function") {
    throw new TypeError("Cannot use option storage: it is not a Storage");
  }
  return given;
}

/** Verifies the tree in a storage that is open. */
export async function verifyIn(
  folder: string,
  storage: Storage,
  options: TreeVerifyOptions,
): Promise<VerifyReport> {
  checkPaceOptions(options, "verify the tree");
  const pace = new Pace(options);
  pace.check();
  const lock = await lockReaders(storage, pace);
  try {
    for (let attempt = 1;; attempt++) {
      const before = storage.list();
      const verification = new Verification(folder, storage, pace);
      const isOver = await verification.run(before, attempt === READ_ATTEMPTS_MAX);
      if (isOver) return verification.report();
    }
  } finally {
    lock.release();
  }
}

async function lockReaders(storage: Storage, pace: Pace): Promise<StorageLock> {
  for (let attempt = 1;; attempt++) {
    try {
      return storage.lock(READERS_NAME, "shared");
    } catch (error) {
      if (!(error instanceof LockedError) || attempt === LOCK_ATTEMPTS_MAX) throw error;
    }
    await pace.pause(LOCK_PAUSE_MS);
  }
}

/** What was found in one attempt. */
class Verification {
  readonly #folder: string;
  readonly #storage: Storage;
  readonly #pace: Pace;
  readonly #problems: TreeError[] = [];
  readonly #notes: string[] = [];
  readonly #perFile: Map<string, number> = new Map();
  #names: readonly string[] = [];
  #files = 0;
  #bytes = 0;

  constructor(folder: string, storage: Storage, pace: Pace) {
    this.#folder = folder;
    this.#storage = storage;
    this.#pace = pace;
  }

  /** Looks at everything; returns `false` if a writer changed files under it, so that it has to begin anew. */
  async run(before: readonly StorageEntry[], isLast: boolean): Promise<boolean> {
    const found = this.#finding(() => look(this.#folder, this.#storage));
    if (found !== undefined && found.kind !== "tree") {
      throw new NotFoundError(`Cannot verify "${this.#folder}": there is no tree`);
    }
    const plain = before.filter((entry) => entry.isFile);
    this.#names = plain.map((entry) => entry.name);
    const manifest = found === undefined ? undefined : this.#manifest();
    const journals = manifest === undefined ? this.#allJournals() : this.#countingJournals(manifest);
    if (manifest !== undefined) this.#recovery(manifest, journals);
    if (this.#problems.length > 0 && !isLast && this.#hasChanged(before)) return false;
    const segments = manifest === undefined
      ? idsOf("segment", this.#names).map((id) => ({ id, meta: undefined }))
      : versionSegments(manifest.version).map((meta) => ({ id: meta.id, meta }));
    const sizes = new Map(plain.map(({ name, size }) => [name, size]));
    const totalBytes = segments.reduce((sum, { id }) => sum + (sizes.get(fileName("segment", id)) ?? 0), 0);
    this.#pace.expect(this.#bytes + totalBytes);
    await this.#pace.done(this.#bytes);
    for (const { id, meta } of segments) {
      const isThere = await this.#segment(id, meta, manifest?.version);
      if (!isThere && !isLast && this.#hasChanged(before)) return false;
    }
    return true;
  }

  /** Returns what was found, and tells that it is over. */
  report(): VerifyReport {
    for (const [file, count] of this.#perFile) {
      const more = count - PROBLEMS_PER_FILE_MAX;
      if (more > 0) this.#notes.push(`"${file}" has ${more} more problems than are listed`);
    }
    this.#pace.finish();
    return Object.freeze({
      ok: this.#problems.length === 0,
      problems: Object.freeze(this.#problems),
      files: this.#files,
      bytes: this.#bytes,
      notes: Object.freeze(this.#notes),
    });
  }

  #hasChanged(before: readonly StorageEntry[]): boolean {
    return JSON.stringify(before) !== JSON.stringify(this.#storage.list());
  }

  #add(problems: readonly TreeError[]): void {
    for (const problem of problems) {
      const file = problem.file ?? "";
      const count = (this.#perFile.get(file) ?? 0) + 1;
      this.#perFile.set(file, count);
      if (count <= PROBLEMS_PER_FILE_MAX) this.#problems.push(problem);
    }
  }

  /** Returns what `action` gives; what it finds damaged becomes a problem. */
  #finding<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      if (error instanceof NotFoundError) this.#add([missing(error.file!)]);
      else if (isDamage(error) || error instanceof JournalRecoveryError) this.#add([error]);
      else throw error;
      return undefined;
    }
  }

  /** Returns all bytes of a file. */
  #read(name: string): Uint8Array<ArrayBuffer> {
    const bytes = readNamed(this.#storage, name);
    this.#files += 1;
    this.#bytes += bytes.length;
    return bytes;
  }

  #manifest(): ManifestScan | undefined {
    return this.#finding(() => {
      const id = decodeCurrent(this.#read(CURRENT_NAME));
      const scan = scanManifest(this.#read(fileName("manifest", id)), id);
      this.#add(inspectManifest(scan));
      return scan;
    });
  }

  /** Reads the journals that count; each that is listed and missing is a problem. */
  #countingJournals({ version }: ManifestScan): readonly JournalScan[] {
    const lost = version.fence.journals.map(({ id }) => id).filter((id) =>
      !this.#names.includes(fileName("journal", id)) && !this.#names.includes(lostJournalName(id))
    );
    this.#add(lost.map((id) => missing(fileName("journal", id))));
    const named = [...this.#names, ...lost.map((id) => fileName("journal", id))];
    return this.#scan(countingJournals(version, named).filter((id) => !lost.includes(id)));
  }

  /** Reads all journals, where no manifest says which of them count. */
  #allJournals(): readonly JournalScan[] {
    const journals = this.#scan(idsOf("journal", this.#names));
    for (const { id, tail } of journals) {
      if (tail === undefined) continue;
      this.#notes.push(
        `"${fileName("journal", id)}" is not whole from byte ${tail.offset} on: ${tail.reason}`,
      );
    }
    return journals;
  }

  #scan(ids: readonly number[]): readonly JournalScan[] {
    return ids.flatMap((id) => {
      const scan = this.#finding(() => scanJournal(this.#read(fileName("journal", id)), id));
      return scan === undefined ? [] : [scan];
    });
  }

  /** Looks at what recovery would do, as an `open` with the default mode. */
  #recovery(manifest: ManifestScan, journals: readonly JournalScan[]): void {
    const undecoded = journals.flatMap(inspectJournal);
    this.#add(undecoded);
    // Replay would find the first of them once more.
    if (undecoded.length > 0) return;
    const named = versionSegments(manifest.version).map(({ id }) => fileName("segment", id));
    const plan = this.#finding(() =>
      planRecovery({
        manifest,
        journals,
        // Each missing segment is found later, and keeps nobody from looking at the journals.
        names: [...this.#names, ...named],
        mode: "tolerate-tail",
        maxMemtableSize: manifest.version.config.maxMemtableSize,
      })
    );
    if (plan === undefined) return;
    const { cleanClose, dropped, notes, orphans } = plan;
    if (!cleanClose) this.#notes.push("the tree is open, or was not closed in order");
    if (dropped !== undefined) {
      this.#notes.push(`the last ${dropped.bytes} bytes of journals are not whole: ${dropped.reason}`);
    }
    if (orphans.length > 0) this.#notes.push(`files of no use: ${[...orphans].sort().join(", ")}`);
    this.#notes.push(...notes);
  }

  /** Looks at a segment; returns `false` if it is missing. */
  async #segment(
    id: number,
    meta: SegmentMeta | undefined,
    version: Version | undefined,
  ): Promise<boolean> {
    const name = fileName("segment", id);
    if (!this.#names.includes(name)) this.#add([missing(name)]);
    const file = this.#names.includes(name) ? this.#finding(() => this.#storage.openRead(name)) : undefined;
    if (file === undefined) return false;
    this.#files += 1;
    try {
      const bytes = {
        id,
        size: file.size(),
        read: (offset: number, length: number): Uint8Array<ArrayBuffer> => readWhole(file, offset, length),
      };
      for (const step of inspectSegment(bytes, { meta, version }, CODECS)) {
        this.#bytes += step.bytes;
        this.#add(step.problems);
        await this.#pace.done(step.bytes);
      }
    } finally {
      file.close();
    }
    return true;
  }
}

/** Returns the ids of files of a kind, in order. */
export function idsOf(kind: "journal" | "manifest" | "segment", names: readonly string[]): number[] {
  const files = names.map(parseFileName).filter((file) => file?.kind === kind);
  return files.map((file) => file!.id).sort((a, b) => a - b);
}

function missing(file: string): CorruptionError {
  return new CorruptionError(`Cannot read "${file}": it is missing`, { file });
}
