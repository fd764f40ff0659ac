import { assertEquals } from "@std/assert";
import { settle } from "../../compaction/inline_order.ts";

Deno.test("what is asked and done when: a trace", () => {
  // Three merges and a move, one after the other, where each but the last leaves something to be wanted.
  assertEquals(trace("flush", ["merge 1", "merge 2", "move 3", undefined, "merge 4", undefined]), [
    "run flush",
    "commit flush",
    "choose merge 1",
    "run merge 1",
    "choose merge 2",
    "run merge 2",
    "choose move 3",
    "choose nothing",
    "commit merge 1",
    "choose merge 4",
    "run merge 4",
    "choose nothing",
    "commit merge 2",
    "choose nothing",
    "commit move 3",
    "choose nothing",
    "commit merge 4",
    "choose nothing",
  ]);
});

Deno.test("without a flush the strategy is asked all the same, as on a tick", () => {
  assertEquals(trace(undefined, ["drop 1", undefined]), [
    "choose drop 1",
    "choose nothing",
    "commit drop 1",
    "choose nothing",
  ]);
  assertEquals(trace(undefined, []), ["choose nothing"]);
});

function trace(flush: string | undefined, wanted: readonly (string | undefined)[]): string[] {
  const done: string[] = [];
  const left = [...wanted];
  settle({
    choose: () => {
      const choice = left.shift();
      done.push(`choose ${choice ?? "nothing"}`);
      return choice;
    },
    isTask: (change) => change.startsWith("merge") || change === "flush",
    run: (change) => done.push(`run ${change}`),
    commit: (change) => done.push(`commit ${change}`),
  }, flush);
  return done;
}
