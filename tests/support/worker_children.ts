/**
 * Processes with a tree whose background work runs in Workers: how they are run, and what is seen of them from outside.
 *
 * Whether a process ends by itself, how long after its last word, and what it complains about can only be told by another one. So
 * a child answers with one line of JSON that says when it was written, and the rest is measured here.
 *
 * Invariant: no child outlives its time.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { FileStorage, Tree } from "../../mod.ts";
import { differing } from "./numbered_writes.ts";
import { namesOfTree } from "./tree_worlds.ts";

/** What every child answers. */
export interface WorkerAnswer {
  /** How many writes were made. */
  readonly count: number;
  /** When it was said, in ms since the epoch. */
  readonly saidAt: number;
}

/** A child that has ended. */
export interface EndedChild<A extends WorkerAnswer> {
  /** What it answered. */
  readonly answer: A;
  /** What it complained about. */
  readonly complaint: string;
  /** How long it lived on after its answer, in ms. */
  readonly afterMs: number;
}

/** A child that takes longer than this hangs. */
const LIFE_MS_MAX = 60_000;

/** Runs a command to its end, which it must come to by itself and in order. */
export async function endOf<A extends WorkerAnswer>(
  [command = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<EndedChild<A>> {
  const hung = new AbortController();
  const timer = setTimeout(() => hung.abort(), LIFE_MS_MAX);
  const { code, signal, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    signal: hung.signal,
  }).output();
  clearTimeout(timer);
  const endedAt = Date.now();
  const text = new TextDecoder();
  const complaint = text.decode(stderr);
  assertEquals([code, signal], [0, null], `${hung.signal.aborted ? "it hung: " : ""}${complaint}`);
  const said = text.decode(stdout).trim().split("\n");
  assertEquals(said.length, 1, said.join("\n"));
  const answer: A = JSON.parse(said[0]!);
  return { answer, complaint, afterMs: endedAt - answer.saidAt };
}

/**
 * Checks that a folder holds so many writes, and after that nothing that no tree needs.
 *
 * @returns How many files of no use were found.
 */
export async function checkStore(folder: string, count: number): Promise<number> {
  const tree = await Tree.open(folder, { background: "inline" });
  assertEquals(differing(tree, count), [], `not what ${count} writes make`);
  await tree.close();
  const storage = new FileStorage(folder);
  assertEquals(storage.list().map(({ name }) => name).sort(), namesOfTree(storage), "files are left over");
  return tree.recovery.orphans;
}

/** Waits until something holds; fails when that takes too long. */
export async function eventually(
  holds: () => boolean,
  millisecondsMax: number,
  what: () => string,
): Promise<void> {
  const deadline = performance.now() + millisecondsMax;
  while (!holds()) {
    assert(performance.now() < deadline, `after ${millisecondsMax} ms: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
