/**
 * Background work in Workers: the same results as inline, beside a thread that goes on writing or never lets go.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import fc from "fast-check";
import type { Config } from "../../mod.ts";
import { CorruptionError, leveled, sizeTiered, Tree } from "../../mod.ts";
import { effort } from "../support/effort.ts";
import { testWithFiles } from "../support/permissions.ts";
import { text, texts } from "../support/trees.ts";

const SMALL: Config = {
  maxMemtableSize: 4 * 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 4 * 1024 }),
  fsyncInterval: null,
};

type Action =
  | { readonly do: "put"; readonly key: number; readonly size: number }
  | { readonly do: "remove"; readonly key: number }
  | { readonly do: "clear" | "flush" | "compact" | "yield" | "reopen" };

const key = fc.nat(300);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 60, arbitrary: fc.record({ do: fc.constant("put" as const), key, size: fc.nat(400) }) },
  { weight: 20, arbitrary: fc.record({ do: fc.constant("remove" as const), key }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom("flush" as const, "yield" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("clear" as const, "compact" as const, "reopen" as const) }),
  },
);

testWithFiles("the same writes give the same content in a Worker, inline and in a map", async (folder) => {
  let round = 0;
  const counts = { merges: 0, flushes: 0 };
  const property = fc.asyncProperty(
    fc.array(action, { minLength: 250, maxLength: 400, size: "max" }),
    fc.constantFrom(SMALL.compactionStrategy!, sizeTiered({ minThreshold: 2 })),
    async (list, compactionStrategy) => {
      round += 1;
      const model = new Map<string, string>();
      const contents: string[] = [];
      for (const background of ["worker", "inline"] as const) {
        const store = `${folder}/${round}-${background}`;
        model.clear();
        const config = { ...SMALL, compactionStrategy, background };
        let tree = await Tree.open(store, config);
        for (const one of list) tree = await run(tree, one, model, store, config);
        assertEquals(tree.config.background, background);
        contents.push(texts(tree).join());
        counts.merges += tree.stats().merges;
        counts.flushes += tree.stats().flushes;
        assertEquals(tree.stats().lastError, undefined);
        await tree.close();
        const again = await Tree.open(store, config);
        contents.push(texts(again).join());
        await again.close();
        await Deno.remove(store, { recursive: true });
      }
      const expected = [...model].sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => `${k}=${v}`).join();
      assertEquals(new Set(contents), new Set([expected]));
    },
  );
  await fc.assert(property, effort(5));
  assert(counts.merges > 5 && counts.flushes > 10, JSON.stringify(counts));
});

async function run(
  tree: Tree,
  one: Action,
  model: Map<string, string>,
  store: string,
  config: Config,
): Promise<Tree> {
  if (one.do === "put") {
    const value = String(one.key).padEnd(one.size, ".");
    tree.insert(`key ${one.key}`, value);
    model.set(`key ${one.key}`, value);
  } else if (one.do === "remove") {
    tree.remove(`key ${one.key}`);
    model.delete(`key ${one.key}`);
  } else if (one.do === "clear") {
    tree.clear();
    model.clear();
  } else if (one.do === "flush") await tree.flushMemtable();
  else if (one.do === "compact") await tree.compact();
  else if (one.do === "yield") await new Promise((resolve) => setTimeout(resolve, 0));
  else {
    await tree.close();
    return await Tree.open(store, config);
  }
  return tree;
}

testWithFiles(
  "a writer that never yields is held, and neither memtables nor level 0 grow without end",
  async (folder) => {
    await using tree = await Tree.open(folder, SMALL);
    const writes = 20_000;
    let level0Max = 0;
    let sealedMax = 0;
    for (let i = 0; i < writes; i++) {
      tree.insert(`key ${(i * 7919) % 2_003}`, `value ${i}`);
      if (i % 10 !== 0) continue;
      const { levels, memtables } = tree.stats();
      const level0 = levels.find(({ level }) => level === 0);
      level0Max = Math.max(level0Max, level0?.runs ?? 0);
      sealedMax = Math.max(sealedMax, memtables.sealed);
    }
    const { background, flushes, merges, stalls, lastError } = tree.stats();
    assertEquals([background.mode, lastError], ["worker", undefined]);
    assertGreater(flushes, 50);
    assertGreater(merges, 5);
    assert(
      level0Max <= 6 && sealedMax <= 4,
      `${level0Max} segments in level 0, ${sealedMax} sealed memtables`,
    );
    assertGreater(stalls.stops + stalls.slowdowns, 0);
    assertGreater(stalls.stoppedMs + stalls.slowedMs, 0);
    assertEquals(tree.len(), 2_003);
    assertEquals(text(tree.get(`key ${((writes - 1) * 7919) % 2_003}`)), `value ${writes - 1}`);
  },
);

testWithFiles("a writer that awaits ready is never stopped", async (folder) => {
  await using tree = await Tree.open(folder, SMALL);
  for (let i = 0; i < 10_000; i++) {
    if (i % 10 === 0) await tree.ready();
    tree.insert(`key ${i % 3_001}`, `value ${i}`);
  }
  const { stalls, flushes, merges, background } = tree.stats();
  assertEquals([stalls.stops, background.mode], [0, "worker"]);
  assert(flushes > 30 && merges > 3);
  assertEquals(tree.len(), 3_001);
});

testWithFiles(
  "a merge that fails in a Worker is told, and is tried again when what was wrong is mended",
  async (folder) => {
    await using tree = await Tree.open(folder, {
      ...SMALL,
      compactionStrategy: leveled({ l0Threshold: 100 }),
    });
    for (const round of [1, 2]) {
      for (let i = 0; i < 20; i++) tree.insert(`key ${i}`, `value ${round}`.padEnd(100, "."));
      await tree.flushMemtable();
    }
    const [path] = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`).filter((name) =>
      name.includes("/segment-")
    ).sort();
    const bytes = Deno.readFileSync(path!);
    const damaged = bytes.slice();
    damaged[100]! ^= 1;
    Deno.writeFileSync(path!, damaged);
    const signal = AbortSignal.timeout(10_000);
    const failed = await assertRejects(() => tree.compact({ signal }), CorruptionError, "bad checksum");
    assertStrictEquals(tree.stats().lastError, failed);
    Deno.writeFileSync(path!, bytes);
    await tree.compact({ signal });
    const { background, lastError, merges, segments } = tree.stats();
    assertEquals([background.mode, lastError, merges, segments, tree.len()], ["worker", undefined, 1, 1, 20]);
  },
);

testWithFiles("the thread that writes goes on while a flush and a merge run", async (folder) => {
  await using tree = await Tree.open(folder, { maxMemtableSize: 1024 * 1024, fsyncInterval: null });
  const value = new Uint8Array(1000);
  for (let i = 0; i < 5_000; i++) tree.insert(`key ${i}`, value);
  await tree.ready();
  let late = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    late = Math.max(late, performance.now() - last - 5);
    last = performance.now();
  }, 5);
  const compacted = tree.compact();
  let writes = 0;
  let isDone = false;
  compacted.then(() => isDone = true);
  while (!isDone) {
    tree.insert(`other ${writes++}`, "");
    if (writes % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  clearInterval(timer);
  assertGreater(writes, 300);
  assertEquals(tree.len(), 5_000 + writes);
  // Inline the same takes the thread for as long as the merge of 5 MB takes; a busy machine makes the bound a loose one.
  assertLess(late, 500);
});

testWithFiles(
  "snapshots and ranges read the same over any number of compactions, and their files go with them",
  async (folder) => {
    await using tree = await Tree.open(folder, SMALL);
    const fill = (round: number): void => {
      for (let i = 0; i < 400; i++) tree.insert(`key ${i}`, `${round}`.padEnd(50, "."));
    };
    fill(0);
    const snapshot = tree.snapshot();
    const range = tree.iter();
    const expected = texts(snapshot).join();
    const firstHalf = range.take(200).toArray();
    const held: { snapshot: ReturnType<Tree["snapshot"]>; text: string }[] = [];
    for (let round = 1; round <= 6; round++) {
      fill(round);
      await tree.compact();
      held.push({ snapshot: tree.snapshot(), text: texts(tree).join() });
    }
    assertEquals(texts(snapshot).join(), expected);
    for (const { snapshot, text } of held) assertEquals(texts(snapshot).join(), text);
    const rest = tree.snapshot();
    assertEquals(firstHalf.length, 200);
    const segmentFiles = (): number =>
      [...Deno.readDirSync(folder)].filter(({ name }) => name.startsWith("segment-")).length;
    assertGreater(segmentFiles(), tree.segmentCount());
    assertGreater(tree.stats().pinnedVersions, 3);
    for (const one of [snapshot, rest, ...held.map((entry) => entry.snapshot)]) one.close();
    range[Symbol.dispose]();
    assertEquals(tree.stats().pinnedVersions, 0);
    // A Worker removes them, in a moment.
    const deadline = performance.now() + 5_000;
    while (segmentFiles() > tree.segmentCount() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEquals(segmentFiles(), tree.segmentCount());
  },
);

testWithFiles(
  "a flush that takes away what a merge still reads leaves its files until the merge has ended",
  async (folder) => {
    for (let round = 0; round < 5; round++) {
      await using tree = await Tree.open(folder, SMALL);
      for (let i = 0; i < 2_000; i++) tree.insert(`key ${i}`, "x".repeat(100));
      const compacted = tree.compact();
      await new Promise((resolve) => setTimeout(resolve, round * 2));
      tree.clear();
      await Promise.all([tree.flushMemtable(), compacted]);
      assertEquals([tree.len(), tree.stats().lastError], [0, undefined]);
      tree.insert("after", "");
      await tree.compact();
      assertEquals(tree.len(), 1);
      tree.clear();
    }
  },
);
