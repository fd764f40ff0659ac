/**
 * Simulated storages for tests, and what is in them as one line of text: `a:1 2 3 | b:-`.
 *
 * Small cases are listed in full with it. If an outcome of a power cut is missing there, a crash test above this storage
 * proves less than it says.
 *
 * @module
 */

import type { CrashProfile, StorageFile } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";

/** What a power cut may do. */
export const PROFILES: readonly CrashProfile[] = ["prefix", "strict", "garbage"];

/** More outcomes than any small case has. */
const ALL = 100_000;

/** Returns a storage that is ready. */
export function created(profile: CrashProfile, seed: number = 1): SimulatedStorage {
  const storage = new SimulatedStorage({ seed, profile });
  storage.open({ create: true, readOnly: false });
  return storage;
}

/** Appends bytes. */
export function append(file: StorageFile, ...bytes: number[]): void {
  for (let at = 0; at < bytes.length;) at += file.append(new Uint8Array(bytes), at, bytes.length);
}

/** Writes a file that survives. */
export function written(storage: SimulatedStorage, name: string, ...bytes: number[]): StorageFile {
  const file = storage.create(name);
  append(file, ...bytes);
  file.sync();
  storage.syncFolder();
  return file;
}

/** Returns what is in a storage. */
export function image(storage: SimulatedStorage): string {
  return Array.from(storage.files(), ([name, bytes]) => `${name}:${bytes.join(" ") || "-"}`).sort().join(
    " | ",
  );
}

/** Returns what may be in a storage after a power cut: everything, or `limit` outcomes. */
export function images(storage: SimulatedStorage, limit: number = ALL): string[] {
  return Array.from(storage.crashes(limit), image).sort();
}
