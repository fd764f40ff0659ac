import { assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { checksum, placeSeed } from "../../core/checksum.ts";
import { u32 } from "../support/arbitraries.ts";
import { joined } from "../support/damage.ts";

const DIGITS = new TextEncoder().encode("123456789");

Deno.test("the checksum is CRC-32 as everybody has it", () => {
  assertEquals(checksum(DIGITS, 0, 9, 0), 0xcbf43926);
  assertEquals(checksum(DIGITS, 0, 0, 0), 0);
});

Deno.test("only the bytes of the range count, wherever their buffer begins", () => {
  const around = joined(DIGITS, DIGITS, DIGITS).subarray(4);
  assertEquals(checksum(around, 5, 14, 0), 0xcbf43926);
});

Deno.test("a checksum can be taken in pieces", () => {
  fc.assert(fc.property(fc.uint8Array(), fc.uint8Array(), u32, (a, b, seed) => {
    const whole = joined(a, b);
    const first = checksum(whole, 0, a.length, seed);
    assertEquals(checksum(whole, a.length, whole.length, first), checksum(whole, 0, whole.length, seed));
  }));
});

Deno.test("the same bytes have another checksum under any other seed", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1 }), u32, u32, (bytes, a, b) => {
    assertEquals(checksum(bytes, 0, bytes.length, a) === checksum(bytes, 0, bytes.length, b), a === b);
  }));
});

Deno.test("no two places of a file below 4 GiB have the same seed, nor the same place in two files", () => {
  fc.assert(fc.property(u32, u32, u32, u32, (fileA, fileB, a, b) => {
    assertEquals(placeSeed(fileA, a) === placeSeed(fileA, b), a === b);
    assertEquals(placeSeed(fileA, a) === placeSeed(fileB, a), fileA === fileB);
    assertEquals(placeSeed(fileA, a), placeSeed(fileA, a) >>> 0);
  }));
});

Deno.test("places above 4 GiB have seeds of their own", () => {
  const far = [0, 1, 2, 3, 2_097_151].map((high) => placeSeed(7, high * 2 ** 32 + 5));
  assertEquals(new Set(far).size, 5);
  assertNotEquals(placeSeed(7, 2 ** 32), placeSeed(7, 0));
});
