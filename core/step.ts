/**
 * The step: a state and a command give the next state and what is to be done about it.
 *
 * ```text
 * command -> step -> persist effects -> publish the state -> start effects -> (results are commands)
 *
 * append -------> append to the journal, and at once
 * write --------> the batch is visible; a full memtable is sealed
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

import type { Batch } from "./batch.ts";
import type { Command } from "./command.ts";
import type { PersistEffect, StartEffect } from "./effect.ts";
import { PUT } from "./entry_kind.ts";
import { encodeFileHeader, fileSalt } from "./file_header.ts";
import { withEdit } from "./history.ts";
import type { Memtable } from "./memtable.ts";
import { applyBatch, EMPTY_MEMTABLE } from "./memtable.ts";
import { RECORD_BATCH, sealRecord } from "./record.ts";
import { chosen, deleteOutputs, failureOf, refused, schedule, workOf } from "./schedule.ts";
import { newOwner } from "./sorted_map.ts";
import type { StepOptions, TreeState } from "./state.ts";
import { barrierOf, isCovered } from "./state.ts";
import type { SegmentMeta } from "./version.ts";

/** The next state, and what is to be done about it. */
export interface Step {
  /** The next state. */
  readonly state: TreeState;
  /** Order: synchronous, done in this order before `state` is published. */
  readonly persist: readonly PersistEffect[];
  /** Order: begun after `state` is published; losing them in a crash loses no data. */
  readonly start: readonly StartEffect[];
}

/** Returns the next state and what is to be done about it; once poisoned, a state stays as it is. */
export function step(state: TreeState, command: Command, options: StepOptions): Step {
  if (state.poisoned !== undefined) return only(state);
  switch (command.kind) {
    case "open_journal":
      return openJournal(state);
    case "append":
      return append(state, command.batch, options);
    case "write":
      return write(state, command, options);
    case "seal":
      return schedule(sealed(retried(state), state.seqno), options, command.now);
    case "choose": {
      const start: StartEffect[] = [];
      const next = chosen({ ...state, failure: undefined }, command.choice, options, command.now, start) ??
        refused(state, "it touches what another task changes", command.now);
      return schedule(next, options, command.now, [], start);
    }
    case "compact": {
      const { id, interval, now } = command;
      const manual = { id, interval, rounds: 0 };
      return schedule({ ...state, manual, failure: undefined }, options, now);
    }
    case "abandon_compaction":
      return schedule(
        { ...state, manual: state.manual?.id === command.id ? undefined : state.manual },
        options,
        command.now,
      );
    case "tick": {
      const failure = command.force ? undefined : state.failure;
      const askStrategy = state.askStrategy || command.ask;
      const rounds = command.ask ? 0 : state.rounds;
      return schedule({ ...state, askStrategy, rounds, failure }, options, command.now);
    }
    case "task_finished":
      return taskFinished(state, command.task, command.outputs, options, command.now);
    case "task_failed":
      return taskFailed(state, command.task, command.error, options, command.now);
    case "task_cancelled":
      return taskCancelled(state, command.task, options, command.now);
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
      return only({ ...state, poisoned: { error: command.error } });
  }
}

/** Returns the state with nothing failed; a strategy that failed is asked again, since nobody else would. */
function retried(state: TreeState): TreeState {
  const askStrategy = state.askStrategy || state.failure?.work === "strategy";
  return { ...state, askStrategy, rounds: 0, failure: undefined };
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

/**
 * Appending comes before folding, and not in one step with it: a memtable whose nodes are edited in place could not be taken back if the
 * append failed.
 */
function append(state: TreeState, batch: Batch, options: StepOptions): Step {
  const journal = state.journal!;
  const { bytes, start, end } = batch;
  sealRecord(
    bytes,
    start,
    end,
    RECORD_BATCH,
    journal.seed,
    journal.bytes,
    state.seqno + 1,
    state.durableSeqno,
  );
  const effect: PersistEffect = {
    kind: "append_journal",
    id: journal.id,
    bytes,
    start,
    end,
    offset: journal.bytes,
  };
  const persist = options.durability === "sync" ? [effect, syncWith(state, journal.id)] : [effect];
  return { state, persist, start: [] };
}

/** Returns the barrier that makes all batches durable, and one that was just appended to a journal. */
function syncWith(state: TreeState, journal: number): PersistEffect {
  const before = barrierOf(state)?.journals ?? [];
  const ids = before.at(-1) === journal ? before : [...before, journal];
  return { kind: "sync_journals", ids, folder: journal > state.durableJournal };
}

function write(state: TreeState, command: Command & { kind: "write" }, options: StepOptions): Step {
  const { batch } = command;
  const journal = state.journal!;
  const seqno = state.seqno + 1;
  const length = batch.end - batch.start;
  const validBytes = journal.bytes + length;
  const active = applyBatch(
    state.active,
    batch,
    { seqno, journal: journal.id, validBytes, bytes: length },
    (key) => isCovered(state, key),
    command.owner ?? (batch.operations.length > 1 ? newOwner() : undefined),
  );
  let next: TreeState = {
    ...state,
    active,
    seqno,
    journal: { id: journal.id, seed: journal.seed, bytes: validBytes },
  };
  if (state.emptyBelow !== "" || state.emptyFrom !== undefined || command.pop !== undefined) {
    next = withEmptyEnds(next, command);
  }
  if (options.durability === "sync") next = { ...next, durableSeqno: seqno, durableJournal: journal.id };
  if (active.bytes < options.maxMemtableSize) return only(next);
  return schedule(sealed(next, seqno), options, command.now);
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
    [deleteOutputs(task)],
  );
}

function taskCancelled(state: TreeState, id: number, options: StepOptions, now: number): Step {
  const task = state.inFlight.find((one) => one.id === id);
  if (task === undefined) return only(state);
  const inFlight = state.inFlight.filter((one) => one.id !== id);
  return schedule(
    { ...state, inFlight, askStrategy: true },
    options,
    now,
    [],
    [deleteOutputs(task)],
  );
}

/** The edit stays first in line; it is made anew when it is tried again. */
function failedEdit(state: TreeState, error: unknown, now: number): TreeState {
  return { ...state, edit: undefined, failure: failureOf(state, workOf(state.committing[0]!), error, now) };
}

function editCommitted(state: TreeState, options: StepOptions, now: number): Step {
  const edit = state.edit!;
  const change = state.committing[0]!;
  const { version, history } = withEdit(state, edit);
  const kept = new Set(edit.added.flatMap((placement) => placement.segments.map((segment) => segment.id)));
  const sealed = state.sealed.filter((memtable) => memtable.lastSeqno > edit.flushedSeqno);
  const next: TreeState = {
    ...state,
    version,
    history,
    sealed,
    durableSeqno: Math.max(state.durableSeqno, edit.flushedSeqno),
    committing: state.committing.slice(1),
    edit: undefined,
    askStrategy: true,
    rounds: edit.cause === "flush" ? 0 : state.rounds,
    failure: state.failure?.work === workOf(change) ? undefined : state.failure,
  };
  const gone: StartEffect = {
    kind: "delete_files",
    segments: edit.removed.filter((id) => !kept.has(id)),
    journals: [...journalsOf(state.sealed).difference(journalsOf(sealed))],
  };
  return schedule(next, options, now, [], gone.segments.length + gone.journals.length > 0 ? [gone] : []);
}

/** A recovered journal may have filled several memtables: it is needed until the last of them is flushed. */
function journalsOf(memtables: readonly Memtable[]): Set<number> {
  return new Set(memtables.flatMap((memtable) => memtable.journals.map((journal) => journal.id)));
}
