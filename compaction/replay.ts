/**
 * Replay: what a strategy would have chosen at each point of a real tree's history.
 *
 * ```text
 * history   flush 7   merge 9,8,7,3   flush 11   ...
 * replay    the shape before the merge, and what the strategy says to it
 * ```
 *
 * The shape is the recorded one at each point, and the strategy is asked in the order in which a tree that works inline asks it
 * (`inline_order.ts`), with the same segments busy. So with the strategy of the tree each answer is what the history says, which
 * shows that a tree and a simulation take the same decisions; with another one the answers show where it would have done otherwise.
 * A tree that worked in a worker asked at other moments: there answers may differ.
 *
 * Where a segment stands among the runs of its level is not in a history, but follows from the same rule as in the tree.
 *
 * @module
 */

import type { CompactionChoice, Run, SegmentId, SegmentMeta, Version } from "../core/mod.ts";
import { EMPTY_VERSION, keyFromBytes, placeFor, withoutSegments, withSegments } from "../core/mod.ts";
import type { InlineWork } from "./inline_order.ts";
import { settle } from "./inline_order.ts";
import type { SegmentShape } from "./levels.ts";
import { Levels } from "./levels.ts";
import type { RecordedChange, RecordedHistory } from "./recorded.ts";
import type { CompactionStrategy, LevelOptions } from "./strategy.ts";

/** What a strategy says at one point of a history. */
export interface ReplayedDecision {
  /** What the tree did there; `undefined` where it did nothing and the strategy would have. */
  readonly change: RecordedChange | undefined;
  /** What the strategy says. */
  readonly choice: CompactionChoice;
  /** Whether both are the same: the same segments, merged, moved or dropped, to the same level, for the same reason. */
  readonly isSame: boolean;
}

/**
 * Returns what a strategy says at each point of a history where the tree compacted or the strategy would have.
 *
 * Cost: that of each choice, and a step for each segment and change.
 *
 * @param history What `tree.history()` told.
 * @param options The options of the tree; the time is that of the history.
 * @throws {RangeError} If the beginning of the history is forgotten: nobody knows the shape that it begins with.
 *
 * @example Usage
 * ```ts
 * import { leveled, replay } from "@lsm/tree/compaction";
 * import { MemoryStorage, Tree } from "@lsm/tree";
 * import { assert } from "@std/assert";
 *
 * const compactionStrategy = leveled({ l0Threshold: 2 });
 * const config = { storage: new MemoryStorage(), maxMemtableSize: 1024, compactionStrategy };
 * await using tree = await Tree.open("data", config);
 * for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, "value");
 *
 * const decisions = replay(tree.history(), compactionStrategy, tree.config);
 * assert(decisions.length > 0 && decisions.every((decision) => decision.isSame));
 * ```
 */
export function replay(
  history: RecordedHistory,
  strategy: CompactionStrategy,
  options: Omit<LevelOptions, "now">,
): readonly ReplayedDecision[] {
  if (history.forgotten > 0) {
    throw new RangeError(`Cannot replay a history: its first ${history.forgotten} changes are forgotten`);
  }
  const work = new ReplayWork(history.changes.filter(isOfSegments), strategy, options);
  while (work.next !== undefined) {
    const before = work.position;
    settle(work, work.next.cause === "flush" ? work.begun() : undefined);
    if (work.position === before) work.adopt();
  }
  return work.decisions;
}

function isOfSegments({ removed, added }: RecordedChange): boolean {
  return removed.length > 0 || added.length > 0;
}

/** Goes through a history as the tree did. */
class ReplayWork implements InlineWork<RecordedChange> {
  readonly decisions: ReplayedDecision[] = [];
  readonly #changes: readonly RecordedChange[];
  readonly #strategy: CompactionStrategy;
  readonly #options: Omit<LevelOptions, "now">;
  readonly #busy: Set<SegmentId> = new Set();
  #runs: readonly Run[] = [];
  #time = 0;
  /** How many changes were begun. */
  position = 0;

  constructor(
    changes: readonly RecordedChange[],
    strategy: CompactionStrategy,
    options: Omit<LevelOptions, "now">,
  ) {
    this.#changes = changes;
    this.#strategy = strategy;
    this.#options = options;
  }

  /** The first change that was not begun. */
  get next(): RecordedChange | undefined {
    return this.#changes[this.position];
  }

  /** Begins the next change. */
  begun(): RecordedChange {
    const change = this.next!;
    this.position += 1;
    this.#time = change.time;
    for (const id of change.removed) this.#busy.add(id);
    return change;
  }

  /** Does what the tree did next, which the strategy does not want. */
  adopt(): void {
    this.decisions.push({ change: this.next, choice: { kind: "none" }, isSame: false });
    this.commit(this.begun());
  }

  choose(): RecordedChange | undefined {
    const recorded = this.next?.cause === "flush" ? undefined : this.next;
    const { levelCount, levelRatio, maxMemtableSize } = this.#options;
    const version: Version = { ...EMPTY_VERSION, runs: this.#runs };
    const choice = this.#strategy.choose(Levels.of(version, this.#busy, levelCount), {
      levelCount,
      levelRatio,
      maxMemtableSize,
      now: recorded?.time ?? this.#time,
    });
    if (choice.kind === "none") return undefined;
    const isSame = recorded !== undefined && isSameAs(choice, recorded);
    this.decisions.push({ change: recorded, choice, isSame });
    return recorded === undefined ? undefined : this.begun();
  }

  isTask({ cause }: RecordedChange): boolean {
    return cause === "flush" || cause === "merge";
  }

  run(): void {
    // What came out of it is in the history.
  }

  commit({ cause, removed, added }: RecordedChange): void {
    const ids = new Set(removed);
    const segments = added.map(metaOf);
    for (const id of ids) this.#busy.delete(id);
    if (segments.length === 0) {
      this.#runs = withoutSegments(this.#runs, ids);
      return;
    }
    const { level } = added[0]!;
    const place = cause === "flush"
      ? { level: 0, index: 0, join: false }
      : placeFor(this.#runs, ids, level, segments);
    if (typeof place === "string") throw new RangeError(`Cannot replay a history: ${place}`);
    this.#runs = withSegments(withoutSegments(this.#runs, ids), place, segments);
  }
}

function isSameAs(choice: Exclude<CompactionChoice, { kind: "none" }>, change: RecordedChange): boolean {
  const named = new Set(choice.segments);
  const level = change.added[0]?.level;
  return choice.kind === change.cause && (choice.reason ?? "") === change.reason &&
    named.size === change.removed.length && change.removed.every((id) => named.has(id)) &&
    (choice.kind === "drop" || level === undefined || choice.destLevel === level);
}

function metaOf(shape: SegmentShape): SegmentMeta {
  const { id, size, minKey, maxKey, entries, tombstones, seqnoMin, seqnoMax, writtenAt } = shape;
  return {
    id,
    size,
    minKey: keyFromBytes(minKey, 0, minKey.length),
    maxKey: keyFromBytes(maxKey, 0, maxKey.length),
    entries,
    tombstones,
    seqnoMin,
    seqnoMax,
    writtenAt,
    salt: { low: 0, high: 0 },
  };
}
