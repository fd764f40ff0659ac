/**
 * A tree of shapes: a version whose segments are sets of numbered versions of keys, merged as simply as possible.
 *
 * What a strategy chooses is begun and ended as `core/schedule.ts` does it (`checkChoice` when it begins, `placeFor` when it
 * ends), with any number of choices under way in between. Beside the version it knows the newest version of each
 * key, so that after every change it can be asked whether all of them are still found.
 *
 * Sizes are made up: a key takes as many bytes as a test says, so a handful of keys makes terabytes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Levels } from "../../compaction/levels.ts";
import type { CompactionChoice, Run, SegmentId, SegmentMeta, Version } from "../../core/mod.ts";
import {
  checkChoice,
  checkRuns,
  EMPTY_VERSION,
  overlap,
  placeFor,
  versionSegments,
  withoutSegments,
  withSegments,
} from "../../core/mod.ts";
import { deepFreeze } from "./deep_freeze.ts";

/** So many keys there are. */
export const KEY_COUNT = 24;

/** What a segment holds of a key: a version with its number, the greater the newer, or a tombstone. */
export interface KeyVersion {
  readonly number: number;
  readonly isTombstone: boolean;
}

/** A run of a tree to begin with. */
export interface RunForm {
  /** How much deeper its level is than that of the run before it. */
  readonly deeper: number;
  /** Which keys it has, a bit for each. */
  readonly keys: number;
  /** Which of them are tombstones. */
  readonly tombstones: number;
  /** Behind which of them a segment ends. */
  readonly cuts: number;
}

/** Some keys, as bits. */
export const keyBits: fc.Arbitrary<number> = fc.oneof(
  fc.nat(2 ** KEY_COUNT - 1),
  // A stretch of neighbours, a single one, all of them.
  fc.tuple(fc.nat(KEY_COUNT - 1), fc.integer({ min: 1, max: 6 })).map(([from, count]) =>
    ((2 ** count - 1) * 2 ** from) % 2 ** KEY_COUNT
  ),
  fc.nat(KEY_COUNT - 1).map((key) => 2 ** key),
  fc.constant(2 ** KEY_COUNT - 1),
);

/** Few of some keys. */
export const fewBits: fc.Arbitrary<number> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(2 ** KEY_COUNT - 1), fc.nat(2 ** KEY_COUNT - 1)).map(([a, b]) => a & b),
  },
  { weight: 1, arbitrary: fc.constant(2 ** KEY_COUNT - 1) },
);

/** The runs of a tree to begin with, newest first. */
export const runForms: fc.Arbitrary<readonly RunForm[]> = fc.array(
  fc.record({ deeper: fc.constantFrom(0, 0, 0, 1, 1, 2), keys: keyBits, tombstones: fewBits, cuts: fewBits }),
  { maxLength: 9 },
);

/** How many bytes a key takes: from trees of a kilobyte to some of hundreds of terabytes. */
export const bytesOfAKey: fc.Arbitrary<number> = fc.constantFrom(100, 10_000, 2 ** 26, 2 ** 33, 2 ** 42);

type Contents = ReadonlyMap<string, KeyVersion>;

interface Begun {
  readonly choice: Exclude<CompactionChoice, { kind: "none" }>;
  readonly inputs: readonly Run[];
  readonly older: readonly Run[];
}

/** A tree of shapes. */
export class ShapeTree {
  /** What is begun and not ended. */
  readonly begun: Begun[] = [];
  /** How often each kind of choice was ended. */
  readonly counts: Map<string, number> = new Map();
  /** The time, in ms since the epoch. */
  now = 1_000_000;
  readonly levelCount: number;
  readonly #keyBytes: number;
  readonly #contents: Map<SegmentId, Contents> = new Map();
  /** The newest version of each key. */
  #expected: Map<string, KeyVersion> = new Map();
  #runs: readonly Run[] = [];
  #nextId = 1;
  #seqno = 0;

  /** Makes a tree of runs. */
  constructor(levelCount: number, keyBytes: number, forms: readonly RunForm[] = []) {
    this.levelCount = levelCount;
    this.#keyBytes = keyBytes;
    let level = forms.reduce((sum, form) => sum + form.deeper, 0);
    for (const form of forms.toReversed()) {
      this.#addRun(level, form.keys, form.tombstones, form.cuts);
      level -= form.deeper;
    }
  }

  /** The version. */
  get version(): Version {
    return { ...EMPTY_VERSION, runs: this.#runs };
  }

  /** All segments, newest first. */
  get segments(): readonly SegmentMeta[] {
    return versionSegments(this.version);
  }

  /** What is needed as it is. */
  get busy(): ReadonlySet<SegmentId> {
    return new Set(this.begun.flatMap(({ inputs }) => idsOf(inputs)));
  }

  /** The shape, frozen. */
  levels(busy: ReadonlySet<SegmentId> = this.busy): Levels {
    return deepFreeze(Levels.of(this.version, busy, this.levelCount));
  }

  /** Adds a run of level 0. */
  flush(keys: number, tombstones: number, cuts: number): void {
    this.now += 1_000;
    this.#addRun(0, keys, tombstones, cuts);
    this.check();
  }

  #addRun(level: number, keys: number, tombstones: number, cuts: number): void {
    this.#seqno += 10;
    const parts: Map<string, KeyVersion>[] = [];
    let isEnded = true;
    for (let key = 0; key < KEY_COUNT; key++) {
      if (!bit(keys, key)) continue;
      if (isEnded) parts.push(new Map());
      const version = { number: this.#seqno, isTombstone: bit(tombstones, key) };
      parts.at(-1)!.set(keyName(key), version);
      this.#expected.set(keyName(key), version);
      isEnded = bit(cuts, key);
    }
    const segments = parts.map((part) => this.#segment(part, this.#seqno, this.#seqno, this.now));
    if (segments.length > 0) this.#runs = [{ level, segments }, ...this.#runs];
  }

  #segment(contents: Contents, seqnoMin: number, seqnoMax: number, writtenAt: number): SegmentMeta {
    const id = this.#nextId++;
    this.#contents.set(id, contents);
    const keys = [...contents.keys()];
    return deepFreeze({
      id,
      size: keys.length * this.#keyBytes,
      minKey: keys[0]!,
      maxKey: keys.at(-1)!,
      entries: keys.length,
      tombstones: [...contents.values()].filter((version) => version.isTombstone).length,
      seqnoMin,
      seqnoMax,
      writtenAt,
      salt: { low: id, high: 0 },
    });
  }

  /** Begins what is chosen, which must be legal. */
  begin(choice: Exclude<CompactionChoice, { kind: "none" }>): void {
    const { runs } = this.version;
    const levels = Math.max(this.levelCount, ...runs.map((run) => run.level + 1));
    const checked = checkChoice(choice, this.version, this.busy, levels);
    assert(typeof checked !== "string", `${checked}: ${JSON.stringify(choice)} of\n${this.levels()}`);
    const newest = runs.findIndex((run) => run.segments.some(({ id }) => checked.ids.has(id)));
    const older = withoutSegments(runs.slice(newest + 1), checked.ids);
    this.begun.push({ choice, inputs: checked.runs, older });
  }

  /** Ends one of those that are begun, and checks what became of the tree. */
  end(index = 0): void {
    const [begun] = this.begun.splice(index, 1);
    const { choice, inputs } = begun!;
    const ids = new Set(idsOf(inputs));
    const before = this.segments;
    const left = withoutSegments(this.#runs, ids);
    if (choice.kind === "drop") {
      this.#expectDropped(ids);
      this.#runs = left;
    } else {
      const outputs = choice.kind === "move"
        ? inputs.flatMap((run) => run.segments)
        : this.#merged(begun!, choice.targetSize);
      const place = placeFor(this.#runs, ids, choice.destLevel, outputs);
      assert(typeof place !== "string", `there is no place any more: ${place}`);
      this.#runs = withSegments(left, place, outputs);
    }
    this.counts.set(choice.kind, (this.counts.get(choice.kind) ?? 0) + 1);
    const stayed = before.filter((segment) => !ids.has(segment.id)).map(({ id }) => id);
    const now = new Set(this.segments.map(({ id }) => id));
    assert(stayed.every((id) => now.has(id)), "a segment is lost that was not named");
    const isMove = choice.kind === "move";
    assert(
      [...ids].every((id) => now.has(id) === isMove),
      "an input is still there, or what was moved is not",
    );
    this.check();
  }

  /** Merges as simply as possible: a tombstone goes if no older run has its key in a range. */
  #merged({ inputs, older }: Begun, targetSize: number): readonly SegmentMeta[] {
    const entries = new Map<string, KeyVersion>();
    for (const run of inputs) {
      for (const { id } of run.segments) {
        for (const [key, version] of this.#contents.get(id)!) {
          if (!entries.has(key)) entries.set(key, version);
        }
      }
    }
    const all = inputs.flatMap((run) => run.segments);
    const outputs: SegmentMeta[] = [];
    let part = new Map<string, KeyVersion>();
    const cut = (): void => {
      if (part.size === 0) return;
      outputs.push(this.#segment(
        part,
        Math.min(...all.map((one) => one.seqnoMin)),
        Math.max(...all.map((one) => one.seqnoMax)),
        Math.max(...all.map((one) => one.writtenAt)),
      ));
      part = new Map();
    };
    for (const [key, version] of [...entries].sort(([a], [b]) => a < b ? -1 : 1)) {
      const isCovered = older.some((run) =>
        run.segments.some((segment) => overlap(segment, { minKey: key, maxKey: key }))
      );
      if (version.isTombstone && !isCovered) continue;
      part.set(key, version);
      if (part.size * this.#keyBytes >= targetSize) cut();
    }
    cut();
    return outputs;
  }

  #expectDropped(ids: ReadonlySet<SegmentId>): void {
    const gone = new Map(this.#found(this.#runs, true));
    for (const run of this.#runs) {
      for (const { id } of run.segments) {
        if (!ids.has(id)) continue;
        for (const [key, version] of this.#contents.get(id)!) {
          if (gone.get(key) === version) this.#expected.delete(key);
        }
      }
    }
  }

  /** Returns the first version of each key. */
  #found(runs: readonly Run[], withTombstones: boolean): Map<string, KeyVersion> {
    const found = new Map<string, KeyVersion>();
    for (const run of runs) {
      for (const { id } of run.segments) {
        for (const [key, version] of this.#contents.get(id)!) if (!found.has(key)) found.set(key, version);
      }
    }
    for (const [key, version] of found) if (version.isTombstone && !withTombstones) found.delete(key);
    return found;
  }

  /** Checks that the version is sound and each key has its newest version. */
  check(): void {
    assertEquals(checkRuns(this.#runs), undefined);
    const expected = new Map([...this.#expected].filter(([, version]) => !version.isTombstone));
    const found = this.#found(this.#runs, false);
    assertEquals(found.size, expected.size, "a key is lost, or is back");
    for (const [key, version] of found) assert(expected.get(key) === version, `${key} has an older version`);
  }

  /** Tells whether a segment holds a tombstone. */
  hasTombstones(): boolean {
    return this.segments.some((segment) => segment.tombstones > 0);
  }
}

/** Returns the name of a key. */
export function keyName(key: number): string {
  return `k${String.fromCharCode(0x61 + key)}`;
}

function bit(bits: number, key: number): boolean {
  return (bits >>> key & 1) === 1;
}

function idsOf(runs: readonly Run[]): readonly SegmentId[] {
  return runs.flatMap((run) => run.segments.map((segment) => segment.id));
}
