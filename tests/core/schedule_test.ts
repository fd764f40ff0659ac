import { assertEquals, assertStrictEquals } from "@std/assert";
import type { CompactionChoice } from "../../core/choice.ts";
import type { Command } from "../../core/command.ts";
import type { StartEffect } from "../../core/effect.ts";
import type { StepOptions } from "../../core/state.ts";
import { step } from "../../core/step.ts";
import { versionSegments } from "../../core/version.ts";
import { forwards } from "../support/core_views.ts";
import { kinds } from "../support/effect_text.ts";
import { PureTree, Refusal, SMALL } from "../support/pure_tree.ts";
import { ALL } from "../support/sorted_model.ts";

const LARGE = { ...SMALL, maxMemtableSize: 10_000, tasksMax: 3 };

Deno.test("changes whose inputs a clear took are given up, and their outputs removed", () => {
  const tree = new PureTree(LARGE);
  for (const key of ["a", "b", "c"]) tree.put([key, "1"]).seal().settle();
  const [c, b, a] = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose({ kind: "merge", segments: [a!], destLevel: 1, targetSize: 1024 });
  tree.write([{ kind: "clear" }]);
  tree.seal();
  tree.finish(tree.pending.findIndex((effect) => effect.kind === "run_task" && effect.task.kind === "flush"));
  tree.choose({ kind: "move", segments: [b!], destLevel: 1 });
  tree.choose({ kind: "drop", segments: [c!] });
  tree.settle();
  assertEquals([tree.state.committing, tree.state.inFlight, tree.state.failure], [[], [], undefined]);
  assertEquals([tree.state.version.runs, tree.disk().segments.size], [[], 0]);
});

Deno.test("what waited for a change that is given up goes on", () => {
  const asked: string[] = [];
  const options: StepOptions = {
    ...LARGE,
    choose: () => {
      asked.push("strategy");
      return { kind: "none" };
    },
  };
  const tree = new PureTree(options);
  for (const key of ["a", "b"]) tree.put([key, "1"]).seal().settle();
  const [, a] = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose({ kind: "merge", segments: [a!], destLevel: 1, targetSize: 1024 });
  tree.write([{ kind: "clear" }]);
  tree.seal();
  const isFlush = (effect: StartEffect): boolean =>
    effect.kind === "run_task" && effect.task.kind === "flush";
  tree.finish(tree.pending.findIndex(isFlush));
  tree.finish(tree.pending.findIndex((effect) => effect.kind === "commit_edit"));
  assertEquals([tree.state.version.runs, tree.state.inFlight.length], [[], 1]);
  tree.dispatch({ kind: "compact", id: 1, interval: { lower: "", upper: undefined }, now: tree.now });
  assertEquals(tree.state.manual?.id, 1);
  asked.length = 0;
  tree.finish(tree.pending.findIndex((effect) => effect.kind === "run_task"));
  assertEquals([tree.state.manual, asked.includes("strategy")], [undefined, true]);
});

Deno.test("a flush that fails is kept, tried again after pauses that double, and clears the failure when it succeeds", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]).seal();
  const error = new Refusal("full");
  const pauses: number[] = [];
  for (let attempt = 1; attempt <= 11; attempt++) {
    tree.fail(0, error);
    const { failure } = tree.state;
    assertEquals([failure!.work, failure!.attempts], ["flush", attempt]);
    assertStrictEquals(failure!.error, error);
    pauses.push(failure!.retryAt - tree.now);
    const { firstOutput } = tree.history.at(-1)!.state.inFlight[0]!;
    assertEquals(tree.pending, [{ kind: "delete_outputs", first: firstOutput, count: 2 }]);
    tree.settle();
    tree.now = failure!.retryAt - 1;
    tree.dispatch({ kind: "tick", force: false, ask: false, now: tree.now });
    assertEquals(tree.pending.length, 0);
    tree.now += 1;
    tree.dispatch({ kind: "tick", force: false, ask: false, now: tree.now });
    assertEquals(tree.pending.length, 1);
  }
  assertEquals(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
  tree.settle();
  assertEquals([tree.state.failure, tree.state.version.flushedSeqno], [undefined, 1]);
});

Deno.test("a failure is tried again at once when somebody asks for it", () => {
  for (
    const ask of [{ kind: "tick", force: true, ask: false, now: 1_000 }, {
      kind: "seal",
      now: 1_000,
    }] as const
  ) {
    const tree = new PureTree(LARGE).put(["a", "1"]).seal();
    tree.fail();
    tree.settle();
    assertEquals(tree.state.version.flushedSeqno, 0);
    tree.dispatch(ask);
    tree.settle();
    assertEquals([tree.state.failure, tree.state.version.flushedSeqno], [undefined, 1]);
  }
});

Deno.test("an edit that fails stays first in line and is made anew from the version of its time", () => {
  const tree = twoSegments();
  const [b, a] = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose({ kind: "move", segments: [b!], destLevel: 0 });
  tree.put(["c", "3"]).seal();
  tree.finish(1);
  assertEquals(tree.state.committing.map((change) => change.kind), ["move", "task"]);
  tree.fail(0);
  assertEquals([tree.state.failure!.work, tree.state.edit, tree.pending.length], [
    "compaction",
    undefined,
    0,
  ]);
  assertEquals(tree.state.committing.map((change) => change.kind), ["move", "task"]);
  tree.settle(true);
  assertEquals(versionSegments(tree.state.version).map((segment) => segment.id).slice(-2), [b!, a!]);
  assertEquals([tree.state.failure, tree.state.version.flushedSeqno], [undefined, 3]);
  // A flush's edit that fails is a flush that failed.
  tree.put(["d", "4"]).seal();
  tree.finish();
  tree.fail();
  assertEquals(tree.state.failure!.work, "flush");
});
Deno.test("an illegal choice changes nothing but what is said of it", () => {
  const tree = twoSegments();
  const { version } = tree.state;
  const [b] = versionSegments(version).map((segment) => segment.id);
  const illegal: readonly (readonly [unknown, string])[] = [
    [{ kind: "merge", segments: [99], destLevel: 1, targetSize: 1024 }, "there is no segment 99"],
    [{ kind: "merge", segments: [b], destLevel: 4, targetSize: 1024 }, "there is no level 4"],
    [{ kind: "move", segments: [] }, "it names no segment"],
    [{ kind: "burn", segments: [b] }, "it is no choice"],
    [undefined, "it is no choice"],
  ];
  for (const [choice, why] of illegal) {
    // With no task allowed the strategy is not asked, whose answer would forgive the failure.
    const command: Command = { kind: "choose", choice: choice as CompactionChoice, now: 1 };
    const next = step(tree.state, command, { ...LARGE, tasksMax: 0 });
    assertEquals(
      `${next.state.failure?.error}`,
      `RangeError: Cannot do what the compaction strategy chose: ${why}`,
    );
    assertEquals([next.state.failure?.work, next.state.version, kinds(next)], ["strategy", version, []]);
  }
  tree.choose({ kind: "none" });
  assertEquals(tree.state.failure, undefined);
});

Deno.test("a level that is deeper than there are levels may still be chosen", () => {
  const tree = twoSegments();
  const ids = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose({ kind: "move", segments: ids, destLevel: 3 }).settle();
  const fewer = { ...LARGE, levelCount: 2 };
  const choice: CompactionChoice = { kind: "merge", segments: ids, destLevel: 3, targetSize: 1024 };
  assertEquals(kinds(step(tree.state, { kind: "choose", choice, now: 1 }, fewer)), ["merge"]);
});

Deno.test("a merge keeps tombstones for what is older than its outputs, and for nothing else", () => {
  /** Flushes keys, oldest first, and tells what is older than a merge of some of those flushes, counted from the newest. */
  const olderThan = (flushes: readonly string[], ...inputs: readonly number[]): string => {
    const tree = new PureTree(LARGE);
    for (const keys of flushes) {
      tree.put(...[...keys].map((key): [string, string] => [key, "1"])).seal().settle();
    }
    const ids = versionSegments(tree.state.version).map((segment) => segment.id);
    const segments = inputs.map((i) => ids[i]!);
    const choice: CompactionChoice = { kind: "merge", segments, destLevel: 0, targetSize: 1024 };
    const [task] = step(tree.state, { kind: "choose", choice, now: 1 }, LARGE).state.inFlight;
    return task!.older.flatMap((run) => run.segments.map((segment) => segment.minKey)).join("");
  };
  const overlapping = ["az", "bz", "cz", "dz"];
  assertEquals(olderThan(overlapping, 1, 2), "a");
  assertEquals(olderThan(overlapping, 0, 1), "ba");
  assertEquals([olderThan(overlapping, 3), olderThan(overlapping, 0, 1, 2, 3)], ["", ""]);
  // What lies between the inputs in age and is newer than the one that it shares keys with is not older.
  assertEquals(olderThan(["xz", "yz", "a"], 0, 2), "");
});

Deno.test("two tasks never write the same keys to one level, nor stand between each other in age, nor share ids", () => {
  const flushed = (): { readonly tree: PureTree; readonly ids: readonly number[] } => {
    const tree = new PureTree({ ...LARGE, tasksMax: 9 });
    for (const keys of ["ab", "mn", "xy", "bc"]) {
      for (const key of keys) tree.put([key, "1"]);
      tree.seal().settle();
    }
    return { tree, ids: versionSegments(tree.state.version).map((segment) => segment.id) };
  };
  const merge = (segments: readonly number[], destLevel = 1): CompactionChoice => (
    { kind: "merge", segments, destLevel, targetSize: 1024 }
  );
  const { tree, ids: [bc, xy, mn, ab] } = flushed();
  tree.choose(merge([bc!, ab!]));
  tree.choose(merge([mn!], 2));
  tree.choose(merge([xy!], 0));
  assertEquals([tree.state.inFlight.length, tree.state.failure], [3, undefined]);
  const reserved = tree.state.inFlight.flatMap((task) =>
    Array.from({ length: task.outputs }, (_, i) => task.firstOutput + i)
  );
  assertEquals(new Set(reserved).size, reserved.length);
  tree.put(["n", "2"]).seal();
  tree.finish(tree.pending.length - 1);
  tree.finish(tree.pending.length - 1);
  // What is newer as a whole may be merged beside what goes elsewhere.
  const [fresh] = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose(merge([fresh!], 0));
  assertEquals([tree.state.inFlight.length, tree.state.failure], [4, undefined]);
  tree.settle();
  assertEquals(
    forwards(tree.state, ALL, tree.source).map(([key, value]) => key + value).join(" "),
    "a1 b1 c1 m1 n2 x1 y1",
  );
  for (const destLevel of [1, 2]) {
    const other = flushed();
    other.tree.choose(merge([other.ids[1]!, other.ids[3]!]));
    assertEquals(other.tree.state.inFlight.length, 1);
    const { state } = step(
      other.tree.state,
      { kind: "choose", choice: merge([other.ids[2]!], destLevel), now: 1 },
      { ...LARGE, tasksMax: 0 },
    );
    assertEquals(`${state.failure?.error}`.endsWith("it touches what another task changes"), true);
    // A strategy that chooses so is only asked again when the task has ended.
    const waiting = step(
      other.tree.state,
      { kind: "tick", force: false, ask: true, now: 1 },
      { ...LARGE, tasksMax: 9, choose: () => merge([other.ids[2]!], destLevel) },
    );
    assertEquals([waiting.state.failure, waiting.state.inFlight.length, waiting.start], [undefined, 1, []]);
    assertEquals(waiting.state.askStrategy, false);
  }
});

Deno.test("a strategy is asked when the version has changed or somebody asks, up to the most tasks", () => {
  let asked = 0;
  const options = {
    ...LARGE,
    tasksMax: 1,
    choose: (): CompactionChoice => {
      asked += 1;
      return { kind: "none" };
    },
  };
  const tree = new PureTree(options).put(["a", "1"], ["b", "2"]);
  const count = (): number => {
    const before = asked / 2; // every step is run twice
    asked = 0;
    return before;
  };
  assertEquals(count(), 0);
  tree.seal();
  assertEquals(count(), 0); // a flush is the one task that may be under way
  tree.finish();
  assertEquals(count(), 1); // the first time after opening
  tree.finish();
  assertEquals(count(), 1);
  tree.put(["c", "3"]).dispatch({ kind: "tick", force: true, ask: false, now: 1 });
  assertEquals(count(), 0);
  tree.dispatch({ kind: "tick", force: false, ask: true, now: 1 });
  assertEquals(count(), 1);
});

Deno.test("a strategy that throws, or answers nonsense, fails no write and is forgiven when it answers again", () => {
  let answer: () => CompactionChoice = () => {
    throw new Refusal("no idea");
  };
  const tree = new PureTree({ ...LARGE, choose: () => answer() }).put(["a", "1"]).seal().settle();
  assertEquals([tree.state.failure!.work, tree.state.version.flushedSeqno], ["strategy", 1]);
  answer = () => ({ kind: "drop", segments: [77] });
  tree.put(["b", "2"]).seal().settle();
  assertEquals(`${tree.state.failure!.error}`.endsWith("there is no segment 77"), true);
  assertEquals(tree.state.version.flushedSeqno, 2);
  answer = () => ({ kind: "none" });
  tree.dispatch({ kind: "tick", force: false, ask: true, now: 1 });
  assertEquals(tree.state.failure, undefined);
});

Deno.test("a compression that throws is a failure of the work that needed it", () => {
  let throws = true;
  const compressionAt = (): "none" => {
    if (throws) throw new Refusal("unknown");
    return "none";
  };
  const tree = new PureTree({ ...LARGE, compressionAt }).put(["a", "1"]).seal();
  assertEquals([tree.state.failure!.work, tree.state.seqno, tree.pending.length], ["flush", 1, 0]);
  throws = false;
  tree.settle(true);
  assertEquals(tree.state.version.flushedSeqno, 1);
  throws = true;
  const segments = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose({ kind: "merge", segments, destLevel: 1, targetSize: 1024 });
  assertEquals([tree.state.failure!.work, tree.state.inFlight], ["compaction", []]);
});

Deno.test("what a merge writes is as young as the youngest of its inputs", () => {
  const tree = new PureTree(LARGE);
  for (const now of [5_000, 9_000, 7_000]) {
    tree.now = now;
    tree.put(["a", "1"]).seal().settle();
  }
  const segments = versionSegments(tree.state.version);
  assertEquals(segments.map(({ writtenAt }) => writtenAt), [7_000, 9_000, 5_000]);
  tree.choose({ kind: "merge", segments: segments.map(({ id }) => id), destLevel: 1, targetSize: 1024 })
    .settle();
  const [merged, ...others] = versionSegments(tree.state.version);
  assertEquals([merged!.seqnoMin, merged!.seqnoMax, merged!.writtenAt, others], [1, 3, 9_000, []]);
});

Deno.test("where several tasks may run one place is kept for a flush, where one may run there is none to keep", () => {
  const begun = (tasksMax: number): string[] => {
    let isEager = false;
    const options: StepOptions = {
      ...LARGE,
      tasksMax,
      choose: (version, busy) => {
        const free = versionSegments(version).find(({ id }) => !busy.has(id));
        if (!isEager || free === undefined) return { kind: "none" };
        return { kind: "merge", segments: [free.id], destLevel: 1, targetSize: 1024 };
      },
    };
    const tree = new PureTree(options);
    for (const key of ["a", "b", "c", "d"]) tree.put([key, "1"]).seal().settle();
    isEager = true;
    tree.dispatch({ kind: "tick", force: false, ask: true, now: tree.now });
    tree.put(["e", "1"]).seal();
    return tree.state.inFlight.map((task) => task.kind);
  };
  assertEquals(begun(1), ["merge", "flush"]);
  assertEquals(begun(2), ["merge", "flush"]);
  assertEquals(begun(3), ["merge", "merge", "flush"]);
});

Deno.test("a compaction that failed keeps no flush from being begun, a failed flush keeps compactions", () => {
  const tree = twoSegments();
  const segments = versionSegments(tree.state.version).map((segment) => segment.id);
  const merge: CompactionChoice = { kind: "merge", segments, destLevel: 1, targetSize: 1024 };
  tree.choose(merge);
  tree.fail(0);
  assertEquals(tree.state.failure!.work, "compaction");
  tree.put(["c", "3"]);
  // A full memtable is sealed by a write, which asks for no new try of what has failed.
  const full = { ...LARGE, maxMemtableSize: 1 };
  const before = tree.state;
  tree.put(["d", "4"]);
  const { command } = tree.history.at(-1)!;
  const flushing = step(before, command, full);
  assertEquals([kinds(flushing).includes("flush"), flushing.state.failure], [true, before.failure]);
  tree.settle();

  const other = twoSegments().put(["c", "3"]).seal();
  other.fail(0);
  const { failure } = other.state;
  assertEquals(failure!.work, "flush");
  const asked = step(other.state, { kind: "tick", force: false, ask: true, now: other.now }, {
    ...LARGE,
    choose: () => merge,
  });
  assertEquals([asked.state.inFlight, asked.state.failure], [[], failure]);
});

/** Two segments of level 0, "b" above "a", and nothing under way. */
function twoSegments(): PureTree {
  return new PureTree(LARGE).put(["a", "1"]).seal().settle().put(["b", "2"]).seal().settle();
}
