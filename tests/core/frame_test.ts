import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { checksum, placeSeed } from "../../core/checksum.ts";
import type { Codec } from "../../core/codec.ts";
import { CorruptionError, UnsupportedFormatError } from "../../core/errors.ts";
import type { FrameType } from "../../core/frame.ts";
import {
  decodeFrame,
  encodeFrame,
  FRAME_DATA,
  FRAME_FILTER,
  FRAME_HEADER_BYTES,
  FRAME_INDEX,
  FRAME_PROPERTIES,
} from "../../core/frame.ts";
import { writeU32 } from "../../core/little_endian.ts";
import { safeNumber, u32 } from "../support/arbitraries.ts";
import { cutOff, everyChange, extended, sameBytes, valueUnlessDamaged } from "../support/damage.ts";
import { NO_CODEC, RUN_LENGTH, TEST_CODECS } from "../support/run_length_codec.ts";

const SEED = 0x1234_5678;
const OFFSET = 4_096;
const TYPES: readonly FrameType[] = [FRAME_DATA, FRAME_FILTER, FRAME_INDEX, FRAME_PROPERTIES];

Deno.test("a block comes back from its frame", () => {
  const frame = framed(bytesOf("a block"));
  assertEquals(frame.length, FRAME_HEADER_BYTES + 7);
  assertEquals(decoded(frame), bytesOf("a block"));
});

Deno.test("a block that gets smaller is stored compressed, any other as it is and without a copy", () => {
  const long = new Uint8Array(FRAME_HEADER_BYTES + 1_000);
  const packed = encodeFrame(long, FRAME_DATA, RUN_LENGTH, SEED, OFFSET);
  assertEquals([packed.length, packed[8]], [FRAME_HEADER_BYTES + 8, RUN_LENGTH.id]);
  assertEquals(decoded(packed), new Uint8Array(1_000));
  for (const codec of [undefined, NO_CODEC, RUN_LENGTH]) {
    const block = new Uint8Array(FRAME_HEADER_BYTES + 5).map((_, i) => i);
    const frame = encodeFrame(block, FRAME_DATA, codec, SEED, OFFSET);
    assertStrictEquals(frame, block);
    assertEquals([frame[8], decoded(frame)], [0, Uint8Array.of(12, 13, 14, 15, 16)]);
  }
});

Deno.test("any block of any type comes back from any place, and encodes to the same frame again", () => {
  const block = fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc.nat(300).map((length) => new Uint8Array(length)),
  );
  const codec = fc.constantFrom<Codec | undefined>(undefined, NO_CODEC, RUN_LENGTH);
  let packed = 0;
  fc.assert(
    fc.property(
      block,
      fc.constantFrom(...TYPES),
      codec,
      u32,
      safeNumber,
      (block, type, codec, seed, offset) => {
        const frame = encodeFrame(withHeadroom(block), type, codec, seed, offset);
        if (frame[8] !== 0) packed += 1;
        const back = decodeFrame(frame, type, TEST_CODECS, seed, offset, "segment-000001");
        assert(sameBytes(back, block));
        assert(sameBytes(encodeFrame(withHeadroom(back), type, codec, seed, offset), frame));
      },
    ),
  );
  assert(packed > 0);
});

Deno.test("every changed byte of a frame is found, and a frame that is cut off or too long", () => {
  for (
    const frame of [
      framed(bytesOf("a block")),
      framed(new Uint8Array(100), RUN_LENGTH),
      framed(new Uint8Array(0)),
    ]
  ) {
    for (const { bytes } of everyChange(frame)) {
      assertThrows(() => decoded(bytes), CorruptionError, "bad checksum");
    }
    for (const bytes of [...cutOff(frame), ...extended(frame)]) {
      const error = assertThrows(() => decoded(bytes), CorruptionError);
      assertEquals([error.file, error.offset], ["segment-000001", OFFSET]);
    }
  }
  assertThrows(() => decoded(new Uint8Array(11)), CorruptionError, "it is cut off");
});

Deno.test("a frame is not accepted at another place, in another file or as another type", () => {
  const frame = framed(bytesOf("a block"));
  const read = (type: FrameType, seed: number, offset: number) => () =>
    decodeFrame(frame, type, TEST_CODECS, seed, offset, "segment-000001");
  assertThrows(read(FRAME_DATA, SEED, OFFSET + 1), CorruptionError, "bad checksum");
  assertThrows(read(FRAME_DATA, SEED, OFFSET + 2 ** 32), CorruptionError, "bad checksum");
  assertThrows(read(FRAME_DATA, SEED + 1, OFFSET), CorruptionError, "bad checksum");
  assertThrows(read(FRAME_INDEX, SEED, OFFSET), CorruptionError, "another kind of block stands there");
});

Deno.test("zeros and ones are no frame", () => {
  for (const length of [12, 13, 100, 4_096]) {
    for (const fill of [0, 255]) {
      assertThrows(() => decoded(new Uint8Array(length).fill(fill)), CorruptionError);
    }
  }
});

Deno.test("a frame with a good checksum and a header that makes no sense is corrupt", () => {
  const frame = (): Uint8Array<ArrayBuffer> => framed(bytesOf("a block"));
  assertThrows(() => decoded(forged(frame(), 4, 8)), CorruptionError, "its length is wrong");
  assertThrows(() => decoded(forged(frame(), 7, 255)), CorruptionError, "its length is wrong");
  assertThrows(() => decoded(forged(frame(), 10, 1)), CorruptionError, "another kind of block");
  assertThrows(() => decoded(forged(frame(), 11, 1)), CorruptionError, "another kind of block");
});

Deno.test("a frame that does not decompress is corrupt, whatever the codec says of it", () => {
  const packed = forged(framed(new Uint8Array(100), RUN_LENGTH), 4, 101);
  const error = assertThrows(() => decoded(packed), CorruptionError, "it does not decompress");
  assertInstanceOf(error.cause, CorruptionError);
  const failing: Codec = {
    ...RUN_LENGTH,
    decompress: () => {
      throw new RangeError("out of memory");
    },
  };
  const frame = framed(new Uint8Array(100), RUN_LENGTH);
  const codecs = { ...TEST_CODECS, lz4: failing };
  assertThrows(
    () => decodeFrame(frame, FRAME_DATA, codecs, SEED, OFFSET, "x"),
    CorruptionError,
    "does not decompress",
  );
});

Deno.test("a codec that is not known is unsupported", () => {
  const error = assertThrows(() => decoded(forged(framed(bytesOf("a block")), 8, 9)), UnsupportedFormatError);
  assertEquals(
    error.message,
    `Cannot read block at byte 4096 of "segment-000001": its compression 9 is unknown; update the module`,
  );
  assertEquals([error.file, error.offset], ["segment-000001", OFFSET]);
});

Deno.test("any bytes are no frame, and with a checksum that fits a block, corrupt or unsupported", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(3), (bytes, codec) => {
    const copy = Uint8Array.from(bytes);
    assertEquals(valueUnlessDamaged(() => decoded(copy)), undefined);
    if (bytes.length < FRAME_HEADER_BYTES) return;
    copy.set([codec, FRAME_DATA, 0, 0], 8);
    writeU32(copy, 4, bytes.length - FRAME_HEADER_BYTES);
    const block = valueUnlessDamaged(() => decoded(forged(copy, 8, codec)));
    if (codec === 0) assertEquals(block, copy.slice(FRAME_HEADER_BYTES));
  }));
});

function framed(block: Uint8Array, codec?: Codec): Uint8Array<ArrayBuffer> {
  return encodeFrame(withHeadroom(block), FRAME_DATA, codec, SEED, OFFSET);
}

function decoded(frame: Uint8Array<ArrayBuffer>): Uint8Array {
  return decodeFrame(frame, FRAME_DATA, TEST_CODECS, SEED, OFFSET, "segment-000001");
}

function withHeadroom(block: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + block.length);
  bytes.set(block, FRAME_HEADER_BYTES);
  return bytes;
}

/** Changes a byte of a frame, and its checksum so that it fits. */
function forged(frame: Uint8Array<ArrayBuffer>, at: number, value: number): Uint8Array<ArrayBuffer> {
  frame[at] = value;
  writeU32(frame, 0, checksum(frame, 4, frame.length, placeSeed(SEED, OFFSET)));
  return frame;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
