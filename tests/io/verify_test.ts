/**
 * `verify` of a folder and of an open tree: what it answers, what it throws, and what it leaves as it was.
 *
 * That it finds every damage is in `tests/properties/verify_test.ts`.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { VerifyOptions, VerifyProgress } from "@lsm/tree";
import { ClosedError, CorruptionError, IoError, MemoryStorage, NotFoundError, Tree, verify } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import {
  checksum,
  decodeFileHeader,
  encodeRecord,
  historyAfter,
  parseFileName,
  RECORD_BATCH,
  scanManifest,
  snapshotEdit,
  withEncodedEdits,
  writeU32,
} from "../../core/mod.ts";
import { joined } from "../support/damage.ts";
import { imageOf } from "../support/images.ts";
import { testWithFiles } from "../support/permissions.ts";
import { recordFile } from "../support/record_files.ts";
import { numbered, TINY, treeOf } from "../support/trees.ts";

async function closedTree(storage: MemoryStorage | SimulatedStorage, keys = 50): Promise<void> {
  await (await treeOf(numbered(keys), { storage })).close();
}

Deno.test("a tree that was closed in order has no problems and no notes", async () => {
  const storage = new MemoryStorage();
  await closedTree(storage);
  const report = await verify("data", { storage });
  const counted = storage.list().filter(({ name }) => name !== "LOCK" && name !== "READERS");
  assertEquals(report, {
    ok: true,
    problems: [],
    files: counted.length,
    bytes: counted.reduce((sum, { size }) => sum + size, 0),
    notes: [],
  });
  for (const part of [report, report.problems, report.notes]) assert(Object.isFrozen(part));
});

Deno.test("what is wrong is a problem with its file and byte, and everything else is looked at", async () => {
  const { storage } = await imageOf("close");
  const clean = await verify("data", { storage });
  const [first, second] = [...storage.files().keys()].filter((name) => name.startsWith("segment")).sort();
  storage.flip(first!, 50, 1);
  storage.flip(second!, 50, 1);
  const report = await verify("data", { storage });
  assertEquals(report.problems.map(({ code, file, offset }) => [code, file, offset]), [
    ["CORRUPTION", second, 28],
    ["CORRUPTION", first, 28],
  ]);
  assertEquals([report.ok, report.files, report.bytes], [false, clean.files, clean.bytes]);
  storage.damage("CURRENT", () => undefined);
  const lost = await verify("data", { storage });
  assertEquals(lost.problems.map(({ file }) => file), ["CURRENT", first, second]);
  assertEquals(lost.files, clean.files - 2);
});

Deno.test("a missing file that the manifest lists is a problem each, and the others are looked at", async () => {
  const { storage } = await imageOf("close");
  const names = [...storage.files().keys()].filter((name) => /^(segment|journal)/.test(name)).sort();
  for (const name of names.slice(0, 2)) storage.damage(name, () => undefined);
  const { problems } = await verify("data", { storage });
  assertEquals(
    problems.map(({ file }) => file).filter((file) => file !== undefined).sort(),
    names.slice(0, 2),
  );
  assertEquals(problems.at(-1)!.message.includes("it is missing"), true);
});

Deno.test("journals are looked at without a manifest, and what a crash may have left is a note", async () => {
  const { storage } = await imageOf("kill");
  const journal = [...storage.files().keys()].find((name) => name.startsWith("journal"))!;
  storage.flip("CURRENT", 3, 1);
  storage.damage(journal, (bytes) => bytes.slice(0, -1));
  const { problems, notes } = await verify("data", { storage });
  assertEquals(problems.map(({ file }) => file), ["CURRENT"]);
  assertEquals(notes.length, 1);
  assertStringIncludes(notes[0]!, `"${journal}" is not whole from byte`);
});

Deno.test("batches and edits that make no sense behind good checksums are problems", async () => {
  const { storage } = await imageOf("kill");
  const [name, bytes] = [...storage.files()].find(([name]) => name.startsWith("journal"))!;
  const { id } = parseFileName(name)!;
  const { seed } = decodeFileHeader(bytes, "journal", id, name);
  const nonsense = encodeRecord(new Uint8Array([9]), RECORD_BATCH, seed, bytes.length, 11, 0);
  storage.damage(name, () => joined(bytes, nonsense));
  const { problems } = await verify("data", { storage });
  assertEquals(problems.map(({ file, offset }) => [file, offset]), [[name, bytes.length]]);
});

Deno.test("a history that makes no sense behind good checksums is a problem", async () => {
  const { storage } = await imageOf("close");
  const [name, bytes] = [...storage.files()].find(([name]) => name.startsWith("manifest"))!;
  const { id } = parseFileName(name)!;
  const { version } = scanManifest(bytes, id);
  const history = withEncodedEdits(historyAfter(version.editNumber - 1), [Uint8Array.of(99)]);
  const changed = recordFile("manifest", id).history(version.editNumber, history)
    .edit(version.editNumber, snapshotEdit(version, "closed", 1)).close(version.editNumber);
  storage.damage(name, () => changed.bytes());
  const { problems, notes } = await verify("data", { storage });
  assertEquals([problems.map(({ file, offset }) => [file, offset]), notes], [[[name, 28]], []]);
});

Deno.test("a journal that a recovery has set aside is not missing", async () => {
  const { storage } = await imageOf("close");
  const [name, bytes] = [...storage.files()].find(([name]) => name.startsWith("journal"))!;
  storage.damage(name, () => undefined);
  storage.damage(`lost-${name}`, () => bytes);
  const { problems } = await verify("data", { storage });
  assertEquals(problems.map(({ code }) => code), ["JOURNAL_RECOVERY"]);
});

Deno.test("a segment of a newer module is a problem, with a manifest and without", async () => {
  const { storage } = await imageOf("close");
  const name = [...storage.files().keys()].find((name) => name.startsWith("segment"))!;
  storage.damage(name, (bytes) => {
    bytes[5] = 2;
    writeU32(bytes, 24, checksum(bytes, 0, 24, 0));
    return bytes;
  });
  const codesOf = async (): Promise<string[]> =>
    (await verify("data", { storage })).problems.filter(({ file }) => file === name).map(({ code }) => code);
  assertEquals(await codesOf(), ["UNSUPPORTED_FORMAT"]);
  storage.damage("CURRENT", () => undefined);
  assertEquals(await codesOf(), ["UNSUPPORTED_FORMAT"]);
});

Deno.test("of one file a hundred problems are listed, and how many more there are", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { storage, blockSize: 1024 });
  for (const key of numbered(400)) tree.insert(key, "v".repeat(600));
  await tree.flushMemtable();
  await tree.close();
  const segment = [...storage.files().keys()].find((name) => name.startsWith("segment"))!;
  storage.damage(segment, (bytes) => bytes.map((byte, i) => i >= 28 && i < bytes.length - 9_000 ? 0 : byte));
  const { problems, notes } = await verify("data", { storage });
  assertEquals(problems.length, 100);
  assertEquals(notes.length, 1);
  assertStringIncludes(notes[0]!, `"${segment}" has 2`);
});

Deno.test("files of no use and a tree that is open are notes", async () => {
  const storage = new SimulatedStorage();
  await closedTree(storage);
  storage.damage("segment-000999", () => new Uint8Array(9));
  storage.damage("manifest-000998", () => new Uint8Array(9));
  assertEquals((await verify("data", { storage })).notes, [
    "files of no use: manifest-000998, segment-000999",
  ]);
  const open = await Tree.open("data", { storage });
  open.insert("a", "1");
  assertEquals((await open.verify()).notes, ["the tree is open, or was not closed in order"]);
  await open.close();
  assertEquals((await verify("data", { storage })).notes, []);
});

Deno.test("where there is no tree it throws, and makes none", async () => {
  await assertRejects(() => verify("data", { storage: new MemoryStorage() }), NotFoundError);
  const empty = new SimulatedStorage();
  empty.open({ create: true, readOnly: false });
  await assertRejects(() => verify("data", { storage: empty }), NotFoundError, 'Cannot verify "data"');
  empty.damage("notes.txt", () => new Uint8Array(3));
  await assertRejects(() => verify("data", { storage: empty }), NotFoundError);
  assertEquals([...empty.files().keys()], ["notes.txt"]);
});

Deno.test("wrong options are type errors", async () => {
  const storage = new MemoryStorage();
  await closedTree(storage, 1);
  const wrong: unknown[] = [
    null,
    5,
    { storage, signal: 5 },
    { storage, onProgress: true },
    { storage: {} },
    { storage: null },
  ];
  for (const options of wrong) {
    await assertRejects(() => verify("data", options as VerifyOptions), TypeError, "Cannot");
  }
  await assertRejects(() => verify("", { storage }), TypeError);
  await assertRejects(() => verify(5 as unknown as string, { storage }), TypeError);
  await using tree = await Tree.open("data", { storage });
  await assertRejects(() => tree.verify(null as unknown as VerifyOptions), TypeError);
});

Deno.test("what the operating system refuses is thrown, and nothing is left open", async () => {
  for (const operation of ["open", "list", "lock", "openRead", "readAt", "size"] as const) {
    for (const nth of [1, 3]) {
      const { storage } = await imageOf("close");
      const fault = storage.fail({ operation, nth, error: "EIO" });
      const failed = await verify("data", { storage }).then(() => undefined, (error) => error);
      if (fault.count === 0) assert(failed === undefined && nth > 1);
      else assert(failed instanceof IoError, `${operation} ${nth}: ${failed}`);
      assertEquals([storage.openHandles, storage.heldLocks], [0, 0]);
    }
  }
});

Deno.test("short reads are read on", async () => {
  const { storage } = await imageOf("close");
  storage.fail({ operation: "readAt", error: "short", sticky: true });
  assertEquals((await verify("data", { storage })).problems, []);
});

Deno.test("an aborted signal ends it with its reason: before, and while it goes", async () => {
  const { storage } = await imageOf("close");
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  assertEquals(await verify("data", { storage, signal }).catch((error) => error), reason);
  const controller = new AbortController();
  const onProgress = (): void => controller.abort(reason);
  const wasTold = verify("data", { storage, signal: controller.signal, onProgress });
  assertEquals((await wasTold).ok, true, "told at the end");
  const stop = storage.watch(({ kind, file }) => {
    if (kind === "openRead" && file.startsWith("segment")) late.abort(reason);
  });
  const late = new AbortController();
  assertEquals(await verify("data", { storage, signal: late.signal }).catch((error) => error), reason);
  stop();
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0]);
  await using tree = await Tree.open("data", { storage });
  assertEquals(await tree.verify({ signal }).catch((error) => error), reason);
});

Deno.test("progress is told, ends with all bytes, and may end it by throwing", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { storage, blockSize: 1024, fsyncInterval: null });
  for (const key of numbered(40_000)) tree.insert(key, key.repeat(20));
  await tree.flushMemtable();
  await tree.close();
  const told: VerifyProgress[] = [];
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const { bytes } = await verify("data", { storage, onProgress: (progress) => void told.push(progress) });
  clearInterval(timer);
  assert(turns > 0, "the event loop had no turn");
  for (const { doneBytes, totalBytes } of told) assert(doneBytes <= totalBytes && totalBytes === bytes);
  for (const [i, { doneBytes }] of told.entries()) assert(i === 0 || doneBytes > told[i - 1]!.doneBytes);
  assertEquals(told.at(-1), { doneBytes: bytes, totalBytes: bytes });
  const failed = new Error("the user's own");
  const onProgress = (): never => {
    throw failed;
  };
  assertEquals(await verify("data", { storage, onProgress }).catch((error) => error), failed);
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0]);
});

Deno.test("it waits for a writer that removes files, unless it is aborted", async () => {
  const storage = new MemoryStorage();
  await closedTree(storage);
  const lock = storage.lock("READERS", "exclusive");
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 12);
  await assertRejects(() => verify("data", { storage, signal: controller.signal }), DOMException, "aborted");
  setTimeout(() => lock.release(), 12);
  assertEquals((await verify("data", { storage })).ok, true);
});

Deno.test("what a writer removes waits until a verification is over", async () => {
  const storage = new SimulatedStorage();
  await using tree = await treeOf(numbered(200), { ...TINY, storage, background: "inline" });
  await tree.flush();
  let isOnce = true;
  const names = new Set<string>();
  const stop = storage.watch(({ kind, file }) => {
    if (kind === "openRead" && file.startsWith("segment") && isOnce) {
      isOnce = false;
      for (const { name } of storage.list()) if (name.startsWith("segment")) names.add(name);
      for (const key of numbered(200)) tree.insert(key, "other");
    }
  });
  const { problems, files } = await tree.verify();
  stop();
  assertEquals([problems, isOnce], [[], false]);
  assert(files > 3);
  const merged = storage.list().filter(({ name }) => names.has(name)).length;
  assertEquals(merged, names.size, "a file was removed meanwhile");
  tree.insert("last", "1");
  await tree.flushMemtable();
  await tree.compact();
  assert(storage.list().filter(({ name }) => names.has(name)).length < names.size);
});

/** Puts files in the place of those that are there, as a writer in another process does over some time. */
function replaceFiles(storage: SimulatedStorage, files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): void {
  for (const name of storage.files().keys()) if (!files.has(name)) storage.damage(name, () => undefined);
  for (const [name, bytes] of files) storage.damage(name, () => bytes);
}

for (const at of ["manifest", "journal", "segment"]) {
  Deno.test(`files that a writer replaces while they are read are no problem: ${at}`, async () => {
    const { storage } = await imageOf("kill");
    // A copy of a folder may lack the file with which readers keep segments from being removed.
    storage.damage("READERS", () => undefined);
    const later = storage.kill();
    const tree = await Tree.open("data", { storage: later });
    tree.insert("z", "1");
    await tree.compact();
    await tree.close();
    let replaced = 0;
    storage.watch(({ kind, file }) => {
      if (kind !== "openRead" || !file.startsWith(at) || replaced > 0) return;
      replaced += 1;
      replaceFiles(storage, later.files());
    });
    const report = await verify("data", { storage });
    assertEquals([report, replaced], [await verify("data", { storage: later }), 1]);
    assertEquals([report.ok, report.notes], [true, []]);
  });
}

Deno.test("damage is reported though a writer changes files all the time", async () => {
  const { storage } = await imageOf("close");
  storage.flip("CURRENT", 3, 1);
  let attempts = 0;
  storage.watch(({ kind, file }) => {
    if (kind !== "openRead" || file !== "CURRENT") return;
    attempts += 1;
    storage.damage("journal-000900", () => new Uint8Array(attempts));
  });
  const { problems } = await verify("data", { storage });
  assertEquals([problems.map(({ file }) => file), attempts], [["CURRENT"], 100]);
});

Deno.test("a tree that is closed cannot be verified by its handle", async () => {
  const tree = await treeOf(["a"]);
  await tree.close();
  await assertRejects(() => tree.verify(), ClosedError);
});

testWithFiles("files are looked at beside their writer, and not a byte changes", async (folder) => {
  await using tree = await Tree.open(folder, TINY);
  for (const key of numbered(300)) tree.insert(key, key.repeat(3));
  await tree.flushMemtable();
  tree.insert("a", "1");
  const before = [...Deno.readDirSync(folder)].map((
    { name },
  ) => [name, Deno.readFileSync(`${folder}/${name}`)]);
  for (
    const report of [await verify(folder), await tree.verify(), await verify(new URL(`file://${folder}`))]
  ) {
    assertEquals([report.ok, report.problems], [true, []]);
  }
  const after = [...Deno.readDirSync(folder)].map((
    { name },
  ) => [name, Deno.readFileSync(`${folder}/${name}`)]);
  assertEquals(after, before);
  await assertRejects(() => verify(`${folder}/nothing`), NotFoundError);
});

testWithFiles("a folder or a link in the place of a segment is a problem", async (folder) => {
  const tree = await Tree.open(folder, TINY);
  for (const key of numbered(300)) tree.insert(key, key.repeat(3));
  await tree.close();
  const segment = [...Deno.readDirSync(folder)].find(({ name }) => name.startsWith("segment"))!.name;
  Deno.renameSync(`${folder}/${segment}`, `${folder}/kept`);
  Deno.mkdirSync(`${folder}/${segment}`);
  const { problems } = await verify(folder);
  assertEquals(problems.map((problem) => [problem instanceof CorruptionError, problem.file]), [[
    true,
    segment,
  ]]);
});
