import { assert, assertAlmostEquals, assertEquals, assertLess, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { keyFromBytes } from "../../core/bytes.ts";
import { blockOf, FilterBuilder, filterMayContain, hashBytes, hashKey, tagOf } from "../../core/filter.ts";

/** HalfSipHash-1-3 of 0 to 9 bytes 0, 1, 2, ... under the key 0, 1, ..., 7, as its authors and Linux have it. */
const PUBLISHED = [
  0x5814c896,
  0xe7e864ca,
  0xbc4b0e30,
  0x01539939,
  0x7e059ea6,
  0x88e3d89b,
  0xa0080b65,
  0x9d38d9d6,
  0x577999b1,
  0xc839caed,
];

Deno.test("a filter lets through what was added and holds back most of the rest", () => {
  const seed = 7;
  const builder = new FilterBuilder(10);
  for (const key of ["apple", "pear", "plum"]) builder.add(hashKey(key, seed));
  const filter = builder.finish();
  assertEquals(filter.length, 65);
  assert(filterMayContain(filter, hashKey("pear", seed)));
  assertEquals(filterMayContain(filter, hashKey("medlar", seed)), false);
});

Deno.test("no bits a key or no keys make an empty filter, which lets everything through", () => {
  const withoutBits = new FilterBuilder(0);
  withoutBits.add(1);
  assertEquals([withoutBits.finish().length, new FilterBuilder(10).finish().length], [0, 0]);
  assert(filterMayContain(withoutBits.finish(), 2));
});

Deno.test("the hash is HalfSipHash-1-3, as published", () => {
  const bytes = Uint8Array.from({ length: 9 }, (_, i) => i);
  assertEquals(PUBLISHED.map((_, length) => hashBytes(bytes, 0, length, 0x03020100)), PUBLISHED);
});

Deno.test("hashes of every seed and length stay what they were when the format was made", () => {
  assertEquals(hashKey("", 0), 0x8a2e0556);
  assertEquals(hashKey("a key of 20 bytes \xff\x00", 0xffffffff), 0x652f6ec9);
  assertEquals(hashKey("\x80".repeat(300), 0x9abcdef0), 0x6f0b14ee);
  assertEquals(tagOf(0x12345678), 0x78);
});

Deno.test("the bytes of a filter stay what they were when the format was made", () => {
  const builder = new FilterBuilder(10);
  for (const hash of [0, 1, 0xffffffff]) builder.add(hash);
  assertEquals(bitsOf(builder.finish()), [0, 62, 103, 189, 195, 232, 279, 316, 322, 408, 449, 511]);
});

Deno.test("bytes, a range of bytes and their byte string have the same hash", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 5 }),
    fc.integer({ min: -0x80000000, max: 0xffffffff }),
    (bytes, around, seed) => {
      const hash = hashBytes(bytes, 0, bytes.length, seed);
      const inside = Uint8Array.of(...around, ...bytes, ...around);
      assertEquals(hashKey(keyFromBytes(bytes, 0, bytes.length), seed), hash);
      assertEquals(hashBytes(inside, around.length, around.length + bytes.length, seed), hash);
      assertEquals(hash, hash >>> 0);
    },
  ));
});

Deno.test("each bit of the seed, each bit and the length of the key change about half of the hash", () => {
  const changed: number[] = [];
  for (let i = 0; i < 500; i++) {
    const key = `key ${i}`;
    const hash = hashKey(key, i);
    for (let bit = 0; bit < 32; bit++) changed.push(bitCount(hash ^ hashKey(key, i ^ (1 << bit))));
    for (let bit = 0; bit < 8; bit++) changed.push(bitCount(hash ^ hashKey(flipped(key, i, bit), i)));
    changed.push(bitCount(hash ^ hashKey(`${key}\x00`, i)));
    assertNotEquals(hashKey(`${key}\x00`, i), hash);
  }
  assertAlmostEquals(changed.reduce((sum, count) => sum + count) / changed.length, 16, 0.2);
});

Deno.test("a filter never holds back a hash that was added", () => {
  fc.assert(fc.property(hashes(), bitsPerKey(), (added, bits) => {
    const filter = filterOf(added, bits);
    for (const hash of added) assert(filterMayContain(filter, hash));
  }));
});

Deno.test("a filter has the bits that the format's grammar names, and no other", () => {
  fc.assert(fc.property(hashes(), bitsPerKey(), fc.nat(0xffffffff), (added, bits, asked) => {
    const filter = filterOf(added, bits);
    const probes = Math.max(1, Math.min(16, Math.round(bits * 0.6)));
    const blocks = Math.ceil(added.length * bits / 512);
    const expected = new Set(added.flatMap((hash) => bitsByGrammar(hash, probes, blocks)));
    assertEquals([filter[0], filter.length], [probes, 1 + 64 * blocks]);
    assertEquals(bitsOf(filter), [...expected].sort((a, b) => a - b));
    const passes = bitsByGrammar(asked, probes, blocks).every((bit) => expected.has(bit));
    assertEquals(filterMayContain(filter, asked), passes);
  }));
});

Deno.test("any bytes at all are answered, and every length or first byte that is not ours with maybe", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(0xffffffff), (bytes, hash) => {
    const answer = filterMayContain(bytes, hash);
    assert(answer || (bytes.length > 1 && bytes.length % 64 === 1 && bytes[0]! >= 1 && bytes[0]! <= 16));
  }));
  for (const first of [0, 17, 255]) assert(filterMayContain(blank(first, 65), 5));
  for (const length of [0, 1, 64, 66]) assert(filterMayContain(blank(6, length), 5));
  assertEquals(filterMayContain(blank(6, 65), 5), false);
});

Deno.test("blocks are chosen exactly, up to filters of 2^32 bits and more", () => {
  const counts = fc.oneof(fc.integer({ min: 1, max: 2 ** 37 }), fc.nat(36).map((power) => 2 ** power));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), counts, (hash, count) => {
      assertEquals(BigInt(blockOf(hash, count)), (BigInt(hash) * BigInt(count)) >> 32n);
    }),
    { examples: [[0xffffffff, 2 ** 23], [0xffffffff, 2 ** 37], [3_341_462_187, 8_388_605], [0x80000001, 3]] },
  );
});

for (const [bits, most] of [[4, 0.147], [10, 0.0082], [14, 0.0012]] as const) {
  Deno.test(`at ${bits} bits a key a filter errs at most twice as often as an ideal Bloom filter`, () => {
    for (const keyCount of [1_000, 30_000]) {
      for (const name of [(i: number) => String(i), (i: number) => `${Math.imul(i, 0x85ebca6b)} ${i}`]) {
        assertLess(errorRate(keyCount, bits, name), 2 * most);
      }
    }
  });
}

Deno.test("a key that a filter lets through by mistake has the tag of a given entry about once in 256", () => {
  const seed = 3;
  const builder = new FilterBuilder(4);
  for (let i = 0; i < 5_000; i++) builder.add(hashKey(`in ${i}`, seed));
  const filter = builder.finish();
  const absent = Array.from({ length: 100_000 }, (_, i) => hashKey(`out ${i}`, seed));
  const tags = absent.filter((hash) => filterMayContain(filter, hash)).map(tagOf);
  const same = tags.filter((tag) => tag === tagOf(hashKey("in 1", seed))).length;
  assertEquals(new Set(tags).size, 256);
  assertAlmostEquals(same / tags.length, 1 / 256, 1 / 512);
});

function hashes(): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 1, maxLength: 600, size: "max" });
}

function bitsPerKey(): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: 1, max: 64 }), fc.double({ min: 0.01, max: 64, noNaN: true }));
}

function filterOf(added: readonly number[], bits: number): Uint8Array {
  const builder = new FilterBuilder(bits);
  for (const hash of added) builder.add(hash);
  return builder.finish();
}

/** The bits of a hash by the grammar in the header of `filter.ts`, in plain arithmetic. */
function bitsByGrammar(hash: number, probes: number, blocks: number): number[] {
  const block = Number((BigInt(hash) * BigInt(blocks)) >> 32n);
  return Array.from({ length: probes }, (_, i) => {
    const product = (BigInt(hash) * 0x9e3779b1n ** BigInt(i + 1)) & 0xffffffffn;
    return block * 512 + Number(product >> 23n);
  });
}

/** The numbers of the bits that are set, behind the first byte. */
function bitsOf(filter: Uint8Array): number[] {
  return Array.from(filter.subarray(1))
    .flatMap((byte, at) =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => byte & (1 << bit)).map((bit) => at * 8 + bit)
    );
}

/** How many of 100,000 absent keys pass, on average over seeds. */
function errorRate(keyCount: number, bits: number, name: (i: number) => string): number {
  let passed = 0;
  for (let seed = 0; seed < 5; seed++) {
    const builder = new FilterBuilder(bits);
    for (let i = 0; i < keyCount; i++) builder.add(hashKey(name(i), seed));
    const filter = builder.finish();
    for (let i = 0; i < 20_000; i++) {
      if (filterMayContain(filter, hashKey(name(keyCount + i), seed))) passed++;
    }
  }
  return passed / 100_000;
}

function blank(first: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(first, 0, 1);
}

function flipped(key: string, at: number, bit: number): string {
  const i = at % key.length;
  return key.slice(0, i) + String.fromCharCode(key.charCodeAt(i) ^ (1 << bit)) + key.slice(i + 1);
}

function bitCount(word: number): number {
  return (word >>> 0).toString(2).replaceAll("0", "").length;
}
