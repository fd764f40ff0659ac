/**
 * Where a benchmark ran: without it figures say nothing.
 *
 * Needs `--allow-sys`.
 *
 * @module
 */

import { cpus } from "node:os";
import process from "node:process";

/** A machine, and what runs on it. */
export interface Machine {
  /** The kind of processor. */
  readonly processor: string;
  /** How many of them. */
  readonly processors: number;
  /** Bytes of memory. */
  readonly memoryBytes: number;
  /** The operating system and its version. */
  readonly system: string;
  /** The versions of Deno and V8. */
  readonly deno: string;
  /** How many processes were running or waiting in the minute before: above 1, figures are of a busy machine. */
  readonly load: number;
  /** When. */
  readonly date: string;
}

/** Returns what this runs on. */
export function thisMachine(): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    processors: processors.length,
    memoryBytes: Deno.systemMemoryInfo().total,
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    deno: `${Deno.version.deno} (V8 ${Deno.version.v8})`,
    load: Deno.loadavg()[0]!,
    date: new Date().toISOString(),
  };
}

/** Returns the most memory that this process has had at a time, in bytes. */
export function peakMemoryBytes(): number {
  // The operating system keeps count: looking now and then at `Deno.memoryUsage()` would miss the peak.
  return Math.max(process.resourceUsage().maxRSS * 1024, Deno.memoryUsage().rss);
}
