import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import type { Batch } from "../../core/batch.ts";
import { BATCH_BYTES_MAX, BatchBuilder, decodeBatch } from "../../core/batch.ts";
import { toKey, VALUE_BYTES_MAX } from "../../core/bytes.ts";
import { CLEAR, PUT, TOMBSTONE } from "../../core/entry_kind.ts";
import { CorruptionError, UnsupportedFormatError } from "../../core/errors.ts";
import { RECORD_HEADER_BYTES } from "../../core/record.ts";
import type { GivenOperation } from "../support/arbitraries.ts";
import { operations } from "../support/arbitraries.ts";
import { cutOff, everyChange, extended, joined, sameBytes, valueUnlessDamaged } from "../support/damage.ts";
import type { PlainOperation } from "../support/record_files.ts";
import { addOperations, plainOperations } from "../support/record_files.ts";

const ENCODER = new TextEncoder();

Deno.test("a batch is its operations in order, each with the place where it stands in the bytes", () => {
  const builder = new BatchBuilder(1024);
  builder.put("a", Uint8Array.of(1, 2));
  builder.remove("b");
  builder.clear();
  builder.put("", "é");
  assertEquals(builder.length, 4);
  const batch = builder.finish();
  const first = RECORD_HEADER_BYTES + 4;
  assertEquals(batch.operations, [
    { kind: PUT, key: "a", at: first },
    { kind: TOMBSTONE, key: "b", at: first + 10 },
    { kind: CLEAR, key: "", at: first + 14 },
    { kind: PUT, key: "", at: first + 15 },
  ]);
  assertEquals(built(batch), [[PUT, "a", [1, 2]], [TOMBSTONE, "b", null], [CLEAR, "", null], [PUT, "", [
    0xc3,
    0xa9,
  ]]]);
  assertEquals(builder.length, 0);
});

Deno.test("a batch decodes to what it was built of, in chunks of any size", () => {
  const batches = fc.array(operations, { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(batches, fc.constantFrom(0, 40, 64, 100, 4096), (given, chunkBytes) => {
    const builder = new BatchBuilder(chunkBytes);
    const batches = given.map((operations) => {
      addOperations(builder, operations);
      assertEquals(builder.length, operations.length);
      return builder.finish();
    });
    // All of them are looked at when all of them are built: a later batch must not touch an earlier one.
    for (const [i, batch] of batches.entries()) {
      assertEquals(built(batch), expected(given[i]!));
      assertEquals(decoded(batch), expected(given[i]!));
      assertEquals(encoded(decoded(batch)), payload(batch));
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
  assertEquals(built(builder.finish()), [[PUT, "a", [1, 2, 3]], [PUT, "b", [9, 9]]]);
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
  assertEquals(built(batch), [
    [PUT, "a", Array(10).fill(1)],
    [TOMBSTONE, "b", null],
    [PUT, "c", Array(500).fill(2)],
    [CLEAR, "", null],
  ]);
  assertEquals(built(before), [[PUT, "first", [...ENCODER.encode("of a batch before")]]]);
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
    assertEquals(decoded(builder.peek()), [[PUT, "a", [0x31]]]);
    builder.put("b", "22");
    assertEquals(builder.length, 2);
    assertEquals(builder.peek(), builder.peek());
    const batch = builder.finish();
    assertEquals(decoded(batch), [[PUT, "a", [0x31]], [PUT, "b", [0x32, 0x32]]]);
    assertEquals(built(batch), decoded(batch));
    assertEquals(builder.length, 0);
  }
});

Deno.test("a small batch of another builder is copied behind the others, a large one stays where it is", () => {
  fc.assert(fc.property(fc.array(operations, { minLength: 1, maxLength: 6 }), (given) => {
    const own = new BatchBuilder(600);
    const batches = given.map((operations, i) => {
      const theirs = batchOf(operations);
      const before = payload(theirs);
      const adopted = own.adopt(theirs);
      assertEquals([payload(adopted), payload(theirs)], [before, before]);
      assertEquals(adopted === theirs, before.length + RECORD_HEADER_BYTES > 150);
      own.put("own", `${i}`);
      return [adopted, own.finish()] as const;
    });
    for (const [i, [adopted, next]] of batches.entries()) {
      assertEquals(built(adopted), expected(given[i]!));
      assertEquals(decoded(adopted), expected(given[i]!));
      const own = [[PUT, "own", [...ENCODER.encode(`${i}`)]]];
      assertEquals([built(next), decoded(next)], [own, own]);
    }
  }));
});

Deno.test("strings of every length and kind are stored as their UTF-8 bytes", () => {
  const texts = ["", "x", "é", "\u{1f44d}", "\0", "ascii and é"];
  for (const length of [31, 32, 33, 4_095, 4_096, 4_097, 10_000]) {
    texts.push("x".repeat(length), "é".repeat(length), `${"x".repeat(length - 1)}\u20ac`);
  }
  for (const chunkBytes of [64, 100_000]) {
    const builder = new BatchBuilder(chunkBytes);
    for (const text of texts) builder.put("key", text);
    for (const [i, [, , value]] of built(builder.finish()).entries()) {
      assert(new TextDecoder().decode(Uint8Array.from(value!)) === texts[i], `text ${i}`);
    }
  }
});

Deno.test("keys of the greatest length fit", () => {
  const builder = new BatchBuilder(64);
  const key = "\xff".repeat(65_535);
  builder.put(key, "");
  builder.remove(key);
  const batch = builder.finish();
  assert(decoded(batch).every(([, decodedKey]) => decodedKey === key));
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
  assertEquals(built(builder.finish()), [[PUT, "a", [0x31]]]);
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
    if (operations !== undefined) {
      assert(sameBytes(encoded(plainOperations(changed, operations)), changed.subarray(5, 5 + bytes.length)));
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
    assertEquals(encoded(plainOperations(bytes, operations)), bytes.slice());
  }));
  fc.assert(fc.property(operations, (given) => {
    const batch = batchOf(given);
    assertEquals(encoded(decoded(batch)), payload(batch));
    batches += 1;
  }));
  assert(batches >= 100);
});

function expected(given: readonly GivenOperation[]): PlainOperation[] {
  return given.map((one) => {
    if (one.kind === "clear") return [CLEAR, "", null];
    if (one.kind === "remove") return [TOMBSTONE, one.key, null];
    return [PUT, one.key, [...(typeof one.value === "string" ? ENCODER.encode(one.value) : one.value)]];
  });
}

/** The payload of some operations, written a second time and independently. */
function encoded(operations: readonly PlainOperation[]): Uint8Array {
  const u16 = (n: number): number[] => [n & 255, n >> 8];
  const bytes = operations.flatMap(([kind, key, value]) => {
    const keyBytes = Array.from(key, (char) => char.charCodeAt(0));
    if (kind === CLEAR) return [7];
    if (value === null) return [2, ...u16(key.length), ...keyBytes];
    return [1, ...u16(key.length), ...u16(value.length), 0, 0, ...keyBytes, ...value];
  });
  return Uint8Array.of(...u16(operations.length), 0, 0, ...bytes);
}

function batchOf(given: readonly GivenOperation[]): Batch {
  const builder = new BatchBuilder(64);
  addOperations(builder, given);
  return builder.finish();
}

function sample(): Batch {
  return batchOf([
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

/** What a batch says that it is. */
function built({ bytes, operations }: Batch): PlainOperation[] {
  return plainOperations(bytes, operations);
}

/** What the bytes of a batch say. */
function decoded({ bytes, start, end }: Batch): PlainOperation[] {
  return plainOperations(bytes, decodeBatch(bytes, start + RECORD_HEADER_BYTES, end));
}

/** Bytes that say they are longer than any test could afford. */
function ofLength(length: number): Uint8Array {
  return Object.defineProperty(new Uint8Array(0), "length", { value: length });
}
