/**
 * A storage that can lose power, fail and rot, and does all of it by a seed.
 *
 * ```text
 * crash()   what a power cut at this moment may have left       kill()   what is left when only the process dies
 * fail()    operations that fail or lie from now on             flip()   and its like: damage to what is there
 * ```
 *
 * It keeps to the port (`storage.ts`) and is as mean as the port allows: a file that was not synced may come back torn
 * or not at all, a name that the folder was not synced for may be missing, and bytes of a failed sync are gone even if a
 * later sync succeeds. Code that survives here has not relied on luck.
 *
 * This file is the folder's side of the port and what tests do with it. `simulated_file.ts` is an open file,
 * `simulated_disk.ts` keeps what is durable apart from what is seen, `simulated_crash.ts` makes outcomes,
 * `simulated_judge.ts` and `simulated_faults.ts` decide on operations, `simulated_lies.ts` and `simulated_damage.ts` spoil bytes,
 * `simulated_clock.ts` tells the time.
 *
 * Invariant: all that happens follows from the seed and the calls. The time and the random bits of a tree come from here too, so
 * equal seeds and calls give equal operations and equal bytes in every file. (What a tree does by a timer of the system's, such as
 * a sync in the background, needs an event loop that comes to it; `fsyncInterval: null` keeps that one away.)
 *
 * @module
 */

import { AlreadyExistsError, NotFoundError } from "../core/errors.ts";
import { takeLock } from "./held_lock.ts";
import { Sampler, SeededRandom } from "./simulated_choices.ts";
import type { Image } from "./simulated_crash.ts";
import { crashImage, crashImages, survivingNames } from "./simulated_crash.ts";
import type { ClockKind } from "./simulated_clock.ts";
import { SimulatedClock } from "./simulated_clock.ts";
import type { FilePlace } from "./simulated_damage.ts";
import { damageFile, swapPlaces } from "./simulated_damage.ts";
import type { CrashProfile, Inode } from "./simulated_disk.ts";
import { SimulatedDisk } from "./simulated_disk.ts";
import type { Fault, FaultKind, FaultRule, SimulatedOperation } from "./simulated_faults.ts";
import { isSilent, refusal } from "./simulated_faults.ts";
import type { FileHost } from "./simulated_file.ts";
import { simulatedFile } from "./simulated_file.ts";
import type { OperationListener } from "./simulated_judge.ts";
import { SimulatedJudge } from "./simulated_judge.ts";
import type {
  Storage,
  StorageEntry,
  StorageFile,
  StorageLock,
  StorageOpened,
  StorageOpenOptions,
} from "./storage.ts";
import { checkName, checkSpan } from "./storage_checks.ts";

export type {
  ClockKind,
  CrashProfile,
  Fault,
  FaultKind,
  FaultRule,
  FilePlace,
  OperationListener,
  SimulatedOperation,
};
export type { SilentFaultKind, SimulatedOperationKind } from "./simulated_faults.ts";
export type { Storage, StorageEntry, StorageFile, StorageLock, StorageOpened, StorageOpenOptions };

/** How a {@linkcode SimulatedStorage} behaves. */
export interface SimulatedStorageOptions {
  /** What everything follows from; 1 if not given. */
  readonly seed?: number;
  /** What a power cut may do to what was not synced; `"strict"` if not given. */
  readonly profile?: CrashProfile;
  /** Whether the clock only moves by {@linkcode SimulatedStorage.advance}, or jumps by itself as well; `"still"` if not given. */
  readonly clock?: ClockKind;
}

const SEED = 1;

/**
 * A storage in memory that can lose power, fail, lie and rot, for tests of a tree and of the programs that have one.
 *
 * It needs no permission. A crash or a kill gives a new storage and leaves this one as it is, so that one run of a test can be
 * ended at every operation. What can go wrong while it runs is in {@linkcode FaultRule}, time in {@linkcode ClockKind}.
 *
 * Limits: background work runs inline, never in a Worker. All is in one process; two handles of one instance exclude each other as
 * two processes do. Timers are the system's, also where the clock stands still.
 *
 * Cost: what a `MemoryStorage` costs, twice, and the log of all operations.
 *
 * @example A power cut at every operation
 * ```ts
 * import { Tree } from "@lsm/tree";
 * import { SimulatedStorage } from "@lsm/tree/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const storage = new SimulatedStorage({ seed: 7, profile: "garbage" });
 * const stops: { disk: SimulatedStorage; flushed: boolean }[] = [];
 * let flushed = false;
 * storage.watch(() => stops.push({ disk: storage.kill(), flushed }));
 *
 * const tree = await Tree.open("data", { storage }); // here a program runs that is given `storage`
 * tree.batch().insert("from", "1").insert("to", "9").commit();
 * await tree.flush();
 * flushed = true;
 * tree.batch().insert("from", "0").insert("to", "10").commit();
 * await tree.close();
 *
 * for (const { disk, flushed } of stops) {
 *   for (const crashed of disk.crashes(5)) {
 *     await using recovered = await Tree.open("data", { storage: crashed });
 *     assertEquals(recovered.containsKey("from"), recovered.containsKey("to")); // never half a batch
 *     assert(recovered.containsKey("from") || !flushed); // what was flushed survives
 *   }
 * }
 * ```
 */
export class SimulatedStorage implements Storage {
  /** Always `"simulated"`: background work runs inline. */
  readonly kind: string = "simulated";
  /** What a power cut may do. */
  readonly profile: CrashProfile;
  readonly #random: SeededRandom;
  readonly #judge: SimulatedJudge;
  #disk: SimulatedDisk;
  #clock: SimulatedClock;
  #handles = 0;
  #locks = 0;

  /** Makes a storage that was never created in. */
  constructor(options: SimulatedStorageOptions = {}) {
    const { seed = SEED, profile = "strict", clock = "still" } = options;
    this.profile = profile;
    this.#random = new SeededRandom(seed);
    this.#disk = new SimulatedDisk(profile);
    this.#clock = new SimulatedClock(clock, seed);
    this.#judge = new SimulatedJudge(this.#random);
  }

  #next(disk: SimulatedDisk, seed = this.#random.below(2 ** 32)): SimulatedStorage {
    const next = new SimulatedStorage({ seed, profile: this.profile });
    next.#disk = disk;
    next.#clock = this.#clock.next(seed);
    return next;
  }

  #afterCrash(image: Image, seed?: number): SimulatedStorage {
    if (!this.#disk.exists) return this.#next(new SimulatedDisk(this.profile), seed);
    const disk = SimulatedDisk.of(this.profile, image);
    this.#disk.leave(disk);
    return this.#next(disk, seed);
  }

  /**
   * Returns what a power cut at this moment may have left, as a storage of its own; this one goes on.
   *
   * @param seed Which outcome; if not given, the next one by the seed of the storage.
   */
  crash(seed: number = this.#random.below(2 ** 32)): SimulatedStorage {
    const random = new SeededRandom(seed);
    return this.#afterCrash(crashImage(this.#disk, new Sampler(random), random), seed);
  }

  /**
   * Gives what a power cut at this moment may have left: every outcome if there are at most `limit`, else a sample of
   * that many, no two the same.
   *
   * @param limit How many at most.
   */
  *crashes(limit: number): Generator<SimulatedStorage, void> {
    for (const image of crashImages(this.#disk, limit, this.#random)) yield this.#afterCrash(image);
  }

  /**
   * Returns what is left if the process dies at this moment and nothing else happens: all that was written. It may still be lost
   * in a later power cut. This one goes on.
   */
  kill(): SimulatedStorage {
    return this.#next(this.#disk.fork());
  }

  /**
   * Makes operations fail, or lie, from now on.
   *
   * @param rule Which ones, and how.
   * @returns How often it did, and how to end it.
   */
  fail(rule: FaultRule): Fault {
    return this.#judge.fail(rule);
  }

  /** Ends all rules of {@linkcode fail}. */
  heal(): void {
    this.#judge.heal();
  }

  /**
   * Calls a function before each operation, which has not happened then.
   *
   * @param listener What to call; what it throws is thrown by the operation.
   * @returns Ends it.
   */
  watch(listener: OperationListener): () => void {
    return this.#judge.watch(listener);
  }

  /** All operations so far; equal for equal seeds and calls. */
  get log(): readonly SimulatedOperation[] {
    return this.#judge.log;
  }

  /** How many files are open. */
  get openHandles(): number {
    return this.#handles;
  }

  /** How many locks are held. */
  get heldLocks(): number {
    return this.#locks;
  }

  #pass(kind: SimulatedOperation["kind"], action: string, file = "", to = ""): void {
    const { fault } = this.#judge.judge(kind, file, to);
    if (fault !== "") throw refusal(fault, action, file || undefined);
  }

  /**
   * Gets the storage ready; the first call with `create` is what makes it exist, and survives at once.
   *
   * @param options How to open it.
   * @returns Whether this call created it. There are no notes.
   * @throws {NotFoundError} If it was never created, and `create` is false or `readOnly` true.
   */
  open(options: StorageOpenOptions): StorageOpened {
    this.#pass("open", "open the simulated storage");
    if (this.#disk.exists) return { created: false, notes: [] };
    if (!options.create || options.readOnly) {
      throw new NotFoundError("Cannot open the simulated storage: nothing was created in it yet");
    }
    this.#disk.exists = true;
    return { created: true, notes: [] };
  }

  /** Lists all files. */
  list(): StorageEntry[] {
    const { seen } = this.#existing();
    this.#pass("list", "list the simulated storage");
    return Array.from(seen, ([name, inode]) => ({ name, size: inode.seen.length, isFile: true }));
  }

  /**
   * Creates a new empty file for appending and reading.
   *
   * @param name The name of the file.
   * @returns A handle that appends and reads.
   * @throws {AlreadyExistsError} If the name is taken.
   */
  create(name: string): StorageFile {
    checkName(name);
    const disk = this.#existing(name);
    this.#pass("create", `create "${name}"`, name);
    if (disk.seen.has(name)) {
      throw new AlreadyExistsError(`Cannot create "${name}": it exists already`, { file: name });
    }
    return this.#handle(name, disk.create(name), true);
  }

  /**
   * Opens a file for reading only.
   *
   * @param name The name of the file.
   * @returns A handle that reads; it sees what others append.
   * @throws {NotFoundError} If there is no such file.
   */
  openRead(name: string): StorageFile {
    checkName(name);
    this.#existing(name);
    this.#pass("openRead", `open "${name}"`, name);
    return this.#handle(name, this.#named(name, `open "${name}"`), false);
  }

  /**
   * Renames a file, replacing a file that has the new name.
   *
   * @param from The name it has.
   * @param to The name it gets.
   * @throws {NotFoundError} If there is no file `from`.
   */
  rename(from: string, to: string): void {
    const action = `rename "${from}" to "${to}"`;
    checkName(from);
    checkName(to);
    const disk = this.#existing(from);
    this.#pass("rename", action, from, to);
    const inode = this.#named(from, action);
    disk.name(from === to ? [[to, inode]] : [[from, undefined], [to, inode]]);
  }

  /**
   * Removes a file; handles that are open on it go on working.
   *
   * @param name The name of the file.
   * @throws {NotFoundError} If there is no such file.
   */
  remove(name: string): void {
    checkName(name);
    const disk = this.#existing(name);
    this.#pass("remove", `remove "${name}"`, name);
    this.#named(name, `remove "${name}"`);
    disk.name([[name, undefined]]);
  }

  /**
   * Makes creations, renames and removals so far survive a crash.
   *
   * @throws {IoError} If a rule says so; then those that have not survived never will.
   */
  syncFolder(): void {
    const disk = this.#existing();
    const { fault } = this.#judge.judge("syncFolder", "");
    if (fault === "") return disk.syncNames(disk.now);
    if (isSilent(fault)) return;
    disk.giveUpNames(survivingNames(disk, new Sampler(this.#random)));
    throw refusal(fault, "sync the folder");
  }

  /**
   * Takes a lock that excludes other handles of the same instance.
   *
   * @param name The lock file, which is created unless `mode` is `"shared"`: then a missing one means that there is
   * nothing to exclude, and no lock is taken.
   * @param mode `"exclusive"` for a writer, `"shared"` for readers.
   * @returns The held lock.
   * @throws {LockedError} If it is held in a way that excludes this one; never waits.
   */
  lock(name: string, mode: "exclusive" | "shared"): StorageLock {
    checkName(name);
    this.#pass("lock", `lock "${name}"`, name);
    let inode = this.#disk.seen.get(name);
    if (inode === undefined) {
      if (mode === "shared") return { release: () => {} };
      inode = this.#existing(name).create(name);
    }
    const lock = takeLock(inode, name, mode, () => this.#locks -= 1);
    this.#locks += 1;
    return lock;
  }

  /** Does nothing: the files stay, for the next `open`. */
  close(): void {}

  /** Returns the time on the clock of the storage; no operation. A crash and a kill hand it on. */
  now(): number {
    return this.#clock.read();
  }

  /**
   * Moves the clock, which otherwise stands still.
   *
   * A tree looks at it with each write, and now and then in an idle process.
   *
   * @param milliseconds How far; back, if it is negative.
   * @throws {RangeError} If that is not a whole number, or leads behind 1970.
   */
  advance(milliseconds: number): void {
    this.#clock.advance(milliseconds);
  }

  /**
   * Fills `words` with random bits, which follow from the seed and differ from call to call; no operation.
   *
   * After a crash or a kill they are others.
   */
  random(words: Uint32Array<ArrayBuffer>): void {
    this.#clock.fill(words);
  }

  /** Returns copies of all files, by name; no operation, so that neither the log nor a rule knows of it. */
  files(): Map<string, Uint8Array<ArrayBuffer>> {
    return new Map(Array.from(this.#disk.seen, ([name, inode]) => [name, inode.seen.view.slice()]));
  }

  /**
   * Flips bits of a byte of a file, as rot does. What was not durable yet becomes so first; with all damage.
   *
   * @param name The file.
   * @param offset The byte.
   * @param mask The bits to flip, 1 to 255.
   */
  flip(name: string, offset: number, mask: number): void {
    this.damage(name, (bytes) => {
      bytes[offset]! ^= mask;
      return bytes;
    });
  }

  /**
   * Replaces the bytes of a file, as rot, a misplaced write or a user does: cut off, extended, exchanged.
   *
   * @param name The file; made if it is missing.
   * @param change Is given a copy of its bytes, and returns the new ones; `undefined` removes it.
   */
  damage(
    name: string,
    change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined,
  ): void {
    checkName(name);
    damageFile(this.#existing(), name, change);
  }

  /**
   * Takes a file away, as a tool does that tidies up too much.
   *
   * @param name The file.
   * @throws {NotFoundError} If there is none.
   */
  lose(name: string): void {
    this.#named(name, `lose "${name}"`);
    this.damage(name, () => undefined);
  }

  /**
   * Makes a copy of a file under another name, in place of what is there: a file that comes back, from a backup or because its
   * removal was undone.
   *
   * @param name The file.
   * @param as The name of the copy.
   * @throws {NotFoundError} If there is no such file.
   */
  double(name: string, as: string): void {
    const { seen } = this.#named(name, `double "${name}"`);
    const bytes = seen.view.slice();
    this.damage(as, () => bytes);
  }

  /**
   * Exchanges bytes of two files, or of one: blocks that were written to each other's place.
   *
   * @param one A place.
   * @param other The other one.
   * @param bytes How many bytes.
   * @throws {RangeError} If they are not there, or overlap.
   */
  swap(one: FilePlace, other: FilePlace, bytes: number): void {
    for (const { file, offset } of [one, other]) {
      checkSpan(this.#named(file, `swap bytes of "${file}"`).seen.view, offset, offset + bytes);
    }
    if (one.file === other.file && Math.abs(one.offset - other.offset) < bytes) {
      throw new RangeError(`Cannot swap ${bytes} bytes of "${one.file}": the places overlap`);
    }
    swapPlaces(this.#existing(), one, other, bytes);
  }

  #existing(file?: string): SimulatedDisk {
    if (this.#disk.exists) return this.#disk;
    throw new NotFoundError("Cannot use the simulated storage: open it with `create` first", { file });
  }

  #named(name: string, action: string): Inode {
    checkName(name);
    const inode = this.#existing(name).seen.get(name);
    if (inode !== undefined) return inode;
    throw new NotFoundError(`Cannot ${action}: it does not exist`, { file: name });
  }

  #handle(name: string, inode: Inode, writable: boolean): StorageFile {
    this.#handles += 1;
    const host: FileHost = {
      disk: this.#disk,
      random: this.#random,
      log: this.#judge.log,
      judge: (kind, file, position, bytes) => this.#judge.judge(kind, file, "", position, bytes),
      closed: () => this.#handles -= 1,
    };
    return simulatedFile(host, name, inode, writable);
  }
}
