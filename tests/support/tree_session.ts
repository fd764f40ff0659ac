/**
 * A session: does actions on a tree and says what could be seen of them.
 *
 * One interpreter for the tree and for its model, so that both are asked the very same. What an action answers is an
 * observation: text, in which two lists of bytes are equal only if their bytes are. Errors are observed by their names.
 * Where the trees come from is in `tree_worlds.ts`.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { Bounds, Bytes, Entry, Value } from "../../mod.ts";
import type { EntryLike, RangeLike, ReadsLike, SnapshotLike, TreeLike } from "./model_tree.ts";
import { bytesOf, byteString } from "./model_tree.ts";
import type { Action, BatchStep, RangeSpec, UpdateSpec, ValueSpec, Variant } from "./tree_actions.ts";
import type { World } from "./tree_worlds.ts";

/** What could be seen of an action. */
export type Observation = string;

/** A tree that is open, and what was opened on it. */
export class Session {
  readonly #world: World;
  readonly #snapshots: Map<number, SnapshotLike> = new Map();
  readonly #ranges: Map<number, RangeLike> = new Map();
  #reader: TreeLike | undefined;
  #openedBesideReader = false;
  #tree: TreeLike;

  private constructor(world: World, tree: TreeLike) {
    this.#world = world;
    this.#tree = tree;
  }

  /** Begins with a tree that is new, or what the world has. */
  static async open(world: World, variant: Variant): Promise<Session> {
    return new Session(world, await world.open(variant));
  }

  /** Whether anything is open that a reopening would end. */
  get holds(): boolean {
    return this.#snapshots.size + this.#ranges.size > 0;
  }

  /** Does one action and says what could be seen of it. */
  async perform(action: Action): Promise<Observation> {
    let seen: Observation;
    try {
      seen = await this.#perform(action);
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AssertionError") throw error;
      seen = error instanceof Thrown ? `threw ${error.message}` : `refused with ${error.name}`;
    }
    this.#world.check(this.#tree);
    return seen;
  }

  /** Says all that can be seen of the tree, lets go of everything and closes it. */
  async end(): Promise<Observation> {
    const seen = [everythingOf(this.#tree), await this.#close()];
    if (this.#reader !== undefined) await this.#reader.close();
    return seen.join("; ");
  }

  /** Closes the tree whatever has happened. */
  async abandon(): Promise<void> {
    await this.#reader?.close();
    await this.#tree.close();
  }

  async #close(): Promise<Observation> {
    // What a read-only handle may still need is not removed, and what opening left for its sake is another opening's.
    const alone = this.#reader === undefined && !this.#openedBesideReader;
    const snapshots = [...this.#snapshots.values()];
    const ranges = [...this.#ranges.values()];
    // Half of what is held is let go of before, the rest is held by a tree that is closed.
    for (const snapshot of snapshots.splice(0, snapshots.length / 2)) snapshot.close();
    for (const range of ranges.splice(0, ranges.length / 2)) range.return();
    this.#world.closing(this.#tree);
    const released = snapshots.length + ranges.length === 0;
    await this.#tree.close();
    await this.#tree.close();
    if (alone && released) this.#world.closed();
    this.#snapshots.clear();
    this.#ranges.clear();
    const after = [
      () => void this.#tree.len(),
      ...snapshots.map((one) => () => void one.isEmpty()),
      ...ranges.map((one) => () => void one.next()),
    ];
    return after.map(outcome).join();
  }

  #perform(action: Action): Observation | Promise<Observation> {
    const tree = this.#tree;
    switch (action.kind) {
      case "insert":
        tree.insert(given(action.key), valueOf(action.value));
        return "";
      case "remove":
        tree.remove(given(action.key));
        return "";
      case "removeEntry":
        return shown(tree.removeEntry(given(action.key)));
      case "get":
        return `${shown(tree.get(given(action.key)))} ${tree.containsKey(bytesOf(action.key))}`;
      case "popFirst":
      case "popLast":
        return shownEntry(tree[action.kind]());
      case "clear":
        tree.clear();
        return "";
      case "ends":
        return `${shownEntry(tree.firstKeyValue())} ${shownEntry(tree.lastKeyValue())} ${tree.isEmpty()}`;
      case "count": {
        const guess = tree.approximateLen();
        return `${tree.len()} ${Number.isInteger(guess) && guess >= 0}`;
      }
      case "batch":
        return this.#batch(action.steps, action.fate);
      case "compareAndSwap":
        return this.#compareAndSwap(action);
      case "fetchUpdate":
      case "updateFetch":
        return shown(tree[action.kind](given(action.key), (old) => updated(tree, action.update, old)));
      case "entry":
        return this.#entry(action);
      case "scan":
        return scanned(rangeOf(this.#source(action.slot), action.range), action);
      case "openRange":
        this.#ranges.get(action.slot)?.return();
        this.#ranges.set(action.slot, rangeOf(this.#source(action.of), action.range));
        return "";
      case "moveRange":
        return this.#moveRange(action);
      case "snapshot":
        this.#snapshots.get(action.slot)?.close();
        this.#snapshots.set(action.slot, tree.snapshot());
        return "";
      case "closeSnapshot":
        return this.#closeSnapshot(action.slot);
      case "readSnapshot": {
        const source = this.#source(action.slot);
        return `${shown(source.get(given(action.key)))} ${everythingOf(source)}`;
      }
      case "openReader":
      case "readReader":
      case "closeReader":
        return this.#read(action.kind);
      case "flush":
      case "flushMemtable":
      case "compact":
        return tree[action.kind]().then(() => "");
      case "reopen":
        return this.#reopen(action.variant);
    }
  }

  #source(slot: number): ReadsLike {
    return this.#snapshots.get(slot) ?? this.#tree;
  }

  #batch(steps: readonly BatchStep[], fate: "commit" | "drop" | "twice"): Observation {
    const batch = this.#tree.batch();
    const seen: Observation[] = [];
    for (const step of steps) {
      if (step.do === "insert") batch.insert(given(step.key), valueOf(step.value));
      else if (step.do === "remove") batch.remove(given(step.key));
      else if (step.do === "clear") batch.clear();
      else seen.push(outcome(() => void batch.insert(new Uint8Array(65_536), "")));
    }
    seen.push(`${batch.length}`);
    if (fate !== "drop") batch.commit();
    if (fate === "twice") seen.push(outcome(() => batch.commit()), outcome(() => void batch.clear()));
    return seen.join();
  }

  #compareAndSwap(action: Action & { kind: "compareAndSwap" }): Observation {
    const { key, expected, next } = action;
    const wanted = expected === "absent"
      ? undefined
      : expected === "current"
      ? this.#tree.get(given(key))
      : valueOf(expected);
    const swap = this.#tree.compareAndSwap(given(key), wanted, next && valueOf(next));
    return swap.ok ? "swapped" : `found ${shown(swap.current)}`;
  }

  #entry({ key, value, call, meanwhile }: Action & { kind: "entry" }): Observation {
    const entry = this.#tree.entry(given(key));
    if (meanwhile === "insert") this.#tree.insert(given(key), "meanwhile");
    if (meanwhile === "remove") this.#tree.remove(given(key));
    return `${entry.kind} ${byteString(entry.key)} ${called(this.#tree, entry, call, valueOf(value))}`;
  }

  #moveRange({ slot, move, times }: Action & { kind: "moveRange" }): Observation {
    const seen: Observation[] = [];
    for (let i = 0; i < times; i++) {
      const range = this.#ranges.get(slot);
      if (range === undefined) return "nothing open";
      if (move === "rev") {
        this.#ranges.set(slot, range.rev());
        seen.push(shownEntry(range.next().value));
      } else seen.push(shownEntry(range[move]().value));
    }
    return seen.join();
  }

  #closeSnapshot(slot: number): Observation {
    const snapshot = this.#snapshots.get(slot);
    if (snapshot === undefined) return "nothing open";
    this.#snapshots.delete(slot);
    snapshot.close();
    snapshot.close();
    return outcome(() => void snapshot.len());
  }

  async #read(kind: "openReader" | "readReader" | "closeReader"): Promise<Observation> {
    if (kind === "openReader" && this.#reader === undefined) {
      // A reader sees what the storage was given, which under "buffered" is less than was written.
      await this.#tree.flush();
      this.#reader = await this.#world.openReader();
      // It opens files when they are read: what it does not read now must still be there later.
      return "";
    }
    const reader = this.#reader;
    if (reader === undefined) return "nothing open";
    const seen = [everythingOf(reader), outcome(() => reader.insert("a", "b"))];
    if (kind === "closeReader") {
      this.#reader = undefined;
      await reader.close();
    }
    return seen.join();
  }

  async #reopen(variant: Variant): Promise<Observation> {
    const seen = await this.#close();
    this.#tree = await this.#world.open(variant);
    this.#openedBesideReader = this.#reader !== undefined;
    return seen;
  }
}

/** The error that callbacks throw. */
class Thrown extends Error {}

/** Keys that are text are given as text now and then. */
function given(key: string): string | Bytes {
  return key.length % 2 === 1 && /^[\0-\x7f]*$/.test(key) ? key : bytesOf(key);
}

/** Returns the bytes that a value stands for: half of them compress well. */
export function valueOf({ fill, length }: ValueSpec): Bytes {
  const bytes = new Uint8Array(length);
  let state = fill + 1;
  for (let i = 0; i < length; i++) {
    if (fill % 2 === 1) state = (state * 1_103_515_245 + 12_345) >>> 0;
    bytes[i] = state >>> 16 ^ fill;
  }
  return bytes;
}

function updated(tree: TreeLike, update: UpdateSpec, old: Bytes | undefined): Value | undefined {
  switch (update.do) {
    case "write":
      return valueOf(update.value);
    case "append":
      return bytesOf(`${old === undefined ? "" : byteString(old)}+`);
    case "remove":
      return undefined;
    case "throw":
      // What the callback is given is its own.
      old?.fill(0);
      throw new Thrown("on purpose");
    case "write inside":
      tree.insert("a", "inside");
      return undefined;
    case "wrong type":
      return old === undefined ? undefined : 7 as unknown as Value;
  }
}

function called(tree: TreeLike, entry: EntryLike, call: string, value: Bytes): Observation {
  switch (call) {
    case "orInsert":
      return shown(entry.orInsert(value));
    case "orInsertWith":
      return shown(entry.orInsertWith(() => value));
    case "orInsertWithKey":
      return shown(entry.orInsertWithKey((key) => new Uint8Array([...key, 1])));
    case "andUpdate": {
      const after = entry.andUpdate((old) => new Uint8Array([...old.subarray(0, 300), 2]));
      return `${after.kind} ${shown(after.orInsert(value))}`;
    }
    case "andUpdateThrows":
      return entry.andUpdate(() => {
        throw new Thrown("on purpose");
      }).kind;
    case "writeInside":
      return shown(entry.orInsertWith(() => {
        tree.clear();
        return value;
      }));
    case "kindOnly":
      return "";
    default:
      if (entry.kind === "vacant") return shown(entry.insert(value));
      if (call === "get or insert") return shown(entry.get());
      if (call === "remove or insert") return shown(entry.remove());
      entry.update(value);
      return "";
  }
}

function rangeOf(source: ReadsLike, spec: RangeSpec): RangeLike {
  if ("prefix" in spec) {
    const { prefix, ...options } = spec;
    return source.prefix(given(prefix), options);
  }
  const { limit, reverse, ...keys } = spec;
  const bounds = Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, given(key)]));
  const range = Object.keys(spec).length === 0
    ? source.iter()
    : source.range({ ...bounds, limit, reverse } as Bounds);
  return range;
}

/** Reads a range to its end, from the ends that the pattern says. */
function scanned(range: RangeLike, { pattern, part }: Action & { kind: "scan" }): Observation {
  const seen: Observation[] = [];
  let misses = 0;
  for (let i = 0; misses <= pattern.length; i++) {
    const move = pattern[i % pattern.length]!;
    if (move === "rev") {
      range = range.rev();
      misses += 1;
      continue;
    }
    const next = move === "next" && part !== "entries"
      ? shown(range[part]().next().value)
      : shownEntry(range[move]().value);
    misses = next === "-" ? misses + 1 : 0;
    seen.push(next);
  }
  range.return();
  return seen.join();
}

/** Says all that can be read: forwards, backwards, and key by key. */
function everythingOf(source: ReadsLike): Observation {
  const forwards: Entry[] = [];
  const backwards: Entry[] = [];
  const there = source.iter();
  const back = source.range({ reverse: true });
  for (let next = there.next(); !next.done; next = there.next()) forwards.push(next.value);
  for (let next = back.next(); !next.done; next = back.next()) backwards.unshift(next.value);
  const entries = forwards.map(shownEntry).join();
  assert(entries === backwards.map(shownEntry).join(), "forwards and backwards differ");
  for (const [key, value] of forwards) assert(shown(source.get(key)) === shown(value), "get and scan differ");
  return `${source.len()}: ${entries}`;
}

function outcome(action: () => void): Observation {
  try {
    action();
    return "done";
  } catch (error) {
    return (error as Error).name;
  }
}

/** Long values are told by their length and a checksum of all their bytes. */
function shown(bytes: Uint8Array | undefined): Observation {
  if (bytes === undefined) return "-";
  if (bytes.length <= 12) return JSON.stringify(byteString(bytes));
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return `#${bytes.length}:${sum.toString(16)}`;
}

function shownEntry(entry: Entry | undefined): Observation {
  return entry === undefined ? "-" : `${shown(entry[0])}=${shown(entry[1])}`;
}
