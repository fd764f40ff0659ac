/**
 * Tests that need more than pure code: files, processes, the project's own sources.
 *
 * How a test file is written:
 * - What needs no permission is a plain `Deno.test("a sentence", () => ...)`. Those run under a bare `deno test`.
 * - What needs files is a `testWithFiles("a sentence", (folder) => ...)`: it gets an empty folder of its own, which is
 *   removed afterwards. What starts processes is a `testWithProcesses`, what reads this checkout a `testWithSources`.
 * - Where the permission is missing the test is not registered, nobody is asked for it, and the file ends with a
 *   line that says how many were left out. `deno task test` leaves nothing out.
 *
 * Sanitizers: `deno.json` switches on those of ops and resources, for every file and with no line in any of them;
 * `architecture_test.ts` tries with a test that leaks. They miss descriptors that were opened through `node:` and
 * Workers that still live. So the helpers look themselves, where the operating system shows them
 * (Linux, with all permissions): a descriptor on a file in the test's folder or a Worker that outlives
 * its test fails it.
 *
 * @module
 */

/** A test that is given a folder. */
export type FolderTest = (folder: string) => void | Promise<void>;

const WORKER_END_MILLISECONDS_MAX = 2_000;
const leftOut: Map<string, number> = new Map();

/**
 * Registers a test that reads and writes files.
 *
 * @param name A sentence that states the behaviour.
 * @param fn The test. Its folder is there, empty, and is removed when it ends.
 */
export function testWithFiles(name: string, fn: FolderTest): void {
  register(["read", "write"], name, () => inFolder(fn));
}

/**
 * Registers a test that reads and writes files and starts processes.
 *
 * @param name A sentence that states the behaviour.
 * @param fn The test. Its folder is there, empty, and is removed when it ends.
 */
export function testWithProcesses(name: string, fn: FolderTest): void {
  register(["read", "write", "run"], name, () => inFolder(fn));
}

/**
 * Registers a test that reads this checkout.
 *
 * @param name A sentence that states the behaviour.
 * @param fn The test. Its folder is that of the checkout.
 */
export function testWithSources(name: string, fn: FolderTest): void {
  register(["read"], name, () => fn(Deno.realPathSync(`${import.meta.dirname}/../..`)));
}

function register(
  needs: readonly Deno.PermissionDescriptor["name"][],
  name: string,
  fn: () => void | Promise<void>,
): void {
  if (needs.every(isGranted)) {
    Deno.test(name, fn);
    return;
  }
  const flags = needs.map((need) => `--allow-${need}`).join(" ");
  if (leftOut.size === 0) addEventListener("unload", sayLeftOut);
  leftOut.set(flags, (leftOut.get(flags) ?? 0) + 1);
}

function isGranted(name: Deno.PermissionDescriptor["name"]): boolean {
  return Deno.permissions.querySync({ name }).state === "granted";
}

function sayLeftOut(): void {
  for (const [flags, count] of leftOut) {
    console.log(
      `${count === 1 ? "1 test" : `${count} tests`} left out: they need ${flags}; run \`deno task test\``,
    );
  }
}

async function inFolder(fn: FolderTest): Promise<void> {
  const folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "lsm_tree_" }));
  try {
    const workersBefore = workerCount();
    await fn(folder);
    const descriptors = openBelow(folder);
    if (descriptors.length > 0) throw new Error(`Leaked descriptors: ${descriptors.join(", ")}`);
    await workersEnded(workersBefore);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The files in a folder that this process has open, by name, also if removed. */
function openBelow(folder: string): string[] {
  return seen("/proc/self/fd", (path) => Deno.readLinkSync(path)).filter((target) =>
    target.startsWith(`${folder}/`)
  );
}

/** A Worker that was told to end takes a few milliseconds for it. */
async function workersEnded(before: number): Promise<void> {
  const deadline = performance.now() + WORKER_END_MILLISECONDS_MAX;
  while (workerCount() > before) {
    if (performance.now() > deadline) throw new Error("Leaked a Worker: it outlives its test");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The Workers of this process: each is a thread named after it. */
function workerCount(): number {
  return seen("/proc/self/task", (path) => Deno.readTextFileSync(`${path}/comm`)).filter((name) =>
    name.startsWith("worker-")
  ).length;
}

/** What a look at every entry of a folder gives: nothing where it may not be seen, and none for what has gone since. */
function seen(folder: string, look: (path: string) => string): string[] {
  if (Deno.build.os !== "linux") return [];
  try {
    return [...Deno.readDirSync(folder)].flatMap(({ name }) => seenEntry(`${folder}/${name}`, look));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return []; // `/proc` is shown to those with all permissions only
    throw error;
  }
}

function seenEntry(path: string, look: (path: string) => string): string[] {
  try {
    return [look(path)];
  } catch (error) {
    // What has ended between the two looks is gone, or says that there is no such process (ESRCH).
    if (error instanceof Deno.errors.NotFound || `${error}`.includes("os error 3")) return [];
    throw error;
  }
}
