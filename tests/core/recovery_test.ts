import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import type { StoredConfig } from "../../core/config.ts";
import { RECORD_BATCH } from "../../core/record.ts";
import type { Edit } from "../../core/edit.ts";
import { snapshotEdit } from "../../core/edit.ts";
import { CorruptionError, JournalRecoveryError, UnsupportedFormatError } from "../../core/errors.ts";
import { fileName, lostJournalName } from "../../core/file_names.ts";
import { scanJournal } from "../../core/journal.ts";
import type { ManifestScan } from "../../core/manifest.ts";
import { scanManifest } from "../../core/manifest.ts";
import { EMPTY_MEMTABLE } from "../../core/memtable.ts";
import type { RecoveryMode, RecoveryPlan } from "../../core/recovery.ts";
import { countingJournals, fenceEdit, planRecovery, recoveredEdit } from "../../core/recovery.ts";
import type { JournalFence, Version } from "../../core/version.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import { forwards } from "../support/core_views.ts";
import { MemorySegments } from "../support/memory_segments.ts";
import type { RecordFile } from "../support/record_files.ts";
import { recordFile } from "../support/record_files.ts";
import { versionOf } from "../support/shapes.ts";
import { ALL } from "../support/sorted_model.ts";

const MODES: readonly RecoveryMode[] = ["tolerate-tail", "strict", "point-in-time"];

/** What a folder holds. */
interface Folder {
  readonly version?: Partial<Version>;
  /** Beside journals, the manifest and segments. */
  readonly others?: readonly string[];
  readonly journals?: Readonly<Record<number, Uint8Array<ArrayBuffer> | RecordFile>>;
  readonly manifest?: ManifestScan;
  readonly memtableBytesMax?: number;
}

Deno.test("batches after the last flushed one come back, in order, across journals", () => {
  const plan = planOf({
    version: { flushedSeqno: 2 },
    journals: { 4: journal(4, 1, 2, 3), 7: journal(7, 4, 5) },
  });
  assertEquals(contents(plan), ["key 3", "key 4", "key 5"]);
  assertEquals([plan.lastSeqno, plan.batches, plan.dropped, plan.notes], [5, 3, undefined, []]);
  assertEquals(plan.journals.map(({ id, lastSeqno }) => [id, lastSeqno]), [[4, 3], [7, 5]]);
  assertEquals([plan.isNew, plan.cleanClose], [true, false]);
});

Deno.test("an empty folder but for the manifest is an empty tree", () => {
  const plan = planOf({});
  assertEquals([plan.sealed, plan.journals, plan.lastSeqno, plan.nextId], [[], [], 0, 2]);
  assertEquals([plan.isNew, plan.orphans, plan.dropped, plan.lost], [false, [], undefined, []]);
});

Deno.test("consecutive journals become one memtable up to its size, and a large one several", () => {
  const journals = { 1: journal(1, 1, 2), 2: journal(2, 3), 3: journal(3, 4, 5, 6, 7, 8) };
  const bytes = recordBytes();
  const sizes = (memtableBytesMax: number): string[] =>
    planOf({ journals, memtableBytesMax }).sealed.map(({ firstSeqno, lastSeqno, journals }) =>
      `${firstSeqno}..${lastSeqno} of ${journals.map(({ id }) => id)}`
    );
  assertEquals(sizes(100 * bytes), ["1..8 of 1,2,3"]);
  assertEquals(sizes(4 * bytes), ["5..8 of 3", "1..4 of 1,2,3"]);
  assertEquals(sizes(2 * bytes + 1), ["7..8 of 3", "4..6 of 3", "1..3 of 1,2"]);
  // What each memtable says of a journal is what it needs of it; what counts is the most.
  assertEquals(planOf({ journals, memtableBytesMax: 1 }).journals, planOf({ journals }).journals);
});

Deno.test("a remove leaves a tombstone only where a segment or an older memtable may have the key", () => {
  const file = recordFile("journal", 3)
    .batch(1, [{ kind: "put", key: "c", value: "1" }])
    .batch(2, [{ kind: "remove", key: "c" }, { kind: "remove", key: "k" }])
    .batch(3, [{ kind: "remove", key: "x" }]);
  const tombstones = (memtableBytesMax: number, version: Partial<Version>): number[] =>
    planOf({ journals: { 3: file }, memtableBytesMax, version }).sealed.map((memtable) => memtable.map.size);
  assertEquals(tombstones(10_000, {}), [0]);
  assertEquals(tombstones(1, {}), [0, 1, 1]);
  const { runs } = versionOf("L0  #2 g..m 1K");
  const folder = { journals: { 3: file }, version: { runs }, others: [fileName("segment", 2)] };
  assertEquals(planOf(folder).sealed.map((memtable) => memtable.map.size), [1]);
});

Deno.test("a clear hides what is older, in older memtables too", () => {
  const file = recordFile("journal", 3)
    .batch(1, [{ kind: "put", key: "a", value: "1" }])
    .batch(2, [{ kind: "clear" }, { kind: "put", key: "b", value: "2" }]);
  for (const memtableBytesMax of [1, 10_000]) {
    assertEquals(contents(planOf({ journals: { 3: file }, memtableBytesMax })), ["b"]);
  }
});

Deno.test("a torn tail above what is durable is dropped and reported, and refused in strict mode", () => {
  const whole = journal(4, 1, 2, 3).bytes();
  const cut = whole.subarray(0, whole.length - 5) as Uint8Array<ArrayBuffer>;
  const folder = { journals: { 4: cut, 5: new Uint8Array(0) } };
  const plan = planOf(folder);
  assertEquals([contents(plan), plan.lastSeqno], [["key 1", "key 2"], 2]);
  assertEquals(plan.dropped, {
    bytes: recordBytes() - 5,
    reason: `"journal-000004" at byte ${28 + 2 * recordBytes()}: a record is cut off`,
  });
  assertEquals([plan.lost, plan.notes], [[], [
    'ignored 0 bytes of "journal-000005" at byte 0: its header is not whole',
  ]]);
  const refused = refusal(folder, "strict");
  assertEquals([refused.file, refused.offset], ["journal-000004", 28 + 2 * recordBytes()]);
  // Point in time sets aside what it could not read to its end.
  const set = planOf(folder, "point-in-time");
  assertEquals([set.lost, set.journals.map(({ id }) => id), contents(set)], [[4, 5], [4], [
    "key 1",
    "key 2",
  ]]);
  assertEquals(set.orphans, []);
});

Deno.test("every cut of a journal leaves a prefix of its batches", () => {
  const whole = journal(4, 1, 2, 3).bytes();
  for (let length = 0; length <= whole.length; length++) {
    const plan = planOf({ journals: { 4: whole.slice(0, length) } });
    const batches = Math.max(0, Math.floor((length - 28) / recordBytes()));
    assertEquals(plan.lastSeqno, batches);
    assertEquals(contents(plan).length, batches);
    assertEquals(plan.dropped === undefined, length >= 28 && (length - 28) % recordBytes() === 0);
  }
});

Deno.test("damage at or below what any record knows to be durable is an error, and a prefix in point-in-time mode", () => {
  const file = recordFile("journal", 4)
    .batch(1, put(1)).batch(2, put(2)).batch(3, put(3)).batch(4, put(4), 3).bytes();
  file[28 + recordBytes() + 40]! ^= 1; // in batch 2
  const later = journal(6, 5);
  const folder = { journals: { 4: file, 6: later } };
  for (const mode of ["tolerate-tail", "strict"] as const) {
    const error = refusal(folder, mode);
    assertEquals([error.file, error.offset], ["journal-000004", 28 + recordBytes()]);
    assertEquals(error.code, "JOURNAL_RECOVERY");
    assertEquals(
      error.message.includes("batch 2 cannot be read, though all up to 3 were made durable"),
      true,
    );
  }
  const plan = planOf(folder, "point-in-time");
  assertEquals([contents(plan), plan.lastSeqno, plan.lost], [["key 1"], 1, [4, 6]]);
  assertEquals(plan.dropped?.bytes, file.length - 28 - recordBytes() + later.bytes().length);
});

Deno.test("what the manifest knows to be durable counts too", () => {
  const manifest = manifestOf({}, 3);
  const folder = { manifest, journals: { 4: journal(4, 1, 2) } };
  assertEquals(refusal(folder, "tolerate-tail").file, undefined);
  assertEquals(planOf({ manifest, journals: { 4: journal(4, 1, 2, 3) } }).lastSeqno, 3);
});

Deno.test("durable batches that no journal holds any more are reported, and the decision to go on is kept", () => {
  const plan = planOf({ manifest: manifestOf({}, 3), journals: {} }, "point-in-time");
  assertEquals([plan.lastSeqno, plan.isNew, plan.cleanClose], [0, true, false]);
  assertEquals(plan.dropped, { bytes: 0, reason: "batches 1 to 3 are in no journal" });
});

Deno.test("what a journal says of durable batches counts although its header is damaged", () => {
  for (const at of [5, 20, 26]) {
    const file = recordFile("journal", 4).batch(1, put(1)).batch(2, put(2), 1).bytes();
    file[at]! ^= 16;
    assertEquals(refusal({ journals: { 4: file } }, "tolerate-tail").file, "journal-000004");
  }
  const cut = recordFile("journal", 4).batch(1, put(1)).bytes();
  cut[20]! ^= 16;
  assertEquals(planOf({ journals: { 4: cut } }).lastSeqno, 0);
});

Deno.test("a gap between journals ends the replay, and what comes after is never replayed over it", () => {
  const folder = { journals: { 4: journal(4, 1, 2), 5: journal(5, 4, 5), 6: journal(6, 6) } };
  const plan = planOf(folder);
  assertEquals([contents(plan), plan.lastSeqno], [["key 1", "key 2"], 2]);
  assertEquals(plan.dropped?.reason, '"journal-000005" at byte 28: batch 3 is missing');
  assertEquals(
    plan.dropped?.bytes,
    folder.journals[5].bytes().length - 28 + folder.journals[6].bytes().length,
  );
  assertEquals(plan.orphans, ["journal-000005", "journal-000006"]);
  assertEquals(planOf(folder, "point-in-time").lost, [5, 6]);
  refusal(folder, "strict");
  const durable = { ...folder, manifest: manifestOf({}, 4) };
  assertEquals(refusal(durable, "tolerate-tail").file, "journal-000005");
});

Deno.test("a tail is none if a later journal goes on with the next batch", () => {
  const first = journal(4, 1, 2).bytes();
  const torn = new Uint8Array([...first, 1, 2, 3]);
  const plan = planOf({ journals: { 4: torn, 5: journal(5, 3) } }, "strict");
  assertEquals([contents(plan), plan.dropped], [["key 1", "key 2", "key 3"], undefined]);
  assertEquals(plan.notes, [
    `ignored 3 bytes of "journal-000004" at byte ${first.length}: a record's header is cut off`,
  ]);
});

Deno.test("of a journal that the fence lists exactly the listed bytes count", () => {
  const file = journal(4, 1, 2, 3);
  const validBytes = 28 + 2 * recordBytes();
  const listed = { journals: [{ id: 4, validBytes, lastSeqno: 2 }], nextId: 6, lastSeqno: 2 };
  const folder = { version: { fence: listed, nextId: 6 }, journals: { 4: file } };
  const plan = planOf(folder, "strict");
  assertEquals([contents(plan), plan.lastSeqno, plan.dropped], [["key 1", "key 2"], 2, undefined]);
  assertEquals([plan.isNew, plan.journals], [false, listed.journals]);
  // What was dropped then is not in the way of what was written since with the same number.
  const again = planOf({ ...folder, journals: { 4: file, 6: journal(6, 3, 4) } }, "strict");
  assertEquals([again.lastSeqno, again.journals.map(({ id }) => id), again.isNew], [4, [4, 6], true]);
});

Deno.test("what point-in-time recovery gave up is not known to be durable any more", () => {
  const file = recordFile("journal", 4).batch(1, put(1)).batch(2, put(2)).batch(3, put(3), 2).bytes();
  file[28 + recordBytes() + 40]! ^= 1; // in batch 2
  const plan = planOf({ journals: { 4: file } }, "point-in-time");
  const { fence } = recoveredEdit(plan, 0);
  const again = planOf({ version: { fence, nextId: plan.nextId }, journals: { 4: file } }, "strict");
  assertEquals([again.lastSeqno, again.dropped, again.isNew], [1, undefined, false]);
});

Deno.test("journals are replayed in the order of their ids, in whatever order the folder lists them", () => {
  const names = ["journal-000012", "journal-1000000", "journal-000009", "journal-000010"];
  assertEquals(countingJournals(EMPTY_VERSION, names), [9, 10, 12, 1_000_000]);
});

Deno.test("a listed journal that has lost some of its bytes is damage, wherever it was cut", () => {
  const whole = journal(4, 1, 2, 3);
  const validBytes = whole.bytes().length;
  const fence = { journals: [{ id: 4, validBytes, lastSeqno: 3 }], nextId: 6, lastSeqno: 3 };
  for (const length of [validBytes - 1, 28 + 2 * recordBytes()]) {
    const folder = { version: { fence, nextId: 6 }, journals: { 4: whole.bytes().slice(0, length) } };
    for (const mode of ["tolerate-tail", "strict"] as const) {
      const error = refusal(folder, mode);
      assertEquals([error.file, error.offset], ["journal-000004", 28 + 2 * recordBytes()]);
    }
    const plan = planOf(folder, "point-in-time");
    assertEquals([plan.lastSeqno, plan.lost, plan.isNew, plan.cleanClose], [2, [4], true, false]);
    assertEquals(
      plan.dropped?.reason.startsWith(`"journal-000004" at byte ${28 + 2 * recordBytes()}: `),
      true,
    );
  }
});

Deno.test("journals that are older than the fence and not listed are dead, whatever they hold", () => {
  const fence = { journals: [], nextId: 6, lastSeqno: 0 };
  const folder = { version: { fence, nextId: 6 }, journals: { 4: journal(4, 1, 2), 6: journal(6, 1) } };
  const plan = planOf(folder, "strict");
  assertEquals([contents(plan), plan.lastSeqno, plan.orphans], [["key 1"], 1, ["journal-000004"]]);
  assertEquals(countingJournals(versionWith(folder.version), ["journal-000004", "journal-000006"]), [6]);
  // Nor do they say what is durable: that was decided by the fence.
  const stale = recordFile("journal", 4).batch(1, put(1)).batch(2, put(2), 1);
  assertEquals(planOf({ ...folder, journals: { 4: stale } }, "strict").lastSeqno, 0);
});

Deno.test("a file that the manifest lists and that is gone is an error in every mode", () => {
  const fence = { journals: [{ id: 4, validBytes: 28, lastSeqno: 3 }], nextId: 6, lastSeqno: 3 };
  const { runs } = versionOf("L0  #2 g..m 1K\n L1  #3 a..z 1K");
  for (const mode of MODES) {
    const noJournal = assertThrows(() => planOf({ version: { fence } }, mode), CorruptionError);
    assertEquals(noJournal.file, "journal-000004");
    const noSegment = assertThrows(
      () => planOf({ version: { runs }, others: ["segment-000002"] }, mode),
      CorruptionError,
    );
    assertEquals(noSegment.file, "segment-000003");
  }
});

Deno.test("files that nothing names are orphans, and files that are not ours are left alone", () => {
  const { runs } = versionOf("L0  #2 g..m 1K");
  const plan = planOf({
    version: { runs, flushedSeqno: 2 },
    journals: { 4: journal(4, 1, 2), 5: journal(5, 3), 6: journal(6) },
    others: [
      "CURRENT.tmp",
      "segment-000002",
      "segment-000003",
      "manifest-000009",
      "lost-journal-000001",
      "notes.txt",
      "segment-3",
      ".segment-000003",
      "READERS",
    ],
  });
  assertEquals(plan.orphans, [
    "journal-000004",
    "journal-000006",
    "CURRENT.tmp",
    "segment-000003",
    "manifest-000009",
  ]);
});

Deno.test("the next id is behind every id that the manifest or a name in the folder has", () => {
  assertEquals(planOf({ version: { nextId: 17 } }).nextId, 17);
  assertEquals(planOf({ version: { nextId: 17 }, others: ["segment-000030"] }).nextId, 31);
  assertEquals(planOf({ version: { nextId: 17 }, others: [lostJournalName(40), "segment-50"] }).nextId, 41);
});

Deno.test("a tree was closed in order if the manifest says so and nothing was written since", () => {
  const fence = {
    journals: [{ id: 4, validBytes: 28 + recordBytes(), lastSeqno: 1 }],
    nextId: 6,
    lastSeqno: 1,
  };
  const manifest = scanManifest(manifestFile({ fence, nextId: 6 }).close(1, 1).bytes(), 1);
  const closed = journal(4, 1).close(1, 1);
  assertEquals(planOf({ manifest, journals: { 4: closed } }).cleanClose, true);
  assertEquals(planOf({ manifest, journals: { 4: closed } }).notes, []);
  assertEquals(planOf({ manifest, journals: { 4: closed, 6: journal(6, 2) } }).cleanClose, false);
  assertEquals(planOf({ manifest, journals: { 4: closed, 6: journal(6) } }).cleanClose, true);
  const open = manifestOf({ fence, nextId: 6 });
  assertEquals(planOf({ manifest: open, journals: { 4: closed } }).cleanClose, false);
});

Deno.test("a damaged closing record is noted and loses nothing", () => {
  const fence = {
    journals: [{ id: 4, validBytes: 28 + recordBytes(), lastSeqno: 1 }],
    nextId: 6,
    lastSeqno: 1,
  };
  const torn = manifestFile({ fence, nextId: 6 }).close(1, 1).bytes();
  torn[torn.length - 1]! ^= 1;
  const closed = journal(4, 1).close(1, 1).bytes();
  closed[closed.length - 1]! ^= 1;
  const plan = planOf({ manifest: scanManifest(torn, 1), journals: { 4: closed } }, "strict");
  assertEquals([contents(plan), plan.dropped, plan.cleanClose], [["key 1"], undefined, false]);
  assertEquals(plan.notes.map((note) => note.replace(/at byte \d+/, "at byte N")), [
    "dropped the last 28 bytes of the manifest, at byte N: a record's header has a bad checksum",
    'ignored 28 bytes of "journal-000004" at byte N: a record\'s header has a bad checksum',
  ]);
});

Deno.test("a whole record that is no batch is an error in every mode, or too new", () => {
  const damaged = recordFile("journal", 4).record(RECORD_BATCH, 1, 0, Uint8Array.of(1, 0, 0, 0, 1));
  const newer = recordFile("journal", 4).record(RECORD_BATCH, 1, 0, Uint8Array.of(1, 0, 0, 0, 9));
  for (const mode of MODES) {
    const error = refusal({ journals: { 4: damaged } }, mode);
    assertEquals([error.file, error.offset], ["journal-000004", 56]);
    assertInstanceOf(error.cause, CorruptionError);
    assertThrows(() => planOf({ journals: { 4: newer } }, mode), UnsupportedFormatError);
  }
});

Deno.test("the edit of a plan lists what counts, each journal once", () => {
  const plan = planOf({
    version: { flushedSeqno: 1 },
    journals: { 4: journal(4, 1, 2, 3), 7: journal(7, 4) },
  });
  const edit = recoveredEdit(plan, 99);
  const fence: JournalFence = {
    journals: [
      { id: 4, validBytes: 28 + 3 * recordBytes(), lastSeqno: 3 },
      { id: 7, validBytes: 28 + recordBytes(), lastSeqno: 4 },
    ],
    nextId: 8,
    lastSeqno: 4,
  };
  assertEquals(edit, {
    cause: "recovered",
    reason: "batches 2 to 4 are in journals 4, 7",
    time: 99,
    nextId: 8,
    flushedSeqno: 1,
    removed: [],
    added: [],
    config: undefined,
    fence,
  });
  const twice = [{ id: 4, validBytes: 99, lastSeqno: 2 }, ...fence.journals];
  assertEquals(
    fenceEdit("closed", plan.version, twice, 4, 8, 99),
    { ...edit, cause: "closed" } satisfies Edit,
  );
});

Deno.test("the edit of a plan says what recovery decided, and which options have changed", () => {
  const reasonOf = (plan: RecoveryPlan, config?: StoredConfig): readonly unknown[] => {
    const { cause, reason, config: stored } = recoveredEdit(plan, 99, config);
    return [cause, reason, stored?.stored];
  };
  const whole = planOf({ version: { flushedSeqno: 3, nextId: 8 }, journals: {} });
  assertEquals(reasonOf(whole), ["recovered", "all batches are in segments", undefined]);
  const torn = planOf({ journals: { 4: journal(4, 1, 2).raw(new Uint8Array(5)) } });
  const dropped = '5 bytes dropped: "journal-000004" at byte 126: a record\'s header is cut off';
  assertEquals(reasonOf(torn), ["recovered", `batches 1 to 2 are in journals 4; ${dropped}`, undefined]);
  const strategy = { name: "fifo", options: [["limit", 5], ["ttl", 7]], custom: true } as const;
  const config = { ...whole.version.config, blockSize: 8192, strategy };
  const changes = "blockSize is 8192 and was 4096; strategy is custom fifo(limit 5, ttl 7) and was leveled()";
  const old = { journals: [], nextId: 8, lastSeqno: 3 };
  const decided = planOf({ version: { flushedSeqno: 3, nextId: 8, fence: old }, journals: {} });
  assertEquals(reasonOf({ ...decided, isNew: false }, config), ["configured", changes, config]);
  assertEquals(reasonOf({ ...decided, isNew: true }, config), [
    "recovered",
    `all batches are in segments; ${changes}`,
    config,
  ]);
});

/** Returns a journal with batches of the given numbers, each with one key. */
function journal(id: number, ...numbers: readonly number[]): RecordFile {
  const file = recordFile("journal", id);
  for (const number of numbers) file.batch(number, put(number));
  return file;
}

function put(number: number): [{ kind: "put"; key: string; value: string }] {
  return [{ kind: "put", key: `key ${number}`, value: "value" }];
}

/** The length of the record of such a batch. */
function recordBytes(): number {
  return journal(1, 1).bytes().length - 28;
}

function versionWith(parts: Partial<Version>): Version {
  return { ...EMPTY_VERSION, ...parts };
}

function manifestFile(parts: Partial<Version>, durable = 0): RecordFile {
  return recordFile("manifest", 1).edit(
    1,
    snapshotEdit(versionWith({ nextId: 2, ...parts }), "created", 0),
    durable,
  )
    .mark(1, durable);
}

function manifestOf(parts: Partial<Version>, durable = 0): ManifestScan {
  return scanManifest(manifestFile(parts, durable).bytes(), 1);
}

function planOf(folder: Folder, mode: RecoveryMode = "tolerate-tail"): RecoveryPlan {
  const manifest = folder.manifest ?? manifestOf(folder.version ?? {});
  const files = new Map(
    Object.entries(folder.journals ?? {}).map(([id, file]) => [
      Number(id),
      file instanceof Uint8Array ? file : file.bytes(),
    ]),
  );
  const names = [
    fileName("manifest", 1),
    ...[...files.keys()].map((id) => fileName("journal", id)),
    ...folder.others ?? [],
  ];
  const journals = countingJournals(manifest.version, names).map((id) => scanJournal(files.get(id)!, id));
  const maxMemtableSize = folder.memtableBytesMax ?? 10_000;
  return planRecovery({ manifest, journals, names, mode, maxMemtableSize });
}

function refusal(folder: Folder, mode: RecoveryMode): JournalRecoveryError {
  return assertThrows(() => planOf(folder, mode), JournalRecoveryError);
}

/** Returns the keys that a plan brings back. */
function contents(plan: RecoveryPlan): string[] {
  const view = { active: EMPTY_MEMTABLE, sealed: plan.sealed, version: { ...plan.version, runs: [] } };
  return forwards(view, ALL, new MemorySegments()).map(([key]) => key);
}
