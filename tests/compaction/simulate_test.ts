import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { fifo } from "../../compaction/fifo.ts";
import { lazyLeveled } from "../../compaction/lazy_leveled.ts";
import { leveled } from "../../compaction/leveled.ts";
import { compare } from "../../compaction/compare.ts";
import type { SimulationReport } from "../../compaction/report.ts";
import type { SimulationOptions } from "../../compaction/simulate.ts";
import { simulate } from "../../compaction/simulate.ts";
import { sizeTiered } from "../../compaction/size_tiered.ts";
import type { CompactionStrategy } from "../../compaction/strategy.ts";
import type { Workload } from "../../compaction/workload.ts";
import type { CompactionChoice } from "../../core/choice.ts";
import { SMALL, UNIFORM, writtenBy } from "../support/simulated_trees.ts";

const GB = 1e9;

Deno.test("the same options give the same report, and another seed another one", () => {
  const options: SimulationOptions = {
    strategy: leveled({ targetSize: 1 << 20 }),
    workload: UNIFORM,
    config: SMALL,
  };
  const [one, again, other] = [simulate(options), simulate(options), simulate({ ...options, seed: 2 })];
  assertEquals(one, again);
  assert(`${one.levels}` === `${again.levels}` && `${one.levels}` !== `${other.levels}`);
  assertAlmostEquals(one.writeAmplification, other.writeAmplification, one.writeAmplification / 20);
});

Deno.test("decisions, bytes and shapes of a report fit together", () => {
  for (const strategy of [leveled(), sizeTiered(), lazyLeveled(), fifo({ limit: 2e7 })]) {
    const report = simulate({ strategy, workload: UNIFORM, config: SMALL });
    const { written, history, levels, compactions } = report;
    assertEquals(report.strategy, strategy.name);
    assertEquals(writtenBy(report), written.flushes + written.compactions);
    assertEquals(written.user, 5_000_000 * 116);
    assertEquals(report.writeAmplification, (written.flushes + written.compactions) / written.user);
    const last = history.at(-1)!;
    assertEquals(last.levelSegments, levels.levels.map((level) => level.length));
    assertEquals(
      last.levelBytes,
      levels.levels.map((level) => level.reduce((sum, { size }) => sum + size, 0)),
    );
    assert(history.length <= 200 && last.operations <= 5_000_000);
    assert(history.every(({ operations }, i) => i === 0 || operations > history[i - 1]!.operations));
    assert(compactions.every(({ choice, reason }) => reason !== "" && reason === choice.reason));
    assert(compactions.every(({ choice, outputBytes }) => (choice.kind === "merge") === (outputBytes > 0)));
    const shapes = levels.levels.flat();
    assertEquals(new Set(shapes.map(({ id }) => id)).size, shapes.length);
  }
});

Deno.test("leveled compaction writes an update ratio times for each level at worst, and about half of that", () => {
  // The level above the last is full, and what is in the last one is rewritten by the ratio of the two.
  const config = { maxMemtableSize: 16 * 1024 ** 2 };
  const levelsUsed = ({ levels }: SimulationReport): number =>
    levels.levels.findLastIndex((segments) => segments.length > 0);
  for (const [keys, least, most] of [[1e8, 0.35, 0.75], [1e9, 0.35, 0.75]] as const) {
    const report = simulate({
      strategy: leveled(),
      workload: { kind: "uniform", keys, operations: 3 * keys, entryBytes: 100 },
      config,
    });
    const worst = 10 * levelsUsed(report);
    const part = report.writeAmplification / worst;
    assert(part > least && part < most, `${keys} keys: ${report.writeAmplification} of ${worst}`);
  }
});

Deno.test("size-tiered compaction writes a byte once for each level, log of the flushes to the threshold", () => {
  for (const [operations, minThreshold] of [[1e8, 4], [1e9, 4], [1e9, 8], [1e9, 2]] as const) {
    const { writeAmplification, flushes } = simulate({
      strategy: sizeTiered({ minThreshold }),
      workload: { kind: "uniform", keys: 1e12, operations, entryBytes: 100 },
      config: { levelCount: 30 },
    });
    // Nothing is overwritten, and each of the levels in use has been written to, the last one for a part of the data.
    const levels = Math.log(flushes) / Math.log(minThreshold);
    assertAlmostEquals(writeAmplification, levels, 1.1, `${flushes} flushes, threshold ${minThreshold}`);
  }
});

Deno.test("who rewrites less reads more and takes more space: the order that the papers know", () => {
  const [first, tiered, lazy, level] = compare(
    [fifo({ limit: 1e12 }), sizeTiered(), lazyLeveled(), leveled()],
    { workload: { kind: "uniform", keys: 1e8, operations: 1e9, entryBytes: 116 } },
  ) as [SimulationReport, SimulationReport, SimulationReport, SimulationReport];
  const falling = (...numbers: number[]): void =>
    assert(numbers.every((number, i) => i === 0 || number < numbers[i - 1]!), numbers.join(" > "));
  falling(...[level, lazy, tiered, first].map((report) => report.writeAmplification));
  falling(
    first.readAmplification,
    tiered.readAmplification,
    Math.max(lazy.readAmplification, level.readAmplification),
  );
  falling(
    first.spaceAmplification,
    tiered.spaceAmplification,
    Math.max(lazy.spaceAmplification, level.spaceAmplification),
  );
  assertAlmostEquals(first.writeAmplification, 1, 0.15);
});

Deno.test("keys that come in order are written once, whatever the strategy", () => {
  for (const strategy of [leveled(), sizeTiered(), lazyLeveled()]) {
    const report = simulate({
      strategy,
      workload: { kind: "sequential", keys: 1e8, operations: 1e8, entryBytes: 116 },
    });
    assert(report.writeAmplification < 1.05, `${strategy.name} ${report.writeAmplification}`);
    assertAlmostEquals(report.readAmplification, 1, 0.01);
    assertAlmostEquals(report.spaceAmplification, 0.9, 0.1);
  }
});

Deno.test("keys that come nearly in order are written a few times, and dropped by their age", () => {
  const workload: Workload = {
    kind: "timeOrdered",
    keys: 1e8,
    operations: 1e8,
    entryBytes: 116,
    operationsPerSecond: 100_000,
  };
  const ordered = simulate({ strategy: leveled(), workload });
  assert(ordered.writeAmplification > 1 && ordered.writeAmplification < 6, `${ordered.writeAmplification}`);
  const { levels, compactions } = simulate({ strategy: fifo({ limit: 1e12, ttl: 100 }), workload });
  // The load takes 1,000 seconds; a tenth of it is young enough.
  const kept = levels.levels.flat().reduce((sum, { entries }) => sum + entries, 0);
  assertAlmostEquals(kept, 1e7, 5e5);
  assertEquals(new Set(compactions.map(({ choice }) => choice.kind)), new Set(["drop"]));
});

Deno.test("popular keys meet in memory: the more skewed, the less is written", () => {
  const amplification = (skew: number): number =>
    simulate({
      strategy: leveled(),
      workload: { kind: "zipfian", keys: 1e8, operations: 1e9, entryBytes: 116, skew },
    }).writeAmplification;
  const uniform = simulate({
    strategy: leveled(),
    workload: { kind: "uniform", keys: 1e8, operations: 1e9, entryBytes: 116 },
  }).writeAmplification;
  const [little, usual, much] = [amplification(0.01), amplification(0.99), amplification(1.3)];
  assertAlmostEquals(little, uniform, uniform / 20);
  assert(uniform > usual && usual > much, `${uniform} ${usual} ${much}`);
});

Deno.test("removes leave tombstones, which go in the last level, and as many keys as come are taken", () => {
  const report = simulate({
    strategy: leveled({ targetSize: 1 << 20 }),
    workload: { kind: "deleteHeavy", keys: 100_000, operations: 5_000_000, entryBytes: 116, removes: 0.25 },
    config: { ...SMALL, levelCount: 3, levelRatio: 4 },
  });
  const [above, last] = [report.levels.levels.slice(0, 2).flat(), report.levels.levels[2]!];
  assert(above.some(({ tombstones }) => tombstones > 0) && last.every(({ tombstones }) => tombstones === 0));
  // In the long run (1 - 2r) / (1 - r) of the keys are there.
  const live = last.reduce((sum, { entries }) => sum + entries, 0) / 100_000;
  assertAlmostEquals(live, 2 / 3, 0.05);
});

Deno.test("a device that is too slow stops the writer, a fast one never does, and reads slow it further", () => {
  const stalls = (bytesPerSecond: number, readsPerWrite = 0): SimulationReport["stalls"] =>
    simulate({
      strategy: leveled(),
      workload: { ...UNIFORM, readsPerWrite } as Workload,
      config: SMALL,
      bytesPerSecond,
    }).stalls;
  assertEquals(stalls(100 * GB), { count: 0, operations: 0, milliseconds: 0 });
  const slow = stalls(0.05 * GB);
  assert(slow.count > 0 && slow.operations > 0 && slow.operations < 5_000_000 && slow.milliseconds > 0);
  assert(stalls(0.05 * GB, 5).milliseconds > slow.milliseconds);
  assert(stalls(0.02 * GB).milliseconds > slow.milliseconds);
});

Deno.test("a load that does not fill a memtable leaves the tree empty", () => {
  const report = simulate({ strategy: leveled(), workload: { ...UNIFORM, operations: 1_000 } as Workload });
  assertEquals([report.writeAmplification, report.readAmplification, report.spaceAmplification], [0, 0, 0]);
  assertEquals([report.flushes, report.history, `${report.levels}`], [0, [], ""]);
});

Deno.test("a strategy of the user's own is told the same, and an impossible choice is refused with the reason", () => {
  const run = (choose: CompactionStrategy["choose"]): SimulationReport =>
    simulate({
      strategy: { name: "mine", choose },
      workload: { ...UNIFORM, operations: 200_000 } as Workload,
      config: SMALL,
    });
  const own = leveled({ targetSize: 1 << 20 });
  const wrapped = run((levels, options) => own.choose(levels, options));
  const plain = simulate({
    strategy: own,
    workload: { ...UNIFORM, operations: 200_000 } as Workload,
    config: SMALL,
  });
  assertEquals({ ...wrapped, strategy: "" }, { ...plain, strategy: "" });
  const refused = (choice: unknown, why: string): void => {
    const fails = (): unknown =>
      run(({ levels }) => levels[0]!.length < 3 ? { kind: "none" } : choice as CompactionChoice);
    assertThrows(fails, RangeError, `Cannot do what the compaction strategy chose: ${why}`);
  };
  refused({ kind: "merge", segments: [99], destLevel: 1, targetSize: 1024 }, "there is no segment 99");
  refused({ kind: "move", segments: [1, 3], destLevel: 1 }, "segment 2 lies between its inputs in age");
  refused({ kind: "drop", segments: [3] }, "older versions in segment 2 would come back");
  refused({ kind: "burn" }, "it is no choice");
  refused(undefined, "it is no choice");
  const endless: CompactionStrategy["choose"] = ({ levels }) => {
    const [segment] = levels.flat();
    return segment === undefined || segment.busy
      ? { kind: "none" }
      : { kind: "move", segments: [segment.id], destLevel: segment.level === 5 ? 6 : 5 };
  };
  assertThrows(() => run(endless), RangeError, "comes to no end");
  const failing = (): never => {
    throw new TypeError("of its own");
  };
  assertThrows(() => run(failing), TypeError, "of its own");
});

Deno.test("options that make no sense are refused by name", () => {
  const workload = { ...UNIFORM };
  const refused = (options: unknown, type: typeof RangeError | typeof TypeError, why: string): void => {
    assertThrows(() => simulate(options as SimulationOptions), type, why);
  };
  const good = { strategy: leveled(), workload };
  refused(undefined, TypeError, "there are no options");
  refused({ ...good, strategy: {} }, TypeError, "no function choose");
  refused({ ...good, workload: undefined }, TypeError, "no workload");
  refused({ ...good, workload: { ...workload, kind: "odd" } }, TypeError, "workload odd is none of");
  refused({ ...good, workload: { ...workload, keys: 0 } }, RangeError, "keys is 0");
  refused({ ...good, workload: { ...workload, keys: 1.5 } }, RangeError, "keys is 1.5");
  refused({ ...good, workload: { ...workload, keys: "many" } }, TypeError, "keys is not a number");
  refused({ ...good, workload: { ...workload, operations: -1 } }, RangeError, "operations");
  refused({ ...good, workload: { ...workload, operations: NaN } }, RangeError, "operations");
  refused({ ...good, workload: { ...workload, entryBytes: 0 } }, RangeError, "entryBytes");
  refused({ ...good, workload: { ...workload, keyBytes: 117 } }, RangeError, "keyBytes");
  refused({ ...good, workload: { ...workload, sharedKeyBytes: -1 } }, RangeError, "sharedKeyBytes");
  refused({ ...good, workload: { ...workload, operationsPerSecond: 0 } }, RangeError, "operationsPerSecond");
  refused({ ...good, workload: { ...workload, readsPerWrite: -1 } }, RangeError, "readsPerWrite");
  refused({ ...good, workload: { ...workload, kind: "zipfian", skew: 0 } }, RangeError, "skew");
  refused({ ...good, workload: { ...workload, kind: "timeOrdered", disorder: -1 } }, RangeError, "disorder");
  refused({ ...good, workload: { ...workload, kind: "deleteHeavy", removes: 0.5 } }, RangeError, "removes");
  refused({ ...good, workload: { kind: "recorded" } }, TypeError, "no history");
  refused({ ...good, seed: 0.5 }, RangeError, "seed");
  refused({ ...good, bytesPerSecond: 0 }, RangeError, "bytesPerSecond");
  refused({ ...good, config: { levelCount: 1 } }, RangeError, "levelCount");
  refused({ ...good, config: { maxMemtableSize: 5 } }, RangeError, "maxMemtableSize");
  refused({ ...good, config: { levelRatio: 1 } }, RangeError, "levelRatio");
  assertThrows(() => compare(leveled() as never, { workload }), TypeError, "the strategies are no list");
  // What is given as undefined has its default.
  const report = simulate({ ...good, config: { levelCount: undefined as never }, seed: undefined as never });
  assertEquals(report.levels.levels.length, 7);
});

Deno.test("terabytes of shapes are a matter of seconds", () => {
  const started = performance.now();
  const { flushes, compactions } = simulate({
    strategy: leveled(),
    workload: { kind: "uniform", keys: 3e9, operations: 3e9, entryBytes: 100 },
  });
  const seconds = (performance.now() - started) / 1000;
  assert(flushes > 20_000 && compactions.length > 15_000, `${flushes} ${compactions.length}`);
  assert(seconds < 30, `${seconds} s for 300 GB`);
});
