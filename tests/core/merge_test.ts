import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { keyFromBytes } from "../../core/bytes.ts";
import { RunCursor } from "../../core/cursor.ts";
import { Merge } from "../../core/merge.ts";
import type { GivenEntry } from "../support/arbitraries.ts";
import { byteKey, entriesOf } from "../support/arbitraries.ts";
import type { TextEntry } from "../support/memory_segments.ts";
import { MemorySegments } from "../support/memory_segments.ts";
import { byteString } from "../support/sorted_model.ts";

const A = Uint8Array.of(0x41);
const B = Uint8Array.of(0x42);
const C = Uint8Array.of(0x43);

Deno.test("of several versions of a key the newest source's comes, tombstones as well", () => {
  const sources: GivenEntry[][] = [[["b", A], ["c", null]], [["a", B], ["b", B]], [["b", C], ["c", C], [
    "d",
    C,
  ]]];
  const expected: TextEntry[] = [["a", "B"], ["b", "A"], ["c", null], ["d", "C"]];
  assertEquals(merged(sources, "forward"), expected);
  assertEquals(merged(sources, "backward"), expected.reverse());
});

Deno.test("a merge begins at or after a key, or before it", () => {
  const sources: GivenEntry[][] = [[["b", A], ["d", A]], [["a", B], ["c", B]]];
  assertEquals(merged(sources, "forward", "b"), [["b", "A"], ["c", "B"], ["d", "A"]]);
  assertEquals(merged(sources, "forward", "bb"), [["c", "B"], ["d", "A"]]);
  assertEquals(merged(sources, "backward", "c"), [["b", "A"], ["a", "B"]]);
  assertEquals(merged(sources, "backward", "cc"), [["c", "B"], ["b", "A"], ["a", "B"]]);
  assertEquals([merged(sources, "forward", "x"), merged(sources, "backward", "")], [[], []]);
});

Deno.test("a merge of nothing is empty, and so is one that was not sent anywhere", () => {
  assertEquals([merged([], "forward"), merged([], "backward")], [[], []]);
  assertEquals(new Merge(cursorsOver([[["a", A]]]), "forward").current, undefined);
});

Deno.test("a merge can be sent back", () => {
  const merge = new Merge(cursorsOver([[["a", A], ["b", A]], [["a", B]]]), "forward");
  for (const from of [undefined, "a", undefined]) {
    merge.seek(from);
    assertEquals(rest(merge), [["a", "A"], ["b", "A"]]);
  }
});

Deno.test("any sources merge to the map that the older ones, then the newer ones, are put into", () => {
  const value = fc.option(fc.uint8Array({ maxLength: 3 }), { nil: null });
  const sources = fc.array(entriesOf(byteKey, value, { minLength: 1, maxLength: 10 }), { maxLength: 5 });
  fc.assert(fc.property(sources, fc.option(byteKey, { nil: undefined }), (given, from) => {
    const map = new Map<string, string | null>();
    for (const entries of [...given].reverse()) {
      for (const [key, one] of entries) map.set(key, one === null ? null : byteString(one));
    }
    const sorted = [...map].sort(([a], [b]) => a < b ? -1 : 1);
    assertEquals(merged(given, "forward", from), sorted.filter(([key]) => from === undefined || key >= from));
    const before = sorted.filter(([key]) => from === undefined || key < from);
    assertEquals(merged(given, "backward", from), before.reverse());
  }));
});

function merged(
  sources: readonly (readonly GivenEntry[])[],
  direction: "forward" | "backward",
  from?: string,
): TextEntry[] {
  const merge = new Merge(cursorsOver(sources), direction);
  merge.seek(from);
  return rest(merge);
}

function rest(merge: Merge): TextEntry[] {
  const entries: TextEntry[] = [];
  for (; merge.current !== undefined; merge.advance()) {
    const { key, keyBytes, isTombstone, value, valueStart, valueEnd } = merge.current;
    entries.push([
      keyFromBytes(key, 0, keyBytes),
      isTombstone ? null : keyFromBytes(value, valueStart, valueEnd),
    ]);
  }
  return entries;
}

function cursorsOver(sources: readonly (readonly GivenEntry[])[]): RunCursor[] {
  const segments = new MemorySegments();
  return sources.map((entries, i) =>
    new RunCursor({ level: 0, segments: [segments.add(i + 1, entries)] }, segments)
  );
}
