/**
 * What goes in: keys and values of every kind and size, and what is refused before anything is written.
 *
 * A wrong argument is a `TypeError` or a `RangeError`; no message has a key or a value in it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MemoryStorage } from "@lsm/tree";
import {
  entryText,
  FailingStorage,
  keysOf,
  openInMemory,
  text,
  texts,
  TINY,
  treeOf,
  utf8,
} from "../support/trees.ts";

Deno.test("bytes are copied on the way in: changing them later changes nothing", async () => {
  for (const durability of ["buffered", "os"] as const) {
    const storage = new MemoryStorage();
    {
      await using tree = await openInMemory({ storage, durability });
      const key = utf8("k0");
      const value = utf8("v".repeat(10)) as Uint8Array;
      const writes = [
        () => tree.insert(key, value),
        () => tree.entry(key).orInsert(value),
        () => tree.compareAndSwap(key, undefined, value),
        () => tree.fetchUpdate(key, () => value),
        () => tree.updateFetch(key, () => value),
        () => tree.entry(key).orInsertWith(() => value),
      ];
      for (const [i, write] of writes.entries()) {
        key[1] = 48 + i;
        value.fill(97 + i);
        write();
      }
      key[1] = 57;
      const batch = tree.batch().insert(key, value);
      key.fill(0);
      value.fill(0);
      batch.commit();
      assertEquals(keysOf(tree), ["k0", "k1", "k2", "k3", "k4", "k5", "k9"]);
      assertEquals(text(tree.get("k0")), "a".repeat(10));
    }
    await using tree = await openInMemory({ storage });
    assertEquals(tree.iter().values().map((value) => text(value).slice(0, 2)).toArray(), [
      ...["aa", "bb", "cc", "dd", "ee", "ff", "ff"],
    ]);
  }
});

Deno.test("memory that is shared with other threads is copied too", async () => {
  await using tree = await openInMemory();
  const shared = new Uint8Array(new SharedArrayBuffer(2100));
  shared.fill(98);
  for (const length of [1, 20, 100, 2000]) {
    tree.insert(shared.subarray(0, length), shared.subarray(0, length));
    tree.batch().insert(shared.subarray(1, length + 2), shared.subarray(0, length)).commit();
  }
  shared.fill(0);
  const entries = tree.iter().toArray();
  assertEquals(entries.map(([key, value]) => [key.length, value.length]), [
    ...[[1, 1], [2, 1], [20, 20], [21, 20], [100, 100], [101, 100], [2000, 2000], [2001, 2000]],
  ]);
  for (const [key, value] of entries) {
    assert(key.every((byte) => byte === 98) && value.every((byte) => byte === 98));
    assert(key.buffer instanceof ArrayBuffer && value.buffer instanceof ArrayBuffer);
  }
});

Deno.test("a view means the bytes it shows, and a Buffer is a Uint8Array", async () => {
  await using tree = await openInMemory();
  const bytes = utf8("xxkeyvaluexx");
  tree.insert(bytes.subarray(2, 5), bytes.subarray(5, 10));
  tree.insert(Buffer.from("buffer"), Buffer.from("€"));
  assertEquals(texts(tree), ["buffer=€", "key=value"]);
  assertEquals(texts(tree.prefix(Buffer.from("buf"))), ["buffer=€"]);
});

Deno.test("every byte may be anywhere in a key and in a value", async () => {
  await using tree = await openInMemory(TINY);
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const byte of all) tree.insert(new Uint8Array([byte, 0, 255 - byte]), new Uint8Array([0, byte, 0xff]));
  tree.insert(all, all);
  await tree.flushMemtable();
  for (const byte of all) {
    assertEquals(tree.get(new Uint8Array([byte, 0, 255 - byte])), new Uint8Array([0, byte, 0xff]));
  }
  assertEquals(tree.get(all), all);
  assertEquals(tree.iter().keys().map((key) => key[0]).toArray(), [0, ...all]);
});

Deno.test("a string is its UTF-8 bytes, as a key and as a value", async () => {
  await using tree = await openInMemory();
  tree.insert("zoë €😀\uFEFF", "é\0😀".repeat(50));
  assertEquals(tree.get(utf8("zoë €😀\uFEFF")), utf8("é\0😀".repeat(50)));
  tree.insert(utf8("ß"), utf8("€"));
  assertEquals(text(tree.get("ß")), "€");
  tree.insert("\uFEFF", "a byte order mark is three bytes");
  assertEquals(tree.containsKey(new Uint8Array([0xef, 0xbb, 0xbf])), true);
});

Deno.test("the empty key and the empty value are there like any other", async () => {
  await using tree = await openInMemory();
  tree.insert("", "nothing");
  tree.insert("nothing", new Uint8Array(0));
  for (const step of ["in memory", "flushed", "compacted"]) {
    if (step === "flushed") await tree.flushMemtable();
    if (step === "compacted") await tree.compact();
    assertEquals(text(tree.get(new Uint8Array(0))), "nothing", step);
    assertEquals(tree.get("nothing"), new Uint8Array(0), step);
    assertEquals(tree.containsKey("nothing"), true, step);
    assertEquals(texts(tree), ["=nothing", "nothing="], step);
    assertEquals(entryText(tree.firstKeyValue()), "=nothing", step);
  }
  tree.remove("");
  assertEquals(texts(tree), ["nothing="]);
});

Deno.test("a key may have 65,535 bytes and not one more", async () => {
  await using tree = await openInMemory(TINY);
  const longest = [new Uint8Array(65_535).fill(0xff), "k".repeat(65_535), "é".repeat(32_767) + "k"];
  for (const key of longest) tree.insert(key, "there");
  await tree.flushMemtable();
  await tree.compact();
  for (const key of longest) assertEquals(text(tree.get(key)), "there");
  assertEquals(tree.iter().keys().map((key) => key.length).toArray(), [65_535, 65_535, 65_535]);
  for (const key of [new Uint8Array(65_536), "k".repeat(65_536), "é".repeat(32_768), "😀".repeat(16_384)]) {
    for (
      const use of [
        () => tree.insert(key, ""),
        () => tree.get(key),
        () => tree.containsKey(key),
        () => tree.remove(key),
        () => tree.removeEntry(key),
        () => tree.batch().insert(key, ""),
        () => tree.batch().remove(key),
        () => tree.entry(key),
        () => tree.compareAndSwap(key, undefined, ""),
        () => tree.fetchUpdate(key, () => ""),
        () => tree.updateFetch(key, () => ""),
      ]
    ) assertThrows(use, RangeError, "Cannot");
  }
  assertEquals(tree.len(), 3);
});

Deno.test("a value of several MiB is stored, flushed, compacted and found again", async () => {
  const storage = new MemoryStorage();
  const large = new Uint8Array(5 * 1024 * 1024 + 1).map((_, i) => (i * 31) >> 3);
  {
    await using tree = await openInMemory({ ...TINY, storage });
    tree.insert("large", large);
    tree.insert("small", "s");
    tree.insert("text", "€".repeat(1_000_000));
    assertEquals(tree.get("large"), large);
    await tree.flushMemtable();
    await tree.compact();
    assert(tree.segmentCount() > 0);
    assertEquals(tree.get("large"), large);
  }
  await using tree = await openInMemory({ storage });
  assertEquals(tree.get("large"), large);
  assertEquals(tree.get("text")?.length, 3_000_000);
  assertEquals(keysOf(tree), ["large", "small", "text"]);
});

Deno.test("a value of more than 1 GiB is a RangeError before anything is written", async () => {
  await using tree = await treeOf(["a"]);
  const before = tree.stats();
  const huge = new Uint8Array(2 ** 30 + 1); // never touched, so it takes no memory
  for (
    const write of [
      () => tree.insert("b", huge),
      () => tree.batch().insert("b", huge),
      () => tree.entry("b").orInsert(huge),
      () => tree.compareAndSwap("b", undefined, huge),
      () => tree.compareAndSwap("a", huge, "2"),
      () => tree.fetchUpdate("b", () => huge),
    ]
  ) assertThrows(write, RangeError, "Cannot use this");
  assertEquals(tree.stats().batches, before.batches);
  assertEquals(tree.stats().written, before.written);
  tree.insert("b", "2");
  assertEquals(texts(tree), ["a=a", "b=2"]);
});

Deno.test("what is neither a string nor a Uint8Array is a TypeError, and nothing is written", async () => {
  await using tree = await treeOf(["a"]);
  const wrong = [undefined, null, 1, 1n, true, {}, [1], Symbol("s"), new ArrayBuffer(1), new Uint16Array(1)];
  for (
    const other of [...wrong, new DataView(new ArrayBuffer(1)), new Uint8ClampedArray(1), new String("a")]
  ) {
    const bad = other as string;
    for (
      const use of [
        () => tree.get(bad),
        () => tree.containsKey(bad),
        () => tree.insert(bad, ""),
        () => tree.insert("a", bad),
        () => tree.remove(bad),
        () => tree.removeEntry(bad),
        () => tree.prefix(bad),
        () => tree.batch().insert(bad, ""),
        () => tree.batch().insert("a", bad),
        () => tree.batch().remove(bad),
        () => tree.entry(bad),
        () => tree.entry("b").orInsert(bad),
        () => tree.entry("a").orInsert(bad),
        () => tree.entry("a").orInsertWith(bad as never),
        () => tree.entry("a").orInsertWithKey(bad as never),
        () => tree.entry("b").andUpdate(bad as never),
        () => tree.compareAndSwap(bad, undefined, ""),
        () => tree.fetchUpdate(bad, () => ""),
        () => tree.updateFetch(bad, () => ""),
      ]
    ) assertThrows(use, TypeError, "Cannot");
    if (other === undefined) continue; // it means absent where a value may be absent
    for (
      const use of [
        () => tree.compareAndSwap("a", bad, ""),
        () => tree.compareAndSwap("a", "a", bad),
        () => tree.fetchUpdate("a", () => bad),
        () => tree.updateFetch("a", () => bad),
      ]
    ) assertThrows(use, TypeError, "Cannot");
  }
  assertThrows(() => tree.fetchUpdate("a", "2" as never), TypeError, "Cannot");
  assertThrows(() => tree.updateFetch("a", undefined as never), TypeError, "Cannot");
  assertThrows(() => tree.fetchUpdate("a", (() => Promise.resolve("2")) as never), TypeError, "Cannot");
  assertEquals(texts(tree), ["a=a"]);
});

Deno.test("a lone surrogate has no UTF-8 bytes and is a TypeError", async () => {
  await using tree = await treeOf(["a"]);
  for (const bad of ["\ud800", "a\udc00b", "\ude00\ud83d", "x".repeat(5000) + "\ud83d"]) {
    for (
      const use of [
        () => tree.get(bad),
        () => tree.insert(bad, ""),
        () => tree.insert("a", bad),
        () => tree.remove(bad),
        () => tree.range({ gte: bad }),
        () => tree.range({ lt: bad }),
        () => tree.prefix(bad),
        () => tree.batch().insert("a", bad),
        () => tree.entry(bad),
        () => tree.compareAndSwap("a", bad, ""),
        () => tree.compareAndSwap("a", "a", bad),
        () => tree.updateFetch("a", () => bad),
      ]
    ) assertThrows(use, TypeError, "surrogate");
  }
  assertEquals(texts(tree), ["a=a"]);
});

Deno.test("names that objects inherit are keys like any other", async () => {
  await using tree = await openInMemory(TINY);
  const names = ["__proto__", "constructor", "hasOwnProperty", "prototype", "toString", "valueOf"];
  for (const name of names) assertEquals(tree.get(name), undefined);
  for (const name of names) tree.insert(name, name);
  for (const flushed of [false, true]) {
    if (flushed) await tree.flushMemtable();
    assertEquals(texts(tree), names.map((name) => `${name}=${name}`));
    assertEquals(text(tree.get("__proto__")), "__proto__");
  }
  tree.remove("__proto__");
  assertEquals(tree.containsKey("__proto__"), false);
  assertEquals(tree.containsKey("constructor"), true);
});

Deno.test("no message has a key or a value in it", async () => {
  const storage = new FailingStorage();
  const tree = await openInMemory({ ...TINY, storage });
  const secret = "SECRET";
  tree.insert(secret, secret);
  const huge = secret.repeat(20_000);
  const messages: string[] = [];
  const told = (use: () => unknown) => messages.push(String(assertThrows(use)));
  for (const bad of [huge, `${secret}\ud800`]) {
    told(() => tree.insert(bad, secret));
    told(() => tree.range({ gt: bad }));
    told(() => tree.prefix(bad));
    told(() => tree.entry(bad));
  }
  told(() => tree.insert(secret, `${secret}\ud800`));
  told(() => tree.insert([secret] as never, secret));
  told(() => tree.insert(secret, { secret } as never));
  told(() => tree.range({ gt: secret, gte: secret }));
  told(() => tree.fetchUpdate(secret, () => tree.insert(secret, secret) as never));
  storage.failing.set("append", "journal");
  told(() => tree.insert(secret, secret));
  await tree.close().catch((error) => messages.push(String(error)));
  told(() => tree.get(secret));
  for (const message of messages) {
    assert(/^\w+: Cannot /.test(message), message);
    assert(!message.includes(secret), message);
  }
});
