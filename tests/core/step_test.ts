import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { BatchBuilder } from "../../core/batch.ts";
import type { Command } from "../../core/command.ts";
import { scanJournal } from "../../core/journal.ts";
import type { Owner } from "../../core/sorted_map.ts";
import { newOwner } from "../../core/sorted_map.ts";
import { openedState } from "../../core/state.ts";
import type { TreeState } from "../../core/state.ts";
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
  const appended = step(created.state, { kind: "append", batch }, LARGE);
  assertEquals([kinds(appended), appended.state], [["append_journal"], created.state]);
  const write: Command = { kind: "write", batch, owner: undefined, pop: undefined, now: 1 };
  const written = step(appended.state, write, LARGE);
  assertEquals([kinds(written), written.state.seqno], [[], 1]);
  const [create, append] = [...created.persist, ...appended.persist];
  assert(create?.kind === "create_journal" && append?.kind === "append_journal");
  const file = new Uint8Array([...create.header, ...append.bytes.subarray(append.start, append.end)]);
  const { batches, tail } = scanJournal(file, 5);
  assertEquals([batches.map(({ number, durable }) => [number, durable]), tail], [[[1, 0]], undefined]);
  assertEquals([append.offset, written.state.journal!.bytes], [create.header.length, file.length]);
});

Deno.test("under one token the memtable is edited in place, and what was kept before a new one stays as it is", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]);
  const written = (state: TreeState, key: string, owner: Owner | undefined): TreeState => {
    const builder = new BatchBuilder(64);
    builder.put(key, "1");
    const batch = builder.finish();
    step(state, { kind: "append", batch }, LARGE);
    return step(state, { kind: "write", batch, owner, pop: undefined, now: 1 }, LARGE).state;
  };
  const owner = newOwner();
  const first = written(tree.state, "b", owner);
  const kept = written(first, "c", owner);
  assertEquals([kept.active.map.root === first.active.map.root, kept.active.map.size], [true, 3]);
  for (const later of [written(kept, "d", newOwner()), written(kept, "d", undefined)]) {
    assertEquals(valueOf(later, "d", tree.source), "1");
  }
  assertEquals([valueOf(kept, "c", tree.source), valueOf(kept, "d", tree.source)], ["1", undefined]);
  assertEquals(valueOf(tree.state, "b", tree.source), undefined);
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

Deno.test("a remove of what nothing older has leaves nothing behind", () => {
  const tree = new PureTree(LARGE).put(["b", "1"], ["d", "1"]).seal().settle().put(["x", "1"]).seal();
  tree.put(["a", "1"]).remove("a", "c", "x", "z");
  assertEquals(tree.state.active.map.size, 2); // tombstones for "c", which may be in the segment, and for "x"
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

/** Appends and writes, and returns both steps as one. */
function writeOf(state: TreeState, key: string, options: typeof LARGE): Step {
  const builder = new BatchBuilder(64);
  builder.put(key, "1");
  const batch = builder.finish();
  const { persist } = step(state, { kind: "append", batch }, options);
  const write: Command = { kind: "write", batch, owner: undefined, pop: undefined, now: 1 };
  return { ...step(state, write, options), persist };
}
