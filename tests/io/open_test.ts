/**
 * Opening: where a tree may be, who else has it, and what `recovery` says about what was found.
 *
 * What needs no files is tried in memory. A tree on files needs the same folder to be readable and writable.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { Config } from "@lsm/tree";
import {
  AlreadyExistsError,
  CorruptionError,
  IoError,
  JournalRecoveryError,
  LockedError,
  MemoryStorage,
  NotFoundError,
  Tree,
  TreeError,
} from "@lsm/tree";
import { testWithFiles, testWithProcesses } from "../support/permissions.ts";
import {
  contentsOf,
  copyOf,
  namesOf,
  numbered,
  openInMemory,
  texts,
  TINY,
  treeOf,
  utf8,
  writeFile,
} from "../support/trees.ts";

/** Opens a tree with a key, and closes it. */
async function made(folder: string | URL, config: Config = {}): Promise<Tree> {
  await using tree = await Tree.open(folder, config);
  tree.insert("a", "1");
  return tree;
}

/** All that a folder holds, with the time of each change. */
function everythingIn(folder: string): unknown[] {
  return [...Deno.readDirSync(folder)].map(({ name, isFile }) => {
    const path = `${folder}/${name}`;
    return [name, Deno.statSync(path).mtime, isFile ? Deno.readTextFileSync(path) : everythingIn(path)];
  });
}

Deno.test("a memory storage has its data when it is opened again, also under another name", async () => {
  const storage = new MemoryStorage();
  const first = await made("one", { storage });
  assertEquals([first.folder, first.recovery.created], ["one", true]);
  await using second = await Tree.open("two", { storage });
  assertEquals([texts(second), second.folder, second.recovery.created], [["a=1"], "two", false]);
  await using other = await Tree.open("one", { storage: new MemoryStorage() });
  assertEquals(texts(other), []);
});

Deno.test("a memory storage that is open knows LockedError", async () => {
  const storage = new MemoryStorage();
  const tree = await treeOf(["a"], { storage });
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(() => openInMemory({ storage }), LockedError, `Cannot open "data"`);
    assertEquals([error.code, error instanceof TreeError], ["LOCKED", true]);
  }
  tree.insert("b", "2");
  await tree.close();
  await using again = await openInMemory({ storage });
  assertEquals(texts(again), ["a=a", "b=2"]);
});

Deno.test("of several that open at the same time one gets the tree", async () => {
  const storage = new MemoryStorage();
  const opened = await Promise.allSettled([1, 2, 3, 4].map(() => openInMemory({ storage })));
  const trees = opened.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
  assertEquals(trees.length, 1);
  for (const result of opened) {
    assert(result.status === "fulfilled" || result.reason instanceof LockedError);
  }
  await trees[0]!.close();
});

Deno.test("createIfMissing: false wants a tree, errorIfExists: true wants none", async () => {
  const storage = new MemoryStorage();
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(
      () => openInMemory({ storage, createIfMissing: false }),
      NotFoundError,
      `Cannot open "data"`,
    );
    assertEquals(error.code, "NOT_FOUND");
  }
  await made("data", { storage, errorIfExists: true });
  const error = await assertRejects(
    () => openInMemory({ storage, errorIfExists: true }),
    AlreadyExistsError,
    `"data"`,
  );
  assertEquals([error.code, error.message.startsWith("Cannot ")], ["ALREADY_EXISTS", true]);
  await using tree = await openInMemory({ storage, createIfMissing: false });
  assertEquals(texts(tree), ["a=1"]);
});

Deno.test("what cannot name a folder is a TypeError", async () => {
  const storage = new MemoryStorage();
  for (const folder of ["", 1, null, undefined, {}, ["data"], new URL("https://example.com/data")]) {
    for (const config of [{}, { storage }]) {
      await assertRejects(() => Tree.open(folder as string, config), TypeError, "Cannot");
    }
  }
  await assertRejects(() => Tree.open("a\0b"), TypeError, "Cannot");
  assertEquals(storage.open({ create: true, readOnly: false }).created, true, "the storage was touched");
});

Deno.test("recovery of a new tree, and of one that was closed in order", async () => {
  const storage = new MemoryStorage();
  const first = await made("data", { storage });
  const { milliseconds, ...found } = first.recovery;
  assertEquals(found, {
    created: true,
    cleanClose: true,
    journals: 0,
    batches: 0,
    dropped: undefined,
    orphans: 0,
    notes: [],
  });
  assert(milliseconds >= 0 && milliseconds < 60_000);
  assert(Object.isFrozen(first.recovery) && Object.isFrozen(first.recovery.notes));
  await using second = await openInMemory({ storage });
  const { created, cleanClose, journals, batches, dropped, orphans } = second.recovery;
  assertEquals([created, cleanClose, journals, batches, dropped, orphans], [false, true, 1, 1, undefined, 0]);
});

Deno.test("recovery after the process died has every write, and counts the batches it replayed", async () => {
  const storage = new MemoryStorage();
  await using tree = await treeOf([], { storage });
  for (const key of numbered(40)) tree.insert(key, key.padEnd(100, "."));
  await tree.flushMemtable();
  tree.batch().insert("x", "1").insert("y", "2").commit();
  tree.remove("key00");
  await using copy = await openInMemory({ storage: copyOf(storage) });
  assertEquals(texts(copy), texts(tree));
  const { created, cleanClose, batches, dropped } = copy.recovery;
  assertEquals([created, cleanClose, batches, dropped], [false, false, 2, undefined]);
});

Deno.test("recovery drops what a crash left unfinished, and says how much and why", async () => {
  const storage = new MemoryStorage();
  await using tree = await treeOf(["a", "b"], { storage, fsyncInterval: null });
  const crashed = copyOf(storage);
  const [journal] = namesOf(crashed, "journal");
  const bytes = contentsOf(crashed).get(journal!)!;
  writeFile(crashed, journal!, bytes.subarray(0, -1));
  {
    await using copy = await openInMemory({ storage: crashed });
    assertEquals(texts(copy), ["a=a"]);
    const { cleanClose, batches, dropped } = copy.recovery;
    assertEquals([cleanClose, batches], [false, 1]);
    assert(dropped !== undefined && dropped.bytes > 0 && dropped.bytes < bytes.length);
    assert(dropped.reason.length > 0 && !/["=]a\b/.test(dropped.reason), dropped.reason);
    copy.insert("c", "3");
  }
  await using again = await openInMemory({ storage: crashed });
  assertEquals([texts(again), again.recovery.dropped], [["a=a", "c=3"], undefined]);
  assertEquals(texts(tree), ["a=a", "b=b"]);
});

Deno.test("files that no edit names are removed and counted; names that are not ours are left alone", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(numbered(30), { storage })).close();
  for (const name of ["segment-000999", "notes.txt", ".hidden", "segment-1.bak"]) {
    writeFile(storage, name, utf8("mine"));
  }
  await using tree = await openInMemory({ storage });
  assertEquals([tree.recovery.orphans, tree.len()], [1, 30]);
  const names = namesOf(storage);
  assertEquals(names.includes("segment-000999"), false);
  for (const name of ["notes.txt", ".hidden", "segment-1.bak"]) assert(names.includes(name), name);
});

Deno.test("a listed file that is missing is corruption, and the tree is left as it was", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(numbered(60), { storage })).close();
  for (const prefix of ["segment", "manifest", "journal"]) {
    const damaged = copyOf(storage);
    const [name] = namesOf(damaged, prefix);
    damaged.remove(name!);
    const before = contentsOf(damaged);
    const error = await assertRejects(
      () => openInMemory({ storage: damaged }),
      TreeError,
      `Cannot open "data"`,
    );
    assert(prefix === "journal" || error instanceof CorruptionError && error.code === "CORRUPTION", prefix);
    assertEquals(contentsOf(damaged), before);
  }
});

Deno.test("damage that a crash cannot explain is a JournalRecoveryError, and nothing is touched", async () => {
  const storage = new MemoryStorage();
  await using tree = await treeOf(["a"], { storage, fsyncInterval: null });
  await tree.flush();
  tree.insert("b", "2");
  const damaged = copyOf(storage);
  const [journal] = namesOf(damaged, "journal");
  const bytes = contentsOf(damaged).get(journal!)!;
  bytes[bytes.indexOf("a".charCodeAt(0), 40)]! ^= 1;
  writeFile(damaged, journal!, bytes);
  const before = contentsOf(damaged);
  for (const config of [{}, { readOnly: true }]) {
    const error = await assertRejects(
      () => openInMemory({ storage: damaged, ...config }),
      JournalRecoveryError,
      `Cannot open "data"`,
    );
    assertEquals([error.code, error.file], ["JOURNAL_RECOVERY", journal]);
    assertEquals(contentsOf(damaged), before);
  }
});

Deno.test("a strict recovery takes a torn tail for damage", async () => {
  const storage = new MemoryStorage();
  await using tree = await treeOf(["a", "b"], { storage, fsyncInterval: null });
  const crashed = copyOf(tree.config.storage);
  const [journal] = namesOf(crashed, "journal");
  writeFile(crashed, journal!, contentsOf(crashed).get(journal!)!.subarray(0, -1));
  const strict: Config = { storage: crashed, recoveryMode: "strict" };
  await assertRejects(() => openInMemory(strict), JournalRecoveryError, `Cannot open "data"`);
  await (await openInMemory({ storage: crashed })).close();
  await using again = await openInMemory(strict);
  assertEquals(texts(again), ["a=a"]);
});

Deno.test("a tree that is opened and closed a hundred times does not grow", async () => {
  const storage = new MemoryStorage();
  await (await treeOf(numbered(30), { storage })).close();
  await (await openInMemory({ storage })).close();
  const before = contentsOf(storage);
  for (let i = 0; i < 100; i++) await (await openInMemory({ storage })).close();
  assertEquals(contentsOf(storage), before);
});

testWithFiles("a tree on files is there when it is opened again", async (folder) => {
  const path = `${folder}/data`;
  {
    await using tree = await Tree.open(path, TINY);
    assertEquals([tree.recovery.created, tree.folder], [true, path]);
    for (const key of numbered(50)) tree.insert(key, key);
    await tree.flush();
    assert(tree.stats().flushes > 0);
  }
  await using tree = await Tree.open(path, { createIfMissing: false });
  assertEquals(texts(tree), numbered(50).map((key) => `${key}=${key}`));
  assertEquals([tree.recovery.created, tree.recovery.cleanClose, tree.recovery.notes], [false, true, []]);
  await assertRejects(() => Tree.open(path), LockedError, `Cannot open "${path}"`);
  await assertRejects(() => Tree.open(path, { errorIfExists: true }), AlreadyExistsError, path);
});

testWithFiles("a folder may have spaces and percent signs, and be named by a URL", async (folder) => {
  for (const name of ["with space", "100%", "a%20b", "ü#?"]) {
    const url = new URL(`file://${folder}/${encodeURIComponent(name)}/data`);
    const tree = await made(url);
    assertEquals(tree.folder, `${folder}/${name}/data`);
    await using again = await Tree.open(`${folder}/${name}/data`);
    assertEquals(texts(again), ["a=1"]);
  }
  assertEquals([...Deno.readDirSync(folder)].length, 4);
});

testWithFiles("a folder may be relative, and a slash at its end means nothing", async (folder) => {
  const before = Deno.cwd();
  Deno.chdir(folder);
  try {
    const tree = await Tree.open("data/deep/");
    tree.insert("a", "1");
    Deno.chdir(before);
    for (const key of numbered(20)) tree.insert(key, key);
    await tree.compact();
    await tree.close();
    await using again = await Tree.open(`${folder}/data//deep`);
    assertEquals(again.len(), 21);
    Deno.chdir(folder);
    await assertRejects(() => Tree.open("./data/deep"), LockedError, `Cannot open "./data/deep"`);
    await assertRejects(() => Tree.open("data/deep/"), LockedError, `Cannot open "data/deep/"`);
    await assertRejects(() => Tree.open("missing", { createIfMissing: false }), NotFoundError, `"missing"`);
  } finally {
    Deno.chdir(before);
  }
});

testWithFiles("of several that open one folder at the same time one gets the tree", async (folder) => {
  const opened = await Promise.allSettled([1, 2, 3].map(() => Tree.open(`${folder}/data`)));
  const errors = opened.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
  assert(errors.length === 2 && errors.every((error) => error instanceof LockedError), `${errors}`);
  for (const result of opened) if (result.status === "fulfilled") await result.value.close();
});

testWithFiles("a folder that holds other files and no tree is left untouched", async (folder) => {
  Deno.mkdirSync(`${folder}/files`);
  Deno.writeTextFileSync(`${folder}/files/notes.txt`, "mine");
  Deno.mkdirSync(`${folder}/folders/inner`, { recursive: true });
  Deno.mkdirSync(`${folder}/mixed`);
  Deno.writeTextFileSync(`${folder}/mixed/.hidden`, "mine");
  Deno.writeTextFileSync(`${folder}/mixed/0`, "");
  const before = everythingIn(folder);
  for (const name of ["files", "folders", "mixed"]) {
    for (const config of [{}, { createIfMissing: true }, { errorIfExists: true }, { readOnly: true }]) {
      const path = `${folder}/${name}`;
      const error = await assertRejects(() => Tree.open(path, config), AlreadyExistsError, path);
      assertEquals([error.code, error.message.startsWith("Cannot ")], ["ALREADY_EXISTS", true]);
    }
  }
  assertEquals(everythingIn(folder), before);
});

testWithFiles("dot files do not make a folder foreign, and stay", async (folder) => {
  Deno.writeTextFileSync(`${folder}/.DS_Store`, "mine");
  Deno.mkdirSync(`${folder}/.git`);
  const tree = await made(folder);
  assertEquals(tree.recovery.created, true);
  await using again = await Tree.open(folder, { createIfMissing: false });
  assertEquals(texts(again), ["a=1"]);
  assertEquals([Deno.readTextFileSync(`${folder}/.DS_Store`), Deno.statSync(`${folder}/.git`).isDirectory], [
    "mine",
    true,
  ]);
});

testWithFiles(
  "nothing is made where there is to be a tree already, or where an option is wrong",
  async (folder) => {
    const path = `${folder}/missing/data`;
    await assertRejects(() => Tree.open(path, { createIfMissing: false }), NotFoundError, path);
    await assertRejects(() => Tree.open(path, { readOnly: true }), NotFoundError, path);
    await assertRejects(() => Tree.open(path, { blockSize: 1 }), RangeError);
    await assertRejects(() => Tree.open(path, { durability: "never" as never }), TypeError);
    assertEquals([...Deno.readDirSync(folder)], []);
    Deno.mkdirSync(`${folder}/empty`);
    await assertRejects(() => Tree.open(`${folder}/empty`, { createIfMissing: false }), NotFoundError);
    await assertRejects(() => Tree.open(`${folder}/empty`, { readOnly: true }), NotFoundError);
    assertEquals([...Deno.readDirSync(`${folder}/empty`)], []);
    assertEquals((await made(`${folder}/empty`, { errorIfExists: true })).recovery.created, true);
  },
);

testWithFiles("what the operating system refuses is an IoError that names the folder", async (folder) => {
  Deno.writeTextFileSync(`${folder}/file`, "mine");
  for (const path of [`${folder}/file`, `${folder}/file/below`]) {
    const error = await assertRejects(() => Tree.open(path), IoError, `Cannot open`);
    assert(error.message.includes(path), error.message);
    assertEquals(error.code, "IO");
  }
  assertEquals(Deno.readTextFileSync(`${folder}/file`), "mine");
});

testWithFiles(
  "a tree is closed by await using, and by hand, and nothing stays locked or open",
  async (folder) => {
    let outside: Tree;
    {
      await using tree = await Tree.open(folder);
      outside = tree;
      tree.insert("a", "1");
    }
    await outside.close();
    assertStrictEquals(outside.close(), outside.close());
    const tree = await Tree.open(folder);
    await tree.close();
    await tree.close();
    await using last = await Tree.open(folder);
    assertEquals(texts(last), ["a=1"]);
  },
);

testWithProcesses(
  "a tree needs its folder's permissions alone, keeps no process alive, and outlives it",
  async (folder) => {
    const script = `${folder}/script.ts`;
    const module = new URL("../../mod.ts", import.meta.url).href;
    Deno.writeTextFileSync(
      script,
      `import { Tree } from "${module}";
     const tree = await Tree.open(Deno.args[0]!, { maxMemtableSize: 1024, background: "inline" });
     for (let i = 0; i < 50; i++) tree.insert("key" + i, "v".repeat(100));
     console.log(tree.len(), tree.stats().flushes > 0);
     if (Deno.args[1] === "exit") Deno.exit(0);
     if (Deno.args[1] === "close") await tree.close();`,
    );
    for (const end of ["exit", "close", "nothing"]) {
      const data = `${folder}/${end}`;
      const config = new URL("../../deno.json", import.meta.url).pathname;
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-prompt",
          "--no-lock",
          "--config",
          config,
          `--allow-read=${data}`,
          `--allow-write=${data}`,
        ]
          .concat(script, data, end),
        env: { NO_COLOR: "1" },
        stdin: "null",
      }).output();
      const text = new TextDecoder();
      assert(success, text.decode(stderr));
      assertEquals(text.decode(stdout), "50 true\n");
      await using tree = await Tree.open(data);
      assertEquals([tree.len(), tree.recovery.cleanClose], [50, end === "close"]);
    }
  },
);
