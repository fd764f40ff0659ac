/**
 * Write amplification, measured and predicted: `deno run tests/bench/amplification.ts [--json] [--memtable BYTES] [--rounds N]`.
 *
 * For each strategy a data set ten times the memtable is overwritten at random, in memory, and the same is simulated. It
 * needs no permission; with the defaults it takes half a minute.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { AmplificationOptions, AmplificationRow } from "./amplification_runs.ts";
import { KEY_BYTES, keysOf, measure, strategiesFor, VALUE_BYTES } from "./amplification_runs.ts";

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: [...Deno.args],
    options: {
      json: { type: "boolean", default: false },
      memtable: { type: "string", default: String(256 * 1024) },
      rounds: { type: "string", default: "10" },
      seed: { type: "string", default: "1" },
    },
  });
  const maxMemtableSize = Number(values.memtable);
  const common = { maxMemtableSize, memtables: 10, rounds: Number(values.rounds), seed: Number(values.seed) };
  const rows: AmplificationRow[] = [];
  for (const kind of ["uniform", "deleteHeavy", "sequential"] as const) {
    const options: AmplificationOptions = { ...common, kind };
    const dataBytes = keysOf(options) * (KEY_BYTES + VALUE_BYTES);
    for (const strategy of strategiesFor(maxMemtableSize, dataBytes)) {
      const row = await measure(strategy, options);
      rows.push(row);
      if (!values.json) console.log(rowText(row));
    }
  }
  if (values.json) console.log(JSON.stringify({ options: common, rows }, undefined, 2));
}

/** Returns a row of the table. */
export function rowText({ kind, strategy, flushes, measured, predicted }: AmplificationRow): string {
  const ratio = `${((predicted / measured - 1) * 100).toFixed(1)} %`;
  return kind.padEnd(12) + strategy.padEnd(12) + `${flushes} flushes`.padStart(14) +
    `measured ${measured.toFixed(2)}`.padStart(17) + `predicted ${predicted.toFixed(2)}`.padStart(18) +
    ratio.padStart(10);
}
