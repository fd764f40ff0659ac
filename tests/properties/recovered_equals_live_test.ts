/**
 * What recovery makes of the files equals what was live, at any point, whatever was under way, cut off or damaged.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Chronicle, RecoveryPlan, TreeState } from "../../core/mod.ts";
import {
  CorruptionError,
  EMPTY_MEMTABLE,
  historyChanges,
  JournalRecoveryError,
  openedState,
  replayHistory,
  scanJournal,
  scanManifest,
} from "../../core/mod.ts";
import type { Action } from "../support/core_session.ts";
import { actions, checkState, CoreSession } from "../support/core_session.ts";
import { forwards } from "../support/core_views.ts";
import { effort } from "../support/effort.ts";
import type { MemorySegments } from "../support/memory_segments.ts";
import type { Disk } from "../support/pure_tree.ts";
import { namesOn, PureTree, recover, SMALL, SMALL_LEVELED } from "../support/pure_tree.ts";
import { SALT } from "../support/record_files.ts";
import type { Pair } from "../support/sorted_model.ts";
import { ALL } from "../support/sorted_model.ts";

Deno.test("at any point what recovery finds is what is live", () => {
  let several = 0;
  fc.assert(
    fc.property(actions(40), fc.constantFrom(64, 256, 10_000), (list, memtableBytesMax) => {
      const session = new CoreSession(SMALL);
      for (const action of list) {
        session.run(action);
        const { state, source } = session.tree;
        const plan = recover(session.tree.disk(), "strict", memtableBytesMax);
        assertEquals(plan.lastSeqno, state.seqno);
        assertEquals(contents(plan, source), forwards(state, ALL, source));
        checkState(stateOf(plan));
        if (plan.sealed.length > 1) several += 1;
      }
    }),
    effort(),
  );
  assert(several > 20, `${several} recoveries of several memtables`);
});

Deno.test("the fold of the manifest is the version that is live, and so is its history", () => {
  fc.assert(
    fc.property(actions(40, "reopen", "power cut"), (list) => {
      const session = new CoreSession(SMALL_LEVELED);
      for (const action of list) {
        session.run(action);
        const { manifest, manifestId } = session.tree.disk();
        const { version, history } = scanManifest(manifest, manifestId);
        assertEquals({ version, history }, chronicleOf(session.tree.state));
      }
    }),
    effort(),
  );
});

Deno.test("at any point and after any crash the fold of the history is the version", () => {
  let opened = 0;
  fc.assert(
    fc.property(actions(40, "choose"), (list) => {
      const session = new CoreSession(SMALL_LEVELED);
      for (const action of list) {
        const before = chronicleOf(session.tree.state);
        session.run(action);
        const { version, history } = session.tree.state;
        assertEquals(history.forgotten, 0);
        assertEquals([...replayHistory(history)].at(-1)!.after, version);
        const added = historyChanges(history).slice(before.history.edits.length);
        assertEquals(historyChanges(before.history).concat(added), historyChanges(history));
        if (action.do === "reopen" || action.do === "power cut") {
          assert(added.length <= 1 && added.every(({ cause }) => cause === "recovered"));
          opened += added.length;
        }
      }
    }),
    effort(),
  );
  assert(opened > 20, `${opened} recoveries`);
});

Deno.test("a crash while an edit is committed leaves the version before or after it, and the same contents", () => {
  let tried = 0;
  fc.assert(
    fc.property(actions(40, "choose", "choose runs"), fc.nat(200), (list, cut) => {
      const session = ran(SMALL, list);
      const { tree } = session;
      const effect = tree.pending.find((one) => one.kind === "commit_edit");
      if (effect === undefined) return;
      const expected = forwards(tree.state, ALL, tree.source);
      const before = tree.disk();
      tree.commitOnly(effect);
      const after = tree.disk();
      const end = Math.max(before.manifest.length, after.manifest.length - cut);
      for (const manifest of [after.manifest, after.manifest.slice(0, end)]) {
        const plan = recover({ ...after, manifest });
        assertEquals(contents(plan, tree.source), expected);
        assertEquals(plan.lastSeqno, tree.state.seqno);
        tried += 1;
      }
    }),
    effort(200),
  );
  assert(tried > 20, `${tried} crashes while an edit was committed`);
});

Deno.test("journals cut off anywhere behind what is durable leave an exact prefix", () => {
  let dropped = 0;
  const cuts = fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(actions(40, "power cut"), fc.array(cuts, { maxLength: 5 }), (list, crashes) => {
      const session = ran(SMALL, list);
      const { tree } = session;
      for (const numbers of crashes) {
        let next = 0;
        const disk = tree.diskAfterPowerCut((max) => numbers[next++ % numbers.length]! % (max + 1));
        const plan = recover(disk);
        assert(plan.lastSeqno >= tree.state.durableSeqno && plan.lastSeqno <= tree.state.seqno);
        assertEquals(contents(plan, tree.source), session.modelAt(plan.lastSeqno).pairs());
        if (plan.dropped !== undefined) dropped += 1;
        assert(plan.dropped === undefined || refuses(disk, "strict"));
      }
    }),
    effort(200),
  );
  assert(dropped > 20, `${dropped} crashes dropped something`);
});

Deno.test("the last journal cut off at every byte leaves every prefix, and nothing else", () => {
  const session = new CoreSession({ ...SMALL, maxMemtableSize: 10_000 });
  const write = (operations: Action & { do: "write" }): void => session.run(operations);
  for (let i = 0; i < 12; i++) {
    write({
      do: "write",
      operations: [{ kind: "put", key: `k${i % 5}`, value: `${i}` }, {
        kind: "remove",
        key: `k${(i + 2) % 5}`,
      }],
    });
  }
  const { tree } = session;
  const disk = tree.disk();
  const [id, whole] = [...disk.journals][0]!;
  const found = new Set<number>();
  for (let length = 0; length <= whole.length; length++) {
    const plan = recover({ ...disk, journals: new Map([[id, whole.slice(0, length)]]) });
    assertEquals(contents(plan, tree.source), session.modelAt(plan.lastSeqno).pairs());
    found.add(plan.lastSeqno);
  }
  assertEquals([...found], Array.from({ length: 13 }, (_, i) => i));
});

Deno.test("a flipped byte of a journal is an error if anything knows the batch to be durable, and ends the tree before it otherwise", () => {
  const outcomes = { refused: 0, dropped: 0, unhurt: 0 };
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(actions(40, "power cut", "choose", "choose runs"), flips, (list, places) => {
      const session = ran(SMALL, list);
      const { tree } = session;
      const disk = tree.disk();
      const ids = [...disk.journals.keys()];
      if (ids.length === 0) return;
      const known = knownDurable(disk);
      for (const [which, where, by] of places) {
        const id = ids[which % ids.length]!;
        const bytes = disk.journals.get(id)!.slice();
        bytes[where % bytes.length]! ^= by;
        const damaged = { ...disk, journals: new Map([...disk.journals, [id, bytes]]) };
        let plan: RecoveryPlan;
        try {
          plan = recover(damaged);
        } catch (error) {
          assert(error instanceof JournalRecoveryError, `${error}`);
          outcomes.refused += 1;
          plan = recover(damaged, "point-in-time");
          assert(plan.lastSeqno < known, "a crash explains it, and it was refused");
          assert(plan.dropped !== undefined && refuses(damaged, "strict"));
          assertEquals(contents(plan, tree.source), session.modelAt(plan.lastSeqno).pairs());
          continue;
        }
        assert(plan.lastSeqno >= known, `batch ${known} was known to be durable`);
        assertEquals(contents(plan, tree.source), session.modelAt(plan.lastSeqno).pairs());
        if (plan.lastSeqno === tree.state.seqno) outcomes.unhurt += 1;
        else {
          outcomes.dropped += 1;
          assert(plan.dropped !== undefined && refuses(damaged, "strict"));
        }
      }
    }),
    effort(300),
  );
  for (const [outcome, count] of Object.entries(outcomes)) assert(count > 20, `${outcome}: ${count}`);
});

Deno.test("a lost file that counts is an error, and one that does not count is not missed", () => {
  let [missed, dead] = [0, 0];
  fc.assert(
    fc.property(actions(40, "power cut"), fc.nat(), (list, which) => {
      const { tree } = ran(SMALL, list);
      const disk = tree.disk();
      const { version } = tree.state;
      for (const { id } of version.runs.flatMap((run) => run.segments)) {
        const segments = new Map(disk.segments);
        segments.delete(id);
        assert(refuses({ ...disk, segments }, "point-in-time"));
        missed += 1;
      }
      const listed = version.fence.journals.map((journal) => journal.id);
      const ids = [...disk.journals.keys()];
      if (ids.length === 0) return;
      const id = ids[which % ids.length]!;
      const journals = new Map(disk.journals);
      journals.delete(id);
      if (listed.includes(id)) assert(refuses({ ...disk, journals }, "point-in-time"));
      else if (
        scanJournal(disk.journals.get(id)!, id).batches.every((one) => one.number <= version.flushedSeqno)
      ) {
        assertEquals(recover({ ...disk, journals }).lastSeqno, tree.state.seqno);
        dead += 1;
      }
    }),
    effort(200),
  );
  assert(missed > 20 && dead > 5, `${missed} segments, ${dead} dead journals`);
});

Deno.test("recovering again and again finds the same, and keeps no more files", () => {
  fc.assert(
    fc.property(actions(40), fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 6 }), (list, cuts) => {
      const session = ran(SMALL, list);
      let { tree } = session;
      let next = 0;
      let disk = tree.diskAfterPowerCut((max) => cuts[next++ % cuts.length]! % (max + 1));
      let names: string[] | undefined;
      const first = recover(disk);
      for (let round = 0; round < 4; round++) {
        const plan = recover(disk);
        assertEquals(plan.lastSeqno, first.lastSeqno);
        tree = new PureTree(SMALL, { disk, plan });
        assertEquals(forwards(tree.state, ALL, tree.source), session.modelAt(first.lastSeqno).pairs());
        disk = tree.disk();
        const left = namesOn(disk).filter((name) => !name.startsWith("manifest"));
        if (names !== undefined) assertEquals(left, names);
        names = left;
        assertEquals(recover(disk).dropped, undefined);
      }
    }),
    effort(200),
  );
});

/** Runs actions. */
function ran(options: ConstructorParameters<typeof CoreSession>[0], list: readonly Action[]): CoreSession {
  const session = new CoreSession(options);
  for (const action of list) session.run(action);
  return session;
}

/** Returns the state that a plan makes. */
function stateOf(plan: RecoveryPlan): TreeState {
  return openedState(plan.version, plan.sealed, plan.lastSeqno, plan.nextId, SALT, plan.history);
}

function chronicleOf({ version, history }: Chronicle): Chronicle {
  return { version, history };
}

function contents(plan: RecoveryPlan, source: MemorySegments): Pair[] {
  return forwards({ active: EMPTY_MEMTABLE, sealed: plan.sealed, version: plan.version }, ALL, source);
}

/** Returns the highest batch that anything on a disk knows to be durable. */
function knownDurable(disk: Disk): number {
  const manifest = scanManifest(disk.manifest, disk.manifestId);
  const { fence } = manifest.version;
  const journals = [...disk.journals].filter(([id]) => id >= fence.nextId);
  return Math.max(
    manifest.durable,
    fence.lastSeqno,
    ...journals.map(([id, bytes]) => scanJournal(bytes, id).durable),
  );
}

function refuses(disk: Disk, mode: "strict" | "point-in-time"): boolean {
  try {
    recover(disk, mode);
    return false;
  } catch (error) {
    assert(error instanceof JournalRecoveryError || error instanceof CorruptionError, `${error}`);
    return true;
  }
}
