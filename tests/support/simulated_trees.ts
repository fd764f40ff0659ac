/**
 * Small simulations for tests, and what is easy to check on their reports.
 *
 * Loads of half a gigabyte in memtables of a megabyte: three or four levels fill, in some tens of milliseconds, so a test
 * may simulate a dozen of them.
 *
 * @module
 */

import type { SimulationOptions } from "../../compaction/simulate.ts";
import type { SimulationReport } from "../../compaction/report.ts";
import type { Workload } from "../../compaction/workload.ts";

/** Uniform overwrites, 1,000,000 keys of 116 bytes, five times each. */
export const UNIFORM: Workload = { kind: "uniform", keys: 1_000_000, operations: 5_000_000, entryBytes: 116 };

/** A small memtable, so that levels fill. */
export const SMALL: SimulationOptions["config"] = { maxMemtableSize: 1024 * 1024 };

/** Returns the bytes that a report's flushes and compactions have written, by its list of decisions. */
export function writtenBy({ compactions, written }: SimulationReport): number {
  return written.flushes + compactions.reduce((sum, { outputBytes }) => sum + outputBytes, 0);
}
