import { assertEquals } from "@std/assert";
import type { CompactionStrategy } from "../../compaction/mod.ts";
import { fifo, leveled } from "../../compaction/mod.ts";
import { handleConfig, mergeConfig } from "../../io/config.ts";
import { MemoryStorage } from "../../io/memory_storage.ts";
import { SimulatedStorage } from "../../io/simulated_storage.ts";
import { stepOptions } from "../../io/step_options.ts";
import type { Storage } from "../../io/storage.ts";
import { DEFAULT_STORED_CONFIG } from "../../core/config.ts";
import type { StepOptions } from "../../core/state.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import { versionOf } from "../support/shapes.ts";

function optionsWith(
  compactionStrategy: CompactionStrategy,
  storage: Storage = new MemoryStorage(),
): StepOptions {
  const config = { compactionStrategy, maxMemtableSize: 1024 * 1024 };
  const handle = handleConfig(config, storage);
  return stepOptions(mergeConfig(config, handle, DEFAULT_STORED_CONFIG).resolved);
}

Deno.test("how many runs of level 0 are normal is the strategy's to say, and 4 where it does not", () => {
  assertEquals(optionsWith(leveled({ l0Threshold: 7 })).level0Threshold, 7);
  assertEquals(optionsWith(fifo({ limit: 1 })).level0Threshold, Infinity);
  assertEquals(optionsWith({ name: "mine", choose: () => ({ kind: "none" }) }).level0Threshold, 4);
});

Deno.test("the strategy is asked for its debt once for each version", () => {
  let asked = 0;
  const mine: CompactionStrategy = {
    name: "mine",
    choose: () => ({ kind: "none" }),
    debt: (levels, { maxMemtableSize }) => {
      asked += 1;
      return levels.levels.flat().length * maxMemtableSize;
    },
  };
  const { debt } = optionsWith(mine);
  const version = versionOf("L0  #2 a..f 1M  #1 a..f 1M");
  assertEquals([debt(version), debt(version), asked], [2 * 1024 * 1024, 2 * 1024 * 1024, 1]);
  assertEquals([debt(EMPTY_VERSION), debt(version), asked], [0, 2 * 1024 * 1024, 3]);
});

Deno.test("a strategy that is asked for its debt is told the time of the storage", () => {
  const told: number[] = [];
  const mine: CompactionStrategy = {
    name: "mine",
    choose: () => ({ kind: "none" }),
    debt: (_, { now }) => told.push(now),
  };
  const storage = new SimulatedStorage();
  optionsWith(mine, storage).debt(EMPTY_VERSION);
  assertEquals(told, [storage.now()]);
});

Deno.test("a debt that throws or is nonsense counts as none", () => {
  const answers: unknown[] = [NaN, -5, "many", undefined];
  for (const answer of answers) {
    const { debt } = optionsWith({
      name: "mine",
      choose: () => ({ kind: "none" }),
      debt: () => answer as number,
    });
    assertEquals(debt(EMPTY_VERSION), 0);
  }
  const broken = (): number => {
    throw new Error("broken");
  };
  assertEquals(
    optionsWith({ name: "mine", choose: () => ({ kind: "none" }), debt: broken }).debt(EMPTY_VERSION),
    0,
  );
});

Deno.test("what is above the targets of leveled compaction is its debt", () => {
  const { debt } = optionsWith(leveled());
  assertEquals(debt(versionOf("L1  #1 a..f 3M")), 0);
  assertEquals(
    debt(versionOf("L1  #1 a..f 3M\nL2  #2 a..z 200M\nL3  #3 a..z 300M")) > 100 * 1024 * 1024,
    true,
  );
});
