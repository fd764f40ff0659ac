/**
 * Backpressure: what a write waits for, and how long it has waited.
 *
 * How hard writers are pressed is a pure query of the state (`core/pressure.ts`). *Slow* holds a writer to a number of bytes a
 * second that falls, smoothly, from far more than a disk takes to about what one write in ten milliseconds brings: where background
 * work keeps up at all, the two meet before a writer is stopped. *Stop* holds it until there is room.
 *
 * A writer in a loop that never yields is held in its own thread, since no promise would reach it; meanwhile it does unclaimed
 * work itself and folds in what ends. One that can wait asks `ready()` first and is never held.
 *
 * @module
 */

import type { Pressure } from "../core/mod.ts";

/** What backpressure needs of the engine. */
export interface PressureHost {
  /** How hard writers are pressed. */
  pressure(): Pressure;
  /** Tries again what has failed. */
  retry(): void;
  /** Holds the thread until some background work has got on, at most so long; says whether any is under way. */
  workOn(milliseconds: number): boolean;
  /** Why background work cannot go on. */
  stuck(): unknown;
}

/** How often and how long writers were held. */
export interface Stalls {
  /** Writes that were stopped. */
  readonly stops: number;
  /** For how long in all, in ms. */
  readonly stoppedMs: number;
  /** Writes that were slowed down. */
  readonly slowdowns: number;
  /** For how long in all, in ms. */
  readonly slowedMs: number;
}

/**
 * Bytes a second where writers begin to be slowed, and where they are about to be stopped: there a hundred writes of 128 bytes take
 * 6 ms, so that an event loop that turns after them is not late.
 */
const RATE_MOST = 128 * 1024 * 1024;
const RATE_LEAST = 2 * 1024 * 1024;

/** A thread sleeps for no less: the operating system does not wake it that exactly. */
const SLEEP_MS_MIN = 1;

/** What a slowed writer owes at most: one that wrote a large batch is not held for seconds. */
const SLEEP_MS_MAX = 5;

/** A stopped writer looks at least this often whether it may go on. */
const HOLD_MS = 10;

/** Holds writers. */
export class Backpressure {
  readonly #host: PressureHost;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));
  /** When a writer that keeps to its rate may go on. */
  #freeAt = 0;
  #stalls: Stalls = { stops: 0, stoppedMs: 0, slowdowns: 0, slowedMs: 0 };

  /** Holds nobody yet. */
  constructor(host: PressureHost) {
    this.#host = host;
  }

  /** How often and how long writers were held. */
  get stalls(): Stalls {
    return this.#stalls;
  }

  /**
   * Lets a write of so many bytes pass, holding it as long as it must be.
   *
   * @throws What keeps background work from making room.
   */
  pass(bytes: number): void {
    const pressure = this.#host.pressure();
    if (pressure.level === "slow") this.#slow(bytes, pressure.ratio);
    else if (pressure.level === "stop") this.#stop();
  }

  #slow(bytes: number, ratio: number): void {
    const rate = RATE_MOST * (RATE_LEAST / RATE_MOST) ** ratio;
    const now = performance.now();
    this.#freeAt = Math.min(Math.max(this.#freeAt, now) + bytes / rate * 1000, now + SLEEP_MS_MAX);
    const owed = this.#freeAt - now;
    if (owed < SLEEP_MS_MIN) return;
    Atomics.wait(this.#sleeper, 0, 0, owed);
    const { slowdowns, slowedMs } = this.#stalls;
    this.#stalls = {
      ...this.#stalls,
      slowdowns: slowdowns + 1,
      slowedMs: slowedMs + performance.now() - now,
    };
  }

  #stop(): void {
    const begun = performance.now();
    this.#host.retry();
    try {
      while (this.#host.pressure().level === "stop") {
        if (!this.#host.workOn(HOLD_MS)) throw this.#host.stuck();
      }
    } finally {
      const { stops, stoppedMs } = this.#stalls;
      this.#stalls = {
        ...this.#stalls,
        stops: stops + 1,
        stoppedMs: stoppedMs + performance.now() - begun,
      };
    }
  }
}
