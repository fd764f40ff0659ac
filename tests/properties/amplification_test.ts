/**
 * What the simulator predicts is what a tree does: write amplification, for every strategy, within 15 percent.
 *
 * A small version of `tests/bench/amplification.ts`: 32 KiB memtables, a data set of ten, five writes for each key.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
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

Deno.test("the table of the benchmark says how far off a prediction is", () => {
  const row = { kind: "uniform", strategy: "leveled", flushes: 9, measured: 4, predicted: 3, space: 1 };
  assertEquals(
    rowText(row).split(/ +/).join(" "),
    "uniform leveled 9 flushes measured 4.00 predicted 3.00 -25.0 %",
  );
});
