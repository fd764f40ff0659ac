/**
 * Writes whose content follows from their number, for processes that can load nothing but this checkout.
 *
 * As `numbered_batches.ts`, with one write for each number, and without any package: what is imported over http, or runs with
 * leave for one folder alone, cannot load an assertion either. So it answers with what differs and leaves the verdict to the test.
 *
 * Keys come back again and again, so that merges have something to drop; every seventh write is a remove.
 *
 * @module
 */

import type { Tree } from "../../mod.ts";

const KEYS = 997;
const REMOVE_EVERY = 7;
const VALUE_CHARS = 60;
const TEXT = new TextDecoder();

function keyOf(number: number): string {
  return `key ${String(number * 7919 % KEYS).padStart(4, "0")}`;
}

function valueOf(number: number): string {
  return `value ${number} `.padEnd(VALUE_CHARS, "x");
}

/** Makes one write. */
export function writeNumber(tree: Pick<Tree, "insert" | "remove">, number: number): void {
  if (number % REMOVE_EVERY === 0) tree.remove(keyOf(number));
  else tree.insert(keyOf(number), valueOf(number));
}

/** Returns keys that a tree does not hold as so many writes, from 1 on, leave them; at most a few. */
export function differing(tree: Pick<Tree, "iter">, count: number): readonly string[] {
  const expected = new Map<string, string>();
  for (let number = 1; number <= count; number++) {
    if (number % REMOVE_EVERY === 0) expected.delete(keyOf(number));
    else expected.set(keyOf(number), valueOf(number));
  }
  const seen = new Map(tree.iter().map(([key, value]) => [TEXT.decode(key), TEXT.decode(value)]));
  const keys = new Set([...expected.keys(), ...seen.keys()]);
  return [...keys].filter((key) => seen.get(key) !== expected.get(key)).slice(0, 5);
}
