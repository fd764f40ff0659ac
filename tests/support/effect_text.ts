/**
 * Effects as lines of text, for traces that two runs must agree on and for tests that read like a log.
 *
 * Bytes stand there as their checksum: two effects with the same text do the same to a disk.
 * `kinds` leaves out all but what is done.
 *
 * @module
 */

import type { PersistEffect, StartEffect, Step, Task } from "../../core/mod.ts";
import { checksum, encodeEdit, taskInputs } from "../../core/mod.ts";

/** Returns an effect as text; bytes by their checksum. */
export function effectText(effect: PersistEffect | StartEffect): string {
  switch (effect.kind) {
    case "create_journal":
      return `create_journal ${effect.id} ${sumOf(effect.header, 0, effect.header.length)}`;
    case "append_journal":
      return `append_journal ${effect.id} at ${effect.offset} ${
        sumOf(effect.bytes, effect.start, effect.end)
      }`;
    case "sync_journals":
      return `sync_journals ${effect.ids.join(" ")}${effect.folder ? " and the folder" : ""}`;
    case "run_task":
      return `run_task ${taskText(effect.task)}`;
    case "commit_edit":
      return `commit_edit ${effect.edit.cause} durable ${effect.durable} ${
        sumOf(encodeEdit(effect.edit), 0, encodeEdit(effect.edit).length)
      }`;
    case "delete_outputs":
      return `delete_outputs ${effect.first}+${effect.count}`;
    case "delete_files":
      return `delete_files segments [${effect.segments.join(" ")}] journals [${effect.journals.join(" ")}]`;
  }
}

function taskText(task: Task): string {
  const what = task.kind === "flush"
    ? `flush ${task.memtable.firstSeqno}..${task.memtable.lastSeqno}`
    : `merge ${taskInputs(task).join(" ")} to level ${task.destLevel}`;
  return `${task.id}: ${what}, outputs ${task.firstOutput}+${task.outputs}`;
}

function sumOf(bytes: Uint8Array, start: number, end: number): string {
  return checksum(bytes, start, end, 0).toString(16).padStart(8, "0");
}

/** Returns what a step does, in a word for each effect. */
export function kinds(step: Step): string[] {
  return [...step.persist, ...step.start].map((effect) => {
    if (effect.kind === "run_task") return effect.task.kind;
    return effect.kind === "commit_edit" ? `commit_${effect.edit.cause}` : effect.kind;
  });
}
