import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  fifo,
  lazyLeveled,
  leveled,
  Levels,
  sizeTiered,
  storedStrategy,
  strategyFrom,
} from "../../compaction/mod.ts";
import type { CompactionStrategy } from "../../compaction/mod.ts";
import { placedOf } from "../../compaction/levels.ts";
import { areQuiet, checkOption } from "../../compaction/strategy.ts";
import { versionOf } from "../support/shapes.ts";

Deno.test("a strategy of this module is stored with its options in order, and is made again from them", () => {
  const strategies = [
    leveled(),
    leveled({ l0Threshold: 2, targetSize: 4096 }),
    sizeTiered({ minThreshold: 3, maxThreshold: 5 }),
    lazyLeveled({ threshold: 3, targetSize: 4096 }),
    fifo({ limit: 10_000 }),
  ];
  for (const strategy of strategies) {
    const stored = storedStrategy(strategy);
    assertEquals([stored.custom, stored.name], [false, strategy.name]);
    assertEquals(Object.fromEntries(stored.options), { ...strategy.options });
    assertEquals(stored.options.map(([name]) => name), Object.keys(strategy.options).sort());
    const again = strategyFrom(stored)!;
    assertEquals(storedStrategy(again), stored);
    assert(Object.isFrozen(again));
  }
});

Deno.test("a user's own strategy is stored by name alone, whatever it is called and has", () => {
  const own = { name: "leveled", options: { l0Threshold: 1 }, choose: () => ({ kind: "none" as const }) };
  assertEquals(storedStrategy(own), { name: "leveled", options: [], custom: true });
  assertEquals(strategyFrom(storedStrategy(own)), undefined);
  // One that only looks like a strategy of this module is none.
  const copy: CompactionStrategy = { ...leveled() };
  assertEquals(storedStrategy(copy).custom, true);
});

Deno.test("a strategy of a name that nobody knows is not made", () => {
  assertEquals(strategyFrom({ name: "lazy", options: [], custom: false }), undefined);
  assertEquals(strategyFrom({ name: "constructor", options: [], custom: false }), undefined);
});

Deno.test("an option is a whole number from its least on", () => {
  for (const value of ["4", null, {}, 4n]) {
    assertThrows(() => checkOption("o", value, 1), TypeError, "option o");
  }
  for (const value of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => checkOption("o", value, 1), RangeError, `option o: ${value}`);
  }
  for (const value of [1, 7, Number.MAX_SAFE_INTEGER]) checkOption("o", value, 1);
});

Deno.test("a strategy is a pure function: asked again it answers the same", () => {
  const options = { levelCount: 7, levelRatio: 10, maxMemtableSize: 1024, now: 5 };
  const levels = Levels.from([]);
  for (const strategy of [leveled(), sizeTiered(), lazyLeveled(), fifo({ limit: 1 })]) {
    assertEquals(strategy.choose(levels, options), strategy.choose(levels, options));
    assertStrictEquals(strategy.choose(levels, options).kind, "none");
  }
});

Deno.test("levels are quiet if nothing in them is busy", () => {
  const parts = placedOf(
    Levels.of(versionOf("L0 #9 a..c 1K\nL2 #4 d..f 1K"), new Set([4]), 4),
  );
  assertEquals(
    [areQuiet(parts, 0, 1), areQuiet(parts, -1, 2), areQuiet(parts, 2, 2), areQuiet(parts, 3, 3)],
    [
      true,
      false,
      false,
      true,
    ],
  );
});
