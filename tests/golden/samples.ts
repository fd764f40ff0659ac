/**
 * The samples of which the golden files hold the bytes: a journal, two manifests, `CURRENT` and a segment.
 *
 * Small, but with one of everything: each kind of operation and record, an edit with all of its parts, a segment of
 * two blocks with a tombstone. They never change; what is new gets a sample of its own, and a new version of a
 * format a golden file of its own beside the old one, which must still be read.
 *
 * @module
 */

import { DEFAULT_STORED_CONFIG } from "../../core/config.ts";
import type { Edit } from "../../core/edit.ts";
import { encodeEdit, foldEdits, snapshotEdit } from "../../core/edit.ts";
import type { Salt } from "../../core/file_header.ts";
import type { History } from "../../core/history.ts";
import { historyAfter, withEncodedEdits } from "../../core/history.ts";
import type { SegmentOrigin } from "../../core/segment.ts";
import type { Version } from "../../core/version.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import type { GivenEntry, GivenOperation } from "../support/arbitraries.ts";

/** The salt of all sample files. */
export const SAMPLE_SALT: Salt = { low: 0x03020100, high: 0x07060504 };

/** The number of each sample file. */
export const SAMPLE_IDS: {
  readonly journal: 5;
  readonly manifest: 7;
  readonly closedManifest: 8;
  readonly segment: 12;
} = {
  journal: 5,
  manifest: 7,
  closedManifest: 8,
  segment: 12,
};

/** The batches of the journal: the first has number 8. */
export const SAMPLE_BATCHES: readonly (readonly GivenOperation[])[] = [
  [{ kind: "put", key: "apple", value: "red" }, { kind: "remove", key: "pear" }],
  [{ kind: "clear" }, { kind: "put", key: "\xc3\xa9", value: "" }],
];

/** The edits of the manifest: the first has number 1. */
export const SAMPLE_EDITS: readonly Edit[] = [
  snapshotEdit(EMPTY_VERSION, "created", 1_700_000_000_000),
  {
    cause: "flush",
    reason: "full",
    time: 1_700_000_000_001,
    nextId: 13,
    flushedSeqno: 9,
    removed: [],
    added: [{
      level: 0,
      index: 0,
      join: false,
      segments: [{
        id: 12,
        size: 339,
        minKey: "apple",
        maxKey: "cherry",
        entries: 3,
        tombstones: 1,
        seqnoMin: 3,
        seqnoMax: 9,
        writtenAt: 1_700_000_000_000,
        salt: SAMPLE_SALT,
      }],
    }],
    config: undefined,
    fence: undefined,
  },
  {
    cause: "drop",
    reason: "é",
    time: 1_700_000_000_002,
    nextId: 14,
    flushedSeqno: 9,
    removed: [12],
    added: [],
    config: {
      stored: {
        ...DEFAULT_STORED_CONFIG,
        compression: "zstd",
        strategy: { name: "fifo", options: [["limit", 1_000_000]], custom: false },
      },
      hashSeed: 0x0a0b0c0d,
    },
    fence: { journals: [{ id: 5, validBytes: 124, lastSeqno: 10 }], nextId: 6, lastSeqno: 10 },
  },
];

/** The version after these edits. */
export const SAMPLE_VERSION: Version = foldEdits(SAMPLE_EDITS);

/** Its history, of which the first edit is forgotten. */
export const SAMPLE_HISTORY: History = withEncodedEdits(
  historyAfter(1),
  SAMPLE_EDITS.slice(1).map((edit) => encodeEdit(edit).slice()),
);

/** The snapshot of the version in a manifest that was closed in order. */
export const SAMPLE_SNAPSHOT: Edit = snapshotEdit(SAMPLE_VERSION, "closed", 1_700_000_000_003);

/** The entries of the segment. */
export const SAMPLE_ENTRIES: readonly GivenEntry[] = [
  ["apple", Uint8Array.of(0x72, 0x65, 0x64)],
  ["banana", null],
  ["cherry", new Uint8Array(10).fill(0xcc)],
];

/** How the segment is written, but for the codec. */
export const SAMPLE_SEGMENT: {
  readonly blockSize: number;
  readonly filterBitsPerKey: number;
  readonly hashSeed: number;
} = { blockSize: 18, filterBitsPerKey: 10, hashSeed: 0x0a0b0c0d };

/** What the segment inherits. */
export const SAMPLE_ORIGIN: SegmentOrigin = { seqnoMin: 3, seqnoMax: 9, writtenAt: 1_700_000_000_000 };
