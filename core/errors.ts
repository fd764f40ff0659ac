/**
 * Every error the module throws on purpose.
 *
 * Few classes, each telling the caller what can be done about it: go on after
 * freeing space ({@linkcode NoSpaceError}), reopen ({@linkcode PoisonedError}),
 * restore or repair ({@linkcode CorruptionError}, {@linkcode JournalRecoveryError}),
 * close the other handle ({@linkcode LockedError}), update
 * ({@linkcode UnsupportedFormatError}).
 *
 * Invariants:
 * - Each class has one stable `code`, for callers that cannot use `instanceof`.
 * - A message says what could not be done, where and what to do. It never
 *   contains a key or a value: messages end up in logs.
 * - Wrong arguments are not here: they are `TypeError` and `RangeError`.
 *
 * @module
 */

/** The stable codes of all {@linkcode TreeError}s. */
export type TreeErrorCode =
  | "CORRUPTION"
  | "JOURNAL_RECOVERY"
  | "IO"
  | "NO_SPACE"
  | "LOCKED"
  | "CLOSED"
  | "POISONED"
  | "READ_ONLY"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "UNSUPPORTED_FORMAT";

/** Where an error happened, and what is behind it. */
export interface TreeErrorOptions {
  /** The error behind this one. */
  readonly cause?: unknown;
  /** The name of the file concerned, without its folder. */
  readonly file?: string;
  /** The byte in that file at which the trouble starts. */
  readonly offset?: number;
}

/**
 * The base of every error that the tree throws on purpose.
 *
 * @example Usage
 * ```ts
 * import { CorruptionError, TreeError } from "@lsm/tree";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const error = new CorruptionError("Cannot read block", { file: "segment-000012", offset: 8192 });
 * assert(error instanceof TreeError);
 * assertEquals(error.code, "CORRUPTION");
 * assertEquals(error.offset, 8192);
 * ```
 */
export abstract class TreeError extends Error {
  /** The stable code of this class of errors. */
  abstract readonly code: TreeErrorCode;
  /** The name of the file concerned, without its folder, where known. */
  readonly file: string | undefined;
  /** The byte in {@linkcode file} at which the trouble starts, where known. */
  readonly offset: number | undefined;

  /**
   * Makes an error; only its subclasses are thrown.
   *
   * @param message What could not be done, where and what to do.
   * @param options Where it happened, and what is behind it.
   */
  constructor(message: string, options: TreeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.file = options.file;
    this.offset = options.offset;
  }
}

/** A checksum, a bound or an order is violated in a segment or the manifest, or a listed file is missing. */
export class CorruptionError extends TreeError {
  /** Always `"CORRUPTION"`. */
  override readonly code = "CORRUPTION";
}

/** The journal is damaged where a crash cannot explain it: acknowledged writes would be lost by going on. */
export class JournalRecoveryError extends TreeError {
  /** Always `"JOURNAL_RECOVERY"`. */
  override readonly code = "JOURNAL_RECOVERY";
}

/** The operating system refused an operation; permissions included. */
export class IoError extends TreeError {
  /** `"IO"`, or the code of a more exact subclass. */
  override readonly code: "IO" | "NO_SPACE" = "IO";
}

/** The disk is full. Free space and go on: the tree need not be reopened. */
export class NoSpaceError extends IoError {
  /** Always `"NO_SPACE"`. */
  override readonly code = "NO_SPACE";
}

/** Another handle or process has the tree open. */
export class LockedError extends TreeError {
  /** Always `"LOCKED"`. */
  override readonly code = "LOCKED";
}

/** The tree, a snapshot or a range was used after it was closed. */
export class ClosedError extends TreeError {
  /** Always `"CLOSED"`. */
  override readonly code = "CLOSED";
}

/** A barrier failed, so durability is unknown: reads go on, writes are refused until the tree is reopened. */
export class PoisonedError extends TreeError {
  /** Always `"POISONED"`. */
  override readonly code = "POISONED";
}

/** A write on a tree that was opened with `readOnly: true`. */
export class ReadOnlyError extends TreeError {
  /** Always `"READ_ONLY"`. */
  override readonly code = "READ_ONLY";
}

/** There is no tree and `createIfMissing` is `false`. */
export class NotFoundError extends TreeError {
  /** Always `"NOT_FOUND"`. */
  override readonly code = "NOT_FOUND";
}

/** There is a tree and `errorIfExists` is `true`, or the folder holds something else. */
export class AlreadyExistsError extends TreeError {
  /** Always `"ALREADY_EXISTS"`. */
  override readonly code = "ALREADY_EXISTS";
}

/** The files were written by a newer version of the module, or use a feature this one does not know. */
export class UnsupportedFormatError extends TreeError {
  /** Always `"UNSUPPORTED_FORMAT"`. */
  override readonly code = "UNSUPPORTED_FORMAT";
}
