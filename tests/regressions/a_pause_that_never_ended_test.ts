/**
 * After a failure, work waits until its pause is over. That was asked of the wall clock alone: set back by a year, it kept flushes
 * from being tried again for a year, and memtables piled up until writers were stopped. A clock that shows a time before the
 * failure says nothing about the pause, which is then taken to be over.
 */

import { assertEquals } from "@std/assert";
import { Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { numbered } from "../support/trees.ts";
import { tinyConfig } from "../support/workloads.ts";

Deno.test("a flush that failed is tried again though the clock goes back meanwhile", async () => {
  for (const back of [1, 3_600_000]) {
    const storage = new SimulatedStorage();
    await using tree = await Tree.open("data", tinyConfig(storage));
    storage.fail({ operation: "create", file: /^segment/, error: "ENOSPC" });
    for (const key of numbered(8)) tree.insert(key, "v".repeat(200));
    assertEquals(tree.stats().memtables.sealed, 1);
    storage.advance(-back);
    tree.insert("a", "1");
    assertEquals([tree.stats().memtables.sealed, tree.stats().lastError], [0, undefined], `${back} ms`);
  }
});
