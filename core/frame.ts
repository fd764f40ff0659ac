/**
 * A frame: how any block of a segment stands on disk.
 *
 * ```text
 * frame := crc u32 | rawBytes u32 | codec u8 | type u8 | zero u16 | payload
 * type  := 1 data | 2 filter | 3 index | 4 properties
 * ```
 *
 * The checksum covers everything behind it and is seeded with the segment and the frame's offset: a block read from the wrong
 * place or the wrong file fails. The frame's length is not in it but where the frame is named: in the index for data, in
 * the footer for the others; so no length is believed before a checksum has passed. The check happens before
 * anything is decompressed, and `rawBytes` bounds what is allocated for that.
 *
 * A block that does not get smaller is stored as it is (codec 0).
 *
 * @module
 */

import { checksum, placeSeed } from "./checksum.ts";
import type { Codec, Codecs } from "./codec.ts";
import { CorruptionError, UnsupportedFormatError } from "./errors.ts";
import { readU16, readU32, writeU16, writeU32 } from "./little_endian.ts";

/** The length of a frame's header in bytes. */
export const FRAME_HEADER_BYTES = 12;

/** A block of entries. */
export const FRAME_DATA = 1;
/** The filter. */
export const FRAME_FILTER = 2;
/** The index. */
export const FRAME_INDEX = 3;
/** The properties. */
export const FRAME_PROPERTIES = 4;

/** What a frame holds. */
export type FrameType =
  | typeof FRAME_DATA
  | typeof FRAME_FILTER
  | typeof FRAME_INDEX
  | typeof FRAME_PROPERTIES;

/**
 * Returns the frame of a block.
 *
 * @param block The block behind {@linkcode FRAME_HEADER_BYTES} free bytes, which are written to.
 * @param codec How to compress it; `undefined` for the parts that are kept in memory anyway.
 */
export function encodeFrame(
  block: Uint8Array<ArrayBuffer>,
  type: FrameType,
  codec: Codec | undefined,
  fileSeed: number,
  offset: number,
): Uint8Array<ArrayBuffer> {
  const rawBytes = block.length - FRAME_HEADER_BYTES;
  const packed = codec === undefined ? undefined : codec.compress(block.subarray(FRAME_HEADER_BYTES));
  let frame = block;
  if (packed !== undefined) {
    frame = new Uint8Array(FRAME_HEADER_BYTES + packed.length);
    frame.set(packed, FRAME_HEADER_BYTES);
  }
  writeU32(frame, 4, rawBytes);
  frame[8] = packed === undefined ? 0 : codec!.id;
  frame[9] = type;
  writeU16(frame, 10, 0);
  writeU32(frame, 0, checksum(frame, 4, frame.length, placeSeed(fileSeed, offset)));
  return frame;
}

/**
 * Returns the block in a frame.
 *
 * @param bytes The whole frame; the result may be a view of it.
 * @param name The file's name, for messages.
 * @throws {CorruptionError} If it is damaged, or is not what should stand there.
 * @throws {UnsupportedFormatError} If its codec is one that this module does not know.
 */
export function decodeFrame(
  bytes: Uint8Array<ArrayBuffer>,
  type: FrameType,
  codecs: Codecs,
  fileSeed: number,
  offset: number,
  name: string,
): Uint8Array<ArrayBuffer> {
  const damaged = (why: string): CorruptionError =>
    new CorruptionError(`Cannot read block at byte ${offset} of "${name}": ${why}`, { file: name, offset });
  if (bytes.length < FRAME_HEADER_BYTES) throw damaged("it is cut off");
  if (readU32(bytes, 0) !== checksum(bytes, 4, bytes.length, placeSeed(fileSeed, offset))) {
    throw damaged("it has a bad checksum");
  }
  if (bytes[9] !== type || readU16(bytes, 10) !== 0) throw damaged("another kind of block stands there");
  const rawBytes = readU32(bytes, 4);
  const payload = bytes.subarray(FRAME_HEADER_BYTES);
  if (bytes[8] === 0) {
    if (payload.length !== rawBytes) throw damaged("its length is wrong");
    return payload;
  }
  const codec = Object.values(codecs).find((known) => known.id === bytes[8]);
  if (codec === undefined) {
    throw new UnsupportedFormatError(
      `Cannot read block at byte ${offset} of "${name}": its compression ${
        bytes[8]
      } is unknown; update the module`,
      { file: name, offset },
    );
  }
  try {
    return codec.decompress(payload, rawBytes);
  } catch (error) {
    throw new CorruptionError(`Cannot read block at byte ${offset} of "${name}": it does not decompress`, {
      file: name,
      offset,
      cause: error,
    });
  }
}
