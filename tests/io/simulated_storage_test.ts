/**
 * A simulated storage as a whole: that all follows from the seed, and what is left after a kill, a crash and damage.
 *
 * That it keeps to the port is in `storage_test.ts`.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { IoError, Tree } from "@lsm/tree";
import type { ClockKind, StorageFile } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";
import { append, created, image, images, PROFILES } from "../support/simulated.ts";
import { tinyConfig } from "../support/workloads.ts";

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

/** Runs a tree through flushes, merges, faults, a close, a kill and two power cuts; returns all that is left to see of it. */
async function livesOf(seed: number, faulty: boolean, clock: ClockKind): Promise<SimulatedStorage[]> {
  let storage = new SimulatedStorage({ seed, profile: "garbage", clock });
  const lives: SimulatedStorage[] = [];
  for (const end of ["close", "crash", "kill", "crash", "close"] as const) {
    lives.push(storage);
    const tree = await Tree.open("data", tinyConfig(storage));
    if (faulty) {
      storage.fail({ operation: "create", file: /^segment/, nth: 2, error: "ENOSPC" });
      storage.fail({ operation: "append", file: /^journal/, nth: 30, error: "EIO", bytes: 7 });
      storage.fail({ operation: ["append", "readAt"], nth: 20, error: "short", sticky: true });
    }
    for (let n = 0; n < 60; n++) {
      try {
        tree.insert(`key ${n % 7}`, `${n}`.repeat(n));
        if (n % 20 === 10) await tree.flush();
        if (n === 50) await tree.compact();
      } catch (error) {
        assert(faulty && error instanceof IoError, `${error}`);
      }
      storage.advance(n * 100);
    }
    const next = end === "close" ? storage : storage[end]();
    await tree.close();
    storage = next;
  }
  return lives;
}

Deno.test("with the same seed a tree does the same operations and leaves the same bytes in every file", async () => {
  for (
    const [seed, faulty, clock] of [[1, false, "still"], [2, true, "still"], [3, true, "jumps"]] as const
  ) {
    const [one, other] = [await livesOf(seed, faulty, clock), await livesOf(seed, faulty, clock)];
    assert(one.length === 5 && one.every(({ log }) => log.length > 100));
    for (const [i, storage] of one.entries()) {
      assertEquals(storage.log, other[i]!.log);
      assertEquals(storage.files(), other[i]!.files());
      assertEquals(storage.now(), other[i]!.now());
    }
    const faults = new Set(one.flatMap(({ log }) => log.map(({ fault }) => fault)));
    assertEquals([...faults].sort(), faulty ? ["", "EIO", "ENOSPC", "short"] : [""]);
  }
});

Deno.test("with another seed a tree does the same, under other salts", async () => {
  const [one, other] = [(await livesOf(1, false, "still"))[0]!, (await livesOf(2, false, "still"))[0]!];
  assertEquals(one.log, other.log);
  const [files, others] = [one.files(), other.files()];
  assertEquals([...files.keys()], [...others.keys()]);
  const differing = [...files.keys()].filter((name) => `${files.get(name)}` !== `${others.get(name)}`);
  assert(differing.length > 1 && differing.some((name) => name.startsWith("manifest")), `${differing}`);
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
