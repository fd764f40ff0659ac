import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { hashKey } from "../../core/filter.ts";
import { lookup } from "../../core/lookup.ts";
import { valueOf } from "../support/core_views.ts";
import { MemorySegments } from "../support/memory_segments.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";
import { versionOf } from "../support/shapes.ts";

Deno.test("the newest version of a key is found, wherever it stands", () => {
  const tree = new PureTree({ ...SMALL, maxMemtableSize: 1_000 });
  const read = (key: string): string | undefined => valueOf(tree.state, key, tree.source);
  const seen: (string | undefined)[] = [];
  for (const value of ["1", "2", "3"]) {
    tree.put(["a", value], ["z", value]);
    seen.push(read("a"));
    tree.seal();
    seen.push(read("a"));
    tree.settle();
    seen.push(read("a"));
  }
  assertEquals(seen, ["1", "1", "1", "2", "2", "2", "3", "3", "3"]);
  assertEquals(tree.state.version.runs.length, 3);
  assertEquals([read("b"), read(""), read("zz")], [undefined, undefined, undefined]);
});

Deno.test("a tombstone hides what is older, from a memtable and from a segment", () => {
  const tree = new PureTree({ ...SMALL, maxMemtableSize: 1_000 }).put(["a", "1"], ["b", "1"]).seal().settle();
  const read = (): (string | undefined)[] => ["a", "b"].map((key) => valueOf(tree.state, key, tree.source));
  tree.remove("a");
  assertEquals(read(), [undefined, "1"]);
  tree.seal();
  assertEquals(read(), [undefined, "1"]);
  tree.settle();
  assertEquals(read(), [undefined, "1"]);
  assertEquals(tree.state.version.runs[0]!.segments[0]!.tombstones, 1);
});

Deno.test("a memtable that clears hides everything behind it", () => {
  const tree = new PureTree({ ...SMALL, maxMemtableSize: 1_000 }).put(["a", "1"]).seal().settle();
  tree.put(["b", "2"]).seal();
  tree.write([{ kind: "clear" }, { kind: "put", key: "c", value: "3" }]);
  const read = (): (string | undefined)[] =>
    ["a", "b", "c"].map((key) => valueOf(tree.state, key, tree.source));
  assertEquals(read(), [undefined, undefined, "3"]);
  tree.seal();
  tree.put(["d", "4"]);
  assertEquals(read(), [undefined, undefined, "3"]);
});

Deno.test("a value is not copied, and an empty one is not absent", () => {
  const tree = new PureTree(SMALL).put(["a", ""], ["b", "value"]);
  const [empty, found] = ["a", "b"].map((key) => lookup(tree.state, key, tree.source)!);
  assertEquals(empty!.end - empty!.start, 0);
  assertStrictEquals(found!.bytes, tree.state.active.arena.valueAt(0).bytes);
});

Deno.test("one segment of each run is asked at most, its filter before a block, and none that cannot have the key", () => {
  const source = new MemorySegments();
  const fresh = source.add(9, [["a", null], ["c", null]]);
  const low = source.add(1, [["a", Uint8Array.of(1)], ["d", Uint8Array.of(1)]]);
  const high = source.add(2, [["m", Uint8Array.of(2)], ["z", Uint8Array.of(2)]]);
  const view = {
    ...new PureTree(SMALL).state,
    version: {
      ...versionOf(""),
      runs: [{ level: 0, segments: [fresh] }, { level: 1, segments: [low, high] }],
    },
  };
  const asked = (key: string): string[] => {
    source.asked.length = 0;
    valueOf(view, key, source);
    return source.asked.map(({ part, id }) => `${part} ${id}`);
  };
  assertEquals(asked("m"), ["filter 2", "index 2", "block 2"]);
  assertEquals(asked("c"), ["filter 9", "index 9", "block 9"]);
  assertEquals(asked("f"), []);
  assertEquals(asked("zz"), []);
  assertEquals(asked("d"), ["filter 1", "index 1", "block 1"]);
  // Both filters say no to a key that neither has.
  const absent = ["b1", "b2", "b3", "b4"].find((key) => asked(key).length === 2)!;
  assertEquals(asked(absent), ["filter 9", "filter 1"]);
  assert(source.asked.every(({ keep }) => !keep));
});

Deno.test("a filter that says maybe for an absent key costs a block and finds nothing", () => {
  const source = new MemorySegments();
  const segment = source.add(1, [["a", Uint8Array.of(1)], ["c", Uint8Array.of(3)]], {
    blockSize: 4096,
    filterBitsPerKey: 0,
    hashSeed: 0,
    codec: { name: "none", id: 0, compress: () => undefined, decompress: (bytes) => new Uint8Array(bytes) },
  });
  const view = {
    ...new PureTree(SMALL).state,
    version: { ...versionOf(""), runs: [{ level: 0, segments: [segment] }] },
  };
  assertEquals(valueOf(view, "b", source), undefined);
  assertEquals(source.asked.at(-1), { part: "block", id: 1, block: 0, keep: true });
  assert(source.mayContain(segment, hashKey("b", 0)));
});
