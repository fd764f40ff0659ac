/**
 * A tree that was closed in order, opened with other options and closed again is closed in order.
 *
 * What went wrong: opening with other options writes a new manifest; closing believed that it said already that the tree was
 * closed in order, as the one before did, and wrote nothing.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MemoryStorage, Tree } from "@lsm/tree";

Deno.test("a tree that is opened with other options and closed is closed in order", async () => {
  const storage = new MemoryStorage();
  for (const maxMemtableSize of [2000, 2000, 3000, 3000]) {
    const tree = await Tree.open("data", { storage, maxMemtableSize });
    assertEquals(tree.recovery.cleanClose, true);
    await tree.close();
  }
});
