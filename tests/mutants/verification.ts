/**
 * Mutants of verify and repair: what they overlook, and what they believe.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const INSPECTION = "core/inspection.ts";
const INSPECTION_TEST = "tests/core/inspection_test.ts";
const VERIFY = "tests/properties/verify_test.ts";
const VERIFY_TEST = "tests/io/verify_test.ts";
const REPAIR = "tests/properties/repair_test.ts";
const REPAIR_TEST = "tests/io/repair_test.ts";
const SALVAGE_TEST = "tests/core/salvage_test.ts";

/** Mutants of verify and repair. */
export const VERIFICATION: readonly Mutant[] = [
  {
    name: "verify does not ask the filter for the keys that are there",
    file: INSPECTION,
    find: "!mayContain(filter, hash)",
    replace: "filter.length < 0",
    killedBy: [INSPECTION_TEST, VERIFY_TEST],
  },
  {
    name: "verify does not look at tags",
    file: INSPECTION,
    find: "block.tag(i) !== tagOf(hash)",
    replace: "block.tag(i) < 0",
    killedBy: [INSPECTION_TEST],
  },
  {
    name: "verify lets the blocks of a segment overlap",
    file: INSPECTION,
    find: "first <= before",
    replace: "first < before",
    killedBy: [INSPECTION_TEST],
  },
  {
    name: "verify does not compare the properties of a segment with the manifest",
    file: INSPECTION,
    find: "properties[field] !== meta[field]",
    replace: "meta === properties",
    killedBy: [INSPECTION_TEST, VERIFY],
  },
  {
    name: "verify does not count entries",
    file: INSPECTION,
    find: 'expect("entries", this.#entries, this.#expected?.entries);',
    replace: "",
    killedBy: [INSPECTION_TEST],
  },
  {
    name: "verify stops at the first damaged block of a segment",
    file: INSPECTION,
    find: "this.#unread += 1;",
    replace: 'throw new Error("damaged");',
    killedBy: [INSPECTION_TEST],
  },
  {
    name: "verify takes a refusal of the operating system for damage",
    file: INSPECTION,
    find: "if (!isDamage(error)) throw error;\n    problems.push(error.file",
    replace: "problems.push((error as TreeError).file",
    killedBy: [VERIFY_TEST, INSPECTION_TEST],
  },
  {
    name: "verify overlooks that a listed segment is missing",
    file: "io/verify.ts",
    find: "if (!this.#names.includes(name)) this.#add([missing(name)]);",
    replace: "",
    killedBy: [VERIFY_TEST],
  },
  {
    name: "verify does not look at what recovery would say of the journals",
    file: "io/verify.ts",
    find: "if (manifest !== undefined) this.#recovery(manifest, journals);",
    replace: "",
    killedBy: [VERIFY, VERIFY_TEST],
  },
  {
    name: "verify keeps the lock of readers",
    file: "io/verify.ts",
    find: "  } finally {\n    lock.release();\n  }\n}\n\nasync function lockReaders",
    replace: "  } finally {\n    pace.check();\n  }\n}\n\nasync function lockReaders",
    killedBy: [VERIFY_TEST],
  },
  {
    name: "a repair uses segments that a readable manifest does not list",
    file: "io/repair_source.ts",
    find: "this.#runs = used === undefined ?",
    replace: "this.#runs = used !== null ?",
    killedBy: [REPAIR, REPAIR_TEST],
  },
  {
    name: "a repair without a manifest takes older segments for newer",
    file: "io/repair_source.ts",
    find: "b.seqnoMax - a.seqnoMax",
    replace: "a.seqnoMax - b.seqnoMax",
    killedBy: [REPAIR, REPAIR_TEST],
  },
  {
    name: "a repair does not say which journal is missing",
    file: "io/repair_source.ts",
    find: 'this.lose({ file, offset: 0, bytes: validBytes, reason: "it is missing" });',
    replace: "",
    killedBy: [REPAIR_TEST, REPAIR],
  },
  {
    name: "a repair says that bytes are lost whose batches another journal has",
    file: "io/repair_source.ts",
    find: "if (behind === undefined ? !batches.has(next) : next < behind) lost.push(one);",
    replace: "if (next > 0) lost.push(one);",
    killedBy: ["tests/regressions/repair_of_a_half_copied_journal_test.ts"],
  },
  {
    name: "a repair drops a damaged block without a word",
    file: "core/salvage.ts",
    find: "lost({ ...place, reason: error.message });",
    replace: "",
    killedBy: [SALVAGE_TEST, REPAIR],
  },
  {
    name: "a repair believes blocks whose keys go back",
    file: "core/salvage.ts",
    find: "block.key(0) > this.#lastKey",
    replace: "block.key(0) !== this.#lastKey",
    killedBy: [SALVAGE_TEST, REPAIR_TEST],
  },
  {
    name: "a repair replays batches once more that segments hold",
    file: "io/repair_source.ts",
    find: "record.number > flushed && !byNumber",
    replace: "!byNumber",
    killedBy: [REPAIR_TEST, REPAIR],
  },
  {
    name: "a repair writes into a folder that is not empty",
    file: "io/repair.ts",
    find: "if (!isEmpty) {",
    replace: "if (isEmpty && folder.length === 0) {",
    killedBy: [REPAIR_TEST],
  },
];
