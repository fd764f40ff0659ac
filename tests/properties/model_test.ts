/**
 * The whole tree against a sorted map: the same actions, the same answers.
 *
 * - *Model*: random lists of all that a user can do, with memtables and blocks so small that flushes, merges and moves
 *   happen all the time. That they do is counted.
 * - *Metamorphic*: how a tree is set up, and when it is flushed, compacted and reopened, cannot be seen in any answer.
 * - *Transfers*: batches that move money between accounts keep its sum in everything that reads one moment.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MemoryStorage, Tree } from "../../mod.ts";
import { effort } from "../support/effort.ts";
import type { Action, Upkeep, Variant } from "../support/tree_actions.ts";
import { action, upkeep, variant } from "../support/tree_actions.ts";
import type { Observation } from "../support/tree_session.ts";
import { Session } from "../support/tree_session.ts";
import type { Counts } from "../support/tree_worlds.ts";
import { configOf, modelWorld, treeWorld } from "../support/tree_worlds.ts";

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

const ACCOUNTS = 8;
const MONEY = 1_000;

type Transfer = readonly [from: number, to: number, part: number, then: "" | "hold" | Upkeep];

const transfer: fc.Arbitrary<Transfer> = fc.tuple(
  fc.nat(ACCOUNTS - 1),
  fc.nat(ACCOUNTS - 1),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.oneof(
    { weight: 6, arbitrary: fc.constant("" as const) },
    { weight: 2, arbitrary: fc.constant("hold" as const) },
    { weight: 1, arbitrary: upkeep },
  ),
);

Deno.test("transfers between accounts keep the sum in every snapshot and every open range", async () => {
  let flushes = 0;
  await fc.assert(
    fc.asyncProperty(
      variant,
      fc.array(transfer, { maxLength: 150, size: "max" }),
      async (setup, transfers) => {
        const storage = new MemoryStorage();
        let tree = await Tree.open("bank", { ...configOf(setup), storage });
        try {
          const first = tree.batch();
          for (let i = 0; i < ACCOUNTS; i++) first.insert(`account ${i}`, balanceOf(MONEY));
          first.commit();
          const held: (() => Iterable<Uint8Array>)[] = [];
          for (const [from, to, part, then] of transfers) {
            move(tree, `account ${from}`, `account ${to}`, part);
            if (then === "hold") {
              const snapshot = tree.snapshot();
              const range = tree.prefix("account ").values();
              held.push(() => snapshot.prefix("account ").values(), () => range);
            } else if (then !== "" && then.kind !== "reopen") await tree[then.kind]();
            else if (then !== "") {
              for (const values of held.splice(0)) assertEquals(sum(values()), ACCOUNTS * MONEY);
              flushes += tree.stats().flushes;
              await tree.close();
              tree = await Tree.open("bank", { ...configOf(then.variant), storage });
            }
            assertEquals(sum(tree.prefix("account ").values()), ACCOUNTS * MONEY);
          }
          for (const values of held) assertEquals(sum(values()), ACCOUNTS * MONEY);
          flushes += tree.stats().flushes;
        } finally {
          await tree.close();
        }
      },
    ),
    effort(40),
  );
  assert(flushes > 100, `${flushes} flushes`);
});

/** Moves a part of what one account has to another, in one batch. */
function move(tree: Tree, from: string, to: string, part: number): void {
  const amount = Math.floor(moneyIn(tree.get(from)!) * part);
  const batch = tree.batch().insert(from, balanceOf(moneyIn(tree.get(from)!) - amount));
  const before = from === to ? moneyIn(tree.get(from)!) - amount : moneyIn(tree.get(to)!);
  batch.insert(to, balanceOf(before + amount)).commit();
}

/** Money with enough wrapping to fill a memtable of 1 KiB in a few transfers. */
function balanceOf(money: number): string {
  return `${money} ${"-".repeat(100 + money % 50)}`;
}

function moneyIn(value: Uint8Array): number {
  return Number(new TextDecoder().decode(value).split(" ")[0]);
}

function sum(values: Iterable<Uint8Array>): number {
  let total = 0;
  for (const value of values) total += moneyIn(value);
  return total;
}
