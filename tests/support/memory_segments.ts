/**
 * Segments as byte arrays: written by a rewrite, read as the shell reads them, without a shell.
 *
 * Every part is decoded from its bytes and checked on the way, as from a disk. Beside that it tells what was asked of it, so that a
 * test can count blocks; and `entriesOf` reads a segment in the obvious way, block for block, for comparison with
 * cursors and merges.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { SegmentSink } from "../../compaction/rewrite.ts";
import type { SegmentId, SegmentMeta, SegmentSource } from "../../core/mod.ts";
import {
  Block,
  decodeFileHeader,
  decodeFooter,
  decodeFrame,
  fileName,
  filterMayContain,
  FOOTER_BYTES,
  FRAME_DATA,
  FRAME_FILTER,
  FRAME_INDEX,
  keyFromBytes,
  keyToBytes,
  SegmentBuilder,
  SegmentIndex,
} from "../../core/mod.ts";
import type { FrameType, SegmentOptions } from "../../core/mod.ts";
import type { GivenEntry } from "./arbitraries.ts";
import { joined } from "./damage.ts";
import { NO_CODEC, TEST_CODECS } from "./run_length_codec.ts";

/** One question to a source. */
export interface Asked {
  /** For what. */
  readonly part: "index" | "block" | "filter";
  /** Of which segment. */
  readonly id: SegmentId;
  /** Which block; -1 for the other parts. */
  readonly block: number;
  /** Whether the block was worth keeping. */
  readonly keep: boolean;
}

/** An entry as text: key and value as byte strings, `null` for a tombstone. */
export type TextEntry = readonly [key: string, value: string | null];

interface OpenSegment {
  readonly seed: number;
  readonly index: SegmentIndex;
  readonly filter: Uint8Array;
  readonly blocks: Map<number, Block>;
}

/** Blocks so small that a handful of entries makes several. */
export const TINY_BLOCKS: SegmentOptions = {
  blockSize: 24,
  filterBitsPerKey: 10,
  hashSeed: 0,
  codec: NO_CODEC,
};

/** Segments as byte arrays. */
export class MemorySegments implements SegmentSource {
  /** The bytes of each segment. */
  readonly files: Map<SegmentId, Uint8Array<ArrayBuffer>> = new Map();
  /** What was asked, in order. */
  readonly asked: Asked[] = [];
  readonly #open: Map<SegmentId, OpenSegment> = new Map();

  index(segment: SegmentMeta): SegmentIndex {
    this.asked.push({ part: "index", id: segment.id, block: -1, keep: false });
    return this.#segment(segment).index;
  }

  mayContain(segment: SegmentMeta, hash: number): boolean {
    this.asked.push({ part: "filter", id: segment.id, block: -1, keep: false });
    return filterMayContain(this.#segment(segment).filter, hash);
  }

  block(segment: SegmentMeta, i: number, keep: boolean): Block {
    this.asked.push({ part: "block", id: segment.id, block: i, keep });
    const { blocks, index, seed } = this.#segment(segment);
    let block = blocks.get(i);
    if (block === undefined) {
      assert(i >= 0 && i < index.count, `there is no block ${i}`);
      const offset = index.offset(i);
      block = new Block(this.#frame(segment.id, seed, offset, index.offset(i + 1) - offset, FRAME_DATA));
      blocks.set(i, block);
    }
    return block;
  }

  /** Returns how many blocks a segment has. */
  blocks(segment: SegmentMeta): number {
    return this.#segment(segment).index.count;
  }

  /** Returns the entries of a segment, read block for block. */
  entriesOf(segment: SegmentMeta): TextEntry[] {
    const entries: TextEntry[] = [];
    for (let i = 0; i < this.blocks(segment); i++) {
      const block = this.block(segment, i, false);
      for (let entry = 0; entry < block.count; entry++) {
        const value = keyFromBytes(block.bytes, block.valueStart(entry), block.valueEnd(entry));
        entries.push([block.key(entry), block.isTombstone(entry) ? null : value]);
      }
    }
    return entries;
  }

  /** Adds a segment of the given entries. Requires: they are sorted, and there is one. */
  add(id: SegmentId, entries: readonly GivenEntry[], options: SegmentOptions = TINY_BLOCKS): SegmentMeta {
    const parts: Uint8Array[] = [];
    const origin = { seqnoMin: id, seqnoMax: id, writtenAt: id };
    const builder = new SegmentBuilder(id, { low: id, high: 7 }, options, origin, (part) => parts.push(part));
    for (const [name, value] of entries) {
      const key = keyToBytes(name);
      builder.add(value === null, key, key.length, value ?? key, 0, value?.length ?? 0);
    }
    const meta = builder.finish();
    this.files.set(id, joined(...parts));
    return meta;
  }

  #segment(meta: SegmentMeta): OpenSegment {
    const known = this.#open.get(meta.id);
    if (known !== undefined) return known;
    const file = this.files.get(meta.id);
    const name = fileName("segment", meta.id);
    assert(file !== undefined, `${name} is missing`);
    assertEquals(file.length, meta.size);
    const { seed, salt } = decodeFileHeader(file, "segment", meta.id, name);
    assertEquals(salt, meta.salt);
    const { filterOffset, filterBytes, indexBytes } = decodeFooter(
      file.subarray(file.length - FOOTER_BYTES),
      seed,
      file.length,
      name,
    );
    const index = this.#frame(meta.id, seed, filterOffset + filterBytes, indexBytes, FRAME_INDEX);
    const segment = {
      seed,
      index: new SegmentIndex(index, filterOffset, name),
      filter: filterBytes === 0
        ? new Uint8Array(0)
        : this.#frame(meta.id, seed, filterOffset, filterBytes, FRAME_FILTER),
      blocks: new Map(),
    };
    this.#open.set(meta.id, segment);
    return segment;
  }

  #frame(
    id: SegmentId,
    seed: number,
    offset: number,
    length: number,
    type: FrameType,
  ): Uint8Array<ArrayBuffer> {
    const bytes = this.files.get(id)!.subarray(offset, offset + length);
    return decodeFrame(bytes, type, TEST_CODECS, seed, offset, fileName("segment", id));
  }
}

/** Takes the outputs of a rewrite. */
export class MemorySink implements SegmentSink {
  readonly #files: Map<SegmentId, Uint8Array<ArrayBuffer>>;
  readonly #parts: Uint8Array[] = [];
  #id: SegmentId | undefined;

  /** Gives the bytes of whole outputs to `files`. */
  constructor(files: Map<SegmentId, Uint8Array<ArrayBuffer>>) {
    this.#files = files;
  }

  open(id: SegmentId): void {
    assertEquals(this.#id, undefined, "an output is begun before the last is closed");
    this.#id = id;
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    assert(this.#id !== undefined, "bytes are written with no output open");
    this.#parts.push(bytes.slice());
  }

  close(): void {
    assert(this.#id !== undefined && !this.#files.has(this.#id), "an output is closed twice");
    this.#files.set(this.#id, joined(...this.#parts));
    this.#parts.length = 0;
    this.#id = undefined;
  }
}
