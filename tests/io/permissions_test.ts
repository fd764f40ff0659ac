/**
 * What a tree needs leave for, what it says where it has none, and what it leaves others to see.
 *
 * Deno's permissions, the modes of files and a file system that is mounted for reading only are three different
 * refusals: each is an `IoError` that says what to do, and none costs data.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Tree } from "../../mod.ts";
import { childCommand, output, succeeds } from "../support/children.ts";
import { checkPrefix, fillBatch } from "../support/numbered_batches.ts";
import { testWithProcesses } from "../support/permissions.ts";
import type { Answer } from "./tree_child.ts";

const CHILD = new URL("./tree_child.ts", import.meta.url);
const ROOT = new URL("../../", import.meta.url).pathname;
/** Two lives of thirty batches and one. */
const SESSION_BATCHES = 62;
async function answer(
  task: string,
  folder: string,
  flags: readonly string[],
  before: readonly string[] = [],
): Promise<Answer> {
  return JSON.parse(
    await output([...before, ...childCommand(CHILD, [task, folder], flags)]),
  );
}

async function treeWith(folder: string, batches: number): Promise<void> {
  const tree = await Tree.open(folder);
  for (let number = 1; number <= batches; number++) {
    fillBatch(tree.batch(), number).commit();
    if (number === 1) await tree.flushMemtable();
  }
  await tree.close();
}

testWithProcesses("leave to read and write the folder is all that a tree needs", async (folder) => {
  for (const [store, more] of [["alone", ""], ["with sources", `,${ROOT}`]] as const) {
    const path = `${folder}/${store}`;
    const flags = [`--allow-read=${path}${more}`, `--allow-write=${path}`];
    const { value } = await answer("session", path, flags) as { value: { batches: number; notes: string[] } };
    assertEquals(value.batches, SESSION_BATCHES);
    assertEquals(value.notes, []);
  }
});

testWithProcesses("leave to read is enough to read only; what more is needed is named", async (folder) => {
  await treeWith(folder, 3);
  const before = listing(folder);
  const read = `--allow-read=${folder}`;
  assertEquals(await answer("read", folder, [read]), { value: 3 });
  for (const flags of [[read], ["--allow-all", `--deny-write=${folder}`]]) {
    const refused = await answer("open", folder, flags);
    assertEquals([refused.name, refused.code], ["IoError", "IO"]);
    assertMatch(refused.message!, new RegExp(`--allow-write=${folder}`));
  }
  for (const task of ["open", "read"]) {
    const refused = await answer(task, folder, []);
    assertEquals(refused.code, "IO");
    assertMatch(refused.message!, new RegExp(`--allow-read=${folder}`));
  }
  assertEquals(listing(folder), before);
});

testWithProcesses(
  "a tree whose leave to write is taken away is refused and loses nothing",
  async (folder) => {
    const flags = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    const [flushed, written, held, closed] = await answer("revoke", folder, flags) as Answer[];
    for (const refused of [flushed!, written!, closed!]) assertEquals(refused.code, "IO");
    const [seen, batches] = held!.value as [number, number];
    assertEquals(seen, batches);
    await using tree = await Tree.open(folder);
    assertEquals(checkPrefix(tree), batches);
  },
);

testWithProcesses(
  "a folder that the operating system lets nobody write is an IoError, and can be read",
  async (folder) => {
    await treeWith(folder, 3);
    // The administrator may write anything but for this.
    const bare = Deno.uid() === 0 ? ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] : [];
    const flags = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    if (bare.length > 0 && !await succeeds([...bare, "true"])) return;
    for (const { name } of Deno.readDirSync(folder)) Deno.chmodSync(`${folder}/${name}`, 0o400);
    Deno.chmodSync(folder, 0o500);
    try {
      const before = listing(folder);
      const refused = await answer("open", folder, flags, bare);
      assertEquals([refused.name, refused.code], ["IoError", "IO"]);
      assertMatch(refused.message!, /denies access/);
      assertEquals(await answer("read", folder, flags, bare), { value: 3 });
      assertEquals(listing(folder), before);
    } finally {
      Deno.chmodSync(folder, 0o700);
    }
  },
);

testWithProcesses(
  "a file system that is mounted for reading only is an IoError, and can be read",
  async (folder) => {
    await treeWith(folder, 3);
    const frozen = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"`;
    const before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", frozen, folder];
    if (!await succeeds([...before, "true"])) return;
    const flags = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    const refused = await answer("open", folder, flags, before);
    assertEquals([refused.name, refused.code], ["IoError", "IO"]);
    assertMatch(refused.message!, /read-only/);
    assertEquals(await answer("read", folder, flags, before), { value: 3 });
  },
);

testWithProcesses(
  "folder and files are their owner's alone, whatever the mask of the process",
  async (folder) => {
    const store = `${folder}/store`;
    const open = ["sh", "-c", `umask 0; exec "$@"`, "sh"];
    await answer("session", store, ["--allow-read", "--allow-write"], open);
    assertEquals(modeOf(store), "700");
    for (const { name } of Deno.readDirSync(store)) {
      assertEquals([name, modeOf(`${store}/${name}`)], [
        name,
        "600",
      ]);
    }
  },
);

function modeOf(path: string): string {
  return ((Deno.lstatSync(path).mode ?? 0) & 0o777).toString(8);
}

function listing(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => {
    const { size, mtime } = Deno.statSync(`${folder}/${name}`);
    return `${name} ${size} ${mtime?.toISOString()}`;
  }).sort();
}
