/**
 * zstd frames: only those that are written here are read, and each fault of one has its message.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CorruptionError } from "../../core/errors.ts";
import { CODECS } from "../../io/codecs.ts";
import { build, compressed, outcome } from "../support/blocks.ts";
import { effort } from "../support/effort.ts";

const { zstd } = CODECS;
const ENCODER = new TextEncoder();
const MAGIC: readonly number[] = [0x28, 0xb5, 0x2f, 0xfd];

Deno.test("zstd reads the frames that are written down here", () => {
  // Magic, one segment, five bytes; one block, the last, as it is.
  const stored = new Uint8Array([...MAGIC, 0x20, 5, 5 << 3 | 1, 0, 0, ...ENCODER.encode("hello")]);
  assertEquals(zstd.decompress(stored, 5), ENCODER.encode("hello"));

  // The same with 300 bytes (44 + 256), of which the one block holds one, repeated.
  const repeated = new Uint8Array([...MAGIC, 0x60, 44, 0, ...u24(300 << 3 | 3), 0x61]);
  assertEquals(zstd.decompress(repeated, 300), new Uint8Array(300).fill(0x61));
});

Deno.test("zstd puts the number of bytes into the frame, whatever it is", () => {
  for (const bytes of [100, 255, 256, 257, 65_791, 65_792, 65_793, 1_000_000]) {
    const raw = build([{ kind: "run", bytes, value: 7 }]);
    assertEquals(zstd.decompress(compressed(zstd, raw), bytes), raw);
  }
});

Deno.test("zstd says what is wrong with a frame, also with one that others may write", () => {
  const hello = [...u24(5 << 3 | 1), ...ENCODER.encode("hello")];
  const notOurs = "its header is not one that is written here";
  const frames: readonly (readonly [why: string, behindMagic: readonly number[], claim: number])[] = [
    ["it is no zstd frame", [], 0],
    ["it is no zstd frame", [0x20], 0],
    [notOurs, [0x00, 0x58, ...hello], 5], // without its content size
    [notOurs, [0x24, 5, ...hello, 0, 0, 0, 0], 5], // with a checksum
    [notOurs, [0x21, 1, 5, ...hello], 5], // with a dictionary
    [notOurs, [0x30, 5, ...hello], 5], // with a bit that has no meaning yet
    [notOurs, [0xe0, 5, 0, 0, 0, 0, 0, 0, 0, ...hello], 5], // with a content size of eight bytes
    ["it ends within its header", [0xa0, 5], 5],
    ["it claims to hold 5", [0x20, 5, ...hello], 6],
    ["it ends within a block's header", [0x20, 5, 0x29], 5],
    ["it ends within a block's header", [0x20, 5, ...u24(0), 0, 0], 5],
    ["it ends within a block", [0x20, 5, ...hello.slice(0, -1)], 5],
    ["something stands behind it", [0x20, 5, ...hello, 0], 5],
    ["it cannot hold that many", [0xa0, 1, 0, 2, 0, ...u24(1 << 3 | 3), 7], 131_073],
    ["it is damaged", [0x20, 5, ...u24(5 << 3 | 7), ...hello.slice(3)], 5], // an unknown kind of block
    ["it is damaged", [0x20, 6, ...hello], 6],
  ];
  for (const [why, behindMagic, claim] of frames) {
    const frame = new Uint8Array([...MAGIC, ...behindMagic]);
    const message = `Cannot decompress a zstd frame of ${frame.length} bytes to ${claim}: ${why}`;
    const error = assertThrows(() => zstd.decompress(frame, claim), CorruptionError, message);
    assertEquals(error.message, message);
    assertEquals(error.cause instanceof Error, why === "it is damaged");
  }
  const skippable = new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, ...ENCODER.encode("hello")]);
  assertThrows(() => zstd.decompress(skippable, 0), CorruptionError, "it is no zstd frame");
});

Deno.test("whatever stands behind the magic number, it is a frame or a CorruptionError", () => {
  const oneSegment = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => [0x20, ...bytes]);
  fc.assert(
    fc.property(fc.oneof(oneSegment, fc.uint8Array({ maxLength: 60 })), (behindMagic) => {
      outcome(zstd, new Uint8Array([...MAGIC, ...behindMagic]), behindMagic[1] ?? 0);
    }),
    effort(1_000),
  );
});

function u24(value: number): readonly number[] {
  return [value & 255, value >>> 8 & 255, value >>> 16 & 255];
}
