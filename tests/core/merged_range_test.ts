import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { prefixSuccessor } from "../../core/bytes.ts";
import { CorruptionError } from "../../core/errors.ts";
import type { Interval } from "../../core/interval.ts";
import { MergedRange } from "../../core/merged_range.ts";
import type { SegmentSource } from "../../core/cursor.ts";
import { BOUND_KEYS, byteKey } from "../support/arbitraries.ts";
import { actions, CoreSession, sessionKey } from "../support/core_session.ts";
import { backwards, forwards, inTurns, pairAt } from "../support/core_views.ts";
import { effort } from "../support/effort.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";
import type { Pair } from "../support/sorted_model.ts";
import { ALL } from "../support/sorted_model.ts";

const KEYS = Array.from({ length: 12 }, (_, i) => `k${i + 10}`);

Deno.test("the two ends meet, and then both are done", () => {
  const tree = spread();
  const range = new MergedRange(tree.state, ALL, tree.source);
  const taken: string[] = [];
  for (const end of ["next", "nextBack", "nextBack", "next"] as const) taken.push(pairAt(range[end]()!)[0]);
  assertEquals(taken, ["a", "f", "e", "b"]);
  assertEquals(pairAt(range.next()!)[0], "d");
  assertEquals([range.nextBack(), range.next(), range.nextBack()], [undefined, undefined, undefined]);
});

Deno.test("a bound is part of the range below and not above", () => {
  const tree = spread();
  const keys = (lower: string, upper: string | undefined): string =>
    forwards(tree.state, { lower, upper }, tree.source).map(([key]) => key).join("");
  assertEquals(
    [keys("b", "e"), keys("bb", "ee"), keys("", "a"), keys("f", undefined), keys("g", undefined)],
    ["bd", "de", "", "f", ""],
  );
  assertEquals([keys("d", "d"), keys("e", "b"), keys("c", "d"), keys("", "")], ["", "", "", ""]);
});

Deno.test("an entry that a newer tombstone or clear hides never comes", () => {
  const tree = spread();
  assertEquals(forwards(tree.state, ALL, tree.source).map(([key]) => key).join(""), "abdef");
  const { state } = tree;
  tree.write([{ kind: "clear" }, { kind: "put", key: "x", value: "9" }]);
  assertEquals(forwards(tree.state, ALL, tree.source), [["x", "9"]]);
  assertEquals(backwards(state, ALL, tree.source).map(([key]) => key).join(""), "fedba");
});

Deno.test("nothing is read before it is asked, nor behind a clear, nor of runs outside the bounds", () => {
  const tree = spread();
  const asked = (run: (range: MergedRange) => void, interval: Interval): Set<number> => {
    tree.source.asked.length = 0;
    run(new MergedRange(tree.state, interval, tree.source));
    return new Set(tree.source.asked.map(({ id }) => id));
  };
  assertEquals(asked(() => {}, ALL).size, 0);
  const within = asked((range) => range.next(), { lower: "x", upper: undefined });
  assertEquals(within.size, 0);
  assertEquals(asked((range) => range.next(), { lower: "", upper: "a" }).size, 0);
  assert(asked((range) => range.next(), ALL).size > 0);
  assertEquals(asked((range) => range.next(), { lower: "b", upper: "b" }).size, 0);
  tree.write([{ kind: "clear" }]);
  assertEquals(asked((range) => range.next(), ALL).size, 0);
});

Deno.test("what comes is a range's own: writes, flushes and merges after it was made do not touch it", () => {
  const tree = spread();
  const range = new MergedRange(tree.state, ALL, tree.source);
  const keys = [pairAt(range.next()!)[0]];
  tree.put(["aa", "new"], ["b", "new"]).remove("d").seal().settle();
  for (let at = range.next(); at !== undefined; at = range.next()) keys.push(pairAt(at)[0]);
  assertEquals(keys.join(""), "abdef");
});

Deno.test("a block that cannot be read is an error and not the end", () => {
  const tree = spread();
  const broken: SegmentSource = {
    index: (segment) => tree.source.index(segment),
    mayContain: () => true,
    block() {
      throw new CorruptionError("Cannot read block");
    },
  };
  const range = new MergedRange(tree.state, ALL, broken);
  assertThrows(() => range.next(), CorruptionError);
  assertThrows(() => new MergedRange(tree.state, ALL, broken).nextBack(), CorruptionError);
});

Deno.test("any interleaving of both ends, with anything happening in between, is a walk over a deque", () => {
  const bounds = fc.tuple(
    fc.oneof(fc.constant(""), sessionKey),
    fc.oneof(fc.constant(undefined), sessionKey),
  );
  let taken = 0;
  fc.assert(
    fc.property(
      actions(40),
      bounds,
      fc.array(fc.tuple(fc.boolean(), fc.nat(2)), { maxLength: 40, size: "max" }),
      actions(20, "reopen", "power cut"),
      (before, [lower, upper], moves, between) => {
        const session = new CoreSession(SMALL);
        for (const action of before) session.run(action);
        for (const key of KEYS) session.run({ do: "write", operations: [{ kind: "put", key, value: key }] });
        const { tree } = session;
        const deque = session.model.pairs({ lower, upper });
        const range = new MergedRange(tree.state, { lower, upper }, tree.source);
        const later = between.values();
        for (const [back, meanwhile] of moves) {
          for (let i = 0; i < meanwhile; i++) {
            const { value: action } = later.next();
            if (action !== undefined) session.run(action);
          }
          const cursor = back ? range.nextBack() : range.next();
          const expected = back ? deque.pop() : deque.shift();
          assertEquals(cursor === undefined ? undefined : pairAt(cursor), expected);
          if (expected !== undefined) taken += 1;
        }
      },
    ),
    effort(300),
  );
  assert(taken > 1_000, `${taken} entries`);
});

Deno.test("the range from a prefix to its successor has all keys that begin with it, and no others", () => {
  const prefixes = [...BOUND_KEYS, "\xff\xff\xff", "k", "k1"];
  const session = new CoreSession(SMALL);
  const value = Uint8Array.of(1);
  for (const key of [...prefixes, "k1\xff", "k2", "a\xff\xff", "\xff\xfe"]) {
    session.run({ do: "write", operations: [{ kind: "put", key, value }] });
  }
  session.settle();
  const { tree, model } = session;
  fc.assert(fc.property(fc.oneof(byteKey, fc.constantFrom(...prefixes)), (prefix) => {
    const interval = { lower: prefix, upper: prefixSuccessor(prefix) };
    const expected = model.pairs().filter(([key]) => key.startsWith(prefix));
    for (const read of [forwards, inTurns] as const) {
      assertEquals<Pair[]>(read(tree.state, interval, tree.source), expected);
    }
    assertEquals(backwards(tree.state, interval, tree.source), expected.reverse());
  }));
});

/** Five keys in a memtable, a sealed one and a segment, with a tombstone for "c" above them. */
function spread(): PureTree {
  const tree = new PureTree({ ...SMALL, maxMemtableSize: 1_000 });
  tree.put(["a", "1"], ["c", "1"], ["d", "old"], ["f", "1"]).seal().settle();
  tree.put(["b", "2"], ["d", "2"]).seal();
  tree.remove("c").put(["e", "3"]);
  return tree;
}
