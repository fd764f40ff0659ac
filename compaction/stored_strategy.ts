/**
 * The strategies of this module by name, so that a tree can be opened again with the one it was stored with.
 *
 * @module
 */

import type { StoredStrategy } from "../core/mod.ts";
import { fifo } from "./fifo.ts";
import { leveled } from "./leveled.ts";
import { sizeTiered } from "./size_tiered.ts";
import type { CompactionStrategy } from "./strategy.ts";

type Maker = (options: Record<string, number>) => CompactionStrategy;

const BY_NAME: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ["leveled", leveled],
  ["sizeTiered", sizeTiered],
  ["fifo", ({ limit = 0, ttl }) => fifo({ limit, ttl })],
]);

/** Returns the strategy that was stored, or `undefined` if it was the user's own or is not known here. */
export function strategyFrom(stored: StoredStrategy): CompactionStrategy | undefined {
  if (stored.custom) return undefined;
  return BY_NAME.get(stored.name)?.(Object.fromEntries(stored.options));
}
