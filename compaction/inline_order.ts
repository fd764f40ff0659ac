/**
 * The order in which a tree that works inline does things: what is asked when, and what is done before what.
 *
 * ```text
 * flush -> its edit -> ask -> merge -> ask again, its inputs still being busy -> edit of the merge -> ask ...
 * ```
 *
 * The same rules as in `core/schedule.ts` and `io/engine.ts` where one task may run at a time:
 * - The strategy is asked until it wants nothing, after each change of the version. A merge runs at once, and before it is known
 *   to the version the strategy is asked what else there is; a move or a drop needs no run, and the next is asked for right away.
 * - Changes of the version are made one at a time, in the order in which they were ready.
 *
 * The simulator and the replay of a real tree's history both follow it, so that what they ask is what the tree asked, with the same
 * segments busy. A property holds the three against each other.
 *
 * @module
 */

/** What is done in this order. `Change` is a flush or a choice of the strategy. */
export interface InlineWork<Change> {
  /** Returns what the strategy wants now, or `undefined` for nothing; what it returns is busy from now on. */
  choose(): Change | undefined;
  /** Tells whether a change has to be run before it is made: a flush or a merge, but not a move or a drop. */
  isTask(change: Change): boolean;
  /** Runs a flush or a merge. */
  run(change: Change): void;
  /** Changes the version. */
  commit(change: Change): void;
}

/** Does a flush and all that follows from it, until nothing is left to do. */
export function settle<Change>(work: InlineWork<Change>, flush: Change | undefined): void {
  const queue: { readonly kind: "run" | "commit"; readonly change: Change }[] = [];
  const ready: Change[] = [];
  let isRunning = flush !== undefined;
  let isCommitting = false;
  let isAsking = flush === undefined;
  if (flush !== undefined) queue.push({ kind: "run", change: flush });
  const begin = (): void => {
    while (isAsking && !isRunning) {
      const change = work.choose();
      if (change === undefined) {
        isAsking = false;
      } else if (work.isTask(change)) {
        isRunning = true;
        queue.push({ kind: "run", change });
      } else {
        ready.push(change);
      }
    }
    if (!isCommitting && ready.length > 0) {
      isCommitting = true;
      queue.push({ kind: "commit", change: ready[0]! });
    }
  };
  if (flush === undefined) begin();
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (next.kind === "run") {
      work.run(next.change);
      isRunning = false;
      ready.push(next.change);
    } else {
      work.commit(next.change);
      ready.shift();
      isCommitting = false;
      isAsking = true;
    }
    begin();
  }
}
