/**
 * A point-in-time recovery that is crashed anywhere can be done again, and ends the same.
 *
 * What went wrong: journals are renamed before the decision to give them up is written down. After a crash in between they
 * were missing, and the tree could not be opened in any mode.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { RecoveryMode } from "@lsm/tree";
import { JournalRecoveryError, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { beforeEachChange, contentsOf } from "../support/workloads.ts";

function open(storage: SimulatedStorage, recoveryMode: RecoveryMode): Promise<Tree> {
  return Tree.open("data", { storage, recoveryMode, maxMemtableSize: 8192, fsyncInterval: null });
}

/** A journal of a process that was killed, damaged at its second batch; the third knows that to be durable. */
async function damagedAndKilled(): Promise<SimulatedStorage> {
  const storage = new SimulatedStorage();
  const tree = await open(storage, "tolerate-tail");
  for (const key of ["a", "b"]) tree.insert(key, "1");
  await tree.flush();
  tree.insert("c", "1");
  await tree.flush();
  const killed = storage.kill();
  await tree.close();
  const journal = [...killed.files().keys()].find((name) => name.startsWith("journal"))!;
  killed.flip(journal, 70, 1);
  return killed;
}

/** Three journals that the manifest lists, the second of which is damaged at its second batch. */
async function damaged(): Promise<SimulatedStorage> {
  const storage = new SimulatedStorage();
  for (let round = 0; round < 3; round++) {
    const tree = await open(storage, "tolerate-tail");
    for (const key of ["a", "b"]) tree.insert(`${key}${round}`, "1");
    await tree.close();
  }
  const journals = [...storage.files().keys()].filter((name) => name.startsWith("journal")).sort();
  assertEquals(journals.length, 3);
  storage.flip(journals[1]!, 70, 1);
  return storage;
}

Deno.test("a point-in-time recovery that is crashed anywhere can be done again", async () => {
  const storage = await damaged();
  await assertRejects(() => open(storage, "tolerate-tail"), JournalRecoveryError);
  const stops: SimulatedStorage[] = [];
  beforeEachChange(storage, () => stops.push(storage.kill()));
  const tree = await open(storage, "point-in-time");
  const contents = contentsOf(tree);
  assertEquals(contents, "a0=1\na1=1\nb0=1");
  await tree.close();
  const setAside = (files: SimulatedStorage): number =>
    files.list().filter(({ name }) => name.startsWith("lost-journal")).length;
  assertEquals(setAside(storage), 1);
  let half = 0;
  for (const stop of stops) {
    for (const crashed of [stop, ...stop.crashes(8)]) {
      if (setAside(crashed) > 0) half += 1;
      const again = await open(crashed, "point-in-time");
      assertEquals([contentsOf(again), setAside(crashed)], [contents, 1]);
      await again.close();
    }
  }
  assert(half > 0, "it was never crashed between the rename and the decision");
});

Deno.test("what a point-in-time recovery keeps of a journal that it sets aside is durable before", async () => {
  const storage = await damagedAndKilled();
  await assertRejects(() => open(storage, "tolerate-tail"), JournalRecoveryError);
  const stops: SimulatedStorage[] = [];
  beforeEachChange(storage, () => stops.push(storage.kill()));
  await (await open(storage, "point-in-time")).close();
  let half = 0;
  for (const stop of stops) {
    for (const crashed of stop.crashes(60)) {
      const names = crashed.list().map(({ name }) => name);
      if (names.some((name) => name.startsWith("lost-journal"))) half += 1;
      await using again = await open(crashed, "point-in-time");
      assertEquals(contentsOf(again), "a=1");
    }
  }
  assert(half > 0, "it was never crashed behind the rename");
});
