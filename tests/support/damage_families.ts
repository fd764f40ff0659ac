/**
 * Families of damage: every way in which the files of a small tree are damaged, one family a way.
 *
 * ```text
 * flips        each bit of each byte                         deletions   each file is gone, emptied or reversed
 * bytes        one bit of each byte
 * truncations  each file ends at each length                 swaps       each two files change places
 * extensions   something stands behind the end               doubles     each file is there under another id too
 * sectors      each unit of 512 bytes and less, and pairs    moves       two parts of a file change places
 *              of them, zeroed and filled with ones
 * ```
 *
 * A damage is a value with a function, cheap until it is done, so that a list of all can be made and a part of it tried.
 *
 * @module
 */

import type { SimulatedStorage } from "@lsm/tree/testing";
import { extended, joined } from "./damage.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The files of a tree by name. */
export type Files = ReadonlyMap<string, Bytes>;

/** One way to damage a tree. */
export interface Damage {
  /** The files it is done to. */
  readonly files: readonly string[];
  /** What it is, for a message. */
  readonly what: string;
  /** Does it. */
  readonly to: (storage: SimulatedStorage) => void;
}

/** Gives all damages of a family. */
export type Family = (files: Files) => Generator<Damage, void>;

/** Lengths of units that disks and file systems write whole, and smaller ones that make more places. */
const UNITS: readonly number[] = [512, 128, 64, 28, 16];

/** Of more units than this not every pair is tried. */
const PAIRED_UNITS_MAX = 24;

function replacement(name: string, what: string, make: () => Bytes | undefined): Damage {
  return { files: [name], what: `${name} ${what}`, to: (storage) => storage.damage(name, make) };
}

function* flips(files: Files): Generator<Damage, void> {
  for (const [name, bytes] of files) {
    for (const offset of bytes.keys()) {
      for (let bit = 1; bit < 256; bit *= 2) {
        const what = `${name} byte ${offset} ^ ${bit}`;
        yield { files: [name], what, to: (storage) => storage.flip(name, offset, bit) };
      }
    }
  }
}

/** One bit of each byte, another one from byte to byte: an eighth of all flips, for many trees. */
function* bytes(files: Files): Generator<Damage, void> {
  for (const [name, content] of files) {
    for (const offset of content.keys()) {
      const bit = 1 << (offset * 5 & 7);
      const what = `${name} byte ${offset} ^ ${bit}`;
      yield { files: [name], what, to: (storage) => storage.flip(name, offset, bit) };
    }
  }
}

function* truncations(files: Files): Generator<Damage, void> {
  for (const [name, bytes] of files) {
    for (const length of bytes.keys()) {
      yield replacement(name, `cut to ${length} bytes`, () => bytes.slice(0, length));
    }
  }
}

function* extensions(files: Files): Generator<Damage, void> {
  for (const [name, bytes] of files) {
    for (const [i, longer] of extended(bytes).entries()) {
      yield replacement(name, `extended, ${i}`, () => longer);
    }
    for (const [other, others] of files) {
      if (other !== name) yield replacement(name, `with ${other} behind it`, () => joined(bytes, others));
    }
  }
}

function* sectors(files: Files): Generator<Damage, void> {
  for (const [name, bytes] of files) {
    for (const unit of UNITS) {
      const count = Math.ceil(bytes.length / unit);
      for (const value of [0, 255]) {
        for (let a = 0; a < count; a++) {
          for (let b = a; b < (count <= PAIRED_UNITS_MAX ? count : a + 2); b++) {
            yield replacement(name, `units ${a} and ${b} of ${unit} bytes are ${value}`, () => {
              const damaged = bytes.slice();
              for (const at of [a, b]) damaged.fill(value, at * unit, (at + 1) * unit);
              return damaged;
            });
          }
          yield replacement(name, `units from ${a} of ${unit} bytes on are ${value}`, () => {
            return bytes.slice().fill(value, a * unit);
          });
        }
      }
    }
  }
}

function* deletions(files: Files): Generator<Damage, void> {
  for (const [name, bytes] of files) {
    yield replacement(name, "is gone", () => undefined);
    yield replacement(name, "is empty", () => new Uint8Array(0));
    yield replacement(name, "is reversed", () => bytes.slice().reverse());
  }
}

function* swaps(files: Files): Generator<Damage, void> {
  for (const [name, bytes] of files) {
    for (const [other, others] of files) {
      if (other === name) continue;
      yield replacement(name, `holds ${other}`, () => others);
      if (other < name) continue;
      const to = (storage: SimulatedStorage): void => {
        storage.damage(name, () => others);
        storage.damage(other, () => bytes);
      };
      yield { files: [name, other], what: `${name} and ${other} are swapped`, to };
    }
  }
}

function* doubles(files: Files): Generator<Damage, void> {
  const copies = [
    "journal-000099",
    "segment-000099",
    "manifest-000099",
    "CURRENT.tmp",
    "lost-journal-000009",
  ];
  for (const [name, bytes] of files) {
    for (const copy of copies) yield replacement(copy, `holds ${name}`, () => bytes);
  }
}

function* moves(files: Files): Generator<Damage, void> {
  for (const [name, bytes] of files) {
    for (const length of [28, 41, 100]) {
      for (let at = 0; at + 2 * length <= bytes.length; at++) {
        const parts = [
          bytes.subarray(0, at),
          bytes.subarray(at + length, at + 2 * length),
          bytes.subarray(at, at + length),
          bytes.subarray(at + 2 * length),
        ];
        yield replacement(name, `two parts of ${length} bytes at ${at} are swapped`, () => joined(...parts));
      }
    }
  }
}

/** All families by name. */
export const FAMILIES: { readonly [name: string]: Family } = {
  flips,
  bytes,
  truncations,
  extensions,
  sectors,
  deletions,
  swaps,
  doubles,
  moves,
};
