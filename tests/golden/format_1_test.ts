import { assertEquals } from "@std/assert";
import { CLEAR, PUT, TOMBSTONE } from "../../core/entry_kind.ts";
import { foldEdits } from "../../core/edit.ts";
import { FORMAT_VERSION } from "../../core/file_header.ts";
import { journalBatch, scanJournal } from "../../core/journal.ts";
import { decodeCurrent, encodeCurrent, scanManifest } from "../../core/manifest.ts";
import { SegmentBuilder } from "../../core/segment.ts";
import type { GivenOperation } from "../support/arbitraries.ts";
import { joined } from "../support/damage.ts";
import type { PlainOperation } from "../support/record_files.ts";
import { plainOperations, recordFile } from "../support/record_files.ts";
import { NO_CODEC } from "../support/run_length_codec.ts";
import { readSegment } from "../support/segment_files.ts";
import {
  bytesOfDump,
  CURRENT_DUMP,
  HISTORY_DUMP,
  JOURNAL_DUMP,
  MANIFEST_DUMP,
  SEGMENT_DUMP,
} from "./format_1.ts";
import {
  SAMPLE_BATCHES,
  SAMPLE_EDITS,
  SAMPLE_ENTRIES,
  SAMPLE_HISTORY,
  SAMPLE_IDS,
  SAMPLE_ORIGIN,
  SAMPLE_SALT,
  SAMPLE_SEGMENT,
  SAMPLE_SNAPSHOT,
  SAMPLE_VERSION,
} from "./samples.ts";

const ENCODER = new TextEncoder();

Deno.test("what is written today has format 1", () => {
  assertEquals(FORMAT_VERSION, 1);
});

Deno.test("a journal is written as in format 1", () => {
  const file = recordFile("journal", SAMPLE_IDS.journal, SAMPLE_SALT);
  file.batch(8, SAMPLE_BATCHES[0]!, 7).batch(9, SAMPLE_BATCHES[1]!, 8).close(9, 9);
  assertEquals(file.bytes().toHex(), bytesOfDump(JOURNAL_DUMP).toHex());
});

Deno.test("a journal of format 1 is read", () => {
  const scan = scanJournal(bytesOfDump(JOURNAL_DUMP), SAMPLE_IDS.journal);
  assertEquals([scan.closed, scan.tail, scan.durable], [true, undefined, 9]);
  assertEquals(scan.batches.map(({ number, durable }) => [number, durable]), [[8, 7], [9, 8]]);
  const operations = scan.batches.map((record) => plainOperations(scan.file, journalBatch(scan, record)));
  assertEquals(operations, SAMPLE_BATCHES.map((batch) => batch.map(plain)));
});

Deno.test("a manifest is written as in format 1", () => {
  const file = recordFile("manifest", SAMPLE_IDS.manifest, SAMPLE_SALT);
  const [created, flush, drop] = SAMPLE_EDITS;
  file.edit(1, created!).mark(1).edit(2, flush!, 9).mark(2, 9).edit(3, drop!, 10).mark(3, 10).close(3, 10);
  assertEquals(file.bytes().toHex(), bytesOfDump(MANIFEST_DUMP).toHex());
});

Deno.test("a manifest of format 1 is read", () => {
  const scan = scanManifest(bytesOfDump(MANIFEST_DUMP), SAMPLE_IDS.manifest);
  assertEquals(scan.edits, SAMPLE_EDITS);
  assertEquals(scan.version, foldEdits(SAMPLE_EDITS));
  assertEquals([scan.closed, scan.tail, scan.durable], [true, undefined, 10]);
});

Deno.test("a manifest with a history is written as in format 1", () => {
  const file = recordFile("manifest", SAMPLE_IDS.closedManifest, SAMPLE_SALT);
  file.history(3, SAMPLE_HISTORY, 10).edit(3, SAMPLE_SNAPSHOT, 10).close(3, 10);
  assertEquals(file.bytes().toHex(), bytesOfDump(HISTORY_DUMP).toHex());
});

Deno.test("a manifest of format 1 with a history is read, and one without", () => {
  const scan = scanManifest(bytesOfDump(HISTORY_DUMP), SAMPLE_IDS.closedManifest);
  assertEquals([scan.edits, scan.version], [[SAMPLE_SNAPSHOT], SAMPLE_VERSION]);
  assertEquals(scan.history, SAMPLE_HISTORY);
  assertEquals([scan.closed, scan.tail, scan.durable], [true, undefined, 10]);
  assertEquals(scanManifest(bytesOfDump(MANIFEST_DUMP), SAMPLE_IDS.manifest).history, SAMPLE_HISTORY);
});

Deno.test("CURRENT is written as in format 1, and read", () => {
  assertEquals(encodeCurrent(SAMPLE_IDS.manifest).toHex(), bytesOfDump(CURRENT_DUMP).toHex());
  assertEquals(decodeCurrent(bytesOfDump(CURRENT_DUMP)), SAMPLE_IDS.manifest);
});

Deno.test("a segment is written as in format 1", () => {
  const parts: Uint8Array[] = [];
  const options = { ...SAMPLE_SEGMENT, codec: NO_CODEC };
  const builder = new SegmentBuilder(SAMPLE_IDS.segment, SAMPLE_SALT, options, SAMPLE_ORIGIN, (part) => {
    parts.push(part);
  });
  for (const [key, value] of SAMPLE_ENTRIES) {
    const bytes = value ?? new Uint8Array(0);
    builder.add(value === null, ENCODER.encode(key), key.length, bytes, 0, bytes.length);
  }
  assertEquals(builder.finish(), SAMPLE_EDITS[1]!.added[0]!.segments[0]!);
  assertEquals(joined(...parts).toHex(), bytesOfDump(SEGMENT_DUMP).toHex());
});

Deno.test("a segment of format 1 is read", () => {
  const { blocks, properties, filter } = readSegment(bytesOfDump(SEGMENT_DUMP), SAMPLE_IDS.segment);
  const entries = blocks.flatMap((block) =>
    Array.from({ length: block.count }, (_, i) => {
      const value = block.bytes.slice(block.valueStart(i), block.valueEnd(i));
      return [block.key(i), block.isTombstone(i) ? null : value] as const;
    })
  );
  assertEquals(entries, SAMPLE_ENTRIES);
  assertEquals([properties.blocks, properties.rawBytes, properties.hashSeed], [
    2,
    63,
    SAMPLE_SEGMENT.hashSeed,
  ]);
  assertEquals(filter.length, 65);
});

function plain(operation: GivenOperation): PlainOperation {
  if (operation.kind === "clear") return [CLEAR, "", null];
  if (operation.kind === "remove") return [TOMBSTONE, operation.key, null];
  const { key, value } = operation;
  return [PUT, key, [...(typeof value === "string" ? ENCODER.encode(value) : value)]];
}
