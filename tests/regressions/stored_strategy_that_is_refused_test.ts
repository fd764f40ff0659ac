/**
 * Options of a stored strategy that the strategy refuses are damage, not a mistake of whoever opens the tree.
 *
 * The options are stored as numbers whose limits only the strategy knows. Behind a right checksum a wrong one came out of
 * `open` as the `RangeError` that a user gets for an option of their own.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { CorruptionError, leveled, sizeTiered, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import type { StoredStrategy } from "../../core/config.ts";
import { forgedManifest } from "../support/forged_files.ts";

Deno.test("a stored strategy that refuses its options is damage, and one that is given takes its place", async () => {
  const strategies: StoredStrategy[] = [
    { name: "leveled", options: [["l0Threshold", -1]], custom: false },
    { name: "fifo", options: [["limit", 0.5]], custom: false },
    { name: "sizeTiered", options: [["maxThreshold", 1], ["minThreshold", 9]], custom: false },
    { name: "lazyLeveled", options: [["threshold", Infinity]], custom: false },
  ];
  for (const strategy of strategies) {
    const storage = new SimulatedStorage();
    const first = await Tree.open("data", { storage, compactionStrategy: leveled() });
    first.insert("a", "1");
    await first.close();
    storage.damage(
      "manifest-000002",
      (bytes) =>
        forgedManifest(bytes, 2, (version) => ({ ...version, config: { ...version.config, strategy } })),
    );
    await assertRejects(
      () => Tree.open("data", { storage }),
      CorruptionError,
      "the compaction strategy that is stored",
    );
    await using tree = await Tree.open("data", { storage, compactionStrategy: sizeTiered() });
    assertEquals([...tree].length, 1);
  }
});
