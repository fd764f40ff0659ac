/**
 * The work of a simulated tree: flushes, choices and what they lead to, on shapes.
 *
 * Strategies of this module are known to choose only what is legal: properties say so. One of the user's own is
 * checked as a real tree checks it (`core/choice.ts`), which costs a step for each segment, and an illegal choice ends
 * the simulation with the reason.
 *
 * @module
 */

import type { CompactionChoice, SegmentId } from "../core/mod.ts";
import { checkChoice, EMPTY_VERSION } from "../core/mod.ts";
import type { InlineWork } from "./inline_order.ts";
import { settle } from "./inline_order.ts";
import type { KeyStretch } from "./key_shares.ts";
import type { Levels } from "./levels.ts";
import type { Load, LoadStep } from "./load.ts";
import { endsBefore } from "./placed_segment.ts";
import type { PlacedSegment } from "./placed_segment.ts";
import type { Random } from "./random.ts";
import type { SimulatedCompaction } from "./report.ts";
import { mergeShares } from "./simulated_merge.ts";
import { placeOfKey, simulated } from "./simulated_segment.ts";
import type { SimulatedOrigin, SimulatedSegment } from "./simulated_segment.ts";
import { SimulatedTree } from "./simulated_tree.ts";
import type { CompactionStrategy, LevelOptions } from "./strategy.ts";
import { storedStrategy } from "./strategy.ts";

/** Bytes from which on a flush begins a new segment, as in `core/schedule.ts`. */
const FLUSH_TARGET_BYTES = 64 * 1024 * 1024;

/** A flush, or a choice with the segments it names. */
interface SimulatedChange {
  readonly choice: CompactionChoice | undefined;
  readonly segments: readonly PlacedSegment[];
  outputs: readonly SimulatedSegment[];
}

/** The work of a simulated tree. */
export class SimulatedWork implements InlineWork<SimulatedChange> {
  /** The tree. */
  readonly tree: SimulatedTree;
  /** Every choice so far. */
  readonly compactions: SimulatedCompaction[] = [];
  /** Bytes that flushes have written. */
  flushBytes = 0;
  /** Bytes that merges have written. */
  mergeBytes = 0;
  /** Bytes that flushes and merges have read and written. */
  bytesMoved = 0;
  readonly #strategy: CompactionStrategy;
  readonly #isOwn: boolean;
  readonly #load: Load;
  readonly #options: LevelOptions;
  readonly #random: Random;
  readonly #busy: Map<SegmentId, PlacedSegment> = new Map();
  #step: LoadStep | undefined;
  #operations = 0;
  #now = 0;
  #lastId = 0;
  #rounds = 0;

  /** Begins with an empty tree. */
  constructor(strategy: CompactionStrategy, load: Load, options: LevelOptions, random: Random) {
    this.tree = new SimulatedTree(options.levelCount);
    this.#strategy = strategy;
    this.#isOwn = storedStrategy(strategy).custom;
    this.#load = load;
    this.#options = options;
    this.#random = random;
  }

  /** Flushes a memtable, and does all that follows. */
  flush(step: LoadStep, operations: number, now: number): void {
    this.#step = step;
    this.#operations = operations;
    this.#now = now;
    this.#rounds = 0;
    settle(this, { choice: undefined, segments: [], outputs: [] });
  }

  /** Returns the shape of this moment. */
  levels(): Levels {
    return this.tree.levels(this.#busy);
  }

  choose(): SimulatedChange | undefined {
    const { levelCount, levelRatio, maxMemtableSize } = this.#options;
    const choice = this.#strategy.choose(this.levels(), {
      levelCount,
      levelRatio,
      maxMemtableSize,
      now: this.#now,
    });
    if (choice?.kind === "none") return undefined;
    if (this.#isOwn) this.#check(choice);
    const segments = choice.segments.map((id) => this.tree.get(id)!);
    for (const segment of segments) this.#busy.set(segment.id, segment);
    return { choice, segments, outputs: [] };
  }

  isTask({ choice }: SimulatedChange): boolean {
    return choice === undefined || choice.kind === "merge";
  }

  run(change: SimulatedChange): void {
    if (change.choice === undefined) {
      const origin = {
        seqnoMin: this.#operations + 1,
        seqnoMax: this.#operations + this.#step!.operations,
        writtenAt: this.#now,
      };
      change.outputs = this.#merge([this.#step!.stretches], FLUSH_TARGET_BYTES, origin, new Set());
      const bytes = bytesOf(change.outputs);
      this.flushBytes += bytes;
      this.bytesMoved += bytes;
    } else if (change.choice.kind === "merge") {
      const runs = this.tree.byRun(change.segments).map((run) => run.map(simulated));
      const origin = originOf(change.segments);
      const inputs = new Set(change.segments);
      change.outputs = this.#merge(runs, change.choice.targetSize, origin, inputs);
      this.mergeBytes += bytesOf(change.outputs);
      this.bytesMoved += bytesOf(change.segments) + bytesOf(change.outputs);
    }
  }

  commit({ choice, segments, outputs }: SimulatedChange): void {
    if (choice === undefined) {
      this.tree.flush(outputs.map((segment) => segment.at(0)));
      return;
    }
    for (const { id } of segments) this.#busy.delete(id);
    this.compactions.push({
      choice,
      inputBytes: bytesOf(segments),
      outputBytes: bytesOf(outputs),
      reason: choice.reason ?? "",
    });
    if (choice.kind === "none") return;
    if (choice.kind === "drop") {
      this.tree.change(segments, undefined);
    } else if (choice.kind === "move") {
      const moved = segments.map((segment) => segment.at(choice.destLevel));
      moved.sort((a, b) => a.minHead - b.minHead);
      this.tree.change(segments, { level: choice.destLevel, segments: moved });
    } else {
      const { destLevel } = choice;
      this.tree.change(segments, {
        level: destLevel,
        segments: outputs.map((segment) => segment.at(destLevel)),
      });
    }
  }

  #merge(
    runs: readonly (readonly KeyStretch[])[],
    targetSize: number,
    origin: SimulatedOrigin,
    inputs: ReadonlySet<PlacedSegment>,
  ): readonly SimulatedSegment[] {
    return mergeShares(
      {
        runs,
        targetSize,
        origin,
        isCovered: (from, to) => this.#isCovered(from, to, inputs),
        nextId: () => this.#lastId += 1,
      },
      this.#load,
      this.#load.sizes,
      this.#random,
    );
  }

  /** Tells whether a run that is older than the newest input, or for a flush any run, has a segment in the middle of a stretch. */
  #isCovered(from: number, to: number, inputs: ReadonlySet<PlacedSegment>): boolean {
    const place = placeOfKey(Math.floor((from + to - 1) / 2));
    let isOlder = inputs.size === 0;
    for (const [level, placed] of this.tree.placed.entries()) {
      for (const [start, end] of this.tree.runsOf(level)) {
        const index = placed.firstReaching(place, start, end);
        const segment = index < end ? placed.at(index) : undefined;
        const covers = segment !== undefined && !endsBefore(place, segment);
        if (isOlder && covers && !inputs.has(segment)) return true;
        isOlder ||= covers && inputs.has(segment);
      }
    }
    return false;
  }

  /** Throws what a real tree would say to a choice that may not be done. */
  #check(choice: CompactionChoice): void {
    const refused = (why: string): RangeError =>
      new RangeError(`Cannot do what the compaction strategy chose: ${why}`);
    if (choice?.kind !== "merge" && choice?.kind !== "move" && choice?.kind !== "drop") {
      throw refused("it is no choice");
    }
    const runs = this.tree.placed.flatMap((placed, level) =>
      this.tree.runsOf(level).map(([start, end]) => ({
        level,
        segments: placed.slice(start, end).map(({ facts }) => ({
          id: facts.id,
          size: facts.size,
          minKey: facts.minKey,
          maxKey: facts.maxKey,
          entries: facts.entries,
          tombstones: facts.tombstones,
          seqnoMin: facts.seqnoMin,
          seqnoMax: facts.seqnoMax,
          writtenAt: facts.writtenAt,
          salt: { low: 0, high: 0 },
        })),
      }))
    );
    const busy = new Set(this.#busy.keys());
    const levelCount = Math.max(this.#options.levelCount, ...runs.map((run) => run.level + 1));
    const wrong = checkChoice(choice, { ...EMPTY_VERSION, runs }, busy, levelCount);
    if (typeof wrong === "string") throw refused(wrong);
    this.#rounds += 1;
    const segments = runs.reduce((count, run) => count + run.segments.length, 0);
    if (this.#rounds > 100 + this.#options.levelCount * segments) {
      throw new RangeError(
        `Cannot go on compacting: the strategy has chosen ${this.#rounds} times in a row and comes to no end`,
      );
    }
  }
}

function bytesOf(segments: readonly { readonly size: number }[]): number {
  let bytes = 0;
  for (const { size } of segments) bytes += size;
  return bytes;
}

function originOf(segments: readonly PlacedSegment[]): SimulatedOrigin {
  let [seqnoMin, seqnoMax, writtenAt] = [Infinity, 0, 0];
  for (const { facts } of segments) {
    seqnoMin = Math.min(seqnoMin, facts.seqnoMin);
    seqnoMax = Math.max(seqnoMax, facts.seqnoMax);
    writtenAt = Math.max(writtenAt, facts.writtenAt);
  }
  return { seqnoMin, seqnoMax, writtenAt };
}
