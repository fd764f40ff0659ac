/**
 * Where a tree takes time and chance from: its storage, or the system where the storage has neither.
 *
 * Times are written into edits and segments (the history, the age of segments) and measure pauses and intervals;
 * random numbers are the salts of files and the seed of filters. With a storage that gives both, every byte of a tree follows
 * from the calls made.
 *
 * Invariant: a time is a whole number of ms from 0 on, whatever a clock says; it may go back, and nothing may rely on more.
 *
 * What a user is only told, as how long opening took or a writer was held, is measured with the system's clock.
 *
 * @module
 */

import type { Storage } from "./storage.ts";

/** Returns the clock of a tree in a storage. */
export function clockOf(storage: Storage): () => number {
  if (storage.now === undefined) return () => wholeTime(Date.now());
  return () => wholeTime(storage.now!());
}

/** Files hold times as whole numbers. */
function wholeTime(time: number): number {
  return time >= 0 ? Math.min(Math.floor(time), Number.MAX_SAFE_INTEGER) : 0;
}

/** Returns random numbers of 32 bits for a tree in a storage. */
export function randomWords(storage: Storage, count: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(count);
  if (storage.random === undefined) crypto.getRandomValues(words);
  else storage.random(words);
  return words;
}
