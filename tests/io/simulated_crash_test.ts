/** What a power cut may leave of a simulated storage. Small cases are listed in full. */

import { assert, assertEquals } from "@std/assert";
import { append, created, images, PROFILES, written } from "../support/simulated.ts";

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
