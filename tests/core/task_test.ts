import { assertEquals } from "@std/assert";
import { outputsNeeded, taskInputs } from "../../core/task.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";

Deno.test("ids are reserved for a cut for each target size and one for each input", () => {
  assertEquals(outputsNeeded(0, 1024, 1), 1);
  assertEquals(outputsNeeded(1, 1024, 1), 2);
  assertEquals(outputsNeeded(1024, 1024, 3), 4);
  assertEquals(outputsNeeded(1025, 1024, 3), 5);
  assertEquals(outputsNeeded(2 ** 45, 2 ** 26, 2), 2 ** 19 + 2);
});

Deno.test("a flush reads no segment, a merge all of its runs'", () => {
  const tree = new PureTree(SMALL).put(["a", "1"]).seal();
  const [flush] = tree.state.inFlight;
  assertEquals([flush!.kind, taskInputs(flush!)], ["flush", []]);
  tree.settle().put(["b", "2"]).seal().settle();
  const ids = tree.state.version.runs.flatMap((run) => run.segments.map((segment) => segment.id));
  tree.choose({ kind: "merge", segments: [...ids].reverse(), destLevel: 1, targetSize: 1024 });
  assertEquals(taskInputs(tree.state.inFlight[0]!), ids);
});
