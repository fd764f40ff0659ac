/**
 * Entries: one key, occupied or vacant, and what can be done about it.
 *
 * `kind` tells what was found when the entry was asked for; each action decides on the tree's state at the moment of
 * the action. What callbacks may not do is in `tree_test.ts`.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { OccupiedEntry, Tree, TreeEntry, VacantEntry } from "@lsm/tree";
import { numbered, text, texts, treeOf, utf8, withSegments } from "../support/trees.ts";

function occupied(tree: Tree, key: string): OccupiedEntry {
  const entry = tree.entry(key);
  assert(entry.kind === "occupied");
  return entry;
}

function vacant(tree: Tree, key: string): VacantEntry {
  const entry = tree.entry(key);
  assert(entry.kind === "vacant");
  return entry;
}

Deno.test("kind tells an occupied entry from a vacant one", async () => {
  await using tree = await treeOf(["a"]);
  const kinds = (key: string): string => {
    const entry: TreeEntry = tree.entry(key);
    switch (entry.kind) {
      case "occupied":
        return `${entry.kind} ${text(entry.get())}`;
      case "vacant":
        return `${entry.kind} ${text(entry.insert("new"))}`;
    }
  };
  assertEquals([kinds("a"), kinds("b"), kinds("b")], ["occupied a", "vacant new", "occupied new"]);
  assertEquals(tree.entry("a").key, utf8("a"));
  assertEquals(tree.entry(utf8("é")).key, utf8("é"));
});

Deno.test("counting words, as the seed's users do", async () => {
  await using tree = await treeOf([]);
  const count = (old: Uint8Array) => String(Number(text(old)) + 1);
  for (const word of "to be or not to be that is".split(" ")) tree.entry(word).andUpdate(count).orInsert("1");
  assertEquals(texts(tree), ["be=2", "is=1", "not=1", "or=1", "that=1", "to=2"]);
});

Deno.test("orInsert and its like write where nothing is, and return what is there then", async () => {
  await using tree = await treeOf(["a"]);
  let calls = 0;
  const value = () => `${++calls}`;
  assertEquals(text(tree.entry("a").orInsert("other")), "a");
  assertEquals(text(tree.entry("a").orInsertWith(value)), "a");
  assertEquals(text(tree.entry("a").orInsertWithKey(value)), "a");
  assertEquals(calls, 0);
  assertEquals(text(tree.entry("b").orInsert("B")), "B");
  assertEquals(text(tree.entry("c").orInsertWith(value)), "1");
  assertEquals(text(tree.entry("d").orInsertWithKey((key) => `${text(key)}!`)), "d!");
  assertEquals(tree.entry("e").orInsert(""), new Uint8Array(0));
  assertEquals(texts(tree), ["a=a", "b=B", "c=1", "d=d!", "e="]);
});

Deno.test("andUpdate changes what is there, leaves alone what is not, and returns the entry as it is then", async () => {
  await using tree = await treeOf(["a"]);
  const twice = (old: Uint8Array) => text(old) + text(old);
  const updated = tree.entry("a").andUpdate(twice);
  assertEquals([updated.kind, text(updated.key), text(tree.get("a"))], ["occupied", "a", "aa"]);
  assertEquals(text(updated.andUpdate(twice).orInsert("x")), "aaaa");
  const absent = tree.entry("b").andUpdate(twice);
  assertEquals([absent.kind, tree.containsKey("b")], ["vacant", false]);
});

Deno.test("an occupied entry is read, updated and removed", async () => {
  await withSegments(numbered(30), (tree) => {
    const entry = occupied(tree, "key03");
    assertEquals(text(entry.get()), "key03".padEnd(100, "."));
    assertEquals(entry.update("new"), undefined);
    assertEquals([text(entry.get()), text(tree.get("key03"))], ["new", "new"]);
    assertEquals(text(entry.remove()), "new");
    assertEquals([tree.containsKey("key03"), tree.len()], [false, 29]);
  });
});

Deno.test("insert of a vacant entry returns what it wrote", async () => {
  await using tree = await treeOf([]);
  const bytes = utf8("value");
  const inserted = vacant(tree, "a").insert(bytes);
  assertEquals(inserted, bytes);
  bytes.fill(0);
  inserted.fill(1);
  assertEquals(texts(tree), ["a=value"]);
});

Deno.test("get and remove answer undefined if the key has gone meanwhile", async () => {
  await using tree = await treeOf(["a"]);
  const entry = occupied(tree, "a");
  tree.remove("a");
  assertEquals([entry.kind, entry.get(), entry.remove()], ["occupied", undefined, undefined]);
  tree.insert("a", "again");
  assertEquals(text(entry.get()), "again");
  tree.clear();
  assertEquals(entry.get(), undefined);
});

Deno.test("update and insert write whatever is there now", async () => {
  await using tree = await treeOf(["a"]);
  const [a, b] = [occupied(tree, "a"), vacant(tree, "b")];
  tree.remove("a");
  tree.insert("b", "meanwhile");
  a.update("1");
  assertEquals(text(b.insert("2")), "2");
  assertEquals(texts(tree), ["a=1", "b=2"]);
});

Deno.test("orInsert and andUpdate look again", async () => {
  await using tree = await treeOf(["a"]);
  const [a, b] = [tree.entry("a"), tree.entry("b")];
  tree.remove("a");
  tree.insert("b", "meanwhile");
  assertEquals(text(a.orInsert("new")), "new");
  assertEquals(text(b.orInsert("new")), "meanwhile");
  assertEquals(text(b.orInsertWith(() => "new")), "meanwhile");
  assertEquals(text(b.orInsertWithKey(() => "new")), "meanwhile");
  assertEquals(b.andUpdate((old) => `${text(old)}!`).kind, "occupied");
  tree.remove("a");
  assertEquals(a.andUpdate(() => "never").kind, "vacant");
  assertEquals(texts(tree), ["b=meanwhile!"]);
});

Deno.test("an entry keeps its key, whatever happens to the bytes it was asked with", async () => {
  await using tree = await treeOf([]);
  const key = utf8("key");
  const entry = tree.entry(key);
  key.fill(0);
  entry.key.fill(1);
  entry.orInsertWithKey((given) => {
    given.fill(2);
    return "value";
  });
  assertEquals([texts(tree), text(entry.key)], [["key=value"], "key"]);
});

Deno.test("what a callback is given is its own", async () => {
  await using tree = await treeOf(["a"]);
  const spoil = (old: Uint8Array | undefined): string => {
    old?.fill(0);
    return "new";
  };
  assertEquals(text(tree.fetchUpdate("a", spoil)), "a");
  using before = tree.snapshot();
  tree.entry("a").andUpdate(spoil);
  assertThrows(
    () =>
      tree.updateFetch("a", (old) => {
        spoil(old);
        throw new Error("mine");
      }),
    Error,
    "mine",
  );
  assertEquals([text(tree.get("a")), text(before.get("a"))], ["new", "new"]);
});
