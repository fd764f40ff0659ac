/**
 * The life of Workers: when there are any, what becomes of a tree when one dies, and that nothing of them is left.
 *
 * A Worker is made for a task, kept for a second, and ended; a process ends when nothing is to be done, whether its trees were
 * closed or not. A Worker that dies costs one try of one task. What is silent for ten seconds counts as dead, so the
 * cases that wait for that run beside each other.
 */

import { assert, assertEquals, assertGreater, assertLess, assertMatch, assertRejects } from "@std/assert";
import type { CompactionStrategy, StorageFile } from "../../mod.ts";
import { FileStorage, IoError, leveled, PoisonedError, Tree } from "../../mod.ts";
import { childCommand } from "../support/children.ts";
import { differing, writeNumber } from "../support/numbered_writes.ts";
import { testWithFiles, testWithProcesses } from "../support/permissions.ts";
import { checkStore, endOf, eventually } from "../support/worker_children.ts";
import type { OpenAnswer } from "./worker_child.ts";
import type { DeathAnswer } from "./worker_death_child.ts";

const CHILD = new URL("./worker_child.ts", import.meta.url);
const DEATH_CHILD = new URL("./worker_death_child.ts", import.meta.url);
const CONFIG = {
  maxMemtableSize: 32 * 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 32 * 1024 }),
};
const ROUNDS = 20;
/** Wants nothing, however many runs there are. */
const NEVER: CompactionStrategy = {
  name: "never",
  level0Threshold: 10_000,
  choose: () => ({ kind: "none" }),
};
/** Merges everything into many small segments: each is synced, so that it takes a while. */
const ALWAYS: CompactionStrategy = {
  ...NEVER,
  name: "always",
  choose: (levels) => {
    const segments = levels.levels.flat();
    if (segments.some(({ busy }) => busy)) return { kind: "none" };
    return { kind: "merge", segments: segments.map(({ id }) => id), destLevel: 6, targetSize: 1024 };
  },
};

/** Files whose journals cannot be synced any more as soon as that is said. */
class UnsyncedFiles extends FileStorage {
  /** Whether syncs succeed. */
  syncs = true;

  override create(name: string): StorageFile {
    const file = super.create(name);
    const syncAsync = file.syncAsync.bind(file);
    file.syncAsync = () => this.syncs ? syncAsync() : Promise.reject(new IoError(`Cannot sync "${name}"`));
    return file;
  }
}

/** Whether the operating system shows, and Deno lets us see, what this process has open. */
const SEES_PROCESS = Deno.build.os === "linux" &&
  Deno.permissions.querySync({ name: "read", path: "/proc/self/fd" }).state === "granted";

/** Runs a child some of whose Workers are not what they should be; what must hold in every case is checked here. */
async function deathOf(
  folder: string,
  what: string,
  count: number,
  writer: "yields" | "never yields",
): Promise<DeathAnswer> {
  const store = `${folder}/${what} ${count} ${writer}`;
  const args = [store, what, String(count), writer];
  const { answer, complaint, afterMs } = await endOf<DeathAnswer>(childCommand(DEATH_CHILD, args));
  assertEquals(answer.differing, [[], []], what);
  assertGreater(answer.tasks, 3);
  assertLess(afterMs, 3_000, "it goes on living after its tree was closed");
  assert(what === "throws" ? /^error: Uncaught \(in worker/.test(complaint) : complaint === "", complaint);
  await checkStore(store, answer.count);
  return answer;
}

testWithProcesses(
  "a Worker that throws costs one try of its task, and another takes its place at once",
  async (folder) => {
    const { modes, reason, made, refusals, seenErrors, missedMs } = await deathOf(
      folder,
      "throws",
      1,
      "yields",
    );
    assertEquals([modes, reason, refusals], [["worker", "worker"], "", []]);
    assertGreater(made, 1);
    assertEquals(seenErrors.length, 1);
    assertMatch(seenErrors[0]!, /^IoError: Cannot go on with background work: .*the Worker has had enough/);
    assertLess(missedMs, 5_000);
  },
);

testWithProcesses(
  "Workers that die one after the other are given up, and work goes on inline",
  async (folder) => {
    const { modes, reason, made, refusals, seenErrors } = await deathOf(folder, "throws", 1_000, "yields");
    assertEquals([modes, refusals], [["inline", "inline"], []]);
    // A flush and a merge may be under way when the third dies.
    assert(made >= 3 && made <= 4, `${made} were made`);
    assertMatch(reason, /^workers died: .*the Worker has had enough/);
    assertGreater(seenErrors.length, 0);
  },
);

testWithProcesses("a Worker that cannot be made costs nothing: work goes on inline", async (folder) => {
  const { modes, reason, made, refusals, seenErrors } = await deathOf(folder, "refused", 1_000, "yields");
  assertEquals([modes, made, refusals, seenErrors], [["inline", "inline"], 1, [], []]);
  assertEquals(reason, "a worker could not be made: there shall be no Worker");
});

testWithProcesses(
  "a Worker that is silent is missed after a while, and no writer hangs, not even one that never yields",
  async (folder) => {
    const [closed, held, thrown, deaf, terminated] = await Promise.all([
      deathOf(folder, "closes", 1, "yields"),
      deathOf(folder, "stays", 1, "never yields"),
      // The error is an event, and the writer lets no event come.
      deathOf(folder, "throws", 1, "never yields"),
      deathOf(folder, "deaf", 1, "yields"),
      deathOf(folder, "terminated", 1, "yields"),
    ]);
    for (const { modes, reason, seenErrors, missedMs } of [closed, held, thrown]) {
      assertEquals([modes, reason], [["worker", "worker"], ""]);
      assertEquals(seenErrors.length, 1);
      assertMatch(
        seenErrors[0]!,
        /^IoError: Cannot go on with background work: .* no sign of life for 10\d{3} ms$/,
      );
      assertLess(missedMs, 20_000);
    }
    assertEquals([closed.refusals, held.refusals, thrown.refusals], [[], held.seenErrors, thrown.seenErrors]);
    // Nobody has begun the task of a Worker that never came, so no try of it is lost.
    for (const { modes, reason, refusals, seenErrors, missedMs } of [deaf, terminated]) {
      assertEquals([modes, refusals, seenErrors], [["inline", "inline"], [], []]);
      assertMatch(reason, /^a worker did not start: .* no sign of life for 15\d{3} ms$/);
      assertLess(missedMs, 25_000);
    }
  },
);

testWithFiles(
  "a Worker that is at work when its poisoned tree is closed touches nothing after that",
  async (folder) => {
    const quiet = { ...CONFIG, compactionStrategy: NEVER };
    const filled = await Tree.open(folder, { ...quiet, background: "inline" });
    for (let number = 1; number <= 20_000; number++) writeNumber(filled, number);
    await filled.close();

    const storage = new UnsyncedFiles(folder);
    const tree = await Tree.open(folder, {
      ...CONFIG,
      compactionStrategy: ALWAYS,
      fsyncInterval: null,
      storage,
    });
    const before = segmentsIn(folder).length;
    // The journal is made before ids are reserved for the merge, as where a tree has been open for a while.
    writeNumber(tree, 20_001);
    await eventually(() => segmentsIn(folder).length > before, 10_000, () => "no merge has begun");
    storage.syncs = false;
    await assertRejects(() => tree.flush(), IoError);
    await assertRejects(() => tree.close(), PoisonedError);
    const left = segmentsIn(folder);
    assertEquals(left.length, before, "what was begun has been removed");
    await new Promise((resolve) => setTimeout(resolve, 300));
    assertEquals(segmentsIn(folder), left);

    const again = await Tree.open(folder, quiet);
    assertEquals(differing(again, 20_001), []);
    for (let number = 20_002; number <= 20_010; number++) {
      writeNumber(again, number);
      await again.flushMemtable();
    }
    await again.close();
    await checkStore(folder, 20_010);
  },
);

testWithProcesses("a process with an idle tree that was not closed ends by itself", async (folder) => {
  const { answer, complaint, afterMs } = await endOf<OpenAnswer>(childCommand(CHILD, ["idle", folder]));
  assertEquals([answer.tasks, complaint], [0, ""]);
  assertGreater(answer.threads, 0, "its Workers were there");
  assertLess(afterMs, 3_000);
  await checkStore(folder, answer.count);
});

testWithProcesses("a process whose tree has a task under way ends when that is done", async (folder) => {
  const { answer, complaint, afterMs } = await endOf<OpenAnswer>(childCommand(CHILD, ["busy", folder]));
  assertEquals([answer.tasks > 0, complaint], [true, ""]);
  assertLess(afterMs, 10_000);
  const tree = await Tree.open(folder, { readOnly: true });
  assertEquals(tree.history().changes.filter(({ cause }) => cause === "merge").length, 1);
  assertEquals(tree.stats().levels.length, 1);
  await tree.close();
  await checkStore(folder, answer.count);
});

testWithFiles(
  "an open tree has no Workers before its first task and a second after its last",
  async (folder) => {
    await using tree = await Tree.open(folder, CONFIG);
    const threads = (): number => tree.stats().background.threads;
    assertEquals([tree.stats().background.mode, threads()], ["worker", 0]);
    for (let round = 0; round < 2; round++) {
      for (let number = 1; number <= 500; number++) writeNumber(tree, number);
      await tree.compact();
      assertGreater(threads(), 0);
      await eventually(() => threads() === 0, 4_000, () => "Workers without a task");
    }
    assertEquals(differing(tree, 500), []);
  },
);

if (SEES_PROCESS) {
  testWithFiles("twenty lives leave no thread and no descriptor behind", async (folder) => {
    await live(`${folder}/store`, 1);
    // A thread that was told to end takes a moment for it.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const before = countsOf();
    await live(`${folder}/store`, ROUNDS);
    await eventually(() => countsOf() === before, 5_000, () => `${before} have become ${countsOf()}`);
  });
}

/** All that a tree does, so many times. */
async function live(folder: string, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const tree = await Tree.open(folder, CONFIG);
    for (let number = 1; number <= 300; number++) writeNumber(tree, number);
    await tree.flushMemtable();
    assertGreater(tree.stats().background.threads, 0);
    for (let number = 301; number <= 600; number++) writeNumber(tree, number);
    if (round % 2 === 0) await tree.compact();
    await tree.close();
  }
}

/** What this process has open, and its threads, but for those that the runtime makes for calls that wait and ends after ten seconds. */
function countsOf(): string {
  const threads = [...Deno.readDirSync("/proc/self/task")].map(({ name }) => threadName(name));
  const descriptors = [...Deno.readDirSync("/proc/self/fd")].length;
  return `${descriptors} descriptors, ${threads.filter((name) => !name.startsWith("tokio-")).length} threads`;
}

function segmentsIn(folder: string): readonly string[] {
  return new FileStorage(folder).list().map(({ name }) => name).filter((name) => name.startsWith("segment-"))
    .sort();
}

function threadName(id: string): string {
  try {
    return Deno.readTextFileSync(`/proc/self/task/${id}/comm`);
  } catch {
    return "ended meanwhile";
  }
}
