/**
 * What is open and what runs after a tree was closed, or could not be opened: as much as before.
 *
 * Every test of files is looked at for descriptors in its folder (`support/permissions.ts`). Here all descriptors and
 * threads of the process are counted, over many rounds of everything that can go well or wrong.
 */

import { assertEquals, assertRejects } from "@std/assert";
import { LockedError, Tree, TreeError } from "../../mod.ts";
import { checkPrefix, fillBatch } from "../support/numbered_batches.ts";
import { testWithFiles } from "../support/permissions.ts";

const ROUNDS = 12;
/** Whether the operating system shows, and Deno lets us see, what this process has open. */
const SEES_PROCESS = Deno.build.os === "linux" &&
  Deno.permissions.querySync({ name: "read", path: "/proc/self/fd" }).state === "granted";

/** How many descriptors and threads this process has. */
function countsOf(): readonly number[] {
  return ["fd", "task"].map((what) => [...Deno.readDirSync(`/proc/self/${what}`)].length);
}

/** All that can go well. */
async function goWell(folder: string): Promise<void> {
  const tree = await Tree.open(folder, { background: "inline", maxMemtableSize: 1024, maxOpenFiles: 2 });
  for (let number = 1; number <= 20; number++) fillBatch(tree.batch(), number).commit();
  const forgotten = [tree.snapshot(), tree.iter(), tree.prefix("data")];
  await Promise.all([tree.flush(), tree.compact(), tree.flushMemtable()]);
  checkPrefix(tree);
  const reader = await Tree.open(folder, { readOnly: true });
  checkPrefix(reader);
  await assertRejects(() => Tree.open(folder), LockedError);
  tree.clear();
  const flushed = tree.flush();
  await tree.close();
  await flushed;
  await reader.close();
  assertEquals(forgotten.length, 3);
}

/** All that can keep a tree from being opened, by the name of a file that is not what it should be. */
async function goWrong(folder: string): Promise<void> {
  for (const { name } of [...Deno.readDirSync(folder)]) {
    if (name === "LOCK" || name === "READERS") continue;
    const bytes = Deno.readFileSync(`${folder}/${name}`);
    for (
      const damaged of [
        bytes.map((byte, i) => i === bytes.length >> 1 ? ~byte : byte),
        bytes.subarray(0, 5),
        undefined,
      ]
    ) {
      if (damaged === undefined) Deno.removeSync(`${folder}/${name}`);
      else Deno.writeFileSync(`${folder}/${name}`, damaged);
      for (const readOnly of [true, false]) {
        try {
          await using tree = await Tree.open(folder, { readOnly, background: "inline" });
          tree.len();
        } catch (error) {
          if (!(error instanceof TreeError)) throw error;
        }
      }
      Deno.writeFileSync(`${folder}/${name}`, bytes);
    }
  }
}

if (SEES_PROCESS) {
  testWithFiles(
    "after any number of lives a process has no more descriptors and threads than before",
    async (folder) => {
      const store = `${folder}/store`;
      for (let round = 0; round < 3; round++) await goWell(store);
      const before = countsOf();
      for (let round = 0; round < ROUNDS; round++) await goWell(store);
      assertEquals(countsOf(), before);
    },
  );

  testWithFiles("an open that fails leaves no descriptor and no lock", async (folder) => {
    const store = `${folder}/store`;
    const fresh = async (): Promise<void> => {
      await using tree = await Tree.open(store, { background: "inline" });
      for (let number = 1; number <= 20; number++) fillBatch(tree.batch(), number).commit();
      await tree.flushMemtable();
      fillBatch(tree.batch(), 21).commit();
    };
    await fresh();
    await goWrong(store);
    const before = countsOf();
    await goWrong(store);
    for (const config of [{ errorIfExists: true }, { blockSize: 1 }, { levelCount: 1 }]) {
      await assertRejects(() => Tree.open(store, config));
    }
    assertEquals(countsOf(), before);
    await using tree = await Tree.open(store, { background: "inline" });
    checkPrefix(tree);
  });
}
