/**
 * What holds for every strategy, with any options, on any tree, after any history.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { CompactionChoice, CompactionStrategy, LevelOptions } from "../../compaction/mod.ts";
import { fifo, lazyLeveled, leveled, Levels, majorChoice, sizeTiered } from "../../compaction/mod.ts";
import { runsOf } from "../../compaction/levels.ts";
import type { Interval } from "../../core/mod.ts";
import { effort } from "../support/effort.ts";
import {
  bytesOfAKey,
  fewBits,
  KEY_COUNT,
  keyBits,
  keyName,
  runForms,
  ShapeTree,
} from "../support/shape_tree.ts";

const targetSize = fc.constantFrom(1024, 50_000, 2 ** 28);

const leveledStrategy = fc.record({ l0Threshold: fc.integer({ min: 1, max: 4 }), targetSize }).map(leveled);
const sizeTieredStrategy = fc.tuple(fc.integer({ min: 2, max: 4 }), fc.nat(4)).map(([minThreshold, more]) =>
  sizeTiered({ minThreshold, maxThreshold: minThreshold + more })
);
const lazyLeveledStrategy = fc.record({ threshold: fc.integer({ min: 2, max: 4 }), targetSize }).map(
  lazyLeveled,
);
const fifoStrategy = fc.record({
  limit: fc.constantFrom(1, 1_000, 10_000, 2 ** 33, 2 ** 50),
  ttl: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
}).map(fifo);

const strategy: fc.Arbitrary<CompactionStrategy> = fc.oneof(
  leveledStrategy,
  sizeTieredStrategy,
  lazyLeveledStrategy,
  fifoStrategy,
);

const interval: fc.Arbitrary<Interval> = fc.oneof(
  fc.constant({ lower: "", upper: undefined }),
  fc.tuple(fc.nat(KEY_COUNT - 1), fc.nat(KEY_COUNT)).map(([lower, upper]) => ({
    lower: keyName(lower),
    upper: upper === KEY_COUNT ? undefined : keyName(upper),
  })),
);

/** A compaction of an interval, as a strategy. */
const major: fc.Arbitrary<CompactionStrategy> = interval.map((keys) => ({
  name: "major",
  choose: (levels, { levelCount }) =>
    levels.levels.flat().some((segment) => segment.busy)
      ? { kind: "none" }
      : majorChoice(levels, levelCount, keys),
}));

interface Options {
  readonly levelCount: number;
  readonly levelRatio: number;
  readonly maxMemtableSize: number;
}

const options: fc.Arbitrary<Options> = fc.record({
  levelCount: fc.integer({ min: 2, max: 6 }),
  levelRatio: fc.constantFrom(2, 4, 10),
  maxMemtableSize: fc.constantFrom(500, 100_000, 2 ** 24, 2 ** 36),
});

/** Returns what a strategy chooses, twice. */
function choiceOf(
  one: CompactionStrategy,
  tree: ShapeTree,
  given: Options,
  busy: ReadonlySet<number> = tree.busy,
): CompactionChoice {
  const levels = tree.levels(busy);
  const all: LevelOptions = { ...given, now: tree.now };
  const choice = one.choose(levels, all);
  assertEquals(one.choose(Levels.of(tree.version, busy, tree.levelCount), all), choice);
  return choice;
}

/** Does what a strategy says until it says nothing any more. */
function settle(one: CompactionStrategy, tree: ShapeTree, given: Options): number {
  // Each segment through each level, and a merge may make one of each key.
  const most = 2 * given.levelCount * (tree.segments.length + KEY_COUNT);
  let rounds = 0;
  for (;; rounds++) {
    assert(rounds <= most, `${one.name} does not end within ${most} rounds:\n${tree.levels()}`);
    const choice = choiceOf(one, tree, given);
    const debt = one.debt?.(tree.levels(), { ...given, now: tree.now }) ?? 0;
    assert(Number.isFinite(debt) && debt >= 0);
    if (choice.kind === "none") break;
    tree.begin(choice);
    tree.end();
  }
  assertEquals(choiceOf(one, tree, given), { kind: "none" });
  return rounds;
}

Deno.test("from any tree each strategy comes to an end, in a shape of its own, and every key keeps its newest version", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.oneof(strategy, major),
      options,
      runForms,
      bytesOfAKey,
      (one, given, forms, keyBytes) => {
        const tree = new ShapeTree(given.levelCount, keyBytes, forms);
        if (settle(one, tree, given) > 0) count(seen, one.name);
        checkShape(one, tree, given);
        if (tree.segments.some((segment) => segment.size > 2 ** 32)) count(seen, "huge");
      },
    ),
    effort(2_000),
  );
  assertSeen(seen, 50, ["leveled", "sizeTiered", "lazyLeveled", "fifo", "major", "huge"]);
});

/** Checks what the shape of a tree is when a strategy wants nothing any more. */
function checkShape(one: CompactionStrategy, tree: ShapeTree, given: Options): void {
  const { levels } = tree.levels();
  const last = Math.max(given.levelCount - 1, levels.findLastIndex((level) => level.length > 0));
  const runs = (level: number): number => runsOf(levels[level]!).length;
  const settings = (one as { options?: Record<string, number> }).options ?? {};
  if (one.name === "leveled") {
    assert(levels[0]!.length < settings.l0Threshold!);
    assert(last < given.levelCount);
    for (let level = 1; level <= last; level++) {
      assert(runs(level) <= 1, `level ${level} has ${runs(level)} runs`);
    }
  }
  if (one.name === "sizeTiered") {
    for (let level = 0; level < last; level++) assert(runs(level) < settings.minThreshold!);
  }
  if (one.name === "lazyLeveled") {
    for (let level = 0; level < last; level++) assert(runs(level) < settings.threshold!);
    assert(runs(last) <= 1);
  }
  if (one.name === "fifo") {
    const bytes = tree.segments.reduce((sum, segment) => sum + segment.size, 0);
    assert(bytes <= settings.limit!);
  }
}

type Action =
  | { readonly do: "flush"; readonly keys: number; readonly tombstones: number; readonly cuts: number }
  | { readonly do: "choose" }
  | { readonly do: "end"; readonly pick: number }
  | { readonly do: "jump"; readonly ms: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("flush" as const),
      keys: keyBits,
      tombstones: fewBits,
      cuts: fewBits,
    }),
  },
  { weight: 4, arbitrary: fc.constant({ do: "choose" as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("end" as const), pick: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("jump" as const), ms: fc.integer({ min: -9_000, max: 9_000 }) }),
  },
);

Deno.test("through any history, with several choices under way, no choice is illegal, none is lost, and it comes to an end", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.oneof(strategy, major),
      options,
      runForms,
      bytesOfAKey,
      fc.array(action, { maxLength: 60, size: "max" }),
      (one, given, forms, keyBytes, actions) => {
        const tree = new ShapeTree(given.levelCount, keyBytes, forms);
        for (const next of actions) {
          if (next.do === "flush") tree.flush(next.keys, next.tombstones, next.cuts);
          else if (next.do === "jump") tree.now += next.ms;
          else if (next.do === "end") {
            if (tree.begun.length > 0) tree.end(next.pick % tree.begun.length);
          } else if (tree.begun.length < 3) {
            const choice = choiceOf(one, tree, given);
            if (choice.kind === "none") continue;
            tree.begin(choice);
            if (tree.begun.length > 1) count(seen, `${one.name} beside another`);
          }
        }
        while (tree.begun.length > 0) tree.end();
        settle(one, tree, given);
        checkShape(one, tree, given);
        for (const [kind, times] of tree.counts) count(seen, `${one.name} ${kind}`, times);
      },
    ),
    effort(1_200),
  );
  assertSeen(seen, 3, [
    "leveled merge",
    "leveled move",
    "leveled drop",
    "leveled beside another",
    "sizeTiered merge",
    "sizeTiered move",
    "sizeTiered beside another",
    "lazyLeveled merge",
    "lazyLeveled move",
    "fifo drop",
    "major merge",
    "major move",
    "major drop",
  ]);
});

/** Which segments are busy: none, one, or any. */
const busyBits = fc.oneof(fc.constant(0), fc.nat(30).map((i) => 2 ** i), fc.nat());

Deno.test("no strategy chooses what is busy, whatever that is, and what it chooses beside it is legal", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(strategy, options, runForms, bytesOfAKey, busyBits, (one, given, forms, keyBytes, bits) => {
      const tree = new ShapeTree(given.levelCount, keyBytes, forms);
      const busy = new Set(tree.segments.filter((_, i) => (bits >>> (i % 31) & 1) === 1).map(({ id }) => id));
      const choice = choiceOf(one, tree, given, busy);
      if (choice.kind === "none") return;
      assert(!choice.segments.some((id) => busy.has(id)));
      assert((choice.reason ?? "").length > 0);
      tree.begin(choice);
      count(seen, one.name);
      if (busy.size > 0) count(seen, "beside something busy");
    }),
    effort(2_000),
  );
  assertSeen(seen, 30, ["leveled", "sizeTiered", "lazyLeveled", "fifo", "beside something busy"]);
});

Deno.test("fifo drops the oldest flushes and those alone", () => {
  let dropped = 0;
  fc.assert(
    fc.property(
      fifoStrategy,
      fc.array(fc.tuple(keyBits, fewBits), { maxLength: 20 }),
      bytesOfAKey,
      fc.integer({ min: -30_000, max: 30_000 }),
      (one, flushes, keyBytes, jump) => {
        const tree = new ShapeTree(4, keyBytes);
        for (const [keys, cuts] of flushes) tree.flush(keys, 0, cuts);
        tree.now += jump;
        const before = tree.segments;
        settle(one, tree, { levelCount: 4, levelRatio: 10, maxMemtableSize: 1024 });
        const kept = new Set(tree.segments.map(({ id }) => id));
        const gone = before.filter(({ id }) => !kept.has(id));
        if (gone.length === 0) return;
        dropped += gone.length;
        const youngest = gone.reduce((a, b) => b.seqnoMax > a.seqnoMax ? b : a);
        assert(tree.segments.every((segment) => segment.seqnoMin >= youngest.seqnoMin));
        // No more than had to go: the youngest of them is too old, or with it there would be too much.
        const { limit, ttl } = one.options;
        const isOld = ttl !== undefined && tree.now - youngest.writtenAt > ttl * 1_000;
        const bytes = tree.segments.reduce((sum, segment) => sum + segment.size, 0);
        assert(isOld || bytes + youngest.size > limit!);
      },
    ),
    effort(1_000),
  );
  assert(dropped > 500, `${dropped}`);
});

Deno.test("when a compaction of an interval is done each of its keys is in one run of the last level, without tombstones", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(options, runForms, bytesOfAKey, interval, (given, forms, keyBytes, keys) => {
      const tree = new ShapeTree(given.levelCount, keyBytes, forms);
      const one: CompactionStrategy = {
        name: "major",
        choose: (levels, { levelCount }) => majorChoice(levels, levelCount, keys),
      };
      const before = new Set(tree.segments.filter((segment) => !isIn(segment, keys)).map(({ id }) => id));
      settle(one, tree, given);
      const last = Math.max(given.levelCount - 1, ...tree.version.runs.map((run) => run.level));
      const within = tree.segments.filter((segment) => isIn(segment, keys));
      for (const segment of within) {
        const run = tree.version.runs.find(({ segments }) => segments.includes(segment))!;
        assertEquals([run.level, segment.tombstones], [last, 0]);
        for (const other of within) {
          assert(other === segment || other.minKey > segment.maxKey || other.maxKey < segment.minKey);
        }
      }
      const all = keys.lower === "" && keys.upper === undefined;
      if (all) assert(tree.version.runs.length <= 1 || within.length === tree.segments.length);
      count(seen, all ? "all" : tree.segments.some(({ id }) => before.has(id)) ? "left alone" : "interval");
      for (const [kind, times] of tree.counts) count(seen, kind, times);
    }),
    effort(2_000),
  );
  assertSeen(seen, 50, ["all", "left alone", "interval", "merge", "move", "drop"]);
});

function isIn(segment: { readonly minKey: string; readonly maxKey: string }, keys: Interval): boolean {
  const { lower, upper } = keys;
  if (upper !== undefined && upper <= lower) return false;
  return segment.maxKey >= lower && (upper === undefined || segment.minKey < upper);
}

function count(seen: Map<string, number>, what: string, times = 1): void {
  seen.set(what, (seen.get(what) ?? 0) + times);
}

function assertSeen(seen: ReadonlyMap<string, number>, least: number, what: readonly string[]): void {
  for (const one of what) {
    assert((seen.get(one) ?? 0) >= least, `${one}: ${JSON.stringify([...seen])}`);
  }
}
