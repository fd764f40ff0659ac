/**
 * Entries: one key, which may be there or not, and what can be done about it.
 *
 * An entry only remembers its key and what was found when it was asked for (`kind`). Each action decides on the tree's
 * state at the moment of the action, in the same turn, so no write can come between.
 *
 * @module
 */

import type { Bytes, Value } from "../core/mod.ts";
import { checkValue, keyToBytes } from "../core/mod.ts";

/** What an entry needs of its tree. */
export interface EntryHost {
  /** Returns the value of a key now. */
  get(key: string): Bytes | undefined;
  /** Writes a key. */
  put(key: string, value: Value): void;
  /** Removes a key. */
  remove(key: string): void;
  /** Runs a callback from which the tree must not be written. */
  guarded<T>(callback: () => T): T;
}

/** One key: occupied or vacant when it was asked for. */
export type TreeEntry = OccupiedEntry | VacantEntry;

/** What occupied and vacant entries have in common. */
export abstract class EntryBase {
  /** @internal */
  protected readonly host: EntryHost;
  /** @internal */
  protected readonly byteKey: string;

  /**
   * Entries are made by `tree.entry()`.
   *
   * @internal
   */
  constructor(host: EntryHost, byteKey: string) {
    this.host = host;
    this.byteKey = byteKey;
  }

  /** A copy of the key. */
  get key(): Uint8Array {
    return keyToBytes(this.byteKey);
  }

  /** Writes the value if the key is absent now; returns what the key has then. */
  orInsert(value: Value): Uint8Array {
    checkValue(value);
    return this.orInsertWithKey(() => value);
  }

  /** Writes what `value` returns if the key is absent now; returns what the key has then. */
  orInsertWith(value: () => Value): Uint8Array {
    return this.orInsertWithKey(value);
  }

  /** Writes what `value` returns for the key if that is absent now; returns what the key has then. */
  orInsertWithKey(value: (key: Uint8Array) => Value): Uint8Array {
    checkCallback(value);
    const there = this.host.get(this.byteKey);
    return there ?? this.write(this.host.guarded(() => value(this.key)));
  }

  /** Writes what `update` returns for the value if the key is there now; returns the entry as it is then. */
  andUpdate(update: (old: Uint8Array) => Value): TreeEntry {
    checkCallback(update);
    const there = this.host.get(this.byteKey);
    if (there !== undefined) this.write(this.host.guarded(() => update(there)));
    return entryAt(this.host, this.byteKey);
  }

  /**
   * Writes a value and returns a copy of it.
   *
   * @internal
   */
  protected write(value: Value): Bytes {
    this.host.put(this.byteKey, value);
    return this.host.get(this.byteKey)!;
  }
}

/** A key that was there when it was asked for. */
export class OccupiedEntry extends EntryBase {
  /** Tells it from a vacant one. */
  readonly kind = "occupied";

  /** Returns the value now, or `undefined` if the key has gone. */
  get(): Bytes | undefined {
    return this.host.get(this.byteKey);
  }

  /** Writes a value, whatever is there now. */
  update(value: Value): void {
    this.host.put(this.byteKey, value);
  }

  /** Removes the key and returns what it had, or `undefined` if it has gone. */
  remove(): Bytes | undefined {
    const there = this.host.get(this.byteKey);
    if (there !== undefined) this.host.remove(this.byteKey);
    return there;
  }
}

/** A key that was absent when it was asked for. */
export class VacantEntry extends EntryBase {
  /** Tells it from an occupied one. */
  readonly kind = "vacant";

  /** Writes a value, whatever is there now, and returns a copy of it. */
  insert(value: Value): Bytes {
    return this.write(value);
  }
}

/** A wrong argument is refused whatever the key has now: a mistake must not wait for the rarer case. */
function checkCallback(callback: unknown): void {
  if (typeof callback !== "function") {
    throw new TypeError("Cannot use the entry: the callback is not a function");
  }
}

/** Returns the entry of a key as it is now. */
export function entryAt(host: EntryHost, key: string): TreeEntry {
  return host.get(key) === undefined ? new VacantEntry(host, key) : new OccupiedEntry(host, key);
}
