/**
 * One writer at a time: handles of one process, handles of several, and what a killed process leaves.
 *
 * The lock is the operating system's on an open file: it says nothing that `LOCK` is there, and nothing is left to
 * clean up behind a process that was killed.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { LockedError, Tree } from "../../mod.ts";
import { Child, childCommand, output } from "../support/children.ts";
import { batchesIn, fillBatch } from "../support/numbered_batches.ts";
import { testWithFiles, testWithProcesses } from "../support/permissions.ts";

const TREE_CHILD = new URL("./tree_child.ts", import.meta.url);
const KILL_CHILD = new URL("./kill_child.ts", import.meta.url);

async function answer(
  task: string,
  folder: string,
): Promise<{ readonly code?: string; readonly value?: unknown }> {
  return JSON.parse(await output(childCommand(TREE_CHILD, [task, folder])));
}

testWithFiles("a folder has one writer, by whatever name the others call it", async (folder) => {
  const store = `${folder}/store`;
  const first = await Tree.open(store);
  first.insert("a", "1");
  Deno.symlinkSync(store, `${folder}/link`);
  for (
    const name of [store, `${store}/`, `${folder}/./store`, `${folder}/link`, new URL(`file://${store}`)]
  ) {
    const error = await assertRejects(() => Tree.open(name), LockedError, "LOCK");
    assertEquals(error.code, "LOCKED");
  }
  await using reader = await Tree.open(store, { readOnly: true });
  assertEquals(reader.len(), 1);
  first.insert("b", "2");
  await first.flushMemtable();
  await first.close();
  await using second = await Tree.open(store);
  assertEquals(second.len(), 2);
});

testWithProcesses("a folder has one writer among processes too, and readers beside it", async (folder) => {
  const tree = await Tree.open(folder);
  fillBatch(tree.batch(), 1).commit();
  assertEquals((await answer("open", folder)).code, "LOCKED");
  assertEquals(await answer("read", folder), { value: 1 });
  fillBatch(tree.batch(), 2).commit();
  await tree.close();
  assertEquals(await answer("open", folder), { value: 2 });
});

testWithProcesses("the lock of a process that is killed is free at once", async (folder) => {
  for (let round = 1; round <= 2; round++) {
    await using child = new Child(childCommand(KILL_CHILD, ["once", folder, "os"]));
    assertEquals([await child.line(), await child.line()], ["opening", `open ${round - 1}`]);
    await child.line();
    await assertRejects(() => Tree.open(folder), LockedError);
    await child.kill();
    await using tree = await Tree.open(folder);
    assertEquals(batchesIn(tree), round);
  }
});

testWithProcesses("a reader in another process keeps files, until it is killed", async (folder) => {
  const tree = await Tree.open(folder, { background: "inline" });
  fillBatch(tree.batch(), 1).commit();
  await tree.flushMemtable();
  await using child = new Child(childCommand(TREE_CHILD, ["watch", folder]));
  assertEquals(await child.line(), "1");
  const segments = () =>
    [...Deno.readDirSync(folder)].filter(({ name }) => name.startsWith("segment-")).length;
  fillBatch(tree.batch(), 2).commit();
  await tree.compact();
  assertEquals([tree.segmentCount(), segments()], [1, 3]);
  await child.kill();
  fillBatch(tree.batch(), 3).commit();
  await tree.compact();
  assertEquals([tree.segmentCount(), segments()], [1, 1]);
  await tree.close();
});

testWithProcesses("processes that take turns lose no update", async (folder) => {
  const refusals = await Promise.all(
    Array.from({ length: 4 }, async () => Number(await output(childCommand(TREE_CHILD, ["count", folder])))),
  );
  await using tree = await Tree.open(folder);
  assertEquals(new TextDecoder().decode(tree.get("count")), "20");
  assert(refusals.every((count) => count >= 0));
});
