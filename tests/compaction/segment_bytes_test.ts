import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { EntrySizes } from "../../compaction/segment_bytes.ts";
import {
  dataBytesMax,
  dataBytesPerEntry,
  fileBytes,
  putRecordBytes,
  removeRecordBytes,
} from "../../compaction/segment_bytes.ts";
import { Random } from "../../compaction/random.ts";
import { BatchBuilder } from "../../core/batch.ts";
import { INDEX_BYTES_MAX } from "../../core/segment.ts";
import { segmentFile } from "../support/segment_files.ts";
import { NO_CODEC } from "../support/run_length_codec.ts";

const SIZES: EntrySizes = {
  keyBytes: 16,
  valueBytes: 100,
  sharedKeyBytes: undefined,
  blockSize: 4096,
  filterBitsPerKey: 10,
};

Deno.test("records are as long as those that are written", () => {
  const builder = new BatchBuilder(1024);
  builder.put("k".repeat(16), "v".repeat(100));
  const put = builder.finish();
  builder.remove("k".repeat(16));
  const remove = builder.finish();
  assertEquals([putRecordBytes(SIZES), removeRecordBytes(SIZES)], [
    put.end - put.start,
    remove.end - remove.start,
  ]);
});

Deno.test("segments are as large as those that are written, within a few percent", () => {
  for (
    const [changes, entries, density, tombstones] of [
      [{}, 5_000, 1, 0],
      [{}, 5_000, 0.1, 0],
      [{}, 3_000, 0.001, 0],
      [{}, 5_000, 0.3, 0.2],
      [{ valueBytes: 0 }, 20_000, 0.5, 0],
      [{ valueBytes: 5_000 }, 200, 0.5, 0],
      [{ blockSize: 1024, filterBitsPerKey: 0 }, 5_000, 0.5, 0],
      [{ keyBytes: 8, valueBytes: 30, filterBitsPerKey: 16 }, 20_000, 0.9, 0.05],
      [{ sharedKeyBytes: 0 }, 5_000, 1, 0],
    ] as const
  ) {
    const sizes = { ...SIZES, ...changes };
    const predicted = predictedBytes(sizes, entries, density, tombstones);
    const written = writtenBytes(sizes, entries, density, tombstones);
    assertAlmostEquals(predicted / written, 1, 0.02, JSON.stringify([changes, entries, density, tombstones]));
  }
});

Deno.test("keys of one number of a wide space share nothing, and those of one stretch all but the last digits", () => {
  const perEntry = (density: number, sharedKeyBytes?: number): number =>
    dataBytesPerEntry({ ...SIZES, sharedKeyBytes }, density, 0);
  assert(perEntry(1) < perEntry(0.01) && perEntry(0.01) < perEntry(1e-16));
  assertAlmostEquals(perEntry(1e-17), perEntry(1, 0), 0.01);
  assertEquals(perEntry(1, 99), perEntry(1, 16));
});

Deno.test("an index that is full ends a segment", () => {
  // An entry of the index is a separator of a few digits, where it ends, and four bytes.
  const blocks = dataBytesMax(SIZES, 1) / SIZES.blockSize;
  assert(blocks > INDEX_BYTES_MAX / 30 && blocks < INDEX_BYTES_MAX / 10, `${blocks} blocks`);
});

function predictedBytes(sizes: EntrySizes, entries: number, density: number, tombstones: number): number {
  const data = entries * dataBytesPerEntry(sizes, density, tombstones);
  return fileBytes(sizes, entries, tombstones, density, data);
}

function writtenBytes(
  { keyBytes, valueBytes, sharedKeyBytes, blockSize, filterBitsPerKey }: EntrySizes,
  entries: number,
  density: number,
  tombstones: number,
): number {
  const random = new Random(3);
  const value = new Uint8Array(valueBytes);
  const given: [string, Uint8Array | null][] = [];
  for (let number = 0; given.length < entries; number++) {
    if (random.next() >= density) continue;
    const digits = String(number).padStart(keyBytes, "0");
    // Keys without anything in common have their digits the other way round.
    const key = sharedKeyBytes === undefined ? digits : [...digits].reverse().join("");
    given.push([key, random.next() < tombstones ? null : value]);
  }
  given.sort(([a], [b]) => a < b ? -1 : 1);
  return segmentFile(given, { blockSize, filterBitsPerKey, hashSeed: 1, codec: NO_CODEC }).file.length;
}
