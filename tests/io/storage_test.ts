/**
 * What every storage does, told once and run on each.
 *
 * The examples are the port's documentation. That random calls have the same results on all is in
 * `properties/parity_test.ts`, what only files have in `file_storage_test.ts`.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AlreadyExistsError, IoError, LockedError, NotFoundError } from "../../core/errors.ts";
import { FileStorage } from "../../io/file_storage.ts";
import { MemoryStorage } from "../../io/memory_storage.ts";
import { SimulatedStorage } from "../../io/simulated_storage.ts";
import type { Storage, StorageFile } from "../../io/storage.ts";
import { testWithFiles } from "../support/permissions.ts";

const CREATE = { create: true, readOnly: false };
const NO_FILE_NAMES = ["", ".", "..", "../a", "a/b", "a\\b", "a b", "a\0", "\u00e9", "x".repeat(256)];

/** Registers a test for each kind of storage; `storageOf` gives a storage on the same data whenever it is called. */
function onEach(name: string, fn: (storageOf: () => Storage) => void | Promise<void>): void {
  for (const storage of [new MemoryStorage(), new SimulatedStorage()]) {
    Deno.test(`${name} (${storage.kind})`, () => fn(() => storage));
  }
  testWithFiles(`${name} (files)`, (folder) => fn(() => new FileStorage(`${folder}/store`)));
}

/** The same, with the storage created. */
function onEachCreated(
  name: string,
  fn: (storage: Storage, storageOf: () => Storage) => void | Promise<void>,
): void {
  onEach(name, (storageOf) => {
    const storage = storageOf();
    storage.open(CREATE);
    return fn(storage, storageOf);
  });
}

function bytesOf(...values: number[]): Uint8Array {
  return new Uint8Array(values);
}

/** Bytes that differ from their neighbours and between chunks. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 255);
}

function appendAll(file: StorageFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const written = file.append(bytes, at, bytes.length);
    assert(written >= 1 && written <= bytes.length - at);
    at += written;
  }
}

function readUpTo(file: StorageFile, length: number, position: number): Uint8Array {
  const into = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const count = file.readAt(into, at, length, position + at);
    if (count === 0) break;
    at += count;
  }
  return into.subarray(0, at);
}

function write(storage: Storage, name: string, bytes: Uint8Array): void {
  const file = storage.create(name);
  appendAll(file, bytes);
  file.close();
}

function read(storage: Storage, name: string): Uint8Array {
  const file = storage.openRead(name);
  const bytes = readUpTo(file, file.size(), 0);
  file.close();
  return bytes;
}

function names(storage: Storage): string[] {
  return storage.list().map((entry) => entry.name).sort();
}

onEach("a storage that was never created is not there", (storageOf) => {
  const storage = storageOf();
  assertThrows(() => storage.open({ create: false, readOnly: false }), NotFoundError);
  assertThrows(() => storage.open({ create: true, readOnly: true }), NotFoundError);
  assertThrows(() => storage.list(), NotFoundError);
  assertEquals(assertThrows(() => storage.create("a"), NotFoundError).file, "a");
  assertEquals(assertThrows(() => storage.openRead("a"), NotFoundError).file, "a");
  assertThrows(() => storage.syncFolder(), NotFoundError);
  storage.lock("READERS", "shared").release();
  assertThrows(() => storage.lock("LOCK", "exclusive"), NotFoundError);
});

onEach("open says whether it created the storage", (storageOf) => {
  assertEquals(storageOf().open(CREATE).created, true);
  assertEquals(storageOf().open(CREATE).created, false);
  assertEquals(storageOf().open({ create: false, readOnly: true }).created, false);
});

onEachCreated("what was appended is there when the storage is opened again", (storage, storageOf) => {
  write(storage, "a", bytesOf(1, 2, 3));
  storage.close();
  storage.close();
  const again = storageOf();
  again.open({ create: false, readOnly: true });
  assertEquals(read(again, "a"), bytesOf(1, 2, 3));
});

onEachCreated("append takes the bytes from start to end and nothing else", (storage) => {
  const file = storage.create("a");
  const bytes = bytesOf(1, 2, 3, 4, 5);
  assertEquals(file.append(bytes, 1, 4), 3);
  assertEquals(file.append(bytes, 5, 5), 0);
  bytes.fill(9);
  assertEquals(readUpTo(file, 9, 0), bytesOf(2, 3, 4));
  assertEquals(file.size(), 3);
  file.close();
});

onEachCreated("readAt fills from start to end and nothing else", (storage) => {
  const file = storage.create("a");
  appendAll(file, bytesOf(1, 2, 3, 4, 5));
  const into = bytesOf(9, 9, 9, 9);
  assertEquals(file.readAt(into, 1, 3, 2), 2);
  assertEquals(into, bytesOf(9, 3, 4, 9));
  into.fill(7);
  assertEquals(readUpTo(file, 5, 0), bytesOf(1, 2, 3, 4, 5));
  file.close();
});

onEachCreated("readAt stops at the end of the file and gives 0 behind it", (storage) => {
  const file = storage.create("a");
  const into = new Uint8Array(4);
  assertEquals(file.readAt(into, 0, 4, 0), 0);
  appendAll(file, bytesOf(1, 2, 3));
  assertEquals(file.readAt(into, 0, 4, 2), 1);
  assertEquals(file.readAt(into, 0, 4, 3), 0);
  assertEquals(file.readAt(into, 0, 4, 2 ** 40), 0);
  assertEquals(file.readAt(into, 2, 2, 0), 0);
  assertEquals(into, bytesOf(3, 0, 0, 0));
  file.close();
});

onEachCreated("a file of many pages comes back at every position", (storage) => {
  const bytes = pattern(50_000);
  const file = storage.create("a");
  appendAll(file, bytes.subarray(0, 20_000));
  appendAll(file, bytes.subarray(20_000, 20_001));
  appendAll(file, bytes.subarray(20_001));
  assertEquals(file.size(), bytes.length);
  for (const position of [0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 49_999, 50_000]) {
    assertEquals(readUpTo(file, 20_000, position), bytes.subarray(position, position + 20_000));
  }
  file.close();
});

onEachCreated(
  "after truncate, appends go to the new end and nothing of the old tail comes back",
  (storage) => {
    const file = storage.create("a");
    for (const [length, cut] of [[10, 4], [40_000, 16_384], [40_000, 32_000], [5, 5], [3, 0]] as const) {
      file.truncate(0);
      appendAll(file, pattern(length));
      file.truncate(cut);
      assertEquals(file.size(), cut);
      assertEquals(readUpTo(file, length, 0), pattern(length).subarray(0, cut));
      appendAll(file, bytesOf(255));
      assertEquals(file.size(), cut + 1);
      assertEquals(readUpTo(file, length, cut), bytesOf(255));
    }
    file.close();
  },
);

onEachCreated("wrong spans, positions and lengths are RangeErrors", (storage) => {
  const file = storage.create("a");
  appendAll(file, bytesOf(1, 2, 3));
  const four = new Uint8Array(4);
  for (const [start, end] of [[-1, 2], [0, 5], [3, 2], [0.5, 2], [0, NaN]] as const) {
    assertThrows(() => file.append(four, start, end), RangeError);
    assertThrows(() => file.readAt(four, start, end, 0), RangeError);
  }
  for (const position of [-1, 0.5, NaN, 2 ** 53]) {
    assertThrows(() => file.readAt(four, 0, 4, position), RangeError);
  }
  for (const length of [-1, 0.5, NaN, 4]) assertThrows(() => file.truncate(length), RangeError);
  assertEquals(readUpTo(file, 4, 0), bytesOf(1, 2, 3));
  file.close();
});

onEachCreated("create refuses a name that is taken, and leaves the file alone", (storage) => {
  write(storage, "a", bytesOf(1));
  const error = assertThrows(() => storage.create("a"), AlreadyExistsError, `Cannot create "a"`);
  assertEquals(error.file, "a");
  assertEquals(read(storage, "a"), bytesOf(1));
});

onEachCreated("a name that is not there is a NotFoundError that names the file", (storage) => {
  for (
    const call of [
      () => storage.openRead("a"),
      () => storage.rename("a", "b"),
      () => storage.remove("a"),
    ]
  ) {
    assertEquals(assertThrows(call, NotFoundError, `"a"`).file, "a");
  }
  assertEquals(names(storage), []);
});

onEachCreated("a handle from openRead sees appends, can sync, and changes nothing", async (storage) => {
  const writer = storage.create("a");
  const reader = storage.openRead("a");
  assertEquals([writer.name, reader.name], ["a", "a"]);
  appendAll(writer, bytesOf(1, 2, 3));
  assertEquals(reader.size(), 3);
  assertEquals(readUpTo(reader, 9, 0), bytesOf(1, 2, 3));
  assertEquals(assertThrows(() => reader.append(bytesOf(4), 0, 1), IoError).file, "a");
  assertThrows(() => reader.truncate(0), IoError);
  reader.sync();
  await reader.syncAsync();
  assertEquals(writer.size(), 3);
  writer.close();
  assertEquals(readUpTo(reader, 9, 1), bytesOf(2, 3));
  reader.close();
});

onEachCreated("rename replaces, and open handles stay with their file", (storage) => {
  write(storage, "new", bytesOf(1));
  write(storage, "old", bytesOf(2));
  const old = storage.openRead("old");
  const moved = storage.openRead("new");
  storage.rename("new", "old");
  assertEquals(names(storage), ["old"]);
  assertEquals(read(storage, "old"), bytesOf(1));
  assertEquals(readUpTo(old, 9, 0), bytesOf(2));
  assertEquals(readUpTo(moved, 9, 0), bytesOf(1));
  storage.rename("old", "old");
  assertEquals(read(storage, "old"), bytesOf(1));
  old.close();
  moved.close();
});

onEachCreated("a removed file is gone, and handles that are open on it go on working", (storage) => {
  const file = storage.create("a");
  appendAll(file, bytesOf(1));
  const reader = storage.openRead("a");
  storage.remove("a");
  assertEquals(names(storage), []);
  write(storage, "a", bytesOf(7, 7));
  appendAll(file, bytesOf(2));
  file.sync();
  assertEquals(readUpTo(reader, 9, 0), bytesOf(1, 2));
  assertEquals(read(storage, "a"), bytesOf(7, 7));
  file.close();
  reader.close();
});

onEachCreated("list tells names and lengths", (storage) => {
  write(storage, "b", bytesOf(1, 2));
  write(storage, ".a-B_9", bytesOf());
  const entries = storage.list().sort((one, other) => one.name < other.name ? -1 : 1);
  assertEquals(entries, [
    { name: ".a-B_9", size: 0, isFile: true },
    { name: "b", size: 2, isFile: true },
  ]);
});

onEachCreated("what cannot be a file's name is a TypeError in every call", (storage) => {
  write(storage, "a", bytesOf(1));
  for (const name of NO_FILE_NAMES) {
    for (
      const call of [
        () => storage.create(name),
        () => storage.openRead(name),
        () => storage.rename(name, "b"),
        () => storage.rename("a", name),
        () => storage.remove(name),
        () => storage.lock(name, "exclusive"),
        () => storage.lock(name, "shared"),
      ]
    ) assertThrows(call, TypeError, "as the name of a file");
  }
  assertEquals(names(storage), ["a"]);
});

onEachCreated("a closed handle refuses everything but to be closed again", async (storage) => {
  write(storage, "b", bytesOf(1, 2, 3));
  const file = storage.create("a");
  file.close();
  file.close();
  // The next file that is opened may get the number of the closed descriptor.
  const other = storage.openRead("b");
  for (
    const call of [
      () => file.append(bytesOf(1), 0, 1),
      () => file.readAt(new Uint8Array(1), 0, 1, 0),
      () => file.size(),
      () => file.truncate(0),
      () => file.sync(),
    ]
  ) assertEquals(assertThrows(call, IoError, "closed").file, "a");
  await assertRejects(() => file.syncAsync(), IoError, "closed");
  file.close();
  assertEquals(readUpTo(other, 9, 0), bytesOf(1, 2, 3));
  other.close();
});

onEachCreated("a barrier that is running when its handle is closed is finished", async (storage) => {
  const file = storage.create("a");
  appendAll(file, pattern(200_000));
  const barriers = [file.syncAsync(), file.syncAsync()];
  appendAll(file, bytesOf(1));
  file.close();
  assertThrows(() => file.size(), IoError, "closed");
  const others = ["b", "c"].map((name) => storage.create(name));
  await Promise.all(barriers);
  assertEquals(read(storage, "a").length, 200_001);
  for (const other of others) other.close();
});

onEachCreated("syncs return, of files and of the folder", async (storage) => {
  const file = storage.create("a");
  storage.syncFolder();
  appendAll(file, bytesOf(1));
  file.sync();
  await file.syncAsync();
  file.truncate(0);
  file.sync();
  file.close();
});

onEachCreated("an exclusive lock excludes every other one, until it is released", (storage, storageOf) => {
  const other = storageOf();
  const lock = storage.lock("LOCK", "exclusive");
  assertEquals(names(storage), ["LOCK"]);
  for (const handle of [storage, other]) {
    assertEquals(assertThrows(() => handle.lock("LOCK", "exclusive"), LockedError, `"LOCK"`).file, "LOCK");
    assertThrows(() => handle.lock("LOCK", "shared"), LockedError);
  }
  other.lock("OTHER", "exclusive").release();
  lock.release();
  const next = other.lock("LOCK", "exclusive");
  lock.release();
  assertThrows(() => storage.lock("LOCK", "exclusive"), LockedError);
  next.release();
  assertEquals(names(storage), ["LOCK", "OTHER"]);
});

onEachCreated(
  "shared locks go together, and exclude an exclusive one until the last is released",
  (storage) => {
    write(storage, "READERS", bytesOf());
    const one = storage.lock("READERS", "shared");
    const two = storage.lock("READERS", "shared");
    assertThrows(() => storage.lock("READERS", "exclusive"), LockedError);
    one.release();
    one.release();
    assertThrows(() => storage.lock("READERS", "exclusive"), LockedError);
    two.release();
    storage.lock("READERS", "exclusive").release();
  },
);

onEachCreated("a shared lock on a missing lock file holds nothing and creates nothing", (storage) => {
  const lock = storage.lock("READERS", "shared");
  assertEquals(names(storage), []);
  const writer = storage.lock("READERS", "exclusive");
  lock.release();
  assertThrows(() => storage.lock("READERS", "shared"), LockedError);
  writer.release();
});
