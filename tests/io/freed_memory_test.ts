/**
 * The memory of flushed memtables is given back at once, unless somebody may still read it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MemoryStorage, Tree } from "@lsm/tree";
import { BatchBuilder } from "../../core/mod.ts";
import { openEngine } from "../../io/open.ts";

const CHUNK_BYTES = 512;
const VALUE = "v".repeat(100);

function key(i: number): string {
  return `key ${String(i).padStart(4, "0")}`;
}

Deno.test("what a flushed memtable pointed into is given back, and the builder goes on", async () => {
  const { engine } = await openEngine("data", { storage: new MemoryStorage() });
  const builder = new BatchBuilder(CHUNK_BYTES);
  const write = (i: number): void => {
    builder.put(key(i), VALUE);
    engine.commit(builder.finish());
  };
  for (let i = 0; i < 20; i++) write(i);
  const buffers = [...engine.state.active.arena.buffers()] as ArrayBuffer[];
  assert(buffers.length > 2);
  engine.seal();
  assertEquals(buffers.map((buffer) => buffer.detached), buffers.map((_, i) => i < buffers.length - 1));
  for (let i = 20; i < 40; i++) write(i);
  engine.seal();
  assertEquals(engine.segments().reduce((sum, { entries }) => sum + entries, 0), 40);
  await engine.close();
});

Deno.test("a snapshot and a range go on reading memtables that are flushed meanwhile", async () => {
  await using tree = await Tree.open("data", { storage: new MemoryStorage(), maxMemtableSize: 64 * 1024 });
  for (let i = 0; i < 300; i++) tree.insert(key(i), VALUE);
  using snapshot = tree.snapshot();
  const range = tree.iter();
  const text = new TextDecoder();
  assertEquals(text.decode(range.next().value![0]), key(0));
  for (let i = 300; i < 3_000; i++) tree.insert(key(i), VALUE);
  assert(tree.stats().flushes > 2);
  assertEquals(text.decode(snapshot.get(key(7))), VALUE);
  assertEquals(snapshot.iter().values().map((value) => text.decode(value)).toArray(), Array(300).fill(VALUE));
  assertEquals(range.map(([, value]) => text.decode(value)).toArray(), Array(299).fill(VALUE));
});

Deno.test("a batch is whole on disk when its commit flushes what was before it", async () => {
  const storage = new MemoryStorage();
  {
    await using tree = await Tree.open("data", { storage, maxMemtableSize: 1024 });
    for (let i = 0; i < 200; i++) {
      tree.batch().insert(key(2 * i), VALUE).insert(key(2 * i + 1), VALUE).commit();
    }
  }
  await using tree = await Tree.open("data", { storage });
  const text = new TextDecoder();
  assertEquals(
    tree.iter().keys().map((one) => text.decode(one)).toArray(),
    Array.from({ length: 400 }, (_, i) => key(i)),
  );
  assert(tree.iter().values().every((value) => text.decode(value) === VALUE));
});

Deno.test("a recovered journal that filled several memtables is given back once", async () => {
  const storage = new MemoryStorage();
  {
    await using tree = await Tree.open("data", { storage });
    for (let i = 0; i < 40; i++) tree.insert(key(i), VALUE);
  }
  await using tree = await Tree.open("data", { storage, maxMemtableSize: 1024 });
  assert(tree.stats().memtables.sealed > 1);
  tree.clear();
  await tree.flushMemtable();
  assertEquals([tree.len(), tree.stats().lastError], [0, undefined]);
});

Deno.test("a recovered journal stays as long as a memtable that waits points into it", async () => {
  const storage = new MemoryStorage();
  {
    await using tree = await Tree.open("data", { storage });
    for (let i = 0; i < 40; i++) tree.insert(key(i), VALUE);
  }
  await using tree = await Tree.open("data", { storage, maxMemtableSize: 1024 });
  assert(tree.stats().memtables.sealed > 1);
  await tree.flushMemtable();
  assertEquals([tree.stats().memtables.sealed, tree.stats().lastError], [0, undefined]);
  const text = new TextDecoder();
  assertEquals(
    tree.iter().map(([one, value]) => text.decode(one) + text.decode(value)).toArray(),
    Array.from({ length: 40 }, (_, i) => key(i) + VALUE),
  );
});
