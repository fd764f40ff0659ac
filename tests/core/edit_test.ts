import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DEFAULT_STORED_CONFIG } from "../../core/config.ts";
import type { Edit } from "../../core/edit.ts";
import { applyEdit, decodeEdit, encodeEdit, foldEdits, snapshotEdit } from "../../core/edit.ts";
import { CorruptionError } from "../../core/errors.ts";
import type { Version } from "../../core/version.ts";
import { checkRuns, EMPTY_VERSION, placeFor, versionSegments } from "../../core/version.ts";
import { edit, metaOf, version } from "../support/arbitraries.ts";
import { cutOff, extended, joined, sameBytes, someChanges, valueUnlessDamaged } from "../support/damage.ts";

Deno.test("an edit takes segments away, puts segments in place and moves the marks", () => {
  const flushed = applyEdit(EMPTY_VERSION, {
    ...NOTHING,
    added: [{ level: 0, index: 0, join: false, segments: [metaOf(1, "a", "f")] }],
    nextId: 2,
    flushedSeqno: 10,
  });
  assertEquals(flushed.runs, [{ level: 0, segments: [metaOf(1, "a", "f")] }]);
  const merged = applyEdit(flushed, {
    ...NOTHING,
    removed: [1],
    added: [{ level: 1, index: 0, join: false, segments: [metaOf(2, "a", "c"), metaOf(3, "d", "f")] }],
    nextId: 4,
    flushedSeqno: 10,
  });
  assertEquals(merged.runs, [{ level: 1, segments: [metaOf(2, "a", "c"), metaOf(3, "d", "f")] }]);
  assertEquals([merged.editNumber, merged.nextId, merged.flushedSeqno], [2, 4, 10]);
});

Deno.test("an edit keeps what it does not name, and changes what it does", () => {
  const stored = { ...DEFAULT_STORED_CONFIG, blockSize: 8192 };
  const fence = { journals: [{ id: 3, validBytes: 100, lastSeqno: 12 }], nextId: 5, lastSeqno: 12 };
  const configured = applyEdit(EMPTY_VERSION, { ...NOTHING, config: { stored, hashSeed: 7 }, fence });
  assertEquals([configured.config, configured.hashSeed, configured.fence], [stored, 7, fence]);
  const after = applyEdit(configured, NOTHING);
  assertEquals([after.config, after.hashSeed, after.fence], [stored, 7, fence]);
});

Deno.test("a journal whose batches are all in segments is no longer listed", () => {
  const journals = [
    { id: 3, validBytes: 100, lastSeqno: 12 },
    { id: 4, validBytes: 100, lastSeqno: 20 },
  ];
  const fenced = applyEdit(EMPTY_VERSION, { ...NOTHING, fence: { journals, nextId: 5, lastSeqno: 20 } });
  assertEquals(fenced.fence.journals.map(({ id }) => id), [3, 4]);
  const flushed = applyEdit(fenced, { ...NOTHING, flushedSeqno: 12 });
  assertEquals(flushed.fence, { journals: [journals[1]!], nextId: 5, lastSeqno: 20 });
});

Deno.test("an edit that does not fit the version is corrupt, and says why", () => {
  const before = foldEdits([{
    ...NOTHING,
    nextId: 5,
    flushedSeqno: 10,
    added: [
      { level: 0, index: 0, join: false, segments: [metaOf(1, "c", "d")] },
      { level: 1, index: 1, join: false, segments: [metaOf(2, "a", "d")] },
    ],
  }]);
  const at = { level: 1, index: 1, join: true, segments: [metaOf(3, "x", "y")] };
  const marks = { nextId: 5, flushedSeqno: 10 };
  const unfit: [why: string, edit: Partial<Edit>][] = [
    ["removes a segment that is not there", { removed: [9] }],
    ["removes a segment that is not there", { removed: [1, 1] }],
    ["a place that is not there", { added: [{ ...at, index: 2 }] }],
    ["a place that is not there", { added: [{ ...at, index: 3, join: false }] }],
    ["joins a run of another level", { added: [{ ...at, level: 2 }] }],
    ["a run without segments", { added: [{ ...at, segments: [] }] }],
    ["segments 2 and 3 of one run overlap", { added: [{ ...at, segments: [metaOf(3, "d", "e")] }] }],
    ["segment 1 is listed twice", { added: [{ ...at, segments: [metaOf(1, "x", "y")] }] }],
    ["below one of a deeper level", { added: [{ ...at, level: 2, index: 0, join: false }] }],
    ["a mark goes back", { nextId: 4 }],
    ["a mark goes back", { flushedSeqno: 9 }],
    ["leaves no numbers to go on with", { nextId: 2 ** 52 + 1 }],
    ["leaves no numbers to go on with", { flushedSeqno: 2 ** 52 + 1 }],
  ];
  for (const [why, part] of unfit) {
    assertThrows(() => applyEdit(before, { ...NOTHING, ...marks, ...part }), CorruptionError, why);
  }
  applyEdit(before, { ...NOTHING, ...marks, added: [at] });
});

Deno.test("the snapshot of any version makes that version out of nothing", () => {
  fc.assert(fc.property(version, (given) => {
    const snapshot = snapshotEdit(given, "snapshot", 5);
    assertEquals(foldEdits([snapshot]), { ...given, editNumber: 1 });
    assertEquals([snapshot.cause, snapshot.time], ["snapshot", 5]);
  }));
});

Deno.test("what is folded from the bytes of edits is what was folded live", () => {
  const seen = { merges: 0 };
  fc.assert(fc.property(version, fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(3))), (given, changes) => {
    let live: Version = given;
    const edits = [snapshotEdit(given, "snapshot", 1)];
    for (const [a, b, deeper] of changes) {
      const next = mergeOfTwo(live, a, b, deeper) ?? flushOf(live, a);
      seen.merges += next.cause === "merge" ? 1 : 0;
      live = applyEdit(live, next);
      edits.push(next);
    }
    assertEquals(checkRuns(live.runs), undefined);
    const recovered = foldEdits(edits.map((one) => decoded(encodeEdit(one))));
    assertEquals(recovered, { ...live, editNumber: edits.length });
  }));
  assert(seen.merges > 20, `${seen.merges} merges`);
});

Deno.test("every edit comes back, from the middle of a file too", () => {
  fc.assert(fc.property(edit, (given) => {
    const bytes = encodeEdit(given);
    assertEquals(decoded(bytes), given);
    assertEquals(decodeEdit(joined(Uint8Array.of(1, 2), bytes, bytes), 2, 2 + bytes.length), given);
  }));
});

Deno.test("an edit that is cut off or extended is corrupt", () => {
  const bytes = encodeEdit(sample());
  for (const damaged of [...cutOff(bytes), ...extended(bytes)]) {
    assertThrows(() => decoded(damaged), CorruptionError, "Cannot decode an edit of the manifest");
  }
});

Deno.test("a changed edit is corrupt, or another one with the same bytes again", () => {
  const seen = { corrupt: 0, another: 0 };
  for (const { bytes } of someChanges(encodeEdit(sample()))) {
    const edit = valueUnlessDamaged(() => decoded(bytes));
    if (edit === undefined) seen.corrupt += 1;
    else {
      seen.another += 1;
      assert(sameBytes(encodeEdit(edit), bytes));
      valueUnlessDamaged(() => applyEdit(EMPTY_VERSION, edit));
    }
  }
  assert(seen.corrupt > 500 && seen.another > 500, JSON.stringify(seen));
});

Deno.test("any bytes are an edit or corrupt", () => {
  fc.assert(fc.property(fc.uint8Array({ max: 9, maxLength: 120 }), fc.uint8Array(), (zeros, bytes) => {
    for (const given of [zeros, bytes]) {
      const edit = valueUnlessDamaged(() => decoded(given));
      if (edit !== undefined) assertEquals(encodeEdit(edit), given.slice());
    }
  }));
});

Deno.test("flags and causes that are not known are corrupt", () => {
  const bytes = encodeEdit(NOTHING);
  const withByte = (at: number, value: number): Uint8Array => bytes.map((byte, i) => i === at ? value : byte);
  assertThrows(() => decoded(withByte(0, 9)), CorruptionError, "its cause is unknown");
  assertThrows(() => decoded(withByte(bytes.length - 1, 4)), CorruptionError, "it has unknown parts");
  const placed = encodeEdit({ ...NOTHING, added: [{ level: 0, index: 0, join: true, segments: [] }] });
  const join = placed.length - 6;
  assertEquals(placed[join], 1);
  placed[join] = 2;
  assertThrows(() => decoded(placed), CorruptionError, "a flag is neither 0 nor 1");
});

/** An edit that changes nothing, but for its number. */
const NOTHING: Edit = {
  cause: "flush",
  reason: "",
  time: 0,
  nextId: 1,
  flushedSeqno: 0,
  removed: [],
  added: [],
  config: undefined,
  fence: undefined,
};

function sample(): Edit {
  return {
    ...NOTHING,
    reason: "a reason",
    removed: [7, 8],
    added: [{ level: 1, index: 0, join: false, segments: [metaOf(9, "a", "b"), metaOf(10, "c", "c")] }],
    config: { stored: DEFAULT_STORED_CONFIG, hashSeed: 3 },
    fence: { journals: [{ id: 4, validBytes: 90, lastSeqno: 11 }], nextId: 12, lastSeqno: 11 },
  };
}

function decoded(bytes: Uint8Array): Edit {
  return decodeEdit(bytes, 0, bytes.length);
}

/** An edit that flushes a new segment. */
function flushOf(version: Version, flavour: number): Edit {
  const id = version.nextId;
  const [min, max] = [["a", "b"], ["", "\xff"], ["b", "b"]][flavour % 3] as [string, string];
  return {
    ...NOTHING,
    nextId: id + 1,
    flushedSeqno: version.flushedSeqno + 1 + flavour % 50,
    added: [{ level: 0, index: 0, join: false, segments: [metaOf(id, min, max)] }],
  };
}

/** An edit that merges two segments into one, if that can be done. */
function mergeOfTwo(version: Version, a: number, b: number, deeper: number): Edit | undefined {
  const segments = versionSegments(version);
  if (segments.length < 2) return undefined;
  const inputs = new Set([segments[a % segments.length]!, segments[b % segments.length]!]);
  const [first, second] = [...inputs];
  if (second === undefined) return undefined;
  const id = version.nextId;
  const min = first!.minKey < second.minKey ? first!.minKey : second.minKey;
  const max = first!.maxKey > second.maxKey ? first!.maxKey : second.maxKey;
  const output = metaOf(id, min, max);
  const removed = [first!.id, second.id];
  const place = placeFor(version.runs, new Set(removed), deeper, [output]);
  if (typeof place === "string") return undefined;
  return {
    ...NOTHING,
    cause: "merge",
    nextId: id + 1,
    flushedSeqno: version.flushedSeqno,
    removed,
    added: [{ ...place, segments: [output] }],
  };
}
