/**
 * The engine: runs the step function and does what it says.
 *
 * ```text
 * dispatch(command):  step -> persist effects, in order -> publish the state -> start effects
 *                                                             results come back as commands
 * ```
 *
 * There is no `await` between reading the state, the step and the publication: a state that was computed before a wait and
 * published after it would drop the writes made in between. What is awaited (a barrier) comes back as a command that
 * is folded into the state of that moment.
 *
 * What it keeps beside the state: open files, readers, pins. A pin counts the readers of a version; files that the tree
 * does not name any more are removed when no pinned version names them and no read-only handle looks at the folder.
 *
 * Invariants:
 * - An effect of a published state that fails never throws out of the write that began it: it comes back as a command.
 * - After a failed barrier the tree is poisoned: nothing is written or removed by this handle any more.
 *
 * @module
 */

import type { CompactionChoice, PersistEffect, StartEffect, StepOptions, TreeState } from "../core/mod.ts";
import type { Batch, Command, Memtable, SegmentMeta, Task, Version } from "../core/mod.ts";
import {
  applyEdit,
  ClosedError,
  fenceEdit,
  PoisonedError,
  pressureOf,
  ReadOnlyError,
  step,
  userBytesOf,
  versionSegments,
} from "../core/mod.ts";
import { runInline } from "./background.ts";
import { BarrierError } from "./barrier.ts";
import { CODECS } from "./codecs.ts";
import type { ResolvedConfig } from "./config.ts";
import { JournalWriter } from "./journal_writer.ts";
import type { BarrierHost } from "./durability.ts";
import { Durability } from "./durability.ts";
import type { ManifestWriter } from "./manifest_writer.ts";
import { Removals } from "./removals.ts";
import { SegmentReaders } from "./segment_reader.ts";
import type { Storage, StorageLock } from "./storage.ts";

/** What the engine counts. */
export interface EngineCounts {
  /** Bytes of keys and values that the user wrote. */
  userBytes: number;
  /** Bytes of segments written. */
  segmentBytes: number;
  /** Tasks that were run. */
  flushes: number;
  /** Merges that were run. */
  merges: number;
  /** Moves without rewriting. */
  moves: number;
  /** Snapshots and ranges that were garbage before they were closed. */
  leaks: number;
}

/** What an engine is made of. */
export interface EngineParts {
  /** The folder, for messages. */
  readonly folder: string;
  /** All options. */
  readonly config: ResolvedConfig;
  /** What steps follow. */
  readonly options: StepOptions;
  /** The state that was recovered. */
  readonly state: TreeState;
  /** The manifest, or `undefined` for a read-only handle. */
  readonly manifest: ManifestWriter | undefined;
  /** The edit after which the files already say that the tree is closed in order; -1 if they do not. */
  readonly closedAt: number;
  /** Held until the engine is closed. */
  readonly locks: readonly StorageLock[];
  /** Where the time comes from, in ms since the epoch. */
  readonly clock: () => number;
}

/** The strategy is asked again after this time at the latest, since it may go by the age of segments. */
const TICK_MS = 60_000;

/** Runs the step function and does what it says. */
export class Engine {
  readonly folder: string;
  readonly config: ResolvedConfig;
  readonly readers: SegmentReaders;
  readonly counts: EngineCounts = {
    userBytes: 0,
    segmentBytes: 0,
    flushes: 0,
    merges: 0,
    moves: 0,
    leaks: 0,
  };
  /** What steps follow. */
  readonly options: StepOptions;
  readonly #parts: Omit<EngineParts, "state">;
  readonly #storage: Storage;
  readonly #journals: JournalWriter;
  readonly #removals: Removals;
  readonly #durability: Durability;
  #state: TreeState;
  #queue: StartEffect[] = [];
  #running = false;
  /** Whether a callback of the user's is running, from which nothing may be written. */
  #inCallback = false;
  readonly #openedSeqno: number;
  /** The buffer of the batch that was committed last, which its builder may go on with. */
  #writing: ArrayBufferLike | undefined;
  #tickTimer: ReturnType<typeof setTimeout> | undefined;
  #tickedAt: number;
  #closing: Promise<void> | undefined;
  #closed = false;

  /** Takes over what was opened. */
  constructor(parts: EngineParts) {
    const { state, ...rest } = parts;
    this.#parts = rest;
    this.#openedSeqno = state.seqno;
    this.folder = parts.folder;
    this.options = parts.options;
    this.config = parts.config;
    this.#storage = parts.config.storage;
    this.#state = state;
    this.#journals = new JournalWriter(this.#storage, parts.config.durability === "buffered");
    this.readers = new SegmentReaders(
      this.#storage,
      parts.config.blockCache,
      CODECS,
      parts.config.maxOpenFiles,
    );
    this.#tickedAt = parts.clock();
    this.#removals = new Removals(this.#storage, {
      segment: (id) => this.readers.forget(id),
      journal: (id) => this.#journals.forget(id),
    });
    const { durability, fsyncInterval } = parts.config;
    const interval = durability === "sync" ? null : fsyncInterval;
    this.#durability = new Durability(this.#barrierHost(), this.#journals, interval, parts.clock);
  }

  #barrierHost(): BarrierHost {
    return {
      currentState: () => this.#state,
      barrierPassed: ({ seqno, journal }) => this.#dispatch({ kind: "barrier_finished", seqno, journal }),
      poisonIfBarrier: (error) => this.#poisonIfBarrier(error),
    };
  }

  /** The state of this moment. */
  get state(): TreeState {
    this.checkOpen();
    return this.#state;
  }

  /** Throws if it was closed. */
  checkOpen(): void {
    if (this.#closed) throw new ClosedError(`Cannot use the tree "${this.folder}": it is closed`);
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Bytes written to journals and manifests. */
  get logBytes(): { readonly journals: number; readonly manifests: number; readonly syncs: number } {
    return {
      journals: this.#journals.bytesWritten,
      manifests: this.#parts.manifest?.bytesWritten ?? 0,
      syncs: this.#journals.syncs,
    };
  }

  /** Throws unless a write is allowed now. */
  checkWritable(): void {
    if (this.#closed || this.#closing !== undefined) {
      throw new ClosedError(`Cannot write to the tree "${this.folder}": it is closed`);
    }
    if (this.config.readOnly) {
      throw new ReadOnlyError(`Cannot write to the tree "${this.folder}": it is read-only`);
    }
    if (this.#inCallback) {
      throw new TypeError(
        "Cannot write to the tree from inside a callback that it runs: return the value instead",
      );
    }
    if (this.#state.poisoned !== undefined) throw this.#poisonedError();
  }

  #poisonedError(): PoisonedError {
    return new PoisonedError(
      `Cannot write to the tree "${this.folder}": an earlier sync failed, so what is durable is unknown; reopen the tree`,
      { cause: this.#state.poisoned?.error },
    );
  }

  /** Runs a callback of the user's, from which the tree must not be written. */
  guarded<T>(callback: () => T): T {
    const before = this.#inCallback;
    this.#inCallback = true;
    try {
      return callback();
    } finally {
      this.#inCallback = before;
    }
  }

  /**
   * Commits a batch. Requires: `checkWritable` passed.
   *
   * @throws {IoError} If it could not be appended; then it is absent.
   */
  commit(batch: Batch, pop?: "first" | "last"): void {
    const now = this.#parts.clock();
    this.#writing = batch.bytes.buffer;
    if (Math.abs(now - this.#tickedAt) >= TICK_MS || this.#isRetryDue(now)) this.#tickNow(now);
    if (this.#state.sealed.length > 0) this.#relieve(now);
    if (this.#state.journal === undefined) this.#dispatch({ kind: "open_journal" });
    this.#dispatch({ kind: "write", batch, pop, now });
    this.counts.userBytes += userBytesOf(batch);
    this.#durability.keepInterval(now);
  }

  /** Throws what keeps sealed memtables from being flushed, if there are too many to go on. */
  #relieve(now: number): void {
    if (pressureOf(this.#state, this.options).level === "go") return;
    this.#dispatch({ kind: "tick", force: true, ask: false, now });
    if (pressureOf(this.#state, this.options).level === "go") return;
    throw this.#state.failure?.error ?? this.#poisonedError();
  }

  /** Seals the active memtable and begins to flush all that is sealed. */
  seal(): void {
    this.#dispatch({ kind: "seal", now: this.#parts.clock() });
  }

  /** Does what a choice says, as if the strategy had said it. */
  choose(choice: CompactionChoice): void {
    this.#dispatch({ kind: "choose", choice, now: this.#parts.clock() });
  }

  /** Throws what background work has failed with, if it has. */
  throwFailure(): void {
    if (this.#state.poisoned !== undefined) throw this.#poisonedError();
    if (this.#state.failure !== undefined) throw this.#state.failure.error;
  }

  /** Begins the life of a tree that was opened for writing: asks the strategy, now and then again. */
  begin(): void {
    this.#tickNow(this.#parts.clock(), true);
  }

  /** Retries what failed if its pause is over, asks the strategy if a minute is, and sees to it that this happens again. */
  #tickNow(now: number, ask: boolean = Math.abs(now - this.#tickedAt) >= TICK_MS): void {
    if (ask) this.#tickedAt = now;
    this.#dispatch({ kind: "tick", force: false, ask, now });
    this.#armTick();
  }

  #isRetryDue(now: number): boolean {
    const { failure } = this.#state;
    return failure !== undefined && failure.work !== "strategy" && failure.retryAt <= now;
  }

  /** Arms the timer for the next tick: in a minute, or when the pause after a failure is over. */
  #armTick(): void {
    clearTimeout(this.#tickTimer);
    const { failure } = this.#state;
    const isRetried = failure !== undefined && failure.work !== "strategy";
    const pause = isRetried ? Math.min(TICK_MS, failure.retryAt - this.#parts.clock()) : TICK_MS;
    const timer = setTimeout(() => {
      if (!this.#closed && this.#state.poisoned === undefined) this.#tickNow(this.#parts.clock());
    }, Math.max(pause, 1));
    Deno.unrefTimer(timer);
    this.#tickTimer = timer;
  }

  #dispatch(command: Command): void {
    const { state, persist, start } = this.guarded(() => step(this.#state, command, this.options));
    for (const effect of persist) this.#persist(effect);
    const hasFailed = state.failure !== undefined && state.failure !== this.#state.failure;
    this.#state = state;
    if (hasFailed && this.#closing === undefined) this.#armTick();
    if (start.length > 0) this.#start(start);
  }

  #persist(effect: PersistEffect): void {
    try {
      if (effect.kind === "append_journal") {
        this.#journals.append(effect.id, effect.bytes, effect.start, effect.end);
      } else if (effect.kind === "create_journal") {
        this.#journals.drain();
        this.#journals.create(effect.id, effect.header);
      } else {
        this.#journals.sync(effect.ids, effect.folder);
      }
    } catch (error) {
      throw this.#poisonIfBarrier(error);
    }
  }

  /** Poisons the tree if a barrier failed; returns the error behind it. */
  #poisonIfBarrier(error: unknown): unknown {
    if (!(error instanceof BarrierError)) return error;
    this.#state = step(this.#state, { kind: "poison", error: error.cause }, this.options).state;
    return error.cause;
  }

  /** Begins effects one after the other; those that their results begin wait for their turn. */
  #start(effects: readonly StartEffect[]): void {
    this.#queue.push(...effects);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let effect = this.#queue.shift(); effect !== undefined; effect = this.#queue.shift()) {
        if (this.#state.poisoned === undefined) this.#begin(effect);
      }
    } finally {
      this.#running = false;
    }
  }

  #begin(effect: StartEffect): void {
    const now = this.#parts.clock();
    if (effect.kind === "delete_files") {
      this.#removals.add(effect.segments, effect.journals);
      return this.#removals.run();
    }
    const { sealed } = this.#state;
    const outcome = this.#outcomeOf(effect, now);
    if (this.#state.poisoned !== undefined) return;
    this.#dispatch(outcome);
    if (outcome.kind === "edit_committed") this.#freeChunks(sealed);
  }

  /** Does what an effect says and returns how it ended; only the work is tried, never what follows from it. */
  #outcomeOf(effect: Exclude<StartEffect, { kind: "delete_files" }>, now: number): Command {
    try {
      return effect.kind === "run_task" ? this.#runTask(effect.task, now) : this.#commitEdit(effect, now);
    } catch (failed) {
      const error = this.#poisonIfBarrier(failed);
      return effect.kind === "run_task"
        ? { kind: "task_failed", task: effect.task.id, error, now }
        : { kind: "edit_failed", error, now };
    }
  }

  #runTask(task: Task, now: number): Command {
    const { outputs, bytes } = runInline(task, this.#storage, CODECS);
    this.counts.segmentBytes += bytes;
    if (task.kind === "flush") this.counts.flushes += 1;
    else this.counts.merges += 1;
    return { kind: "task_finished", task: task.id, outputs, now };
  }

  #commitEdit({ edit, durable }: StartEffect & { kind: "commit_edit" }, now: number): Command {
    const { version } = this.#state;
    this.#journals.drain();
    this.#parts.manifest!.commit(edit, version, applyEdit(version, edit), durable, now);
    if (edit.cause === "move") this.counts.moves += 1;
    return { kind: "edit_committed", now };
  }

  /**
   * Gives back the memory of memtables that were flushed, unless a snapshot or a range may still read them.
   *
   * The garbage collector would do so too, but late: it does not see how much hangs on a memtable. 1,000,000 inserts took up to
   * 410 MB that way.
   */
  #freeChunks(before: readonly Memtable[]): void {
    const { active, sealed } = this.#state;
    const flushed = before.filter((memtable) => !sealed.includes(memtable));
    if (flushed.length === 0 || this.#removals.pinnedVersions > 0) return;
    const needed = new Set([this.#writing]);
    for (const { arena } of [active, ...sealed]) for (const buffer of arena.buffers()) needed.add(buffer);
    for (const { arena } of flushed) {
      for (const buffer of arena.buffers()) {
        // A journal that was recovered may have filled several of them.
        if (!needed.has(buffer) && buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
      }
    }
  }

  /** Keeps the files of a version until {@linkcode unpin}. */
  pin(version: Version): void {
    this.#removals.pin(version);
  }

  /** Lets go of the files of a version. */
  unpin(version: Version): void {
    const isLast = this.#removals.unpin(version);
    if (isLast && !this.#closed && this.#state.poisoned === undefined) this.#removals.run();
  }

  /** How many versions are pinned. */
  get pinnedVersions(): number {
    return this.#removals.pinnedVersions;
  }

  /** Makes every write so far survive power loss; concurrent calls share one barrier. */
  async flush(): Promise<void> {
    if (this.#closed) throw new ClosedError(`Cannot flush the tree "${this.folder}": it is closed`);
    if (this.config.readOnly) return;
    if (this.#state.poisoned !== undefined) throw this.#poisonedError();
    await this.#durability.flush();
    if (this.#state.poisoned !== undefined) throw this.#poisonedError();
  }

  /** Finishes background work, flushes, and lets go of everything; the same promise for every call. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#tickTimer);
    try {
      await this.#durability.stop();
      if (!this.config.readOnly) this.#finishWork();
    } finally {
      this.#closed = true;
      this.#journals.close();
      this.readers.close();
      this.#parts.manifest?.close();
      for (const lock of this.#parts.locks) lock.release();
      this.#storage.close();
    }
  }

  #finishWork(): void {
    if (this.#state.poisoned === undefined) {
      this.#dispatch({ kind: "tick", force: true, ask: true, now: this.#parts.clock() });
      this.#durability.passNow();
      this.#writeClosing();
      this.#removals.run();
    }
    this.throwFailure();
  }

  /** Says in the journal and a new manifest that the tree was closed in order, unless nothing has changed since they say so. */
  #writeClosing(): void {
    const { version, active, sealed, seqno, nextId, journal } = this.#state;
    const { closedAt, manifest } = this.#parts;
    if (version.editNumber === closedAt && seqno === this.#openedSeqno && journal === undefined) return;
    const journals = [...sealed].reverse().concat(active).flatMap((memtable) => memtable.journals);
    const now = this.#parts.clock();
    const edit = fenceEdit("closed", version, journals, seqno, nextId, now);
    try {
      if (journal !== undefined) this.#journals.closing(journal, seqno);
      manifest!.replace(applyEdit(version, edit), "closed", seqno, now);
    } catch (error) {
      throw this.#poisonIfBarrier(error);
    }
  }

  /** All segments of the current version. */
  segments(): readonly SegmentMeta[] {
    return versionSegments(this.state.version);
  }
}
