/**
 * Copies of the checkout, in which mutants are made: the checkout itself is never touched.
 *
 * A copy has all that the tests need: sources, `deno.json` with its lock, the stand-ins in `links/`. What is not part of the
 * project (Git's folder, packages, a coverage profile) stays behind.
 *
 * @module
 */

import { ensureDir, walk } from "@std/fs";
import { dirname, join, relative } from "node:path";
import type { Mutant } from "./mutant.ts";
import { mutated } from "./mutant.ts";

const LEFT_BEHIND = [/\/\.git(\/|$)/, /\/node_modules(\/|$)/, /\/coverage(\/|$)/];

/** Copies the checkout in `root` to a temporary folder, which is the caller's to remove. */
export async function copyCheckout(root: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "lsm_tree_mutants_" });
  for await (const { path } of walk(root, { includeDirs: false, skip: LEFT_BEHIND })) {
    const target = join(folder, relative(root, path));
    await ensureDir(dirname(target));
    await Deno.copyFile(path, target);
  }
  return folder;
}

/**
 * Does something while the copy in `folder` is a mutant; afterwards it is what it was.
 *
 * @throws {RangeError} If the mutant does not fit the sources.
 */
export async function asMutant<T>(folder: string, mutant: Mutant, action: () => Promise<T>): Promise<T> {
  const path = join(folder, mutant.file);
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, mutated(text, mutant));
  try {
    return await action();
  } finally {
    await Deno.writeTextFile(path, text);
  }
}
