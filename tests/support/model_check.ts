/**
 * What must be true of a tree: whatever is done with it, it answers as a sorted map would.
 *
 * Two sessions do the same actions, one on a real tree and one on a model (`tree_worlds.ts`); what a user could see of
 * each action is a text, and the texts are compared one by one, so that the first difference is named.
 *
 * @module
 */

import type { Action, Variant } from "./tree_actions.ts";
import type { Observation } from "./tree_session.ts";
import { Session } from "./tree_session.ts";
import type { Counts } from "./tree_worlds.ts";
import { modelWorld, treeWorld } from "./tree_worlds.ts";

/** Returns counts of nothing. */
export function noCounts(): Counts {
  return { flushes: 0, merges: 0, moves: 0, clears: 0, reopenings: 0, pinned: 0 };
}

/** Does actions to a tree and to a model, which must look the same after each. */
export async function answersAsAMap(first: Variant, list: readonly Action[], counts: Counts): Promise<void> {
  const model = await Session.open(modelWorld(), first);
  const real = await Session.open(treeWorld(counts), first);
  try {
    for (const one of list) {
      const expected = await model.perform(one);
      compare(await real.perform(one), expected, JSON.stringify(one));
      if (one.kind === "clear") counts.clears += 1;
      if (one.kind === "reopen") counts.reopenings += 1;
    }
    compare(await real.end(), await model.end(), "the end");
  } finally {
    await real.abandon();
  }
}

/** A difference is shown from where it begins: observations may be long. */
export function compare(seen: Observation, expected: Observation, what: string): void {
  if (seen === expected) return;
  let at = 0;
  while (seen[at] === expected[at]) at += 1;
  const around = (text: string) => text.slice(Math.max(0, at - 60), at + 120);
  throw new Error(`${what}\n  expected ... ${around(expected)}\n  but saw  ... ${around(seen)}`);
}
