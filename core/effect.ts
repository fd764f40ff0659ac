/**
 * Effects: what a step wants done in the world, as values.
 *
 * Two kinds, told apart by when they happen:
 * - *persist* effects are synchronous and come first, in order; only when all of them are done is the new state
 *   published. If one fails, the state is not published and the call throws.
 * - *start* effects begin after the state is published. Losing one in a crash loses no data: recovery finds what it
 *   was about. Their results come back as commands.
 *
 * @module
 */

import type { Edit } from "./edit.ts";
import type { Task } from "./task.ts";
import type { SegmentId } from "./version.ts";

/** What must be done before the state is published. */
export type PersistEffect =
  | {
    /** Create a journal with its header. */
    readonly kind: "create_journal";
    readonly id: number;
    readonly header: Uint8Array<ArrayBuffer>;
  }
  | {
    /** Append one record to a journal; after a failure the journal is cut back to `offset`. */
    readonly kind: "append_journal";
    readonly id: number;
    readonly bytes: Uint8Array;
    readonly start: number;
    readonly end: number;
    readonly offset: number;
  }
  | {
    /** Sync the folder if asked, then journals, oldest first. */
    readonly kind: "sync_journals";
    readonly ids: readonly number[];
    readonly folder: boolean;
  };

/** What is begun after the state is published. */
export type StartEffect =
  | {
    /** Run a task; ends in `task_finished` or `task_failed`. */
    readonly kind: "run_task";
    readonly task: Task;
  }
  | {
    /** Append an edit to the manifest and sync it; ends in `edit_committed` or `edit_failed`. */
    readonly kind: "commit_edit";
    readonly edit: Edit;
    readonly durable: number;
  }
  | {
    /**
     * Remove what a task has written that came to nothing: the segments that are there with an id from `first` on, `count` ids at
     * most. A range and no list: ids are reserved for outputs of the least size, and hardly any is used.
     */
    readonly kind: "delete_outputs";
    readonly first: SegmentId;
    readonly count: number;
  }
  | {
    /** Remove files that the version does not name any more, once no reader and no task in flight needs them. */
    readonly kind: "delete_files";
    readonly segments: readonly SegmentId[];
    readonly journals: readonly number[];
  };
