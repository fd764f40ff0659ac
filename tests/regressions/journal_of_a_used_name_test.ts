/**
 * The name of a journal may come back: a power cut can take it, and the next process counts the same. Bytes of the older file are
 * not believed then, wherever they turn up.
 *
 * What went wrong: the header of a new journal was not synced. If a power cut took it, and the older file's bytes stood where it
 * should have been, all of that file was replayed. Found by the mutant "no salt" of the crash tests.
 *
 * @module
 */

import { assert } from "@std/assert";
import { Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { contentsOf } from "../support/workloads.ts";

Deno.test("bytes of a journal that is gone are not believed in one of the same name", async () => {
  let stale = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const storage = new SimulatedStorage({ seed, profile: "garbage" });
    const config = { storage, fsyncInterval: null };
    await (await Tree.open("data", config)).close();
    const tree = await Tree.open("data", config);
    for (let i = 0; i < 4; i++) tree.insert(`gone ${i}`, "1");
    const [journal] = [...storage.files().keys()].filter((name) => name.startsWith("journal"));
    const gone = storage.files().get(journal!)!;
    const forgotten = [...storage.crashes(50)].find((crashed) => !crashed.files().has(journal!))!;
    await tree.close();

    const next = await Tree.open("data", { storage: forgotten, fsyncInterval: null });
    next.insert("new 0", "1");
    next.insert("new 1", "1");
    assert(forgotten.files().has(journal!), "the name did not come back");
    for (const crashed of forgotten.crashes(100)) {
      const bytes = crashed.files().get(journal!);
      if (
        bytes !== undefined && bytes.length > 40 &&
        gone.slice(28, 40).every((byte, i) => bytes[28 + i] === byte)
      ) stale += 1;
      const recovered = await Tree.open("data", { storage: crashed, fsyncInterval: null });
      assert(["", "new 0=1", "new 0=1\nnew 1=1"].includes(contentsOf(recovered)), contentsOf(recovered));
      await recovered.close();
    }
    await next.close();
  }
  assert(stale > 5, `only ${stale} times there were bytes of the older journal`);
});
