/**
 * A decoder as one kind of thing: bytes in, the size of what was decoded out, or one of few errors.
 *
 * Each comes with valid encodings, those of the golden files among them, and with `seal`, which makes checksums right: what
 * is behind one is attacked too. `decode` uses what it decoded as a reader would, up to the last entry, and, where the
 * encoding is canonical, encodes it again: bytes that are accepted are then the only ones that mean this.
 *
 * @module
 */

import { assert } from "@std/assert";
import { CorruptionError, JournalRecoveryError, UnsupportedFormatError } from "../../core/errors.ts";
import { sameBytes } from "./damage.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A decoder as the fuzzer sees it. */
export interface Decoder {
  /** What it decodes. */
  readonly name: string;
  /** Valid encodings. */
  readonly samples: readonly Uint8Array[];
  /** Makes the checksums right, in place or as a copy; gives back what has none. */
  readonly seal: (bytes: Bytes) => Bytes;
  /** Decodes, uses what it decoded, and returns its size; throws what {@linkcode isDamage} knows. */
  readonly decode: (bytes: Bytes) => number;
}

/** Tells whether an error is one that a decoder may throw. */
export function isDamage(error: unknown): error is Error {
  return error instanceof CorruptionError || error instanceof JournalRecoveryError ||
    error instanceof UnsupportedFormatError;
}

/** Seals what has no checksum. */
export const asIs = (bytes: Bytes): Bytes => bytes;

/** Checks that what was decoded encodes to the same bytes. */
export function same(again: Uint8Array, bytes: Uint8Array): void {
  assert(sameBytes(again, bytes), `it encodes to other bytes: ${again.toHex()}`);
}
