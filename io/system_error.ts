/**
 * What the operating system refused, as an error that says what to do.
 *
 * Deno's own calls and its `node:fs` report one refusal in several dresses, so it is recognised in this order:
 *
 * 1. `NotCapable`: Deno itself refused, a permission flag is missing.
 * 2. `code`, a name such as `"ENOSPC"`, which both set for the refusals that Deno has a name for.
 * 3. The number in `(os error 27)` at the end of the message, for those it has none for: among them are a file
 *    that would grow too large and a used-up quota.
 *
 * Invariant: whatever comes in, an `IoError`, one of its subclasses, a `NotFoundError` or an `AlreadyExistsError` comes
 * out, with the original as its cause. What is not recognised is an `IoError` with the original's words.
 *
 * @module
 */

import { AlreadyExistsError, IoError, NoSpaceError, NotFoundError, TreeError } from "../core/errors.ts";

/** What was tried when the operating system refused. */
export interface Attempt {
  /** What was tried, to stand after "Cannot": `append to "journal-000012"`. */
  readonly action: string;
  /** The name of the file, if it is about one. */
  readonly file?: string;
  /** The folder that a permission flag would have to name. */
  readonly folder: string;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "the operating system denies access; check the owner and the mode of the folder and its files",
  EDQUOT: "the disk quota is used up; free space and try again",
  EEXIST: "it exists already",
  EFBIG: "it would grow larger than the process or the file system allows; raise the limit",
  EIO: "the disk reports an input/output error; check the disk",
  EMFILE: "this process has too many files open; raise its limit or lower `maxOpenFiles`",
  ENFILE: "the operating system has too many files open; raise its limit or lower `maxOpenFiles`",
  ENOENT: "it does not exist",
  ENOSPC: "no space left on device; free space and try again",
  ENOTDIR: "a part of the path is not a folder",
  EPERM: "the operating system denies access; check the owner and the mode of the folder and its files",
  EROFS: "the file system is read-only; open with `readOnly: true` or mount it for writing",
};

/** Refusals that Deno gives no name to, by operating system and number. */
const CODES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  linux: { "27": "EFBIG", "122": "EDQUOT" },
  darwin: { "27": "EFBIG", "69": "EDQUOT" },
  windows: { "39": "ENOSPC", "112": "ENOSPC" },
};

/**
 * Returns the error to throw for something the operating system, or Deno in front of it, refused.
 *
 * @param error What was caught. A `TreeError` comes back as it is.
 * @param attempt What was tried.
 */
export function systemError(error: unknown, attempt: Attempt): TreeError {
  if (error instanceof TreeError) return error;
  const { file } = attempt;
  const code = systemCode(error);
  const message = `Cannot ${attempt.action}: ${reasonOf(error, code, attempt.folder)}`;
  switch (code) {
    case "ENOENT":
      return new NotFoundError(message, { cause: error, file });
    case "EEXIST":
      return new AlreadyExistsError(message, { cause: error, file });
    case "EDQUOT":
    case "ENOSPC":
      return new NoSpaceError(message, { cause: error, file });
    default:
      return new IoError(message, { cause: error, file });
  }
}

/** Returns the operating system's name for what it refused, such as `"ENOSPC"`, where it can be told. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = (error as Error & { readonly code?: unknown }).code;
  if (typeof code === "string") return code;
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  return number === undefined ? undefined : CODES[Deno.build.os]?.[number];
}

function reasonOf(error: unknown, code: string | undefined, folder: string): string {
  if (error instanceof Deno.errors.NotCapable) {
    const flags = /Requires (read|write) access/.exec(error.message);
    const missing = flags?.[1] === undefined ? ["read", "write"] : [flags[1]];
    return `run again with ${missing.map((flag) => `--allow-${flag}=${folder}`).join(" ")}`;
  }
  if (code !== undefined && Object.hasOwn(REASONS, code)) return REASONS[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}
