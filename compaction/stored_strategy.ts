/**
 * The strategies of this module by name.
 *
 * A tree stores the name and the options of its strategy, not the function. What is stored is made into a strategy again
 * here; a strategy of the user's own cannot be, and the default applies until it is given again.
 *
 * @module
 */

import type { StoredStrategy } from "../core/mod.ts";
import { fifo } from "./fifo.ts";
import { lazyLeveled } from "./lazy_leveled.ts";
import { leveled } from "./leveled.ts";
import { sizeTiered } from "./size_tiered.ts";
import type { CompactionStrategy } from "./strategy.ts";

type Maker = (options: Record<string, number>) => CompactionStrategy;

const BY_NAME: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ["leveled", leveled],
  ["lazyLeveled", lazyLeveled],
  ["sizeTiered", sizeTiered],
  ["fifo", ({ limit = 0, ttl }) => fifo({ limit, ttl })],
]);

/** Returns the strategy that was stored, or `undefined` if it was the user's own or is not known here. */
export function strategyFrom(stored: StoredStrategy): CompactionStrategy | undefined {
  if (stored.custom) return undefined;
  return BY_NAME.get(stored.name)?.(Object.fromEntries(stored.options));
}
