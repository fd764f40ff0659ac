/**
 * A block with a key of more than 65,535 bytes is no block: no key can be so long.
 *
 * Ends of four bytes let a key be as long as its block. Such a block was read, and handed out a key that no call takes; a merge would
 * have written the length of it cut off to two bytes.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { Block } from "../../core/block.ts";
import { CorruptionError } from "../../core/errors.ts";
import { writeU32 } from "../../core/little_endian.ts";

/** Returns a block of one put with an empty value; lengths in four bytes, or the key's in two. */
function blockOf(prefixBytes: number, keyBytes: number, isWide: boolean): Uint8Array {
  const bytes = new Uint8Array((isWide ? 15 : 13) + prefixBytes + keyBytes);
  bytes.set([1, 0, 0, 0, isWide ? 2 | 4 | 16 : 1 | 2 | 4, prefixBytes, prefixBytes >>> 8]);
  if (isWide) writeU32(bytes, 7, keyBytes);
  else bytes.set([keyBytes, keyBytes >>> 8], 7);
  return bytes;
}

Deno.test("a key may have 65,535 bytes and not one more in a block, wherever its length stands", () => {
  for (
    const [prefixBytes, keyBytes, isWide] of [[0, 65_535, true], [65_535, 0, false], [
      35,
      65_500,
      false,
    ]] as const
  ) {
    assertEquals(new Block(blockOf(prefixBytes, keyBytes, isWide)).key(0).length, 65_535);
  }
  for (
    const [prefixBytes, keyBytes, isWide] of [
      [0, 65_536, true],
      [0, 70_000, true],
      [1, 65_535, true],
      [1, 65_535, false],
      [65_535, 65_535, false],
    ] as const
  ) {
    assertThrows(
      () => new Block(blockOf(prefixBytes, keyBytes, isWide)),
      CorruptionError,
      "a key is too long",
    );
  }
});
