import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Key, Value } from "../../core/bytes.ts";
import {
  checkValue,
  compareBytes,
  compareKey,
  KEY_BYTES_MAX,
  keyFromBytes,
  keySuccessor,
  keyToBytes,
  prefixSuccessor,
  textToBytes,
  toKey,
  VALUE_BYTES_MAX,
  writeKey,
  writeText,
} from "../../core/bytes.ts";
import { byteKey, longKey, text } from "../support/arbitraries.ts";

const ENCODER = new TextEncoder();

Deno.test("a byte string has one char for each byte", () => {
  assertEquals(keyFromBytes(Uint8Array.of(0, 97, 255), 0, 3), "\0a\xff");
  assertEquals(keyToBytes("\0a\xff"), Uint8Array.of(0, 97, 255));
});

Deno.test("bytes of every length come back from their byte string, from inside a buffer too", () => {
  const buffer = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 167) >>> 2);
  const lengths = [...Array(200).keys(), 8_191, 8_192, 8_193, 16_385, 19_990];
  for (const length of lengths) {
    const key = keyFromBytes(buffer, 7, 7 + length);
    assertEquals(key.length, length);
    const back = new Uint8Array(length + 6).fill(1);
    assertEquals(writeKey(key, back, 3), length + 3);
    assert(back.subarray(3, 3 + length).every((byte, i) => byte === buffer[7 + i]), `length ${length}`);
    assertEquals([...back.subarray(0, 3), ...back.subarray(3 + length)], [1, 1, 1, 1, 1, 1]);
  }
});

Deno.test("a string as a key means its UTF-8 bytes", () => {
  assertEquals(toKey("apple"), "apple");
  assertEquals(toKey("é"), "\xc3\xa9");
  assertEquals(toKey("\u{1f34e}"), "\xf0\x9f\x8d\x8e");
  assertEquals(toKey(""), "");
  fc.assert(fc.property(text, (given) => {
    assertEquals(keyToBytes(toKey(given)), ENCODER.encode(given));
    assertEquals(toKey(ENCODER.encode(given)), toKey(given));
  }));
});

Deno.test("what is changed after it was given as a key does not change the key", () => {
  const given = Uint8Array.of(1, 2, 3);
  const key = toKey(given);
  given.fill(9);
  assertEquals(key, "\x01\x02\x03");
});

Deno.test("a key may have 65,535 bytes and not one more, as a string or as bytes", () => {
  assertEquals(toKey("x".repeat(KEY_BYTES_MAX)).length, KEY_BYTES_MAX);
  assertEquals(toKey(new Uint8Array(KEY_BYTES_MAX)).length, KEY_BYTES_MAX);
  assertEquals(toKey(`x${"é".repeat(32_767)}`).length, KEY_BYTES_MAX);
  const tooLong: Key[] = [
    "x".repeat(KEY_BYTES_MAX + 1),
    new Uint8Array(KEY_BYTES_MAX + 1),
    "é".repeat(32_768),
    "é".repeat(KEY_BYTES_MAX + 1),
  ];
  for (const key of tooLong) {
    const error = assertThrows(() => toKey(key, "prefix"), RangeError, "prefix");
    assertStringIncludes(error.message, "at most 65535");
  }
});

Deno.test("what is neither text nor bytes is no key and no value", () => {
  const wrong: [given: unknown, named: string][] = [
    [null, "null"],
    [undefined, "undefined"],
    [1, "number"],
    [[1, 2], "an array"],
    [new ArrayBuffer(2), "object"],
    [new Uint16Array(2), "object"],
  ];
  for (const [given, named] of wrong) {
    assertStringIncludes(assertThrows(() => toKey(given as Key), TypeError).message, `key: it is ${named}`);
    const error = assertThrows(() => checkValue(given as Value), TypeError);
    assertStringIncludes(error.message, `value: it is ${named}`);
  }
});

Deno.test("a lone surrogate has no bytes and is refused, without being shown", () => {
  for (const lone of ["\ud83d", "secret\udc00", "\ud83dx"]) {
    const errors = [
      assertThrows(() => toKey(lone), TypeError),
      assertThrows(() => checkValue(lone), TypeError),
    ];
    for (const error of errors) assert(!error.message.includes("secret"));
  }
});

Deno.test("a value may have 1 GiB and not one byte more", () => {
  checkValue("");
  checkValue("text of any kind: é");
  checkValue(new Uint8Array(3));
  checkValue(ofLength(VALUE_BYTES_MAX));
  for (const what of ["value", "expected value"]) {
    const error = assertThrows(() => checkValue(ofLength(VALUE_BYTES_MAX + 1), what), RangeError);
    assertStringIncludes(error.message, `this ${what}: it is 1073741825 bytes long, at most 1073741824`);
  }
});

Deno.test("byte strings are ordered like the bytes they stand for", () => {
  fc.assert(fc.property(fc.oneof(byteKey, longKey), fc.oneof(byteKey, longKey), (a, b) => {
    const expected = a < b ? -1 : a > b ? 1 : 0;
    const [aBytes, bBytes] = [keyToBytes(`..${a}.`), keyToBytes(`${b}...`)];
    const order = compareBytes(aBytes, 2, 2 + a.length, bBytes, 0, b.length);
    assertEquals(Math.sign(order), expected);
    assertEquals(Math.sign(compareKey(a, bBytes, 0, b.length)), expected);
    assertEquals(Math.sign(compareKey(b, aBytes, 2, 2 + a.length)), -expected + 0);
  }));
});

Deno.test("text is written as UTF-8, short or long, ASCII or not", () => {
  fc.assert(fc.property(fc.oneof(text, fc.string({ minLength: 30, maxLength: 40 })), (given) => {
    const bytes = new Uint8Array(given.length * 3 + 5).fill(7);
    const end = writeText(given, bytes, 2);
    assertEquals(bytes.slice(2, end), ENCODER.encode(given));
    assertEquals(textToBytes(given), ENCODER.encode(given));
    assertEquals([bytes[0], bytes[1], bytes.at(-1)], [7, 7, 7]);
  }));
});

Deno.test("the successor of a prefix is above all keys that begin with it and below all others behind it", () => {
  assertEquals(prefixSuccessor("ab"), "ac");
  assertEquals(prefixSuccessor("a\xff\xff"), "b");
  assertEquals(prefixSuccessor(""), undefined);
  assertEquals(prefixSuccessor("\xff\xff"), undefined);
  fc.assert(fc.property(byteKey, byteKey, (prefix, key) => {
    const end = prefixSuccessor(prefix);
    assertEquals(key.startsWith(prefix), prefix <= key && (end === undefined || key < end));
  }));
});

Deno.test("nothing lies between a key and its successor", () => {
  fc.assert(fc.property(byteKey, byteKey, (key, other) => {
    assert(key < keySuccessor(key));
    assertEquals(other > key, other >= keySuccessor(key));
  }));
});

/** Bytes that say they are longer than any test could afford. */
function ofLength(length: number): Uint8Array {
  return Object.defineProperty(new Uint8Array(0), "length", { value: length });
}
