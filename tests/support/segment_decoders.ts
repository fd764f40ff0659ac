/**
 * The decoders of segments and their parts, and the codecs, for the fuzzer.
 *
 * A block is read up to its last entry and searched, an index asked for keys and places, a codec told a number of bytes that may be
 * a lie. A whole segment is sealed by where its frames stood before it was changed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Block } from "../../core/block.ts";
import { KEY_BYTES_MAX } from "../../core/bytes.ts";
import { CorruptionError } from "../../core/errors.ts";
import { decodeFileHeader, encodeFileHeader, FILE_HEADER_BYTES } from "../../core/file_header.ts";
import { filterMayContain } from "../../core/filter.ts";
import { decodeFrame, encodeFrame, FRAME_DATA, FRAME_HEADER_BYTES } from "../../core/frame.ts";
import type { FrameType } from "../../core/frame.ts";
import { ByteWriter, readU32, readU64, writeU32, writeU64 } from "../../core/little_endian.ts";
import { decodeFooter, decodeProperties, FOOTER_BYTES, SegmentIndex } from "../../core/segment.ts";
import { CODECS } from "../../io/codecs.ts";
import { bytesOfDump, SEGMENT_DUMP } from "../golden/format_1.ts";
import { build, compressed, rows } from "./blocks.ts";
import { joined } from "./damage.ts";
import { SALT } from "./record_files.ts";
import { resealFooter, resealFrame, resealHeader, resealSegment, segmentPlaces } from "./resealed.ts";
import { readSegment, segmentFile } from "./segment_files.ts";
import type { Decoder } from "./decoder.ts";
import { asIs, same } from "./decoder.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const NAME = "segment-000012";
const segment = bytesOfDump(SEGMENT_DUMP);
const { header: sampleHeader } = encodeFileHeader("segment", 12, SALT);

/** Segments of several blocks, with and without a filter. */
const segments: readonly Bytes[] = [
  segment,
  segmentFile([["a", null]], { filterBitsPerKey: 0 }).file,
  segmentFile(Array.from({ length: 12 }, (_, i) => [`key ${i}`, new Uint8Array(i * 3)] as const).sort(byKey))
    .file,
];

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** Blocks of every layout: keys and values of one length or several, puts and tombstones, wide ones. */
const blocks: readonly Uint8Array[] = [
  ...segments.flatMap((file) => readSegment(file).blocks.map(({ bytes }) => bytes)),
  readSegment(segmentFile([["a", new Uint8Array(70_000)], ["bc", null]], { blockSize: 100_000 }).file)
    .blocks[0]!
    .bytes,
];

const indexes = segments.map((file) => {
  const { indexBlock, footer } = readSegment(file);
  const bytes = new Uint8Array(8 + indexBlock.bytes.length);
  writeU64(bytes, 0, footer.filterOffset);
  bytes.set(indexBlock.bytes, 8);
  return bytes;
});

/** Where keys are copied to; a reader has one such buffer for each cursor. */
const KEY_BUFFER = new Uint8Array(KEY_BYTES_MAX);

/** Uses a block as readers do, and checks that each entry is well formed. */
export function readBlock(block: Block): number {
  for (let i = 0; i < block.count; i++) {
    const length = block.copyKey(i, KEY_BUFFER);
    assert(length <= KEY_BYTES_MAX && block.key(i).length === length, "a key is too long");
    const [start, end] = [block.valueStart(i), block.valueEnd(i)];
    assert(start >= 0 && start <= end && end <= block.bytes.length, "a value lies outside");
    block.isTombstone(i);
  }
  for (const key of ["", "a", "key 5", "\xff\xff"]) {
    const at = block.seek(key);
    assert(at >= 0 && at <= block.count && block.find(key, 7) < block.count, "a search leads outside");
  }
  block.checkOrder();
  return block.count;
}

const places = segments.map((file) => [file.length, segmentPlaces(file)] as const);

/** Seals a segment by the places of the sample that it has most likely come from. */
function sealSegment(bytes: Bytes): Bytes {
  const near = places.toSorted(([a], [b]) => Math.abs(a - bytes.length) - Math.abs(b - bytes.length))[0]!;
  return resealSegment(bytes, near[1]);
}

/** Seals a single frame that stands at byte 0 of a file. */
function sealFrame(bytes: Bytes): Bytes {
  resealFrame(bytes, { start: 0, end: bytes.length }, 5);
  return bytes;
}

function frames(name: "none" | "lz4" | "zstd"): Bytes[] {
  return [rows(3), rows(40), new Uint8Array(300), ...blocks.slice(0, 3)].map((block) =>
    encodeFrame(joined(new Uint8Array(FRAME_HEADER_BYTES), block), FRAME_DATA, CODECS[name], 5, 0)
  );
}

function frameDecoder(name: "none" | "lz4" | "zstd"): Decoder {
  return {
    name: `frame of ${name}`,
    samples: frames(name),
    seal: sealFrame,
    decode: (bytes) => {
      const block = decodeFrame(bytes, FRAME_DATA as FrameType, CODECS, 5, 0, NAME);
      assertEquals(block.length, readU32(bytes, 4));
      return block.length;
    },
  };
}

const PIECES: Parameters<typeof build>[0] = [
  { kind: "fresh", bytes: 90, seed: 3 },
  { kind: "run", bytes: 700, value: 7 },
  { kind: "copy", bytes: 300, back: 500 },
];

/** What a codec is given: the number of bytes that is expected, in four bytes, then what is compressed. */
function codecDecoder(name: "lz4" | "zstd"): Decoder {
  const packed = (block: Uint8Array): Bytes => {
    const bytes = joined(new Uint8Array(4), compressed(CODECS[name], block));
    writeU32(bytes, 0, block.length);
    return bytes;
  };
  return {
    name,
    samples: [rows(3), rows(40), new Uint8Array(300), new Uint8Array(100_000), build(PIECES)].map(packed),
    seal: asIs,
    decode: (bytes) => {
      if (bytes.length < 4) throw new CorruptionError("too short for a claim");
      const claim = readU32(bytes, 0);
      const raw = CODECS[name].decompress(bytes.subarray(4), claim);
      assertEquals(raw.length, claim);
      return raw.length;
    },
  };
}

/** What a segment and its parts are decoded with. */
export const SEGMENT_DECODERS: readonly Decoder[] = [
  {
    name: "file header",
    samples: [segment.slice(0, FILE_HEADER_BYTES)],
    seal: (bytes) => {
      resealHeader(bytes);
      return bytes;
    },
    decode: (bytes) => {
      const { salt } = decodeFileHeader(bytes, "segment", 12, NAME);
      same(encodeFileHeader("segment", 12, salt).bytes, bytes.subarray(0, FILE_HEADER_BYTES));
      return 1;
    },
  },
  { name: "block", samples: blocks, seal: asIs, decode: (bytes) => readBlock(new Block(bytes)) },
  frameDecoder("none"),
  frameDecoder("lz4"),
  frameDecoder("zstd"),
  codecDecoder("lz4"),
  codecDecoder("zstd"),
  {
    name: "filter",
    samples: segments.map((file) => readSegment(file).filter).filter(({ length }) => length > 0),
    seal: asIs,
    decode: (bytes) => {
      const answers = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff].filter((hash) =>
        filterMayContain(bytes, hash)
      );
      return answers.length;
    },
  },
  {
    name: "index",
    samples: indexes,
    seal: asIs,
    decode: (bytes) => {
      if (bytes.length < 8) throw new CorruptionError("too short for an offset");
      const index = new SegmentIndex(bytes.slice(8), readU64(bytes, 0), NAME);
      for (const key of ["", "a", "key 5", "\xff\xff"]) {
        const found = index.find(key);
        assert(found >= 0 && found < index.count, `it finds block ${found} of ${index.count}`);
      }
      for (let i = 0; i < index.count; i++) {
        assert(index.offset(i) <= index.offset(i + 1), "a block ends too early");
      }
      return index.count;
    },
  },
  {
    name: "properties",
    samples: segments.map((file) => {
      const place = segmentPlaces(file).at(-1)!;
      return file.slice(place.start + FRAME_HEADER_BYTES, place.end);
    }),
    seal: asIs,
    decode: (bytes) => {
      const {
        entries,
        tombstones,
        seqnoMin,
        seqnoMax,
        writtenAt,
        blocks,
        rawBytes,
        hashSeed,
        minKey,
        maxKey,
      } = decodeProperties(bytes);
      const writer = new ByteWriter().u64(entries).u64(tombstones).u64(seqnoMin).u64(seqnoMax).u64(writtenAt);
      same(writer.u64(blocks).u64(rawBytes).u32(hashSeed).key(minKey).key(maxKey).finish(), bytes);
      return minKey.length + maxKey.length;
    },
  },
  {
    name: "footer",
    samples: segments.map((file) => {
      const sample = new Uint8Array(file.length);
      sample.set(file.subarray(file.length - FOOTER_BYTES), file.length - FOOTER_BYTES);
      resealFooter(sample, sampleHeader.seed);
      return sample;
    }),
    seal: (bytes) => {
      resealFooter(bytes, sampleHeader.seed);
      return bytes;
    },
    decode: (bytes) => {
      const end = bytes.subarray(Math.max(0, bytes.length - FOOTER_BYTES));
      const { filterOffset, filterBytes, indexBytes, propertiesBytes } = decodeFooter(
        end,
        sampleHeader.seed,
        bytes.length,
        NAME,
      );
      assert(filterOffset + filterBytes + indexBytes + propertiesBytes === bytes.length - FOOTER_BYTES);
      return filterBytes;
    },
  },
  {
    name: "segment",
    samples: segments,
    seal: sealSegment,
    decode: (bytes) => {
      const { index, properties, filter, blocks } = readSegment(bytes);
      assert(properties.entries >= 0 && filter.length <= bytes.length);
      return blocks.reduce((sum, block) => sum + readBlock(block), index.count);
    },
  },
];
