/**
 * One list of actions, run in lockstep on the core and on a sorted map.
 *
 * An action is plain data, so a failing list shrinks and can be written down. Where it must name something that is there (an
 * effect that waits, a segment) it has a number, taken modulo how many there are.
 *
 * What is expected is kept for each batch and not only for the last: after a power cut the tree must be exactly what it was
 * after one of them. A drop takes away what stands in segments, so it is done to all that is expected from the last
 * flushed batch on.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Levels } from "../../compaction/levels.ts";
import { majorChoice } from "../../compaction/major.ts";
import type { CompactionChoice, Edit, RecoveryPlan, StepOptions, TreeState } from "../../core/mod.ts";
import { busySegments, checkChoice, checkRuns, versionSegments } from "../../core/mod.ts";
import type { GivenOperation } from "./arbitraries.ts";
import { BOUND_KEYS } from "./arbitraries.ts";
import { backwards, checkView, forwards } from "./core_views.ts";
import type { Disk } from "./pure_tree.ts";
import { PureTree, recover } from "./pure_tree.ts";
import { ALL, SortedModel } from "./sorted_model.ts";

/** Something that happens to a tree. */
export type Action =
  | { readonly do: "write"; readonly operations: readonly GivenOperation[] }
  /** Removes keys at one end, with the hint for it, and writes more in the same batch. */
  | {
    readonly do: "pop";
    readonly end: "first" | "last";
    readonly count: number;
    readonly more: readonly GivenOperation[];
  }
  /** A write whose journal cannot be created or appended to. */
  | { readonly do: "refused write"; readonly operations: readonly GivenOperation[] }
  | { readonly do: "seal" }
  | { readonly do: "tick"; readonly force: boolean; readonly ask: boolean; readonly ms: number }
  | { readonly do: "finish"; readonly pick: number }
  | { readonly do: "fail"; readonly pick: number }
  | { readonly do: "start barrier" }
  | { readonly do: "finish barrier"; readonly pick: number }
  /** Whatever comes of some bits: mostly illegal. */
  | {
    readonly do: "choose";
    readonly kind: "merge" | "move" | "drop";
    readonly bits: number;
    readonly level: number;
  }
  /** All segments of neighbouring runs: mostly legal. */
  | {
    readonly do: "choose runs";
    readonly kind: "merge" | "move" | "drop";
    readonly from: number;
    readonly count: number;
    readonly level: number;
  }
  | { readonly do: "major" }
  | { readonly do: "keep" }
  | { readonly do: "reopen" }
  | { readonly do: "power cut"; readonly cuts: readonly number[] };

const KEYS = [...BOUND_KEYS, ...Array.from({ length: 12 }, (_, i) => `k${i + 10}`)];

/** A key that has been seen before. */
export const sessionKey: fc.Arbitrary<string> = fc.constantFrom(...KEYS);

const sessionValue = fc.oneof(
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60, max: 300 }).map((length) => new Uint8Array(length).fill(7)) },
);

const put = fc.record({ kind: fc.constant("put" as const), key: sessionKey, value: sessionValue });
const remove = fc.record({ kind: fc.constant("remove" as const), key: sessionKey });

/** The operations of a batch. */
export const sessionBatch: fc.Arbitrary<readonly GivenOperation[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: put },
    { weight: 5, arbitrary: remove },
    { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
  ),
  { minLength: 1, maxLength: 5 },
);

const choiceKind = fc.constantFrom("merge" as const, "merge" as const, "move" as const, "drop" as const);

const ACTIONS: { readonly [name in Action["do"]]: [weight: number, arbitrary: fc.Arbitrary<Action>] } = {
  "write": [12, fc.record({ do: fc.constant("write" as const), operations: sessionBatch })],
  "pop": [
    3,
    fc.record({
      do: fc.constant("pop" as const),
      end: fc.constantFrom("first" as const, "last" as const),
      count: fc.integer({ min: 1, max: 3 }),
      more: fc.oneof(fc.constant([]), fc.array(put, { maxLength: 2 })),
    }),
  ],
  "refused write": [1, fc.record({ do: fc.constant("refused write" as const), operations: sessionBatch })],
  "seal": [3, fc.constant({ do: "seal" as const })],
  "tick": [
    2,
    fc.record({
      do: fc.constant("tick" as const),
      force: fc.boolean(),
      ask: fc.boolean(),
      ms: fc.constantFrom(1, 1_000),
    }),
  ],
  "finish": [14, fc.record({ do: fc.constant("finish" as const), pick: fc.nat(7) })],
  "fail": [2, fc.record({ do: fc.constant("fail" as const), pick: fc.nat(7) })],
  "start barrier": [1, fc.constant({ do: "start barrier" as const })],
  "finish barrier": [2, fc.record({ do: fc.constant("finish barrier" as const), pick: fc.nat(3) })],
  "choose": [
    2,
    fc.record({
      do: fc.constant("choose" as const),
      kind: choiceKind,
      bits: fc.nat(0xffff),
      level: fc.nat(4),
    }),
  ],
  "choose runs": [
    4,
    fc.record({
      do: fc.constant("choose runs" as const),
      kind: choiceKind,
      from: fc.nat(9),
      count: fc.integer({ min: 1, max: 4 }),
      level: fc.nat(3),
    }),
  ],
  "major": [1, fc.constant({ do: "major" as const })],
  "keep": [1, fc.constant({ do: "keep" as const })],
  "reopen": [1, fc.constant({ do: "reopen" as const })],
  "power cut": [
    1,
    fc.record({
      do: fc.constant("power cut" as const),
      cuts: fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 6 }),
    }),
  ],
};

/** Lists of actions, without those that are named. */
export function actions(maxLength: number, ...without: readonly Action["do"][]): fc.Arbitrary<Action[]> {
  const arbitraries = Object.entries(ACTIONS)
    .filter(([name]) => !without.includes(name as Action["do"]))
    .map(([, [weight, arbitrary]]) => ({ weight, arbitrary }));
  return fc.array(fc.oneof(...arbitraries), { maxLength, size: "max" });
}

/** The core and what it should hold, side by side. */
export class CoreSession {
  /** The core. */
  tree: PureTree;
  /** What happened, by name. */
  readonly seen: Map<string, number> = new Map();
  readonly #options: StepOptions;
  /** What the tree holds after each batch that may still be the last after a power cut. */
  #models: Map<number, SortedModel> = new Map([[0, new SortedModel()]]);
  readonly #batches: Map<number, readonly GivenOperation[]> = new Map();
  readonly #kept: { readonly tree: PureTree; readonly state: TreeState; readonly model: SortedModel }[] = [];

  /** Begins with an empty tree. */
  constructor(options: StepOptions) {
    this.#options = options;
    this.tree = new PureTree(options);
  }

  /** What the tree should hold. */
  get model(): SortedModel {
    return this.modelAt(this.tree.state.seqno);
  }

  /** What the tree should hold after a batch. */
  modelAt(seqno: number): SortedModel {
    return this.#models.get(seqno)!;
  }

  /** Counts something that happened. */
  saw(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }

  /** Does one action, to both. */
  run(action: Action): void {
    const { tree } = this;
    const failed = tree.state.failure;
    switch (action.do) {
      case "write":
        return this.#write(action.operations);
      case "pop":
        return this.#pop(action);
      case "refused write":
        return this.#refusedWrite(action.operations);
      case "seal":
        tree.seal();
        return;
      case "tick":
        tree.now += action.ms;
        tree.dispatch({ kind: "tick", force: action.force, ask: action.ask, now: tree.now });
        return;
      case "finish":
        if (tree.pending.length > 0) this.#finish(action.pick % tree.pending.length);
        return;
      case "fail":
        if (tree.pending.length === 0) return;
        tree.fail(action.pick % tree.pending.length);
        if (tree.state.failure !== failed) this.saw("failure");
        return;
      case "start barrier":
        tree.startBarrier();
        return;
      case "finish barrier":
        if (tree.barriers > 0) tree.finishBarrier(action.pick % tree.barriers);
        return;
      case "choose":
        return this.#choose(this.#choiceOf(action.kind, this.#byBits(action.bits), action.level));
      case "choose runs":
        return this.#choose(this.#choiceOf(action.kind, this.#ofRuns(action), action.level));
      case "major":
        return this.#choose(this.#major());
      case "keep":
        this.#kept.push({ tree, state: tree.state, model: this.model });
        return;
      case "reopen": {
        const before = tree.state.seqno;
        this.reopen(tree.disk());
        assertEquals(this.tree.state.seqno, before);
        return;
      }
      case "power cut":
        return this.#powerCut(action.cuts);
    }
  }

  #write(operations: readonly GivenOperation[], pop?: "first" | "last"): void {
    assert(this.tree.write(operations, pop));
    this.#expect(operations);
  }

  #expect(operations: readonly GivenOperation[]): void {
    const { seqno } = this.tree.state;
    this.#batches.set(seqno, operations);
    this.#models.set(seqno, this.modelAt(seqno - 1).with(operations));
    if (operations.some((operation) => operation.kind === "clear")) this.saw("clear");
  }

  #pop({ end, count, more }: Action & { do: "pop" }): void {
    const pairs = this.model.pairs();
    if (pairs.length === 0) return;
    if (end === "last") pairs.reverse();
    const removes = pairs.slice(0, count).map(([key]) => ({ kind: "remove" as const, key }));
    this.#write([...removes, ...more], end);
    this.saw(`pop ${end}`);
  }

  #refusedWrite(operations: readonly GivenOperation[]): void {
    const { tree } = this;
    const { state } = tree;
    tree.refuses = state.journal === undefined ? "create_journal" : "append_journal";
    assert(!tree.write(operations));
    tree.refuses = undefined;
    assert(tree.state === state);
  }

  #finish(index: number): void {
    const { tree } = this;
    const effect = tree.pending[index]!;
    if (effect.kind === "commit_edit") this.#expectEdit(effect.edit);
    if (effect.kind === "delete_files" && effect.journals.length > 0) this.saw("journal deleted");
    if (effect.kind === "run_task" && tree.pending[0] !== effect) this.saw("out of order");
    tree.finish(index);
    const given = tree.pending.find((one) => one.kind === "delete_outputs");
    if (effect.kind === "run_task" && given !== undefined && tree.state.failure === undefined) {
      this.saw("given up");
    }
    if (effect.kind === "run_task") this.saw(effect.task.kind);
    if (effect.kind === "commit_edit") this.saw(effect.edit.cause);
  }

  /** Does to what is expected what an edit does to what is there. */
  #expectEdit(edit: Edit): void {
    if (edit.cause !== "drop") return;
    const { version, seqno } = this.tree.state;
    const dropped = new Set(edit.removed);
    const shadowed = new Set<string>();
    const gone: GivenOperation[] = [];
    for (const run of version.runs) {
      for (const segment of run.segments) {
        for (const [key] of this.tree.source.entriesOf(segment)) {
          if (dropped.has(segment.id) && !shadowed.has(key)) gone.push({ kind: "remove", key });
          shadowed.add(key);
        }
      }
    }
    const { flushedSeqno } = version;
    this.#models.set(flushedSeqno, this.modelAt(flushedSeqno).with(gone));
    for (let at = flushedSeqno + 1; at <= seqno; at++) {
      this.#models.set(at, this.modelAt(at - 1).with(this.#batches.get(at)!));
    }
  }

  #byBits(bits: number): number[] {
    const segments = versionSegments(this.tree.state.version);
    return segments.filter((_, i) => (bits >> (i % 16) & 1) === 1).map((segment) => segment.id);
  }

  #ofRuns({ from, count }: Action & { do: "choose runs" }): number[] {
    const { runs } = this.tree.state.version;
    const start = runs.length === 0 ? 0 : from % runs.length;
    return runs.slice(start, start + count).flatMap((run) => run.segments.map((segment) => segment.id));
  }

  #choiceOf(kind: "merge" | "move" | "drop", segments: readonly number[], level: number): CompactionChoice {
    if (kind === "drop") return { kind, segments };
    return kind === "move"
      ? { kind, segments, destLevel: level }
      : { kind, segments, destLevel: level, targetSize: 1024 };
  }

  #major(): CompactionChoice {
    const { state } = this.tree;
    const { levelCount } = this.#options;
    return majorChoice(Levels.of(state.version, busySegments(state), levelCount), levelCount);
  }

  #choose(choice: CompactionChoice): void {
    const { tree } = this;
    const before = tree.state;
    tree.choose(choice);
    if (choice.kind === "none") return;
    const levels = Math.max(this.#options.levelCount, (before.version.runs.at(-1)?.level ?? 0) + 1);
    const checked = checkChoice(choice, before.version, busySegments(before), levels);
    if (typeof checked === "string") return this.saw("refused choice");
    const busy = busySegments(tree.state);
    if (choice.segments.every((id) => busy.has(id))) this.saw(`chosen ${choice.kind}`);
    else this.saw("touches a task");
  }

  /** Ends the process here and opens what is on a disk. */
  reopen(disk: Disk): RecoveryPlan {
    const plan = recover(disk, "tolerate-tail", this.#options.maxMemtableSize);
    const { now } = this.tree;
    this.tree = new PureTree(this.#options, { disk, plan });
    this.tree.now = now;
    this.saw("reopen");
    if (plan.sealed.length > 1) this.saw("several memtables recovered");
    return plan;
  }

  #powerCut(cuts: readonly number[]): void {
    const { tree } = this;
    const durable = Math.max(tree.durableSeqno(), tree.state.durableSeqno);
    let next = 0;
    const disk = tree.diskAfterPowerCut((max) => cuts[next++ % cuts.length]! % (max + 1));
    const plan = this.reopen(disk);
    assert(plan.lastSeqno >= durable, `batch ${durable} was durable, the last is ${plan.lastSeqno}`);
    if (plan.dropped !== undefined) this.saw("dropped");
    for (const seqno of [...this.#models.keys()]) if (seqno > plan.lastSeqno) this.#models.delete(seqno);
  }

  /** Finishes all work, whatever failed before. */
  settle(): void {
    const { tree } = this;
    for (let rounds = 0; tree.pending.length > 0 || tree.state.failure !== undefined; rounds++) {
      assert(rounds < 2_000, `work never ends: ${tree.state.failure?.error}`);
      if (tree.pending.length > 0) this.#finish(0);
      else tree.dispatch({ kind: "tick", force: true, ask: false, now: tree.now });
    }
  }

  /** Seals, and compacts all into one run, step by step. */
  compact(): void {
    this.settle();
    this.tree.seal();
    this.settle();
    for (let choice = this.#major(); choice.kind !== "none"; choice = this.#major()) {
      this.#choose(choice);
      this.settle();
    }
  }

  /** Checks that the tree holds what it should, by every way of reading it, and that its state is sound. */
  check(lower: string, upper: string): void {
    const { tree, model } = this;
    const { state } = tree;
    checkView(state, model, tree.source, { lower, upper }, KEYS);
    // What the hints say is empty is empty.
    const alive = { lower: state.emptyBelow, upper: state.emptyFrom };
    const pairs = model.pairs();
    assertEquals(forwards(state, alive, tree.source), pairs);
    assertEquals(backwards(state, alive, tree.source), pairs.reverse());
    checkState(state);
  }

  /** Checks that every state that was kept answers as it did. */
  checkKept(): void {
    for (const { tree, state, model } of this.#kept) {
      assertEquals(forwards(state, ALL, tree.source), model.pairs());
    }
  }
}

/** Checks what a state says of itself. */
export function checkState(state: TreeState): void {
  const { version, sealed, active, seqno, durableSeqno, inFlight, committing, edit, nextId } = state;
  assertEquals(checkRuns(version.runs), undefined);
  assert(durableSeqno <= seqno);
  let last = version.flushedSeqno;
  for (const memtable of [active, ...sealed].reverse()) {
    if (memtable.lastSeqno === 0) continue;
    assertEquals(memtable.firstSeqno, last + 1, "batches are missing between memtables");
    last = memtable.lastSeqno;
  }
  assertEquals(last, seqno);
  const inputs = [
    ...inFlight.flatMap((task) => task.kind === "merge" ? task.inputs.flatMap((run) => run.segments) : []),
    ...committing.flatMap((change) => {
      if (change.kind !== "task") return change.segments;
      return change.task.kind === "merge" ? change.task.inputs.flatMap((run) => run.segments) : [];
    }),
  ].map((segment) => segment.id);
  assertEquals(new Set(inputs).size, inputs.length, "two changes share an input");
  assertEquals(edit !== undefined && committing.length === 0, false);
  const used = [
    ...versionSegments(version).map((segment) => segment.id),
    ...[active, ...sealed].flatMap((memtable) => memtable.journals.map((journal) => journal.id)),
    ...inFlight.map((task) => task.firstOutput + task.outputs - 1),
  ];
  assert(used.every((id) => id < nextId), "an id was used and is free");
}
