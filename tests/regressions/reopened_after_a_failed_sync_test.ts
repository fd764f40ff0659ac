/**
 * What a tree acknowledges after a sync failed and it was opened again survives a power cut, and the tree opens.
 *
 * What went wrong: a failed sync leaves bytes that are read and are not on disk, and that no later sync writes. Opening the tree
 * synced the journal that it found, which changed nothing, and committed that it holds these batches. The next power cut took them,
 * with acknowledged ones behind them, and the tree did not open any more. Found by `support/fault_run.ts`, once it
 * looked behind the reopening.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Tree } from "@lsm/tree";
import type { SimulatedOperationKind } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";
import { PROFILES } from "../support/simulated.ts";
import { contentsOf } from "../support/workloads.ts";

const CONFIG = { fsyncInterval: null } as const;

async function afterFailedSync(
  storage: SimulatedStorage,
  operation: SimulatedOperationKind,
  file: RegExp | undefined,
  barrier: (tree: Tree) => Promise<void>,
): Promise<void> {
  const tree = await Tree.open("data", { ...CONFIG, storage });
  for (const key of ["a", "b", "c"]) tree.insert(key, "before");
  storage.fail({ operation, file });
  await assertRejects(() => barrier(tree));
  await assertRejects(() => tree.close());

  const again = await Tree.open("data", { ...CONFIG, storage });
  again.insert("d", "after");
  await again.flush();
  const contents = contentsOf(again);
  let outcomes = 0;
  for (const crashed of storage.crashes(50)) {
    const recovered = await Tree.open("data", { ...CONFIG, storage: crashed });
    assertEquals(contentsOf(recovered), contents);
    await recovered.close();
    outcomes += 1;
  }
  assert(outcomes > 0);
  await again.close();
}

Deno.test("after a failed sync of a journal, what the next handle makes durable is durable", async () => {
  for (const profile of PROFILES) {
    for (let seed = 1; seed <= 10; seed++) {
      const storage = new SimulatedStorage({ seed, profile });
      await afterFailedSync(storage, "sync", /^journal/, (tree) => tree.flush());
    }
  }
});

Deno.test("after a failed sync of the folder or the manifest, what the next handle makes durable is durable", async () => {
  for (const profile of PROFILES) {
    for (let seed = 1; seed <= 10; seed++) {
      await afterFailedSync(
        new SimulatedStorage({ seed, profile }),
        "syncFolder",
        undefined,
        (tree) => tree.flush(),
      );
      await afterFailedSync(
        new SimulatedStorage({ seed, profile }),
        "sync",
        /^manifest/,
        (tree) => tree.flushMemtable(),
      );
    }
  }
});
