/**
 * The core against a sorted map, command by command, with effects that end late, out of order, or badly.
 *
 * After every command everything is read in every way and the state's invariants are checked; what `PureTree` checks on the way
 * (files that are needed are there, states never change) comes on top.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { StepOptions } from "../../core/mod.ts";
import { MergedRange, versionSegments } from "../../core/mod.ts";
import type { Action } from "../support/core_session.ts";
import { actions, CoreSession, sessionKey } from "../support/core_session.ts";
import { pairAt } from "../support/core_views.ts";
import { effort } from "../support/effort.ts";
import { PureTree, SMALL, SMALL_LEVELED } from "../support/pure_tree.ts";

Deno.test("whatever happens in whatever order, the core reads as a sorted map", () => {
  const seen = new Map<string, number>();
  const property = fc.property(actions(60), sessionKey, sessionKey, holds({ ...SMALL, tasksMax: 3 }, seen));
  fc.assert(property, effort(300));
  assertHappened(seen, [
    "chosen drop",
    "chosen merge",
    "chosen move",
    "clear",
    "drop",
    "dropped",
    "failure",
    "flush",
    "given up",
    "journal deleted",
    "merge",
    "move",
    "out of order",
    "pop first",
    "pop last",
    "refused choice",
    "reopen",
    "several memtables recovered",
  ]);
});

Deno.test("with leveled compaction it reads as a sorted map too", () => {
  const seen = new Map<string, number>();
  const list = actions(80, "choose", "choose runs");
  fc.assert(fc.property(list, sessionKey, sessionKey, holds(SMALL_LEVELED, seen)), effort(200));
  assertHappened(seen, ["chosen merge", "flush", "given up", "merge", "move", "reopen"]);
});

Deno.test("with every write synced, compressed and without filters it reads as a sorted map too", () => {
  const options: StepOptions = {
    ...SMALL_LEVELED,
    durability: "sync",
    maxMemtableSize: 120,
    filterBitsPerKey: 0,
    compressionAt: (level) => level === 0 ? "lz4" : "none",
    tasksMax: 1,
  };
  const seen = new Map<string, number>();
  fc.assert(fc.property(actions(60), sessionKey, sessionKey, holds(options, seen)), effort(150));
  assertHappened(seen, ["flush", "merge", "reopen"]);
  assertEquals(seen.get("dropped"), undefined, "a power cut took a batch that was synced");
});

Deno.test("a queue finds its next entry without passing over what was popped", () => {
  const tree = new PureTree({ ...SMALL_LEVELED, maxMemtableSize: 2_000 });
  const next = (): string | undefined => {
    const { emptyBelow, emptyFrom } = tree.state;
    const cursor = new MergedRange(tree.state, { lower: emptyBelow, upper: emptyFrom }, tree.source).next();
    return cursor === undefined ? undefined : pairAt(cursor)[0];
  };
  let blocksMax = 0;
  for (let i = 0; i < 1_500; i++) {
    tree.put([`${10_000 + i}`, "job"]).settle();
    if (i < 100) continue;
    tree.source.asked.length = 0;
    const key = next();
    assertEquals(key, `${10_000 + i - 100}`);
    tree.write([{ kind: "remove", key: key! }], "first");
    blocksMax = Math.max(blocksMax, tree.source.asked.filter((one) => one.part === "block").length);
  }
  assert(tree.counts.get("flush")! > 20 && tree.counts.get("merge")! > 5);
  assert(blocksMax < 12, `${blocksMax} blocks for one entry`);
});

/** Returns a predicate that runs actions and checks everything after each, and counts what happened. */
function holds(
  options: StepOptions,
  seen: Map<string, number>,
): (list: Action[], lower: string, upper: string) => void {
  return (list, lower, upper) => {
    const session = new CoreSession(options);
    for (const action of list) {
      session.run(action);
      session.check(lower, upper);
    }
    session.compact();
    session.check(lower, upper);
    session.checkKept();
    // Compacted as a whole, nothing is left but what is alive.
    const { version } = session.tree.state;
    const segments = versionSegments(version);
    assertEquals(segments.reduce((sum, segment) => sum + segment.tombstones, 0), 0);
    assertEquals(segments.reduce((sum, segment) => sum + segment.entries, 0), session.model.size);
    assert(version.runs.length <= 1);
    // Files whose removal failed are orphans, which the next open removes.
    session.reopen(session.tree.disk());
    const { segments: files, journals } = session.tree.disk();
    assertEquals([files.size, journals.size], [segments.length, 0]);
    session.check(lower, upper);
    for (const [what, times] of session.seen) seen.set(what, (seen.get(what) ?? 0) + times);
  };
}

function assertHappened(seen: ReadonlyMap<string, number>, whats: readonly string[]): void {
  for (const what of whats) assert((seen.get(what) ?? 0) > 3, `${what}: ${seen.get(what) ?? 0} times`);
}
