/**
 * Actions: all that a user can do with a tree, as plain data, so that a list of them can be shrunk, printed and replayed.
 *
 * - Keys come from a tiny alphabet with a tail of up to three bytes: most of them meet again, or are prefixes and
 *   neighbours of each other.
 * - Values are mostly shorter than a block and now and then longer than several. What is written in them follows
 *   from two small numbers: a failing list can be read.
 * - What stays open between actions (snapshots, ranges) is named by a slot. An action on an empty slot does nothing.
 *
 * @module
 */

import fc from "fast-check";

/** A value that can be printed: `length` bytes that follow from `fill`. */
export interface ValueSpec {
  readonly fill: number;
  readonly length: number;
}

/** Bounds with keys as byte strings. */
export interface BoundsSpec {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** Where a range begins. */
export type RangeSpec = BoundsSpec | (Pick<BoundsSpec, "limit" | "reverse"> & { readonly prefix: string });

/** One operation of a batch; `"too long"` is refused and leaves the batch as it was. */
export type BatchStep =
  | { readonly do: "insert"; readonly key: string; readonly value: ValueSpec }
  | { readonly do: "remove"; readonly key: string }
  | { readonly do: "clear" }
  | { readonly do: "too long" };

/** What a callback does with the value it is given. */
export type UpdateSpec =
  | { readonly do: "write"; readonly value: ValueSpec }
  | { readonly do: "append" | "remove" | "throw" | "write inside" | "wrong type" };

/** What is done with an entry. */
export type EntryCall =
  | "orInsert"
  | "orInsertWith"
  | "orInsertWithKey"
  | "andUpdate"
  | "andUpdateThrows"
  | "writeInside"
  | "kindOnly"
  | "get or insert"
  | "update or insert"
  | "remove or insert";

/** How a tree is set up. */
export interface Variant {
  readonly maxMemtableSize: number;
  readonly blockSize: number;
  readonly filterBitsPerKey: number;
  readonly compression: "none" | "lz4" | "zstd" | "by level";
  /** Bytes of the block cache. */
  readonly cache: number;
  readonly levelCount: number;
  readonly levelRatio: number;
  /** `"squash"` is a strategy of the user's own: it merges all there is as soon as there are two segments. */
  readonly strategy: "default" | "eager" | "fine" | "tiered" | "squash" | "never";
  readonly durability: "buffered" | "os" | "sync";
  readonly maxOpenFiles: number;
  readonly recoveryMode: "tolerate-tail" | "strict" | "point-in-time";
}

/** Upkeep: it changes nothing that can be seen. */
export type Upkeep =
  | { readonly kind: "flush" }
  | { readonly kind: "flushMemtable" }
  | { readonly kind: "compact" }
  | { readonly kind: "reopen"; readonly variant: Variant };

/** What a user can do with a tree. */
export type Action =
  | Upkeep
  | { readonly kind: "insert"; readonly key: string; readonly value: ValueSpec }
  | { readonly kind: "remove" | "removeEntry" | "get"; readonly key: string }
  | { readonly kind: "popFirst" | "popLast" | "clear" | "ends" | "count" }
  | {
    readonly kind: "batch";
    readonly steps: readonly BatchStep[];
    /** `"twice"`: it is committed and then used again, which is refused. */
    readonly fate: "commit" | "drop" | "twice";
  }
  | {
    readonly kind: "compareAndSwap";
    readonly key: string;
    readonly expected: "current" | "absent" | ValueSpec;
    readonly next: ValueSpec | undefined;
  }
  | { readonly kind: "fetchUpdate" | "updateFetch"; readonly key: string; readonly update: UpdateSpec }
  | {
    readonly kind: "entry";
    readonly key: string;
    readonly value: ValueSpec;
    readonly call: EntryCall;
    /** What is written between the moment the entry is asked for and the call. */
    readonly meanwhile: "nothing" | "insert" | "remove";
  }
  | {
    readonly kind: "scan";
    /** A snapshot, or the tree if the slot is empty. */
    readonly slot: number;
    readonly range: RangeSpec;
    /** Which end is read next, over and over. */
    readonly pattern: readonly ("next" | "nextBack" | "rev")[];
    readonly part: "entries" | "keys" | "values";
  }
  | { readonly kind: "openRange"; readonly slot: number; readonly of: number; readonly range: RangeSpec }
  | {
    readonly kind: "moveRange";
    readonly slot: number;
    readonly move: "next" | "nextBack" | "rev" | "return";
    readonly times: number;
  }
  | { readonly kind: "snapshot" | "closeSnapshot"; readonly slot: number }
  | { readonly kind: "readSnapshot"; readonly slot: number; readonly key: string }
  | { readonly kind: "openReader" | "readReader" | "closeReader" };

/** How many snapshots and ranges may be open at once. */
export const SLOTS = 3;

const HEADS = ["", "\0", "a", "ab", "b", "\xff", "\xff\xff"];

const tail: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constant("") },
  { weight: 4, arbitrary: fc.constantFrom("\0", "a", "b", "\xff") },
  {
    weight: 2,
    arbitrary: fc.string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)), maxLength: 3 }),
  },
);

/** A key, as a byte string. */
export const actionKey: fc.Arbitrary<string> = fc.tuple(fc.constantFrom(...HEADS), tail).map(([head, end]) =>
  head + end
);

/** A value. */
export const actionValue: fc.Arbitrary<ValueSpec> = fc.record({
  fill: fc.nat(255),
  length: fc.oneof(
    { weight: 12, arbitrary: fc.nat(300) },
    { weight: 1, arbitrary: fc.integer({ min: 900, max: 1100 }) },
    { weight: 1, arbitrary: fc.integer({ min: 2000, max: 6000 }) },
  ),
});

const options = { limit: fc.nat(6), reverse: fc.boolean() };

const rangeSpec: fc.Arbitrary<RangeSpec> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({}) },
  {
    weight: 6,
    arbitrary: fc.record(
      { gt: actionKey, gte: actionKey, lt: actionKey, lte: actionKey, ...options },
      { requiredKeys: [] },
    ).map(oneBoundForEachEnd),
  },
  {
    weight: 3,
    arbitrary: fc.record({ prefix: actionKey, ...options }, { requiredKeys: ["prefix"] }),
  },
);

/** Two bounds for one end are refused: kept now and then, most often one of them goes. */
function oneBoundForEachEnd(bounds: BoundsSpec): BoundsSpec {
  const choice = bounds.limit ?? 0;
  if (choice === 6) return bounds;
  const { gt, gte, lt, lte, ...rest } = bounds;
  const lower = gt !== undefined && (choice % 2 === 0 || gte === undefined)
    ? { gt }
    : gte !== undefined
    ? { gte }
    : {};
  const upper = lt !== undefined && (choice % 2 === 0 || lte === undefined)
    ? { lt }
    : lte !== undefined
    ? { lte }
    : {};
  return { ...lower, ...upper, ...rest };
}

const batchStep: fc.Arbitrary<BatchStep> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("insert" as const), key: actionKey, value: actionValue }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("remove" as const), key: actionKey }) },
  { weight: 1, arbitrary: fc.constant({ do: "clear" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "too long" as const }) },
);

const update: fc.Arbitrary<UpdateSpec> = fc.oneof(
  fc.record({ do: fc.constant("write" as const), value: actionValue }),
  fc.record({
    do: fc.constantFrom(
      "append" as const,
      "remove" as const,
      "throw" as const,
      "write inside" as const,
      "wrong type" as const,
    ),
  }),
);

/** How a tree is set up, so small that everything happens. */
export const variant: fc.Arbitrary<Variant> = fc.record({
  maxMemtableSize: fc.constantFrom(1024, 1024, 1024, 2048, 16384),
  blockSize: fc.constantFrom(1024, 1024, 1500, 4096, 65536),
  filterBitsPerKey: fc.constantFrom(0, 1, 10, 30),
  compression: fc.constantFrom("none", "lz4", "zstd", "by level"),
  cache: fc.constantFrom(0, 3000, 1_000_000),
  levelCount: fc.constantFrom(2, 3, 7),
  levelRatio: fc.constantFrom(2, 3, 10),
  strategy: fc.constantFrom("default", "eager", "eager", "fine", "fine", "tiered", "squash", "never"),
  durability: fc.constantFrom("buffered", "os", "sync"),
  maxOpenFiles: fc.constantFrom(1, 2, 256),
  recoveryMode: fc.constantFrom("tolerate-tail", "strict", "point-in-time"),
});

/** Upkeep of any kind. */
export const upkeep: fc.Arbitrary<Upkeep> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: "flush" as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: "flushMemtable" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "compact" as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("reopen" as const), variant }) },
);

const slot = fc.nat(SLOTS - 1);

const write: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant("insert" as const), key: actionKey, value: actionValue }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("remove" as const, "removeEntry" as const),
      key: actionKey,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("popFirst" as const, "popLast" as const) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("batch" as const),
      steps: fc.array(batchStep, { maxLength: 8, size: "max" }),
      fate: fc.constantFrom("commit", "commit", "commit", "drop", "twice"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("compareAndSwap" as const),
      key: actionKey,
      expected: fc.oneof(fc.constantFrom("current" as const, "absent" as const), actionValue),
      next: fc.option(actionValue, { nil: undefined }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("fetchUpdate" as const, "updateFetch" as const),
      key: actionKey,
      update,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("entry" as const),
      key: actionKey,
      value: actionValue,
      call: fc.constantFrom<EntryCall>(
        "orInsert",
        "orInsertWith",
        "orInsertWithKey",
        "andUpdate",
        "andUpdateThrows",
        "writeInside",
        "kindOnly",
        "get or insert",
        "update or insert",
        "remove or insert",
      ),
      meanwhile: fc.constantFrom("nothing", "nothing", "insert", "remove"),
    }),
  },
);

const read: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("get" as const), key: actionKey }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("ends" as const, "count" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("scan" as const),
      slot: fc.nat(SLOTS),
      range: rangeSpec,
      pattern: fc.array(fc.constantFrom("next", "next", "nextBack", "rev"), { minLength: 1, maxLength: 4 }),
      part: fc.constantFrom("entries", "keys", "values"),
    }),
  },
);

const hold: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("openRange" as const),
      slot,
      of: fc.nat(SLOTS),
      range: rangeSpec,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("moveRange" as const),
      slot,
      move: fc.constantFrom("next", "next", "nextBack", "nextBack", "rev", "return"),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("snapshot" as const), slot }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("closeSnapshot" as const), slot }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("readSnapshot" as const), slot, key: actionKey }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("openReader" as const, "readReader" as const, "closeReader" as const),
    }),
  },
);

/** Anything a user can do, writes most of all. */
export const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 11, arbitrary: write },
  { weight: 4, arbitrary: read },
  { weight: 4, arbitrary: hold },
  { weight: 2, arbitrary: upkeep },
);
