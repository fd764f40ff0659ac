/**
 * Bounds: which keys a range and a prefix mean, in which order, and what cannot be asked for.
 *
 * Order is bytewise lexicographic everywhere: a string stands where its UTF-8 bytes do, which is not where JavaScript's
 * own `<` puts it.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Bounds, Bytes, Key, Tree } from "@lsm/tree";
import { effort } from "../support/effort.ts";
import { keysOf, openInMemory, text, TINY, treeOf, utf8 } from "../support/trees.ts";

function keys(tree: Tree, bounds?: Bounds): string {
  return keysOf(tree.range(bounds)).join("");
}

Deno.test("gt, gte, lt and lte mean what they say, alone and together", async () => {
  await using tree = await treeOf(["a", "b", "c", "d"]);
  const cases: [Bounds | undefined, string][] = [
    [undefined, "abcd"],
    [{}, "abcd"],
    [{ gt: "b" }, "cd"],
    [{ gte: "b" }, "bcd"],
    [{ lt: "c" }, "ab"],
    [{ lte: "c" }, "abc"],
    [{ gt: "a", lt: "d" }, "bc"],
    [{ gt: "a", lte: "d" }, "bcd"],
    [{ gte: "a", lt: "d" }, "abc"],
    [{ gte: "b", lte: "b" }, "b"],
    [{ gt: "aa", lt: "cc" }, "bc"],
    [{ gt: "", lte: "z" }, "abcd"],
    [{ gte: "" }, "abcd"],
    [{ gte: utf8("b"), lt: utf8("d") }, "bc"],
    [{ gte: "c", gt: undefined, lt: undefined, limit: undefined, reverse: undefined }, "cd"],
  ];
  for (const step of ["in memory", "flushed", "compacted"]) {
    if (step === "flushed") await tree.flushMemtable();
    if (step === "compacted") await tree.compact();
    for (const [bounds, expected] of cases) {
      assertEquals(keys(tree, bounds), expected, `${step}: ${JSON.stringify(bounds)}`);
      const back = { ...bounds, reverse: true };
      assertEquals(keys(tree, back), [...expected].reverse().join(""), `${step}: ${JSON.stringify(back)}`);
      assertEquals(keys(tree, { ...bounds, limit: 2 }), expected.slice(0, 2));
    }
  }
});

Deno.test("an inverted or empty range has no entries and is no error", async () => {
  await using tree = await treeOf(["a", "b", "c"]);
  for (
    const bounds of [
      { gt: "b", lt: "b" },
      { gt: "b", lte: "b" },
      { gte: "b", lt: "b" },
      { gte: "c", lte: "a" },
      { gt: "z", lt: "a" },
      { gt: "a", lt: "a\0" },
      { lt: "" },
      { gt: new Uint8Array(65_535).fill(0xff) },
      { limit: 0 },
    ]
  ) {
    for (const reverse of [false, true]) {
      const range = tree.range({ ...bounds, reverse });
      assertEquals([range.next().done, range.nextBack().done], [true, true], JSON.stringify(bounds));
    }
  }
});

Deno.test("the empty key and the successor of a key are told apart from their neighbours", async () => {
  await using tree = await treeOf(["", "\0", "a", "a\0", "a\0\0", "a\x01"]);
  assertEquals(keysOf(tree.range({ lte: "" })), [""]);
  assertEquals(keysOf(tree.range({ gt: "" })).length, 5);
  assertEquals(keysOf(tree.range({ gt: "a", lte: "a\0\0" })), ["a\0", "a\0\0"]);
  assertEquals(keysOf(tree.range({ gt: "a\0", lt: "a\x01" })), ["a\0\0"]);
});

Deno.test("strings are sorted by their UTF-8 bytes, not by their UTF-16 units", async () => {
  const astral = "\u{10000}";
  const sorted = ["A", "a", "\u{7f}", "\u{80}", "é", "\u{7ff}", "\u{800}", "€", "\u{ffff}", astral, "😀"];
  assert(astral < "\u{ffff}", "in UTF-16 an astral character comes before the end of the basic plane");
  await using tree = await treeOf([...sorted].reverse());
  for (const flushed of [false, true]) {
    if (flushed) await tree.flushMemtable();
    assertEquals(keysOf(tree), sorted);
    assertEquals(keysOf(tree.range({ gt: "\u{ffff}" })), [astral, "😀"]);
    assertEquals(keysOf(tree.range({ lt: astral, gt: "€" })), ["\u{ffff}"]);
  }
});

Deno.test("bytes are compared as unsigned numbers, and a prefix comes before what it begins", async () => {
  await using tree = await openInMemory(TINY);
  const sorted = [[], [0], [0, 0], [0, 0xff], [1], [0x7f], [0x80], [0xfe, 0xff], [0xff], [0xff, 0], [
    0xff,
    0xff,
  ]];
  for (const key of sorted.toReversed()) tree.insert(new Uint8Array(key), "");
  assertEquals(tree.iter().keys().map((key) => [...key]).toArray(), sorted);
});

Deno.test("a prefix means the keys that begin with it", async () => {
  await using tree = await treeOf(["", "a", "ab", "abc", "ac", "b", "ü", "üb"]);
  const cases: [Key, string][] = [
    ["", ",a,ab,abc,ac,b,ü,üb"],
    ["a", "a,ab,abc,ac"],
    ["ab", "ab,abc"],
    ["abc", "abc"],
    ["abcd", ""],
    ["ü", "ü,üb"],
    [new Uint8Array([0xc3]), "ü,üb"],
    [utf8("b"), "b"],
  ];
  for (const flushed of [false, true]) {
    if (flushed) await tree.flushMemtable();
    for (const [prefix, expected] of cases) {
      assertEquals(keysOf(tree.prefix(prefix)).join(), expected);
      assertEquals(keysOf(tree.prefix(prefix, { reverse: true })), keysOf(tree.prefix(prefix)).reverse());
      assertEquals(keysOf(tree.prefix(prefix, { limit: 1 })), keysOf(tree.prefix(prefix)).slice(0, 1));
      assertEquals(keysOf(tree.prefix(prefix, { limit: 1, reverse: true })).length, expected === "" ? 0 : 1);
    }
  }
});

Deno.test("a prefix that ends in 0xff bytes has its keys and no others", async () => {
  await using tree = await openInMemory(TINY);
  const all = [[0xfe], [0xfe, 0xff], [0xfe, 0xff, 0xff], [0xff], [0xff, 0], [0xff, 0xff], [0xff, 0xff, 0xff]];
  for (const key of all) tree.insert(new Uint8Array(key), "");
  const withPrefix = (...prefix: number[]) =>
    tree.prefix(new Uint8Array(prefix)).keys().map((key) => [...key]).toArray();
  assertEquals(withPrefix(0xff), all.slice(3));
  assertEquals(withPrefix(0xff, 0xff), all.slice(5));
  assertEquals(withPrefix(0xff, 0xff, 0xff), all.slice(6));
  assertEquals(withPrefix(0xfe, 0xff), all.slice(1, 3));
  assertEquals(tree.prefix(new Uint8Array(65_535).fill(0xff)).toArray(), []);
});

Deno.test("limit and reverse choose how many entries are handed out, and from which end", async () => {
  await using tree = await treeOf(["a", "b", "c", "d", "e"]);
  const cases: [Bounds, string][] = [
    [{ limit: 2 }, "ab"],
    [{ limit: 2, reverse: true }, "ed"],
    [{ limit: 9 }, "abcde"],
    [{ limit: Number.MAX_SAFE_INTEGER }, "abcde"],
    [{ gt: "a", limit: 2, reverse: false }, "bc"],
    [{ lt: "e", limit: 2, reverse: true }, "dc"],
  ];
  for (const [bounds, expected] of cases) assertEquals(keys(tree, bounds), expected);
});

Deno.test("the limit counts the entries of both ends together, and stays with what is left", async () => {
  await using tree = await treeOf(["a", "b", "c", "d", "e"]);
  const range = tree.range({ limit: 3 });
  const key = (result: IteratorResult<[Bytes, Bytes]>) => result.done ? undefined : text(result.value[0]);
  assertEquals([key(range.next()), key(range.nextBack())], ["a", "e"]);
  const reversed = range.rev();
  assertEquals([key(reversed.next()), key(reversed.next()), key(reversed.nextBack())], [
    "d",
    undefined,
    undefined,
  ]);
});

Deno.test("a limit that is no whole number from 0 on is an error", async () => {
  await using tree = await treeOf(["a"]);
  using snapshot = tree.snapshot();
  for (const reads of [tree, snapshot]) {
    for (const limit of [-1, 0.5, NaN, Infinity, -Infinity]) {
      assertThrows(() => reads.range({ limit }), RangeError, "Cannot read a range");
      assertThrows(() => reads.prefix("a", { limit }), RangeError, "Cannot read a range");
    }
    for (const limit of ["1", null, 1n, {}] as unknown[] as number[]) {
      assertThrows(() => reads.range({ limit }), TypeError, "Cannot read a range");
      assertThrows(() => reads.prefix("a", { limit }), TypeError, "Cannot read a range");
    }
  }
});

Deno.test("bounds that contradict each other or have a wrong type are a TypeError", async () => {
  await using tree = await treeOf(["a"]);
  using snapshot = tree.snapshot();
  for (const reads of [tree, snapshot]) {
    for (
      const bounds of [
        { gt: "a", gte: "a" },
        { lt: "a", lte: "b" },
        { gt: "", gte: "", lt: "", lte: "" },
        { gt: 1 },
        { gte: null },
        { lt: {} },
        { lte: [1] },
        { reverse: 1 },
        { reverse: "false" },
        { reverse: null },
        null,
        1,
        "a",
      ]
    ) assertThrows(() => reads.range(bounds as Bounds), TypeError, "Cannot", JSON.stringify(bounds));
    assertThrows(() => reads.prefix("a", null as never), TypeError, "Cannot");
    assertThrows(() => reads.prefix("a", 1 as never), TypeError, "Cannot");
    assertThrows(() => reads.prefix("a", { reverse: 1 as never }), TypeError, "Cannot");
    assertThrows(() => reads.prefix(undefined as never), TypeError, "Cannot");
  }
});

Deno.test("a bound and a prefix may have 65,535 bytes and not one more", async () => {
  const longest = "k".repeat(65_535);
  await using tree = await treeOf([longest, "z"]);
  for (const flushed of [false, true]) {
    if (flushed) await tree.flushMemtable();
    assertEquals(tree.range({ gte: longest, lte: longest }).toArray().length, 1);
    assertEquals(keysOf(tree.range({ gt: longest })), ["z"]);
    assertEquals(tree.range({ lt: longest }).toArray().length, 0);
    assertEquals(tree.prefix(longest).toArray().length, 1);
  }
  for (const long of ["k".repeat(65_536), "é".repeat(32_768), new Uint8Array(65_536)]) {
    for (const bounds of [{ gt: long }, { gte: long }, { lt: long }, { lte: long }]) {
      assertThrows(() => tree.range(bounds), RangeError, "65535");
    }
    assertThrows(() => tree.prefix(long), RangeError, "65535");
  }
});

Deno.test("bounds are copied when the range is made", async () => {
  await using tree = await treeOf(["a", "b", "c", "d"]);
  const lower = utf8("b");
  const upper = utf8("c");
  const bounds = { gte: lower, lte: upper };
  const range = tree.range(bounds);
  const prefix = tree.prefix(lower);
  lower.fill(0xff);
  upper.fill(0);
  bounds.gte = bounds.lte = utf8("z");
  assertEquals([...keysOf(range), ...keysOf(prefix)], ["b", "c", "b"]);
});

Deno.test("a range and a prefix mean what a filter of all keys means", async () => {
  const key = fc.uint8Array({ maxLength: 4 }).map((bytes) =>
    bytes.map((byte) => [0, 1, 97, 254, 255][byte % 5]!)
  );
  const some = fc.uniqueArray(key, { selector: (bytes) => bytes.join(), maxLength: 100, size: "max" });
  const kind = fc.constantFrom("gt", "gte", undefined);
  await fc.assert(
    fc.asyncProperty(some, fc.array(fc.tuple(kind, key, kind, key)), async (given, asked) => {
      await using tree = await openInMemory(TINY);
      for (const bytes of given) tree.insert(bytes, bytes);
      const all = given.toSorted(compare);
      assertEquals(tree.iter().keys().map(String).toArray(), all.map(String));
      for (const [low, from, high, to] of asked) {
        const bounds: Bounds = {
          ...(low && { [low]: from }),
          ...(high && { [high.replace("g", "l")]: to }),
        };
        const within = all.filter((bytes) =>
          (low === undefined || compare(bytes, from) >= (low === "gt" ? 1 : 0)) &&
          (high === undefined || compare(to, bytes) >= (high === "gt" ? 1 : 0))
        ).map(String);
        assertEquals(tree.range(bounds).keys().map(String).toArray(), within);
        const begun = all.filter((bytes) => compare(bytes.subarray(0, from.length), from) === 0).map(String);
        assertEquals(tree.prefix(from).keys().map(String).toArray(), begun);
        assertEquals(tree.prefix(from).rev().keys().map(String).toArray(), begun.reverse());
      }
    }),
    effort(60),
  );
});

/** The order that is promised, byte by byte; -1, 0 or 1. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (const [i, byte] of a.entries()) {
    if (i === b.length || byte > b[i]!) return 1;
    if (byte < b[i]!) return -1;
  }
  return a.length < b.length ? -1 : 0;
}
