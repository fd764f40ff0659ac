/**
 * What the properties of the core are tried on: keys that collide, values, batches, segments, versions, edits.
 *
 * - Keys come from a tiny alphabet with the bytes at both ends of the range, so that equal keys, prefixes of each
 *   other and neighbours are common and not one in a million.
 * - Numbers are small, or at an edge of 32 or 53 bits.
 * - Versions are legal (`checkRuns`), with levels of several runs, and ids that say nothing about age.
 *
 * @module
 */

import fc from "fast-check";
import type { CompressionName } from "../../core/codec.ts";
import type { StoredConfig } from "../../core/config.ts";
import type { Edit, EditCause, Placement } from "../../core/edit.ts";
import type { Salt } from "../../core/file_header.ts";
import type { JournalRef } from "../../core/memtable.ts";
import type { JournalFence, Run, SegmentMeta, Version } from "../../core/version.ts";

/** An operation as a user gives it. */
export type GivenOperation =
  | { readonly kind: "put"; readonly key: string; readonly value: Uint8Array | string }
  | { readonly kind: "remove"; readonly key: string }
  | { readonly kind: "clear" };

/** An entry of a segment: a value, or `null` for a tombstone. */
export type GivenEntry = readonly [key: string, value: Uint8Array | null];

/** Keys in bytewise order, from which the ranges of segments are made. */
export const BOUND_KEYS: readonly string[] = [
  "",
  "\0",
  "a",
  "a\0",
  "ab",
  "abc",
  "b",
  "c",
  "\x80",
  "\xff",
  "\xff\0",
  "\xff\xff",
];

/** A byte string of up to four bytes that has been seen before, or nearly. */
export const byteKey: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...BOUND_KEYS),
  fc.string({ unit: fc.constantFrom("\0", "a", "b", "\xff"), maxLength: 4 }),
);

/** A byte string of any bytes, mostly longer than the heads and words that code looks at. */
export const longKey: fc.Arbitrary<string> = fc.string({
  unit: fc.nat(255).map((byte) => String.fromCharCode(byte)),
  maxLength: 90,
});

/** A value, empty now and then. */
export const value: fc.Arbitrary<Uint8Array<ArrayBuffer>> = fc.uint8Array({ maxLength: 12 }).map((bytes) =>
  bytes.slice()
);

/** Any char but half of a surrogate pair. The unit "binary" of fast-check is that too, but takes a second to load. */
const anyChar: fc.Arbitrary<string> = fc.oneof(fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code));

/** Well-formed text of all kinds. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: anyChar, maxLength: 40 }),
  fc.constantFrom(
    "\ufeffbegins with a mark",
    "\0",
    "caf\xe9",
    "\x80\xff",
    "thumbs \u{1f44d}",
    "x".repeat(300),
  ),
);

/** Any number that a format keeps in eight bytes. */
export const safeNumber: fc.Arbitrary<number> = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
);

/** Any number that a format keeps in four bytes. */
export const u32: fc.Arbitrary<number> = fc.nat(0xffff_ffff);

/** Sixty-four random bits. */
export const salt: fc.Arbitrary<Salt> = fc.record({ low: u32, high: u32 });

/** One operation of a batch. */
export const operation: fc.Arbitrary<GivenOperation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("put" as const), key: byteKey, value }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("put" as const), key: byteKey, value: text }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove" as const), key: byteKey }) },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
);

/** The operations of a batch. */
export const operations: fc.Arbitrary<readonly GivenOperation[]> = fc.array(operation, {
  minLength: 1,
  maxLength: 8,
});

/** Returns sorted entries whose keys differ, some of them tombstones. */
export function entriesOf(
  key: fc.Arbitrary<string>,
  valueOfEntry: fc.Arbitrary<Uint8Array | null>,
  lengths: { readonly minLength?: number; readonly maxLength: number },
): fc.Arbitrary<readonly GivenEntry[]> {
  return fc.uniqueArray(fc.tuple(key, valueOfEntry), { ...lengths, selector: ([name]) => name })
    .map((entries) => [...entries].sort(([a], [b]) => a < b ? -1 : 1));
}

/** What a version may know of a segment; ranges need not make sense. */
export const segmentMeta: fc.Arbitrary<SegmentMeta> = fc.record({
  id: safeNumber,
  size: safeNumber,
  minKey: byteKey,
  maxKey: longKey,
  entries: safeNumber,
  tombstones: safeNumber,
  seqnoMin: safeNumber,
  seqnoMax: safeNumber,
  writtenAt: safeNumber,
  salt,
});

const journalRef: fc.Arbitrary<JournalRef> = fc.record({
  id: safeNumber,
  validBytes: safeNumber,
  lastSeqno: safeNumber,
});

/** Any decision about journals. */
export const fence: fc.Arbitrary<JournalFence> = fc.record({
  journals: fc.array(journalRef, { maxLength: 3 }),
  nextId: safeNumber,
  lastSeqno: safeNumber,
});

/** A configuration within its limits. */
export const storedConfig: fc.Arbitrary<StoredConfig> = fc.record({
  maxMemtableSize: fc.integer({ min: 1024, max: 2 ** 40 }),
  blockSize: fc.integer({ min: 1024, max: 4 * 1024 * 1024 }),
  levelCount: fc.integer({ min: 2, max: 64 }),
  levelRatio: fc.double({ min: 2, max: 10_000, noNaN: true }),
  filterBitsPerKey: fc.double({ min: 0, max: 64, noNaN: true }),
  compression: fc.constantFrom<CompressionName | "custom">("none", "lz4", "zstd", "custom"),
  strategy: fc.record({
    name: text,
    options: fc.array(fc.tuple(text, fc.double({ noNaN: true })), { maxLength: 3 }),
    custom: fc.boolean(),
  }),
});

const placement: fc.Arbitrary<Placement> = fc.record({
  level: fc.nat(255),
  index: u32,
  join: fc.boolean(),
  segments: fc.array(segmentMeta, { maxLength: 3 }),
});

/** Any edit; it need not fit any version. */
export const edit: fc.Arbitrary<Edit> = fc.record({
  cause: fc.constantFrom<EditCause>(
    "created",
    "snapshot",
    "recovered",
    "configured",
    "flush",
    "merge",
    "move",
    "drop",
    "closed",
  ),
  reason: text,
  time: safeNumber,
  nextId: safeNumber,
  flushedSeqno: safeNumber,
  removed: fc.array(safeNumber, { maxLength: 3 }),
  added: fc.array(placement, { maxLength: 2 }),
  config: fc.option(fc.record({ stored: storedConfig, hashSeed: u32 }), { nil: undefined }),
  fence: fc.option(fence, { nil: undefined }),
});

/** Returns a segment with a range and nothing else of interest. */
export function metaOf(id: number, minKey: string, maxKey: string, seqno: number = id): SegmentMeta {
  return {
    id,
    size: 1_000 + id,
    minKey,
    maxKey,
    entries: 10,
    tombstones: 1,
    seqnoMin: seqno,
    seqnoMax: seqno,
    writtenAt: 1_700_000_000_000 + seqno,
    salt: { low: id, high: ~id >>> 0 },
  };
}

/** The ids of up to 24 segments, in no order. */
const ids: fc.Arbitrary<readonly number[]> = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), {
  minLength: 24,
  maxLength: 24,
});

/** Up to six runs, newest first, sorted and disjoint in themselves and overlapping each other. */
export const runs: fc.Arbitrary<readonly Run[]> = fc.tuple(
  ids,
  fc.array(
    fc.tuple(
      fc.constantFrom(0, 0, 1, 2),
      fc.uniqueArray(fc.nat(BOUND_KEYS.length - 1), { minLength: 1, maxLength: 8 }),
    ),
    { maxLength: 6 },
  ),
).map(([names, shapes]) => {
  let level = 0;
  let next = 0;
  return shapes.map(([deeper, bounds], age): Run => {
    level += age === 0 ? 0 : deeper;
    const sorted = [...bounds].sort((a, b) => a - b);
    const segments: SegmentMeta[] = [];
    for (let i = 0; i < sorted.length; i += 2) {
      const min = sorted[i]!;
      segments.push(metaOf(names[next++]!, BOUND_KEYS[min]!, BOUND_KEYS[sorted[i + 1] ?? min]!, 100 - age));
    }
    return { level, segments };
  });
});

/** A legal version. */
export const version: fc.Arbitrary<Version> = fc.record({
  runs,
  editNumber: fc.nat(1_000),
  flushedSeqno: fc.integer({ min: 100, max: 200 }),
  nextId: fc.integer({ min: 100, max: 200 }),
  fence: fc.record({
    journals: fc.array(
      fc.record({
        id: fc.nat(99),
        validBytes: safeNumber,
        lastSeqno: fc.integer({ min: 201, max: 300 }),
      }),
      { maxLength: 2 },
    ),
    nextId: fc.nat(99),
    lastSeqno: fc.nat(300),
  }),
  config: storedConfig,
  hashSeed: u32,
});
