/**
 * Compaction strategies of the user's own: what they are told, what they may choose, and what an impossible choice does.
 *
 * An impossible choice, or a `choose` that throws, changes nothing: no write fails, `stats().lastError` shows it, and
 * `flushMemtable()`, `compact()` and `close()` throw it.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { CompactionChoice, CompactionStrategy, LevelOptions, SegmentShape, Tree } from "@lsm/tree";
import { Levels, MemoryStorage } from "@lsm/tree";
import { numbered, openInMemory, text, texts, TINY } from "../support/trees.ts";

const NONE: CompactionChoice = { kind: "none" };

/** Opens a tree with the strategy that a function is. */
function openWith(choose: CompactionStrategy["choose"], storage = new MemoryStorage()): Promise<Tree> {
  return openInMemory({ ...TINY, storage, compactionStrategy: { name: "mine", choose } });
}

function ids(segments: readonly SegmentShape[]): number[] {
  return segments.map((segment) => segment.id);
}

/** Writes 30 keys, enough for several flushes. */
function fill(tree: Tree, prefix = "key"): void {
  for (const key of numbered(30, prefix)) tree.insert(key, key.padEnd(100, "."));
}

Deno.test("a strategy is told the shape of the tree and the options it goes by", async () => {
  let last: { levels: Levels; options: LevelOptions } | undefined;
  const before = Date.now();
  await using tree = await openWith((levels, options) => {
    last = { levels, options };
    return NONE;
  });
  fill(tree);
  await tree.flushMemtable();
  assert(last !== undefined && last.levels instanceof Levels);
  const { now, ...options } = last.options;
  assertEquals(options, { levelCount: 7, levelRatio: 10, maxMemtableSize: 1024 });
  assert(now >= before && now <= Date.now());
  const [flushed, ...below] = last.levels.levels;
  assertEquals(flushed!.length, tree.segmentCount());
  assertEquals(below.map((level) => level.length), [0, 0, 0, 0, 0, 0]);
  assertEquals(flushed!.reduce((sum, segment) => sum + segment.entries, 0), 30);
  const seqnos = flushed!.map((segment) => segment.seqnoMax);
  assertEquals(seqnos, seqnos.toSorted((a, b) => b - a), "level 0 is newest first");
  for (const segment of flushed!) {
    const { id, level, size, minKey, maxKey, tombstones, writtenAt, seqnoMin, seqnoMax, busy } = segment;
    assertEquals([level, tombstones, busy], [0, 0, false]);
    assert(id > 0 && size > 0 && seqnoMin > 0 && seqnoMin <= seqnoMax);
    assert(text(minKey) <= text(maxKey) && text(minKey).startsWith("key"));
    assert(writtenAt >= before && writtenAt <= now);
  }
  assert(last.levels.toString().includes(`L0  ${flushed!.length} segments`), last.levels.toString());
});

Deno.test("choose is called when the version changes, never per write", async () => {
  let calls = 0;
  await using tree = await openWith(() => {
    calls++;
    return NONE;
  });
  const opened = calls;
  assert(opened <= 1);
  for (let i = 0; i < 5; i++) tree.insert("a", "1");
  assertEquals([calls, tree.stats().flushes], [opened, 0]);
  fill(tree);
  const { flushes } = tree.stats();
  assert(flushes > 1 && calls - opened <= flushes + 1, `${calls} calls for ${flushes} flushes`);
});

Deno.test("a strategy merges, moves and drops", async () => {
  let want: (levels: Levels["levels"]) => CompactionChoice = () => NONE;
  await using tree = await openWith(({ levels }) => {
    const choice = want(levels);
    want = () => NONE;
    return choice;
  });
  const shape = async (choose: typeof want): Promise<string> => {
    tree.insert("key00", "newest");
    want = choose;
    await tree.flushMemtable();
    assertEquals(want(Levels.from([]).levels), NONE, "it was not asked");
    return tree.stats().levels.map(({ level, runs, segments }) => `L${level} ${runs}/${segments}`).join();
  };
  for (let i = 0; i < 2; i++) fill(tree);
  const flushed = tree.segmentCount();
  assertEquals(await shape(() => NONE), `L0 ${flushed + 1}/${flushed + 1}`);
  const merge = await shape(([l0]) => (
    { kind: "merge", segments: ids(l0!), destLevel: 1, targetSize: 1024, reason: "to be tidy" }
  ));
  const merged = tree.segmentCount();
  assertEquals([merge, merged > 1 && merged < flushed], [`L1 1/${merged}`, true]);
  assertEquals(
    await shape(([, l1]) => ({ kind: "move", segments: [l1!.at(-1)!.id], destLevel: 3 })),
    `L0 1/1,L1 1/${merged - 1},L3 1/1`,
  );
  assertEquals([tree.len(), text(tree.get("key00"))], [30, "newest"]);
  const dropped = await shape(([, , , l3]) => ({ kind: "drop", segments: ids(l3!) }));
  assertEquals(dropped, `L0 2/2,L1 1/${merged - 1}`);
  assert(tree.len() < 30 && !tree.containsKey("key29"));
  assertEquals([tree.stats().merges, tree.stats().moves, tree.stats().lastError], [1, 1, undefined]);
});

Deno.test("an impossible choice changes nothing, fails no write, and is shown and thrown", async () => {
  const impossible: Record<string, (levels: Levels) => unknown> = {
    "an unknown segment": () => ({ kind: "merge", segments: [999_999], destLevel: 1, targetSize: 4096 }),
    "a segment twice": ({ levels: [l0] }) => (
      { kind: "merge", segments: ids([...l0!, l0![0]!]), destLevel: 1, targetSize: 4096 }
    ),
    "no segment": () => ({ kind: "drop", segments: [] }),
    "no list of segments": () => ({ kind: "drop", segments: "all" }),
    "no segments at all": () => ({ kind: "merge", destLevel: 1, targetSize: 4096 }),
    "no such level": ({ levels: [l0] }) => ({
      kind: "merge",
      segments: ids(l0!),
      destLevel: 7,
      targetSize: 4096,
    }),
    "half a level": ({ levels: [l0] }) => ({
      kind: "merge",
      segments: ids(l0!),
      destLevel: 0.5,
      targetSize: 4096,
    }),
    "a tiny target": ({ levels: [l0] }) => ({
      kind: "merge",
      segments: ids(l0!),
      destLevel: 1,
      targetSize: 1023,
    }),
    "no target": ({ levels: [l0] }) => ({ kind: "merge", segments: ids(l0!), destLevel: 1 }),
    "versions in a wrong order": ({ levels: [l0] }) => ({
      kind: "move",
      segments: [l0![0]!.id],
      destLevel: 1,
    }),
    "older versions back": ({ levels: [l0] }) => ({ kind: "drop", segments: [l0![0]!.id] }),
    "an unknown kind": () => ({ kind: "split", segments: [1] }),
    "nothing": () => undefined,
    "null": () => null,
    "a promise": () => Promise.resolve(NONE),
  };
  for (const [name, choose] of Object.entries(impossible)) {
    const storage = new MemoryStorage();
    const tree = await openWith(
      (levels) => levels.levels[0]!.length < 2 ? NONE : choose(levels) as CompactionChoice,
      storage,
    );
    for (let i = 0; i < 90; i++) tree.insert(`key${i % 9}`, `${i}`.padEnd(100, "."));
    const before = texts(tree);
    assertEquals(before.length, 9, name);
    const { lastError, merges, moves, segments } = tree.stats();
    assert(lastError instanceof RangeError, `${name}: ${lastError}`);
    assert(lastError.message.startsWith("Cannot do what the compaction strategy chose"), lastError.message);
    assertEquals([merges, moves], [0, 0], name);
    assert(segments > 2, name);
    for (const maintain of [() => tree.flushMemtable(), () => tree.flushMemtable(), () => tree.compact()]) {
      await assertRejects(maintain, RangeError, "Cannot do what the compaction strategy chose", name);
      assert(tree.stats().lastError instanceof RangeError, name);
    }
    tree.insert("more", "1");
    await assertRejects(() => tree.close(), RangeError, "Cannot do what the compaction strategy chose", name);
    await using again = await openInMemory({ storage });
    assertEquals(texts(again), [...before, "more=1"], name);
    assertEquals(again.recovery.cleanClose, true, name);
  }
});

Deno.test("a choose that throws changes nothing, fails no write, and its error is shown and thrown", async () => {
  const mine = new Error("mine");
  let fails = true;
  await using tree = await openWith(({ levels }) => {
    if (fails && levels[0]!.length > 1) throw mine;
    return NONE;
  });
  fill(tree);
  assertStrictEquals(tree.stats().lastError, mine);
  assertStrictEquals(await assertRejects(() => tree.flushMemtable()), mine);
  assertStrictEquals(await assertRejects(() => tree.compact()), mine);
  assertEquals(tree.len(), 30);
  fails = false;
  await tree.flushMemtable();
  await tree.compact();
  assertEquals([tree.stats().lastError, tree.len(), tree.segmentCount()], [undefined, 30, 1]);
});

Deno.test("a write to the tree from inside choose is refused with a TypeError", async () => {
  const caught: unknown[] = [];
  let isCaught = true;
  const opened: Tree[] = [];
  await using tree = await openWith(() => {
    const [tree] = opened;
    if (tree === undefined) return NONE;
    assert(tree.containsKey("key00"), "a strategy may read");
    if (!isCaught) tree.insert("from inside", "1");
    caught.push(assertThrows(() => tree.insert("from inside", "1"), Error, "Cannot write"));
    return NONE;
  });
  opened.push(tree);
  fill(tree);
  assert(caught.length > 0 && caught.every((error) => error instanceof TypeError));
  assertEquals([tree.stats().lastError, tree.len()], [undefined, 30]);
  isCaught = false;
  fill(tree);
  assert(tree.stats().lastError instanceof TypeError);
  assertEquals(tree.get("from inside"), undefined);
  await assertRejects(() => tree.flushMemtable(), TypeError, "Cannot write");
  isCaught = true;
});

Deno.test("close throws what the strategy chose, and has closed the tree all the same", async () => {
  const storage = new MemoryStorage();
  const tree = await openWith(() => {
    throw new Error("mine");
  }, storage);
  tree.insert("a", "1");
  const closed = tree.close();
  await assertRejects(() => closed, Error, "mine");
  await using again = await openInMemory({ storage });
  assertEquals([texts(again), again.recovery.cleanClose, again.recovery.notes.length], [["a=1"], true, 1]);
});

Deno.test("what a strategy is given is its own to spoil", async () => {
  await using tree = await openWith(({ levels }) => {
    for (const { minKey, maxKey } of levels[0]!) minKey.fill(0xff), maxKey.fill(0);
    return NONE;
  });
  fill(tree);
  await tree.flushMemtable();
  assertEquals(tree.len(), 30);
  for (const key of numbered(30)) assert(tree.containsKey(key));
});

Deno.test("a strategy that comes to no end is stopped, and no write fails", async () => {
  let asked = 0;
  const tree = await openWith(({ levels }) => {
    asked += 1;
    const segments = levels.flat().map((segment) => segment.id);
    return segments.length === 0 ? NONE : { kind: "merge", segments, destLevel: 1, targetSize: 2 ** 20 };
  });
  fill(tree);
  const failed = await assertRejects(() => tree.flushMemtable(), RangeError, "comes to no end");
  assertStrictEquals(tree.stats().lastError, failed);
  assert(asked < 2_000, `asked ${asked} times`);
  assertEquals(tree.len(), 30);
  await assertRejects(() => tree.close(), RangeError, "comes to no end");
});
