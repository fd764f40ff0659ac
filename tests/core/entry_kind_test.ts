import { assertEquals, assertInstanceOf } from "@std/assert";
import { CLEAR, PUT, TOMBSTONE, unknownKind } from "../../core/entry_kind.ts";
import { UnsupportedFormatError } from "../../core/errors.ts";

Deno.test("kinds of entries keep their numbers, and none is 0", () => {
  assertEquals([PUT, TOMBSTONE, CLEAR], [1, 2, 7]);
});

Deno.test("a kind that is not known was written by a newer module", () => {
  const error = unknownKind(4, "a block");
  assertInstanceOf(error, UnsupportedFormatError);
  assertEquals(
    error.message,
    "Cannot read a block: it has an entry of kind 4, which this module does not know; update the module",
  );
});
