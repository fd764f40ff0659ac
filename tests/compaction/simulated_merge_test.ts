import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { KeyStretch } from "../../compaction/key_shares.ts";
import { Random } from "../../compaction/random.ts";
import { mergeShares } from "../../compaction/simulated_merge.ts";
import type { SimulatedSegment } from "../../compaction/simulated_segment.ts";

const SIZES = {
  keyBytes: 16,
  valueBytes: 84,
  sharedKeyBytes: 0,
  blockSize: 4096,
  filterBitsPerKey: 10,
};
const EVEN = { bands: [1], isOnce: false };

function stretch(from: number, to: number, put: number, tombstones = 0, ghosts = 0): KeyStretch {
  return { from, to, shares: { puts: [put], tombstones, ghosts } };
}

function merged(
  runs: readonly (readonly KeyStretch[])[],
  { targetSize = 1e9, isCovered = false } = {},
): readonly SimulatedSegment[] {
  let id = 0;
  const origin = { seqnoMin: 1, seqnoMax: 2, writtenAt: 3 };
  const input = { runs, targetSize, origin, isCovered: () => isCovered, nextId: () => ++id };
  return mergeShares(input, EVEN, SIZES, new Random(1));
}

Deno.test("a merge has what both have, and once what both share", () => {
  const [only, ...others] = merged([[stretch(0, 1000, 0.5)], [stretch(0, 500, 0.5), stretch(500, 1000, 0)]]);
  assertEquals(others, []);
  assertEquals([only!.id, only!.from, only!.to, only!.entries, only!.tombstones], [1, 0, 1000, 625, 0]);
  assertEquals([only!.seqnoMin, only!.seqnoMax, only!.writtenAt], [1, 2, 3]);
  assertAlmostEquals(only!.size, 625 * 102, 625 * 2);
});

Deno.test("what only removed in vain takes no place, and nothing comes of nothing", () => {
  const [only] = merged([[], [stretch(0, 100, 0, 0, 0.5), stretch(100, 200, 1)]], { isCovered: true });
  assertEquals([only!.from, only!.to, only!.entries], [100, 200, 100]);
  assertEquals(merged([]), []);
  assertEquals(merged([[stretch(0, 100, 0, 0, 1)]]), []);
});

Deno.test("tombstones stay as long as something older may have the key", () => {
  const runs = [[stretch(0, 1000, 0.25, 0.5, 0.1)]];
  const [covered] = merged(runs, { isCovered: true });
  assertEquals([covered!.entries, covered!.tombstones], [750, 500]);
  const [bare] = merged(runs);
  assertEquals([bare!.entries, bare!.tombstones], [250, 0]);
});

Deno.test("outputs are cut at the target size, where chance has it", () => {
  const outputs = merged([[stretch(0, 100_000, 0.5)]], { targetSize: 500_000 });
  assert(outputs.length >= 10 && outputs.length <= 12, `${outputs.length}`);
  for (const [i, output] of outputs.slice(0, -1).entries()) {
    assertEquals(output.to, outputs[i + 1]!.from);
    assertAlmostEquals(output.size, 505_000, 25_000);
  }
  assertEquals(new Set(outputs.slice(0, -1).map(({ from, to }) => to - from)).size > 3, true);
  assertAlmostEquals(outputs.reduce((sum, { entries }) => sum + entries, 0), 50_000, 10);
});
