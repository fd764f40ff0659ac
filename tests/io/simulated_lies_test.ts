/** How a simulated storage lies: what a silent fault gives, leaves, and lets survive. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { NotFoundError } from "@lsm/tree";
import type { FaultRule, SimulatedStorage, StorageFile } from "@lsm/tree/testing";
import { append, created, image, images, written } from "../support/simulated.ts";

const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);

function read(file: StorageFile, length = 4, position = 0): string {
  const into = new Uint8Array(length);
  return into.subarray(0, file.readAt(into, 0, length, position)).join(" ");
}

/** Reads once under a rule, with each seed; the disk is the same before and after. */
function readsUnder(rule: FaultRule, prepare: (storage: SimulatedStorage) => StorageFile): string[] {
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const storage = created("strict", seed);
    const file = prepare(storage);
    const before = image(storage);
    const fault = storage.fail({ operation: "readAt", ...rule });
    seen.add(read(file));
    assertEquals([fault.count, image(storage)], [1, before]);
    assertEquals(storage.log.at(-1)!.fault, rule.error);
    file.sync();
    storage.syncFolder();
    assertEquals(images(storage), [before]);
  }
  return [...seen].sort();
}

Deno.test("a read that is flipped has one wrong bit, and the next one is right again", () => {
  const seen = readsUnder({ error: "flip" }, (storage) => written(storage, "a", 0, 0, 0, 0));
  assert(seen.length > 10);
  const ones = (byte: string): number => Number(byte).toString(2).replaceAll("0", "").length;
  for (const bytes of seen) assertEquals(bytes.split(" ").reduce((sum, byte) => sum + ones(byte), 0), 1);
  const storage = created("strict");
  const file = written(storage, "a", 7);
  const fault = storage.fail({ error: "flip" });
  assert(read(file) !== "7");
  assertEquals([read(file), fault.count], ["7", 1]);
});

Deno.test("a read that is misplaced gives what was written elsewhere, in the file or another one", () => {
  const seen = readsUnder({ error: "misplaced" }, (storage) => {
    written(storage, "b", 5, 6);
    const file = written(storage, "a", 1, 2);
    append(file, 3, 4);
    return file;
  });
  assertEquals(["3 4 0 0", "5 6 0 0"].filter((bytes) => !seen.includes(bytes)), []);
  assert(!seen.includes("1 2 3 4"));
});

Deno.test("a read that is stale gives the file before its last append, what was cut off, or an older file of the name", () => {
  assertEquals(
    readsUnder({ error: "stale" }, (storage) => {
      const file = written(storage, "a", 1, 2);
      append(file, 3);
      return file;
    }),
    ["1 2 0"],
  );
  assertEquals(
    readsUnder({ error: "stale" }, (storage) => {
      const file = written(storage, "a", 1, 2, 3, 4);
      file.truncate(1);
      append(file, 9);
      return file;
    }),
    ["1 2"],
  );
  assertEquals(
    readsUnder({ error: "stale" }, (storage) => {
      written(storage, "a", 1);
      const file = written(storage, "new", 2, 3);
      storage.rename("new", "a");
      file.close();
      return storage.openRead("a");
    }),
    ["0 0", "1 0"],
  );
});

Deno.test("an append that is flipped is what is there, for the process and after a crash", () => {
  const storage = created("strict");
  const file = storage.create("a");
  storage.fail({ operation: "append", error: "flip" });
  append(file, 0, 0);
  append(file, 1);
  file.sync();
  storage.syncFolder();
  const seen = read(file);
  assert(seen !== "0 0 1" && seen.endsWith(" 1"), seen);
  assertEquals(images(storage), [`a:${seen}`]);
});

Deno.test("an append that is lost leaves zeros, or nothing at all, and is not to be had again", () => {
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const storage = created("strict", seed);
    const file = written(storage, "a", 1);
    const fault = storage.fail({ operation: "append", error: "lost" });
    assertEquals(file.append(new Uint8Array([2, 3]), 0, 2), 2);
    append(file, 4);
    file.sync();
    assertEquals([read(file), fault.count], [image(storage).slice(2), 1]);
    assertEquals(images(storage), [image(storage)]);
    seen.add(image(storage));
  }
  assertEquals([...seen].sort(), ["a:1 0 0 4", "a:1 4"]);
});

Deno.test("an append that is misplaced overwrites another place, and leaves zeros in its own", () => {
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const storage = created("strict", seed);
    written(storage, "b", 5, 6);
    const file = written(storage, "a", 1, 2);
    append(file, 3);
    storage.fail({ operation: "append", error: "misplaced" });
    append(file, 9);
    seen.add(image(storage));
  }
  assertEquals(
    [...seen].sort(),
    ["b:5 6 | a:1 2 9 0", "b:5 6 | a:9 2 3 0", "b:9 6 | a:1 2 3 0"].map((text) =>
      text.split(" | ").sort().join(" | ")
    ).sort(),
  );
});

Deno.test("bytes that never came are garbage where the profile wants that", () => {
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const storage = created("garbage", seed);
    written(storage, "b", 5, 6, 7, 8);
    const file = storage.create("a");
    storage.fail({ operation: "append", error: "lost" });
    append(file, 9, 9, 9);
    seen.add(read(file));
  }
  assert(["", "0 0 0", "5 6 7"].every((bytes) => seen.has(bytes)) && seen.size > 3, [...seen].join("; "));
});

Deno.test("a sync that lies makes nothing durable, and one that does not can later", async () => {
  for (const profile of ["prefix", "strict"] as const) {
    const storage = created(profile);
    const file = written(storage, "a", 1);
    append(file, 2);
    storage.create("b");
    const fault = storage.fail({ error: "lost", operation: ["sync", "syncFolder"], sticky: true });
    const before = images(storage);
    file.sync();
    await file.syncAsync();
    storage.syncFolder();
    assertEquals([images(storage), fault.count], [before, 3]);
    storage.heal();
    file.sync();
    storage.syncFolder();
    assertEquals(images(storage), ["a:1 2 | b:-"]);
  }
});

Deno.test("a lie leaves operations alone that it does not fit, and those without bytes", () => {
  for (const error of ["flip", "misplaced", "stale", "lost"] as const) {
    const storage = created("strict");
    const fault = storage.fail({ error, sticky: true });
    const file = storage.create("a");
    file.append(new Uint8Array(0), 0, 0);
    read(file);
    file.size();
    file.truncate(0);
    storage.rename("a", "b");
    storage.list();
    storage.openRead("b").close();
    storage.lock("LOCK", "exclusive").release();
    storage.remove("b");
    assertEquals(fault.count, 0, error);
  }
});

Deno.test("files are lost, doubled and swapped, durably and nothing else", () => {
  const storage = created("strict");
  append(storage.create("a"), 1, 2, 3, 4);
  append(storage.create("b"), 5, 6);
  storage.double("b", "c");
  assertEquals(images(storage), ["a:1 2 3 4 | b:5 6 | c:5 6"]);
  storage.lose("b");
  storage.double("c", "a");
  assertEquals(images(storage), ["a:5 6 | c:5 6"]);
  storage.damage("a", () => new Uint8Array([1, 2, 3, 4]));
  storage.swap({ file: "a", offset: 1 }, { file: "c", offset: 0 }, 2);
  assertEquals(images(storage), ["a:1 5 6 4 | c:2 3"]);
  storage.swap({ file: "a", offset: 0 }, { file: "a", offset: 2 }, 2);
  assertEquals(images(storage), ["a:6 4 1 5 | c:2 3"]);
  for (
    const call of [
      () => storage.lose("b"),
      () => storage.double("b", "a"),
      () => storage.swap({ file: "b", offset: 0 }, { file: "a", offset: 0 }, 1),
    ]
  ) assertThrows(call, NotFoundError, `"b"`);
  assertThrows(
    () => storage.swap({ file: "a", offset: 0 }, { file: "a", offset: 1 }, 2),
    RangeError,
    "overlap",
  );
  assertThrows(() => storage.swap({ file: "a", offset: 0 }, { file: "c", offset: 1 }, 2), RangeError);
  assertEquals(images(storage), ["a:6 4 1 5 | c:2 3"]);
});
