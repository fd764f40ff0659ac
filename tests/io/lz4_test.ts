/**
 * LZ4 blocks, against the format as its description reads, one byte at a time (`obviousLz4` below).
 *
 * That also checks the rules for the end of a block, which our own decompressor does not need and those of
 * others do.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CorruptionError } from "../../core/errors.ts";
import { CODECS } from "../../io/codecs.ts";
import { build, compressed, halfEmptyBlock, join, outcome, rows } from "../support/blocks.ts";
import { effort } from "../support/effort.ts";

const { lz4 } = CODECS;
const ENCODER = new TextEncoder();

/** A sequence as bytes; its offset may point outside of what stands before it. */
const sequence: fc.Arbitrary<Uint8Array> = fc.record({
  literals: fc.uint8Array({ maxLength: 40 }),
  offset: fc.nat(30),
  matchBytes: fc.integer({ min: 4, max: 600 }),
}).map(({ literals, offset, matchBytes }) => sequenceBytes(literals, offset, matchBytes));

Deno.test("lz4 reads and writes the bytes that are written down here", () => {
  // One literal, a match of 14 at offset 1, five literals.
  const packed = new Uint8Array([0x1a, 0x61, 0x01, 0x00, 0x50, 0x61, 0x61, 0x61, 0x61, 0x61]);
  const raw = ENCODER.encode("a".repeat(20));
  assertEquals(lz4.compress(raw), packed);
  assertEquals(lz4.decompress(packed, 20), raw);

  // 17 literals, a match of 3 + 16 + 300 at offset 3, five literals: both lengths go on behind the token.
  const long = ENCODER.encode("0123456789abcdefgh" + "fgh".repeat(107) + "vwxyz");
  const longPacked = new Uint8Array([
    ...[0xff, 3, ...ENCODER.encode("0123456789abcdefgh"), 3, 0, 255, 47],
    ...[0x50, ...ENCODER.encode("vwxyz")],
  ]);
  assertEquals(lz4.compress(long), longPacked);
  assertEquals(lz4.decompress(longPacked, long.length), long);
});

Deno.test("lz4 writes the format as it is described, to the rules for the end of a block", () => {
  fc.assert(fc.property(halfEmptyBlock, (bytes) => {
    assertEquals(obviousLz4(compressed(lz4, bytes)), Array.from(bytes));
  }));
  const long = rows(1_000);
  assertEquals(obviousLz4(compressed(lz4, long)), Array.from(long));
});

Deno.test("lz4 keeps the rules for the end of a block wherever the last match could be", () => {
  for (let tail = 0; tail < 20; tail++) {
    const start = build([{ kind: "fresh", bytes: 30, seed: 8 }, { kind: "run", bytes: 60, value: 0 }]);
    const end = build([{ kind: "fresh", bytes: tail, seed: 9 }]);
    for (let copied = 4; copied < 16; copied++) {
      const bytes = join(start, start.subarray(3, 3 + copied), end);
      assertEquals(obviousLz4(compressed(lz4, bytes)), Array.from(bytes));
    }
  }
});

Deno.test("lengths on both sides of where lz4 spends another byte come back", () => {
  const around = (limit: number): readonly number[] => [limit - 1, limit, limit + 1];
  const lengths = [
    0,
    ...around(15),
    ...around(19),
    ...around(15 + 255),
    ...around(19 + 255),
    ...around(15 + 510),
  ];
  for (const fresh of lengths) {
    for (const run of [...lengths, ...lengths.map((length) => length + 6)]) {
      const bytes = build([
        { kind: "fresh", bytes: fresh, seed: 6 },
        { kind: "run", bytes: run, value: 0 },
        { kind: "fresh", bytes: 9, seed: 7 },
      ]);
      const packed = lz4.compress(bytes);
      if (packed === undefined) continue;
      assert(packed.length < bytes.length);
      assertEquals(lz4.decompress(packed, bytes.length), bytes);
      assertEquals(obviousLz4(packed), Array.from(bytes));
    }
  }
});

Deno.test("a block with one short match among many thousands of bytes without is not made larger", () => {
  const bytes = build([{ kind: "fresh", bytes: 60_000, seed: 10 }]);
  bytes.copyWithin(59_950, 30_000, 30_010);
  assertStrictEquals(lz4.compress(bytes), undefined);
  const larger = build([{ kind: "fresh", bytes: 600_000, seed: 11 }]);
  larger.fill(0, 599_000, 599_900);
  assertStrictEquals(lz4.compress(larger), undefined);
});

Deno.test("lz4 uses a match at 65,535 bytes and none farther away", () => {
  const packedBytes = (distance: number): number => {
    const bytes = new Uint8Array(distance + 5_000);
    bytes.set(build([{ kind: "fresh", bytes: distance, seed: 4 }]));
    bytes.copyWithin(distance, 0, 5_000);
    return lz4.compress(bytes)?.length ?? bytes.length;
  };
  assert(packedBytes(65_535) < 65_535 + 1_000);
  assertEquals(packedBytes(65_536), 65_536 + 5_000);
});

Deno.test("lz4 decompresses what the obvious decoder does, and nothing else", () => {
  const seen = { bytes: 0, corrupt: 0 };
  fc.assert(
    fc.property(
      fc.array(sequence, { maxLength: 6 }),
      fc.uint8Array({ maxLength: 20 }),
      (sequences, last) => {
        const packed = join(...sequences, sequenceBytes(last));
        const expected = obviousLz4(packed, { rulesForTheEnd: false });
        const claim = expected === undefined ? 100 : expected.length;
        seen[outcome(lz4, packed, claim)]++;
        if (expected === undefined) assertThrows(() => lz4.decompress(packed, claim), CorruptionError);
        else assertEquals(lz4.decompress(packed, claim), new Uint8Array(expected));
      },
    ),
    effort(500),
  );
  assert(seen.bytes > 50 && seen.corrupt > 50, JSON.stringify(seen));
});

Deno.test("lz4 says what is wrong with a block", () => {
  const blocks: readonly (readonly [why: string, block: readonly number[], claim: number])[] = [
    ["it ends without a last sequence", [], 0],
    ["it cannot hold that many", [0x10, 7], 511],
    ["it ends within a length", [0xf0], 20],
    ["it ends within a length", [0xf0, 255, 255], 600],
    ["it ends within literals", [0x50, 7, 7, 7, 7], 5],
    ["it ends within literals", [0xf0, 0, 7, 7], 15],
    ["it holds more", [0x20, 7, 7], 1],
    ["it holds fewer", [0x20, 7, 7], 3],
    ["it ends within a match", [0x21, 7, 7], 2],
    ["it ends within an offset", [0x10, 7, 1], 5],
    ["an offset points outside of it", [0x10, 7, 0, 0, 0x10, 7], 6],
    ["an offset points outside of it", [0x10, 7, 2, 0, 0x10, 7], 6],
    ["it ends within a length", [0x1f, 7, 1, 0], 20],
    ["it ends within a length", [0x1f, 7, 1, 0, 255], 275],
    ["it holds more", [0x10, 7, 1, 0, 0x00], 4],
    ["it ends without a last sequence", [0x10, 7, 1, 0], 5],
  ];
  for (const [why, block, claim] of blocks) {
    const message = `Cannot decompress an lz4 block of ${block.length} bytes to ${claim}: ${why}`;
    assertThrows(() => lz4.decompress(new Uint8Array(block), claim), CorruptionError, message);
  }
});

/** Writes one sequence of an LZ4 block; without a match, the last. */
function sequenceBytes(literals: Uint8Array, offset = 0, matchBytes = 4): Uint8Array {
  const more = (length: number): readonly number[] =>
    length < 15 ? [] : [...new Array(Math.floor((length - 15) / 255)).fill(255), (length - 15) % 255];
  const extra = matchBytes - 4;
  const token = Math.min(literals.length, 15) << 4 | Math.min(extra, 15);
  const match = offset === 0 && extra === 0 ? [] : [offset, 0, ...more(extra)];
  return new Uint8Array([token, ...more(literals.length), ...literals, ...match]);
}

/** Decompresses an LZ4 block as its description reads; `undefined` if it is none. */
function obviousLz4(packed: Uint8Array, { rulesForTheEnd = true } = {}): readonly number[] | undefined {
  const rest = [...packed].reverse();
  const out: number[] = [];
  // Past the end there is nothing but NaN, of which every sum is NaN again.
  const next = (): number => rest.pop() ?? NaN;
  const length = (half: number): number => {
    let sum = half;
    for (let more = half === 15 ? 255 : 0; more === 255;) sum += more = next();
    return sum;
  };
  for (let lastMatchStart = -Infinity; rest.length > 0;) {
    const token = next();
    const literals = length(token >>> 4);
    if (!(literals <= rest.length)) return undefined;
    for (let i = 0; i < literals; i++) out.push(next());
    if (rest.length === 0) {
      if (rulesForTheEnd) {
        assert(lastMatchStart === -Infinity || literals >= 5, "the last five bytes are literals");
        assert(lastMatchStart <= out.length - 12, "no match starts in the last twelve bytes");
      }
      return (token & 15) === 0 ? out : undefined;
    }
    lastMatchStart = out.length;
    const offset = next() + 256 * next();
    const matchBytes = length(token & 15) + 4;
    if (!(offset > 0 && offset <= out.length && matchBytes > 0)) return undefined;
    for (let i = 0; i < matchBytes; i++) out.push(out[out.length - offset]!);
  }
  return undefined;
}
