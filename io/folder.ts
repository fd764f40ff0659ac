/**
 * The folder of a {@linkcode FileStorage}: looking at it, making it, syncing it.
 *
 * A file's name is in its folder, and so is a folder's in the one above it: what was created survives power loss only
 * when the folder that names it is synced. On Linux that takes a descriptor that reads the folder, and an `fsync`.
 *
 * Invariant: nothing outside the folder is touched without a look at the permissions first, because Deno would
 * ask the user for those that are missing.
 *
 * @module
 */

import { closeSync, constants, fsyncSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { IoError } from "../core/errors.ts";
import { FILE_NAME, type StorageEntry } from "./storage.ts";
import { systemCode } from "./system_error.ts";

/** Whether a folder is there; throws if something else is. */
export function isFolder(path: string): boolean {
  try {
    if (Deno.statSync(path).isDirectory) return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  throw new IoError(`Cannot open the folder "${path}": something else has that name`);
}

/** Makes a folder and those missing above it; returns the folders that name a new one. */
export function makeFolder(path: string, mode: number): string[] {
  const above = [dirname(path)];
  for (let top = dirname(path); isGranted("read", top) && !isFolder(top);) above.push(top = dirname(top));
  Deno.mkdirSync(path, { recursive: true, mode });
  return above;
}

/** Syncs folders above ours, as far as permissions allow; returns notes on those that could not be. */
export function syncAbove(paths: readonly string[]): string[] {
  return paths.filter((path) => !trySyncFolder(path)).map((path) =>
    `A power loss in the next seconds may undo the creation of the folder: its name in "${path}" could not be ` +
    `synced; run with --allow-read=${path} to have that done.`
  );
}

/** Whether nothing is in a folder. */
export function isEmpty(path: string): boolean {
  return Deno.readDirSync(path)[Symbol.iterator]().next().done === true;
}

/** Syncs a folder that need not be ours; returns false if it may not be read. */
function trySyncFolder(path: string): boolean {
  // Asked first, because Deno would ask the user.
  if (!isGranted("read", path)) return false;
  try {
    syncFolderAt(path);
  } catch (error) {
    if (systemCode(error) !== "EACCES") throw error;
    return false;
  }
  return true;
}

/** Syncs a folder; does nothing where there is no such thing, as on Windows. */
export function syncFolderAt(path: string): void {
  if (Deno.build.os === "windows") return;
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } catch (error) {
    // Not a failure of the disk: the file system has no such call for folders.
    if (systemCode(error) !== "EINVAL") throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** Lists all that is in a folder, in no order; the size of what is not a file is 0. */
export function entriesOf(path: string): StorageEntry[] {
  const entries: StorageEntry[] = [];
  for (const { name, isFile } of Deno.readDirSync(path)) {
    const size = isFile ? sizeOf(join(path, name)) : 0;
    // A file that has gone meanwhile is not there. One whose name is no Unicode cannot be looked at, and is.
    if (size !== undefined || !FILE_NAME.test(name)) entries.push({ name, size: size ?? 0, isFile });
  }
  return entries;
}

/** The length of a file, `undefined` if it has gone. */
function sizeOf(path: string): number | undefined {
  try {
    return Deno.lstatSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether Deno lets this process read or write a path, without asking the user. */
export function isGranted(name: "read" | "write", path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}
