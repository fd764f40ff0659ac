/**
 * Shapes of trees, written as text.
 *
 * ```text
 * L0  #9 a..k 10M    #8* c..z 12M
 * L1  #5 a..f 40M 3d
 * ```
 *
 * A segment has a number, its bounds, its bytes (with K, M or G) and, if it has any, its tombstones (`3d`). One with a star is
 * busy. A higher number is newer: it is the segment's sequence number too. `versionOf` makes the runs of a version of
 * the same text: each segment of level 0 is one, and so is what stands together in a line.
 *
 * @module
 */

import type { SegmentShape } from "../../compaction/levels.ts";
import type { Run, SegmentMeta, Version } from "../../core/version.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import { keyToBytes } from "../../core/bytes.ts";

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

interface Line {
  readonly level: number;
  readonly segments: readonly (SegmentMeta & { readonly busy: boolean })[];
}

/** Returns the segments that a text shows, newest first. */
export function shapes(text: string): SegmentShape[] {
  return linesOf(text).flatMap(({ level, segments }) =>
    segments.map((
      { id, size, minKey, maxKey, entries, tombstones, writtenAt, seqnoMin, seqnoMax, busy },
    ) => ({
      id,
      level,
      size,
      minKey: keyToBytes(minKey),
      maxKey: keyToBytes(maxKey),
      entries,
      tombstones,
      writtenAt,
      seqnoMin,
      seqnoMax,
      busy,
    }))
  );
}

/** Returns the runs that a text shows. */
export function runsOfText(text: string): Run[] {
  return linesOf(text).flatMap(({ level, segments }) => {
    const metas = segments.map(({ busy: _, ...meta }) => meta);
    return level === 0 ? metas.map((meta) => ({ level, segments: [meta] })) : [{ level, segments: metas }];
  });
}

/** Returns a version of the runs that a text shows. */
export function versionOf(text: string): Version {
  return { ...EMPTY_VERSION, runs: runsOfText(text), flushedSeqno: 1_000, nextId: 1_000 };
}

/** Returns the runs of a version as text, one in a line. */
export function runsText({ runs }: Pick<Version, "runs">): string[] {
  return runs.map(({ level, segments }) =>
    `L${level}  ${segments.map(({ id, minKey, maxKey }) => `#${id} ${minKey}..${maxKey}`).join("  ")}`
  );
}

function linesOf(text: string): Line[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "").map((line) => {
    const [, level, rest] = /^L(\d+) +(.*)$/.exec(line)!;
    return { level: Number(level), segments: rest!.split(/ +(?=#)/).map(segmentOf) };
  });
}

function segmentOf(text: string): SegmentMeta & { readonly busy: boolean } {
  const [, id, star, minKey, maxKey, number, unit, tombstones] =
    /^#(\d+)(\*?) (.*)\.\.(\S*) ([\d.]+)([KMG]?)(?: (\d+)d)? *$/.exec(text)!;
  return {
    id: Number(id),
    size: Number(number) * UNITS[unit!]!,
    minKey: minKey!,
    maxKey: maxKey!,
    entries: 10,
    tombstones: Number(tombstones ?? 0),
    seqnoMin: Number(id),
    seqnoMax: Number(id),
    writtenAt: Number(id) * 1_000,
    salt: { low: Number(id), high: 0 },
    busy: star === "*",
  };
}
