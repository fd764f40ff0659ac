import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { rewrite } from "../../compaction/rewrite.ts";
import type { SegmentSink } from "../../compaction/rewrite.ts";
import { fileSalt } from "../../core/file_header.ts";
import type { MergeTask, Task } from "../../core/task.ts";
import { outputsNeeded } from "../../core/task.ts";
import type { Run, SegmentMeta } from "../../core/version.ts";
import { checkRuns, segmentFor } from "../../core/version.ts";
import type { GivenEntry } from "../support/arbitraries.ts";
import { byteKey, entriesOf, metaOf } from "../support/arbitraries.ts";
import { effort } from "../support/effort.ts";
import type { TextEntry } from "../support/memory_segments.ts";
import { MemorySegments, MemorySink, TINY_BLOCKS } from "../support/memory_segments.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";
import { SALT } from "../support/record_files.ts";
import { NO_CODEC, RUN_LENGTH, TEST_CODECS } from "../support/run_length_codec.ts";
import { byteString } from "../support/sorted_model.ts";
import { runsOfText } from "../support/shapes.ts";

const ENCODING = { blockSize: 64, filterBitsPerKey: 10, hashSeed: 7, compression: "none" as const };
const A = Uint8Array.of(0x41);
const B = Uint8Array.of(0x42);

/** A run's segments, each by its entries. */
type RunForm = readonly (readonly GivenEntry[])[];

Deno.test("the newest version of each key is left, and what it inherits is the task's", () => {
  const source = new MemorySegments();
  const task = taskOf(source, [[[["a", A], ["c", A]]], [[["a", B]], [["b", B], ["c", B]]]]);
  const [output, ...more] = rewrite(task, source, NO_CODEC, new MemorySink(source.files));
  assertEquals(source.entriesOf(output!), [["a", "A"], ["b", "B"], ["c", "A"]]);
  assertEquals(more, []);
  const { id, minKey, maxKey, entries, tombstones, salt, seqnoMin, seqnoMax, writtenAt } = output!;
  assertEquals([id, minKey, maxKey, entries, tombstones], [task.firstOutput, "a", "c", 3, 0]);
  assertEquals([salt, { seqnoMin, seqnoMax, writtenAt }], [fileSalt(SALT, id), task.origin]);
});

Deno.test("a tombstone goes where no older run has a segment over its key, and stays elsewhere", () => {
  const older = runsOfText(`
    L1  #1 b..d 1K  #2 k..m 1K
    L2  #3 x..z 1K
  `);
  const source = new MemorySegments();
  const keys = ["a", "b", "c", "d", "d\0", "e", "j", "k", "m", "n", "x", "z", "zz"];
  const task = taskOf(source, [[keys.map((key): GivenEntry => [key, null])]], { older });
  const outputs = rewrite(task, source, NO_CODEC, new MemorySink(source.files));
  const left = outputs.flatMap((output) => source.entriesOf(output).map(([key]) => key));
  assertEquals(left, ["b", "c", "d", "k", "m", "x", "z"]);
  assertEquals(outputs.reduce((sum, output) => sum + output.tombstones, 0), 7);
});

Deno.test("a tombstone that goes takes the versions it hides with it", () => {
  const source = new MemorySegments();
  const task = taskOf(source, [[[["a", null], ["b", A]]], [[["a", B], ["c", null]]]]);
  const outputs = rewrite(task, source, NO_CODEC, new MemorySink(source.files));
  assertEquals(outputs.map((output) => source.entriesOf(output)), [[["b", "A"]]]);
});

Deno.test("if nothing is left nothing is written", () => {
  const source = new MemorySegments();
  const task = taskOf(source, [[[["a", null]]], [[["a", A]]]]);
  const opened: number[] = [];
  const sink: SegmentSink = { open: (id) => opened.push(id), write() {}, close() {} };
  assertEquals([rewrite(task, source, NO_CODEC, sink), opened], [[], []]);
});

Deno.test("an output is ended when it has reached the target size", () => {
  const source = new MemorySegments();
  const entries = Array.from(
    { length: 40 },
    (_, i): GivenEntry => [`key ${i + 10}`, new Uint8Array(100).fill(i)],
  );
  const task = taskOf(source, [[entries]], { targetSize: 1024 });
  const outputs = rewrite(task, source, NO_CODEC, new MemorySink(source.files));
  assertEquals(
    outputs.flatMap((output) => source.entriesOf(output).map(([key]) => key)),
    entries.map(([key]) => key),
  );
  assertEquals(outputs.map((output) => output.id), outputs.map((_, i) => task.firstOutput + i));
  assertEquals(outputs.length, 5);
  // The last entry may go over the target, and the parts behind the data come on top.
  for (const output of outputs) {
    assert(output.size > 1024 && output.size < 1024 + 600, `${output.size} bytes`);
  }
});

Deno.test("a flush writes a memtable as it is, without the tombstones that hide nothing", () => {
  const tree = new PureTree({ ...SMALL, maxMemtableSize: 10_000 }).put(["a", "1"], ["m", "1"]).seal()
    .settle();
  tree.put(["b", "2"]).remove("a", "k").put(["x", "3"]).seal();
  const [flush] = tree.state.inFlight;
  const source = new MemorySegments();
  const read = (task: Task): TextEntry[] => {
    const outputs = rewrite(task, source, NO_CODEC, new MemorySink(source.files));
    return outputs.flatMap((output) => source.entriesOf(output));
  };
  assertEquals(read(flush!), [["a", null], ["b", "2"], ["k", null], ["x", "3"]]);
  assertEquals(read({ ...flush!, firstOutput: 90, older: [] }), [["b", "2"], ["x", "3"]]);
  assertEquals(source.asked.every((asked) => asked.id >= flush!.firstOutput), true);
});

Deno.test("keys and values of any length go through", () => {
  const source = new MemorySegments();
  const long = "k".repeat(65_535);
  const entries: GivenEntry[] = [["", new Uint8Array(200_000).fill(3)], [long, A], [
    long.slice(1) + "z",
    null,
  ]];
  const task = taskOf(source, [[entries]], { older: [{ level: 3, segments: [metaOf(1, "", "\xff")] }] });
  const outputs = rewrite(task, source, NO_CODEC, new MemorySink(source.files));
  assertEquals(outputs.flatMap((output) => source.entriesOf(output)), text(entries));
});

Deno.test("outputs are compressed as the task says, whatever the inputs are", () => {
  const source = new MemorySegments();
  const entries = Array.from({ length: 20 }, (_, i): GivenEntry => [`${i + 10}`, new Uint8Array(90).fill(1)]);
  const plain = taskOf(source, [[entries]], { blockSize: 4096 });
  const [packed] = rewrite(plain, source, RUN_LENGTH, new MemorySink(source.files));
  assert(packed!.size < 1_000, `${packed!.size} bytes`);
  const again: Task = { ...plain, inputs: [{ level: 0, segments: [packed!] }], firstOutput: 500 };
  const [unpacked] = rewrite(again, source, NO_CODEC, new MemorySink(source.files));
  assert(unpacked!.size > 1_800, `${unpacked!.size} bytes`);
  assertEquals(source.entriesOf(unpacked!), text(entries));
});

Deno.test("ids suffice for outputs that are compressed less than the inputs were", () => {
  const source = new MemorySegments();
  const entries = Array.from(
    { length: 30 },
    (_, i): GivenEntry => [`${i + 10}`, new Uint8Array(400).fill(1)],
  );
  const task = taskOf(source, [[entries]], { codec: "lz4", targetSize: 1024 });
  const outputs = rewrite(task, source, NO_CODEC, new MemorySink(source.files));
  assert(outputs.length <= task.outputs && task.outputs < 5, `${outputs.length} of ${task.outputs}`);
  assertEquals(outputs.flatMap((output) => source.entriesOf(output)), text(entries));
});

Deno.test("a sink that fails ends the rewrite, and a block that cannot be read does too", () => {
  const source = new MemorySegments();
  const task = taskOf(source, [[[["a", A]]]]);
  const full = (): void => {
    throw new RangeError("full");
  };
  for (const call of ["open", "write", "close"] as const) {
    const sink: SegmentSink = { open() {}, write() {}, close() {}, [call]: full };
    assertThrows(() => rewrite(task, source, NO_CODEC, sink), RangeError, "full");
  }
  const broken = new MemorySegments();
  broken.block = full as never;
  for (const [id, bytes] of source.files) broken.files.set(id, bytes);
  assertThrows(() => rewrite(task, broken, NO_CODEC, new MemorySink(new Map())), RangeError, "full");
});

Deno.test("any runs become the map that they are put into, oldest first, in disjoint outputs with reserved ids", () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 5 }),
    fc.integer({ min: 200, max: 600 }).map((length) => new Uint8Array(length).fill(9)),
    fc.constant(null),
  );
  const runForm = fc.tuple(
    entriesOf(byteKey, value, { minLength: 1, maxLength: 14 }),
    fc.integer({ min: 1, max: 4 }),
  ).map(([entries, parts]): RunForm => {
    const each = Math.ceil(entries.length / parts);
    return Array.from(
      { length: Math.ceil(entries.length / each) },
      (_, i) => entries.slice(i * each, (i + 1) * each),
    );
  });
  const older = fc.array(
    fc.uniqueArray(byteKey, { minLength: 2, maxLength: 6 }).map((keys) =>
      keys.sort((a, b) => a < b ? -1 : 1)
    ),
    { maxLength: 3 },
  );
  const counts = { several: 0, dropped: 0, kept: 0, packed: 0 };
  fc.assert(
    fc.property(
      fc.array(runForm, { minLength: 1, maxLength: 4 }),
      older,
      fc.constantFrom("none" as const, "lz4" as const),
      fc.constantFrom("none" as const, "lz4" as const),
      fc.constantFrom(1, 48, 4096),
      (runs, bounds, from, to, blockSize) => {
        const source = new MemorySegments();
        const below = bounds.map((keys, i): Run => ({ level: i + 1, segments: segmentsOf(keys, i) }));
        const task = taskOf(source, runs, { older: below, targetSize: 1024, codec: from, blockSize });
        const outputs = rewrite(task, source, TEST_CODECS[to], new MemorySink(source.files));
        const map = new Map<string, string | null>();
        for (const entries of runs.map((run) => run.flat()).reverse()) {
          for (const [key, one] of entries) map.set(key, one === null ? null : byteString(one));
        }
        const isCovered = (key: string): boolean => below.some((run) => segmentFor(run, key) !== undefined);
        const sorted = [...map].sort(([a], [b]) => a < b ? -1 : 1);
        const expected = sorted.filter(([key, one]) => one !== null || isCovered(key));
        assertEquals(outputs.flatMap((output) => source.entriesOf(output)), expected);
        if (outputs.length > 0) assertEquals(checkRuns([{ level: 1, segments: outputs }]), undefined);
        assert(outputs.length <= task.outputs);
        assertEquals(outputs.map((output) => output.id), outputs.map((_, i) => task.firstOutput + i));
        for (const output of outputs) {
          const entries = source.entriesOf(output);
          assertEquals([output.entries, output.minKey, output.maxKey], [
            entries.length,
            entries[0]![0],
            entries.at(-1)![0],
          ]);
          assertEquals(output.tombstones, entries.filter(([, one]) => one === null).length);
        }
        if (outputs.length > 1) counts.several += 1;
        if (from === "lz4" && to === "none" && outputs.length > 1) counts.packed += 1;
        counts.dropped += sorted.length - expected.length;
        counts.kept += expected.filter(([, one]) => one === null).length;
      },
    ),
    effort(300),
  );
  for (const [what, count] of Object.entries(counts)) assert(count > 5, `${what}: ${count}`);
});

interface Parts {
  readonly older?: readonly Run[];
  readonly targetSize?: number;
  readonly codec?: "none" | "lz4";
  readonly blockSize?: number;
}

/** Returns a merge of runs, newest first, and adds their segments to `source`. */
function taskOf(source: MemorySegments, runs: readonly RunForm[], parts: Parts = {}): MergeTask {
  const { older = [], targetSize = 64 * 1024, codec = "none", blockSize = 64 } = parts;
  let id = 10;
  const options = { ...TINY_BLOCKS, codec: TEST_CODECS[codec] };
  const inputs = runs.map((run): Run => ({
    level: 0,
    segments: run.map((entries): SegmentMeta => source.add(++id, entries, options)),
  }));
  source.asked.length = 0;
  const bytes = inputs.flatMap((run) => run.segments).reduce((sum, segment) => sum + segment.size, 0);
  return {
    kind: "merge",
    id: 1,
    firstOutput: 100,
    outputs: outputsNeeded(bytes, targetSize, id - 10),
    salt: SALT,
    destLevel: 1,
    targetSize,
    encoding: { ...ENCODING, blockSize },
    origin: { seqnoMin: 3, seqnoMax: 8, writtenAt: 99 },
    older,
    reason: "",
    inputs,
  };
}

/** Makes of sorted keys segments from each to the next but one. */
function segmentsOf(keys: readonly string[], run: number): SegmentMeta[] {
  const segments: SegmentMeta[] = [];
  for (let i = 0; i < keys.length; i += 2) {
    segments.push(metaOf(1_000 + run * 100 + i, keys[i]!, keys[i + 1] ?? keys[i]!));
  }
  return segments;
}

function text(entries: readonly GivenEntry[]): TextEntry[] {
  return entries.map(([key, value]) => [key, value === null ? null : byteString(value)]);
}
