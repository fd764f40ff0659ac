/**
 * Damage behind right checksums, done to a whole tree: its files are mutated and sealed again, then it is opened, read and written.
 *
 * ```text
 * bytes     any byte of a file, its length kept where it is a segment's    (resealed.ts)
 * record    what one record of the journal or manifest holds, or its numbers    (forged_files.ts)
 * piece     one block, the filter, the index or the properties of a segment, decompressed    (forged_files.ts)
 * ```
 *
 * Nothing can be said of what such a tree holds. What must hold: every call gives well-formed entries, in finite time, or throws
 * an error of damage; and no failed open leaves a handle or lock.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Tree } from "@lsm/tree";
import type { SimulatedStorage } from "@lsm/tree/testing";
import { KEY_BYTES_MAX } from "../../core/bytes.ts";
import { parseFileName } from "../../core/file_names.ts";
import { SeededRandom } from "../../io/simulated_choices.ts";
import type { TreeImage } from "./damage_images.ts";
import { shapeText } from "./damage_images.ts";
import { isDamage } from "./decoder.ts";
import type { SegmentPieces } from "./forged_files.ts";
import {
  forgedManifest,
  forgedRecords,
  forgedSegment,
  piecesOf,
  recordsOf,
  saltOf,
  withMeta,
} from "./forged_files.ts";
import { Mutator, outcomeOf, shortHex } from "./mutator.ts";
import { resealed } from "./resealed.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What came of trees with sealed damage. */
export interface SealedCounts {
  /** Trees that were tried. */
  tried: number;
  /** Those that opened. */
  opened: number;
  /** Those of which all could be read. */
  read: number;
  /** Those that could also be written, flushed, compacted and opened again. */
  written: number;
  /** Different outcomes. */
  outcomes: number;
}

/** A small tree has no more entries, whatever its files say: more means a loop without an end. */
const ENTRIES_MAX = 100_000;

const NUMBERS: readonly number[] = [
  0,
  1,
  2,
  3,
  8,
  9,
  255,
  2 ** 32,
  Number.MAX_SAFE_INTEGER - 1,
  Number.MAX_SAFE_INTEGER,
];

/** Files that were changed, and how. */
interface Forgery {
  readonly what: string;
  readonly files: readonly (readonly [name: string, bytes: Bytes])[];
}

/**
 * Tries so many trees with damage behind right checksums.
 *
 * @throws {Error} If anything but an error of damage comes out; names the seed, the tree and the files.
 */
export async function damageSealedTree(
  image: TreeImage,
  seed: number,
  inputs: number,
): Promise<SealedCounts> {
  const forger = new Forger(image, seed);
  const counts: SealedCounts = { tried: 0, opened: 0, read: 0, written: 0, outcomes: 0 };
  for (let left = inputs; left > 0; left--) {
    const forgery = forger.next();
    const storage = image.storage.kill();
    for (const [name, bytes] of forgery.files) storage.damage(name, () => bytes);
    try {
      const { read, errors } = await useForged(image, storage);
      counts.tried += 1;
      if (!errors.some((error) => error.startsWith("open"))) counts.opened += 1;
      if (read) counts.read += 1;
      if (errors.length === 0) counts.written += 1;
      forger.keep(errors.join("; "));
    } catch (cause) {
      const files = forgery.files.map(([name, bytes]) => `${name} ${shortHex(bytes)}`).join(", ");
      throw new Error(`Tree (${shapeText(image.shape)}), seed ${seed}, ${forgery.what}: ${cause}; ${files}`, {
        cause,
      });
    }
  }
  counts.outcomes = forger.outcomes;
  return counts;
}

/** Makes forgeries of a tree's files. */
class Forger {
  readonly #files: Map<string, Bytes>;
  readonly #random: SeededRandom;
  readonly #mutators: Map<string, Mutator> = new Map();
  readonly #outcomes: Set<string> = new Set();
  readonly #seed: number;
  readonly #manifest: string;
  #last: (outcome: string) => void = () => {};

  constructor(image: TreeImage, seed: number) {
    this.#files = image.storage.files();
    this.#random = new SeededRandom(seed);
    this.#seed = seed;
    for (const name of ["LOCK", "READERS"]) this.#files.delete(name);
    this.#manifest = [...this.#files.keys()].find((name) => name.startsWith("manifest"))!;
  }

  get outcomes(): number {
    return this.#outcomes.size;
  }

  keep(outcome: string): void {
    this.#outcomes.add(outcome);
    this.#last(outcome);
  }

  next(): Forgery {
    const names = [...this.#files.keys()];
    const name = names[this.#random.below(names.length)]!;
    const file = parseFileName(name);
    if (file === undefined || this.#random.below(3) === 0) return this.#changedBytes(name);
    if (file.kind === "segment") return this.#changedPiece(name, file.id);
    return this.#changedRecord(name, file.kind, file.id);
  }

  /** Returns a mutation of something that has this name, and remembers it for `keep`. */
  #mutated(what: string, bytes: Uint8Array): Bytes {
    const mutator = this.#mutators.get(what) ?? new Mutator(this.#seed + this.#mutators.size, [bytes]);
    this.#mutators.set(what, mutator);
    const mutated = mutator.next();
    this.#last = (outcome) => mutator.keep(mutated, outcome);
    return mutated;
  }

  #changedBytes(name: string): Forgery {
    const before = this.#files.get(name)!;
    let bytes = this.#mutated(name, before);
    if (name.startsWith("segment")) {
      const same = before.slice();
      same.set(bytes.subarray(0, same.length));
      bytes = same;
    }
    return { what: `bytes of ${name}`, files: [[name, resealed(name, bytes, before)]] };
  }

  #changedRecord(name: string, kind: "journal" | "manifest" | "segment", id: number): Forgery {
    const file = this.#files.get(name)!;
    const records = recordsOf(file, kind, id);
    const at = this.#random.below(records.length);
    const record = records[at]!;
    const number = NUMBERS[this.#random.below(NUMBERS.length)]!;
    this.#last = () => {};
    switch (this.#random.below(8)) {
      case 0:
        record.number = number;
        break;
      case 1:
        record.durable = number;
        break;
      case 2:
        records.splice(at, 1);
        break;
      case 3:
        records.splice(this.#random.below(records.length), 0, { ...record });
        break;
      case 4:
        record.kind = (1 + this.#random.below(5)) as typeof record.kind;
        break;
      default:
        record.payload = this.#mutated(`record ${at} of ${name}`, record.payload);
    }
    return {
      what: `record ${at} of ${name}`,
      files: [[name, forgedRecords(kind, id, saltOf(file), records)]],
    };
  }

  #changedPiece(name: string, id: number): Forgery {
    const file = this.#files.get(name)!;
    const pieces = piecesOf(file, id);
    const which = this.#random.below(6);
    const changed = this.#withChange(pieces, which, `piece ${which} of ${name}`);
    const forged = forgedSegment(id, saltOf(file), changed, which === 5 ? this.#random.below(80) - 40 : 0);
    const { id: manifestId } = parseFileName(this.#manifest)!;
    const manifest = forgedManifest(
      this.#files.get(this.#manifest)!,
      manifestId,
      (version) => withMeta(version, id, { size: forged.length }),
    );
    return { what: `piece ${which} of ${name}`, files: [[name, forged], [this.#manifest, manifest]] };
  }

  #withChange(pieces: SegmentPieces, which: number, what: string): SegmentPieces {
    const { blocks, filter, properties } = pieces;
    const at = this.#random.below(blocks.length);
    this.#last = () => {};
    if (which === 0) return { ...pieces, filter: this.#mutated(what, filter) };
    if (which === 1) return { ...pieces, properties: this.#mutated(what, properties) };
    if (which === 2) { // The blocks in another order, or one of them twice.
      return { ...pieces, blocks: blocks.map(() => blocks[this.#random.below(blocks.length)]!) };
    }
    if (which === 5) return pieces;
    const mutated = this.#mutated(`${what}, block ${at}`, blocks[at]!);
    return { ...pieces, blocks: blocks.map((block, i) => i === at ? mutated : block) };
  }
}

/** What came of the use of a forged tree. */
export interface ForgedUse {
  /** Whether all of it could be read. */
  readonly read: boolean;
  /** What each call that failed threw, without numbers. */
  readonly errors: readonly string[];
}

/**
 * Opens, reads, writes, merges and closes a tree, and opens it again if all went well.
 *
 * @throws {Error} If a call throws anything but an error of damage, gives what is not well formed, or loses what was written.
 */
export async function useForged(image: TreeImage, storage: SimulatedStorage): Promise<ForgedUse> {
  const errors: string[] = [];
  const attempt = async (what: string, action: () => unknown): Promise<boolean> => {
    try {
      await action();
      return true;
    } catch (error) {
      if (!isDamage(error)) throw new Error(`${what}: ${error}`, { cause: error });
      errors.push(`${what}: ${outcomeOf(error)}`);
      return false;
    }
  };
  // What is stored applies: it may be forged too.
  const config = { storage, fsyncInterval: null };
  const opened: Tree[] = [];
  await attempt("open", async () => opened.push(await Tree.open("data", config)));
  let read = false;
  for (const tree of opened) {
    for (const reverse of [false, true]) await attempt("scan", () => readRange(tree, reverse));
    for (const key of image.keys) await attempt("get", () => tree.get(key));
    read = errors.length === 0;
    await attempt("insert", () => tree.insert("new", "1"));
    await attempt("get new", () => assertEquals(tree.get("new"), Uint8Array.of(0x31)));
    await attempt("flush", () => tree.flushMemtable());
    await attempt("compact", () => tree.compact());
    await attempt("close", () => tree.close());
  }
  if (errors.length === 0) {
    await using again = await Tree.open("data", config);
    assertEquals(again.get("new"), Uint8Array.of(0x31), "what was written is not there after another open");
  }
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
  return { read, errors };
}

function readRange(tree: Tree, reverse: boolean): void {
  let entries = 0;
  for (const [key] of tree.range({ reverse })) {
    entries += 1;
    assert(entries <= ENTRIES_MAX, "a scan does not end");
    assert(key.length <= KEY_BYTES_MAX, `a key has ${key.length} bytes`);
  }
}
