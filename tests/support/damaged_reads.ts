/**
 * What comes of opening a damaged tree and reading all of it, in both directions and by key.
 *
 * A read that fails is no excuse for the others: what comes before a damaged block has to be right, and each key by itself is either
 * right or an error. All reads of one tree must agree with each other.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { CorruptionError, JournalRecoveryError, Tree } from "@lsm/tree";
import type { SimulatedStorage } from "@lsm/tree/testing";
import type { TreeImage } from "./damage_images.ts";
import { configOf } from "./damage_images.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a damaged tree answered. */
export interface DamagedAnswer {
  /** What it holds, or `undefined` where a read or the open failed. */
  readonly contents: string | undefined;
  /** The first error, if there was one. */
  readonly error: CorruptionError | JournalRecoveryError | undefined;
  /** Whether `recovery` says that something is not as it should be. */
  readonly isReported: boolean;
  /** Lines of entries that were read before an error, and by key. */
  readonly lines: ReadonlySet<string>;
  /** Keys that were found absent. */
  readonly absent: readonly string[];
}

const TEXT = new TextDecoder();

function lineOf(key: Uint8Array, value: Uint8Array): string {
  return `${TEXT.decode(key)}=${TEXT.decode(value)}`;
}

/** Returns an error of damage; throws any other, and one that names no file. */
export function damageIn(error: unknown): CorruptionError | JournalRecoveryError {
  const isExpected = error instanceof CorruptionError || error instanceof JournalRecoveryError;
  if (!isExpected) throw error;
  assert(
    error.file !== undefined || error instanceof JournalRecoveryError,
    "the error does not name the file",
  );
  return error;
}

/** Opens a damaged copy of an image and reads all of it. */
export async function readDamaged(image: TreeImage, storage: SimulatedStorage): Promise<DamagedAnswer> {
  const before = storage.files();
  let tree: Tree;
  try {
    tree = await Tree.open("data", configOf(image.shape, storage));
  } catch (error) {
    assertSameFiles(storage.files(), before);
    assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
    return { contents: undefined, error: damageIn(error), isReported: true, lines: new Set(), absent: [] };
  }
  try {
    return readAll(tree, image.keys);
  } finally {
    await tree.close();
    assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
  }
}

function readAll(tree: Tree, keys: readonly string[]): DamagedAnswer {
  const errors: (CorruptionError | JournalRecoveryError)[] = [];
  const lines = new Set<string>();
  const scan = (reverse: boolean): string[] => {
    const found: string[] = [];
    try {
      for (const [key, value] of tree.range({ reverse })) found.push(lineOf(key, value));
    } catch (error) {
      errors.push(damageIn(error));
    }
    for (const line of found) lines.add(line);
    return found;
  };
  const forward = scan(false);
  const backward = scan(true);
  if (errors.length === 0) assertEquals(backward.toReversed(), forward, "the two directions differ");
  else assertEquals(errors.length, 2, "only one direction fails");
  const isWhole = errors.length === 0;
  const absent: string[] = [];
  for (const key of keys) {
    try {
      const value = tree.get(key);
      if (value === undefined) absent.push(key);
      else lines.add(lineOf(new TextEncoder().encode(key), value));
    } catch (error) {
      errors.push(damageIn(error));
    }
  }
  if (isWhole) {
    assertEquals([...lines].sort(), forward.toSorted(), "a read by key differs");
    const there = new Set(forward.map((line) => line.slice(0, line.indexOf("="))));
    assert(absent.every((key) => !there.has(key)), "a read by key does not find what a scan does");
  }
  const { cleanClose, dropped, notes } = tree.recovery;
  return {
    contents: errors.length === 0 ? forward.join("\n") : undefined,
    error: errors[0],
    isReported: !cleanClose || dropped !== undefined || notes.length > 0,
    lines,
    absent,
  };
}

/** An open that fails has changed nothing but lock files that were not there. */
function assertSameFiles(after: Map<string, Bytes>, before: Map<string, Bytes>): void {
  for (const lock of ["LOCK", "READERS"]) if (!before.has(lock)) after.delete(lock);
  assertEquals(after, before, "an open that failed has changed something");
}
