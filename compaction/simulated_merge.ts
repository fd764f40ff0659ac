/**
 * A merge that nobody runs: what `rewrite` would make of its inputs, from their shares.
 *
 * ```text
 * newer   [      a      ][   b   ]
 * older   [   c   ][      d      ][ e ]
 * pieces  | a+c |a+d|  b+d   | d |  e |          in each piece all shares are even: its entries are a product
 * output  [          1          ][  2  ]         cut where the bytes of the blocks reach the target size
 * ```
 *
 * Where an output is cut is a number of entries, and these are spread by chance: the bound of a cut is shaken by
 * as many keys as that number would vary by, the root of `entries x (1 - share)`. Without it every merge of even
 * shares would cut at the very same keys, and segments of neighbouring levels would stand in line as they never do.
 *
 * Cost: a step for each piece; about as many as inputs.
 *
 * @module
 */

import type { KeyShares, KeySpread, KeyStretch } from "./key_shares.ts";
import { SharesFold } from "./key_shares.ts";
import type { Random } from "./random.ts";
import type { EntrySizes } from "./segment_bytes.ts";
import { dataBytesMax, dataBytesPerEntry, fileBytes } from "./segment_bytes.ts";
import type { SimulatedOrigin } from "./simulated_segment.ts";
import { SimulatedSegment } from "./simulated_segment.ts";

/** What a simulated merge or flush is made of. */
export interface MergeInput {
  /** The inputs by run, newest first; each run smallest keys first. */
  readonly runs: readonly (readonly KeyStretch[])[];
  /** Bytes from which on a new output is begun. */
  readonly targetSize: number;
  /** What the outputs inherit. */
  readonly origin: SimulatedOrigin;
  /** Tells whether anything older may have keys of a stretch. */
  readonly isCovered: (from: number, to: number) => boolean;
  /** Returns an id for another output. */
  readonly nextId: () => number;
}

/** Returns the segments that a merge or flush makes. */
export function mergeShares(
  input: MergeInput,
  spread: KeySpread,
  sizes: EntrySizes,
  random: Random,
): readonly SimulatedSegment[] {
  const outputs = new Outputs(input, spread, sizes, random);
  const fold = new SharesFold(spread);
  const { runs } = input;
  const fingers = runs.map(() => 0);
  let at = runs.reduce((least, run) => Math.min(least, run[0]?.from ?? Infinity), Infinity);
  while (at < Infinity) {
    let next = Infinity;
    fold.clear();
    for (let run = 0; run < runs.length; run++) {
      const stretches = runs[run]!;
      let finger = fingers[run]!;
      while (finger < stretches.length && stretches[finger]!.to <= at) finger += 1;
      fingers[run] = finger;
      const stretch = stretches[finger];
      if (stretch === undefined) continue;
      if (stretch.from > at) {
        next = Math.min(next, stretch.from);
      } else {
        next = Math.min(next, stretch.to);
        fold.add(stretch.shares);
      }
    }
    if (next < Infinity) {
      if ((fold.tombstones > 0 || fold.ghosts > 0) && !input.isCovered(at, next)) fold.dropTombstones();
      outputs.add(at, next, fold);
    }
    at = next;
  }
  return outputs.finish();
}

/** Gathers pieces and cuts them into segments. */
class Outputs {
  readonly #input: MergeInput;
  readonly #spread: KeySpread;
  readonly #sizes: EntrySizes;
  readonly #random: Random;
  readonly #done: SimulatedSegment[] = [];
  #from = -1;
  #to = -1;
  #dataBytes = 0;
  #tombstones = 0;
  #ghosts = 0;
  #entries = 0;
  /** Keys with a put by band, each share times the keys of its piece. */
  #puts: number[];

  constructor(input: MergeInput, spread: KeySpread, sizes: EntrySizes, random: Random) {
    this.#input = input;
    this.#spread = spread;
    this.#sizes = sizes;
    this.#random = random;
    this.#puts = spread.bands.map(() => 0);
  }

  /** Adds a piece. */
  add(from: number, to: number, shares: SharesFold): void {
    const density = shares.putShare + shares.tombstones;
    if (density <= 0) {
      // Ghosts alone are nothing on disk; within an output they keep their place.
      return;
    }
    const perEntry = dataBytesPerEntry(this.#sizes, Math.min(density, 1), shares.tombstones / density);
    const perKey = perEntry * density;
    const room = Math.min(this.#input.targetSize, dataBytesMax(this.#sizes, Math.min(density, 1)));
    let start = from;
    while (this.#dataBytes + perKey * (to - start) >= room) {
      const keys = (room - this.#dataBytes) / perKey;
      const entries = room / perEntry;
      const shaken = keys + this.#random.around() * Math.sqrt(entries * Math.max(0, 1 - density)) / density;
      const cut = Math.min(to, start + Math.max(1, Math.round(shaken)));
      this.#gather(start, cut, shares, perKey);
      this.#end();
      start = cut;
    }
    if (start < to) this.#gather(start, to, shares, perKey);
  }

  #gather(from: number, to: number, shares: KeyShares & { readonly putShare: number }, perKey: number): void {
    const keys = to - from;
    if (this.#from < 0) this.#from = from;
    this.#to = to;
    this.#dataBytes += perKey * keys;
    this.#entries += keys * (shares.putShare + shares.tombstones);
    this.#tombstones += keys * shares.tombstones;
    this.#ghosts += keys * shares.ghosts;
    for (let band = 0; band < this.#puts.length; band++) this.#puts[band]! += keys * shares.puts[band]!;
  }

  /** Ends the segment that is open, if it has an entry. */
  #end(): void {
    const keys = this.#to - this.#from;
    const entries = Math.round(this.#entries);
    if (entries > 0) {
      const density = Math.min(1, this.#entries / keys);
      const tombstones = this.#tombstones / this.#entries;
      const size = fileBytes(this.#sizes, entries, tombstones, density, this.#dataBytes);
      const shares = {
        puts: this.#puts.map((puts) => puts / keys),
        tombstones: this.#tombstones / keys,
        ghosts: this.#ghosts / keys,
      };
      this.#done.push(
        new SimulatedSegment(
          this.#input.nextId(),
          size,
          { from: this.#from, to: this.#to, shares },
          entries,
          Math.min(entries, Math.round(this.#tombstones)),
          this.#input.origin,
        ),
      );
    }
    this.#from = -1;
    this.#dataBytes = 0;
    this.#entries = 0;
    this.#tombstones = 0;
    this.#ghosts = 0;
    this.#puts.fill(0);
  }

  finish(): readonly SimulatedSegment[] {
    if (this.#from >= 0) this.#end();
    return this.#done;
  }
}
