/**
 * Locks that are held in memory, by handles of one instance of a storage.
 *
 * A lock is held on what a name stands for, not on the name, as on a disk: a file that is renamed takes its locks along, and a new
 * file of the old name has none.
 *
 * Invariant: either one holds it exclusively, or any number share it.
 *
 * @module
 */

import { LockedError } from "../core/errors.ts";
import type { StorageLock } from "./storage.ts";

/** What can be locked. */
export interface Lockable {
  /** Whether a lock excludes all others. */
  exclusive: boolean;
  /** How many hold it shared. */
  shared: number;
}

/**
 * Takes a lock, and calls `released` once when it is given back.
 *
 * @throws {LockedError} If it is held in a way that excludes this one.
 */
export function takeLock(
  held: Lockable,
  name: string,
  mode: "exclusive" | "shared",
  released: () => void = () => {},
): StorageLock {
  if (held.exclusive || (mode === "exclusive" && held.shared > 0)) {
    throw new LockedError(`Cannot lock "${name}": another handle holds it; close that one and try again`, {
      file: name,
    });
  }
  if (mode === "exclusive") held.exclusive = true;
  else held.shared += 1;
  let isHeld = true;
  return {
    release: () => {
      if (!isHeld) return;
      isHeld = false;
      if (mode === "exclusive") held.exclusive = false;
      else held.shared -= 1;
      released();
    },
  };
}
