/**
 * Disks that lie: operations that return as if all were well, and give or keep the wrong bytes.
 *
 * ```text
 *             a read gives                             an append leaves
 * flip        one bit wrong                            one bit wrong
 * misplaced   the bytes of another place               its bytes over those of another place, and none in its own
 * stale       what stood there before                  -
 * lost        -                                        nothing: no bytes, and perhaps no length either
 * ```
 *
 * Another place is one that was read or written before, in any file that is there: so it often begins a block or a record that is
 * whole, which only its context gives away. What stood there before is an older file of the same name, what was
 * cut off, or zeros. Bytes that are in no place are zeros, or garbage where the profile wants that.
 *
 * A process sees at once what it would see once its page cache is empty: there is no cache here that hides a lie until later.
 *
 * Why all of these: "An Analysis of Data Corruption in the Storage Stack" (Bairavasundaram and others, 2008) counted flips, lost
 * and misdirected writes in the field; "Parity Lost and Parity Regained" (Krioukov and others, 2008) shows which defence
 * helps against which.
 *
 * @module
 */

import type { SeededRandom } from "./simulated_choices.ts";
import { Sampler } from "./simulated_choices.ts";
import { fillerOf } from "./simulated_crash.ts";
import type { Inode, SimulatedDisk } from "./simulated_disk.ts";
import type { SilentFaultKind, SimulatedOperation } from "./simulated_faults.ts";

/** What lies are made of. */
export interface Liar {
  /** The disk. */
  readonly disk: SimulatedDisk;
  /** What decides on chance. */
  readonly random: SeededRandom;
  /** All operations so far. */
  readonly log: readonly SimulatedOperation[];
}

/** Returns what a read gives instead of the `count` bytes at `position`. */
export function misread(
  liar: Liar,
  fault: SilentFaultKind,
  inode: Inode,
  name: string,
  position: number,
  count: number,
): Uint8Array {
  const right = inode.seen.view.slice(position, position + count);
  if (fault === "flip") return flipped(liar, right);
  if (fault === "misplaced") {
    const place = anotherPlace(liar, inode, position);
    return zeroPadded(place.inode.seen.view.subarray(place.position, place.position + count), count);
  }
  const older = olderBytes(liar.disk, inode, name, position, right).filter((bytes) => !isSame(bytes, right));
  return older.length === 0 ? new Uint8Array(count) : older[liar.random.below(older.length)]!;
}

/** Does what an append of `bytes` does instead of appending them. */
export function miswrite(liar: Liar, fault: SilentFaultKind, inode: Inode, bytes: Uint8Array): void {
  const { disk, random } = liar;
  if (fault === "flip") return disk.append(inode, flipped(liar, bytes));
  if (fault === "misplaced") {
    const place = anotherPlace(liar, inode, inode.seen.length);
    disk.overwrite(place.inode, place.position, bytes);
  } else if (random.below(2) === 0) return; // not even the length
  const nothing = new Uint8Array(bytes.length);
  fillerOf(disk, new Sampler(random), random)(nothing, inode.seen.length);
  disk.append(inode, nothing);
}

function flipped({ random }: Liar, bytes: Uint8Array): Uint8Array {
  const wrong = bytes.slice();
  wrong[random.below(wrong.length)]! ^= 1 << random.below(8);
  return wrong;
}

/** After so many operations that do not help, any place will do. */
const TRIES = 16;

/** Returns a place that was read or written before, or any in a file that is not empty. */
function anotherPlace(
  { disk, random, log }: Liar,
  inode: Inode,
  position: number,
): { readonly inode: Inode; readonly position: number } {
  for (let tries = 0; tries < TRIES; tries++) {
    const operation = log[random.below(log.length)]!;
    const other = disk.seen.get(operation.file);
    if (operation.bytes === 0 || other === undefined || operation.position >= other.seen.length) continue;
    if (other !== inode || operation.position !== position) {
      return { inode: other, position: operation.position };
    }
  }
  const files = [...disk.seen.values()].filter(({ seen }) => seen.length > 0);
  if (files.length === 0) return { inode, position: 0 };
  const other = files[random.below(files.length)]!;
  const { length } = other.seen;
  if (other !== inode) return { inode: other, position: random.below(length) };
  return { inode, position: (position + 1 + random.below(Math.max(1, length - 1))) % length };
}

/** Returns what may have stood at a place before: one for each way to be old. */
function olderBytes(
  disk: SimulatedDisk,
  inode: Inode,
  name: string,
  position: number,
  right: Uint8Array,
): Uint8Array[] {
  const count = right.length;
  const older = disk.older.get(name);
  const versions = older === undefined ? [] : [zeroPadded(older.subarray(position, position + count), count)];
  const since = Math.max(0, inode.appendedAt - position);
  if (since < count) {
    const before = right.slice();
    before.fill(0, since);
    const { offset, bytes } = inode.cutOff;
    for (let at = since; at < count; at++) before[at] = bytes[position + at - offset] ?? 0;
    versions.push(before);
  }
  return versions;
}

function zeroPadded(bytes: Uint8Array, count: number): Uint8Array {
  const padded = new Uint8Array(count);
  padded.set(bytes.subarray(0, count));
  return padded;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, i) => byte === other[i]);
}
