/**
 * A closed tree whose manifest lost its end is refused, or has lost nothing.
 *
 * What went wrong: edits were appended until the end, so a manifest that was cut off behind any of them looked like that of a
 * younger tree. Without a journal that knew better it was opened, empty, and its segments were removed.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CorruptionError, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";

Deno.test("a closed tree whose manifest is cut off is refused, or has all it had", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { storage, fsyncInterval: null });
  for (let i = 0; i < 3; i++) {
    tree.insert(`a${i}`, "1");
    await tree.flushMemtable();
  }
  await tree.close();
  const [name, manifest] = [...storage.files()].find(([name]) => name.startsWith("manifest"))!;
  let refused = 0;
  for (const length of manifest.keys()) {
    const copy = storage.kill();
    copy.damage(name, () => manifest.slice(0, length));
    const opening = Tree.open("data", { storage: copy, fsyncInterval: null });
    if (length < manifest.length - 28) {
      await assertRejects(() => opening, CorruptionError);
      refused += 1;
    } else {
      const again = await opening;
      assertEquals([again.len(), again.recovery.cleanClose], [3, false]);
      await again.close();
    }
  }
  assert(refused > 100);
});
