/**
 * A process that writes until it is killed: the demo starts it.
 *
 * It writes to the tree in its current folder. Each batch has entries enough to be cut in the middle, and is
 * acknowledged on standard output by its number, after `commit()` has returned and never before. Whoever reads that
 * may kill the process at any moment and hold the tree to it.
 *
 * @module
 */

import { Tree } from "@lsm/tree";

/** What all keys that are written begin with. */
export const WRITTEN_PREFIX = "~written/";

/** Entries of a batch. */
export const BATCH_ENTRIES = 10;

/** It ends some day, should nobody kill it. */
const BATCHES_MAX = 1_000_000;

/** Returns the key of an entry; keys sort in the order in which they are written. */
export function writtenKey(batch: number, entry: number): string {
  return `${WRITTEN_PREFIX}${String(batch).padStart(8, "0")}/${entry}`;
}

/** Returns the value of an entry. */
export function writtenValue(batch: number, entry: number): string {
  return `entry ${entry} of batch ${batch}, which has all of its entries or none`;
}

async function main(): Promise<void> {
  await using tree = await Tree.open(".", { createIfMissing: false });
  const encoder = new TextEncoder();
  for (let number = 1; number <= BATCHES_MAX; number++) {
    const batch = tree.batch();
    for (let entry = 0; entry < BATCH_ENTRIES; entry++) {
      batch.insert(writtenKey(number, entry), writtenValue(number, entry));
    }
    batch.commit();
    // Throws when nobody reads any more, which ends this process.
    Deno.stdout.writeSync(encoder.encode(`${number}\n`));
  }
}

if (import.meta.main) await main();
