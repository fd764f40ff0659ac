/**
 * Workloads: what is written to a simulated tree.
 *
 * | kind | each operation |
 * |---|---|
 * | `uniform` | puts one of `keys` keys, all equally likely |
 * | `zipfian` | puts the key of rank r with a probability of about `1 / r^skew`; ranks lie all over the key space (YCSB's scrambled zipfian) |
 * | `sequential` | puts the next key in order; behind the last one it begins anew |
 * | `timeOrdered` | the same, but keys come up to `disorder` operations early or late |
 * | `deleteHeavy` | puts one of `keys` keys, or, with a probability of `removes`, removes one of those that exist |
 * | `recorded` | what a real tree has flushed, by its history |
 *
 * @module
 */

import type { RecordedHistory } from "./recorded.ts";

/** What every workload that is made up says. */
export interface GeneratedLoad {
  /** How many different keys there are, 1 to 2^48. */
  readonly keys: number;
  /** How many operations write. */
  readonly operations: number;
  /** Bytes of a key with its value. */
  readonly entryBytes: number;
  /** How many point reads of a present key come with each write; 0 if not given. They take time of the device. */
  readonly readsPerWrite?: number;
  /** Bytes of a key; 16 if not given, or `entryBytes` if that is less. */
  readonly keyBytes?: number;
  /** Bytes that neighbouring keys have in common; if not given, keys are numbers in decimal digits. 0 for hashes. */
  readonly sharedKeyBytes?: number;
  /** How many operations come in a second; 100,000 if not given. */
  readonly operationsPerSecond?: number;
}

/** Random writes. */
export interface UniformWorkload extends GeneratedLoad {
  /** Tells it from others. */
  readonly kind: "uniform";
}

/** Random writes of which most go to few keys. */
export interface ZipfianWorkload extends GeneratedLoad {
  /** Tells it from others. */
  readonly kind: "zipfian";
  /** The exponent, above 0; 0.99 if not given. */
  readonly skew?: number;
}

/** Writes in the order of keys. */
export interface SequentialWorkload extends GeneratedLoad {
  /** Tells it from others. */
  readonly kind: "sequential";
}

/** Writes nearly in the order of keys. */
export interface TimeOrderedWorkload extends GeneratedLoad {
  /** Tells it from others. */
  readonly kind: "timeOrdered";
  /** How many operations a key comes early or late at most; 1,000 if not given. */
  readonly disorder?: number;
}

/** Random writes and removes. */
export interface DeleteHeavyWorkload extends GeneratedLoad {
  /** Tells it from others. */
  readonly kind: "deleteHeavy";
  /** What share of the operations removes, above 0 and below 0.5; 0.3 if not given. */
  readonly removes?: number;
}

/** What a real tree has flushed. */
export interface RecordedWorkload {
  /** Tells it from others. */
  readonly kind: "recorded";
  /** What `tree.history()` told: its flushes are the load, its merges tell how many keys were written again. */
  readonly history: RecordedHistory;
  /** How many point reads of a present key come with each write; 0 if not given. */
  readonly readsPerWrite?: number;
}

/** A workload that is made up. */
export type GeneratedWorkload =
  | UniformWorkload
  | ZipfianWorkload
  | SequentialWorkload
  | TimeOrderedWorkload
  | DeleteHeavyWorkload;

/** What is written to a simulated tree. */
export type Workload = GeneratedWorkload | RecordedWorkload;

const KINDS: readonly string[] = [
  "uniform",
  "zipfian",
  "sequential",
  "timeOrdered",
  "deleteHeavy",
  "recorded",
];

/** A key is a number, and the bounds of segments are compared by six bytes. */
const KEYS_MAX = 2 ** 48;

/** What applies where a workload says nothing. */
export const WORKLOAD_DEFAULTS = {
  keyBytes: 16,
  operationsPerSecond: 100_000,
  skew: 0.99,
  disorder: 1_000,
  removes: 0.3,
} as const;

/**
 * Throws unless a workload makes sense.
 *
 * @throws {TypeError} If a part of it has a wrong type.
 * @throws {RangeError} If a number is too small or too large.
 */
export function checkWorkload(workload: Workload): void {
  if (typeof workload !== "object" || workload === null) {
    throw new TypeError("Cannot simulate: there is no workload");
  }
  if (!KINDS.includes(workload.kind)) {
    throw new TypeError(`Cannot simulate: workload ${workload.kind} is none of ${KINDS.join(", ")}`);
  }
  checkNumber("readsPerWrite", workload.readsPerWrite ?? 0, 0, 1e9);
  if (workload.kind === "recorded") {
    if (!Array.isArray(workload.history?.changes)) {
      throw new TypeError("Cannot simulate: the recorded workload has no history with a list of changes");
    }
    return;
  }
  checkWhole("keys", workload.keys, 1, KEYS_MAX);
  checkWhole("operations", workload.operations, 0, Number.MAX_SAFE_INTEGER);
  checkWhole("entryBytes", workload.entryBytes, 1, 2 ** 30);
  const { keyBytes, sharedKeyBytes, operationsPerSecond } = workload;
  if (keyBytes !== undefined) checkWhole("keyBytes", keyBytes, 1, Math.min(workload.entryBytes, 65_535));
  if (sharedKeyBytes !== undefined) checkWhole("sharedKeyBytes", sharedKeyBytes, 0, 65_535);
  if (operationsPerSecond !== undefined) checkNumber("operationsPerSecond", operationsPerSecond, 1e-6, 1e12);
  if (workload.kind === "zipfian" && workload.skew !== undefined) {
    checkNumber("skew", workload.skew, 1e-3, 10);
  }
  if (workload.kind === "timeOrdered" && workload.disorder !== undefined) {
    checkWhole("disorder", workload.disorder, 0, KEYS_MAX);
  }
  if (workload.kind === "deleteHeavy" && workload.removes !== undefined) {
    checkNumber("removes", workload.removes, 1e-6, 0.499);
  }
}

/** Throws unless an option of a simulation is a whole number within limits. */
export function checkWhole(name: string, value: unknown, least: number, most: number): void {
  checkNumber(name, value, least, most);
  if (!Number.isInteger(value)) throw new RangeError(`Cannot simulate: ${name} is ${value}, no whole number`);
}

/** Throws unless an option of a simulation is a number within limits. */
export function checkNumber(name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== "number") throw new TypeError(`Cannot simulate: ${name} is not a number`);
  if (!(value >= least && value <= most)) {
    throw new RangeError(`Cannot simulate: ${name} is ${value}, not from ${least} to ${most}`);
  }
}
