/**
 * A repair gives the newest values of a tree whose recovery was killed while it copied a journal.
 *
 * What went wrong: both journals were replayed one after the other, so that the batches of an unfinished copy, which are older, came
 * on top of all batches of the original. And bytes of one were told to be lost whose batches the other has.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MemoryStorage, repair, Tree } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { beforeEachChange, contentsOf, tinyConfig } from "../support/workloads.ts";

Deno.test("whenever a recovery is killed, a repair gives what the tree held", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", tinyConfig(storage));
  for (const value of ["1", "2", "3"]) tree.insert("a", value);
  const contents = contentsOf(tree);
  const killed = storage.kill();
  await tree.close();

  const stops: SimulatedStorage[] = [];
  beforeEachChange(killed, () => stops.push(killed.kill()));
  killed.fail({ operation: "append", file: /^journal/, nth: 2, bytes: 90, error: "EIO" });
  await Tree.open("data", tinyConfig(killed)).catch(() => {});
  killed.heal();
  await (await Tree.open("data", tinyConfig(killed))).close();
  assert(stops.length > 15);
  for (const stop of stops) {
    const outStorage = new MemoryStorage();
    const { lost } = await repair("data", { out: "repaired", storage: stop, outStorage });
    await using repaired = await Tree.open("repaired", { storage: outStorage });
    assertEquals(contentsOf(repaired), contents, `lost: ${JSON.stringify(lost)}`);
  }
});

Deno.test("a batch that is damaged in one of two copies takes its place, and not that of newer ones", async () => {
  const storage = new SimulatedStorage();
  const tree = await Tree.open("data", { storage, fsyncInterval: null });
  for (const value of ["1", "2", "3"]) tree.insert("a", value);
  const killed = storage.kill();
  await tree.close();
  let both: SimulatedStorage | undefined;
  beforeEachChange(killed, ({ kind }) => {
    if (kind === "rename") both ??= killed.kill();
  });
  await (await Tree.open("data", { storage: killed, fsyncInterval: null })).close();
  const journals = [...both!.files().keys()].filter((name) => name.startsWith("journal"));
  assertEquals(journals.length, 2);
  both!.flip(journals.sort()[0]!, 80, 1);
  const outStorage = new MemoryStorage();
  const { lost } = await repair("data", { out: "repaired", storage: both!, outStorage });
  assertEquals(lost, [], "the copy has it");
  await using repaired = await Tree.open("repaired", { storage: outStorage });
  assertEquals(contentsOf(repaired), "a=3");
});

Deno.test("the torn end of a journal is not lost where a copy goes on behind it", async () => {
  const storage = new SimulatedStorage({ profile: "strict" });
  const tree = await Tree.open("data", { storage, fsyncInterval: null });
  for (const value of ["1", "2", "3"]) tree.insert("a", value);
  const killed = storage.kill();
  await tree.close();
  const stops: SimulatedStorage[] = [];
  beforeEachChange(killed, ({ kind }) => {
    if (kind === "rename") stops.push(killed.kill());
  });
  await (await Tree.open("data", { storage: killed, fsyncInterval: null })).close();
  let torn = 0;
  for (const crashed of stops[0]!.crashes(300)) {
    const opened = await Tree.open("data", { storage: crashed.kill(), fsyncInterval: null });
    const { dropped } = opened.recovery;
    const contents = contentsOf(opened);
    await opened.close();
    const outStorage = new MemoryStorage();
    const { lost } = await repair("data", { out: "repaired", storage: crashed, outStorage });
    assertEquals([lost.length > 0, contents], [dropped !== undefined, "a=3"]);
    if (crashed.files().get("journal-000001")!.length < 200) torn += 1;
  }
  assert(torn > 0, "the end of the first journal was always there");
});
