/**
 * Several strategies on one workload, side by side.
 *
 * What the papers say, and a comparison shows: who rewrites less reads more and takes more space. Write amplification
 * rises from fifo over size-tiered and lazy levelling to leveled; read and space amplification fall (Dayan and Idreos,
 * "Dostoevsky", SIGMOD 2018, figure 2).
 *
 * @module
 */

import type { SimulationReport } from "./report.ts";
import type { SimulationOptions } from "./simulate.ts";
import { simulate } from "./simulate.ts";
import type { CompactionStrategy } from "./strategy.ts";

/**
 * Returns what each of some strategies makes of the same workload, in the order given.
 *
 * Cost: that of a simulation for each.
 *
 * @throws {TypeError} If an option has a wrong type.
 * @throws {RangeError} If a number makes no sense, or a strategy of the user's own chooses what may not be done.
 *
 * @example Usage
 * ```ts
 * import { compare, leveled, sizeTiered } from "@lsm/tree/compaction";
 * import { assert } from "@std/assert";
 *
 * const [one, other] = compare([leveled(), sizeTiered()], {
 *   workload: { kind: "uniform", keys: 1_000_000, operations: 10_000_000, entryBytes: 116 },
 *   config: { maxMemtableSize: 1024 * 1024 },
 * });
 * assert(one!.writeAmplification > other!.writeAmplification);
 * assert(one!.spaceAmplification < other!.spaceAmplification);
 * ```
 */
export function compare(
  strategies: readonly CompactionStrategy[],
  options: Omit<SimulationOptions, "strategy">,
): readonly SimulationReport[] {
  if (!Array.isArray(strategies)) throw new TypeError("Cannot compare: the strategies are no list");
  return strategies.map((strategy: CompactionStrategy) => simulate({ ...options, strategy }));
}
