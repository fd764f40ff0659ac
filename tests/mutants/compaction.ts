/**
 * Mutants of compaction: what a flush and a merge leave out, where their outputs go, and what strategies choose.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const SCHEDULE = "tests/core/schedule_test.ts";
const CHOICE = "tests/core/choice_test.ts";
const VERSION = "tests/core/version_test.ts";
const REWRITE = "tests/compaction/rewrite_test.ts";
const PRESERVES = "tests/properties/compaction_preserves_test.ts";
const STRATEGIES = "tests/properties/strategies_test.ts";
const TASKS = "tests/properties/tasks_test.ts";
const CORE_MODEL = "tests/properties/core_model_test.ts";
const STEP = "tests/core/step_test.ts";

/** Mutants of compaction. */
export const COMPACTION: readonly Mutant[] = [
  {
    name: "a merge drops a tombstone one level too early",
    file: "core/schedule.ts",
    find: "older: withoutSegments(state.version.runs, ids).slice(place.index),",
    replace: "older: withoutSegments(state.version.runs, ids).slice(place.index + 1),",
    like: "LevelDB issue 184, TurboDB issue 94",
    killedBy: [SCHEDULE, PRESERVES],
  },
  {
    name: "a flush drops all tombstones",
    file: "core/schedule.ts",
    find: "older: memtable.clears ? [] : state.version.runs,",
    replace: "older: [],",
    killedBy: [STEP, CORE_MODEL],
  },
  {
    name: "tombstones that hide nothing stay for ever",
    file: "compaction/rewrite.ts",
    find: "if (current.isTombstone && !older.cover(current)) continue;",
    replace: "",
    like: "ScyllaDB issue 676",
    killedBy: [REWRITE],
  },
  {
    name: "the greatest key of an older segment is not protected by its tombstone",
    file: "compaction/rewrite.ts",
    find: "compareKey(run.segments[finger]!.maxKey, key, 0, keyBytes) < 0",
    replace: "compareKey(run.segments[finger]!.maxKey, key, 0, keyBytes) <= 0",
    killedBy: [REWRITE],
  },
  {
    name: "the smallest key of an older segment is not protected by its tombstone",
    file: "compaction/rewrite.ts",
    find: "compareKey(segment.minKey, key, 0, keyBytes) <= 0",
    replace: "compareKey(segment.minKey, key, 0, keyBytes) < 0",
    killedBy: [REWRITE],
  },
  {
    name: "only the newest of the older runs protects a tombstone",
    file: "compaction/rewrite.ts",
    find: "covered ||= segment !== undefined &&",
    replace: "covered = segment !== undefined &&",
    like: "Bitcask issue 82",
    killedBy: [REWRITE],
  },
  {
    name: "a merge that is to write more than it reserved ids for fails for ever",
    file: "compaction/rewrite.ts",
    find: "(builder.bytes >= task.targetSize && outputs.length < cuts)",
    replace: "builder.bytes >= task.targetSize",
    killedBy: [REWRITE, "tests/regressions/merge_that_decompresses_test.ts"],
  },
  {
    name: "tasks reserve one id each, and their outputs overwrite each other's",
    file: "core/schedule.ts",
    find: "nextId: task.firstOutput + task.outputs,",
    replace: "nextId: task.firstOutput + 1,",
    like: "RocksDB issues 7607 and 7621: an id that is used again",
    killedBy: [SCHEDULE, TASKS],
  },
  {
    name: "what a merge writes is as old as its oldest input",
    file: "core/schedule.ts",
    find: "writtenAt: Math.max(...",
    replace: "writtenAt: Math.min(...",
    like: "RocksDB issue 13788",
    killedBy: [SCHEDULE],
  },
  {
    name: "a flush is put behind the older segments of level 0",
    file: "core/schedule.ts",
    find: "[{ level: 0, index: 0, join: false, segments: outputs }]",
    replace:
      "[{\n      level: 0,\n      index: state.version.runs.filter((run) => run.level === 0).length,\n      join: false,\n" +
      "      segments: outputs,\n    }]",
    killedBy: [STEP, CORE_MODEL],
  },
  {
    name: "the newest memtable is flushed first",
    file: "core/schedule.ts",
    find: "?? state.sealed.at(-1);",
    replace: "?? state.sealed[0];",
    killedBy: [STEP, CORE_MODEL],
  },
  {
    name: "a flush says that all that was written is in segments",
    file: "core/schedule.ts",
    find: "flushedSeqno: memtable.lastSeqno,",
    replace: "flushedSeqno: state.seqno,",
    killedBy: [STEP],
  },
  {
    name: "a merge's output is put one run too high",
    file: "core/version.ts",
    find: "const index = Math.max(first, above + 1);",
    replace: "const index = Math.max(first, above);",
    killedBy: [VERSION, CHOICE],
  },
  {
    name: "a merge's output joins a run that older versions of its keys stand above",
    file: "core/version.ts",
    find: "for (let index = Math.max(first, above + 1); index",
    replace: "for (let index = first; index",
    killedBy: [VERSION, CHOICE, PRESERVES],
  },
  {
    name: "a merge's output joins a run below older versions of its keys",
    file: "core/version.ts",
    find: "index < Math.min(end, below); index++",
    replace: "index < end; index++",
    like: "Badger issue 2143",
    killedBy: [VERSION, CHOICE, PRESERVES],
  },
  {
    name: "a merge may take segments between which, in age, another one lies",
    file: "core/version.ts",
    find: "if (underNewer && overOlder) {",
    replace: "if (underNewer && overOlder && level < 0) {",
    like: "LevelDB issue 320",
    killedBy: [VERSION, CHOICE],
  },
  {
    name: "a move may put a segment into a run that it overlaps",
    file: "core/choice.ts",
    find: 'return choice.kind === "move" ? checkMove(version, ids, place, segments) : undefined;',
    replace:
      'return choice.kind === "move" && destLevel < 0 ? checkMove(version, ids, place, segments) : undefined;',
    killedBy: [CHOICE],
  },
  {
    name: "a drop may bring older versions back",
    file: "core/choice.ts",
    find: "if (!ids.has(segment.id) && dropped.some((newer) => overlap(newer, segment))) {",
    replace: "if (!ids.has(segment.id) && dropped.length < 0) {",
    like: "RocksDB pull request 3059",
    killedBy: [CHOICE],
  },
  {
    name: "a segment that a task reads may be chosen for another one",
    file: "core/choice.ts",
    find: "if (busy.has(id)) return `segment ${id} is busy`;",
    replace: "",
    killedBy: [CHOICE],
  },
  {
    name: "a change whose inputs a clear has taken is made all the same",
    file: "core/schedule.ts",
    find: "if (inputs.some((segment) => !present.has(segment.id))) return undefined;",
    replace: "",
    killedBy: [STEP, SCHEDULE, CORE_MODEL],
  },
  {
    name: "two merges write keys of the same range to the same level at once",
    file: "core/schedule.ts",
    find: "if (!overlap(mine, theirs)) return false;",
    replace: "if (state.nextId > 0) return false;",
    killedBy: [SCHEDULE, TASKS],
  },
  {
    name: "merges take every place, and a flush has to wait for one",
    file: "core/schedule.ts",
    find: "(isFlushing || tasksMax <= 1 ? tasksMax : tasksMax - 1)",
    replace: "(isFlushing ? tasksMax : tasksMax)",
    killedBy: [SCHEDULE],
  },
  {
    name: "segments that were moved are removed",
    file: "core/step.ts",
    find: "segments: edit.removed.filter((id) => !kept.has(id)),",
    replace: "segments: edit.removed,",
    killedBy: [STEP, "tests/io/strategy_test.ts"],
  },
  {
    name: "a journal goes with the first of the memtables that it filled",
    file: "core/step.ts",
    find: "journals: [...journalsOf(state.sealed).difference(journalsOf(sealed))],",
    replace:
      "journals: state.sealed.filter((one) => !sealed.includes(one)).flatMap((one) => one.journals.map(({ id }) => id)),",
    killedBy: ["tests/regressions/journal_of_several_memtables_test.ts"],
  },
  {
    name: "segments that a task reads go when a clear is flushed",
    file: "io/removals.ts",
    find: "const needed = new Set<SegmentId>(this.#handlers.inUse());",
    replace: "const needed = new Set<SegmentId>();",
    like: "ScyllaDB issue 4051",
    killedBy: ["tests/io/removals_test.ts"],
  },
  {
    name: "outputs of a task that failed stay for ever",
    file: "core/step.ts",
    find: "      askStrategy: true,\n    },\n    options,\n    now,\n    [],\n    [deleteOutputs(task)],",
    replace: "      askStrategy: true,\n    },\n    options,\n    now,\n    [],\n    [],",
    killedBy: [SCHEDULE],
  },
  {
    name: "with the outputs of a task that failed goes the segment behind them",
    file: "io/removals.ts",
    find: "file.id < first + count",
    replace: "file.id <= first + count",
    killedBy: ["tests/io/removals_test.ts"],
  },
  {
    name: "fifo drops the newest segments first",
    file: "compaction/fifo.ts",
    find: "of oldestFirst(placed)) {",
    replace: "of [...oldestFirst(placed)].reverse()) {",
    killedBy: ["tests/compaction/fifo_test.ts"],
  },
  {
    name: "fifo drops what is within the limit too",
    file: "compaction/fifo.ts",
    find: "!(isOld || bytes < excess)",
    replace: "!(isOld || bytes <= excess)",
    like: "RocksDB pull request 10955",
    killedBy: ["tests/compaction/fifo_test.ts"],
  },
  {
    name: "fifo drops everything when the clock jumps back",
    file: "compaction/fifo.ts",
    find: "options.now - segment.facts.writtenAt > ttl * 1000",
    replace: "Math.abs(options.now - segment.facts.writtenAt) > ttl * 1000",
    killedBy: ["tests/compaction/fifo_test.ts"],
  },
  {
    name: "fifo drops a newer segment past an older one that must stay",
    file: "compaction/fifo.ts",
    find: "if (busy.has(segment.id) || !(isOld || bytes < excess)) break;",
    replace: "if (busy.has(segment.id) || !(isOld || bytes < excess)) continue;",
    killedBy: ["tests/compaction/fifo_test.ts", STRATEGIES],
  },
  {
    name: "leveled compaction leaves out the first segment of the next level that overlaps",
    file: "compaction/leveled.ts",
    find: "return segments.slice(start, segments.firstBehind(last, start));",
    replace: "return segments.slice(start + 1, segments.firstBehind(last, start));",
    like: "LevelDB issue 320",
    killedBy: ["tests/compaction/leveled_test.ts", STRATEGIES],
  },
  {
    name: "leveled compaction drops what only hides, though something deeper may have the keys",
    file: "compaction/leveled.ts",
    find: "if (onlyHides && destLevel >= deepest) return",
    replace: "if (onlyHides) return",
    killedBy: ["tests/compaction/leveled_test.ts", STRATEGIES],
  },
  {
    name: "leveled compaction moves a segment past one that it overlaps",
    file: "compaction/leveled.ts",
    find: "while (destLevel < deepest && isFree(destLevel + 1)) destLevel += 1;",
    replace: "while (destLevel < deepest) destLevel += 1;",
    like: "Badger issue 2143",
    killedBy: ["tests/compaction/leveled_test.ts", STRATEGIES],
  },
  {
    name: "leveled compaction counts what is busy, and chooses it again and again",
    file: "compaction/leveled.ts",
    find: "for (const { level, size } of parts.busy.values()) free[level]! -= level === 0 ? 1 : size;",
    replace: "",
    killedBy: ["tests/compaction/leveled_test.ts", STRATEGIES],
  },
  {
    name: "the last level has a target too, and is pushed to where no level is",
    file: "compaction/leveled.ts",
    find: "free.length = Math.min(options.levelCount - 1, free.length);",
    replace: "free.length = Math.min(options.levelCount, free.length);",
    killedBy: ["tests/compaction/leveled_test.ts", STRATEGIES],
  },
  {
    name: "small segments are joined with what one merge has just cut, for ever",
    file: "compaction/small_segments.ts",
    find: "if (end === start || !isSamePart(segments[end - 1]!, segment)) {",
    replace: "if (end >= start) {",
    killedBy: ["tests/compaction/small_segments_test.ts"],
  },
  {
    name: "small segments are joined with a large one again and again",
    file: "compaction/small_segments.ts",
    find: " && largest * SMALL_SHARE <= bytes) found = end;",
    replace: ") found = end;",
    killedBy: ["tests/compaction/small_segments_test.ts"],
  },
  {
    name: "a compaction that was asked for begins while others run, and takes what they read",
    file: "core/schedule.ts",
    find:
      'if (state.committing.length > 0 || state.inFlight.some((task) => task.kind === "merge")) return state;',
    replace: "if (state.committing.length > 0) return state;",
    killedBy: [SCHEDULE, TASKS, "tests/io/compact_test.ts"],
  },
  {
    name: "a flushed memtable stays, and is flushed again",
    file: "core/step.ts",
    find: "(memtable) => memtable.lastSeqno > edit.flushedSeqno",
    replace: "(memtable) => memtable.lastSeqno >= edit.flushedSeqno",
    killedBy: [STEP],
  },
  {
    name: "size-tiered compaction merges the newest runs and leaves the oldest above their place",
    file: "compaction/size_tiered.ts",
    find: "tierRuns(parts, level).slice(-maxThreshold)",
    replace: "tierRuns(parts, level).slice(0, maxThreshold)",
    killedBy: ["tests/compaction/size_tiered_test.ts", STRATEGIES],
  },
  {
    name: "size-tiered compaction merges a large run with small ones again and again",
    file: "compaction/size_tiered.ts",
    find: "if (end - from >= minThreshold && largest <= bytes - largest) {",
    replace: "if (end - from >= minThreshold) {",
    killedBy: ["tests/compaction/size_tiered_test.ts"],
  },
  {
    name: "lazy levelling goes past what is under way in a tier",
    file: "compaction/lazy_leveled.ts",
    find: "if (full + 1 === last || !areQuiet(parts, full, full)) return NONE;",
    replace: "if (full + 1 === last) return NONE;",
    killedBy: ["tests/compaction/lazy_leveled_test.ts", STRATEGIES],
  },
  {
    name: "a compaction that was asked for leaves several runs in the last level",
    file: "compaction/major.ts",
    find: "if (step.length === 0) step = firstNeighbours(all, 2, TARGET_BYTES,",
    replace: "if (step.length < 0) step = firstNeighbours(all, 2, TARGET_BYTES,",
    killedBy: ["tests/compaction/major_test.ts"],
  },
];
