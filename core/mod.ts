/**
 * The pure core: state, step, reads, recovery and formats. No file, no clock, no randomness.
 *
 * ```text
 * step(state, command, options) -> { state, persist, start }
 * ```
 *
 * @module
 */

export * from "./arena.ts";
export * from "./batch.ts";
export * from "./block.ts";
export * from "./bytes.ts";
export * from "./checksum.ts";
export * from "./choice.ts";
export * from "./codec.ts";
export * from "./command.ts";
export * from "./config.ts";
export * from "./cursor.ts";
export * from "./edit.ts";
export * from "./effect.ts";
export * from "./entry_kind.ts";
export * from "./errors.ts";
export * from "./file_header.ts";
export * from "./file_names.ts";
export * from "./filter.ts";
export * from "./frame.ts";
export * from "./history.ts";
export * from "./inspection.ts";
export * from "./interval.ts";
export * from "./journal.ts";
export * from "./little_endian.ts";
export * from "./lookup.ts";
export * from "./manifest.ts";
export * from "./map_cursor.ts";
export * from "./memtable.ts";
export * from "./merge.ts";
export * from "./merged_range.ts";
export * from "./pressure.ts";
export * from "./record.ts";
export * from "./recovery.ts";
export * from "./rewritten_journal.ts";
export * from "./salvage.ts";
export * from "./segment.ts";
export { emptySortedMap, mapDelete, mapFirst, mapGet, mapLast, mapPut, newOwner } from "./sorted_map.ts";
export type { Owner, SortedMap, SortedMapNode } from "./sorted_map.ts";
export * from "./state.ts";
export * from "./step.ts";
export * from "./task.ts";
export * from "./version.ts";
