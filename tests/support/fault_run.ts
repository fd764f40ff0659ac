/**
 * Runs a workload on a storage that fails, and keeps accounts.
 *
 * | a fault was injected | an error came      | verdict                                              |
 * |----------------------|--------------------|------------------------------------------------------|
 * | no                   | yes                | fails: an error without a fault                      |
 * | yes                  | of another kind    | fails: the wrong error                               |
 * | yes                  | no                 | fails: swallowed, unless it is one of `MASKED`       |
 *
 * An error counts as one that came if a call threw it or `stats().lastError` shows it. The clock stands still, so no failed work is
 * done again behind the accountant's back. (The accounts are those of the tests of the Haskell library lsm-tree by Input Output.)
 *
 * Beside that, after each act the tree has to hold exactly what was committed: a write that threw is absent, a read
 * gives all or throws. When the faults end it goes on without being opened again, unless a barrier failed: then reads go on,
 * writes are refused, and opening it again helps.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { BlockCache, IoError, NoSpaceError, PoisonedError, Tree } from "@lsm/tree";
import type { Fault, FaultRule, SimulatedOperation, SimulatedStorage } from "@lsm/tree/testing";
import type { Act, Undone, Workload } from "./workloads.ts";
import { configFor, contentsOf, Expected, openFor, TINY_MEMTABLE_BYTES, tinyConfig } from "./workloads.ts";

/** How often things happened. */
export interface FaultCounts {
  /** Faults that were injected. */
  injected: number;
  /** Calls that threw. */
  thrown: number;
  /** Failures of background work that only `stats()` showed. */
  shown: number;
  /** Faults that are meant to make no difference. */
  masked: number;
  /** Trees that were poisoned. */
  poisoned: number;
  /** Openings that failed. */
  unopened: number;
  /** Scans that threw. */
  scansThrown: number;
}

/** Returns counts of nothing. */
export function noFaultCounts(): FaultCounts {
  return { injected: 0, thrown: 0, shown: 0, masked: 0, poisoned: 0, unopened: 0, scansThrown: 0 };
}

/** Power cuts after each close. */
const OUTCOMES = 2;

/** Acts after the first fault of a sticky rule, before it is healed. */
const STICKY_ACTS = 3;

const MARK_BYTES = 28;

/** After these everything that was committed is durable. */
const BARRIERS: ReadonlySet<Act["act"]> = new Set(
  ["beginFlush", "flush", "flushMemtable", "compact"] as const,
);

/**
 * Faults that are meant to make no difference: what is short is done in several goes; what cannot be removed stays until the next
 * open; a lock that cannot be had puts removing off; a mark of the manifest only tells damage from a crash.
 */
function isMasked({ kind, file, bytes, fault }: SimulatedOperation): boolean {
  if (kind === "openRead" && fault === "EMFILE") return true;
  return fault === "short" || kind === "remove" || (kind === "lock" && file === "READERS") ||
    (kind === "append" && file.startsWith("manifest-") && bytes <= MARK_BYTES);
}

/** A workload under way. */
class FaultRun {
  readonly #workload: Workload;
  readonly #rule: FaultRule;
  readonly #fault: Fault;
  readonly #counts: FaultCounts;
  readonly storage: SimulatedStorage;
  readonly #expected: Expected;
  #tree: Tree | undefined;
  #memtableBytes = TINY_MEMTABLE_BYTES;
  /** What it may hold beside what is expected: a write whose barrier failed. */
  #perhaps: Undone | undefined;
  /** How many commits are durable for certain. */
  #durable = 0;
  #poisoned = false;
  #actsLeft = STICKY_ACTS;

  constructor(workload: Workload, storage: SimulatedStorage, rule: FaultRule, counts: FaultCounts) {
    this.#workload = workload;
    this.#rule = rule;
    this.storage = storage;
    this.#fault = storage.fail(rule);
    this.#counts = counts;
    this.#expected = new Expected(workload);
  }

  get injected(): number {
    return this.#fault.count;
  }

  /** Opens the tree, again without the fault if it fails. */
  async #open(): Promise<void> {
    const open = (): Promise<Tree> =>
      Tree.open(
        "data",
        tinyConfig(this.storage, {
          ...configFor(this.#workload),
          maxMemtableSize: this.#memtableBytes,
          blockCache: new BlockCache({ capacity: 0 }),
        }),
      );
    const before = this.storage.log.length;
    const failed = await this.#attempt(async () => this.#tree = await open());
    if (failed !== undefined) {
      this.#counts.unopened += 1;
      assertEquals(
        [this.storage.openHandles, this.storage.heldLocks],
        [0, 0],
        "a failed open leaves handles",
      );
      this.storage.heal();
      this.#tree = await open();
    } else this.#account(before, failed);
    this.#poisoned = false;
  }

  /** Does something and returns the error that it threw, after a look at its kind. */
  async #attempt(action: () => unknown): Promise<unknown> {
    try {
      await action();
      return undefined;
    } catch (error) {
      this.#counts.thrown += 1;
      this.#checkKind(error);
      return error ?? "nothing";
    }
  }

  #checkKind(error: unknown): void {
    if (!(error instanceof IoError || error instanceof PoisonedError)) throw error;
    assert(this.#fault.count > 0, `an error without a fault: ${error}`);
    if (error instanceof PoisonedError) {
      assert(error.cause instanceof IoError, "poisoned for another reason");
    } else {assertEquals(
        error instanceof NoSpaceError,
        this.#rule.error === "ENOSPC",
        `the wrong error: ${error}`,
      );}
  }

  /** Fails if a fault since `before` came to nobody's notice. */
  #account(before: number, failed: unknown): void {
    const faults = this.storage.log.slice(before).filter((operation) => operation.fault !== "");
    this.#counts.injected += faults.length;
    if (faults.length === 0 || failed !== undefined) return;
    const unmasked = faults.filter((operation) => !isMasked(operation));
    this.#counts.masked += faults.length - unmasked.length;
    if (unmasked.length === 0) return;
    const { lastError } = this.#tree!.stats();
    assert(lastError !== undefined, `swallowed: ${JSON.stringify(unmasked)}`);
    this.#checkKind(lastError);
    this.#counts.shown += 1;
  }

  async run(): Promise<void> {
    await this.#open();
    for (const act of this.#workload.acts) {
      await this.#carryOut(act);
      this.#checkContents();
      if (this.#poisoned) await this.#reopen();
      if (this.#fault.count > 0 && this.#rule.sticky) {
        this.#actsLeft -= 1;
        if (this.#actsLeft === 0) await this.#goOn();
      }
    }
    await this.#goOn();
    await this.#reopen();
    assertEquals(this.#tree!.recovery.cleanClose, true, "the close before was in order");
    await this.#tree!.close();
    assertEquals([this.storage.openHandles, this.storage.heldLocks], [0, 0], "handles or locks are left");
  }

  async #carryOut(act: Act): Promise<void> {
    const before = this.storage.log.length;
    const write = this.#expected.commit(act);
    const tree = this.#tree!;
    let failed: unknown;
    if (write !== undefined) {
      failed = await this.#attempt(() => write(tree));
      if (failed !== undefined) this.#perhaps = this.#expected.takeBack();
    } else if (act.act === "reopen") {
      this.#memtableBytes = act.memtableBytes;
      return await this.#reopen();
    } else if (BARRIERS.has(act.act)) {
      const barrier = act.act === "beginFlush" ? "flush" : act.act as "flush" | "flushMemtable" | "compact";
      failed = await this.#attempt(() => tree[barrier]());
    }
    const waits = BARRIERS.has(act.act);
    if (failed === undefined && (waits || this.#workload.durability === "sync")) {
      this.#durable = this.#expected.commits;
    }
    const faults = this.#counts.injected;
    this.#account(before, failed);
    if (this.#counts.injected > faults) await this.#checkCrashes(1);
    this.#poisoned = this.#isPoisoned();
    if (!this.#poisoned) this.#perhaps = undefined;
    else this.#counts.poisoned += 1;
  }

  /** A batch of nothing changes nothing, and is refused where every write is. */
  #isPoisoned(): boolean {
    try {
      this.#tree!.batch().commit();
      return false;
    } catch (error) {
      this.#checkKind(error);
      assert(error instanceof PoisonedError, `${error}`);
      assertThrows(() => this.#tree!.insert("a", "refused"), PoisonedError);
      return true;
    }
  }

  /** Looks at everything: all of it has to be there, or the look to fail; `undefined` if it does. */
  #contents(): string | undefined {
    try {
      return contentsOf(this.#tree!);
    } catch (error) {
      this.#checkKind(error);
      this.#counts.scansThrown += 1;
      return undefined;
    }
  }

  #checkContents(): void {
    const contents = this.#contents();
    if (contents !== undefined) assertEquals(contents, this.#expected.last);
  }

  /** The faults are over: everything works again, without opening anew. */
  async #goOn(): Promise<void> {
    this.storage.heal();
    if (this.#poisoned) return await this.#reopen();
    const act: Act = { act: "insert", key: 0, bytes: 10 };
    this.#expected.commit(act)!(this.#tree!);
    await this.#tree!.flush();
    await this.#tree!.flushMemtable();
    this.#durable = this.#expected.commits;
    assertEquals(this.#tree!.stats().lastError, undefined);
    assertEquals(contentsOf(this.#tree!), this.#expected.last);
  }

  /** Closes and opens; what was committed is there, or what was made durable if buffers could not be written. */
  async #reopen(): Promise<void> {
    const before = this.storage.log.length;
    const failed = await this.#attempt(() => this.#tree!.close());
    this.#account(before, failed);
    assertEquals([this.storage.openHandles, this.storage.heldLocks], [0, 0], "handles or locks are left");
    if (failed === undefined) this.#durable = this.#expected.commits;
    await this.#checkCrashes(OUTCOMES);
    await this.#open();
    let contents = this.#contents();
    if (contents === undefined) {
      this.storage.heal();
      contents = contentsOf(this.#tree!);
    }
    if (contents === this.#perhaps?.contents) this.#perhaps.redo();
    else this.#expected.goBackTo(contents, failed === undefined ? this.#expected.commits : this.#returned());
    this.#perhaps = undefined;
  }

  /** How many commits survive the death of the process. */
  #returned(): number {
    return this.#workload.durability === "buffered" ? this.#durable : this.#expected.commits;
  }

  /** Whatever failed, a power cut leaves what was durable. */
  async #checkCrashes(outcomes: number): Promise<void> {
    for (const crashed of this.storage.crashes(outcomes)) {
      const tree = await openFor(this.#workload, crashed);
      const contents = contentsOf(tree);
      assert(
        contents === this.#perhaps?.contents || this.#expected.contents.indexOf(contents, this.#durable) >= 0,
        "a power cut took something that was durable",
      );
      await tree.close();
    }
  }
}

/** Runs a workload with a rule; returns whether the rule did anything. */
export async function runWithFault(
  workload: Workload,
  storage: SimulatedStorage,
  rule: FaultRule,
  counts: FaultCounts,
): Promise<boolean> {
  const run = new FaultRun(workload, storage, rule, counts);
  await run.run();
  return run.injected > 0;
}
