/**
 * Random calls of the port have the same results and the same refusals on every storage: in memory, simulated under each
 * profile, and, where there is permission, in a folder.
 *
 * A result is what a call gave, or the class, code and file of its error. Among the calls are wrong ones: names that are none,
 * spans outside of a buffer, handles that are closed or read-only, locks that are held. Two storages are opened on the same data
 * where that can be, as two processes would.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FileStorage, MemoryStorage, TreeError } from "@lsm/tree";
import type { Storage, StorageFile, StorageLock } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { effort } from "../support/effort.ts";
import { testWithFiles } from "../support/permissions.ts";
import { PROFILES } from "../support/simulated.ts";

/** A call; `on` says on which of two storages, or on which handle or lock of those that were opened so far. */
type Call =
  | { readonly call: "open"; readonly on: number; readonly create: boolean; readonly readOnly: boolean }
  | { readonly call: "list" | "syncFolder" | "close"; readonly on: number }
  | { readonly call: "create" | "openRead" | "remove"; readonly on: number; readonly name: string }
  | { readonly call: "rename"; readonly on: number; readonly name: string; readonly to: string }
  | {
    readonly call: "lock";
    readonly on: number;
    readonly name: string;
    readonly mode: "exclusive" | "shared";
  }
  | { readonly call: "release"; readonly on: number }
  | { readonly call: "size" | "sync" | "syncAsync" | "closeFile"; readonly on: number }
  | { readonly call: "truncate"; readonly on: number; readonly length: number }
  | {
    readonly call: "append" | "readAt";
    readonly on: number;
    readonly start: number;
    readonly end: number;
    readonly position: number;
  };

const BUFFER_BYTES = 24_000;
const OPEN: Call = { call: "open", on: 0, create: true, readOnly: false };

const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("a", "b", "c") },
  { weight: 1, arbitrary: fc.constantFrom("", ".", "..", "../a", "a/b", "a b", "\u00e9") },
);
const storage = fc.nat(1);
const handle = fc.nat(5);
/** Mostly numbers that lie within, around the chunks of a storage in memory too, and seldom one that no file has. */
const number = fc.oneof(
  { weight: 8, arbitrary: fc.nat(9) },
  { weight: 4, arbitrary: fc.constantFrom(4096, 16_383, 16_384, 20_000) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0.5, NaN, Infinity, 2 ** 53, 2 ** 40, BUFFER_BYTES + 1) },
);

const anyCall: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constant("open"),
      on: storage,
      create: fc.boolean(),
      readOnly: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constantFrom("list", "syncFolder", "close"), on: storage }) },
  {
    weight: 7,
    arbitrary: fc.record({ call: fc.constantFrom("create", "openRead", "remove"), on: storage, name }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constant("rename"), on: storage, name, to: name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constant("lock"),
      on: storage,
      name,
      mode: fc.constantFrom("exclusive", "shared"),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      call: fc.constantFrom("release", "size", "sync", "syncAsync", "closeFile"),
      on: handle,
    }),
  },
  { weight: 3, arbitrary: fc.record({ call: fc.constant("truncate"), on: handle, length: number }) },
  {
    weight: 10,
    arbitrary: fc.record({
      call: fc.constantFrom("append", "readAt"),
      on: handle,
      start: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, number),
      end: number,
      position: number,
    }),
  },
) as fc.Arbitrary<Call>;

/** As a rule on a storage that was created. */
const anyCalls = fc.tuple(
  fc.integer({ min: 0, max: 9 }),
  fc.array(anyCall, { minLength: 5, maxLength: 40 }),
).map(([n, calls]) => n === 9 ? calls : [OPEN, ...calls]);

/** Bytes that differ from call to call, and from their neighbours. */
function pattern(call: number): Uint8Array {
  return Uint8Array.from({ length: BUFFER_BYTES }, (_, i) => (i * 31 + (i >> 8) + call * 7) & 255);
}

/** What a storage was asked to do, and what it holds open. */
class Session {
  readonly #storages: readonly Storage[];
  readonly #files: StorageFile[] = [];
  readonly #locks: StorageLock[] = [];

  /** Calls on two storages on the same data, or twice on one. */
  constructor(storages: readonly Storage[]) {
    this.#storages = storages;
  }

  /** Does one call; returns what it gave. */
  async do(call: Call, index: number): Promise<unknown> {
    try {
      return await this.#carryOut(call, index);
    } catch (error) {
      if (error instanceof TreeError) return `${error.constructor.name} ${error.code} ${error.file}`;
      return error instanceof Error ? error.name : error;
    }
  }

  #carryOut(call: Call, index: number): unknown {
    const storage = this.#storages[call.on % 2]!;
    switch (call.call) {
      case "open":
        return storage.open(call).created;
      case "list":
        return listed(storage);
      case "syncFolder":
        return storage.syncFolder();
      case "close":
        return storage.close();
      case "create":
      case "openRead":
        return this.#files.push(storage[call.call](call.name));
      case "remove":
        return storage.remove(call.name);
      case "rename":
        return storage.rename(call.name, call.to);
      case "lock":
        return this.#locks.push(storage.lock(call.name, call.mode));
      case "release":
        return this.#locks[call.on]?.release();
      default: {
        const file = this.#files[call.on];
        return file === undefined ? "no such handle" : carryOutOn(file, call, index);
      }
    }
  }

  /** Closes all, and returns what is left: every file with its bytes. */
  end(): unknown {
    for (const file of this.#files) file.close();
    for (const lock of this.#locks) lock.release();
    const [storage] = this.#storages;
    storage!.open({ create: true, readOnly: false });
    const left = listed(storage!).map((entry) => {
      const file = storage!.openRead(entry.name);
      const bytes = readUpTo(file, 0, BUFFER_BYTES, 0);
      file.close();
      return [entry, bytes];
    });
    for (const one of this.#storages) one.close();
    return left;
  }
}

/** A call on a handle. */
type FileCall = Exclude<
  Call,
  { readonly name: string } | { call: "open" | "list" | "syncFolder" | "close" | "release" }
>;

function carryOutOn(file: StorageFile, call: FileCall, index: number): unknown {
  switch (call.call) {
    case "size":
      return file.size();
    case "sync":
      return file.sync();
    case "syncAsync":
      return file.syncAsync();
    case "closeFile":
      return file.close();
    case "truncate":
      return file.truncate(call.length);
    case "append":
      return appendAll(file, pattern(index), call.start, call.end);
    case "readAt":
      return readUpTo(file, call.start, call.end, call.position);
  }
}

/** Appends in as many goes as it takes; the first one is there even if there is nothing to append. */
function appendAll(file: StorageFile, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  do at += file.append(bytes, at, end); while (at < end);
  return at;
}

/** Reads in as many goes as it takes; returns the whole buffer, of which the rest must be as it was. */
function readUpTo(file: StorageFile, start: number, end: number, position: number): Uint8Array {
  const into = new Uint8Array(BUFFER_BYTES).fill(255);
  for (let at = start;;) {
    const count = file.readAt(into, at, end, position + (at - start));
    at += count;
    if (count === 0 || at >= end) return into;
  }
}

function listed(storage: Storage): ReturnType<Storage["list"]> {
  return storage.list().sort((one, other) => one.name < other.name ? -1 : 1);
}

/** Does calls in lockstep on sets of storages; the first one says what is right. Returns what each call gave. */
async function lockstep(
  calls: readonly Call[],
  sets: Readonly<Record<string, readonly Storage[]>>,
): Promise<unknown[]> {
  const sessions = Object.entries(sets).map(([kind, storages]) => ({ kind, session: new Session(storages) }));
  const results: unknown[] = [];
  try {
    for (const [index, call] of calls.entries()) {
      const given = [];
      for (const { session } of sessions) given.push(await session.do(call, index));
      for (const [i, result] of given.entries()) {
        assertEquals(result, given[0], `${sessions[i]!.kind}: ${JSON.stringify(call)}`);
      }
      results.push(given[0]);
    }
  } finally {
    const left = sessions.map(({ session }) => session.end());
    for (const [i, files] of left.entries()) {
      assertEquals(files, left[0], `${sessions[i]!.kind} has other files`);
    }
  }
  return results;
}

/** A storage in memory, and one under each profile of a simulated disk. */
function inMemory(): Record<string, readonly Storage[]> {
  const storages = [new MemoryStorage(), ...PROFILES.map((profile) => new SimulatedStorage({ profile }))];
  return Object.fromEntries(
    storages.map((one, i) => [i === 0 ? "memory" : `simulated, ${PROFILES[i - 1]}`, [one, one]]),
  );
}

/** What has to come up, for the calls to say anything. */
const SEEN = [
  "NotFoundError NOT_FOUND",
  "AlreadyExistsError ALREADY_EXISTS",
  "LockedError LOCKED",
  "IoError IO",
  "RangeError",
  "TypeError",
];

async function checkAll(
  setsOf: () => Readonly<Record<string, readonly Storage[]>>,
  numRuns: number,
): Promise<void> {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(anyCalls, async (calls) => {
      for (const result of await lockstep(calls, setsOf())) {
        if (typeof result === "string") seen.add(result.replace(/ [^ ]*$/, ""));
      }
    }),
    effort(numRuns),
  );
  for (const error of SEEN) assert(seen.has(error), `${error} never came up: ${[...seen].join(", ")}`);
}

Deno.test("any calls have the same results and refusals in memory and on a simulated disk, whatever its profile", async () => {
  await checkAll(inMemory, 300);
});

testWithFiles(
  "any calls have the same results and refusals in a folder as in memory and on a simulated disk",
  async (folder) => {
    let runs = 0;
    await checkAll(() => {
      const path = `${folder}/${runs++}`;
      return { files: [new FileStorage(path), new FileStorage(path)], ...inMemory() };
    }, 200);
  },
);
