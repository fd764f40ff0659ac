import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { checksum, placeSeed } from "../../core/checksum.ts";
import { UnsupportedFormatError } from "../../core/errors.ts";
import { FILE_HEADER_BYTES } from "../../core/file_header.ts";
import { writeU32 } from "../../core/little_endian.ts";
import type { RecordRef, RecordScan } from "../../core/record.ts";
import {
  durableOf,
  encodeRecord,
  RECORD_BATCH,
  RECORD_CLOSING,
  RECORD_EDIT,
  RECORD_HEADER_BYTES,
  RECORD_HISTORY,
  RECORD_MARK,
  scanRecords,
} from "../../core/record.ts";
import { safeNumber, salt } from "../support/arbitraries.ts";
import { cutOff, everyChange, extended, joined, sameBytes, valueUnlessDamaged } from "../support/damage.ts";
import type { RecordFile } from "../support/record_files.ts";
import { recordFile, SALT } from "../support/record_files.ts";

const kind = fc.constantFrom(RECORD_BATCH, RECORD_EDIT, RECORD_CLOSING, RECORD_MARK, RECORD_HISTORY);
const record = fc.record({
  kind,
  number: safeNumber,
  durable: safeNumber,
  payload: fc.uint8Array({ maxLength: 20 }),
});

Deno.test("records that were appended are read back, with what they say of themselves", () => {
  const file = recordFile("journal", 1).record(RECORD_BATCH, 7, 5, Uint8Array.of(1, 2, 3)).close(7, 7);
  const [first, second] = file.offsets as [number, number];
  assertEquals([first, second], [FILE_HEADER_BYTES, FILE_HEADER_BYTES + RECORD_HEADER_BYTES + 3]);
  assertEquals(scan(file), {
    records: [
      { kind: RECORD_BATCH, number: 7, durable: 5, start: first + RECORD_HEADER_BYTES, end: second },
      {
        kind: RECORD_CLOSING,
        number: 7,
        durable: 7,
        start: second + RECORD_HEADER_BYTES,
        end: second + RECORD_HEADER_BYTES,
      },
    ],
    tail: undefined,
    behind: [],
  });
});

Deno.test("a file without records has none, and no tail", () => {
  assertEquals(scan(recordFile("journal", 1)), { records: [], tail: undefined, behind: [] });
});

Deno.test("any records come back, and encode to the same bytes again", () => {
  fc.assert(fc.property(fc.array(record, { maxLength: 6 }), safeNumber, salt, (given, id, salt) => {
    const file = recordFile("journal", id, salt);
    for (const { kind, number, durable, payload } of given) file.record(kind, number, durable, payload);
    const bytes = file.bytes();
    const { records, tail } = scanRecords(bytes, file.seed);
    assertEquals(tail, undefined);
    const read = records.map(({ kind, number, durable, start, end }) => ({
      kind,
      number,
      durable,
      payload: bytes.slice(start, end),
    }));
    assertEquals(read, given.map((one) => ({ ...one, payload: one.payload.slice() })));
    for (const { kind, number, durable, start, end } of records) {
      const offset = start - RECORD_HEADER_BYTES;
      const again = encodeRecord(bytes.subarray(start, end), kind, file.seed, offset, number, durable);
      assert(sameBytes(again, bytes.subarray(offset, end)));
    }
    assertEquals(durableOf(records), Math.max(0, ...given.map(({ durable }) => durable)));
  }));
});

Deno.test("a changed byte costs the record it is in, is said, and hides none of those behind it", () => {
  const file = sample();
  const bytes = file.bytes();
  const whole = scan(file).records;
  for (const { at, bytes: changed } of everyChange(bytes, FILE_HEADER_BYTES)) {
    const hit = whole.findIndex((one) => at < one.end);
    const { records, tail, behind } = scanRecords(changed, file.seed);
    assert(sameRecords(records, whole.slice(0, hit)), `byte ${at}: records`);
    assert(sameRecords(behind, whole.slice(hit + 1)), `byte ${at}: behind`);
    assert(
      tail!.offset === file.offsets[hit] && tail!.bytes === bytes.length - tail!.offset,
      `byte ${at}: tail`,
    );
  }
});

Deno.test("a file that is cut off keeps its whole records and says what is left over", () => {
  const file = sample();
  const whole = scan(file).records;
  for (const short of cutOff(file.bytes()).slice(FILE_HEADER_BYTES)) {
    const kept = whole.filter((one) => one.end <= short.length);
    const offset = kept.at(-1)?.end ?? FILE_HEADER_BYTES;
    const { records, tail, behind } = scanRecords(short, file.seed);
    assertEquals(records, kept);
    assertEquals(behind, []);
    assertEquals(
      [tail?.offset, tail?.bytes],
      short.length === offset ? [undefined, undefined] : [offset, short.length - offset],
    );
  }
});

Deno.test("whatever is left at the end of a file is a tail: zeros, ones, noise, a piece of the file itself", () => {
  const file = sample();
  const bytes = file.bytes();
  const whole = scan(file).records;
  for (const longer of extended(bytes)) {
    const { records, tail, behind } = scanRecords(longer, file.seed);
    assertEquals(records, whole);
    assertEquals([tail?.offset, tail?.bytes], [bytes.length, longer.length - bytes.length]);
    assertEquals(behind, []);
  }
});

Deno.test("a tail says what is wrong with it", () => {
  const file = recordFile("journal", 1).record(RECORD_BATCH, 1, 0, Uint8Array.of(1, 2, 3, 4));
  const bytes = file.bytes();
  const reason = (damaged: Uint8Array): string | undefined => scanRecords(damaged, file.seed).tail?.reason;
  assertEquals(reason(bytes.subarray(0, FILE_HEADER_BYTES + 27)), "a record's header is cut off");
  assertEquals(reason(bytes.subarray(0, bytes.length - 1)), "a record is cut off");
  assertEquals(reason(joined(bytes, new Uint8Array(28))), "a record's header has a bad checksum");
  bytes[bytes.length - 1]! ^= 1;
  assertEquals(reason(bytes), "a record has a bad checksum");
});

Deno.test("records that changed places are not accepted, though each is whole in itself", () => {
  const file = recordFile("journal", 1);
  for (const byte of [1, 2, 3]) file.record(RECORD_BATCH, 1, 0, Uint8Array.of(byte));
  const bytes = file.bytes();
  const [a, b, c] = scan(file).records.map(({ start, end }) =>
    bytes.slice(start - RECORD_HEADER_BYTES, end)
  ) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const { records, behind } = scanRecords(joined(bytes.subarray(0, FILE_HEADER_BYTES), b, a, c), file.seed);
  assertEquals(records, []);
  assertEquals(behind, [scan(file).records[2]!]);
  const twice = scanRecords(joined(bytes.subarray(0, FILE_HEADER_BYTES), a, a, c), file.seed);
  assertEquals([twice.records, twice.behind], [[scan(file).records[0]!], [scan(file).records[2]!]]);
});

Deno.test("a record of another file is not accepted at its old place, not even if only the salt or the id differs", () => {
  const file = sample();
  const bytes = file.bytes();
  const others = [
    sample(recordFile("journal", 1, { ...SALT, low: SALT.low ^ 1 })),
    sample(recordFile("journal", 1, { ...SALT, high: SALT.high ^ 1 })),
    sample(recordFile("journal", 2)),
    sample(recordFile("manifest", 1)),
  ];
  for (const other of others) {
    const stale = joined(bytes.subarray(0, FILE_HEADER_BYTES), other.bytes().subarray(FILE_HEADER_BYTES));
    const { records, tail, behind } = scanRecords(stale, file.seed);
    assertEquals([records, behind, tail?.offset], [[], [], FILE_HEADER_BYTES]);
  }
});

Deno.test("a journal that was written over an older one under the same id ends where the new one does", () => {
  const older = recordFile("journal", 1, { low: 1, high: 1 });
  const newer = recordFile("journal", 1, { low: 2, high: 2 });
  for (let number = 1; number <= 5; number++) older.record(RECORD_BATCH, number, 0, Uint8Array.of(number));
  for (let number = 1; number <= 2; number++) newer.record(RECORD_BATCH, number, 0, Uint8Array.of(number));
  const bytes = newer.bytes();
  const { records, tail, behind } = scanRecords(
    joined(bytes, older.bytes().subarray(bytes.length)),
    newer.seed,
  );
  assertEquals(records, scan(newer).records);
  assertEquals([tail?.offset, behind], [bytes.length, []]);
});

Deno.test("a record inside a value is never taken for one of the file", () => {
  const inner = sample();
  const file = recordFile("journal", 1).record(RECORD_BATCH, 1, 0, inner.bytes()).mark(9, 9);
  const bytes = file.bytes();
  bytes[FILE_HEADER_BYTES]! ^= 1;
  const { records, behind } = scanRecords(bytes, file.seed);
  assertEquals([records, behind.map(({ number }) => number)], [[], [9]]);
});

Deno.test("the search behind a tail goes from record to record and not through what they hold", () => {
  const file = recordFile("journal", 1).mark(1);
  const inside = FILE_HEADER_BYTES + 2 * RECORD_HEADER_BYTES;
  const forgery = encodeRecord(new Uint8Array(0), RECORD_MARK, file.seed, inside, 99, 99);
  const bytes = file.record(RECORD_BATCH, 2, 1, forgery).bytes();
  assertEquals(scanRecords(bytes, file.seed).records.map(({ number }) => number), [1, 2]);
  bytes[FILE_HEADER_BYTES]! ^= 1;
  assertEquals(scanRecords(bytes, file.seed).behind.map(({ number }) => number), [2]);
});

Deno.test("the search behind a tail finds whole records at any byte, and no end of one that is cut off", () => {
  for (let gap = 1; gap < 40; gap++) {
    const file = recordFile("journal", 1).raw(new Uint8Array(gap).fill(gap)).mark(3, 3).close(4, 4);
    file.raw(file.bytes().subarray(-27));
    const { records, tail, behind } = scan(file);
    assertEquals([records, tail?.offset], [[], FILE_HEADER_BYTES]);
    assertEquals(behind.map(({ number, durable }) => [number, durable]), [[3, 3], [4, 4]]);
  }
});

Deno.test("a whole record of an unknown kind is unsupported; behind damage it says nothing", () => {
  const known = recordFile("journal", 1).mark(1);
  const file = known.raw(forged(known, 6, 1, 0, 0));
  const error = assertThrows(() => scan(file), UnsupportedFormatError, "a record of kind 6");
  assertEquals(error.offset, FILE_HEADER_BYTES + RECORD_HEADER_BYTES);
  const bytes = file.bytes();
  bytes[FILE_HEADER_BYTES]! ^= 1;
  assertEquals(scanRecords(bytes, file.seed).behind, []);
});

Deno.test("a number above 2^53 - 1 is a tail, though its checksum fits", () => {
  for (
    const [numberTop, durableTop, last] of [[0x20, 0, 0], [0, 0x20, 0], [0xff, 0xff, 0], [0, 0, 1]] as const
  ) {
    const file = recordFile("journal", 1);
    file.raw(forged(file, RECORD_BATCH, numberTop, durableTop, last));
    assertEquals(scan(file).tail?.reason, "a record's number is too large");
  }
});

Deno.test("any bytes are records and a tail", () => {
  const pieces = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constant("record" as const));
  fc.assert(fc.property(fc.array(pieces, { maxLength: 8 }), (given) => {
    const file = recordFile("journal", 1);
    let written = 0;
    for (const piece of given) {
      if (piece === "record") written += file.mark(written, written).offsets.length === 0 ? 0 : 1;
      else file.raw(piece);
    }
    const found = valueUnlessDamaged(() => scan(file))!;
    assertEquals([...found.records, ...found.behind].map(({ number }) => number), [...Array(written).keys()]);
  }));
});

/** A journal of four records, two of them without a payload. */
function sample(file: RecordFile = recordFile("journal", 1)): RecordFile {
  return file.record(RECORD_BATCH, 1, 0, Uint8Array.of(1, 2, 3)).record(RECORD_BATCH, 2, 1, new Uint8Array(9))
    .mark(3, 2).close(4, 3);
}

function scan(file: RecordFile): RecordScan {
  return scanRecords(file.bytes(), file.seed);
}

function sameRecords(a: readonly RecordRef[], b: readonly RecordRef[]): boolean {
  return a.length === b.length && a.every((one, i) => {
    const other = b[i]!;
    return one.kind === other.kind && one.number === other.number && one.durable === other.durable &&
      one.start === other.start && one.end === other.end;
  });
}

/** Returns a record without a payload to append to a file, its checksums right and its numbers impossible. */
function forged(
  file: RecordFile,
  kind: number,
  numberTop: number,
  durableTop: number,
  last: number,
): Uint8Array {
  const seed = placeSeed(file.seed, file.bytes().length);
  const bytes = new Uint8Array(RECORD_HEADER_BYTES);
  writeU32(bytes, 8, seed);
  bytes.set([numberTop, kind], 18);
  bytes.set([durableTop, last], 26);
  writeU32(bytes, 0, checksum(bytes, 4, RECORD_HEADER_BYTES, seed));
  return bytes;
}
