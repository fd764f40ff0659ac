/**
 * Removals: files that the tree does not name any more, and who still needs them.
 *
 * A reader pins a version. A segment goes when no pinned version names it, no task under way reads it and no read-only handle
 * looks at the folder: those hold the lock READERS shared, and removing needs it exclusively for the moment. What cannot go
 * now waits for the next occasion; what is left when the process ends is an orphan that the next open removes.
 *
 * Removing a large file takes milliseconds, 11 to 36 for what a merge leaves, so where there is a Worker it is handed over. What was
 * handed over counts as waiting until the Worker says that it is gone.
 *
 * @module
 */

import type { SegmentId, Version } from "../core/mod.ts";
import { fileName, parseFileName, READERS_NAME, versionSegments } from "../core/mod.ts";
import type { Storage, StorageEntry, StorageLock } from "./storage.ts";

/** What removals need of the engine. */
export interface RemovalHandlers {
  /** Lets go of handles on a segment's file before it is removed. */
  segment(id: SegmentId): void;
  /** Lets go of handles on a journal's file before it is removed. */
  journal(id: number): void;
  /** Segments that tasks under way still read: a clear that is flushed takes them out of the version. */
  inUse(): readonly SegmentId[];
  /** Has files removed beside this thread; says whether that can be done. Its end is told by {@linkcode Removals.handedBack}. */
  handOver(names: readonly string[]): boolean;
}

/** How often, and how long apart, the lock is asked for that a Worker may hold for a moment. */
const LOCK_ATTEMPTS_MAX = 100;
const LOCK_PAUSE_MS = 5;

/** The files of a handle that wait to be removed. */
export class Removals {
  readonly #storage: Storage;
  readonly #handlers: RemovalHandlers;
  readonly #pins: Map<Version, number> = new Map();
  /** The segments that wait, by name. */
  readonly #segments: Map<string, SegmentId> = new Map();
  /** The journals that wait, by name. */
  readonly #journals: Map<string, number> = new Map();
  readonly #handedOver: Set<string> = new Set();

  /** Removes from `storage`. */
  constructor(storage: Storage, handlers: RemovalHandlers) {
    this.#storage = storage;
    this.#handlers = handlers;
  }

  /** How many versions are pinned. */
  get pinnedVersions(): number {
    return this.#pins.size;
  }

  /** Keeps the files of a version until `unpin`. */
  pin(version: Version): void {
    this.#pins.set(version, (this.#pins.get(version) ?? 0) + 1);
  }

  /** Lets go of the files of a version; says whether it was the last to do so. */
  unpin(version: Version): boolean {
    const count = this.#pins.get(version)! - 1;
    if (count > 0) this.#pins.set(version, count);
    else this.#pins.delete(version);
    return count === 0;
  }

  /** Adds files that the version does not name any more. */
  add(segments: readonly SegmentId[], journals: readonly number[]): void {
    for (const id of segments) this.#segments.set(fileName("segment", id), id);
    for (const id of journals) this.#journals.set(fileName("journal", id), id);
  }

  /** Adds the segments that are there with an id from `first` on, `count` ids at most. */
  addOutputs(first: SegmentId, count: number): void {
    let entries: readonly StorageEntry[];
    try {
      entries = this.#storage.list();
    } catch {
      return; // They are orphans, which the next open removes.
    }
    for (const { name } of entries) {
      const file = parseFileName(name);
      if (file?.kind === "segment" && file.id >= first && file.id < first + count) {
        this.#segments.set(name, file.id);
      }
    }
  }

  /** Removes what nobody needs. Cost: nothing where nothing waits. */
  run(): void {
    if (this.#segments.size + this.#journals.size === this.#handedOver.size) return;
    const names = this.#letGo();
    if (names.length === 0) return;
    if (this.#handlers.handOver(names)) { for (const name of names) this.#handedOver.add(name); }
    else if (removeAlone(this.#storage, names)) this.#forget(names);
  }

  /** Says that a Worker has removed files, or could not. */
  handedBack(names: readonly string[], isDone: boolean): void {
    for (const name of names) this.#handedOver.delete(name);
    if (isDone) this.#forget(names);
  }

  /** Removes in this thread what is left. Requires: whoever files were handed over to has ended, or is about to. */
  finish(): void {
    const attempts = this.#handedOver.size > 0 ? LOCK_ATTEMPTS_MAX : 1;
    this.#handedOver.clear();
    const names = this.#letGo();
    for (let attempt = 1; names.length > 0 && !removeAlone(this.#storage, names); attempt++) {
      if (attempt === attempts) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE_MS);
    }
  }

  /** Lets go of the files that nobody needs and that were not handed over; returns their names. */
  #letGo(): string[] {
    const needed = new Set<SegmentId>(this.#handlers.inUse());
    for (const version of this.#pins.keys()) for (const { id } of versionSegments(version)) needed.add(id);
    const names: string[] = [];
    for (const [name, id] of this.#segments) {
      if (needed.has(id) || this.#handedOver.has(name)) continue;
      this.#handlers.segment(id);
      names.push(name);
    }
    for (const [name, id] of this.#journals) {
      if (this.#handedOver.has(name)) continue;
      this.#handlers.journal(id);
      names.push(name);
    }
    return names;
  }

  #forget(names: readonly string[]): void {
    for (const name of names) {
      this.#segments.delete(name);
      this.#journals.delete(name);
    }
  }
}

/**
 * Removes files while no read-only handle looks at the folder; says whether it could be done. If one does, or who knows, nothing is
 * removed. One that cannot be removed is an orphan: the next open removes it.
 */
export function removeAlone(storage: Storage, names: readonly string[]): boolean {
  let lock: StorageLock;
  try {
    lock = storage.lock(READERS_NAME, "exclusive");
  } catch {
    return false;
  }
  try {
    for (const name of names) {
      try {
        storage.remove(name);
      } catch {
        // See above.
      }
    }
  } finally {
    lock.release();
  }
  return true;
}
