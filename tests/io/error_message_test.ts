/** Errors between threads: what comes out is what went in, with all that a caller can go by. */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import * as errors from "../../core/errors.ts";
import { BarrierError } from "../../io/barrier.ts";
import { decodeError, encodeError } from "../../io/error_message.ts";
import { TaskCancelled } from "../../io/task_run.ts";

const TREE_ERRORS = Object.values(errors).filter((value) => value !== errors.TreeError) as readonly (new (
  message: string,
  options?: errors.TreeErrorOptions,
) => errors.TreeError)[];

/** Sends an error as a message does. */
function sent(error: unknown): Error {
  return decodeError(structuredClone(encodeError(error)));
}

Deno.test("every error of the tree comes back as what it was, with its code, its place and its stack", () => {
  assertEquals(TREE_ERRORS.length, 11);
  for (const TreeErrorClass of TREE_ERRORS) {
    for (const place of [{}, { file: "segment-000007" }, { file: "journal-000001", offset: 0 }]) {
      const error = new TreeErrorClass("Cannot go on", place);
      const back = sent(error);
      assertInstanceOf(back, TreeErrorClass);
      assertStrictEquals(back.constructor, TreeErrorClass);
      assertEquals(
        [back.name, back.message, back.code, back.file, back.offset, back.stack, back.cause],
        [error.name, "Cannot go on", error.code, error.file, error.offset, error.stack, undefined],
      );
      assert(!("cause" in back), "what has no cause must not have one that is undefined");
    }
  }
});

Deno.test("causes come with their error, however deep", () => {
  const refused = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  const full = new errors.NoSpaceError("Cannot write", { cause: refused, file: "segment-000001", offset: 8 });
  const back = sent(new BarrierError("Cannot sync", { cause: full }));
  assertInstanceOf(back, BarrierError);
  assertEquals([back.message, back.stack?.includes("Cannot sync")], ["Cannot sync", true]);
  assertInstanceOf(back.cause, errors.NoSpaceError);
  assertEquals([back.cause.file, back.cause.offset, back.cause.stack], ["segment-000001", 8, full.stack]);
  assertInstanceOf(back.cause.cause, Error);
  assertEquals((back.cause.cause as { code?: unknown }).code, "ENOSPC");
  assertEquals(back.cause.cause.stack, refused.stack);
});

Deno.test("a task that was given up says so", () => {
  const back = sent(new TaskCancelled("Cannot go on: the task was cancelled"));
  assertInstanceOf(back, TaskCancelled);
  assertEquals(back.message, "Cannot go on: the task was cancelled");
});

Deno.test("any other error keeps its name, and a code if it has one", () => {
  const range = sent(new RangeError("Cannot go on: the task has no id for another output"));
  assertEquals(String(range), "RangeError: Cannot go on: the task has no id for another output");
  assert(!("code" in range));
  const abort = sent(new DOMException("ended", "AbortError"));
  assertEquals([abort.name, abort.message], ["AbortError", "ended"]);
});

Deno.test("what is thrown and is no error becomes one that says it", () => {
  for (const thrown of ["why not", 7, null, undefined, { a: 1 }]) {
    const back = sent(thrown);
    assertEquals([back.constructor, back.message], [Error, String(thrown)]);
  }
  const back = sent(new Error("outer", { cause: "inner" }));
  assertInstanceOf(back.cause, Error);
  assertEquals(back.cause.message, "inner");
});
