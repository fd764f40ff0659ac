/**
 * The loops that are measured.
 *
 * - A call that answers at once is not awaited, so a synchronous engine runs in a plain loop.
 * - Every loop ends after a time, with what it has done until then; looking at the clock costs some nanoseconds for each operation.
 * - Whatever is read goes into a checksum, in order.
 * - Where a timer is measured the writer lets its event loop turn after every 100 writes, as a server would, and waits there for the
 *   engine if the engine can be asked.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { checksum, entryChecksum, KeyMaker, type Values } from "./data.ts";
import type { Engine } from "./engine.ts";
import { GET, GET_ABSENT, type Plan, PUT, SEEK, UPDATE } from "./plan.ts";
import type { Workload } from "./workloads.ts";

/** What a loop did. */
export interface Driven {
  /** How many operations; entries in a scan. */
  readonly operations: number;
  /** How many there should have been. */
  readonly wanted: number;
  /** How long they took. */
  readonly seconds: number;
  /** The checksum of what was read. */
  readonly checksum: number;
  /** How long each took in ms, or how late a timer was; empty where that is not measured. */
  readonly times: Float64Array;
  /** How late a timer was while the engine had made a thread, in ms. */
  readonly lateMakingThreads: number;
}

/** How it is driven. */
export interface DriveOptions {
  /** What to do. */
  readonly workload: Workload;
  /** With which keys. */
  readonly plan: Plan;
  /** And values. */
  readonly values: Values;
  /** After which time it ends. */
  readonly secondsMax: number;
  /** Is told how much is done, about once a second. */
  readonly onProgress?: (done: number) => void;
}

const LOOK_MASK = 15;
const SCAN_LOOK_MASK = 1_023;
const TURN_WRITES = 100;
const TIMER_MS = 1;
const PROGRESS_MS = 1_000;

/** Does what the plan says, or as much of it as there is time for. */
export async function drive(engine: Engine, options: DriveOptions): Promise<Driven> {
  const { workload, plan } = options;
  const loop = new Loop(engine, options);
  const begun = performance.now();
  const operations = await loop.run(begun);
  return {
    operations,
    wanted: workload.kind === "scan" ? plan.loaded.length : plan.numbers.length,
    seconds: (performance.now() - begun) / 1_000,
    checksum: loop.checksum,
    times: loop.times.subarray(0, loop.timesCount),
    lateMakingThreads: loop.lateMakingThreads,
  };
}

class Loop {
  checksum = 0;
  times: Float64Array = new Float64Array();
  timesCount = 0;
  lateMakingThreads = 0;
  readonly #engine: Engine;
  readonly #options: DriveOptions;
  readonly #keys = new KeyMaker();
  #end = 0;

  constructor(engine: Engine, options: DriveOptions) {
    this.#engine = engine;
    this.#options = options;
    const { measure } = options.workload;
    if (measure === "latency") this.times = new Float64Array(options.plan.numbers.length);
    if (measure === "timer") this.times = new Float64Array(Math.ceil(options.secondsMax * 1_000) + 1_000);
  }

  run(begun: number): Promise<number> {
    const { workload, plan, secondsMax } = this.#options;
    this.#end = begun + secondsMax * 1_000;
    if (workload.kind === "scan") return this.#scan(workload.reverse);
    if (workload.measure === "latency") return this.#putsTimed();
    if (workload.measure === "timer") return this.#putsBesideTimer();
    if (workload.writers > 1) return this.#putsOfWriters(workload.writers);
    if (workload.batch > 1) return this.#putsTogether(workload.batch);
    if (plan.kinds.length > 1) return this.#mixed();
    switch (plan.kinds[0]) {
      case PUT:
        return this.#puts();
      case GET:
        return this.#gets();
      case GET_ABSENT:
        return this.#getsAbsent();
      default:
        return this.#seeks();
    }
  }

  async #puts(): Promise<number> {
    const { plan: { numbers, details }, values } = this.#options;
    const generation = details[0]!;
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!;
      const done = this.#engine.put(this.#keys.make(number), values.of(number, generation));
      if (done !== undefined) await done;
      if ((i & LOOK_MASK) === 0 && this.#isOver()) return i + 1;
    }
    return numbers.length;
  }

  async #putsTogether(batch: number): Promise<number> {
    const { plan: { numbers, details }, values, onProgress } = this.#options;
    const makers = Array.from({ length: batch }, () => new KeyMaker());
    let shown = performance.now();
    for (let from = 0; from < numbers.length; from += batch) {
      const together = numbers.subarray(from, from + batch);
      const keys = Array.from(together, (number, i) => makers[i]!.make(number));
      const done = this.#engine.putMany(
        keys,
        Array.from(together, (number) => values.of(number, details[0]!)),
      );
      if (done !== undefined) await done;
      if (this.#isOver()) return from + together.length;
      if (onProgress !== undefined && performance.now() > shown + PROGRESS_MS) {
        onProgress(from);
        shown = performance.now();
      }
    }
    return numbers.length;
  }

  async #putsOfWriters(writers: number): Promise<number> {
    const { plan: { numbers, details }, values } = this.#options;
    let next = 0;
    const write = async (): Promise<void> => {
      const keys = new KeyMaker();
      while (next < numbers.length && !this.#isOver()) {
        const number = numbers[next++]!;
        await this.#engine.put(keys.make(number), values.of(number, details[0]!));
      }
    };
    await Promise.all(Array.from({ length: writers }, write));
    return next;
  }

  async #putsTimed(): Promise<number> {
    const { plan: { numbers }, values } = this.#options;
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!;
      const key = this.#keys.make(number);
      const value = values.of(number, 0);
      const begun = performance.now();
      const done = this.#engine.put(key, value);
      if (done !== undefined) await done;
      const ended = performance.now();
      this.times[this.timesCount++] = ended - begun;
      if (ended > this.#end) return i + 1;
    }
    return numbers.length;
  }

  async #putsBesideTimer(): Promise<number> {
    const { plan: { numbers }, values } = this.#options;
    const stop = this.#startTimer();
    let i = 0;
    while (i < numbers.length && !this.#isOver()) {
      const number = numbers[i++]!;
      const done = this.#engine.put(this.#keys.make(number), values.of(number, 0));
      if (done !== undefined) await done;
      if (i % TURN_WRITES > 0) continue;
      await this.#engine.ready?.();
      await setImmediate();
    }
    stop();
    return i;
  }

  /** Notes how late a timer is, over and over. */
  #startTimer(): () => void {
    let due = performance.now() + TIMER_MS;
    let threads = this.#engine.threads?.() ?? 0;
    let timer = setTimeout(fire.bind(this), TIMER_MS);
    function fire(this: Loop): void {
      const late = performance.now() - due;
      const threadsNow = this.#engine.threads?.() ?? 0;
      if (threadsNow > threads) this.lateMakingThreads = Math.max(this.lateMakingThreads, late);
      else if (this.timesCount < this.times.length) this.times[this.timesCount++] = late;
      threads = threadsNow;
      due = performance.now() + TIMER_MS;
      timer = setTimeout(fire.bind(this), TIMER_MS);
    }
    return () => clearTimeout(timer);
  }

  async #gets(): Promise<number> {
    const { numbers } = this.#options.plan;
    for (let i = 0; i < numbers.length; i++) {
      const got = this.#engine.get(this.#keys.make(numbers[i]!));
      this.checksum = checksum(this.checksum, got instanceof Promise ? await got : got);
      if ((i & LOOK_MASK) === 0 && this.#isOver()) return i + 1;
    }
    return numbers.length;
  }

  async #getsAbsent(): Promise<number> {
    const { numbers } = this.#options.plan;
    for (let i = 0; i < numbers.length; i++) {
      const got = this.#engine.get(this.#keys.makeAbsent(numbers[i]!));
      this.checksum = checksum(this.checksum, got instanceof Promise ? await got : got);
      if ((i & LOOK_MASK) === 0 && this.#isOver()) return i + 1;
    }
    return numbers.length;
  }

  async #seeks(): Promise<number> {
    const { numbers, details } = this.#options.plan;
    const count = details[0]!;
    for (let i = 0; i < numbers.length; i++) {
      const done = this.#engine.seek(this.#keys.make(numbers[i]!), count, this.#visit);
      if (done !== undefined) await done;
      if ((i & LOOK_MASK) === 0 && this.#isOver()) return i + 1;
    }
    return numbers.length;
  }

  async #mixed(): Promise<number> {
    const { plan: { kinds, numbers, details }, values } = this.#options;
    for (let i = 0; i < numbers.length; i++) {
      const kind = kinds[i]!;
      const number = numbers[i]!;
      const key = this.#keys.make(number);
      if (kind === GET || kind === UPDATE) {
        const got = this.#engine.get(key);
        this.checksum = checksum(this.checksum, got instanceof Promise ? await got : got);
      }
      if (kind === SEEK) {
        const done = this.#engine.seek(key, details[i]!, this.#visit);
        if (done !== undefined) await done;
      }
      if (kind === PUT || kind === UPDATE) {
        const done = this.#engine.put(key, values.of(number, details[i]!));
        if (done !== undefined) await done;
      }
      if ((i & LOOK_MASK) === 0 && this.#isOver()) return i + 1;
    }
    return numbers.length;
  }

  async #scan(reverse: boolean): Promise<number> {
    let count = 0;
    try {
      await this.#engine.scan(reverse, (key, value) => {
        this.#visit(key, value);
        count += 1;
        if ((count & SCAN_LOOK_MASK) === 0 && this.#isOver()) throw new Enough();
      });
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
    return count;
  }

  readonly #visit = (key: Uint8Array, value: Uint8Array): void => {
    this.checksum = entryChecksum(this.checksum, key, value);
  };

  #isOver(): boolean {
    return performance.now() > this.#end;
  }
}

/** Ends a scan before its end. */
class Enough extends Error {}
