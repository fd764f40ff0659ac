/**
 * A tree without a shell: `step` with its effects done on byte arrays, when and in whatever order a test says.
 *
 * ```text
 * dispatch(command):  freeze the state -> step -> persist effects on the journals -> publish -> start effects wait in `pending`
 * finish(i), fail(i):                                        one of them is done, or fails, and its command is dispatched
 * ```
 *
 * So a flush may take as long as a test likes while writes go on, merges may end in any order, and any of it may fail or
 * never happen. All of it is deterministic: time is a counter.
 *
 * What it checks on the way, in every test that uses it:
 * - A state never changes: all are frozen, and every step is run twice.
 * - A task finds its inputs on the disk, whenever it runs; its outputs have the ids that were reserved for it.
 * - Nothing is deleted that the version, a task or a memtable still needs.
 * - Bytes are appended to a journal where the state thinks that it ends; records that know too much are not written.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { leveled } from "../../compaction/leveled.ts";
import { Levels } from "../../compaction/levels.ts";
import { rewrite } from "../../compaction/rewrite.ts";
import type {
  Barrier,
  CompactionChoice,
  PersistEffect,
  RecoveryMode,
  RecoveryPlan,
  StartEffect,
  Step,
  StepOptions,
  Task,
  TreeState,
} from "../../core/mod.ts";
import type { Chronicle, Command, Edit } from "../../core/mod.ts";
import {
  barrierOf,
  BatchBuilder,
  countingJournals,
  EMPTY_CHRONICLE,
  fileName,
  openedState,
  planRecovery,
  recoveredEdit,
  scanJournal,
  scanManifest,
  snapshotEdit,
  step,
  taskInputs,
  versionSegments,
  withEdit,
} from "../../core/mod.ts";
import type { GivenOperation } from "./arbitraries.ts";
import { joined } from "./damage.ts";
import { deepFreeze } from "./deep_freeze.ts";
import { effectText } from "./effect_text.ts";
import { MemorySegments, MemorySink } from "./memory_segments.ts";
import type { RecordFile } from "./record_files.ts";
import { addOperations, recordFile, SALT } from "./record_files.ts";
import { TEST_CODECS } from "./run_length_codec.ts";

/** Limits so small that a few writes fill everything; the strategy wants nothing. */
export const SMALL: StepOptions = {
  durability: "os",
  maxMemtableSize: 256,
  blockSize: 48,
  filterBitsPerKey: 10,
  compressionAt: () => "none",
  levelCount: 4,
  choose: () => ({ kind: "none" }),
  major: () => ({ kind: "none" }),
  tasksMax: 2,
  compacting: true,
  level0Threshold: 4,
  debt: () => 0,
};

/** The same with leveled compaction. */
export const SMALL_LEVELED: StepOptions = {
  ...SMALL,
  choose: (version, busy, now) =>
    leveled({ l0Threshold: 2, targetSize: 1024 }).choose(Levels.of(version, busy, 4), {
      levelCount: 4,
      levelRatio: 2,
      maxMemtableSize: 512,
      now,
    }),
};

/** What is on a disk. */
export interface Disk {
  /** The number of the manifest. */
  readonly manifestId: number;
  /** Its bytes. */
  readonly manifest: Uint8Array<ArrayBuffer>;
  /** The bytes of each journal. */
  readonly journals: ReadonlyMap<number, Uint8Array<ArrayBuffer>>;
  /** The bytes of each segment. */
  readonly segments: ReadonlyMap<number, Uint8Array<ArrayBuffer>>;
}

/** The error of all that a test lets fail. */
export class Refusal extends Error {}

/** A tree without a shell. */
export class PureTree {
  readonly options: StepOptions;
  /** Every segment that ever was, for states that were kept. */
  readonly source: MemorySegments = new MemorySegments();
  /** Every effect that was done, as text. */
  readonly trace: string[] = [];
  /** Every command with the state it met, in order. */
  readonly history: { readonly state: TreeState; readonly command: Command }[] = [];
  /** How often each kind of thing happened. */
  readonly counts: Map<string, number> = new Map();
  /** The time, in ms since the epoch. */
  now = 1_000;
  /** Which persist effects fail. */
  refuses: PersistEffect["kind"] | undefined;
  /** Journals that were deleted: a crash may bring them back. */
  readonly deletedJournals: Map<number, Uint8Array<ArrayBuffer>> = new Map();
  readonly #builder = new BatchBuilder(512);
  readonly #journals: Map<number, Uint8Array<ArrayBuffer>> = new Map();
  readonly #segments: Map<number, Uint8Array<ArrayBuffer>> = new Map();
  readonly #removable: Set<number> = new Set();
  /** How many bytes of each journal survive a power cut. */
  readonly #durableBytes: Map<number, number> = new Map();
  readonly #durableNames: Set<number> = new Set();
  readonly #pending: StartEffect[] = [];
  readonly #barriers: { readonly barrier: Barrier; readonly bytes: ReadonlyMap<number, number> }[] = [];
  #manifest: RecordFile;
  #manifestId = 1;
  #state: TreeState;

  /** Makes a new tree, or one from what recovery found. */
  constructor(options: StepOptions, from?: { readonly disk: Disk; readonly plan: RecoveryPlan }) {
    this.options = deepFreeze({ ...options });
    const created = snapshotEdit({ ...EMPTY_CHRONICLE.version, hashSeed: 0x5eed }, "created", 0);
    const { version, history } = from?.plan ?? withEdit(EMPTY_CHRONICLE, created);
    this.#manifest = manifestOf(1, { version, history }, created);
    this.#state = deepFreeze(openedState(version, [], 0, 1, SALT, history));
    if (from !== undefined) this.#recover(from.disk, from.plan);
  }

  /** The state of this moment. */
  get state(): TreeState {
    return this.#state;
  }

  /** What was begun and is not done. */
  get pending(): readonly StartEffect[] {
    return this.#pending;
  }

  /** How many barriers were begun and are not done. */
  get barriers(): number {
    return this.#barriers.length;
  }

  #recover(disk: Disk, plan: RecoveryPlan): void {
    for (const [id, bytes] of disk.segments) this.source.files.set(id, bytes);
    for (const [id, bytes] of disk.segments) this.#segments.set(id, bytes);
    for (const [id, bytes] of disk.journals) this.#journals.set(id, bytes);
    const old = scanManifest(disk.manifest, disk.manifestId);
    let { version, history }: Chronicle = plan;
    this.#manifestId = disk.manifestId;
    if (plan.isNew || old.tail !== undefined) {
      ({ version, history } = withEdit(plan, recoveredEdit(plan, this.now)));
      this.#manifestId += 1;
    }
    // A file is only appended to by its maker, so the next edit finds a new one either way.
    this.#manifest = manifestOf(
      this.#manifestId,
      { version, history },
      snapshotEdit(version, "recovered", 0),
      plan.lastSeqno,
    );
    for (const id of plan.lost) this.#journals.delete(id);
    for (const name of plan.orphans) this.#deleteNamed(name);
    for (const [id, bytes] of this.#journals) {
      this.#durableBytes.set(id, bytes.length);
      this.#durableNames.add(id);
    }
    this.#state = deepFreeze(openedState(version, plan.sealed, plan.lastSeqno, plan.nextId, SALT, history));
  }

  #deleteNamed(name: string): void {
    for (const id of [...this.#journals.keys()]) {
      if (fileName("journal", id) === name) this.#journals.delete(id);
    }
    for (const id of [...this.#segments.keys()]) {
      if (fileName("segment", id) === name) this.#segments.delete(id);
    }
  }

  /** Commits a batch, as the shell does: with a journal if there is none yet. Returns whether it was taken. */
  write(operations: readonly GivenOperation[], pop?: "first" | "last"): boolean {
    addOperations(this.#builder, operations);
    const batch = this.#builder.finish();
    if (this.state.journal === undefined && !this.dispatch({ kind: "open_journal" })) return false;
    return this.dispatch({ kind: "append", batch }) &&
      this.dispatch({ kind: "write", batch, owner: undefined, pop, now: this.now });
  }

  /** Writes keys, each in a batch of its own. */
  put(...pairs: readonly (readonly [key: string, value: string])[]): this {
    for (const [key, value] of pairs) assert(this.write([{ kind: "put", key, value }]));
    return this;
  }

  /** Removes keys, each in a batch of its own. */
  remove(...keys: readonly string[]): this {
    for (const key of keys) assert(this.write([{ kind: "remove", key }]));
    return this;
  }

  /** Seals the active memtable. */
  seal(): this {
    this.dispatch({ kind: "seal", now: this.now });
    return this;
  }

  /** Does what a choice says. */
  choose(choice: CompactionChoice): this {
    this.dispatch({ kind: "choose", choice, now: this.now });
    return this;
  }

  /** Runs a step and its persist effects. Returns whether they were done; if not, nothing has changed. */
  dispatch(command: Command): boolean {
    const before = this.#state;
    const next = step(before, command, this.options);
    assertSameStep(next, step(before, command, this.options));
    for (const effect of next.persist) {
      if (this.refuses === effect.kind) return false;
      this.#persist(effect);
      this.trace.push(effectText(effect));
    }
    this.#count(command.kind);
    this.history.push({ state: before, command });
    this.#state = deepFreeze(next.state);
    this.#pending.push(...next.start);
    for (const effect of next.start) this.trace.push(effectText(effect));
    return true;
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #persist(effect: PersistEffect): void {
    if (effect.kind === "create_journal") {
      assert(!this.#journals.has(effect.id), "a journal is created twice");
      this.#journals.set(effect.id, effect.header.slice());
      return;
    }
    if (effect.kind === "append_journal") {
      const journal = this.#journals.get(effect.id)!;
      assertEquals(journal.length, effect.offset);
      this.#journals.set(effect.id, joined(journal, effect.bytes.subarray(effect.start, effect.end)));
      return;
    }
    for (const id of effect.ids) this.#durableBytes.set(id, this.#journals.get(id)!.length);
    if (effect.folder) this.#syncFolder();
  }

  #syncFolder(): void {
    for (const id of this.#journals.keys()) this.#durableNames.add(id);
  }

  /** Does a pending effect and dispatches its result. */
  finish(index = 0): void {
    const [effect] = this.#pending.splice(index, 1);
    if (effect?.kind === "run_task") {
      const outputs = this.#run(effect.task);
      this.#syncFolder();
      this.#count(effect.task.kind);
      this.dispatch({ kind: "task_finished", task: effect.task.id, outputs, now: this.now });
    } else if (effect?.kind === "commit_edit") {
      this.commitOnly(effect);
      this.dispatch({ kind: "edit_committed", now: this.now });
    } else if (effect !== undefined) this.#delete(effect);
  }

  /** Appends an edit to the manifest and tells nobody: a crash may come in between. */
  commitOnly(effect: StartEffect & { kind: "commit_edit" }): void {
    const { edit, durable } = effect;
    const number = this.#state.version.editNumber + 1;
    assert(durable <= this.durableSeqno(), "the manifest is told of a batch that is not durable");
    this.#manifest.edit(number, edit, durable).mark(number, durable);
    this.#count(edit.cause);
  }

  /** Lets a pending effect fail and dispatches that. */
  fail(index = 0, error: unknown = new Refusal("refused")): void {
    const [effect] = this.#pending.splice(index, 1);
    if (effect?.kind === "run_task") {
      this.dispatch({ kind: "task_failed", task: effect.task.id, error, now: this.now });
    } else if (effect?.kind === "commit_edit") this.dispatch({ kind: "edit_failed", error, now: this.now });
  }

  /** Does all that is pending, and what that begins; with `retry` also what failed, without waiting. */
  settle(retry = false): this {
    for (let rounds = 0; this.#pending.length > 0 || (retry && this.#state.failure !== undefined); rounds++) {
      assert(rounds < 10_000, "work never ends");
      if (this.#pending.length > 0) this.finish(0);
      else {
        assert(rounds < 1_000, `${this.#state.failure?.error}`);
        this.dispatch({ kind: "tick", force: true, ask: false, now: this.now });
      }
    }
    return this;
  }

  #run(task: Task): ReturnType<typeof rewrite> {
    const source = new MemorySegments();
    for (const id of taskInputs(task)) {
      const bytes = this.#segments.get(id);
      assert(bytes !== undefined, `input ${id} of a task is not there any more`);
      source.files.set(id, bytes);
    }
    const sink = new MemorySink(source.files);
    const outputs = rewrite(task, source, TEST_CODECS[task.encoding.compression], sink);
    for (const { id } of outputs) {
      assert(id >= task.firstOutput && id < task.firstOutput + task.outputs, "an id was not reserved");
      this.#segments.set(id, source.files.get(id)!);
      this.source.files.set(id, source.files.get(id)!);
    }
    return outputs;
  }

  #delete(effect: StartEffect & { kind: "delete_files" | "delete_outputs" }): void {
    const { segments, journals } = effect.kind === "delete_files" ? effect : this.#written(effect);
    const { version, committing, active, sealed } = this.#state;
    const needed = new Set(versionSegments(version).map((segment) => segment.id));
    for (const change of committing) {
      if (change.kind === "task") { for (const { id } of change.outputs) needed.add(id); }
    }
    for (const id of segments) {
      assert(!needed.has(id), `segment ${id} is deleted and needed`);
      this.#removable.add(id);
    }
    const live = new Set([active, ...sealed].flatMap((memtable) => memtable.journals.map(({ id }) => id)));
    for (const id of journals) {
      assert(!live.has(id), `journal ${id} is deleted and has batches that no segment has`);
      this.deletedJournals.set(id, this.#journals.get(id)!);
      this.#journals.delete(id);
    }
    this.#removeSegments();
  }

  /** Returns what is there of the outputs of a task. */
  #written({ first, count }: { readonly first: number; readonly count: number }) {
    const segments = [...this.#segments.keys()].filter((id) => id >= first && id < first + count);
    return { segments, journals: [] };
  }

  /** Removes what no task in flight reads: its effect may be older than the task's end. */
  #removeSegments(): void {
    const read = new Set(this.#state.inFlight.flatMap(taskInputs));
    for (const id of this.#removable) {
      if (read.has(id)) continue;
      this.#removable.delete(id);
      this.#segments.delete(id);
    }
  }

  /** Begins a barrier, if there is anything to make durable. */
  startBarrier(): boolean {
    const barrier = barrierOf(this.#state);
    if (barrier === undefined) return false;
    const bytes = new Map(barrier.journals.map((id) => [id, this.#journals.get(id)?.length ?? 0]));
    this.#barriers.push({ barrier, bytes });
    return true;
  }

  /** Ends one of the barriers that were begun. */
  finishBarrier(index = 0): void {
    const [begun] = this.#barriers.splice(index, 1);
    if (begun === undefined) return;
    const { barrier, bytes } = begun;
    for (const [id, length] of bytes) {
      this.#durableBytes.set(id, Math.max(length, this.#durableBytes.get(id) ?? 0));
    }
    if (barrier.folder) { for (const id of bytes.keys()) this.#durableNames.add(id); }
    this.dispatch({ kind: "barrier_finished", seqno: barrier.seqno, journal: barrier.journal });
  }

  /** Returns the last batch that survives a power cut: in segments, or in journals that are durable so far without a gap. */
  durableSeqno(): number {
    let seqno = this.#state.version.flushedSeqno;
    const { active, sealed } = this.#state;
    for (const memtable of [active, ...sealed].reverse()) {
      if (memtable.lastSeqno <= seqno) continue;
      for (const { id } of memtable.journals) {
        const bytes = this.#durableNames.has(id) ? this.#durableBytes.get(id) ?? 0 : 0;
        const file = this.#journals.get(id)!;
        for (const record of scanJournal(file, id).batches) {
          if (record.number !== seqno + 1) continue;
          if (record.end > bytes) return seqno;
          seqno = record.number;
        }
      }
    }
    return seqno;
  }

  /** Returns what is on the disk. */
  disk(): Disk {
    return {
      manifestId: this.#manifestId,
      manifest: this.#manifest.bytes(),
      journals: new Map(this.#journals),
      segments: new Map(this.#segments),
    };
  }

  /**
   * Returns what a power cut may leave of the journals: each is cut off anywhere behind its durable bytes, or gone if its name is not
   * durable, and those whose removal nothing made durable may be back.
   *
   * @param pick Returns a number from 0 to what it is given.
   */
  diskAfterPowerCut(pick: (max: number) => number): Disk {
    const disk = this.disk();
    const journals = new Map(this.deletedJournals);
    for (const id of [...journals.keys()]) if (pick(1) === 0) journals.delete(id);
    for (const [id, bytes] of disk.journals) {
      const durable = this.#durableBytes.get(id) ?? 0;
      if (!this.#durableNames.has(id) && pick(1) === 0) continue;
      journals.set(id, bytes.slice(0, durable + pick(bytes.length - durable)));
    }
    return { ...disk, journals };
  }
}

/** Returns a manifest as the shell writes it, with the history in front of the snapshot. */
function manifestOf(id: number, { version, history }: Chronicle, first: Edit, durable = 0): RecordFile {
  const { editNumber } = version;
  const file = recordFile("manifest", id).history(editNumber, history, durable);
  return file.edit(editNumber, first, durable).mark(editNumber, durable);
}

/** Returns the names of all files on a disk. */
export function namesOn(disk: Disk): string[] {
  return [
    "CURRENT",
    "LOCK",
    fileName("manifest", disk.manifestId),
    ...[...disk.journals.keys()].map((id) => fileName("journal", id)),
    ...[...disk.segments.keys()].map((id) => fileName("segment", id)),
  ];
}

/** Returns the plan that recovery makes of a disk. */
export function recover(
  disk: Disk,
  mode: RecoveryMode = "tolerate-tail",
  maxMemtableSize: number = SMALL.maxMemtableSize,
): RecoveryPlan {
  const manifest = scanManifest(disk.manifest, disk.manifestId);
  const names = namesOn(disk);
  const journals = countingJournals(manifest.version, names).map((id) =>
    scanJournal(disk.journals.get(id)!, id)
  );
  return planRecovery({ manifest, journals, names, mode, maxMemtableSize });
}

function assertSameStep(a: Step, b: Step): void {
  assertEquals(a.persist.map(effectText), b.persist.map(effectText));
  assertEquals(a.start.map(effectText), b.start.map(effectText));
}
