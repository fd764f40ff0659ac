/**
 * Reading a tree that is not open yet: `CURRENT`, the manifest it names, the journals that count, and the plan that recovery
 * makes of them.
 *
 * Nothing is changed here. What the plan says is done by `open.ts`, or, for a read-only handle, only kept in memory.
 *
 * @module
 */

import type { ManifestScan, RecoveryPlan } from "../core/mod.ts";
import {
  CorruptionError,
  countingJournals,
  CURRENT_NAME,
  decodeCurrent,
  fileName,
  planRecovery,
  scanJournal,
  scanManifest,
} from "../core/mod.ts";
import type { Config, HandleConfig, MergedConfig } from "./config.ts";
import { mergeConfig } from "./config.ts";
import type { Storage } from "./storage.ts";
import { readFile } from "./whole.ts";

/** How often a read-only open begins anew when a writer changes the files under it. */
export const READ_ATTEMPTS_MAX = 100;

/** What was read of a tree, and the plan made of it. */
export interface Planned {
  /** The manifest. */
  readonly manifest: ManifestScan;
  /** The plan. */
  readonly plan: RecoveryPlan;
  /** What was configured and what was stored. */
  readonly merged: MergedConfig;
  /** How many journals were read. */
  readonly journals: number;
}

/**
 * Reads a tree and plans its recovery, without changing it.
 *
 * @param names All plain files in the folder.
 * @throws {CorruptionError} If the manifest is damaged or a file that it lists is missing.
 * @throws {JournalRecoveryError} If a durable batch cannot be replayed.
 */
export function readTree(
  folder: string,
  config: Config,
  handle: HandleConfig,
  storage: Storage,
  names: readonly string[],
): Planned {
  const id = decodeCurrent(readNamed(storage, CURRENT_NAME));
  const name = fileName("manifest", id);
  if (!names.includes(name)) {
    throw new CorruptionError(`Cannot open "${folder}": "${name}", which CURRENT names, is missing`, {
      file: name,
    });
  }
  const manifest = scanManifest(readNamed(storage, name), id);
  const merged = mergeConfig(config, handle, manifest.version.config);
  const journals = countingJournals(manifest.version, names).map((journal) =>
    scanJournal(readNamed(storage, fileName("journal", journal)), journal)
  );
  const plan = planRecovery({
    manifest,
    journals,
    names,
    mode: handle.recoveryMode,
    maxMemtableSize: merged.resolved.maxMemtableSize,
  });
  return { manifest, plan, merged, journals: journals.length };
}

/** Reads a tree that a writer may be changing: what fails is tried again as long as the files change. */
export function readUnderWriter(
  folder: string,
  config: Config,
  handle: HandleConfig,
  storage: Storage,
): Planned {
  for (let attempt = 1;; attempt++) {
    const before = storage.list();
    try {
      return readTree(
        folder,
        config,
        handle,
        storage,
        before.filter((entry) => entry.isFile).map((entry) => entry.name),
      );
    } catch (error) {
      const isSame = JSON.stringify(before) === JSON.stringify(storage.list());
      if (isSame || attempt === READ_ATTEMPTS_MAX) throw error;
    }
  }
}

/**
 * Returns all bytes of a file.
 *
 * @throws {NotFoundError} If there is none of that name.
 */
export function readNamed(storage: Storage, name: string): Uint8Array<ArrayBuffer> {
  const file = storage.openRead(name);
  try {
    return readFile(file);
  } finally {
    file.close();
  }
}
