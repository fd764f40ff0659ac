/**
 * What a tree should hold, in the most obvious way: a `Map` of byte strings that is sorted for each answer.
 *
 * Immutable, as a state is: a model that was kept goes on telling what the state of its moment must answer. It shares no code
 * with the tree beyond the conversion of keys, so that both cannot be wrong in the same way.
 *
 * @module
 */

import type { Interval } from "../../core/interval.ts";
import { keyFromBytes, textToBytes } from "../../core/bytes.ts";
import type { GivenOperation } from "./arbitraries.ts";

/** A key with its value, both as byte strings. */
export type Pair = readonly [key: string, value: string];

/** All keys. */
export const ALL: Interval = { lower: "", upper: undefined };

/** What a tree should hold. */
export class SortedModel {
  readonly #values: ReadonlyMap<string, string>;

  /** Holds these values. */
  constructor(values: ReadonlyMap<string, string> = new Map()) {
    this.#values = values;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#values.size;
  }

  /** Returns the value of a key. */
  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  /** Returns the model after a batch. */
  with(operations: readonly GivenOperation[]): SortedModel {
    const values = new Map(this.#values);
    for (const operation of operations) {
      if (operation.kind === "put") values.set(operation.key, byteString(operation.value));
      else if (operation.kind === "remove") values.delete(operation.key);
      else values.clear();
    }
    return new SortedModel(values);
  }

  /** Returns what is in an interval, in order. */
  pairs({ lower, upper }: Interval = ALL): Pair[] {
    return [...this.#values]
      .filter(([key]) => key >= lower && (upper === undefined || key < upper))
      .sort(([a], [b]) => a < b ? -1 : 1);
  }
}

/** Returns a value as a byte string. */
export function byteString(value: Uint8Array | string): string {
  const bytes = typeof value === "string" ? textToBytes(value) : value;
  return keyFromBytes(bytes, 0, bytes.length);
}
