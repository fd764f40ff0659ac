/** The manifest writer: an edit is in the manifest whole or not at all, whatever an append has left there. */

import { assertEquals, assertRejects } from "@std/assert";
import type { StorageFile } from "@lsm/tree";
import { MemoryStorage, NoSpaceError } from "@lsm/tree";
import { copyOf, openInMemory, texts, treeOf } from "../support/trees.ts";

/** A storage whose disk is full in the middle of what is appended to a manifest. */
class HalfFullStorage extends MemoryStorage {
  isFull = false;

  override create(name: string): StorageFile {
    const file = super.create(name);
    const append = file.append.bind(file);
    let isHalfDone = false;
    file.append = (bytes, start, end) => {
      if (!this.isFull || !name.startsWith("manifest")) return append(bytes, start, end);
      if (isHalfDone) {
        throw new NoSpaceError("Cannot append: no space left on device; free space and try again");
      }
      isHalfDone = true;
      return append(bytes, start, start + ((end - start) >> 1));
    };
    return file;
  }
}

Deno.test("an edit that was appended half is taken back, and the next one stands in its place", async () => {
  const storage = new HalfFullStorage();
  await using tree = await treeOf(["a"], { storage });
  await tree.flushMemtable();
  tree.insert("b", "b");
  storage.isFull = true;
  await assertRejects(() => tree.flushMemtable(), NoSpaceError);
  storage.isFull = false;
  await tree.flushMemtable();
  await using copy = await openInMemory({ storage: copyOf(storage) });
  assertEquals([texts(copy), copy.recovery.dropped, copy.recovery.notes], [["a=a", "b=b"], undefined, []]);
  assertEquals(copy.segmentCount(), tree.segmentCount());
});
