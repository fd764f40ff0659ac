import { assertAlmostEquals, assertEquals } from "@std/assert";
import { amplificationOf } from "../../compaction/amplification.ts";
import { loadOf } from "../../compaction/load.ts";
import { Random } from "../../compaction/random.ts";
import { SimulatedSegment } from "../../compaction/simulated_segment.ts";
import { SimulatedTree } from "../../compaction/simulated_tree.ts";
import type { Workload } from "../../compaction/workload.ts";

const OPTIONS = { maxMemtableSize: 1 << 20, blockSize: 4096, filterBitsPerKey: 10 };
const UNIFORM: Workload = { kind: "uniform", keys: 1_000, operations: 1_000, entryBytes: 100 };

Deno.test("a read considers what is newer and covers the key, and what has it", () => {
  // Each of two flushes has half of the keys: one in three of the keys that are there is only in the older one.
  assertAmplification([[0, 1_000, 0.5], [0, 1_000, 0.5]], 4 / 3, 2_000 / 75_000);
  // All keys are in the newer one, or each in one of two.
  assertAmplification([[0, 1_000, 1], [0, 1_000, 1]], 1, 2_000 / 100_000);
  assertAmplification([[0, 500, 1], [500, 1_000, 1]], 1, 2_000 / 100_000);
});

Deno.test("the runs of lower levels come after, one segment of each", () => {
  const tree = new SimulatedTree(3);
  tree.flush([segmentOf(1, 0, 1_000, 0.5).at(0)]);
  const lower = [[2, 0, 300], [3, 300, 1_000]].map(([id, from, to]) => segmentOf(id!, from!, to!, 1));
  tree.flush(lower.map((segment) => segment.at(0)));
  tree.change(lower.map((segment) => tree.get(segment.id)!), {
    level: 2,
    segments: lower.map((segment) => segment.at(2)),
  });
  const { read, space } = amplificationOf(tree, loadOf(UNIFORM, OPTIONS), 1_000, new Random(1));
  assertAlmostEquals(read, 1.5, 0.01);
  assertAlmostEquals(space, 3_000 / 100_000, 1e-4);
});

Deno.test("removed keys are not there", () => {
  const tree = new SimulatedTree(3);
  tree.flush([segmentOf(1, 0, 1_000, 1).at(0)]);
  tree.flush([segmentOf(2, 0, 1_000, 0, 0.4).at(0)]);
  const load = loadOf({ ...UNIFORM, kind: "deleteHeavy" }, OPTIONS);
  const { read, space } = amplificationOf(tree, load, 1_000, new Random(1));
  assertAlmostEquals(read, 2, 1e-9);
  assertAlmostEquals(space, 2_000 / 60_000, 1e-9);
});

Deno.test("where keys come once, what one segment does not have another has, and an empty tree has nothing", () => {
  const load = loadOf({ ...UNIFORM, kind: "sequential" }, OPTIONS);
  const tree = new SimulatedTree(3);
  assertEquals(amplificationOf(tree, load, 1_000, new Random(1)), { read: 0, space: 0 });
  tree.flush([segmentOf(1, 0, 1_000, 0.75).at(0)]);
  tree.flush([segmentOf(2, 0, 1_000, 0.75).at(0)]);
  const { read, space } = amplificationOf(tree, load, 1_000, new Random(1));
  assertAlmostEquals(read, 1.25, 1e-9);
  assertAlmostEquals(space, 2_000 / 100_000, 1e-9);
});

function assertAmplification(newestFirst: readonly number[][], read: number, space: number): void {
  const tree = new SimulatedTree(3);
  for (const [i, [from, to, share]] of newestFirst.toReversed().entries()) {
    tree.flush([segmentOf(i + 1, from!, to!, share!).at(0)]);
  }
  const found = amplificationOf(tree, loadOf(UNIFORM, OPTIONS), 1_000, new Random(1));
  assertAlmostEquals(found.read, read, 0.01);
  assertAlmostEquals(found.space, space, 1e-4);
}

function segmentOf(id: number, from: number, to: number, put: number, removed = 0): SimulatedSegment {
  const shares = { puts: [put], tombstones: removed, ghosts: 0 };
  const origin = { seqnoMin: id, seqnoMax: id, writtenAt: id };
  return new SimulatedSegment(id, 1_000, { from, to, shares }, to - from, 0, origin);
}
