/**
 * The names of a tree's files, built from numbers and never read from a file's content.
 *
 * ```text
 * name := "LOCK" | "READERS" | "CURRENT" | "CURRENT.tmp" | ("manifest" | "journal" | "segment" | "lost-journal") "-" number
 * ```
 *
 * A number has at least six digits and no others in front than needed, so that each file has one name. Names
 * that do not parse are not ours: they are left alone, whatever they are.
 *
 * @module
 */

import type { FileKind } from "./file_header.ts";

/** The lock of the writing handle; never removed. */
export const LOCK_NAME = "LOCK";
/** The shared lock of read-only handles; never removed. */
export const READERS_NAME = "READERS";
/** Names the manifest. */
export const CURRENT_NAME = "CURRENT";
/** What will become {@linkcode CURRENT_NAME} by a rename. */
export const CURRENT_TEMPORARY_NAME = "CURRENT.tmp";

/** Returns the name of a numbered file. */
export function fileName(kind: FileKind, id: number): string {
  return `${kind}-${String(id).padStart(6, "0")}`;
}

/** Returns the name that a journal gets when point-in-time recovery gives it up. */
export function lostJournalName(id: number): string {
  return `lost-${fileName("journal", id)}`;
}

/** Returns what kind of numbered file has this name, or `undefined` if it is none of ours. */
export function parseFileName(name: string): { readonly kind: FileKind; readonly id: number } | undefined {
  const match = /^(journal|manifest|segment)-(\d{6,16})$/.exec(name);
  if (match === null) return undefined;
  const kind = match[1] as FileKind;
  const id = Number(match[2]);
  return Number.isSafeInteger(id) && fileName(kind, id) === name ? { kind, id } : undefined;
}
