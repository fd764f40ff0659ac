/**
 * From runs to rows: medians, which peer is best, what is marked and what is named.
 *
 * @module
 */

import { assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { engineNamed } from "./engines.ts";
import type { Outcome } from "./processes.ts";
import { markdownOf, type Report, textOf } from "./report.ts";
import { cpuRowsOf, rowsOf, type Run, type Statistics } from "./summary.ts";
import type { Result } from "./task.ts";

/** Stands for the library, which is fetched for the benchmark only. */
const STATISTICS: Statistics = {
  median: (numbers) => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)]!,
  min: (numbers) => Math.min(...numbers),
  max: (numbers) => Math.max(...numbers),
};

const ENGINES = ["tree", "tree-lz4", "lmdb", "node-sqlite", "leveldb-cpp"];

Deno.test("a row has the median of its rounds and their extremes, in any order", () => {
  const runs = [3, 1, 2].map((seconds, round) => runOf("tree", "fillseq", { seconds }, round));
  const [row] = rowsOf(runs, ["tree"], STATISTICS);
  const { median, min, max, rounds } = row!.cells[0]!;
  assertEquals([row!.name, median, min, max, rounds], ["fillseq", 500, 1_000 / 3, 1_000, 3]);
});

Deno.test("the tree is compared with the best peer, never with itself", () => {
  const runs = [
    runOf("tree", "fillseq", { seconds: 1 }),
    runOf("tree-lz4", "fillseq", { seconds: 0.1 }),
    runOf("lmdb", "fillseq", { seconds: 2 }),
    runOf("node-sqlite", "fillseq", { seconds: 4 }),
    runOf("leveldb-cpp", "fillseq", { seconds: 0.5 }),
  ];
  const [row] = rowsOf(runs, ENGINES, STATISTICS);
  assertEquals([row!.best, row!.ratio, row!.ratioInDeno], ["leveldb-cpp", 0.5, 2]);
});

Deno.test("where less is better, a ratio above 1 is ahead too", () => {
  const runs = [
    runOf("tree", "disk", { diskBytes: 50 }),
    runOf("lmdb", "disk", { diskBytes: 200 }),
    runOf("node-sqlite", "disk", { diskBytes: 100 }),
  ];
  const [row] = rowsOf(runs, ENGINES, STATISTICS);
  assertEquals([row!.best, row!.ratio], ["node-sqlite", 2]);
});

Deno.test("processor time is that of an operation, with what was left to do afterwards", () => {
  const cpuUntilClosed = { user: 2, system: 1 };
  const [row] = cpuRowsOf([runOf("tree", "fillseq", { cpuUntilClosed })], ["tree"], STATISTICS);
  assertAlmostEquals(row!.cells[0]!.median!, 3_000);
});

Deno.test("what was ended early, ran on fewer entries, failed or is missing is named", () => {
  const runs: Run[] = [
    runOf("tree", "fillseq", {}),
    runOf("lmdb", "fillseq", { operations: 999 }),
    { ...runOf("node-sqlite", "fillseq", {}), outcome: { kind: "failed", why: "it broke" } },
    runOf("tree", "readhot", {}),
    { ...runOf("lmdb", "readhot", {}), outcome: { ...measured({}), fewer: true } },
  ];
  const rows = rowsOf(runs, ENGINES, STATISTICS);
  const report: Report = {
    machine: {
      processor: "one",
      processors: 1,
      memoryBytes: 2 ** 30,
      system: "some",
      deno: "2",
      load: 0,
      date: "then",
    },
    fileSystem: "ext4",
    options: { rounds: 1 },
    engines: ENGINES.map((name) => engineNamed(name)),
    missing: { "leveldb-cpp": "there is no g++" },
    sizes: [{ entries: 1_000, rows, cpuRows: [] }],
  };
  for (const text of [textOf(report), markdownOf(report, "plot.svg")]) {
    assertStringIncludes(text.replaceAll("\\", ""), "999 /s*");
    assertStringIncludes(text, "1 k/s+");
    assertStringIncludes(text, "node-sqlite, fillseq, 1,000 entries: failed: it broke");
    assertStringIncludes(text, "not installed: there is no g++");
  }
  assertEquals(rows[0]!.ratio! > 1, true);
});

function runOf(engine: string, workload: string, result: Partial<Result>, round = 0): Run {
  return { engine, workload, round, outcome: measured(result) };
}

function measured(result: Partial<Result>): Outcome & { kind: "measured" } {
  const none = { user: 0, system: 0 };
  return {
    kind: "measured",
    loaded: 0,
    fewer: false,
    result: {
      operations: 1_000,
      wanted: 1_000,
      seconds: 1,
      cpu: none,
      cpuUntilClosed: none,
      peakMemoryBytes: 1,
      diskBytes: 1,
      times: undefined,
      lateMakingThreads: 0,
      verified: 0,
      ...result,
    },
  };
}
