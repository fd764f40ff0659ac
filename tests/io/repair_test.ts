/**
 * `repair`: what it answers, what it refuses, and what it leaves when it fails.
 *
 * What it gives back of a damaged tree is in `tests/properties/repair_test.ts`.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { RepairOptions, RepairProgress } from "@lsm/tree";
import {
  AlreadyExistsError,
  CorruptionError,
  fifo,
  IoError,
  LockedError,
  MemoryStorage,
  NotFoundError,
  repair,
  sizeTiered,
  Tree,
  verify,
} from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { decodeFileHeader, parseFileName, RECORD_BATCH, scanJournal, sealRecord } from "../../core/mod.ts";
import { imageOf } from "../support/images.ts";
import { testWithFiles } from "../support/permissions.ts";
import { keysOf, numbered, TINY, treeOf } from "../support/trees.ts";
import { contentsOf } from "../support/workloads.ts";

function into(storage: SimulatedStorage | MemoryStorage, more: Partial<RepairOptions> = {}): RepairOptions {
  return { out: "repaired", storage, outStorage: new MemoryStorage(), ...more };
}

Deno.test("the report tells what was read, is frozen, and the new tree has the stored options", async () => {
  const storage = new SimulatedStorage();
  const stored = {
    maxMemtableSize: 2048,
    blockSize: 2048,
    levelCount: 5,
    levelRatio: 4,
    filterBitsPerKey: 7,
    compression: "lz4",
    compactionStrategy: sizeTiered({ minThreshold: 3 }),
  } as const;
  const tree = await Tree.open("data", { ...stored, storage });
  for (const key of numbered(100)) tree.insert(key, key.repeat(4));
  tree.remove("key007");
  await tree.flushMemtable();
  tree.insert("last", "1");
  await tree.close();
  const outStorage = new MemoryStorage();
  const segments = storage.list().filter(({ name }) => name.startsWith("segment")).length;
  const { milliseconds, ...report } = await repair("data", into(storage, { outStorage }));
  assertEquals(report, { entries: 100, batches: 1, segments, lost: [], manifest: "used", notes: [] });
  assert(milliseconds > 0);
  for (const part of [report.lost, report.notes]) assert(Object.isFrozen(part));
  await using repaired = await Tree.open("repaired", { storage: outStorage });
  assertEquals(keysOf(repaired).length, 100);
  const { compactionStrategy, ...numbers } = stored;
  for (const [name, value] of Object.entries(numbers)) {
    assertEquals(repaired.config[name as keyof typeof numbers], value);
  }
  assertEquals(repaired.config.compactionStrategy.name, compactionStrategy.name);
});

Deno.test("options that cannot be stored are noted, and the new tree has the defaults", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", {
    storage,
    compression: () => "lz4",
    compactionStrategy: { name: "own", choose: () => ({ kind: "none" }) },
  });
  tree.insert("a", "1");
  await tree.close();
  const { notes } = await repair("data", into(storage));
  assertEquals(notes.length, 2);
});

Deno.test("a clear that is only in a journal hides all segments", async () => {
  const { storage } = await imageOf("close");
  const tree = await Tree.open("data", { storage });
  tree.clear();
  tree.insert("only", "1");
  const killed = storage.kill();
  await tree.close();
  const { entries, segments, lost } = await repair("data", into(killed));
  assertEquals([entries, segments, lost], [1, 0, []]);
});

Deno.test("large trees come through in many batches, in order, with progress and turns of the event loop", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { storage, fsyncInterval: null });
  const keys = numbered(20_000);
  for (const key of keys) tree.insert(key, key.repeat(8));
  await tree.flushMemtable();
  for (let i = 0; i < keys.length; i += 2) tree.remove(keys[i]!);
  await tree.close();
  const told: RepairProgress[] = [];
  const outStorage = new SimulatedStorage();
  let appendedMax = 0;
  outStorage.watch(({ kind, file, bytes }) => {
    if (kind === "append" && file.startsWith("journal")) appendedMax = Math.max(appendedMax, bytes);
  });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await repair("data", into(storage, { outStorage, onProgress: (progress) => void told.push(progress) }));
  clearInterval(timer);
  assert(turns > 0);
  assert(appendedMax > 200_000 && appendedMax < 400_000, `${appendedMax} bytes in one batch`);
  assertEquals(told.at(-1)!.doneBytes, told.at(-1)!.totalBytes);
  await using repaired = await Tree.open("repaired", { storage: outStorage });
  assertEquals(keysOf(repaired), keys.filter((_, i) => i % 2 === 1));
});

Deno.test("wrong options are type errors", async () => {
  const { storage } = await imageOf("close");
  const wrong: unknown[] = [
    undefined,
    null,
    {},
    { ...into(storage), out: 5 },
    { ...into(storage), out: "" },
    { ...into(storage), storage: {} },
    { ...into(storage), outStorage: {} },
    { ...into(storage), signal: {} },
    { ...into(storage), onProgress: {} },
  ];
  for (const options of wrong) {
    await assertRejects(() => repair("data", options as RepairOptions), TypeError, "Cannot");
  }
  await assertRejects(() => repair(5 as unknown as string, into(storage)), TypeError);
});

Deno.test("it writes to nothing that is not empty, and not to what it reads", async () => {
  const { storage } = await imageOf("close");
  const before = storage.files();
  await assertRejects(
    () => repair("data", { out: "data", storage, outStorage: storage }),
    AlreadyExistsError,
  );
  await assertRejects(() => repair("data", { out: "data/repaired", storage }), AlreadyExistsError, "lies in");
  const foreign = new SimulatedStorage();
  foreign.open({ create: true, readOnly: false });
  foreign.damage("letter.txt", () => new Uint8Array(3));
  await assertRejects(() => repair("data", into(storage, { outStorage: foreign })), AlreadyExistsError);
  const headless = (await imageOf("close")).storage;
  headless.damage("CURRENT", () => undefined);
  await assertRejects(() => repair("data", into(storage, { outStorage: headless })), AlreadyExistsError);
  assertEquals(storage.files(), before);
  const empty = new MemoryStorage();
  empty.open({ create: true, readOnly: false });
  assertEquals((await repair("data", into(storage, { outStorage: empty }))).lost, []);
});

Deno.test("where there is no file of a tree it throws, and makes no new tree", async () => {
  const empty = new SimulatedStorage();
  await assertRejects(() => repair("data", into(empty)), NotFoundError);
  empty.open({ create: true, readOnly: false });
  empty.damage("letter.txt", () => new Uint8Array(3));
  const outStorage = new MemoryStorage();
  await assertRejects(
    () => repair("data", into(empty, { outStorage })),
    NotFoundError,
    'Cannot repair "data"',
  );
  assertEquals([...empty.files().keys()], ["letter.txt"]);
  await assertRejects(() => verify("repaired", { storage: outStorage }), NotFoundError);
});

Deno.test("a tree that is open for writing is locked; one open for reading is not", async () => {
  const storage = new MemoryStorage();
  const writer = await treeOf(numbered(9), { storage });
  await assertRejects(() => repair("data", into(storage)), LockedError);
  await writer.close();
  await using reader = await Tree.open("data", { storage, readOnly: true });
  assertEquals((await repair("data", into(storage))).entries, reader.len());
});

Deno.test("an aborted signal, a full disk or a throwing callback leave nothing of the new tree", async () => {
  const { storage } = await imageOf("close");
  const reason = new Error("enough");
  const failing = async (options: Partial<RepairOptions>): Promise<unknown> => {
    const outStorage = options.outStorage as SimulatedStorage | undefined ?? new SimulatedStorage();
    const error = await repair("data", into(storage, { outStorage, ...options })).then(
      () => undefined,
      (it) => it,
    );
    assertEquals([storage.openHandles, storage.heldLocks, outStorage.openHandles, outStorage.heldLocks], [
      0,
      0,
      0,
      0,
    ]);
    const left = await verify("repaired", { storage: outStorage }).catch((it) => it);
    assert(left instanceof NotFoundError, `${left}`);
    return error;
  };
  assertEquals(await failing({ signal: AbortSignal.abort(reason) }), reason);
  const controller = new AbortController();
  const stop = storage.watch(({ kind, file }) => {
    if (kind === "openRead" && file.startsWith("segment")) controller.abort(reason);
  });
  assertEquals(await failing({ signal: controller.signal }), reason);
  stop();
  for (const nth of [1, 2, 5, 9]) {
    const outStorage = new SimulatedStorage();
    const fault = outStorage.fail({ operation: "append", nth, error: "ENOSPC", sticky: true });
    const error = await failing({ outStorage });
    assert(error instanceof IoError && fault.count > 0, `${nth}: ${error}`);
  }
});

Deno.test("a place that the disk cannot read is lost; every other refusal is thrown", async () => {
  const { storage, contents } = await imageOf("close");
  const segment = [...storage.files().keys()].filter((name) => name.startsWith("segment")).sort()[0]!;
  const copy = storage.kill();
  const { lost: none, entries: all } = await repair("data", into(copy));
  copy.fail({ operation: "readAt", file: segment, nth: 6, error: "EIO" });
  const { lost, entries } = await repair("data", into(copy));
  assertEquals([none.length, lost.length, lost[0]!.file], [0, 1, segment]);
  assert(entries < all && contents.length > 0);
  assertStringIncludes(lost[0]!.reason, "the disk cannot read it");
  for (const file of [/^journal/, /^manifest/, "CURRENT"]) {
    const sick = storage.kill();
    sick.fail({ operation: "readAt", file, error: "EIO", sticky: true });
    const report = await repair("data", into(sick));
    assert(report.lost.length > 0, `${file}`);
  }
  for (const operation of ["list", "openRead", "lock", "readAt"] as const) {
    const refusing = storage.kill();
    refusing.fail({ operation, error: "EACCES" });
    await assertRejects(() => repair("data", into(refusing)), IoError);
    assertEquals([refusing.openHandles, refusing.heldLocks], [0, 0]);
  }
});

Deno.test("an older manifest that is left over is better than none", async () => {
  const { storage, contents } = await imageOf("close");
  const [name, bytes] = [...storage.files()].find(([name]) => name.startsWith("manifest"))!;
  storage.damage(name, () => undefined);
  storage.damage("manifest-000999", () => new Uint8Array(50));
  const without = await repair("data", into(storage));
  assertEquals([without.manifest, without.lost.length], ["none", 2]);
  storage.damage(name, () => bytes);
  storage.damage("CURRENT", () => undefined);
  const outStorage = new MemoryStorage();
  const report = await repair("data", into(storage, { outStorage }));
  assertEquals([report.manifest, report.lost.map(({ file }) => file)], ["used", ["manifest-000999"]]);
  await using tree = await Tree.open("repaired", { storage: outStorage });
  assertEquals(contentsOf(tree), contents.at(-1));
});

Deno.test("what fifo has dropped does not come back from a tree with its manifest", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { ...TINY, storage, compactionStrategy: fifo({ limit: 3_000 }) });
  for (const key of numbered(200)) tree.insert(key, key.repeat(8));
  await tree.flushMemtable();
  const kept = keysOf(tree);
  await tree.close();
  assert(kept.length < 200);
  const { lost, manifest } = await repair("data", into(storage));
  assertEquals([lost, manifest], [[], "used"]);
});

Deno.test("a batch that makes no sense behind a good checksum is lost, those behind it are had", async () => {
  const { storage } = await imageOf("kill");
  const [name, bytes] = [...storage.files()].find(([name]) => name.startsWith("journal"))!;
  const { id } = parseFileName(name)!;
  const scan = scanJournal(bytes, id);
  const { seed } = decodeFileHeader(bytes, "journal", id, name);
  const first = scan.batches[0]!;
  const nonsense = bytes.slice();
  nonsense[first.start] = 99;
  sealRecord(nonsense, 28, first.end, RECORD_BATCH, seed, 28, first.number, first.durable);
  storage.damage(name, () => nonsense);
  const { lost, batches, notes } = await repair("data", into(storage));
  assertEquals(lost.map(({ file, offset, bytes }) => [file, offset, bytes]), [[name, 28, first.end - 28]]);
  assertEquals(batches, scan.batches.length - 1);
  assertEquals(notes.length, 1);
});

Deno.test("batches of which no journal tells are lost", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { ...TINY, storage, durability: "os", background: "inline" });
  storage.fail({ operation: "create", file: /^segment/, error: "ENOSPC", sticky: true });
  for (const key of numbered(4)) tree.insert(key, key.repeat(200));
  const killed = storage.kill();
  storage.heal();
  await tree.close();
  const journals = [...killed.files().keys()].filter((name) => name.startsWith("journal")).sort();
  assertEquals(journals.length, 2);
  const whole = await repair("data", into(killed));
  assertEquals([whole.entries, whole.lost], [4, []]);
  killed.damage(journals[0]!, () => undefined);
  const { lost, entries } = await repair("data", into(killed));
  assertEquals([lost.map(({ file, bytes }) => [file, bytes]), entries < 4], [[[journals[1], 0]], true]);
  assertStringIncludes(lost[0]!.reason, "are in no journal");
});

Deno.test("many segments that share no key come back without a manifest, in one run", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { ...TINY, storage, background: "inline" });
  const keys = numbered(300);
  for (const key of keys) tree.insert(key, key.repeat(5));
  await tree.flushMemtable();
  await tree.close();
  for (const name of storage.files().keys()) if (/^[Cm]/.test(name)) storage.damage(name, () => undefined);
  const outStorage = new MemoryStorage();
  const { manifest, segments, entries } = await repair("data", into(storage, { outStorage }));
  assertEquals([manifest, entries, segments > 1], ["none", 300, true]);
  await using repaired = await Tree.open("repaired", { storage: outStorage });
  assertEquals(keysOf(repaired), keys);
});

Deno.test("a refusal where the new tree is to go is thrown", async () => {
  const { storage } = await imageOf("close");
  const outStorage = new SimulatedStorage();
  outStorage.fail({ operation: "open", error: "EACCES" });
  await assertRejects(() => repair("data", into(storage, { outStorage })), IoError);
});

Deno.test("what cannot be read back of the new tree is thrown, and nothing of it is left", async () => {
  const { storage } = await imageOf("close");
  const outStorage = new SimulatedStorage();
  outStorage.watch(({ kind, file }) => {
    if (kind === "openRead" && file === "CURRENT") outStorage.flip("CURRENT", 3, 1);
  });
  await assertRejects(() => repair("data", into(storage, { outStorage })), CorruptionError);
  assertEquals([...outStorage.files().keys()].sort(), ["LOCK", "READERS"]);
});

Deno.test("a journal that came back after its batches were flushed is not read onto newer values", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { storage });
  tree.insert("a", "1");
  tree.insert("b", "1");
  const [name, bytes] = [...storage.files()].find(([name]) => name.startsWith("journal"))!;
  tree.insert("a", "2");
  tree.remove("b");
  await tree.flushMemtable();
  await tree.close();
  storage.damage(name, () => bytes);
  for (const manifest of ["used", "none"]) {
    const outStorage = new MemoryStorage();
    const report = await repair("data", into(storage, { outStorage }));
    assertEquals([report.manifest, report.batches], [manifest, 0]);
    await using repaired = await Tree.open("repaired", { storage: outStorage });
    assertEquals(contentsOf(repaired), "a=2");
    for (const one of storage.files().keys()) if (/^[Cm]/.test(one)) storage.damage(one, () => undefined);
  }
});

Deno.test("segments that a lost edit took away are not missed", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { storage });
  tree.insert("a", "1");
  await tree.flushMemtable();
  tree.clear();
  await tree.flushMemtable();
  const killed = storage.kill();
  await tree.close();
  const [name, bytes] = [...killed.files()].find(([name]) => name.startsWith("manifest"))!;
  killed.flip(name, bytes.length - 2 * 28, 1);
  const { manifest, lost, segments, entries } = await repair("data", into(killed));
  assertEquals([manifest, lost.map(({ file }) => file), segments, entries], ["prefix", [name], 0, 0]);
});

testWithFiles("a folder is repaired into another, and not a byte of it changes", async (folder) => {
  const tree = await Tree.open(`${folder}/data`, TINY);
  for (const key of numbered(300)) tree.insert(key, key.repeat(3));
  await tree.close();
  Deno.removeSync(`${folder}/data/CURRENT`);
  const read = (): unknown[] =>
    [...Deno.readDirSync(`${folder}/data`)].map((
      { name },
    ) => [name, Deno.readFileSync(`${folder}/data/${name}`)]);
  const before = read();
  const report = await repair(`${folder}/data`, { out: new URL(`file://${folder}/out`) });
  assertEquals([report.entries, report.lost, report.manifest], [300, [], "used"]);
  assertEquals(read(), before);
  await assertRejects(() => repair(`${folder}/data`, { out: `${folder}/out` }), AlreadyExistsError);
  await using repaired = await Tree.open(`${folder}/out`);
  assertEquals(keysOf(repaired), numbered(300));
});
