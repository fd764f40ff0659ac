/**
 * Ranges: iterators from both ends over the tree of one moment.
 *
 * Which keys a range has is in `bounds_test.ts`; here is how it is walked, what it sees, and when it lets go.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Bytes, Entry, Tree } from "@lsm/tree";
import { ClosedError, CorruptionError, Range } from "@lsm/tree";
import { effort } from "../support/effort.ts";
import {
  contentsOf,
  copyOf,
  keysOf,
  namesOf,
  numbered,
  openInMemory,
  text,
  texts,
  TINY,
  treeOf,
  withSegments,
  writeFile,
} from "../support/trees.ts";

const ABCDE: readonly string[] = ["a", "b", "c", "d", "e"];

/** What an end of a range gave, as the text of its key. */
function key(result: IteratorResult<Entry>): string | undefined {
  return result.done ? undefined : text(result.value[0]);
}

function pins(tree: Tree): number {
  return tree.stats().pinnedVersions;
}

Deno.test("a range is an iterator with all that iterators can do", async () => {
  await using tree = await treeOf(ABCDE);
  const range = tree.iter();
  assert(range instanceof Range);
  assert(range instanceof Iterator);
  assertStrictEquals(range[Symbol.iterator](), range);
  range[Symbol.dispose]();
  const name = ([key]: Entry) => text(key);
  assertEquals(tree.iter().map(name).toArray(), ABCDE);
  assertEquals(tree.iter().filter((entry) => name(entry) > "b").map(name).take(2).toArray(), ["c", "d"]);
  assertEquals(tree.iter().drop(3).map(name).toArray(), ["d", "e"]);
  assertEquals(tree.iter().flatMap((entry) => [name(entry), "-"]).toArray().join(""), "a-b-c-d-e-");
  assertEquals(tree.iter().reduce((sum, entry) => sum + name(entry), ""), "abcde");
  assertEquals(tree.iter().some((entry) => name(entry) === "c"), true);
  assertEquals(tree.iter().every((entry) => name(entry) === "c"), false);
  assertEquals(tree.iter().find((entry) => name(entry) > "c")?.map(text), ["d", "d"]);
  const seen: string[] = [];
  tree.iter().forEach((entry) => seen.push(name(entry)));
  assertEquals(seen, ABCDE);
  assertEquals(Array.from(tree, name), ABCDE);
  assertEquals([...tree].length, 5);
  assertEquals(new Map(tree.iter().map(([key, value]) => [text(key), text(value)])).get("c"), "c");
  assertEquals(pins(tree), 0);
});

Deno.test("the two ends meet, and then both are done", async () => {
  await using tree = await treeOf(ABCDE);
  const range = tree.iter();
  const given = [range.next(), range.nextBack(), range.nextBack(), range.next(), range.next()].map(key);
  assertEquals(given, ["a", "e", "d", "b", "c"]);
  for (let i = 0; i < 3; i++) {
    assertEquals(range.next(), { done: true, value: undefined });
    assertEquals(range.nextBack(), { done: true, value: undefined });
  }
});

Deno.test("nextBack of a reversed range takes from the front", async () => {
  await using tree = await treeOf(ABCDE);
  const range = tree.range({ reverse: true });
  assertEquals([range.next(), range.nextBack(), range.next(), range.nextBack()].map(key), [
    "e",
    "a",
    "d",
    "b",
  ]);
});

Deno.test("rev takes over what is left with its ends swapped, and the original is done", async () => {
  await using tree = await treeOf(ABCDE);
  const range = tree.iter();
  assertEquals([range.next(), range.nextBack()].map(key), ["a", "e"]);
  const reversed = range.rev();
  assert(reversed instanceof Range);
  assertEquals([range.next(), range.nextBack()].map(key), [undefined, undefined]);
  range[Symbol.dispose]();
  assertEquals(range.return?.(), { done: true, value: undefined });
  assertEquals(key(reversed.next()), "d");
  const again = reversed.rev();
  assertEquals([key(again.next()), key(again.next()), key(reversed.next())], ["b", "c", undefined]);
  assertEquals(key(again.next()), undefined);
  assertEquals(again.rev().toArray(), []);
  assertEquals(range.rev().toArray(), []);
  assertEquals(pins(tree), 0);
});

Deno.test("rev of a range with a limit hands out the rest of it", async () => {
  await using tree = await treeOf(ABCDE);
  assertEquals(keysOf(tree.range({ limit: 2 }).rev()), ["e", "d"]);
  assertEquals(keysOf(tree.range({ limit: 2, reverse: true }).rev()), ["a", "b"]);
  assertEquals(keysOf(tree.prefix("a").rev()), ["a"]);
});

Deno.test("keys and values are what is left of the range, and end with it", async () => {
  await using tree = await treeOf([]);
  for (const name of ABCDE) tree.insert(name, name.toUpperCase());
  assertEquals(tree.iter().keys().map(text).toArray().join(""), "abcde");
  assertEquals(tree.iter().values().map(text).toArray().join(""), "ABCDE");
  assertEquals(tree.range({ gt: "b", reverse: true, limit: 2 }).values().map(text).toArray(), ["E", "D"]);
  assertEquals(tree.iter().rev().keys().map(text).take(2).toArray(), ["e", "d"]);
  const range = tree.iter();
  const keys = range.keys();
  assertEquals(text(keys.next().value!), "a");
  assertEquals([key(range.next()), key(range.nextBack())], ["b", "e"]);
  assertEquals(text(range.values().next().value!), "C");
  assertEquals(keys.map(text).toArray(), ["d"]);
  assertEquals([keys.next().done, range.next().done], [true, true]);
  for (const part of ["keys", "values"] as const) {
    const range = tree.iter();
    for (const bytes of range[part]()) {
      assertEquals(text(bytes).toLowerCase(), "a");
      break;
    }
    assertEquals(range.next().done, true);
    const disposed = tree.iter();
    {
      using parts = disposed[part]();
      parts.next();
    }
    assertEquals(disposed.next().done, true);
  }
  assertEquals(pins(tree), 0);
});

Deno.test("a range sees the state of the moment it was made", async () => {
  const before = numbered(60);
  await withSegments(before, async (tree) => {
    const expected = texts(tree);
    const ranges = Array.from({ length: 6 }, () => tree.iter());
    assertEquals(key(ranges[5]!.next()), "key00");
    for (const name of before.slice(0, 30)) tree.remove(name);
    for (const name of before) tree.insert(`new ${name}`, name);
    for (const name of before.slice(30)) tree.insert(name, "overwritten");
    assertEquals(texts(ranges[0]!), expected, "after writes");
    await tree.flushMemtable();
    assertEquals(texts(ranges[1]!), expected, "after a flush");
    await tree.compact();
    assertEquals(texts(ranges[2]!), expected, "after a compaction");
    tree.clear();
    assertEquals(texts(ranges[3]!), expected, "after a clear");
    await tree.compact();
    assertEquals(texts(ranges[4]!.rev()), expected.toReversed(), "after the files could have gone");
    assertEquals(texts(ranges[5]!), expected.slice(1), "from where it stood");
    assertEquals([tree.len(), pins(tree)], [0, 0]);
  });
});

Deno.test("writing while iterating is normal use", async () => {
  await withSegments(numbered(40), (tree) => {
    let seen = 0;
    for (const [key, value] of tree) {
      seen++;
      tree.remove(key);
      tree.insert(`z${text(key)}`, value);
      tree.insert(`a${text(key)}`, value);
      tree.popFirst();
    }
    assertEquals(seen, 40);
    tree.clear();
    for (const name of ABCDE) tree.insert(name, name);
    for (const value of tree.iter().values()) tree.insert(text(value) + text(value), "");
    assertEquals(keysOf(tree).join(), "a,aa,b,bb,c,cc,d,dd,e,ee");
  });
});

Deno.test("break, throw, return, dispose and the end let go of what a range keeps", async () => {
  const ways: Record<string, (tree: Tree) => unknown> = {
    end: (tree) => [...tree],
    "end from the back": (tree) => {
      const range = tree.iter();
      while (!range.nextBack().done);
    },
    break: (tree) => {
      for (const _ of tree) break;
    },
    throw: (tree) => {
      assertThrows(() => {
        for (const _ of tree) throw new Error("mine");
      });
    },
    "throw in a helper": (tree) => {
      assertThrows(() =>
        tree.iter().map(() => {
          throw new Error("mine");
        }).toArray()
      );
    },
    return: (tree) => tree.iter().return?.(),
    dispose: (tree) => tree.iter()[Symbol.dispose](),
    using: (tree) => {
      using range = tree.iter();
      range.next();
    },
    take: (tree) => tree.iter().take(2).toArray(),
    find: (tree) => tree.iter().find(() => true),
    destructuring: (tree) => {
      const [first] = tree;
      assert(first !== undefined);
    },
    "break of keys": (tree) => {
      for (const _ of tree.iter().keys()) break;
    },
    "dispose of a reversed one": (tree) => tree.iter().rev()[Symbol.dispose](),
    "twice": (tree) => {
      const range = tree.iter();
      range[Symbol.dispose]();
      range[Symbol.dispose]();
      range.return?.();
    },
  };
  await withSegments(numbered(30), (tree) => {
    for (const [name, way] of Object.entries(ways)) {
      const held = tree.iter();
      assertEquals(pins(tree), 1, name);
      way(tree);
      assertEquals(pins(tree), 1, name);
      held[Symbol.dispose]();
      way(tree);
      assertEquals(pins(tree), 0, name);
    }
  });
});

Deno.test("after dispose, return and break a range is done", async () => {
  await using tree = await treeOf(ABCDE);
  const ends: ((range: Range) => unknown)[] = [
    (range) => range[Symbol.dispose](),
    (range) => range.return?.(),
    (range) => {
      for (const _ of range) break;
    },
  ];
  for (const end of ends) {
    const range = tree.iter();
    range.next();
    end(range);
    assertEquals([range.next(), range.nextBack()].map((result) => result.done), [true, true]);
    assertEquals([range.toArray(), range.rev().toArray(), range.keys().toArray()], [[], [], []]);
  }
});

Deno.test("after the tree is closed a range throws ClosedError, and may still be disposed of", async () => {
  const tree = await treeOf(ABCDE);
  const ranges = [tree.iter(), tree.range({ gt: "a" }), tree.prefix("a"), tree.iter().rev()];
  using snapshot = tree.snapshot();
  ranges.push(snapshot.iter());
  const keys = tree.iter().keys();
  for (const range of ranges) range.next();
  await tree.close();
  for (const range of ranges) {
    assertThrows(() => range.next(), ClosedError, "Cannot");
    assertThrows(() => range.nextBack(), ClosedError, "Cannot");
    assertThrows(() => range.toArray(), ClosedError);
    assertThrows(() => range.values().next(), ClosedError);
    range[Symbol.dispose]();
    assertEquals(range.next().done, true);
  }
  assertThrows(() => keys.next(), ClosedError);
});

Deno.test("a range that meets a damaged block throws CorruptionError, and is done", async () => {
  await withSegments(numbered(100), async (whole) => {
    await whole.compact();
    const storage = copyOf(whole.config.storage);
    const [name] = namesOf(storage, "segment");
    const bytes = contentsOf(storage).get(name!)!;
    bytes[bytes.length >> 1]! ^= 1;
    writeFile(storage, name!, bytes);
    await using tree = await openInMemory({ storage });
    const range = tree.iter();
    const error = assertThrows(() => range.toArray(), CorruptionError, "Cannot read");
    assertEquals([error.code, error.file, typeof error.offset], ["CORRUPTION", name, "number"]);
    assert(!/key\d/.test(error.message), error.message);
    assertEquals([range.next().done, range.nextBack().done, pins(tree)], [true, true, 0]);
    assertThrows(() => tree.len(), CorruptionError);
    const damaged = numbered(100).filter((key) => {
      try {
        return text(tree.get(key)) !== key.padEnd(100, ".");
      } catch (error) {
        return error instanceof CorruptionError;
      }
    });
    assert(damaged.length > 0 && damaged.length < 50, "the other blocks are read as ever");
    tree.insert(damaged[0]!, "new");
    assertEquals(text(tree.get(damaged[0]!)), "new");
    await assertRejects(() => tree.compact(), CorruptionError);
    assertEquals(text(tree.get(damaged[0]!)), "new");
  });
});

Deno.test("any walk from both ends, over memory and segments, hands out each entry once", async () => {
  const operation = fc.record({ key: fc.nat(40), kind: fc.constantFrom("put", "put", "put", "remove") });
  const moves = fc.array(fc.constantFrom("next", "next", "nextBack", "nextBack", "rev"), {
    maxLength: 60,
    size: "max",
  });
  let flushes = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 120, size: "max" }),
      moves,
      fc.nat(50),
      async (given, walk, limit) => {
        await using tree = await openInMemory(TINY);
        const model = new Map<string, string>();
        for (const [i, { key, kind }] of given.entries()) {
          const name = `k${String(key).padStart(2, "0")}`;
          if (kind === "put") tree.insert(name, `${i}`.padEnd(50, ".")), model.set(name, `${i}`);
          else tree.remove(name), model.delete(name);
        }
        flushes += tree.stats().flushes;
        const left = [...model.keys()].sort();
        let back = false;
        let allowed = limit;
        let range = tree.range({ limit });
        for (const move of walk) {
          if (move === "rev") {
            range = range.rev();
            back = !back;
            continue;
          }
          const fromEnd = (move === "nextBack") !== back;
          const expected = allowed-- > 0 ? (fromEnd ? left.pop() : left.shift()) : undefined;
          const { value } = range[move]() as IteratorResult<[Bytes, Bytes], undefined>;
          assertEquals(value && text(value[0]), expected);
          if (value !== undefined) assertEquals(text(value[1]).replaceAll(".", ""), model.get(expected!));
          if (expected === undefined) break;
        }
        range[Symbol.dispose]();
        assertEquals(pins(tree), 0);
      },
    ),
    effort(150),
  );
  assert(flushes > 100, `${flushes} flushes`);
});
