/**
 * The judge of a simulated storage: hears of each operation before it is done, and says what becomes of it.
 *
 * Whoever watches is told first, then each rule is asked; all of them count, and the oldest that objects decides. Then the
 * operation is written into the log.
 *
 * @module
 */

import type { SeededRandom } from "./simulated_choices.ts";
import type { Fault, FaultRule, SimulatedOperation, Verdict } from "./simulated_faults.ts";
import { ActiveFault } from "./simulated_faults.ts";

/** What is told of each operation before it is done. */
export type OperationListener = (operation: SimulatedOperation) => void;

/** Hears of operations and decides on them. */
export class SimulatedJudge {
  /** All operations so far. */
  readonly log: SimulatedOperation[] = [];
  readonly #random: SeededRandom;
  readonly #listeners: Set<OperationListener> = new Set();
  #faults: ActiveFault[] = [];

  /** Lets everything pass until there is a rule. */
  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** Adds a rule. */
  fail(rule: FaultRule): Fault {
    const fault = new ActiveFault(rule);
    this.#faults.push(fault);
    return fault;
  }

  /** Ends all rules. */
  heal(): void {
    this.#faults = [];
  }

  /** Adds a listener; returns what ends it. */
  watch(listener: OperationListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Notes an operation, and what becomes of it. */
  judge(kind: SimulatedOperation["kind"], file: string, to = "", position = 0, bytes = 0): Verdict {
    for (const listener of this.#listeners) listener({ kind, file, to, position, bytes, fault: "" });
    let verdict: Verdict = { fault: "", bytes };
    for (const fault of this.#faults) {
      const found = fault.judge({ kind, file, to, position, bytes });
      if (verdict.fault === "" && found !== undefined) verdict = found;
    }
    if (verdict.fault === "short") verdict = { fault: "short", bytes: 1 + this.#random.below(bytes - 1) };
    this.log.push({ kind, file, to, position, bytes, fault: verdict.fault });
    return verdict;
  }
}
