/** How a simulated storage fails, and what a failure leaves. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { IoError, NoSpaceError, NotFoundError, TreeError } from "@lsm/tree";
import type { FaultRule, SimulatedOperationKind, SimulatedStorage, StorageFile } from "@lsm/tree/testing";
import { append, created, image, images, written } from "../support/simulated.ts";

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
