/**
 * A process that writes is killed at any moment, again and again, on one folder.
 *
 * After each kill the folder opens, everything that was acknowledged is there, no batch is there in part, and what is there
 * is exactly the first so many batches. The writer (`kill_child.ts`) opens, flushes, merges and replaces manifests all
 * the time, so the moments of the kills fall into all of it. Half of the time the next writer finds the folder as
 * the kill left it, half of the time as an orderly close did.
 */

import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { SeededRandom } from "../../io/simulated_choices.ts";
import { FileStorage, Tree, verify } from "../../mod.ts";
import { Child, childCommand } from "../support/children.ts";
import { scaled, SEED, tried } from "../support/effort.ts";
import { checkPrefix } from "../support/numbered_batches.ts";
import { testWithProcesses } from "../support/permissions.ts";
import { namesOfTree } from "../support/tree_worlds.ts";

const CHILD = new URL("./kill_child.ts", import.meta.url);

/** For each durability. Two hundred take some ninety seconds, and are worth it after a change of what is on disk. */
const KILLS = scaled(4);
/** From the moment that the child begins to open. */
const LIFE_MILLISECONDS_MAX = 250;

const RANDOM = new SeededRandom(SEED);

/** What is known of the folder. */
interface Known {
  /** The last batch that was acknowledged. */
  acknowledged: number;
  /** How many kills met a child that had not opened the tree yet. */
  whileOpening: number;
  /** How many left something to replay, something torn, and files of no use. */
  replayed: number;
  torn: number;
  orphans: number;
}

for (const durability of ["os", "sync", "buffered"]) {
  testWithProcesses(
    `what was acknowledged under "${durability}" survives SIGKILL at any moment`,
    async (folder) => {
      const known: Known = { acknowledged: 0, whileOpening: 0, replayed: 0, torn: 0, orphans: 0 };
      for (let kill = 0; kill < KILLS; kill++) {
        const before = known.acknowledged;
        await killOnce(folder, durability, known);
        const found = await look(folder);
        assertGreaterOrEqual(
          found,
          known.acknowledged,
          `what was acknowledged is missing, after kill ${kill}`,
        );
        known.acknowledged = found;
        if (kill % 2 === 1) await reopen(folder, found, known);
        else assertGreaterOrEqual(found, before);
      }
      await reopen(folder, known.acknowledged, known);
      assert(known.acknowledged > KILLS, `${known.acknowledged} batches`);
      tried(KILLS, "kills of a process on real files");
    },
  );
}

async function killOnce(folder: string, durability: string, known: Known): Promise<void> {
  await using child = new Child(childCommand(CHILD, ["write", folder, durability]));
  assertEquals(await child.line(), "opening");
  await new Promise((resolve) => setTimeout(resolve, RANDOM.below(LIFE_MILLISECONDS_MAX)));
  const said = await child.kill();
  if (said.length === 0) known.whileOpening += 1;
  else {
    const found = Number(/^open (\d+)$/.exec(said[0]!)?.[1]);
    assertGreaterOrEqual(found, known.acknowledged, "the child did not find what was acknowledged");
    known.acknowledged = Math.max(known.acknowledged, found, Number(said.length > 1 ? said.at(-1) : 0));
  }
}

/** Looks without changing anything. */
async function look(folder: string): Promise<number> {
  if (!exists(`${folder}/CURRENT`)) return 0;
  await using tree = await Tree.open(folder, { readOnly: true });
  return checkPrefix(tree);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Recovers, and closes in order. */
async function reopen(folder: string, batches: number, known: Known): Promise<void> {
  const tree = await Tree.open(folder, { background: "inline" });
  if (tree.recovery.batches > 0) known.replayed += 1;
  if (tree.recovery.dropped !== undefined) known.torn += 1;
  if (tree.recovery.orphans > 0) known.orphans += 1;
  assertEquals(checkPrefix(tree), batches, "a writer finds something else than a reader");
  await tree.close();
  assertEquals((await verify(folder)).problems, []);
  const storage = new FileStorage(folder);
  assertEquals(storage.list().map(({ name }) => name).sort(), namesOfTree(storage));
}
