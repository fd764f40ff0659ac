/**
 * The core against a sorted map, command by command, with effects that end late, out of order, or badly.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { StepOptions } from "../../core/mod.ts";
import { versionSegments } from "../../core/mod.ts";
import type { Action } from "../support/core_session.ts";
import { actions, CoreSession, sessionKey } from "../support/core_session.ts";
import { SMALL, SMALL_LEVELED } from "../support/pure_tree.ts";

/** How often each thing happened, over all runs of a property. */
function count(into: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [what, times] of from) into.set(what, (into.get(what) ?? 0) + times);
}

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
    const segments = versionSegments(session.tree.state.version);
    assertEquals(segments.reduce((sum, segment) => sum + segment.tombstones, 0), 0);
    assert(session.tree.state.version.runs.length <= 1);
    count(seen, session.seen);
  };
}

Deno.test("whatever happens in whatever order, the core reads as a sorted map", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(actions(60), sessionKey, sessionKey, holds({ ...SMALL, tasksMax: 3 }, seen)),
    { numRuns: 300 },
  );
  console.log(seen);
});

Deno.test("with leveled compaction it reads as a sorted map too", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(actions(80, "choose", "choose runs"), sessionKey, sessionKey, holds(SMALL_LEVELED, seen)),
    { numRuns: 200 },
  );
  console.log(seen);
});
