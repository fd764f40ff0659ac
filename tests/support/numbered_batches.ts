/**
 * Batches whose content follows from their number, so that what a tree must hold after n of them can be told without
 * having seen it.
 *
 * Each batch writes its number under three keys, at both ends of the order and in the middle: half a batch shows as
 * numbers that differ, wherever it was cut. Beside that it writes, overwrites and removes some of a few keys, and now and then
 * begins with a clear. Both the process that writes and the one that checks know this file and nothing of each other.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Batch, Tree } from "../../mod.ts";

const MARKS = ["!", "m", "~"];
const KEYS = 97;
/** What came before a clear need not be known. */
const CLEAR_EVERY = 251;
const TEXT = new TextDecoder();

/** One change of a batch. */
type Change = readonly [key: string, value: string | undefined];

function changesOf(number: number): readonly Change[] {
  const key = (salt: number): string => `data ${mixed(number, salt) % KEYS}`;
  const length = mixed(number, 4) % 40 === 0 ? 3_000 : mixed(number, 5) % 160;
  return [
    ...MARKS.map((mark) => [mark, String(number)] as const),
    [key(1), `${number} ${"x".repeat(length)}`],
    [key(2), `${number} ${"yz".repeat(length % 50)}`],
    [key(3), undefined],
  ];
}

function mixed(number: number, salt: number): number {
  let bits = Math.imul(number * 8 + salt, 0x9e3779b1) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 15), 0x85ebca6b) >>> 0;
  return (bits ^ (bits >>> 13)) >>> 0;
}

/** Fills a batch with what its number says. */
export function fillBatch(batch: Batch, number: number): Batch {
  if (number % CLEAR_EVERY === 0) batch.clear();
  for (const [key, value] of changesOf(number)) {
    if (value === undefined) batch.remove(key);
    else batch.insert(key, value);
  }
  return batch;
}

/** Returns what a tree holds after so many batches. */
function contentsAfter(number: number): ReadonlyMap<string, string> {
  const contents = new Map<string, string>();
  const first = Math.max(1, number - number % CLEAR_EVERY);
  for (let i = first; i <= number; i++) {
    for (const [key, value] of changesOf(i)) {
      if (value === undefined) contents.delete(key);
      else contents.set(key, value);
    }
  }
  return contents;
}

/** Returns how many batches a tree holds. */
export function batchesIn(tree: Pick<Tree, "get">): number {
  const mark = tree.get(MARKS[0]!);
  return mark === undefined ? 0 : Number(TEXT.decode(mark));
}

/** Checks that a tree holds the first batches, each as a whole, and nothing else, and returns how many. */
export function checkPrefix(tree: Pick<Tree, "get" | "iter">): number {
  const number = batchesIn(tree);
  const seen = new Map(tree.iter().map(([key, value]) => [TEXT.decode(key), TEXT.decode(value)]));
  for (const mark of number === 0 ? [] : MARKS) {
    assertEquals(seen.get(mark), String(number), `a part of batch ${number} is missing`);
  }
  const expected = contentsAfter(number);
  const other = [...seen.keys(), ...expected.keys()].filter((key) => seen.get(key) !== expected.get(key));
  assertEquals(other, [], `not what ${number} batches make`);
  return number;
}
