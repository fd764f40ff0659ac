import { assert, assertEquals, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "@std/assert";
import { assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  emptySortedMap,
  mapDelete,
  mapFirst,
  mapGet,
  mapLast,
  mapPut,
  newOwner,
} from "../../core/sorted_map.ts";
import { MapCursor } from "../../core/map_cursor.ts";
import type { Owner, SortedMap, SortedMapNode } from "../../core/sorted_map.ts";

type Model<V> = readonly (readonly [key: string, value: V])[];

Deno.test("a map hands out its entries in bytewise order", () => {
  const map = mapOf([["b", 2], ["\xff", 4], ["", 0], ["a", 1], ["b\x00", 3]]);
  assertEquals(entriesOf(map), [["", 0], ["a", 1], ["b", 2], ["b\x00", 3], ["\xff", 4]]);
  assertEquals(mapFirst(map), ["", 0]);
  assertEquals(mapLast(map), ["\xff", 4]);
  assertEquals(map.size, 5);
});

Deno.test("get answers undefined for a key that is absent", () => {
  const map = mapOf([["a", 1], ["c", 3]]);
  assertEquals(mapGet(map, "a"), 1);
  assertEquals(mapGet(map, "b"), undefined);
  assertEquals(mapGet(map, "d"), undefined);
  assertEquals(mapGet(emptySortedMap(), ""), undefined);
});

Deno.test("a put on a key that is there replaces its value and keeps the size", () => {
  const map = mapPut(mapOf([["a", 1]]), "a", 2);
  assertEquals(entriesOf(map), [["a", 2]]);
  assertEquals(map.size, 1);
});

Deno.test("puts and deletes leave older maps as they were", () => {
  const older = mapOf([["a", 1], ["b", 2]]);
  const newer = mapDelete(mapPut(mapPut(older, "c", 3), "a", 9), "b");
  assertEquals(entriesOf(older), [["a", 1], ["b", 2]]);
  assertEquals(entriesOf(newer), [["a", 9], ["c", 3]]);
});

Deno.test("deleting an absent key returns the same map", () => {
  const map = mapOf([["a", 1]]);
  assertStrictEquals(mapDelete(map, "b"), map);
  assertStrictEquals(mapDelete(map, "b", newOwner()), map);
});

Deno.test("a map that lost its last entry is empty and can be used again", () => {
  const map = mapDelete(mapOf([["a", 1]]), "a");
  assertEquals([map.size, mapFirst(map), mapLast(map), entriesOf(map)], [0, undefined, undefined, []]);
  assertEquals(entriesOf(mapPut(map, "b", 2)), [["b", 2]]);
});

Deno.test("undefined is refused as a value, null is not", () => {
  assertThrows(() => mapPut<number | undefined>(emptySortedMap(), "a", undefined), TypeError);
  assertEquals(mapGet(mapPut<number | null>(emptySortedMap(), "a", null), "a"), null);
});

Deno.test("a batch under one token copies a node once, and leaves the map before it alone", () => {
  const before = frozen(mapOf([["a", 1]]));
  const owner = newOwner();
  const first = mapPut(before, "b", 2, owner);
  const second = mapDelete(mapPut(mapPut(first, "c", 3, owner), "b", 4, owner), "a", owner);
  assert(first.root !== before.root);
  assertStrictEquals(second.root, first.root);
  assertEquals(entriesOf(second), [["b", 4], ["c", 3]]);
  assertEquals(entriesOf(before), [["a", 1]]);
});

Deno.test("under a token an overwrite is followed by an insert without touching the keys of the map before", () => {
  const before = frozen(mapOf([["a", 1], ["c", 3]]));
  const owner = newOwner();
  const after = mapPut(mapPut(before, "a", 2, owner), "b", 4, owner);
  assertEquals(entriesOf(after), [["a", 2], ["b", 4], ["c", 3]]);
  assertEquals(entriesOf(before), [["a", 1], ["c", 3]]);
});

Deno.test("a cursor seeks to both sides of a key, moves both ways and is not valid past the ends", () => {
  const cursor = new MapCursor(mapOf([["b", 2], ["d", 4], ["f", 6]]));
  assertEquals(at(cursor), undefined);
  cursor.seekAtOrAfter("c");
  assertEquals(at(cursor), ["d", 4]);
  cursor.next();
  assertEquals(at(cursor), ["f", 6]);
  cursor.next();
  assertEquals(at(cursor), undefined);
  cursor.previous();
  assertEquals(at(cursor), undefined);
  cursor.seekBefore("d");
  assertEquals(at(cursor), ["b", 2]);
  cursor.previous();
  assertEquals(at(cursor), undefined);
  cursor.seekLast();
  assertEquals(at(cursor), ["f", 6]);
});

Deno.test("a cursor goes on over its map while newer maps are made", () => {
  let map = mapOf(numbered(500));
  const cursor = new MapCursor(map);
  const seen: string[] = [];
  for (cursor.seekFirst(); cursor.valid; cursor.next()) {
    seen.push(cursor.key);
    map = mapPut(mapDelete(map, cursor.key), `${cursor.key}+`, 0);
  }
  assertEquals(seen, numbered(500).map(([key]) => key));
  assertEquals(map.size, 500);
});

Deno.test("ascending keys fill the nodes, random keys two thirds of them", () => {
  assertEquals(nodesOf(mapOf(numbered(6_400))).leaves, 100);
  const leaves = nodesOf(mapOf(shuffled(numbered(6_400)))).leaves;
  assertGreaterOrEqual(leaves, 120);
  assertLessOrEqual(leaves, 180);
});

Deno.test("a queue stays as small as what is in it, and its tree as low", () => {
  const keys = numbered(20_000);
  let map = emptySortedMap<number>(8);
  keys.forEach(([key, value], i) => {
    map = mapPut(map, key, value);
    if (i >= 100) map = mapDelete(map, mapFirst(map)![0]);
    if (i % 1_000 !== 999) return;
    const { nodes, height } = nodesOf(map);
    assertLessOrEqual(nodes, 25);
    assertLessOrEqual(height, 7);
  });
  assertEquals(entriesOf(map), keys.slice(-100));
});

Deno.test("nodes have one shape and arrays without holes", () => {
  const map = mapOf(shuffled(numbered(1_000)), 4);
  const shapes = new Set<string>();
  visit(map.root, (node) => {
    shapes.add(Object.keys(node).join());
    for (const items of [node.keys, node.values, node.children ?? []]) {
      assertEquals(Object.keys(items).length, items.length);
    }
  });
  assertEquals([...shapes], ["owner,keys,values,children"]);
});

const key: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom("\x00", "a", "b", "\xff"),
  maxLength: 4,
});
const keysMax: fc.Arbitrary<number> = fc.integer({ min: 2, max: 5 });
const keys = fc.array(key, { maxLength: 80, size: "max" });
const operation = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("put" as const), key }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete first" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete last" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("begin batch" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("end batch" as const) }) },
);
const operations = fc.array(operation, { maxLength: 300, size: "max" });

Deno.test("any puts and deletes, batched or not, agree with a sorted array, and kept maps never change", () => {
  let heightMost = 0;
  fc.assert(fc.property(keysMax, operations, (max, list) => {
    const kept: (readonly [SortedMap<number>, Model<number>])[] = [];
    let map = emptySortedMap<number>(max);
    let model: Model<number> = [];
    let owner: Owner | undefined;
    list.forEach((one, step) => {
      switch (one.do) {
        case "put":
          map = mapPut(map, one.key, step, owner);
          model = modelPut(model, one.key, step);
          break;
        case "begin batch":
        case "end batch": // either way no token is in use, so the map may be kept; frozen, an edit in place throws
          kept.push([frozen(map), model]);
          owner = one.do === "begin batch" ? newOwner() : undefined;
          break;
        default: {
          const gone = one.do === "delete"
            ? one.key
            : (one.do === "delete first" ? model[0] : model.at(-1))?.[0] ?? "";
          map = mapDelete(map, gone, owner);
          model = model.filter(([known]) => known !== gone);
        }
      }
      assertSound(map);
      assertEquals([map.size, mapFirst(map), mapLast(map)], [model.length, model[0], model.at(-1)]);
    });
    kept.push([map, model]);
    for (const [keptMap, keptModel] of kept) {
      assertSound(keptMap);
      assertEquals(entriesOf(keptMap), keptModel);
    }
    heightMost = Math.max(heightMost, nodesOf(map).height);
  }));
  assertGreaterOrEqual(heightMost, 4, "the trees were too low to try much");
});

Deno.test("get finds exactly what a sorted array finds", () => {
  fc.assert(fc.property(keysMax, keys, fc.array(key), (max, added, lookups) => {
    const map = mapOf(added.map((known, i) => [known, i]), max);
    for (const lookup of [...added, ...lookups]) {
      const last = added.lastIndexOf(lookup);
      assertEquals(mapGet(map, lookup), last < 0 ? undefined : last);
    }
  }));
});

const move = fc.oneof(
  fc.record({ to: fc.constantFrom("seekFirst" as const, "seekLast" as const) }),
  { weight: 4, arbitrary: fc.record({ to: fc.constantFrom("next" as const, "previous" as const) }) },
  fc.record({ to: fc.constantFrom("seekAtOrAfter" as const, "seekBefore" as const), key }),
);

Deno.test("any moves of a cursor agree with an index into a sorted array", () => {
  fc.assert(fc.property(
    keysMax,
    keys,
    keys,
    fc.array(move, { maxLength: 60, size: "max" }),
    (max, added, removed, moves) => {
      const all = mapOf(added.map((known, i) => [known, i]), max);
      const map = removed.reduce((rest, gone) => mapDelete(rest, gone), all);
      const model = modelOf(added.filter((known) => !removed.includes(known)));
      const cursor = new MapCursor(map);
      let index = -1;
      for (const one of moves) {
        if ("key" in one) cursor[one.to](one.key);
        else cursor[one.to]();
        index = moved(model, index, one.to, "key" in one ? one.key : "");
        assertEquals(at(cursor)?.[0], model[index]);
        if (cursor.valid) assertEquals(cursor.value, added.lastIndexOf(cursor.key));
        else assertEquals([cursor.key, cursor.value], ["", undefined]);
      }
    },
  ));
});

/** Where the move leads in a sorted array; -1 is not valid. */
function moved(keys: readonly string[], index: number, to: string, target: string): number {
  switch (to) {
    case "seekFirst":
      return keys.length === 0 ? -1 : 0;
    case "seekLast":
      return keys.length - 1;
    case "seekAtOrAfter":
      return keys.findIndex((known) => known >= target);
    case "seekBefore":
      return keys.findLastIndex((known) => known < target);
    case "next":
      return index < 0 || index + 1 === keys.length ? -1 : index + 1;
    default:
      return index < 0 ? -1 : index - 1;
  }
}

function modelOf(keys: readonly string[]): string[] {
  return [...new Set(keys)].sort(byBytes);
}

function modelPut<V>(model: Model<V>, key: string, value: V): Model<V> {
  return [...model.filter(([known]) => known !== key), [key, value] as const]
    .sort(([a], [b]) => byBytes(a, b));
}

function byBytes(a: string, b: string): number {
  const left = Uint8Array.from(a, (char) => char.charCodeAt(0));
  const right = Uint8Array.from(b, (char) => char.charCodeAt(0));
  const differs = left.findIndex((byte, i) => byte !== right[i]);
  return differs < 0 || differs >= right.length
    ? left.length - right.length
    : left[differs]! - right[differs]!;
}

function mapOf<V>(entries: readonly (readonly [string, V])[], keysMax?: number): SortedMap<V> {
  return entries.reduce((map, [key, value]) => mapPut(map, key, value), emptySortedMap<V>(keysMax));
}

function entriesOf<V>(map: SortedMap<V>): [string, V][] {
  const forwards: [string, V][] = [];
  const backwards: [string, V][] = [];
  const cursor = new MapCursor(map);
  for (cursor.seekFirst(); cursor.valid; cursor.next()) forwards.push([cursor.key, cursor.value]);
  for (cursor.seekLast(); cursor.valid; cursor.previous()) backwards.push([cursor.key, cursor.value]);
  assertEquals(backwards.reverse(), forwards);
  return forwards;
}

function at<V>(cursor: MapCursor<V>): [string, V] | undefined {
  return cursor.valid ? [cursor.key, cursor.value] : undefined;
}

function numbered(count: number): [string, number][] {
  return Array.from({ length: count }, (_, i) => [String(i).padStart(6, "0"), i]);
}

/** The same order every time, but none that a split could profit from. */
function shuffled<T>(items: readonly T[]): T[] {
  return items.map((_, i) => items[(i * 7_919) % items.length]!);
}

function frozen<V>(map: SortedMap<V>): SortedMap<V> {
  visit(map.root, (node) => {
    for (const part of [node, node.keys, node.values, node.children]) Object.freeze(part);
  });
  return Object.freeze(map);
}

function visit<V>(
  node: SortedMapNode<V>,
  see: (node: SortedMapNode<V>, depth: number) => void,
  depth = 1,
): void {
  see(node, depth);
  for (const child of node.children ?? []) visit(child, see, depth + 1);
}

function nodesOf<V>(map: SortedMap<V>): { nodes: number; leaves: number; height: number } {
  const count = { nodes: 0, leaves: 0, height: 0 };
  visit(map.root, (node, depth) => {
    count.nodes++;
    if (node.children === undefined) count.leaves++;
    count.height = Math.max(count.height, depth);
  });
  return count;
}

/** The invariants that the header of `sorted_map.ts` lists. */
function assertSound<V>(map: SortedMap<V>): void {
  const { height } = nodesOf(map);
  let entries = 0;
  check(map.root, 1, undefined, undefined);
  assertEquals(entries, map.size);

  function check(
    node: SortedMapNode<V>,
    depth: number,
    from: string | undefined,
    to: string | undefined,
  ): void {
    const { keys, values, children } = node;
    assertLessOrEqual(keys.length, map.keysMax);
    keys.forEach((key, i) => {
      if (i > 0) assertLess(keys[i - 1]!, key);
      assert(from === undefined || from <= key, "a key is below its separator");
      assert(to === undefined || key < to, "a key is not below its separator");
    });
    if (children === undefined) {
      assertEquals(depth, height, "leaves differ in depth");
      assertEquals(values.length, keys.length);
      assert(keys.length > 0 || map.size === 0, "a leaf is empty");
      entries += keys.length;
      return;
    }
    assertEquals([values.length, children.length], [0, keys.length + 1]);
    assert(depth > 1 || children.length > 1, "the root has one child");
    children.forEach((child, i) => check(child, depth + 1, keys[i - 1] ?? from, keys[i] ?? to));
  }
}
