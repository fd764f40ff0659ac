/**
 * A disk that lies: what was written is misread, lost or put elsewhere, and every call returns as if all were well. The promise: a tree
 * never gives a wrong answer. It gives the right one or throws `CorruptionError`, `JournalRecoveryError` or
 * `UnsupportedFormatError`, and what it makes of a crash is what it held at some time.
 *
 * A workload is run again and again, each time with another operation lying, once or from then on (`support/silent_run.ts` keeps
 * the accounts). Then the same for damage between a close and the next open: files lost, doubled, taken back, blocks swapped.
 *
 * What no software can see, and is therefore not asked for:
 * - A disk that says "synced" and was not: after a power cut the tree is what it held at some earlier time. Often something that
 *   was synced knows of what is missing, and opening fails; where nothing does, what was durable is gone.
 * - A journal whose end, at the first open after a process was killed, reads as a power cut before its last sync would have left
 *   it: the batches from there on, up to the last one that any other record calls durable, are dropped, and `recovery.dropped`
 *   tells it. After an orderly close there is no such end, and nothing is dropped.
 * - A file that is taken back as a whole to what it was at an earlier time, where all that it names is still there: the tree is
 *   what it held then.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { BlockCache, Tree } from "@lsm/tree";
import type { FaultRule, SilentFaultKind, SimulatedOperationKind } from "@lsm/tree/testing";
import { SimulatedStorage } from "@lsm/tree/testing";
import { scaled, SEED, tried } from "../support/effort.ts";
import type { SilentCounts } from "../support/silent_run.ts";
import { isCorruption, noSilentCounts, runWithLie } from "../support/silent_run.ts";
import { PROFILES } from "../support/simulated.ts";
import type { Workload } from "../support/workloads.ts";
import { contentsOf, Expected, FAULT_ACTS, tinyConfig } from "../support/workloads.ts";

const DURABILITIES = ["buffered", "os", "sync"] as const;

/** A lie, and whether a block cache makes a difference. */
type Lie = readonly [SilentFaultKind, SimulatedOperationKind, isCached: boolean];

const LIES: readonly Lie[] = [
  ["flip", "readAt", true],
  ["misplaced", "readAt", true],
  ["stale", "readAt", true],
  ["flip", "append", false],
  ["misplaced", "append", true],
  ["lost", "append", false],
  ["lost", "sync", false],
  ["lost", "syncFolder", false],
];

/** In one turn each operation lies under one durability and profile, another one for the next; in nine under each. */
const TURNS = Math.min(9, scaled(1));

const CACHE_BYTES = 1_000_000;

for (const [error, operation, isCached] of LIES) {
  for (const cacheBytes of isCached ? [0, CACHE_BYTES] : [0]) {
    const cache = cacheBytes === 0 ? "" : ", under a block cache";
    Deno.test(`no answer is wrong if the disk lies: ${error} at ${operation}${cache}`, async () => {
      const counts = noSilentCounts();
      for (let turn = 0; turn < TURNS; turn++) {
        for (const sticky of [false, true]) {
          await lieEverywhere({ error, operation, sticky }, cacheBytes, turn, counts);
        }
      }
      const {
        lies,
        rightReads,
        thrownReads,
        thrownWork,
        rightOpens,
        thrownOpens,
        olderOpens,
        droppingOpens,
      } = counts;
      tried(lies, "lies of a disk");
      const text = JSON.stringify(counts);
      assert([lies, rightReads, rightOpens, thrownOpens].every((count) => count > 10), text);
      assert(
        operation.startsWith("sync") ? thrownReads + thrownWork === 0 : thrownReads > 10 && thrownWork > 10,
        text,
      );
      assert(operation === "readAt" ? olderOpens === 0 : olderOpens > 10, text);
      assert(operation !== "readAt" || cacheBytes > 0 ? droppingOpens === 0 : droppingOpens > 10, text);
    });
  }
}

/** Runs the workload again and again, each time with the next operation lying. */
async function lieEverywhere(
  rule: FaultRule,
  cacheBytes: number,
  turn: number,
  counts: SilentCounts,
): Promise<void> {
  let isLie = true;
  for (let nth = 1; isLie; nth++) {
    const durability = DURABILITIES[(nth + turn) % 3]!;
    const profile = PROFILES[((nth >> 1) + Math.floor(turn / 3)) % 3]!;
    const workload: Workload = { name: "lies", durability, keyBytes: 2, acts: FAULT_ACTS };
    const storage = new SimulatedStorage({ seed: SEED + nth, profile });
    try {
      isLie = await runWithLie(workload, storage, { ...rule, nth }, cacheBytes, counts);
    } catch (cause) {
      throw new Error(`${JSON.stringify(rule)}, operation ${nth}, ${durability}, ${profile}`, { cause });
    }
  }
}

/** A tree that was closed, all that it held on the way, and files as they were before they were replaced or removed. */
interface Closed {
  readonly storage: SimulatedStorage;
  readonly contents: readonly string[];
  readonly past: readonly { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }[];
}

async function closed(): Promise<Closed> {
  const workload: Workload = { name: "closed", durability: "os", keyBytes: 2, acts: FAULT_ACTS };
  const storage = new SimulatedStorage();
  const expected = new Expected(workload);
  const past: { name: string; bytes: Uint8Array<ArrayBuffer> }[] = [];
  storage.watch(({ kind, file, to }) => {
    const name = kind === "rename" ? to : file;
    const bytes = kind === "remove" || kind === "rename" ? storage.files().get(name) : undefined;
    if (bytes !== undefined) past.push({ name, bytes });
  });
  let tree = await Tree.open("data", tinyConfig(storage));
  for (const act of FAULT_ACTS) {
    if (act.act === "reopen") {
      for (const [name, bytes] of storage.files()) past.push({ name, bytes });
      await tree.close();
      tree = await Tree.open("data", tinyConfig(storage, { maxMemtableSize: act.memtableBytes }));
    } else if (act.act === "flush" || act.act === "flushMemtable" || act.act === "compact") {
      await tree[act.act]();
    } else expected.commit(act)?.(tree);
  }
  assert(tree.segmentCount() > 1, "one segment swaps with nothing");
  await tree.close();
  return { storage, contents: expected.contents, past };
}

/** Opens a tree and looks at everything: which of its contents it has, or where that threw as it may. */
async function lookAt(
  storage: SimulatedStorage,
  contents: readonly string[],
): Promise<number | "not opened" | "not read"> {
  let tree: Tree | undefined;
  try {
    tree = await Tree.open("data", tinyConfig(storage, { blockCache: new BlockCache({ capacity: 0 }) }));
    const found = contents.lastIndexOf(contentsOf(tree));
    assert(found >= 0, "it never held that");
    return found;
  } catch (error) {
    if (!isCorruption(error)) throw error;
    return tree === undefined ? "not opened" : "not read";
  } finally {
    await tree?.close().catch((error) => assert(isCorruption(error), `${error}`));
  }
}

const LOCKS: ReadonlySet<string> = new Set(["LOCK", "READERS"]);

Deno.test("a file that is lost is missed when the tree is opened, unless it is a lock", async () => {
  const { storage, contents } = await closed();
  const last = contents.length - 1;
  assertEquals(await lookAt(storage.kill(), contents), last);
  for (const name of storage.files().keys()) {
    const damaged = storage.kill();
    damaged.lose(name);
    assertEquals(await lookAt(damaged, contents), LOCKS.has(name) ? last : "not opened", name);
  }
});

Deno.test("a file under the name of another one is not taken for it", async () => {
  const { storage, contents } = await closed();
  const names = [...storage.files().keys()];
  for (const name of names) {
    for (const as of names) {
      if (name === as || LOCKS.has(as)) continue;
      const damaged = storage.kill();
      damaged.double(name, as);
      assert(typeof await lookAt(damaged, contents) === "string", `${name} as ${as}`);
    }
  }
});

Deno.test("a file that comes back after its removal changes nothing, and under a name of its own neither", async () => {
  const { storage, contents, past } = await closed();
  const last = contents.length - 1;
  const names = new Set(storage.files().keys());
  const gone = past.filter(({ name }) => !names.has(name));
  assert(new Set(gone.map(({ name }) => name.split("-")[0])).size >= 3, "journals, manifests and segments");
  for (const { name, bytes } of gone) {
    const damaged = storage.kill();
    damaged.damage(name, () => bytes.slice());
    assertEquals(await lookAt(damaged, contents), last, name);
  }
  for (const name of names) {
    for (const as of ["segment-000099", "journal-000099", "manifest-000099", "copy", `${name}.bak`]) {
      const damaged = storage.kill();
      damaged.double(name, as);
      const found = await lookAt(damaged, contents);
      assert(found === last || found === "not opened", `${name} as ${as}: ${found}`);
    }
  }
});

Deno.test("a file that is taken back to what it was makes the tree fail, or what it was at some time", async () => {
  const { storage, contents, past } = await closed();
  const names = new Set(storage.files().keys());
  let failed = 0;
  for (const { name, bytes } of past) {
    if (!names.has(name)) continue;
    const damaged = storage.kill();
    damaged.damage(name, () => bytes.slice());
    if (typeof await lookAt(damaged, contents) === "string") failed += 1;
  }
  assert(failed > 1, `${failed}`);
});

const SWAPPED_BYTES = 128;

Deno.test("blocks that are swapped, in a file or between files, are found out", async () => {
  const { storage, contents } = await closed();
  const files = [...storage.files()].filter(([file]) => file.startsWith("segment"));
  const places = files.flatMap(([file, bytes]) =>
    Array.from({ length: Math.floor(bytes.length / SWAPPED_BYTES) }, (_, i) => {
      const offset = i * SWAPPED_BYTES;
      return { file, offset, text: bytes.subarray(offset, offset + SWAPPED_BYTES).join() };
    })
  );
  let found = 0;
  for (const [i, one] of places.entries()) {
    for (const other of places.slice(i + 1)) {
      if (one.text === other.text) continue;
      const damaged = storage.kill();
      damaged.swap(one, other, SWAPPED_BYTES);
      assert(typeof await lookAt(damaged, contents) === "string", JSON.stringify([one, other]));
      found += 1;
    }
  }
  assert(found > 20, `${found}`);
});
