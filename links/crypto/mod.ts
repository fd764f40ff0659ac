/**
 * A stand-in for `jsr:@std/crypto@^1` where only an npm registry can be reached.
 *
 * The original adds digests of streams and more algorithms to Web Crypto, in a WASM module that its
 * copy on npm lacks. Here the same calls go to `node:crypto`, which is built in. Only SHA-2 is offered: these
 * are the names that both know.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";

/** The digests offered. */
export type DigestAlgorithm = "SHA-256" | "SHA-384" | "SHA-512";

/** What can be digested: bytes, or a sequence of pieces of them. */
export type DigestSource = BufferSource | AsyncIterable<BufferSource> | Iterable<BufferSource>;

/** The digests, in place of those of Web Crypto. */
export interface StdSubtleCrypto extends SubtleCrypto {
  /** Digests bytes, or a sequence of pieces of them, without holding more than one piece. */
  digest(
    algorithm: DigestAlgorithm | { readonly name: DigestAlgorithm },
    data: DigestSource,
  ): Promise<ArrayBuffer>;
  /** Does the same before it returns. */
  digestSync(
    algorithm: DigestAlgorithm | { readonly name: DigestAlgorithm },
    data: BufferSource | Iterable<BufferSource>,
  ): ArrayBuffer;
}

/** Web Crypto with the digests above. */
export interface StdCrypto extends Crypto {
  /** The digests, and what Web Crypto itself has beside them. */
  readonly subtle: StdSubtleCrypto;
}

/** Web Crypto with the digests above. */
export const crypto: StdCrypto = extend(globalThis.crypto, {
  subtle: extend(globalThis.crypto.subtle, { digest, digestSync }),
}) as StdCrypto;

/**
 * Compares two arrays in a time that does not depend on where they differ.
 *
 * @throws {TypeError} If their lengths differ.
 */
export function timingSafeEqual(
  a: ArrayBufferView | ArrayBufferLike | DataView,
  b: ArrayBufferView | ArrayBufferLike | DataView,
): boolean {
  if (a.byteLength !== b.byteLength) {
    throw new TypeError(
      `Cannot compare buffers of different byte lengths (${a.byteLength} vs ${b.byteLength})`,
    );
  }
  const left = bytesOf(a);
  const right = bytesOf(b);
  let difference = 0;
  for (let i = 0; i < left.length; i++) difference |= left[i]! ^ right[i]!;
  return difference === 0;
}

async function digest(
  algorithm: DigestAlgorithm | { readonly name: DigestAlgorithm },
  data: DigestSource,
): Promise<ArrayBuffer> {
  const hash = hashOf(algorithm);
  if (isBufferSource(data)) hash.update(bytesOf(data));
  else for await (const piece of data) hash.update(bytesOf(piece));
  return result(hash);
}

function digestSync(
  algorithm: DigestAlgorithm | { readonly name: DigestAlgorithm },
  data: BufferSource | Iterable<BufferSource>,
): ArrayBuffer {
  const hash = hashOf(algorithm);
  if (isBufferSource(data)) hash.update(bytesOf(data));
  else for (const piece of data) hash.update(bytesOf(piece));
  return result(hash);
}

function hashOf(algorithm: DigestAlgorithm | { readonly name: DigestAlgorithm }): Hash {
  const name = typeof algorithm === "string" ? algorithm : algorithm.name;
  return createHash(name.replace("-", "").toLowerCase());
}

/** A copy: the buffer behind the digest may be longer than it. */
function result(hash: Hash): ArrayBuffer {
  return new Uint8Array(hash.digest()).buffer;
}

function isBufferSource(data: DigestSource): data is BufferSource {
  return ArrayBuffer.isView(data) || data instanceof ArrayBuffer;
}

function bytesOf(data: ArrayBufferView | ArrayBufferLike): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** The object with some properties in place of its own; its methods still see the object itself as `this`. */
function extend(object: object, properties: Record<string, unknown>): object {
  return new Proxy(object, {
    get(target, name): unknown {
      if (typeof name === "string" && Object.hasOwn(properties, name)) return properties[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
