import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { KeyShares } from "../../compaction/key_shares.ts";
import { SharesFold } from "../../compaction/key_shares.ts";
import { Random } from "../../compaction/random.ts";

const EVEN = { bands: [1], isOnce: false };
const KEYS = 200_000;

const shares: fc.Arbitrary<{ readonly put: number; readonly removed: number }> = fc.record({
  put: fc.double({ min: 0, max: 0.7, noNaN: true }),
  removed: fc.double({ min: 0, max: 0.3, noNaN: true }),
});

Deno.test("merging adds writes: any grouping of any flushes leaves the same shares", () => {
  fc.assert(fc.property(fc.array(shares, { minLength: 2, maxLength: 8 }), fc.nat(6), (given, at) => {
    const flushes = given.map(({ put }): KeyShares => ({ puts: [put], tombstones: 0, ghosts: 0 }));
    const cut = 1 + at % (flushes.length - 1);
    const atOnce = folded(flushes);
    const inTwo = folded([folded(flushes.slice(0, cut)), folded(flushes.slice(cut))]);
    assertAlmostEquals(atOnce.puts[0]!, inTwo.puts[0]!, 1e-9);
    assertAlmostEquals(
      1 - atOnce.puts[0]!,
      flushes.reduce((left, { puts }) => left * (1 - puts[0]!), 1),
      1e-9,
    );
  }));
});

Deno.test("puts and removes of random keys leave the shares that counting real keys gives", () => {
  const random = new Random(5);
  for (const flushes of [[[0.5, 0.2], [0.3, 0.4]], [[0.1, 0.1], [0.1, 0.3], [0.6, 0], [0.4, 0.4]]]) {
    // Newest first; what is removed is any key, so that only those that are there leave a tombstone.
    const isLive = new Uint8Array(KEYS);
    const models: KeyShares[] = [];
    const entries: Int8Array[] = [];
    for (const [put, removed] of flushes.toReversed() as [number, number][]) {
      const live = isLive.reduce((sum, one) => sum + one, 0) / KEYS;
      const written = new Int8Array(KEYS);
      for (let key = 0; key < KEYS; key++) {
        const chance = random.next();
        if (chance < put) {
          written[key] = 1;
          isLive[key] = 1;
        } else if (chance < put + removed) {
          if (isLive[key] === 1) written[key] = -1;
          isLive[key] = 0;
        }
      }
      entries.unshift(written);
      models.unshift({ puts: [put], tombstones: removed * live, ghosts: removed * (1 - live) });
    }
    const counted = { puts: 0, tombstones: 0 };
    for (let key = 0; key < KEYS; key++) {
      const newest = entries.find((written) => written[key] !== 0)?.[key];
      if (newest === 1) counted.puts += 1;
      if (newest === -1) counted.tombstones += 1;
    }
    const model = folded(models);
    assertAlmostEquals(model.puts[0]!, counted.puts / KEYS, 0.005);
    assertAlmostEquals(model.tombstones, counted.tombstones / KEYS, 0.005);
    assertAlmostEquals(model.putShare, isLive.reduce((sum, one) => sum + one, 0) / KEYS, 0.005);
  }
});

Deno.test("loads in order know of one another: shares add up, to one at most", () => {
  const fold = new SharesFold({ bands: [1], isOnce: true });
  for (const put of [0.25, 0.25]) fold.add({ puts: [put], tombstones: 0, ghosts: 0 });
  assertEquals(fold.puts, [0.5]);
  fold.add({ puts: [1], tombstones: 0, ghosts: 0 });
  assertEquals(fold.puts, [1]);
});

Deno.test("bands are apart, and count by how many keys they have", () => {
  const fold = new SharesFold({ bands: [0.1, 0.9], isOnce: false });
  fold.add({ puts: [1, 0.5], tombstones: 0, ghosts: 0 });
  fold.add({ puts: [1, 0.5], tombstones: 0, ghosts: 0 });
  assertEquals(fold.puts, [1, 0.75]);
  assertAlmostEquals(fold.putShare, 0.775);
  fold.clear();
  assertEquals([fold.puts, fold.putShare], [[0, 0], 0]);
});

Deno.test("shares are never negative and never above one in all", () => {
  fc.assert(
    fc.property(
      fc.array(shares, { maxLength: 12 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (given, live) => {
        const fold = folded(given.map(({ put, removed }) => ({
          puts: [put],
          tombstones: removed * live,
          ghosts: removed * (1 - live),
        })));
        const all = [fold.putShare, fold.tombstones, fold.ghosts];
        assert(all.every((share) => share >= 0) && all.reduce((a, b) => a + b) <= 1 + 1e-9, `${all}`);
        fold.dropTombstones();
        assertEquals([fold.tombstones, fold.ghosts], [0, 0]);
      },
    ),
    // A few removes over many more, all of them of keys that were there.
    { examples: [[[{ put: 0, removed: 0.001 }, { put: 0.7, removed: 0.3 }], 1]] },
  );
});

Deno.test("random numbers are those of their seed, even, and around nothing", () => {
  const [one, same, other] = [new Random(0), new Random(0), new Random(1)];
  const numbers = Array.from({ length: 10_000 }, () => one.next());
  assertEquals(numbers.slice(0, 9), Array.from({ length: 9 }, () => same.next()));
  assert(numbers[0] !== other.next() && numbers.every((number) => number >= 0 && number < 1));
  for (let tenth = 0; tenth < 10; tenth++) {
    assertAlmostEquals(numbers.filter((number) => Math.floor(number * 10) === tenth).length, 1_000, 120);
  }
  const around = Array.from({ length: 10_000 }, () => one.around());
  assertAlmostEquals(around.reduce((a, b) => a + b) / 10_000, 0, 0.04);
  assertAlmostEquals(around.reduce((a, b) => a + b * b, 0) / 10_000, 1, 0.05);
});

Deno.test("every seed makes numbers, the one too whose state would be nothing", () => {
  for (const seed of [2_436_121_381, 0, Number.MAX_SAFE_INTEGER]) {
    const random = new Random(seed);
    assertEquals(new Set(Array.from({ length: 10 }, () => random.next())).size, 10);
  }
});

function folded(newestFirst: readonly KeyShares[]): SharesFold {
  const fold = new SharesFold(EVEN);
  for (const one of newestFirst) fold.add(one);
  return fold;
}
