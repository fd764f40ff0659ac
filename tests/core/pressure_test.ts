import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { pressureOf, SEALED_STOP } from "../../core/pressure.ts";
import type { Pressure } from "../../core/pressure.ts";
import type { TreeState } from "../../core/state.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";

const OPTIONS = { ...SMALL, maxMemtableSize: 10_000, tasksMax: 3 };
const GO: Pressure = { level: "go", ratio: 0, reason: "" };

/** A tree with so many runs in level 0, and a merge of two of them under way if asked. */
function withRuns(count: number, merging: boolean): PureTree {
  const tree = new PureTree(OPTIONS);
  for (let i = 0; i < count; i++) tree.put(["a", `${i}`]).seal().settle();
  if (merging) {
    const segments = tree.state.version.runs.slice(-2).flatMap((run) => run.segments.map(({ id }) => id));
    tree.choose({ kind: "merge", segments, destLevel: 1, targetSize: 1024 });
    assertEquals(tree.state.inFlight.length, 1);
  }
  return tree;
}

Deno.test("writers stop at a number of sealed memtables, of which recovered ones do not count", () => {
  const tree = new PureTree(OPTIONS);
  for (let i = 1; i <= 2; i++) {
    tree.put(["a", `${i}`]).seal();
    assertEquals(pressureOf(tree.state, OPTIONS), GO);
  }
  tree.put(["a", "3"]).seal();
  const slow = pressureOf(tree.state, OPTIONS);
  assertEquals(slow, {
    level: "slow",
    ratio: 0.5,
    reason: `3 sealed memtables wait to be flushed, limit ${SEALED_STOP}`,
  });
  tree.put(["a", "4"]);
  const slower = pressureOf(tree.state, OPTIONS);
  assert(slower.ratio > slow.ratio && slower.ratio < 0.6, `${slower.ratio}`);
  tree.seal();
  assertEquals(pressureOf(tree.state, OPTIONS), {
    level: "stop",
    ratio: 1,
    reason: `${SEALED_STOP} sealed memtables wait to be flushed, limit ${SEALED_STOP}`,
  });
  const recovered: TreeState = { ...tree.state, recoveredSeqno: 4 };
  assertEquals(pressureOf(recovered, OPTIONS), GO);
  tree.settle();
  assertEquals(pressureOf(tree.state, OPTIONS), GO);
});

Deno.test("an active memtable that is nearly full alone stops nobody", () => {
  const tree = new PureTree(OPTIONS);
  for (let i = 1; i < SEALED_STOP; i++) tree.put(["a", `${i}`]).seal();
  const state: TreeState = { ...tree.state, active: { ...tree.state.active, bytes: 10_000_000 } };
  const pressure = pressureOf(state, OPTIONS);
  assertEquals(pressure.level, "slow");
  assertGreater(pressure.ratio, 0.99);
});

Deno.test("level 0 slows writers from twice its threshold on and stops them at three times, if something will make it smaller", () => {
  assertEquals(pressureOf(withRuns(20, false).state, OPTIONS), GO);
  assertEquals(pressureOf(withRuns(8, true).state, OPTIONS), GO);
  const nine = pressureOf(withRuns(9, true).state, OPTIONS);
  assertEquals(nine, { level: "slow", ratio: 0.25, reason: "9 level 0 segments, limit 12" });
  const eleven = pressureOf(withRuns(11, true).state, OPTIONS);
  assertEquals([eleven.level, eleven.ratio], ["slow", 0.75]);
  const twelve = pressureOf(withRuns(12, true).state, OPTIONS);
  assertEquals(twelve, { level: "stop", ratio: 1, reason: "12 level 0 segments, limit 12" });
});

Deno.test("while no more than a flush is under way neither level 0 nor debt presses anybody: it makes neither smaller", () => {
  const tree = withRuns(20, false);
  tree.put(["a", "x"]).seal();
  assertEquals(tree.state.inFlight.map((task) => task.kind), ["flush"]);
  assertEquals(pressureOf(tree.state, { ...OPTIONS, debt: () => Infinity }), GO);
});

Deno.test("memtables that will become runs of level 0 count as such, so that its limit is never passed", () => {
  const tree = withRuns(10, true);
  tree.put(["a", "x"]).seal();
  assertEquals(pressureOf(tree.state, OPTIONS).level, "slow");
  tree.put(["a", "y"]).seal();
  assertEquals(pressureOf(tree.state, OPTIONS), {
    level: "stop",
    ratio: 1,
    reason: "10 level 0 segments and 2 sealed memtables, limit 12",
  });
});

Deno.test("a strategy that finds any number of runs normal is not punished for them", () => {
  const options = { ...OPTIONS, level0Threshold: Infinity };
  assertEquals(pressureOf(withRuns(20, true).state, options), GO);
});

Deno.test("debt slows writers and stops them, if something is under way", () => {
  const debtOf = (memtables: number): typeof OPTIONS => ({ ...OPTIONS, debt: () => memtables * 10_000 });
  const { state } = withRuns(2, true);
  assertEquals(pressureOf(state, debtOf(256)), GO);
  const slow = pressureOf(state, debtOf(512));
  assertEquals(slow.level, "slow");
  assert(slow.ratio > 0.3 && slow.ratio < 0.4);
  assertLess(slow.ratio, pressureOf(state, debtOf(700)).ratio);
  assertEquals(pressureOf(state, debtOf(1024)), {
    level: "stop",
    ratio: 1,
    reason: "10240000 bytes wait to be compacted, limit 10240000",
  });
  assertEquals(pressureOf(withRuns(2, false).state, debtOf(1024)), GO);
});
