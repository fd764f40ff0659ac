/**
 * The hash of a key, and the filter of a segment that is asked before any of its blocks is read.
 *
 * ```
 * filter := nothing                        no filter: "maybe" for every key
 *         | probes u8, block +
 * probes := 1 to 16                        bits a key sets; anything else is not ours: "maybe"
 * block  := 64 bytes                       bit i is bit i % 8, from the lowest, of byte i / 8
 *
 * block of a hash := floor(hash * blocks / 2^32)
 * bit i of a hash := the top 9 bits of hash * 0x9e3779b1^(i + 1) mod 2^32, for i from 0 to probes - 1
 * ```
 *
 * A blocked Bloom filter (Putze, Sanders and Singler 2007): all bits of a key lie in one block, so a question costs
 * one or two cache misses and not one for each bit. The price is that blocks fill unevenly. At 10 bits a key, 6
 * probes, 0.88 % of absent keys pass a filter of 1,000 keys, 0.97 % of 100,000, 0.99 % of 1,000,000, random or
 * ascending; theory says 0.96 %, and 0.82 % for an ideal Bloom filter. Bits by double hashing, `a + i * b`, let
 * 1.08 % pass, and at 16 bits a key 0.21 % where these powers let 0.09 %. A question takes 20 to 30 ns, an added
 * key 25 to 30 (Deno 2.9.6).
 *
 * The hash is HalfSipHash-1-3 (Aumasson and Bernstein 2012): keyed, made for short inputs and 32-bit arithmetic. For
 * murmur3, the obvious other, keys are known that collide under every seed, so a secret seed would not
 * stop anyone from making filters useless. Sixteen bytes take 40 ns from a string, of which reading the chars is 27, and
 * 30 from a buffer; murmur3 27 and 14.
 *
 * Two keys share all 32 bits of their hash once in 2^32: whatever the bits a key, a filter of `n` keys passes no less
 * than `n / 2^32`, which is 0.02 % at a million.
 *
 * @module
 */

const BLOCK_BYTES = 64;
const BLOCK_BITS = 512;

/** A shift that leaves the top 9 of 32 bits: a bit of a block. */
const BIT_SHIFT = 23;

/** More would only lower a rate that the 32 bits of the hash do not reach. */
const PROBES_MAX = 16;

/** The best number of probes is about this many for each bit of a key: within 5 % of the best rate up to 24 bits. */
const PROBES_PER_BIT = 0.6;

/** 2^32 over the golden ratio, made odd: its powers spread the top bits of a product evenly. */
const PROBE_FACTOR = 0x9e3779b1;

/** The "3" of HalfSipHash-1-3; the "1" is one round for each word. */
const FINAL_ROUNDS = 3;

/** The second half of the hash's key: so that seed 0x03020100 is the key of the published test vectors. */
const SEED_STEP = 0x04040404;

/**
 * Returns the hash of `bytes[start, end)`.
 *
 * Cost: O(length).
 *
 * @param bytes Where the key is.
 * @param start Its first byte.
 * @param end The byte behind its last.
 * @param seed 32 bits that an adversary does not know.
 * @returns 32 bits, unsigned; the same as {@linkcode hashKey} has for the byte string.
 */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  return halfSipHash(bytes, start, end, seed);
}

/**
 * Returns the hash of a byte string.
 *
 * Cost: O(length).
 *
 * @param key A byte string.
 * @param seed 32 bits that an adversary does not know.
 * @returns 32 bits, unsigned; the same as {@linkcode hashBytes} has for the bytes.
 */
export function hashKey(key: string, seed: number): number {
  return halfSipHash(key, 0, key.length, seed);
}

/**
 * Returns the byte that stands for an entry within its data block.
 *
 * It is the low end of the hash; a filter chooses the block by the high end. So a key that a filter lets
 * through by mistake still has the tag of a given entry only once in 256.
 *
 * @param hash The hash of a key.
 * @returns 0 to 255.
 */
export function tagOf(hash: number): number {
  return hash & 0xff;
}

/** Collects hashes and makes a filter that fits their number. */
export class FilterBuilder {
  readonly #bitsPerKey: number;
  #hashes: Uint32Array<ArrayBuffer> = new Uint32Array(256);
  #count: number = 0;

  /**
   * Starts without hashes.
   *
   * @param bitsPerKey Bits of the filter for each hash, whole or not; 0 for no filter.
   */
  constructor(bitsPerKey: number) {
    this.#bitsPerKey = bitsPerKey;
  }

  /**
   * Adds the hash of a key. Cost: O(1) amortised, four bytes.
   *
   * @param hash The hash of a key, 32 bits.
   */
  add(hash: number): void {
    if (this.#bitsPerKey === 0) return;
    if (this.#count === this.#hashes.length) {
      const grown = new Uint32Array(this.#count * 2);
      grown.set(this.#hashes);
      this.#hashes = grown;
    }
    this.#hashes[this.#count++] = hash;
  }

  /**
   * Returns the filter of the hashes added so far. Cost: O(hashes).
   *
   * @returns The filter; empty if there are no hashes or no bits for them.
   */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.#count === 0) return new Uint8Array(0);
    const probes = Math.max(1, Math.min(Math.round(this.#bitsPerKey * PROBES_PER_BIT), PROBES_MAX));
    const blockCount = Math.ceil(this.#count * this.#bitsPerKey / BLOCK_BITS);
    const filter = new Uint8Array(1 + blockCount * BLOCK_BYTES);
    filter[0] = probes;
    for (let i = 0; i < this.#count; i++) setBits(filter, probes, blockCount, this.#hashes[i]!);
    return filter;
  }
}

/**
 * Tells whether a key may be among those that a filter was made of.
 *
 * Total: bytes that are not a filter answer `true`, which costs a read and never loses a key. That the bytes are
 * those that were written is for the checksum of their frame to tell.
 *
 * Cost: O(1), one or two cache misses.
 *
 * @param filter What {@linkcode FilterBuilder.finish} returned.
 * @param hash The hash of the key, made with the same seed.
 * @returns `false` only if the hash was not added.
 */
export function filterMayContain(filter: Uint8Array, hash: number): boolean {
  const blockBytes = filter.length - 1;
  if (blockBytes <= 0 || blockBytes % BLOCK_BYTES !== 0) return true;
  const probes = filter[0]!;
  if (probes > PROBES_MAX) return true;
  const from = 1 + blockOf(hash, blockBytes / BLOCK_BYTES) * BLOCK_BYTES;
  let product = hash;
  for (let i = 0; i < probes; i++) {
    product = Math.imul(product, PROBE_FACTOR);
    const bit = product >>> BIT_SHIFT;
    if ((filter[from + (bit >>> 3)]! & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

/**
 * Tells whether bytes are a filter, or none: a check for `verify`, since a question takes what is not ours for "maybe".
 *
 * @param filter The bytes.
 * @returns Whether {@linkcode FilterBuilder.finish} could have returned them.
 */
export function isFilter(filter: Uint8Array): boolean {
  if (filter.length === 0) return true;
  const probes = filter[0]!;
  return filter.length > 1 && (filter.length - 1) % BLOCK_BYTES === 0 && probes >= 1 && probes <= PROBES_MAX;
}

/**
 * Returns which block a hash belongs to: `floor(hash * blockCount / 2^32)`, exactly.
 *
 * By halves of the hash: from 2^21 blocks on the whole product would not fit into the 53 bits of a double.
 *
 * @param hash 32 bits.
 * @param blockCount 1 to 2^37.
 * @returns 0 to `blockCount - 1`.
 */
export function blockOf(hash: number, blockCount: number): number {
  const low = Math.floor(((hash & 0xffff) * blockCount) / 65_536);
  return Math.floor(((hash >>> 16) * blockCount + low) / 65_536);
}

function setBits(filter: Uint8Array, probes: number, blockCount: number, hash: number): void {
  const from = 1 + blockOf(hash, blockCount) * BLOCK_BYTES;
  let product = hash;
  for (let i = 0; i < probes; i++) {
    product = Math.imul(product, PROBE_FACTOR);
    const bit = product >>> BIT_SHIFT;
    filter[from + (bit >>> 3)]! |= 1 << (bit & 7);
  }
}

/** One loop for both kinds of source: two would save a tenth of the time on bytes and nothing on strings. */
function halfSipHash(source: Uint8Array | string, start: number, end: number, seed: number): number {
  const words = (end - start) >>> 2;
  let v0 = seed | 0;
  let v1 = (seed + SEED_STEP) | 0;
  let v2 = v0 ^ 0x6c796765;
  let v3 = v1 ^ 0x74656462;
  for (let i = 0; i < words + 1 + FINAL_ROUNDS; i++) {
    const word = i < words ? wordOf(source, start + (i << 2)) : i === words ? tailOf(source, start, end) : 0;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
    if (i === words) v2 ^= 0xff;
  }
  return (v1 ^ v3) >>> 0;
}

/** Returns the four bytes at `at`, the first one lowest. One look at the kind of source, not four. */
function wordOf(source: Uint8Array | string, at: number): number {
  if (typeof source === "string") {
    return source.charCodeAt(at) | (source.charCodeAt(at + 1) << 8) | (source.charCodeAt(at + 2) << 16) |
      (source.charCodeAt(at + 3) << 24);
  }
  return source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24);
}

/** Returns the bytes behind the last whole word, at most three, and above them the length modulo 256. */
function tailOf(source: Uint8Array | string, start: number, end: number): number {
  const length = end - start;
  let tail = length << 24;
  const at = end - (length & 3);
  for (let i = 0; at + i < end; i++) {
    tail |= (typeof source === "string" ? source.charCodeAt(at + i) : source[at + i]!) << (i * 8);
  }
  return tail;
}
