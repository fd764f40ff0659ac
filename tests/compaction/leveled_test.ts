import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { leveled } from "../../compaction/leveled.ts";
import { Levels } from "../../compaction/levels.ts";
import type { LevelOptions } from "../../compaction/strategy.ts";
import type { CompactionChoice } from "../../core/choice.ts";
import { checkChoice } from "../../core/choice.ts";
import type { SegmentMeta, Version } from "../../core/version.ts";
import { keyToBytes } from "../../core/bytes.ts";
import { checkRuns, placeFor, versionSegments, withoutSegments, withSegments } from "../../core/version.ts";
import { metaOf, version } from "../support/arbitraries.ts";
import { effort } from "../support/effort.ts";
import { runsText, shapes, versionOf } from "../support/shapes.ts";

const OPTIONS: LevelOptions = { levelCount: 7, levelRatio: 10, maxMemtableSize: 16 * 1024 ** 2, now: 0 };
const TARGET = 64 * 1024 ** 2;

Deno.test("a tree below its targets is left alone", () => {
  assertEquals(chosen(""), { kind: "none" });
  assertEquals(
    chosen(`
      L0  #9 a..z 16M  #8 a..z 16M  #7 a..z 16M
      L1  #5 a..k 30M  #6 l..z 33M
      L2  #1 a..k 300M #2 l..z 300M
    `),
    { kind: "none" },
  );
  // The last level has no target.
  assertEquals(chosen("L6  #1 a..z 9000G"), { kind: "none" });
});

Deno.test("level 0 goes down as a whole, with what it overlaps of level 1", () => {
  assertEquals(
    chosen(`
      L0  #9 d..f 16M  #8 e..k 16M  #7 a..b 16M  #6 d..d 16M
      L1  #1 a..c 9M  #2 d..j 9M  #3 k..m 9M  #4 n..z 9M
    `),
    {
      kind: "merge",
      segments: [9, 8, 7, 6, 1, 2, 3],
      destLevel: 1,
      targetSize: TARGET,
      reason: "level 0 has 4 segments, threshold 4",
    },
  );
});

Deno.test("level 0 moves if its segments share no key, with one another or with level 1", () => {
  const above = "L0  #9 d..f 16M  #8 g..k 16M  #7 a..b 16M  #6 l..m 16M";
  assertEquals(chosen(`${above}\n L1  #1 n..z 9M`), {
    kind: "move",
    segments: [7, 9, 8, 6],
    destLevel: 1,
    reason: "level 0 has 4 segments, threshold 4",
  });
  // A segment that lies in a gap of level 0 is merged all the same: the output may cover the gap.
  assertEquals(chosen(`${above}\n L1  #1 c..c 9M`).kind, "merge");
  assertEquals(chosen(`${above.replace("l..m", "k..m")}`).kind, "merge");
});

Deno.test("of a level above its target the segment goes down that drags along the least", () => {
  const level1 = "L1  #1 a..c 40M  #2 d..f 40M  #3 g..z 20M";
  assertEquals(chosen(`${level1}\n L2  #5 a..b 30M  #6 c..e 20M  #7 f..k 30M  #8 x..z 8M`), {
    kind: "merge",
    segments: [1, 5, 6],
    destLevel: 2,
    targetSize: TARGET,
    reason: "level 1 is 1.56 times its target",
  });
  assertEquals(chosen(`${level1}\n L2  #5 a..b 30M  #6 c..c 20M`), {
    kind: "move",
    segments: [2],
    destLevel: 2,
    reason: "level 1 is 1.56 times its target",
  });
});

Deno.test("the level that is furthest above its target comes first, the upper one if two are", () => {
  const reason = (text: string): string | undefined => chosen(text).reason;
  const l0 = "L0  #91 a..z 1M  #92 a..z 1M  #93 a..z 1M  #94 a..z 1M";
  assertEquals(reason(`${l0}\n L1  #1 a..z 64M`), "level 0 has 4 segments, threshold 4");
  assertEquals(reason(`${l0}\n L1  #1 a..z 65M`), "level 1 is 1.02 times its target");
  assertEquals(
    reason("L1  #1 a..z 70M\n L2  #2 a..z 2G\n L3  #3 a..z 10G"),
    "level 2 is 3.20 times its target",
  );
});

Deno.test("what is busy is never chosen, nor what would need it", () => {
  const busy = (text: string): CompactionChoice => chosen(text);
  const l0 = "L0  #9 a..c 1M  #8 a..c 1M  #7 a..c 1M  #6* a..c 1M";
  assertEquals(busy(l0), { kind: "none" });
  assertEquals(busy(`${l0.replace("*", "")}\n L1  #1* b..z 1M`), { kind: "none" });
  // Another level has its turn then.
  assertEquals(busy(`${l0}\n L2  #1 a..z 800M`).kind, "move");
  const l1 = "L1  #1* a..c 40M  #2 d..f 50M  #3 g..z 20M";
  const choice = busy(`${l1}\n L2  #5 a..b 1K  #6* e..e 1K  #7 h..z 90M`);
  assertEquals(choice.kind === "merge" && choice.segments, [3, 7]);
  assertEquals(busy(`${l1}\n L2  #6* e..e 1K  #7* h..z 90M`), { kind: "none" });
  // What is on its way does not count: level 1 is within its target without it.
  assertEquals(busy("L1  #1* a..c 40M  #2 d..f 40M  #3 g..z 20M"), { kind: "none" });
  assertEquals(busy("L0  #9 a..c 1M  #8 a..c 1M  #7* a..c 1M  #6* a..c 1M"), { kind: "none" });
});

Deno.test("a level deeper than there are is emptied into the last one, a segment at a time", () => {
  const options = { ...OPTIONS, levelCount: 3 };
  const reason = "level 5 is deeper than the 3 levels there are";
  const text = `
    L2  #1 a..c 1M  #2 d..f 1M
    L4  #3 e..h 1M
    L5  #4 g..k 1M  #5 l..z 1M
  `;
  const merge = { kind: "merge", segments: [4, 3, 2], destLevel: 2, targetSize: TARGET, reason };
  assertEquals(chosen(text, options), merge as CompactionChoice);
  assertEquals(chosen(text.replace("#2", "#2*"), options), {
    kind: "move",
    segments: [5],
    destLevel: 2,
    reason,
  });
  assertEquals(chosen(text.replace("#2", "#2*").replace("#5", "#5*"), options), { kind: "none" });
});

Deno.test("thresholds, ratios and targets are what the options say", () => {
  const shape = Levels.from(shapes("L0  #9 a..z 1M  #8 a..z 1M\n L1  #1 a..z 3M\n L2  #2 a..z 6M"));
  const small = { ...OPTIONS, maxMemtableSize: 1024 ** 2, levelRatio: 2 };
  const with2 = leveled({ l0Threshold: 2, targetSize: 2048 }).choose(shape, small);
  assertEquals(with2, {
    kind: "merge",
    segments: [1, 2],
    destLevel: 2,
    targetSize: 2048,
    reason: "level 1 is 1.50 times its target",
  });
  assertEquals(leveled({ l0Threshold: 4 }).choose(shape, small), { kind: "none" });
  assertEquals(leveled({ l0Threshold: 1 }).choose(shape, small).reason, "level 1 is 3.00 times its target");
});

Deno.test("segments move as deep as they overlap nothing, but not below what is in use", () => {
  const dest = (text: string): number | string => {
    const choice = chosen(text);
    return choice.kind === "move" ? choice.destLevel : choice.kind;
  };
  const l1 = "L1  #1 a..c 40M  #2 d..f 40M";
  assertEquals(dest(l1), 2);
  assertEquals(dest(`${l1}\n L2  #5 x..z 1M`), 2);
  assertEquals(dest(`${l1}\n L4  #5 x..z 1M`), 4);
  assertEquals(dest(`${l1}\n L4  #5 a..z 1M`), 3);
  assertEquals(dest("L0  #9 g..h 1M  #8 e..f 1M  #7 c..d 1M  #6 a..b 1M\n L3  #1 x..z 1M"), 3);
});

Deno.test("tombstones that hide nothing are dropped where they would be moved", () => {
  assertEquals(chosen("L1  #1 a..c 70M 10d\n L2  #5 x..z 1M"), {
    kind: "drop",
    segments: [1],
    reason: "level 1 is 1.09 times its target",
  });
  assertEquals(chosen("L1  #1 a..c 70M 10d\n L4  #5 a..z 1M").kind, "move");
});

Deno.test("of a large level a few segments are looked at, and the best of them is nearly the best of all", () => {
  const segments = Array.from({ length: 2_000 }, (_, i) => ({ level: 1 as number, i, size: 1024 ** 2 }));
  const below = Array.from(
    { length: 6_000 },
    (_, i) => ({ level: 2, i, size: (i * 7919 % 13 + 1) * 1024 ** 2 }),
  );
  const shape = Levels.from([...segments, ...below].map(({ level, i, size }) => ({
    ...shapes("L1  #1 a..b 1M")[0]!,
    id: level * 10_000 + i,
    level,
    size,
    minKey: keyToBytes(String(level === 1 ? i * 30 : i * 10).padStart(6, "0")),
    maxKey: keyToBytes(String(level === 1 ? i * 30 + 29 : i * 10 + 9).padStart(6, "0")),
  })));
  const three = { ...OPTIONS, levelCount: 3 };
  const choice = leveled().choose(shape, three);
  assert(choice.kind === "merge");
  assertEquals(choice, leveled().choose(shape, three));
  const [own, ...others] = choice.segments;
  assertEquals([own! < 20_000, others.length], [true, 3]);
  const dragged = others.reduce((sum, id) => sum + below[id - 20_000]!.size, 0) / 1024 ** 2;
  assert(dragged < 19, `${dragged} MiB, where 21 are the mean of all`);
  // If all of them are busy, the others are looked at.
  const busyBelow = shape.levels[2]!.map((one, i) => i < 5_997 ? { ...one, busy: true } : one);
  const left = leveled().choose(Levels.from([...shape.levels[1]!, ...busyBelow]), three);
  assertEquals(left.kind === "merge" && left.segments, [11_999, 25_997, 25_998, 25_999]);
});

Deno.test("a level that has several runs is made one when nothing else is to be done, a step for each stretch", () => {
  const several = "L2  #9 c..f 1M  #8 p..q 1M  #5 a..d 1M  #6 k..l 1M  #7 q..s 1M  #4 x..z 1M";
  const step = (text: string, targetSize = TARGET): CompactionChoice =>
    leveled({ targetSize }).choose(Levels.of(versionOf(text), busyIn(text), 7), OPTIONS);
  const runs = several.replace("  #5", "\n L2  #5");
  assertEquals(step(runs), {
    kind: "merge",
    segments: [9, 5],
    destLevel: 2,
    targetSize: TARGET,
    reason: "level 2 has several runs instead of one",
  });
  // Neighbours go together if they are small.
  const side = (targetSize: number) => step("L2 #9 a..c 1M #8 d..f 1M\nL2 #5 a..b 1M #6 e..f 1M", targetSize);
  assertEquals([side(TARGET), side(100_000)].map((one) => one.kind === "merge" && one.segments), [
    [9, 5, 8, 6],
    [9, 5],
  ]);
  // Where none overlap they are put in one run as they are.
  assertEquals(step("L2 #9 d..f 1M\nL2 #5 a..c 1M"), {
    kind: "move",
    segments: [9, 5],
    destLevel: 2,
    reason: "level 2 has several runs instead of one",
  });
  // First what is above its target, and not while anything is under way there or above.
  assertEquals(step(`L1 #20 a..z 90M\n${runs}`).reason, "level 1 is 1.41 times its target");
  assertEquals(step(`L1 #20* a..z 1M\n${runs}`), { kind: "none" });
  assertEquals(step(`${runs}\nL3 #1* a..z 1M`).kind, "merge");
});

Deno.test("small neighbours are joined when nothing else is to be done", () => {
  const small = Array.from(
    { length: 16 },
    (_, i) => `#${i + 1} ${"abcdefghijklmnop"[i]}..${"abcdefghijklmnop"[i]} 1K`,
  );
  assertEquals(chosen(`L3  ${small.join(" ")}`).reason, "16 neighbours of level 3 are small");
  assertEquals(chosen(`L2 #30 a..z 2G\nL3  ${small.join(" ")}`).reason, "level 2 is 3.20 times its target");
});

Deno.test("what it still has to push down is what is above the targets", () => {
  const debt = (text: string): number => {
    const levels = Levels.from(shapes(text), { levelCount: 3 });
    return leveled().debt!(levels, { ...OPTIONS, levelCount: 3 }) / 1024 ** 2;
  };
  assertEquals(debt("L0  #9 a..z 5M  #8 a..z 5M  #7 a..z 5M"), 0);
  assertEquals(debt("L0  #9 a..z 5M  #8 a..z 5M  #7 a..z 5M  #6 a..z 5M"), 20);
  assertEquals(debt("L1  #1 a..z 64M"), 0);
  assertEquals(debt("L1  #1 a..z 70M\n L2  #2 a..z 900M"), 6);
  assertEquals(debt("L4  #1 a..z 7M"), 7);
  assertEquals([leveled().level0Threshold, leveled({ l0Threshold: 9 }).level0Threshold], [4, 9]);
});

Deno.test("options that make no sense are refused by name", () => {
  assertThrows(() => leveled({ l0Threshold: 0 }), RangeError, "l0Threshold");
  assertThrows(() => leveled({ targetSize: 1023 }), RangeError, "targetSize");
  assertThrows(() => leveled({ targetSize: "64" as never }), TypeError, "targetSize");
  assertEquals(leveled().options, { l0Threshold: 4, targetSize: TARGET });
});

Deno.test("a tree that grows keeps the shape of its levels: a trace", () => {
  let tree: Version = { ...versionOf(""), nextId: 10 };
  const options = { levelCount: 4, levelRatio: 2, maxMemtableSize: 1024, now: 0 };
  const strategy = leveled({ l0Threshold: 2, targetSize: 1024 });
  const trace: string[] = [];
  for (const [i, range] of ["ak", "mz", "ac", "xz", "bn", "ad", "kz", "az"].entries()) {
    const segments = [{ ...metaOf(i + 1, range[0]!, range[1]!), size: 1024 }];
    trace.push(`flush ${i + 1} ${range}`);
    tree = { ...tree, runs: [{ level: 0, segments }, ...tree.runs] };
    for (;;) {
      const choice = strategy.choose(Levels.of(tree, new Set(), 4), options);
      if (choice.kind === "none") break;
      assert(choice.kind !== "drop");
      trace.push(`${choice.kind} ${choice.segments.join(" ")} to ${choice.destLevel}: ${choice.reason}`);
      tree = applied(tree, choice, 4);
    }
  }
  assertEquals(trace, [
    "flush 1 ak",
    "flush 2 mz",
    "move 2 1 to 1: level 0 has 2 segments, threshold 2",
    "move 1 to 2: level 1 is 1.00 times its target",
    "flush 3 ac",
    "flush 4 xz",
    "merge 4 3 2 to 1: level 0 has 2 segments, threshold 2",
    "move 14 to 2: level 1 is 1.50 times its target",
    "flush 5 bn",
    "flush 6 ad",
    "merge 6 5 13 to 1: level 0 has 2 segments, threshold 2",
    "merge 16 1 14 to 2: level 1 is 1.50 times its target",
    "move 17 to 3: level 2 is 1.50 times its target",
    "flush 7 kz",
    "flush 8 az",
    "merge 8 7 to 1: level 0 has 2 segments, threshold 2",
    "move 19 to 2: level 1 is 1.00 times its target",
  ]);
  assertEquals(runsText(tree), ["L2  #19 a..z", "L3  #17 a..z"]);
});

Deno.test("every choice on any tree is legal, names nothing that is busy, and gives its reason", () => {
  let count = 0;
  fc.assert(
    fc.property(version, settings(), fc.nat(0xffff), (given, { strategy, options }, bits) => {
      const busy = new Set(
        versionSegments(given).filter((_, i) => (bits >> i % 16 & 7) === 7).map(({ id }) => id),
      );
      const choice = strategy.choose(Levels.of(given, busy, options.levelCount), options);
      if (choice.kind === "none") return;
      count += 1;
      const levels = Math.max(options.levelCount, (given.runs.at(-1)?.level ?? 0) + 1);
      assertEquals(typeof checkChoice(choice, given, busy, levels), "object", runsText(given).join("\n"));
      assert(choice.kind !== "drop" && choice.destLevel < options.levelCount && choice.reason !== undefined);
    }),
    effort(500),
  );
  assert(count > 100, `${count} choices`);
});

Deno.test("doing what it says ends, on any tree, with every level in bounds", () => {
  let choices = 0;
  fc.assert(
    fc.property(
      version,
      settings(),
      fc.integer({ min: 0, max: 40 }),
      (given, { strategy, options }, power) => {
        const runs = given.runs.map((run) => ({
          level: run.level,
          segments: run.segments.map((segment) => ({ ...segment, size: segment.size * 2 ** power })),
        }));
        let tree: Version = { ...given, runs };
        const scaled = { ...options, maxMemtableSize: options.maxMemtableSize * 2 ** power };
        for (let steps = 0;; steps++) {
          assert(steps < 500, "it never ends");
          const choice = strategy.choose(Levels.of(tree, new Set(), options.levelCount), scaled);
          if (choice.kind === "none") break;
          tree = applied(tree, choice, options.levelCount);
          choices += 1;
        }
        const levels = Levels.of(tree, new Set(), options.levelCount).levels;
        assertEquals(levels.length, options.levelCount);
        assert(levels[0]!.length < Number(strategy.options.l0Threshold));
      },
    ),
    effort(300),
  );
  assert(choices > 300, `${choices} choices`);
});

function chosen(text: string, options: LevelOptions = OPTIONS): CompactionChoice {
  const levels = Levels.from(shapes(text), { levelCount: options.levelCount });
  return leveled().choose(levels, options);
}

function busyIn(text: string): ReadonlySet<number> {
  return new Set(shapes(text).filter(({ busy }) => busy).map(({ id }) => id));
}

function settings(): fc.Arbitrary<{
  readonly strategy: ReturnType<typeof leveled>;
  readonly options: LevelOptions;
}> {
  return fc.record({
    strategy: fc.constantFrom(1, 2, 4).map((l0Threshold) => leveled({ l0Threshold, targetSize: 1024 })),
    options: fc.record({
      levelCount: fc.integer({ min: 2, max: 8 }),
      levelRatio: fc.constantFrom(2, 10),
      maxMemtableSize: fc.constantFrom(1, 500, 1_500),
      now: fc.constant(0),
    }),
  });
}

/** Returns the version after a choice. A merge leaves one segment for each input, all of the same size, apart. */
function applied(
  given: Version,
  choice: Exclude<CompactionChoice, { kind: "none" }>,
  levelCount: number,
): Version {
  assert(choice.kind !== "drop");
  const levels = Math.max(levelCount, (given.runs.at(-1)?.level ?? 0) + 1);
  const checked = checkChoice(choice, given, new Set(), levels);
  assert(typeof checked !== "string", `${checked}`);
  const inputs = checked.runs.flatMap((run) => run.segments);
  const segments = choice.kind === "move" ? inputs : merged(inputs, given.nextId);
  const place = placeFor(given.runs, checked.ids, choice.destLevel, segments);
  assert(typeof place !== "string", `${place}`);
  const runs = withSegments(withoutSegments(given.runs, checked.ids), place, segments);
  assertEquals(checkRuns(runs), undefined);
  return { ...given, runs, nextId: given.nextId + segments.length };
}

/** Returns the union of what inputs cover, as one segment for each stretch that nothing interrupts. */
function merged(inputs: readonly SegmentMeta[], firstOutput: number): SegmentMeta[] {
  const outputs: SegmentMeta[] = [];
  for (const input of [...inputs].sort((a, b) => a.minKey < b.minKey ? -1 : 1)) {
    const last = outputs.at(-1);
    if (last === undefined || last.maxKey < input.minKey) {
      outputs.push({ ...input, id: firstOutput + outputs.length });
      continue;
    }
    const maxKey = last.maxKey > input.maxKey ? last.maxKey : input.maxKey;
    outputs[outputs.length - 1] = { ...last, maxKey, size: last.size + input.size };
  }
  return outputs;
}
