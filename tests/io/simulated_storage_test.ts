/**
 * What a simulated storage may leave after a power cut, and how it fails. That it keeps to the port is in `storage_test.ts`.
 *
 * Small cases are listed in full: if an outcome is missing here, a crash test above this storage proves less than it says.
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { IoError, NoSpaceError, NotFoundError, Tree, TreeError } from "@lsm/tree";
import type { CrashProfile, FaultRule, SimulatedOperationKind, StorageFile } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";

const PROFILES = ["prefix", "strict", "garbage"] as const;

/** More outcomes than any case here has. */
const ALL = 100_000;

function created(profile: CrashProfile, seed = 1): SimulatedStorage {
  const storage = new SimulatedStorage({ seed, profile });
  storage.open({ create: true, readOnly: false });
  return storage;
}

function append(file: StorageFile, ...bytes: number[]): void {
  for (let at = 0; at < bytes.length;) at += file.append(new Uint8Array(bytes), at, bytes.length);
}

/** Writes a file that survives. */
function written(storage: SimulatedStorage, name: string, ...bytes: number[]): StorageFile {
  const file = storage.create(name);
  append(file, ...bytes);
  file.sync();
  storage.syncFolder();
  return file;
}

function textOf(bytes: Uint8Array): string {
  return bytes.length === 0 ? "-" : bytes.join(" ");
}

/** Returns what is in a storage as `name:1 2 3`. */
function image(storage: SimulatedStorage): string {
  return Array.from(storage.files(), ([name, bytes]) => `${name}:${textOf(bytes)}`).sort().join(" | ");
}

function images(storage: SimulatedStorage, limit = ALL): string[] {
  return Array.from(storage.crashes(limit), image).sort();
}

Deno.test("every outcome of a power cut is given if there are few: in order, up to any byte", () => {
  const storage = created("prefix");
  append(storage.create("a"), 1, 2, 3);
  append(storage.create("b"), 4);
  assertEquals(images(storage), [
    "",
    "a:-",
    "a:1",
    "a:1 2",
    "a:1 2 3",
    "a:1 2 3 | b:-",
    "a:1 2 3 | b:4",
  ]);
});

Deno.test("every outcome of a power cut is given if there are few: any length, torn, and zeros behind", () => {
  const storage = created("strict");
  append(storage.create("a"), 1, 2, 3);
  const ofLength = [
    ["a:-"],
    ["a:0", "a:1"],
    ["a:0 0", "a:1 0", "a:1 2"],
    ["a:0 0 0", "a:1 0 0", "a:1 2 0", "a:1 2 3"],
  ];
  assertEquals(images(storage), ["", ...ofLength.flat()].sort());
});

Deno.test("a cut that did not survive leaves the bytes before it, and one that did leaves zeros", () => {
  const storage = created("strict");
  const file = written(storage, "a", 1, 2);
  file.truncate(1);
  append(file, 9);
  assertEquals(images(storage), ["a:1", "a:1 0", "a:1 2", "a:1 9"]);
});

Deno.test("units of 512 bytes of one write survive apart", () => {
  const storage = created("strict");
  const file = written(storage, "a");
  append(file, ...new Uint8Array(1024).fill(7));
  const halves = new Set(Array.from(storage.crashes(500), (crashed) => {
    const bytes = crashed.files().get("a")!;
    return [0, 512].map((at) => bytes.length < at + 512 ? "cut" : bytes[at] === 7 && bytes[at + 511] === 7)
      .join();
  }));
  for (const half of ["true,true", "false,true", "true,false", "false,false", "true,cut", "cut,cut"]) {
    assert(halves.has(half), half);
  }
});

Deno.test("a file that was synced may lose its name, and a name that was synced its bytes", () => {
  const storage = created("strict");
  const file = storage.create("a");
  append(file, 1);
  file.sync();
  assertEquals(images(storage), ["", "a:1"]);
  storage.syncFolder();
  assertEquals(images(storage), ["a:1"]);
  append(file, 2);
  assertEquals(images(storage), ["a:1", "a:1 0", "a:1 2"]);
});

Deno.test("a sync of anything makes all durable that was done before it, if order is kept", async () => {
  for (const sync of ["sync", "syncAsync", "folder"] as const) {
    const storage = created("prefix");
    append(storage.create("a"), 1);
    const file = storage.create("b");
    append(file, 2);
    if (sync === "folder") storage.syncFolder();
    else await file[sync]();
    assertEquals(images(storage), ["a:1 | b:2"]);
  }
});

Deno.test("changes of files may survive in another order, unless order is kept", () => {
  for (const profile of PROFILES) {
    const storage = created(profile);
    const [a, b] = [written(storage, "a"), written(storage, "b")];
    append(a, 1);
    append(b, 2);
    assertEquals(images(storage).includes("a:- | b:2"), profile !== "prefix", profile);
    assert(images(storage).includes("a:1 | b:-"), profile);
  }
});

Deno.test("a rename leaves the old file or the new one under the name, never neither", () => {
  for (const profile of PROFILES) {
    const storage = created(profile);
    written(storage, "current", 1);
    written(storage, "next", 2);
    storage.rename("next", "current");
    assertEquals(images(storage), ["current:1 | next:2", "current:2"], profile);
    storage.syncFolder();
    assertEquals(images(storage), ["current:2"], profile);
  }
});

Deno.test("changes of one name keep their order; those of others need not", () => {
  const storage = created("strict");
  written(storage, "a", 1);
  written(storage, "b", 2);
  storage.remove("a");
  storage.rename("b", "a");
  storage.remove("a");
  assertEquals(images(storage), ["", "a:1 | b:2", "a:2", "b:2"]);
  written(storage, "c", 3);
  storage.remove("c");
  written(storage, "d", 4).close();
  storage.create("e");
  storage.remove("d");
  assertEquals(images(storage), ["", "d:4", "d:4 | e:-", "e:-"]);
});

Deno.test("where garbage is wanted, bytes that did not arrive may be those of a file that is gone, or noise", () => {
  const storage = created("garbage");
  written(storage, "old", 7, 8, 9).close();
  storage.remove("old");
  storage.syncFolder();
  append(written(storage, "new"), 1, 2, 3);
  const found = new Set(images(storage, 400));
  for (const outcome of ["new:7 8 9", "new:0 0 0", "new:1 8 9", "new:1 2 3"]) {
    assert(found.has(outcome), outcome);
  }
  const noise = [...found].filter((outcome) => !/^new:([017] ?)?([028] ?)?([039])?$|^new:-$/.test(outcome));
  assert(noise.length > 0, "no noise");
  const [crashed] = [...storage.crashes(1)];
  append(written(crashed!, "newer"), 4, 5, 6);
  assert(
    images(crashed!, 400).some((outcome) => outcome.includes("newer:7 8 9")),
    "an earlier crash is forgotten",
  );
});

Deno.test("a crash leaves the storage itself as it is, and takes neither locks nor rules along", () => {
  const storage = created("strict");
  append(storage.create("a"), 1);
  storage.lock("LOCK", "exclusive");
  storage.fail({ operation: "list", sticky: true, error: "EIO" });
  for (const next of [storage.crash(), storage.kill(), ...storage.crashes(3)]) {
    assertEquals([next.heldLocks, next.openHandles, next.log], [0, 0, []]);
    next.lock("LOCK", "exclusive").release();
    next.create("b");
    next.list();
  }
  assertThrows(() => storage.list(), IoError);
  storage.heal();
  assertEquals([image(storage), storage.heldLocks, storage.openHandles], ["LOCK:- | a:1", 1, 1]);
});

Deno.test("a storage that was never created is not there after a crash either", () => {
  const crashed = new SimulatedStorage().crash();
  assertEquals(crashed.open({ create: true, readOnly: false }).created, true);
});

Deno.test("after a kill all is there that was written, and a power cut may still take it", () => {
  const storage = created("strict");
  append(storage.create("a"), 1);
  const killed = storage.kill();
  assertEquals(image(killed), "a:1");
  assertEquals(images(killed), ["", "a:-", "a:0", "a:1"]);
  assertEquals(images(killed.kill()), images(storage));
});

Deno.test("an awaited sync covers what came before its call, and only once it has resolved", async () => {
  const storage = created("strict");
  const file = written(storage, "a");
  append(file, 1);
  const synced = file.syncAsync();
  append(file, 2);
  assert(images(storage).includes("a:-"));
  await synced;
  assertEquals(images(storage), ["a:1", "a:1 0", "a:1 2"]);
});

Deno.test("what a failed sync gave up is read, but no later sync brings it back", () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const storage = created("strict", seed);
    const file = written(storage, "a", 1);
    append(file, 2);
    storage.fail({ operation: "sync" });
    assertThrows(() => file.sync(), IoError, `Cannot sync "a"`);
    append(file, 3);
    file.sync();
    assertEquals(image(storage), "a:1 2 3");
    const [outcome, ...others] = images(storage);
    assertEquals(others, [], "nothing is pending");
    seen.add(outcome!);
  }
  assertEquals([...seen].sort(), ["a:1 0 3", "a:1 2 3"]);
});

Deno.test("what a failed sync of the folder gave up is seen, but no later one brings it back", () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const storage = created("strict", seed);
    storage.create("a").close();
    storage.fail({ operation: "syncFolder" });
    assertThrows(() => storage.syncFolder(), IoError, "Cannot sync the folder");
    storage.create("b").close();
    storage.syncFolder();
    assertEquals(image(storage), "a:- | b:-");
    seen.add(images(storage).join("; "));
  }
  assertEquals([...seen].sort(), ["a:- | b:-", "b:-"]);
});

Deno.test("a failed awaited sync rejects", async () => {
  const storage = created("strict");
  const file = storage.create("a");
  const fault = storage.fail({ operation: "sync" });
  await assertRejects(() => file.syncAsync(), IoError, `Cannot sync "a"`);
  await file.syncAsync();
  assertEquals(fault.count, 1);
});

Deno.test("a full disk takes some bytes first, and is full for all that comes", () => {
  const storage = created("strict");
  const file = storage.create("a");
  const fault = storage.fail({
    operation: ["append", "create"],
    error: "ENOSPC",
    bytes: 5,
    sticky: true,
    nth: 1,
  });
  const bytes = new Uint8Array([1, 2, 3, 4]);
  assertEquals([file.append(bytes, 0, 4), file.append(bytes, 0, 4)], [4, 1]);
  for (const call of [() => file.append(bytes, 0, 4), () => storage.create("b")]) {
    const error = assertThrows(call, NoSpaceError);
    assertEquals((error.cause as { code?: string }).code, "ENOSPC");
  }
  assertEquals(image(storage), "a:1 2 3 4 1");
  assertEquals(fault.count, 2);
  fault.heal();
  append(file, 9);
  assertEquals(image(storage), "a:1 2 3 4 1 9");
});

Deno.test("a short read or write moves a byte at least, and less than was asked for", () => {
  const counts = new Set<number>();
  for (let seed = 1; seed <= 30; seed++) {
    const storage = created("strict", seed);
    const file = storage.create("a");
    const fault = storage.fail({ error: "short", sticky: true });
    const bytes = new Uint8Array([1, 2, 3, 4]);
    counts.add(file.append(bytes, 0, 4));
    append(file, ...bytes);
    const into = new Uint8Array(4);
    const count = file.readAt(into, 0, 4, 0);
    assert(count >= 1 && count < 4);
    assertEquals(into.subarray(count), new Uint8Array(4 - count));
    assertEquals([file.readAt(into, 0, 1, 0), file.append(bytes, 0, 1), file.size() > 4], [1, 1, true]);
    assert(fault.count >= 2);
    storage.list();
    file.sync();
  }
  assertEquals([...counts].sort(), [1, 2, 3]);
});

Deno.test("every operation can be made to fail, and then has not happened", async () => {
  const rules: Record<SimulatedOperationKind, (storage: SimulatedStorage, file: StorageFile) => unknown> = {
    open: (storage) => storage.open({ create: true, readOnly: false }),
    list: (storage) => storage.list(),
    create: (storage) => storage.create("b"),
    openRead: (storage) => storage.openRead("a"),
    rename: (storage) => storage.rename("a", "b"),
    remove: (storage) => storage.remove("a"),
    syncFolder: (storage) => storage.syncFolder(),
    lock: (storage) => storage.lock("b", "exclusive"),
    append: (_, file) => file.append(new Uint8Array(2), 0, 2),
    readAt: (_, file) => file.readAt(new Uint8Array(2), 0, 2, 0),
    size: (_, file) => file.size(),
    truncate: (_, file) => file.truncate(0),
    sync: (_, file) => file.syncAsync(),
  };
  for (const [kind, call] of Object.entries(rules)) {
    for (const error of ["EIO", "ENOSPC", "EMFILE", "EACCES"] as const) {
      const storage = created("strict");
      const file = written(storage, "a", 1);
      const fault = storage.fail({ operation: kind as SimulatedOperationKind, error });
      const refused = await assertRejects(async () => await call(storage, file), TreeError, "Cannot", kind);
      assertEquals(refused.code, error === "ENOSPC" ? "NO_SPACE" : "IO");
      assertEquals(
        [fault.count, image(storage), storage.openHandles, storage.heldLocks],
        [1, "a:1", 1, 0],
        kind,
      );
      assertEquals(storage.log.at(-1)?.fault, error);
      await call(storage, file);
      assertEquals([fault.count, storage.log.at(-1)?.fault], [1, ""]);
    }
  }
});

Deno.test("a rule waits for the operations, the files and the number that it names", () => {
  const failing = (rule: FaultRule): string[] => {
    const storage = created("strict");
    storage.fail(rule);
    const failed: string[] = [];
    const attempt = (what: string, action: () => void): void => {
      try {
        action();
      } catch (error) {
        if (error instanceof IoError) failed.push(what);
        else {assertStrictEquals(
            (error as Error).constructor,
            NotFoundError,
            "what a failed create leaves behind",
          );}
      }
    };
    for (const name of ["a1", "b1", "a2", "b2"]) {
      attempt(`create ${name}`, () => storage.create(name).close());
    }
    attempt("rename", () => storage.rename("a1", "c"));
    attempt("list", () => storage.list());
    return failed;
  };
  assertEquals(failing({}), ["create a1"]);
  assertEquals(failing({ nth: 3 }), ["create a2"]);
  assertEquals(failing({ nth: 5, sticky: true }), ["rename", "list"]);
  assertEquals(failing({ operation: "list" }), ["list"]);
  assertEquals(failing({ operation: ["list", "rename"], sticky: true }), ["rename", "list"]);
  assertEquals(failing({ file: "b2" }), ["create b2"]);
  assertEquals(failing({ file: "c" }), ["rename"]);
  assertEquals(failing({ file: /^a/, sticky: true }), ["create a1", "create a2", "rename"]);
  assertEquals(failing({ operation: "create", file: /^b/, nth: 2 }), ["create b2"]);
  assertEquals(failing({ error: "short", sticky: true }), []);
});

Deno.test("who watches is told of each operation before it happens", () => {
  const storage = created("strict");
  const seen: string[] = [];
  const end = storage.watch(({ kind, file, to, position, bytes }) => {
    seen.push([kind, file, to, position, bytes, image(storage)].join(","));
  });
  const file = storage.create("a");
  append(file, 1, 2);
  file.truncate(1);
  storage.rename("a", "b");
  end();
  storage.remove("b");
  assertEquals(seen, [
    "create,a,,0,0,",
    "append,a,,0,2,a:-",
    "truncate,a,,1,0,a:1 2",
    "rename,a,b,0,0,a:1",
  ]);
  assertEquals(storage.log.map(({ kind }) => kind), [
    "open",
    "create",
    "append",
    "truncate",
    "rename",
    "remove",
  ]);
});

Deno.test("damage changes what is there, durably and nothing else", () => {
  const storage = created("strict");
  append(storage.create("a"), 1, 2, 3);
  append(storage.create("b"), 9);
  storage.flip("a", 1, 255);
  assertEquals(images(storage), ["a:1 253 3 | b:9"]);
  storage.damage("a", (bytes) => bytes.slice(0, 1));
  storage.damage("b", () => undefined);
  storage.damage("c", (bytes) => new Uint8Array([bytes.length, 5]));
  storage.damage("d", () => undefined);
  assertEquals(images(storage), ["a:1 | c:0 5"]);
});

/** What is done to a storage in the property below. */
type Call =
  | { readonly call: "append"; readonly name: string; readonly bytes: number }
  | { readonly call: "truncate" | "sync" | "create"; readonly name: string }
  | { readonly call: "remove"; readonly name: string }
  | { readonly call: "rename"; readonly name: string; readonly to: string }
  | { readonly call: "syncFolder" };

const name = fc.constantFrom("a", "b");
const calls = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ call: fc.constant("append"), name, bytes: fc.constantFrom(1, 5, 700) }),
    },
    { weight: 4, arbitrary: fc.record({ call: fc.constantFrom("truncate", "sync", "create"), name }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constant("remove"), name }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constant("rename"), name, to: name }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constant("syncFolder") }) },
  ) as fc.Arbitrary<Call>,
  { minLength: 1, maxLength: 20 },
);

/** Does calls on a storage; each byte that is written is another one, as far as that goes. */
function carryOut(storage: SimulatedStorage, list: readonly Call[]): void {
  const files = new Map<string, StorageFile>();
  let next = 1;
  for (const call of list) {
    if (call.call === "syncFolder") {
      storage.syncFolder();
      continue;
    }
    const file = files.get(call.name);
    if (call.call === "create" && file === undefined) files.set(call.name, storage.create(call.name));
    if (file === undefined) continue;
    if (call.call === "append") append(file, ...Array.from({ length: call.bytes }, () => next++ % 255 + 1));
    if (call.call === "truncate") file.truncate(file.size() >> 1);
    if (call.call === "sync") file.sync();
    if (call.call === "remove") storage.remove(call.name);
    if (call.call === "rename") storage.rename(call.name, call.to);
    if (call.call === "remove" || call.call === "rename") files.delete(call.name);
    if (call.call === "rename") files.set(call.to, file);
  }
}

Deno.test("equal seeds and calls give equal operations and equal crashes", () => {
  fc.assert(fc.property(calls, fc.integer(), fc.constantFrom(...PROFILES), (list, seed, profile) => {
    const [one, other] = [created(profile, seed), created(profile, seed)];
    for (const storage of [one, other]) carryOut(storage, list);
    assertEquals(one.log, other.log);
    for (let i = 0; i < 3; i++) assertEquals(image(one.crash()), image(other.crash()));
    assertEquals(images(one, 5), images(other, 5));
    assertEquals(image(one.crash(17)), image(one.crash(17)));
  }));
});

Deno.test("a tree does the same operations with the same seed", async () => {
  const logs = [];
  for (let i = 0; i < 2; i++) {
    const storage = new SimulatedStorage({ seed: 5 });
    storage.fail({ operation: "append", nth: 40, error: "short", sticky: true });
    const tree = await Tree.open("data", { storage, maxMemtableSize: 1024, fsyncInterval: null });
    for (let n = 0; n < 60; n++) tree.insert(`key ${n % 7}`, "v".repeat(n));
    await tree.close();
    logs.push(storage.log);
  }
  assert(logs[0]!.length > 100);
  assertEquals(logs[0], logs[1]);
});

Deno.test("whatever was done, nothing comes from nowhere, and what is synced survives", () => {
  let lost = 0;
  fc.assert(fc.property(calls, fc.integer(), fc.constantFrom("prefix", "strict"), (list, seed, profile) => {
    const storage = created(profile, seed);
    const writtenAt = new Set<string>();
    storage.watch(({ kind, position, bytes }) => {
      if (kind !== "append") return;
      for (let at = position; at < position + bytes; at++) writtenAt.add(`${at}`);
    });
    carryOut(storage, list);
    const last = image(storage);
    for (const crashed of storage.crashes(6)) {
      if (image(crashed) !== last) lost += 1;
      assertEquals(images(crashed), [image(crashed)], "what a crash left is durable");
      for (const bytes of crashed.files().values()) {
        for (const at of bytes.keys()) assert(writtenAt.has(`${at}`), "longer than it ever was");
      }
    }
    for (const { name } of storage.list()) storage.openRead(name).sync();
    storage.syncFolder();
    assertEquals(images(storage), [last], "all is synced");
  }));
  assert(lost > 50, "crashes lose next to nothing");
});
