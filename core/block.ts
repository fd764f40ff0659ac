/**
 * A block: sorted entries in columns, searched in place.
 *
 * ```text
 * block  := count u32 | flags u8 | prefixBytes u16
 *           | keyBytes u16                 (flags & 1: all keys have this many bytes behind the prefix)
 *           | keyEnds (u16 or u32) * count (otherwise: where each key ends in `keys`)
 *           | valueBytes u32               (flags & 2: all values have this many bytes)
 *           | valueEnds (u16 or u32) * count
 *           | kinds u8 * count             (absent if flags & 4: all are puts)
 *           | tags u8 * count              (absent unless flags & 8: a byte of each key's hash)
 *           | prefix | keys | values
 * flags & 16: ends are u32, because keys or values exceed 65,535 bytes
 * ```
 *
 * Example, two puts `user1 -> a`, `user2 -> b`: `02000000 0f 0400 0100 01000000 t1 t2 "user" "12" "ab"`.
 *
 * Why columns and not entries one after the other: lengths that are all the same cost nothing (16-byte keys with 100-byte
 * values take one byte of overhead an entry, the tag), any entry is found by arithmetic, keys lie close together for a
 * binary search, and a point read compares one tag byte per entry before it looks at any key. Given up: keys share
 * only the prefix that all of the block have, where LevelDB's restarts share with the neighbour.
 *
 * Invariants: keys strictly increase; encoding is canonical (each flag is set exactly when it can be); `decodeBlock` is
 * total and never reads outside its bytes.
 *
 * @module
 */

import { compareBytes, KEY_BYTES_MAX, keyFromBytes } from "./bytes.ts";
import { PUT, TOMBSTONE, unknownKind } from "./entry_kind.ts";
import { CorruptionError } from "./errors.ts";
import { readU16, readU32, writeU16, writeU32 } from "./little_endian.ts";

const KEYS_ALIKE = 1;
const VALUES_ALIKE = 2;
const ALL_PUTS = 4;
const TAGGED = 8;
const WIDE = 16;

const BLOCK_HEADER_BYTES = 7;

/** The most bytes a block of several entries may have. */
export const BLOCK_BYTES_MAX: number = 16 * 1024 * 1024;

/** A decoded block. Its columns are read in place; only these numbers are worked out once. */
export class Block {
  /** The bytes that hold the block from 0 on; never changed. */
  readonly bytes: Uint8Array;
  /** How many entries there are. */
  readonly count: number;
  /** Where the common prefix begins. */
  readonly prefixStart: number;
  /** How many bytes all keys share. */
  readonly prefixBytes: number;
  readonly #keys: number;
  readonly #values: number;
  /** Bytes of each key behind the prefix, or -1 where `#keyEnds` says. */
  readonly #keyBytes: number;
  readonly #valueBytes: number;
  readonly #keyEnds: number;
  readonly #valueEnds: number;
  readonly #kinds: number;
  readonly #tags: number;
  readonly #wide: boolean;

  /**
   * Reads the columns of a block.
   *
   * @throws {CorruptionError} If the bytes are no block.
   * @throws {UnsupportedFormatError} If an entry has a kind that this module does not know.
   */
  constructor(bytes: Uint8Array) {
    if (bytes.length < BLOCK_HEADER_BYTES) throw notABlock("it is too short");
    const count = readU32(bytes, 0);
    if (count > 1 && bytes.length > BLOCK_BYTES_MAX) throw notABlock("it is too long");
    const flags = bytes[4]!;
    if (flags > 31) throw notABlock("it has unknown flags");
    const wide = (flags & WIDE) !== 0;
    const each = (flags & KEYS_ALIKE ? 0 : wide ? 4 : 2) + (flags & VALUES_ALIKE ? 0 : wide ? 4 : 2) +
      (flags & ALL_PUTS ? 0 : 1) + (flags & TAGGED ? 1 : 0);
    const fixed = (flags & KEYS_ALIKE ? 2 : 0) + (flags & VALUES_ALIKE ? 4 : 0);
    const prefixBytes = readU16(bytes, 5);
    const columns = BLOCK_HEADER_BYTES + fixed + count * each;
    if (columns + prefixBytes > bytes.length) throw notABlock("its columns are cut off");
    let at = BLOCK_HEADER_BYTES;
    this.bytes = bytes;
    this.count = count;
    this.#wide = wide;
    this.#keyBytes = flags & KEYS_ALIKE ? readU16(bytes, at) : -1;
    if (this.#keyBytes === 0 && count > 1) throw notABlock("its keys are all the same");
    this.#keyEnds = at;
    at += flags & KEYS_ALIKE ? 2 : count * (wide ? 4 : 2);
    this.#valueBytes = flags & VALUES_ALIKE ? readU32(bytes, at) : -1;
    this.#valueEnds = at;
    at += flags & VALUES_ALIKE ? 4 : count * (wide ? 4 : 2);
    this.#kinds = flags & ALL_PUTS ? -1 : at;
    at += flags & ALL_PUTS ? 0 : count;
    this.#tags = flags & TAGGED ? at : -1;
    this.prefixStart = columns;
    this.prefixBytes = prefixBytes;
    this.#keys = columns + prefixBytes;
    const keyTotal = this.#total(this.#keyBytes, this.#keyEnds);
    this.#values = this.#keys + keyTotal;
    if (this.#values + this.#total(this.#valueBytes, this.#valueEnds) !== bytes.length) {
      throw notABlock("its lengths do not fit its bytes");
    }
    if (prefixBytes + keyTotal > KEY_BYTES_MAX) this.#checkKeys();
    if (this.#kinds >= 0) {
      for (let i = this.#kinds; i < this.#kinds + count; i++) {
        if (bytes[i] !== PUT && bytes[i] !== TOMBSTONE) throw unknownKind(bytes[i]!, "a block");
      }
    }
  }

  /** Returns the length of a column's data, and checks that its ends never go back. */
  #total(alike: number, ends: number): number {
    if (alike >= 0) return alike * this.count;
    let before = 0;
    for (let i = 0; i < this.count; i++) {
      const end = this.#end(ends, i);
      if (end < before) throw notABlock("a length is negative");
      before = end;
    }
    return before;
  }

  /** Throws if a key is too long; only asked where all of them together are. Requires: their lengths fit the bytes. */
  #checkKeys(): void {
    for (let i = 0; i < this.count; i++) {
      if (this.prefixBytes + this.keyEnd(i) - this.keyStart(i) > KEY_BYTES_MAX) {
        throw notABlock("a key is too long");
      }
    }
  }

  #end(ends: number, i: number): number {
    return this.#wide ? readU32(this.bytes, ends + 4 * i) : readU16(this.bytes, ends + 2 * i);
  }

  /** Returns where the key of entry `i`, behind the prefix, begins in `bytes`. */
  keyStart(i: number): number {
    if (this.#keyBytes >= 0) return this.#keys + i * this.#keyBytes;
    return i === 0 ? this.#keys : this.#keys + this.#end(this.#keyEnds, i - 1);
  }

  /** Returns where the key of entry `i` ends in `bytes`. */
  keyEnd(i: number): number {
    if (this.#keyBytes >= 0) return this.#keys + (i + 1) * this.#keyBytes;
    return this.#keys + this.#end(this.#keyEnds, i);
  }

  /** Returns where the value of entry `i` begins in `bytes`. */
  valueStart(i: number): number {
    if (this.#valueBytes >= 0) return this.#values + i * this.#valueBytes;
    return i === 0 ? this.#values : this.#values + this.#end(this.#valueEnds, i - 1);
  }

  /** Returns where the value of entry `i` ends in `bytes`. */
  valueEnd(i: number): number {
    if (this.#valueBytes >= 0) return this.#values + (i + 1) * this.#valueBytes;
    return this.#values + this.#end(this.#valueEnds, i);
  }

  /** Tells whether entry `i` is a tombstone. */
  isTombstone(i: number): boolean {
    return this.#kinds >= 0 && this.bytes[this.#kinds + i] === TOMBSTONE;
  }

  /** Returns the tag of entry `i`, or `undefined` in a block without tags. */
  tag(i: number): number | undefined {
    return this.#tags < 0 ? undefined : this.bytes[this.#tags + i];
  }

  /** Returns the key of entry `i`. */
  key(i: number): string {
    const key = keyFromBytes(this.bytes, this.keyStart(i), this.keyEnd(i));
    if (this.prefixBytes === 0) return key;
    return keyFromBytes(this.bytes, this.prefixStart, this.prefixStart + this.prefixBytes) + key;
  }

  /** Copies the key of entry `i` to the beginning of `into` and returns its length. */
  copyKey(i: number, into: Uint8Array): number {
    const { bytes, prefixStart, prefixBytes } = this;
    for (let j = 0; j < prefixBytes; j++) into[j] = bytes[prefixStart + j]!;
    const start = this.keyStart(i);
    const length = this.keyEnd(i) - start;
    for (let j = 0; j < length; j++) into[prefixBytes + j] = bytes[start + j]!;
    return prefixBytes + length;
  }

  /** Returns the index of the first entry whose key is at or after `key`; `count` if there is none. Cost: O(log count). */
  seek(key: string): number {
    const order = this.#comparePrefix(key);
    if (order !== 0) return order < 0 ? 0 : this.count;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compareRest(key, middle) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Returns the index of the entry with this key, or -1. Cost: one pass over the tags, then usually one key. */
  find(key: string, tag: number): number {
    if (this.#comparePrefix(key) !== 0) return -1;
    if (this.#tags < 0) {
      const at = this.seek(key);
      return at < this.count && this.#compareRest(key, at) === 0 ? at : -1;
    }
    const { bytes, count } = this;
    const tags = this.#tags;
    for (let i = 0; i < count; i++) {
      if (bytes[tags + i] === tag && this.#compareRest(key, i) === 0) return i;
    }
    return -1;
  }

  /** Compares `key` with the prefix: 0 if it begins with it; a shorter key that fits so far sorts before. */
  #comparePrefix(key: string): number {
    const { bytes, prefixStart, prefixBytes } = this;
    for (let i = 0; i < prefixBytes; i++) {
      if (i === key.length) return -1;
      const difference = key.charCodeAt(i) - bytes[prefixStart + i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /** Compares `key`, which begins with the prefix, with entry `i`. */
  #compareRest(key: string, i: number): number {
    const { bytes, prefixBytes } = this;
    const start = this.keyStart(i);
    const length = this.keyEnd(i) - start;
    const rest = key.length - prefixBytes;
    const shared = rest < length ? rest : length;
    for (let j = 0; j < shared; j++) {
      const difference = key.charCodeAt(prefixBytes + j) - bytes[start + j]!;
      if (difference !== 0) return difference;
    }
    return rest - length;
  }

  /** Returns what violates the order of keys, or `undefined`: a check for `verify`, not for each read. */
  checkOrder(): string | undefined {
    for (let i = 1; i < this.count; i++) {
      const order = compareBytes(
        this.bytes,
        this.keyStart(i - 1),
        this.keyEnd(i - 1),
        this.bytes,
        this.keyStart(i),
        this.keyEnd(i),
      );
      if (order >= 0) return `the keys of entries ${i - 1} and ${i} are not in order`;
    }
    return undefined;
  }
}

function notABlock(why: string): CorruptionError {
  return new CorruptionError(`Cannot decode a block: ${why}`);
}

/** Collects sorted entries and lays them out as a block. */
export class BlockBuilder {
  readonly #tagged: boolean;
  #keys: Uint8Array<ArrayBuffer> = new Uint8Array(4_096);
  #keyEnds: number[] = [];
  /** Values stay where they are until the block is laid out. */
  #values: Uint8Array[] = [];
  #valueStarts: number[] = [];
  #valueEnds: number[] = [];
  #kinds: number[] = [];
  #tags: number[] = [];
  #valueBytes = 0;

  /** Makes a builder of blocks with or without tags. */
  constructor(tagged: boolean) {
    this.#tagged = tagged;
  }

  /** How many entries the block has so far. */
  get count(): number {
    return this.#kinds.length;
  }

  /** About how many bytes the block has so far. */
  get bytes(): number {
    const count = this.#kinds.length;
    return (count === 0 ? 0 : this.#keyEnds[count - 1]!) + this.#valueBytes + count;
  }

  /** Adds an entry. Requires: its key is greater than the last; the value's bytes stay as they are until `finish`. */
  add(
    kind: number,
    key: Uint8Array,
    keyBytes: number,
    tag: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const count = this.#kinds.length;
    const from = count === 0 ? 0 : this.#keyEnds[count - 1]!;
    const to = from + keyBytes;
    if (to > this.#keys.length) {
      const grown = new Uint8Array(Math.max(to, this.#keys.length * 2));
      grown.set(this.#keys.subarray(0, from));
      this.#keys = grown;
    }
    const keys = this.#keys;
    for (let i = 0; i < keyBytes; i++) keys[from + i] = key[i]!;
    this.#keyEnds.push(to);
    this.#values.push(value);
    this.#valueStarts.push(valueStart);
    this.#valueEnds.push(valueEnd);
    this.#kinds.push(kind);
    if (this.#tagged) this.#tags.push(tag);
    this.#valueBytes += valueEnd - valueStart;
  }

  /** Returns the last key as a copy. Requires: there is an entry. */
  lastKey(): string {
    const count = this.#keyEnds.length;
    return keyFromBytes(this.#keys, count < 2 ? 0 : this.#keyEnds[count - 2]!, this.#keyEnds[count - 1]!);
  }

  /**
   * Returns the block behind `headroom` free bytes; the builder is empty again.
   *
   * Cost: each key and value is copied once.
   */
  finish(headroom: number): Uint8Array<ArrayBuffer> {
    const count = this.#kinds.length;
    const prefixBytes = this.#prefixBytes();
    const keyTotal = count === 0 ? 0 : this.#keyEnds[count - 1]! - count * prefixBytes;
    const wide = keyTotal > 65_535 || this.#valueBytes > 65_535;
    const endBytes = wide ? 4 : 2;
    const keysAlike = this.#keyEnds.every((end, i) => end === (i + 1) * this.#keyEnds[0]!);
    const valuesAlike = this.#valueEnds.every((end, i) =>
      end - this.#valueStarts[i]! === this.#valueEnds[0]! - this.#valueStarts[0]!
    );
    const allPuts = this.#kinds.every((kind) => kind === PUT);
    const flags = (keysAlike ? KEYS_ALIKE : 0) | (valuesAlike ? VALUES_ALIKE : 0) | (allPuts ? ALL_PUTS : 0) |
      (this.#tagged ? TAGGED : 0) | (wide && !(keysAlike && valuesAlike) ? WIDE : 0);
    const size = BLOCK_HEADER_BYTES + (keysAlike ? 2 : count * endBytes) +
      (valuesAlike ? 4 : count * endBytes) +
      (allPuts ? 0 : count) + (this.#tagged ? count : 0) + prefixBytes + keyTotal + this.#valueBytes;
    const bytes = new Uint8Array(headroom + size);
    writeU32(bytes, headroom, count);
    bytes[headroom + 4] = flags;
    writeU16(bytes, headroom + 5, prefixBytes);
    let at = headroom + BLOCK_HEADER_BYTES;
    if (keysAlike) {
      writeU16(bytes, at, count === 0 ? 0 : this.#keyEnds[0]! - prefixBytes);
      at += 2;
    } else {
      for (let i = 0; i < count; i++, at += endBytes) {
        writeEnd(bytes, at, this.#keyEnds[i]! - (i + 1) * prefixBytes, wide);
      }
    }
    if (valuesAlike) {
      writeU32(bytes, at, count === 0 ? 0 : this.#valueEnds[0]! - this.#valueStarts[0]!);
      at += 4;
    } else {
      let end = 0;
      for (let i = 0; i < count; i++, at += endBytes) {
        end += this.#valueEnds[i]! - this.#valueStarts[i]!;
        writeEnd(bytes, at, end, wide);
      }
    }
    if (!allPuts) { for (const kind of this.#kinds) bytes[at++] = kind; }
    for (const tag of this.#tags) bytes[at++] = tag;
    at = this.#copyKeys(bytes, at, prefixBytes);
    this.#copyValues(bytes, at);
    this.#reset();
    return bytes;
  }

  /** Returns how many bytes all keys share: since they are sorted, what the first and the last share. */
  #prefixBytes(): number {
    const count = this.#keyEnds.length;
    if (count === 0) return 0;
    const firstBytes = this.#keyEnds[0]!;
    const lastStart = count === 1 ? 0 : this.#keyEnds[count - 2]!;
    const most = Math.min(firstBytes, this.#keyEnds[count - 1]! - lastStart);
    let shared = 0;
    while (shared < most && this.#keys[shared] === this.#keys[lastStart + shared]) shared++;
    return shared;
  }

  #copyKeys(bytes: Uint8Array, at: number, prefixBytes: number): number {
    const keys = this.#keys;
    for (let i = 0; i < prefixBytes; i++) bytes[at++] = keys[i]!;
    let from = 0;
    for (const end of this.#keyEnds) {
      for (let i = from + prefixBytes; i < end; i++) bytes[at++] = keys[i]!;
      from = end;
    }
    return at;
  }

  #copyValues(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < this.#values.length; i++) {
      const value = this.#values[i]!;
      const start = this.#valueStarts[i]!;
      const end = this.#valueEnds[i]!;
      if (end - start > 64) {
        bytes.set(value.subarray(start, end), at);
        at += end - start;
      } else {
        for (let j = start; j < end; j++) bytes[at++] = value[j]!;
      }
    }
  }

  #reset(): void {
    this.#keyEnds = [];
    this.#values = [];
    this.#valueStarts = [];
    this.#valueEnds = [];
    this.#kinds = [];
    this.#tags = [];
    this.#valueBytes = 0;
  }
}

function writeEnd(bytes: Uint8Array, at: number, end: number, wide: boolean): void {
  if (wide) writeU32(bytes, at, end);
  else writeU16(bytes, at, end);
}
