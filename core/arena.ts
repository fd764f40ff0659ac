/**
 * An arena: the bytes that a memtable's values stand in, by position.
 *
 * ```text
 * position   0        256 Ki     512 Ki             1 Mi
 *            [ chunk 0 ][ chunk 1  ........ ][ chunk 2 ]      a chunk begins at a multiple of 256 Ki
 * ```
 *
 * Values are not copied into it: a chunk is where batches were encoded for the journal, or a journal that was read. A position
 * names an operation in a chunk, so a memtable keeps one number for each value. A view of each value would take
 * 100 bytes of heap and more; with numbers 1,000,000 inserts keep the process a fifth smaller.
 *
 * Invariant: only ever added to; what a position means never changes. So memtables that follow from one another share an
 * arena, and an older one sees just what it saw.
 *
 * @module
 */

import { readU16, readU32 } from "./little_endian.ts";

/** Each chunk begins at a multiple of this. A power of two, so that most positions are small integers to the engine. */
const SLOT_BYTES = 256 * 1024;

/** A buffer of an arena. */
export interface Chunk {
  /** The buffer. */
  readonly bytes: Uint8Array;
  /** The position at which it begins. */
  readonly base: number;
}

/** Where the bytes of a value stand. */
export interface Found {
  /** The buffer that holds them. */
  readonly bytes: Uint8Array;
  /** Where they begin. */
  readonly start: number;
  /** Where they end. */
  readonly end: number;
}

/** Chunks by position. */
export class Arena {
  /** The chunk of each slot; a chunk longer than a slot has several. */
  readonly #slots: Chunk[] = [];

  /** Returns the position at which `bytes` begin, adding them unless they were added last. */
  baseOf(bytes: Uint8Array): number {
    const last = this.#slots.at(-1);
    if (last !== undefined && last.bytes === bytes) return last.base;
    const chunk = { bytes, base: this.#slots.length * SLOT_BYTES };
    for (let covered = 0; covered < bytes.length; covered += SLOT_BYTES) this.#slots.push(chunk);
    return chunk.base;
  }

  /** Returns the buffer that holds a position, and where in it that is. */
  chunkAt(position: number): Chunk {
    return this.#slots[Math.floor(position / SLOT_BYTES)]!;
  }

  /** Returns where the value of the put at a position stands. */
  valueAt(position: number): Found {
    const { bytes, base } = this.chunkAt(position);
    const at = position - base;
    const start = at + 7 + readU16(bytes, at + 1);
    return { bytes, start, end: start + readU32(bytes, at + 3) };
  }

  /** The buffers of all chunks. */
  buffers(): ReadonlySet<ArrayBufferLike> {
    return new Set(this.#slots.map((chunk) => chunk.bytes.buffer));
  }
}
