/**
 * The benchmark measures what it says: the tree, and a peer that needs no installing, do every workload, and an engine that does not do
 * its work fails.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { testWithFiles } from "../../support/permissions.ts";
import { runTask, runWith } from "./child.ts";
import type { Engine, Open } from "./engine.ts";
import { engineNamed, ENGINES } from "./engines.ts";
import { openSqlite } from "./sqlite_engine.ts";
import type { Task } from "./task.ts";
import { LOAD, workloadNamed, WORKLOADS } from "./workloads.ts";

const ENTRIES = 2_000;

/** What an engine must not get away with, by the workload in which it does it. */
const CHEATS: Readonly<Record<string, (engine: Engine) => Partial<Engine>>> = {
  fillseq: (engine) => ({ put: every(1_000, (key, value) => engine.put(key, value)) }),
  fillbatch: (engine) => ({ putMany: (keys, values) => engine.putMany(keys.slice(1), values.slice(1)) }),
  overwrite: (engine) => ({ put: every(1_000, (key, value) => engine.put(key, value)) }),
  readrandom: (engine) => ({ get: every(1_000, (key) => engine.get(key)) }),
  readmissing: (engine) => ({ get: (key) => engine.get(key) ?? new Uint8Array(100) }),
  readseq: (engine) => ({ scan: (_, visit) => engine.scan(false, every(1_000, visit)) }),
  readreverse: (engine) => ({ scan: (_, visit) => engine.scan(false, visit) }),
  seekrandom: (engine) => ({ seek: (key, count, visit) => engine.seek(key, count - 1, visit) }),
  "ycsb-f": (engine) => ({ put: every(100, (key, value) => engine.put(key, value)) }),
  open: () => ({ get: () => undefined }),
};

for (const name of ["tree", "node-sqlite"]) {
  testWithFiles(`${name} does every workload, and what it did is verified`, async (folder) => {
    for (const { name: workload, onto, readOnly, share, measure } of [LOAD, ...WORKLOADS]) {
      const place = `${folder}/${workload}`;
      Deno.mkdirSync(place);
      if (onto === "loaded") await runTask(taskOf(name, LOAD.name, place), () => {});
      const result = await runTask(taskOf(name, workload, place), () => {});
      const { operations, wanted, verified, times, diskBytes } = result;
      assertEquals(operations, wanted, workload);
      assertEquals(operations, measure === "once" ? 1 : Math.round(ENTRIES * share), workload);
      assert(readOnly ? verified === 0 : verified >= (onto === "loaded" ? ENTRIES : operations), workload);
      if (measure === "latency") assertEquals(times?.count, ENTRIES);
      assert(diskBytes > 0, workload);
    }
  });
}

for (const [workload, cheat] of Object.entries(CHEATS)) {
  testWithFiles(`an engine that cheats in ${workload} is found out`, async (folder) => {
    if (workloadNamed(workload).onto === "loaded") {
      await runTask(taskOf("node-sqlite", LOAD.name, folder), () => {});
    }
    const cheating: Open = async (opening) => {
      const engine = await openSqlite(opening);
      return { ...methodsOf(engine), ...cheat(engine) };
    };
    const task = taskOf("node-sqlite", workload, folder);
    await assertRejects(() => runWith(cheating, task, () => {}), Error, `${workload}: `);
  });
}

testWithFiles("a loop that takes too long is ended; what it did until then is verified", async (folder) => {
  const slow: Open = async (opening) => {
    const methods = methodsOf(await openSqlite(opening));
    const put: Engine["put"] = async (key, value) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      await methods.put(key, value);
    };
    return { ...methods, put };
  };
  const task = { ...taskOf("node-sqlite", "fillrandom", folder), secondsMax: 0.05 };
  const { operations, wanted, verified } = await runWith(slow, task, () => {});
  assert(operations < wanted);
  assertEquals(verified, operations);
});

Deno.test("engines and workloads have names of their own", () => {
  assertEquals(new Set(ENGINES.map(({ name }) => name)).size, ENGINES.length);
  assertEquals(new Set([LOAD, ...WORKLOADS].map(({ name }) => name)).size, WORKLOADS.length + 1);
  for (const { name } of ENGINES) assertEquals(engineNamed(name).name, name);
});

function taskOf(engine: string, workload: string, folder: string): Task {
  return {
    engine,
    workload,
    folder,
    entries: ENTRIES,
    loaded: ENTRIES,
    valueBytes: 100,
    seed: 1,
    secondsMax: 60,
    restMs: 0,
    program: "",
  };
}

/** The methods of an engine, of which some can be replaced. */
function methodsOf(engine: Engine): Engine {
  return {
    put: (key, value) => engine.put(key, value),
    putMany: (keys, values) => engine.putMany(keys, values),
    get: (key) => engine.get(key),
    scan: (reverse, visit) => engine.scan(reverse, visit),
    seek: (key, count, visit) => engine.seek(key, count, visit),
    close: () => engine.close(),
  };
}

/** Does something, but for every so manyth time. */
function every<A extends readonly unknown[], R>(
  count: number,
  action: (...args: A) => R,
): (...args: A) => R | undefined {
  let calls = 0;
  return (...args) => {
    calls += 1;
    return calls % count === 0 ? undefined : action(...args);
  };
}
