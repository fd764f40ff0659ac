/**
 * Cursors: one entry after the other, either way, over one sorted source.
 *
 * A source is a memtable or a run of segments. A cursor copies the key it stands on into a buffer of its own, so that
 * cursors over any sources compare bytes with bytes, and names the bytes of the value without copying or even a
 * view: nothing is allocated for an entry.
 *
 * Invariants:
 * - A cursor stands on an entry (`valid`) or on nothing; moving one that stands on nothing is a mistake.
 * - It sees one immutable source: writes while it stands never move it.
 * - Memory is one block at a time.
 *
 * @module
 */

import type { Block } from "./block.ts";
import { writeKey } from "./bytes.ts";
import type { Arena } from "./arena.ts";
import type { Memtable } from "./memtable.ts";
import { TOMBSTONE_POSITION } from "./memtable.ts";
import type { SegmentIndex } from "./segment.ts";
import { MapCursor } from "./map_cursor.ts";
import type { Run, SegmentMeta } from "./version.ts";
import { firstSegmentEndingAtOrAfter } from "./version.ts";

/** Where the parts of segments come from; the shell reads and caches them. */
export interface SegmentSource {
  /** Returns the index of a segment. */
  index(segment: SegmentMeta): SegmentIndex;
  /** Returns a data block of a segment; `keep` says whether it is worth a place in the cache. */
  block(segment: SegmentMeta, i: number, keep: boolean): Block;
  /** Tells whether a segment may have a key with this hash. */
  mayContain(segment: SegmentMeta, hash: number): boolean;
}

const NO_BYTES = new Uint8Array(0);

/** One entry after the other, either way. */
export abstract class Cursor {
  /** Whether it stands on an entry. */
  valid = false;
  /** Holds the key of the entry, from 0 on. */
  key: Uint8Array = new Uint8Array(64);
  /** The length of the key. */
  keyBytes = 0;
  /** Whether the entry is a tombstone. */
  isTombstone = false;
  /** Holds the value of the entry. */
  value: Uint8Array = NO_BYTES;
  /** Where the value begins. */
  valueStart = 0;
  /** Where the value ends. */
  valueEnd = 0;

  /** Goes to the first entry. */
  abstract seekFirst(): void;
  /** Goes to the last entry. */
  abstract seekLast(): void;
  /** Goes to the first entry whose key is at or after `key`. */
  abstract seekAtOrAfter(key: string): void;
  /** Goes to the last entry whose key is before `key`. */
  abstract seekBefore(key: string): void;
  /** Goes to the next entry. */
  abstract next(): void;
  /** Goes to the entry before. */
  abstract previous(): void;

  /** Makes room for a key of so many bytes. */
  protected reserveKey(keyBytes: number): void {
    if (keyBytes > this.key.length) this.key = new Uint8Array(Math.max(keyBytes, this.key.length * 2));
    this.keyBytes = keyBytes;
  }

  /** Stands on an entry of a block. */
  protected standOn(block: Block, entry: number): void {
    this.reserveKey(block.prefixBytes + block.keyEnd(entry) - block.keyStart(entry));
    block.copyKey(entry, this.key);
    this.isTombstone = block.isTombstone(entry);
    this.value = block.bytes;
    this.valueStart = block.valueStart(entry);
    this.valueEnd = block.valueEnd(entry);
    this.valid = true;
  }
}

/** A cursor over a memtable. */
export class MemtableCursor extends Cursor {
  readonly #map: MapCursor<number>;
  readonly #arena: Arena;

  /** Stands on nothing until it is sent somewhere. */
  constructor(memtable: Memtable) {
    super();
    this.#map = new MapCursor(memtable.map);
    this.#arena = memtable.arena;
  }

  /** Goes to the first entry. */
  override seekFirst(): void {
    this.#map.seekFirst();
    this.#load();
  }

  /** Goes to the last entry. */
  override seekLast(): void {
    this.#map.seekLast();
    this.#load();
  }

  /** Goes to the first entry whose key is at or after `key`. */
  override seekAtOrAfter(key: string): void {
    this.#map.seekAtOrAfter(key);
    this.#load();
  }

  /** Goes to the last entry whose key is before `key`. */
  override seekBefore(key: string): void {
    this.#map.seekBefore(key);
    this.#load();
  }

  /** Goes to the next entry. */
  override next(): void {
    this.#map.next();
    this.#load();
  }

  /** Goes to the entry before. */
  override previous(): void {
    this.#map.previous();
    this.#load();
  }

  #load(): void {
    this.valid = this.#map.valid;
    if (!this.valid) return;
    const key = this.#map.key;
    this.reserveKey(key.length);
    writeKey(key, this.key, 0);
    const position = this.#map.value;
    this.isTombstone = position === TOMBSTONE_POSITION;
    if (this.isTombstone) {
      this.value = NO_BYTES;
      this.valueStart = this.valueEnd = 0;
      return;
    }
    const { bytes, start, end } = this.#arena.valueAt(position);
    this.value = bytes;
    this.valueStart = start;
    this.valueEnd = end;
  }
}

/** How many blocks a cursor takes through the cache: a short scan finds them again, a long one must not empty it. */
const KEPT_BLOCKS = 2;

/** A cursor over a run of segments. */
export class RunCursor extends Cursor {
  readonly #segments: readonly SegmentMeta[];
  readonly #source: SegmentSource;
  #segment = 0;
  #blockIndex = 0;
  #index: SegmentIndex | undefined;
  #block: Block | undefined;
  #entry = 0;
  #loaded = 0;

  /** Stands on nothing until it is sent somewhere. */
  constructor(run: Run, source: SegmentSource) {
    super();
    this.#segments = run.segments;
    this.#source = source;
  }

  /** Goes to the first entry. */
  override seekFirst(): void {
    this.#openSegment(0);
    this.#openBlock(0);
    this.#stand(0);
  }

  /** Goes to the last entry. */
  override seekLast(): void {
    this.#openSegment(this.#segments.length - 1);
    this.#openBlock(this.#index!.count - 1);
    this.#stand(this.#block!.count - 1);
  }

  /** Goes to the first entry whose key is at or after `key`. */
  override seekAtOrAfter(key: string): void {
    const at = firstSegmentEndingAtOrAfter(this.#segments, key);
    if (at === this.#segments.length) {
      this.valid = false;
      return;
    }
    this.#openSegment(at);
    this.#openBlock(this.#index!.find(key));
    const entry = this.#block!.seek(key);
    if (entry < this.#block!.count) this.#stand(entry);
    else this.#nextBlock();
  }

  /** Goes to the last entry whose key is before `key`. */
  override seekBefore(key: string): void {
    let at = firstSegmentEndingAtOrAfter(this.#segments, key);
    if (at === this.#segments.length || this.#segments[at]!.minKey >= key) at -= 1;
    if (at < 0) {
      this.valid = false;
      return;
    }
    this.#openSegment(at);
    this.#openBlock(this.#index!.find(key));
    const entry = this.#block!.seek(key);
    if (entry > 0) this.#stand(entry - 1);
    else this.#previousBlock();
  }

  /** Goes to the next entry. */
  override next(): void {
    if (this.#entry + 1 < this.#block!.count) this.#stand(this.#entry + 1);
    else this.#nextBlock();
  }

  /** Goes to the entry before. */
  override previous(): void {
    if (this.#entry > 0) this.#stand(this.#entry - 1);
    else this.#previousBlock();
  }

  #nextBlock(): void {
    if (this.#blockIndex + 1 < this.#index!.count) {
      this.#openBlock(this.#blockIndex + 1);
    } else if (this.#segment + 1 < this.#segments.length) {
      this.#openSegment(this.#segment + 1);
      this.#openBlock(0);
    } else {
      this.valid = false;
      return;
    }
    this.#stand(0);
  }

  #previousBlock(): void {
    if (this.#blockIndex > 0) {
      this.#openBlock(this.#blockIndex - 1);
    } else if (this.#segment > 0) {
      this.#openSegment(this.#segment - 1);
      this.#openBlock(this.#index!.count - 1);
    } else {
      this.valid = false;
      return;
    }
    this.#stand(this.#block!.count - 1);
  }

  #openSegment(at: number): void {
    this.#index = this.#source.index(this.#segments[at]!);
    this.#segment = at;
  }

  #openBlock(i: number): void {
    this.#block = this.#source.block(this.#segments[this.#segment]!, i, this.#loaded < KEPT_BLOCKS);
    this.#blockIndex = i;
    this.#loaded += 1;
  }

  #stand(entry: number): void {
    this.#entry = entry;
    this.standOn(this.#block!, entry);
  }
}
