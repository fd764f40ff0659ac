/**
 * Compression: what goes in comes out, and nothing else ever does.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Codec, CODEC_IDS, type CompressionName } from "../../core/codec.ts";
import { CorruptionError } from "../../core/errors.ts";
import { CODECS } from "../../io/codecs.ts";
import { block, build, compressed, halfEmptyBlock, join, outcome, rows } from "../support/blocks.ts";
import { effort } from "../support/effort.ts";

const NAMES: readonly CompressionName[] = ["none", "lz4", "zstd"];
const COMPRESSING: readonly Codec[] = [CODECS.lz4, CODECS.zstd];
const ENCODER = new TextEncoder();
const compressing: fc.Arbitrary<Codec> = fc.constantFrom(...COMPRESSING);

Deno.test("each codec goes by the name and the id that stand for it on disk", () => {
  assertEquals(NAMES.map((name) => CODECS[name].name), NAMES);
  assertEquals(NAMES.map((name) => CODECS[name].id), [0, 1, 2]);
  assertEquals(NAMES.map((name) => CODEC_IDS[name]), [0, 1, 2]);
});

Deno.test("bytes come back from every codec as they went in", () => {
  let smaller = 0;
  fc.assert(
    fc.property(fc.oneof(block, halfEmptyBlock), compressing, (bytes, codec) => {
      const before = bytes.slice();
      const packed = codec.compress(bytes);
      assertEquals(bytes, before);
      if (packed === undefined) return;
      smaller++;
      assert(packed.length < bytes.length);
      assertEquals(codec.decompress(packed, bytes.length), bytes);
    }),
    effort(300),
  );
  assert(smaller > 50, `only ${smaller} blocks were compressed`);
});

Deno.test("blocks of every kind of content and of up to 200 KiB come back", () => {
  const farCopy = build([{ kind: "fresh", bytes: 200_000, seed: 1 }]);
  farCopy.copyWithin(140_000, 10_000, 60_000);
  const blocks: readonly (readonly [Uint8Array, readonly CompressionName[]])[] = [
    [new Uint8Array(200_000), ["lz4", "zstd"]],
    [new Uint8Array(13), ["lz4"]],
    [farCopy, ["zstd"]],
    [rows(64), ["lz4", "zstd"]],
    [rows(1_600), ["lz4", "zstd"]],
    [ENCODER.encode("the same again, ".repeat(9_000)), ["lz4", "zstd"]],
  ];
  for (const [bytes, smallerWith] of blocks) {
    for (const codec of COMPRESSING) {
      const packed = codec.compress(bytes);
      assertEquals(packed !== undefined, smallerWith.includes(codec.name));
      if (packed !== undefined) assertEquals(codec.decompress(packed, bytes.length), bytes);
    }
  }
});

Deno.test("a block that is a part of a larger buffer is compressed and decompressed alone", () => {
  const around = join(build([{ kind: "fresh", bytes: 101, seed: 2 }]), rows(30), new Uint8Array(77));
  const bytes = around.subarray(101, around.length - 77);
  for (const codec of COMPRESSING) {
    const packed = compressed(codec, bytes);
    assertEquals(packed, compressed(codec, bytes.slice()));
    const inside = join(new Uint8Array(3), packed, new Uint8Array(5)).subarray(3, 3 + packed.length);
    assertEquals(codec.decompress(inside, bytes.length), bytes);
  }
});

Deno.test("equal bytes compress to equal bytes, whatever was compressed before", () => {
  fc.assert(fc.property(halfEmptyBlock, block, compressing, (bytes, other, codec) => {
    const first = compressed(codec, bytes);
    codec.compress(other);
    assertEquals(codec.compress(bytes), first);
  }));
});

Deno.test("what does not get smaller is not compressed", () => {
  for (const bytes of [0, 1, 2, 12, 100, 4_096, 70_000]) {
    const random = build([{ kind: "fresh", bytes, seed: 3 }]);
    for (const name of NAMES) assertStrictEquals(CODECS[name].compress(random), undefined);
  }
  assertStrictEquals(CODECS.none.compress(new Uint8Array(1_000)), undefined);
});

Deno.test("the codec that does not compress gives back the memory it was given", () => {
  const bytes = rows(2).subarray(5, 105);
  const back = CODECS.none.decompress(bytes, 100);
  assertStrictEquals(back.buffer, bytes.buffer);
  assertEquals(back, bytes);
  const shared = new Uint8Array(new SharedArrayBuffer(10)).fill(7);
  assert(CODECS.none.decompress(shared, 10).buffer instanceof ArrayBuffer);
  assertEquals(CODECS.none.decompress(shared, 10), new Uint8Array(10).fill(7));
});

Deno.test("no codec keeps more memory alive than the bytes it returns", () => {
  for (const codec of COMPRESSING) {
    for (const count of [1, 4, 30, 200]) {
      const bytes = join(rows(count), new Uint8Array(64));
      const back = codec.decompress(compressed(codec, bytes), bytes.length);
      assert(back.buffer.byteLength <= bytes.length + 64, `${codec.name} keeps ${back.buffer.byteLength}`);
    }
  }
});

Deno.test("rows of random keys and half-compressible values take at most the share that was measured", () => {
  const bytes = rows(137); // 16 KiB
  assert(compressed(CODECS.lz4, bytes).length < 0.61 * bytes.length);
  assert(compressed(CODECS.zstd, bytes).length < 0.55 * bytes.length);
});

Deno.test("another number of bytes than the block holds is a CorruptionError", () => {
  const bytes = rows(30);
  const length = bytes.length;
  for (const name of NAMES) {
    const packed = CODECS[name].compress(bytes) ?? bytes;
    const wrong = [0, 1, length - 1, length + 1, length * 2, -1, 0.5, NaN, Infinity, 2 ** 40, -Infinity];
    for (const claim of wrong) assertThrows(() => CODECS[name].decompress(packed, claim), CorruptionError);
  }
});

Deno.test("every block that is cut short or goes on is a CorruptionError", () => {
  const bytes = rows(8);
  for (const codec of COMPRESSING) {
    const packed = compressed(codec, bytes);
    for (let end = 0; end < packed.length; end++) {
      assertThrows(() => codec.decompress(packed.subarray(0, end), bytes.length), CorruptionError);
    }
    for (const more of [[0], [0x20], [1, 0, 0], [0, 0, 0, 0, 0], [...packed]]) {
      const longer = join(packed, new Uint8Array(more));
      assertThrows(() => codec.decompress(longer, bytes.length), CorruptionError);
    }
  }
});

Deno.test("arbitrary bytes decompress to what was asked for or to a CorruptionError", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.nat(300),
      fc.constantFrom(...NAMES),
      (bytes, claim, name) => {
        outcome(CODECS[name], bytes, claim);
      },
    ),
    effort(1_000),
  );
});

Deno.test("a damaged block decompresses to as many bytes or to a CorruptionError", () => {
  const seen = { bytes: 0, corrupt: 0 };
  const change = fc.record({ at: fc.nat(), value: fc.nat(255) });
  const changes = fc.array(change, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(halfEmptyBlock, compressing, changes, (bytes, codec, changed) => {
      const packed = compressed(codec, bytes).slice();
      for (const { at, value } of changed) packed[at % packed.length] = value;
      seen[outcome(codec, packed, bytes.length)]++;
    }),
    effort(1_000),
  );
  assert(seen.bytes > 50 && seen.corrupt > 50, JSON.stringify(seen));
});

Deno.test("a few bytes that claim to be a gigabyte are a CorruptionError before room is made for one", () => {
  const claim = 1_073_741_824;
  const lz4 = new Uint8Array([0x1f, 0x61, 1, 0, ...new Array(14).fill(255), 0, 0]);
  const zstd = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 0x03, 0x35, 0x0c, 0x61]);
  const before = Deno.memoryUsage().external;
  for (let i = 0; i < 3; i++) {
    assertThrows(() => CODECS.none.decompress(lz4, claim), CorruptionError);
    assertThrows(() => CODECS.lz4.decompress(lz4, claim), CorruptionError, "cannot hold");
    assertThrows(() => CODECS.zstd.decompress(zstd, claim), CorruptionError, "cannot hold");
  }
  assert(Deno.memoryUsage().external - before < 100_000_000);
});
