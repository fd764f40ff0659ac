/**
 * A barrier that fails while a tree is opened is an `IoError`, and no handle is left open.
 *
 * What went wrong: an error that is meant for the engine alone, which poisons the tree for it, came out of `Tree.open`; and the
 * manifest of a new tree stayed open. Found by `properties/fault_test.ts`.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { IoError, Tree } from "@lsm/tree";
import type { FaultRule } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";

const RULES: readonly FaultRule[] = [
  { operation: "syncFolder", nth: 1 },
  { operation: "syncFolder", nth: 2 },
  { operation: ["append", "truncate"], file: "manifest-000001", nth: 3, sticky: true },
];

Deno.test("a barrier that fails while a tree is made or recovered is an IoError", async () => {
  for (const rule of RULES) {
    const storage = new SimulatedStorage();
    for (let round = 0; round < 2; round++) {
      const fault = storage.fail(rule);
      const error = await assertRejects(
        () => Tree.open("data", { storage, fsyncInterval: null }),
        IoError,
        "Cannot",
      );
      assertEquals([fault.count > 0, error.code, storage.openHandles, storage.heldLocks], [true, "IO", 0, 0]);
      storage.heal();
      const tree = await Tree.open("data", { storage, fsyncInterval: null });
      tree.insert("a", "1");
      await tree.close().catch(() => {});
      storage.damage("journal-000001", (bytes) => bytes); // whatever is there is durable
      if (rule.file !== undefined) break;
    }
  }
});
