/**
 * What `kill_test.ts` and its neighbours run in a process of its own, to be killed in the middle of it.
 *
 * Arguments: what to do, the folder, the durability. It says `opening`, then `open N` with the number of batches that it
 * found, and then each number for which a write is done: after the commit where that is enough for a process that
 * dies, after `flush()` where writes are buffered.
 *
 * - `write`: batches for ever, as fast as they go, with memtables so small that flushes and merges never end.
 * - `once`: one batch, then nothing.
 */

import type { Config, Durability } from "../../mod.ts";
import { leveled, Tree } from "../../mod.ts";
import { batchesIn, fillBatch } from "../support/numbered_batches.ts";

const FLUSH_EVERY = 5;
const COMPACT_EVERY = 500;
/** A turn of the event loop, in which timers fire and barriers end. */
const YIELD_EVERY = 50;

const [task, folder = "", durability = "os"] = Deno.args;
const config: Config = {
  durability: durability as Durability,
  maxMemtableSize: 4096,
  blockSize: 1024,
  fsyncInterval: 20,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 4096 }),
};

say("opening");
const tree = await Tree.open(folder, config);
let number = batchesIn(tree);
say(`open ${number}`);
if (task === "once") {
  await write();
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}
for (;;) await write();

async function write(): Promise<void> {
  number += 1;
  fillBatch(tree.batch(), number).commit();
  if (durability !== "buffered") say(`${number}`);
  else if (task === "once" || number % FLUSH_EVERY === 0) {
    await tree.flush();
    say(`${number}`);
  }
  if (number % YIELD_EVERY === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  if (number % COMPACT_EVERY === 0) await tree.compact();
}

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
