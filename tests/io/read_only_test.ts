/**
 * Read-only handles: the tree as of `open()`, beside a writer, without changing a byte.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Config, StorageFile } from "@lsm/tree";
import {
  AlreadyExistsError,
  ClosedError,
  MemoryStorage,
  NotFoundError,
  ReadOnlyError,
  Tree,
} from "@lsm/tree";
import { testWithFiles } from "../support/permissions.ts";
import {
  contentsOf,
  copyOf,
  keysOf,
  namesOf,
  numbered,
  openInMemory,
  READS,
  text,
  texts,
  TINY,
  treeOf,
  writeFile,
  WRITES,
} from "../support/trees.ts";

function reader(storage: MemoryStorage, config: Config = {}): Promise<Tree> {
  return openInMemory({ storage, readOnly: true, ...config });
}

/** A storage that tells of each file before it is opened for reading. */
class WatchedStorage extends MemoryStorage {
  beforeRead: ((name: string) => void) | undefined;

  override openRead(name: string): StorageFile {
    this.beforeRead?.(name);
    return super.openRead(name);
  }
}

/** The bytes and times of all that is in a folder, and of the folder. */
function everythingIn(folder: string): unknown[] {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  return [
    Deno.statSync(folder).mtime,
    ...names.map((name) => {
      const { mtime, mode, ino } = Deno.statSync(`${folder}/${name}`);
      return [name, mtime, mode, ino, Deno.readFileSync(`${folder}/${name}`)];
    }),
  ];
}

Deno.test("a read-only handle shows the tree, from memory and from segments", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(numbered(50), { storage })).close();
  await using tree = await reader(storage);
  assertEquals(tree.config.readOnly, true);
  assertEquals(keysOf(tree), numbered(50));
  assertEquals([tree.len(), text(tree.get("key07")), tree.isEmpty()], [50, "key07", false]);
  using snapshot = tree.snapshot();
  assertEquals(snapshot.len(), 50);
  for (const read of Object.values(READS)) read(tree);
  assertEquals([tree.segmentCount(), tree.approximateLen()], [tree.stats().segments, 50]);
  assertEquals([tree.recovery.created, tree.recovery.cleanClose, tree.recovery.orphans], [false, true, 0]);
});

Deno.test("writes throw ReadOnlyError, and flush resolves", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(["a"], { storage })).close();
  await using tree = await reader(storage);
  for (const [name, write] of Object.entries(WRITES)) {
    const error = assertThrows(() => write(tree), ReadOnlyError, `"data"`, name);
    assertEquals([error.code, error.message.startsWith("Cannot ")], ["READ_ONLY", true], name);
  }
  for (
    const write of [
      () => tree.remove("absent"),
      () => tree.removeEntry("absent"),
      () => tree.batch().commit(),
    ]
  ) {
    assertThrows(write, ReadOnlyError);
  }
  assertThrows(() => tree.compareAndSwap("a", "other", "1"), ReadOnlyError);
  await assertRejects(() => tree.flushMemtable(), ReadOnlyError);
  await assertRejects(() => tree.compact(), ReadOnlyError);
  assertEquals([await tree.flush(), await tree.ready()], [undefined, undefined]);
  assertEquals(texts(tree), ["a=a"]);
});

Deno.test("a read-only handle works beside a writer and others of its kind, and keeps the state of its open", async () => {
  const storage = new MemoryStorage();
  await using writer = await treeOf(numbered(60), { storage });
  const expected = texts(writer);
  await using one = await reader(storage);
  await using two = await reader(storage);
  for (const key of numbered(60)) writer.remove(key);
  for (const key of numbered(60)) writer.insert(`new ${key}`, key);
  await writer.flushMemtable();
  await writer.compact();
  writer.clear();
  await writer.compact();
  assertEquals(texts(one), expected);
  assertEquals(texts(two.iter().rev()), expected.toReversed());
  await using three = await reader(storage);
  assertEquals(three.isEmpty(), true);
});

Deno.test("what a reader needs stays when the writer is closed and opened again, and goes when nobody reads", async () => {
  const storage = new MemoryStorage();
  const config = { ...TINY, storage };
  const writer = await treeOf(numbered(60), config);
  const expected = texts(writer);
  const before = namesOf(storage, "segment");
  const tree = await reader(storage);
  writer.clear();
  await writer.compact();
  await writer.close();
  for (let i = 0; i < 3; i++) await (await openInMemory(config)).close();
  assertEquals(namesOf(storage, "segment"), before);
  assertEquals(texts(tree), expected);
  await tree.close();
  await using again = await openInMemory(config);
  assertEquals(namesOf(storage, "segment"), []);
  assert(again.recovery.orphans >= before.length);
});

Deno.test("a read-only open waits while a writer removes files", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(["a"], { storage })).close();
  const removing = storage.lock("READERS", "exclusive");
  const opening = reader(storage);
  await new Promise((resolve) => setTimeout(resolve, 20));
  removing.release();
  await using tree = await opening;
  assertEquals(texts(tree), ["a=a"]);
});

Deno.test("a read-only open begins anew when a writer puts another manifest in place of the one it is about to read", async () => {
  const storage = new WatchedStorage();
  await (await treeOf(["a"], { storage })).close();
  await using writer = await openInMemory({ storage });
  writer.insert("b", "b");
  let tries = 0;
  storage.beforeRead = (name) => {
    if (!name.startsWith("manifest")) return;
    tries += 1;
    // The first edit of a handle begins a new manifest, and the old one goes: it is done when this returns.
    if (tries === 1) void writer.flushMemtable();
  };
  await using tree = await reader(storage);
  storage.beforeRead = undefined;
  assertEquals([texts(tree), tries], [["a=a", "b=b"], 2]);
});

Deno.test("a reader sees all that the operating system had been given: buffered writes after a flush", async () => {
  const storage = new MemoryStorage();
  await using writer = await treeOf(["a"], { storage, durability: "buffered", fsyncInterval: null });
  {
    await using tree = await reader(storage);
    assertEquals(texts(tree), []);
    await writer.flush();
    assertEquals(texts(tree), []);
  }
  await using tree = await reader(storage);
  assertEquals(texts(tree), ["a=a"]);
});

Deno.test("a reader does not recover: a torn tail and orphans stay where they are", async () => {
  const storage = new MemoryStorage();
  await using writer = await treeOf(["a", "b"], { storage, fsyncInterval: null });
  const crashed = copyOf(storage);
  const [journal] = namesOf(crashed, "journal");
  writeFile(crashed, journal!, contentsOf(crashed).get(journal!)!.subarray(0, -1));
  writeFile(crashed, "segment-000999", new Uint8Array(10));
  const before = contentsOf(crashed);
  for (let i = 0; i < 2; i++) {
    await using tree = await reader(crashed);
    assertEquals([texts(tree), tree.recovery.orphans, tree.recovery.cleanClose], [["a=a"], 0, false]);
  }
  assertEquals(contentsOf(crashed), before);
  assertEquals(writer.len(), 2);
});

Deno.test("options given to a read-only handle are not stored", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(["a"], { storage, levelCount: 5 })).close();
  const before = contentsOf(storage);
  {
    await using tree = await reader(storage, { levelCount: 3, compression: "zstd" });
    assertEquals([tree.config.levelCount, tree.config.compression], [3, "zstd"]);
  }
  assertEquals(contentsOf(storage), before);
});

Deno.test("there must be a tree to read, and nothing is made where there is none", async () => {
  for (const config of [{}, { createIfMissing: true }]) {
    const storage = new MemoryStorage();
    await assertRejects(() => reader(storage, config), NotFoundError, `Cannot open "data"`);
    assertEquals(storage.open({ create: true, readOnly: false }).created, true);
    await assertRejects(() => reader(storage, config), NotFoundError, `Cannot open "data"`);
    assertEquals(storage.list(), []);
  }
  const storage = new MemoryStorage();
  await (await treeOf(["a"], { storage })).close();
  await assertRejects(() => reader(storage, { errorIfExists: true }), AlreadyExistsError);
});

Deno.test("after close a read-only handle throws ClosedError, and excludes nobody", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(["a"], { storage })).close();
  const tree = await reader(storage);
  await tree.close();
  await tree.close();
  for (const [name, use] of Object.entries({ ...READS, ...WRITES })) {
    assertThrows(() => use(tree), ClosedError, "Cannot", name);
  }
  await assertRejects(() => tree.flush(), ClosedError);
});

testWithFiles("a read-only handle changes no byte, no time and no name", async (folder) => {
  {
    await using tree = await Tree.open(folder, TINY);
    for (const key of numbered(60)) tree.insert(key, key);
  }
  const before = everythingIn(folder);
  {
    await using tree = await Tree.open(folder, { readOnly: true, blockSize: 2048, levelCount: 2 });
    assertEquals(keysOf(tree), numbered(60));
    for (const key of numbered(60)) assertEquals(text(tree.get(key)), key);
    await tree.flush();
    using snapshot = tree.snapshot();
    assertEquals(snapshot.len(), 60);
  }
  assertEquals(everythingIn(folder), before);
});

testWithFiles(
  "a reader of files keeps its state beside a writer that compacts, closes and opens again",
  async (folder) => {
    const writer = await Tree.open(folder, TINY);
    for (const key of numbered(60)) writer.insert(key, key.padEnd(100, "."));
    const expected = texts(writer);
    await using tree = await Tree.open(folder, { readOnly: true });
    const range = tree.iter();
    assertEquals(text(range.next().value![0]), "key00");
    for (const key of numbered(60)) writer.remove(key);
    await writer.compact();
    await writer.close();
    await (await Tree.open(folder)).close();
    assertEquals(texts(range), expected.slice(1));
    assertEquals(texts(tree), expected);
    assert(tree.containsKey("key59"));
  },
);

testWithFiles("a read-only handle needs a folder that can be read and nothing more", async (folder) => {
  await (await Tree.open(`${folder}/data`)).close();
  for (const { name } of Deno.readDirSync(`${folder}/data`)) Deno.chmodSync(`${folder}/data/${name}`, 0o400);
  Deno.chmodSync(`${folder}/data`, 0o500);
  try {
    await using tree = await Tree.open(`${folder}/data`, { readOnly: true });
    assertEquals(tree.isEmpty(), true);
  } finally {
    Deno.chmodSync(`${folder}/data`, 0o700);
  }
});
