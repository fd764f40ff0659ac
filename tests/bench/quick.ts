/**
 * The quick benchmark, `deno task bench`: what one tree does on real files, in half a minute.
 *
 * ```text
 * deno task bench [--entries 200000] [--compression none|lz4|zstd] [--durability buffered|os|sync] [--seed 1] [--json]
 * ```
 *
 * - Every figure is that of one thread, and includes all that happens in it: flushes and compactions that
 *   run in the calling thread, the making of keys and values, the checks. What that loop costs alone is its own line.
 * - One run, no best of several: expect some percent from run to run, and more if the machine has other work.
 * - Files are warm: they lie in the operating system's page cache. The tree's own cache has its default size.
 * - What is read is checked: every count, every length, and every 16th value byte by byte.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Config } from "@lsm/tree";
import type { Machine } from "./machine.ts";
import { peakMemoryBytes, thisMachine } from "./machine.ts";
import type { Results, Row } from "./quick_runs.ts";
import { runBench } from "./quick_runs.ts";
import { KEY_BYTES, VALUE_BYTES } from "./workload.ts";

interface Options {
  readonly entries: number;
  readonly seed: number;
  readonly compression: Config["compression"];
  readonly durability: Config["durability"];
}

/** All that `--json` prints. */
interface Report extends Results {
  readonly machine: Machine;
  readonly options: Options;
  readonly rows: readonly Row[];
  readonly peakMemoryBytes: number;
}

const ENTRIES_MIN = 100;
const ENTRIES_MAX = 100_000_000;
const COMPRESSIONS = ["none", "lz4", "zstd"] as const;
const DURABILITIES = ["buffered", "os", "sync"] as const;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { json, ...options } = optionsFrom(Deno.args);
  const machine = thisMachine();
  const say = json ? () => {} : console.log;
  say(introduction(machine, options));
  const rows: Row[] = [];
  const onRow = (row: Row): void => {
    rows.push(row);
    say(rowText(row));
  };
  const { entries, seed, ...config } = options;
  const folder = Deno.makeTempDirSync({ prefix: "lsm_tree_bench_" });
  try {
    const results = await runBench({ entries, seed, config, onRow }, folder);
    const report: Report = { machine, options, rows, ...results, peakMemoryBytes: peakMemoryBytes() };
    console.log(json ? JSON.stringify(report, undefined, 2) : summary(report));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function optionsFrom(args: readonly string[]): Options & { readonly json: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      entries: { type: "string", default: "200000" },
      compression: { type: "string", default: "none" },
      durability: { type: "string", default: "os" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
    },
  });
  return {
    entries: wholeNumber("entries", values.entries, ENTRIES_MIN, ENTRIES_MAX),
    seed: wholeNumber("seed", values.seed, 0, 0xffff_ffff),
    compression: oneOf("compression", values.compression, COMPRESSIONS),
    durability: oneOf("durability", values.durability, DURABILITIES),
    json: values.json,
  };
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new RangeError(`Cannot run the benchmark: --${name} is not a whole number from ${min} to ${max}`);
}

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === text);
  if (found !== undefined) return found;
  throw new TypeError(`Cannot run the benchmark: --${name} is none of ${allowed.join(", ")}`);
}

function introduction(machine: Machine, options: Options): string {
  const { processors, processor, memoryBytes, system, load, deno, date } = machine;
  return [
    `@lsm/tree on Deno ${deno}, ${date}`,
    `${processors} x ${processor}, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${system}, load ${
      load.toFixed(2)
    }`,
    `${thousands(options.entries)} entries of ${KEY_BYTES} + ${VALUE_BYTES} bytes, half compressible; ` +
    `compression ${options.compression}, durability ${options.durability}`,
    "",
  ].join("\n");
}

function rowText({ name, count, unit, seconds }: Row): string {
  const took = `${(seconds * 1000).toFixed(seconds < 0.1 ? 2 : 0)} ms`.padStart(11);
  if (unit === "times") return name.padEnd(65) + took;
  const rate = `${thousands(count / seconds)} ${unit}/s`.padStart(20);
  const each = `${(seconds / count * 1e6).toFixed(2)} µs`.padStart(11);
  return name.padEnd(34) + rate + each + took;
}

function summary({ bytes, writeAmplification, levels, peakMemoryBytes }: Report): string {
  const { data, filled, overwritten } = bytes;
  const shape = levels.map(({ level, segments, bytes }) =>
    `${segments} in level ${level} (${megabytes(bytes)})`
  );
  return [
    "",
    `keys and values       ${megabytes(data)}`,
    `on disk               ${megabytes(filled)}; overwritten once ${megabytes(overwritten)}`,
    `write amplification   ${writeAmplification.segments.toFixed(2)}; ` +
    `${writeAmplification.all.toFixed(2)} with journals and manifests`,
    `segments              ${shape.join(", ")}`,
    `peak memory           ${megabytes(peakMemoryBytes)}, all runs in one process`,
  ].join("\n");
}

function thousands(number: number): string {
  return Math.round(number).toLocaleString("en-US");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
