import { assertEquals } from "@std/assert";
import { addCounts, countsIn, failureIn, Rounds } from "./rounds.ts";

Deno.test("files take turns, each at a seed of its own and as hard as makes a round long", () => {
  const rounds = new Rounds(["a", "b"], 5, 60);
  const [first, second] = [rounds.next(), rounds.next()];
  assertEquals([first.file, first.scale, second.file, second.scale], ["a", 1, "b", 1]);
  rounds.took(first, 12);
  rounds.took(second, 0.01);
  const [third, fourth] = [rounds.next(), rounds.next()];
  assertEquals([third.file, third.scale, fourth.file, fourth.scale], ["a", 5, "b", 100]);
  assertEquals(new Set([first, second, third, fourth].map(({ seed }) => seed)).size, 4);
  rounds.took(third, 600);
  assertEquals([rounds.next().scale, rounds.count], [1, 3]);
});

Deno.test("the same seed gives the same rounds, and seeds next to each other share none", () => {
  const seedsFrom = (seed: number): number[] => {
    const rounds = new Rounds(["a"], seed, 60);
    return Array.from({ length: 1000 }, () => rounds.next().seed);
  };
  assertEquals(seedsFrom(7), seedsFrom(7));
  assertEquals(new Set([...seedsFrom(7), ...seedsFrom(8)]).size, 2000);
});

Deno.test("what was tried is added up, and what a failure was shrunk to is found", () => {
  const output = [
    "tried 3 crashes",
    "a test ... ok (1s)",
    "tried 4 crashes",
    "tried 5 flipped bits",
    "it was tried 9 times",
    "another: test (strict) ... FAILED (2s)",
    "error: Error: Property failed after 1 tests",
    '{ seed: 1, path: "0:0", endOnFailure: true }',
    'Counterexample: [{"act":"flush"},7]',
  ].join("\n");
  const sums = new Map([["crashes", 10]]);
  addCounts(sums, countsIn(output));
  assertEquals([...sums], [["crashes", 17], ["flipped bits", 5]]);
  assertEquals(failureIn(output), { test: "another: test (strict)", shrunk: '[{"act":"flush"},7]', output });
  assertEquals(failureIn("no such output").shrunk, undefined);
});
