import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BlockBuilder } from "../../core/block.ts";
import { keyToBytes } from "../../core/bytes.ts";
import type { Edit } from "../../core/edit.ts";
import { foldEdits, snapshotEdit } from "../../core/edit.ts";
import { PUT } from "../../core/entry_kind.ts";
import type { TreeError } from "../../core/errors.ts";
import { CorruptionError, IoError } from "../../core/errors.ts";
import type { History } from "../../core/history.ts";
import { EMPTY_CHRONICLE, historyAfter, withEdit, withEncodedEdits } from "../../core/history.ts";
import type { SegmentBytes, SegmentExpectation } from "../../core/inspection.ts";
import { inspectJournal, inspectManifest, inspectSegment, segmentParts } from "../../core/inspection.ts";
import { scanJournal } from "../../core/journal.ts";
import { scanManifest } from "../../core/manifest.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import type { SegmentMeta } from "../../core/version.ts";
import { byteKey, entriesOf, longKey, metaOf, value } from "../support/arbitraries.ts";
import type { CraftedBlock, Oddities } from "../support/crafted_segments.ts";
import { craftedSegment } from "../support/crafted_segments.ts";
import { cutOff, someChanges } from "../support/damage.ts";
import { effort } from "../support/effort.ts";
import { recordFile } from "../support/record_files.ts";
import { RUN_LENGTH, TEST_CODECS } from "../support/run_length_codec.ts";
import type { SegmentFile } from "../support/segment_files.ts";
import { SEGMENT_OPTIONS, segmentFile } from "../support/segment_files.ts";

const VERSION = { ...EMPTY_VERSION, hashSeed: SEGMENT_OPTIONS.hashSeed, flushedSeqno: 9 };

function bytesOf(file: Uint8Array<ArrayBuffer>, id = 12): SegmentBytes {
  const read = (offset: number, length: number): Uint8Array<ArrayBuffer> => {
    if (offset + length > file.length) throw new CorruptionError("Cannot read: it ends before");
    return file.slice(offset, offset + length);
  };
  return { id, size: file.length, read };
}

/** Returns all problems of a segment, and checks that all of it was looked at. */
function problemsOf(
  { meta, file }: SegmentFile,
  expected: Partial<SegmentExpectation> = {},
): readonly TreeError[] {
  const problems: TreeError[] = [];
  let bytes = 0;
  for (const step of inspectSegment(bytesOf(file), { meta, version: VERSION, ...expected }, TEST_CODECS)) {
    problems.push(...step.problems);
    bytes += step.bytes;
  }
  assertEquals(bytes, file.length);
  for (const problem of problems) {
    assertEquals(problem.file, "segment-000012");
    assert(problem.offset! >= 0 && problem.offset! <= file.length, problem.message);
  }
  return problems;
}

const LETTERS: readonly CraftedBlock[] = [
  { separator: "", keys: ["a", "b!"] },
  { separator: "c", keys: ["cc", "d"] },
  { separator: "e", keys: ["e"] },
];

function reasonsOf(blocks: readonly CraftedBlock[], odd: Oddities = {}): string[] {
  return problemsOf(craftedSegment(blocks, odd)).map(({ message }) => message.replace(/^.*?: /, ""));
}

Deno.test("nothing is wrong with what the builder writes", () => {
  const key = fc.oneof(byteKey, longKey);
  const entries = entriesOf(key, fc.option(value, { nil: null }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(entries, fc.constantFrom(0, 10), fc.boolean(), (list, filterBitsPerKey, packed) => {
      const options = { filterBitsPerKey, ...(packed ? { codec: RUN_LENGTH } : {}) };
      const segment = segmentFile(list, options);
      for (const expected of [{}, { meta: undefined }, { meta: undefined, version: undefined }]) {
        assertEquals(problemsOf(segment, expected), []);
      }
    }),
    effort(200),
  );
});

Deno.test("every changed byte and every cut is found, with what the manifest says and without", () => {
  const list = Array.from(
    { length: 12 },
    (_, i) => [`key ${i + 10}`, i % 5 === 0 ? null : new Uint8Array(i)] as const,
  );
  const segment = segmentFile(list, { codec: RUN_LENGTH });
  for (const expected of [{}, { meta: undefined, version: undefined }]) {
    for (const { at, bytes } of someChanges(segment.file)) {
      const found = problemsOf({ ...segment, file: bytes }, expected);
      assert(found.length > 0, `not found at byte ${at}`);
    }
    for (const file of cutOff(segment.file)) assert(problemsOf({ ...segment, file }, expected).length > 0);
  }
});

Deno.test("one damaged part does not end the inspection of the others", () => {
  const list = Array.from({ length: 12 }, (_, i) => [`key ${i + 10}`, new Uint8Array(9)] as const);
  const { meta, file } = segmentFile(list);
  const { index, footer } = segmentParts(bytesOf(file), meta, TEST_CODECS);
  const damaged = file.slice();
  const places = [3, index!.offset(1) + 5, index!.offset(3) + 20, footer!.filterOffset + 20];
  places.push(file.length - 24 - 10);
  for (const place of places) damaged[place]! ^= 4;
  const offsets = problemsOf({ meta, file: damaged }).map(({ offset }) => offset);
  const propertiesOffset = file.length - 24 - footer!.propertiesBytes;
  assertEquals(offsets, [
    0,
    footer!.filterOffset,
    propertiesOffset,
    index!.offset(1),
    index!.offset(3),
  ]);
});

Deno.test("a damaged header is made up for by the manifest, or by its own checksum", () => {
  const { meta, file } = segmentFile([["a", new Uint8Array(3)]]);
  const zeroed = new Uint8Array(file);
  zeroed.fill(0, 0, 28);
  assertEquals(segmentParts(bytesOf(zeroed), meta, TEST_CODECS).properties?.maxKey, "a");
  assertEquals(segmentParts(bytesOf(zeroed), undefined, TEST_CODECS).properties, undefined);
  for (const place of [1, 9, 17, 25]) {
    const damaged = file.slice();
    damaged[place]! ^= 1;
    for (const known of [meta, undefined]) {
      const { properties, problems } = segmentParts(bytesOf(damaged), known, TEST_CODECS);
      assertEquals([properties?.maxKey, problems.length], ["a", 1]);
    }
  }
});

Deno.test("what the manifest says of a segment is compared with what is there", () => {
  const { meta, file } = craftedSegment(LETTERS);
  const messages = (change: Partial<typeof meta>): string =>
    problemsOf({ meta: { ...meta, ...change }, file }).map(({ message }) => message).join("\n");
  for (const field of ["entries", "tombstones", "seqnoMin", "seqnoMax", "writtenAt"] as const) {
    assertStringIncludes(messages({ [field]: meta[field] - 1 }), `another ${field}`);
  }
  assertStringIncludes(messages({ minKey: "aa" }), "not the segment's smallest");
  assertStringIncludes(messages({ maxKey: "ee" }), "not the segment's greatest");
  assertStringIncludes(messages({ entries: 4 }), "it has 5 entries, where 4 were written");
  assertStringIncludes(messages({ size: 7 }), `it has ${file.length} bytes, the manifest says 7`);
  assertStringIncludes(messages({ salt: { low: 1, high: 2 } }), "not the file that the manifest lists");
  const version = { ...VERSION, hashSeed: 1 };
  assertStringIncludes(problemsOf({ meta, file }, { version })[0]!.message, "another hash seed");
  assertEquals(messages({}), "");
});

Deno.test("what the properties say is compared with the data", () => {
  assertEquals(reasonsOf(LETTERS), []);
  assertEquals(reasonsOf(LETTERS, { properties: { entries: 6 } }), [
    "it has 5 entries, where 6 were written",
  ]);
  assertEquals(reasonsOf(LETTERS, { properties: { tombstones: 2 } }), [
    "it has 1 tombstones, where 2 were written",
  ]);
  assertEquals(reasonsOf(LETTERS, { properties: { blocks: 2 } }), ["it has 3 blocks, where 2 were written"]);
  assertStringIncludes(reasonsOf(LETTERS, { properties: { rawBytes: 2 } }).join(), "bytes of blocks");
  assertEquals(reasonsOf(LETTERS, { properties: { seqnoMin: 10 } }), ["its last batch is before its first"]);
});

Deno.test("keys that are not in order, twice there or behind the wrong separator are found", () => {
  const order = "the keys of entries 0 and 1 are not in order";
  assertEquals(reasonsOf([{ separator: "", keys: ["b", "a"] }]), [order]);
  assertEquals(reasonsOf([{ separator: "", keys: ["a", "a"] }]), [
    "Cannot decode a block: its keys are all the same",
  ]);
  assertEquals(reasonsOf([{ separator: "", keys: ["ab", "b", "b"] }]), [
    "the keys of entries 1 and 2 are not in order",
  ]);
  const twice = [{ separator: "", keys: ["a", "c"] }, { separator: "c", keys: ["c", "d"] }];
  assertEquals(reasonsOf(twice), [
    "its last key is not before the next separator",
    "its first key is not behind the block before",
  ]);
  assertEquals(reasonsOf([{ separator: "", keys: ["a"] }, { separator: "d", keys: ["c", "d"] }]), [
    "its first key is before its separator",
  ]);
  assertEquals(reasonsOf([{ separator: "", keys: ["a", "c"] }, { separator: "b", keys: ["d"] }]), [
    "its last key is not before the next separator",
  ]);
});

Deno.test("a key that a read would miss is found: a wrong tag, no tag, a filter without it", () => {
  assertEquals(reasonsOf(LETTERS, { filterKeys: ["a", "b", "cc", "d"] }), ["entry 0 is not in the filter"]);
  assertEquals(reasonsOf(LETTERS, { tagSeed: 5 }).every((why) => why === "entry 0 has the wrong tag"), true);
  assertEquals(reasonsOf(LETTERS, { isTagged: false }).length, 3);
  assertEquals(reasonsOf(LETTERS, { filter: new Uint8Array(64).fill(255) }), ["it has no filter"]);
  assertEquals(reasonsOf(LETTERS, { filter: new Uint8Array(65).fill(255) }), ["it has no filter"]);
});

Deno.test("a block that is empty, or of a newer module, is found", () => {
  assertEquals(reasonsOf(LETTERS, { firstBlock: new BlockBuilder(true).finish(0) }), ["the block is empty"]);
  const block = new BlockBuilder(true);
  block.add(3, keyToBytes("a"), 1, 0, new Uint8Array(0), 0, 0);
  const segment = craftedSegment(LETTERS, { firstBlock: block.finish(0) });
  assertEquals(problemsOf(segment).map(({ code, offset }) => [code, offset]), [["UNSUPPORTED_FORMAT", 28]]);
});

Deno.test("a refusal of the operating system is no finding", () => {
  const { meta, file } = craftedSegment(LETTERS);
  const refusing = {
    ...bytesOf(file),
    read: () => {
      throw new IoError("Cannot read");
    },
  };
  assertThrows(() => [...inspectSegment(refusing, { meta, version: VERSION }, TEST_CODECS)], IoError);
});

Deno.test("a batch that does not decode is found behind a good checksum, with all others", () => {
  const nonsense = new Uint8Array([1, 0, 0, 0, PUT, 9]);
  const newer = new Uint8Array([1, 0, 0, 0, 5]);
  const file = recordFile("journal", 3).batch(1, [{ kind: "remove", key: "a" }]).record(1, 2, 0, nonsense)
    .record(1, 3, 0, newer).batch(4, []);
  const problems = inspectJournal(scanJournal(file.bytes(), 3));
  assertEquals(problems.map(({ code, offset }) => [code, offset]), [
    ["CORRUPTION", file.offsets[1]!],
    ["UNSUPPORTED_FORMAT", file.offsets[2]!],
  ]);
  assertEquals(inspectJournal(scanJournal(recordFile("journal", 3).batch(1, []).bytes(), 3)), []);
});

const CREATED = snapshotEdit(EMPTY_VERSION, "created", 1);

function flush(id: number, change: Partial<SegmentMeta> = {}): Edit {
  const meta = { ...metaOf(id, `${id}`, `${id}`), seqnoMin: 1, seqnoMax: 5, ...change };
  const added = [{ level: 0, index: 0, join: false, segments: [meta] }];
  return { ...CREATED, cause: "flush", config: undefined, fence: undefined, flushedSeqno: 5, added };
}

Deno.test("nothing is wrong with a manifest whose history leads to its version, or is not whole", () => {
  const { history } = withEdit(withEdit(EMPTY_CHRONICLE, CREATED), flush(3));
  const snapshot = snapshotEdit(foldEdits([CREATED, flush(3)]), "snapshot", 1);
  const whole = recordFile("manifest", 7).history(2, history).edit(2, snapshot).edit(3, flush(4));
  assertEquals(inspectManifest(scanManifest(whole.bytes(), 7)), []);
  const part = recordFile("manifest", 7).edit(2, snapshot).edit(3, flush(4));
  assertEquals(inspectManifest(scanManifest(part.bytes(), 7)), []);
});

Deno.test("a history that tells of another tree, or does not decode, is found", () => {
  const { history } = withEdit(withEdit(EMPTY_CHRONICLE, CREATED), flush(3));
  const snapshot = snapshotEdit(foldEdits([CREATED, flush(4)]), "snapshot", 1);
  const reasons = (of: History): string[] => {
    const file = recordFile("manifest", 7).history(of.forgotten + of.edits.length, of)
      .edit(of.forgotten + of.edits.length, snapshot);
    const problems = inspectManifest(scanManifest(file.bytes(), 7));
    for (const { file } of problems) assertEquals(file, "manifest-000007");
    return problems.map(({ message }) => message);
  };
  assertStringIncludes(reasons(history).join(), "its history tells of another tree");
  assertEquals(reasons({ ...history, forgotten: 1 }), []);
  const nonsense = withEncodedEdits(historyAfter(1), [Uint8Array.of(99)]);
  assertStringIncludes(reasons(nonsense).join(), "its cause is unknown");
});

Deno.test("segments of batches that were never flushed are found", () => {
  for (const change of [{ seqnoMax: 6 }, { seqnoMin: 5, seqnoMax: 4 }]) {
    const file = recordFile("manifest", 7).edit(1, CREATED).edit(2, flush(3, change));
    const messages = inspectManifest(scanManifest(file.bytes(), 7)).map(({ message }) => message);
    assertEquals(messages.length, 1);
    assertStringIncludes(messages[0]!, "the batches of segment 3 are none that were flushed");
  }
});
