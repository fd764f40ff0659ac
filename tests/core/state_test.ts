import { assert, assertEquals } from "@std/assert";
import type { Memtable } from "../../core/memtable.ts";
import { barrierOf, busySegments, isCovered, openedState } from "../../core/state.ts";
import { EMPTY_VERSION, versionSegments } from "../../core/version.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";
import { SALT } from "../support/record_files.ts";

const LARGE = { ...SMALL, maxMemtableSize: 10_000 };

Deno.test("a tree that was just opened has what was recovered and nothing under way", () => {
  const state = openedState(EMPTY_VERSION, [], 7, 9, SALT);
  assertEquals([state.seqno, state.durableSeqno, state.recoveredSeqno, state.nextId], [7, 7, 7, 9]);
  assertEquals([state.journal, state.committing, state.inFlight, state.failure], [
    undefined,
    [],
    [],
    undefined,
  ]);
  assertEquals([state.emptyBelow, state.emptyFrom, state.askStrategy], ["", undefined, true]);
});

Deno.test("a key is covered by what is older than the active memtable, up to one that clears", () => {
  const tree = new PureTree(LARGE).put(["c", "1"], ["f", "1"]).seal().settle();
  const covered = (): string =>
    ["a", "c", "d", "f", "m", "p"].filter((key) => isCovered(tree.state, key)).join("");
  assertEquals(covered(), "cdf");
  tree.put(["m", "1"]);
  assertEquals(covered(), "cdf");
  tree.seal();
  assertEquals(covered(), "cdfm");
  tree.write([{ kind: "clear" }, { kind: "put", key: "p", value: "1" }]);
  tree.seal();
  assertEquals(covered(), "p");
});

Deno.test("what tasks and pending changes need is busy until they are done", () => {
  const tree = new PureTree({ ...LARGE, tasksMax: 3 });
  for (const key of ["a", "b", "c"]) tree.put([key, "1"]).seal().settle();
  const [c, b, a] = versionSegments(tree.state.version).map((segment) => segment.id);
  const busy = (): number[] => [...busySegments(tree.state)].sort((x, y) => x - y);
  assertEquals(busy(), []);
  tree.choose({ kind: "merge", segments: [a!], destLevel: 1, targetSize: 1024 });
  tree.choose({ kind: "move", segments: [b!], destLevel: 0 });
  tree.choose({ kind: "drop", segments: [c!] });
  assertEquals(busy(), [a!, b!, c!]);
  assertEquals(tree.state.committing.map((change) => change.kind), ["move", "drop"]);
  // The merge is written and waits for its edit: its input goes on being busy.
  tree.finish(tree.pending.findIndex((effect) => effect.kind === "run_task"));
  assertEquals(tree.state.committing.map((change) => change.kind), ["move", "drop", "task"]);
  assertEquals(busy(), [a!, b!, c!]);
  tree.settle();
  assertEquals(busy(), []);
});

Deno.test("a barrier syncs older journals first, and the folder only for names that it does not know to be safe", () => {
  const tree = new PureTree(LARGE);
  assertEquals(barrierOf(tree.state), undefined);
  tree.put(["a", "1"]);
  assertEquals(barrierOf(tree.state), { journals: [1], folder: true, seqno: 1, journal: 1 });
  tree.seal().put(["a", "2"]).seal().put(["b", "3"]);
  const [newer, older] = tree.state.sealed.map(journalOf);
  const second = journalOf(tree.state.active);
  assertEquals(barrierOf(tree.state), {
    journals: [older!, newer!, second],
    folder: true,
    seqno: 3,
    journal: second,
  });
  tree.startBarrier();
  tree.finishBarrier();
  assertEquals(barrierOf(tree.state), undefined);
  tree.put(["c", "3"]);
  assertEquals(barrierOf(tree.state), { journals: [second], folder: false, seqno: 4, journal: second });
});

Deno.test("batches that were flushed need no barrier", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]).seal().put(["b", "2"]);
  const newest = journalOf(tree.state.active);
  tree.settle();
  assertEquals(tree.state.durableSeqno, 1);
  assertEquals(barrierOf(tree.state), { journals: [newest], folder: true, seqno: 2, journal: newest });
  tree.seal().settle();
  assertEquals(barrierOf(tree.state), undefined);
});

Deno.test("a barrier that was overtaken by another takes nothing back", () => {
  const tree = new PureTree(LARGE).put(["a", "1"]);
  tree.startBarrier();
  tree.put(["b", "2"]);
  tree.startBarrier();
  tree.finishBarrier(1);
  assertEquals([tree.state.durableSeqno, tree.state.durableJournal], [2, 1]);
  tree.finishBarrier(0);
  assertEquals([tree.state.durableSeqno, tree.state.durableJournal], [2, 1]);
  assert(barrierOf(tree.state) === undefined);

  tree.put(["c", "3"]);
  tree.startBarrier();
  tree.seal().put(["d", "4"]);
  tree.startBarrier();
  const { id } = tree.state.journal!;
  tree.finishBarrier(1);
  tree.finishBarrier(0);
  assertEquals([tree.state.durableSeqno, tree.state.durableJournal], [4, id]);
});

function journalOf(memtable: Memtable): number {
  return memtable.journals[0]!.id;
}
