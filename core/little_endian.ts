/**
 * Numbers as little-endian bytes, and a reader that never runs past the end.
 *
 * Plain shifts on a `Uint8Array` are as fast as a `DataView` in V8 and need no second view of the buffer.
 * Numbers above 32 bits are ids, sizes, sequence numbers and times: safe integers, kept in eight bytes of which
 * the top eleven bits are zero.
 *
 * A decoder works on bytes that may be anything. {@linkcode ByteReader} checks each
 * length against what is really there before anything is allocated, and throws only {@linkcode CorruptionError}.
 *
 * @module
 */

import { keyFromBytes, writeKey } from "./bytes.ts";
import { CorruptionError } from "./errors.ts";

const TWO_32 = 4_294_967_296;

/**
 * The highest id, batch or edit that an opened tree may have come to: half of the numbers are still there to count on with.
 *
 * At one each microsecond a tree is there after 142 years.
 */
export const NUMBER_MAX: number = 2 ** 52;

/** Writes a 16-bit number. */
export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/** Reads a 16-bit number. */
export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** Writes a 32-bit number. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Reads an unsigned 32-bit number. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Writes a safe integer of at most 53 bits in eight bytes. */
export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0);
  writeU32(bytes, at + 4, Math.floor(value / TWO_32));
}

/** Reads eight bytes; the result is only exact up to 2^53 - 1, see {@linkcode ByteReader.u64}. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * TWO_32;
}

/** Reads numbers and keys one after the other, and fails cleanly where the bytes end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #what: string;
  #at: number;

  /** Reads `bytes[start, end)`; `what` names them in messages. */
  constructor(bytes: Uint8Array, start: number, end: number, what: string) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#what = what;
  }

  /** The next byte to be read. */
  get position(): number {
    return this.#at;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#end - this.#at;
  }

  #take(count: number): number {
    if (count > this.#end - this.#at) throw this.corrupt("it ends too early");
    const at = this.#at;
    this.#at += count;
    return at;
  }

  /** Reads one byte. */
  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  /** Reads a 16-bit number. */
  u16(): number {
    return readU16(this.#bytes, this.#take(2));
  }

  /** Reads a 32-bit number. */
  u32(): number {
    return readU32(this.#bytes, this.#take(4));
  }

  /** Reads a safe integer from eight bytes. */
  u64(): number {
    const value = readU64(this.#bytes, this.#take(8));
    if (!Number.isSafeInteger(value)) throw this.corrupt("a number is too large");
    return value;
  }

  /** Reads a key: its length in two bytes, then its bytes. */
  key(): string {
    const length = this.u16();
    const at = this.#take(length);
    return keyFromBytes(this.#bytes, at, at + length);
  }

  /** Reads a count of things of at least `bytesEach` bytes; more than can be there is corruption. */
  count(bytesEach: number): number {
    const count = this.u32();
    if (count * bytesEach > this.left) throw this.corrupt("a count is too large");
    return count;
  }

  /** Throws unless all bytes were read. */
  done(): void {
    if (this.left !== 0) throw this.corrupt("it has bytes left over");
  }

  /** Makes the error that says what is wrong with the bytes. */
  corrupt(why: string): CorruptionError {
    return new CorruptionError(`Cannot decode ${this.#what}: ${why}`, { offset: this.#at });
  }
}

/** Writes numbers and keys one after the other into a buffer that grows. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  #length = 0;

  #make(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    this.#length = needed;
    return at;
  }

  /** Writes one byte. */
  u8(value: number): this {
    const at = this.#make(1);
    this.#bytes[at] = value;
    return this;
  }

  /** Writes a 16-bit number. */
  u16(value: number): this {
    const at = this.#make(2);
    writeU16(this.#bytes, at, value);
    return this;
  }

  /** Writes a 32-bit number. */
  u32(value: number): this {
    const at = this.#make(4);
    writeU32(this.#bytes, at, value);
    return this;
  }

  /** Writes a safe integer in eight bytes. */
  u64(value: number): this {
    const at = this.#make(8);
    writeU64(this.#bytes, at, value);
    return this;
  }

  /** Writes a key: its length in two bytes, then its bytes. */
  key(key: string): this {
    this.u16(key.length);
    const at = this.#make(key.length);
    writeKey(key, this.#bytes, at);
    return this;
  }

  /** Returns the bytes written so far. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}
