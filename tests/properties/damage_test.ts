/**
 * Every file of trees of all shapes is damaged in all ways: what is read is right, or an error of damage, and nothing else.
 *
 * `flip_test.ts` flips every bit of three trees; here are the other shapes, the other families of damage, and several damages at once.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { DamageCounts } from "../support/damage_run.ts";
import { addCounts, damageTree, damageTreeTwice, noDamage } from "../support/damage_run.ts";
import { FAMILIES } from "../support/damage_families.ts";
import type { TreeImage } from "../support/damage_images.ts";
import { IMAGE_SHAPES, treeImage } from "../support/damage_images.ts";
import { scaled, SEED, tried } from "../support/effort.ts";

/** Damages of each family and tree, but for the families of which all are tried. */
const BUDGET = scaled(250);

const images: Promise<readonly TreeImage[]> = Promise.all(IMAGE_SHAPES.map(treeImage));

async function damageAll(family: string, budget?: number): Promise<DamageCounts> {
  const counts = noDamage();
  for (const image of await images) {
    addCounts(counts, await damageTree(image, FAMILIES[family]!, SEED, budget));
  }
  assert(
    counts.tried > 100 && counts.corruption + counts.reported > 0,
    `${family}: ${JSON.stringify(counts)}`,
  );
  tried(counts.tried, "damages of files");
  return counts;
}

Deno.test("the trees have segments of several blocks, filters, levels and compressions", async () => {
  for (const { shape, storage, contents } of await images) {
    const segments = [...storage.files()].filter(([name]) => name.startsWith("segment"));
    assertEquals(segments.length, 2);
    const large = contents.at(-1)!.includes("large large");
    assertEquals(large, shape.isLarge);
    if (shape.isLarge && shape.compression === "none") {
      assert(segments.some(([, bytes]) => bytes.length > 1_500));
    }
  }
});

Deno.test("a bit of every byte that is flipped is found, or was not needed", async () => {
  const { tried: all, corruption, journal, same } = await damageAll("bytes");
  assert(corruption > all / 2 && journal > all / 20 && same < all / 5);
});

Deno.test("files that end too early are found, or end the tree earlier as a torn write does", async () => {
  const { earlier, same } = await damageAll("truncations", 3 * BUDGET);
  assert(earlier > 60 && same < 10);
});

for (const family of ["extensions", "deletions", "swaps", "doubles"]) {
  Deno.test(`damage of family "${family}" is found, or was not needed`, async () => {
    await damageAll(family);
  });
}

for (const family of ["sectors", "moves", "flips"]) {
  Deno.test(`damage of family "${family}", a sample of it, is found, or was not needed`, async () => {
    await damageAll(family, BUDGET);
  });
}

Deno.test("several damages at once are found, or were not needed", async () => {
  const counts = noDamage();
  for (const image of await images) {
    addCounts(counts, await damageTreeTwice(image, Object.values(FAMILIES), SEED, BUDGET));
  }
  assertEquals(counts.tried, BUDGET * IMAGE_SHAPES.length);
  assert(counts.corruption > counts.tried / 2);
  tried(counts.tried, "damages of files");
});

Deno.test("a wrong answer is told with the seed, the tree and the damage", async () => {
  const [image] = await images;
  const forgotten = { ...image!, contents: image!.contents.slice(0, -1) };
  await assertRejects(
    () => damageTree(forgotten, FAMILIES.doubles!, 9),
    Error,
    "Tree (close, lz4, filter, leveled, large value), seed 9, damage: journal-000099 holds LOCK: AssertionError",
  );
});
