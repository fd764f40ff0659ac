/**
 * What must be true of a tree that comes back after a crash, whatever the crash left.
 *
 * ```text
 * storage as the crash left it
 *   -> open read-only   shows the same, and changes nothing
 *   -> open        must not fail; holds what it held after some number of commits, at least all that were durable
 *      -> power cut before any change that opening made: the same must be true again
 *      -> power cut right after opening: exactly the same contents
 *   -> write, read, flush, power cut: all of it is there
 *   -> close, open: nothing else is
 *   -> verify: every byte is right
 * ```
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Config } from "@lsm/tree";
import { NotFoundError, Tree, verify } from "@lsm/tree";
import type { SimulatedStorage } from "@lsm/tree/testing";
import type { SeededRandom } from "../../io/simulated_choices.ts";
import type { Recording, Workload } from "./workloads.ts";
import { assertHeld, beforeEachChange, configFor, contentsOf, tinyConfig } from "./workloads.ts";

/** How many commits may have survived. */
export interface Survivors {
  /** At least so many if the process died only. */
  readonly least: number;
  /** At least so many if the power is cut now. */
  readonly leastAfterCut: number;
  /** At most so many. */
  readonly most: number;
}

/** How thoroughly to look. */
export interface Effort {
  /** How many crashes may follow one another within recoveries. */
  readonly depth: number;
  /** At how many stops of a recovery the power is cut. */
  readonly stops: number;
  /** How many outcomes of each are tried. */
  readonly outcomes: number;
}

/** Of so many trees that came back one is also written to, crashed, closed and opened. */
const GOING_ON_SHARE = 4;

/** Of so many storages one is also opened read-only before. */
const READ_ONLY_SHARE = 6;

/** How often things happened. */
export interface CrashCounts {
  /** Trees that were opened after a crash. */
  opened: number;
  /** Those of them that were opened after a crash of an opening. */
  nested: number;
  /** Openings that dropped something. */
  dropped: number;
  /** Openings that replayed batches. */
  replayed: number;
  /** Openings that found less than had been begun. */
  shorter: number;
}

/** Returns counts of nothing. */
export function noCounts(): CrashCounts {
  return { opened: 0, nested: 0, dropped: 0, replayed: 0, shorter: 0 };
}

/** Checks that a tree comes back. Uses up the storage. */
export async function checkRecovery(
  { contents, workload }: Recording,
  storage: SimulatedStorage,
  survivors: Survivors,
  effort: Effort,
  random: SeededRandom,
  counts: CrashCounts,
): Promise<void> {
  const config: Config = {
    ...configFor(workload),
    maxMemtableSize: random.below(4) === 0 ? 1024 : undefined,
  };
  const shown = random.below(READ_ONLY_SHARE) === 0 ? await shownReadOnly(storage.kill()) : undefined;
  const stops: SimulatedStorage[] = [];
  if (effort.depth > 0) beforeEachChange(storage, () => stops.push(storage.kill()));
  const tree = await Tree.open("data", tinyConfig(storage, config));
  const { written, durable } = tree.stats().batches;
  counts.opened += 1;
  if (tree.recovery.dropped !== undefined) counts.dropped += 1;
  if (tree.recovery.batches > 0) counts.replayed += 1;
  if (written < survivors.most) counts.shorter += 1;
  const { least, leastAfterCut, most } = survivors;
  assert(least <= written && written <= most, `${written} commits survived, not ${least} to ${most}`);
  assertEquals(durable, written, "what was recovered is durable");
  const held = contentsOf(tree);
  assertHeld(held, contents[written]!, workload, `not what the tree held after ${written} commits`);
  if (shown !== undefined) {
    assertHeld(shown, contents[written]!, workload, "a read-only handle shows something else");
  }
  checkReads(tree, held);
  if (effort.depth > 0) {
    const after = { least: written, leastAfterCut: written, most: written };
    const during = { least: leastAfterCut, leastAfterCut, most };
    const shallower = { ...effort, depth: effort.depth - 1 };
    for (let tries = effort.stops; tries > 0 && stops.length > 0; tries--) {
      const [stop] = stops.splice(random.below(stops.length), 1);
      for (const crashed of stop!.crashes(effort.outcomes)) {
        counts.nested += 1;
        await checkRecovery({ contents, workload } as Recording, crashed, during, shallower, random, counts);
      }
    }
    for (const crashed of storage.crashes(effort.outcomes)) {
      counts.nested += 1;
      await checkRecovery({ contents, workload } as Recording, crashed, after, shallower, random, counts);
    }
  }
  if (random.below(GOING_ON_SHARE) === 0) {
    await checkGoingOn(tree, storage, workload, held, config);
  } else await tree.close();
  await assertSound(storage);
}

/** Checks every byte of a tree. */
async function assertSound(storage: SimulatedStorage): Promise<void> {
  const { ok, problems } = await verify("data", { storage });
  assert(ok, `${problems}`);
}

/** Returns what a read-only handle shows of a storage, which it does not change. */
async function shownReadOnly(storage: SimulatedStorage): Promise<string> {
  const before = storage.files();
  let contents = "";
  try {
    const tree = await Tree.open("data", tinyConfig(storage, { readOnly: true }));
    contents = contentsOf(tree);
    await tree.close();
    await assertSound(storage); // a crash damages nothing
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error; // the tree was not made yet
  }
  assertEquals(storage.files(), before, "a read-only handle changed something");
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
  return contents;
}

/** Looks at what a tree holds in the other ways there are: by key, and from the back. */
function checkReads(tree: Tree, contents: string): void {
  const text = new TextDecoder();
  const entries = contents === "" ? [] : contents.split("\n");
  for (const entry of entries) {
    const at = entry.indexOf("=");
    const value = tree.get(entry.slice(0, at));
    assertEquals(value && text.decode(value), entry.slice(at + 1), "a key has another value than in a scan");
  }
  assertEquals(tree.get("absent"), undefined);
  assertEquals(tree.iter().rev().toArray().length, entries.length, "a scan from the back differs");
}

/** Writes, and sees that it is there after a power cut and after an orderly close. */
async function checkGoingOn(
  tree: Tree,
  storage: SimulatedStorage,
  workload: Workload,
  contents: string,
  config: Config,
): Promise<void> {
  const added = `~=${Number.MAX_SAFE_INTEGER}`;
  const grown = contents === "" ? added : `${contents}\n${added}`;
  tree.insert("~", `${Number.MAX_SAFE_INTEGER}`);
  assertHeld(contentsOf(tree), grown, workload);
  await tree.flush();
  await checkHolds(storage.crash(), workload, grown, config);
  await tree.close();
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
  const again = await checkHolds(storage, workload, grown, config);
  assertEquals([again.cleanClose, again.dropped], [true, undefined]);
}

async function checkHolds(
  storage: SimulatedStorage,
  workload: Workload,
  contents: string,
  config: Config,
): Promise<Tree["recovery"]> {
  const tree = await Tree.open("data", tinyConfig(storage, config));
  assertHeld(contentsOf(tree), contents, workload);
  await tree.close();
  return tree.recovery;
}
