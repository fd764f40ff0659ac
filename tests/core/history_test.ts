import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Edit } from "../../core/edit.ts";
import { encodeEdit, snapshotEdit } from "../../core/edit.ts";
import { CorruptionError } from "../../core/errors.ts";
import type { Chronicle, History } from "../../core/history.ts";
import {
  decodeHistory,
  EMPTY_CHRONICLE,
  encodeHistory,
  HISTORY_BYTES_MAX,
  historyAfter,
  historyChanges,
  replayHistory,
  withEdit,
  withEncodedEdits,
} from "../../core/history.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import { edit, metaOf, safeNumber } from "../support/arbitraries.ts";
import { cutOff, joined, sameBytes, someChanges, valueUnlessDamaged } from "../support/damage.ts";
import { deepFreeze } from "../support/deep_freeze.ts";
import { PureTree, SMALL, SMALL_LEVELED } from "../support/pure_tree.ts";

Deno.test("version and history are folded together, and the history tells how the version came about", () => {
  const { version, history } = folded(CREATED, flush(1), flush(2), MERGE);
  assertEquals([version.editNumber, version.runs.map((run) => run.level)], [4, [1]]);
  assertEquals(historyChanges(history), [
    { ...CREATED, number: 1, cause: "created" },
    { ...flush(1), number: 2, cause: "flush" },
    { ...flush(2), number: 3, cause: "flush" },
    { ...MERGE, number: 4, cause: "merge" },
  ]);
  assertEquals([history.forgotten, history.bytes], [0, encodeHistory(history).length - 8]);
});

Deno.test("an edit that does not fit changes neither", () => {
  assertThrows(() => withEdit(EMPTY_CHRONICLE, MERGE), CorruptionError, "Cannot apply an edit");
  assertEquals(EMPTY_CHRONICLE, { version: EMPTY_VERSION, history: { forgotten: 0, edits: [], bytes: 0 } });
});

Deno.test("why a segment exists, where it is and what took it away can be read off a history", () => {
  const tree = new PureTree({ ...SMALL_LEVELED, maxMemtableSize: 100 });
  for (let i = 0; i < 30; i++) tree.put([`k${i % 7}`, `${i}`.padEnd(20)]).settle();
  const changes = historyChanges(tree.state.history);
  const merges = changes.filter((change) => change.cause === "merge");
  assert(merges.length > 2 && merges.every(({ reason }) => reason !== ""), `${merges.length} merges`);
  for (const { level, segments } of tree.state.version.runs) {
    for (const { id } of segments) {
      const last = changes.findLast(({ added }) =>
        added.some((one) => one.segments.some((it) => it.id === id))
      );
      assert(last!.added.some((one) => one.level === level && one.segments.some((it) => it.id === id)));
    }
  }
});

Deno.test("a flush says why its memtable was sealed", () => {
  const tree = new PureTree({ ...SMALL, maxMemtableSize: 80 });
  tree.put(["a", "1"]).seal().settle();
  tree.put(["a", "2"], ["b", "2"]).settle();
  assert(tree.write([{ kind: "clear" }, { kind: "put", key: "c", value: "3" }]));
  tree.seal().settle();
  const reasons = historyChanges(tree.state.history).slice(1).map(({ cause, reason }) =>
    `${cause} ${reason}`
  );
  assertEquals(reasons, [
    "flush asked for: 41 bytes of journal",
    "flush full: 82 bytes of journal",
    "flush asked for: 42 bytes of journal, which clears what is older",
  ]);
});

Deno.test("the longest list of last edits within the limit is kept, and the very last however long it is", () => {
  const third = new Uint8Array(HISTORY_BYTES_MAX / 4 - 4);
  const four = withEncodedEdits(historyAfter(7), [third, third, third, third]);
  assertEquals([four.forgotten, four.edits.length, four.bytes], [7, 4, HISTORY_BYTES_MAX]);
  const five = withEncodedEdits(four, [new Uint8Array(0)]);
  assertEquals([five.forgotten, five.edits.length], [8, 4]);
  const long = withEncodedEdits(five, [new Uint8Array(2 * HISTORY_BYTES_MAX)]);
  assertEquals([long.forgotten, long.edits.length, long.bytes], [12, 1, 2 * HISTORY_BYTES_MAX + 4]);
  const after = withEncodedEdits(long, [third]);
  assertEquals([after.forgotten, after.edits], [13, [third]]);
});

Deno.test("folding edits one at a time, at once, or some of them after a recovery gives the same", () => {
  const size = fc.oneof(fc.nat(200), fc.nat(HISTORY_BYTES_MAX >> 2), fc.nat(2 * HISTORY_BYTES_MAX));
  let forgotten = 0;
  fc.assert(fc.property(fc.array(size, { maxLength: 12 }), fc.nat(12), (sizes, first) => {
    const edits = sizes.map((length, i) => new Uint8Array(length).fill(i));
    const begin = deepFreeze(historyAfter(3));
    const atOnce = withEncodedEdits(begin, edits);
    const single = edits.reduce((history, edit) => withEncodedEdits(deepFreeze(history), [edit]), begin);
    const before = withEncodedEdits(begin, edits.slice(0, first));
    const recovered = withEncodedEdits(decoded(before), edits.slice(first));
    for (const other of [single, recovered]) {
      assert(other.forgotten === atOnce.forgotten && sameBytes(encodeHistory(other), encodeHistory(atOnce)));
    }
    assertEquals(atOnce.forgotten + atOnce.edits.length, 3 + edits.length);
    forgotten += atOnce.forgotten - 3;
  }));
  assert(forgotten > 100, `${forgotten} forgotten`);
});

Deno.test("a history comes back from its bytes, from the middle of a file too, and keeps none of them", () => {
  fc.assert(fc.property(safeNumber, fc.array(edit, { maxLength: 4 }), (forgotten, edits) => {
    fc.pre(Number.isSafeInteger(forgotten + edits.length));
    const history = withEncodedEdits(historyAfter(forgotten), edits.map((one) => encodeEdit(one).slice()));
    const bytes = encodeHistory(history);
    const file = joined(Uint8Array.of(1, 2, 3), bytes, Uint8Array.of(4));
    const again = decodeHistory(file, 3, 3 + bytes.length, forgotten + edits.length);
    file.fill(9);
    assertEquals(again, history);
    assert(sameBytes(encodeHistory(again), bytes));
  }));
});

Deno.test("bytes that are cut off, changed or of another number are corrupt, or a history with the same bytes", () => {
  const history = folded(CREATED, flush(1), flush(2)).history;
  const bytes = encodeHistory(history);
  const decode = (given: Uint8Array, number = 3): History => decodeHistory(given, 0, given.length, number);
  for (const short of cutOff(bytes)) assertThrows(() => decode(short), CorruptionError, "a history");
  for (const number of [2, 4]) assertThrows(() => decode(bytes, number), CorruptionError, "up to its number");
  assertThrows(() => decode(joined(bytes, Uint8Array.of(0))), CorruptionError, "it ends too early");
  const seen = { corrupt: 0, another: 0 };
  for (const { bytes: changed } of someChanges(bytes)) {
    const other = valueUnlessDamaged(() => decode(changed));
    if (other === undefined) seen.corrupt += 1;
    else {
      seen.another += 1;
      assert(sameBytes(encodeHistory(other), changed));
      valueUnlessDamaged(() => historyChanges(other));
    }
  }
  assert(seen.corrupt > 50 && seen.another > 1000, JSON.stringify(seen));
});

Deno.test("any bytes are a history or corrupt", () => {
  fc.assert(fc.property(fc.uint8Array({ max: 9, maxLength: 60 }), fc.nat(4), (bytes, number) => {
    valueUnlessDamaged(() => decodeHistory(bytes, 0, bytes.length, number));
  }));
});

Deno.test("an edit that cannot be decoded, or is a snapshot, is corrupt when somebody asks", () => {
  const wrong = withEncodedEdits(historyAfter(0), [Uint8Array.of(99)]);
  assertThrows(() => historyChanges(wrong), CorruptionError, "its cause is unknown");
  const snapshot = encodeEdit(snapshotEdit(EMPTY_VERSION, "snapshot", 1));
  const other = withEncodedEdits(historyAfter(0), [snapshot]);
  assertThrows(() => historyChanges(other), CorruptionError, "a snapshot is no change");
});

Deno.test("a history of which nothing was forgotten gives every version again", () => {
  const steps = [CREATED, flush(1), flush(2), MERGE].map((_, i, edits) => folded(...edits.slice(0, i + 1)));
  const replayed = [...replayHistory(steps.at(-1)!.history)];
  assertEquals(replayed.map(({ after }) => after), steps.map(({ version }) => version));
  assertEquals(replayed.map(({ before }) => before), [
    EMPTY_VERSION,
    ...steps.slice(0, -1).map(({ version }) => version),
  ]);
  assertEquals(replayed.map(({ change }) => change), historyChanges(steps.at(-1)!.history));
});

Deno.test("a history of which something was forgotten cannot be replayed", () => {
  const history = withEncodedEdits(historyAfter(2), [encodeEdit(flush(1))]);
  assertThrows(() => [...replayHistory(history)], RangeError, "its first 2 changes are forgotten");
});

const CREATED: Edit = snapshotEdit({ ...EMPTY_VERSION, hashSeed: 5 }, "created", 1_700_000_000_000);

/** The edit of the n-th flush, of segment n. */
function flush(n: number): Edit {
  return {
    cause: "flush",
    reason: `the memtable is full for the ${n}. time`,
    time: 1_700_000_000_000 + n,
    nextId: 1 + n,
    flushedSeqno: 10 * n,
    removed: [],
    added: [{ level: 0, index: 0, join: false, segments: [metaOf(n, "a", `k${n}`)] }],
    config: undefined,
    fence: undefined,
  };
}

/** Merges segments 1 and 2 into 3. */
const MERGE: Edit = {
  ...flush(3),
  cause: "merge",
  flushedSeqno: 20,
  removed: [2, 1],
  added: [{ level: 1, index: 0, join: false, segments: [metaOf(3, "a", "k2")] }],
};

function folded(...edits: readonly Edit[]): Chronicle {
  return edits.reduce((chronicle, one) => withEdit(deepFreeze(chronicle), one), EMPTY_CHRONICLE);
}

/** Returns a history as a manifest gives it back. */
function decoded(history: History): History {
  const bytes = encodeHistory(history);
  return decodeHistory(bytes, 0, bytes.length, history.forgotten + history.edits.length);
}
