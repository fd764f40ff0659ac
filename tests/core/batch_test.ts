import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import type { Batch, Operation } from "../../core/batch.ts";
import { BATCH_BYTES_MAX, BatchBuilder, decodeBatch, PUT_OVERHEAD_BYTES_MAX } from "../../core/batch.ts";
import { toKey, VALUE_BYTES_MAX } from "../../core/bytes.ts";
import { CLEAR, PUT, TOMBSTONE } from "../../core/entry_kind.ts";
import { CorruptionError, UnsupportedFormatError } from "../../core/errors.ts";
import { RECORD_HEADER_BYTES } from "../../core/record.ts";
import type { GivenOperation } from "../support/arbitraries.ts";
import { operations } from "../support/arbitraries.ts";
import { cutOff, everyChange, extended, joined, valueUnlessDamaged } from "../support/damage.ts";
import { addOperations } from "../support/record_files.ts";

const ENCODER = new TextEncoder();

Deno.test("a batch is its operations in order, with values that are views of its bytes", () => {
  const builder = new BatchBuilder(1024);
  builder.put("a", Uint8Array.of(1, 2));
  builder.remove("b");
  builder.clear();
  builder.put("", "é");
  assertEquals(builder.length, 4);
  const batch = builder.finish();
  assertEquals(batch.operations, [
    { kind: PUT, key: "a", value: Uint8Array.of(1, 2) },
    { kind: TOMBSTONE, key: "b", value: null },
    { kind: CLEAR, key: "", value: null },
    { kind: PUT, key: "", value: Uint8Array.of(0xc3, 0xa9) },
  ]);
  assertStrictEquals(batch.operations[0]!.value!.buffer, batch.bytes.buffer);
  assertEquals(builder.length, 0);
});

Deno.test("a batch decodes to what it was built of, in chunks of any size", () => {
  const batches = fc.array(operations, { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(batches, fc.constantFrom(0, 40, 64, 100, 4096), (given, chunkBytes) => {
    const builder = new BatchBuilder(chunkBytes);
    const built = given.map((operations) => {
      addOperations(builder, operations);
      assertEquals(builder.length, operations.length);
      return builder.finish();
    });
    // All of them are looked at when all of them are built: a later batch must not touch an earlier one.
    for (const [i, batch] of built.entries()) {
      assertEquals(plain(batch.operations), expected(given[i]!));
      assertEquals(plain(decoded(batch)), expected(given[i]!));
      assertEquals(encoded(plain(decoded(batch))), payload(batch));
      for (const { value } of batch.operations) {
        if (value !== null) assertStrictEquals(value.buffer, batch.bytes.buffer);
      }
    }
  }));
});

Deno.test("changing a value after it was given changes nothing", () => {
  const builder = new BatchBuilder(64);
  const value = Uint8Array.of(1, 2, 3);
  builder.put("a", value);
  value.fill(9);
  builder.put("b", value.subarray(1));
  value.fill(8);
  assertEquals(builder.finish().operations.map((one) => [...one.value!]), [[1, 2, 3], [9, 9]]);
});

Deno.test("a batch that outgrows its chunk moves to a larger one and stays whole", () => {
  const builder = new BatchBuilder(100);
  builder.put("first", "of a batch before");
  const before = builder.finish();
  builder.put("a", new Uint8Array(10).fill(1));
  builder.remove("b");
  builder.put("c", new Uint8Array(500).fill(2));
  builder.clear();
  const batch = builder.finish();
  assertNotStrictEquals(batch.bytes, before.bytes);
  assertEquals(batch.start, 0);
  assertEquals(batch.operations.map((one) => [one.key, one.value?.length]), [
    ["a", 10],
    ["b", undefined],
    ["c", 500],
    ["", undefined],
  ]);
  for (const { value } of batch.operations) {
    if (value !== null) assertStrictEquals(value.buffer, batch.bytes.buffer);
  }
  assertEquals(plain(before.operations), [[PUT, "first", [...ENCODER.encode("of a batch before")]]]);
});

Deno.test("batches of one chunk stand one behind the other, each with room for its record's header", () => {
  const builder = new BatchBuilder(1024);
  builder.remove("a");
  const first = builder.finish();
  builder.remove("bc");
  const second = builder.finish();
  assertStrictEquals(first.bytes, second.bytes);
  assertEquals([first.start, first.end], [0, RECORD_HEADER_BYTES + 4 + 4]);
  assertEquals([second.start, second.end], [first.end, first.end + RECORD_HEADER_BYTES + 4 + 5]);
});

Deno.test("an empty batch has its bytes too, where the chunk is full as well", () => {
  for (let chunkBytes = 0; chunkBytes < 200; chunkBytes++) {
    const builder = new BatchBuilder(chunkBytes);
    for (let i = 0; i < 8; i++) {
      const { bytes, start, end } = builder.finish();
      assertEquals(end - start, RECORD_HEADER_BYTES + 4);
      assert(end <= bytes.length, `chunk of ${chunkBytes}, batch ${i}`);
      assertEquals(decodeBatch(bytes, start + RECORD_HEADER_BYTES, end), []);
    }
  }
});

Deno.test("a batch that was looked at can be added to, and looked at again", () => {
  for (const chunkBytes of [40, 64, 4096]) {
    const builder = new BatchBuilder(chunkBytes);
    builder.put("a", "1");
    assertEquals(plain(decoded(builder.peek())), [[PUT, "a", [0x31]]]);
    builder.put("b", "22");
    assertEquals(builder.length, 2);
    assertEquals(builder.peek(), builder.peek());
    const batch = builder.finish();
    assertEquals(plain(decoded(batch)), [[PUT, "a", [0x31]], [PUT, "b", [0x32, 0x32]]]);
    assertEquals(plain(batch.operations), plain(decoded(batch)));
    assertEquals(builder.length, 0);
  }
});

Deno.test("strings of every length and kind are stored as their UTF-8 bytes", () => {
  const texts = ["", "x", "é", "\u{1f44d}", "\0", "ascii and é"];
  for (const length of [31, 32, 33, 4_095, 4_096, 4_097, 10_000]) {
    texts.push("x".repeat(length), "é".repeat(length), `${"x".repeat(length - 1)}\u20ac`);
  }
  for (const chunkBytes of [64, 100_000]) {
    const builder = new BatchBuilder(chunkBytes);
    for (const text of texts) builder.put("key", text);
    const { operations } = builder.finish();
    for (const [i, text] of texts.entries()) {
      assertEquals(
        new TextDecoder("utf-8", { ignoreBOM: true }).decode(operations[i]!.value!) === text,
        true,
      );
    }
  }
});

Deno.test("keys of the greatest length fit", () => {
  const builder = new BatchBuilder(64);
  const key = "\xff".repeat(65_535);
  builder.put(key, "");
  builder.remove(key);
  const batch = builder.finish();
  assertEquals(decoded(batch).every((one) => one.key === key), true);
  assertEquals(PUT_OVERHEAD_BYTES_MAX, batch.operations[0]!.value!.byteOffset - RECORD_HEADER_BYTES - 4);
});

Deno.test("a value or a batch that is too large is refused before anything is allocated or added", () => {
  const builder = new BatchBuilder(64);
  builder.put("a", "1");
  assertThrows(() => builder.put("b", ofLength(VALUE_BYTES_MAX + 1)), RangeError, "1073741825 bytes long");
  assertThrows(
    () => builder.remove(ofLength(BATCH_BYTES_MAX) as unknown as string),
    RangeError,
    "this batch",
  );
  assertEquals(builder.length, 1);
  assertEquals(plain(builder.finish().operations), [[PUT, "a", [0x31]]]);
});

Deno.test("a payload that is cut off, or has something behind it, is corrupt", () => {
  const bytes = payload(sample());
  for (const damaged of [...cutOff(bytes), ...extended(bytes)]) {
    const error = assertThrows(() => decodeBatch(damaged, 0, damaged.length));
    assertInstanceOf(error, CorruptionError);
  }
});

Deno.test("a changed payload never reads past its end and never fails in any other way than it says", () => {
  const bytes = payload(sample());
  const around = joined(new Uint8Array(5), bytes, new Uint8Array(5).fill(7));
  for (const { bytes: changed } of everyChange(around, 5, 5 + bytes.length)) {
    const operations = valueUnlessDamaged(() => decodeBatch(changed, 5, 5 + bytes.length));
    for (const { value } of operations ?? []) {
      assert(value === null || value.byteOffset + value.length <= 5 + bytes.length);
    }
  }
});

Deno.test("a count that promises more than is there is found out without being believed", () => {
  const bytes = payload(sample());
  bytes.fill(255, 0, 4);
  assertThrows(() => decodeBatch(bytes, 0, bytes.length), CorruptionError);
});

Deno.test("operations of reserved and unknown kinds are unsupported", () => {
  for (const kind of [0, 3, 4, 5, 6, 8, 255]) {
    const bytes = Uint8Array.of(1, 0, 0, 0, kind, 0, 0);
    assertThrows(() => decodeBatch(bytes, 0, 7), UnsupportedFormatError, `an entry of kind ${kind}`);
  }
});

Deno.test("any bytes are a batch, corrupt or unsupported; a batch encodes to the same bytes again", () => {
  const small = fc.uint8Array({ max: 8, maxLength: 30 });
  let batches = 0;
  fc.assert(fc.property(fc.oneof(small, fc.uint8Array({ maxLength: 60 })), (bytes) => {
    const operations = valueUnlessDamaged(() => decodeBatch(bytes, 0, bytes.length));
    if (operations === undefined) return;
    batches += 1;
    assertEquals(encoded(plain(operations)), bytes.slice());
  }));
  fc.assert(fc.property(operations, (given) => {
    const bytes = payload(built(given));
    assertEquals(encoded(plain(decodeBatch(bytes, 0, bytes.length))), bytes);
    batches += 1;
  }));
  assert(batches >= 100);
});

/** An operation as plain data. */
type Plain = readonly [kind: number, key: string, value: readonly number[] | null];

function plain(operations: readonly Operation[]): Plain[] {
  return operations.map(({ kind, key, value }) => [kind, key, value === null ? null : [...value]]);
}

function expected(given: readonly GivenOperation[]): Plain[] {
  return given.map((one) => {
    if (one.kind === "clear") return [CLEAR, "", null];
    if (one.kind === "remove") return [TOMBSTONE, one.key, null];
    return [PUT, one.key, [...(typeof one.value === "string" ? ENCODER.encode(one.value) : one.value)]];
  });
}

/** The payload of some operations, written a second time and independently. */
function encoded(operations: readonly Plain[]): Uint8Array {
  const u16 = (n: number): number[] => [n & 255, n >> 8];
  const bytes = operations.flatMap(([kind, key, value]) => {
    const keyBytes = Array.from(key, (char) => char.charCodeAt(0));
    if (kind === CLEAR) return [7];
    if (value === null) return [2, ...u16(key.length), ...keyBytes];
    return [1, ...u16(key.length), ...u16(value.length), 0, 0, ...keyBytes, ...value];
  });
  return Uint8Array.of(...u16(operations.length), 0, 0, ...bytes);
}

function built(given: readonly GivenOperation[]): Batch {
  const builder = new BatchBuilder(64);
  addOperations(builder, given);
  return builder.finish();
}

function sample(): Batch {
  return built([
    { kind: "put", key: toKey("key"), value: "value" },
    { kind: "clear" },
    { kind: "remove", key: "" },
    { kind: "put", key: "", value: "" },
    { kind: "remove", key: "gone" },
  ]);
}

function payload({ bytes, start, end }: Batch): Uint8Array {
  return bytes.slice(start + RECORD_HEADER_BYTES, end);
}

function decoded({ bytes, start, end }: Batch): readonly Operation[] {
  return decodeBatch(bytes, start + RECORD_HEADER_BYTES, end);
}

/** Bytes that say they are longer than any test could afford. */
function ofLength(length: number): Uint8Array {
  return Object.defineProperty(new Uint8Array(0), "length", { value: length });
}
