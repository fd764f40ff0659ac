/**
 * Plans, and what they are checked against.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { randomFrom } from "../workload.ts";
import { ContentHash, KEY_BYTES, KeyMaker, Values } from "./data.ts";
import { expectedOf, planOf, PUT, SEEK } from "./plan.ts";
import { workloadNamed, WORKLOADS } from "./workloads.ts";
import { Zipfian } from "./zipfian.ts";

const OPTIONS = { entries: 1_000, loaded: 1_000, seed: 1 };

Deno.test("the same seed gives the same plan, another one another", () => {
  for (const workload of WORKLOADS) {
    const plan = planOf(workload, OPTIONS);
    assertEquals(planOf(workload, OPTIONS), plan);
    if (workload.kind === "inOrder") continue;
    assertNotEquals(planOf(workload, { ...OPTIONS, seed: 2 }), plan);
  }
});

Deno.test("a store that was not loaded wholly is only asked for what is there", () => {
  for (const workload of WORKLOADS.filter(({ onto }) => onto === "loaded")) {
    const { loaded, kinds, numbers } = planOf(workload, { ...OPTIONS, loaded: 100 });
    assertEquals(loaded.length, 100);
    const there = new Set(loaded);
    for (const [i, number] of numbers.entries()) {
      const isNew = kinds[i] === PUT && number >= OPTIONS.entries;
      assert(isNew || there.has(number), `${workload.name} asks for ${number}`);
    }
  }
});

Deno.test("YCSB E reads in 95 of 100 operations, and inserts keys that are new", () => {
  const { kinds, numbers, details } = planOf(workloadNamed("ycsb-e"), {
    ...OPTIONS,
    entries: 100_000,
    loaded: 100_000,
  });
  const inserted = [...numbers].filter((_, i) => kinds[i] === PUT);
  assert(Math.abs(inserted.length - 500) < 100, `${inserted.length} of 10,000`);
  assertEquals(inserted, inserted.map((_, i) => 100_000 + i));
  const lengths = [...details].filter((_, i) => kinds[i] === SEEK);
  assertEquals([Math.min(...lengths), Math.max(...lengths)], [1, 100]);
});

Deno.test("ranks come in proportion to their inverse to the power of 0.99", () => {
  const count = 1_000;
  const draws = 200_000;
  const zipfian = new Zipfian(count, randomFrom(1));
  const seen = new Uint32Array(count);
  for (let i = 0; i < draws; i++) seen[zipfian.next()]! += 1;
  const zeta = Array.from({ length: count }, (_, i) => (i + 1) ** -0.99).reduce((sum, part) => sum + part);
  for (const rank of [0, 1]) {
    const wanted = draws * (rank + 1) ** -0.99 / zeta;
    assert(
      Math.abs(seen[rank]! - wanted) < wanted / 20,
      `rank ${rank}: ${seen[rank]} where ${wanted} are due`,
    );
  }
  const half = seen.subarray(0, 30).reduce((sum, part) => sum + part);
  assert(half > draws * 0.45 && half < draws * 0.6, `the first 30 ranks: ${half}`);
});

Deno.test("keys sort as their numbers do; the absent one comes just behind", () => {
  const keys = new KeyMaker();
  const numbers = [0, 9, 10, 9_999, 10_000, 99_999_999, 100_000_000, 4_294_967_295];
  const made = numbers.flatMap((number) => [keys.make(number).slice(), keys.makeAbsent(number).slice()]);
  const text = new TextDecoder("latin1");
  for (const [i, number] of numbers.entries()) {
    assertEquals(text.decode(made[2 * i]), String(number).padStart(KEY_BYTES, "0"));
  }
  const order = made.toSorted((one, other) => text.decode(one) < text.decode(other) ? -1 : 1);
  // Those of one ten are all before what is absent among them, which is still before the next ten.
  assertEquals(made.filter((_, i) => i % 2 === 0), order.filter((key) => key[KEY_BYTES - 1]! < 128));
});

Deno.test("a value is half random, and the other half is the same", () => {
  for (const valueBytes of [2, 100, 1_024]) {
    const value = new Values(valueBytes, 1).of(7, 0);
    assertEquals(value.length, valueBytes);
    assertEquals(value.slice(0, valueBytes / 2), value.slice(valueBytes / 2));
  }
  const values = new Values(100, 1);
  assertNotEquals(values.of(7, 0), values.of(7, 1));
});

Deno.test("what is expected is what a map would have", () => {
  const plan = planOf(workloadNamed("ycsb-f"), OPTIONS);
  const values = new Values(100, 1);
  const map = new Map([...plan.loaded].map((number) => [number, 0]));
  for (const [i, number] of plan.numbers.entries()) {
    if (plan.kinds[i] !== 1) map.set(number, plan.details[i]!);
  }
  const keys = new KeyMaker();
  const content = new ContentHash();
  for (const number of [...map.keys()].sort((one, other) => one - other)) {
    content.add(keys.make(number), values.of(number, map.get(number)!));
  }
  const { hash, count } = expectedOf(plan, plan.numbers.length, values);
  assertEquals([hash, count], [content.hash, content.count]);
});
