import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Edit } from "../../core/edit.ts";
import { encodeEdit, foldEdits, snapshotEdit } from "../../core/edit.ts";
import { CorruptionError, UnsupportedFormatError } from "../../core/errors.ts";
import type { History } from "../../core/history.ts";
import { historyAfter, withEncodedEdits } from "../../core/history.ts";
import type { ManifestScan } from "../../core/manifest.ts";
import { NUMBER_MAX } from "../../core/little_endian.ts";
import { decodeCurrent, encodeCurrent, scanManifest } from "../../core/manifest.ts";
import { RECORD_BATCH, RECORD_EDIT } from "../../core/record.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import { metaOf, safeNumber, version } from "../support/arbitraries.ts";
import { cutOff, everyChange, extended, joined, someChanges, valueUnlessDamaged } from "../support/damage.ts";
import type { RecordFile } from "../support/record_files.ts";
import { recordFile, SALT } from "../support/record_files.ts";

Deno.test("a manifest gives back its edits, the version they make, and that it was closed", () => {
  const file = recordFile("manifest", 7).edit(4, CREATED, 3).mark(4, 3).edit(5, flush(1), 9).mark(5, 10)
    .close(5, 10);
  const scan = scanManifest(file.bytes(), 7);
  assertEquals(scan.edits, [CREATED, flush(1)]);
  assertEquals(scan.version, { ...foldEdits([CREATED, flush(1)]), editNumber: 5 });
  assertEquals([scan.closed, scan.tail, scan.durable], [true, undefined, 10]);
  assertEquals([scan.header.kind, scan.header.id, scan.header.salt], ["manifest", 7, SALT]);
});

Deno.test("a manifest gives back the history in front of its snapshot, with the edits behind it", () => {
  const history = historyOf(2, flush(3), flush(4));
  const file = recordFile("manifest", 7).history(4, history, 3).edit(4, CREATED, 3).mark(4, 3).edit(
    5,
    flush(1),
  );
  const scan = scanManifest(file.bytes(), 7);
  assertEquals([scan.edits, scan.version.editNumber], [[CREATED, flush(1)], 5]);
  assertEquals(scan.history, historyOf(2, flush(3), flush(4), flush(1)));
});

Deno.test("nothing of a history is applied, so what it tells need not fit nor make sense", () => {
  const history = withEncodedEdits(historyOf(0, flush(9)), [Uint8Array.of(99)]);
  const file = recordFile("manifest", 7).history(2, history).edit(2, CREATED).mark(2);
  const scan = scanManifest(file.bytes(), 7);
  assertEquals([scan.version, scan.history], [{ ...foldEdits([CREATED]), editNumber: 2 }, history]);
});

Deno.test("without a history in front it begins with the edit behind the snapshot", () => {
  const file = recordFile("manifest", 7).edit(4, CREATED).edit(5, flush(1)).mark(5);
  assertEquals(scanManifest(file.bytes(), 7).history, historyOf(4, flush(1)));
  assertEquals(scanManifest(recordFile("manifest", 7).edit(4, CREATED).bytes(), 7).history, historyOf(4));
});

Deno.test("every changed byte of a history is an error, and so is each place where a manifest ends within it", () => {
  const file = recordFile("manifest", 7).history(2, historyOf(0, CREATED, flush(1))).edit(2, CREATED).mark(2)
    .edit(3, flush(2)).mark(3).close(3);
  const bytes = file.bytes();
  const [from, to, end] = file.offsets as [number, number, number];
  for (const { at, bytes: changed } of someChanges(bytes, from, to)) {
    assert(valueUnlessDamaged(() => scanManifest(changed, 7)) === undefined, `byte ${at} was missed`);
  }
  for (const short of cutOff(bytes).slice(0, end)) {
    assert(valueUnlessDamaged(() => scanManifest(short, 7)) === undefined, `cut at ${short.length}`);
  }
});

Deno.test("a manifest may go on after it was closed, and is then no longer closed", () => {
  const file = recordFile("manifest", 7).edit(1, CREATED).close(1).edit(2, flush(1)).mark(2);
  assertEquals(scanManifest(file.bytes(), 7).closed, false);
  assertEquals(scanManifest(file.close(2).bytes(), 7).closed, true);
});

Deno.test("the last edit is marked if any whole record behind it says that it is durable", () => {
  const file = recordFile("manifest", 7).edit(1, CREATED);
  const marked = (): boolean => scanManifest(file.bytes(), 7).marked;
  assertEquals(marked(), false);
  assertEquals([file.mark(1) && marked(), file.edit(2, flush(1)) && marked()], [true, false]);
  assertEquals([file.close(2) && marked(), file.raw(new Uint8Array(5)) && marked()], [true, true]);
  const torn = recordFile("manifest", 7).edit(1, CREATED).mark(1).bytes();
  torn[torn.length - 1]! ^= 1;
  assertEquals(scanManifest(torn, 7).marked, false);
});

Deno.test("the snapshot of any version can be read back", () => {
  fc.assert(fc.property(version, safeNumber, (given, id) => {
    const file = recordFile("manifest", id).edit(given.editNumber, snapshotEdit(given, "snapshot", 1));
    assertEquals(scanManifest(file.bytes(), id).version, given);
  }));
});

Deno.test("what its segments hold is durable", () => {
  const file = recordFile("manifest", 7).edit(1, CREATED).edit(2, flush(1), 4);
  assertEquals(scanManifest(file.bytes(), 7).durable, flush(1).flushedSeqno);
});

Deno.test("a changed byte is an error, or costs no edit and is reported: in the last mark and the closing record", () => {
  const file = sample();
  const bytes = file.bytes();
  const whole = scanManifest(bytes, 7);
  const [mark, closing] = file.offsets.slice(-2) as [number, number];
  for (const { at, bytes: changed } of someChanges(bytes)) {
    const scan = valueUnlessDamaged(() => scanManifest(changed, 7));
    if (at < mark) assert(scan === undefined, `byte ${at} was missed`);
    else {
      assert(scan!.tail?.offset === (at < closing ? mark : closing) && !scan!.closed, `byte ${at}`);
      assert(sameVersion(scan!, whole), `byte ${at}`);
    }
  }
});

Deno.test("a changed byte in the last edit of a process that was killed is damage, by the mark behind it", () => {
  const file = recordFile("manifest", 7).edit(1, CREATED).mark(1).edit(2, flush(1)).mark(2);
  const bytes = file.bytes();
  const [, , edit, mark] = file.offsets as [number, number, number, number];
  for (const { at, bytes: changed } of someChanges(bytes, edit)) {
    const scan = valueUnlessDamaged(() => scanManifest(changed, 7));
    if (at < mark) assert(scan === undefined, `byte ${at}`);
    else assert(scan!.edits.length === 2 && scan!.tail?.offset === mark, `byte ${at}`);
  }
});

Deno.test("an edit that nothing says to be durable may be torn; it is left out and reported", () => {
  const file = recordFile("manifest", 7).edit(1, CREATED).mark(1).edit(2, flush(1));
  const edit = file.offsets[2]!;
  for (const { at, bytes: changed } of someChanges(file.bytes(), edit)) {
    const scan = scanManifest(changed, 7);
    assert(scan.edits.length === 1 && scan.tail?.offset === edit, `byte ${at}`);
  }
});

Deno.test("the rule of marks: a record behind a torn one is damage exactly if it says that a lost edit was durable", () => {
  const torn = (): RecordFile => recordFile("manifest", 7).edit(4, CREATED).raw(new Uint8Array(50).fill(3));
  const offset = torn().bytes().length - 50;
  const fine = [torn(), torn().mark(4), torn().close(4), torn().edit(5, flush(1)), torn().edit(4, flush(1))];
  for (const file of fine) {
    const scan = scanManifest(file.bytes(), 7);
    assertEquals([scan.edits, scan.tail?.offset], [[CREATED], offset]);
  }
  const damaged = [
    torn().mark(5),
    torn().close(5),
    torn().edit(6, flush(1)),
    torn().edit(5, flush(1)).mark(5),
    torn().mark(4).raw(new Uint8Array(9)).mark(5),
  ];
  for (const file of damaged) {
    const error = assertThrows(() => scanManifest(file.bytes(), 7), CorruptionError);
    assertEquals([error.file, error.offset], ["manifest-000007", offset]);
    assert(error.message.includes("bad checksum at byte"), error.message);
  }
});

Deno.test("what records behind a torn one know to be durable counts", () => {
  const file = recordFile("manifest", 7).edit(4, CREATED, 3).raw(new Uint8Array(50).fill(3)).mark(4, 12);
  assertEquals(scanManifest(file.bytes(), 7).durable, 12);
});

Deno.test("a manifest that is cut off has its whole edits and a tail, or none and is corrupt", () => {
  const file = sample();
  const bytes = file.bytes();
  const firstEnd = file.offsets[1]!;
  for (const short of cutOff(bytes)) {
    const scan = valueUnlessDamaged(() => scanManifest(short, 7));
    assertEquals(scan === undefined, short.length < firstEnd);
    if (scan === undefined) continue;
    const end = [...file.offsets].reverse().find((offset) => offset <= short.length)!;
    assertEquals(scan.closed, false);
    assertEquals(scan.tail?.bytes, short.length === end ? undefined : short.length - end);
  }
});

Deno.test("a manifest with anything behind it has a tail and was not closed", () => {
  const bytes = sample().bytes();
  const whole = scanManifest(bytes, 7);
  for (const longer of extended(bytes)) {
    const scan = scanManifest(longer, 7);
    assertEquals([scan.version, scan.tail?.offset, scan.closed], [whole.version, bytes.length, false]);
  }
});

Deno.test("swapped edits, and edits of another manifest, are found", () => {
  const file = recordFile("manifest", 7).edit(1, CREATED).edit(2, flush(1)).edit(3, flush(2));
  const bytes = file.bytes();
  const [a, b, c] = file.offsets as [number, number, number];
  const swapped = joined(bytes.subarray(0, b), bytes.subarray(c), bytes.subarray(b, c));
  assertEquals(swapped.length, bytes.length);
  assertEquals(scanManifest(swapped, 7).edits.length, 1);
  const other = recordFile("manifest", 7, { ...SALT, low: 1 }).edit(1, CREATED).edit(2, flush(1)).bytes();
  assertThrows(() => scanManifest(joined(bytes.subarray(0, a), other.subarray(a)), 7), CorruptionError);
  const scan = scanManifest(joined(bytes.subarray(0, b), other.subarray(b)), 7);
  assertEquals([scan.edits.length, scan.tail?.offset], [1, b]);
});

Deno.test("records that have no place in a manifest are corrupt", () => {
  const wrong: [why: string, file: RecordFile][] = [
    ["an edit is missing", recordFile("manifest", 7).edit(1, CREATED).edit(3, flush(1))],
    ["an edit is missing", recordFile("manifest", 7).edit(1, CREATED).edit(1, flush(1))],
    ["has the wrong number", recordFile("manifest", 7).edit(1, CREATED).mark(2)],
    ["has the wrong number", recordFile("manifest", 7).edit(1, CREATED).edit(2, flush(1)).close(1)],
    ["has the wrong number", recordFile("manifest", 7).mark(1).edit(1, CREATED)],
    ["no place in a manifest", recordFile("manifest", 7).edit(1, CREATED).record(RECORD_BATCH, 2, 0)],
    ["no whole edit", recordFile("manifest", 7)],
    ["no whole edit", recordFile("manifest", 7).history(1, historyOf(0, CREATED))],
    ["has the wrong number", recordFile("manifest", 7).history(1, historyOf(0, CREATED)).mark(1)],
    [
      "history has another number",
      recordFile("manifest", 7).history(2, historyOf(1, CREATED)).edit(1, CREATED),
    ],
    ["up to its number", recordFile("manifest", 7).history(2, historyOf(0, CREATED)).edit(2, CREATED)],
    ["no place in a manifest", recordFile("manifest", 7).edit(1, CREATED).history(1, historyOf(0, CREATED))],
    [
      "no place in a manifest",
      recordFile("manifest", 7).history(1, historyOf(1)).history(1, historyOf(1)).edit(1, CREATED),
    ],
    ["no whole edit", recordFile("manifest", 7).raw(new Uint8Array(40)).edit(1, CREATED).mark(1)],
    ["Cannot decode an edit", recordFile("manifest", 7).record(RECORD_EDIT, 1, 0, Uint8Array.of(1))],
    ["Cannot apply an edit", recordFile("manifest", 7).edit(1, { ...CREATED, removed: [4] })],
  ];
  for (const [why, file] of wrong) assertThrows(() => scanManifest(file.bytes(), 7), CorruptionError, why);
});

Deno.test("a manifest of a newer module is unsupported", () => {
  const file = recordFile("manifest", 7).edit(1, CREATED).record(9 as 1, 2, 0);
  assertThrows(() => scanManifest(file.bytes(), 7), UnsupportedFormatError);
});

Deno.test("any bytes are a manifest, corrupt or unsupported", () => {
  const begin = recordFile("manifest", 7).edit(1, CREATED).bytes();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    valueUnlessDamaged(() => scanManifest(bytes, 7));
    const scan = valueUnlessDamaged(() => scanManifest(joined(begin, bytes), 7));
    assertEquals(scan?.tail?.offset, bytes.length === 0 ? undefined : begin.length);
  }));
});

Deno.test("CURRENT names a manifest in a line that people can read", () => {
  assertEquals(new TextDecoder().decode(encodeCurrent(7)), "manifest-000007 afeabf7c\n");
  const id = safeNumber.filter((number) => number <= NUMBER_MAX);
  fc.assert(fc.property(id, (id) => assertEquals(decodeCurrent(encodeCurrent(id)), id)));
  assertEquals(decodeCurrent(encodeCurrent(NUMBER_MAX)), NUMBER_MAX);
  assertThrows(() => decodeCurrent(encodeCurrent(NUMBER_MAX + 1)), CorruptionError);
});

Deno.test("every changed byte of CURRENT is found, and anything missing or too much", () => {
  const bytes = encodeCurrent(123_456);
  const error = assertThrows(() => decodeCurrent(new Uint8Array(0)), CorruptionError);
  assertEquals([error.file, error.offset], ["CURRENT", 0]);
  for (const { bytes: changed } of everyChange(bytes)) {
    assertThrows(() => decodeCurrent(changed), CorruptionError);
  }
  for (const wrong of [...cutOff(bytes), ...extended(bytes)]) {
    assertThrows(() => decodeCurrent(wrong), CorruptionError);
  }
});

Deno.test("any bytes name a manifest or are corrupt, also a great many of them", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    assertEquals(valueUnlessDamaged(() => decodeCurrent(bytes)), undefined);
  }));
  assertThrows(() => decodeCurrent(new Uint8Array(1_000_000).fill(32)), CorruptionError);
});

const CREATED: Edit = snapshotEdit(EMPTY_VERSION, "created", 1_700_000_000_000);

/** The edit of the n-th flush. */
function flush(n: number): Edit {
  return {
    cause: "flush",
    reason: "the memtable is full",
    time: 1_700_000_000_000 + n,
    nextId: 1 + 2 * n,
    flushedSeqno: 10 * n,
    removed: [],
    added: [{ level: 0, index: 0, join: false, segments: [metaOf(2 * n, "a", `k${n}`)] }],
    config: undefined,
    fence: undefined,
  };
}

/** Returns the history with these edits behind so many that are forgotten. */
function historyOf(forgotten: number, ...edits: readonly Edit[]): History {
  return withEncodedEdits(historyAfter(forgotten), edits.map((edit) => encodeEdit(edit).slice()));
}

/** Manifest 7 with two edits, closed in order. */
function sample(): RecordFile {
  return recordFile("manifest", 7).edit(1, CREATED).mark(1).edit(2, flush(1)).mark(2).close(2);
}

/** Tells whether two scans have the same version; for loops, where only segments can differ. */
function sameVersion(a: ManifestScan, b: ManifestScan): boolean {
  return a.version.editNumber === b.version.editNumber && a.version.runs.length === b.version.runs.length &&
    a.version.runs[0]?.segments[0]?.id === b.version.runs[0]?.segments[0]?.id;
}
