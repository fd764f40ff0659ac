/**
 * Processes of the benchmark: one measures, one fails, one is interrupted.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { testWithProcesses } from "../../support/permissions.ts";
import { Processes, type Settings } from "./processes.ts";
import { workloadNamed } from "./workloads.ts";

const SETTINGS: Settings = {
  entries: 500,
  valueBytes: 100,
  seed: 1,
  secondsMax: 30,
  restMs: 10,
  program: "there is no such program",
};

testWithProcesses(
  "a process loads, another one reads what it loaded, and only that stays",
  async (folder) => {
    const processes = new Processes(folder, SETTINGS, new AbortController().signal);
    for (const workload of ["readrandom", "overwrite", "readseq"]) {
      const outcome = await processes.measure("node-sqlite", workloadNamed(workload), () => {});
      assert(outcome.kind === "measured", JSON.stringify(outcome));
      assertEquals([outcome.loaded, outcome.fewer, outcome.result.operations], [500, false, 500]);
      assert(outcome.result.peakMemoryBytes > 0 && outcome.result.seconds > 0);
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["loaded node-sqlite"]);
  },
);

testWithProcesses("an engine that is not there says why", async (folder) => {
  const processes = new Processes(folder, SETTINGS, new AbortController().signal);
  const why = await processes.probe("leveldb-cpp");
  assert(why !== undefined && why.includes("NotFound"), why);
  assertEquals(await processes.probe("node-sqlite"), undefined);
  assertEquals([...Deno.readDirSync(folder)], []);
});

testWithProcesses("an interrupt ends the process that runs, and its folder is gone", async (folder) => {
  const interrupt = new AbortController();
  const entries = 10_000_000;
  const processes = new Processes(folder, { ...SETTINGS, entries }, interrupt.signal);
  const running = processes.measure("node-sqlite", workloadNamed("fillseq"), () => {});
  setTimeout(() => interrupt.abort(), 200);
  const begun = performance.now();
  await assertRejects(() => running, DOMException, "abort");
  assert(performance.now() - begun < 20_000);
  assertEquals([...Deno.readDirSync(folder)], []);
});
