import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Block } from "../../core/block.ts";
import { BlockBuilder } from "../../core/block.ts";
import { keyToBytes } from "../../core/bytes.ts";
import { checksum, placeSeed } from "../../core/checksum.ts";
import { PUT } from "../../core/entry_kind.ts";
import { CorruptionError } from "../../core/errors.ts";
import { FILE_HEADER_BYTES } from "../../core/file_header.ts";
import { filterMayContain, hashKey } from "../../core/filter.ts";
import { FRAME_HEADER_BYTES } from "../../core/frame.ts";
import { ByteWriter, writeU32, writeU64 } from "../../core/little_endian.ts";
import {
  decodeFooter,
  decodeProperties,
  FOOTER_BYTES,
  INDEX_BYTES_MAX,
  SegmentBuilder,
  SegmentIndex,
} from "../../core/segment.ts";
import type { GivenEntry } from "../support/arbitraries.ts";
import { byteKey, entriesOf, longKey, value } from "../support/arbitraries.ts";
import {
  cutOff,
  everyChange,
  extended,
  joined,
  sameBytes,
  someChanges,
  valueUnlessDamaged,
} from "../support/damage.ts";
import { SALT } from "../support/record_files.ts";
import { RUN_LENGTH } from "../support/run_length_codec.ts";
import { ORIGIN, readSegment, SEGMENT_OPTIONS, segmentFile } from "../support/segment_files.ts";

/** Keys of which many share a prefix, and more the first six bytes behind it. */
const closeKey = fc.tuple(
  fc.constantFrom("user:", "user:0000", "user:0000\0\0\0", "user:00001234567"),
  fc.string({ unit: fc.constantFrom("\0", "a", "\xff"), maxLength: 8 }),
).map(([prefix, rest]) => prefix + rest);
const entries = fc.oneof(
  entriesOf(byteKey, fc.option(value, { nil: null }), { minLength: 1, maxLength: 30 }),
  entriesOf(closeKey, fc.option(value, { nil: null }), { minLength: 1, maxLength: 40 }),
  entriesOf(longKey, fc.constantFrom(null, new Uint8Array(40)), { minLength: 1, maxLength: 20 }),
);

Deno.test("a segment tells what the version needs to know of it", () => {
  const { meta, file } = segmentFile([["a", bytesOf("1")], ["b", null], ["c", bytesOf("3")]]);
  assertEquals(meta, {
    id: 12,
    size: file.length,
    minKey: "a",
    maxKey: "c",
    entries: 3,
    tombstones: 1,
    seqnoMin: 3,
    seqnoMax: 9,
    writtenAt: 1_700_000_000_000,
    salt: SALT,
  });
});

Deno.test("any entries come back from a segment, which says of itself what it said of them", () => {
  const seen = { packed: 0, several: 0, unfiltered: 0 };
  const codec = fc.constantFrom(SEGMENT_OPTIONS.codec, RUN_LENGTH);
  fc.assert(
    fc.property(
      entries,
      codec,
      fc.constantFrom(0, 10),
      fc.constantFrom(1, 24, 200),
      (given, codec, bits, blockSize) => {
        const { meta, file } = segmentFile(given, { codec, filterBitsPerKey: bits, blockSize });
        const { footer, filter, index, properties, blocks } = readSegment(file);
        assertEquals(blocks.flatMap(entriesIn), [...given]);
        assertEquals(meta.size, file.length);
        const { id: _, size: __, salt: ___, ...known } = meta;
        const rawBytes = blocks.reduce((sum, block) => sum + block.bytes.length, 0);
        assertEquals(properties, {
          ...known,
          blocks: blocks.length,
          rawBytes,
          hashSeed: SEGMENT_OPTIONS.hashSeed,
        });
        assertEquals(filter.length === 0, bits === 0);
        for (const [key] of given) assert(filterMayContain(filter, hashKey(key, SEGMENT_OPTIONS.hashSeed)));
        if (index.offset(1) < FILE_HEADER_BYTES + FRAME_HEADER_BYTES + blocks[0]!.bytes.length) {
          seen.packed += 1;
        }
        if (blocks.length > 3) {
          seen.several += 1;
        }
        if (footer.filterBytes === 0) seen.unfiltered += 1;
      },
    ),
  );
  assert(seen.packed > 0 && seen.several > 20 && seen.unfiltered > 20, JSON.stringify(seen));
});

Deno.test("a block ends before the entry that would make it larger than wanted, and has one at least", () => {
  const given = [10, 10, 10, 50, 1, 1].map((size, i): GivenEntry => [`${i}`, new Uint8Array(size)]);
  const counts = (blockSize: number): number[] =>
    readSegment(segmentFile(given, { blockSize }).file).blocks.map(({ count }) => count);
  // A key of one byte and a value of ten are 11 bytes, and one more for each entry that is there already.
  assertEquals(counts(23), [2, 1, 1, 2]);
  assertEquals(counts(22), [1, 1, 1, 1, 2]);
});

Deno.test("a separator is the shortest key that is above the block before and not above its own", () => {
  fc.assert(fc.property(entries, (given) => {
    const { indexBlock, blocks } = readSegment(segmentFile(given).file);
    assertEquals([indexBlock.count, indexBlock.key(0)], [blocks.length, ""]);
    for (let i = 1; i < blocks.length; i++) {
      const separator = indexBlock.key(i);
      const last = blocks[i - 1]!.key(blocks[i - 1]!.count - 1);
      assert(last < separator && separator <= blocks[i]!.key(0));
      assert(blocks[i]!.key(0).startsWith(separator) && separator.slice(0, -1) <= last);
    }
  }));
});

Deno.test("the index finds the block that a look at every separator finds, also among equal heads", () => {
  const seen = { ties: 0, outside: 0 };
  const asked = fc.array(fc.oneof(closeKey, byteKey, longKey), { minLength: 5, maxLength: 20 });
  fc.assert(fc.property(entries, asked, fc.constantFrom(1, 24), (given, others, blockSize) => {
    const { index, indexBlock, blocks } = readSegment(segmentFile(given, { blockSize }).file);
    const separators = Array.from({ length: index.count }, (_, i) => indexBlock.key(i));
    const common = separators.length < 2 ? "" : shared(separators[1]!, separators.at(-1)!);
    const head = (key: string): string => key.slice(common.length, common.length + 6).padEnd(6, "\0");
    const near = given.flatMap(([key]) => [key, `${key}\0`, key.slice(0, -1)]);
    for (const key of [...near, ...others]) {
      const found = index.find(key);
      assertEquals(found, separators.findLastIndex((separator) => separator <= key));
      if (!key.startsWith(common)) seen.outside += 1;
      else if (separators.slice(1).filter((one) => head(one) === head(key)).length > 1) seen.ties += 1;
    }
    for (const [i, block] of blocks.entries()) {
      for (const [key] of entriesIn(block)) assertEquals(index.find(key), i);
    }
  }));
  assert(seen.ties > 100 && seen.outside > 100, JSON.stringify(seen));
});

Deno.test("the index finds its way among very many separators with the same head", () => {
  const builder = new BlockBuilder(false);
  const frame = Uint8Array.of(1, 0, 0, 0);
  const separators = [
    "",
    "a",
    ...Array.from({ length: 20_000 }, (_, i) => `userprofile:${i + 100_000}`),
    "z",
  ];
  for (const key of separators) builder.add(PUT, keyToBytes(key), key.length, 0, frame, 0, 4);
  const index = new SegmentIndex(builder.finish(0), FILE_HEADER_BYTES + separators.length, "segment-000012");
  for (let i = 1; i < separators.length; i += 7) {
    const found = index.find(`${separators[i]}x`);
    assert(found === i, `${found} is not ${i}`);
  }
});

Deno.test("every changed byte of a segment is found by reading it, there being none that do not count", () => {
  for (const codec of [SEGMENT_OPTIONS.codec, RUN_LENGTH]) {
    const { file } = segmentFile(sample(), { codec });
    assertEquals(readSegment(file).blocks.length, 3);
    for (const { at, bytes } of someChanges(file)) {
      const parts = valueUnlessDamaged(() => readSegment(bytes));
      assert(parts === undefined, `byte ${at} was missed`);
    }
  }
});

Deno.test("a segment that is cut off or extended is found out by its footer", () => {
  const { file } = segmentFile(sample());
  for (const damaged of [...cutOff(file), ...extended(file)]) {
    assertInstanceOf(assertThrows(() => readSegment(damaged)), CorruptionError);
  }
});

Deno.test("blocks that changed places, or come from another segment, are found", () => {
  const given = ["a", "b", "c"].map((key): GivenEntry => [key, new Uint8Array(20)]);
  const { file } = segmentFile(given);
  const { index } = readSegment(file);
  const [a, b, c] = [0, 1, 2].map((i) => index.offset(i)) as [number, number, number];
  assertEquals(b - a, c - b);
  const swapped = joined(file.subarray(0, a), file.subarray(b, c), file.subarray(a, b), file.subarray(c));
  assertThrows(() => readSegment(swapped), CorruptionError, "bad checksum");
  for (
    const other of [segmentFile(given, {}, 13).file, segmentFile(given, {}, 12, { ...SALT, low: 1 }).file]
  ) {
    assertEquals(other.length, file.length);
    for (
      const [from, to] of [[a, b], [b, c], [c, file.length - FOOTER_BYTES], [
        file.length - FOOTER_BYTES,
        file.length,
      ]]
    ) {
      const mixed = joined(file.subarray(0, from), other.subarray(from, to), file.subarray(to));
      assertThrows(() => readSegment(mixed), CorruptionError, "bad checksum");
    }
  }
});

Deno.test("a footer is checked before it is believed, and must fit the file", () => {
  const footer = (filterOffset: number, filterBytes: number, indexBytes: number, propertiesBytes: number) => {
    const bytes = new Uint8Array(FOOTER_BYTES);
    writeU64(bytes, 0, filterOffset);
    [filterBytes, indexBytes, propertiesBytes].forEach((length, i) => writeU32(bytes, 8 + 4 * i, length));
    writeU32(bytes, 20, checksum(bytes, 0, 20, placeSeed(5, 976)));
    return bytes;
  };
  const read = (bytes: Uint8Array, size = 1_000) => () => decodeFooter(bytes, 5, size, "segment-000012");
  const good = footer(500, 0, 400, 76);
  assertEquals(read(good)(), { filterOffset: 500, filterBytes: 0, indexBytes: 400, propertiesBytes: 76 });
  for (const { bytes } of everyChange(good)) assertThrows(read(bytes), CorruptionError, "bad checksum");
  for (
    const wrong of [
      footer(27, 0, 873, 76),
      footer(500, 0, 400, 77),
      footer(500, 0, 400, 75),
      footer(500, 0, 0xffff_ffff, 76),
      footer(2 ** 53, 0, 0, 0),
    ]
  ) {
    const error = assertThrows(read(wrong), CorruptionError, "do not fit the file");
    assertEquals([error.file, error.offset], ["segment-000012", 976]);
  }
  for (const wrong of [...cutOff(good), joined(good, new Uint8Array(1))]) {
    assertThrows(read(wrong), CorruptionError);
  }
  assertThrows(read(good, 10), CorruptionError);
});

Deno.test("an index that makes no sense is corrupt, though its checksum fits", () => {
  const index = (separators: [key: string, length: number][], valueBytes = 4, end = 10) => {
    const builder = new BlockBuilder(false);
    for (const [key, length] of separators) {
      const value = new Uint8Array(8);
      writeU32(value, 0, length);
      builder.add(PUT, keyToBytes(key), key.length, 0, value, 0, valueBytes);
    }
    return () => new SegmentIndex(builder.finish(0), FILE_HEADER_BYTES + end, "segment-000012");
  };
  assertEquals(index([["", 4], ["b", 6]])().count, 2);
  assertThrows(index([]), CorruptionError, "it does not begin with the empty key");
  assertThrows(index([["a", 4], ["b", 6]]), CorruptionError, "it does not begin with the empty key");
  assertThrows(index([["", 4], ["b", 3], ["a", 3]]), CorruptionError, "not in order");
  assertThrows(index([["", 4], ["b", 6]], 5), CorruptionError, "an entry is not a length");
  const error = assertThrows(index([["", 4], ["b", 7]]), CorruptionError, "its lengths do not fit the file");
  assertEquals([error.file, error.offset], ["segment-000012", FILE_HEADER_BYTES + 10]);
});

Deno.test("any bytes are an index, corrupt or unsupported", () => {
  fc.assert(fc.property(fc.uint8Array({ max: 4, maxLength: 40 }), fc.nat(100), (bytes, end) => {
    const index = valueUnlessDamaged(() => new SegmentIndex(bytes, end, "segment-000012"));
    if (index !== undefined) assert(index.find("a") < index.count);
  }));
  const { indexBlock, footer } = readSegment(segmentFile(sample()).file);
  for (const { bytes } of everyChange(indexBlock.bytes)) {
    const index = valueUnlessDamaged(() => new SegmentIndex(bytes, footer.filterOffset, "segment-000012"));
    if (index !== undefined) {
      assert(index.find("a") >= 0 && index.offset(index.count) === footer.filterOffset);
    }
  }
});

Deno.test("properties are decoded whole or not at all, and encode to the same bytes again", () => {
  const bytes = propertiesBlock();
  assertEquals(decodeProperties(bytes).maxKey, "zebra");
  for (const damaged of [...cutOff(bytes), ...extended(bytes)]) {
    assertThrows(() => decodeProperties(damaged), CorruptionError, "the properties of a segment");
  }
  for (const { bytes: changed } of everyChange(bytes)) {
    const properties = valueUnlessDamaged(() => decodeProperties(changed));
    if (properties === undefined) continue;
    const { entries, tombstones, seqnoMin, seqnoMax, writtenAt, blocks, rawBytes, hashSeed, minKey, maxKey } =
      properties;
    const writer = new ByteWriter().u64(entries).u64(tombstones).u64(seqnoMin).u64(seqnoMax).u64(writtenAt);
    const again = writer.u64(blocks).u64(rawBytes).u32(hashSeed).key(minKey).key(maxKey).finish();
    assert(sameBytes(again, changed));
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 90 }), (any) => {
    valueUnlessDamaged(() => decodeProperties(any));
  }));
});

Deno.test("a builder knows about how large its file is, and when its index may not grow", () => {
  let emitted = 0;
  const options = { ...SEGMENT_OPTIONS, filterBitsPerKey: 0, blockSize: 1 };
  const builder = new SegmentBuilder(12, SALT, options, ORIGIN, (bytes) => emitted += bytes.length);
  assertEquals([builder.bytes, emitted], [FILE_HEADER_BYTES, FILE_HEADER_BYTES]);
  const key = new Uint8Array(60_004).fill(120);
  let added = 0;
  while (!builder.isFull) {
    key.set(bytesOf(`${1_000 + added}`), 60_000);
    builder.add(false, key, key.length, key, 0, 2);
    added += 1;
    assert(builder.bytes >= added * 60_006);
  }
  assert(added > 120 && added < 160, `${added} entries`);
  const { size } = builder.finish();
  assertEquals(size, emitted);
  const index = size - added * 60_000;
  assert(index > 60_000 && index < INDEX_BYTES_MAX + 200_000, `${index}`);
});

Deno.test("an index says how much memory it takes", () => {
  const { index, indexBlock } = readSegment(segmentFile(sample()).file);
  assertEquals(index.bytes, indexBlock.bytes.length + 8 * 4 + 8 * 3);
});

/** Entries for three blocks. */
function sample(): GivenEntry[] {
  return [
    ["apple", bytesOf("red")],
    ["banana", null],
    ["cherry", new Uint8Array(30)],
    ["date", bytesOf("")],
    ["elder", bytesOf("black")],
  ];
}

function propertiesBlock(): Uint8Array {
  const writer = new ByteWriter();
  for (let i = 0; i < 7; i++) writer.u64(1_000 + i);
  return writer.u32(7).key("").key("zebra").finish();
}

function entriesIn(block: Block): GivenEntry[] {
  return Array.from({ length: block.count }, (_, i) => {
    const value = block.bytes.slice(block.valueStart(i), block.valueEnd(i));
    return [block.key(i), block.isTombstone(i) ? null : value];
  });
}

function shared(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
