/**
 * What `full_disk_test.ts` runs on a small disk of its own: it fills the rest of the disk with a file, writes until that is
 * refused, looks, removes the file and goes on. It answers with one line of JSON.
 *
 * The file that fills the disk is another size in each round, so that there is no space in the middle of another
 * write: of a journal, a segment or the manifest.
 */

import { leveled, Tree, TreeError } from "../../mod.ts";
import { checkPrefix, fillBatch } from "../support/numbered_batches.ts";

/** What was seen in one round. */
export interface FullDiskRound {
  /** The codes of what was thrown while the disk was full, each once. */
  readonly codes: readonly string[];
  /** Batches that were written when the disk was full. */
  readonly written: number;
  /** Batches that could be read then. */
  readonly held: number;
  /** Batches after space was freed. */
  readonly after: number;
  /** What background work has failed with after that; empty if nothing. */
  readonly lastError: string;
}

/** What the child answers. */
export interface FullDiskAnswer {
  readonly rounds: readonly FullDiskRound[];
  /** Batches after an orderly close and another open. */
  readonly reopened: number;
}

const ROUNDS = 8;
const PAGE_BYTES = 4_096;
const [folder = ""] = Deno.args;
const store = `${folder}/store`;
const ballast = `${folder}/ballast`;
const config = {
  maxMemtableSize: 16 * 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 8 * 1024 }),
};

const tree = await Tree.open(store, config);
let written = 0;
const rounds: FullDiskRound[] = [];
for (let round = 0; round < ROUNDS; round++) rounds.push(await fillUp(round));
await tree.close();
const again = await Tree.open(store, config);
const answer: FullDiskAnswer = { rounds, reopened: checkPrefix(again) };
await again.close();
console.log(JSON.stringify(answer));

async function fillUp(round: number): Promise<FullDiskRound> {
  const codes = new Set<string>();
  const refused = async (action: () => unknown): Promise<boolean> => {
    try {
      await action();
      return false;
    } catch (error) {
      if (!(error instanceof TreeError)) throw error;
      codes.add(error.code);
      return true;
    }
  };
  // All but a few pages; which write they end in is another one each time.
  takeSpace();
  Deno.truncateSync(ballast, Math.max(0, Deno.statSync(ballast).size - round * PAGE_BYTES));
  while (!await refused(write));
  await refused(() => tree.flushMemtable());
  await refused(() => tree.compact());
  const held = checkPrefix(tree);
  const before = written;
  Deno.removeSync(ballast);
  for (let i = 0; i < 20; i++) write();
  await tree.flushMemtable();
  await tree.flush();
  const { lastError } = tree.stats();
  return {
    codes: [...codes],
    written: before,
    held,
    after: checkPrefix(tree),
    lastError: lastError === undefined ? "" : String(lastError),
  };
}

function write(): void {
  fillBatch(tree.batch(), written + 1).commit();
  written += 1;
}

/** Writes a file until there is no space. */
function takeSpace(): void {
  const page = new Uint8Array(PAGE_BYTES);
  const file = Deno.openSync(ballast, { write: true, create: true, truncate: true });
  try {
    for (;;) file.writeSync(page);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOSPC") throw error;
  } finally {
    file.close();
  }
}
