/**
 * What `file_storage_test.ts` runs in a process of its own: one with few permissions, little space, or to be killed.
 *
 * Arguments: what to do, and the folder. It answers with one line of JSON. It imports nothing but the storage, so that
 * the permissions it is given are the ones the storage needs.
 */

import { TreeError } from "../../core/errors.ts";
import { FileStorage } from "../../io/file_storage.ts";
import type { StorageFile } from "../../io/storage.ts";

/** What a call that was refused says. */
export interface Refusal {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
  readonly file: string | undefined;
}

const APPEND_BYTES = 3_000;
const [task, folder = ""] = Deno.args;

switch (task) {
  case "session":
    answer(await session());
    break;
  case "read":
    answer(await read());
    break;
  case "fill":
    answer(await fill());
    break;
  case "exhaust":
    answer(await exhaust());
    break;
  case "hold":
    await hold();
    break;
  case "replace":
    replace();
    break;
}

/** All that a tree does with its folder. */
async function session(): Promise<unknown> {
  const storage = new FileStorage(folder);
  return await outcome(async () => {
    const { created, notes } = storage.open({ create: true, readOnly: false });
    const lock = storage.lock("LOCK", "exclusive");
    const file = storage.create("a");
    file.append(new Uint8Array(5), 0, 5);
    file.truncate(4);
    file.sync();
    await file.syncAsync();
    file.close();
    storage.rename("a", "b");
    storage.syncFolder();
    const reader = storage.openRead("b");
    const count = reader.readAt(new Uint8Array(9), 0, 9, 0);
    reader.close();
    storage.remove("b");
    lock.release();
    return { created, notes, count, folder: storage.folder, list: storage.list() };
  });
}

/** All that a read-only tree does with its folder, and one thing that it does not. */
async function read(): Promise<unknown> {
  const storage = new FileStorage(folder);
  const { notes } = storage.open({ create: false, readOnly: true });
  const lock = storage.lock("READERS", "shared");
  const file = storage.openRead("a");
  const count = file.readAt(new Uint8Array(9), 0, 9, 0);
  file.close();
  lock.release();
  return { notes, count, refused: await outcome(() => storage.create("b")) };
}

/** Appends until there is no space, makes some, and goes on. */
async function fill(): Promise<unknown> {
  const storage = new FileStorage(folder);
  storage.open({ create: true, readOnly: false });
  const file = storage.create("a");
  const counts: number[] = [];
  const refusal = await outcome(() => {
    for (;;) counts.push(append(file));
  });
  const size = file.size();
  file.truncate(APPEND_BYTES);
  const again = append(file);
  const whole = file.size();
  file.close();
  return { counts, refusal, size, again, whole };
}

/** Opens files until there are too many. */
async function exhaust(): Promise<unknown> {
  const storage = new FileStorage(folder);
  storage.open({ create: true, readOnly: false });
  const files: StorageFile[] = [];
  const refusal = await outcome(() => {
    for (;;) files.push(storage.create(`a${files.length}`));
  });
  for (const file of files) file.close();
  storage.create("z").close();
  return refusal;
}

/** Holds the locks of a writer and of a reader until it is killed. */
async function hold(): Promise<void> {
  const storage = new FileStorage(folder);
  storage.open({ create: true, readOnly: false });
  storage.lock("LOCK", "exclusive");
  storage.lock("READERS", "exclusive").release();
  storage.lock("READERS", "shared");
  answer("held");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}

/** Replaces a file by another of the same name, over and over for half a second. */
function replace(): void {
  const storage = new FileStorage(folder);
  storage.open({ create: true, readOnly: false });
  let count = 0;
  for (const until = performance.now() + 500; performance.now() < until; count++) {
    storage.create("CURRENT.tmp").close();
    storage.rename("CURRENT.tmp", "CURRENT");
    if (count === 0) answer("replacing");
  }
}

function append(file: StorageFile): number {
  return file.append(new Uint8Array(APPEND_BYTES), 0, APPEND_BYTES);
}

async function outcome(fn: () => unknown): Promise<unknown> {
  try {
    return await fn();
  } catch (error) {
    if (!(error instanceof TreeError)) throw error;
    const { name, code, message, file } = error;
    return { name, code, message, file } satisfies Refusal;
  }
}

function answer(value: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
}
