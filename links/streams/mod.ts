/**
 * A stand-in for `jsr:@std/streams@^1` where only an npm registry can be reached.
 *
 * The classes and functions are the standard library's own, from its copy on npm, which has no types.
 * This file gives them the signatures of the original; what the project does not use is left out.
 *
 * @module
 */

import * as std from "deno-std/streams/mod.js";

type Bytes = Uint8Array<ArrayBuffer>;

/** How to open a {@linkcode TextLineStream}. */
export interface TextLineStreamOptions {
  /** Whether a lone `\r` ends a line too. */
  allowCR?: boolean;
}

/** A stream of lines, without their ends, from a stream of text. */
export type TextLineStream = TransformStream<string, string>;
/** A stream of lines, without their ends, from a stream of text. */
export const TextLineStream: new (options?: TextLineStreamOptions) => TextLineStream = std.TextLineStream;

/** How to open a {@linkcode DelimiterStream}. */
export interface DelimiterStreamOptions {
  /** What becomes of the delimiter: it is dropped, or ends the piece before it, or begins the piece behind it. */
  disposition?: "discard" | "suffix" | "prefix";
}

/** A stream of bytes cut at every delimiter. */
export type DelimiterStream = TransformStream<Bytes, Bytes>;
/** A stream of bytes cut at every delimiter. */
export const DelimiterStream: new (
  delimiter: Uint8Array,
  options?: DelimiterStreamOptions,
) => DelimiterStream = std.DelimiterStream;

/** The bytes from `start` to `end`, both included, of a stream of bytes. */
export type ByteSliceStream = TransformStream<Bytes, Bytes>;
/** The bytes from `start` to `end`, both included, of a stream of bytes. */
export const ByteSliceStream: new (start?: number, end?: number) => ByteSliceStream = std.ByteSliceStream;

/** One stream with the chunks of all of them, as they come. */
export const mergeReadableStreams: <T>(...streams: ReadableStream<T>[]) => ReadableStream<T> =
  std.mergeReadableStreams;

/** One stream with the chunks of all of them, one stream after the other. */
export const concatReadableStreams: <T>(...streams: ReadableStream<T>[]) => ReadableStream<T> =
  std.concatReadableStreams;

/** Reads a stream of bytes to its end, into one buffer. */
export const toArrayBuffer: (readableStream: ReadableStream<Uint8Array>) => Promise<ArrayBuffer> =
  std.toArrayBuffer;

/** Reads a stream of text or UTF-8 bytes to its end, into one string. */
export const toText: (stream: ReadableStream) => Promise<string> = std.toText;
