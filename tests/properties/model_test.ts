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
import type { Action, Upkeep, Variant } from "../support/tree_actions.ts";
import { action, upkeep, variant } from "../support/tree_actions.ts";
import type { Observation } from "../support/tree_session.ts";
import { Session } from "../support/tree_session.ts";
import type { Counts } from "../support/tree_worlds.ts";
import { modelWorld, treeWorld } from "../support/tree_worlds.ts";

const ACTIONS_MAX = 120;

function noCounts(): Counts {
  return { flushes: 0, merges: 0, moves: 0, clears: 0, reopenings: 0, pinned: 0 };
}

/** One action on both, which must look the same. */
class ActionCommand implements fc.AsyncCommand<Session, Session> {
  readonly #action: Action;
  readonly #counts: Counts;

  constructor(given: Action, counts: Counts) {
    this.#action = given;
    this.#counts = counts;
  }

  check(): boolean {
    return true;
  }

  async run(model: Session, real: Session): Promise<void> {
    const expected = await model.perform(this.#action);
    compare(await real.perform(this.#action), expected, this.toString());
    if (this.#action.kind === "clear") this.#counts.clears += 1;
    if (this.#action.kind === "reopen") this.#counts.reopenings += 1;
  }

  toString(): string {
    return JSON.stringify(this.#action);
  }
}

/** A difference is shown from where it begins: observations may be long. */
function compare(seen: Observation, expected: Observation, what: string): void {
  if (seen === expected) return;
  let at = 0;
  while (seen[at] === expected[at]) at += 1;
  const around = (text: string) => text.slice(Math.max(0, at - 60), at + 120);
  throw new Error(`${what}\n  expected ... ${around(expected)}\n  but saw  ... ${around(seen)}`);
}

Deno.test("whatever is done with a tree, it answers as a sorted map would", async () => {
  const counts = noCounts();
  const command = action.map((given) => new ActionCommand(given, counts));
  const commands = fc.commands([command], { maxCommands: ACTIONS_MAX, size: "max" });
  await fc.assert(
    fc.asyncProperty(variant, commands, async (first, list) => {
      const model = await Session.open(modelWorld(), first);
      const real = await Session.open(treeWorld(counts), first);
      try {
        await fc.asyncModelRun(() => ({ model, real }), list);
        compare(await real.end(), await model.end(), "the end");
      } finally {
        await real.abandon();
      }
    }),
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
