/**
 * Runs a workload on a storage that lies, and keeps accounts.
 *
 * | what is asked for                   | what may come                                                          |
 * |-------------------------------------|------------------------------------------------------------------------|
 * | a read of an open tree              | the right answer, or an error of corruption                            |
 * | a write, a flush, a merge, a close  | success, or an error of corruption; a write that threw is absent       |
 * | opening after a close               | all that was committed, or an error of corruption                      |
 * | opening after a power cut           | what the tree held at some time, or an error of corruption             |
 * | opening after a kill, reads lie     | all that returned, or such an error, or less and a report of it        |
 *
 * A read that lied has harmed nothing: when it is over, everything is there and nothing throws. That it lied while a tree was
 * opened after a kill is the exception: what then looked like the torn end of a journal is given up for good.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { BlockCache, CorruptionError, JournalRecoveryError, Tree, UnsupportedFormatError } from "@lsm/tree";
import type { Fault, FaultRule, SimulatedStorage } from "@lsm/tree/testing";
import type { Act, Workload } from "./workloads.ts";
import { contentsOf, Expected, TINY_MEMTABLE_BYTES, tinyConfig } from "./workloads.ts";

/** How often things happened. */
export interface SilentCounts {
  /** Lies. */
  lies: number;
  /** Looks at everything in an open tree, after a lie, that gave what was right. */
  rightReads: number;
  /** Such looks that threw. */
  thrownReads: number;
  /** Writes, flushes, merges and closes that threw. */
  thrownWork: number;
  /** Openings, after a lie, that gave what was right. */
  rightOpens: number;
  /** Openings that threw. */
  thrownOpens: number;
  /** Openings after a power cut that gave an older state. */
  olderOpens: number;
  /** Openings after a kill that gave an older state, and said so. */
  droppingOpens: number;
}

/** Returns counts of nothing. */
export function noSilentCounts(): SilentCounts {
  return {
    lies: 0,
    rightReads: 0,
    thrownReads: 0,
    thrownWork: 0,
    rightOpens: 0,
    thrownOpens: 0,
    olderOpens: 0,
    droppingOpens: 0,
  };
}

/** Power cuts at each close. */
const OUTCOMES = 2;

const KEYS = 8;

/** Whether an error says that the disk is not to be trusted. */
export function isCorruption(error: unknown): boolean {
  return error instanceof CorruptionError || error instanceof JournalRecoveryError ||
    error instanceof UnsupportedFormatError;
}

/** A workload under way. */
class SilentRun {
  readonly #workload: Workload;
  readonly #storage: SimulatedStorage;
  readonly #cacheBytes: number;
  readonly #counts: SilentCounts;
  readonly #rule: FaultRule;
  readonly #fault: Fault;
  readonly #isRead: boolean;
  readonly #expected: Expected;
  #tree: Tree | undefined;
  #memtableBytes = TINY_MEMTABLE_BYTES;

  constructor(
    workload: Workload,
    storage: SimulatedStorage,
    rule: FaultRule,
    cacheBytes: number,
    counts: SilentCounts,
  ) {
    this.#workload = workload;
    this.#storage = storage;
    this.#cacheBytes = cacheBytes;
    this.#counts = counts;
    this.#rule = rule;
    this.#fault = storage.fail(rule);
    this.#isRead = rule.operation === "readAt";
    this.#expected = new Expected(workload);
  }

  get lies(): number {
    return this.#fault.count;
  }

  /** Does something; returns whether it threw, as it may once something lied. */
  async #throws(action: () => unknown): Promise<boolean> {
    try {
      await action();
      return false;
    } catch (error) {
      this.#checkError(error);
      return true;
    }
  }

  #checkError(error: unknown): void {
    if (!isCorruption(error)) throw error;
    assert(this.#fault.count > 0, `an error without a lie: ${error}`);
  }

  #opened(storage: SimulatedStorage): Promise<Tree> {
    return Tree.open(
      "data",
      tinyConfig(storage, {
        durability: this.#workload.durability,
        maxMemtableSize: this.#memtableBytes,
        blockCache: new BlockCache({ capacity: this.#cacheBytes }),
      }),
    );
  }

  /** Opens the tree; `false` if what is on the disk cannot be opened. */
  async #open(): Promise<boolean> {
    const before = this.#fault.count;
    const threw = await this.#throws(async () => this.#tree = await this.#opened(this.#storage));
    if (!threw) return true;
    this.#counts.thrownOpens += 1;
    assertEquals(
      [this.#storage.openHandles, this.#storage.heldLocks],
      [0, 0],
      "a failed open leaves handles",
    );
    if (!this.#isRead) return false;
    assert(this.#fault.count > before, "a read that lied is over");
    this.#storage.heal();
    this.#tree = await this.#opened(this.#storage);
    return true;
  }

  /** Looks at everything in a tree; `undefined` if that throws. */
  #contents(tree: Tree): string | undefined {
    try {
      return contentsOf(tree);
    } catch (error) {
      this.#checkError(error);
      return undefined;
    }
  }

  #checkReads(): void {
    const before = this.#fault.count;
    const contents = this.#contents(this.#tree!);
    if (contents !== undefined) assertEquals(contents, this.#expected.last, "a wrong answer");
    else if (this.#isRead && this.#fault.count === before) throw new Error("a read that lied is remembered");
    if (this.#fault.count === 0) return;
    if (contents === undefined) this.#counts.thrownReads += 1;
    else this.#counts.rightReads += 1;
    for (let key = 0; key < KEYS; key++) this.#checkGet(`k${key}`);
  }

  #checkGet(key: string): void {
    let value: string | undefined;
    try {
      const bytes = this.#tree!.get(key);
      value = bytes && new TextDecoder().decode(bytes);
    } catch (error) {
      return this.#checkError(error);
    }
    const line = this.#expected.last.split("\n").find((line) => line.startsWith(`${key}=`));
    assertEquals(value, line?.slice(key.length + 1), `a wrong answer for ${key}`);
  }

  async run(): Promise<void> {
    if (!await this.#open()) return;
    for (const act of this.#workload.acts) {
      if (act.act === "reopen") this.#memtableBytes = act.memtableBytes;
      if (act.act !== "reopen") await this.#carryOut(act);
      else if (!await this.#reopen()) return;
      this.#checkReads();
    }
    this.#storage.heal();
    for (let i = 0; i < 2; i++) if (!await this.#reopen()) return;
    this.#checkReads();
    await this.#throws(() => this.#tree!.close());
  }

  async #carryOut(act: Act): Promise<void> {
    const write = this.#expected.commit(act);
    const tree = this.#tree!;
    let threw = false;
    if (write !== undefined) {
      threw = await this.#throws(() => write(tree));
      if (threw) this.#expected.takeBack();
    } else if (act.act === "beginFlush") {
      threw = await this.#throws(() => tree.flush());
    } else if (act.act === "flush" || act.act === "flushMemtable" || act.act === "compact") {
      threw = await this.#throws(() => tree[act.act as "flush"]());
    }
    if (threw) this.#counts.thrownWork += 1;
  }

  /** Closes and opens again; `false` if what is on the disk cannot be opened. */
  async #reopen(): Promise<boolean> {
    await (this.#isRead ? this.#checkKill() : this.#checkCrashes());
    if (await this.#throws(() => this.#tree!.close())) this.#counts.thrownWork += 1;
    assertEquals([this.#storage.openHandles, this.#storage.heldLocks], [0, 0], "handles or locks are left");
    if (!this.#isRead) await this.#checkCrashes();
    if (!await this.#open()) return false;
    const contents = this.#contents(this.#tree!);
    if (contents === undefined || this.#fault.count === 0) return true;
    if (contents === this.#expected.last) this.#counts.rightOpens += 1;
    else assertEquals(contents, this.#expected.last, "a close lost something");
    return true;
  }

  /** After a kill, opening under a read that lies gives all that returned, or says that it dropped something. */
  async #checkKill(): Promise<void> {
    if (this.#fault.count > 0 || this.#cacheBytes > 0) return; // asked once is enough: opening uses no cache
    let isLie = true;
    for (let nth = 1; isLie; nth++) {
      const killed = this.#storage.kill();
      const fault = killed.fail({ ...this.#rule, nth });
      let tree: Tree | undefined;
      const failed: unknown = await this.#opened(killed).then(
        (opened) => void (tree = opened),
        (error) => error,
      );
      isLie = fault.count > 0;
      if (failed !== undefined) {
        assert(isLie && isCorruption(failed), `${failed}`);
        this.#counts.thrownOpens += 1;
        continue;
      }
      killed.heal();
      const commits = this.#expected.contents.lastIndexOf(contentsOf(tree!));
      if (commits < this.#expected.commits && this.#workload.durability !== "buffered") {
        assert(isLie && commits >= 0, `${commits} of ${this.#expected.commits}`);
        assert(tree!.recovery.dropped !== undefined, "nobody is told");
        this.#counts.droppingOpens += 1;
      }
      await tree!.close();
    }
  }

  /** After a power cut the tree is what it was at some time, or cannot be read. */
  async #checkCrashes(): Promise<void> {
    for (const crashed of this.#storage.crashes(OUTCOMES)) {
      let tree: Tree | undefined;
      if (await this.#throws(async () => tree = await this.#opened(crashed))) {
        this.#counts.thrownOpens += 1;
        continue;
      }
      const contents = this.#contents(tree!);
      if (contents !== undefined) {
        const commits = this.#expected.contents.lastIndexOf(contents);
        assert(commits >= 0, "after a power cut it holds what it never held");
        if (commits < this.#expected.commits) this.#counts.olderOpens += 1;
      }
      await this.#throws(() => tree!.close());
    }
  }
}

/** Runs a workload with a rule that lies; returns whether it did. */
export async function runWithLie(
  workload: Workload,
  storage: SimulatedStorage,
  rule: FaultRule,
  cacheBytes: number,
  counts: SilentCounts,
): Promise<boolean> {
  const run = new SilentRun(workload, storage, rule, cacheBytes, counts);
  await run.run();
  counts.lies += run.lies;
  return run.lies > 0;
}
