/**
 * Lateness: how long the event loop of a thread is kept from what is due.
 *
 * ```text
 * 100 writes | yield | 100 writes | yield | ...
 * `---- held ----'                                 an event that became due at the beginning waits so long
 *            `-----'  late                         what came in between takes so long
 * ```
 *
 * A yield is an immediate: it lets the loop turn once, timers and messages included, and takes some microseconds where nothing else
 * is due, while a timer of 0 ms takes a millisecond and more by itself. What it takes on an idle loop is measured
 * and taken off, so what remains is lateness.
 *
 * Some of that is not the tree's: a thread that computes is now and then put aside by the operating system, the longer
 * the more others there are. {@linkcode machineAlone} shows how long, in the same run.
 * What is left beside it is mostly V8's garbage collector (`--v8-flags=--trace-gc` tells): 500,000 inserts saw a scavenge
 * every 30 ms, of 2 ms mostly and 10 at most, and two collections of the whole heap that ended with 16 ms each.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";

/** Some quantiles of times, in ms. */
export interface Quantiles {
  /** How many times there are. */
  readonly count: number;
  /** Half of them are no longer. */
  readonly p50: number;
  /** 99 of 100 are no longer. */
  readonly p99: number;
  /** 999 of 1,000 are no longer. */
  readonly p999: number;
  /** The longest. */
  readonly max: number;
}

const IDLE_YIELDS = 2_000;

/** About what 100 writes take, and for how long that is tried. */
const SPIN_MS = 0.4;
const ALONE_MS = 2_000;

/** Lets the event loop turn; returns how long that took, in ms. */
export async function yieldOnce(): Promise<number> {
  const begun = performance.now();
  await setImmediate();
  return performance.now() - begun;
}

/** Returns how long yields take on a loop that has nothing else to do. */
export async function idleYields(): Promise<Quantiles> {
  const times = new Times(IDLE_YIELDS);
  for (let i = 0; i < IDLE_YIELDS; i++) times.add(await yieldOnce());
  return times.quantiles();
}

/** Returns for how much longer than it should a loop without a tree is held that computes for about as long as 100 writes and yields. */
export async function machineAlone(): Promise<Quantiles> {
  const times = new Times(ALONE_MS / SPIN_MS);
  const end = performance.now() + ALONE_MS;
  while (performance.now() < end) {
    const begun = performance.now();
    while (performance.now() < begun + SPIN_MS);
    await yieldOnce();
    times.add(performance.now() - begun);
  }
  return times.quantiles(SPIN_MS);
}

/** Times, of which quantiles are wanted. */
export class Times {
  readonly #times: Float64Array;
  #count = 0;

  /** Has room for so many times. */
  constructor(countMax: number) {
    this.#times = new Float64Array(countMax);
  }

  /** Adds a time, in ms. */
  add(milliseconds: number): void {
    this.#times[this.#count] = milliseconds;
    this.#count += 1;
  }

  /** Returns the quantiles, each less what is to be taken off. */
  quantiles(base: number = 0): Quantiles {
    const sorted = this.#times.slice(0, this.#count).sort();
    const at = (share: number): number => {
      const time = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
      return Math.max(0, time - base);
    };
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
  }
}
