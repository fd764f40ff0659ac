/**
 * Mutants of reads: bounds, ranges and their ends, snapshots, filters, indexes, copies.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const RANGE = "tests/io/range_test.ts";
const MODEL = "tests/properties/model_test.ts";
const CORE_MODEL = "tests/properties/core_model_test.ts";
const CURSOR = "tests/core/cursor_test.ts";
const SEGMENT = "tests/core/segment_test.ts";
const LOOKUP = "tests/core/lookup_test.ts";

/** Mutants of reads. */
export const READS: readonly Mutant[] = [
  {
    name: "gte leaves out the key itself",
    file: "io/bounds.ts",
    find: 'lower = toKey(gte, "bound gte");',
    replace: 'lower = keySuccessor(toKey(gte, "bound gte"));',
    killedBy: ["tests/io/bounds_test.ts"],
  },
  {
    name: "gt has the key itself",
    file: "io/bounds.ts",
    find: 'lower = keySuccessor(toKey(gt, "bound gt"));',
    replace: 'lower = toKey(gt, "bound gt");',
    killedBy: ["tests/io/bounds_test.ts"],
  },
  {
    name: "lte leaves out the key itself",
    file: "io/bounds.ts",
    find: 'upper = keySuccessor(toKey(lte, "bound lte"));',
    replace: 'upper = toKey(lte, "bound lte");',
    killedBy: ["tests/io/bounds_test.ts"],
  },
  {
    name: "a prefix that ends in 0xff has no end, or the wrong one",
    file: "core/bytes.ts",
    find: "if (last < 0xff) return",
    replace: "if (last <= 0xff) return",
    like: "MuninnDB issue 816",
    killedBy: ["tests/core/bytes_test.ts"],
  },
  {
    name: "a prefix of 0xff bytes alone gives nothing",
    file: "core/bytes.ts",
    find:
      "    if (last < 0xff) return prefix.slice(0, end - 1) + String.fromCharCode(last + 1);\n  }\n  return undefined;",
    replace: "    if (last < 0xff) return prefix.slice(0, end - 1) + String.fromCharCode(last + 1);\n  }\n" +
      '  return prefix === "" ? undefined : prefix;',
    like: "Memgraph pull request 4886",
    killedBy: ["tests/core/bytes_test.ts"],
  },
  {
    name: "where the ends of a range meet the back gives an entry that the front gave",
    file: "core/merged_range.ts",
    find: "order(met, current) >= 0",
    replace: "order(met, current) > 0",
    like: "sled issue 1540",
    killedBy: ["tests/core/merged_range_test.ts"],
  },
  {
    name: "where the ends of a range meet the front gives an entry that the back gave",
    file: "core/merged_range.ts",
    find: "order(current, met) >= 0",
    replace: "order(current, met) > 0",
    like: "sled issue 1540",
    killedBy: ["tests/core/merged_range_test.ts"],
  },
  {
    name: "a range that is done begins anew when it is asked again",
    file: "core/merged_range.ts",
    find: "this.#done = true;\n",
    replace: "\n",
    killedBy: ["tests/core/merged_range_test.ts"],
  },
  {
    name: "a range that has failed goes on behind the entry that it could not read",
    file: "io/range.ts",
    find: "} catch (error) {\n      this.#finish();",
    replace: "} catch (error) {",
    like: "redb: an iterator that went on after an error",
    killedBy: [RANGE, "tests/properties/fault_test.ts"],
  },
  {
    name: "the limit of a range counts the front alone",
    file: "io/range.ts",
    find: "shared.left -= 1;",
    replace: "if (!back) shared.left -= 1;",
    killedBy: [RANGE],
  },
  {
    name: "rev() forgets how much of the limit was used",
    file: "io/range.ts",
    find: "const range = new Range(shared, !this.#reversed);",
    replace: "const range = new Range({ ...shared, left: Infinity }, !this.#reversed);",
    killedBy: [RANGE],
  },
  {
    name: "a range sees what is written after it was made, until it is first asked",
    file: "io/range.ts",
    find: "new MergedRange(state, { lower, upper }, engine.readers)",
    replace:
      "new MergedRange(\n      { get active() { return engine.state.active; }, sealed: state.sealed, version: state.version },\n" +
      "      { lower, upper },\n      engine.readers,\n    )",
    killedBy: [RANGE],
  },
  {
    name: "a range lets go of its files while it runs",
    file: "io/range.ts",
    find: "const range = new Range(shared, options.reverse ?? false);",
    replace: "const range = new Range(shared, options.reverse ?? false);\n    shared.pin.release();",
    killedBy: [RANGE, "tests/io/pin_test.ts"],
  },
  {
    name: "a snapshot lets go of its files while it is open",
    file: "io/snapshot.ts",
    find: "this.#pin.watch(this);",
    replace: "this.#pin.release();",
    killedBy: ["tests/io/snapshot_test.ts"],
  },
  {
    name: "of two snapshots of one version the first to be closed takes the files",
    file: "io/removals.ts",
    find: "(this.#pins.get(version) ?? 0) + 1",
    replace: "1",
    killedBy: ["tests/io/removals_test.ts"],
  },
  {
    name: "segments go although a snapshot has them",
    file: "io/removals.ts",
    find:
      "for (const version of this.#pins.keys()) for (const { id } of versionSegments(version)) needed.add(id);",
    replace: "",
    like: "ScyllaDB issue 4051",
    killedBy: ["tests/io/removals_test.ts"],
  },
  {
    name: "memory of a flushed memtable goes although a snapshot reads it",
    file: "io/engine.ts",
    find: "if (this.#removals.pinnedVersions === 0) freeFlushed(",
    replace: "freeFlushed(",
    killedBy: ["tests/io/freed_memory_test.ts", "tests/io/snapshot_test.ts"],
  },
  {
    name: "memory of a flushed memtable goes although the writer goes on in it",
    file: "io/flushed_memory.ts",
    find: "const needed = new Set([writing]);",
    replace: "const needed = new Set([writing]);\n  needed.clear();",
    killedBy: ["tests/io/freed_memory_test.ts"],
  },
  {
    name: "memory of a recovered journal goes although a memtable that waits is in it too",
    file: "io/flushed_memory.ts",
    find:
      "for (const { arena } of [active, ...sealed]) for (const buffer of arena.buffers()) needed.add(buffer);",
    replace: "",
    killedBy: ["tests/io/freed_memory_test.ts"],
  },
  {
    name: "a filter looks for other bits than were set, and loses keys",
    file: "core/filter.ts",
    find: "if ((filter[from + (bit >>> 3)]! & (1 << (bit & 7))) === 0) return false;",
    replace: "if ((filter[from + (bit >>> 3)]! & (1 << (7 - (bit & 7)))) === 0) return false;",
    killedBy: ["tests/core/filter_test.ts"],
  },
  {
    name: "a filter of more keys than it began with loses the first",
    file: "core/filter.ts",
    find: "grown.set(this.#hashes);",
    replace: "",
    like: "RocksDB pull request 4024",
    killedBy: ["tests/core/filter_test.ts"],
  },
  {
    name: "the hash of a string differs from that of its bytes above 0x7f",
    file: "core/filter.ts",
    find: "return source.charCodeAt(at) |",
    replace: "return (source.charCodeAt(at) & 0x7f) |",
    like: "Pebble pull request 629",
    killedBy: ["tests/core/filter_test.ts"],
  },
  {
    name: "a block has other tags than are looked for",
    file: "core/segment.ts",
    find: "tagOf(hash), value, valueStart",
    replace: "hash >>> 24, value, valueStart",
    killedBy: [LOOKUP, SEGMENT, CORE_MODEL],
  },
  {
    name: "a key that is itself a separator is looked for in the block before, where heads are the same",
    file: "core/segment.ts",
    find: "compareKey(key, block.bytes, block.keyStart(middle), block.keyEnd(middle)) >= 0",
    replace: "compareKey(key, block.bytes, block.keyStart(middle), block.keyEnd(middle)) > 0",
    killedBy: [SEGMENT],
  },
  {
    name: "of separators with the same head the first is taken",
    file: "core/segment.ts",
    find: "return this.#findAmongSameHead(key, low, head);",
    replace: "return low;",
    killedBy: [SEGMENT],
  },
  {
    name: "a key that sorts before the common prefix of the separators is looked for in the last block",
    file: "core/segment.ts",
    find: "return key < prefix ? 0 : this.count - 1;",
    replace: "return this.count - 1;",
    killedBy: [SEGMENT],
  },
  {
    name: "the greatest key of a segment is looked for in the one behind",
    file: "core/version.ts",
    find: "if (segments[middle]!.maxKey < key) low",
    replace: "if (segments[middle]!.maxKey <= key) low",
    killedBy: ["tests/core/version_test.ts", LOOKUP],
  },
  {
    name: "the smallest key of a segment is taken to lie before it",
    file: "core/version.ts",
    find: "segment.minKey <= key ? segment : undefined",
    replace: "segment.minKey < key ? segment : undefined",
    killedBy: ["tests/core/version_test.ts", LOOKUP],
  },
  {
    name: "a point read looks behind a tombstone, and removed keys come back",
    file: "core/lookup.ts",
    find: "if (block.isTombstone(entry)) return undefined;",
    replace: "if (block.isTombstone(entry)) continue;",
    killedBy: [LOOKUP],
  },
  {
    name: "a point read looks behind a clear of the active memtable",
    file: "core/lookup.ts",
    find: "if (view.active.clears) return undefined;",
    replace: "",
    killedBy: [LOOKUP],
  },
  {
    name: "a point read looks behind a clear of a sealed memtable",
    file: "core/lookup.ts",
    find: "if (memtable.clears) return undefined;",
    replace: "",
    killedBy: [LOOKUP],
  },
  {
    name: "a range looks behind a clear",
    file: "core/merged_range.ts",
    find: "if (memtable.clears) return cursors;",
    replace: "",
    killedBy: ["tests/core/merged_range_test.ts"],
  },
  {
    name: "a merge takes the older of two versions",
    file: "core/merge.ts",
    find: "if (order === 0) shadowed.push(cursor);",
    replace: "if (order === 0) {\n        shadowed.push(best);\n        best = cursor;\n      }",
    killedBy: ["tests/core/merge_test.ts"],
  },
  {
    name: "forwards a range skips the first entry of each further segment",
    file: "core/cursor.ts",
    find: "      this.valid = false;\n      return;\n    }\n    this.#stand(0);",
    replace:
      "      this.valid = false;\n      return;\n    }\n    this.#stand(this.#blockIndex === 0 && this.#block!.count > 1 ? 1 : 0);",
    killedBy: [CURSOR],
  },
  {
    name: "a batch edits nodes that a snapshot shares with it",
    file: "core/sorted_map.ts",
    find: "return owner !== undefined && node.owner === owner;",
    replace: "return owner !== undefined;",
    killedBy: ["tests/core/sorted_map_test.ts"],
  },
  {
    name: "a leaf that a batch may edit shares its keys with an older one",
    file: "core/sorted_map.ts",
    find: "const ownKeys = owner === undefined ? keys : keys.slice();",
    replace: "const ownKeys = keys;",
    killedBy: ["tests/core/sorted_map_test.ts"],
  },
  {
    name: "a large value that was read is memory of the cache",
    file: "io/copy_out.ts",
    find: "return bytes.slice(start, end) as Bytes;",
    replace: "return bytes.subarray(start, end) as Bytes;",
    killedBy: ["tests/io/copy_out_test.ts"],
  },
  {
    name: "small results share the same bytes",
    file: "io/copy_out.ts",
    find: "this.#used = at + length;",
    replace: "this.#used = at;",
    killedBy: ["tests/io/copy_out_test.ts"],
  },
  {
    name: "the old value that fetchUpdate returns is the one that the callback may change",
    file: "io/tree.ts",
    find: "const given = old?.slice() as Bytes | undefined;",
    replace: "const given = old;",
    killedBy: ["tests/io/tree_test.ts"],
  },
  {
    name: "compareAndSwap takes a value that begins alike for the expected one",
    file: "io/tree.ts",
    find: "return current.length === bytes.length && current.every(",
    replace: "return current.length <= bytes.length && current.every(",
    killedBy: ["tests/io/entry_test.ts", "tests/io/tree_test.ts"],
  },
  {
    name: "compareAndSwap takes an empty value for an absent one",
    file: "io/tree.ts",
    find: "if (current === undefined || expected === undefined) return current === expected;",
    replace:
      'if (current === undefined || expected === undefined) return (current ?? "").length === (expected ?? "").length;',
    killedBy: ["tests/io/tree_test.ts", MODEL],
  },
  {
    name: "blocks of a segment that is gone stay in the cache",
    file: "io/segment_reader.ts",
    find: "if (segment !== undefined) this.#cache.drop(segment.slots);",
    replace: "",
    killedBy: ["tests/io/segment_reader_test.ts"],
  },
  {
    name: "the index of a segment that is gone stays in memory",
    file: "io/segment_reader.ts",
    find: "this.#segments.delete(id);\n",
    replace: "\n",
    killedBy: ["tests/io/segment_reader_test.ts"],
  },
  {
    name: "a block that was let go is still found in the cache",
    file: "io/block_cache.ts",
    find: "cached.slots[cached.index] = undefined;",
    replace: "",
    killedBy: ["tests/io/block_cache_test.ts"],
  },
  {
    name: "a cache holds one block more than its capacity",
    file: "io/block_cache.ts",
    find: "while (this.#bytes + bytes > this.capacity) this.#evictOne();",
    replace: "while (this.#bytes > this.capacity) this.#evictOne();",
    killedBy: ["tests/io/block_cache_test.ts"],
  },
  {
    name: "where no more files can be opened a read fails although others could be closed",
    file: "io/segment_reader.ts",
    find: "if (!isOutOfHandles(error) || this.#files.size === 0) throw error;",
    replace: "throw error;",
    killedBy: ["tests/io/segment_reader_test.ts"],
  },
];
