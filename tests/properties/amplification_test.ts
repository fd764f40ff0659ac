/**
 * What the simulator predicts is what a tree does: write amplification, for every strategy, within 15 percent.
 *
 * A small version of `tests/bench/amplification.ts`: 32 KiB memtables, a data set of ten, five writes for each key.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { leveled, MemoryStorage, simulate, Tree } from "@lsm/tree";
import { below, randomFrom } from "../bench/workload.ts";
import { rowText } from "../bench/amplification.ts";
import { KEY_BYTES, keysOf, measure, strategiesFor, VALUE_BYTES } from "../bench/amplification_runs.ts";

const ERROR_MAX = 0.15;

for (const kind of ["uniform", "deleteHeavy", "sequential"] as const) {
  Deno.test(`write amplification is within 15 percent of what was predicted: ${kind}`, async () => {
    const options = { maxMemtableSize: 32 * 1024, memtables: 10, rounds: 5, kind, seed: 42 };
    for (
      const strategy of strategiesFor(options.maxMemtableSize, keysOf(options) * (KEY_BYTES + VALUE_BYTES))
    ) {
      const { measured, predicted, flushes } = await measure(strategy, options);
      const error = predicted / measured - 1;
      assert(flushes > 30, `${flushes} flushes`);
      assert(Math.abs(error) < ERROR_MAX, `${strategy.name}: measured ${measured}, predicted ${predicted}`);
    }
  });
}

Deno.test("the history of a real tree, simulated, costs about what it did cost", async () => {
  const strategy = leveled({ l0Threshold: 4, targetSize: 16 * 1024 });
  const config = {
    storage: new MemoryStorage(),
    maxMemtableSize: 32 * 1024,
    levelRatio: 4,
    compactionStrategy: strategy,
  } as const;
  await using tree = await Tree.open("data", config);
  const random = randomFrom(3);
  for (let i = 0; i < 10_000; i++) {
    tree.insert(`user:${String(below(random, 2_000)).padStart(8, "0")}`, "v".repeat(100));
  }
  const { written, flushes, merges } = tree.stats();
  const history = tree.history();
  assertEquals(history.forgotten, 0);
  const report = simulate({ strategy, workload: { kind: "recorded", history }, config: tree.config });
  assertEquals(report.flushes, flushes);
  const compacted = report.written.compactions + report.written.flushes;
  assertAlmostEquals(compacted / written.segments, 1, ERROR_MAX);
  assertAlmostEquals(
    report.compactions.filter(({ choice }) => choice.kind === "merge").length / merges,
    1,
    0.3,
  );
});

Deno.test("the table of the benchmark says how far off a prediction is", () => {
  const row = { kind: "uniform", strategy: "leveled", flushes: 9, measured: 4, predicted: 3, space: 1 };
  assertEquals(
    rowText(row).split(/ +/).join(" "),
    "uniform leveled 9 flushes measured 4.00 predicted 3.00 -25.0 %",
  );
});
