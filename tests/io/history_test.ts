/**
 * The history of a tree: what a user can read off it, and that nothing but age makes it forget.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Config, Storage, TreeChange, TreeHistory } from "@lsm/tree";
import { ClosedError, leveled, MemoryStorage, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { HISTORY_BYTES_MAX } from "../../core/mod.ts";
import { beforeEachChange, contentsOf, tinyConfig } from "../support/workloads.ts";

const CONFIG: Config = { fsyncInterval: null, background: "inline" };

Deno.test("every change of a tree has its cause, its reason, and the segments that came and went", async () => {
  const storage = new MemoryStorage();
  const before = Date.now();
  const tree = await Tree.open("data", { ...CONFIG, storage });
  tree.batch().insert("b", "1").insert("a", "1").commit();
  await tree.flushMemtable();
  tree.insert("a", "2");
  await tree.compact();
  const { forgotten, changes } = tree.history();
  assertEquals(forgotten, 0);
  const [a, b, c] = changes.flatMap(({ added }) => added.map(({ id }) => id));
  assertEquals(changes.map(brief), [
    "1 created - +: ",
    `2 flush - +${a}@0: asked for: 50 bytes of journal`,
    `3 flush - +${b}@0: asked for: 41 bytes of journal`,
    `4 merge -${b},${a} +${c}@6: asked for`,
  ]);
  for (const { time } of changes) assert(time >= before && time <= Date.now());
  const [flushed] = changes[1]!.added;
  const { size, writtenAt, ...rest } = flushed!;
  assert(size > 100 && writtenAt >= before);
  const keys = { minKey: Uint8Array.of(97), maxKey: Uint8Array.of(98) };
  const numbers = { id: a!, level: 0, entries: 2, tombstones: 0, seqnoMin: 1, seqnoMax: 1 };
  assertEquals(rest, { ...numbers, ...keys, busy: false });
  await tree.close();
});

Deno.test("what a strategy does comes with its reason", async () => {
  const storage = new MemoryStorage();
  const compactionStrategy = leveled({ l0Threshold: 2 });
  await using tree = await Tree.open("data", { ...CONFIG, storage, compactionStrategy });
  for (const key of ["a", "b", "c", "d"]) {
    tree.insert(key, "1");
    await tree.flushMemtable();
  }
  const compactions = tree.history().changes.filter(({ cause }) => cause === "merge" || cause === "move");
  assert(compactions.length > 0);
  for (const { reason } of compactions) assert(reason.length > 0 && reason !== "asked for", reason);
});

Deno.test("a history outlives the handle, and so does what later opens decided", async () => {
  const storage = new MemoryStorage();
  const first = await Tree.open("data", { ...CONFIG, storage });
  first.insert("a", "1");
  await first.compact();
  first.insert("b", "1");
  const live = first.history();
  await first.close();

  const second = await Tree.open("data", { ...CONFIG, storage, maxMemtableSize: 2048 });
  const closed = second.history();
  assertEquals(closed.changes.slice(0, live.changes.length), live.changes);
  assertEquals(closed.changes.slice(live.changes.length).map(brief), [
    `4 closed - +: batches 2 to 2 are in journals ${journalsOf(storage)}`,
    "5 configured - +: maxMemtableSize is 2048 and was 16777216",
  ]);
  second.insert("c", "1");
  await second.close();

  const third = await Tree.open("data", { ...CONFIG, storage });
  assertEquals(third.history().changes.slice(5).map(brief), [
    `6 closed - +: batches 2 to 3 are in journals ${journalsOf(storage)}`,
  ]);
  await third.flushMemtable();
  await third.close();
  const fourth = await Tree.open("data", { ...CONFIG, storage });
  const [flush, end] = fourth.history().changes.slice(6);
  assert(/^7 flush - \+\d+@0: recovered: \d+ bytes of journal$/.test(brief(flush!)), brief(flush!));
  assertEquals(brief(end!), "8 closed - +: all batches are in segments");
  await fourth.close();
});

Deno.test("opening and closing without a write is no change, and changes no byte", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", tinyConfig(storage));
  for (let i = 0; i < 40; i++) tree.insert(`${i % 7}`, `${i}`.padEnd(99));
  await tree.close();
  const before = storage.files();
  let seen: TreeHistory | undefined;
  for (let round = 0; round < 3; round++) {
    const again = await Tree.open("data", tinyConfig(storage));
    seen ??= again.history();
    assertEquals(again.history(), seen);
    await again.close();
  }
  assert(seen!.changes.length > 5);
  assertEquals(storage.files(), before);
});

Deno.test("after a crash at any operation the history is the one that was live, up to what was being committed", async () => {
  const storage = new SimulatedStorage();
  const stops: { readonly storage: SimulatedStorage; readonly changes: number; readonly isOpen: boolean }[] =
    [];
  let tree: Tree | undefined;
  let changes = 0;
  beforeEachChange(storage, () => {
    changes = Math.max(changes, tree?.history().changes.length ?? 0);
    stops.push({ storage: storage.kill(), changes, isOpen: tree !== undefined });
  });
  const restart = async (): Promise<Tree> => {
    await tree?.close();
    tree = undefined;
    return tree = await Tree.open("data", tinyConfig(storage));
  };
  for (const bytes of [200, 500, 900]) {
    const open = await restart();
    for (let i = 0; i < 8; i++) open.insert(`${i % 3}`, "".padEnd(bytes, `${i}`));
    if (bytes === 500) await open.compact();
  }
  const all = (await restart()).history();
  await tree!.close();
  assertEquals(all.forgotten, 0);
  const seen = { recovered: 0, committing: 0 };
  for (const stop of stops) {
    for (const image of [stop.storage.kill(), stop.storage.crash()]) {
      if (!image.files().has("CURRENT")) continue;
      const reader = await Tree.open("data", tinyConfig(image, { readOnly: true }));
      const kept = reader.history();
      await reader.close();
      assertEquals(kept, { forgotten: 0, changes: all.changes.slice(0, kept.changes.length) });
      const committing = kept.changes.length - stop.changes;
      assert(
        committing >= 0 && (committing <= 1 || !stop.isOpen),
        `${committing} changes more than were live`,
      );
      const again = await Tree.open("data", tinyConfig(image));
      const { changes } = again.history();
      assertEquals(changes.slice(0, kept.changes.length), kept.changes);
      assertEquals(live(changes).length, again.segmentCount());
      seen.recovered += changes[kept.changes.length]?.cause === "recovered" ? 1 : 0;
      seen.committing += committing;
      await again.close();
    }
  }
  assert(seen.recovered > 50 && seen.committing > 10, JSON.stringify(seen));
});

Deno.test("what recovery decided is in the history", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", tinyConfig(storage));
  for (const key of ["a", "b", "c"]) tree.insert(key, "1");
  const killed = storage.kill();
  await tree.close();
  const [journal] = [...killed.files().keys()].filter((name) => name.startsWith("journal"));
  killed.damage(journal!, (bytes) => bytes!.slice(0, -3));
  const again = await Tree.open("data", tinyConfig(killed));
  const { cause, reason } = again.history().changes.at(-1)!;
  assertEquals(cause, "recovered");
  const why = `"journal-000001" at byte 110: a record is cut off`;
  assertEquals(reason, `batches 1 to 2 are in journals 2; 38 bytes dropped: ${why}`);
  assertEquals(contentsOf(again), "a=1\nb=1");
  await again.close();
});

Deno.test("a history of many changes forgets the oldest, keeps the numbers, and grows no further", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", tinyConfig(storage));
  const manifests = new Set<string>();
  storage.watch(({ kind, file }) => {
    if (kind === "create" && file.startsWith("manifest")) manifests.add(file);
  });
  for (let i = 0; i < 300; i++) {
    tree.insert("k".repeat(300), `${i}`);
    await tree.flushMemtable();
  }
  const live = tree.history();
  const { flushes, merges, moves } = tree.stats();
  const count = 1 + flushes + merges + moves;
  assert(live.forgotten > 20 && live.changes.length > 100);
  assertEquals(live.changes.map(({ number }) => number), live.changes.map((_, i) => live.forgotten + i + 1));
  assertEquals(live.changes.at(-1)!.number, count);
  assert(manifests.size >= 2 && manifests.size < 10, `${manifests.size} manifests for ${count} changes`);
  await tree.close();
  const manifest = storage.list().find(({ name }) => name.startsWith("manifest"))!;
  assert(manifest.size < HISTORY_BYTES_MAX + 2048, `${manifest.size} bytes`);

  const again = await Tree.open("data", tinyConfig(storage));
  const { forgotten, changes } = again.history();
  assertEquals(changes.at(-1)!.number, count + 1);
  assertEquals(changes.slice(0, -1), live.changes.slice(forgotten - live.forgotten));
  await again.close();
});

Deno.test("a read-only handle tells the same history, and a snapshot of it never changes", async () => {
  const storage = new MemoryStorage();
  const writer = await Tree.open("data", { ...CONFIG, storage });
  writer.insert("a", "1");
  await writer.flushMemtable();
  const then = writer.history();
  const reader = await Tree.open("data", { ...CONFIG, storage, readOnly: true });
  assertEquals(reader.history(), then);
  writer.insert("b", "1");
  await writer.flushMemtable();
  assertEquals([then.changes.length, writer.history().changes.length], [2, 3]);
  assertEquals(reader.history().changes.length, 2);
  await reader.close();
  await writer.close();
});

Deno.test("a history is a copy that cannot be changed, and a closed tree has none", async () => {
  const tree = await Tree.open("data", { ...CONFIG, storage: new MemoryStorage() });
  tree.insert("a", "1");
  await tree.flushMemtable();
  const history = tree.history();
  const change = history.changes[1]!;
  for (const part of [history, history.changes, change, change.removed, change.added, change.added[0]!]) {
    assert(Object.isFrozen(part));
  }
  change.added[0]!.minKey[0] = 0;
  assertEquals(tree.history().changes[1]!.added[0]!.minKey, Uint8Array.of(97));
  await tree.close();
  assertThrows(() => tree.history(), ClosedError);
});

/** A change in one line. */
function brief({ number, cause, reason, removed, added }: TreeChange): string {
  return `${number} ${cause} -${removed} +${added.map(({ id, level }) => `${id}@${level}`)}: ${reason}`;
}

function journalsOf(storage: Storage): string {
  const names = storage.list().map(({ name }) => name).filter((name) => name.startsWith("journal-")).sort();
  return names.map((name) => Number(name.slice("journal-".length))).join(", ");
}

/** The segments that are there after some changes, all from the first on. */
function live(changes: readonly TreeChange[]): readonly number[] {
  const ids = new Set<number>();
  for (const { removed, added } of changes) {
    for (const id of removed) assert(ids.delete(id), `segment ${id} went and was not there`);
    for (const { id } of added) ids.add(id);
  }
  return [...ids];
}
