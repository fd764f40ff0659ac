/**
 * Many rounds of opening and dying, and of opening and closing: nothing grows, nothing gets slower, nothing is lost.
 *
 * A tree that is killed leaves a journal for each life. The next open must not keep them for ever: a program that is
 * started and killed a thousand times would open slower and slower, and its folder would grow with no data in it.
 * Death is played by a storage that frees its locks and descriptors and refuses everything after; in a few rounds it is
 * a real one.
 */

import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import type { Config, Storage } from "../../mod.ts";
import { FileStorage, MemoryStorage, Tree } from "../../mod.ts";
import { readFile } from "../../io/whole.ts";
import { Child, childCommand } from "../support/children.ts";
import { checkPrefix, fillBatch } from "../support/numbered_batches.ts";
import { testWithFiles, testWithProcesses } from "../support/permissions.ts";
import { WrappedStorage } from "../support/wrapped_storage.ts";

const CHILD = new URL("./kill_child.ts", import.meta.url);
const ROUNDS = 1_000;
/** Each takes 6 ms, for the barriers of recovery. */
const FILE_ROUNDS = 150;
const JOURNALS_MAX = 8;
const FILES_MAX = 20;
const OPEN_MILLISECONDS_MAX = 100;
/** Opens with the default options would not flush in so few writes; no timer goes on behind a tree that has died. */
const CONFIG: Config = { fsyncInterval: null, background: "inline" };
/** One life: open, one write, death. Returns how long the open took, in ms. */
async function live(storage: Storage, write: (tree: Tree) => void, config: Config = {}): Promise<number> {
  const mortal = new WrappedStorage(storage);
  const started = performance.now();
  const tree = await Tree.open("tree", { ...CONFIG, ...config, storage: mortal });
  const milliseconds = performance.now() - started;
  write(tree);
  mortal.die();
  // It can do nothing any more; this ends its timers, which live in this process.
  await assertRejects(() => tree.close());
  return milliseconds;
}

/** What a folder has grown to. */
function extentOf(storage: Storage): { journals: number; files: number; bytes: number } {
  const entries = storage.list();
  return {
    journals: entries.filter(({ name }) => name.startsWith("journal-")).length,
    files: entries.length,
    bytes: entries.reduce((sum, { size }) => sum + size, 0),
  };
}

function checkExtent(storage: Storage, bytesMax: number): void {
  const { journals, files, bytes } = extentOf(storage);
  assertLessOrEqual(journals, JOURNALS_MAX, "journals");
  assertLessOrEqual(files, FILES_MAX, "files");
  assertLessOrEqual(bytes, bytesMax, "bytes");
}

Deno.test("a thousand rounds of open, one write, kill lose nothing and do not grow", async () => {
  const storage = new MemoryStorage();
  const largest = { journals: 0, files: 0, bytes: 0 };
  for (let round = 1; round <= ROUNDS; round++) {
    await live(storage, (tree) => {
      assertEquals(checkPrefix(tree), round - 1);
      fillBatch(tree.batch(), round).commit();
    });
    const extent = extentOf(storage);
    for (const what of ["journals", "files", "bytes"] as const) {
      largest[what] = Math.max(largest[what], extent[what]);
    }
  }
  assertLessOrEqual(largest.journals, JOURNALS_MAX, "journals");
  assertLessOrEqual(largest.files, FILES_MAX, "files");
  // The content is about 20 KiB at most, and compaction lets overwritten values wait.
  assertLessOrEqual(largest.bytes, 200 * 1024, "bytes");
});

testWithFiles("after hundreds of rounds on files the last open is as quick as the first", async (folder) => {
  const storage = new FileStorage(folder);
  const opens: number[] = [];
  for (let round = 1; round <= FILE_ROUNDS; round++) {
    opens.push(await live(storage, (tree) => tree.insert("counter", String(round))));
  }
  checkExtent(storage, 64 * 1024);
  await using tree = await Tree.open(folder, CONFIG);
  // The best of a few: the disk is not this test's alone.
  assertLessOrEqual(Math.min(...opens.slice(-5)), OPEN_MILLISECONDS_MAX, "milliseconds of the last opens");
  assertEquals(new TextDecoder().decode(tree.get("counter")), String(FILE_ROUNDS));
  assertEquals(tree.len(), 1);
});

Deno.test("rounds that write nothing and are killed change nothing after the first", async () => {
  const storage = new MemoryStorage();
  await live(storage, (tree) => tree.insert("a", "1"));
  await live(storage, () => {});
  const before = bytesOf(storage);
  for (let round = 0; round < 100; round++) await live(storage, () => {});
  assertEquals(bytesOf(storage), before);
});

testWithProcesses("rounds of real processes that are killed leave the same", async (folder) => {
  const rounds = 12;
  for (let round = 1; round <= rounds; round++) {
    await using child = new Child(childCommand(CHILD, ["once", folder, "os"]));
    assertEquals(await child.line(), "opening");
    assertEquals(await child.line(), `open ${round - 1}`);
    assertEquals(await child.line(), `${round}`);
    assertEquals(await child.kill(), []);
    checkExtent(new FileStorage(folder), 64 * 1024);
  }
  await using tree = await Tree.open(folder, CONFIG);
  assertEquals(checkPrefix(tree), rounds);
});

Deno.test("a thousand rounds of open and close change no byte", async () => {
  const storage = new MemoryStorage();
  for (const config of [{ maxMemtableSize: 1024 }, { maxMemtableSize: 1024 * 1024 }]) {
    const tree = await Tree.open("tree", { ...CONFIG, ...config, storage });
    for (let number = 1; number <= 30; number++) fillBatch(tree.batch(), number).commit();
    await tree.close();
  }
  const before = bytesOf(storage);
  for (let round = 0; round < ROUNDS; round++) {
    const tree = await Tree.open("tree", { ...CONFIG, storage });
    assert(tree.recovery.cleanClose);
    if (round % 100 === 0) assertEquals(checkPrefix(tree), 30);
    await tree.close();
  }
  assertEquals(bytesOf(storage), before);
});

testWithFiles("rounds of open and close change no byte, no time and no name of a folder", async (folder) => {
  await using first = await Tree.open(folder, CONFIG);
  for (let number = 1; number <= 30; number++) fillBatch(first.batch(), number).commit();
  await first.flushMemtable();
  fillBatch(first.batch(), 31).commit();
  await first.close();
  const before = stampsOf(folder);
  for (let round = 0; round < 200; round++) {
    const tree = await Tree.open(folder, CONFIG);
    assert(tree.recovery.cleanClose);
    await tree.close();
  }
  assertEquals(stampsOf(folder), before);
});

/** The names and bytes of all files. */
function bytesOf(storage: Storage): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const { name } of storage.list()) {
    const file = storage.openRead(name);
    files.set(name, readFile(file).join());
    file.close();
  }
  return files;
}

/** The names, numbers, lengths and times of a folder's files. */
function stampsOf(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => {
    const { size, mtime, ino } = Deno.statSync(`${folder}/${name}`);
    return `${name} ${size} ${mtime?.toISOString()} ${ino}`;
  }).sort();
}
