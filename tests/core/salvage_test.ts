import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BlockBuilder } from "../../core/block.ts";
import { keyFromBytes, keyToBytes } from "../../core/bytes.ts";
import type { Edit } from "../../core/edit.ts";
import { foldEdits, snapshotEdit } from "../../core/edit.ts";
import { PUT } from "../../core/entry_kind.ts";
import { IoError, UnsupportedFormatError } from "../../core/errors.ts";
import { encodeFrame, FRAME_DATA, FRAME_HEADER_BYTES } from "../../core/frame.ts";
import { historyAfter, withEncodedEdits } from "../../core/history.ts";
import type { SegmentBytes } from "../../core/inspection.ts";
import { segmentParts } from "../../core/inspection.ts";
import { Merge } from "../../core/merge.ts";
import { RECORD_EDIT } from "../../core/record.ts";
import type { LostBytes, SalvagedBlock } from "../../core/salvage.ts";
import { salvageBlocks, SalvageCursor, salvageJournal, salvageManifest } from "../../core/salvage.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import { byteKey, entriesOf, metaOf, value } from "../support/arbitraries.ts";
import { joined, someChanges } from "../support/damage.ts";
import { effort } from "../support/effort.ts";
import { recordFile } from "../support/record_files.ts";
import { NO_CODEC, RUN_LENGTH, TEST_CODECS } from "../support/run_length_codec.ts";
import type { SegmentFile } from "../support/segment_files.ts";
import { segmentFile } from "../support/segment_files.ts";

function bytesOf(file: Uint8Array<ArrayBuffer>): SegmentBytes {
  return { id: 12, size: file.length, read: (at, length) => file.slice(at, at + length) };
}

interface Salvage {
  readonly keys: readonly string[];
  readonly lost: readonly LostBytes[];
}

/** Returns the keys of all blocks that are found, and what is lost. */
function salvaged({ meta, file }: SegmentFile, isListed = true): Salvage {
  const bytes = bytesOf(file);
  const parts = segmentParts(bytes, isListed ? meta : undefined, TEST_CODECS);
  const lost: LostBytes[] = [];
  const keys: string[] = [];
  let at = 0;
  for (
    const { block, offset } of salvageBlocks(bytes, parts, meta.size, TEST_CODECS, (one) => lost.push(one))
  ) {
    assert(offset > at);
    at = offset;
    for (let i = 0; i < block.count; i++) keys.push(block.key(i));
  }
  return { keys, lost };
}

const LIST = Array.from({ length: 9 }, (_, i) => [`key ${i + 10}`, new Uint8Array(i % 4 * 7)] as const);
const KEYS: readonly string[] = LIST.map(([key]) => key);

Deno.test("all blocks of a whole segment are found, by its index and by their checksums", () => {
  const entries = entriesOf(byteKey, fc.option(value, { nil: null }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(entries, fc.constantFrom(NO_CODEC, RUN_LENGTH), (list, codec) => {
      const segment = segmentFile(list, { codec });
      const keys = list.map(([key]) => key);
      assertEquals(salvaged(segment), { keys, lost: [] });
      const headless = { ...segment, file: segment.file.slice() };
      headless.file[segment.file.length - 2]! ^= 8;
      for (const isListed of [true, false]) assertEquals(salvaged(headless, isListed), { keys, lost: [] });
    }),
    effort(200),
  );
});

Deno.test("one changed byte costs at most the block that it is in, and that is named", () => {
  for (const codec of [NO_CODEC, RUN_LENGTH]) {
    const segment = segmentFile(LIST, { codec });
    const { index } = segmentParts(bytesOf(segment.file), segment.meta, TEST_CODECS);
    for (const isListed of [true, false]) {
      for (const { at, bytes } of someChanges(segment.file)) {
        const { keys, lost } = salvaged({ ...segment, file: bytes }, isListed);
        const dataEnd = index!.offset(index!.count);
        if (at < 28 || at >= dataEnd) {
          assertEquals([keys, lost], [KEYS, []], `byte ${at}`);
          continue;
        }
        assertEquals(lost.length, 1);
        const { offset, bytes: length } = lost[0]!;
        assert(offset <= at && at < offset + length);
        assert(
          keys.length < KEYS.length && keys.length >= KEYS.length - 2 &&
            keys.every((key) => KEYS.includes(key)),
        );
      }
    }
  }
});

Deno.test("without an index the walk goes on behind each damaged block, and ends where the data end", () => {
  for (const codec of [NO_CODEC, RUN_LENGTH]) {
    const segment = segmentFile(LIST, { codec });
    const { index } = segmentParts(bytesOf(segment.file), segment.meta, TEST_CODECS);
    for (let i = 0; i < index!.count; i++) {
      const file = segment.file.slice();
      file[file.length - 2]! ^= 8;
      file[index!.offset(i) + 13]! ^= 8;
      const { keys, lost } = salvaged({ ...segment, file });
      const place = { offset: index!.offset(i), bytes: index!.offset(i + 1) - index!.offset(i) };
      assertEquals(lost.map(({ offset, bytes }) => ({ offset, bytes })), [place]);
      assert(keys.length >= KEYS.length - 2 && keys.length < KEYS.length);
    }
  }
});

Deno.test("a segment that was cut off gives what is in front, and says how much is lost behind", () => {
  const segment = segmentFile(LIST);
  const { index } = segmentParts(bytesOf(segment.file), segment.meta, TEST_CODECS);
  for (let length = 0; length < index!.offset(index!.count); length++) {
    const { keys, lost } = salvaged({ ...segment, file: segment.file.slice(0, length) });
    let whole = 0;
    while (whole < index!.count && index!.offset(whole + 1) <= length) whole += 1;
    const offset = whole === 0 ? 28 : index!.offset(whole);
    assertEquals(keys, KEYS.slice(0, keys.length));
    assertEquals(lost.map((one) => [one.offset, one.bytes]), [[offset, segment.file.length - offset]]);
  }
  const unknown = salvaged({ ...segment, file: segment.file.slice(0, 20) }, false);
  assertEquals(unknown.lost.map(({ offset, bytes }) => [offset, bytes]), [[0, segment.file.length]]);
});

Deno.test("the file of another tree gives nothing", () => {
  const segment = segmentFile(LIST);
  const { keys, lost } = salvaged({ ...segment, meta: { ...segment.meta, salt: { low: 1, high: 2 } } });
  assertEquals([keys, lost.length], [[], 1]);
  const renamed = segmentParts({ ...bytesOf(segment.file), id: 13 }, undefined, TEST_CODECS);
  assertEquals([renamed.seed, renamed.problems.length], [undefined, 1]);
});

Deno.test("frames that are whole and hold no block are lost, those of 16 MiB and more are not searched for", () => {
  const segment = segmentFile([["a", new Uint8Array(3)]]);
  const { seed } = segmentParts(bytesOf(segment.file), segment.meta, TEST_CODECS);
  const frame = (content: Uint8Array): Uint8Array<ArrayBuffer> => {
    const block = joined(new Uint8Array(FRAME_HEADER_BYTES), content);
    return encodeFrame(block, FRAME_DATA, undefined, seed!, 28);
  };
  const nonsense = joined(segment.file.subarray(0, 28), frame(new Uint8Array(30)));
  assertEquals(salvaged({ ...segment, file: nonsense }).lost[0], {
    file: "segment-000012",
    offset: 28,
    bytes: 42,
    reason: "the block does not decode",
  });
  const builder = new BlockBuilder(true);
  builder.add(PUT, keyToBytes("a"), 1, 0, new Uint8Array(17 * 1024 * 1024), 0, 17 * 1024 * 1024);
  const packed = encodeFrame(builder.finish(FRAME_HEADER_BYTES), FRAME_DATA, RUN_LENGTH, seed!, 28);
  const large = joined(segment.file.subarray(0, 28), packed);
  assertEquals(salvaged({ ...segment, file: large }).keys, []);
});

Deno.test("a refusal of the operating system is not taken for damage", () => {
  const segment = segmentFile(LIST);
  const parts = segmentParts(bytesOf(segment.file), segment.meta, TEST_CODECS);
  const read = (): never => {
    throw new IoError("Cannot read");
  };
  const blocks = salvageBlocks({ ...bytesOf(segment.file), read }, parts, 0, TEST_CODECS, () => {});
  assertThrows(() => [...blocks], IoError);
});

function blocksOf(...lists: readonly (readonly string[])[]): Iterator<SalvagedBlock> {
  return lists.map((keys, i): SalvagedBlock => {
    const segment = segmentFile(keys.map((key) => [key, null]), { blockSize: 1000 });
    const parts = segmentParts(bytesOf(segment.file), segment.meta, TEST_CODECS);
    const [found] = salvageBlocks(bytesOf(segment.file), parts, 0, TEST_CODECS, () => {});
    return { ...found!, offset: i };
  }).values();
}

Deno.test("a cursor over blocks goes forwards, and passes over those that are not in order", () => {
  const lost: LostBytes[] = [];
  const blocks = blocksOf(["a", "c"], ["b", "d"], ["c"], ["e"], ["f", "e"], ["g"]);
  const cursor = new SalvageCursor(blocks, (one) => lost.push(one));
  const merge = new Merge([cursor], "forward");
  const keys: string[] = [];
  for (merge.seek(undefined); merge.current !== undefined; merge.advance()) {
    keys.push(keyFromBytes(merge.current.key, 0, merge.current.keyBytes));
    assert(merge.current.isTombstone);
  }
  assertEquals(keys, ["a", "c", "e", "g"]);
  assertEquals(lost.map(({ offset }) => offset), [1, 2, 4]);
  for (const move of ["seekLast", "previous"] as const) assertThrows(() => cursor[move](), RangeError);
  for (const move of ["seekAtOrAfter", "seekBefore"] as const) {
    assertThrows(() => cursor[move](""), RangeError);
  }
});

Deno.test("of a journal every whole batch is had, whatever byte is changed, and the rest is named", () => {
  const file = recordFile("journal", 3);
  for (let i = 1; i <= 5; i++) file.batch(i, [{ kind: "remove", key: `${i}` }], i - 1);
  const bytes = file.close(5, 5).bytes();
  const whole = salvageJournal(bytes, 3, bytes.length);
  assertEquals([whole.batches.map(({ number }) => number), whole.lost], [[1, 2, 3, 4, 5], []]);
  const places = [...file.offsets, bytes.length];
  for (const { at, bytes: changed } of someChanges(bytes)) {
    const { batches, lost } = salvageJournal(changed, 3, changed.length);
    const hit = places.findLastIndex((place) => place <= at);
    assertEquals(batches.map(({ number }) => number), [1, 2, 3, 4, 5].filter((number) => number !== hit + 1));
    const expected = hit < 0 ? [] : [[places[hit], places[hit + 1]! - places[hit]!]];
    assertEquals(lost.map(({ offset, bytes }) => [offset, bytes]), expected);
  }
});

Deno.test("of a journal only the bytes that count are had, and those that are missing are lost", () => {
  const file = recordFile("journal", 3).batch(1, []).batch(2, []).batch(3, []);
  const bytes = file.bytes();
  const [, second, third] = file.offsets;
  assertEquals(salvageJournal(bytes, 3, third!).batches.map(({ number }) => number), [1, 2]);
  const torn = bytes.slice(0, third! + 5);
  assertEquals(salvageJournal(torn, 3, third!).lost, []);
  assertEquals(salvageJournal(torn, 3, torn.length).lost.map(({ offset, bytes }) => [offset, bytes]), [[
    third,
    5,
  ]]);
  const short = salvageJournal(bytes.slice(0, second!), 3, third!);
  assertEquals(short.lost.map(({ offset, bytes }) => [offset, bytes]), [[second, third! - second!]]);
  const headless = salvageJournal(bytes.slice(0, 9), 3, 9);
  assertEquals(headless.lost.map(({ offset, bytes }) => [offset, bytes]), [[0, 9]]);
  assertEquals(salvageJournal(bytes, 4, bytes.length).batches, []);
});

const CREATED = snapshotEdit(EMPTY_VERSION, "created", 1);

function flush(id: number): Edit {
  const added = [{ level: 0, index: 0, join: false, segments: [metaOf(id, `${id}`, `${id}`)] }];
  return { ...CREATED, cause: "flush", config: undefined, fence: undefined, flushedSeqno: id, added };
}

Deno.test("a manifest without its history is whole, one without its snapshot is nothing", () => {
  const history = withEncodedEdits(historyAfter(1), [new Uint8Array(50)]);
  const file = recordFile("manifest", 7).history(2, history).edit(2, CREATED).mark(2).edit(3, flush(1)).mark(
    3,
  ).close(3);
  const bytes = file.bytes();
  const version = { ...foldEdits([CREATED, flush(1)]), editNumber: 3 };
  assertEquals(salvageManifest(bytes, 7), { version, isWhole: true, durable: 1 });
  const [from, snapshot, mark, second, last] = file.offsets as [number, number, number, number, number];
  for (const { at, bytes: changed } of someChanges(bytes)) {
    const found = salvageManifest(changed, 7);
    if (at < snapshot || at >= last) {
      assertEquals([found?.version, found?.isWhole], [version, true], `byte ${at}`);
    } else if (at < mark) assertEquals(found, undefined, `byte ${at}`);
    else {
      assertEquals([found?.version.editNumber, found?.isWhole], [2, false], `byte ${at}`);
    }
  }
  assert(from === 28 && second > mark);
});

Deno.test("edits that do not follow the ones before, or make no sense, end what a manifest says", () => {
  const beginning = () => recordFile("manifest", 7).edit(1, CREATED).edit(2, flush(1));
  for (
    const file of [
      beginning().edit(4, flush(2)),
      beginning().edit(3, flush(1)),
      beginning().record(RECORD_EDIT, 3, 0, new Uint8Array(3)),
    ]
  ) {
    const found = salvageManifest(file.bytes(), 7);
    assertEquals([found?.version.editNumber, found?.isWhole], [2, false]);
  }
  assertEquals(salvageManifest(recordFile("manifest", 7).edit(1, flush(1)).bytes(), 8), undefined);
  assertEquals(salvageManifest(new Uint8Array(9), 7), undefined);
});

Deno.test("a manifest and a journal of a newer module are refused", () => {
  const newer = recordFile("manifest", 7).edit(1, CREATED).bytes();
  const kind = recordFile("journal", 7).record(9 as typeof RECORD_EDIT, 1, 0).bytes();
  const manifest = recordFile("manifest", 7).record(9 as typeof RECORD_EDIT, 1, 0).bytes();
  assertThrows(() => salvageJournal(kind, 7, kind.length), UnsupportedFormatError);
  assertThrows(() => salvageManifest(manifest, 7), UnsupportedFormatError);
  assertEquals(salvageManifest(newer, 7)?.isWhole, true);
});
