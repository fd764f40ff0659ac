/**
 * The rewrite: how a task turns its inputs into segments.
 *
 * A transducer, blocks in and blocks out: cursors over the inputs are merged, versions that a newer one hides and
 * tombstones that hide nothing are left out, and what remains is laid out in blocks. Memory is one block for each input
 * and one for the output, the output's index and the hashes of its keys.
 *
 * A tombstone goes when no older run has a segment whose range includes its key. Keys come in order, so one finger for
 * each older run follows them.
 *
 * Flush and merge are the same function: a flush has one input, a memtable.
 *
 * @module
 */

import type { Codec, Cursor, OlderRun, SegmentId, SegmentMeta, SegmentSource, Task } from "../core/mod.ts";
import { compareKey, fileSalt, MemtableCursor, Merge, RunCursor, SegmentBuilder } from "../core/mod.ts";

/** Where the bytes of outputs go. */
export interface SegmentSink {
  /** Begins a new output. */
  open(id: SegmentId): void;
  /** Takes the next bytes of the output that is open. */
  write(bytes: Uint8Array<ArrayBuffer>): void;
  /** Ends the output that is open: its bytes must survive power loss when this returns. */
  close(): void;
}

/**
 * Writes the outputs of a task and returns what the version needs to know of them; none if nothing is left.
 *
 * Cost: each entry is read, compared and copied once; about 100 ns an entry and input.
 */
export function rewrite(
  task: Task,
  source: SegmentSource,
  codec: Codec,
  sink: SegmentSink,
): readonly SegmentMeta[] {
  const merge = new Merge(cursorsOf(task, source), "forward");
  const older = new OlderRuns(task.older);
  const outputs: SegmentMeta[] = [];
  const cuts = cutsForSize(task);
  let builder: SegmentBuilder | undefined;
  const finish = (): void => {
    outputs.push(builder!.finish());
    sink.close();
    builder = undefined;
  };
  merge.seek(undefined);
  for (let current = merge.current; current !== undefined; merge.advance(), current = merge.current) {
    if (current.isTombstone && !older.cover(current)) continue;
    if (builder === undefined) {
      const id = task.firstOutput + outputs.length;
      if (outputs.length === task.outputs) {
        throw new RangeError("Cannot go on: the task has no id for another output");
      }
      sink.open(id);
      const options = { ...task.encoding, codec };
      builder = new SegmentBuilder(
        id,
        fileSalt(task.salt, id),
        options,
        task.origin,
        (bytes) => sink.write(bytes),
      );
    }
    builder.add(
      current.isTombstone,
      current.key,
      current.keyBytes,
      current.value,
      current.valueStart,
      current.valueEnd,
    );
    if ((builder.bytes >= task.targetSize && outputs.length < cuts) || builder.isFull) finish();
  }
  if (builder !== undefined) finish();
  return outputs;
}

/**
 * Returns how many outputs are ended for their size.
 *
 * Ids are reserved by the bytes of the inputs on disk. Outputs that are compressed less than the inputs have more than that:
 * what is left after so many cuts goes into one output, which only a full index ends.
 */
function cutsForSize(task: Task): number {
  if (task.kind === "flush") return task.outputs - 1;
  return task.outputs - task.inputs.reduce((count, run) => count + run.segments.length, 0);
}

function cursorsOf(task: Task, source: SegmentSource): Cursor[] {
  if (task.kind === "flush") return [new MemtableCursor(task.memtable)];
  return task.inputs.map((run) => new RunCursor(run, source));
}

/** Answers, for keys that come in order, whether an older run may have them. */
class OlderRuns {
  readonly #runs: readonly OlderRun[];
  readonly #fingers: number[];

  constructor(runs: readonly OlderRun[]) {
    this.#runs = runs;
    this.#fingers = runs.map(() => 0);
  }

  cover({ key, keyBytes }: Cursor): boolean {
    let covered = false;
    for (const [i, run] of this.#runs.entries()) {
      let finger = this.#fingers[i]!;
      while (
        finger < run.segments.length && compareKey(run.segments[finger]!.maxKey, key, 0, keyBytes) < 0
      ) finger += 1;
      this.#fingers[i] = finger;
      const segment = run.segments[finger];
      covered ||= segment !== undefined && compareKey(segment.minKey, key, 0, keyBytes) <= 0;
    }
    return covered;
  }
}
