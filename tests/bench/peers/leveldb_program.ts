/**
 * LevelDB in C++, without a binding: a small program of its own that does the same plan.
 *
 * It is built from `leveldb_program.cc` when the benchmark begins, where there are a compiler and the headers (Debian's `g++` and
 * `libleveldb-dev`). The plan goes to it as a file, so that nothing of it is written twice; what it read and what was in its store in the
 * end comes back as the same checksums.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import type { Ran, Work } from "./child.ts";

/** What the program prints. */
interface Printed {
  readonly operations: number;
  readonly seconds: number;
  readonly checksum: number;
  readonly cpu: readonly [user: number, system: number];
  readonly cpuUntilClosed: readonly [user: number, system: number];
  readonly peakMemoryBytes: number;
  readonly hash: number;
  readonly count: number;
}

const COMPILER = "g++";
const SOURCE = fileURLToPath(new URL("./leveldb_program.cc", import.meta.url));
const MODES = { operations: 0, scan: 1, open: 2 } as const;

/**
 * Builds the program.
 *
 * @param folder Where it is put.
 * @returns Its path.
 * @throws {Error} If there is no compiler, or no header, or the program is wrong; it says which.
 */
export async function buildProgram(folder: string): Promise<string> {
  const program = `${folder}/leveldb_program`;
  const args = ["-O2", "-std=c++17", "-o", program, SOURCE, "-lleveldb", "-lpthread"];
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(COMPILER, { args, stdin: "null" }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Error(`there is no ${COMPILER}`);
    throw error;
  }
  if (output.success) return program;
  const said = new TextDecoder().decode(output.stderr);
  throw new Error(
    said.includes("leveldb/") ? "there are no headers of LevelDB (libleveldb-dev)" : said.split("\n", 1)[0],
  );
}

/** Does what there is to do. */
export async function runProgram(work: Work): Promise<Ran> {
  const { task, workload, plan } = work;
  const { folder, program, secondsMax } = task;
  if (workload.measure === "timer") throw new Error("a program without an event loop has no timer");
  const planFile = `${folder}/plan`;
  const timesFile = `${folder}/times`;
  Deno.writeFileSync(planFile, planBytes(work));
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [planFile, `${folder}/leveldb`, timesFile, String(secondsMax)],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`the program failed: ${text.decode(stderr).trim()}`);
  const printed: Printed = JSON.parse(text.decode(stdout));
  const times = workload.measure === "latency"
    ? new Float64Array(Deno.readFileSync(timesFile).buffer)
    : new Float64Array();
  Deno.removeSync(planFile);
  if (times.length > 0) Deno.removeSync(timesFile);
  const { operations, seconds, checksum, peakMemoryBytes, hash, count } = printed;
  const [user, system] = printed.cpu;
  const [userUntilClosed, systemUntilClosed] = printed.cpuUntilClosed;
  return {
    operations,
    wanted: workload.kind === "scan" ? plan.loaded.length : plan.numbers.length,
    seconds,
    checksum,
    times,
    lateMakingThreads: 0,
    cpu: { user, system },
    cpuUntilClosed: { user: userUntilClosed, system: systemUntilClosed },
    peakMemoryBytes,
    content: workload.readOnly ? undefined : { hash, count },
  };
}

/** The plan as the program reads it: words, then the values, the numbers, the kinds and the details. */
function planBytes({ task, workload, plan, values }: Work): Uint8Array {
  const { kinds, numbers, details } = plan;
  const words = new Uint32Array([
    workload.kind === "scan" ? MODES.scan : workload.kind === "open" ? MODES.open : MODES.operations,
    workload.batch,
    workload.writers,
    Number(workload.durable),
    Number(workload.reverse),
    Number(workload.measure === "latency"),
    Number(workload.onto === "loaded"),
    Number(workload.readOnly),
    task.valueBytes,
    values.pool.length,
    numbers.length,
    kinds.length,
    details.length,
  ]);
  const parts = [words, values.pool, numbers, kinds, details];
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}
