import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { BatchBuilder } from "../../core/batch.ts";
import type { Memtable } from "../../core/memtable.ts";
import { applyBatch, EMPTY_MEMTABLE, memtableCovers } from "../../core/memtable.ts";
import { newOwner } from "../../core/sorted_map.ts";
import type { GivenOperation } from "../support/arbitraries.ts";
import { BOUND_KEYS, byteKey, operations } from "../support/arbitraries.ts";
import { forwards, valueOf } from "../support/core_views.ts";
import { deepFreeze } from "../support/deep_freeze.ts";
import { MemorySegments } from "../support/memory_segments.ts";
import { addOperations } from "../support/record_files.ts";
import { versionOf } from "../support/shapes.ts";
import { ALL, SortedModel } from "../support/sorted_model.ts";

const NOTHING = new MemorySegments();
const put = (key: string, value = "1"): GivenOperation => ({ kind: "put", key, value });
const remove = (key: string): GivenOperation => ({ kind: "remove", key });
const CLEAR: GivenOperation = { kind: "clear" };

Deno.test("a memtable is the fold of its batches", () => {
  const memtable = folded([[put("a"), put("b")], [put("a", "2"), remove("b")]]);
  assertEquals(entries(memtable), ["a=2"]);
  assertEquals([memtable.firstSeqno, memtable.lastSeqno], [1, 2]);
});

Deno.test("the last operation on a key wins within a batch", () => {
  assertEquals(entries(folded([[put("a"), remove("a"), put("b"), put("b", "2"), remove("c")]])), ["b=2"]);
});

Deno.test("a remove leaves a tombstone where something older may have the key, and nothing elsewhere", () => {
  const batches = [[put("a"), put("b")], [remove("a"), remove("b"), remove("c")]];
  assertEquals(folded(batches, (key) => key !== "a").map.size, 2);
  assertEquals(folded(batches).map.size, 0);
  // It hides what is older from a reader.
  const older = folded([[put("b", "old")]]);
  const view = { active: folded(batches, () => true), sealed: [older], version: versionOf("L0  #1 x..y 1K") };
  assertEquals(valueOf({ ...view, version: { ...view.version, runs: [] } }, "b", NOTHING), undefined);
});

Deno.test("a queue's memtable stays as small as its queue", () => {
  const batches = Array.from({ length: 300 }, (_, i) => [put(`${i + 1_000}`), remove(`${i + 995}`)]);
  assertEquals(folded(batches).map.size, 5);
});

Deno.test("a clear hides everything older, and what follows needs no tombstones", () => {
  const memtable = folded([[put("a")], [put("b"), CLEAR, put("c"), remove("d")]], () => true);
  assertEquals([entries(memtable), memtable.clears, memtable.map.size], [["c=1"], true, 1]);
  assertEquals(folded([[put("a")]]).clears, false);
});

Deno.test("its size is what was appended, not what is alive", () => {
  const batches = Array.from({ length: 50 }, () => [put("hot")]);
  const memtable = folded(batches);
  assertEquals([memtable.map.size, memtable.bytes], [1, 50 * 10]);
  assertEquals(folded([[CLEAR]]).bytes, 10);
});

Deno.test("it knows of each of its journals how far it is valid", () => {
  let memtable = EMPTY_MEMTABLE;
  const places = [[4, 1, 100], [4, 2, 200], [7, 3, 90], [7, 4, 150], [9, 5, 60]] as const;
  for (const [journal, seqno, validBytes] of places) {
    memtable = applyBatch(
      memtable,
      batchOf([put("a")]),
      { seqno, journal, validBytes, bytes: 10 },
      () => false,
    );
  }
  assertEquals(memtable.journals, [
    { id: 4, validBytes: 200, lastSeqno: 2 },
    { id: 7, validBytes: 150, lastSeqno: 4 },
    { id: 9, validBytes: 60, lastSeqno: 5 },
  ]);
});

Deno.test("an older memtable stays what it was, and the empty one empty", () => {
  const first = deepFreeze(folded([[put("a"), put("b")]]));
  const second = next(first, [put("a", "2"), remove("b"), put("c")], 2);
  next(first, [CLEAR], 2);
  assertEquals([entries(first), entries(second)], [["a=1", "b=1"], ["a=2", "c=1"]]);
  assertEquals([EMPTY_MEMTABLE.map.size, EMPTY_MEMTABLE.journals, EMPTY_MEMTABLE.lastSeqno], [0, [], 0]);
});

Deno.test("values stand where the batch was encoded, and are not copied", () => {
  const builder = new BatchBuilder(256);
  addOperations(builder, [put("a", "value")]);
  const batch = builder.finish();
  const memtable = applyBatch(
    EMPTY_MEMTABLE,
    batch,
    { seqno: 1, journal: 1, validBytes: 9, bytes: 9 },
    () => false,
  );
  const { root } = memtable.map;
  assertStrictEquals(memtable.arena.valueAt(root.values[0]!).bytes, batch.bytes);
});

Deno.test("it covers what lies between its first and its last key, tombstones included", () => {
  const memtable = folded([[put("b"), put("m")], [remove("x")]], () => true);
  assertEquals(["a", "b", "c", "m", "x", "y"].filter((key) => memtableCovers(memtable, key)), [
    "b",
    "c",
    "m",
    "x",
  ]);
  assert(BOUND_KEYS.every((key) => !memtableCovers(EMPTY_MEMTABLE, key)));
});

Deno.test("any batches read as a sorted map, whatever covers, with one token for a batch or none", () => {
  const covered = fc.uniqueArray(byteKey, { maxLength: 5 }).map((keys) => new Set(keys));
  fc.assert(
    fc.property(fc.array(operations, { maxLength: 12 }), covered, fc.boolean(), (batches, keys, token) => {
      let model = new SortedModel();
      let memtable = EMPTY_MEMTABLE;
      const kept: { readonly memtable: Memtable; readonly model: SortedModel }[] = [];
      for (const [i, batch] of batches.entries()) {
        const place = { seqno: i + 1, journal: 1, validBytes: 10 * i, bytes: 10 };
        const owner = token ? newOwner() : undefined;
        memtable = deepFreeze(applyBatch(memtable, batchOf(batch), place, (key) => keys.has(key), owner));
        model = model.with(batch);
        kept.push({ memtable, model });
      }
      for (const { memtable, model } of kept) {
        const view = { active: memtable, sealed: [], version: versionOf("") };
        assertEquals(forwards(view, ALL, NOTHING), model.pairs());
        // Nothing but live keys and needed tombstones.
        assert(memtable.map.size <= model.size + (memtable.clears ? 0 : keys.size));
      }
    }),
  );
});

function batchOf(given: readonly GivenOperation[]): ReturnType<BatchBuilder["finish"]> {
  const builder = new BatchBuilder(64);
  addOperations(builder, given);
  return builder.finish();
}

function next(
  memtable: Memtable,
  batch: readonly GivenOperation[],
  seqno: number,
  covered: (key: string) => boolean = () => false,
): Memtable {
  const place = { seqno, journal: 1, validBytes: 10 * seqno, bytes: 10 };
  return applyBatch(memtable, batchOf(batch), place, covered, newOwner());
}

function folded(
  batches: readonly (readonly GivenOperation[])[],
  covered?: (key: string) => boolean,
): Memtable {
  return batches.reduce((memtable, batch, i) => next(memtable, batch, i + 1, covered), EMPTY_MEMTABLE);
}

function entries(memtable: Memtable): string[] {
  const view = { active: memtable, sealed: [], version: versionOf("") };
  return forwards(view, ALL, NOTHING).map(([key, value]) => `${key}=${value}`);
}
