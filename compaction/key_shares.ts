/**
 * Key shares: what a segment holds of the keys in its range, as shares of them, where a real one has a list.
 *
 * ```text
 * newer   puts n, removes r        n + (1 - n - r) x o of the keys have a put when both are merged,
 * older   puts o                   and none of the rest needs an entry if nothing lies below
 * ```
 *
 * A share is the probability that a key is there, and different flushes do not know of one another: so shares of
 * a newer and an older segment combine like independent events, and the merge of any number of segments costs a product for
 * each. `k` random writes to `K` keys reach `1 - (1 - 1/K)^k` of them, and the product of what two flushes leave out
 * is what both leave out: merging adds writes, as it should.
 *
 * - Keys that are not equally popular stand in *bands*, each with shares of its own, whose keys lie all over the key space.
 * - Where each key comes once before any comes again (loads in order), flushes do know of one another: there shares
 *   add up, to 1 at most.
 * - Only what exists is removed, so removes are not independent of what lies below. They are seen as removes of *any* key,
 *   of which those that find nothing leave no trace: *ghosts*. Those are independent, and counted apart from tombstones.
 *
 * Ghosts: a remove is a ghost for certain where the older segment has a tombstone of the key, since nothing was there
 * any more. So the merge of (puts n, tombstones t, ghosts g) over (o, u, h) has `t + (1 - n) x u` tombstones, and `n`,
 * `t` and `g` together are what no older entry is seen through.
 *
 * @module
 */

/** What a segment holds of the keys in its range. */
export interface KeyShares {
  /** What share of each band's keys has a put. */
  readonly puts: readonly number[];
  /** What share of all keys has a tombstone. */
  readonly tombstones: number;
  /** What share of all keys was removed when nothing was there, and has no entry. */
  readonly ghosts: number;
}

/** A stretch of the key space from a number to before another, and what is there. */
export interface KeyStretch {
  /** Its first key. */
  readonly from: number;
  /** The first key behind it. */
  readonly to: number;
  /** What is there. */
  readonly shares: KeyShares;
}

/** How keys are spread. */
export interface KeySpread {
  /** What share of the keys each band has; 1 in all. */
  readonly bands: readonly number[];
  /** Whether each key is written once before any is written again. */
  readonly isOnce: boolean;
}

/** Shares laid one under the other, newest first. */
export class SharesFold implements KeyShares {
  /** What share of each band's keys has a put. */
  readonly puts: number[];
  /** What share of all keys has a tombstone. */
  tombstones = 0;
  /** What share of all keys was removed when nothing was there. */
  ghosts = 0;
  readonly #spread: KeySpread;

  /** Begins with nothing. */
  constructor(spread: KeySpread) {
    this.puts = spread.bands.map(() => 0);
    this.#spread = spread;
  }

  /** Begins anew. */
  clear(): void {
    for (let band = 0; band < this.puts.length; band++) this.puts[band] = 0;
    this.tombstones = 0;
    this.ghosts = 0;
  }

  /** Lays older shares under what is there. */
  add({ puts, tombstones, ghosts }: KeyShares): void {
    const own = this.puts;
    if (this.#spread.isOnce) {
      for (let band = 0; band < own.length; band++) own[band] = Math.min(1, own[band]! + puts[band]!);
      return;
    }
    const removed = this.tombstones + this.ghosts;
    if (tombstones > 0 || ghosts > 0) {
      // Removes come with one band only.
      const put = own[0]!;
      const all = removed + (1 - put - removed) * (tombstones + ghosts);
      this.tombstones = Math.min(all, this.tombstones + (1 - put) * tombstones);
      this.ghosts = all - this.tombstones;
    }
    for (let band = 0; band < own.length; band++) own[band]! += (1 - own[band]! - removed) * puts[band]!;
  }

  /** Drops tombstones: nothing older lies below. */
  dropTombstones(): void {
    this.tombstones = 0;
    this.ghosts = 0;
  }

  /** What share of all keys has a put. */
  get putShare(): number {
    return putShareOf(this, this.#spread);
  }
}

/** Returns what share of all keys has a put. */
export function putShareOf({ puts }: KeyShares, { bands }: KeySpread): number {
  let share = 0;
  for (let band = 0; band < bands.length; band++) share += bands[band]! * puts[band]!;
  return share;
}
