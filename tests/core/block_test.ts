import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Block, BlockBuilder } from "../../core/block.ts";
import { keyFromBytes, keyToBytes } from "../../core/bytes.ts";
import { PUT, TOMBSTONE } from "../../core/entry_kind.ts";
import { CorruptionError, UnsupportedFormatError } from "../../core/errors.ts";
import { hashKey, tagOf } from "../../core/filter.ts";
import { writeU32 } from "../../core/little_endian.ts";
import type { GivenEntry } from "../support/arbitraries.ts";
import { byteKey, entriesOf, longKey, value } from "../support/arbitraries.ts";
import { cutOff, everyChange, extended, sameBytes, valueUnlessDamaged } from "../support/damage.ts";
import { effort } from "../support/effort.ts";

const KEYS_ALIKE = 1;
const VALUES_ALIKE = 2;
const ALL_PUTS = 4;
const TAGGED = 8;
const WIDE = 16;

Deno.test("two puts take the bytes that the header of the format shows", () => {
  const bytes = built([["user1", bytesOf("a")], ["user2", bytesOf("b")]], true);
  const [t1, t2] = [tag("user1"), tag("user2")];
  const columns = [2, 0, 0, 0, 0x0f, 4, 0, 1, 0, 1, 0, 0, 0, t1, t2];
  assertEquals(bytes, Uint8Array.of(...columns, ...bytesOf("user12ab")));
});

Deno.test("a block gives its entries back by index", () => {
  const block = new Block(built([["", null], ["a", bytesOf("one")], ["ab", bytesOf("")]], true));
  assertEquals(entriesIn(block), [["", null], ["a", bytesOf("one")], ["ab", bytesOf("")]]);
  assertEquals([block.count, block.isTombstone(0), block.isTombstone(1)], [3, true, false]);
});

Deno.test("any entries come back, are found where a plain array has them, and encode to the same bytes again", () => {
  const flags = new Set<number>();
  const entries = fc.oneof(
    entriesOf(byteKey, fc.option(value, { nil: null }), { maxLength: 12 }),
    entriesOf(byteKey, value, { maxLength: 12 }),
    entriesOf(longKey, fc.constant(Uint8Array.of(1, 2)), { maxLength: 12 }),
    entriesOf(longKey.map((key) => `common prefix ${key}`), value, { maxLength: 12 }),
    entriesOf(fc.nat(30).map((n) => `key ${n + 10}`), fc.option(value, { nil: null }), { maxLength: 12 }),
  );
  const asked = fc.array(
    fc.oneof(byteKey, longKey, fc.constantFrom("common", "common prefix ", "key 2", "key 22")),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(entries, fc.boolean(), asked, (given, tagged, others) => {
      const bytes = built(given, tagged);
      flags.add(bytes[4]!);
      agrees(new Block(bytes), given, others);
      assert(sameBytes(built(entriesIn(new Block(bytes)), tagged), bytes));
    }),
    effort(500),
  );
  assert(flags.size >= 12, `only ${flags.size} combinations of flags`);
});

Deno.test("every combination of flags that can be occurs, and a block of each agrees with a plain array", () => {
  const flags = new Set<number>();
  const small = bytesOf("small");
  const large = new Uint8Array(70_000).fill(3);
  for (const tagged of [false, true]) {
    for (const first of [PUT, TOMBSTONE]) {
      for (
        const keys of [["aa", "ab", "ac"], ["", "a", "ab"], [
          "a",
          `b${"x".repeat(40_000)}`,
          `b${"y".repeat(40_000)}`,
        ]]
      ) {
        for (const values of [[small, small], [small, new Uint8Array(1)], [large, large], [large, small]]) {
          const given: GivenEntry[] = [
            [keys[0]!, first === PUT ? values[0]! : null],
            [keys[1]!, values[0]!],
            [keys[2]!, values[1]!],
          ];
          const bytes = built(given, tagged);
          flags.add(bytes[4]!);
          agrees(new Block(bytes), given, ["", "aa\0", "b", `b${"x".repeat(39_999)}`]);
        }
      }
      // Tombstones have no value, so that their values are only alike where all are empty.
      for (const keys of [["a", "b"], ["", "b"], ["x".repeat(65_500), "y".repeat(99)]]) {
        const given: GivenEntry[] = [[keys[0]!, first === PUT ? new Uint8Array(0) : null], [
          keys[1]!,
          new Uint8Array(0),
        ]];
        const bytes = built(given, tagged);
        flags.add(bytes[4]!);
        agrees(new Block(bytes), given, []);
      }
    }
  }
  const all = Array.from({ length: 32 }, (_, flags) => flags);
  const possible = all.filter((one) =>
    (one & WIDE) === 0 || (one & (KEYS_ALIKE | VALUES_ALIKE)) !== (KEYS_ALIKE | VALUES_ALIKE)
  );
  assertEquals([...flags].sort((a, b) => a - b), possible);
  assertEquals(possible.length, 28);
});

Deno.test("a flag is set exactly when it can be", () => {
  const flagsOf = (entries: GivenEntry[], tagged = false): number => built(entries, tagged)[4]!;
  assertEquals(flagsOf([]), KEYS_ALIKE | VALUES_ALIKE | ALL_PUTS);
  assertEquals(flagsOf([["a", bytesOf("1")]], true), KEYS_ALIKE | VALUES_ALIKE | ALL_PUTS | TAGGED);
  assertEquals(flagsOf([["a", new Uint8Array(1 << 20)]]), KEYS_ALIKE | VALUES_ALIKE | ALL_PUTS);
  assertEquals(flagsOf([["a", bytesOf("1")], ["bc", bytesOf("22")]]), ALL_PUTS);
  assertEquals(flagsOf([["a", null], ["b", null]]), KEYS_ALIKE | VALUES_ALIKE);
  assertEquals(flagsOf([["a", new Uint8Array(65_535)], ["b", new Uint8Array(0)]]), KEYS_ALIKE | ALL_PUTS);
  assertEquals(
    flagsOf([["a", new Uint8Array(65_535)], ["b", new Uint8Array(1)]]),
    KEYS_ALIKE | ALL_PUTS | WIDE,
  );
  const keys = (last: number): GivenEntry[] => [["a", null], ["b", null], ["c".repeat(last), null]];
  assertEquals([flagsOf(keys(65_533)), flagsOf(keys(65_534))], [VALUES_ALIKE, VALUES_ALIKE | WIDE]);
});

Deno.test("one huge value makes a block of its own size and a few bytes", () => {
  const huge = Uint8Array.from({ length: 3_000_000 }, (_, i) => i >> 8);
  const bytes = built([["key", huge]], true);
  assertEquals(bytes.length, 3_000_000 + 7 + 2 + 4 + 1 + 3);
  const block = new Block(bytes);
  assert(sameBytes(bytes.subarray(block.valueStart(0), block.valueEnd(0)), huge));
  assertEquals([block.key(0), block.find("key", tag("key"))], ["key", 0]);
});

Deno.test("a block without entries finds nothing", () => {
  for (const tagged of [false, true]) {
    const block = new Block(built([], tagged));
    assertEquals([block.count, block.seek(""), block.seek("a"), block.find("", 0)], [0, 0, 0, -1]);
    assertEquals(block.checkOrder(), undefined);
  }
});

Deno.test("an entry is found by its key among others with the same tag, and only under its tag", () => {
  const entries = ["a", "ab", "abc", "b"].map((key): GivenEntry => [key, bytesOf(key)]);
  const block = new Block(built(entries, true, () => 7));
  assertEquals(["a", "ab", "abc", "b", "", "abcd", "c"].map((key) => block.find(key, 7)), [
    0,
    1,
    2,
    3,
    -1,
    -1,
    -1,
  ]);
  assertEquals(block.find("ab", 8), -1);
});

Deno.test("a builder begins anew after each block, and says what it has so far", () => {
  const builder = new BlockBuilder(true);
  const blocks = [0, 1].map(() => {
    assertEquals([builder.count, builder.bytes], [0, 0]);
    builder.add(PUT, bytesOf("key 1, and more"), 5, 1, bytesOf("..value"), 2, 7);
    assertEquals([builder.count, builder.bytes, builder.lastKey()], [1, 11, "key 1"]);
    builder.add(TOMBSTONE, bytesOf("key 2"), 5, 2, new Uint8Array(0), 0, 0);
    assertEquals([builder.count, builder.bytes, builder.lastKey()], [2, 17, "key 2"]);
    return builder.finish(3);
  });
  assertEquals(blocks[0], blocks[1]);
  assertEquals(blocks[0]!.slice(0, 3), new Uint8Array(3));
  assertEquals(entriesIn(new Block(blocks[0]!.slice(3))), [["key 1", bytesOf("value")], ["key 2", null]]);
});

Deno.test("keys that are out of order, or equal, are told by their places", () => {
  const bytes = built([["a", null], ["b", null], ["c", null]], true);
  assertEquals(new Block(bytes).checkOrder(), undefined);
  for (const last of ["a", "b"]) {
    bytes.set(bytesOf(last), bytes.length - 1);
    assertEquals(new Block(bytes).checkOrder(), "the keys of entries 1 and 2 are not in order");
  }
});

Deno.test("a block that is cut off or extended is corrupt", () => {
  for (const given of samples()) {
    const bytes = built(given, true);
    for (const damaged of [...cutOff(bytes), ...extended(bytes)]) {
      assertInstanceOf(assertThrows(() => new Block(damaged)), CorruptionError);
    }
  }
});

Deno.test("a changed block is corrupt, unsupported or another block within its bytes", () => {
  const seen = { refused: 0, another: 0 };
  for (const given of samples()) {
    for (const { bytes } of everyChange(built(given, true))) {
      const block = valueUnlessDamaged(() => new Block(bytes));
      if (block === undefined) seen.refused += 1;
      else {
        seen.another += 1;
        staysWithin(block);
      }
    }
  }
  assert(seen.refused > 1_000 && seen.another > 1_000, JSON.stringify(seen));
});

Deno.test("any bytes are a block, corrupt or unsupported", () => {
  const few = fc.uint8Array({ max: 3, maxLength: 40 });
  fc.assert(
    fc.property(fc.oneof(few, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      const block = valueUnlessDamaged(() => new Block(bytes));
      if (block !== undefined) staysWithin(block);
    }),
    effort(1_000),
  );
});

Deno.test("a count is believed only as far as that many different keys can be there", () => {
  for (const tagged of [false, true]) {
    for (const count of [2, 1_000, 0xffff_ffff]) {
      const bytes = built([["", new Uint8Array(0)]], tagged);
      writeU32(bytes, 0, count);
      assertThrows(() => new Block(bytes), CorruptionError);
    }
  }
});

Deno.test("an entry of an unknown kind is unsupported", () => {
  for (const kind of [0, 3, 7, 255]) {
    const bytes = built([["a", null]], false);
    assertEquals(bytes[13], TOMBSTONE);
    bytes[13] = kind;
    assertThrows(
      () => new Block(bytes),
      UnsupportedFormatError,
      `Cannot read a block: it has an entry of kind ${kind}`,
    );
  }
});

Deno.test("flags that are not known, and lengths that go back, are corrupt", () => {
  const bytes = built([["a", bytesOf("1")], ["bc", bytesOf("22")]], false);
  const changed = (at: number, to: number): Uint8Array => bytes.map((byte, i) => i === at ? to : byte);
  assertThrows(() => new Block(changed(4, 32 | ALL_PUTS)), CorruptionError, "it has unknown flags");
  assertThrows(() => new Block(changed(7, 9)), CorruptionError, "a length is negative");
  assertThrows(() => new Block(changed(0, 200)), CorruptionError, "its columns are cut off");
  assertThrows(() => new Block(changed(9, 2)), CorruptionError, "its lengths do not fit its bytes");
  assertThrows(() => new Block(new Uint8Array(6)), CorruptionError, "it is too short");
});

/** Compares all that a block answers with what a sorted array of its entries answers. */
function agrees(block: Block, given: readonly GivenEntry[], others: readonly string[]): void {
  assertEquals(block.count, given.length);
  const into = new Uint8Array(70_002);
  for (const [i, [key, value]] of given.entries()) {
    assert(block.key(i) === key);
    assertEquals([block.copyKey(i, into), block.isTombstone(i)], [key.length, value === null]);
    assert(keyFromBytes(into, 0, key.length) === key);
    assert(
      sameBytes(block.bytes.subarray(block.valueStart(i), block.valueEnd(i)), value ?? new Uint8Array(0)),
    );
  }
  const near = given.flatMap(([key]) => [key, `${key}\0`, key.slice(0, -1)]);
  for (const key of [...near, ...others]) {
    const atOrAfter = given.findIndex(([other]) => other >= key);
    assertEquals(block.seek(key), atOrAfter < 0 ? given.length : atOrAfter);
    assertEquals(block.find(key, tag(key)), given.findIndex(([other]) => other === key));
  }
  assertEquals(block.checkOrder(), undefined);
  staysWithin(block);
}

/** Fails if a place that a block names is outside of its bytes, or before the one that it should be behind. */
function staysWithin(block: Block): void {
  assert(block.count <= block.bytes.length);
  let key = block.prefixStart + block.prefixBytes;
  let value = -1;
  for (let i = 0; i < block.count; i++) {
    assert(block.keyStart(i) === key && block.keyEnd(i) >= key);
    key = block.keyEnd(i);
    assert(value < 0 || block.valueStart(i) === value);
    value = block.valueEnd(i);
    assert(block.valueStart(i) <= value);
    assert(
      block.isTombstone(i) || block.key(i).length === block.prefixBytes + block.keyEnd(i) - block.keyStart(i),
    );
  }
  if (block.count === 0) return;
  assertEquals([block.valueStart(0), value], [key, block.bytes.length]);
  assert(block.seek("") === 0 && block.find("no such key", 0) < block.count);
}

/** Small blocks of different flags. */
function samples(): readonly (readonly GivenEntry[])[] {
  return [
    [["user1", bytesOf("a")], ["user2", bytesOf("b")]],
    [["", null], ["a", bytesOf("one")], ["ab", bytesOf("")]],
    [["a", null], ["b", null]],
  ];
}

function built(
  entries: readonly GivenEntry[],
  tagged: boolean,
  tagFor: (key: string) => number = tag,
): Uint8Array<ArrayBuffer> {
  const builder = new BlockBuilder(tagged);
  for (const [key, value] of entries) {
    const bytes = value ?? new Uint8Array(0);
    builder.add(
      value === null ? TOMBSTONE : PUT,
      keyToBytes(key),
      key.length,
      tagFor(key),
      bytes,
      0,
      bytes.length,
    );
  }
  return builder.finish(0);
}

function entriesIn(block: Block): GivenEntry[] {
  return Array.from({ length: block.count }, (_, i) => {
    const value = block.bytes.slice(block.valueStart(i), block.valueEnd(i));
    return [block.key(i), block.isTombstone(i) ? null : value];
  });
}

function tag(key: string): number {
  return tagOf(hashKey(key, 1));
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
