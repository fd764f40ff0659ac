/**
 * A disk that fills up in the middle of any write.
 *
 * At whatever byte that is: the call that met it says `NoSpaceError` and has done nothing, no other call is hurt, reads go
 * on, and when there is space again the tree goes on with no reopening. Tried at every byte of a short life in
 * simulation, and on a real file system of a few pages.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import type { Config } from "../../mod.ts";
import { leveled, NoSpaceError, Tree, verify } from "../../mod.ts";
import { SimulatedStorage } from "../../io/simulated_storage.ts";
import { childCommand, output, succeeds } from "../support/children.ts";
import { checkPrefix, fillBatch } from "../support/numbered_batches.ts";
import { testWithProcesses } from "../support/permissions.ts";
import { namesOfTree } from "../support/tree_worlds.ts";
import type { FullDiskAnswer } from "./full_disk_child.ts";

const CHILD = new URL("./full_disk_child.ts", import.meta.url);
const CONFIG: Config = {
  maxMemtableSize: 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 1024 }),
  fsyncInterval: null,
};
/** What is done in the short life, in order. */
const LIFE = [
  "batch",
  "flush",
  "batch",
  "batch",
  "flushMemtable",
  "batch",
  "batch",
  "compact",
  "batch",
  "close",
  "batch",
  "batch",
  "flush",
] as const;

/** What a life met. */
interface Life {
  /** How often a call was refused. */
  readonly refusals: readonly string[];
  /** Bytes that were appended in all. */
  readonly bytes: number;
}

/** Lives with a disk that is full after so many bytes; what was refused is done again when there is space. */
async function live(config: Config, bytes: number): Promise<Life> {
  const storage = new SimulatedStorage({ seed: 1 });
  const refusals: string[] = [];
  storage.fail({ operation: "append", error: "ENOSPC", sticky: true, bytes });
  /** Does something, and again if there was no space for it. */
  const persist = async <T>(what: string, action: () => T | Promise<T>, look: () => void): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      assertInstanceOf(error, NoSpaceError, what);
      refusals.push(what);
      look();
      storage.heal();
      return await action();
    }
  };
  const open = () => persist("open", () => Tree.open("tree", { ...CONFIG, ...config, storage }), () => {});
  let tree = await open();
  let batches = 0;
  let flushed = 0;
  const look = () => assertEquals(checkPrefix(tree), batches);
  for (const act of LIFE) {
    if (act === "batch") {
      await persist(act, () => fillBatch(tree.batch(), batches + 1).commit(), look);
      batches += 1;
    } else if (act !== "close") {
      await persist(act, () => tree[act](), look);
      flushed = batches;
    } else {
      try {
        await tree.close();
      } catch (error) {
        // It is closed all the same. What was not in the journal yet is lost, and only "buffered" leaves any of that.
        assertInstanceOf(error, NoSpaceError);
        refusals.push("close");
        storage.heal();
        tree = await open();
        const found = checkPrefix(tree);
        assert(config.durability === "buffered" ? found >= flushed && found <= batches : found === batches);
        batches = found;
        continue;
      }
      tree = await open();
    }
    look();
  }
  storage.heal();
  await tree.compact();
  look();
  assertEquals(tree.stats().lastError, undefined);
  await tree.close();
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0]);
  assertEquals(storage.list().map(({ name }) => name).sort(), namesOfTree(storage), "files are left over");
  assertEquals((await verify("tree", { storage })).problems, []);
  const again = await Tree.open("tree", { storage, fsyncInterval: null });
  assertEquals([checkPrefix(again), again.recovery.cleanClose], [batches, true]);
  await again.close();
  return {
    refusals,
    bytes: storage.log.reduce((sum, { kind, bytes }) => kind === "append" ? sum + bytes : sum, 0),
  };
}

/** Every byte of the first writes is tried; later ones are made of the same records. */
for (const [durability, everyByteTo] of [["os", 300], ["buffered", 0]] as const) {
  Deno.test(`a disk that is full at any byte refuses one call, loses nothing and needs no reopening, "${durability}"`, async () => {
    const { bytes } = await live({ durability }, Infinity);
    const seen = new Set<string>();
    for (let full = 0; full < bytes; full += full < everyByteTo ? 1 : 23) {
      const { refusals } = await live({ durability }, full);
      for (const refusal of refusals) seen.add(refusal);
    }
    for (
      const call of ["open", "flushMemtable", "compact", "close", durability === "os" ? "batch" : "flush"]
    ) {
      assert(seen.has(call), `${call} never met a full disk: ${[...seen]}`);
    }
  });
}

Deno.test("a disk too full for segments stops no read, and writers only after a few memtables", async () => {
  const storage = new SimulatedStorage({ seed: 1 });
  const tree = await Tree.open("tree", { ...CONFIG, storage });
  storage.fail({ operation: ["append", "create"], file: /^segment-/, error: "ENOSPC", sticky: true });
  let batches = 0;
  const error = assertThrows(() => {
    for (;; batches++) fillBatch(tree.batch(), batches + 1).commit();
  }, NoSpaceError);
  assert(batches > 4, `${batches} batches`);
  assertEquals(tree.stats().lastError, error);
  assertEquals(tree.stats().pressure.level, "stop");
  assertEquals(checkPrefix(tree), batches);
  await tree.flush();
  await assertRejects(() => tree.flushMemtable(), NoSpaceError);
  await assertRejects(() => tree.compact(), NoSpaceError);
  for (const crashed of storage.crashes(5)) {
    await using again = await Tree.open("tree", { ...CONFIG, storage: crashed });
    assertEquals(checkPrefix(again), batches);
  }

  storage.heal();
  for (let i = 0; i < 50; i++) fillBatch(tree.batch(), ++batches).commit();
  assertEquals([checkPrefix(tree), tree.stats().lastError], [batches, undefined]);
  await tree.close();
  assertEquals(storage.list().map(({ name }) => name).sort(), namesOfTree(storage));
});

testWithProcesses(
  "on a real disk that is full nothing is lost, and it goes on when space is freed",
  async (folder) => {
    // A disk of its own, where the operating system lets users make one.
    const mounted = `mount -t tmpfs -o size=256k tmpfs "$0" && exec "$@"`;
    const alone = (...command: string[]) => ["unshare", "--user", "--map-root-user", "--mount", ...command];
    if (!await succeeds(alone("sh", "-c", mounted, folder, "true"))) return;
    const run = childCommand(CHILD, [folder]);
    const answer: FullDiskAnswer = JSON.parse(await output(alone("sh", "-c", mounted, folder, ...run)));
    assert(answer.rounds.length > 3);
    for (const round of answer.rounds) {
      assertEquals(round.codes, ["NO_SPACE"], "each refusal is one of space");
      assertEquals(round.held, round.written, "what was written is there while the disk is full");
      assert(round.after > round.written, "it went on with no reopening");
      assertEquals(round.lastError, "");
    }
    assertEquals(answer.reopened, answer.rounds.at(-1)!.after);
  },
);
