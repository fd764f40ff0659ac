/**
 * `verify` finds every changed byte of a tree, and nothing in a tree that is as it was written.
 *
 * - *Damage*: each byte of each file of small trees is changed. What says that a tree was closed in order cannot be told from what
 *   a crash leaves, and neither can the end of the last journal of a killed one: those must show in the notes.
 * - *Metamorphic*: whatever is done with a tree, however it is set up, it is clean while it is open, after its process was
 *   killed, and when it was closed. Not one byte changes by looking.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { VerifyReport } from "@lsm/tree";
import { BlockCache, leveled, Tree, verify } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import { parseFileName, scanJournal } from "../../core/mod.ts";
import { action, upkeep, variant } from "../support/tree_actions.ts";
import { Session } from "../support/tree_session.ts";
import type { World } from "../support/tree_worlds.ts";
import { configOf } from "../support/tree_worlds.ts";
import type { ImageEnd } from "../support/images.ts";
import { imageOf } from "../support/images.ts";

/** What a record without a payload takes: a mark, a closing record. */
const RECORD_BYTES = 28;

async function verified(storage: SimulatedStorage): Promise<VerifyReport> {
  const before = storage.files();
  const report = await verify("data", { storage });
  assertEquals(storage.files(), before, "looking has changed something");
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
  assertEquals(report.ok, report.problems.length === 0);
  return report;
}

for (const end of ["close", "compact", "kill"] as const satisfies readonly ImageEnd[]) {
  Deno.test(`every changed byte of a tree is found, or noted: ${end}`, async () => {
    const { storage } = await imageOf(end);
    const clean = await verified(storage);
    assertEquals([clean.problems, clean.ok], [[], true]);
    assertEquals(clean.notes.length, end === "kill" ? 1 : 0, clean.notes.join("; "));
    const noted = new Map<string, number>();
    let found = 0;
    for (const [name, bytes] of storage.files()) {
      for (const offset of bytes.keys()) {
        const damaged = storage.kill();
        damaged.flip(name, offset, 1 << offset % 8);
        const report = await verified(damaged);
        if (!report.ok) {
          found += 1;
          continue;
        }
        assert(report.notes.length > clean.notes.length, `not found at byte ${offset} of ${name}`);
        const isEnd = offset >= bytes.length - 2 * RECORD_BYTES;
        assert(
          name.startsWith("manifest") ? isEnd : name.startsWith("journal") && (isEnd || end === "kill"),
          `only noted at byte ${offset} of ${name}`,
        );
        noted.set(name, (noted.get(name) ?? 0) + 1);
      }
    }
    assert(found > 1_300, `${found} found`);
    const countOf = (kind: string): number =>
      [...noted].reduce((sum, [name, count]) => name.startsWith(kind) ? sum + count : sum, 0);
    assertEquals(countOf("manifest"), RECORD_BYTES);
    if (end !== "kill") assertEquals(countOf("journal"), end === "close" ? RECORD_BYTES : 0);
  });

  Deno.test(`a file that is gone, cut off or longer is found, or noted: ${end}`, async () => {
    const { storage } = await imageOf(end);
    const clean = await verified(storage);
    for (const [name, bytes] of storage.files()) {
      if (name === "LOCK" || name === "READERS") continue;
      const changed = [undefined, new Uint8Array(0), new Uint8Array(bytes.length)];
      for (let length = 1; length < bytes.length; length += 7) changed.push(bytes.slice(0, length));
      for (const tail of [1, 28, 600]) {
        const longer = new Uint8Array(bytes.length + tail);
        longer.set(bytes);
        changed.push(longer);
      }
      for (const replacement of changed) {
        const damaged = storage.kill();
        damaged.damage(name, () => replacement);
        const report = await verified(damaged);
        const what = `${name} of ${bytes.length} bytes has ${replacement?.length}`;
        const isNoted = report.notes.length > clean.notes.length;
        assert(!report.ok || isNoted || isAsBefore(end, name, bytes.length, replacement), what);
        assert(!report.ok || !/^(segment|CURRENT)/.test(name), what);
      }
    }
  });
}

/** Tells whether a journal looks as it did before its last records were written: nobody can tell that they were. */
function isAsBefore(end: ImageEnd, name: string, before: number, after: Uint8Array | undefined): boolean {
  const file = parseFileName(name);
  if (file?.kind !== "journal") return false;
  if (end !== "kill") return after?.length === before - RECORD_BYTES;
  return after === undefined || scanJournal(after, file.id).tail === undefined;
}

/** A world whose trees can be verified. */
interface VerifiedWorld extends World {
  /** Verifies the tree while it is open, and as if its process was killed. */
  verify(): Promise<void>;
  /** Verifies the tree when it is closed. */
  end(): Promise<void>;
}

/** Returns a world with the real tree on a simulated disk. */
function verifiedWorld(counts: Record<"open" | "killed" | "closed", number>): VerifiedWorld {
  const storage = new SimulatedStorage();
  let tree: Tree | undefined;
  return {
    open: async (given) => {
      tree = await Tree.open("data", {
        ...configOf(given),
        storage,
        blockCache: new BlockCache({ capacity: 0 }),
      });
      return tree;
    },
    openReader: () => Tree.open("data", { storage, readOnly: true }),
    check: () => {},
    closing: () => {},
    closed: () => {},
    async verify() {
      for (const { problems } of [await tree!.verify(), await verify("data", { storage })]) {
        assertEquals(problems, [], "while it is open");
      }
      counts.open += 1;
      assertEquals((await verified(storage.kill())).problems, [], "after its process was killed");
      counts.killed += 1;
    },
    async end() {
      const { problems, notes } = await verified(storage);
      assertEquals(problems, [], "when it was closed");
      assertEquals(notes.filter((note) => !note.startsWith("files of no use")), []);
      counts.closed += 1;
    },
  };
}

Deno.test("whatever is done with a tree, it is clean while it is open, after a kill and when it was closed", async () => {
  const counts = { open: 0, killed: 0, closed: 0 };
  const acts = fc.array(fc.oneof({ weight: 9, arbitrary: action }, { weight: 1, arbitrary: upkeep }), {
    minLength: 10,
    maxLength: 60,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(variant, acts, async (setup, list) => {
      const world = verifiedWorld(counts);
      const session = await Session.open(world, setup);
      try {
        for (const [i, one] of list.entries()) {
          await session.perform(one);
          if (i % 12 === 11) await world.verify();
        }
        await session.end();
        await world.end();
      } finally {
        await session.abandon();
      }
    }),
    { numRuns: 40, interruptAfterTimeLimit: 20_000 },
  );
  assert(Math.min(...Object.values(counts)) >= 30, JSON.stringify(counts));
});

Deno.test("a tree that was flushed and merged often is clean with any compression, with filters and without", async () => {
  for (const compression of ["none", "lz4", "zstd"] as const) {
    for (const filterBitsPerKey of [0, 10]) {
      const storage = new SimulatedStorage();
      const tree = await Tree.open("data", {
        storage,
        compression,
        filterBitsPerKey,
        maxMemtableSize: 1024,
        blockSize: 1024,
        compactionStrategy: leveled({ l0Threshold: 2, targetSize: 2048 }),
        fsyncInterval: null,
      });
      for (let i = 0; i < 200; i++) tree.insert(`key ${i % 70}`, `value ${i} `.repeat(8));
      for (let i = 0; i < 20; i++) tree.remove(`key ${i}`);
      assertEquals((await tree.verify()).problems, []);
      await tree.close();
      const { problems, notes, files } = await verified(storage);
      assertEquals([problems, notes], [[], []]);
      assert(files > 3, `${files} files`);
    }
  }
});
