/**
 * Shapes as text: a tree's segments, written down in a line each level.
 *
 * ```text
 * L0  a-f:4  c-k:4     segments from the newest to the oldest, smallest to greatest key, size in KiB
 * L1  a-c:40 d-z:40*   a star says that a segment is busy
 * ```
 *
 * Ids count from the newest, `seqnoMax` and `writtenAt` (in seconds) fall with age.
 *
 * @module
 */

import type { SegmentShape } from "../../compaction/mod.ts";
import { Levels } from "../../compaction/mod.ts";

const BYTES = new TextEncoder();

/** Returns the segments that a text describes, newest first. */
export function shapes(text: string): SegmentShape[] {
  const found: SegmentShape[] = [];
  for (const line of text.trim().split("\n")) {
    const [name, ...segments] = line.trim().split(/\s+/);
    for (const segment of segments) {
      const [, minKey, maxKey, size, star] = /^(\w+)-(\w+):(\d+)(\*?)$/.exec(segment)!;
      found.push({
        id: found.length + 1,
        level: Number(name!.slice(1)),
        size: Number(size) * 1024,
        minKey: BYTES.encode(minKey),
        maxKey: BYTES.encode(maxKey),
        entries: Number(size) * 10,
        tombstones: 0,
        writtenAt: 0,
        seqnoMin: 0,
        seqnoMax: 0,
        busy: star === "*",
      });
    }
  }
  return found.map((shape, i) => {
    const age = found.length - i;
    return { ...shape, writtenAt: age * 1000, seqnoMin: age * 10 - 9, seqnoMax: age * 10 };
  });
}

/** Returns the levels that a text describes. */
export function levelsOf(text: string): Levels {
  return Levels.from(shapes(text));
}
