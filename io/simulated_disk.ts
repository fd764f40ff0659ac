/**
 * The disk of a simulated storage: what a process sees, what would survive, and what lies between.
 *
 * ```text
 *            volatile            pending                         durable
 * file       bytes, length       writes and cuts, in order       bytes, length
 * folder     names               changes of names, in order      names
 * ```
 *
 * A process reads and changes the volatile side; each change is pending as well. A sync of a file makes its pending
 * changes durable and nothing else: not its name. A sync of the folder makes names durable, and no bytes. Under the profile
 * `"prefix"` any sync makes all durable that was done before it, as a file system does that has one journal.
 *
 * Invariants:
 * - Volatile is durable with all pending changes applied in order, unless a sync has failed since.
 * - After a failed sync nothing of what it covered is pending any more: a part of it is durable, and no later
 *   sync helps the rest, though it is still read (PostgreSQL's "fsyncgate", 2018).
 *
 * Names and files are apart, as names and inodes are on a disk; see `memory_storage.ts`.
 *
 * @module
 */

/**
 * What a power cut may do to what was not synced.
 *
 * - `"prefix"`: changes survive in the order in which they were made, up to some byte, and a sync of anything makes all durable: a
 *   file system with one journal for names and bytes.
 * - `"strict"`: any of them survive, in any order; each 512 bytes of a file apart, with zeros where nothing came, names apart from
 *   bytes. A sync makes durable what the port says and nothing else: as little as a file system may do.
 * - `"garbage"`: as strict, and where nothing came there may be noise, or bytes of other files, also of ones that are gone: a disk
 *   whose blocks are used again.
 *
 * What holds under `"garbage"` holds under all; `"prefix"` is where a failure is read most easily.
 */
export type CrashProfile = "prefix" | "strict" | "garbage";

/** Bytes that grow at the end and may be cut. */
export class Contents {
  #bytes: Uint8Array<ArrayBuffer>;
  #length: number;

  /** Takes over bytes. */
  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0)) {
    this.#bytes = bytes;
    this.#length = bytes.length;
  }

  /** How many bytes there are. */
  get length(): number {
    return this.#length;
  }

  /** A view of all bytes, good until the next change. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Writes bytes at an offset; what lies between the end and there becomes zeros. */
  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.view);
      this.#bytes = grown;
    }
    if (offset > this.#length) this.#bytes.fill(0, this.#length, offset);
    this.#bytes.set(bytes, offset);
    this.#length = Math.max(this.#length, end);
  }

  /** Cuts the end off, if there are more bytes than `length`. */
  cut(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** Returns the same bytes in memory of their own. */
  copy(): Contents {
    return new Contents(this.view.slice());
  }
}

/** A change of a file's bytes that may be lost. */
export interface DataChange {
  /** Its number among all changes of the disk. */
  readonly order: number;
  /** Whether the file was cut back to `offset`, or bytes were written there. */
  readonly isCut: boolean;
  /** Where. */
  readonly offset: number;
  /** What was written. */
  readonly bytes: Uint8Array;
}

/** A change of names that may be lost, as a whole. */
export interface NameChange {
  /** Its number among all changes of the disk. */
  readonly order: number;
  /** What each name stands for after it. */
  readonly names: readonly (readonly [name: string, inode: Inode | undefined])[];
}

/** A file, whatever its name. */
export interface Inode {
  /** What a process sees. */
  readonly seen: Contents;
  /** What survives for certain. */
  readonly durable: Contents;
  /** What may be lost, oldest first. */
  pending: DataChange[];
  /** Whether a lock excludes all others. */
  exclusive: boolean;
  /** How many hold a shared lock. */
  shared: number;
  /** The length before the last append. */
  appendedAt: number;
  /** What the last cut took off, and where that stood. */
  cutOff: { readonly offset: number; readonly bytes: Uint8Array };
}

/** Nothing was cut off. */
const NO_CUT: Inode["cutOff"] = { offset: 0, bytes: new Uint8Array(0) };

/** How many files that are gone a disk remembers the bytes of, to find them again where garbage is wanted. */
const REMAINS_MAX = 12;

/** The disk of a simulated storage. */
export class SimulatedDisk {
  readonly profile: CrashProfile;
  /** Whether the folder was made. */
  exists = false;
  /** What a process sees. */
  readonly seen: Map<string, Inode> = new Map();
  /** What survives for certain. */
  readonly durable: Map<string, Inode> = new Map();
  /** Changes of names that may be lost, oldest first. */
  pending: NameChange[] = [];
  /** Bytes of files that were removed, or that an earlier crash did away with. */
  readonly remains: Uint8Array[] = [];
  /** What the file had that a name stood for before, for reads that are stale. */
  readonly older: Map<string, Uint8Array> = new Map();
  readonly #dirty: Set<Inode> = new Set();
  #order = 0;

  /** Makes an empty disk. */
  constructor(profile: CrashProfile) {
    this.profile = profile;
  }

  /** Makes a disk whose files are durable. */
  static of(profile: CrashProfile, files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): SimulatedDisk {
    const disk = new SimulatedDisk(profile);
    disk.exists = true;
    for (const [name, bytes] of files) {
      const inode = newInode(new Contents(bytes), new Contents(bytes.slice()));
      disk.seen.set(name, inode);
      disk.durable.set(name, inode);
    }
    return disk;
  }

  /** Files with changes that may be lost. */
  get dirty(): Iterable<Inode> {
    return this.#dirty;
  }

  /** Makes a new file. */
  create(name: string): Inode {
    const inode = newInode(new Contents(), new Contents());
    this.name([[name, inode]]);
    return inode;
  }

  /** Changes names. */
  name(names: NameChange["names"]): void {
    for (const [name, inode] of names) {
      const before = this.seen.get(name);
      if (before !== undefined && before !== inode) this.#remember(name, before.seen.view.slice());
      if (inode === undefined) this.seen.delete(name);
      else this.seen.set(name, inode);
    }
    this.pending.push({ order: this.#order++, names });
  }

  #remember(name: string, bytes: Uint8Array): void {
    this.older.set(name, bytes);
    if (this.profile !== "garbage" || bytes.length === 0) return;
    this.remains.push(bytes);
    if (this.remains.length > REMAINS_MAX) this.remains.shift();
  }

  /** Appends bytes to a file. */
  append(inode: Inode, bytes: Uint8Array): void {
    const offset = inode.seen.length;
    inode.appendedAt = offset;
    this.overwrite(inode, offset, bytes);
  }

  /** Writes bytes to any place of a file, as no process can but a disk may that mistakes the place. */
  overwrite(inode: Inode, offset: number, bytes: Uint8Array): void {
    inode.seen.write(offset, bytes);
    this.#change(inode, { order: this.#order++, isCut: false, offset, bytes });
  }

  /** Cuts a file back. */
  cut(inode: Inode, length: number): void {
    inode.cutOff = { offset: length, bytes: inode.seen.view.slice(length) };
    inode.seen.cut(length);
    this.#change(inode, { order: this.#order++, isCut: true, offset: length, bytes: new Uint8Array(0) });
  }

  #change(inode: Inode, change: DataChange): void {
    inode.pending.push(change);
    this.#dirty.add(inode);
  }

  /** A moment: what is done from now on has a number from here on. */
  get now(): number {
    return this.#order;
  }

  /** Makes a file's changes from before a moment durable. */
  sync(inode: Inode, before: number): void {
    if (this.profile === "prefix") this.#syncAll(before);
    else this.#syncFile(inode, before);
  }

  /** Makes changes of names from before a moment durable. */
  syncNames(before: number): void {
    if (this.profile === "prefix") this.#syncAll(before);
    else this.#syncFolder(before);
  }

  /** Makes everything durable. */
  settle(): void {
    this.#syncAll(this.#order);
  }

  #syncAll(before: number): void {
    for (const inode of [...this.#dirty]) this.#syncFile(inode, before);
    this.#syncFolder(before);
  }

  #syncFile(inode: Inode, before: number): void {
    for (const change of inode.pending) if (change.order < before) applyChange(inode.durable, change);
    inode.pending = inode.pending.filter((change) => change.order >= before);
    if (inode.pending.length === 0) this.#dirty.delete(inode);
  }

  #syncFolder(before: number): void {
    for (const change of this.pending) if (change.order < before) applyNames(this.durable, change);
    this.pending = this.pending.filter((change) => change.order >= before);
  }

  /** A sync of a file has failed: its pending changes are given up, and this is what became of them. */
  giveUp(inode: Inode, durable: Uint8Array): void {
    inode.durable.cut(0);
    inode.durable.write(0, durable);
    inode.pending = [];
    this.#dirty.delete(inode);
  }

  /** A sync of the folder has failed: its pending changes are given up, and this is what became of them. */
  giveUpNames(durable: ReadonlyMap<string, Inode>): void {
    this.durable.clear();
    for (const [name, inode] of durable) this.durable.set(name, inode);
    this.pending = [];
  }

  /** Lets another disk remember what stood on this one. */
  leave(next: SimulatedDisk): void {
    for (const [name, bytes] of this.older) next.older.set(name, bytes);
    if (this.profile !== "garbage") return;
    next.remains.push(...this.remains, ...Array.from(this.seen.values(), (inode) => inode.seen.view.slice()));
    next.remains.splice(0, next.remains.length - REMAINS_MAX);
  }

  /** Returns the same disk in memory of its own, with no lock held. */
  fork(): SimulatedDisk {
    const copy = new SimulatedDisk(this.profile);
    const inodes = new Map<Inode, Inode>();
    const copied = (inode: Inode): Inode => {
      let known = inodes.get(inode);
      if (known === undefined) {
        known = {
          ...newInode(inode.seen.copy(), inode.durable.copy()),
          pending: [...inode.pending],
          appendedAt: inode.appendedAt,
          cutOff: inode.cutOff,
        };
        inodes.set(inode, known);
        if (known.pending.length > 0) copy.#dirty.add(known);
      }
      return known;
    };
    for (const [name, inode] of this.seen) copy.seen.set(name, copied(inode));
    for (const [name, inode] of this.durable) copy.durable.set(name, copied(inode));
    copy.pending = this.pending.map(({ order, names }) => ({
      order,
      names: names.map(([name, inode]) => [name, inode && copied(inode)] as const),
    }));
    copy.exists = this.exists;
    copy.remains.push(...this.remains);
    for (const [name, bytes] of this.older) copy.older.set(name, bytes);
    copy.#order = this.#order;
    return copy;
  }
}

function newInode(seen: Contents, durable: Contents): Inode {
  return { seen, durable, pending: [], exclusive: false, shared: 0, appendedAt: 0, cutOff: NO_CUT };
}

/** Does a change to bytes. */
export function applyChange(contents: Contents, { isCut, offset, bytes }: DataChange): void {
  if (isCut) contents.cut(offset);
  else contents.write(offset, bytes);
}

/** Does a change to names. */
export function applyNames(folder: Map<string, Inode>, { names }: NameChange): void {
  for (const [name, inode] of names) {
    if (inode === undefined) folder.delete(name);
    else folder.set(name, inode);
  }
}
