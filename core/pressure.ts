/**
 * Pressure: whether writers may go on, as a pure query of the state.
 *
 * ```text
 * go      nothing to wait for
 * slow    from half of a limit on (level 0: from two thirds): a write is delayed a little, more the nearer the limit is
 * stop    a limit is reached: a write waits until background work has made room
 * ```
 *
 * What is limited, and why:
 * - *Sealed memtables*: each keeps its journal in memory.
 * - *Runs of level 0*, those that sealed memtables will become included, so that the limit is never passed: each read
 *   looks into all of them. How many are normal is the strategy's to say; three times as many stop a writer.
 * - *Debt*: bytes that the strategy still has to push down. More of it makes every later merge longer.
 *
 * The last two count only while a merge or a change of the version is under way: where nothing is, nothing is gained by
 * waiting, and a strategy that leaves level 0 alone on purpose (fifo, or one of the user's own) is not punished for it.
 * The bytes of the active memtable count as the fraction of a memtable that they are, so that what a writer meets grows smoothly.
 *
 * Source: the slowdown and stop triggers of LevelDB (db/dbformat.h) and RocksDB (wiki "Write Stalls").
 *
 * @module
 */

import type { StepOptions, TreeState } from "./state.ts";

/** Whether writers may go on. */
export interface Pressure {
  /** Go on, go on slowly, or wait. */
  readonly level: "go" | "slow" | "stop";
  /** From 0 where writers go on to 1 where they stop. */
  readonly ratio: number;
  /** Why, in words; empty where they go on. */
  readonly reason: string;
}

/**
 * Memtables that may wait to be flushed before writers stop. With the default of 16 MiB each they and their journals
 * take 64 MiB of memory at most, beside the active one.
 */
export const SEALED_STOP = 4;
const SEALED_SLOW = 2;

/** Level 0 slows writers from twice as many runs on as the strategy finds normal, and stops them at three times as many. */
const LEVEL_0_SLOW_FACTOR = 2;
const LEVEL_0_STOP_FACTOR = 3;

/** Debt slows writers from this many memtables on, 4 GiB with the default of 16 MiB, and stops them at four times as much. */
const DEBT_SLOW_MEMTABLES = 256;
const DEBT_STOP_MEMTABLES = 1024;

const GO: Pressure = { level: "go", ratio: 0, reason: "" };

/** What of the options counts here. */
export type PressureOptions = Pick<StepOptions, "maxMemtableSize" | "level0Threshold" | "debt">;

/** Returns whether writers may go on. Memtables that recovery left do not count: nobody wrote them just now. */
export function pressureOf(state: TreeState, options: PressureOptions): Pressure {
  let waiting = 0;
  for (const memtable of state.sealed) if (memtable.lastSeqno > state.recoveredSeqno) waiting += 1;
  const underWay = state.inFlight.length + state.committing.length > 0;
  if (!underWay && waiting < SEALED_STOP) return GO;
  const filled = state.active.bytes / options.maxMemtableSize;
  const memtables = sealedPressure(waiting, filled);
  if (!isRelieved(state)) return memtables;
  return worst([memtables, level0Pressure(state, waiting, filled, options), debtPressure(state, options)]);
}

/** Whether something is under way that may leave level 0 smaller, or the debt. */
function isRelieved(state: TreeState): boolean {
  return state.committing.length > 0 || state.inFlight.some((task) => task.kind === "merge");
}

function worst(pressures: readonly Pressure[]): Pressure {
  return pressures.reduce((most, one) => one.ratio > most.ratio ? one : most);
}

function between(value: number, slow: number, stop: number, reason: () => string): Pressure {
  if (!(value > slow)) return GO;
  if (value >= stop) return { level: "stop", ratio: 1, reason: reason() };
  return { level: "slow", ratio: (value - slow) / (stop - slow), reason: reason() };
}

function sealedPressure(waiting: number, filled: number): Pressure {
  // Only whole memtables stop a writer; the active one is sealed by a write that has passed.
  const value = waiting >= SEALED_STOP ? waiting : Math.min(waiting + filled, SEALED_STOP - 0.01);
  return between(
    waiting === 0 ? 0 : value,
    SEALED_SLOW,
    SEALED_STOP,
    () => `${waiting} sealed memtables wait to be flushed, limit ${SEALED_STOP}`,
  );
}

function level0Pressure(
  state: TreeState,
  waiting: number,
  filled: number,
  { level0Threshold }: PressureOptions,
): Pressure {
  const stop = LEVEL_0_STOP_FACTOR * level0Threshold;
  let runs = 0;
  while (state.version.runs[runs]?.level === 0) runs += 1;
  const whole = runs + waiting;
  const beside = waiting === 0 ? "" : ` and ${waiting} sealed memtables`;
  return between(
    whole >= stop ? whole : Math.min(whole + filled, stop - 0.01),
    LEVEL_0_SLOW_FACTOR * level0Threshold,
    stop,
    () => `${runs} level 0 segments${beside}, limit ${stop}`,
  );
}

function debtPressure(state: TreeState, options: PressureOptions): Pressure {
  const debt = options.debt(state.version);
  const stop = DEBT_STOP_MEMTABLES * options.maxMemtableSize;
  return between(
    debt,
    DEBT_SLOW_MEMTABLES * options.maxMemtableSize,
    stop,
    () => `${debt} bytes wait to be compacted, limit ${stop}`,
  );
}
