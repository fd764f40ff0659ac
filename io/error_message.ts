/**
 * Errors between threads: as plain values that a message can carry, and back.
 *
 * A message would turn a `NoSpaceError` into a bare `Error` without code, file and offset, and with them would go what a caller can
 * do about it.
 *
 * @module
 */

import type { TreeErrorCode } from "../core/mod.ts";
import * as errors from "../core/errors.ts";
import { BarrierError } from "./barrier.ts";
import { TaskCancelled } from "./task_run.ts";

/** An error as a plain value. */
export interface ErrorMessage {
  /** Which class it is of. */
  readonly kind: "tree" | "barrier" | "cancelled" | "other";
  /** The name of its class. */
  readonly name: string;
  /** Its message. */
  readonly message: string;
  /** The code of the tree or of the operating system, where there is one. */
  readonly code: string | undefined;
  /** The file concerned, where known. */
  readonly file: string | undefined;
  /** The byte in it, where known. */
  readonly offset: number | undefined;
  /** Where it was thrown. */
  readonly stack: string | undefined;
  /** The error behind it. */
  readonly cause: ErrorMessage | undefined;
}

type TreeErrorClass = new (message: string, options?: errors.TreeErrorOptions) => errors.TreeError;

const CLASSES: Readonly<Record<TreeErrorCode, TreeErrorClass>> = {
  CORRUPTION: errors.CorruptionError,
  JOURNAL_RECOVERY: errors.JournalRecoveryError,
  IO: errors.IoError,
  NO_SPACE: errors.NoSpaceError,
  LOCKED: errors.LockedError,
  CLOSED: errors.ClosedError,
  POISONED: errors.PoisonedError,
  READ_ONLY: errors.ReadOnlyError,
  NOT_FOUND: errors.NotFoundError,
  ALREADY_EXISTS: errors.AlreadyExistsError,
  UNSUPPORTED_FORMAT: errors.UnsupportedFormatError,
};

/** Returns an error as a plain value. */
export function encodeError(error: unknown): ErrorMessage {
  if (!(error instanceof Error)) return encodeError(new Error(String(error)));
  const { name, message, stack, cause } = error;
  const { code, file, offset } = error as { code?: unknown; file?: unknown; offset?: unknown };
  return {
    kind: kindOf(error),
    name,
    message,
    code: typeof code === "string" ? code : undefined,
    file: typeof file === "string" ? file : undefined,
    offset: typeof offset === "number" ? offset : undefined,
    stack,
    cause: cause === undefined ? undefined : encodeError(cause),
  };
}

function kindOf(error: Error): ErrorMessage["kind"] {
  if (error instanceof errors.TreeError) return "tree";
  if (error instanceof BarrierError) return "barrier";
  return error instanceof TaskCancelled ? "cancelled" : "other";
}

/** Returns the error that a plain value stands for. */
export function decodeError(told: ErrorMessage): Error {
  const error = errorOf(told);
  if (told.stack !== undefined) error.stack = told.stack;
  return error;
}

function errorOf(told: ErrorMessage): Error {
  const cause = told.cause === undefined ? undefined : decodeError(told.cause);
  const { kind, message, code, file, offset } = told;
  if (kind === "tree") return new CLASSES[code as TreeErrorCode](message, { cause, file, offset });
  if (kind === "barrier") return new BarrierError(message, { cause });
  if (kind === "cancelled") return new TaskCancelled(message);
  const error = new Error(message, { cause });
  error.name = told.name;
  return code === undefined ? error : Object.assign(error, { code });
}
