/**
 * Commands: everything that can happen to a tree, as values.
 *
 * Some come from the user (`write`, `seal`, `choose`), the others say how an effect ended. Time is a part of them, so
 * that a step has no clock.
 *
 * @module
 */

import type { Batch } from "./batch.ts";
import type { CompactionChoice } from "./choice.ts";
import type { Interval } from "./interval.ts";
import type { Owner } from "./sorted_map.ts";
import type { SegmentMeta } from "./version.ts";

/** Everything that can happen to a tree. */
export type Command =
  | {
    /** Give the active memtable a journal. Requires: it has none. */
    readonly kind: "open_journal";
  }
  | {
    /** Append a batch to the journal of the active memtable. Requires: it has one. Changes nothing: `write` follows at once. */
    readonly kind: "append";
    readonly batch: Batch;
  }
  | {
    /** Make a batch visible. Requires: it was appended, and nothing has happened since. */
    readonly kind: "write";
    readonly batch: Batch;
    /**
     * Lets nodes of the memtable be edited in place that were made under the same token: see `sorted_map.ts`. Requires: nobody reads
     * a state that was made under it but the newest. `undefined` if somebody may.
     */
    readonly owner: Owner | undefined;
    /** Says that the batch removes the first or the last key, so that nothing alive lies outside of it. */
    readonly pop: "first" | "last" | undefined;
    readonly now: number;
  }
  | {
    /** Seal the active memtable if it holds anything, and flush all that is sealed. */
    readonly kind: "seal";
    readonly now: number;
  }
  | {
    /** Do what this choice says, as if the strategy had said it. */
    readonly kind: "choose";
    readonly choice: CompactionChoice;
    readonly now: number;
  }
  | {
    /** Compact the keys of an interval into the last level; until that is done the strategy is not asked. */
    readonly kind: "compact";
    readonly id: number;
    readonly interval: Interval;
    readonly now: number;
  }
  | {
    /** Do not go on with the compaction that the user asked for. What of it is under way is cancelled apart. */
    readonly kind: "abandon_compaction";
    readonly id: number;
    readonly now: number;
  }
  | {
    /** Time has passed: retry what failed. `force` does not wait for a pause to end, `ask` asks the strategy again. */
    readonly kind: "tick";
    readonly force: boolean;
    readonly ask: boolean;
    readonly now: number;
  }
  | {
    /** A task wrote its outputs, synced them and the folder. */
    readonly kind: "task_finished";
    readonly task: number;
    readonly outputs: readonly SegmentMeta[];
    readonly now: number;
  }
  | {
    /** A task failed; its outputs are gone or will be orphans. */
    readonly kind: "task_failed";
    readonly task: number;
    readonly error: unknown;
    readonly now: number;
  }
  | {
    /** A task was given up because nobody wants it any more; its outputs are gone or will be orphans. */
    readonly kind: "task_cancelled";
    readonly task: number;
    readonly now: number;
  }
  | {
    /** The edit that was being committed is durable. */
    readonly kind: "edit_committed";
    readonly now: number;
  }
  | {
    /** The edit could not be written, and the manifest was cut back: nothing has changed. */
    readonly kind: "edit_failed";
    readonly error: unknown;
    readonly now: number;
  }
  | {
    /** All batches up to `seqno` and the folder's entries up to `journal` are durable. */
    readonly kind: "barrier_finished";
    readonly seqno: number;
    readonly journal: number;
  }
  | {
    /** A barrier failed, or a failed append could not be taken back: durability is unknown. */
    readonly kind: "poison";
    readonly error: unknown;
  };
