/**
 * Mutants of background work: failures and their retries, backpressure, Workers, what a close waits for.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const FAULT = "tests/properties/fault_test.ts";
const STEP = "tests/core/step_test.ts";
const SCHEDULE = "tests/core/schedule_test.ts";
const WORKER = "tests/io/worker_test.ts";
const WORKER_LIFE = "tests/io/worker_life_test.ts";

/** Mutants of background work. */
export const BACKGROUND: readonly Mutant[] = [
  {
    name: "a flush that failed is forgotten",
    file: "core/step.ts",
    find: 'failure: failureOf(state, task.kind === "flush" ? "flush" : "compaction", error, now),',
    replace: "failure: state.failure,",
    killedBy: [SCHEDULE],
  },
  {
    name: "what has failed is never tried again",
    file: "core/schedule.ts",
    find: "retryAt: now + pause",
    replace: "retryAt: now + pause * 1e9",
    like: "RocksDB issues 919 and 11643: stuck until restart",
    killedBy: [STEP, SCHEDULE],
  },
  {
    name: "what has failed is tried again at once, without a pause",
    file: "core/schedule.ts",
    find: "retryAt: now + pause",
    replace: "retryAt: now + pause * 0",
    killedBy: [STEP, SCHEDULE],
  },
  {
    name: "the pauses after failures never grow",
    file: "core/schedule.ts",
    find: "(state.failure?.work === work ? state.failure.attempts : 0) + 1",
    replace: "1",
    killedBy: [STEP, SCHEDULE],
  },
  {
    name: "a compaction that fails keeps flushes from being begun",
    file: "core/schedule.ts",
    find: 'if (paused !== "flush") next = startFlush(',
    replace: "if (paused === undefined) next = startFlush(",
    killedBy: [SCHEDULE],
  },
  {
    name: "a failure is still told when the work has succeeded since",
    file: "core/step.ts",
    find: "failure: state.failure?.work === workOf(change) ? undefined : state.failure,",
    replace: "failure: state.failure,",
    killedBy: [SCHEDULE],
  },
  {
    name: "flushMemtable() and close() resolve although the work has failed",
    file: "io/engine.ts",
    find: "if (this.#state.failure !== undefined) throw this.#state.failure.error;",
    replace: "",
    killedBy: [FAULT],
  },
  {
    name: "an edit that could not be written is given up, and its segments stay",
    file: "core/step.ts",
    find: "return { ...state, edit: undefined, failure:",
    replace: "return { ...state, edit: undefined, committing: state.committing.slice(1), failure:",
    killedBy: [SCHEDULE],
  },
  {
    name: "a stopped writer is only slowed down, and memory grows without end",
    file: "core/pressure.ts",
    find: 'if (value >= stop) return { level: "stop", ratio: 1, reason: reason() };',
    replace: "",
    killedBy: ["tests/core/pressure_test.ts"],
  },
  {
    name: "memtables that recovery left stop the first writer",
    file: "core/pressure.ts",
    find: "if (memtable.lastSeqno > state.recoveredSeqno) waiting += 1;",
    replace: "waiting += 1;",
    killedBy: ["tests/core/pressure_test.ts"],
  },
  {
    name: "a tree whose level 0 is left alone on purpose stops its writers",
    file: "core/pressure.ts",
    find: "if (!isRelieved(state)) return memtables;",
    replace: "",
    killedBy: ["tests/core/pressure_test.ts"],
  },
  {
    name: "a stopped writer whose work has failed writes on, and memory grows without end",
    file: "io/backpressure.ts",
    find: "if (!this.#host.workOn(HOLD_MS)) throw this.#host.stuck();",
    replace: "if (!this.#host.workOn(HOLD_MS)) return;",
    killedBy: ["tests/io/backpressure_test.ts"],
  },
  {
    name: "ready() resolves although a write would have to wait",
    file: "io/maintenance.ts",
    find: 'await engine.until(() => isStuck(engine) || engine.pressure().level === "go");',
    replace: "await Promise.resolve();",
    killedBy: ["tests/io/backpressure_test.ts", "tests/io/rounds_test.ts", WORKER],
  },
  {
    name: "a failure in a Worker is taken for a task that nobody wanted",
    file: "io/worker_background.ts",
    find:
      'return error instanceof TaskCancelled ? { kind: "cancelled", task } : { kind: "failed", task, error };',
    replace: 'return error !== undefined ? { kind: "cancelled", task } : { kind: "failed", task, error };',
    killedBy: [WORKER],
  },
  {
    name: "a Worker that dies takes its task with it",
    file: "io/worker_background.ts",
    find: 'this.#outcomes.push(isUnclaimed ? this.#inline.begin(task) : { kind: "failed", task, error });',
    replace: "if (isUnclaimed) this.#outcomes.push(this.#inline.begin(task));",
    killedBy: [WORKER_LIFE],
  },
  {
    name: "a task is run by the writer although a Worker has begun it",
    file: "io/shared_cells.ts",
    find: "task, 0) === task;",
    replace: "task, 0) !== 0;",
    killedBy: ["tests/io/shared_cells_test.ts"],
  },
  {
    name: "a Worker begins a task that the writer has taken back",
    file: "io/shared_cells.ts",
    find: "task, -task) === task;",
    replace: "task, -task) !== -task;",
    killedBy: ["tests/io/shared_cells_test.ts"],
  },
  {
    name: "a Worker that was taken for dead goes on to write",
    file: "io/shared_cells.ts",
    find: "return this.#load(CANCELLED) === task || this.#load(CLAIM) !== -task;",
    replace: "return this.#load(CANCELLED) === task;",
    killedBy: ["tests/io/shared_cells_test.ts"],
  },
  {
    name: "a flush waits behind a merge of minutes",
    file: "io/worker.ts",
    find: 'if (task.kind === "merge" && others.some((one) => one.isOffered)) work();',
    replace: "",
    killedBy: ["tests/io/worker_background_test.ts"],
  },
  {
    name: "a Worker reads the journal before what is buffered is in it",
    file: "io/tasks.ts",
    find: 'if (this.#background.mode === "worker") this.#host.drainJournals();',
    replace: "",
    killedBy: ["tests/io/worker_journal_test.ts"],
  },
  {
    name: "a memtable whose journal a Worker cannot read is given up",
    file: "io/worker_background.ts",
    find: "return this.#inline.begin(task);\n    }\n    const error",
    replace: 'return { kind: "failed", task, error: decodeError(reply.error) };\n    }\n    const error',
    killedBy: ["tests/io/worker_journal_test.ts"],
  },
  {
    name: "a barrier that fails in a task does not poison the tree",
    file: "io/tasks.ts",
    find: "const error = this.#host.poisonIfBarrier(outcome.error);",
    replace: "const error = outcome.error;",
    like: "PostgreSQL, fsyncgate of 2018",
    killedBy: [FAULT],
  },
  {
    name: "files that a failed task has begun stay",
    file: "io/task_run.ts",
    find: "writer.abandon();",
    replace: "",
    killedBy: [FAULT, "tests/compaction/rewrite_test.ts"],
  },
  {
    name: "the strategy is asked once, and never again as time passes",
    file: "io/ticks.ts",
    find: "return Math.abs(now - this.#askedAt) >= TICK_MS;",
    replace: "return now < this.#askedAt;",
    killedBy: ["tests/io/ticks_test.ts"],
  },
  {
    name: "when the clock jumps back the strategy is not asked until it has caught up",
    file: "io/ticks.ts",
    find: "return Math.abs(now - this.#askedAt) >= TICK_MS;",
    replace: "return now - this.#askedAt >= TICK_MS;",
    killedBy: ["tests/io/ticks_test.ts"],
  },
  {
    name: "when the clock jumps back the interval of barriers stands still",
    file: "io/durability.ts",
    find: "if (Math.abs(now - this.#passedAt) < interval) {",
    replace: "if (now - this.#passedAt < interval) {",
    killedBy: ["tests/io/durability_test.ts"],
  },
  {
    name: "a strategy that comes to no end is asked for ever",
    file: "core/schedule.ts",
    find: "if (next.rounds >= roundsMax(next.version, options)) {",
    replace: "if (next.rounds < 0) {",
    killedBy: ["tests/io/strategy_test.ts"],
  },
  {
    name: "who waits for a tree that is closed meanwhile waits for ever",
    file: "io/engine.ts",
    find: "all.defer(() => this.#waiting.tellAll());",
    replace: "",
    killedBy: ["tests/io/compact_test.ts", "tests/io/backpressure_test.ts"],
  },
  {
    name: "close() does not wait for a barrier under way",
    file: "io/durability.ts",
    find: "await this.#underWay?.catch(() => {});",
    replace: "await Promise.resolve();",
    killedBy: ["tests/properties/concurrency_test.ts"],
  },
  {
    name: "a writer is never slowed down before it is stopped",
    file: "io/backpressure.ts",
    find: 'if (pressure.level === "slow") this.#slow(bytes, pressure.ratio);\n    else if',
    replace: "if",
    killedBy: ["tests/io/backpressure_test.ts"],
  },
  {
    name: "a compaction that is given up goes on",
    file: "io/engine.ts",
    find: "if (hasBegun) this.tasks.cancel(merges);",
    replace: "",
    killedBy: ["tests/io/compact_test.ts"],
  },
  {
    name: "a flush that failed waits for the next write",
    file: "io/engine.ts",
    find: "if (hasFailed && this.#closing === undefined) this.#ticks.arm();",
    replace: "",
    like: "RocksDB issue 919",
    killedBy: ["tests/io/durability_test.ts"],
  },
  {
    name: "a Worker that has nothing to do never ends",
    file: "io/worker_thread.ts",
    find: "if (isIdle && !this.isRemoving) this.close();\n      else this.#armIdle();",
    replace: "if (!isIdle || this.isRemoving) this.#armIdle();",
    killedBy: [WORKER_LIFE],
  },
];
