/**
 * A read-only handle reads segments that the writer has merged away, also after the writer was closed and opened again.
 *
 * What went wrong: opening removed every file that the manifest does not name, without asking whether a read-only handle
 * looks at the folder. Found by `properties/model_test.ts`.
 */

import { assertEquals } from "@std/assert";
import { MemoryStorage, Tree } from "../../mod.ts";

Deno.test("a read-only handle keeps its segments when the writer compacts, closes and opens again", async () => {
  const storage = new MemoryStorage();
  const config = { storage, fsyncInterval: null };
  const writer = await Tree.open("tree", config);
  writer.insert("a", "old");
  await writer.flushMemtable();

  const reader = await Tree.open("tree", { ...config, readOnly: true });
  writer.insert("a", "new");
  await writer.compact();
  await writer.close();
  const again = await Tree.open("tree", config);

  assertEquals(reader.get("a"), new TextEncoder().encode("old"));
  await reader.close();
  assertEquals(again.get("a"), new TextEncoder().encode("new"));
  await again.close();

  const last = await Tree.open("tree", config);
  assertEquals(last.segmentCount(), 1);
  assertEquals(storage.list().filter(({ name }) => name.startsWith("segment-")).length, 1);
  await last.close();
});
