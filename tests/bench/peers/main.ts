/**
 * The benchmark against peers, `deno task bench:peers`: the tree beside LevelDB, LMDB, RocksDB, Deno KV and SQLite, each doing the same.
 *
 * ```text
 * deno task bench:peers [--count 1000000 | --sizes 1e4,1e5,1e6] [--value-bytes 100] [--rounds 3] [--seconds-max 10]
 *                       [--engines tree,lmdb] [--workloads fillseq,disk] [--seed 1]
 *                       [--json FILE] [--markdown FILE] [--svg FILE]
 * ```
 *
 * What is measured. The workloads of `workloads.ts`: operations a second, how long a single put takes (p50, p99, p99.9), how late a timer of
 * 1 ms is while filling, how long it takes to open and get one value, bytes on disk, peak memory, processor time. Keys have 16 bytes,
 * values compress to half.
 *
 * How. A process of its own for each engine, workload and round; rounds are interleaved, so that what the machine does in between
 * meets all engines; medians, with the least and the most. A loop ends after `--seconds-max`, and its row is marked: fewer entries
 * flatter it. Everything that is read goes into a checksum, and after each workload that writes the store is opened once more and every byte of every entry
 * compared: a run that did not do the work fails.
 *
 * Durability. Each write is acknowledged before the next one is made. In all rows but `fillsync` it then survives the death of the
 * process; what the engines do about the loss of power is in `engines.ts` and in what is printed. In `fillsync` it survives the loss of power.
 * Whether an engine keeps to that can be seen by counting its barriers: `strace -f -c -e fsync,fdatasync,msync`.
 *
 * What cannot be compared:
 * - Deno KV has no mode without barriers. LMDB without them may lose the whole database with the power, the others only the latest writes.
 * - lmdb hands out a view of a buffer that it uses again, the tree and all others a copy.
 * - RocksDB and SQLite write in the calling thread, so 64 writers share no barrier. classic-level has other threads and pays for
 *   going there and back.
 * - LevelDB in C++ makes no JavaScript values: it shows what is there without a binding.
 * - The tree's compression is the default; what each kind makes of the bytes on disk is in the rows of `tree-none`, `tree-lz4`, `tree-zstd`.
 *
 * The addons come from the npm registry at the first run, for this benchmark alone (`packages.ts`); what does not install is named.
 * Everything is in one temporary folder, which is removed in the end, also after an interrupt. The default run takes about an hour and some
 * GB of that folder; on a machine that does something else meanwhile its figures mean nothing.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { statfsSync } from "node:fs";
import { basename } from "node:path";
import { thisMachine } from "../machine.ts";
import { withBar } from "../progress.ts";
import { engineNamed, ENGINES } from "./engines.ts";
import { buildProgram } from "./leveldb_program.ts";
import { load } from "./packages.ts";
import { svgOf } from "./plot.ts";
import { type Outcome, Processes, type Settings } from "./processes.ts";
import { markdownOf, type Report, textOf, thousands } from "./report.ts";
import { cpuRowsOf, rowsOf, type Run, type Statistics } from "./summary.ts";
import { LOAD, type Workload, workloadNamed, WORKLOADS } from "./workloads.ts";

interface Options {
  readonly sizes: readonly number[];
  readonly valueBytes: number;
  readonly rounds: number;
  readonly secondsMax: number;
  readonly seed: number;
  readonly engines: readonly string[];
  readonly workloads: readonly Workload[];
  /** Engines that were asked for by name do everything. */
  readonly named: boolean;
}

interface Files {
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  readonly svg: string | undefined;
}

/** All runs at one size. */
interface SizeRuns {
  readonly entries: number;
  readonly runs: readonly Run[];
}

const COUNT_MIN = 100;
const COUNT_MAX = 100_000_000;
const VALUE_BYTES_MAX = 65_535;
const PROGRAM = "leveldb-cpp";
const INTERRUPTED = 130;
const REST_MS = 250;

/** File systems by their number, as far as it matters: a barrier in memory is none. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x01021994: "tmpfs, whose barriers cost nothing",
  0x794c7630: "overlayfs",
};

if (import.meta.main) Deno.exitCode = await main();

async function main(): Promise<number> {
  const { options, files } = optionsFrom(Deno.args);
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  const signals = ["SIGINT", "SIGTERM"] as const;
  signals.forEach((signal) => Deno.addSignalListener(signal, onInterrupt));
  const folder = Deno.makeTempDirSync({ prefix: "lsm_tree_peers_" });
  try {
    const { report, all } = await measureAll(folder, options, interrupt.signal);
    // What took an hour is safe before anything is drawn.
    if (files.json !== undefined) writeJson(files.json, report, all);
    console.log(textOf(report));
    await writeFiles(report, files);
    return all.some(({ runs }) => runs.some(({ outcome }) => outcome.kind === "failed")) ? 1 : 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.error("interrupted");
    return INTERRUPTED;
  } finally {
    Deno.removeSync(folder, { recursive: true });
    signals.forEach((signal) => Deno.removeSignalListener(signal, onInterrupt));
  }
}

async function measureAll(
  folder: string,
  options: Options,
  signal: AbortSignal,
): Promise<{ readonly report: Report; readonly all: readonly SizeRuns[] }> {
  const machine = thisMachine();
  const statistics = await load<Statistics>("statistics");
  const { sizes, valueBytes, rounds, secondsMax, seed, engines } = options;
  const { program, missing } = await probeAll(folder, options, signal);
  const there = engines.filter((name) => missing[name] === undefined);
  const all: SizeRuns[] = [];
  for (const entries of sizes) {
    const settings = { entries, valueBytes, seed, secondsMax, restMs: REST_MS, program };
    const place = Deno.makeTempDirSync({ dir: folder });
    all.push({
      entries,
      runs: await measureSize(new Processes(place, settings, signal), settings, there, options),
    });
    Deno.removeSync(place, { recursive: true });
  }
  const report: Report = {
    machine,
    fileSystem: fileSystemOf(folder),
    options: { "value bytes": valueBytes, rounds, "seconds at most": secondsMax, seed },
    engines: engines.map((name) => engineNamed(name)),
    missing,
    sizes: all.map(({ entries, runs }) => ({
      entries,
      rows: rowsOf(runs, there, statistics),
      cpuRows: cpuRowsOf(runs, there, statistics),
    })),
  };
  return { report, all };
}

/** Tells which engines work here; the others are named with the reason. */
async function probeAll(
  folder: string,
  { engines, valueBytes, seed, secondsMax }: Options,
  signal: AbortSignal,
): Promise<{ readonly program: string; readonly missing: Readonly<Record<string, string>> }> {
  const missing: Record<string, string> = {};
  let program = "";
  if (engines.includes(PROGRAM)) {
    try {
      program = await buildProgram(folder);
    } catch (error) {
      missing[PROGRAM] = error instanceof Error ? error.message : String(error);
    }
  }
  const settings = { entries: COUNT_MIN, valueBytes, seed, secondsMax, restMs: REST_MS, program };
  const processes = new Processes(folder, settings, signal);
  for (const name of engines.filter((name) => missing[name] === undefined)) {
    const why = await processes.probe(name);
    if (why !== undefined) missing[name] = why;
  }
  return { program, missing };
}

async function measureSize(
  processes: Processes,
  settings: Settings,
  engines: readonly string[],
  { rounds, workloads, named }: Options,
): Promise<Run[]> {
  const plan = Array.from({ length: rounds }, (_, round) => round).flatMap((round) =>
    workloads.flatMap((workload) =>
      engines.filter((name) => isWanted(name, workload, round, named)).map((engine) => ({
        round,
        workload,
        engine,
      }))
    )
  );
  const runs: Run[] = [];
  const what = `runs with ${thousands(settings.entries)} entries`;
  return await withBar(what, plan.length, async (show) => {
    for (const { round, workload, engine } of plan) {
      const doing = `${engine}, ${workload.name}`;
      show(runs.length, doing);
      const outcome = await processes.measure(engine, workload, (done) => {
        show(runs.length, `${doing}, loading: ${thousands(done)}`);
      });
      runs.push({ engine, workload: workload.name, round, outcome });
      if (!Deno.stderr.isTerminal()) {
        console.error(
          `${runs.length} of ${plan.length}: ${doing}, round ${round + 1}: ${outcomeText(outcome)}`,
        );
      }
    }
    return runs;
  });
}

function isWanted(engine: string, workload: Workload, round: number, named: boolean): boolean {
  if (workload.name === LOAD.name) return round === 0;
  if (engine === PROGRAM && workload.measure === "timer") return false;
  return named || !engineNamed(engine).sizeOnly;
}

function outcomeText(outcome: Outcome): string {
  if (outcome.kind === "failed") return `failed: ${outcome.why}`;
  const { operations, seconds } = outcome.result;
  return `${thousands(operations)} in ${seconds.toFixed(2)} s`;
}

function writeJson(path: string, report: Report, all: readonly SizeRuns[]): void {
  Deno.writeTextFileSync(path, `${JSON.stringify({ ...report, runs: all }, undefined, 2)}\n`);
}

async function writeFiles(report: Report, { markdown, svg }: Files): Promise<void> {
  const plot = svg === undefined ? undefined : await writePlot(report, svg);
  if (markdown !== undefined) Deno.writeTextFileSync(markdown, markdownOf(report, plot));
}

/** Writes the plot, and returns the name of its file, where there is something to draw. */
async function writePlot(report: Report, path: string): Promise<string | undefined> {
  const svg = await svgOf(report);
  if (svg === undefined) {
    console.error("no plot: there is no peer to compare with");
    return undefined;
  }
  Deno.writeTextFileSync(path, svg);
  return basename(path);
}

function fileSystemOf(folder: string): string {
  const { type } = statfsSync(folder);
  return FILE_SYSTEMS[type] ?? `file system ${type.toString(16)}`;
}

function optionsFrom(args: readonly string[]): { readonly options: Options; readonly files: Files } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      count: { type: "string", default: "1000000" },
      sizes: { type: "string" },
      "value-bytes": { type: "string", default: "100" },
      rounds: { type: "string", default: "3" },
      "seconds-max": { type: "string", default: "10" },
      seed: { type: "string", default: "1" },
      engines: { type: "string" },
      workloads: { type: "string" },
      json: { type: "string" },
      markdown: { type: "string" },
      svg: { type: "string" },
    },
  });
  const { json, markdown, svg, sizes, engines, workloads } = values;
  const counts = sizes === undefined ? [values.count] : listOf(sizes);
  const options: Options = {
    sizes: counts.map((text) =>
      wholeNumber(sizes === undefined ? "count" : "sizes", text, COUNT_MIN, COUNT_MAX)
    ),
    valueBytes: wholeNumber("value-bytes", values["value-bytes"], 1, VALUE_BYTES_MAX),
    rounds: wholeNumber("rounds", values.rounds, 1, 100),
    secondsMax: wholeNumber("seconds-max", values["seconds-max"], 1, 3_600),
    seed: wholeNumber("seed", values.seed, 0, 0x7fff_ffff),
    engines: engines === undefined
      ? ENGINES.map(({ name }) => name)
      : listOf(engines).map((name) => engineNamed(name).name),
    workloads: workloads === undefined ? [...WORKLOADS, LOAD] : listOf(workloads).map(workloadNamed),
    named: engines !== undefined,
  };
  return { options, files: { json, markdown, svg } };
}

function listOf(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

/** Also `1e6` is a whole number. */
function wholeNumber(name: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isInteger(number) && number >= min && number <= max) return number;
  throw new RangeError(`Cannot run the benchmark: --${name} is not a whole number from ${min} to ${max}`);
}
