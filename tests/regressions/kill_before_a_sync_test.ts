/**
 * What the last process wrote and did not sync is there when the process is killed, and may be gone after a later power cut.
 *
 * What went wrong: opening the tree believed an edit of the manifest, or a CURRENT, that was not durable, and removed the files that
 * it made useless. A power cut then brought the older manifest back, and the files that it lists were missing. Found by
 * `properties/crash_test.ts`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Tree } from "@lsm/tree";
import type { SimulatedOperation } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";

/** Runs a process that is killed before the last operation of a kind, then another one, then cuts the power. */
async function killAndCut(
  run: (tree: Tree) => Promise<void>,
  isLast: (operation: SimulatedOperation) => boolean,
): Promise<void> {
  const storage = new SimulatedStorage({ profile: "strict" });
  const tree = await Tree.open("data", { storage, fsyncInterval: null });
  for (const value of ["1", "2"]) {
    tree.insert("a", value);
    await tree.flushMemtable();
  }
  let killed = storage.kill();
  storage.watch((operation) => {
    if (isLast(operation)) killed = storage.kill();
  });
  await run(tree);
  await tree.close();

  const next = await Tree.open("data", { storage: killed, fsyncInterval: null });
  let outcomes = 0;
  for (const crashed of killed.crashes(200)) {
    const recovered = await Tree.open("data", { storage: crashed, fsyncInterval: null });
    assertEquals(recovered.get("a"), new TextEncoder().encode("2"));
    await recovered.close();
    outcomes += 1;
  }
  assert(outcomes > 1, "nothing was left to lose");
  await next.close();
}

Deno.test("an edit that nobody synced removes no file", async () => {
  let merged = false;
  await killAndCut(async (tree) => {
    await tree.compact();
    merged = true;
  }, ({ kind, file }) => !merged && kind === "sync" && file.startsWith("manifest"));
});

Deno.test("a CURRENT that nobody synced removes no file", async () => {
  let renamed = false;
  await killAndCut(() => Promise.resolve(), ({ kind }) => {
    const isLast = renamed && kind === "syncFolder";
    renamed = kind === "rename";
    return isLast;
  });
});
