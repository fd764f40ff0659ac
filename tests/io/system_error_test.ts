import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { IoError, LockedError, NoSpaceError } from "../../core/errors.ts";
import { systemCode, systemError } from "../../io/system_error.ts";

const APPEND = { action: `append to "journal-000012"`, file: "journal-000012", folder: "/data/tree" };

function refusal(message: string, code?: string): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

Deno.test("a refusal keeps its cause, names the file and says what to do", () => {
  const cause = refusal("No space left on device (os error 28)", "ENOSPC");
  const error = systemError(cause, APPEND);
  assert(error instanceof NoSpaceError);
  assertEquals(
    error.message,
    `Cannot append to "journal-000012": no space left on device; free space and try again`,
  );
  assertEquals(error.file, "journal-000012");
  assertStrictEquals(error.cause, cause);
});

Deno.test("every refusal has the class that says what can be done about it", () => {
  const codes: readonly (readonly [code: string, treeCode: string])[] = [
    ["ENOSPC", "NO_SPACE"],
    ["EDQUOT", "NO_SPACE"],
    ["ENOENT", "NOT_FOUND"],
    ["EEXIST", "ALREADY_EXISTS"],
    ["EIO", "IO"],
    ["EFBIG", "IO"],
    ["EMFILE", "IO"],
    ["EROFS", "IO"],
    ["EACCES", "IO"],
    ["EWHATEVER", "IO"],
  ];
  for (const [code, treeCode] of codes) {
    assertEquals(systemError(refusal("it said no", code), APPEND).code, treeCode, code);
  }
});

Deno.test("a refusal without a code is told by its number", () => {
  const quota = Deno.build.os === "darwin" ? 69 : 122;
  if (Deno.build.os !== "windows") {
    assertEquals(systemCode(refusal("File too large (os error 27)")), "EFBIG");
    assertEquals(systemCode(refusal(`Disk quota exceeded (os error ${quota})`)), "EDQUOT");
  }
  assertEquals(systemCode(refusal("What now (os error 9999)")), undefined);
  assertEquals(systemCode("no error at all"), undefined);
});

Deno.test("what nobody knows is an IoError in its own words", () => {
  for (
    const error of [
      refusal("the disk is on fire"),
      new TypeError("the disk is on fire"),
      "the disk is on fire",
    ]
  ) {
    const treeError = systemError(error, APPEND);
    assert(treeError instanceof IoError);
    assertEquals(treeError.message, `Cannot append to "journal-000012": the disk is on fire`);
  }
});

Deno.test("a missing permission names the flag, or both if Deno does not say which", () => {
  const write = new Deno.errors.NotCapable(`Requires write access to "/data/tree/a", run again`);
  assertEquals(
    systemError(write, APPEND).message,
    `Cannot append to "journal-000012": run again with --allow-write=/data/tree`,
  );
  const either = new Deno.errors.NotCapable("Leave is missing");
  assertEquals(
    systemError(either, APPEND).message,
    `Cannot append to "journal-000012": run again with --allow-read=/data/tree --allow-write=/data/tree`,
  );
});

Deno.test("an error of the tree passes through", () => {
  const error = new LockedError("Cannot lock");
  assertStrictEquals(systemError(error, APPEND), error);
});
