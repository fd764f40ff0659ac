/** The list of mutants fits the sources as they are, the hunt tells the killed from the living, and its result is a table. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { testWithProcesses, testWithSources } from "../support/permissions.ts";
import { copyCheckout } from "./copies.ts";
import type { HuntOptions } from "./hunt.ts";
import { hunt } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";
import { mutated } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { cellOf, resultText, rowsOf } from "./result.ts";
import { failedTest } from "./test_run.ts";

const ONE: Mutant = {
  name: "one is two",
  file: "one.ts",
  find: "= 1",
  replace: "= 2",
  like: "nothing | nobody",
  killedBy: ["other_test.ts", "one_test.ts"],
};

testWithSources("each mutant finds its text once, and each file that it names is there", (root) => {
  const texts = new Map<string, string>();
  for (const mutant of MUTANTS) {
    const { file, killedBy, name } = mutant;
    if (!texts.has(file)) texts.set(file, Deno.readTextFileSync(`${root}/${file}`));
    mutated(texts.get(file)!, mutant);
    assert(killedBy.length > 0, name);
    for (const test of killedBy) assert(Deno.statSync(`${root}/${test}`).isFile, test);
  }
});

testWithSources("the result has a row for each mutant and for no other, and none of them lives", (root) => {
  const rows = rowsOf(Deno.readTextFileSync(`${root}/tests/mutants/RESULT.md`));
  assertEquals([...rows.keys()].sort(), MUTANTS.map(({ name }) => cellOf(name)).sort());
  assertEquals([...rows.values()].filter((row) => row[2] === "LIVES"), []);
});

Deno.test("each mutant has a name of its own, and changes what is shipped", () => {
  const names = MUTANTS.map(({ name }) => name);
  assertEquals(new Set(names.map(cellOf)).size, names.length);
  for (const { file, killedBy } of MUTANTS) {
    assert(/^(core|compaction|io)\//.test(file), file);
    for (const test of killedBy) assert(/^tests\/.*_test\.ts$/.test(test), test);
  }
});

Deno.test("a mutant changes the one place that has its text", () => {
  assertEquals(mutated("const one = 1;", ONE), "const one = 2;");
  assertEquals(mutated("a $& = 1", { ...ONE, replace: "$&" }), "a $& $&");
  assertThrows(() => mutated("const one = 3;", ONE), RangeError, 'does not have the text "= 1"');
  assertThrows(() => mutated("a = 1, b = 1", ONE), RangeError, "several times");
  assertThrows(() => mutated("a = 1", { ...ONE, replace: ONE.find }), RangeError, "it changes nothing");
});

testWithProcesses(
  "a mutant that a test notices is killed, another one lives, and the sources stay",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/deno.json`, "{}");
    Deno.writeTextFileSync(
      `${folder}/one.ts`,
      "export const one: number = 1;\nexport const two: number = 2;\n",
    );
    Deno.writeTextFileSync(`${folder}/other_test.ts`, 'Deno.test("nothing", () => {});\n');
    Deno.writeTextFileSync(
      `${folder}/one_test.ts`,
      'import { one } from "./one.ts";\nDeno.test("one: is one", () => { if (one !== 1) throw new Error(); });\n',
    );
    const lines: string[] = [];
    const options: HuntOptions = {
      jobs: 1,
      allTests: false,
      say: (line) => lines.push(line),
    };
    const living = { ...ONE, name: "two is three", find: "= 2", replace: "= 3" };
    const fates = await hunt(folder, [ONE, living], options);
    assertEquals(fates.map(({ killed }) => killed), [
      { file: "one_test.ts", test: "one: is one" },
      undefined,
    ]);
    assertEquals(lines.length, 4); // two test files without any mutant, two mutants
    assertEquals(Deno.readTextFileSync(`${folder}/one.ts`).includes("= 1"), true);

    Deno.writeTextFileSync(
      `${folder}/other_test.ts`,
      'Deno.test("nothing", () => { throw new Error(); });\n',
    );
    await assertRejects(() => hunt(folder, [ONE], options), Error, '"nothing" fails without any');
  },
);

testWithProcesses("a copy has all that is part of the checkout", async (folder) => {
  for (const path of [".git", "links/fs", "coverage", "node_modules/a"]) {
    Deno.mkdirSync(`${folder}/${path}`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/${path}/file`, path);
  }
  const copy = await copyCheckout(folder);
  assertEquals([...Deno.readDirSync(copy)].map(({ name }) => name), ["links"]);
  assertEquals(Deno.readTextFileSync(`${copy}/links/fs/file`), "links/fs");
  Deno.removeSync(copy, { recursive: true });
});

Deno.test("the test that failed is found in what a run prints", () => {
  assertEquals(failedTest("ok 1 - a\nnot ok 2 - b \\# c\n  ---\n"), "b # c");
  assertEquals(failedTest("# Subtest: a\n    not ok 1 - step\nnot ok 1 - a\n"), "step");
  assertEquals(failedTest("1..0\n"), undefined);
});

Deno.test("a hunt of some replaces their rows of the table, and keeps the others", () => {
  const other = { ...ONE, name: "two is three" };
  const fates = [ONE, other].map((mutant) => ({ mutant, killed: { file: "t", test: "a" }, seconds: 1.23 }));
  const names = [ONE.name, other.name];
  const first = resultText("", fates, names, "2000-01-01", "2.9.6");
  assertEquals(rowsOf(first).get("one is two"), [
    ...["one is two", "nothing / nobody", "a", "t", "1.2", "2000-01-01", "2.9.6"],
  ]);
  const second = resultText(
    first,
    [{ mutant: other, killed: undefined, seconds: 1 }],
    names,
    "2001-01-01",
    "3",
  );
  assertEquals([...rowsOf(second).values()].map((row) => [row[2], row[5]]), [
    ["a", "2000-01-01"],
    ["LIVES", "2001-01-01"],
  ]);
  assert(second.includes("1 of 2 killed."));
  assertEquals([...rowsOf(resultText(second, [], [ONE.name], "2002-01-01", "4")).keys()], [ONE.name]);
});
