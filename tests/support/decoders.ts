/**
 * All decoders of the formats, for the fuzzer.
 *
 * What one is, is in `decoder.ts`; a new format gets a place in one of the two lists, and with it all that is done to decoders:
 * mutations, arbitrary bytes, claims of memory.
 *
 * @module
 */

import type { Decoder } from "./decoder.ts";
import { RECORD_DECODERS } from "./record_decoders.ts";
import { SEGMENT_DECODERS } from "./segment_decoders.ts";

/** All decoders. */
export const DECODERS: readonly Decoder[] = [...RECORD_DECODERS, ...SEGMENT_DECODERS];
