/**
 * Which segments are merged, and when: strategies as pure functions of the tree's shape.
 *
 * ```ts
 * import { leveled, Levels } from "@lsm/tree/compaction";
 * import { assertEquals } from "@std/assert";
 *
 * const options = { levelCount: 7, levelRatio: 10, maxMemtableSize: 16 * 1024 * 1024, now: 0 };
 * assertEquals(leveled().choose(Levels.from([]), options), { kind: "none" });
 * ```
 *
 * @module
 */

export type { CompactionChoice, SegmentId } from "../core/mod.ts";
export { compare } from "./compare.ts";
export { fifo } from "./fifo.ts";
export type { FifoOptions } from "./fifo.ts";
export { lazyLeveled } from "./lazy_leveled.ts";
export type { LazyLeveledOptions } from "./lazy_leveled.ts";
export { leveled } from "./leveled.ts";
export type { LeveledOptions } from "./leveled.ts";
export { Levels } from "./levels.ts";
export type { SegmentShape } from "./levels.ts";
export { majorChoice } from "./major.ts";
export type { RecordedChange, RecordedHistory } from "./recorded.ts";
export { replay } from "./replay.ts";
export type { ReplayedDecision } from "./replay.ts";
export type { SimulatedCompaction, SimulatedMoment, SimulationReport } from "./report.ts";
export { rewrite } from "./rewrite.ts";
export type { SegmentSink } from "./rewrite.ts";
export { simulate } from "./simulate.ts";
export type { SimulatedConfig, SimulationOptions } from "./simulate.ts";
export { sizeTiered } from "./size_tiered.ts";
export type { SizeTieredOptions } from "./size_tiered.ts";
export { strategyFrom } from "./stored_strategy.ts";
export { storedStrategy } from "./strategy.ts";
export type { BuiltInStrategy, CompactionStrategy, LevelOptions } from "./strategy.ts";
export type {
  DeleteHeavyWorkload,
  GeneratedLoad,
  GeneratedWorkload,
  RecordedWorkload,
  SequentialWorkload,
  TimeOrderedWorkload,
  UniformWorkload,
  Workload,
  ZipfianWorkload,
} from "./workload.ts";
