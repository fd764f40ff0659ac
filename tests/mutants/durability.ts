/**
 * Mutants of durability: what is synced, in which order, and what a failure does.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const CRASH = "tests/properties/crash_test.ts";
const FAULT = "tests/properties/fault_test.ts";
const CONCURRENCY = "tests/properties/concurrency_test.ts";
const DURABILITY_TEST = "tests/io/durability_test.ts";

/** Mutants of durability. */
export const DURABILITY: readonly Mutant[] = [
  {
    name: "the folder is not synced before CURRENT is renamed, so the rename may outlive the manifest's name",
    file: "io/manifest_writer.ts",
    find: "syncFolder(storage);\n  storage.rename(",
    replace: "storage.rename(",
    like: "LevelDB issue 195",
    killedBy: [CRASH],
  },
  {
    name: "the folder is not synced after CURRENT was renamed, and the old manifest goes",
    file: "io/manifest_writer.ts",
    find: "CURRENT_NAME);\n  syncFolder(storage);",
    replace: "CURRENT_NAME);",
    like: "LevelDB issue 195",
    killedBy: [CRASH],
  },
  {
    name: "a new CURRENT is renamed before it is synced",
    file: "io/manifest_writer.ts",
    find: "file.sync();\n  } finally {",
    replace: "} finally {",
    like: "LevelDB issue 195",
    killedBy: [CRASH],
  },
  {
    name: "CURRENT names a new manifest before that is synced",
    file: "io/manifest_writer.ts",
    find: "file.sync();\n      replaceCurrent(",
    replace: "replaceCurrent(",
    like: "LevelDB issue 195",
    killedBy: [CRASH],
  },
  {
    name: "the old manifest goes before CURRENT names the new one",
    file: "io/manifest_writer.ts",
    find: "      replaceCurrent(this.#storage, id);",
    replace: "      if (before > 0) this.#remove(before);\n      replaceCurrent(this.#storage, id);",
    killedBy: [CRASH],
  },
  {
    name: "an edit is not synced before files are removed on its word",
    file: "io/manifest_writer.ts",
    find: "syncFile(this.#file!);\n    this.#mark(",
    replace: "this.#mark(",
    like: "RocksDB issue 10573",
    killedBy: [CRASH],
  },
  {
    name: "the mark that says an edit is durable is written before it is",
    file: "io/manifest_writer.ts",
    find: "syncFile(this.#file!);\n    this.#mark(editNumber, durable);",
    replace: "this.#mark(editNumber, durable);\n    syncFile(this.#file!);",
    killedBy: [CRASH],
  },
  {
    name: "a segment is not synced before an edit names it",
    file: "io/segment_writer.ts",
    find: "this.#file!.sync();",
    replace: "",
    like: "RocksDB issue 10573",
    killedBy: [CRASH],
  },
  {
    name: "the folder is not synced before an edit names a new segment",
    file: "io/segment_writer.ts",
    find: "if (this.#begun.length > 0) syncFolder(this.#storage);",
    replace: "",
    like: "RocksDB issue 10573",
    killedBy: [CRASH],
  },
  {
    name: "the header of a journal, with the salt, is not synced when it is made",
    file: "io/journal_writer.ts",
    find: "file.sync();\n    return file;",
    replace: "return file;",
    killedBy: ["tests/regressions/journal_of_a_used_name_test.ts", CRASH],
  },
  {
    name: "a barrier syncs only the newest journal, so an older one may lack what it holds",
    file: "core/state.ts",
    find: "for (const memtable of [...state.sealed].reverse()) addJournals(",
    replace: "for (const memtable of state.sealed.slice(0, 0)) addJournals(",
    like: "Pebble issue 864, RocksDB issue 7252",
    killedBy: ["tests/core/state_test.ts", CRASH],
  },
  {
    name: "a barrier syncs newer journals before older ones",
    file: "core/state.ts",
    find: "of [...state.sealed].reverse()) addJournals(",
    replace: "of state.sealed) addJournals(",
    like: "Pebble issue 864",
    killedBy: ["tests/core/state_test.ts", CRASH],
  },
  {
    name: "a barrier does not sync the folder that names a new journal",
    file: "core/state.ts",
    find: "folder: newest > state.durableJournal,",
    replace: "folder: false,",
    killedBy: ["tests/core/state_test.ts", CRASH],
  },
  {
    name: "a barrier counts what was written after it began as durable",
    file: "core/step.ts",
    find: "Math.max(state.durableSeqno, command.seqno)",
    replace: "state.seqno",
    killedBy: ["tests/core/step_test.ts", CONCURRENCY],
  },
  {
    name: "a record says that batches are durable which nobody has synced",
    file: "core/step.ts",
    find: "state.durableSeqno,\n  );\n  const effect",
    replace: "state.seqno,\n  );\n  const effect",
    killedBy: [CRASH],
  },
  {
    name: "with every write synced none is",
    file: "core/step.ts",
    find: "[effect, syncWith(state, journal.id)]",
    replace: "[effect]",
    killedBy: ["tests/core/step_test.ts", CRASH],
  },
  {
    name: "with every write synced the sync comes before the append",
    file: "core/step.ts",
    find: "[effect, syncWith(state, journal.id)]",
    replace: "[syncWith(state, journal.id), effect]",
    killedBy: ["tests/core/step_test.ts", CRASH],
  },
  {
    name: "a failed sync is tried a second time, and believed",
    file: "io/barrier.ts",
    find: 'throw new BarrierError(`Cannot sync "${file.name}"`, { cause: error });',
    replace: "file.sync();",
    like: "PostgreSQL, fsyncgate of 2018",
    killedBy: [FAULT],
  },
  {
    name: "a failed barrier leaves the tree as if nothing had happened",
    file: "io/engine.ts",
    find: 'this.#state = step(this.#state, { kind: "poison", error: error.cause }, this.#options).state;',
    replace: "",
    like: "PostgreSQL, fsyncgate of 2018",
    killedBy: [CONCURRENCY, FAULT],
  },
  {
    name: "after a failed barrier files go when a snapshot lets go of them",
    file: "io/engine.ts",
    find: "if (isLast && !this.#closed && this.#state.poisoned === undefined) this.#removals.run();",
    replace: "if (isLast && !this.#closed) this.#removals.run();",
    killedBy: [DURABILITY_TEST],
  },
  {
    name: "after a failed barrier files go when the tree is closed",
    file: "io/engine.ts",
    find: "if (!this.#config.readOnly && this.#state.poisoned === undefined) this.#removals.finish();",
    replace: "if (!this.#config.readOnly) this.#removals.finish();",
    killedBy: [DURABILITY_TEST],
  },
  {
    name: "what a failed append left in the journal stays there, and later batches stand behind it",
    file: "io/barrier.ts",
    find: "file.truncate(bytes);",
    replace: "",
    like: "fjall issue 308",
    killedBy: [FAULT, DURABILITY_TEST],
  },
  {
    name: "a failed append that cannot be taken back does not poison the tree",
    file: "io/barrier.ts",
    find: 'throw new BarrierError(`Cannot take back a failed append to "${file.name}"`, { cause: error });',
    replace: "throw error;",
    like: "fjall issue 308",
    killedBy: [FAULT, DURABILITY_TEST],
  },
  {
    name: "a write is visible before it is in the journal",
    file: "io/engine.ts",
    find: "for (const effect of persist) this.#persist(effect);",
    replace: "this.#state = state;\n    for (const effect of persist) this.#persist(effect);",
    like: "fjall issue 304",
    killedBy: [FAULT],
  },
  {
    name: "a journal goes when its memtable is written, before the edit that says so is durable",
    file: "core/step.ts",
    find: '{ kind: "task", task, outputs }],\n    },\n    options,\n    now,\n',
    replace: '{ kind: "task", task, outputs }],\n    },\n    options,\n    now,\n    [],\n    ' +
      'task.kind === "merge" ? [] : [{ kind: "delete_files", segments: [], ' +
      "journals: task.memtable.journals.map((journal) => journal.id) }],\n",
    like: "LevelDB issue 195",
    killedBy: ["tests/core/step_test.ts", CRASH],
  },
  {
    name: "flush() resolves before its barrier has passed",
    file: "io/durability.ts",
    find: "await this.#begin();",
    replace: "return void this.#begin().catch(() => {});",
    killedBy: [CONCURRENCY],
  },
  {
    name: "the timer of fsyncInterval fires and syncs nothing",
    file: "io/durability.ts",
    find: "if (durableSeqno < seqno) this.#beginQuietly(interval);",
    replace: "",
    killedBy: [DURABILITY_TEST],
  },
  {
    name: "in a loop that never yields nothing is ever synced",
    file: "io/durability.ts",
    find: "this.#quietly(() => this.passNow());",
    replace: "",
    killedBy: [DURABILITY_TEST],
  },
  {
    name: "a barrier that a full disk kept from beginning is never tried again",
    file: "io/durability.ts",
    find:
      "if (poisoned === undefined && !this.#stopped && this.#timer === undefined) this.#armTimer(interval);",
    replace: "",
    like: "RocksDB issue 919",
    killedBy: [DURABILITY_TEST],
  },
  {
    name: "records that wait in memory are written out newest first",
    file: "io/journal_writer.ts",
    find: "this.#waiting[0]!;\n      this.#write(journal, bytes, start, end);\n      this.#waiting.shift();",
    replace:
      "this.#waiting.at(-1)!;\n      this.#write(journal, bytes, start, end);\n      this.#waiting.pop();",
    killedBy: [DURABILITY_TEST],
  },
  {
    name: "a barrier forgets the records that still wait in memory",
    file: "io/durability.ts",
    find: "await Promise.resolve();\n    try {\n      this.#journals.drain();",
    replace: "await Promise.resolve();\n    try {",
    killedBy: [DURABILITY_TEST, CRASH],
  },
  {
    name: "close() forgets to sync",
    file: "io/engine.ts",
    find: "this.#durability.passNow();\n",
    replace: "\n",
    killedBy: [DURABILITY_TEST, CRASH],
  },
  {
    name: "close() does not say in the manifest that the tree was closed in order",
    file: "io/engine.ts",
    find: 'withEdit(this.#state, edit), "closed", seqno, now)',
    replace: 'withEdit(this.#state, edit), "snapshot", seqno, now)',
    killedBy: ["tests/io/open_test.ts"],
  },
  {
    name: "a short write counts as a whole one",
    file: "io/whole.ts",
    find: "for (let at = start; at < end;) at += file.append(bytes, at, end);",
    replace: "if (start < end) file.append(bytes, start, end);",
    killedBy: ["tests/io/full_disk_test.ts", CRASH],
  },
];
