/**
 * What a power cut leaves of a simulated disk.
 *
 * ```text
 * prefix    all changes up to some moment, in the order they were made; the last write up to any byte
 * strict    of names     any changes, but for each name in order; a rename is one change of two names
 *           of bytes     for each 512 bytes of a file any moment of their history, or up to any byte one moment and from there
 *                        on the one before
 *           of lengths   anything from the shortest to the longest that the file had
 *           the rest     zeros
 * garbage   as strict, but the rest may be noise or bytes of other files, also of files that are gone
 * ```
 *
 * Why 512 bytes: the unit that a disk writes whole, or so it says; so a write is torn between units as a rule, and within
 * one now and then. Why such reordering: file systems do it. LevelDB lost databases to a rename that survived where
 * the write before it did not (its issue 195); "All File Systems Are Not Created Equal" (Pillai and others, 2014) lists
 * which file system reorders what.
 *
 * @module
 */

import type { Chooser, SeededRandom } from "./simulated_choices.ts";
import { Odometer, Sampler } from "./simulated_choices.ts";
import type { Contents, DataChange, Inode, NameChange, SimulatedDisk } from "./simulated_disk.ts";
import { applyChange, applyNames } from "./simulated_disk.ts";

/** The files that are there after a power cut, by name. */
export type Image = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

const ATOM_BYTES = 512;

/** How many answers are gone through for each outcome that is wanted, before outcomes are sampled instead. */
const ANSWERS_PER_OUTCOME = 8;

/** Bytes in place of those that did not reach the disk. */
export type Filler = (bytes: Uint8Array, offset: number) => void;

/** Returns what a power cut leaves; one outcome for each way to answer. */
export function crashImage(disk: SimulatedDisk, chooser: Chooser, random: SeededRandom): Image {
  if (disk.profile === "prefix") return prefixImage(disk, chooser);
  const names = survivingNames(disk, chooser);
  const filler = fillerOf(disk, chooser, random);
  const image = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [name, inode] of names) image.set(name, survivingBytes(inode, chooser, filler));
  return image;
}

/**
 * Gives outcomes of a power cut, no two the same: all of them if they are at most `limit`, otherwise `limit`.
 *
 * In the second case those in which no write is torn come first, if they are at most half of them.
 */
export function* crashImages(
  disk: SimulatedDisk,
  limit: number,
  random: SeededRandom,
): Generator<Image, void> {
  const fine = enumerated(disk, false, limit, random);
  if (fine !== undefined) return yield* fine.values();
  const images = enumerated(disk, true, limit >> 1, random) ?? new Map<string, Image>();
  yield* images.values();
  for (let tries = limit * ANSWERS_PER_OUTCOME; images.size < limit && tries > 0; tries--) {
    const image = crashImage(disk, new Sampler(random), random);
    const key = keyOf(image);
    if (images.has(key)) continue;
    images.set(key, image);
    yield image;
  }
}

/** Returns all outcomes, or `undefined` if they are more than `limit` or take too many answers. */
function enumerated(
  disk: SimulatedDisk,
  isCoarse: boolean,
  limit: number,
  random: SeededRandom,
): Map<string, Image> | undefined {
  const images = new Map<string, Image>();
  const odometer = new Odometer(isCoarse);
  let answers = limit * ANSWERS_PER_OUTCOME;
  do {
    const image = crashImage(disk, odometer, random);
    images.set(keyOf(image), image);
    answers -= 1;
    if (images.size > limit || answers < 0) return undefined;
  } while (odometer.advance());
  return images;
}

/** Tells images apart. */
function keyOf(image: Image): string {
  const decoder = new TextDecoder("latin1");
  return [...image.keys()].sort().map((name) => {
    const bytes = image.get(name)!;
    return `${name}:${bytes.length}:${decoder.decode(bytes)}`;
  }).join("\0");
}

type Change = { readonly inode: Inode; readonly data: DataChange } | { readonly names: NameChange };

function prefixImage(disk: SimulatedDisk, chooser: Chooser): Image {
  const changes = allChanges(disk);
  const stops = [0];
  for (const change of changes) stops.push(stops.at(-1)! + unitsOf(change));
  const end = stops.at(-1)!;
  const stop = chooser.isCoarse ? stops[chooser.pick(stops.length)]! : chooser.pick(end + 1, stops);
  const names = new Map(disk.durable);
  const files = new Map<Inode, Contents>();
  const file = (inode: Inode): Contents => {
    const known = files.get(inode) ?? inode.durable.copy();
    files.set(inode, known);
    return known;
  };
  for (const [i, change] of changes.entries()) {
    const units = stop - stops[i]!;
    if (units <= 0) break;
    if ("names" in change) applyNames(names, change.names);
    else if (units >= unitsOf(change)) applyChange(file(change.inode), change.data);
    else {
      applyChange(file(change.inode), { ...change.data, bytes: change.data.bytes.subarray(0, units) });
    }
  }
  return new Map(Array.from(names, ([name, inode]) => [name, file(inode).copy().view]));
}

/** Into how many parts a change can be torn. */
function unitsOf(change: Change): number {
  return "names" in change || change.data.isCut ? 1 : change.data.bytes.length;
}

function allChanges(disk: SimulatedDisk): Change[] {
  const changes: (Change & { readonly order: number })[] = [];
  for (const inode of disk.dirty) {
    for (const data of inode.pending) changes.push({ inode, data, order: data.order });
  }
  for (const names of disk.pending) changes.push({ names, order: names.order });
  return changes.sort((a, b) => a.order - b.order);
}

/** Returns what names stand for after a power cut: a change is lost if one before it of the same name is. */
export function survivingNames(disk: SimulatedDisk, chooser: Chooser): Map<string, Inode> {
  const names = new Map(disk.durable);
  const broken = new Set<string>();
  for (const change of disk.pending) {
    const survives = !change.names.some(([name]) => broken.has(name)) && chooser.pick(2) === 1;
    if (survives) applyNames(names, change);
    else for (const [name] of change.names) broken.add(name);
  }
  return names;
}

/** Returns what a file holds after a power cut. */
export function survivingBytes(
  inode: Inode,
  chooser: Chooser,
  filler: Filler = fillZeros,
): Uint8Array<ArrayBuffer> {
  const { durable, pending } = inode;
  if (pending.length === 0) return durable.view.slice();
  const bytes = new Uint8Array(survivingLength(durable.length, pending, chooser));
  for (let start = 0; start < bytes.length; start += ATOM_BYTES) {
    const history = pending.filter((change) => touches(change, start));
    const moment = chooser.pick(history.length + 1);
    const atom = atomAt(start, durable, history.slice(0, moment));
    if (moment > 0 && !chooser.isCoarse) {
      tear(atom, atomAt(start, durable, history.slice(0, moment - 1)), chooser);
    }
    settleAtom(atom, bytes.subarray(start, start + ATOM_BYTES), start, filler);
  }
  return bytes;
}

function survivingLength(durable: number, pending: readonly DataChange[], chooser: Chooser): number {
  const lengths = [durable];
  for (const { isCut, offset, bytes } of pending) {
    lengths.push(isCut ? offset : Math.max(lengths.at(-1)!, offset + bytes.length));
  }
  const known = [...new Set(lengths)].sort((a, b) => a - b);
  if (chooser.isCoarse) return known[chooser.pick(known.length)]!;
  const shortest = known[0]!;
  return shortest + chooser.pick(known.at(-1)! - shortest + 1, known.map((length) => length - shortest));
}

/** Tells whether a change has to do with the atom at `start`. */
function touches({ isCut, offset, bytes }: DataChange, start: number): boolean {
  return offset < start + ATOM_BYTES && (isCut || offset + bytes.length > start);
}

/** Stands for a byte that nothing was written to. */
const UNWRITTEN = -1;

/** Returns the bytes of an atom after some changes. */
function atomAt(start: number, durable: Contents, changes: readonly DataChange[]): Int16Array {
  const atom = new Int16Array(ATOM_BYTES).fill(UNWRITTEN);
  atom.set(durable.view.subarray(start, start + ATOM_BYTES));
  for (const { isCut, offset, bytes } of changes) {
    const at = Math.max(0, offset - start);
    if (isCut) atom.fill(UNWRITTEN, at);
    else {atom.set(
        bytes.subarray(Math.max(0, start - offset), Math.max(0, start - offset + ATOM_BYTES - at)),
        at,
      );}
  }
  return atom;
}

/** Takes the end of an atom back to the moment before, from any byte on that differs. */
function tear(atom: Int16Array, before: Int16Array, chooser: Chooser): void {
  const first = atom.findIndex((byte, i) => byte !== before[i]);
  if (first < 0) return;
  const last = atom.findLastIndex((byte, i) => byte !== before[i]);
  const from = first + 1 + chooser.pick(last - first + 1, [last - first]);
  atom.set(before.subarray(from), from);
}

/** Puts an atom into its place; what was never written there is what the filler finds. */
function settleAtom(atom: Int16Array, into: Uint8Array, start: number, filler: Filler): void {
  const rest = new Uint8Array(into.length);
  if (atom.subarray(0, into.length).includes(UNWRITTEN)) filler(rest, start);
  for (let i = 0; i < into.length; i++) into[i] = atom[i] === UNWRITTEN ? rest[i]! : atom[i]!;
}

function fillZeros(bytes: Uint8Array): void {
  bytes.fill(0);
}

/** Returns a filler that leaves what may stand on a disk: zeros, or garbage: noise, or what another file has or had there. */
export function fillerOf(disk: SimulatedDisk, chooser: Chooser, random: SeededRandom): Filler {
  if (disk.profile !== "garbage") return fillZeros;
  const others = [...new Set(disk.seen.values())].map((inode) => inode.seen.view).concat(
    disk.remains as Uint8Array<ArrayBuffer>[],
  ).filter((bytes) => bytes.length > 0);
  return (bytes, offset) => {
    bytes.fill(0);
    const kind = chooser.pick(2 + others.length);
    if (kind === 1) random.fill(bytes);
    else if (kind > 1) bytes.set(others[kind - 2]!.subarray(offset, offset + bytes.length));
  };
}
