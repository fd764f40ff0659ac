/**
 * A device with finite bandwidth, and a writer that has to wait for it.
 *
 * ```text
 * flushes arrive  |  |  |  |  |  |  |           when the user has written a memtable
 * their work      [====][==========][==][===     flush and the compactions that it led to, one after the other
 * waiting         1  1  2  2  3  3 ...           as many runs would stand in level 0
 * ```
 *
 * The simulated tree does all work of a flush at once, as a tree does that works inline, so what it decides does not
 * depend on the device. How long a writer would have waited for it does: a flush brings the bytes that it and the
 * compactions after it read and write, and the device works them off at its bandwidth, in order. Flushes whose work is
 * not done would wait in level 0. When `limit` of them do, the next has to wait until the first is done: a *stall*,
 * which delays the operations of that memtable and all that come later.
 *
 * Given up: work in the background that is better sorted (flushes first) would delay less; a device that is shared delays more.
 *
 * @module
 */

/** Stalls so far. */
export interface Stalls {
  /** How often a memtable had to wait. */
  readonly count: number;
  /** How many operations these held. */
  readonly operations: number;
  /** How long they waited in all. */
  readonly milliseconds: number;
}

/** A device with finite bandwidth. */
export class Device {
  readonly #bytesPerMs: number;
  readonly #limit: number;
  /** When the work of flushes that may not be done yet will be, oldest first. */
  #ends: number[] = [];
  #first = 0;
  #delay = 0;
  #count = 0;
  #operations = 0;

  /** Makes one on which at most `limit` flushes wait. */
  constructor(bytesPerSecond: number, limit: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#limit = limit;
  }

  /** Lets a memtable arrive that is full at `time` if nothing delays it, and returns when it is taken. */
  arrive(time: number, operations: number): number {
    let now = time + this.#delay;
    while (this.#first < this.#ends.length && this.#ends[this.#first]! <= now) this.#first += 1;
    const waiting = this.#ends.length - this.#first;
    if (waiting >= this.#limit) {
      const until = this.#ends[this.#ends.length - this.#limit]!;
      this.#delay += until - now;
      this.#count += 1;
      this.#operations += operations;
      now = until;
    }
    if (this.#first > 1_000) {
      this.#ends = this.#ends.slice(this.#first);
      this.#first = 0;
    }
    return now;
  }

  /** Gives the device the bytes that a memtable taken at `now` makes it read and write. */
  work(now: number, bytes: number): void {
    const start = Math.max(now, this.#ends.at(-1) ?? now);
    this.#ends.push(start + bytes / this.#bytesPerMs);
  }

  /** Stalls so far. */
  get stalls(): Stalls {
    return { count: this.#count, operations: this.#operations, milliseconds: Math.round(this.#delay) };
  }
}
