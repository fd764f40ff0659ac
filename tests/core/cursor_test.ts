import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Cursor } from "../../core/cursor.ts";
import { MemtableCursor, RunCursor } from "../../core/cursor.ts";
import { keyFromBytes } from "../../core/bytes.ts";
import type { Run } from "../../core/version.ts";
import type { GivenEntry, GivenOperation } from "../support/arbitraries.ts";
import { BOUND_KEYS, byteKey, entriesOf, value } from "../support/arbitraries.ts";
import { effort } from "../support/effort.ts";
import type { TextEntry } from "../support/memory_segments.ts";
import { MemorySegments, TINY_BLOCKS } from "../support/memory_segments.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";
import { byteString } from "../support/sorted_model.ts";

/** Entries with a source that has them, as both kinds of cursor see them. */
interface Sources {
  readonly memtable: () => Cursor;
  readonly run: () => Cursor;
}

const ENTRIES: readonly GivenEntry[] = [["", null], ["a", bytes("1")], ["ab", bytes("")], ["b", null], [
  "k",
  bytes("long enough for a block of its own"),
], ["\xff", bytes("2")]];

Deno.test("a cursor goes through its entries from either end", () => {
  for (const cursor of cursorsOver(ENTRIES)) {
    cursor.seekFirst();
    assertEquals(rest(cursor, "next"), text(ENTRIES));
    cursor.seekLast();
    assertEquals(rest(cursor, "previous"), text(ENTRIES).reverse());
  }
});

Deno.test("a cursor finds the neighbours of any key", () => {
  for (const cursor of cursorsOver(ENTRIES)) {
    for (const key of BOUND_KEYS) {
      cursor.seekAtOrAfter(key);
      assertEquals(rest(cursor, "next"), text(ENTRIES).filter(([name]) => name >= key), key);
      cursor.seekBefore(key);
      assertEquals(rest(cursor, "previous"), text(ENTRIES).filter(([name]) => name < key).reverse(), key);
    }
  }
});

Deno.test("a cursor over nothing stands on nothing", () => {
  const cursor = new MemtableCursor(new PureTree(SMALL).state.active);
  for (const seek of [() => cursor.seekFirst(), () => cursor.seekLast(), () => cursor.seekAtOrAfter("")]) {
    seek();
    assertEquals(cursor.valid, false);
  }
  cursor.seekBefore("z");
  assertEquals(cursor.valid, false);
});

Deno.test("a cursor that ran off an end can be sent back", () => {
  for (const cursor of cursorsOver(ENTRIES)) {
    cursor.seekAtOrAfter("\xff\xff");
    assertEquals(cursor.valid, false);
    cursor.seekBefore("");
    assertEquals(cursor.valid, false);
    cursor.seekFirst();
    assertEquals(at(cursor), ["", null]);
  }
});

Deno.test("a key longer than any before gets room", () => {
  const long = "b".repeat(70);
  const longer = "c".repeat(65_535);
  const entries: GivenEntry[] = [["a", bytes("1")], [long, bytes("2")], [longer, bytes("3")], ["d", null]];
  for (const cursor of cursorsOver(entries)) {
    cursor.seekFirst();
    assertEquals(rest(cursor, "next"), text(entries));
  }
});

Deno.test("a scan keeps its first blocks for others and reads on past the cache", () => {
  const source = new MemorySegments();
  const segment = source.add(
    1,
    Array.from({ length: 10 }, (_, i): GivenEntry => [`${i}`, bytes("x".repeat(20))]),
  );
  assertEquals(source.blocks(segment), 10);
  const cursor = new RunCursor({ level: 0, segments: [segment] }, source);
  source.asked.length = 0;
  cursor.seekFirst();
  rest(cursor, "next");
  const blocks = source.asked.filter((one) => one.part === "block");
  assertEquals(blocks.map((one) => one.block), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(blocks.map((one) => one.keep), [true, true, ...Array.from({ length: 8 }, () => false)]);
});

Deno.test("nothing is read before a cursor is sent somewhere, and only the segments it needs", () => {
  const source = new MemorySegments();
  const segments = [source.add(1, [["a", null]]), source.add(2, [["m", null]]), source.add(3, [["z", null]])];
  source.asked.length = 0;
  const cursor = new RunCursor({ level: 1, segments }, source);
  assertEquals(source.asked, []);
  cursor.seekAtOrAfter("b");
  assertEquals(at(cursor), ["m", null]);
  cursor.seekBefore("zz");
  assertEquals(new Set(source.asked.map((one) => one.id)), new Set([2, 3]));
});

Deno.test("any walk over any run, in any number of segments and blocks, is a walk over a sorted list", () => {
  type Move = { readonly go: "first" | "last" | "next" | "previous" } | {
    readonly go: "atOrAfter" | "before";
    readonly key: string;
  };
  const move: fc.Arbitrary<Move> = fc.oneof(
    fc.record({ go: fc.constantFrom("first" as const, "last" as const) }),
    { weight: 6, arbitrary: fc.record({ go: fc.constantFrom("next" as const, "previous" as const) }) },
    {
      weight: 3,
      arbitrary: fc.record({ go: fc.constantFrom("atOrAfter" as const, "before" as const), key: byteKey }),
    },
  );
  const entries = entriesOf(byteKey, fc.option(value, { nil: null }), { minLength: 1, maxLength: 14 });
  fc.assert(
    fc.property(
      entries,
      fc.integer({ min: 1, max: 5 }),
      fc.array(move, { maxLength: 30 }),
      (given, parts, moves) => {
        const { memtable, run } = sourcesOf(given, parts);
        const expected = text(given);
        for (const cursor of [memtable(), run()]) {
          let index = -1;
          for (const step of moves) {
            if (step.go === "first") cursor.seekFirst();
            else if (step.go === "last") cursor.seekLast();
            else if (step.go === "atOrAfter") cursor.seekAtOrAfter(step.key);
            else if (step.go === "before") cursor.seekBefore(step.key);
            else if (!cursor.valid) continue;
            else if (step.go === "next") cursor.next();
            else cursor.previous();
            index = indexAfter(step, index, expected);
            assertEquals(cursor.valid, index >= 0 && index < expected.length);
            if (cursor.valid) assertEquals(at(cursor), expected[index]);
          }
        }
      },
    ),
    effort(300),
  );
});

function indexAfter(
  step: { readonly go: string; readonly key?: string },
  index: number,
  entries: readonly TextEntry[],
): number {
  switch (step.go) {
    case "first":
      return 0;
    case "last":
      return entries.length - 1;
    case "next":
      return index + 1;
    case "previous":
      return index - 1;
    case "atOrAfter":
      return entries.filter(([key]) => key < step.key!).length;
    default:
      return entries.filter(([key]) => key < step.key!).length - 1;
  }
}

function bytes(given: string): Uint8Array {
  return new TextEncoder().encode(given);
}

function text(entries: readonly GivenEntry[]): TextEntry[] {
  return entries.map(([key, given]) => [key, given === null ? null : byteString(given)]);
}

/** Returns the entry that a cursor stands on. */
function at(cursor: Cursor): TextEntry {
  const key = keyFromBytes(cursor.key, 0, cursor.keyBytes);
  const given = keyFromBytes(cursor.value, cursor.valueStart, cursor.valueEnd);
  if (cursor.isTombstone) assertEquals(given, "");
  return [key, cursor.isTombstone ? null : given];
}

function rest(cursor: Cursor, move: "next" | "previous"): TextEntry[] {
  const entries: TextEntry[] = [];
  for (; cursor.valid; cursor[move]()) entries.push(at(cursor));
  return entries;
}

function cursorsOver(entries: readonly GivenEntry[]): Cursor[] {
  return [1, 2, 4].flatMap((parts) => {
    const { memtable, run } = sourcesOf(entries, parts);
    return [memtable(), run()];
  });
}

/** Makes a memtable and a run of up to `parts` segments of the same entries. */
function sourcesOf(entries: readonly GivenEntry[], parts: number): Sources {
  const tree = new PureTree({ ...SMALL, maxMemtableSize: 1_000_000 });
  const all: GivenOperation[] = entries.map(([key]) => ({ kind: "put", key, value: "old" }));
  tree.write(all);
  tree.seal();
  const given = entries.map(([key, one]): GivenOperation =>
    one === null ? { kind: "remove", key } : { kind: "put", key, value: one }
  );
  tree.write(given);
  const { active } = tree.state;
  assertEquals(active.map.size, entries.length);
  const source = new MemorySegments();
  const each = Math.ceil(entries.length / parts);
  const segments = Array.from(
    { length: Math.ceil(entries.length / each) },
    (_, i) => source.add(i + 1, entries.slice(i * each, (i + 1) * each), TINY_BLOCKS),
  );
  const run: Run = { level: 1, segments };
  assert(segments.length <= parts);
  return { memtable: () => new MemtableCursor(active), run: () => new RunCursor(run, source) };
}
