/**
 * A file that is named by the last number there is leaves the tree enough numbers, and a manifest that has used them up is refused.
 *
 * Ids go on behind the highest that any name in the folder has, so that none is used twice. Anybody's file called
 * `segment-9007199254740991` made the tree write 2^53 as its next id, which no reader takes: it opened, took writes, closed, and never
 * opened again. A manifest whose marks stand so high did the same, behind right checksums.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { CorruptionError, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { encodeCurrent, scanManifest } from "../../core/manifest.ts";
import type { Version } from "../../core/version.ts";
import { forgedManifest, forgedRecords, recordsOf } from "../support/forged_files.ts";

const LAST = Number.MAX_SAFE_INTEGER;

async function closedTree(): Promise<SimulatedStorage> {
  const storage = new SimulatedStorage();
  await using tree = await Tree.open("data", { storage });
  tree.insert("a", "1");
  return storage;
}

Deno.test("whatever number a file in the folder is named by, what is written is there after the next open", async () => {
  for (const kind of ["segment", "journal", "manifest", "lost-journal"]) {
    for (const id of [LAST, LAST - 1, LAST - 3, LAST - 2 ** 32, 2 ** 52, 2 ** 52 + 1]) {
      const storage = await closedTree();
      storage.damage(`${kind}-${id}`, () => new Uint8Array(3));
      for (const key of ["b", "c"]) {
        await using tree = await Tree.open("data", { storage });
        tree.insert(key, "2");
        await tree.flushMemtable();
      }
      await using tree = await Tree.open("data", { storage });
      assertEquals([...tree].length, 3, `${kind}-${id}`);
    }
  }
});

Deno.test("a manifest whose marks leave no numbers is refused, and nothing changes", async () => {
  const changes: ((version: Version) => Version)[] = [
    (version) => ({ ...version, nextId: LAST }),
    (version) => ({ ...version, flushedSeqno: LAST }),
  ];
  for (const change of changes) {
    const storage = await closedTree();
    const name = [...storage.files().keys()].find((one) => one.startsWith("manifest"))!;
    storage.damage(name, (bytes) => forgedManifest(bytes, 2, change));
    await refused(storage);
  }
});

Deno.test("an edit or a manifest with the last number is refused", async () => {
  const storage = await closedTree();
  const file = storage.files().get("manifest-000002")!;
  const { salt } = scanManifest(file, 2).header;
  const records = recordsOf(file, "manifest", 2);
  const numbered = storage.kill();
  for (const record of records) record.number = LAST;
  numbered.damage("manifest-000002", () => forgedRecords("manifest", 2, salt, records.slice(1)));
  await refused(numbered);
  const named = storage.kill();
  named.damage(
    `manifest-${LAST}`,
    () => forgedRecords("manifest", LAST, salt, recordsOf(file, "manifest", 2)),
  );
  named.damage("CURRENT", () => encodeCurrent(LAST));
  await refused(named);
});

async function refused(storage: SimulatedStorage): Promise<void> {
  const before = storage.files();
  await assertRejects(() => Tree.open("data", { storage }), CorruptionError);
  assertEquals(storage.files(), before);
}
