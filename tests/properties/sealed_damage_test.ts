/**
 * Behind right checksums too, a tree that makes no sense is damaged or read as something well formed: nothing else comes out of it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Tree } from "@lsm/tree";
import type { SegmentMeta } from "../../core/version.ts";
import { fileName } from "../../core/file_names.ts";
import { BlockBuilder } from "../../core/block.ts";
import { keyToBytes } from "../../core/bytes.ts";
import { PUT } from "../../core/entry_kind.ts";
import type { TreeImage } from "../support/damage_images.ts";
import { IMAGE_SHAPES, treeImage } from "../support/damage_images.ts";
import { scaled, SEED, tried } from "../support/effort.ts";
import type { SegmentPieces } from "../support/forged_files.ts";
import { forgedManifest, forgedSegment, piecesOf, saltOf, withMeta } from "../support/forged_files.ts";
import { damageSealedTree, useForged } from "../support/sealed_damage.ts";

/** Trees of each shape. */
const INPUTS = scaled(400);

Deno.test("mutated trees with right checksums are damaged or well formed", async () => {
  let [opened, read, written] = [0, 0, 0];
  for (const [i, shape] of IMAGE_SHAPES.entries()) {
    const counts = await damageSealedTree(await treeImage(shape), SEED + i, INPUTS);
    assertEquals(counts.tried, INPUTS);
    assert(counts.outcomes > 20, `${counts.outcomes} outcomes`);
    opened += counts.opened;
    read += counts.read;
    written += counts.written;
  }
  const all = INPUTS * IMAGE_SHAPES.length;
  assert(opened > all / 4 && opened < all, `${opened} of ${all} were opened`);
  assert(read > all / 8 && read < opened && written > all / 8, `${read} read, ${written} written`);
  tried(all, "trees that make no sense behind right checksums");
});

/** Returns a block of entries in the order they are given in. */
function blockOf(...keys: readonly string[]): Uint8Array {
  const builder = new BlockBuilder(true);
  for (const key of keys) builder.add(PUT, keyToBytes(key), key.length, 7, new Uint8Array(1), 0, 1);
  return builder.finish(0);
}

/** Returns a block with one put of a key so long that its length does not fit into the two bytes of others. */
function blockOfLongKey(): Uint8Array {
  const bytes = new Uint8Array(7 + 4 + 4 + 1 + 70_000);
  bytes.set([1, 0, 0, 0, 2 | 4 | 8 | 16, 0, 0, 0x70, 0x11, 1, 0, 0, 0, 0, 0, 7]);
  return bytes;
}

/** What is wrong with a segment, how it is made, and whether reading it must fail. */
const MALICIOUS:
  readonly (readonly [what: string, forge: (pieces: SegmentPieces) => SegmentPieces, fails: boolean])[] = [
    [
      "keys go down",
      (pieces) => ({ ...pieces, blocks: [blockOf("a3", "a2", "a1", "a0")], separators: [""] }),
      false,
    ],
    [
      "a key stands twice",
      (pieces) => ({ ...pieces, blocks: [blockOf("a0", "a1", "a1")], separators: [""] }),
      false,
    ],
    [
      "keys lie outside of its bounds",
      (pieces) => ({ ...pieces, blocks: [blockOf("", "zz")], separators: [""] }),
      false,
    ],
    [
      "blocks overlap",
      (pieces) => ({ ...pieces, blocks: [blockOf("a0", "z"), blockOf("a0", "b")], separators: ["", "a1"] }),
      false,
    ],
    [
      "separators are wrong",
      (pieces) => ({ ...pieces, blocks: [blockOf("a0"), blockOf("a1")], separators: ["", "zz"] }),
      false,
    ],
    [
      "separators go down",
      (pieces) => ({
        ...pieces,
        blocks: [blockOf("a0"), blockOf("a1"), blockOf("a2")],
        separators: ["", "b", "a"],
      }),
      true,
    ],
    ["a block is empty", (pieces) => ({ ...pieces, blocks: [blockOf()], separators: [""] }), true],
    ["it has no block", (pieces) => ({ ...pieces, blocks: [], separators: [] }), true],
    ["a key is too long", (pieces) => ({ ...pieces, blocks: [blockOfLongKey()], separators: [""] }), true],
    ["a block is the index", (pieces) => ({ ...pieces, index: pieces.blocks[0]! }), true],
    [
      "the index is huge",
      (pieces) => ({ ...pieces, index: Uint8Array.of(255, 255, 255, 255, 7, 0, 0, 1, 0, 4, 0, 0, 0) }),
      true,
    ],
    ["the filter has a wrong length", (pieces) => ({ ...pieces, filter: new Uint8Array(64) }), false],
    [
      "the filter has more probes than there are",
      (pieces) => ({ ...pieces, filter: new Uint8Array(65).fill(255) }),
      false,
    ],
    ["the properties are cut off", (pieces) => ({ ...pieces, properties: new Uint8Array(3) }), false],
  ];

async function forgedTree(
  image: TreeImage,
  forge: (pieces: SegmentPieces) => SegmentPieces,
  meta: Partial<SegmentMeta> = {},
  lengthsOff = 0,
): Promise<{ read: boolean; errors: readonly string[] }> {
  const storage = image.storage.kill();
  const names = [...storage.files().keys()];
  const id = Number(names.find((name) => name.startsWith("segment"))!.slice(-6));
  const manifest = names.find((name) => name.startsWith("manifest"))!;
  const before = storage.files().get(fileName("segment", id))!;
  const file = forgedSegment(id, saltOf(before), forge(piecesOf(before, id)), lengthsOff);
  storage.damage(fileName("segment", id), () => file);
  storage.damage(
    manifest,
    (bytes) =>
      forgedManifest(
        bytes,
        Number(manifest.slice(-6)),
        (version) => withMeta(version, id, { size: file.length, ...meta }),
      ),
  );
  return await useForged(image, storage);
}

Deno.test("a segment that makes no sense is damaged or well formed, whatever is wrong with it", async () => {
  for (const shape of IMAGE_SHAPES) {
    const image = await treeImage(shape);
    assertEquals(await forgedTree(image, (pieces) => pieces), { read: true, errors: [] }, "as it was");
    for (const [what, forge, fails] of MALICIOUS) {
      const { read } = await forgedTree(image, forge);
      assertEquals(read, !fails, what);
    }
    for (const off of [-12, -1, 1, 1_000_000]) {
      assertEquals(
        (await forgedTree(image, (pieces) => pieces, {}, off)).read,
        false,
        `lengths are off by ${off}`,
      );
    }
  }
});

Deno.test("numbers of a segment that the manifest has wrong do no harm to reads, writes and merges", async () => {
  for (const shape of IMAGE_SHAPES) {
    const image = await treeImage(shape);
    for (const number of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      for (const name of ["entries", "tombstones", "seqnoMin", "seqnoMax", "writtenAt"] as const) {
        const { errors } = await forgedTree(image, (pieces) => pieces, { [name]: number });
        assertEquals(errors, [], `${name} is ${number}`);
      }
    }
  }
});

Deno.test("a tree of which nothing was changed is read, written and opened again by the same steps", async () => {
  const image = await treeImage(IMAGE_SHAPES[0]!);
  const storage = image.storage.kill();
  assertEquals(await useForged(image, storage), { read: true, errors: [] });
  await using tree = await Tree.open("data", { storage });
  assert(tree.containsKey("new"));
});
