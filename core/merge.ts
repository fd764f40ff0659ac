/**
 * The k-way merge: several cursors as one, newest version of each key.
 *
 * Cursors come newest first. At each step the smallest key (or the greatest, backwards) wins; among cursors that stand
 * on the same key the newest has the right version, and the others are passed over with it.
 *
 * Cost: k - 1 comparisons of keys an entry, k being the number of memtables and runs, usually below ten; nothing is
 * allocated. A heap or loser tree pays from about 16 sources on, which the limit on level 0 keeps away.
 *
 * Tombstones are given like any entry: a reader passes over them, a compaction may have to keep them.
 *
 * @module
 */

import { compareBytes } from "./bytes.ts";
import type { Cursor } from "./cursor.ts";

/** Several cursors as one, in one direction. */
export class Merge {
  readonly #cursors: readonly Cursor[];
  readonly #backward: boolean;
  /** Cursors that stand on the current key as well, with older versions of it. */
  readonly #shadowed: Cursor[] = [];
  /** The cursor that stands on the current entry, or `undefined` behind the last. */
  current: Cursor | undefined;

  /** Merges cursors, newest first; stands on nothing until it is sent somewhere. */
  constructor(cursors: readonly Cursor[], direction: "forward" | "backward") {
    this.#cursors = cursors;
    this.#backward = direction === "backward";
  }

  /** Goes to the first entry in its direction: at or after `key` forwards, before `key` backwards, from the end if `undefined`. */
  seek(key: string | undefined): void {
    for (const cursor of this.#cursors) {
      if (this.#backward) {
        if (key === undefined) cursor.seekLast();
        else cursor.seekBefore(key);
      } else if (key === undefined) cursor.seekFirst();
      else cursor.seekAtOrAfter(key);
    }
    this.#choose();
  }

  /** Goes to the next entry in its direction. Requires: there is a current one. */
  advance(): void {
    this.#move(this.current!);
    for (const cursor of this.#shadowed) this.#move(cursor);
    this.#choose();
  }

  #move(cursor: Cursor): void {
    if (this.#backward) cursor.previous();
    else cursor.next();
  }

  #choose(): void {
    const shadowed = this.#shadowed;
    shadowed.length = 0;
    let best: Cursor | undefined;
    for (const cursor of this.#cursors) {
      if (!cursor.valid) continue;
      if (best === undefined) {
        best = cursor;
        continue;
      }
      const order = compareBytes(cursor.key, 0, cursor.keyBytes, best.key, 0, best.keyBytes);
      if (order === 0) shadowed.push(cursor);
      else if ((order < 0) !== this.#backward) {
        best = cursor;
        shadowed.length = 0;
      }
    }
    this.current = best;
  }
}
