/**
 * A recovered journal may be larger than a memtable and so fill several of them.
 *
 * It was deleted when the first of them was flushed, and listed once for each of them by a close, of which the next open
 * believed the first: either way the next open refused the tree.
 *
 * @module
 */

import { MemoryStorage, Tree } from "@lsm/tree";
import { assertEquals } from "@std/assert";
import { effectText } from "../support/effect_text.ts";
import { PureTree, recover, SMALL } from "../support/pure_tree.ts";

const KEYS = Array.from({ length: 100 }, (_, i) => `key ${i}`);

Deno.test("a journal that filled two memtables is deleted when both of them are flushed", () => {
  const before = new PureTree({ ...SMALL, maxMemtableSize: 1_000 });
  for (const key of KEYS.slice(0, 10)) before.put([key, "value"]);
  const disk = before.disk();
  const tree = new PureTree(SMALL, { disk, plan: recover(disk) });
  assertEquals(tree.state.sealed.map((memtable) => memtable.journals[0]!.id), [1, 1]);
  tree.seal().settle();
  const deletions = tree.trace.filter((effect) => effect.startsWith("delete_files"));
  const flushes = tree.trace.filter((effect) => effect.startsWith("commit_edit flush"));
  assertEquals([flushes.length, deletions], [2, ["delete_files segments [] journals [1]"]]);
  assertEquals(effectText({ kind: "delete_files", segments: [], journals: [1] }), deletions[0]);
});

Deno.test("a tree that was closed with a journal of several memtables opens again", async () => {
  const storage = new MemoryStorage();
  {
    await using tree = await Tree.open("data", { storage });
    for (const key of KEYS) tree.insert(key, "value");
  }
  {
    await using tree = await Tree.open("data", { storage, maxMemtableSize: 1024 });
    tree.insert("one", "more");
  }
  await using tree = await Tree.open("data", { storage, maxMemtableSize: 1024 });
  assertEquals(tree.len(), KEYS.length + 1);
});
