/**
 * The core is a function: the same commands give the same effects, and a state that was kept answers for ever as it did.
 *
 * That no state is ever changed is checked in every test that uses a `PureTree`: it freezes each of them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { StepOptions, TreeState } from "../../core/mod.ts";
import { EMPTY_VERSION, openedState, step } from "../../core/mod.ts";
import { deepFreeze } from "../support/deep_freeze.ts";
import { actions, CoreSession, sessionBatch } from "../support/core_session.ts";
import { backwards, forwards } from "../support/core_views.ts";
import { effort } from "../support/effort.ts";
import { effectText } from "../support/effect_text.ts";
import { PureTree, SMALL, SMALL_LEVELED } from "../support/pure_tree.ts";
import { SALT } from "../support/record_files.ts";
import { ALL, SortedModel } from "../support/sorted_model.ts";

Deno.test("the same commands give the same effects, byte for byte, and the same files", () => {
  fc.assert(
    fc.property(actions(50), fc.constantFrom(SMALL, SMALL_LEVELED), (list, options) => {
      const [a, b] = [new CoreSession(options), new CoreSession(options)];
      for (const action of list) a.run(action);
      for (const action of list) b.run(action);
      assertEquals(a.tree.trace, b.tree.trace);
      assertEquals(a.tree.disk(), b.tree.disk());
      assertEquals(plain(a.tree.state), plain(b.tree.state));
    }),
    effort(),
  );
});

Deno.test("a state that was kept gives the same answers and takes the same steps after all that came later", () => {
  let steps = 0;
  fc.assert(
    fc.property(actions(50, "reopen", "power cut"), (list) => {
      const session = new CoreSession(SMALL_LEVELED);
      const kept: { readonly state: TreeState; readonly pairs: string }[] = [];
      const { tree } = session;
      for (const action of list) {
        session.run(action);
        kept.push({ state: tree.state, pairs: JSON.stringify(forwards(tree.state, ALL, tree.source)) });
      }
      const traced = [...tree.trace];
      const again: string[] = [];
      for (const { state, command } of tree.history) {
        const { persist, start } = step(state, command, tree.options);
        again.push(...[...persist, ...start].map(effectText));
        steps += 1;
      }
      assertEquals(again, traced);
      for (const { state, pairs } of kept) {
        assertEquals(JSON.stringify(forwards(state, ALL, tree.source)), pairs);
        assertEquals(JSON.stringify(backwards(state, ALL, tree.source).reverse()), pairs);
      }
    }),
    effort(),
  );
  assert(steps > 500, `${steps} steps`);
});

Deno.test("two futures of one state do not see each other", () => {
  const batches = fc.array(sessionBatch, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(batches, batches, batches, (past, one, other) => {
      const model = past.reduce((sum, batch) => sum.with(batch), new SortedModel());
      const tree = new PureTree({ ...SMALL, maxMemtableSize: 10_000 });
      for (const batch of past) tree.write(batch);
      const { state } = tree;
      // Each future appends to journals of its own: `step` only says what is to be appended.
      const futures = [one, other].map((future) => {
        let at = state;
        const writer = new PureTree({ ...SMALL, maxMemtableSize: 10_000 });
        for (const batch of future) {
          writer.write(batch);
          const { command } = writer.history.at(-1)!;
          at = deepFreeze(step(at, command, tree.options).state);
        }
        return { at, model: future.reduce((sum, batch) => sum.with(batch), model) };
      });
      for (const { at, model } of futures) assertEquals(forwards(at, ALL, tree.source), model.pairs());
      assertEquals(forwards(state, ALL, tree.source), model.pairs());
    }),
    effort(),
  );
});

Deno.test("what is seen does not depend on sizes, filters, compression or when work is done", () => {
  const configs: readonly StepOptions[] = [
    SMALL,
    SMALL_LEVELED,
    { ...SMALL_LEVELED, tasksMax: 1, filterBitsPerKey: 0, blockSize: 1 },
    { ...SMALL_LEVELED, durability: "sync", compressionAt: () => "lz4", maxMemtableSize: 1 },
    { ...SMALL, durability: "buffered", maxMemtableSize: 1_000_000, filterBitsPerKey: 1 },
  ];
  fc.assert(
    fc.property(fc.array(sessionBatch, { maxLength: 25 }), fc.nat(3), (batches, lag) => {
      const seen = configs.map((options) => {
        const tree = new PureTree(options);
        const answers: string[] = [];
        for (const [i, batch] of batches.entries()) {
          tree.write(batch);
          if (i % (lag + 1) === 0 && tree.pending.length > 0) tree.finish(i % tree.pending.length);
          answers.push(JSON.stringify(forwards(tree.state, ALL, tree.source)));
        }
        return answers;
      });
      for (const answers of seen) assertEquals(answers, seen[0]);
    }),
    effort(),
  );
});

Deno.test("a step does not change the state it is given, nor the command", () => {
  const tree = new PureTree(SMALL);
  tree.put(["a", "1"]);
  const { state } = tree;
  const before = JSON.stringify(plain(state));
  tree.put(["b", "2"]).seal().settle();
  assertEquals(JSON.stringify(plain(state)), before);
  const opened = deepFreeze(openedState(EMPTY_VERSION, [], 0, 1, SALT));
  const command = deepFreeze({ kind: "open_journal" as const });
  assertEquals(step(opened, command, SMALL), step(opened, command, SMALL));
});

/** Returns a state without what tells tokens and arenas of two runs apart. */
function plain(state: TreeState): unknown {
  return JSON.parse(
    JSON.stringify(state, (name, value) => name === "owner" || name === "arena" ? null : value),
  );
}
