import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CorruptionError } from "../../core/errors.ts";
import {
  ByteReader,
  ByteWriter,
  readU16,
  readU32,
  readU64,
  writeU16,
  writeU32,
  writeU64,
} from "../../core/little_endian.ts";
import { byteKey, longKey, safeNumber, u32 } from "../support/arbitraries.ts";
import { cutOff } from "../support/damage.ts";

Deno.test("numbers stand in bytes with the lowest first", () => {
  const bytes = new Uint8Array(16).fill(255);
  writeU16(bytes, 1, 0x0201);
  writeU32(bytes, 3, 0x84838281);
  writeU64(bytes, 7, 0x1f_0605_0403_0201);
  assertEquals([...bytes], [255, 1, 2, 0x81, 0x82, 0x83, 0x84, 1, 2, 3, 4, 5, 6, 0x1f, 0, 255]);
  assertEquals([readU16(bytes, 1), readU32(bytes, 3), readU64(bytes, 7)], [
    0x0201,
    0x84838281,
    0x1f060504030201,
  ]);
});

Deno.test("every number comes back", () => {
  fc.assert(fc.property(fc.nat(0xffff), u32, safeNumber, (small, middle, large) => {
    const bytes = new Uint8Array(14);
    writeU16(bytes, 0, small);
    writeU32(bytes, 2, middle);
    writeU64(bytes, 6, large);
    assertEquals([readU16(bytes, 0), readU32(bytes, 2), readU64(bytes, 6)], [small, middle, large]);
  }));
});

Deno.test("a reader gives what a writer was given, in order, however often its buffer grew", () => {
  const field = fc.oneof(
    fc.record({ kind: fc.constant("u8" as const), value: fc.nat(255) }),
    fc.record({ kind: fc.constant("u16" as const), value: fc.nat(0xffff) }),
    fc.record({ kind: fc.constant("u32" as const), value: u32 }),
    fc.record({ kind: fc.constant("u64" as const), value: safeNumber }),
    fc.record({ kind: fc.constant("key" as const), value: fc.oneof(byteKey, longKey) }),
  );
  fc.assert(fc.property(fc.array(field, { maxLength: 60 }), (fields) => {
    const writer = new ByteWriter();
    for (const { kind, value } of fields) {
      if (kind === "key") writer.key(value);
      else writer[kind](value);
    }
    const bytes = writer.finish();
    const reader = new ByteReader(bytes, 0, bytes.length, "a test");
    for (const { kind, value } of fields) assertEquals<string | number>(reader[kind](), value);
    reader.done();
    assertEquals([reader.position, reader.left], [bytes.length, 0]);
  }));
});

Deno.test("a key may be as long as keys get, and larger than the writer's buffer", () => {
  const key = "\xff".repeat(65_535);
  const bytes = new ByteWriter().u8(1).key(key).finish();
  const reader = new ByteReader(bytes, 1, bytes.length, "a test");
  assertEquals(reader.key() === key, true);
});

Deno.test("a reader stays within its part of the bytes, and says where it stands", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3, 4, 5, 6, 7), 1, 4, "a part");
  assertEquals([reader.position, reader.left, reader.u8(), reader.position, reader.left], [1, 3, 2, 2, 2]);
  const error = assertThrows(() => reader.u32(), CorruptionError, "Cannot decode a part: it ends too early");
  assertEquals([error.offset, reader.left], [2, 2]);
});

Deno.test("bytes that end early are corrupt at every place, and never anything else", () => {
  const bytes = new ByteWriter().u8(1).u16(2).u32(3).u64(4).key("five").finish();
  for (const short of cutOff(bytes)) {
    const reader = new ByteReader(short, 0, short.length, "a test");
    const error = assertThrows(() => [reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.key()]);
    assertInstanceOf(error, CorruptionError);
  }
});

Deno.test("a number above 2^53 - 1 is corrupt", () => {
  const most = new ByteWriter().u64(Number.MAX_SAFE_INTEGER).finish();
  assertEquals(new ByteReader(most, 0, 8, "a test").u64(), Number.MAX_SAFE_INTEGER);
  for (const bytes of [[0, 0, 0, 0, 0, 0, 32, 0], [0, 0, 0, 0, 0, 0, 0, 1], Array(8).fill(255)]) {
    const reader = new ByteReader(Uint8Array.from(bytes), 0, 8, "a test");
    assertThrows(() => reader.u64(), CorruptionError, "a number is too large");
  }
});

Deno.test("a count is believed only as far as that many things can be there", () => {
  const bytes = new Uint8Array(4 + 20);
  for (
    const [count, each, fits] of [[2, 10, true], [3, 7, false], [20, 1, true], [
      0xffff_ffff,
      1,
      false,
    ]] as const
  ) {
    writeU32(bytes, 0, count);
    const reader = new ByteReader(bytes, 0, bytes.length, "a test");
    if (fits) assertEquals(reader.count(each), count);
    else assertThrows(() => reader.count(each), CorruptionError, "a count is too large");
  }
});

Deno.test("bytes left over are corrupt", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2), 0, 2, "a test");
  reader.u8();
  assertThrows(() => reader.done(), CorruptionError, "it has bytes left over");
});

Deno.test("a reader of any bytes gives numbers and keys or says that they are corrupt", () => {
  const read = fc.constantFrom("u8" as const, "u16" as const, "u32" as const, "u64" as const, "key" as const);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(read), (bytes, reads) => {
    const reader = new ByteReader(bytes, 0, bytes.length, "a test");
    try {
      for (const kind of reads) {
        const before = reader.left;
        const got = reader[kind]();
        assert(typeof got === "string" ? got.length <= before - 2 : Number.isSafeInteger(got));
      }
    } catch (error) {
      assertInstanceOf(error, CorruptionError);
    }
  }));
});
