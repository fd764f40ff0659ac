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

/** A storage in which a process was killed after a write. */
async function killed(): Promise<SimulatedStorage> {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { storage, fsyncInterval: null });
  tree.insert("a", "1");
  const left = storage.kill();
  await tree.close();
  return left;
}

Deno.test("a barrier that fails while a tree is made or recovered is an IoError", async () => {
  for (const rule of RULES) {
    for (const storage of [new SimulatedStorage(), await killed()]) {
      const fault = storage.fail(rule);
      const opening = Tree.open("data", { storage, fsyncInterval: null });
      if (rule.file !== undefined && storage.files().size > 0) {
        await (await opening).close();
        continue; // another manifest is written there
      }
      const error = await assertRejects(() => opening, IoError, "Cannot");
      assertEquals([error.code, fault.count > 0, storage.openHandles, storage.heldLocks], ["IO", true, 0, 0]);
      storage.heal();
      await (await Tree.open("data", { storage, fsyncInterval: null })).close();
    }
  }
});
