/**
 * The rules of the source tree hold, and each rule can be broken.
 *
 * Every rule is tried first on a project of a few lines that breaks it, with no permission, then on this
 * checkout, where it may be read.
 *
 * @module
 */

import { walk } from "@std/fs";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as architecture from "./support/architecture.ts";
import { testWithProcesses, testWithSources } from "./support/permissions.ts";

const HEADER = "/**\n * One.\n * Two.\n * Three.\n */\n";
const CONFIG = {
  name: "@lsm/tree",
  exports: { ".": "./mod.ts", "./core": "./core/mod.ts" },
  imports: { "@std/fs": "jsr:@std/fs@^1", "@std/assert": "jsr:@std/assert@^1" },
  tasks: { demo: "deno run cli/demo.ts", bench: { command: "deno run -A tests/bench/quick.ts" } },
  test: { sanitizeOps: true, sanitizeResources: true },
};

interface Case {
  readonly rule: architecture.Rule;
  readonly name: string;
  /** Projects that keep the rule. */
  readonly kept: readonly Record<string, string>[];
  /** Projects that break it, each by the sentence that the rule answers with. */
  readonly broken: Readonly<Record<string, Record<string, string>>>;
}

const CASES: readonly Case[] = [
  {
    rule: architecture.importsPointDown,
    name: "imports only point down, and packages are imported where I/O is done",
    kept: [
      { "core/checksum.ts": 'import { crc32 } from "node:zlib";' },
      { "core/a.ts": 'import type { B } from "./b.ts"; export * from "../core/c.ts";' },
      { "compaction/a.ts": 'import { b } from "../core/b.ts";' },
      { "io/a.ts": 'import { b } from "../compaction/b.ts"; import "node:fs"; import "@std/fs/copy";' },
      { "mod.ts": 'export * from "./io/mod.ts"; export * from "./core/mod.ts";' },
      { "cli/a.ts": 'import { Tree } from "@lsm/tree";' },
    ],
    broken: {
      "core/a.ts imports b from ../compaction/b.ts": {
        "core/a.ts": 'import { b } from "../compaction/b.ts";',
      },
      "core/a.ts imports * from ../io/b.ts": { "core/a.ts": 'export * from "../io/b.ts";' },
      "core/a.ts imports b from ../io/b.ts": { "core/a.ts": 'export type { b } from "../io/b.ts";' },
      "core/a.ts imports * from ../mod.ts": { "core/a.ts": 'await import("../mod.ts");' },
      "core/a.ts imports * from ../io/c.ts": { "core/a.ts": 'type C = import("../io/c.ts").C;' },
      "core/a.ts imports Tree from @lsm/tree": { "core/a.ts": 'import { Tree } from "@lsm/tree";' },
      "core/a.ts imports crc32 from node:zlib": { "core/a.ts": 'import { crc32 } from "node:zlib";' },
      "core/checksum.ts imports * from node:zlib": { "core/checksum.ts": 'import z from "node:zlib";' },
      "compaction/a.ts imports b from ../io/b.ts": {
        "compaction/a.ts": 'import { b } from "../io/b.ts";',
      },
      "compaction/a.ts imports * from @std/fs": { "compaction/a.ts": 'import * as fs from "@std/fs";' },
      "io/a.ts imports b from ../mod.ts": { "io/a.ts": 'import { b } from "../mod.ts";' },
      "io/a.ts imports b from ../tests/b.ts": { "io/a.ts": 'import { b } from "../tests/b.ts";' },
      "io/a.ts imports assert from @std/assert": { "io/a.ts": 'import { assert } from "@std/assert";' },
      "io/a.ts imports * from npm:left@1": { "io/a.ts": 'import left from "npm:left@1";' },
      "cli/a.ts imports b from ../tests/b.ts": { "cli/a.ts": 'import { b } from "../tests/b.ts";' },
      "mod.ts imports b from ./cli/b.ts": { "mod.ts": 'export { b } from "./cli/b.ts";' },
    },
  },
  {
    rule: architecture.importsHaveNoCircle,
    name: "no file needs itself to be loaded",
    kept: [{ "core/a.ts": 'import "./b.ts";', "core/b.ts": 'import type { A } from "./a.ts";' }],
    broken: {
      "core/a.ts -> core/b.ts -> core/a.ts": {
        "core/a.ts": 'import "./b.ts";',
        "core/b.ts": 'export * from "./a.ts";',
      },
    },
  },
  {
    rule: architecture.pureFoldersArePure,
    name: "the pure folders see no clock, no chance and nothing outside",
    kept: [
      {
        "core/a.ts": 'const a = { process: 1 }; a.process; // Deno.open, Date.now\nconst b = "Math.random";',
      },
      { "core/a.ts": "interface A { fetch: number; crypto(): void } Math.max(1, 2);" },
      { "io/a.ts": "Date.now(); Math.random(); Deno.cwd();" },
    ],
    broken: {
      "core/a.ts uses Deno": { "core/a.ts": "type A = Deno.FileInfo;" },
      "core/b.ts uses Deno": { "core/b.ts": 'Deno["cwd"]();' },
      "core/a.ts uses Date": { "core/a.ts": "const now = new Date();" },
      "compaction/a.ts uses Date": { "compaction/a.ts": "Date.now();" },
      "core/a.ts uses Math.random": { "core/a.ts": "Math.random();" },
      "core/b.ts uses Math.random": { "core/b.ts": 'Math["random"]();' },
      "core/a.ts uses Math": { "core/a.ts": "const { random } = Math;" },
      "core/a.ts uses performance": { "core/a.ts": "performance.now();" },
      "core/a.ts uses crypto": { "core/a.ts": "const a = { crypto };" },
      "core/a.ts uses globalThis": { "core/a.ts": "globalThis.fetch;" },
      "core/a.ts uses setTimeout": { "core/a.ts": "const later = setTimeout;" },
      "core/a.ts uses import.meta.url": { "core/a.ts": "import.meta.url;" },
      "core/a.ts uses .localeCompare()": { "core/a.ts": '"a".localeCompare("b");' },
    },
  },
  {
    rule: architecture.libraryIsSilent,
    name: "the library never prints",
    kept: [{ "cli/a.ts": "console.log(1);", "io/a.ts": "// console.log(1)" }],
    broken: { "io/a.ts uses console": { "io/a.ts": "console.warn(1);" } },
  },
  {
    rule: architecture.everyFileIsUsed,
    name: "every file is used by an export, a task or a test",
    kept: [
      {
        "mod.ts": 'export * from "./io/a.ts";',
        "io/a.ts": 'new URL("./worker.ts", import.meta.url);',
        "io/worker.ts": "",
        "core/mod.ts": "",
        "cli/demo.ts": 'import "@lsm/tree";',
        "tests/bench/quick.ts": "",
        "tests/a_test.ts": 'import "./support/b.ts";',
        "tests/support/b.ts": "",
        "links/fs/deno.json": '{ "exports": "./mod.ts" }',
        "links/fs/mod.ts": "",
      },
    ],
    broken: {
      "core/a.ts is not used": {
        ...entryPoints(),
        "core/a.ts": "",
        "tests/a_test.ts": 'import "../core/a.ts";',
      },
      "tests/support/a.ts is not used": { ...entryPoints(), "tests/support/a.ts": "" },
      "deno.json names cli/demo.ts, which is not there": without(entryPoints(), "cli/demo.ts"),
      "deno.json names core/mod.ts, which is not there": without(entryPoints(), "core/mod.ts"),
    },
  },
  {
    rule: architecture.filesHaveHeaders,
    name: "every file begins by telling what it is",
    kept: [{ "core/a.ts": HEADER, "cli/a.ts": `#!/usr/bin/env deno\n${HEADER}`, "tests/a_test.ts": "" }],
    broken: {
      "core/a.ts begins with 0 lines about itself": { "core/a.ts": `export const A = 1;\n${HEADER}` },
      "core/a.ts begins with 2 lines about itself": {
        "core/a.ts": "/**\n * One.\n *\n * Two.\n *\n * @module\n */\n",
      },
    },
  },
  {
    rule: architecture.filesAreShort,
    name: "no file is longer than 500 lines",
    kept: [{ "core/a.ts": "\n".repeat(500) }],
    broken: { "core/a.ts has 501 lines": { "core/a.ts": "\n".repeat(501) } },
  },
  {
    rule: architecture.filesAreSnakeCase,
    name: "files are named in snake case",
    kept: [{ "core/a_b2.ts": "", "mod.ts": "" }],
    broken: { "core/aB.ts": { "core/aB.ts": "" }, "core/a-b.ts": { "core/a-b.ts": "" } },
  },
  {
    rule: architecture.nothingIsUnfinished,
    name: "what is shipped is finished",
    kept: [{ "core/a.ts": "/** Stubborn, and a todolist. */", "tests/a_test.ts": "// TODO" }],
    broken: {
      'core/a.ts says "TODO"': { "core/a.ts": "// TODO: more" },
      'core/a.ts says "not implemented"': { "core/a.ts": 'throw new Error("not implemented");' },
    },
  },
  {
    rule: architecture.everyTestIsSanitized,
    name: "every test runs, with sanitizers on",
    kept: [{ "tests/a_test.ts": 'Deno.test("a", () => {}); config({ ignore: true, sanitizeOps: 1 });' }],
    broken: {
      "tests/a_test.ts has its own sanitizeOps:": {
        "tests/a_test.ts": 'Deno.test({ name: "a", sanitizeOps: false, fn() {} });',
      },
      "tests/b_test.ts has its own sanitizeExit:": {
        "tests/b_test.ts": "Deno.test({ sanitizeExit: false }, function b() {});",
      },
      "tests/a_test.ts has its own ignore:": {
        "tests/a_test.ts": 'Deno.test("a", { ignore: true }, () => {});',
      },
      "tests/b_test.ts has its own ignore:": {
        "tests/b_test.ts": 'Deno.test("a", (t) => t.step({ name: "b", ignore: true, fn() {} }));',
      },
      "tests/a_test.ts has its own Deno.test.only": { "tests/a_test.ts": 'Deno.test.only("a", () => {});' },
      "deno.json does not switch on test.sanitizeOps": {
        "deno.json": '{ "test": { "sanitizeResources": true } }',
      },
      "deno.json does not switch on test.sanitizeResources": {
        "deno.json": '{ "test": { "sanitizeOps": true } }',
      },
    },
  },
  {
    rule: architecture.pureTestsNeedNothing,
    name: "the tests of the pure folders need no permission",
    kept: [{
      "tests/io/a_test.ts": 'import "../support/permissions.ts";',
      "tests/support/permissions.ts": "",
    }],
    broken: {
      "tests/core/a_test.ts has tests that need a permission": {
        "tests/core/a_test.ts": 'import "../support/b.ts";',
        "tests/support/b.ts": 'import "./permissions.ts";',
        "tests/support/permissions.ts": "",
      },
    },
  },
];

/** Read once for all rules, and only if it may be read. */
let checkout: Promise<architecture.Project> | undefined;

for (const { rule, name, kept, broken } of CASES) {
  Deno.test(`a project that breaks it is told: ${name}`, () => {
    for (const files of kept) assertEquals(rule(projectOf(files)), [], "a project that keeps the rule");
    for (const [sentence, files] of Object.entries(broken)) {
      assertEquals(rule(projectOf(files)), [sentence], "a project that breaks the rule");
    }
  });

  testWithSources(`in this checkout, ${name}`, async (folder) => {
    assertEquals(rule(await (checkout ??= checkoutOf(folder))), []);
  });
}

Deno.test("each rule has its case", () => {
  const rules = Object.values(architecture).filter((value) => value !== architecture.projectOf);
  assertEquals(new Set(CASES.map(({ rule }) => rule)), new Set(rules));
});

testWithProcesses("a test that leaks something fails, in any test file of this checkout", async (folder) => {
  const path = `${folder}/leak_test.ts`;
  const support = new URL("./support/permissions.ts", import.meta.url);
  Deno.writeTextFileSync(
    path,
    `import { openSync } from "node:fs";
     import { testWithFiles } from "${support}";
     Deno.test("timer", () => void setTimeout(() => {}, 60_000));
     Deno.test("file", () => void Deno.openSync("${path}"));
     testWithFiles("descriptor", (folder) => void openSync(folder + "/file", "w"));
     testWithFiles("worker", () => void new Worker("data:text/javascript,", { type: "module" }));`,
  );
  const config = `${import.meta.dirname}/../deno.json`;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--config", config, "--no-lock", "--no-check", "-A", path],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout);
  assert(!success);
  assertStringIncludes(said, Deno.build.os === "linux" ? "0 passed | 4 failed" : "2 passed | 2 failed");
});

function projectOf(files: Record<string, string>): architecture.Project {
  return architecture.projectOf(new Map(Object.entries({ "deno.json": JSON.stringify(CONFIG), ...files })));
}

/** The files that `CONFIG` names. */
function entryPoints(): Record<string, string> {
  return { "mod.ts": "", "core/mod.ts": "", "cli/demo.ts": "", "tests/bench/quick.ts": "" };
}

function without(files: Record<string, string>, path: string): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([name]) => name !== path));
}

async function checkoutOf(folder: string): Promise<architecture.Project> {
  const files = new Map<string, string>();
  const skip = [/\/node_modules$/, /\/\.git$/];
  for await (const { path } of walk(folder, { includeDirs: false, exts: [".ts", "deno.json"], skip })) {
    files.set(path.slice(folder.length + 1), await Deno.readTextFile(path));
  }
  assert(files.has("deno.json") && files.has("tests/architecture_test.ts"));
  return architecture.projectOf(files);
}
