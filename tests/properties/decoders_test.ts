/**
 * Decoders are total: whatever bytes they are given, they decode them or say that they are damaged, within a bounded memory.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { allocationsOf } from "../support/allocations.ts";
import { isDamage } from "../support/decoder.ts";
import { DECODERS } from "../support/decoders.ts";
import { effort, scaled, SEED, tried } from "../support/effort.ts";
import { fuzzDecoders, outcomeOfDecoding } from "../support/fuzz.ts";
import { Mutator } from "../support/mutator.ts";

/** Inputs for each decoder. */
const INPUTS = scaled(2_500);

/** What a decoder may ask for: this many bytes for each of its input, and a few kilobytes beside. */
const BYTES_EACH_MAX = 16;
const BYTES_FIXED_MAX = 4_096;

/** A byte of lz4 stands for at most 255; a frame's header says how many there are, its checksum that it was meant. */
const EXPANDING: ReadonlySet<string> = new Set(["lz4", "frame of lz4"]);
const EXPANSION_MAX = 255;

Deno.test("mutated encodings are decoded or damaged, with and without right checksums", () => {
  const counts = fuzzDecoders(SEED, INPUTS);
  assertEquals(counts.inputs, INPUTS * DECODERS.length);
  tried(counts.inputs, "inputs of decoders");
  for (const [name, [inputs, accepted, outcomes]] of counts.decoders) {
    assert(
      accepted > 0 && (accepted < inputs || name === "filter"),
      `${name}: ${accepted} of ${inputs} accepted`,
    );
    assert(outcomes > 1, `${name}: all inputs have the same outcome`);
  }
  assert(counts.outcomes > 180, `${counts.outcomes} outcomes`);
});

Deno.test("the same seed gives the same inputs, and another one others", () => {
  const some = DECODERS.filter(({ name }) => name === "edit" || name === "block");
  assertEquals(fuzzDecoders(7, 300, some), fuzzDecoders(7, 300, some));
  const first = (seed: number): string => new Mutator(seed, some[0]!.samples).next().toHex();
  assertEquals(first(7), first(7));
  assert(new Set([1, 2, 3, 4, 5].map(first)).size > 3);
});

Deno.test("an input that had a new outcome is mutated further, one that had a known outcome is not", () => {
  const mutator = new Mutator(1, [Uint8Array.of(1)]);
  const marked = new Uint8Array(64).fill(0xa5);
  mutator.keep(Uint8Array.of(1), "known");
  const countMarked = (): number =>
    Array.from({ length: 200 }, () => mutator.next()).filter((bytes) => bytes.toHex().includes("a5a5a5a5"))
      .length;
  mutator.keep(marked, "known");
  assertEquals([countMarked(), mutator.outcomes], [0, 1]);
  mutator.keep(marked, "new");
  assert(countMarked() > 20);
  assertEquals(mutator.outcomes, 2);
});

Deno.test("a decoder that throws anything else, or decodes what is not well formed, is named with seed and bytes", () => {
  const broken = {
    ...DECODERS[0]!,
    name: "broken",
    decode: (bytes: Uint8Array) => {
      if (bytes.length % 2 === 1) throw new RangeError("out of bounds");
      return 1;
    },
  };
  assertThrows(
    () => fuzzDecoders(5, 200, [broken]),
    Error,
    'Decoder "broken", seed 5: RangeError: out of bounds; input ',
  );
});

Deno.test("any bytes are decoded or damaged by every decoder, sealed or not", () => {
  const few = fc.uint8Array({ max: 4, maxLength: 80 });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), few), fc.boolean(), (bytes, isSealed) => {
      for (const decoder of DECODERS) {
        const own = bytes.slice();
        outcomeOfDecoding(decoder, isSealed ? decoder.seal(own) : own, 0);
      }
    }),
    effort(300),
  );
});

Deno.test("every sample is decoded; what is encoded canonically is encoded to the same bytes again", () => {
  for (const decoder of DECODERS) {
    for (const sample of decoder.samples) {
      const sealed = decoder.seal(sample.slice());
      assertEquals(sealed, sample.slice(), `${decoder.name}: a valid encoding has other checksums`);
      assert(
        outcomeOfDecoding(decoder, sealed, 0).startsWith("decoded"),
        `${decoder.name}: a sample is damaged`,
      );
    }
  }
});

Deno.test("a length or count that lies, at any place and behind right checksums, takes no memory that the input does not", () => {
  let claims = 0;
  for (const decoder of DECODERS) {
    const each = EXPANDING.has(decoder.name) ? EXPANSION_MAX : 0;
    for (const sample of decoder.samples.filter(({ length }) => length < 8_000)) {
      for (let at = 0; at < sample.length; at += sample.length > 600 ? 7 : 1) {
        for (
          const claim of [[0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 1], [0xff, 0xff]]
        ) {
          const bytes = sample.slice();
          bytes.set(claim.slice(0, sample.length - at), at);
          const sealed = decoder.seal(bytes);
          const { bytes: asked, error } = allocationsOf(() => decoder.decode(sealed));
          assert(error === undefined || isDamage(error), `${decoder.name} at byte ${at}: ${error}`);
          const most = (BYTES_EACH_MAX + each) * sealed.length + BYTES_FIXED_MAX;
          assert(asked <= most, `${decoder.name} at byte ${at} asks for ${asked} bytes of ${sealed.length}`);
          claims += 1;
        }
      }
    }
  }
  assert(claims > 20_000, `${claims} claims`);
});

Deno.test("what a function asks for is counted at every kind of buffer and array, and a huge claim is refused", () => {
  const buffer = new Uint8Array(1_000);
  const asked: [action: () => unknown, bytes: number][] = [
    [() => new Uint8Array(1_000), 1_000],
    [() => new Float64Array(100), 800],
    [() => new Uint32Array(100), 400],
    [() => new ArrayBuffer(300), 300],
    [() => new Array(50), 400],
    [() => Array(50), 400],
    [() => new Uint8Array([1, 2, 3]), 3],
    [() => buffer.slice(1, 3), 2],
    [() => [new Uint8Array(10), new Uint8Array(20)], 30],
    [() => 1, 0],
  ];
  for (const [action, bytes] of asked) assertEquals(allocationsOf(action).bytes, bytes, `${action}`);
  assertEquals(allocationsOf(() => new Uint8Array(buffer.buffer, 10, 500)).bytes, 0, "a view takes nothing");
  const copy = allocationsOf(() => buffer.subarray(50).slice(100, 400));
  assertEquals([copy.bytes, copy.value?.length], [300, 300]);
  for (
    const claim of [
      () => new Uint8Array(2 ** 32 - 1),
      () => new Float64Array(2 ** 30),
      () => new Array(2 ** 31),
    ]
  ) {
    assertInstanceOf(allocationsOf<unknown>(claim).error, RangeError);
  }
  assertEquals(allocationsOf(() => new Uint8Array(4) instanceof Uint8Array).value, true);
  assertEquals([new Uint8Array(2).slice().length, Uint8Array.name, Array(3).length], [2, "Uint8Array", 3]);
});
