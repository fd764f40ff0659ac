/**
 * A journal that a Worker cannot read: it was removed, cut off or damaged while its tree was open.
 *
 * What it held is still in memory, so the tree's thread flushes that itself and says so; nobody notices but who asks `stats()`. A
 * flush that took what the journal still gives would lose the rest for ever, since the journal goes with it.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { FileStorage, leveled, Tree } from "../../mod.ts";
import { differing, writeNumber } from "../support/numbered_writes.ts";
import { testWithFiles } from "../support/permissions.ts";
import { checkStore } from "../support/worker_children.ts";

const CONFIG = {
  maxMemtableSize: 256 * 1024,
  compactionStrategy: leveled({ l0Threshold: 100 }),
};
const WRITES = 300;

/** What can happen to a file. */
const DAMAGE: Readonly<Record<string, (path: string) => void>> = {
  "is removed": (path) => Deno.removeSync(path),
  "is cut off": (path) => Deno.truncateSync(path, Deno.statSync(path).size >> 1),
  "is emptied": (path) => Deno.truncateSync(path, 0),
  "is damaged at its beginning": (path) => flip(path, 20),
  "is damaged in the middle": (path) => flip(path, Deno.statSync(path).size >> 1),
  "may not be read": (path) => {
    Deno.removeSync(path);
    Deno.mkdirSync(path);
  },
};

function flip(path: string, at: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[at]! ^= 255;
  Deno.writeFileSync(path, bytes);
}

function write(tree: Tree, from: number): void {
  for (let number = from; number < from + WRITES; number++) writeNumber(tree, number);
}

/** The paths of the journals, oldest first. */
function journalsIn(folder: string): readonly string[] {
  const names = new FileStorage(folder).list().map(({ name }) => name);
  return names.filter((name) => name.startsWith("journal-")).sort().map((name) => `${folder}/${name}`);
}

/** Flushes a tree one of whose journals a Worker cannot read. */
async function flush(tree: Tree, count: number): Promise<void> {
  await tree.flushMemtable();
  const { background, flushes, lastError, memtables } = tree.stats();
  assertEquals([background.mode, flushes, lastError, memtables.sealed], ["worker", 1, undefined, 0]);
  assertMatch(background.reason, /^a memtable was flushed from memory: Cannot /);
  assertEquals(differing(tree, count), []);
}

for (const [what, damage] of Object.entries(DAMAGE)) {
  testWithFiles(`a memtable whose journal ${what} is flushed from memory`, async (folder) => {
    const tree = await Tree.open(folder, CONFIG);
    write(tree, 1);
    const journals = journalsIn(folder);
    assertEquals(journals.length, 1);
    damage(journals[0]!);
    await flush(tree, WRITES);
    // The next one has a journal of its own, which is as it should be.
    write(tree, WRITES + 1);
    await tree.flushMemtable();
    await tree.close();
    if (what === "may not be read") Deno.removeSync(journals[0]!);
    await checkStore(folder, 2 * WRITES);
  });
}

for (const i of [0, 1, 2]) {
  testWithFiles(
    `a memtable of three journals, of which one is damaged (${i}), is flushed from memory`,
    async (folder) => {
      for (let life = 0; life < 3; life++) {
        await using tree = await Tree.open(folder, { ...CONFIG, background: "inline" });
        write(tree, life * WRITES + 1);
      }
      const tree = await Tree.open(folder, CONFIG);
      const journals = journalsIn(folder);
      assertEquals([journals.length, tree.stats().memtables.sealed], [3, 1]);
      DAMAGE["is damaged in the middle"]!(journals[i]!);
      await flush(tree, 3 * WRITES);
      await tree.close();
      await checkStore(folder, 3 * WRITES);
    },
  );
}

testWithFiles("what is buffered of a journal is in its file before a Worker reads it", async (folder) => {
  const tree = await Tree.open(folder, { ...CONFIG, durability: "buffered", fsyncInterval: null });
  write(tree, 1);
  await tree.flushMemtable();
  const { background, flushes } = tree.stats();
  assertEquals([background, flushes], [{ ...background, mode: "worker", reason: "" }, 1]);
  await tree.close();
  await checkStore(folder, WRITES);
});

testWithFiles("with every journal gone the tree goes on, and what was flushed is there", async (folder) => {
  const tree = await Tree.open(folder, CONFIG);
  for (let round = 0; round < 4; round++) {
    write(tree, round * WRITES + 1);
    for (const path of journalsIn(folder)) Deno.removeSync(path);
    await tree.flushMemtable();
  }
  assert(tree.stats().background.reason !== "");
  assertEquals(differing(tree, 4 * WRITES), []);
  await tree.compact();
  await tree.close();
  await checkStore(folder, 4 * WRITES);
});
