/**
 * Mutants of writes and memory: batches, clears, the ends of a queue, when a memtable is sealed.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const MEMTABLE = "tests/core/memtable_test.ts";
const STEP = "tests/core/step_test.ts";

/** Mutants of writes and memory. */
export const WRITES: readonly Mutant[] = [
  {
    name: "of several operations of a batch on one key the first wins",
    file: "core/memtable.ts",
    find: "of batch.operations) {",
    replace: "of batch.operations.toReversed()) {",
    killedBy: [MEMTABLE],
  },
  {
    name: "what stands before a clear in the memtable survives it",
    file: "core/memtable.ts",
    find: "map = emptySortedMap();\n      clears = true;",
    replace: "clears = true;",
    killedBy: [MEMTABLE],
  },
  {
    name: "a clear leaves the segments",
    file: "core/schedule.ts",
    find: "removed: memtable.clears ? versionSegments(state.version).map((segment) => segment.id) : [],",
    replace: "removed: [],",
    killedBy: [STEP, "tests/properties/core_model_test.ts"],
  },
  {
    name: "a memtable that clears keeps a remove from leaving anything, and then does not clear",
    file: "core/memtable.ts",
    find: "map = !clears && covered(key)",
    replace: "map = covered(key)",
    killedBy: [MEMTABLE],
  },
  {
    name: "a remove leaves no tombstone though a sealed memtable has the key",
    file: "core/state.ts",
    find: "if (memtableCovers(memtable, key)) return true;",
    replace: "",
    killedBy: ["tests/core/state_test.ts", "tests/properties/core_model_test.ts"],
  },
  {
    name: "a remove leaves no tombstone though a segment has the key",
    file: "core/state.ts",
    find: "return versionCovers(view.version, key);",
    replace: "return false;",
    killedBy: ["tests/core/state_test.ts", "tests/properties/core_model_test.ts"],
  },
  {
    name: "a remove leaves a tombstone behind a clear, and a queue's memtable grows",
    file: "core/state.ts",
    find: "if (memtable.clears) return false;",
    replace: "",
    killedBy: ["tests/core/state_test.ts"],
  },
  {
    name: "the greatest key of a memtable is taken to lie behind it",
    file: "core/memtable.ts",
    find: "key <= mapLast(memtable.map)![0]",
    replace: "key < mapLast(memtable.map)![0]",
    killedBy: [MEMTABLE],
  },
  {
    name: "a key that is overwritten for ever never fills a memtable",
    file: "core/memtable.ts",
    find: "bytes: memtable.bytes + place.bytes,",
    replace: "bytes: memtable.bytes + (map.size > memtable.map.size ? place.bytes : 0),",
    killedBy: [MEMTABLE],
  },
  {
    name: "a memtable is never full",
    file: "core/step.ts",
    find: "if (active.bytes < options.maxMemtableSize) return",
    replace: "if (active.bytes > 0) return",
    killedBy: [STEP],
  },
  {
    name: "a memtable is full one batch too late",
    file: "core/step.ts",
    find: "if (active.bytes < options.maxMemtableSize) return",
    replace: "if (state.active.bytes < options.maxMemtableSize) return",
    killedBy: [STEP],
  },
  {
    name: "a sealed memtable is put behind the older ones",
    file: "core/step.ts",
    find: "sealed: [active, ...state.sealed],",
    replace: "sealed: [...state.sealed, active],",
    killedBy: [STEP, "tests/properties/core_model_test.ts"],
  },
  {
    name: "an entry that is put below what was popped is not found",
    file: "core/step.ts",
    find: "if (key < emptyBelow) emptyBelow = key;",
    replace: "",
    killedBy: [STEP, "tests/io/tree_test.ts", "tests/properties/core_model_test.ts"],
  },
  {
    name: "an entry that is put above what was popped is not found",
    file: "core/step.ts",
    find: 'emptyFrom = key + "\\0";\n',
    replace: "emptyFrom = key;\n",
    killedBy: [STEP, "tests/io/tree_test.ts", "tests/properties/core_model_test.ts"],
  },
  {
    name: "a queue passes over all that it has popped before",
    file: "core/step.ts",
    find: 'else if (command.pop === "first") emptyBelow = key + "\\0";',
    replace: 'else if (command.pop === "first") emptyBelow = "";',
    killedBy: ["tests/properties/core_model_test.ts"],
  },
  {
    name: "a remove of any key counts as one of the first",
    file: "core/step.ts",
    find: 'else if (command.pop === "first") emptyBelow',
    replace: 'else if (command.pop !== "last") emptyBelow',
    killedBy: ["tests/properties/core_model_test.ts"],
  },
  {
    name: "a batch that was copied into another chunk points to where it was",
    file: "core/batch.ts",
    find: "const shift = start - batch.start;",
    replace: "const shift = 0;",
    killedBy: ["tests/core/batch_test.ts"],
  },
  {
    name: "a batch that has moved into a larger chunk points to where it was",
    file: "core/batch.ts",
    find: "this.#moved ||= several;",
    replace: "",
    killedBy: ["tests/core/batch_test.ts"],
  },
  {
    name: "a value that is longer than a slot of an arena hides what comes behind",
    file: "core/arena.ts",
    find: "for (let covered = 0; covered < bytes.length; covered += SLOT_BYTES) this.#slots.push(chunk);",
    replace: "this.#slots.push(chunk);",
    killedBy: ["tests/core/arena_test.ts"],
  },
  {
    name: "a callback of the user's may write to the tree while it is read for it",
    file: "io/engine.ts",
    find: "if (this.#inCallback) {",
    replace: "if (this.#inCallback && this.#closed) {",
    killedBy: ["tests/io/entry_test.ts", "tests/io/tree_test.ts"],
  },
  {
    name: "a batch that could not be committed cannot be committed again",
    file: "io/write_batch.ts",
    find: "this.#commit(builder.peek());\n    this.#builder = undefined;",
    replace: "this.#builder = undefined;\n    this.#commit(builder.peek());",
    killedBy: ["tests/io/batch_test.ts"],
  },
  {
    name: "a write edits nodes in place that a snapshot or a range reads",
    file: "io/engine.ts",
    find: "pin(version: Version): void {\n    this.#owner = newOwner();",
    replace: "pin(version: Version): void {",
    killedBy: ["tests/io/snapshot_test.ts", "tests/io/range_test.ts"],
  },
  {
    name: "a write is taken while the tree is being closed",
    file: "io/engine.ts",
    find: "if (this.#closed || this.#closing !== undefined) {",
    replace: "if (this.#closed) {",
    killedBy: ["tests/io/tree_test.ts", "tests/io/durability_test.ts"],
  },
  {
    name: "a callback within a callback lets the outer one write",
    file: "io/engine.ts",
    find: "this.#inCallback = before;",
    replace: "this.#inCallback = false;",
    killedBy: ["tests/io/tree_test.ts"],
  },
  {
    name: "a value that is larger than what a segment gathers is written before what was gathered",
    file: "io/segment_writer.ts",
    find: "if (this.#used + bytes.length > PIECE_BYTES) this.#empty();",
    replace: "if (bytes.length <= PIECE_BYTES && this.#used + bytes.length > PIECE_BYTES) this.#empty();",
    killedBy: ["tests/io/tree_test.ts", "tests/io/input_test.ts"],
  },
  {
    name: "a node that loses its last child keeps a separator too many",
    file: "core/sorted_map.ts",
    find: "keys.toSpliced(at === 0 ? 0 : at - 1, 1)",
    replace: "keys.toSpliced(at, 1)",
    killedBy: ["tests/core/sorted_map_test.ts"],
  },
];
