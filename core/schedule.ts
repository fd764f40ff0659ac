/**
 * What may be begun now: the next flush, what the strategy wants, the next edit.
 *
 * Called at the end of every step that may have made room for it. Pure, like the step.
 *
 * Invariants:
 * - One flush at a time, oldest memtable first; one edit at a time, made from the version that it will change.
 * - A choice of the strategy is begun only if it is legal (`choice.ts`) and touches nothing that is under way.
 * - After a failure nothing is begun before the pause is over; each pause is twice as long as the one before. A failed
 *   compaction keeps no flush from being begun.
 *
 * @module
 */

import type { CompactionChoice } from "./choice.ts";
import { checkChoice } from "./choice.ts";
import type { Edit } from "./edit.ts";
import type { PersistEffect, StartEffect } from "./effect.ts";
import type { Memtable } from "./memtable.ts";
import type { Failure, PendingChange, StepOptions, TreeState } from "./state.ts";
import { busySegments, isPauseOver } from "./state.ts";
import type { Step } from "./step.ts";
import type { FlushTask, MergeTask, Task } from "./task.ts";
import { outputsNeeded } from "./task.ts";
import type { Place, Run, SegmentMeta, Version } from "./version.ts";
import { overlap, placeFor, versionSegments, withoutSegments } from "./version.ts";

/** Bytes from which on a flush begins a new segment. */
const FLUSH_TARGET_BYTES = 64 * 1024 * 1024;

/** The first pause before failed work is tried again; each further one is twice as long, up to the longest. */
const RETRY_PAUSE_MS = 100;
const RETRY_PAUSE_MS_MAX = 30_000;

/** Begins whatever can be begun: the next edit, the next flush, what the strategy wants. */
export function schedule(
  state: TreeState,
  options: StepOptions,
  now: number,
  persist: readonly PersistEffect[] = [],
  begun: readonly StartEffect[] = [],
): Step {
  const start = [...begun];
  let next = state;
  const { failure } = next;
  const paused = failure !== undefined && !isPauseOver(failure, now) ? failure.work : undefined;
  if (paused !== "flush") next = startFlush(next, start, options, now);
  if (paused === undefined || paused === "strategy") next = startCompaction(next, start, options, now);
  const change = next.committing[0];
  const isFlush = change !== undefined && workOf(change) === "flush";
  if (paused !== "flush" && (paused !== "compaction" || isFlush)) {
    const pending = next.committing.length;
    next = startCommit(next, start, now);
    // What was given up may be what something else waits for.
    if (next.committing.length < pending) return schedule(next, options, now, persist, start);
  }
  return { state: next, persist, start };
}

/** Flushes the oldest memtable that is still visible, one at a time, so that flushes are installed in order. */
function startFlush(state: TreeState, start: StartEffect[], options: StepOptions, now: number): TreeState {
  const memtable = state.sealed.find((one) => one.clears) ?? state.sealed.at(-1);
  if (memtable === undefined || memtable.lastSeqno > state.flushTarget) return state;
  const busy = state.inFlight.some((task) => task.kind === "flush") ||
    state.committing.some((change) => change.kind === "task" && change.task.kind === "flush");
  if (busy) return state;
  let encoding: Task["encoding"];
  try {
    encoding = encodingOf(state.version, 0, options);
  } catch (error) {
    return { ...state, failure: failureOf(state, "flush", error, now) };
  }
  const task: FlushTask = {
    kind: "flush",
    id: state.nextTask,
    firstOutput: state.nextId,
    outputs: outputsNeeded(memtable.bytes, FLUSH_TARGET_BYTES, 1),
    salt: state.salt,
    destLevel: 0,
    targetSize: FLUSH_TARGET_BYTES,
    encoding,
    origin: { seqnoMin: memtable.firstSeqno, seqnoMax: memtable.lastSeqno, writtenAt: now },
    older: memtable.clears ? [] : state.version.runs,
    reason: flushReason(state, memtable, options),
    memtable,
  };
  return withTask(state, task, start);
}

/** Says why a memtable was sealed. */
function flushReason(state: TreeState, memtable: Memtable, options: StepOptions): string {
  const { bytes, lastSeqno, clears } = memtable;
  const isFull = bytes >= options.maxMemtableSize;
  const why = lastSeqno <= state.recoveredSeqno ? "recovered" : isFull ? "full" : "asked for";
  return `${why}: ${bytes} bytes of journal${clears ? ", which clears what is older" : ""}`;
}

/** Returns how a level's blocks are made; throws what a compression of the user's own throws. */
function encodingOf(version: Version, level: number, options: StepOptions): Task["encoding"] {
  return {
    blockSize: options.blockSize,
    filterBitsPerKey: options.filterBitsPerKey,
    hashSeed: version.hashSeed,
    compression: options.compressionAt(level),
  };
}

function withTask(state: TreeState, task: Task, start: StartEffect[]): TreeState {
  start.push({ kind: "run_task", task });
  return {
    ...state,
    inFlight: [...state.inFlight, task],
    nextTask: task.id + 1,
    nextId: task.firstOutput + task.outputs,
  };
}

/** Begins what is left of a compaction that the user asked for, or else what the strategy wants. */
function startCompaction(
  state: TreeState,
  start: StartEffect[],
  options: StepOptions,
  now: number,
): TreeState {
  if (!options.compacting) return state;
  const next = state.manual === undefined ? state : startManual(state, start, options, now);
  return next.manual === undefined ? startChosen(next, start, options, now) : next;
}

/** One step of a compaction that the user asked for; it begins when nothing else is under way and ends when nothing is left. */
function startManual(
  state: TreeState,
  start: StartEffect[],
  options: StepOptions,
  now: number,
): TreeState {
  const manual = state.manual!;
  if (state.committing.length > 0 || state.inFlight.some((task) => task.kind === "merge")) return state;
  const choice = options.major(state.version, manual.interval);
  if (choice.kind === "none" || manual.rounds >= roundsMax(state.version, options)) {
    return { ...state, manual: undefined, askStrategy: true };
  }
  const next = { ...state, manual: { ...manual, rounds: manual.rounds + 1 } };
  return chosen(next, choice, options, now, start) ?? state;
}

/** Asks the strategy until it wants nothing or no more may run. */
function startChosen(
  state: TreeState,
  start: StartEffect[],
  options: StepOptions,
  now: number,
): TreeState {
  let next = state;
  while (next.askStrategy && hasRoom(next, options)) {
    let choice: CompactionChoice;
    try {
      choice = options.choose(next.version, busySegments(next), now);
    } catch (error) {
      return { ...next, askStrategy: false, failure: failureOf(next, "strategy", error, now) };
    }
    if (choice?.kind === "none") {
      return { ...next, askStrategy: false, failure: withoutMootFailure(next) };
    }
    if (next.rounds >= roundsMax(next.version, options)) {
      const endless = new RangeError(
        `Cannot go on compacting: the strategy has chosen ${next.rounds} times in a row and comes to no end`,
      );
      return { ...next, askStrategy: false, failure: failureOf(next, "strategy", endless, now) };
    }
    const begun = chosen({ ...next, rounds: next.rounds + 1 }, choice, options, now, start);
    // What a strategy sees of tasks under way are busy segments: it is asked again when one of them has ended.
    if (begun === undefined) return { ...next, askStrategy: false };
    const hasFailed = begun.failure !== next.failure && begun.failure !== undefined;
    next = begun;
    if (hasFailed) return { ...next, askStrategy: next.failure?.work !== "strategy" };
  }
  return next;
}

/** Tells whether another compaction may begin: where several tasks may run, one place is kept for a flush. */
function hasRoom({ inFlight }: TreeState, { tasksMax }: StepOptions): boolean {
  const isFlushing = inFlight.some((task) => task.kind === "flush");
  return inFlight.length < (isFlushing || tasksMax <= 1 ? tasksMax : tasksMax - 1);
}

/** A strategy that ends takes each segment through each level at most once, and then some. */
function roundsMax(version: Version, options: StepOptions): number {
  return 100 + options.levelCount * versionSegments(version).length;
}

/** A failed compaction is over when nobody wants it any more: one that was asked for once is not tried for ever. */
function withoutMootFailure({ failure, committing }: TreeState): Failure | undefined {
  if (failure?.work === "strategy") return undefined;
  return failure?.work === "compaction" && committing.length === 0 ? undefined : failure;
}

/** Returns the state with a choice refused. */
export function refused(state: TreeState, why: string, now: number): TreeState {
  const error = new RangeError(`Cannot do what the compaction strategy chose: ${why}`);
  return { ...state, failure: failureOf(state, "strategy", error, now) };
}

/** Returns the state with a choice begun, or with the reason why it may not be, or `undefined` if it has to wait for a task. */
export function chosen(
  state: TreeState,
  choice: CompactionChoice,
  options: StepOptions,
  now: number,
  start: StartEffect[],
): TreeState | undefined {
  if (choice?.kind === "none") return state;
  if (choice?.kind !== "merge" && choice?.kind !== "move" && choice?.kind !== "drop") {
    return refused(state, "it is no choice", now);
  }
  const levelCount = Math.max(options.levelCount, ...state.version.runs.map((run) => run.level + 1));
  const checked = checkChoice(choice, state.version, busySegments(state), levelCount);
  if (typeof checked === "string") return refused(state, checked, now);
  const reason = choice.reason ?? "";
  const segments = checked.runs.flatMap((run) => run.segments);
  if (choice.kind === "drop") {
    return { ...state, committing: [...state.committing, { kind: "drop", segments, reason }] };
  }
  if (touchesRunning(state, checked.runs, choice.destLevel)) return undefined;
  if (choice.kind === "move") {
    const { destLevel } = choice;
    return { ...state, committing: [...state.committing, { kind: "move", segments, destLevel, reason }] };
  }
  let task: MergeTask;
  try {
    task = mergeTask(state, checked.runs, choice, options);
  } catch (error) {
    return { ...state, failure: failureOf(state, "compaction", error, now) };
  }
  return withTask(state, task, start);
}

function mergeTask(
  state: TreeState,
  inputs: readonly Run[],
  choice: CompactionChoice & { kind: "merge" },
  options: StepOptions,
): MergeTask {
  const segments = inputs.flatMap((run) => run.segments);
  const bytes = segments.reduce((sum, segment) => sum + segment.size, 0);
  const ids = new Set(segments.map((segment) => segment.id));
  // Where the outputs go is known to be possible: what is below that place is older.
  const place = placeFor(state.version.runs, ids, choice.destLevel, segments) as Place;
  return {
    kind: "merge",
    id: state.nextTask,
    firstOutput: state.nextId,
    outputs: outputsNeeded(bytes, choice.targetSize, segments.length),
    salt: state.salt,
    destLevel: choice.destLevel,
    targetSize: choice.targetSize,
    encoding: encodingOf(state.version, choice.destLevel, options),
    origin: {
      seqnoMin: Math.min(...segments.map((segment) => segment.seqnoMin)),
      seqnoMax: Math.max(...segments.map((segment) => segment.seqnoMax)),
      writtenAt: Math.max(...segments.map((segment) => segment.writtenAt)),
    },
    older: withoutSegments(state.version.runs, ids).slice(place.index),
    reason: choice.reason ?? "",
    inputs,
  };
}

/**
 * Tells whether a running merge writes keys of the same range to the same level, or stands between the inputs in age.
 *
 * Neither could lose anything, since a place is looked for when a merge ends; but one of the two would be given up, or a level
 * would have two runs where there was one.
 */
function touchesRunning(state: TreeState, runs: readonly Run[], destLevel: number): boolean {
  const mine = extentOf(state.version, runs);
  const running = [
    ...state.inFlight,
    ...state.committing.flatMap((change) => change.kind === "task" ? [change.task] : []),
  ];
  return running.some((task) => {
    if (task.kind === "flush") return false;
    const theirs = extentOf(state.version, task.inputs);
    if (!overlap(mine, theirs)) return false;
    return task.destLevel === destLevel || (mine.newest <= theirs.oldest && theirs.newest <= mine.oldest);
  });
}

interface Extent {
  readonly minKey: string;
  readonly maxKey: string;
  /** The first and the last run of the version that has any of them. */
  readonly newest: number;
  readonly oldest: number;
}

function extentOf(version: Version, runs: readonly Run[]): Extent {
  const ids = new Set(runs.flatMap((run) => run.segments.map((segment) => segment.id)));
  const has = (run: Run): boolean => run.segments.some((segment) => ids.has(segment.id));
  return {
    minKey: runs.map((run) => run.segments[0]!.minKey).reduce((a, b) => a < b ? a : b),
    maxKey: runs.map((run) => run.segments.at(-1)!.maxKey).reduce((a, b) => a > b ? a : b),
    newest: version.runs.findIndex(has),
    oldest: version.runs.findLastIndex(has),
  };
}

/** Begins the commit of the first pending change; changes that do not fit the version any more are given up. */
function startCommit(state: TreeState, start: StartEffect[], now: number): TreeState {
  let next = state;
  while (next.edit === undefined && next.committing.length > 0) {
    const change = next.committing[0]!;
    const edit = editFor(next, change, now);
    if (edit !== undefined) {
      start.push({
        kind: "commit_edit",
        edit,
        durable: next.durableSeqno,
      });
      return { ...next, edit };
    }
    if (change.kind === "task") {
      start.push(deleteOutputs(change.task));
    }
    next = { ...next, committing: next.committing.slice(1), askStrategy: true };
  }
  return next;
}

/** Returns the edit that makes a change of the version as it is now, or `undefined` if it does not fit any more. */
function editFor(state: TreeState, change: PendingChange, now: number): Edit | undefined {
  const { version, nextId } = state;
  const base = { time: now, nextId, flushedSeqno: version.flushedSeqno, config: undefined, fence: undefined };
  if (change.kind === "task" && change.task.kind === "flush") {
    return flushEdit(state, change.task.memtable, change.outputs, { ...base, reason: change.task.reason });
  }
  const inputs = change.kind === "task"
    ? (change.task as MergeTask).inputs.flatMap((run) => run.segments)
    : change.segments;
  const present = new Set(versionSegments(version).map((segment) => segment.id));
  if (inputs.some((segment) => !present.has(segment.id))) return undefined;
  const removed = inputs.map((segment) => segment.id);
  if (change.kind === "drop") return { ...base, cause: "drop", reason: change.reason, removed, added: [] };
  const [cause, reason, level, segments] = change.kind === "task"
    ? ["merge" as const, change.task.reason, change.task.destLevel, change.outputs]
    : ["move" as const, change.reason, change.destLevel, change.segments];
  if (segments.length === 0) return { ...base, cause, reason, removed, added: [] };
  const place = placeFor(version.runs, new Set(removed), level, segments);
  if (typeof place === "string") return undefined;
  return { ...base, cause, reason, removed, added: [{ ...place, segments }] };
}

function flushEdit(
  state: TreeState,
  memtable: Memtable,
  outputs: readonly SegmentMeta[],
  base: Omit<Edit, "cause" | "removed" | "added">,
): Edit {
  return {
    ...base,
    cause: "flush",
    flushedSeqno: memtable.lastSeqno,
    removed: memtable.clears ? versionSegments(state.version).map((segment) => segment.id) : [],
    added: outputs.length === 0 ? [] : [{ level: 0, index: 0, join: false, segments: outputs }],
  };
}

/** Returns which work a change of the version is the end of. */
export function workOf(change: PendingChange): Failure["work"] {
  return change.kind === "task" && change.task.kind === "flush" ? "flush" : "compaction";
}

/** Returns the effect that removes what a task has written. */
export function deleteOutputs(task: Task): StartEffect {
  return { kind: "delete_outputs", first: task.firstOutput, count: task.outputs };
}

/** Returns how work has failed, and when it is tried again. */
export function failureOf(state: TreeState, work: Failure["work"], error: unknown, now: number): Failure {
  const attempts = (state.failure?.work === work ? state.failure.attempts : 0) + 1;
  const pause = Math.min(RETRY_PAUSE_MS * 2 ** (attempts - 1), RETRY_PAUSE_MS_MAX);
  return { work, error, attempts, failedAt: now, retryAt: now + pause };
}
