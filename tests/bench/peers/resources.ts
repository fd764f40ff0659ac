/**
 * What a process has used: memory and processor time, those of all its threads.
 *
 * The peak is what the operating system counted (VmHWM), set back by {@linkcode markMemory}, since the peak of `getrusage` would begin with that of the
 * process which started this one. Where there is no such file it is what is in use at the end, which is less.
 *
 * @module
 */

import process from "node:process";

/** Processor time, in s. */
export interface CpuSeconds {
  /** In the program. */
  readonly user: number;
  /** In the operating system for it. */
  readonly system: number;
}

/** Forgets the peak until now; returns the bytes in use. */
export function markMemory(): number {
  try {
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) {
      throw error;
    }
  }
  return Deno.memoryUsage().rss;
}

/** Returns the most bytes that were in use at once, since they were marked. */
export function peakMemory(): number {
  try {
    const found = /^VmHWM:\s*(\d+) kB/m.exec(Deno.readTextFileSync("/proc/self/status"));
    return Number(found![1]) * 1_024;
  } catch (error) {
    if (!isHidden(error)) throw error;
    return Deno.memoryUsage().rss;
  }
}

/** Returns the processor time until now. */
export function cpuSeconds(): CpuSeconds {
  const { user, system } = process.cpuUsage();
  return { user: user / 1e6, system: system / 1e6 };
}

/** Returns what was used between two times. */
export function cpuBetween(before: CpuSeconds, after: CpuSeconds): CpuSeconds {
  return { user: after.user - before.user, system: after.system - before.system };
}

/** Not there, or shown only to who may do everything. */
function isHidden(error: unknown): boolean {
  const { NotFound, PermissionDenied, NotCapable } = Deno.errors;
  return [NotFound, PermissionDenied, NotCapable].some((known) => error instanceof known);
}
