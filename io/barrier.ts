/**
 * Barriers: syncs that others rely on, and what a failed one means.
 *
 * After a failed sync it is unknown what is on disk, and a second one may report success for bytes that are gone (the
 * "fsyncgate" of PostgreSQL, 2018). So it is never tried again: whoever meets a {@linkcode BarrierError} poisons the tree.
 *
 * @module
 */

import type { Storage, StorageFile } from "./storage.ts";

/** A sync failed, or a failed append could not be taken back: what is on disk is unknown. `cause` says why. */
export class BarrierError extends Error {}

/** Makes a file's bytes survive power loss. */
export function syncFile(file: StorageFile): void {
  try {
    file.sync();
  } catch (error) {
    throw new BarrierError(`Cannot sync "${file.name}"`, { cause: error });
  }
}

/** Makes the folder's entries survive power loss. */
export function syncFolder(storage: Storage): void {
  try {
    storage.syncFolder();
  } catch (error) {
    throw new BarrierError("Cannot sync the folder", { cause: error });
  }
}

/** Cuts a file back to where it was before an append failed, and throws what that was. */
export function takeBack(file: StorageFile, bytes: number, error: unknown): never {
  try {
    file.truncate(bytes);
  } catch {
    throw new BarrierError(`Cannot take back a failed append to "${file.name}"`, { cause: error });
  }
  throw error;
}
