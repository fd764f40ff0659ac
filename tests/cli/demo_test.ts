/**
 * The demo, as a user starts it: by its task, with the permissions that the task gives.
 *
 * Its steps check what they claim, and the demo ends with 1 where one does not hold. So this looks at the exit code, at
 * the lines that tell of the steps, and at what is left in the folders.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { testWithProcesses } from "../support/permissions.ts";

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

testWithProcesses("the demo does what it tells, in 80 columns, and leaves nothing behind", async (folder) => {
  const { code, output, errors } = await demo(folder);
  assertEquals(code, 0, errors);
  for (const line of LINES) assertMatch(output, line);
  assertEquals(output.split("\n").filter((line) => line.length > 80 && !line.includes(folder)), []);
  assert(!output.includes("\x1b"), "no colours and no progress bar where there is no terminal");
  assertEquals(names(folder), []);
});

testWithProcesses("the demo keeps its hands off a folder that holds something else", async (folder) => {
  const other = `${folder}/other`;
  Deno.mkdirSync(other);
  Deno.writeTextFileSync(`${other}/letter`, "Dear Ada");
  const { code, output, errors } = await demo(folder, other);
  assertEquals(code, 1);
  assertEquals(output, "");
  assertStringIncludes(errors, "The demo needs a folder that is empty, or none.");
  assertEquals(names(other), ["letter"]);
  assertEquals(Deno.readTextFileSync(`${other}/letter`), "Dear Ada");
});

const LINES: readonly RegExp[] = [
  /^171,075 cities of the world, from GeoNames \(geonames\.org\), CC BY 4\.0$/m,
  /^Load: one insert for each city \.+ \d+\.\d+ m?s$/m,
  /^ {2}8,941 keys begin with "FR\/"; the first that begin with "FR\/Lyon":$/m,
  /^ {4}Tokuyama +34\.05 +131\.81667$/m,
  /^ {2}cities of Iceland removed: the tree has 0, the snapshot has 35$/m,
  /^ {2}a batch of 35 inserts, all or nothing: the tree has 35$/m,
  /^ {2}from nothing to "Ada": done; from nothing to "Bob": refused, it is "Ada"$/m,
  /^ {2}write amplification {4}[1-9]\.\d\d$/m,
  /^Crash: another process writes, and is killed \(SIGKILL\) \.+ \d+\.\d+ m?s$/m,
  /^Recovery: open the tree again \.+ \d+\.\d+ m?s$/m,
  /^ {2}acknowledged [\d,]+ batches, found [\d,]+: all whole, none missing between$/m,
  /^ {2}all 171,075 cities are there$/m,
  /^ +level +segments +bytes +entries +tombstones$/m,
  /^Removed .+lsm_tree_demo_/m,
];

/** Runs the demo with `temporary` as the place for temporary files. */
async function demo(temporary: string, ...args: readonly string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "demo", ...args],
    cwd: `${import.meta.dirname}/../..`,
    env: { TMPDIR: temporary, TMP: temporary, TEMP: temporary },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, output: text.decode(stdout), errors: text.decode(stderr) };
}

function names(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}
