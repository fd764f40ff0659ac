/**
 * An engine: a key-value store as the benchmark sees it.
 *
 * - Each call may answer at once or with a promise: the loops that drive an engine wait only where there is one, so that
 *   a synchronous engine pays nothing for the others.
 * - Keys and values that are given are used again by the caller after the call has returned, be it with a promise.
 * - What is visited or got need only last until the next call.
 *
 * @module
 */

/** At once, or later. */
export type Maybe<T> = T | Promise<T>;

/** Is told of an entry. */
export type Visit = (key: Uint8Array, value: Uint8Array) => void;

/** How a store is opened. */
export interface Opening {
  /** Where: a folder that is there, empty or with what the same engine has written. */
  readonly folder: string;
  /** Whether each write must survive the loss of power; else the death of the process. */
  readonly durable: boolean;
  /** How many writers call at once, each waiting for its own writes. */
  readonly writers: number;
  /** Whether nothing will be written. */
  readonly readOnly: boolean;
}

/** An open store. */
export interface Engine {
  /** Writes an entry. */
  put(key: Uint8Array, value: Uint8Array): Maybe<void>;
  /** Writes entries together: the fastest way that the engine has. */
  putMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Maybe<void>;
  /** Reads a value. */
  get(key: Uint8Array): Maybe<Uint8Array | undefined>;
  /** Reads everything. */
  scan(reverse: boolean, visit: Visit): Maybe<void>;
  /** Reads as many entries as there are, `count` at most, from the first one whose key is not below `key`. */
  seek(key: Uint8Array, count: number, visit: Visit): Maybe<void>;
  /** Waits until a write would not have to wait, where the engine has that. */
  ready?(): Promise<void>;
  /** Waits until nothing is done in the background, where the engine tells. */
  settle?(): Promise<void>;
  /** How many threads it has made by itself and has still, where it tells. */
  threads?(): number;
  /** Ends it. */
  close(): Maybe<void>;
}

/** Opens a store. */
export type Open = (opening: Opening) => Promise<Engine>;

/** Bytes of the cache of blocks that each engine gets which can be told: the tree's default. */
export const CACHE_BYTES: number = 16 * 1024 * 1024;

/** Bytes that are gathered in memory before they are sorted into files, likewise. */
export const WRITE_BUFFER_BYTES: number = 16 * 1024 * 1024;
