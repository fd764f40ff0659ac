import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { checksum } from "../../core/checksum.ts";
import { CorruptionError, UnsupportedFormatError } from "../../core/errors.ts";
import { FILE_HEADER_BYTES } from "../../core/file_header.ts";
import type { JournalScan } from "../../core/journal.ts";
import { journalBatch, scanJournal } from "../../core/journal.ts";
import { writeU32 } from "../../core/little_endian.ts";
import { RECORD_HEADER_BYTES } from "../../core/record.ts";
import { CLEAR, PUT } from "../../core/entry_kind.ts";
import type { GivenOperation } from "../support/arbitraries.ts";
import { operations } from "../support/arbitraries.ts";
import { cutOff, everyChange, extended, joined, sameBytes, valueUnlessDamaged } from "../support/damage.ts";
import type { RecordFile } from "../support/record_files.ts";
import { plainOperations, recordFile } from "../support/record_files.ts";

Deno.test("a journal gives back its batches in order, and that it was closed", () => {
  const file = recordFile("journal", 3).batch(8, [{ kind: "put", key: "a", value: "1" }], 7)
    .batch(9, [{ kind: "clear" }], 8).close(9, 9);
  const scan = scanJournal(file.bytes(), 3);
  assertEquals([scan.id, scan.closed, scan.tail, scan.durable], [3, true, undefined, 9]);
  assertEquals(scan.batches.map(({ number, durable }) => [number, durable]), [[8, 7], [9, 8]]);
  const operations = scan.batches.flatMap((record) => journalBatch(scan, record));
  assertEquals(plainOperations(scan.file, operations), [[PUT, "a", [0x31]], [CLEAR, "", null]]);
});

Deno.test("a journal that was not closed has its batches all the same", () => {
  const scan = scanJournal(recordFile("journal", 3).batch(1, [{ kind: "clear" }]).bytes(), 3);
  assertEquals([scan.batches.length, scan.closed, scan.tail], [1, false, undefined]);
});

Deno.test("a journal without a whole header is nothing but a tail", () => {
  const bytes = sample().bytes();
  const noise = Uint8Array.from({ length: 100 }, (_, i) => i * 197 + 31);
  const damaged = [new Uint8Array(100), new Uint8Array(100).fill(255), noise, new Uint8Array(0)];
  for (const file of [...damaged, ...cutOff(bytes.subarray(0, FILE_HEADER_BYTES))]) {
    const scan = scanJournal(file, 5);
    assertEquals(scan.tail, { offset: 0, bytes: file.length, reason: "its header is not whole" });
    assertEquals([scan.batches, scan.closed, scan.durable], [[], false, 0]);
  }
  const misnamed = scanJournal(bytes, 6);
  assertEquals([misnamed.tail?.reason, misnamed.durable], ["its header is not whole", 0]);
});

Deno.test("behind a header with one changed byte the records still tell what was durable", () => {
  const bytes = sample().bytes();
  for (const { at, bytes: changed } of everyChange(bytes, 0, FILE_HEADER_BYTES)) {
    const scan = scanJournal(changed, 5);
    assert(scan.tail?.offset === 0 && scan.batches.length === 0 && scan.durable === 3, `byte ${at}`);
  }
});

Deno.test("any batches come back as they were given", () => {
  fc.assert(fc.property(fc.array(operations, { maxLength: 5 }), fc.boolean(), (given, closed) => {
    const file = recordFile("journal", 1);
    for (const [i, operations] of given.entries()) file.batch(i + 1, operations, i);
    if (closed) file.close(given.length, given.length);
    const scan = scanJournal(file.bytes(), 1);
    assertEquals([scan.closed, scan.tail], [closed, undefined]);
    assertEquals(scan.batches.map(({ number }) => number), given.map((_, i) => i + 1));
    const keys = scan.batches.map((record) => journalBatch(scan, record).map(({ key }) => key));
    assertEquals(
      keys,
      given.map((operations) => operations.map((one) => one.kind === "clear" ? "" : one.key)),
    );
  }));
});

Deno.test("a changed byte costs a journal the batches from its record on, and never makes another batch", () => {
  const file = sample();
  const bytes = file.bytes();
  const whole = scanJournal(bytes, 5);
  for (const { at, bytes: changed } of everyChange(bytes, FILE_HEADER_BYTES)) {
    const hit = file.offsets.findLastIndex((offset) => offset <= at);
    const scan = scanJournal(changed, 5);
    assert(scan.tail?.offset === file.offsets[hit], `byte ${at}`);
    assert(scan.batches.length === Math.min(hit, whole.batches.length), `byte ${at}`);
    assert(samePrefix(scan, whole), `byte ${at}`);
    assert(!scan.closed, `byte ${at}`);
  }
});

Deno.test("what is lost is told apart by what later records know to be durable", () => {
  const file = sample();
  const bytes = file.bytes();
  bytes[file.offsets[0]! + RECORD_HEADER_BYTES]! ^= 1;
  assertEquals([scanJournal(bytes, 5).batches.length, scanJournal(bytes, 5).durable], [0, 3]);
  assertEquals(scanJournal(bytes.subarray(0, file.offsets[1]!), 5).durable, 0);
  assertEquals(scanJournal(bytes.subarray(0, file.offsets[2]!), 5).durable, 1);
});

Deno.test("a journal that is cut off or extended keeps its whole batches and has a tail", () => {
  const file = sample();
  const bytes = file.bytes();
  const whole = scanJournal(bytes, 5);
  for (const short of cutOff(bytes).slice(FILE_HEADER_BYTES)) {
    const scan = scanJournal(short, 5);
    assertEquals(scan.batches, whole.batches.filter(({ end }) => end <= short.length));
    const ends = [FILE_HEADER_BYTES, ...whole.batches.map(({ end }) => end)];
    assertEquals([scan.tail === undefined, scan.closed], [ends.includes(short.length), false]);
  }
  for (const longer of extended(bytes)) {
    const scan = scanJournal(longer, 5);
    assertEquals([scan.batches, scan.tail?.offset], [whole.batches, bytes.length]);
  }
});

Deno.test("a journal with a tail was not closed in order, even if a closing record stands before it", () => {
  const bytes = joined(sample().bytes(), new Uint8Array(9));
  assertEquals(scanJournal(bytes, 5).closed, false);
});

Deno.test("a record that has no place in a journal ends it", () => {
  const closedTwice = recordFile("journal", 5).batch(1, [{ kind: "clear" }]).close(1, 1).batch(2, [{
    kind: "clear",
  }]);
  const marked = recordFile("journal", 5).batch(1, [{ kind: "clear" }]).mark(1, 1).batch(2, [{
    kind: "clear",
  }]);
  for (const file of [closedTwice, marked]) {
    const scan = scanJournal(file.bytes(), 5);
    assertEquals(scan.batches.length, 1);
    assertEquals([scan.closed, scan.durable], [false, 1]);
    assertEquals(scan.tail, {
      offset: file.offsets[1]!,
      bytes: file.bytes().length - file.offsets[1]!,
      reason: "a record has no place in a journal",
    });
  }
});

Deno.test("a journal of a newer module is unsupported, and a whole record that is no batch corrupt when it is asked for", () => {
  const file = recordFile("journal", 5).record(1, 1, 0, Uint8Array.of(9, 0, 0, 0));
  const scan = scanJournal(file.bytes(), 5);
  assertThrows(() => journalBatch(scan, scan.batches[0]!), CorruptionError, "Cannot decode a batch");
  const newer = recordFile("journal", 5).record(9 as 1, 1, 0).bytes();
  assertThrows(() => scanJournal(newer, 5), UnsupportedFormatError, "a record of kind 9");
  const newest = sample().bytes();
  newest[5] = 2;
  writeU32(newest, 24, checksum(newest, 0, 24, 0));
  assertThrows(() => scanJournal(newest, 5), UnsupportedFormatError, "it has format 2");
});

Deno.test("any bytes are a journal or unsupported", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    for (const file of [bytes, joined(sample().bytes(), bytes)]) {
      const scan = valueUnlessDamaged(() => scanJournal(file, 5));
      assert(scan !== undefined && (scan.tail !== undefined || bytes.length === 0));
    }
  }));
});

/** Journal 5: three batches and a closing record. */
function sample(): RecordFile {
  const put = (key: string, value: string): GivenOperation => ({ kind: "put", key, value });
  return recordFile("journal", 5).batch(1, [put("a", "1")]).batch(2, [put("b", "22"), { kind: "clear" }], 1)
    .batch(3, [{ kind: "remove", key: "a" }], 1).close(3, 3);
}

/** Tells whether the batches of a scan are the first of another, byte for byte. */
function samePrefix(scan: JournalScan, whole: JournalScan): boolean {
  return scan.batches.every((record, i) => {
    const { number, start, end } = whole.batches[i]!;
    return record.number === number && record.start === start && record.end === end &&
      sameBytes(scan.file.subarray(start, end), whole.file.subarray(start, end));
  });
}
