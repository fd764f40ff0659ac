/**
 * What `lock_test.ts` and `permissions_test.ts` run in a process of its own: one with few permissions, or one of several.
 *
 * Arguments: what to do, and the folder. It answers with one line of JSON.
 *
 * - `session`: all that a tree does with its folder.
 * - `open`, `read`: opens for writing or only for reading and says what happened, or how many batches there are.
 * - `watch`: opens read only, says so, and waits to be killed.
 * - `count`: adds one to a number in the tree, several times, each time waiting for its turn to open.
 * - `revoke`: writes, gives up the permission to write, and says what becomes of the tree.
 */

import type { Config } from "../../mod.ts";
import { leveled, LockedError, Tree, TreeError } from "../../mod.ts";
import { checkPrefix, fillBatch } from "../support/numbered_batches.ts";

/** What a call that was refused says, or the value it returned. */
export interface Answer {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly value?: unknown;
}

/** How often `count` adds one. */
const COUNT = 5;
const CONFIG: Config = {
  maxMemtableSize: 1024,
  blockSize: 1024,
  compactionStrategy: leveled({ l0Threshold: 2, targetSize: 1024 }),
};
const TEXT = new TextDecoder();
const [task = "", folder = ""] = Deno.args;
const TASKS: Readonly<Record<string, () => Promise<unknown>>> = { session, open, read, watch, count, revoke };

console.log(JSON.stringify(await TASKS[task]!()));

async function session(): Promise<unknown> {
  return await answerOf(async () => {
    let batches = 0;
    for (let round = 0; round < 2; round++) {
      const tree = await Tree.open(folder, CONFIG);
      for (let i = 0; i < 30; i++) fillBatch(tree.batch(), ++batches).commit();
      await tree.flush();
      using snapshot = tree.snapshot();
      await tree.flushMemtable();
      fillBatch(tree.batch(), ++batches).commit();
      await tree.compact();
      const reader = await Tree.open(folder, { readOnly: true });
      if (checkPrefix(snapshot) !== batches - 1 || checkPrefix(reader) !== batches) throw new Error("wrong");
      await reader.close();
      await tree.close();
    }
    await using tree = await Tree.open(folder);
    return { batches: checkPrefix(tree), notes: tree.recovery.notes, mode: tree.stats().background.mode };
  });
}

async function open(): Promise<Answer> {
  return await answerOf(async () => {
    await using tree = await Tree.open(folder);
    return checkPrefix(tree);
  });
}

async function read(): Promise<Answer> {
  return await answerOf(async () => {
    await using tree = await Tree.open(folder, { readOnly: true });
    return checkPrefix(tree);
  });
}

async function watch(): Promise<never> {
  const tree = await Tree.open(folder, { readOnly: true });
  console.log(JSON.stringify(checkPrefix(tree)));
  for (;;) await new Promise((resolve) => setTimeout(resolve, 60_000));
}

async function count(): Promise<unknown> {
  let refusals = 0;
  for (let left = COUNT; left > 0;) {
    try {
      await using tree = await Tree.open(folder, { fsyncInterval: null });
      const before = Number(TEXT.decode(tree.get("count") ?? new Uint8Array([0x30])));
      tree.insert("count", String(before + 1));
      left -= 1;
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      refusals += 1;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  return refusals;
}

async function revoke(): Promise<readonly Answer[]> {
  const tree = await Tree.open(folder, CONFIG);
  let batches = 0;
  for (let i = 0; i < 30; i++) fillBatch(tree.batch(), ++batches).commit();
  Deno.permissions.revokeSync({ name: "write", path: folder });
  const refused = await answerOf(() => tree.flushMemtable());
  const write = await answerOf(() => {
    for (;;) {
      fillBatch(tree.batch(), batches + 1).commit();
      batches += 1;
    }
  });
  const held = { value: [checkPrefix(tree), batches] };
  return [refused, write, held, await answerOf(() => tree.close())];
}

async function answerOf(action: () => unknown): Promise<Answer> {
  try {
    return { value: await action() };
  } catch (error) {
    if (!(error instanceof TreeError)) throw error;
    const { name, code, message } = error;
    return { name, code, message };
  }
}
