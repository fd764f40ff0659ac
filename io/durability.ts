/**
 * Durability: when the journal passes a barrier.
 *
 * - `flush()` waits for a barrier that began after its last record; calls that come while none has begun share one.
 * - In the background one is passed every `fsyncInterval` while there is something to sync: by a timer that keeps no process
 *   alive, and by the writes themselves, since in a loop that never yields no timer fires. A barrier that was begun
 *   in such a loop ends without anybody hearing of it; a write that finds it as old as the interval passes another
 *   one itself.
 *
 * A failed barrier poisons the tree.
 *
 * @module
 */

import type { Barrier, TreeState } from "../core/mod.ts";
import { barrierOf } from "../core/mod.ts";
import type { JournalWriter } from "./journal_writer.ts";

/** What barriers need of the engine. */
export interface BarrierHost {
  /** The state of this moment, also while the tree is being closed. */
  currentState(): TreeState;
  /** Folds a passed barrier into the state. */
  barrierPassed(barrier: Barrier): void;
  /** Poisons the tree if a barrier failed; returns the error behind it. */
  poisonIfBarrier(error: unknown): unknown;
}

/** Passes barriers of the journals. */
export class Durability {
  readonly #host: BarrierHost;
  readonly #journals: JournalWriter;
  readonly #interval: number | null;
  readonly #clock: () => number;
  #underWay: Promise<void> | undefined;
  #begunAt = 0;
  #passedAt: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** Passes barriers every `interval` ms, or never if `null`. */
  constructor(host: BarrierHost, journals: JournalWriter, interval: number | null, clock: () => number) {
    this.#host = host;
    this.#journals = journals;
    this.#interval = interval;
    this.#clock = clock;
    this.#passedAt = clock();
  }

  /** Makes every batch so far survive power loss; returns early if the tree is poisoned. */
  async flush(): Promise<void> {
    const target = this.#host.currentState().seqno;
    for (;;) {
      const { durableSeqno, poisoned } = this.#host.currentState();
      if (durableSeqno >= target || poisoned !== undefined) return;
      await this.#begin();
    }
  }

  /** Returns the barrier under way or begins one; it covers what is written before its turn comes. */
  #begin(): Promise<void> {
    if (this.#underWay === undefined) {
      this.#begunAt = this.#clock();
      this.#underWay = this.#pass().finally(() => this.#underWay = undefined);
    }
    return this.#underWay;
  }

  async #pass(): Promise<void> {
    await Promise.resolve();
    try {
      this.#journals.drain();
      const barrier = barrierOf(this.#host.currentState());
      if (barrier === undefined) return;
      await this.#journals.syncAsync(barrier);
      this.#passed(barrier);
    } catch (error) {
      throw this.#host.poisonIfBarrier(error);
    }
  }

  /** Passes a barrier before it returns. */
  passNow(): void {
    try {
      this.#journals.drain();
      const barrier = barrierOf(this.#host.currentState());
      if (barrier === undefined) return;
      this.#journals.sync(barrier.journals, barrier.folder);
      this.#passed(barrier);
    } catch (error) {
      throw this.#host.poisonIfBarrier(error);
    }
  }

  #passed(barrier: Barrier): void {
    this.#passedAt = this.#clock();
    this.#host.barrierPassed(barrier);
  }

  /** Keeps the interval; called after each write. */
  keepInterval(now: number): void {
    const interval = this.#interval;
    if (interval === null) return;
    if (Math.abs(now - this.#passedAt) < interval) {
      if (this.#timer === undefined) this.#armTimer(interval);
    } else if (this.#underWay !== undefined && Math.abs(now - this.#begunAt) >= interval) {
      this.#quietly(() => this.passNow());
    } else {
      // One that is under way may have begun before this write, and need not be followed by another.
      if (this.#underWay !== undefined && this.#timer === undefined) this.#armTimer(interval);
      this.#beginQuietly(interval);
    }
  }

  /** Begins a barrier that nobody waits for. One that a full disk kept from beginning is tried again. */
  #beginQuietly(interval: number): void {
    this.#begin().catch(() => {
      const { poisoned } = this.#host.currentState();
      if (poisoned === undefined && !this.#stopped && this.#timer === undefined) this.#armTimer(interval);
    });
  }

  /** The write that came upon it is in the journal: that a barrier failed shows in `stats()` and at the next write. */
  #quietly(action: () => void): void {
    try {
      action();
    } catch {
      // See above.
    }
  }

  #armTimer(interval: number): void {
    const timer = setTimeout(() => {
      this.#timer = undefined;
      const { durableSeqno, seqno } = this.#host.currentState();
      if (durableSeqno < seqno) this.#beginQuietly(interval);
    }, interval);
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  /** Ends the interval and waits for a barrier under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#underWay?.catch(() => {});
  }
}
