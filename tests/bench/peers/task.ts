/**
 * What one process is told, and what it answers: an engine, a workload, a folder; times, counts, bytes.
 *
 * @module
 */

import type { Quantiles } from "../lateness.ts";
import type { CpuSeconds } from "./resources.ts";

/** What a process is to do. */
export interface Task {
  /** The engine, by name. */
  readonly engine: string;
  /** The workload, by name; `probe` only tells whether the engine works here. */
  readonly workload: string;
  /** The folder of the store. */
  readonly folder: string;
  /** How many entries a store gets. */
  readonly entries: number;
  /** How many it has got. */
  readonly loaded: number;
  /** Bytes of a value. */
  readonly valueBytes: number;
  /** What order and values follow from. */
  readonly seed: number;
  /** After which time a loop is ended. */
  readonly secondsMax: number;
  /** For how long nothing may have changed in a folder for it to be at rest, in ms. */
  readonly restMs: number;
  /** The program that has an engine of its own, where it was built. */
  readonly program: string;
}

/** What a process has measured. */
export interface Result {
  /** How many operations were done. */
  readonly operations: number;
  /** How many there should have been. */
  readonly wanted: number;
  /** How long they took. */
  readonly seconds: number;
  /** Processor time of that, all threads. */
  readonly cpu: CpuSeconds;
  /** Processor time until the store was closed, with the background work that was left. */
  readonly cpuUntilClosed: CpuSeconds;
  /** Bytes of memory at the peak, above those of the process before the store was opened. */
  readonly peakMemoryBytes: number;
  /** Bytes of the folder after closing. */
  readonly diskBytes: number;
  /** How long each took or how late a timer was, in ms, where that was measured. */
  readonly times: Quantiles | undefined;
  /** How late a timer was while the engine made a thread of its own, in ms. */
  readonly lateMakingThreads: number;
  /** How many entries were found and compared afterwards; 0 where nothing was written. */
  readonly verified: number;
}

/** The lines that a process prints: how far it is, and in the end one of the others. */
export type Message =
  | { readonly progress: number }
  | { readonly result: Result }
  | { readonly works: string };

/** A workload that only tells whether the engine works here. */
export const PROBE = "probe";
