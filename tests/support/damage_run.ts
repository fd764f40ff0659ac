/**
 * Runs of damage: a family of damages done to an image one after the other, each answer judged, all of them counted.
 *
 * | what was damaged                             | right answers                                                     |
 * |----------------------------------------------|-------------------------------------------------------------------|
 * | anything                                     | `CorruptionError` or `JournalRecoveryError`; right entries before it |
 * | nothing that is needed, or what only says that it was closed | all that was there; the latter is reported          |
 * | the properties of a segment                  | all that was there: no read needs them                            |
 * | a journal of a killed tree                   | also what was there after an earlier commit, if it is reported    |
 *
 * @module
 */

import { assert } from "@std/assert";
import { JournalRecoveryError } from "@lsm/tree";
import { RECORD_HEADER_BYTES } from "../../core/record.ts";
import { SeededRandom } from "../../io/simulated_choices.ts";
import { sameBytes } from "./damage.ts";
import type { Damage, Family, Files } from "./damage_families.ts";
import type { TreeImage } from "./damage_images.ts";
import { shapeText } from "./damage_images.ts";
import type { DamagedAnswer } from "./damaged_reads.ts";
import { readDamaged } from "./damaged_reads.ts";
import { segmentPlaces } from "./resealed.ts";

/** How often each answer came. */
export interface DamageCounts {
  /** Damages that were tried. */
  tried: number;
  /** Answers `CorruptionError`. */
  corruption: number;
  /** Answers `JournalRecoveryError`. */
  journal: number;
  /** All was there, and something is reported. */
  reported: number;
  /** All was there, and nothing is reported. */
  same: number;
  /** What was there earlier, and it is reported. */
  earlier: number;
}

/** Returns counts of nothing. */
export function noDamage(): DamageCounts {
  return { tried: 0, corruption: 0, journal: 0, reported: 0, same: 0, earlier: 0 };
}

/** Adds counts to others. */
export function addCounts(to: DamageCounts, more: DamageCounts): DamageCounts {
  for (const name of Object.keys(to) as (keyof DamageCounts)[]) to[name] += more[name];
  return to;
}

/**
 * Damages copies of a tree in all ways of a family, or in about `budget` of them.
 *
 * @param seed Which ones, if there are more.
 * @throws {Error} If an answer is not right; names the seed, the tree and the damage.
 */
export async function damageTree(
  image: TreeImage,
  family: Family,
  seed: number,
  budget: number = Infinity,
): Promise<DamageCounts> {
  const files = image.storage.files();
  const all = [...family(files)];
  const random = new SeededRandom(seed);
  const counts = noDamage();
  for (const damage of all) {
    if (all.length > budget && random.below(all.length) >= budget) continue;
    await tryDamage(image, files, damage, counts, seed);
  }
  return counts;
}

/**
 * Does two or three damages of any families to one tree at once, `inputs` times.
 *
 * @throws {Error} As {@linkcode damageTree}.
 */
export async function damageTreeTwice(
  image: TreeImage,
  families: readonly Family[],
  seed: number,
  inputs: number,
): Promise<DamageCounts> {
  const files = image.storage.files();
  const lists = families.map((family) => [...family(files)]);
  const random = new SeededRandom(seed);
  const counts = noDamage();
  for (let left = inputs; left > 0; left--) {
    const damages = Array.from({ length: 2 + random.below(2) }, () => {
      const list = lists[random.below(lists.length)]!;
      return list[random.below(list.length)]!;
    });
    const both: Damage = {
      files: damages.flatMap((damage) => damage.files),
      what: damages.map((damage) => damage.what).join("; "),
      to: (storage) => {
        for (const damage of damages) damageUnlessGone(damage, storage);
      },
    };
    await tryDamage(image, files, both, counts, seed);
  }
  return counts;
}

/** A byte that an earlier damage took away cannot be flipped any more. */
function damageUnlessGone(damage: Damage, storage: TreeImage["storage"]): void {
  storage.damage(damage.files[0]!, (bytes) => bytes);
  damage.to(storage);
}

async function tryDamage(
  image: TreeImage,
  before: Files,
  damage: Damage,
  counts: DamageCounts,
  seed: number,
): Promise<void> {
  const storage = image.storage.kill();
  damage.to(storage);
  const after = storage.files();
  try {
    judge(image, damage, before, after, await readDamaged(image, storage), counts);
  } catch (cause) {
    throw new Error(`Tree (${shapeText(image.shape)}), seed ${seed}, damage: ${damage.what}: ${cause}`, {
      cause,
    });
  }
}

function judge(
  image: TreeImage,
  { files }: Damage,
  before: Files,
  after: Files,
  answer: DamagedAnswer,
  counts: DamageCounts,
): void {
  const { contents, error, isReported } = answer;
  const mayEndEarlier = image.shape.end === "kill" && files.some((name) => name.startsWith("journal"));
  const last = image.contents.at(-1)!;
  counts.tried += 1;
  if (error !== undefined) {
    if (!mayEndEarlier) assertRightLines(answer, last);
    counts[error instanceof JournalRecoveryError ? "journal" : "corruption"] += 1;
  } else if (contents === last) {
    assert(isReported || !isNeeded(before, after, image), "something is damaged, and nobody says so");
    counts[isReported ? "reported" : "same"] += 1;
  } else {
    assert(mayEndEarlier && image.contents.includes(contents!), `it holds what it should not: ${contents}`);
    assert(isReported, "less is there, and nobody says so");
    counts.earlier += 1;
  }
}

/** What was read in spite of an error is right. */
function assertRightLines({ lines, absent }: DamagedAnswer, last: string): void {
  const right = new Set(last.split("\n"));
  for (const line of lines) assert(right.has(line), `it holds what it should not: ${line}`);
  for (const key of absent) {
    assert(![...right].some((line) => line.startsWith(`${key}=`)), `"${key}" is not found`);
  }
}

/** The manifest says too that the tree was closed, and how long the journal is: the closing record may be cut off to the byte. */
function isWithoutClosing(now: Uint8Array, bytes: Uint8Array): boolean {
  return sameBytes(now, bytes.subarray(0, bytes.length - RECORD_HEADER_BYTES));
}

/** Tells whether anything differs that a read needs: all but lock files, orphans and the properties of segments. */
function isNeeded(before: Files, after: Files, image: TreeImage): boolean {
  for (const [name, bytes] of before) {
    if (name === "LOCK" || name === "READERS") continue;
    const now = after.get(name);
    if (now === undefined) return true;
    if (sameBytes(now, bytes)) continue;
    if (name.startsWith("journal") && isWithoutClosing(now, bytes)) continue;
    if (!name.startsWith("segment") || now.length !== bytes.length) return true;
    const { start, end } = segmentPlaces(bytes).at(-1)!;
    if (!sameBytes(now.subarray(0, start), bytes.subarray(0, start))) return true;
    if (!sameBytes(now.subarray(end), bytes.subarray(end))) return true;
  }
  return image.contents.length === 0;
}
