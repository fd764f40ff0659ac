/**
 * The steps of the demo: each does something with a tree and says what came of it.
 *
 * Each checks what it claims, so that the demo fails where the tree does not keep its promises.
 * A city's key is `COUNTRY/Name/latitude,longitude`: the cities of a country are neighbours, sorted by name.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import type { Tree, TreeStats } from "@lsm/tree";
import type { Say } from "./demo_text.ts";
import { check, count, duration, megabytes, percent, table, withBar } from "./demo_text.ts";

/** A city, as the data has it. */
export interface City {
  /** Its name. */
  readonly name: string;
  /** The code of its country. */
  readonly country: string;
  /** Its latitude in degrees. */
  readonly lat: string;
  /** Its longitude in degrees. */
  readonly lng: string;
}

const SHOWN_EVERY = 2_000;
const LOOKED_UP_EVERY = 8;
const SHOWN_CITIES = 4;
const text = new TextDecoder();

/** Inserts all cities, one by one. */
export async function load(
  tree: Tree,
  cities: readonly City[],
  signal: AbortSignal,
  say: Say,
): Promise<void> {
  const started = performance.now();
  await withBar("cities", cities.length, async (show) => {
    for (const [i, city] of cities.entries()) {
      tree.insert(keyOf(city), JSON.stringify(city));
      if (i % SHOWN_EVERY > 0) continue;
      show(i);
      await setImmediate(); // lets an interrupt in
      signal.throwIfAborted();
    }
  });
  const seconds = (performance.now() - started) / 1000;
  say(`${count(cities.length)} cities, ${count(cities.length / seconds)} a second`);
  say("each survives the death of this process from when its insert has returned");
}

/** Reads some cities, and as many keys that are not there. */
export function get(tree: Tree, cities: readonly City[], say: Say): void {
  const some = cities.filter((_, i) => i % LOOKED_UP_EVERY === 0);
  const keys = some.map(keyOf);
  const [values, present] = timed(() => keys.map((key) => tree.get(key)));
  const [others, absent] = timed(() => keys.map((key) => tree.get(`${key}?`)));
  const isSame = values.every((value, i) => text.decode(value) === JSON.stringify(some[i]));
  check(isSame, "a value is not the one that was written");
  check(others.every((value) => value === undefined), "a key that was never written has a value");
  say(`${count(keys.length)} that are there     ${duration(present / keys.length)} each`);
  say(`${count(keys.length)} that are not there ${duration(absent / keys.length)} each`);
}

/** Finds all cities of a country, and those whose names begin alike. */
export function prefix(tree: Tree, cities: readonly City[], say: Say): void {
  const french = cities.filter(({ country }) => country === "FR").length;
  const found = tree.prefix("FR/").keys().reduce((sum) => sum + 1, 0);
  check(found === french, `${french} cities of France were written and ${found} found`);
  say(`${count(found)} keys begin with "FR/"; the first that begin with "FR/Lyon":`);
  tree.prefix("FR/Lyon", { limit: SHOWN_CITIES }).forEach(([, value]) => say(cityText(value)));
}

/** Goes through a range from its end. */
export function backwards(tree: Tree, say: Say): void {
  const range = tree.range({ gte: "JP/", lt: "JP/Tokyo", reverse: true, limit: SHOWN_CITIES });
  const entries = range.toArray();
  const keys = entries.map(([key]) => text.decode(key));
  check(
    keys.length === SHOWN_CITIES && keys.every((key) => key.startsWith("JP/")),
    "cities of Japan are missing",
  );
  check(keys.every((key, i) => i === 0 || key < keys[i - 1]!), "cities of Japan are out of order");
  say("before Tokyo in Japan, from the last to the first:");
  for (const [, value] of entries) say(cityText(value));
}

/** Removes what a snapshot still sees, and puts it back in one batch. */
export function snapshot(tree: Tree, say: Say): void {
  using before = tree.snapshot();
  for (const [key] of before.prefix("IS/")) tree.remove(key);
  const kept = before.prefix("IS/").toArray().length;
  const left = tree.prefix("IS/").toArray().length;
  const batch = tree.batch();
  for (const [key, value] of before.prefix("IS/")) batch.insert(key, value);
  batch.commit();
  const back = tree.prefix("IS/").toArray().length;
  check(kept > 0 && left === 0 && back === kept, "the cities of Iceland are not what they were");
  say(`cities of Iceland removed: the tree has ${left}, the snapshot has ${kept}`);
  say(`a batch of ${kept} inserts, all or nothing: the tree has ${back}`);
}

/** Lets two compete for one key. */
export function compareAndSwap(tree: Tree, say: Say): void {
  const seat = "~seat/12A";
  const ada = tree.compareAndSwap(seat, undefined, "Ada");
  const bob = tree.compareAndSwap(seat, undefined, "Bob");
  check(ada.ok && !bob.ok && text.decode(bob.current) === "Ada", "both got the seat");
  say('from nothing to "Ada": done; from nothing to "Bob": refused, it is "Ada"');
  const back = tree.compareAndSwap(seat, "Ada", undefined);
  check(back.ok && !tree.containsKey(seat), "the seat was not given back");
  say('from "Ada" to nothing: done');
}

/** Shows the shape of a tree. */
export function shape(tree: Tree, say: Say): void {
  const { levels, memory } = tree.stats();
  const head = ["level", "segments", "bytes", "entries", "tombstones"];
  const rows = levels.map(({ level, segments, bytes, entries, tombstones }) => [
    String(level),
    count(segments),
    megabytes(bytes),
    count(entries),
    count(tombstones),
  ]);
  for (const line of table([head, ...rows])) say(line);
  say(`${megabytes(memory.memtables)} in journals and memory, not yet in a segment`);
  say(`${megabytes(tree.diskSpace())} on disk in all`);
}

/** Shows what writes and reads took. */
export function costs(stats: TreeStats, say: Say): void {
  const { cache, filter, written, writeAmplification, flushes, merges, moves } = stats;
  say(`written by the user    ${megabytes(written.user)}`);
  say(`written to journals    ${megabytes(written.journals)}`);
  say(
    `written to segments    ${
      megabytes(written.segments)
    }, in ${flushes} flushes, ${merges} merges, ${moves} moves`,
  );
  say(`write amplification    ${writeAmplification.toFixed(2)}`);
  const looks = filter.hits + filter.passes;
  say(`looks into a segment   ${count(looks)}, of which a filter ended ${percent(filter.hits, looks)}`);
  const blocks = cache.hits + cache.misses;
  say(`blocks                 ${count(blocks)}, of which the cache had ${percent(cache.hits, blocks)}`);
}

function keyOf({ country, name, lat, lng }: City): string {
  return `${country}/${name}/${lat},${lng}`;
}

function cityText(value: Uint8Array): string {
  const { name, lat, lng }: City = JSON.parse(text.decode(value));
  return `  ${name.padEnd(36)} ${lat.padStart(9)} ${lng.padStart(10)}`;
}

function timed<T>(action: () => T): readonly [result: T, milliseconds: number] {
  const started = performance.now();
  return [action(), performance.now() - started];
}
