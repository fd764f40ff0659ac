/**
 * Segment readers: the parts of segments, read when first asked for, checked, and kept within bounds.
 *
 * Opening a tree opens no segment. The first read of one reads its header and footer, the first search its index, the first
 * point read its filter; these stay in memory until the segment goes. Data blocks go through the block cache. At most
 * `maxOpenFiles` files are open; the one that was opened longest ago is closed for the next.
 *
 * A filter that cannot be read is an error and never "absent": that would lose keys in silence.
 *
 * @module
 */

import type { Codecs, Footer, SegmentId, SegmentMeta, SegmentSource } from "../core/mod.ts";
import {
  Block,
  CorruptionError,
  decodeFileHeader,
  decodeFooter,
  decodeFrame,
  FILE_HEADER_BYTES,
  fileName,
  filterMayContain,
  FOOTER_BYTES,
  FRAME_DATA,
  FRAME_FILTER,
  FRAME_INDEX,
  NotFoundError,
  SegmentIndex,
} from "../core/mod.ts";
import type { FrameType } from "../core/mod.ts";
import type { BlockCache, BlockSlots } from "./block_cache.ts";
import type { Storage, StorageFile } from "./storage.ts";
import { readWhole } from "./whole.ts";

/** How often readers were asked, and what for. */
export interface ReadCounts {
  /** Blocks that were found in the cache. */
  cacheHits: number;
  /** Blocks that had to be read. */
  cacheMisses: number;
  /** Point reads that a filter saved a block. */
  filterHits: number;
  /** Point reads that a filter let through. */
  filterPasses: number;
  /** Bytes of blocks that were read. */
  blockBytes: number;
}

interface OpenSegment {
  readonly name: string;
  readonly seed: number;
  readonly footer: Footer;
  readonly slots: BlockSlots;
  index: SegmentIndex | undefined;
  filter: Uint8Array | undefined;
}

/** How readers go that are known to read front to back. */
export interface ReadingFrontToBack {
  /** Blocks are read ahead, so many bytes at a time; 0 for one block at a time. */
  readonly windowBytes?: number;
  /** Called for each block that is read; what it throws comes out of the reading. */
  readonly blockRead?: (bytes: number) => void;
}

/** Bytes of a segment that were read ahead. */
interface Window {
  readonly start: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The parts of a handle's segments. */
export class SegmentReaders implements SegmentSource {
  readonly #storage: Storage;
  readonly #cache: BlockCache;
  readonly #codecs: Codecs;
  readonly #openFilesMax: number;
  readonly #segments: Map<SegmentId, OpenSegment> = new Map();
  readonly #windowBytes: number;
  readonly #blockRead: (bytes: number) => void;
  /** Pieces of data that were read ahead, where reading is known to be front to back. */
  readonly #windows: Map<SegmentId, Window> = new Map();
  /** Open files, the one that was opened longest ago first. */
  readonly #files: Map<SegmentId, StorageFile> = new Map();
  /** How often it was asked, and what for. */
  readonly counts: ReadCounts = {
    cacheHits: 0,
    cacheMisses: 0,
    filterHits: 0,
    filterPasses: 0,
    blockBytes: 0,
  };

  /** Reads from `storage`; opens nothing yet. */
  constructor(
    storage: Storage,
    cache: BlockCache,
    codecs: Codecs,
    openFilesMax: number,
    { windowBytes = 0, blockRead = () => {} }: ReadingFrontToBack = {},
  ) {
    this.#windowBytes = windowBytes;
    this.#blockRead = blockRead;
    this.#storage = storage;
    this.#cache = cache;
    this.#codecs = codecs;
    this.#openFilesMax = openFilesMax;
  }

  /** Bytes of indexes and filters in memory. */
  get bytes(): number {
    let bytes = 0;
    for (const { index, filter } of this.#segments.values()) {
      bytes += (index?.bytes ?? 0) + (filter?.length ?? 0);
    }
    return bytes;
  }

  /** How many files are open. */
  get openFiles(): number {
    return this.#files.size;
  }

  index(meta: SegmentMeta): SegmentIndex {
    const segment = this.#open(meta);
    if (segment.index === undefined) {
      const { filterOffset, filterBytes, indexBytes } = segment.footer;
      const block = this.#frame(meta, segment, filterOffset + filterBytes, indexBytes, FRAME_INDEX);
      segment.index = new SegmentIndex(block, filterOffset, segment.name);
    }
    return segment.index;
  }

  mayContain(meta: SegmentMeta, hash: number): boolean {
    const segment = this.#open(meta);
    if (segment.filter === undefined) {
      const { filterOffset, filterBytes } = segment.footer;
      segment.filter = filterBytes === 0
        ? new Uint8Array(0)
        : this.#frame(meta, segment, filterOffset, filterBytes, FRAME_FILTER);
    }
    const may = filterMayContain(segment.filter, hash);
    if (may) this.counts.filterPasses += 1;
    else this.counts.filterHits += 1;
    return may;
  }

  block(meta: SegmentMeta, i: number, keep: boolean): Block {
    const segment = this.#open(meta);
    const kept = this.#cache.get(segment.slots, i);
    if (kept !== undefined) {
      this.counts.cacheHits += 1;
      return kept;
    }
    this.counts.cacheMisses += 1;
    const index = this.index(meta);
    const offset = index.offset(i);
    const length = index.offset(i + 1) - offset;
    this.counts.blockBytes += length;
    this.#blockRead(length);
    const frame = this.#windowBytes > 0
      ? this.#readAhead(meta, offset, length, segment.footer.filterOffset)
      : readWhole(this.#file(meta.id), offset, length);
    const block = new Block(decodeFrame(frame, FRAME_DATA, this.#codecs, segment.seed, offset, segment.name));
    if (block.count === 0) {
      throw new CorruptionError(`Cannot read block at byte ${offset} of "${segment.name}": it is empty`, {
        file: segment.name,
        offset,
      });
    }
    if (keep) this.#cache.add(segment.slots, i, block);
    return block;
  }

  /** Lets go of all that is kept of a segment. */
  forget(id: SegmentId): void {
    const segment = this.#segments.get(id);
    if (segment !== undefined) this.#cache.drop(segment.slots);
    this.#segments.delete(id);
    this.#files.get(id)?.close();
    this.#files.delete(id);
  }

  /** Lets go of everything. */
  close(): void {
    for (const id of [...this.#segments.keys(), ...this.#files.keys()]) this.forget(id);
  }

  #open(meta: SegmentMeta): OpenSegment {
    const known = this.#segments.get(meta.id);
    if (known !== undefined) return known;
    const name = fileName("segment", meta.id);
    const file = this.#file(meta.id);
    const size = file.size();
    if (size !== meta.size) {
      throw new CorruptionError(
        `Cannot read "${name}": it has ${size} bytes, the manifest says ${meta.size}`,
        {
          file: name,
          offset: Math.min(size, meta.size),
        },
      );
    }
    const header = decodeFileHeader(readWhole(file, 0, FILE_HEADER_BYTES), "segment", meta.id, name);
    if (header.salt.low !== meta.salt.low || header.salt.high !== meta.salt.high) {
      throw new CorruptionError(`Cannot read "${name}": it is not the file that the manifest lists`, {
        file: name,
        offset: 16,
      });
    }
    const footer = decodeFooter(readWhole(file, size - FOOTER_BYTES, FOOTER_BYTES), header.seed, size, name);
    const segment = { name, seed: header.seed, footer, slots: [], index: undefined, filter: undefined };
    this.#segments.set(meta.id, segment);
    return segment;
  }

  #frame(
    meta: SegmentMeta,
    segment: OpenSegment,
    offset: number,
    length: number,
    type: FrameType,
  ): Uint8Array<ArrayBuffer> {
    const bytes = readWhole(this.#file(meta.id), offset, length);
    return decodeFrame(bytes, type, this.#codecs, segment.seed, offset, segment.name);
  }

  /** Returns a frame out of a piece that reaches beyond it; the piece before goes. */
  #readAhead(meta: SegmentMeta, offset: number, length: number, dataEnd: number): Uint8Array<ArrayBuffer> {
    let window = this.#windows.get(meta.id);
    if (
      window === undefined || offset < window.start || offset + length > window.start + window.bytes.length
    ) {
      const wanted = Math.max(length, Math.min(this.#windowBytes, dataEnd - offset));
      window = { start: offset, bytes: readWhole(this.#file(meta.id), offset, wanted) };
      this.#windows.set(meta.id, window);
    }
    const at = offset - window.start;
    if (offset + length === dataEnd) this.#windows.delete(meta.id);
    return window.bytes.subarray(at, at + length);
  }

  #file(id: SegmentId): StorageFile {
    const open = this.#files.get(id);
    if (open !== undefined) return open;
    if (this.#files.size >= this.#openFilesMax) this.#closeOldest();
    const file = this.#openFile(fileName("segment", id));
    this.#files.set(id, file);
    return file;
  }

  #closeOldest(): void {
    const [id, file] = this.#files.entries().next().value!;
    file.close();
    this.#files.delete(id);
  }

  /** Opens a file; where the process may hold no more of them, one after the other is given up for it. */
  #openFile(name: string): StorageFile {
    for (;;) {
      try {
        return this.#storage.openRead(name);
      } catch (error) {
        if (error instanceof NotFoundError) {
          throw new CorruptionError(`Cannot read "${name}": the manifest lists it, but it is missing`, {
            file: name,
            cause: error,
          });
        }
        if (!isOutOfHandles(error) || this.#files.size === 0) throw error;
        this.#closeOldest();
      }
    }
  }
}

function isOutOfHandles(error: unknown): boolean {
  const code = ((error as Error).cause as { readonly code?: unknown } | undefined)?.code;
  return code === "EMFILE" || code === "ENFILE";
}
