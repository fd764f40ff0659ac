/**
 * Cells of memory that the tree's thread shares with its Workers.
 *
 * A thread that is held by backpressure runs no event loop, so what it must know stands here: how many tasks have ended,
 * whether a Worker is ready, alive and in the middle of a sync, and who has claimed a task.
 *
 * ```text
 * 0        replies sent by all lanes; waited for and notified
 * 1 + 8 i  lane i:  ready | claim | beat | syncing | cancelled | progress (KiB) | - | -
 * ```
 *
 * A claim is the task's number while nobody has claimed it, its negative once the Worker has, and 0 when the tree's thread took it
 * back. Both go by compare-and-swap, so a task is run once, and a message that comes late finds another number there.
 *
 * @module
 */

const READY = 0;
const CLAIM = 1;
const BEAT = 2;
const SYNCING = 3;
const CANCELLED = 4;
const PROGRESS = 5;
const LANE_CELLS = 8;

/** Cells for some lanes. */
export class SharedCells {
  /** What is sent to a Worker. */
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array<SharedArrayBuffer>;

  /** Takes cells that were sent, or makes new ones for a number of lanes. */
  constructor(from: SharedArrayBuffer | number) {
    this.buffer = typeof from === "number" ? new SharedArrayBuffer(4 * (1 + from * LANE_CELLS)) : from;
    this.#cells = new Int32Array(this.buffer);
  }

  /** How many replies were sent. */
  get replies(): number {
    return Atomics.load(this.#cells, 0);
  }

  /** Says that a reply was sent. */
  replied(): void {
    Atomics.add(this.#cells, 0, 1);
    Atomics.notify(this.#cells, 0);
  }

  /** Holds the thread until more replies were sent than `seen`, at most so long. */
  waitForReply(seen: number, milliseconds: number): void {
    Atomics.wait(this.#cells, 0, seen, milliseconds);
  }

  /** The cells of a lane. */
  lane(i: number): LaneCells {
    return new LaneCells(this.#cells, 1 + i * LANE_CELLS);
  }
}

/** The cells of one lane. */
export class LaneCells {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #base: number;

  /** Looks at the cells from `base` on. */
  constructor(cells: Int32Array<SharedArrayBuffer>, base: number) {
    this.#cells = cells;
    this.#base = base;
  }

  #load(cell: number): number {
    return Atomics.load(this.#cells, this.#base + cell);
  }

  #store(cell: number, value: number): void {
    Atomics.store(this.#cells, this.#base + cell, value);
  }

  /** Whether the Worker has said that it is there. */
  get isReady(): boolean {
    return this.#load(READY) === 1;
  }

  /** Says whether the Worker is there. */
  set isReady(value: boolean) {
    this.#store(READY, value ? 1 : 0);
  }

  /** Offers a task. */
  offer(task: number): void {
    this.#store(PROGRESS, 0);
    this.#store(SYNCING, 0);
    this.#store(CLAIM, task);
  }

  /** Claims a task for the Worker; says whether it is its. */
  claim(task: number): boolean {
    return Atomics.compareExchange(this.#cells, this.#base + CLAIM, task, -task) === task;
  }

  /** Whether there is a task that nobody has claimed. */
  get isOffered(): boolean {
    return this.#load(CLAIM) > 0;
  }

  /** Takes a task back; says whether it was there to be had. */
  takeBack(task: number): boolean {
    return Atomics.compareExchange(this.#cells, this.#base + CLAIM, task, 0) === task;
  }

  /** Says that a task is not wanted any more. */
  cancel(task: number): void {
    this.#store(CANCELLED, task);
  }

  /** Whether a task that the Worker has claimed is not wanted any more; where another was offered since, it was taken for dead. */
  isCancelled(task: number): boolean {
    return this.#load(CANCELLED) === task || this.#load(CLAIM) !== -task;
  }

  /** Shows that the Worker is alive. */
  beat(): void {
    Atomics.add(this.#cells, this.#base + BEAT, 1);
  }

  /** How often the Worker has shown that it is alive. */
  get beats(): number {
    return this.#load(BEAT);
  }

  /** How much of its inputs the Worker has read, in KiB. */
  get progress(): number {
    return this.#load(PROGRESS);
  }

  /** Shows how far the Worker is. */
  set progress(kibibytes: number) {
    this.#store(PROGRESS, kibibytes);
  }

  /** Whether the Worker waits for the disk to sync, which may take long. */
  get isSyncing(): boolean {
    return this.#load(SYNCING) === 1;
  }

  /** Says whether the Worker waits for the disk to sync. */
  set isSyncing(value: boolean) {
    this.#store(SYNCING, value ? 1 : 0);
  }
}
