/**
 * Lazy levelling: runs gather in tiers above, and the last level is one run.
 *
 * ```text
 * L0   [r][r][r]                       tiers: threshold runs of a level are merged into one of the next
 * L1   [   r   ][   r   ]
 * ...
 * L6   [                         run                         ]       the tiers are merged into it when they have
 *                                                                    1 / ratio of its bytes
 * ```
 *
 * Nearly all data is in the last level, so that is where old versions take space and where a read finds what it looks for; but
 * most merges happen above it. So levelling pays where the space is, and tiering where the work is.
 *
 * Which level is the last? The one at the bottom, always; nothing has a target size in bytes. When a tier is full (it has
 * `T = threshold` runs) there are three ways on, each for stretches of keys that are independent of others (`groups.ts`):
 * - If level 0 alone has `1 / R` of what the last level has there, with `R = levelRatio`, all tiers are merged into it.
 * - If the tiers below level 0 together have so much, they are.
 * - Otherwise the full tier is merged into one run of the next, or into the last level if that is the next.
 *
 * Why does level 0 mostly stay out of it? What is flushed while older runs of level 0 are being merged has to wait there
 * for that merge, which may be long.
 *
 * Why not a target for each level, with a new one opened below when the last is full, as the paper has it? Then the last level is
 * as small as one run of the tier above when it is new, and space is twice the live data until it has grown. Here the tiers are
 * what grows and shrinks, and the ratio holds at any time (the same idea as RocksDB's dynamic level bytes).
 *
 * Arithmetic, for N bytes in the last level and flushes of P bytes. The tiers hold up to N / R, in `K = log(N / (R x P)) / log(T)`
 * of them, at least one:
 * - Write amplification: 1 for the flush, 1 for each tier below level 0, and at most `1 + R` for the last level, since what is
 *   merged into it is no less than an R-th of it: `2 + K + R` at most. Leveled compaction pays up to R for each of its levels.
 * - Reads: a range, and a point read of a key that is not there, look at up to `(T - 1) x K + 1` runs; a point read of one that is
 *   there finds it in the last level mostly, where filters have spared it the others.
 * - Space: `1 + 1 / R` of the live data and the last few flushes, where tiering may take T times. While the last level is merged
 *   as a whole it takes that much again, and no other merge goes that deep: leveled compaction goes in smaller steps.
 *
 * What `compare` shows for memtables of 16 MiB, keys of 16 and values of 100 bytes, each key written five times in random order
 * (write, read and space amplification):
 *
 * ```text
 * data / memtable     leveled             lazyLeveled         sizeTiered
 *      10              3.1  2.6  1.14      3.3  2.3  1.02      2.3  3.2  2.05
 *      50              8.3  2.9  1.21      8.3  3.8  1.02      3.4  4.9  1.75
 *     100             10.6  3.4  1.30      9.2  3.9  0.97      3.7  5.6  1.92
 *   1,000             17.8  4.3  1.33     12.2  5.8  0.96      5.3  8.0  1.70
 * ```
 *
 * As the paper says, it lies between the two in writing and reading, takes the least space, and gains on leveled compaction as
 * the data grows: it pays from about fifty memtables of data on. Where memtables are far smaller than segments, leveled
 * compaction has levels of a few segments, and it takes more (with 1 MiB: 7.4 against 9.3 at a hundred memtables, 15.0 against
 * 12.2 at a thousand). (Space is below 1 where keys are shortened by more than old versions take.)
 *
 * Source: Dayan and Idreos, "Dostoevsky" (SIGMOD 2018), section 3 on lazy leveling; RocksDB wiki "Universal Compaction", whose
 * limit of space amplification in percent is `100 / R` here.
 *
 * @module
 */

import type { CompactionChoice } from "../core/mod.ts";
import type { Group } from "./groups.ts";
import { firstNeighbours, groupsAbove, idsOfGroups, STEP_TARGETS } from "./groups.ts";
import type { LevelParts } from "./levels.ts";
import { placedOf } from "./levels.ts";
import { joinSmall } from "./small_segments.ts";
import type { BuiltInStrategy, LevelOptions } from "./strategy.ts";
import { areQuiet, builtIn, checkOption, lastLevel } from "./strategy.ts";
import { fullBytes, oneRunOf, TIER_TARGET_BYTES, tierCount, tierRuns } from "./tiers.ts";

/** How {@linkcode lazyLeveled} may be set. */
export interface LazyLeveledOptions {
  /** How many runs of a level above the last are merged, 2 and up; 4 if not given. */
  readonly threshold?: number;
  /** Bytes from which on a merge begins a new segment, 1 KiB and up; 64 MiB if not given. */
  readonly targetSize?: number;
}

const THRESHOLD = 4;
const NONE: CompactionChoice = { kind: "none" };

/** So few segments are looked at stretch by stretch even if they are small as a whole: single ones may be worth moving. */
const FEW_SEGMENTS = 64;

/**
 * Returns lazy levelling: nearly as little rewriting as size-tiered compaction, and nearly as little space as leveled.
 *
 * @throws {TypeError} If an option is not a number.
 * @throws {RangeError} If an option is too small.
 *
 * @example Usage
 * ```ts
 * import { lazyLeveled, Levels } from "@lsm/tree/compaction";
 * import { assertEquals } from "@std/assert";
 *
 * const options = { levelCount: 7, levelRatio: 10, maxMemtableSize: 1024, now: 0 };
 * assertEquals(lazyLeveled({ threshold: 8 }).choose(Levels.from([]), options).kind, "none");
 * ```
 */
export function lazyLeveled(options: LazyLeveledOptions = {}): BuiltInStrategy {
  const { threshold = THRESHOLD, targetSize = TIER_TARGET_BYTES } = options;
  checkOption("threshold", threshold, 2);
  checkOption("targetSize", targetSize, 1024);
  return builtIn({
    name: "lazyLeveled",
    options: Object.freeze({ threshold, targetSize }),
    level0Threshold: threshold,
    choose: (levels, given) => choose(placedOf(levels), given, threshold, targetSize),
    debt: (levels, given) => debt(placedOf(levels), given, threshold),
  });
}

function choose(
  parts: LevelParts,
  options: LevelOptions,
  threshold: number,
  targetSize: number,
): CompactionChoice {
  const last = lastLevel(parts, options);
  const full = fullTier(parts, last, threshold);
  if (full === undefined) return levelLast(parts, last, threshold, targetSize);
  const reason = `level ${full} has ${tierCount(parts, full)} runs, threshold ${threshold}`;
  const ratio = full + 1 === last ? Infinity : options.levelRatio;
  for (const top of full === 0 ? [0, 1] : [1]) {
    const into = areQuiet(parts, top, last) ? intoLast(parts, top, last, ratio, targetSize) : NONE;
    if (into.kind !== "none") return { ...into, reason: `${reason}; ${into.reason}` };
  }
  // What is under way in other levels stays above or below; nothing may go past what is under way in this one.
  if (full + 1 === last || !areQuiet(parts, full, full)) return NONE;
  return oneRunOf(tierRuns(parts, full), full + 1, targetSize, reason);
}

function fullTier(parts: LevelParts, last: number, threshold: number): number | undefined {
  for (let level = 0; level < last; level++) {
    if (tierCount(parts, level) >= threshold) return level;
  }
  return undefined;
}

/** Takes what is worth it out of the tiers from level `top` on into the last level. */
function intoLast(
  parts: LevelParts,
  top: number,
  last: number,
  ratio: number,
  targetSize: number,
): CompactionChoice {
  if (!mayBeWorthIt(parts, top, last, ratio)) return NONE;
  const all = groupsAbove(parts, top, last);
  const moved = all.groups.filter((group) => group.state === "move");
  if (moved.length > 0) {
    const reason = `${moved.length} segments share no key with any that is older`;
    return { kind: "move", segments: idsOfGroups(moved), destLevel: last, reason };
  }
  const step = firstNeighbours(all, 1, STEP_TARGETS * targetSize, (group) => isWorthIt(group, top, ratio));
  if (step.length === 0) return NONE;
  const above = step.reduce((sum, group) => sum + group.bytesAbove, 0);
  const below = step.reduce((sum, group) => sum + group.bytesInLast, 0);
  const reason = `${above} bytes of the tiers share keys with ${below} of the last level`;
  return { kind: "merge", segments: idsOfGroups(step), destLevel: last, targetSize, reason };
}

/** Tells whether it is worth the time to look at the tiers stretch by stretch: where they are small, or large as a whole. */
function mayBeWorthIt({ placed }: LevelParts, top: number, last: number, ratio: number): boolean {
  let [count, bytes] = [0, 0];
  for (const segments of placed.slice(top, last)) {
    count += segments.count;
    bytes += segments.bytes;
  }
  return count > 0 && (count <= FEW_SEGMENTS || bytes * ratio >= (placed[last]?.bytes ?? 0));
}

/** Tells whether the tiers, or level 0 alone, have one part in `ratio` of what has to be rewritten of the last level. */
function isWorthIt({ bytesOnTop, bytesAbove, bytesInLast }: Group, top: number, ratio: number): boolean {
  if (ratio === Infinity) return true;
  return bytesInLast <= (top === 0 ? bytesOnTop : bytesAbove) * ratio;
}

/** Makes one run of the last level, where another strategy has left several, or joins small neighbours there. */
function levelLast(
  parts: LevelParts,
  last: number,
  threshold: number,
  targetSize: number,
): CompactionChoice {
  if (!hasSeveralRuns(parts, last, threshold)) {
    return last === 0 ? NONE : joinSmall(parts, last, targetSize);
  }
  if (!areQuiet(parts, 0, last)) return NONE;
  const runs = tierRuns(parts, last);
  return oneRunOf(runs, last, targetSize, `the last level has ${runs.length} runs instead of one`);
}

/** The last level may be level 0, if it is the only one: flushes go there, and not each is worth a merge. */
function hasSeveralRuns(parts: LevelParts, last: number, threshold: number): boolean {
  return tierCount(parts, last) >= (last === 0 ? threshold : 2);
}

/**
 * Returns the bytes of full tiers, and of the last level what they will take along.
 *
 * Runs of the last level that another strategy has left are not owed: they make no later merge longer, and writers need not wait for
 * that one.
 */
function debt(parts: LevelParts, options: LevelOptions, threshold: number): number {
  const last = lastLevel(parts, options);
  const full = fullTier(parts, last, threshold);
  if (full === undefined) {
    return last === 0 && hasSeveralRuns(parts, last, threshold) ? parts.placed[last]!.bytes : 0;
  }
  const bytes = parts.placed.slice(0, last).reduce((sum, segments) => sum + segments.bytes, 0);
  const below = parts.placed[last]?.bytes ?? 0;
  return below <= bytes * options.levelRatio ? bytes + below : fullBytes(parts, last, threshold);
}
