/**
 * What only files have: modes, links, permissions, other processes, and disks that are full.
 *
 * What every storage does is in `storage_test.ts`. The processes run `file_storage_child.ts`.
 */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { AlreadyExistsError, IoError, LockedError, NotFoundError } from "../../core/errors.ts";
import { FileStorage } from "../../io/file_storage.ts";
import { testWithFiles, testWithProcesses } from "../support/permissions.ts";
import type { Refusal } from "./file_storage_child.ts";

const CREATE = { create: true, readOnly: false };
const CHILD = new URL("./file_storage_child.ts", import.meta.url).href;
/** Whether the operating system shows, and Deno lets us see, what this process has open. */
const SEES_DESCRIPTORS = Deno.build.os === "linux" &&
  Deno.permissions.querySync({ name: "read", path: "/proc/self/fd" }).state === "granted";

function opened(folder: string | URL): FileStorage {
  const storage = new FileStorage(folder);
  storage.open(CREATE);
  return storage;
}

function modeOf(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o777;
}

/** The command line of the child; with no flags it has all permissions. */
function childArgs(task: string, folder: string, flags: readonly string[] = ["--allow-all"]): string[] {
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    "--no-config",
    "--no-lock",
    ...flags,
    CHILD,
    task,
    folder,
  ];
}

async function run([command = "", ...args]: readonly string[], cwd?: string): Promise<string> {
  const output = await new Deno.Command(command, { args, cwd, stdin: "null" }).output();
  const text = new TextDecoder();
  assert(output.success, `${args.join(" ")}: ${text.decode(output.stderr)}`);
  return text.decode(output.stdout);
}

/** A child that has given its first answer and goes on; ended with SIGKILL. */
async function whileRunning(task: string, folder: string, fn: () => void): Promise<void> {
  const [command = "", ...args] = childArgs(task, folder);
  const child = new Deno.Command(command, { args, stdin: "null", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  try {
    assert(!(await reader.read()).done);
    fn();
  } finally {
    kill(child);
    await reader.cancel();
    await child.status;
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // It has ended by itself.
  }
}

testWithFiles("the folder is its owner's alone, and so are the files and the locks", (folder) => {
  const storage = opened(`${folder}/store`);
  storage.create("a").close();
  storage.lock("LOCK", "exclusive").release();
  assertEquals(modeOf(`${folder}/store`), 0o700);
  assertEquals(modeOf(`${folder}/store/a`), 0o600);
  assertEquals(modeOf(`${folder}/store/LOCK`), 0o600);
});

testWithFiles("a folder is made with those above it, and named by a path or a URL", (folder) => {
  const storage = new FileStorage(new URL(`file://${folder}/with%20space/b/store`));
  assertEquals(storage.folder, `${folder}/with space/b/store`);
  assertEquals(storage.open(CREATE), { created: true, notes: [] });
  storage.create("a").close();
  assertEquals(Deno.statSync(`${folder}/with space/b/store/a`).isFile, true);
  assertEquals(new FileStorage("here").folder, `${Deno.cwd()}/here`);
});

Deno.test("what cannot name a folder is a TypeError", () => {
  for (const folder of ["", "a\0b", new URL("https://example.com/a")]) {
    assertThrows(() => new FileStorage(folder), TypeError);
  }
});

testWithFiles("a file in the place of the folder is an IoError", (folder) => {
  Deno.writeTextFileSync(`${folder}/store`, "mine");
  for (const path of [`${folder}/store`, `${folder}/store/below`]) {
    assertThrows(() => opened(path), IoError, "Cannot open the folder");
    assertThrows(() => new FileStorage(path).open({ create: false, readOnly: true }), IoError);
  }
  assertEquals(Deno.readTextFileSync(`${folder}/store`), "mine");
});

testWithFiles("a link that leads nowhere is no place for a folder", (folder) => {
  Deno.symlinkSync(`${folder}/nowhere`, `${folder}/store`);
  assertThrows(() => opened(`${folder}/store`), AlreadyExistsError, "Cannot open the folder");
  assertEquals([...Deno.readDirSync(folder)].map((entry) => entry.name), ["store"]);
});

testWithFiles("the folder may be a link, and stays what the link led to at open", (folder) => {
  for (const name of ["one", "two"]) Deno.mkdirSync(`${folder}/${name}`);
  Deno.symlinkSync(`${folder}/one`, `${folder}/store`);
  const storage = opened(`${folder}/store`);
  assertEquals(storage.folder, `${folder}/one`);
  Deno.removeSync(`${folder}/store`);
  Deno.symlinkSync(`${folder}/two`, `${folder}/store`);
  storage.create("a").close();
  assertEquals(Deno.statSync(`${folder}/one/a`).isFile, true);
  assertEquals([...Deno.readDirSync(`${folder}/two`)], []);
});

testWithFiles("what is not a plain file is listed, and never opened, renamed or removed", (folder) => {
  const storage = opened(`${folder}/store`);
  Deno.writeTextFileSync(`${folder}/outside`, "mine");
  Deno.symlinkSync(`${folder}/outside`, `${folder}/store/link`);
  Deno.symlinkSync(`${folder}/nowhere`, `${folder}/store/dangling`);
  Deno.mkdirSync(`${folder}/store/folder`);
  for (const name of ["link", "dangling", "folder"]) {
    for (
      const call of [
        () => storage.openRead(name),
        () => storage.rename(name, "b"),
        () => storage.remove(name),
        () => storage.lock(name, "exclusive"),
        () => storage.lock(name, "shared"),
      ]
    ) assertEquals(assertThrows(call, IoError, "not a plain file").file, name);
    assertThrows(() => storage.create(name), AlreadyExistsError);
  }
  assertEquals(
    storage.list().sort((one, other) => one.name < other.name ? -1 : 1),
    ["dangling", "folder", "link"].map((name) => ({ name, size: 0, isFile: false })),
  );
  assertEquals(Deno.readTextFileSync(`${folder}/outside`), "mine");
});

testWithFiles("a rename replaces a link, not what it leads to, and refuses to replace a folder", (folder) => {
  const storage = opened(`${folder}/store`);
  storage.create("a").close();
  Deno.writeTextFileSync(`${folder}/outside`, "mine");
  Deno.symlinkSync(`${folder}/outside`, `${folder}/store/link`);
  Deno.mkdirSync(`${folder}/store/folder`);
  assertThrows(() => storage.rename("a", "folder"), IoError, `Cannot rename "a" to "folder"`);
  storage.rename("a", "link");
  assertEquals(storage.list().find((entry) => entry.name === "link")?.isFile, true);
  assertEquals(Deno.readTextFileSync(`${folder}/outside`), "mine");
});

testWithFiles("names that no storage gives are listed", (folder) => {
  const storage = opened(folder);
  Deno.writeTextFileSync(`${folder}/not ours.txt`, "mine");
  assertEquals(storage.list(), [{ name: "not ours.txt", size: 4, isFile: true }]);
});

testWithProcesses("a name that is no Unicode is listed, so a folder with it is not empty", async (folder) => {
  if (Deno.build.os !== "linux") return;
  await run(["sh", "-c", `touch "$0/$(printf 'a\\377')"`, folder]);
  assertEquals(opened(folder).list(), [{ name: "a\uFFFD", size: 0, isFile: true }]);
});

testWithFiles("a folder that has gone is a NotFoundError with its cause", (folder) => {
  const storage = opened(`${folder}/store`);
  Deno.removeSync(`${folder}/store`);
  for (const call of [() => storage.list(), () => storage.syncFolder(), () => storage.create("a")]) {
    assert(assertThrows(call, NotFoundError).cause instanceof Error);
  }
});

testWithFiles("reading only changes nothing in the folder", (folder) => {
  const writer = opened(folder);
  writer.create("a").close();
  const before = Deno.statSync(folder).mtime;
  const reader = new FileStorage(folder);
  assertEquals(reader.open({ create: true, readOnly: true }), { created: false, notes: [] });
  reader.lock("READERS", "shared").release();
  reader.openRead("a").close();
  assertEquals(reader.list().map((entry) => entry.name), ["a"]);
  assertEquals(Deno.statSync(folder).mtime, before);
});

testWithFiles(
  "a file that is closed stays open for the barrier that runs on it, and no longer",
  async (folder) => {
    const storage = opened(folder);
    const file = storage.create("a");
    file.append(new Uint8Array(100_000), 0, 100_000);
    const barrier = file.syncAsync();
    file.close();
    if (SEES_DESCRIPTORS) assert(descriptorsOn(`${folder}/a`) > 0);
    await barrier;
    if (SEES_DESCRIPTORS) assertEquals(descriptorsOn(`${folder}/a`), 0);
    await assertRejects(() => file.syncAsync(), IoError, "closed");
  },
);

function descriptorsOn(path: string): number {
  let count = 0;
  for (const { name } of [...Deno.readDirSync("/proc/self/fd")]) {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`) === path) count++;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // The one that listed them.
    }
  }
  return count;
}

if (SEES_DESCRIPTORS) {
  testWithFiles("a file system that cannot sync a folder is not an error", () => {
    new FileStorage("/proc/self/fdinfo").syncFolder();
  });
}

if (SEES_DESCRIPTORS) {
  testWithFiles("a barrier that the operating system refuses is an IoError that names the file", async () => {
    // It reads like a plain file, and there is nothing to sync.
    const file = new FileStorage("/proc/self").openRead("status");
    assertEquals(assertThrows(() => file.sync(), IoError, `Cannot sync "status"`).file, "status");
    const error = await assertRejects(() => file.syncAsync(), IoError, `Cannot sync "status"`);
    assert(error.cause instanceof Error);
    file.close();
  });
}

testWithProcesses(
  "barriers reach the operating system, for files, folder and the folder above",
  async (folder) => {
    if (!await succeeds(["strace", "-qq", "true"])) return;
    const traced = async (store: string) => {
      const log = `${folder}/trace`;
      await run([
        "strace",
        "-f",
        "-y",
        "-e",
        "trace=fsync,fdatasync",
        "-o",
        log,
        ...childArgs("session", store),
      ]);
      const calls = Deno.readTextFileSync(log).matchAll(/(fsync|fdatasync)\(\d+<([^>]*)>/g);
      // Deno syncs files of its own.
      return Array.from(calls, ([, call, path]) => `${call} ${path}`).filter((line) => line.includes(folder));
    };
    const inFolder = (store: string) => [`fdatasync ${store}/a`, `fdatasync ${store}/a`, `fsync ${store}`];
    const deep = `${folder}/above/store`;
    assertEquals(await traced(deep), [`fsync ${folder}/above`, `fsync ${folder}`, ...inFolder(deep)]);
    assertEquals(await traced(deep), inFolder(deep));
    // A folder that is there and empty may have been made by a process that was killed before its barrier.
    const empty = `${folder}/empty`;
    Deno.mkdirSync(empty);
    assertEquals(await traced(empty), [`fsync ${folder}`, ...inFolder(empty)]);
  },
);

testWithProcesses("a lock excludes other processes, and ends when its process is killed", async (folder) => {
  const storage = opened(folder);
  await whileRunning("hold", folder, () => {
    for (const mode of ["exclusive", "shared"] as const) {
      assertThrows(() => storage.lock("LOCK", mode), LockedError, "another handle or process");
    }
    storage.lock("READERS", "shared").release();
    assertThrows(() => storage.lock("READERS", "exclusive"), LockedError);
  });
  storage.lock("LOCK", "exclusive").release();
  storage.lock("READERS", "exclusive").release();
});

testWithProcesses(
  "a file that another process keeps replacing can be opened all the same",
  async (folder) => {
    const storage = opened(folder);
    await whileRunning("replace", folder, () => {
      const until = performance.now() + 200;
      while (performance.now() < until) storage.openRead("CURRENT").close();
    });
  },
);

testWithProcesses("leave to read and write the folder is all that it needs", async (folder) => {
  const store = `${folder}/store`;
  const flags = [`--allow-read=${store}`, `--allow-write=${store}`];
  const answer = JSON.parse(await run(childArgs("session", store, flags)));
  assertEquals(answer.created, true);
  assertEquals(answer.count, 4);
  assertEquals(answer.folder, store);
  assertEquals(answer.list, [{ name: "LOCK", size: 0, isFile: true }]);
  assertEquals(answer.notes.length, 1);
  assertMatch(answer.notes[0], new RegExp(`power loss .* --allow-read=${folder} `));
});

testWithProcesses(
  "flags that name the folder by a relative path or through a link are enough",
  async (folder) => {
    Deno.mkdirSync(`${folder}/real`);
    Deno.symlinkSync(`${folder}/real`, `${folder}/store`);
    const flags = [`--allow-read=store`, `--allow-write=store`];
    const answer = JSON.parse(await run(childArgs("session", "./store", flags), folder));
    assertEquals([answer.count, answer.folder], [4, `${folder}/store`]);
  },
);

testWithProcesses("leave to read is enough to read only, and a refusal names the flag", async (folder) => {
  const file = opened(folder).create("a");
  file.append(new Uint8Array(5), 0, 5);
  file.close();
  const answer = JSON.parse(await run(childArgs("read", folder, [`--allow-read=${folder}`])));
  assertEquals([answer.notes, answer.count], [[], 5]);
  assertEquals(answer.refused.code, "IO");
  assertEquals(
    answer.refused.message,
    `Cannot create "b": run again with --allow-write=${folder}`,
  );
  const refused: Refusal = JSON.parse(await run(childArgs("session", folder, [])));
  assertEquals(refused.name, "IoError");
  assertEquals(refused.message, `Cannot open the folder "${folder}": run again with --allow-read=${folder}`);
});

testWithProcesses(
  "a limit on the size of files is an IoError after a short append, and truncate helps",
  async (folder) => {
    // 16 blocks are 8 or 16 KiB. Without the trap the operating system would kill the process.
    const limited = `trap "" XFSZ; ulimit -f 16; exec "$@"`;
    const answer = JSON.parse(await run(["sh", "-c", limited, "sh", ...childArgs("fill", folder)]));
    checkFilled(answer);
    assertEquals(answer.refusal.code, "IO");
    assertMatch(answer.refusal.message, /^Cannot append to "a": it would grow larger than/);
  },
);

testWithProcesses("too many open files are an IoError, and after closing some it goes on", async (folder) => {
  const limited = `ulimit -n 100; exec "$@"`;
  const refused: Refusal = JSON.parse(
    await run(["sh", "-c", limited, "sh", ...childArgs("exhaust", folder)]),
  );
  assertEquals(refused.code, "IO");
  assertMatch(refused.message, /^Cannot create "a\d+": this process has too many files open/);
});

testWithProcesses(
  "a full disk is a NoSpaceError after a short append, and truncate helps",
  async (folder) => {
    // A disk of 64 KiB of its own, where the operating system lets users make one.
    const mounted = `mount -t tmpfs -o size=64k tmpfs "$0" && exec "$@"`;
    const unshare = (...args: string[]) => ["unshare", "--user", "--map-root-user", "--mount", ...args];
    if (!await succeeds(unshare("sh", "-c", mounted, folder, "true"))) return;
    const answer = JSON.parse(await run(unshare("sh", "-c", mounted, folder, ...childArgs("fill", folder))));
    checkFilled(answer);
    assertEquals(answer.size, 65_536);
    assertEquals([answer.refusal.name, answer.refusal.code], ["NoSpaceError", "NO_SPACE"]);
    assertEquals(
      answer.refusal.message,
      `Cannot append to "a": no space left on device; free space and try again`,
    );
  },
);

/** Every append was whole but the last, which was short, and the one after it was refused. */
function checkFilled(
  answer: { counts: number[]; refusal: Refusal; size: number; again: number; whole: number },
): void {
  const { counts, refusal, size, again, whole } = answer;
  const last = counts.pop() ?? 0;
  assert(counts.length > 1 && counts.every((count) => count === 3_000), `${counts}`);
  assert(last > 0 && last < 3_000, `${last}`);
  assertEquals(size, counts.length * 3_000 + last);
  assertEquals(refusal.file, "a");
  assertEquals([again, whole], [3_000, 6_000]);
}

async function succeeds([command = "", ...args]: readonly string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
