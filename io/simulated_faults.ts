/**
 * Rules by which operations of a simulated storage fail.
 *
 * A rule waits for the n-th operation that fits it and makes that one fail, or that one and all later ones. What a failure
 * does beside throwing:
 *
 * - Most operations are not done at all.
 * - An append may get some bytes in first, as on a disk that fills up: it is short, and the next one throws.
 * - A failed sync gives up what it covered (`simulated_disk.ts`).
 * - A `"short"` one does not throw: it reads or writes at least a byte, and less than it was asked for.
 * - A silent one returns as if all were well, with the wrong bytes (`simulated_lies.ts`), or makes nothing durable.
 *
 * Every rule counts what it did, so that a test can tell "the fault was swallowed" from "the fault never happened".
 *
 * @module
 */

import type { TreeError } from "../core/errors.ts";
import { systemError } from "./system_error.ts";

/** What a storage is asked to do. */
export type SimulatedOperationKind =
  | "open"
  | "list"
  | "create"
  | "openRead"
  | "rename"
  | "remove"
  | "syncFolder"
  | "lock"
  | "append"
  | "readAt"
  | "size"
  | "truncate"
  | "sync";

/** One operation of a simulated storage, as a value. */
export interface SimulatedOperation {
  /** What was asked for. */
  readonly kind: SimulatedOperationKind;
  /** The file; empty for the folder. */
  readonly file: string;
  /** The name that a rename gives; otherwise empty. */
  readonly to: string;
  /** Where in the file, in bytes. */
  readonly position: number;
  /** How many bytes it is about. */
  readonly bytes: number;
  /** What a rule did to it; empty if none did. */
  readonly fault: FaultKind | "";
}

/**
 * How a disk lies: the operation returns, and something is wrong.
 *
 * - `"flip"`: one bit of what is read or appended. A read harms nothing on the disk; an append that is flipped is what is there.
 * - `"misplaced"`: a read gives the bytes of another place, in this file or another one. An append overwrites another place, and
 *   leaves zeros in its own (or garbage, where the profile wants that).
 * - `"stale"`: a read gives what stood there before: the older file of that name, what was cut off, or zeros.
 * - `"lost"`: an append leaves nothing, and perhaps not even a longer file; it is gone for the process and after a crash. A
 *   sync, of a file or of the folder, makes nothing durable; a later one that does not lie still can.
 */
export type SilentFaultKind = "flip" | "misplaced" | "stale" | "lost";

/** How an operation fails: an error of the operating system, a transfer that is short, or a lie. */
export type FaultKind = "EIO" | "ENOSPC" | "EMFILE" | "EACCES" | "short" | SilentFaultKind;

/** Which operations a fault fits; all where it is not named. */
const FITTING: Readonly<Partial<Record<FaultKind, readonly SimulatedOperationKind[]>>> = {
  short: ["append", "readAt"],
  flip: ["append", "readAt"],
  misplaced: ["append", "readAt"],
  stale: ["readAt"],
  lost: ["append", "sync", "syncFolder"],
};

/** Tells lies from failures that an operation tells of. */
export function isSilent(fault: FaultKind | ""): fault is SilentFaultKind {
  return fault === "flip" || fault === "misplaced" || fault === "stale" || fault === "lost";
}

/**
 * Which operations fail or lie, and how.
 *
 * @example Errors
 * ```ts
 * import { NoSpaceError, Tree } from "@lsm/tree";
 * import { SimulatedStorage } from "@lsm/tree/testing";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const storage = new SimulatedStorage();
 * await using tree = await Tree.open("data", { storage });
 * const full = storage.fail({ operation: "append", file: /^journal/, error: "ENOSPC", bytes: 10, sticky: true });
 * assertThrows(() => tree.insert("a", "1"), NoSpaceError);
 * full.heal();
 * tree.insert("b", "2");
 * assertEquals([full.count > 0, tree.len()], [true, 1]);
 * ```
 *
 * @example Lies
 * ```ts
 * import { BlockCache, CorruptionError, Tree } from "@lsm/tree";
 * import { SimulatedStorage } from "@lsm/tree/testing";
 * import { assert, assertThrows } from "@std/assert";
 *
 * const storage = new SimulatedStorage();
 * await using tree = await Tree.open("data", { storage, blockCache: new BlockCache({ capacity: 0 }) });
 * tree.insert("a", "1");
 * await tree.flushMemtable();
 * storage.fail({ operation: "readAt", file: /^segment/, error: "flip" }); // once
 * assertThrows(() => tree.get("a"), CorruptionError);
 * assert(tree.get("a") !== undefined);
 * ```
 */
export interface FaultRule {
  /** Which operations; all if not given. */
  readonly operation?: SimulatedOperationKind | readonly SimulatedOperationKind[];
  /** Which files, by name; all, and the folder, if not given. */
  readonly file?: string | RegExp;
  /** Which of the operations that fit fails first, counted from 1; 1 if not given. */
  readonly nth?: number;
  /** Whether all later ones fail too; `false` if not given. */
  readonly sticky?: boolean;
  /** How; `"EIO"` if not given. It leaves operations alone that it does not fit, and those that transfer no bytes to be wrong. */
  readonly error?: FaultKind;
  /** How many bytes appends still get in before one throws; 0 if not given. */
  readonly bytes?: number;
}

/** A rule at work. */
export interface Fault {
  /** How often it made an operation fail or fall short. */
  readonly count: number;
  /** Ends it. */
  heal(): void;
}

/** What becomes of an operation. */
export interface Verdict {
  /** How it fails; empty if it does not. */
  readonly fault: FaultKind | "";
  /** How many bytes it transfers at most before that. */
  readonly bytes: number;
}

/** Returns the error of an operation that a rule made fail: the same that the operating system's refusal becomes. */
export function refusal(fault: FaultKind, action: string, file?: string): TreeError {
  const error = Object.assign(new Error(`${fault}, simulated`), { code: fault });
  return systemError(error, { action, file, folder: "" });
}

/** A transfer has to have some bytes to be wrong, and two to be short. */
function bytesLeast(kind: SimulatedOperationKind, fault: FaultKind): number {
  if (kind !== "append" && kind !== "readAt") return 0;
  return fault === "short" ? 2 : 1;
}

/** One rule, and what it has seen and done. */
export class ActiveFault implements Fault {
  readonly #rule: FaultRule;
  #seen = 0;
  #left: number;
  #healed = false;
  count = 0;

  /** Begins to count. */
  constructor(rule: FaultRule) {
    this.#rule = rule;
    this.#left = rule.bytes ?? 0;
  }

  heal(): void {
    this.#healed = true;
  }

  /** Returns what becomes of an operation, or `undefined` if the rule lets it pass. */
  judge(operation: Omit<SimulatedOperation, "fault">): Verdict | undefined {
    if (this.#healed || !this.#fits(operation)) return undefined;
    this.#seen += 1;
    const { nth = 1, error = "EIO", sticky = false } = this.#rule;
    if (this.#seen < nth) return undefined;
    if (FITTING[error] === undefined && operation.kind === "append" && this.#left > 0) {
      return this.#lastBytes(operation.bytes, error);
    }
    this.count += 1;
    if (!sticky) this.#healed = true;
    return { fault: error, bytes: isSilent(error) ? operation.bytes : 0 };
  }

  /** Lets the last bytes in; an append that they are enough for passes. */
  #lastBytes(bytes: number, error: FaultKind): Verdict | undefined {
    const taken = Math.min(this.#left, bytes);
    this.#left -= taken;
    if (taken === bytes) return undefined;
    return { fault: error, bytes: taken };
  }

  #fits({ kind, file, to, bytes }: Omit<SimulatedOperation, "fault">): boolean {
    const { operation, file: wanted, error = "EIO" } = this.#rule;
    if (operation !== undefined && ![operation].flat().includes(kind)) return false;
    if (FITTING[error]?.includes(kind) === false) return false;
    if (FITTING[error] !== undefined && bytes < bytesLeast(kind, error)) return false;
    if (wanted === undefined) return true;
    return [file, to].some((name) => typeof wanted === "string" ? name === wanted : wanted.test(name));
  }
}
