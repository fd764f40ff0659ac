/**
 * The whole tree against a sorted map: the same actions, the same answers.
 *
 * - *Model*: random lists of all that a user can do, with memtables and blocks so small that flushes, merges and moves
 *   happen all the time. That they do is counted.
 * - *Metamorphic*: how a tree is set up, and when it is flushed, compacted and reopened, cannot be seen in any answer.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { effort } from "../support/effort.ts";
import { answersAsAMap, compare, noCounts } from "../support/model_check.ts";
import type { Action, Upkeep, Variant } from "../support/tree_actions.ts";
import { action, upkeep, variant } from "../support/tree_actions.ts";
import type { Observation } from "../support/tree_session.ts";
import { Session } from "../support/tree_session.ts";
import type { Counts } from "../support/tree_worlds.ts";
import { treeWorld } from "../support/tree_worlds.ts";

const ACTIONS_MAX = 120;

Deno.test("whatever is done with a tree, it answers as a sorted map would", async () => {
  const counts = noCounts();
  const list = fc.array(action, { maxLength: ACTIONS_MAX, size: "max" });
  await fc.assert(
    fc.asyncProperty(variant, list, (first, list) => answersAsAMap(first, list, counts)),
    effort(150),
  );
  for (const [what, count] of Object.entries(counts)) assert(count > 50, `${count} ${what}`);
});

/** Runs a list of actions, with upkeep put in between, and returns all that could be seen. */
async function observe(
  actions: readonly Action[],
  setup: Variant,
  inserted: readonly (readonly [place: number, Upkeep])[],
  counts: Counts,
): Promise<readonly Observation[]> {
  const session = await Session.open(treeWorld(counts), setup);
  const seen: Observation[] = [];
  try {
    for (const [i, one] of actions.entries()) {
      for (const [place, extra] of inserted) {
        if (place % actions.length !== i || (extra.kind === "reopen" && session.holds)) continue;
        assertEquals(await session.perform(extra), extra.kind === "reopen" ? "ClosedError" : "");
      }
      seen.push(await session.perform(one));
    }
    seen.push(await session.end());
  } finally {
    await session.abandon();
  }
  return seen;
}

Deno.test("how a tree is set up, flushed, compacted and reopened cannot be seen in any answer", async () => {
  const counts = noCounts();
  const actions = fc.array(action, { minLength: 1, maxLength: ACTIONS_MAX, size: "max" });
  const inserted = fc.array(fc.tuple(fc.nat(ACTIONS_MAX), upkeep), { maxLength: 12, size: "max" });
  const setups = fc.array(fc.tuple(variant, inserted), { minLength: 3, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(actions, variant, setups, async (list, plain, others) => {
      const expected = await observe(list, plain, [], counts);
      for (const [setup, extra] of others) {
        const seen = await observe(list, setup, extra, counts);
        for (const [i, one] of seen.entries()) {
          compare(one, expected[i]!, JSON.stringify(list[i] ?? "the end"));
        }
      }
    }),
    effort(40),
  );
  assert(counts.flushes > 100 && counts.merges > 100 && counts.moves > 10, JSON.stringify(counts));
});
