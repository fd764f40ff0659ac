import { assertEquals, assertRejects } from "@std/assert";
import { crypto } from "@std/crypto";
import { copy, ensureDir } from "@std/fs";
import { CorruptionError, Tree } from "@lsm/tree";
import { testWithFiles } from "../support/permissions.ts";

const CONFIG = { maxMemtableSize: 1024, blockSize: 1024 };

async function digests(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name } of Deno.readDir(folder)) {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${folder}/${name}`));
    found[name] = new Uint8Array(digest).toHex();
  }
  return found;
}

async function fill(folder: string): Promise<void> {
  await using tree = await Tree.open(folder, CONFIG);
  for (let i = 0; i < 200; i++) tree.insert(`key ${i}`, `value ${i}`);
}

testWithFiles("a copied folder is the same tree, and reading it changes no digest", async (folder) => {
  await fill(`${folder}/tree`);
  await copy(`${folder}/tree`, `${folder}/copy`);
  const before = await digests(`${folder}/copy`);
  assertEquals(before, await digests(`${folder}/tree`));
  {
    await using tree = await Tree.open(`${folder}/copy`);
    assertEquals([tree.recovery.cleanClose, tree.len()], [true, 200]);
  }
  assertEquals(await digests(`${folder}/copy`), before);
});

testWithFiles("a folder that lacks one file of the tree is refused", async (folder) => {
  await fill(`${folder}/tree`);
  const names = Object.keys(await digests(`${folder}/tree`)).filter((name) =>
    /^(segment|manifest)/.test(name)
  );
  for (const missing of names) {
    const part = `${folder}/without ${missing}`;
    await ensureDir(part);
    await copy(`${folder}/tree`, part, { overwrite: true });
    await Deno.remove(`${part}/${missing}`);
    await assertRejects(() => Tree.open(part), CorruptionError, missing);
  }
});
