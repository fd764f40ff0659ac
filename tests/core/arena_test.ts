import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { Arena } from "../../core/arena.ts";
import { BatchBuilder } from "../../core/batch.ts";

const SLOT_BYTES = 256 * 1024;

Deno.test("a position leads to the value of its put", () => {
  const builder = new BatchBuilder(1024);
  builder.put("a", "one");
  builder.put("key", "");
  const { bytes, operations } = builder.finish();
  const arena = new Arena();
  const base = arena.baseOf(bytes);
  const values = operations.map(({ at }) => {
    const found = arena.valueAt(base + at);
    assertStrictEquals(found.bytes, bytes);
    return new TextDecoder().decode(found.bytes.subarray(found.start, found.end));
  });
  assertEquals(values, ["one", ""]);
});

Deno.test("a chunk that was added last is not added again", () => {
  const arena = new Arena();
  const [a, b] = [new Uint8Array(10), new Uint8Array(10)];
  assertEquals([arena.baseOf(a), arena.baseOf(a), arena.baseOf(b)], [0, 0, SLOT_BYTES]);
});

Deno.test("positions of chunks of any length never meet, and what one means stays", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 4 * SLOT_BYTES }), { maxLength: 12 }), (lengths) => {
      const arena = new Arena();
      const chunks = lengths.map((length) => new Uint8Array(length));
      const bases = chunks.map((chunk) => arena.baseOf(chunk));
      for (const [i, chunk] of chunks.entries()) {
        for (const at of [0, chunk.length >>> 1, chunk.length - 1]) {
          const found = arena.chunkAt(bases[i]! + at);
          assertStrictEquals(found.bytes, chunk);
          assertEquals(found.base, bases[i]);
        }
      }
    }),
  );
});
