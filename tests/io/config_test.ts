/**
 * Options: their defaults and limits, which of them are stored, and strategies and compressions of the user's own.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { CompactionStrategy, Config, ResolvedConfig } from "@lsm/tree";
import { BlockCache, leveled, MemoryStorage, Tree } from "@lsm/tree";
import { namesOf, numbered, openInMemory, text, texts, TINY, treeOf } from "../support/trees.ts";

/** A strategy of the user's own that never wants anything. */
const IDLE: CompactionStrategy = { name: "idle", choose: () => ({ kind: "none" }) };

/** The options that are stored, as an open tree has them; a strategy by name and options. */
function stored({ config }: Tree): unknown[] {
  const { name, options } = config.compactionStrategy as CompactionStrategy & { options?: unknown };
  return [
    config.maxMemtableSize,
    config.blockSize,
    config.levelCount,
    config.levelRatio,
    config.filterBitsPerKey,
    config.compression,
    name,
    { ...options as object },
  ];
}

/** Opens, and closes at once, with the same storage each time; returns what each time was resolved and noted. */
async function reopened(...configs: Config[]): Promise<{ stored: unknown[]; notes: readonly string[] }[]> {
  const storage = new MemoryStorage();
  const seen: { stored: unknown[]; notes: readonly string[] }[] = [];
  for (const config of configs) {
    await using tree = await openInMemory({ storage, ...config });
    seen.push({ stored: stored(tree), notes: tree.recovery.notes });
  }
  return seen;
}

Deno.test("all defaults are filled in, and the result is frozen", async () => {
  const storage = new MemoryStorage();
  await using tree = await openInMemory({ storage });
  const { blockCache, compactionStrategy, storage: used, ...rest } = tree.config;
  const expected: Omit<ResolvedConfig, "blockCache" | "compactionStrategy" | "storage"> = {
    maxMemtableSize: 16 * 1024 * 1024,
    blockSize: 4096,
    levelCount: 7,
    levelRatio: 10,
    compression: rest.compression, // by measurement
    filterBitsPerKey: 10,
    durability: "os",
    fsyncInterval: 1000,
    background: "inline", // only files can have a worker
    maxOpenFiles: 256,
    recoveryMode: "tolerate-tail",
    readOnly: false,
    createIfMissing: true,
    errorIfExists: false,
  };
  assertEquals(rest, expected);
  assert(["none", "lz4", "zstd"].includes(rest.compression as string));
  assertEquals([blockCache.capacity, compactionStrategy.name], [16 * 1024 * 1024, "leveled"]);
  assertEquals(stored(tree).at(-1), { l0Threshold: 4, targetSize: 64 * 1024 * 1024 });
  assertStrictEquals(used, storage);
  assert(Object.isFrozen(tree.config));
  assertThrows(() => ((tree.config as { blockSize: number }).blockSize = 1), TypeError);
  assertThrows(() => ((tree as { config: unknown }).config = {}), TypeError);
});

Deno.test("an option that is given wins; undefined means not given", async () => {
  const blockCache = new BlockCache({ capacity: 0 });
  const config: Config = {
    maxMemtableSize: 1024,
    blockSize: 1024,
    blockCache,
    levelCount: 2,
    levelRatio: 2,
    filterBitsPerKey: 0,
    compression: "zstd",
    durability: "buffered",
    fsyncInterval: null,
    background: "inline",
    maxOpenFiles: 1,
    recoveryMode: "strict",
  };
  await using tree = await openInMemory(config);
  for (const [name, value] of Object.entries(config)) {
    assertEquals(tree.config[name as keyof Config], value, name);
  }
  const none = Object.fromEntries(Object.keys(config).map((name) => [name, undefined]));
  await using other = await openInMemory(none);
  assertEquals([other.config.levelCount, other.config.fsyncInterval], [7, 1000]);
  await using worker = await openInMemory({ background: "worker" });
  assertEquals([worker.config.background, worker.stats().background.mode], ["inline", "inline"]);
  assert(worker.stats().background.reason.length > 0);
});

Deno.test("a number beyond its limits is a RangeError, and nothing is made", async () => {
  const wrong: Record<string, number[]> = {
    maxMemtableSize: [1023, 0, -1, 2048.5, NaN, Infinity],
    blockSize: [1023, 0, 4096.5, NaN, Infinity],
    levelCount: [0, -1, 2.5, NaN, Infinity],
    levelRatio: [1.9, 0, -10, NaN, Infinity],
    filterBitsPerKey: [-1, NaN, Infinity],
    fsyncInterval: [-1, NaN],
    maxOpenFiles: [0, -1, 1.5, NaN],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const storage = new MemoryStorage();
      await assertRejects(
        () => openInMemory({ storage, [name]: value }),
        RangeError,
        `Cannot use option ${name}`,
      );
      assertEquals(storage.open({ create: true, readOnly: false }).created, true, "the storage was touched");
    }
  }
  for (const capacity of [-1, 1.5, NaN, Infinity]) {
    assertThrows(() => new BlockCache({ capacity }), RangeError);
  }
  for (const l0Threshold of [0, -1, 1.5, NaN]) assertThrows(() => leveled({ l0Threshold }), RangeError);
  for (const targetSize of [1023, 0, NaN]) assertThrows(() => leveled({ targetSize }), RangeError);
});

Deno.test("an option of a wrong type is a TypeError, and nothing is made", async () => {
  const wrong: Record<string, unknown[]> = {
    maxMemtableSize: ["4096", {}, 4096n, null],
    blockSize: ["4096", true, null],
    levelCount: ["7", null],
    levelRatio: ["10", null],
    filterBitsPerKey: ["10", null],
    fsyncInterval: ["1000", true],
    maxOpenFiles: ["1", null],
    blockCache: [0, {}, null, "16 MiB"],
    compactionStrategy: [
      "leveled",
      {},
      null,
      { name: "mine" },
      { choose: () => ({ kind: "none" }) },
      leveled,
    ],
    compression: ["gzip", 1, true, {}, null, ""],
    durability: ["fsync", 1, true, null],
    background: ["thread", true, null],
    recoveryMode: ["lenient", 1, null],
    readOnly: ["false", 0, null],
    createIfMissing: ["true", 1, null],
    errorIfExists: ["true", 1, null],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const storage = new MemoryStorage();
      const config = { storage, [name]: value } as Config;
      await assertRejects(() => openInMemory(config), TypeError, `Cannot use option ${name}`, `${value}`);
      assertEquals(storage.open({ create: true, readOnly: false }).created, true, "the storage was touched");
    }
  }
  for (const storage of [{}, "memory", 1, null, MemoryStorage] as never[]) {
    await assertRejects(() => openInMemory({ storage }), TypeError, "Cannot use option storage");
  }
  for (const config of [1, "data", true, null] as never[]) {
    await assertRejects(() => Tree.open("data", config), TypeError, "Cannot open");
  }
  assertThrows(() => new BlockCache({ capacity: "1" as never }), TypeError);
  assertThrows(() => new BlockCache(undefined as never), TypeError);
  assertThrows(() => leveled({ l0Threshold: "4" as never }), TypeError);
});

Deno.test("stored options are there when the tree is opened again, unless others are given", async () => {
  const mine: Config = {
    maxMemtableSize: 2048,
    blockSize: 1024,
    levelCount: 4,
    levelRatio: 3.5,
    filterBitsPerKey: 5.5,
    compression: "lz4",
    compactionStrategy: leveled({ l0Threshold: 3, targetSize: 9999 }),
  };
  const seen = await reopened(mine, {}, { levelCount: 5, compression: "zstd" }, {}, {
    compactionStrategy: leveled(),
  }, {});
  const first = [2048, 1024, 4, 3.5, 5.5, "lz4", "leveled", { l0Threshold: 3, targetSize: 9999 }];
  const later = first.with(2, 5).with(5, "zstd");
  const last = later.with(7, { l0Threshold: 4, targetSize: 64 * 1024 * 1024 });
  assertEquals(seen.map(({ stored }) => stored), [first, first, later, later, last, last]);
  assertEquals(seen.flatMap(({ notes }) => notes), []);
});

Deno.test("options that belong to the handle are not stored", async () => {
  const storage = new MemoryStorage();
  const config: Config = { durability: "sync", fsyncInterval: null, maxOpenFiles: 3, recoveryMode: "strict" };
  await (await openInMemory({ storage, ...config })).close();
  await using tree = await openInMemory({ storage });
  const { durability, fsyncInterval, maxOpenFiles, recoveryMode } = tree.config;
  assertEquals([durability, fsyncInterval, maxOpenFiles, recoveryMode], ["os", 1000, 256, "tolerate-tail"]);
});

Deno.test("a strategy of one's own cannot be stored: without it the default applies, and a note says so", async () => {
  const [given, without, given2, , again] = await reopened(
    { compactionStrategy: IDLE },
    {},
    { compactionStrategy: IDLE },
    { compactionStrategy: IDLE },
    { readOnly: true },
  );
  assertEquals([given!.stored[6], given!.notes], ["idle", []]);
  assertEquals([given2!.stored[6], given2!.notes], ["idle", []]);
  for (const one of [without!, again!]) {
    assertEquals(one.stored[6], "leveled");
    assertEquals(one.notes.length, 1);
    assert(one.notes[0]!.includes("idle") && one.notes[0]!.includes("strategy"), one.notes[0]);
  }
});

Deno.test("a strategy that only calls itself leveled is one of the user's own", async () => {
  const [, without] = await reopened({ compactionStrategy: { ...IDLE, name: "leveled" } }, {});
  assertEquals(without!.notes.length, 1);
});

Deno.test("a compression function is asked for each level; without it the default applies, and a note says so", async () => {
  const storage = new MemoryStorage();
  const asked = new Set<number>();
  const value = "compressible ".repeat(100);
  {
    const compression = (level: number) => {
      asked.add(level);
      return level === 0 ? "none" : level === 1 ? "lz4" : "zstd";
    };
    await using tree = await openInMemory({ ...TINY, storage, compression });
    assertStrictEquals(tree.config.compression, compression);
    for (const key of numbered(30)) tree.insert(key, value);
    const before = tree.diskSpace();
    await tree.compact();
    assert(tree.diskSpace() < before);
    assert(asked.has(0) && asked.has(6), [...asked].join());
  }
  await using tree = await openInMemory({ storage });
  assertEquals(typeof tree.config.compression, "string");
  assertEquals(tree.recovery.notes.length, 1);
  assert(tree.recovery.notes[0]!.includes("compression"));
  for (const key of numbered(30)) assertEquals(text(tree.get(key)), value);
});

Deno.test("every compression is read back whatever is set now", async () => {
  const storage = new MemoryStorage();
  const value = "compressible ".repeat(100);
  for (const compression of ["zstd", "none", "lz4", "zstd"] as const) {
    await using tree = await openInMemory({ ...TINY, storage, compression });
    for (const key of numbered(20, compression)) tree.insert(key, value);
    assert(tree.stats().flushes > 0);
    for (const [, bytes] of tree) assertEquals(text(bytes), value);
    assertEquals(tree.config.compression, compression);
  }
  await using tree = await openInMemory({ storage });
  await tree.compact();
  assertEquals([tree.len(), text(tree.get("lz411"))], [60, value]);
});

Deno.test("a compression function that gives no compression fails no write, and shows as failed work", async () => {
  let given = "gzip";
  const compression = () => given as "none";
  await using tree = await openInMemory({ ...TINY, compression });
  for (const key of numbered(15)) tree.insert(key, key.padEnd(100, "."));
  assertEquals([tree.len(), tree.segmentCount()], [15, 0]);
  assert(tree.stats().lastError instanceof TypeError, `${tree.stats().lastError}`);
  await assertRejects(() => tree.flushMemtable(), TypeError, "Cannot compress");
  await assertRejects(() => tree.compact(), TypeError, "Cannot compress");
  given = "lz4";
  await tree.flushMemtable();
  assertEquals([tree.stats().lastError, tree.len(), tree.segmentCount() > 0], [undefined, 15, true]);
  given = "gzip";
  await assertRejects(() => tree.compact(), TypeError, "Cannot compress");
  assertEquals(tree.len(), 15);
  given = "none";
  await tree.compact();
  assertEquals([tree.stats().lastError, tree.len()], [undefined, 15]);
});

Deno.test("a level count below the deepest level in use keeps that level until compaction has emptied it", async () => {
  const storage = new MemoryStorage();
  {
    await using tree = await treeOf(numbered(60), { storage, levelCount: 6 });
    await tree.compact();
    assertEquals(tree.stats().levels.map(({ level }) => level), [5]);
  }
  {
    await using tree = await openInMemory({ storage, levelCount: 2, compactionStrategy: IDLE });
    assertEquals([tree.config.levelCount, tree.len()], [2, 60]);
    assertEquals(tree.stats().levels.map(({ level }) => level), [5]);
    tree.insert("key00", "new");
    tree.remove("key01");
    await tree.flushMemtable();
    assertEquals([tree.len(), text(tree.get("key00")), tree.get("key01")], [59, "new", undefined]);
  }
  await using tree = await openInMemory({ storage });
  for (const key of numbered(60)) tree.insert(`x${key}`, key);
  await tree.compact();
  assertEquals(tree.stats().levels.map(({ level }) => level), [1]);
  assertEquals([tree.len(), text(tree.get("key00")), tree.get("key01")], [119, "new", undefined]);
});

Deno.test("any strategy is legal on any tree", async () => {
  const storage = new MemoryStorage();
  const strategies = [IDLE, leveled({ l0Threshold: 1, targetSize: 1024 }), IDLE, leveled({ l0Threshold: 9 })];
  for (const [i, compactionStrategy] of strategies.entries()) {
    await using tree = await openInMemory({ ...TINY, storage, compactionStrategy });
    for (const key of numbered(30)) tree.insert(key, `${i}${key}`.padEnd(100, "."));
    assertEquals(tree.len(), 30);
    assertEquals(text(tree.get("key07"))?.slice(0, 6), `${i}key07`);
  }
});

Deno.test("a tree with no filter, no cache and one open file is slower and no other", async () => {
  const plain = await treeOf(numbered(100));
  const config = { filterBitsPerKey: 0, blockCache: new BlockCache({ capacity: 0 }), maxOpenFiles: 1 };
  await using tree = await treeOf(numbered(100), config);
  assertEquals(texts(tree), texts(plain));
  for (const key of numbered(100)) assertEquals(text(tree.get(key)), key);
  assertEquals([tree.get("key005x"), tree.containsKey("other")], [undefined, false]);
  assert(tree.stats().openFiles <= 1 && namesOf(tree.config.storage, "segment").length > 1);
  await plain.close();
});
