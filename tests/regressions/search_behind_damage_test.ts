/**
 * The search behind a damaged record does not look into a record whose header is whole, though what it holds is not.
 *
 * A header with a right checksum says where its record ends: what lies before that is payload, however much it looks like
 * records. The search looked into it at every byte. A file of headers that each claim all that follows then took the square of its
 * length: a second for 1.6 MB, and minutes for a journal of 16.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  encodeRecord,
  RECORD_BATCH,
  RECORD_HEADER_BYTES,
  RECORD_MARK,
  scanRecords,
} from "../../core/record.ts";
import { recordFile } from "../support/record_files.ts";

Deno.test("a whole record inside of the payload of a damaged one is not found, one behind it is", () => {
  const file = recordFile("journal", 1);
  const at = file.bytes().length;
  const inner = encodeRecord(new Uint8Array(0), RECORD_MARK, file.seed, at + RECORD_HEADER_BYTES + 8, 50, 50);
  const payload = new Uint8Array(8 + inner.length + 8);
  payload.set(inner, 8);
  file.record(RECORD_BATCH, 1, 0, payload).mark(2, 1);
  const bytes = file.bytes();
  bytes[at + RECORD_HEADER_BYTES]! ^= 1;
  const { records, tail, behind } = scanRecords(bytes, file.seed);
  assertEquals([records, tail?.offset, tail?.reason], [[], at, "a record has a bad checksum"]);
  assertEquals(behind.map(({ number, durable }) => [number, durable]), [[2, 1]]);
});
