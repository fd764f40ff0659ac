/**
 * Several tasks under way at once, which end in any order or fail, for every strategy: driven by the real `step`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { BuiltInStrategy, CompactionStrategy } from "../../compaction/mod.ts";
import { fifo, lazyLeveled, leveled, Levels, majorChoice, sizeTiered } from "../../compaction/mod.ts";
import type { MergeTask, StepOptions, TreeState } from "../../core/mod.ts";
import { overlap } from "../../core/mod.ts";
import type { GivenOperation } from "../support/arbitraries.ts";
import type { Action } from "../support/core_session.ts";
import { checkState, CoreSession } from "../support/core_session.ts";
import { effort } from "../support/effort.ts";
import { SMALL } from "../support/pure_tree.ts";

const LEVEL_COUNT = 5;

const strategies: readonly BuiltInStrategy[] = [
  leveled({ l0Threshold: 1, targetSize: 1024 }),
  leveled({ l0Threshold: 2, targetSize: 1024 }),
  sizeTiered({ minThreshold: 2, maxThreshold: 2 }),
  sizeTiered({ minThreshold: 3, maxThreshold: 5 }),
  lazyLeveled({ threshold: 2, targetSize: 1024 }),
  lazyLeveled({ threshold: 3, targetSize: 1024 }),
  fifo({ limit: 2 ** 40 }),
];

/** A strategy of the user's own that wants anything: some neighbours in age, at some level, whatever is under way. */
function arbitraryStrategy(seed: number): CompactionStrategy {
  return {
    name: "arbitrary",
    choose: (levels, { now }) => {
      const free = levels.levels.flat().filter((segment) => !segment.busy);
      let mixed = seed + now + free.reduce((sum, segment) => sum + segment.id, 0);
      const pick = (below: number): number => {
        mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) + 1;
        return (mixed >>> 8) % below;
      };
      if (free.length === 0 || pick(3) === 0) return { kind: "none" };
      const from = pick(free.length);
      const segments = free.slice(from, from + 1 + pick(3)).map(({ id }) => id);
      return { kind: "merge", segments, destLevel: pick(LEVEL_COUNT), targetSize: 1024 };
    },
  };
}

function optionsFor(strategy: CompactionStrategy, tasksMax: number): StepOptions {
  const options = { levelCount: LEVEL_COUNT, levelRatio: 2, maxMemtableSize: SMALL.maxMemtableSize };
  return {
    ...SMALL,
    levelCount: LEVEL_COUNT,
    tasksMax,
    level0Threshold: strategy.level0Threshold ?? 4,
    choose: (version, busy, now) =>
      strategy.choose(Levels.of(version, busy, LEVEL_COUNT), { ...options, now }),
    major: (version, interval) =>
      majorChoice(Levels.of(version, new Set(), LEVEL_COUNT), LEVEL_COUNT, interval),
  };
}

const key = fc.nat(30).map((i) => `k${i + 10}`);

/** Batches of a few keys with large values, so that a few of them are a flush and a merge makes several segments. */
const batch: fc.Arbitrary<readonly GivenOperation[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("put" as const),
        key,
        value: fc.nat(200).map((length) => new Uint8Array(length).fill(length)),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), key }) },
  ),
  { minLength: 2, maxLength: 8 },
);

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 60, arbitrary: fc.record({ do: fc.constant("write" as const), operations: batch }) },
  { weight: 1, arbitrary: fc.constant({ do: "write" as const, operations: [{ kind: "clear" as const }] }) },
  { weight: 5, arbitrary: fc.constant({ do: "seal" as const }) },
  { weight: 100, arbitrary: fc.record({ do: fc.constant("finish" as const), pick: fc.nat(7) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("fail" as const), pick: fc.nat(7) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("tick" as const),
      force: fc.boolean(),
      ask: fc.boolean(),
      ms: fc.constantFrom(1, 500),
    }),
  },
);

Deno.test("tasks of any strategy that end in any order, or fail, share no input and no output, and lose nothing", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.constantFrom(...strategies),
      fc.integer({ min: 2, max: 5 }),
      fc.array(action, { minLength: 40, maxLength: 160, size: "max" }),
      key,
      key,
      (strategy, tasksMax, actions, lower, upper) => {
        const session = new CoreSession(optionsFor(strategy, tasksMax));
        for (const [i, next] of actions.entries()) {
          session.run(next);
          const { state } = session.tree;
          checkTasks(state);
          checkRefusal(state, strategy);
          checkState(state);
          if (mergesOf(state).length > 1) session.saw("merges at once");
          if (state.inFlight.length > mergesOf(state).length && mergesOf(state).length > 0) {
            session.saw("a flush beside a merge");
          }
          if (i % 20 === 0) session.check(lower, upper);
        }
        session.settle();
        session.run({ do: "tick", force: true, ask: true, ms: 1 });
        session.settle();
        session.check(lower, upper);
        const { version } = session.tree.state;
        const levels = Levels.of(version, new Set(), LEVEL_COUNT);
        const options = { levelCount: LEVEL_COUNT, levelRatio: 2, maxMemtableSize: 256, now: 0 };
        assertEquals(strategy.choose(levels, options), { kind: "none" });
        for (const [what, times] of session.seen) {
          seen.set(`${strategy.name} ${what}`, (seen.get(`${strategy.name} ${what}`) ?? 0) + times);
        }
      },
    ),
    effort(120),
  );
  for (const name of ["leveled", "sizeTiered", "lazyLeveled"]) {
    for (const what of ["merge", "failure", "a flush beside a merge"]) assertSeen(seen, `${name} ${what}`);
  }
  assertSeen(seen, "leveled merges at once");
});

Deno.test("whatever a strategy of the user's own wants, tasks share no input and no output, and nothing is lost", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(action, { minLength: 40, maxLength: 160, size: "max" }),
      key,
      key,
      (seed, actions, lower, upper) => {
        const session = new CoreSession(optionsFor(arbitraryStrategy(seed), 5));
        for (const [i, next] of actions.entries()) {
          session.run(next);
          const { state } = session.tree;
          checkTasks(state);
          checkState(state);
          if (mergesOf(state).length > 1) session.saw("merges at once");
          if (state.failure?.work === "strategy") session.saw("refused");
          if (i % 20 === 0) session.check(lower, upper);
        }
        while (session.tree.pending.length > 0) session.run({ do: "finish", pick: 0 });
        session.check(lower, upper);
        for (const [what, times] of session.seen) seen.set(what, (seen.get(what) ?? 0) + times);
      },
    ),
    effort(100),
  );
  for (const what of ["merge", "merges at once", "refused", "failure"]) assertSeen(seen, what);
});

function assertSeen(seen: ReadonlyMap<string, number>, what: string): void {
  assert((seen.get(what) ?? 0) > 0, `${what}: ${JSON.stringify([...seen])}`);
}

function mergesOf(state: TreeState): readonly MergeTask[] {
  const finished = state.committing.flatMap((change) => change.kind === "task" ? [change.task] : []);
  return [...state.inFlight, ...finished].filter((task) => task.kind === "merge");
}

/** Checks that no two tasks share an input, an id for outputs, or the keys of a level that they write. */
function checkTasks(state: TreeState): void {
  const merges = mergesOf(state);
  const ids = merges.flatMap((task) => task.inputs.flatMap((run) => run.segments.map(({ id }) => id)));
  assertEquals(new Set(ids).size, ids.length, "two tasks share an input");
  for (const [i, task] of merges.entries()) {
    for (const other of merges.slice(i + 1)) {
      if (task.destLevel !== other.destLevel) continue;
      assert(!overlap(rangeOf(task), rangeOf(other)), "two tasks write the same keys of a level");
    }
  }
  const outputs = state.inFlight.flatMap((task) =>
    Array.from({ length: task.outputs }, (_, i) => task.firstOutput + i)
  );
  assertEquals(new Set(outputs).size, outputs.length, "two tasks have the same ids for outputs");
}

/** What writes the same keys as a task under way waits, and nothing else that these strategies choose is ever refused. */
function checkRefusal({ failure }: TreeState, strategy: BuiltInStrategy): void {
  assert(failure?.work !== "strategy", `${strategy.name}: ${failure?.error}`);
}

function rangeOf({ inputs }: MergeTask): { readonly minKey: string; readonly maxKey: string } {
  const segments = inputs.flatMap((run) => run.segments);
  return {
    minKey: segments.map((one) => one.minKey).reduce((a, b) => a < b ? a : b),
    maxKey: segments.map((one) => one.maxKey).reduce((a, b) => a > b ? a : b),
  };
}
