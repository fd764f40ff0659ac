/**
 * Damage to a simulated disk between operations: rot, a restored backup, a tool that got it wrong.
 *
 * Whatever was not durable yet becomes so first, and so does the damage: no power cut undoes it. A handle that is open sees it,
 * but for a file that is gone, which goes on as one that was removed.
 *
 * @module
 */

import type { SimulatedDisk } from "./simulated_disk.ts";

/** A place in a file. */
export interface FilePlace {
  /** The name of the file. */
  readonly file: string;
  /** The byte. */
  readonly offset: number;
}

/** Makes a file what `change` returns for a copy of its bytes, or removes it. */
export function damageFile(
  disk: SimulatedDisk,
  name: string,
  change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined,
): void {
  disk.settle();
  const before = disk.seen.get(name);
  const after = change(before?.seen.view.slice() ?? new Uint8Array(0));
  if (after === undefined) {
    if (before !== undefined) disk.name([[name, undefined]]);
  } else {
    const inode = before ?? disk.create(name);
    disk.cut(inode, 0);
    disk.append(inode, after.slice());
  }
  disk.settle();
}

/** Exchanges `length` bytes of two files, or of one. Requires: both are there, and do not overlap. */
export function swapPlaces(disk: SimulatedDisk, one: FilePlace, other: FilePlace, length: number): void {
  const [first, second] = [one, other].map(({ file, offset }) =>
    disk.seen.get(file)!.seen.view.slice(offset, offset + length)
  );
  const put = ({ file, offset }: FilePlace, bytes: Uint8Array): void => {
    damageFile(disk, file, (all) => {
      all.set(bytes, offset);
      return all;
    });
  };
  put(one, second!);
  put(other, first!);
}
