/**
 * The background benchmark, `deno task bench:background`: what a writer notices of the flushes and merges beside it.
 *
 * ```text
 * deno task bench:background [--count 5000000] [--ready | --never-yield] [--check] [--seed 1] [--json]
 * ```
 *
 * - Random inserts into one tree with the default options, 16-byte keys and 100-byte values that compress to half. The writer
 *   lets its event loop turn every 100 writes; with `--ready` it awaits `tree.ready()` instead, with `--never-yield` it does neither.
 * - How late the event loop was is told in two ways (`lateness.ts`): what a yield took, and for how long 100 writes with their yield
 *   held the loop, which is the worst that another event on it can meet. Turns in which a Worker was made stand apart.
 * - `--check` does the same inserts in a second folder with `background: "inline"` and compares all entries.
 * - Peak memory is what the operating system has counted for the process (VmHWM of /proc/self/status, which Deno shows only to
 *   who may do everything). The order of the keys is 4 bytes of it for each insert.
 *
 * 5,000,000 inserts take some 600 MB of the temporary folder, and as much again for `--check`; both are removed in the end, also after an interrupt,
 * which a writer that never yields sees when it has ended.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Tree } from "@lsm/tree";
import type { BackgroundOptions, BackgroundResult, Manner } from "./background_runs.ts";
import { checkSameContent, orderOf, runBackground } from "./background_runs.ts";
import type { Quantiles } from "./lateness.ts";
import type { Machine } from "./machine.ts";
import { thisMachine } from "./machine.ts";
import { withBar } from "./progress.ts";

interface Options {
  readonly count: number;
  readonly seed: number;
  readonly manner: Manner;
  readonly check: boolean;
}

/** All that `--json` prints. */
interface Report extends BackgroundResult {
  readonly machine: Machine;
  readonly options: Options;
  /** What the inline tree that it was compared with did, if it was. */
  readonly inline: { readonly seconds: number; readonly sameEntries: number } | undefined;
}

const COUNT_MIN = 1_000;
const COUNT_MAX = 100_000_000;

const MANNER_TEXTS: Readonly<Record<Manner, string>> = {
  yield: "the event loop turns after every 100",
  ready: "tree.ready() is awaited before every 100",
  neverYield: "in a loop that never yields",
};

if (import.meta.main) Deno.exitCode = await main();

async function main(): Promise<number> {
  const { json, ...options } = optionsFrom(Deno.args);
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  Deno.addSignalListener("SIGINT", onInterrupt);
  const folder = Deno.makeTempDirSync({ prefix: "lsm_tree_bench_" });
  try {
    const report = await run(folder, options, interrupt.signal);
    console.log(json ? JSON.stringify(report, undefined, 2) : textOf(report));
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.error("interrupted");
    return 1;
  } finally {
    Deno.removeSync(folder, { recursive: true });
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}

async function run(folder: string, options: Options, signal: AbortSignal): Promise<Report> {
  const { count, seed, manner, check } = options;
  const machine = thisMachine();
  const order = orderOf({ count, seed });
  await using tree = await Tree.open(`${folder}/worker`, { background: "worker" });
  const inserted = (onto: Tree, how: Pick<BackgroundOptions, "manner" | "background">, what: string) =>
    withBar(
      what,
      count,
      (onProgress) => runBackground(onto, order, { count, seed, signal, onProgress, ...how }),
    );
  const result = await inserted(tree, { manner, background: "worker" }, "inserts");
  if (!check) return { machine, options, ...result, inline: undefined };
  await using other = await Tree.open(`${folder}/inline`, { background: "inline" });
  const { seconds } = await inserted(other, { manner, background: "inline" }, "inserts, inline");
  const sameEntries = await withBar(
    "entries compared",
    count,
    (onProgress) => checkSameContent(tree, other, count, { signal, onProgress }),
  );
  return { machine, options, ...result, inline: { seconds, sameEntries } };
}

function optionsFrom(args: readonly string[]): Options & { readonly json: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      count: { type: "string", default: "5000000" },
      seed: { type: "string", default: "1" },
      ready: { type: "boolean", default: false },
      "never-yield": { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const { ready, check, json } = values;
  const neverYield = values["never-yield"];
  if (ready && neverYield) throw new TypeError("Cannot run the benchmark: --ready yields");
  return {
    count: wholeNumber("count", values.count, COUNT_MIN, COUNT_MAX),
    seed: wholeNumber("seed", values.seed, 0, 0xffff_ffff),
    manner: ready ? "ready" : neverYield ? "neverYield" : "yield",
    check,
    json,
  };
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new RangeError(`Cannot run the benchmark: --${name} is not a whole number from ${min} to ${max}`);
}

function textOf(report: Report): string {
  const { machine, options, stats, most, inline } = report;
  const { stalls, background, written } = stats;
  const row = (name: string, text: string): string => name.padEnd(25) + text;
  return [
    `@lsm/tree on Deno ${machine.deno}, ${machine.date}`,
    `${machine.processors} x ${machine.processor}, ${machine.system}, load ${machine.load.toFixed(2)}`,
    `${thousands(options.count)} random inserts, ${MANNER_TEXTS[options.manner]}`,
    "",
    row("inserts", `${thousands(options.count / report.seconds)}/s, ${report.seconds.toFixed(1)} s`),
    row("background", `${background.mode}${background.reason === "" ? "" : `: ${background.reason}`}`),
    row(
      "",
      `at most ${most.threads} Workers; done ${report.settledSeconds.toFixed(1)} s after the last insert`,
    ),
    ...(options.manner === "yield"
      ? [row("a yield, idle loop", quantilesText(report.idle)), row("  late by", quantilesText(report.late))]
      : []),
    row("the machine alone", quantilesText(report.alone)),
    row("100 writes hold the loop", quantilesText(report.held)),
    row("  while a Worker is made", quantilesText(report.heldMakingWorkers)),
    ...(options.manner === "ready" ? [row("waited in ready()", `${report.readySeconds.toFixed(2)} s`)] : []),
    row("at most", `${most.level0Runs} runs in level 0, ${most.sealed} sealed memtables`),
    row("stalls", `${stalls.slowdowns} slowdowns of ${stalls.slowedMs.toFixed(0)} ms in all, `) +
    `${stalls.stops} stops of ${stalls.stoppedMs.toFixed(0)} ms`,
    row("work", `${stats.flushes} flushes, ${stats.merges} merges, ${stats.moves} moves, `) +
    `${stats.syncs} barriers`,
    row("write amplification", `${stats.writeAmplification.toFixed(2)}; `) +
    `${((written.segments + written.journals + written.manifests) / written.user).toFixed(2)} with journals`,
    row("peak memory", `${megabytes(report.peakMemoryBytes)}; `) +
    `${megabytes(report.peakMemoryBytesBefore)} before the first insert`,
    ...(inline === undefined ? [] : [
      row("inline", `${thousands(options.count / inline.seconds)}/s; `) +
      `all ${thousands(inline.sameEntries)} entries are the same in both`,
    ]),
  ].join("\n");
}

function quantilesText({ count, p50, p99, p999, max }: Quantiles): string {
  if (count === 0) return "never";
  const text = (milliseconds: number): string => milliseconds.toFixed(milliseconds < 1 ? 3 : 2);
  return `p50 ${text(p50)}   p99 ${text(p99)}   p99.9 ${text(p999)}   max ${text(max)} ms   (${
    thousands(count)
  })`;
}

function thousands(number: number): string {
  return Math.round(number).toLocaleString("en-US");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
