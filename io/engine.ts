/**
 * The engine: runs the step function and does what it says.
 *
 * ```text
 * dispatch(command):  step -> persist effects, in order -> publish the state -> start effects
 *                                                             results come back as commands
 * ```
 *
 * There is no `await` between reading the state, the step and the publication: a state that was computed before a wait and
 * published after it would drop the writes made in between. What is awaited (a barrier, a task in a Worker) comes back as a
 * command that is folded into the state of that moment.
 *
 * What it keeps beside the state: open files, readers, pins. A pin counts the readers of a version; files that the tree
 * does not name any more are removed when no pinned version names them and no read-only handle looks at the folder.
 *
 * Invariants:
 * - A write edits the memtable's nodes in place if nobody else keeps a state that has them; whoever keeps one pins it first.
 * - An effect of a published state that fails never throws out of the write that began it: it comes back as a command.
 * - After a failed barrier the tree is poisoned: nothing is written or removed by this handle any more.
 *
 * @module
 */

import type { PersistEffect, StartEffect, StepOptions, TreeState } from "../core/mod.ts";
import type { Batch, Command, Interval, Pressure, SegmentMeta, Version } from "../core/mod.ts";
import {
  ClosedError,
  fenceEdit,
  newOwner,
  PoisonedError,
  pressureOf,
  ReadOnlyError,
  step,
  taskInputs,
  userBytesOf,
  versionSegments,
  withEdit,
} from "../core/mod.ts";
import type { Stalls } from "./backpressure.ts";
import { Backpressure } from "./backpressure.ts";
import { BarrierError } from "./barrier.ts";
import { CODECS } from "./codecs.ts";
import type { ResolvedConfig } from "./config.ts";
import { JournalWriter } from "./journal_writer.ts";
import type { BarrierHost } from "./durability.ts";
import { Durability } from "./durability.ts";
import type { EngineParts } from "./engine_parts.ts";
import { freeFlushed } from "./flushed_memory.ts";
import { Removals } from "./removals.ts";
import { SegmentReaders } from "./segment_reader.ts";
import type { Storage } from "./storage.ts";
import type { TaskHost } from "./tasks.ts";
import { Tasks } from "./tasks.ts";
import { Ticks } from "./ticks.ts";
import { Waiting } from "./waiting.ts";

/** What the engine counts. */
export interface EngineCounts {
  /** Bytes of keys and values that the user wrote. */
  userBytes: number;
  /** Moves without rewriting. */
  moves: number;
  /** Snapshots and ranges that were garbage before they were closed. */
  leaks: number;
}

/** Runs the step function and does what it says. */
export class Engine {
  readonly folder: string;
  readonly readers: SegmentReaders;
  readonly tasks: Tasks;
  readonly counts: EngineCounts = {
    userBytes: 0,
    moves: 0,
    leaks: 0,
  };
  readonly #parts: Omit<EngineParts, "state" | "options">;
  readonly #storage: Storage;
  readonly #journals: JournalWriter;
  readonly #removals: Removals;
  readonly #durability: Durability;
  readonly #backpressure: Backpressure;
  readonly #ticks: Ticks;
  readonly #waiting = new Waiting();
  /** Lets the memtable's nodes be edited in place as long as nobody but this engine reads the state. */
  #owner = newOwner();
  #config: ResolvedConfig;
  #options: StepOptions;
  #state: TreeState;
  #queue: StartEffect[] = [];
  #running = false;
  /** Whether a callback of the user's is running, from which nothing may be written. */
  #inCallback = false;
  readonly #openedSeqno: number;
  /** The buffer of the batch that was committed last, which its builder may go on with. */
  #writing: ArrayBufferLike | undefined;
  #compactions = 0;
  #closing: Promise<void> | undefined;
  #closed = false;

  /** Takes over what was opened. */
  constructor({ state, options, ...parts }: EngineParts) {
    const { config, clock, folder } = parts;
    this.#parts = parts;
    this.#openedSeqno = state.seqno;
    this.folder = folder;
    this.#config = config;
    this.#options = { ...options, compacting: false };
    this.#storage = config.storage;
    this.#state = state;
    this.#journals = new JournalWriter(this.#storage, config.durability === "buffered");
    this.readers = new SegmentReaders(this.#storage, config.blockCache, CODECS, config.maxOpenFiles);
    this.#removals = new Removals(this.#storage, {
      segment: (id) => this.readers.forget(id),
      journal: (id) => this.#journals.forget(id),
      inUse: () => this.#state.inFlight.flatMap(taskInputs),
      handOver: (names) => this.tasks.remove(names),
    });
    const interval = config.durability === "sync" ? null : config.fsyncInterval;
    this.#durability = new Durability(this.#barrierHost(), this.#journals, interval, clock);
    this.tasks = new Tasks(this.#taskHost(), config, clock);
    this.#ticks = new Ticks(
      { failure: () => this.#state.failure, tick: (ask, now) => this.#tick(ask, now) },
      clock,
    );
    this.#backpressure = new Backpressure({
      pressure: () => this.pressure(),
      retry: () => this.retry(),
      workOn: (milliseconds) => this.tasks.workOn(milliseconds),
      stuck: () => this.#state.failure?.error ?? this.#poisonedError(),
    });
  }

  #taskHost(): TaskHost {
    return {
      currentState: () => this.#state,
      taskEnded: (command) => {
        if (!this.#closed) this.#dispatch(command);
      },
      removed: (names, isDone) => this.#removals.handedBack(names, isDone),
      drainJournals: () => this.#journals.drain(),
      poisonIfBarrier: (error) => this.#poisonIfBarrier(error),
    };
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

  /** All options. */
  get config(): ResolvedConfig {
    const { mode } = this.tasks.background;
    if (this.#config.background === "worker" && mode === "inline" && this.#options.compacting) {
      this.#config = Object.freeze({ ...this.#config, background: mode });
    }
    return this.#config;
  }

  /** How often and how long writers were held. */
  get stalls(): Stalls {
    return this.#backpressure.stalls;
  }

  /** How hard writers are pressed. */
  pressure(): Pressure {
    return pressureOf(this.state, this.#options);
  }

  /** Throws if it was closed. */
  checkOpen(): void {
    if (this.#closed) throw new ClosedError(`Cannot use the tree "${this.folder}": it is closed`);
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether background work has failed and not succeeded since, or the tree is poisoned. */
  get hasFailed(): boolean {
    return this.#state.failure !== undefined || this.#state.poisoned !== undefined;
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
    if (this.#config.readOnly) {
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
    if (this.tasks.background.hasNews) this.tasks.drain();
    this.#ticks.keep(now);
    if (this.#state.sealed.length + this.#state.inFlight.length > 0) {
      this.#backpressure.pass(batch.end - batch.start);
      if (this.#state.poisoned !== undefined) throw this.#poisonedError();
    }
    if (this.#state.journal === undefined) this.#dispatch({ kind: "open_journal" });
    this.#dispatch({ kind: "append", batch });
    this.#dispatch({ kind: "write", batch, owner: this.#owner, pop, now });
    this.counts.userBytes += userBytesOf(batch);
    this.#durability.keepInterval(now);
  }

  /** Tries again what has failed. */
  retry(): void {
    this.#dispatch({ kind: "tick", force: true, ask: false, now: this.#parts.clock() });
  }

  /** Seals the active memtable and begins to flush all that is sealed. */
  seal(): void {
    this.#dispatch({ kind: "seal", now: this.#parts.clock() });
  }

  /** Returns a number for a compaction that the user asks for. */
  newCompactionId(): number {
    this.#compactions += 1;
    return this.#compactions;
  }

  /** Begins a compaction that the user asks for. Requires: none is wanted. */
  compact(id: number, interval: Interval): void {
    this.#dispatch({ kind: "compact", id, interval, now: this.#parts.clock() });
  }

  /** Ends a compaction that the user asked for. Requires: it is wanted. */
  abandonCompaction(id: number): void {
    const hasBegun = this.#state.manual!.rounds > 0;
    const merges = this.#state.inFlight.filter((task) => task.kind === "merge");
    this.#dispatch({ kind: "abandon_compaction", id, now: this.#parts.clock() });
    // Before it began, what is under way is the strategy's.
    if (hasBegun) this.tasks.cancel(merges);
  }

  /** Throws what background work has failed with, if it has. */
  throwFailure(): void {
    if (this.#state.poisoned !== undefined) throw this.#poisonedError();
    if (this.#state.failure !== undefined) throw this.#state.failure.error;
  }

  /** Resolves as soon as `holds`, which is asked now and after each change of the state, and when the tree is closed. */
  until(holds: () => boolean): Promise<void> {
    return this.#waiting.until(holds);
  }

  /** Begins the life of a tree that was opened for writing: background work goes where it belongs, and the strategy is asked. */
  begin(): void {
    const tasksMax = this.tasks.moveToWorkers();
    this.#options = { ...this.#options, tasksMax, compacting: true };
    if (this.tasks.background.mode === "worker") this.#ticks.askSoon();
    else this.#ticks.tick(this.#parts.clock(), true);
  }

  #tick(ask: boolean, now: number): void {
    if (this.#closed || this.#state.poisoned !== undefined) return;
    this.#dispatch({ kind: "tick", force: false, ask, now });
  }

  #dispatch(command: Command): void {
    const { state, persist, start } = this.guarded(() => step(this.#state, command, this.#options));
    for (const effect of persist) this.#persist(effect);
    const hasFailed = state.failure !== undefined && state.failure !== this.#state.failure;
    this.#state = state;
    if (hasFailed && this.#closing === undefined) this.#ticks.arm();
    if (start.length > 0) this.#start(start);
    this.#waiting.tell();
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
    this.#state = step(this.#state, { kind: "poison", error: error.cause }, this.#options).state;
    this.#waiting.tell();
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
    if (effect.kind === "delete_files") {
      this.#removals.add(effect.segments, effect.journals);
      this.#removals.run();
    } else if (effect.kind === "delete_outputs") {
      this.#removals.addOutputs(effect.first, effect.count);
      this.#removals.run();
    } else if (effect.kind === "commit_edit") {
      this.#commitEdit(effect);
    } else {
      this.tasks.begin(effect.task);
    }
  }

  #commitEdit({ edit, durable }: StartEffect & { kind: "commit_edit" }): void {
    const now = this.#parts.clock();
    const { sealed } = this.#state;
    try {
      this.#journals.drain();
      this.#parts.manifest!.commit(edit, this.#state, durable, now);
    } catch (failed) {
      const error = this.#poisonIfBarrier(failed);
      return this.#dispatch({ kind: "edit_failed", error, now });
    }
    if (edit.cause === "move") this.counts.moves += 1;
    this.#dispatch({ kind: "edit_committed", now });
    if (this.#removals.pinnedVersions === 0) freeFlushed(sealed, this.#state, this.#writing);
  }

  /** Keeps the files of a version until {@linkcode unpin}, and the memtables of the state of this moment as they are. */
  pin(version: Version): void {
    this.#owner = newOwner();
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
    if (this.#config.readOnly) return;
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
    this.#ticks.stop();
    try {
      await this.#durability.stop();
      if (!this.#config.readOnly) await this.#finishWork();
    } finally {
      this.#closed = true;
      this.#letGo();
    }
  }

  /** Lets go of everything, whatever becomes of any of it; the lock last. */
  #letGo(): void {
    const { manifest, locks } = this.#parts;
    using all = new DisposableStack();
    all.defer(() => this.#storage.close());
    for (const lock of locks) all.defer(() => lock.release());
    all.defer(() => manifest?.close());
    all.defer(() => this.readers.close());
    all.defer(() => this.#journals.close());
    all.defer(() => this.#waiting.tellAll());
    all.defer(() => {
      if (!this.#config.readOnly && this.#state.poisoned === undefined) this.#removals.finish();
    });
    all.defer(() => this.tasks.close());
  }

  async #finishWork(): Promise<void> {
    await this.#settle();
    if (this.#state.poisoned === undefined) {
      this.#durability.passNow();
      this.#writeClosing();
    }
    this.throwFailure();
  }

  /** Tries again what has failed, and waits for what is under way. In a Worker no further compaction is begun. */
  async #settle(): Promise<void> {
    const { manual, failure } = this.#state;
    if (manual !== undefined) this.abandonCompaction(manual.id);
    const ask = this.tasks.background.mode === "inline";
    const force = ask || failure?.work !== "strategy";
    this.#options = { ...this.#options, compacting: ask || failure?.work === "compaction" };
    this.#dispatch({ kind: "tick", force, ask, now: this.#parts.clock() });
    this.#options = { ...this.#options, compacting: false };
    await this.until(() => this.#state.poisoned !== undefined || this.#state.inFlight.length === 0);
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
      manifest!.replace(withEdit(this.#state, edit), "closed", seqno, now);
    } catch (error) {
      throw this.#poisonIfBarrier(error);
    }
  }

  /** All segments of the current version. */
  segments(): readonly SegmentMeta[] {
    return versionSegments(this.state.version);
  }
}
