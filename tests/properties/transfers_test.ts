/**
 * Money that is moved between accounts, batch by batch, is never more or less: in no snapshot, in no range that is open, and
 * after no crash.
 *
 * Half a batch would show, and a read that mixes two moments, without any model of what the tree should hold.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Config } from "../../mod.ts";
import { MemoryStorage, Tree } from "../../mod.ts";
import { SimulatedStorage } from "../../io/simulated_storage.ts";
import { effort, tried } from "../support/effort.ts";
import { PROFILES } from "../support/simulated.ts";
import type { Upkeep } from "../support/tree_actions.ts";
import { upkeep, variant } from "../support/tree_actions.ts";
import { configOf } from "../support/tree_worlds.ts";

const ACCOUNTS = 8;
const MONEY = 1_000;
/** The power is cut after so many transfers, again and again. */
const CRASH_EVERY = 7;

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
          payIn(tree);
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

Deno.test("transfers between accounts keep the sum after every crash", async () => {
  let crashes = 0;
  await fc.assert(
    fc.asyncProperty(
      variant,
      fc.array(transfer, { minLength: 10, maxLength: 60, size: "max" }),
      fc.constantFrom(...PROFILES),
      fc.nat(),
      async (setup, transfers, profile, seed) => {
        const storage = new SimulatedStorage({ seed, profile });
        const config: Config = { ...configOf(setup), storage, recoveryMode: "tolerate-tail" };
        const tree = await Tree.open("bank", config);
        payIn(tree);
        await tree.flush();
        for (const [i, [from, to, part, then]] of transfers.entries()) {
          move(tree, `account ${from}`, `account ${to}`, part);
          if (then === "hold") await tree.flush();
          else if (then !== "" && then.kind !== "reopen") await tree[then.kind]();
          if (i % CRASH_EVERY !== 0) continue;
          for (const crashed of [...storage.crashes(2), storage.kill()]) {
            crashes += 1;
            await using recovered = await Tree.open("bank", { ...config, storage: crashed });
            assertEquals(sum(recovered.prefix("account ").values()), ACCOUNTS * MONEY);
            move(recovered, `account ${to}`, `account ${from}`, part);
            assertEquals(sum(recovered.iter().values()), ACCOUNTS * MONEY);
          }
        }
        await tree.close();
      },
    ),
    effort(15),
  );
  assert(crashes > 100, `${crashes} crashes`);
  tried(crashes, "crashes");
});

/** Gives every account as much money. */
function payIn(tree: Tree): void {
  const first = tree.batch();
  for (let i = 0; i < ACCOUNTS; i++) first.insert(`account ${i}`, balanceOf(MONEY));
  first.commit();
}

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
