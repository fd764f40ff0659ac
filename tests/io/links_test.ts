/**
 * Links, folders and pipes in the place of a tree's files: never followed, opened, written or removed.
 *
 * Leave for a folder is leave for what its links lead to, as far as Deno is concerned. Whoever can make a link in the folder
 * must not be able to make the tree read, write or truncate a file elsewhere: it is refused, and goes on when
 * the link is gone.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { IoError, LockedError, Tree, TreeError } from "../../mod.ts";
import { output, succeeds } from "../support/children.ts";
import { checkPrefix, fillBatch } from "../support/numbered_batches.ts";
import { testWithFiles, testWithProcesses } from "../support/permissions.ts";

const BATCHES = 3;

/** Makes a tree that has a file of each kind, and returns their names. */
async function treeIn(store: string): Promise<readonly string[]> {
  const tree = await Tree.open(store, { background: "inline" });
  for (let number = 1; number <= BATCHES; number++) {
    fillBatch(tree.batch(), number).commit();
    if (number === 1) await tree.flushMemtable();
  }
  await tree.close();
  const names = [...Deno.readDirSync(store)].map(({ name }) => name).sort();
  const kinds = names.map((name) => name.split("-")[0]);
  assertEquals(new Set(kinds), new Set(["CURRENT", "LOCK", "READERS", "journal", "manifest", "segment"]));
  return names;
}

/** Opens, reads all there is and writes, as a user would. */
async function use(store: string, readOnly: boolean): Promise<number> {
  await using tree = await Tree.open(store, { readOnly, background: "inline" });
  const seen = checkPrefix(tree);
  if (!readOnly) {
    tree.insert("more", "");
    await tree.flushMemtable();
  }
  return seen;
}

function stampOf(path: string): string {
  const { size, mtime, ino, mode } = Deno.statSync(path);
  return `${Deno.readFileSync(path).join()} ${size} ${mtime?.toISOString()} ${ino} ${mode}`;
}

testWithFiles(
  "a file that was replaced by a link is refused, and what the link leads to is untouched",
  async (folder) => {
    const store = `${folder}/store`;
    for (const name of await treeIn(store)) {
      const outside = `${folder}/outside`;
      Deno.renameSync(`${store}/${name}`, outside);
      Deno.symlinkSync(outside, `${store}/${name}`);
      const before = stampOf(outside);
      for (const readOnly of [false, true]) {
        // A reader takes no lock of the writer's.
        if (readOnly && name === "LOCK") continue;
        const error = await assertRejects(() => use(store, readOnly), TreeError, "", name);
        assert(!(error instanceof LockedError), name);
      }
      assertEquals(stampOf(outside), before, name);
      assert(Deno.lstatSync(`${store}/${name}`).isSymlink, name);
      Deno.renameSync(outside, `${store}/${name}`);
      assertEquals(await use(store, true), BATCHES, `${name} is back`);
    }
  },
);

testWithFiles(
  "links in the place of the next files are not followed, and it goes on when they are gone",
  async (folder) => {
    const store = `${folder}/store`;
    const outside = `${folder}/outside`;
    await treeIn(store);
    let batches = BATCHES;
    for (const isDangling of [true, false]) {
      const tree = await Tree.open(store, { background: "inline" });
      if (!isDangling) Deno.writeTextFileSync(outside, "mine");
      batches += 1;
      fillBatch(tree.batch(), batches).commit();
      const links = nextNames().map((name) => `${store}/${name}`).filter((path) => linked(outside, path));
      await assertRejects(() => tree.flushMemtable(), IoError);
      assertThrows(() => fillBatch(tree.batch(), batches + 1).commit(), IoError);
      assertEquals(checkPrefix(tree), batches);
      if (isDangling) assertThrows(() => Deno.lstatSync(outside), Deno.errors.NotFound);
      else assertEquals(Deno.readTextFileSync(outside), "mine");
      for (const path of links) {
        assert(Deno.lstatSync(path).isSymlink, path);
        Deno.removeSync(path);
      }
      batches += 1;
      fillBatch(tree.batch(), batches).commit();
      await tree.flushMemtable();
      assertEquals(checkPrefix(tree), batches);
      await tree.close();
    }
  },
);

/** All names that the tree may give a file next. */
function nextNames(): readonly string[] {
  const ids = Array.from({ length: 40 }, (_, i) => String(i + 1).padStart(6, "0"));
  return ["journal", "segment", "manifest"].flatMap((kind) => ids.map((id) => `${kind}-${id}`)).concat(
    "CURRENT.tmp",
  );
}

/** Makes a link unless the name is taken. */
function linked(to: string, path: string): boolean {
  try {
    Deno.symlinkSync(to, path);
    return true;
  } catch (error) {
    assertInstanceOf(error, Deno.errors.AlreadyExists);
    return false;
  }
}

testWithFiles("a folder in the place of a file is refused and stays, an empty one too", async (folder) => {
  const store = `${folder}/store`;
  for (const name of await treeIn(store)) {
    Deno.renameSync(`${store}/${name}`, `${folder}/aside`);
    Deno.mkdirSync(`${store}/${name}`);
    await assertRejects(() => use(store, false), TreeError, "", name);
    Deno.removeSync(`${store}/${name}`);
    Deno.renameSync(`${folder}/aside`, `${store}/${name}`);
  }
  Deno.mkdirSync(`${store}/segment-009999`);
  Deno.mkdirSync(`${store}/journal-009999`);
  assertEquals(await use(store, true), BATCHES);
  await use(store, false);
  assert(Deno.lstatSync(`${store}/segment-009999`).isDirectory);
  assert(Deno.lstatSync(`${store}/journal-009999`).isDirectory);
});

testWithProcesses("a pipe in the place of a file does not hold the opening up", async (folder) => {
  const store = `${folder}/store`;
  const names = await treeIn(store);
  if (!await succeeds(["mkfifo", `${folder}/pipe`])) return;
  for (const name of names) {
    Deno.renameSync(`${store}/${name}`, `${folder}/aside`);
    await output(["mkfifo", `${store}/${name}`]);
    await assertRejects(() => use(store, false), TreeError, "", name);
    if (name !== "LOCK") await assertRejects(() => use(store, true), TreeError, "", name);
    Deno.renameSync(`${folder}/aside`, `${store}/${name}`);
  }
  assertEquals(await use(store, true), BATCHES);
});
