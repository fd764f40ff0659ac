import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { BatchBuilder } from "../../core/batch.ts";
import type { CompactionChoice } from "../../core/choice.ts";
import type { Command } from "../../core/command.ts";
import type { StartEffect } from "../../core/effect.ts";
import { scanJournal } from "../../core/journal.ts";
import { openedState } from "../../core/state.ts";
import type { StepOptions, TreeState } from "../../core/state.ts";
import type { Step } from "../../core/step.ts";
import { step } from "../../core/step.ts";
import { EMPTY_VERSION, versionSegments } from "../../core/version.ts";
import { forwards, valueOf } from "../support/core_views.ts";
import { kinds } from "../support/effect_text.ts";
import { PureTree, recover, Refusal, SMALL } from "../support/pure_tree.ts";
import { SALT } from "../support/record_files.ts";
import { ALL } from "../support/sorted_model.ts";

const LARGE = { ...SMALL, maxMemtableSize: 10_000, tasksMax: 3 };

Deno.test("the first write needs a journal, and a write is a record at its end", () => {
  const opened = openedState(EMPTY_VERSION, [], 0, 5, SALT);
  const created = step(opened, { kind: "open_journal" }, LARGE);
  assertEquals([kinds(created), created.state.journal!.id, created.state.nextId], [["create_journal"], 5, 6]);
  const builder = new BatchBuilder(256);
  builder.put("key", "value");
  const batch = builder.finish();
  const written = step(created.state, { kind: "write", batch, pop: undefined, now: 1 }, LARGE);
  assertEquals([kinds(written), written.state.seqno], [["append_journal"], 1]);
  const [create, append] = [...created.persist, ...written.persist];
  assert(create?.kind === "create_journal" && append?.kind === "append_journal");
  const file = new Uint8Array([...create.header, ...append.bytes.subarray(append.start, append.end)]);
  const { batches, tail } = scanJournal(file, 5);
  assertEquals([batches.map(({ number, durable }) => [number, durable]), tail], [[[1, 0]], undefined]);
  assertEquals([append.offset, written.state.journal!.bytes], [create.header.length, file.length]);
});

Deno.test("a record carries what was durable before it", () => {
  const tree = new PureTree(LARGE).put(["a", "1"], ["b", "2"]);
  tree.startBarrier();
  tree.put(["c", "3"]);
  tree.finishBarrier();
  tree.put(["d", "4"]);
  const { batches } = scanJournal(tree.disk().journals.get(1)!, 1);
  assertEquals(batches.map(({ durable }) => durable), [0, 0, 0, 2]);
});

Deno.test("with durability sync a write passes a barrier before it is visible", () => {
  const tree = new PureTree({ ...LARGE, durability: "sync" }).put(["a", "1"], ["b", "2"]);
  assertEquals(tree.trace.map((line) => line.replace(/ at \d+ .*| [0-9a-f]{8}$/, "")), [
    "create_journal 1",
    "append_journal 1",
    "sync_journals 1 and the folder",
    "append_journal 1",
    "sync_journals 1",
  ]);
  assertEquals([tree.state.durableSeqno, tree.state.durableJournal], [2, 1]);
  // Recovered batches are durable; what was written between in another mode is synced first.
  const mixed = { ...new PureTree(LARGE).put(["a", "1"]).seal().put(["b", "2"]).state };
  const next = writeOf(mixed, "c", { ...LARGE, durability: "sync" });
  const journals = [...mixed.sealed, mixed.active].map((memtable) => memtable.journals[0]!.id);
  assertEquals(next.persist[1], { kind: "sync_journals", ids: journals, folder: true });
});

Deno.test("a full memtable is sealed and flushed, and writes go on in a new journal meanwhile", () => {
  const tree = new PureTree({ ...LARGE, maxMemtableSize: 60 }).put(["a", "1"], ["b", "2"]);
  assertEquals([tree.state.sealed.length, tree.state.active.map.size, tree.state.journal], [1, 0, undefined]);
  assertEquals(tree.pending.map((effect) => effect.kind), ["run_task"]);
  tree.put(["a", "new"]);
  tree.finish();
  assertEquals(tree.state.version.flushedSeqno, 0);
  tree.put(["c", "3"]);
  tree.finish();
  assertEquals(tree.state.version.flushedSeqno, 2);
  // What was written while the flush ran is there, above what was flushed.
  assertEquals(forwards(tree.state, ALL, tree.source), [["a", "new"], ["b", "2"], ["c", "3"]]);
  tree.settle();
  assertEquals(tree.deletedJournals.size, 2);
});

Deno.test("flushes are installed oldest first, one at a time", () => {
  const tree = new PureTree(LARGE);
  for (const value of ["1", "2", "3"]) tree.put(["a", value]).seal();
  const flushing = (): number[] => tree.state.inFlight.map((task) => task.origin.seqnoMax);
  assertEquals([tree.state.sealed.length, flushing()], [3, [1]]);
  tree.finish();
  assertEquals(flushing(), []);
  tree.finish();
  assertEquals(flushing(), [2]);
  tree.settle();
  const runs = tree.state.version.runs.map((run) =>
    run.segments.map(({ seqnoMin, seqnoMax }) => [seqnoMin, seqnoMax])
  );
  assertEquals(runs, [[[3, 3]], [[2, 2]], [[1, 1]]]);
});

Deno.test("a flush that leaves nothing writes no segment", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]).remove("a").seal().settle();
  assertEquals([versionSegments(tree.state.version).length, tree.state.version.flushedSeqno], [0, 2]);
  assertEquals(tree.disk().journals.size, 0);
});

Deno.test("sealing an empty memtable does nothing but flush what recovery left", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]);
  const disk = tree.disk();
  const again = new PureTree(LARGE, { disk, plan: recover(disk) });
  again.dispatch({ kind: "tick", force: true, ask: true, now: 2 });
  assertEquals([again.pending.length, again.state.sealed.length], [0, 1]);
  again.seal();
  assertEquals(again.pending.map((effect) => effect.kind), ["run_task"]);
  again.settle().seal();
  assertEquals(again.state.sealed, []);
});

Deno.test("a memtable that clears is flushed before older ones, and takes all that is older with it", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]).seal().settle().put(["b", "2"]).seal().put(["c", "3"])
    .seal();
  tree.fail();
  tree.settle().write([{ kind: "clear" }, { kind: "put", key: "x", value: "9" }]);
  tree.seal();
  assertEquals(tree.state.inFlight.map((task) => task.origin.seqnoMax), [4]);
  tree.finish();
  tree.finish();
  assertEquals([tree.state.sealed.length, tree.state.version.flushedSeqno], [0, 4]);
  assertEquals(tree.pending.map((effect) => effect.kind === "delete_files" && effect.journals.length), [3]);
  tree.settle();
  assertEquals([tree.disk().segments.size, tree.disk().journals.size], [1, 0]);
  assertEquals(forwards(tree.state, ALL, tree.source), [["x", "9"]]);
});

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
    assertEquals(tree.pending, [{
      kind: "delete_files",
      segments: [firstOutput, firstOutput + 1],
      journals: [],
    }]);
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

Deno.test("a merge puts one run in the place of its inputs, and their files go after that", () => {
  const tree = twoSegments();
  const ids = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose({ kind: "merge", segments: ids, destLevel: 2, targetSize: 1024, reason: "because" });
  const [task] = tree.state.inFlight;
  assertEquals([task!.reason, task!.destLevel, task!.origin.seqnoMin, task!.origin.seqnoMax], [
    "because",
    2,
    1,
    2,
  ]);
  tree.finish();
  assertEquals(tree.disk().segments.size, 3);
  tree.finish();
  assertEquals(tree.pending, [{ kind: "delete_files", segments: ids, journals: [] }]);
  tree.settle();
  assertEquals(tree.state.version.runs.map((run) => [run.level, run.segments.length]), [[2, 1]]);
  assertEquals(tree.disk().segments.size, 1);
});

Deno.test("a merge that leaves nothing removes its inputs and adds no run", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]).seal().settle().remove("a").seal().settle();
  const ids = versionSegments(tree.state.version).map((segment) => segment.id);
  assertEquals(ids.length, 2);
  tree.choose({ kind: "merge", segments: ids, destLevel: 1, targetSize: 1024 }).settle();
  assertEquals([tree.state.version.runs, tree.disk().segments.size], [[], 0]);
});

Deno.test("a move changes the level and no file, and a drop takes files away", () => {
  const tree = twoSegments();
  const [b, a] = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose({ kind: "move", segments: [b!, a!], destLevel: 3, reason: "down" });
  assertEquals(tree.trace.at(-1)!.startsWith("commit_edit move"), true);
  tree.settle();
  assertEquals(tree.state.version.runs.map((run) => [run.level, run.segments.map(({ id }) => id)]), [[3, [
    a!,
    b!,
  ]]]);
  tree.choose({ kind: "drop", segments: [a!] }).settle();
  assertEquals(forwards(tree.state, ALL, tree.source), [["b", "2"]]);
  assertEquals([...tree.disk().segments.keys()], [b!]);
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

Deno.test("a remove of what nothing older has leaves nothing behind", () => {
  const tree = new PureTree(LARGE).put(["b", "1"], ["d", "1"]).seal().settle().put(["x", "1"]).seal();
  tree.put(["a", "1"]).remove("a", "c", "x", "z");
  assertEquals(tree.state.active.map.size, 2); // tombstones for "c", which may be in the segment, and for "x"
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

Deno.test("news of a task that nobody knows changes nothing", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]);
  const { state } = tree;
  tree.dispatch({ kind: "task_finished", task: 9, outputs: [], now: 1 });
  tree.dispatch({ kind: "task_failed", task: 9, error: new Refusal(), now: 1 });
  assertStrictEquals(tree.state, state);
});

Deno.test("once poisoned nothing changes any more, whatever still comes in", () => {
  const tree = twoSegments();
  const [b] = versionSegments(tree.state.version).map((segment) => segment.id);
  tree.choose({ kind: "move", segments: [b!], destLevel: 0 });
  tree.put(["c", "3"]).seal();
  const error = new Refusal("lost");
  tree.dispatch({ kind: "poison", error });
  tree.dispatch({ kind: "poison", error: new Refusal("again") });
  const { state } = tree;
  assertStrictEquals(state.poisoned!.error, error);
  const late: Command[] = [
    { kind: "edit_committed", now: 1 },
    { kind: "edit_failed", error, now: 1 },
    { kind: "task_finished", task: state.inFlight[0]!.id, outputs: [], now: 1 },
    { kind: "task_failed", task: state.inFlight[0]!.id, error, now: 1 },
    { kind: "seal", now: 1 },
    { kind: "choose", choice: { kind: "drop", segments: [b!] }, now: 1 },
    { kind: "tick", force: true, ask: true, now: 1 },
    { kind: "barrier_finished", seqno: 3, journal: 9 },
  ];
  for (const command of late) {
    const next = step(state, command, LARGE);
    assertEquals([next.state.version, next.state.seqno, kinds(next)], [state.version, state.seqno, []]);
    assertEquals(next.state.durableSeqno, state.durableSeqno);
  }
  assertEquals(valueOf(state, "c", tree.source), "3");
});

Deno.test("what is popped from an end is not passed over again, and what is put there is found", () => {
  const tree = new PureTree(LARGE).put(["b", "1"], ["c", "1"], ["d", "1"], ["e", "1"]).seal().settle();
  const ends = (): (string | undefined)[] => [tree.state.emptyBelow, tree.state.emptyFrom];
  tree.write([{ kind: "remove", key: "b" }], "first");
  tree.write([{ kind: "remove", key: "e" }], "last");
  assertEquals(ends(), ["b\0", "e"]);
  tree.write([{ kind: "remove", key: "c" }, { kind: "put", key: "x", value: "1" }]);
  assertEquals(ends(), ["b\0", "x\0"]);
  tree.write([{ kind: "put", key: "a", value: "1" }]);
  assertEquals(ends(), ["a", "x\0"]);
  // The batch of a pop may put something back behind it.
  tree.write([{ kind: "remove", key: "a" }, { kind: "put", key: "", value: "1" }], "first");
  assertEquals(ends(), ["", "x\0"]);
  tree.write([{ kind: "clear" }]);
  tree.write([{ kind: "put", key: "m", value: "1" }]);
  assertEquals(ends(), ["", "x\0"]);
});

/** Two segments of level 0, "b" above "a", and nothing under way. */
function twoSegments(): PureTree {
  return new PureTree(LARGE).put(["a", "1"]).seal().settle().put(["b", "2"]).seal().settle();
}

function writeOf(state: TreeState, key: string, options: typeof LARGE): Step {
  const builder = new BatchBuilder(64);
  builder.put(key, "1");
  return step(state, { kind: "write", batch: builder.finish(), pop: undefined, now: 1 }, options);
}
