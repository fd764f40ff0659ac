/**
 * What the benchmark prints: the table as text for a terminal, and as Markdown.
 *
 * @module
 */

import type { Machine } from "../machine.ts";
import type { EngineKind } from "./engines.ts";
import type { Cell, Row, Unit } from "./summary.ts";

/** All that was seen at one size. */
export interface SizeReport {
  /** How many entries a store got. */
  readonly entries: number;
  /** The table. */
  readonly rows: readonly Row[];
  /** Processor time for each operation. */
  readonly cpuRows: readonly Row[];
}

/** All that is reported. */
export interface Report {
  /** Where and when. */
  readonly machine: Machine;
  /** What the stores lay on. */
  readonly fileSystem: string;
  /** What was asked for. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The engines. */
  readonly engines: readonly EngineKind[];
  /** Those that did not work here, and why. */
  readonly missing: Readonly<Record<string, string>>;
  /** One for each size. */
  readonly sizes: readonly SizeReport[];
}

const MARKS =
  "* ended early, with what was done until then; + on fewer entries, since loading was ended early";
const SPREAD = "± is half of what lies between the least and the most round, in % of the median.";
const RATIO =
  "A ratio above 1: the tree is ahead of the best peer; in brackets, of the best that a Deno program can call.";
const NAME_WIDTH = 17;
const CELL_WIDTH = 17;

/** The text for a terminal. */
export function textOf(report: Report): string {
  const { engines, missing, sizes } = report;
  return [
    ...introduction(report),
    "",
    ...sizes.flatMap(({ entries, rows, cpuRows }) => [
      `${thousands(entries)} entries`,
      ...tableText(rows, engines, missing),
      "",
      "processor time for each operation, all threads, until the store is closed",
      ...tableText(cpuRows, engines, missing),
      "",
    ]),
    MARKS,
    SPREAD,
    RATIO,
    ...Object.entries(missing).map(([name, why]) => `${name}: not installed: ${why}`),
    ...failures(sizes),
  ].join("\n");
}

/** The same as Markdown, with what must be known of each engine. */
export function markdownOf(report: Report, plot: string | undefined): string {
  const { engines, missing, sizes } = report;
  return [
    "# The tree and its peers",
    "",
    ...introduction(report).flatMap((line) => [line, ""]),
    ...(plot === undefined ? [] : [`![All rows, each against the best peer](${plot})`, ""]),
    ...sizes.flatMap(({ entries, rows, cpuRows }) => [
      `## ${thousands(entries)} entries`,
      "",
      ...tableMarkdown(rows, engines, missing),
      "",
      "Processor time for each operation, all threads, until the store is closed:",
      "",
      ...tableMarkdown(cpuRows, engines, missing),
      "",
    ]),
    `\\${MARKS}. ${RATIO} Each figure is the median of the rounds, with the least and the most.`,
    "",
    "| engine | what it is | a write survives | a durable write | note |",
    "| --- | --- | --- | --- | --- |",
    ...engines.map(({ name, title, durability, note }) => {
      const absent = missing[name] === undefined ? "" : `**not installed: ${missing[name]}**; `;
      return `| ${name} | ${title} | ${durability.usual} | ${durability.durable} | ${absent}${note} |`;
    }),
    "",
    ...failures(sizes).flatMap((line) => [line, ""]),
  ].join("\n");
}

/** A figure as a person reads it. */
export function figure(number: number, unit: Unit): string {
  if (unit === "/s") {
    return number >= 1e6
      ? `${short(number / 1e6)} M/s`
      : number >= 1e3
      ? `${short(number / 1e3)} k/s`
      : `${short(number)} /s`;
  }
  if (unit === "bytes") return `${short(number / 1e6)} MB`;
  if (unit === "us") return number >= 1e3 ? `${short(number / 1e3)} ms` : `${short(number)} µs`;
  return `${short(number)} ms`;
}

/** A whole number with its thousands apart. */
export function thousands(number: number): string {
  return Math.round(number).toLocaleString("en-US");
}

function introduction({ machine, fileSystem, options }: Report): string[] {
  const { processors, processor, memoryBytes, system, load, deno, date } = machine;
  const asked = Object.entries(options).map(([name, value]) => `${name} ${value}`).join(", ");
  return [
    `Deno ${deno}, ${date}`,
    `${processors} x ${processor}, ${
      (memoryBytes / 2 ** 30).toFixed(0)
    } GiB, ${system}, ${fileSystem}, load ${load.toFixed(2)} before`,
    asked,
  ];
}

function tableText(
  rows: readonly Row[],
  engines: readonly EngineKind[],
  missing: Report["missing"],
): string[] {
  const shown = shownEngines(rows, engines, missing);
  const line = (first: string, cells: readonly string[]): string =>
    first.padEnd(NAME_WIDTH) + cells.map((cell) => cell.padStart(CELL_WIDTH)).join("");
  return [
    line("", [...shown, "ratio"]),
    ...rows.map((row) => {
      const cells = shown.map((name) => {
        const cell = cellFor(row, name);
        return `${cellText(cell, row.unit)}${halfRangeText(cell)}`;
      });
      return line(row.name, [...cells, ratioText(row)]);
    }),
  ];
}

function tableMarkdown(
  rows: readonly Row[],
  engines: readonly EngineKind[],
  missing: Report["missing"],
): string[] {
  const shown = shownEngines(rows, engines, missing);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(["", ...shown, "ratio", "best peer"]),
    line(["---", ...shown.map(() => "---:"), "---:", "---"]),
    ...rows.map((row) => {
      const cells = shown.map((name) => {
        const cell = cellFor(row, name);
        return `${cellText(cell, row.unit).replace("*", "\\*")}${spreadText(cell, row.unit)}`;
      });
      return line([`${row.name}: ${row.title}`, ...cells, ratioText(row), row.best ?? ""]);
    }),
  ];
}

/** Engines that were measured; those that could not be are named beside the table. */
function shownEngines(
  rows: readonly Row[],
  engines: readonly EngineKind[],
  missing: Report["missing"],
): string[] {
  const has = (name: string): boolean =>
    rows.some((row) => cellFor(row, name)?.median !== undefined || cellFor(row, name)?.why !== undefined);
  return engines.map(({ name }) => name).filter((name) => missing[name] === undefined && has(name));
}

function cellFor(row: Row, engine: string): Cell | undefined {
  return row.cells.find((cell) => cell.engine === engine);
}

function cellText(cell: Cell | undefined, unit: Unit): string {
  if (cell?.why !== undefined) return "failed";
  if (cell?.median === undefined) return "-";
  return `${figure(cell.median, unit)}${cell.capped ? "*" : ""}${cell.fewer ? "+" : ""}`;
}

/** Half of what lies between the least and the most, as a share of the median: the table of a terminal has no room for both. */
function halfRangeText(cell: Cell | undefined): string {
  if (cell?.min === undefined || cell.max === undefined || cell.rounds < 2 || cell.median === 0) return "";
  return ` ±${((cell.max - cell.min) / 2 / cell.median! * 100).toFixed(0)}%`;
}

function spreadText(cell: Cell | undefined, unit: Unit): string {
  if (cell?.min === undefined || cell.max === undefined || cell.rounds < 2) return "";
  return ` (${figure(cell.min, unit)} to ${figure(cell.max, unit)})`;
}

function ratioText({ ratio, ratioInDeno }: Row): string {
  if (ratio === undefined) return "-";
  const other = ratioInDeno === undefined || ratioInDeno === ratio ? "" : ` (${ratioInDeno.toFixed(2)})`;
  return `${ratio.toFixed(2)}${other}`;
}

function failures(sizes: readonly SizeReport[]): string[] {
  return sizes.flatMap(({ entries, rows }) =>
    rows.flatMap((row) =>
      row.cells.flatMap(({ engine, why }) =>
        why === undefined ? [] : [`${engine}, ${row.name}, ${thousands(entries)} entries: failed: ${why}`]
      )
    )
  );
}

function short(number: number): string {
  return number.toPrecision(3).includes("e") ? number.toFixed(0) : Number(number.toPrecision(3)).toString();
}
