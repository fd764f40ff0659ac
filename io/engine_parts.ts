/**
 * What an engine is made of: all that opening a tree found, made and took.
 *
 * `open.ts` puts it together, whether the tree was made, recovered or is only to be read; the engine takes it over and lets
 * go of it when it is closed.
 *
 * @module
 */

import type { StepOptions, TreeState } from "../core/mod.ts";
import type { ResolvedConfig } from "./config.ts";
import type { ManifestWriter } from "./manifest_writer.ts";
import type { StorageLock } from "./storage.ts";

/** What an engine is made of. */
export interface EngineParts {
  /** The folder, for messages. */
  readonly folder: string;
  /** All options. */
  readonly config: ResolvedConfig;
  /** What steps follow. */
  readonly options: StepOptions;
  /** The state that was recovered. */
  readonly state: TreeState;
  /** The manifest, or `undefined` for a read-only handle. */
  readonly manifest: ManifestWriter | undefined;
  /** The edit after which the files already say that the tree is closed in order; -1 if they do not. */
  readonly closedAt: number;
  /** Held until the engine is closed. */
  readonly locks: readonly StorageLock[];
  /** Where the time comes from, in ms since the epoch. */
  readonly clock: () => number;
}
