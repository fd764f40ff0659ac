/**
 * Whatever byte of whatever file is damaged, a tree gives what it held or the right error, and nothing else.
 *
 * A small tree is closed in order, or its process killed, and then each of its files is damaged in every way that is listed
 * below. Then all of it is read, by scan and by key.
 *
 * | image                   | answer                                                                                 |
 * |-------------------------|----------------------------------------------------------------------------------------|
 * | closed in order         | an error, and nothing on disk has changed; but what says that it was closed is only reported |
 * | killed                  | the same; or it ends earlier, as after a torn write, if the damage is to its last journal, and says so |
 *
 * Nobody reads the properties of a segment but `verify`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Tree } from "@lsm/tree";
import { CorruptionError, JournalRecoveryError } from "@lsm/tree";
import type { SimulatedStorage } from "@lsm/tree/testing";
import { joined } from "../support/damage.ts";
import { tried } from "../support/effort.ts";
import type { Image } from "../support/images.ts";
import { imageOf, openImage } from "../support/images.ts";
import { contentsOf } from "../support/workloads.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What came of opening and reading a damaged tree. */
interface Answer {
  /** What it holds, or the name of the error. */
  readonly is: string;
  /** Whether `recovery` says that something is not as it should be. */
  readonly isReported: boolean;
}

const KEYS = ["a0", "a1", "a2", "a3", "b", "c", "d", "e", "f", "absent"];

/** Damages a copy of an image, opens it and reads all of it. */
async function answerOf(image: Image, damage: (storage: SimulatedStorage) => void): Promise<Answer> {
  const storage = image.storage.kill();
  damage(storage);
  const before = storage.files();
  let tree: Tree | undefined;
  try {
    tree = await openImage(storage);
    const is = contentsOf(tree);
    for (const key of KEYS) {
      const value = tree.get(key);
      const entry = value === undefined ? undefined : `${key}=${new TextDecoder().decode(value)}`;
      assertEquals(entry, is.split("\n").find((one) => one.startsWith(`${key}=`)), "a read by key differs");
    }
    const { cleanClose, dropped, notes } = tree.recovery;
    return { is, isReported: !cleanClose || dropped !== undefined || notes.length > 0 };
  } catch (error) {
    assert(error instanceof CorruptionError || error instanceof JournalRecoveryError, `${error}`);
    assert(
      error.file !== undefined || error instanceof JournalRecoveryError,
      "the error does not name the file",
    );
    if (tree === undefined) assertSameFiles(storage.files(), before);
    return { is: error.name, isReported: true };
  } finally {
    await tree?.close();
    assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
  }
}

/** An open that fails has changed nothing but lock files that were not there. */
function assertSameFiles(after: Map<string, Bytes>, before: Map<string, Bytes>): void {
  for (const lock of ["LOCK", "READERS"]) if (!before.has(lock)) after.delete(lock);
  assertEquals(after, before, "an open that failed has changed something");
}

/** How often each answer came, by file and what it was. */
class Tally {
  readonly #counts: Map<string, number> = new Map();

  add(file: string, what: string): void {
    const key = `${file.replace(/-\d+$/, "")} ${what}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  toString(): string {
    return [...this.#counts].map(([key, count]) => `${key}: ${count}`).join("\n");
  }

  /** Returns how often answers came that begin like this. */
  of(beginning: string): number {
    let count = 0;
    for (const [key, one] of this.#counts) if (key.startsWith(beginning)) count += one;
    return count;
  }
}

/** Checks the answer to damage: an error, all that was there, or if that may be, less, and reported. */
function judge(
  image: Image,
  file: string,
  { is, isReported }: Answer,
  mayEndEarlier: boolean,
  tally: Tally,
): void {
  const at = image.contents.lastIndexOf(is);
  if (is === "CorruptionError" || is === "JournalRecoveryError") tally.add(file, is);
  else if (at === image.contents.length - 1) tally.add(file, isReported ? "same, reported" : "same");
  else {
    assert(mayEndEarlier && at >= 0, `it holds what it never held, or should have: ${is}`);
    tally.add(file, isReported ? "earlier, reported" : "earlier");
  }
}

/** Returns where the properties of a segment are: the frame in front of the footer. */
function propertiesOf(segment: Bytes): { readonly start: number; readonly end: number } {
  const end = segment.length - 24;
  return { start: end - new DataView(segment.buffer).getUint32(end + 16, true), end };
}

const BITS = [1, 2, 4, 8, 16, 32, 64, 128];

Deno.test("every flipped bit of a tree that was closed in order is found, but in what says that it was closed", async () => {
  for (const end of ["close", "compact"] as const) {
    const image = await imageOf(end);
    const tally = new Tally();
    for (const [name, bytes] of image.storage.files()) {
      for (const offset of bytes.keys()) {
        for (const bit of BITS) {
          const answer = await answerOf(image, (storage) => storage.flip(name, offset, bit));
          judge(image, name, answer, false, tally);
          if (answer.is.endsWith("Error")) continue;
          if (name.startsWith("segment")) {
            const { start, end } = propertiesOf(bytes);
            assert(offset >= start && offset < end, `not found at byte ${offset} of ${name}`);
          } else {
            assert(
              answer.isReported && offset >= bytes.length - 2 * 28,
              `not found at byte ${offset} of ${name}`,
            );
          }
        }
      }
    }
    tried(tally.of(""), "flipped bits");
    const closing = 8 * 28;
    assertEquals(tally.of("journal same, reported"), end === "close" ? closing : 0);
    assertEquals(tally.of("manifest same, reported"), closing);
    assert(tally.of("segment CorruptionError") > 2000 && tally.of("CURRENT CorruptionError") === 8 * 25);
    assert(end === "compact" || tally.of("journal JournalRecoveryError") > 1000);
  }
});

Deno.test("every flipped bit of a killed tree is found, or ends it earlier as a torn write does", async () => {
  const image = await imageOf("kill");
  const tally = new Tally();
  for (const [name, bytes] of image.storage.files()) {
    for (const offset of bytes.keys()) {
      for (const bit of BITS) {
        const answer = await answerOf(image, (storage) => storage.flip(name, offset, bit));
        judge(image, name, answer, name.startsWith("journal"), tally);
      }
    }
  }
  tried(tally.of(""), "flipped bits");
  assertEquals(
    tally.of("journal earlier,"),
    tally.of("journal earlier"),
    "less is there, and nobody says so",
  );
  assert(tally.of("journal earlier") > 300 && tally.of("journal JournalRecoveryError") > 500);
  assertEquals(tally.of("manifest same"), 8 * 28, "but for the last mark");
  assert(tally.of("manifest CorruptionError") > 3000);
});

Deno.test("a file that is cut off anywhere is found, or nothing of it was needed", async () => {
  for (const end of ["close", "compact", "kill"] as const) {
    const image = await imageOf(end);
    const tally = new Tally();
    for (const [name, bytes] of image.storage.files()) {
      for (const length of bytes.keys()) {
        const answer = await answerOf(image, (storage) => storage.damage(name, () => bytes.slice(0, length)));
        judge(image, name, answer, end === "kill" && name.startsWith("journal"), tally);
      }
    }
    tried(tally.of(""), "damages of files");
    assertEquals(tally.of("segment same") + tally.of("CURRENT same"), 0);
    assertEquals(tally.of("manifest same"), 28, "its mark or closing record");
    assertEquals(
      tally.of("manifest same,"),
      tally.of("manifest same"),
      "a manifest that was cut off is not reported",
    );
    if (end === "close") assertEquals(tally.of("journal same"), 28, "the closing record");
  }
});

Deno.test("bytes behind the end of a file are found, or ignored and reported", async () => {
  const tails = [1, 3, 28, 600].flatMap((length) => [
    new Uint8Array(length),
    new Uint8Array(length).fill(255),
    Uint8Array.from({ length }, (_, i) => i * 197 + 31),
  ]);
  for (const end of ["close", "kill"] as const) {
    const image = await imageOf(end);
    const tally = new Tally();
    for (const [name, bytes] of image.storage.files()) {
      for (const tail of [...tails, bytes, bytes.subarray(bytes.length >> 1)]) {
        const answer = await answerOf(image, (storage) => storage.damage(name, () => joined(bytes, tail)));
        judge(image, name, answer, false, tally);
        assert(/^[RL]/.test(name) || answer.isReported, `${name} is longer, and nobody says so`);
      }
    }
    assertEquals(tally.of("segment CorruptionError"), 2 * 14);
    assertEquals(tally.of("journal same,") + tally.of("manifest same,"), 2 * 14);
  }
});

Deno.test("a file that is gone, emptied of sense, another's or twice there is found, or was not needed", async () => {
  for (const end of ["close", "kill"] as const) {
    const image = await imageOf(end);
    const files = image.storage.files();
    const mayEndEarlier = (...names: readonly string[]): boolean =>
      end === "kill" && names.some((name) => name.startsWith("journal"));
    const tally = new Tally();
    for (const [name, bytes] of files) {
      const isLock = name === "LOCK" || name === "READERS";
      const replacements: readonly (Bytes | undefined)[] = [
        undefined,
        new Uint8Array(0),
        new Uint8Array(bytes.length),
        new Uint8Array(bytes.length).fill(255),
        bytes.slice().reverse(),
      ];
      for (const replacement of replacements) {
        const answer = await answerOf(image, (storage) => storage.damage(name, () => replacement));
        judge(image, name, answer, mayEndEarlier(name), tally);
        if (!isLock && !mayEndEarlier(name)) assert(answer.is.endsWith("Error"), `${name}: ${answer.is}`);
      }
      for (const [other, others] of files) {
        if (other <= name) continue;
        const answer = await answerOf(image, (storage) => {
          storage.damage(name, () => others);
          storage.damage(other, () => bytes);
        });
        judge(image, name, answer, mayEndEarlier(name, other), tally);
      }
      for (
        const copy of [
          "journal-000099",
          "segment-000099",
          "manifest-000099",
          "CURRENT.tmp",
          "lost-journal-000009",
        ]
      ) {
        const answer = await answerOf(image, (storage) => storage.damage(copy, () => bytes));
        judge(image, copy, answer, false, tally);
      }
    }
    assert(tally.of("segment CorruptionError") >= 10 && tally.of("manifest CorruptionError") > 5);
    assert(tally.of("journal same") > 0 && tally.of("segment same") > 0);
  }
});

Deno.test("records and blocks that stand in each other's places are found", async () => {
  const image = await imageOf("close");
  for (const [name, bytes] of image.storage.files()) {
    for (const length of [28, 41, 100]) {
      for (let at = 0; at + 2 * length <= bytes.length; at++) {
        const [one, other] = [bytes.slice(at, at + length), bytes.slice(at + length, at + 2 * length)];
        if (`${one}` === `${other}`) continue;
        const answer = await answerOf(
          image,
          (storage) =>
            storage.damage(
              name,
              () => joined(bytes.subarray(0, at), other, one, bytes.subarray(at + 2 * length)),
            ),
        );
        judge(image, name, answer, false, new Tally());
      }
    }
  }
});
