/**
 * Ticks: the passing of time, as far as a tree cares for it.
 *
 * A strategy may go by the age of segments, so it is asked again after a minute at the latest; what failed is tried again when its
 * pause is over. Both by a timer that keeps no process alive, and by the writes themselves, since in a loop that never yields no
 * timer fires.
 *
 * @module
 */

import type { Failure } from "../core/mod.ts";
import { isPauseOver } from "../core/mod.ts";

/** The strategy is asked again after this time at the latest. */
const TICK_MS = 60_000;

/** What ticks need of the engine. */
export interface TickHost {
  /** What background work has failed with, if it has. */
  failure(): Failure | undefined;
  /** Folds a tick into the state; `ask` says that the strategy is to be asked. */
  tick(ask: boolean, now: number): void;
}

/** Ticks of one tree. */
export class Ticks {
  readonly #host: TickHost;
  readonly #clock: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #askedAt: number;

  /** Does not tick before it is armed. */
  constructor(host: TickHost, clock: () => number) {
    this.#host = host;
    this.#clock = clock;
    this.#askedAt = clock();
  }

  /** Ticks if it is time to; called at each write. */
  keep(now: number): void {
    if (this.#isTimeToAsk(now) || this.#isRetryDue(now)) this.tick(now);
  }

  /** Ticks, and sees to it that this happens again. */
  tick(now: number, ask: boolean = this.#isTimeToAsk(now)): void {
    if (ask) this.#askedAt = now;
    this.#host.tick(ask, now);
    this.arm();
  }

  #isTimeToAsk(now: number): boolean {
    return Math.abs(now - this.#askedAt) >= TICK_MS;
  }

  #isRetryDue(now: number): boolean {
    const failure = this.#host.failure();
    return failure !== undefined && failure.work !== "strategy" && isPauseOver(failure, now);
  }

  /** Arms the timer: for in a minute, or for when the pause after a failure is over. */
  arm(): void {
    const failure = this.#host.failure();
    const isRetried = failure !== undefined && failure.work !== "strategy";
    const now = this.#clock();
    const pause = isRetried && !isPauseOver(failure, now) ? failure.retryAt - now : 0;
    this.#armIn(isRetried ? Math.min(TICK_MS, pause) : TICK_MS, undefined);
  }

  /** Asks the strategy as soon as the event loop comes to it. */
  askSoon(): void {
    this.#armIn(0, true);
  }

  #armIn(pause: number, ask: boolean | undefined): void {
    this.stop();
    this.#timer = setTimeout(() => this.tick(this.#clock(), ask), Math.max(pause, 1));
    Deno.unrefTimer(this.#timer);
  }

  /** Ticks no more. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
