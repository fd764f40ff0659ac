import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Load, LoadStep } from "../../compaction/load.ts";
import { loadOf } from "../../compaction/load.ts";
import { putShareOf } from "../../compaction/key_shares.ts";
import { Random } from "../../compaction/random.ts";
import type { Workload } from "../../compaction/workload.ts";

const OPTIONS = { maxMemtableSize: 155 * 1_000, blockSize: 4096, filterBitsPerKey: 10 };
const KEYS = 5_000;

Deno.test("a memtable is full when its journal is", () => {
  // A record of a put with 116 bytes has 155: a thousand of them.
  const load = loaded({ kind: "uniform", keys: KEYS, operations: 3_999, entryBytes: 116 });
  assertEquals(steps(load).map(({ operations }) => operations), [1_000, 1_000, 1_000]);
  assertEquals([load.flushes, load.userBytes, load.operations], [3, 3_999 * 116, 3_999]);
  assertEquals(steps(load).map(({ time }) => time), [10, 20, 30]);
  assertEquals(loaded({ kind: "uniform", keys: 9, operations: 9, entryBytes: 1 }).sizes.keyBytes, 1);
});

Deno.test("random writes reach as many keys as counting finds", () => {
  const load = loaded({ kind: "uniform", keys: KEYS, operations: 4_000, entryBytes: 116 });
  const random = new Random(1);
  const seen = new Set(Array.from({ length: 1_000 }, () => Math.floor(random.next() * KEYS)));
  assertAlmostEquals(entriesOf(load, steps(load)[0]!), seen.size, 40);
});

Deno.test("skewed writes reach as many keys as counting finds", () => {
  for (const skew of [0.5, 0.99, 1, 1.4]) {
    const load = loaded({ kind: "zipfian", keys: KEYS, operations: 4_000, entryBytes: 116, skew });
    const chances = Array.from({ length: KEYS }, (_, i) => (i + 1) ** -skew);
    const all = chances.reduce((a, b) => a + b);
    const expected = chances.reduce((sum, chance) => sum + 1 - (1 - chance / all) ** 1_000, 0);
    assertAlmostEquals(entriesOf(load, steps(load)[0]!), expected, expected / 50, `skew ${skew}`);
    assertAlmostEquals(load.bands.reduce((a, b) => a + b), 1, 1e-9);
    assertAlmostEquals(load.reads.reduce((a, b) => a + b), 1, 1e-9);
  }
  const few = loaded({ kind: "zipfian", keys: 1, operations: 2_000, entryBytes: 116 });
  assertEquals(entriesOf(few, steps(few)[0]!), 1);
});

Deno.test("loads in order write each key once, then begin anew", () => {
  const load = loaded({ kind: "sequential", keys: 2_500, operations: 4_000, entryBytes: 116 });
  assertEquals(steps(load).map(rangesOf), [
    [[0, 1_000, 1]],
    [[1_000, 2_000, 1]],
    [[0, 500, 1], [2_000, 2_500, 1]],
    [[500, 1_500, 1]],
  ]);
  assertEquals([load.keysAfter(700), load.keysAfter(9_000)], [700, 2_500]);
  const tiny = loaded({ kind: "sequential", keys: 10, operations: 1_000, entryBytes: 116 });
  assertEquals(steps(tiny).map(rangesOf), [[[0, 10, 1]]]);
  const late = loaded({
    kind: "timeOrdered",
    keys: 9_000,
    operations: 3_000,
    entryBytes: 116,
    disorder: 250,
  });
  assertEquals(steps(late).map(rangesOf), [
    [[0, 1_250, 0.8]],
    [[750, 2_250, 1_000 / 1_500]],
    [[1_750, 3_250, 1_000 / 1_500]],
  ]);
  const usual = loaded({ kind: "timeOrdered", keys: 9_000, operations: 1_000, entryBytes: 116 });
  assertEquals(steps(usual).map(rangesOf), [[[0, 2_000, 0.5]]]);
});

Deno.test("puts and removes leave the entries that counting finds", () => {
  const removes = 0.3;
  const given: Workload = { kind: "deleteHeavy", keys: KEYS, operations: 60_000, entryBytes: 116, removes };
  const load = loaded(given);
  const random = new Random(9);
  const live = new Set<number>();
  const flushes = steps(load);
  for (const [i, { operations, stretches }] of flushes.entries()) {
    const memtable = new Map<number, "put" | "remove">();
    for (let n = 0; n < operations; n++) {
      if (random.next() < removes && live.size > 0) {
        const key = [...live][Math.floor(random.next() * live.size)]!;
        live.delete(key);
        memtable.set(key, "remove");
      } else {
        const key = Math.floor(random.next() * KEYS);
        live.add(key);
        memtable.set(key, "put");
      }
    }
    const puts = [...memtable.values()].filter((kind) => kind === "put").length;
    const [{ shares }] = stretches as [LoadStep["stretches"][0]];
    assertAlmostEquals(shares.puts[0]! * KEYS, puts, 60, `puts of flush ${i}`);
    assertAlmostEquals(shares.tombstones * KEYS, memtable.size - puts, 60, `removes of flush ${i}`);
  }
  assert(flushes.length > 40 && live.size < KEYS * 0.62);
});

function loaded(workload: Workload): Load {
  return loadOf(workload, OPTIONS);
}

function steps(load: Load): LoadStep[] {
  return [...load.steps()];
}

function entriesOf(load: Load, { stretches }: LoadStep): number {
  return stretches.reduce((sum, { from, to, shares }) => sum + (to - from) * putShareOf(shares, load), 0);
}

function rangesOf({ stretches }: LoadStep): number[][] {
  return stretches.map(({ from, to, shares }) => [from, to, shares.puts[0]!]);
}
