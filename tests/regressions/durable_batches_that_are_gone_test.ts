/**
 * Batches that were made durable and cannot be read are an error, or what point-in-time recovery reports and remembers.
 *
 * They were dropped like the tail of a crash where the journal's header was damaged; and point-in-time recovery
 * gave up what was missing without a word, and did not write down that it had, so that the next open refused
 * what had been written since.
 *
 * @module
 */

import { JournalRecoveryError, Tree } from "@lsm/tree";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { contentsOf, copyOf, namesOf, openInMemory, text, writeFile } from "../support/trees.ts";

Deno.test("a damaged journal header does not hide that its batches were durable", async () => {
  await using tree = await openInMemory();
  tree.insert("a", "1");
  await tree.flush();
  tree.insert("b", "2");
  const [name] = namesOf(tree.config.storage, "journal");
  const storage = copyOf(tree.config.storage);
  const bytes = contentsOf(storage).get(name!)!;
  bytes[20]! ^= 1;
  writeFile(storage, name!, bytes);
  const error = await assertRejects(() => Tree.open("data", { storage }), JournalRecoveryError);
  assertEquals(error.file, name);
});

Deno.test("what point-in-time recovery gives up is reported, and writing goes on after it", async () => {
  await using tree = await openInMemory();
  for (const key of ["a", "b", "c"]) {
    tree.insert(key, key);
    await tree.flushMemtable();
    await tree.flush();
  }
  tree.insert("lost", "1");
  await tree.flush();
  tree.insert("lost", "2");
  await tree.close();
  const storage = copyOf(tree.config.storage);
  const [name] = namesOf(storage, "journal");
  const bytes = contentsOf(storage).get(name!)!;
  writeFile(storage, name!, bytes.subarray(0, 40));
  await assertRejects(() => Tree.open("data", { storage }), JournalRecoveryError);
  {
    await using opened = await Tree.open("data", { storage, recoveryMode: "point-in-time" });
    assert(opened.recovery.dropped !== undefined);
    opened.insert("d", "d");
  }
  await using again = await Tree.open("data", { storage });
  assertEquals(again.iter().keys().map((key) => text(key)).toArray(), ["a", "b", "c", "d"]);
});
