/**
 * The step: a state and a command give the next state and what is to be done about it.
 *
 * ```text
 * command -> step -> persist effects -> publish the state -> start effects -> (results are commands)
 *
 * write --------> append to the journal; a full memtable is sealed
 * sealed -------> flush task ----> task_finished --> committing --> edit_committed --> version, files deleted
 * strategy says > merge task ----> task_finished --> committing --> edit_committed --> version, files deleted
 * ```
 *
 * Pure: the same state, command and options give the same step, but for the header of a write's record, which is filled in
 * where the batch left room for it. Nothing here waits: a change of the version takes two commands, so that what
 * is written meanwhile is never lost.
 *
 * Invariants:
 * - Edits are committed one at a time and are made from the version they will change, never from an older one.
 * - A pending change whose inputs are gone (a clear was flushed) is given up; its outputs are removed.
 * - Flushes are installed oldest first.
 *
 * @module
 */

import type { CompactionChoice } from "./choice.ts";
import { checkChoice } from "./choice.ts";
import type { Command } from "./command.ts";
import type { Edit } from "./edit.ts";
import { applyEdit } from "./edit.ts";
import type { PersistEffect, StartEffect } from "./effect.ts";
import { PUT } from "./entry_kind.ts";
import { encodeFileHeader, fileSalt } from "./file_header.ts";
import { applyBatch, EMPTY_MEMTABLE } from "./memtable.ts";
import type { Memtable } from "./memtable.ts";
import { RECORD_BATCH, sealRecord } from "./record.ts";
import { newOwner } from "./sorted_map.ts";
import type { Failure, PendingChange, StepOptions, TreeState } from "./state.ts";
import { barrierOf, busySegments, isCovered } from "./state.ts";
import type { FlushTask, MergeTask, Task } from "./task.ts";
import { outputsNeeded } from "./task.ts";
import type { Run, SegmentMeta, Version } from "./version.ts";
import { overlap, placeFor, versionSegments, withoutSegments } from "./version.ts";

/** The next state, and what is to be done about it. */
export interface Step {
  /** The next state. */
  readonly state: TreeState;
  /** Order: synchronous, done in this order before `state` is published. */
  readonly persist: readonly PersistEffect[];
  /** Order: begun after `state` is published; losing them in a crash loses no data. */
  readonly start: readonly StartEffect[];
}

/** Bytes from which on a flush begins a new segment. */
const FLUSH_TARGET_BYTES = 64 * 1024 * 1024;

/** The first pause before failed work is tried again; each further one is twice as long, up to the longest. */
const RETRY_PAUSE_MS = 100;
const RETRY_PAUSE_MS_MAX = 30_000;

/** Returns the next state and what is to be done about it. */
export function step(state: TreeState, command: Command, options: StepOptions): Step {
  switch (command.kind) {
    case "open_journal":
      return openJournal(state);
    case "write":
      return write(state, command, options);
    case "seal":
      return schedule(sealed({ ...state, failure: undefined }, state.seqno), options, command.now);
    case "choose": {
      const start: StartEffect[] = [];
      const next = chosen({ ...state, failure: undefined }, command.choice, options, command.now, start);
      return schedule(next, options, command.now, [], start);
    }
    case "tick": {
      const failure = command.force ? undefined : state.failure;
      return schedule({ ...state, askStrategy: true, failure }, options, command.now);
    }
    case "task_finished":
      return taskFinished(state, command.task, command.outputs, options, command.now);
    case "task_failed":
      return taskFailed(state, command.task, command.error, options, command.now);
    case "edit_committed":
      return editCommitted(state, options, command.now);
    case "edit_failed":
      return schedule(failedEdit(state, command.error, command.now), options, command.now);
    case "barrier_finished":
      return only({
        ...state,
        durableSeqno: Math.max(state.durableSeqno, command.seqno),
        durableJournal: Math.max(state.durableJournal, command.journal),
      });
    case "poison":
      return only({ ...state, poisoned: state.poisoned ?? { error: command.error } });
  }
}

function only(state: TreeState): Step {
  return { state, persist: [], start: [] };
}

function openJournal(state: TreeState): Step {
  const id = state.nextId;
  const { header, bytes } = encodeFileHeader("journal", id, fileSalt(state.salt, id));
  const journal = { id, seed: header.seed, bytes: bytes.length };
  return {
    state: { ...state, journal, nextId: id + 1 },
    persist: [{ kind: "create_journal", id, header: bytes }],
    start: [],
  };
}

function write(state: TreeState, command: Command & { kind: "write" }, options: StepOptions): Step {
  const { batch } = command;
  const journal = state.journal!;
  const seqno = state.seqno + 1;
  const length = batch.end - batch.start;
  const validBytes = journal.bytes + length;
  sealRecord(
    batch.bytes,
    batch.start,
    batch.end,
    RECORD_BATCH,
    journal.seed,
    journal.bytes,
    seqno,
    state.durableSeqno,
  );
  const active = applyBatch(
    state.active,
    batch.operations,
    { seqno, journal: journal.id, validBytes, bytes: length },
    (key) => isCovered(state, key),
    batch.operations.length > 1 ? newOwner() : undefined,
  );
  const append: PersistEffect = {
    kind: "append_journal",
    id: journal.id,
    bytes: batch.bytes,
    start: batch.start,
    end: batch.end,
    offset: journal.bytes,
  };
  let next: TreeState = {
    ...state,
    active,
    seqno,
    journal: { id: journal.id, seed: journal.seed, bytes: validBytes },
  };
  if (state.emptyBelow !== "" || state.emptyFrom !== undefined || command.pop !== undefined) {
    next = withEmptyEnds(next, command);
  }
  const persist = options.durability === "sync" ? [append, ...syncOf(next)] : [append];
  if (options.durability === "sync") next = { ...next, durableSeqno: seqno, durableJournal: journal.id };
  if (active.bytes < options.maxMemtableSize) return { state: next, persist, start: [] };
  return schedule(sealed(next, seqno), options, command.now, persist);
}

function syncOf(state: TreeState): PersistEffect[] {
  const barrier = barrierOf(state)!;
  return [{ kind: "sync_journals", ids: barrier.journals, folder: barrier.folder }];
}

/** Keeps track of the ends where nothing is alive, so that a queue does not scan what it has popped. */
function withEmptyEnds(state: TreeState, command: Command & { kind: "write" }): TreeState {
  let { emptyBelow, emptyFrom } = state;
  for (const { kind, key } of command.batch.operations) {
    if (kind === PUT) {
      if (key < emptyBelow) emptyBelow = key;
      if (emptyFrom !== undefined && key >= emptyFrom) emptyFrom = key + "\0";
    } else if (command.pop === "first") emptyBelow = key + "\0";
    else if (command.pop === "last") emptyFrom = key;
  }
  return { ...state, emptyBelow, emptyFrom };
}

/** Returns the state with the active memtable sealed, if it holds a batch, and flushes wanted up to `flushTarget`. */
function sealed(state: TreeState, flushTarget: number): TreeState {
  const { active } = state;
  if (active.lastSeqno === 0) return { ...state, flushTarget };
  return {
    ...state,
    sealed: [active, ...state.sealed],
    active: EMPTY_MEMTABLE,
    journal: undefined,
    flushTarget,
  };
}

function taskFinished(
  state: TreeState,
  id: number,
  outputs: readonly SegmentMeta[],
  options: StepOptions,
  now: number,
): Step {
  const task = state.inFlight.find((one) => one.id === id);
  if (task === undefined) return only(state);
  return schedule(
    {
      ...state,
      inFlight: state.inFlight.filter((one) => one.id !== id),
      committing: [...state.committing, { kind: "task", task, outputs }],
    },
    options,
    now,
  );
}

function taskFailed(state: TreeState, id: number, error: unknown, options: StepOptions, now: number): Step {
  const task = state.inFlight.find((one) => one.id === id);
  if (task === undefined) return only(state);
  return schedule(
    {
      ...state,
      inFlight: state.inFlight.filter((one) => one.id !== id),
      failure: failureOf(state, task.kind === "flush" ? "flush" : "compaction", error, now),
      askStrategy: true,
    },
    options,
    now,
    [],
    [{ kind: "delete_files", segments: reservedOutputs(task), journals: [] }],
  );
}

function reservedOutputs(task: Task): number[] {
  return Array.from({ length: task.outputs }, (_, i) => task.firstOutput + i);
}

function failureOf(state: TreeState, work: Failure["work"], error: unknown, now: number): Failure {
  const attempts = (state.failure?.work === work ? state.failure.attempts : 0) + 1;
  const pause = Math.min(RETRY_PAUSE_MS * 2 ** (attempts - 1), RETRY_PAUSE_MS_MAX);
  return { work, error, attempts, retryAt: now + pause };
}

/** The edit stays first in line; it is made anew when it is tried again. */
function failedEdit(state: TreeState, error: unknown, now: number): TreeState {
  return { ...state, edit: undefined, failure: failureOf(state, workOf(state.committing[0]!), error, now) };
}

function workOf(change: PendingChange): Failure["work"] {
  return change.kind === "task" && change.task.kind === "flush" ? "flush" : "compaction";
}

function editCommitted(state: TreeState, options: StepOptions, now: number): Step {
  const edit = state.edit!;
  const change = state.committing[0]!;
  const version = applyEdit(state.version, edit);
  const kept = new Set(edit.added.flatMap((placement) => placement.segments.map((segment) => segment.id)));
  const flushed = state.sealed.filter((memtable) => memtable.lastSeqno <= edit.flushedSeqno);
  const next: TreeState = {
    ...state,
    version,
    sealed: state.sealed.filter((memtable) => memtable.lastSeqno > edit.flushedSeqno),
    durableSeqno: Math.max(state.durableSeqno, edit.flushedSeqno),
    committing: state.committing.slice(1),
    edit: undefined,
    askStrategy: true,
    failure: state.failure?.work === workOf(change) ? undefined : state.failure,
  };
  const gone: StartEffect = {
    kind: "delete_files",
    segments: edit.removed.filter((id) => !kept.has(id)),
    journals: flushed.flatMap((memtable) => memtable.journals.map((journal) => journal.id)),
  };
  return schedule(next, options, now, [], gone.segments.length + gone.journals.length > 0 ? [gone] : []);
}

/** Begins whatever can be begun: the next edit, the next flush, what the strategy wants. */
function schedule(
  state: TreeState,
  options: StepOptions,
  now: number,
  persist: readonly PersistEffect[] = [],
  begun: readonly StartEffect[] = [],
): Step {
  if (state.poisoned !== undefined) return { state, persist, start: [] };
  const start = [...begun];
  let next = state;
  if (next.failure === undefined || next.failure.retryAt <= now || next.failure.work === "strategy") {
    next = startFlush(next, start, options, now);
    next = startCompaction(next, start, options, now);
    next = startCommit(next, start, now);
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
  const task: FlushTask = {
    kind: "flush",
    id: state.nextTask,
    firstOutput: state.nextId,
    outputs: outputsNeeded(memtable.bytes, FLUSH_TARGET_BYTES, 1),
    salt: state.salt,
    destLevel: 0,
    targetSize: FLUSH_TARGET_BYTES,
    encoding: encodingOf(state.version, 0, options),
    origin: { seqnoMin: memtable.firstSeqno, seqnoMax: memtable.lastSeqno, writtenAt: now },
    older: memtable.clears ? [] : state.version.runs,
    reason: `${memtable.bytes} bytes of journal`,
    memtable,
  };
  return withTask(state, task, start);
}

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

/** Asks the strategy until it wants nothing or no more may run. */
function startCompaction(
  state: TreeState,
  start: StartEffect[],
  options: StepOptions,
  now: number,
): TreeState {
  let next = state;
  while (next.askStrategy && next.inFlight.length < options.tasksMax) {
    let choice: CompactionChoice;
    try {
      choice = options.choose(next.version, busySegments(next), now);
    } catch (error) {
      return { ...next, askStrategy: false, failure: failureOf(next, "strategy", error, now) };
    }
    if (choice?.kind === "none") {
      return { ...next, askStrategy: false, failure: withoutStrategyFailure(next) };
    }
    const before = next;
    next = chosen({ ...next, askStrategy: true }, choice, options, now, start);
    if (next.failure !== before.failure && next.failure !== undefined) return { ...next, askStrategy: false };
  }
  return next;
}

function withoutStrategyFailure(state: TreeState): Failure | undefined {
  return state.failure?.work === "strategy" ? undefined : state.failure;
}

/** Returns the state with a choice begun, or with the reason why it may not be. */
function chosen(
  state: TreeState,
  choice: CompactionChoice,
  options: StepOptions,
  now: number,
  start: StartEffect[],
): TreeState {
  const refused = (why: string): TreeState => ({
    ...state,
    failure: failureOf(
      state,
      "strategy",
      new RangeError(`Cannot do what the compaction strategy chose: ${why}`),
      now,
    ),
  });
  if (choice?.kind === "none") return state;
  if (choice?.kind !== "merge" && choice?.kind !== "move" && choice?.kind !== "drop") {
    return refused("it is no choice");
  }
  const levelCount = Math.max(options.levelCount, ...state.version.runs.map((run) => run.level + 1));
  const checked = checkChoice(choice, state.version, busySegments(state), levelCount);
  if (typeof checked === "string") return refused(checked);
  const reason = choice.reason ?? "";
  const segments = checked.runs.flatMap((run) => run.segments);
  if (choice.kind === "drop") {
    return { ...state, committing: [...state.committing, { kind: "drop", segments, reason }] };
  }
  if (touchesRunning(state, checked.runs, choice.destLevel)) {
    return refused("it touches what another task changes");
  }
  if (choice.kind === "move") {
    const { destLevel } = choice;
    return { ...state, committing: [...state.committing, { kind: "move", segments, destLevel, reason }] };
  }
  return withTask(state, mergeTask(state, checked.runs, choice, options), start);
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
  const newest = state.version.runs.findIndex((run) => run.segments.some((segment) => ids.has(segment.id)));
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
    older: withoutSegments(state.version.runs.slice(newest + 1), ids),
    reason: choice.reason ?? "",
    inputs,
  };
}

/** Tells whether a running merge reads or writes the same keys between the same levels. */
function touchesRunning(state: TreeState, runs: readonly Run[], destLevel: number): boolean {
  const mine = extentOf(runs, destLevel);
  const running = [
    ...state.inFlight,
    ...state.committing.flatMap((change) => change.kind === "task" ? [change.task] : []),
  ];
  return running.some((task) => {
    if (task.kind === "flush") return false;
    const theirs = extentOf(task.inputs, task.destLevel);
    return overlap(mine, theirs) && mine.levelMin <= theirs.levelMax && theirs.levelMin <= mine.levelMax;
  });
}

function extentOf(
  runs: readonly Run[],
  destLevel: number,
): {
  readonly minKey: string;
  readonly maxKey: string;
  readonly levelMin: number;
  readonly levelMax: number;
} {
  const minKeys = runs.map((run) => run.segments[0]!.minKey);
  const maxKeys = runs.map((run) => run.segments.at(-1)!.maxKey);
  const levels = [destLevel, ...runs.map((run) => run.level)];
  return {
    minKey: minKeys.reduce((a, b) => a < b ? a : b),
    maxKey: maxKeys.reduce((a, b) => a > b ? a : b),
    levelMin: Math.min(...levels),
    levelMax: Math.max(...levels),
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
      start.push({ kind: "delete_files", segments: reservedOutputs(change.task), journals: [] });
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
