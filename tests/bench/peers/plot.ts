/**
 * The plot: a field for each row of the table, a line for each engine in it, all against the best peer.
 *
 * - To the right is better, whatever the unit: a figure's place is how many times as good as the best peer it is, on a logarithmic scale.
 *   The line through the dot goes from the least to the most of the rounds; beside it stands the figure.
 * - With several sizes there is a field for each workload instead, and in it a line for each engine: operations a second over
 *   entries, both logarithmic.
 *
 * Drawn by Observable Plot into a document without a browser.
 *
 * @module
 */

import { load } from "./packages.ts";
import { figure, type Report, type SizeReport, thousands } from "./report.ts";
import type { Row } from "./summary.ts";

/** What is used of Observable Plot. */
interface PlotLibrary {
  plot(options: Options): { toString(): string; setAttribute(name: string, value: string): void };
  dot(data: readonly unknown[], options: Options): unknown;
  text(data: readonly unknown[], options: Options): unknown;
  link(data: readonly unknown[], options: Options): unknown;
  ruleX(data: readonly unknown[], options: Options): unknown;
  line(data: readonly unknown[], options: Options): unknown;
  frame(options: Options): unknown;
  axisX(options: Options): unknown;
  axisY(options: Options): unknown;
}

interface DomLibrary {
  parseHTML(text: string): { readonly document: unknown };
}

type Options = Readonly<Record<string, unknown>>;

interface Mark {
  readonly column: number;
  readonly line: number;
  readonly engine: string;
  readonly ratio: number;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const COLUMNS = 2;
const WIDTH = 1_200;
const ENGINE_HEIGHT = 13;
const FIELD_HEIGHT = 34;
const LABEL_SHARE = 0.16;
const TREE_COLOR = "#d9480f";
const PEER_COLOR = "#495057";
const FONT = "system-ui, sans-serif";
const COLORS = ["#1971c2", "#2f9e44", "#9c36b5", "#868e96", "#0c8599", "#5c940d"];

/**
 * Draws the plot of a report as SVG.
 *
 * @returns Nothing where there is nothing to compare: one size, and no peer.
 */
export async function svgOf(report: Report): Promise<string | undefined> {
  const { sizes } = report;
  if (sizes.length === 1 && sizes[0]!.rows.every(({ best }) => best === undefined)) return undefined;
  const plot = await load<PlotLibrary>("plot");
  const { parseHTML } = await load<DomLibrary>("dom");
  const { document } = parseHTML("<!DOCTYPE html><html><body></body></html>");
  const svg = sizes.length > 1
    ? growthPlot(plot, document, report)
    : againstBestPlot(plot, document, report, sizes[0]!);
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return `${svg}\n`;
}

function againstBestPlot(
  plot: PlotLibrary,
  document: unknown,
  { engines }: Report,
  { rows }: SizeReport,
): ReturnType<PlotLibrary["plot"]> {
  const order = engines.map(({ name }) => name);
  const shown = rows.filter(({ best }) => best !== undefined);
  const lines = Math.ceil(shown.length / COLUMNS);
  const place = (i: number) => ({ column: Math.floor(i / lines), line: i % lines });
  const all = shown.flatMap((row, i) => marksOf(row, place(i)));
  const titles = shown.map(({ name, title }, i) => ({
    ...place(i),
    text: name === title ? name : `${name}: ${title}`,
  }));
  // An engine that is only asked for its bytes is in the table, and no empty line in all other fields.
  const rowsWithEngine = (name: string): number => all.filter(({ engine }) => engine === name).length;
  const present = order.filter((name) => rowsWithEngine(name) > Math.min(1, shown.length - 1));
  const marks = all.filter(({ engine }) => present.includes(engine));
  const field = { fx: "column", fy: "line" };
  const color = ({ engine }: Mark): string => isTree(engine) ? TREE_COLOR : PEER_COLOR;
  return plot.plot({
    document,
    width: WIDTH,
    height: lines * (present.length * ENGINE_HEIGHT + FIELD_HEIGHT) + 70,
    marginLeft: 90,
    marginRight: 70,
    marginTop: 26,
    marginBottom: 44,
    style: { fontFamily: FONT, fontSize: "11px", background: "white" },
    x: { type: "log", label: "times as good as the best peer →", grid: true, domain: domainOf(marks) },
    y: { domain: present, label: null, padding: 0.2 },
    fx: { axis: null, padding: 0.16 },
    fy: { axis: null, padding: 0.28 },
    marks: [
      plot.ruleX([1], { stroke: "#adb5bd" }),
      plot.axisX({ facetAnchor: "bottom", ticks: 6, tickFormat: (ratio: number) => `${ratio}` }),
      plot.axisY({ facetAnchor: null, tickSize: 0 }),
      plot.text(titles, { ...field, text: "text", frameAnchor: "top-left", dy: -15, fontWeight: "bold" }),
      plot.link(marks, {
        ...field,
        x1: "from",
        x2: "to",
        y1: "engine",
        y2: "engine",
        stroke: color,
        strokeWidth: 2,
      }),
      plot.dot(marks, { ...field, x: "ratio", y: "engine", fill: color, r: 3.5 }),
      plot.text(marks, {
        ...field,
        x: "to",
        y: "engine",
        text: "text",
        textAnchor: "start",
        dx: 7,
        fill: color,
        stroke: "white",
        strokeWidth: 4,
      }),
    ],
  });
}

function marksOf(row: Row, place: Pick<Mark, "column" | "line">): Mark[] {
  const better = (number: number, best: number): number => row.unit === "/s" ? number / best : best / number;
  const best = row.cells.find(({ engine }) => engine === row.best)?.median;
  if (best === undefined) return [];
  return row.cells.flatMap(({ engine, median, min, max, capped, fewer }) => {
    if (median === undefined || !(median > 0)) return [];
    const ends = [better(min!, best), better(max!, best)].sort((one, other) => one - other);
    const text = `${figure(median, row.unit)}${capped ? "*" : ""}${fewer ? "+" : ""}`;
    const [from, to] = ends as [number, number];
    return [{ ...place, engine, ratio: better(median, best), from, to, text }];
  });
}

/** All marks, and to the right of them the room for their figures. */
function domainOf(marks: readonly Mark[]): [number, number] {
  const least = Math.min(...marks.map(({ from }) => from)) / 1.1;
  const most = Math.max(...marks.map(({ to }) => to)) * 1.1;
  return [least, most * (most / least) ** LABEL_SHARE];
}

/** How operations a second change with the number of entries. */
function growthPlot(
  plot: PlotLibrary,
  document: unknown,
  { engines, sizes }: Report,
): ReturnType<PlotLibrary["plot"]> {
  const names = sizes[0]!.rows.filter(({ unit }) => unit === "/s").map(({ name }) => name);
  const lines = Math.ceil(names.length / COLUMNS);
  const place = (name: string) => {
    const i = names.indexOf(name);
    return { column: Math.floor(i / lines), line: i % lines };
  };
  const points = sizes.flatMap(({ entries, rows }) =>
    rows.filter(({ unit }) => unit === "/s").flatMap(({ name, cells }) =>
      cells.flatMap(({ engine, median }) =>
        median === undefined ? [] : [{ ...place(name), engine, entries, rate: median }]
      )
    )
  );
  const order = engines.map(({ name }) => name).filter((name) =>
    points.some(({ engine }) => engine === name)
  );
  const peers = order.filter((name) => !isTree(name));
  const range = order.map((name) => isTree(name) ? TREE_COLOR : COLORS[peers.indexOf(name) % COLORS.length]!);
  const field = { fx: "column", fy: "line" };
  const titles = names.map((name) => ({ ...place(name), text: name }));
  const legend = order.map((engine, i) => ({ engine, i }));
  return plot.plot({
    document,
    width: WIDTH,
    height: lines * 190 + 100,
    marginLeft: 60,
    marginTop: 60,
    marginBottom: 44,
    style: { fontFamily: FONT, fontSize: "11px", background: "white" },
    x: { type: "log", label: "entries →" },
    y: { type: "log", label: "operations a second", grid: true },
    color: { domain: order, range },
    fx: { axis: null, padding: 0.12 },
    fy: { axis: null, padding: 0.25 },
    marks: [
      plot.axisX({
        facetAnchor: "bottom",
        ticks: sizes.map(({ entries }) => entries),
        tickFormat: (entries: number) => thousands(entries),
      }),
      plot.axisY({
        facetAnchor: null,
        ticks: 4,
        label: null,
        tickFormat: (rate: number) => figure(rate, "/s"),
      }),
      plot.text(titles, { ...field, text: "text", frameAnchor: "top-left", dy: -14, fontWeight: "bold" }),
      plot.line(points, { ...field, x: "entries", y: "rate", stroke: "engine", strokeWidth: 1.8 }),
      plot.dot(points, { ...field, x: "entries", y: "rate", fill: "engine", r: 2.5 }),
      ...legend.map(({ engine, i }) =>
        plot.text([{ column: 0, line: 0, engine }], {
          ...field,
          text: "engine",
          frameAnchor: "top-left",
          dx: i * 120,
          dy: -40,
          fill: range[i],
          fontWeight: "bold",
        })
      ),
    ],
  });
}

function isTree(engine: string): boolean {
  return engine === "tree" || engine.startsWith("tree-");
}
