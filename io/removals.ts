/**
 * Removals: files that the tree does not name any more, and who still needs them.
 *
 * A reader pins a version. A segment goes when no pinned version names it, no task under way reads it and no read-only handle
 * looks at the folder: those hold the lock READERS shared, and removing needs it exclusively for the moment. What cannot go
 * now waits for the next occasion; what is left when the process ends is an orphan that the next open removes.
 *
 * @module
 */

import type { SegmentId, Version } from "../core/mod.ts";
import { fileName, READERS_NAME, versionSegments } from "../core/mod.ts";
import type { Storage, StorageLock } from "./storage.ts";

/** Lets go of handles on a file before it is removed. */
export interface RemovalHandlers {
  /** Called before a segment's file is removed. */
  segment(id: SegmentId): void;
  /** Called before a journal's file is removed. */
  journal(id: number): void;
  /** Segments that tasks under way still read: a clear that is flushed takes them out of the version. */
  inUse(): readonly SegmentId[];
}

/** The files of a handle that wait to be removed. */
export class Removals {
  readonly #storage: Storage;
  readonly #handlers: RemovalHandlers;
  readonly #pins: Map<Version, number> = new Map();
  readonly #segments: Set<SegmentId> = new Set();
  readonly #journals: Set<number> = new Set();

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
    for (const id of segments) this.#segments.add(id);
    for (const id of journals) this.#journals.add(id);
  }

  /** Removes what nobody needs. Cost: nothing where nothing waits. */
  run(): void {
    if (this.#segments.size + this.#journals.size === 0) return;
    const pinned = new Set<SegmentId>(this.#handlers.inUse());
    for (const version of this.#pins.keys()) for (const { id } of versionSegments(version)) pinned.add(id);
    const segments = [...this.#segments].filter((id) => !pinned.has(id));
    if (segments.length + this.#journals.size === 0) return;
    this.#alone(() => {
      for (const id of segments) {
        this.#handlers.segment(id);
        this.#remove(fileName("segment", id));
        this.#segments.delete(id);
      }
      for (const id of this.#journals) {
        this.#handlers.journal(id);
        this.#remove(fileName("journal", id));
        this.#journals.delete(id);
      }
    });
  }

  /** Runs `action` while no read-only handle looks at the folder; if one does, or who knows, another time. */
  #alone(action: () => void): void {
    let lock: StorageLock;
    try {
      lock = this.#storage.lock(READERS_NAME, "exclusive");
    } catch {
      return;
    }
    try {
      action();
    } finally {
      lock.release();
    }
  }

  /** A file that cannot be removed is an orphan: the next open removes it. */
  #remove(name: string): void {
    try {
      this.#storage.remove(name);
    } catch {
      // See above.
    }
  }
}
