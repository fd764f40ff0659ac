/**
 * From single runs to a table: for each row and engine the median, the least and the most of its rounds, and how the tree
 * compares with the best peer.
 *
 * A ratio is above 1 where the tree is ahead, be it by more operations or by fewer bytes. What was ended early, or ran on fewer entries
 * than it should have, is marked; what failed or was not there says why.
 *
 * @module
 */

import type { Outcome } from "./processes.ts";
import type { Result } from "./task.ts";
import { LOAD, type Workload, WORKLOADS } from "./workloads.ts";

/** One process. */
export interface Run {
  /** The engine. */
  readonly engine: string;
  /** The workload. */
  readonly workload: string;
  /** The round, from 0 on. */
  readonly round: number;
  /** What came of it. */
  readonly outcome: Outcome;
}

/** What is used of the statistics library. */
export interface Statistics {
  /** The middle one. */
  median(numbers: readonly number[]): number;
  /** The least. */
  min(numbers: readonly number[]): number;
  /** The most. */
  max(numbers: readonly number[]): number;
}

/** What an engine showed. */
export interface Cell {
  /** The engine. */
  readonly engine: string;
  /** The median of the rounds, and their extremes; none where nothing was measured. */
  readonly median: number | undefined;
  /** See above. */
  readonly min: number | undefined;
  /** See above. */
  readonly max: number | undefined;
  /** How many rounds there were. */
  readonly rounds: number;
  /** Whether one was ended early. */
  readonly capped: boolean;
  /** Whether one ran on fewer entries than it should have. */
  readonly fewer: boolean;
  /** Why nothing was measured. */
  readonly why: string | undefined;
}

/** The units of rows. */
export type Unit = "/s" | "ms" | "us" | "bytes";

/** A row of the table. */
export interface Row {
  /** What it is called. */
  readonly name: string;
  /** What it shows. */
  readonly title: string;
  /** In what it is measured. */
  readonly unit: Unit;
  /** What each engine showed. */
  readonly cells: readonly Cell[];
  /** How many times as good as the best peer the tree is, and which that is. */
  readonly ratio: number | undefined;
  /** See above. */
  readonly best: string | undefined;
  /** The same among the peers that a Deno program can call. */
  readonly ratioInDeno: number | undefined;
}

interface Metric {
  readonly name: string;
  readonly title: string;
  readonly workload: string;
  readonly unit: Unit;
  readonly of: (result: Result) => number | undefined;
}

const OUTSIDE_DENO = "leveldb-cpp";
const TREE = "tree";
const PER_MILLION = 1e6;

/** Makes the rows of the table. */
export function rowsOf(runs: readonly Run[], engines: readonly string[], statistics: Statistics): Row[] {
  return rowsWith(metrics(), runs, engines, statistics);
}

/** Makes the rows of the processor time that an operation took, in all threads, until the store was closed. */
export function cpuRowsOf(runs: readonly Run[], engines: readonly string[], statistics: Statistics): Row[] {
  const rates = WORKLOADS.filter(({ measure }) => measure === "rate");
  const cpu = rates.map(({ name, title }): Metric => ({
    name,
    title,
    workload: name,
    unit: "us",
    of: ({ cpuUntilClosed: { user, system }, operations }) => (user + system) * PER_MILLION / operations,
  }));
  return rowsWith(cpu, runs, engines, statistics);
}

function rowsWith(
  rows: readonly Metric[],
  runs: readonly Run[],
  engines: readonly string[],
  statistics: Statistics,
): Row[] {
  return rows.flatMap((metric) => {
    const own = runs.filter(({ workload }) => workload === metric.workload);
    if (own.length === 0) return [];
    const cells = engines.map((engine) => {
      return cellOf(engine, metric, own.filter((run) => run.engine === engine), statistics);
    });
    if (cells.every(({ median, why }) => median === undefined && why === undefined)) return [];
    return [{
      name: metric.name,
      title: metric.title,
      unit: metric.unit,
      cells,
      ...ratios(metric.unit, cells),
    }];
  });
}

function metrics(): Metric[] {
  return [...WORKLOADS, LOAD].flatMap((workload) => metricsOf(workload));
}

function metricsOf({ name, title, measure }: Workload): Metric[] {
  const base = { name, title, workload: name };
  if (name === LOAD.name) return [{ ...base, unit: "bytes", of: ({ diskBytes }) => diskBytes }];
  if (measure === "once") return [{ ...base, unit: "ms", of: ({ seconds }) => seconds * 1_000 }];
  if (measure === "latency") {
    return ([["p50", "p50"], ["p99", "p99"], ["p999", "p99.9"]] as const).map(([at, text]) => ({
      ...base,
      name: `${name} ${text}`,
      title: `${title}, ${text}`,
      unit: "us",
      of: ({ times }) => times && times[at] * 1_000,
    }));
  }
  if (measure === "timer") {
    return [
      {
        ...base,
        name: "timer max",
        title: `${title}, late at most`,
        unit: "ms",
        of: ({ times }) => times?.max,
      },
      { ...base, name: "timer p99", title: `${title}, late, p99`, unit: "ms", of: ({ times }) => times?.p99 },
      {
        ...base,
        name: "timer worker",
        title: `${title}, late while a Worker is made`,
        unit: "ms",
        of: ({ lateMakingThreads }) => lateMakingThreads === 0 ? undefined : lateMakingThreads,
      },
    ];
  }
  const rate: Metric = { ...base, unit: "/s", of: ({ operations, seconds }) => operations / seconds };
  if (name !== "fillrandom") return [rate];
  const memory = "peak memory above the process without a store, in fillrandom";
  return [rate, {
    ...base,
    name: "memory",
    title: memory,
    unit: "bytes",
    of: (result) => result.peakMemoryBytes,
  }];
}

function cellOf(engine: string, metric: Metric, runs: readonly Run[], statistics: Statistics): Cell {
  const measured = runs.flatMap(({ outcome }) => outcome.kind === "measured" ? [outcome] : []);
  const numbers = measured.map(({ result }) => metric.of(result)).filter((number) => number !== undefined);
  const failed = runs.flatMap(({ outcome }) => outcome.kind === "failed" ? [outcome.why] : []);
  const some = numbers.length > 0 && failed.length === 0;
  return {
    engine,
    median: some ? statistics.median(numbers) : undefined,
    min: some ? statistics.min(numbers) : undefined,
    max: some ? statistics.max(numbers) : undefined,
    rounds: numbers.length,
    capped: measured.some(({ result }) => result.operations < result.wanted),
    fewer: measured.some(({ fewer }) => fewer),
    why: failed[0],
  };
}

function ratios(unit: Unit, cells: readonly Cell[]): Pick<Row, "ratio" | "best" | "ratioInDeno"> {
  const better = (one: number, other: number): number => unit === "/s" ? one / other : other / one;
  const bestOf = (peers: readonly Cell[]): Cell | undefined =>
    peers.reduce<Cell | undefined>((best, cell) => {
      if (cell.median === undefined) return best;
      return best === undefined || better(cell.median, best.median!) > 1 ? cell : best;
    }, undefined);
  const peers = cells.filter(({ engine }) => engine !== TREE && !engine.startsWith(`${TREE}-`));
  const tree = cells.find(({ engine }) => engine === TREE)?.median;
  const best = bestOf(peers);
  const bestInDeno = bestOf(peers.filter(({ engine }) => engine !== OUTSIDE_DENO));
  const ratio = (cell: Cell | undefined): number | undefined =>
    tree === undefined || cell === undefined ? undefined : better(tree, cell.median!);
  return { ratio: ratio(best), best: best?.engine, ratioInDeno: ratio(bestInDeno) };
}
