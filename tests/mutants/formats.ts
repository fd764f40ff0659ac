/**
 * Mutants of the formats: checksums that are not looked at, or hold too little; lengths that are believed; order that is not kept.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const FLIP = "tests/properties/flip_test.ts";
const SEGMENT = "tests/core/segment_test.ts";
const RECORD = "tests/core/record_test.ts";
const BLOCK = "tests/core/block_test.ts";

/** Mutants of the formats. */
export const FORMATS: readonly Mutant[] = [
  {
    name: "the length of a record is believed though its header has a bad checksum",
    file: "core/record.ts",
    find: "if (readU32(file, at) !== checksum(file, at + 4, start, seed)) {",
    replace: "if (readU32(file, at) === 0) {",
    killedBy: [RECORD],
  },
  {
    name: "the checksum of a record's payload is not looked at",
    file: "core/record.ts",
    find: "if (stored !== (start === end ? seed : checksum(file, start, end, seed))) {",
    replace: "if (stored < 0) {",
    killedBy: [RECORD],
  },
  {
    name: "a checksum holds wherever in its file the bytes stand",
    file: "core/checksum.ts",
    find: "(fileSeed ^ Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) >>> 0",
    replace: "(fileSeed ^ (low & 0) ^ (high & 0)) >>> 0",
    like: "RocksDB before format version 6",
    killedBy: ["tests/core/checksum_test.ts"],
  },
  {
    name: "a checksum holds for the same place of any file",
    file: "core/checksum.ts",
    find: "(fileSeed ^ Math.imul(low,",
    replace: "((fileSeed & 0) ^ Math.imul(low,",
    killedBy: ["tests/core/checksum_test.ts", RECORD],
  },
  {
    name: "places beyond 4 GiB of a file have the checksums of those below",
    file: "core/checksum.ts",
    find: " ^ Math.imul(high, 0x85ebca6b)",
    replace: " ^ (high & 0)",
    killedBy: ["tests/core/checksum_test.ts"],
  },
  {
    name: "the checksum of a block is not looked at",
    file: "core/frame.ts",
    find: "if (readU32(bytes, 0) !== checksum(bytes, 4, bytes.length, placeSeed(fileSeed, offset))) {",
    replace: "if (bytes.length < placeSeed(fileSeed, offset) * 0) {",
    killedBy: ["tests/core/frame_test.ts"],
  },
  {
    name: "a block that does not decompress is an error of the codec and not of the file",
    file: "core/frame.ts",
    find: "return codec.decompress(payload, rawBytes);\n  } catch (error) {",
    replace:
      "return codec.decompress(payload, rawBytes);\n  } catch (error) {\n    throw error;\n  }\n  {\n    const error = 0;",
    killedBy: ["tests/core/frame_test.ts"],
  },
  {
    name: "the checksum of a footer is not looked at",
    file: "core/segment.ts",
    find: "if (readU32(bytes, 20) !== checksum(bytes, 0, 20, placeSeed(fileSeed, offset))) {",
    replace: "if (readU32(bytes, 20) < 0) {",
    killedBy: [SEGMENT],
  },
  {
    name: "the checksum of a filter is not looked at, and a flipped bit of it loses keys",
    file: "io/segment_reader.ts",
    find: ": this.#frame(meta, segment, filterOffset, filterBytes, FRAME_FILTER);",
    replace: ": readWhole(this.#file(meta.id), filterOffset + 12, filterBytes - 12);",
    killedBy: [FLIP],
  },
  {
    name: "the checksum of a file's header is not looked at",
    file: "core/file_header.ts",
    find: "if (readU32(bytes, 24) !== seed) throw",
    replace: "if (readU32(bytes, 24) < 0) throw",
    killedBy: ["tests/core/file_header_test.ts"],
  },
  {
    name: "a file of another id is believed under the wanted name",
    file: "core/file_header.ts",
    find: 'if (readU64(bytes, 8) !== id) throw wrong("it belongs to another file\'s name");',
    replace: "",
    killedBy: ["tests/core/file_header_test.ts"],
  },
  {
    name: "a file of a newer format is read as if it were of this one",
    file: "core/file_header.ts",
    find: "if (bytes[5]! !== FORMAT_VERSION) {",
    replace: "if (bytes[5]! < FORMAT_VERSION) {",
    killedBy: ["tests/core/file_header_test.ts"],
  },
  {
    name: "a record of a kind that a newer module wrote is taken for a torn one, and dropped",
    file: "core/record.ts",
    find: "if (!isRecordKind(kind)) {",
    replace: 'if (!isRecordKind(kind)) return "a record has an unknown kind";\n  if (kind > 99) {',
    killedBy: [RECORD],
  },
  {
    name: "another segment of the same id is read in place of the one that the manifest lists",
    file: "io/segment_reader.ts",
    find: "if (header.salt.low !== meta.salt.low || header.salt.high !== meta.salt.high) {",
    replace: "if (header.salt.low < 0) {",
    killedBy: ["tests/io/segment_reader_test.ts"],
  },
  {
    name: "any content of CURRENT that names a manifest is believed",
    file: "core/manifest.ts",
    find:
      "if (expected.length === bytes.length && expected.every((byte, i) => byte === bytes[i])) return parsed.id;",
    replace: "if (expected.length > 0) return parsed.id;",
    killedBy: ["tests/core/manifest_test.ts"],
  },
  {
    name: "bytes left over behind the last operation of a batch are passed over",
    file: "core/batch.ts",
    find: "if (at !== end) throw notABatch(at);",
    replace: "",
    killedBy: ["tests/core/batch_test.ts"],
  },
  {
    name: "a count is believed before it is compared with the bytes that are there",
    file: "core/little_endian.ts",
    find: 'if (count * bytesEach > this.left) throw this.corrupt("a count is too large");',
    replace: "",
    like: "LevelDB issues 1318 and 1349",
    killedBy: ["tests/core/little_endian_test.ts"],
  },
  {
    name: "a block may say that it has more columns than bytes",
    file: "core/block.ts",
    find: 'if (columns + prefixBytes > bytes.length) throw notABlock("its columns are cut off");',
    replace: "",
    like: "LevelDB issue 1318",
    killedBy: [BLOCK],
  },
  {
    name: "a length in a block may be negative",
    file: "core/block.ts",
    find: 'if (end < before) throw notABlock("a length is negative");',
    replace: "",
    killedBy: [BLOCK],
  },
  {
    name: "an entry of a kind that a newer module wrote reads as a put",
    file: "core/block.ts",
    find: "if (bytes[i] !== PUT && bytes[i] !== TOMBSTONE) throw",
    replace: "if (bytes[i] === 0) throw",
    killedBy: [BLOCK],
  },
  {
    name: "in a block of more than 64 KiB the ends of keys and values are cut to 16 bits",
    file: "core/block.ts",
    find: "const wide = keyTotal > 65_535 || this.#valueBytes > 65_535;",
    replace: "const wide = keyTotal > 65_535 && this.#valueBytes > 65_535;",
    killedBy: [BLOCK],
  },
  {
    name: "a separator is no longer than what the keys beside it share",
    file: "core/segment.ts",
    find: "length += 1;\n",
    replace: "\n",
    killedBy: [SEGMENT],
  },
  {
    name: "a separator is a whole key, and the index grows with the keys",
    file: "core/segment.ts",
    find: "this.#separator = key.slice(0, length);",
    replace: "this.#separator = key.slice(0, length > 0 ? keyBytes : 0);",
    killedBy: [SEGMENT],
  },
  {
    name: "an index whose separators are not in order is searched all the same",
    file: "core/segment.ts",
    find: "if (wrong !== undefined) throw damaged(wrong);",
    replace: "",
    killedBy: [SEGMENT],
  },
  {
    name: "the order of an edit's numbers may go back",
    file: "core/edit.ts",
    find: "if (edit.nextId < version.nextId || edit.flushedSeqno < version.flushedSeqno) {",
    replace: "if (edit.nextId < version.nextId) {",
    killedBy: ["tests/core/edit_test.ts"],
  },
  {
    name: "an edit that removes a segment that is not there is applied",
    file: "core/edit.ts",
    find: "count(version.runs) - count(runs) !== removed.size",
    replace: "count(version.runs) - count(runs) > removed.size",
    killedBy: ["tests/core/edit_test.ts"],
  },
  {
    name: "segments of one run may overlap",
    file: "core/version.ts",
    find: "before.maxKey >= segment.minKey",
    replace: "before.maxKey > segment.minKey",
    killedBy: ["tests/core/version_test.ts"],
  },
  {
    name: "the lengths in a footer need not add up to the file's",
    file: "core/segment.ts",
    find: "filterOffset + filterBytes + indexBytes + propertiesBytes !== offset",
    replace: "filterOffset + filterBytes + indexBytes + propertiesBytes > offset",
    killedBy: [SEGMENT],
  },
  {
    name: "a number that is too large for a double is read as another one",
    file: "core/little_endian.ts",
    find: 'if (!Number.isSafeInteger(value)) throw this.corrupt("a number is too large");',
    replace: "",
    killedBy: ["tests/core/little_endian_test.ts"],
  },
  {
    name: "a block in which all keys have the same length loses the last key's end",
    file: "core/block.ts",
    find: "const keysAlike = this.#keyEnds.every((end, i) => end === (i + 1) * this.#keyEnds[0]!);",
    replace:
      "const keysAlike = this.#keyEnds.slice(0, -1).every((end, i) => end === (i + 1) * this.#keyEnds[0]!);",
    killedBy: [BLOCK],
  },
  {
    name: "a match of an lz4 block may reach before the block",
    file: "io/lz4.ts",
    find: "if (offset === 0 || offset > size) throw",
    replace: "if (offset === 0) throw",
    killedBy: ["tests/io/lz4_test.ts"],
  },
  {
    name: "an lz4 block may say that it holds more than it can, and that is allocated",
    file: "io/lz4.ts",
    find: "rawBytes <= Math.min(length * EXPANSION_MAX, LZ4_RAW_BYTES_MAX)",
    replace: "rawBytes <= LZ4_RAW_BYTES_MAX",
    killedBy: ["tests/io/lz4_test.ts"],
  },
];
