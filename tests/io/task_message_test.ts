/**
 * Tasks between threads: the flush that a Worker folds again from journals is the one that the tree's thread would have written.
 *
 * Tasks come from the state machine and journals from its effects, so the two ways are compared on what a tree really makes. A journal
 * that does not hold what it should is told, whatever byte is wrong: the alternative would be a flush that loses writes.
 */

import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import fc from "fast-check";
import { rewrite } from "../../compaction/mod.ts";
import type { FlushTask, MergeTask, RecoveryPlan, SegmentMeta, StepOptions, Task } from "../../core/mod.ts";
import { CorruptionError, fileName, NotFoundError, planRecovery } from "../../core/mod.ts";
import { scanJournal, scanManifest, versionSegments } from "../../core/mod.ts";
import type { FlushMessage } from "../../io/task_message.ts";
import { memtableOf, messageOf } from "../../io/task_message.ts";
import { MemoryStorage } from "../../mod.ts";
import { operations } from "../support/arbitraries.ts";
import { someChanges } from "../support/damage.ts";
import { MemorySegments, MemorySink } from "../support/memory_segments.ts";
import type { Disk } from "../support/pure_tree.ts";
import { PureTree, SMALL } from "../support/pure_tree.ts";
import { SALT } from "../support/record_files.ts";
import { TEST_CODECS } from "../support/run_length_codec.ts";
import { writeFile } from "../support/trees.ts";

/** Memtables that are only sealed when that is asked for. */
const LARGE: StepOptions = { ...SMALL, maxMemtableSize: 1_000_000 };

/** What a task wrote: what the version is told, and all bytes. */
interface Written {
  readonly outputs: readonly SegmentMeta[];
  readonly files: ReadonlyMap<number, Uint8Array>;
}

function written(task: Task, segments: ReadonlyMap<number, Uint8Array<ArrayBuffer>> = new Map()): Written {
  const source = new MemorySegments();
  for (const [id, bytes] of segments) source.files.set(id, bytes);
  const files = new Map<number, Uint8Array<ArrayBuffer>>();
  return {
    outputs: rewrite(task, source, TEST_CODECS[task.encoding.compression], new MemorySink(files)),
    files,
  };
}

/** Returns a storage with the journals of a disk. */
function storageOf({ journals }: Pick<Disk, "journals">): MemoryStorage {
  const storage = new MemoryStorage();
  storage.open({ create: true, readOnly: false });
  for (const [id, bytes] of journals) writeFile(storage, fileName("journal", id), bytes);
  return storage;
}

/** Returns a flush as the other side gets it. */
function messageFor(task: FlushTask): FlushMessage {
  return structuredClone(messageOf(task)) as FlushMessage;
}

/** Returns a flush as the other side makes it from its message. */
function flushFrom(message: FlushMessage, storage: MemoryStorage): FlushTask {
  return { ...message, memtable: memtableOf(message, storage) };
}

function pendingFlush(tree: PureTree): FlushTask {
  const effect = tree.pending.find((effect) => effect.kind === "run_task");
  assert(effect?.kind === "run_task" && effect.task.kind === "flush");
  return effect.task;
}

/** Returns what recovery makes of a disk. */
function recovered(disk: Disk, maxMemtableSize: number): RecoveryPlan {
  const journals = [...disk.journals].map(([id, bytes]) => scanJournal(bytes, id));
  return planRecovery({
    manifest: scanManifest(disk.manifest, disk.manifestId),
    journals,
    names: [fileName("manifest", disk.manifestId), ...journals.map(({ id }) => fileName("journal", id))],
    mode: "strict",
    maxMemtableSize,
  });
}

/** Returns flushes of memtables that were recovered, oldest first. */
function flushesOf({ sealed, nextId }: RecoveryPlan): readonly FlushTask[] {
  return [...sealed].reverse().map((memtable, i) => ({
    kind: "flush",
    id: i + 1,
    firstOutput: nextId + i,
    outputs: 1,
    salt: SALT,
    destLevel: 0,
    targetSize: 1_000_000,
    encoding: { blockSize: 48, filterBitsPerKey: 10, hashSeed: 5, compression: "none" },
    origin: { seqnoMin: memtable.firstSeqno, seqnoMax: memtable.lastSeqno, writtenAt: 9 },
    older: [],
    reason: "recovered",
    memtable,
  }));
}

Deno.test("a flush folded again from its journals writes what it writes from memory, byte for byte", () => {
  const seen = { flushes: 0, tombstones: 0, clears: 0, nothing: 0 };
  fc.assert(fc.property(
    fc.array(fc.tuple(operations, fc.boolean(), fc.boolean()), { maxLength: 40 }),
    (steps) => {
      const tree = new PureTree({ ...SMALL, maxMemtableSize: 600 });
      const look = (): void => {
        for (const effect of tree.pending) {
          if (effect.kind !== "run_task" || effect.task.kind !== "flush") continue;
          const { task } = effect;
          const fromMemory = written(task);
          assertEquals(written(flushFrom(messageFor(task), storageOf(tree.disk()))), fromMemory);
          seen.flushes += 1;
          seen.clears += task.memtable.clears ? 1 : 0;
          seen.nothing += fromMemory.outputs.length === 0 ? 1 : 0;
          seen.tombstones += fromMemory.outputs.reduce((sum, { tombstones }) => sum + tombstones, 0);
        }
      };
      for (const [batch, isSealed, isSettled] of steps) {
        assert(tree.write(batch));
        if (isSealed) tree.seal();
        look();
        if (isSettled) tree.settle();
      }
    },
  ));
  for (const [what, count] of Object.entries(seen)) assertGreater(count, 0, what);
});

Deno.test("a merge that was sent writes what it writes at home", () => {
  const tree = new PureTree(LARGE);
  const flush = (): void => void tree.seal().settle();
  for (const key of ["a", "g", "m", "t"]) {
    tree.put([`${key}1`, "old"], [`${key}2`, "old"]);
    flush();
  }
  tree.put(["g1", "new"], ["i", "new"]).remove("g2", "h", "m0");
  flush();
  const ids = versionSegments(tree.state.version).map(({ id }) => id);
  // The newest two have keys from "g1" to "t2": of the older ones "a" lies beside them.
  tree.choose({ kind: "merge", segments: ids.slice(0, 2), destLevel: 0, targetSize: 1_000_000 });
  const effect = tree.pending.find(({ kind }) => kind === "run_task");
  assert(effect?.kind === "run_task" && effect.task.kind === "merge");
  const { task } = effect;
  const message = structuredClone(messageOf(task)) as MergeTask;
  assertEquals(task.older.flatMap(({ segments }) => segments).length, 3);
  assertEquals(message.older.map(({ segments }) => segments), [[{ minKey: "m1", maxKey: "m2" }], [
    { minKey: "g1", maxKey: "g2" },
  ], []]);
  const { segments } = tree.disk();
  const atHome = written(task, segments);
  assertEquals(written(message, segments), atHome);
  assertEquals(atHome.outputs.map(({ entries, tombstones }) => [entries, tombstones]), [[5, 1]]);
});

Deno.test("a message of a flush holds journals and ranges, and nothing of the memtable", () => {
  const tree = new PureTree(LARGE);
  tree.put(["a", "1"], ["b", "2"]).seal().settle();
  for (let i = 0; i < 500; i++) tree.put([`key ${i}`, "value ".repeat(10)]);
  tree.seal();
  const task = pendingFlush(tree);
  const message = messageFor(task);
  assert(!("memtable" in message));
  assertEquals(message.journals, task.memtable.journals);
  assertEquals(message.older, [{ segments: [{ minKey: "a", maxKey: "b" }] }]);
  assert(JSON.stringify(message).length < 1_000);
});

Deno.test("a journal that several memtables share gives each its own batches", () => {
  const tree = new PureTree(LARGE);
  for (let i = 0; i < 40; i++) tree.put([`key ${i % 7}`, `value ${i}`]);
  const disk = tree.disk();
  const flushes = flushesOf(recovered(disk, 600));
  assertGreater(flushes.length, 2);
  const storage = storageOf(disk);
  for (const task of flushes) {
    assertEquals(task.memtable.journals.length, 1);
    assertEquals(written(flushFrom(messageFor(task), storage)), written(task));
  }
});

Deno.test("what is written to a journal behind a memtable is none of its business", () => {
  const tree = new PureTree(LARGE);
  tree.put(["a", "1"], ["b", "2"]).seal();
  const task = pendingFlush(tree);
  const [[id, bytes]] = [...tree.disk().journals] as [[number, Uint8Array<ArrayBuffer>]];
  const longer = new Uint8Array(bytes.length + 100).fill(7);
  longer.set(bytes);
  const storage = storageOf({ journals: new Map([[id, longer]]) });
  assertEquals(written(flushFrom(messageFor(task), storage)), written(task));
});

/** A flush of eight batches that stand in three journals, and those journals. */
function flushOfThreeJournals(): { readonly task: FlushTask; readonly journals: Disk["journals"] } {
  let tree = new PureTree(LARGE);
  for (const keys of [["a", "b", "c"], ["d", "e"], ["f", "g", "h"]]) {
    const disk = tree.disk();
    tree = new PureTree(LARGE, { disk, plan: recovered(disk, LARGE.maxMemtableSize) });
    tree.put(...keys.map((key) => [key, `value of ${key}`] as const));
  }
  const disk = tree.disk();
  const [task] = flushesOf(recovered(disk, LARGE.maxMemtableSize));
  return { task: task!, journals: disk.journals };
}

Deno.test("a journal that is missing is not there, and one that is cut off anywhere is damaged", () => {
  const { task, journals } = flushOfThreeJournals();
  const message = messageFor(task);
  assertEquals([message.journals.length, task.memtable.map.size], [3, 8]);
  assertEquals(written(flushFrom(message, storageOf({ journals }))), written(task));
  for (const [id, bytes] of journals) {
    const others = new Map(journals);
    others.delete(id);
    assertThrows(() => memtableOf(message, storageOf({ journals: others })), NotFoundError);
    for (let length = 0; length < bytes.length; length++) {
      const cut = storageOf({ journals: new Map([...journals, [id, bytes.slice(0, length)]]) });
      assertThrows(() => memtableOf(message, cut), CorruptionError);
    }
  }
});

Deno.test("a journal in which any byte is wrong gives no memtable, also where others hold the first and the last batch", () => {
  const { task, journals } = flushOfThreeJournals();
  const message = messageFor(task);
  const whole = written(task);
  let damaged = 0;
  for (const [id, bytes] of journals) {
    for (const { at, bytes: changed } of someChanges(bytes)) {
      const storage = storageOf({ journals: new Map([...journals, [id, changed.slice()]]) });
      let found: Written;
      try {
        found = written(flushFrom(message, storage));
      } catch (error) {
        assert(error instanceof CorruptionError, `${error}`);
        damaged += 1;
        continue;
      }
      assertEquals(found, whole, `byte ${at} of journal ${id} is believed`);
    }
  }
  assertGreater(damaged, 100);
});
