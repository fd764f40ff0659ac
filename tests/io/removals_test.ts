/** Removals: a file goes when nobody needs it any more, whoever that was. */

import { assertEquals } from "@std/assert";
import { MemoryStorage } from "@lsm/tree";
import type { SegmentMeta, Version } from "../../core/mod.ts";
import { EMPTY_VERSION, fileName } from "../../core/mod.ts";
import { Removals } from "../../io/removals.ts";
import { namesOf, writeFile } from "../support/trees.ts";

const META: Omit<SegmentMeta, "id"> = {
  size: 1,
  minKey: "a",
  maxKey: "b",
  entries: 1,
  tombstones: 0,
  seqnoMin: 1,
  seqnoMax: 1,
  writtenAt: 0,
  salt: { low: 0, high: 0 },
};

/** A folder with segments 1 to 3 and journal 4, and what is told of removals from it. */
function folder(): {
  readonly removals: Removals;
  readonly inUse: Set<number>;
  readonly told: string[];
  readonly left: () => string[];
} {
  const storage = new MemoryStorage();
  storage.open({ create: true, readOnly: false });
  for (const id of [1, 2, 3]) writeFile(storage, fileName("segment", id), new Uint8Array(1));
  writeFile(storage, fileName("journal", 4), new Uint8Array(1));
  const inUse = new Set<number>();
  const told: string[] = [];
  const removals = new Removals(storage, {
    segment: (id) => told.push(`segment ${id}`),
    journal: (id) => told.push(`journal ${id}`),
    inUse: () => [...inUse],
    handOver: () => false,
  });
  return {
    removals,
    inUse,
    told,
    left: () => [...namesOf(storage, "journal"), ...namesOf(storage, "segment")],
  };
}

function versionOf(...ids: readonly number[]): Version {
  return { ...EMPTY_VERSION, runs: ids.map((id) => ({ level: 0, segments: [{ ...META, id }] })) };
}

Deno.test("what a task reads stays until the task has ended", () => {
  const { removals, inUse, told, left } = folder();
  inUse.add(1);
  removals.add([1, 2], [4]);
  removals.run();
  assertEquals(left(), ["segment-000001", "segment-000003"]);
  inUse.clear();
  removals.run();
  assertEquals(left(), ["segment-000003"]);
  assertEquals(told, ["segment 2", "journal 4", "segment 1"]);
});

Deno.test("of all ids that a task reserved only files that are there are removed, however many ids there were", () => {
  for (const count of [1, 2, 2 ** 45]) {
    const { removals, told, left } = folder();
    removals.addOutputs(2, count);
    removals.run();
    const gone = [2, 3].slice(0, count);
    assertEquals(told, gone.map((id) => `segment ${id}`));
    assertEquals(left().length, 4 - gone.length);
  }
});

Deno.test("what a version names stays until the last that pinned it lets go", () => {
  const { removals, left } = folder();
  const [older, newer] = [versionOf(1, 2), versionOf(2, 3)];
  for (const version of [older, older, newer]) removals.pin(version);
  removals.add([1, 2, 3], []);
  removals.run();
  assertEquals([removals.unpin(older), removals.pinnedVersions], [false, 2]);
  removals.run();
  assertEquals(left().length, 4);
  assertEquals([removals.unpin(older), removals.pinnedVersions], [true, 1]);
  removals.run();
  assertEquals(left(), ["journal-000004", "segment-000002", "segment-000003"]);
  removals.unpin(newer);
  removals.finish();
  assertEquals(left(), ["journal-000004"]);
});
