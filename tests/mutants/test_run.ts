/**
 * A run of test files in a checkout, in a process of its own, and what came of it.
 *
 * The output is read as TAP, which names each test on a line; a run ends with the first test that fails. A run that takes longer than
 * its limit is ended: a test that hangs has noticed something too. The heap is bounded, so that a mutant that collects
 * without an end does not take the machine down with it.
 *
 * @module
 */

/** What came of a run. */
export type TestRun =
  & { /** How long it took. */ readonly seconds: number }
  & (
    | { readonly kind: "passed" }
    | {
      readonly kind: "failed";
      /** The sentence of the test that failed, or how the run ended where none is named. */
      readonly test: string;
      /** What it printed. */
      readonly output: string;
    }
    | { readonly kind: "hung" }
  );

const HEAP_MEBIBYTES_MAX = 1500;

/** What is left out of a run of all tests: the mutants' own, which would find each of them, and the rules of the source text. */
const NOT_ABOUT_BEHAVIOUR = "tests/mutants,tests/architecture_test.ts";

/** Runs one test file of the checkout in `folder`, or all tests and examples with `undefined`, until the first that fails. */
export async function runTests(
  folder: string,
  file: string | undefined,
  secondsMax: number,
  interrupt?: AbortSignal,
): Promise<TestRun> {
  const begun = performance.now();
  const limit = AbortSignal.timeout(secondsMax * 1000);
  const { success, code, stdout, stderr } = await new Deno.Command(denoCommand(), {
    args: [
      "test",
      "-A",
      "--no-check",
      "--quiet",
      "--fail-fast",
      "--reporter=tap",
      `--v8-flags=--max-old-space-size=${HEAP_MEBIBYTES_MAX}`,
      ...(file === undefined ? ["--doc", `--ignore=${NOT_ABOUT_BEHAVIOUR}`] : [file]),
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: interrupt === undefined ? limit : AbortSignal.any([limit, interrupt]),
  }).output();
  interrupt?.throwIfAborted();
  const seconds = (performance.now() - begun) / 1000;
  if (success) return { kind: "passed", seconds };
  if (limit.aborted) return { kind: "hung", seconds };
  const text = new TextDecoder();
  const output = text.decode(stdout) + text.decode(stderr);
  return {
    kind: "failed",
    seconds,
    output,
    test: failedTest(output) ?? `no test: it ended with code ${code}`,
  };
}

/** Returns what is wrong with the types of a file of the checkout in `folder`, and of what it imports; `undefined` if nothing is. */
export async function typeErrors(folder: string, file: string): Promise<string | undefined> {
  const { success, stderr } = await new Deno.Command(denoCommand(), {
    args: ["check", "--quiet", file],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return success ? undefined : new TextDecoder().decode(stderr);
}

/** Returns the sentence of the first test that failed. A step of a test is indented and named before the test. */
export function failedTest(tap: string): string | undefined {
  const line = /^ *not ok \d+ - (.*)$/m.exec(tap)?.[1];
  return line?.replaceAll(/\\(.)/g, "$1");
}

/** The command that may be run: a permission for `deno` does not hold for its path. */
export function denoCommand(): string {
  const path = Deno.execPath();
  return Deno.permissions.querySync({ name: "run", command: path }).state === "granted" ? path : "deno";
}
