/**
 * Whatever is compacted, what a reader sees stays the same.
 *
 * First everything of a small size: three runs over two keys, each key put, removed or not there, each run cut in every way, and
 * of that every choice there is. Then larger trees by chance, every strategy, and the choices of each followed to their end.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { lazyLeveled, leveled, Levels, majorChoice, sizeTiered } from "../../compaction/mod.ts";
import type { CompactionStrategy } from "../../compaction/mod.ts";
import type { CompactionChoice, Run, SegmentMeta, TreeState, Version } from "../../core/mod.ts";
import {
  applyEdit,
  busySegments,
  checkChoice,
  checkRuns,
  EMPTY_MEMTABLE,
  EMPTY_VERSION,
  openedState,
  step,
  versionSegments,
} from "../../core/mod.ts";
import { rewrite } from "../../compaction/rewrite.ts";
import type { GivenEntry } from "../support/arbitraries.ts";
import { byteKey, entriesOf } from "../support/arbitraries.ts";
import { forwards, valueOf } from "../support/core_views.ts";
import { effort } from "../support/effort.ts";
import { MemorySegments, MemorySink } from "../support/memory_segments.ts";
import { SMALL } from "../support/pure_tree.ts";
import { SALT } from "../support/record_files.ts";
import { NO_CODEC } from "../support/run_length_codec.ts";
import { ALL } from "../support/sorted_model.ts";

const LEVELS = 3;

/** A run's segments, each by its entries. */
type RunForm = readonly (readonly GivenEntry[])[];

Deno.test("every legal choice on every tree of three runs over two keys keeps what is seen", () => {
  const counts = { legal: 0, refused: 0, tombstonesGone: 0 };
  const forms = formsOfTwoKeys();
  for (const [i, first] of forms.entries()) {
    for (const [j, second] of forms.entries()) {
      for (const third of [forms[(i * 5 + j) % forms.length]!, forms[(i + j * 7 + 3) % forms.length]!]) {
        for (const levels of [[0, 0, 0], [0, 1, 2], [0, 1, 1]]) {
          tryEveryChoice([first, second, third], levels, counts);
        }
      }
    }
  }
  assert(counts.legal > 10_000 && counts.refused > 10_000, JSON.stringify(counts));
  assert(counts.tombstonesGone > 1_000, JSON.stringify(counts));
});

Deno.test("every legal choice on larger trees keeps what is seen", () => {
  const forms = fc.array(runForm(), { minLength: 1, maxLength: 5 });
  const counts = { legal: 0, refused: 0, tombstonesGone: 0 };
  fc.assert(
    fc.property(
      forms,
      fc.nat(5),
      fc.array(fc.tuple(fc.nat(0xffff), fc.nat(2)), { maxLength: 8 }),
      (runs, deeper, picks) => {
        const { state, source } = treeOf(runs, runs.map((_, age) => Math.max(0, age - deeper)));
        const ids = versionSegments(state.version).map((segment) => segment.id);
        for (const [bits, destLevel] of picks) {
          const segments = ids.filter((_, i) => (bits >> (i % 16) & 1) === 1);
          compare(state, source, { kind: "merge", segments, destLevel, targetSize: 1024 }, counts);
          compare(state, source, { kind: "move", segments, destLevel }, counts);
        }
      },
    ),
    effort(200),
  );
  assert(counts.legal > 50 && counts.refused > 50, JSON.stringify(counts));
});

Deno.test("each strategy, followed to its end, keeps what is seen and ends", () => {
  const strategies: readonly CompactionStrategy[] = [
    leveled({ l0Threshold: 1, targetSize: 1024 }),
    leveled({ l0Threshold: 3, targetSize: 4096 }),
    sizeTiered({ minThreshold: 2, maxThreshold: 3 }),
    lazyLeveled({ threshold: 2, targetSize: 1024 }),
    { name: "major", choose: (levels) => majorChoice(levels, LEVELS) },
  ];
  let followed = 0;
  const forms = fc.array(runForm(), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(forms, fc.nat(6), fc.constantFrom(...strategies), (runs, deeper, strategy) => {
      const { state, source } = treeOf(runs, runs.map((_, age) => Math.max(0, age - deeper)));
      const before = forwards(state, ALL, source);
      let { version } = state;
      for (let rounds = 0;; rounds++) {
        assert(rounds < 100, `${strategy.name} does not end`);
        const options = { levelCount: LEVELS, levelRatio: 2, maxMemtableSize: 200, now: 0 };
        const choice = strategy.choose(Levels.of(version, new Set(), LEVELS), options);
        if (choice.kind === "none") break;
        const next = applied({ ...state, version }, source, choice);
        assert(typeof next !== "string", `${strategy.name}: ${next}`);
        version = next;
        assertEquals(forwards({ ...state, version }, ALL, source), before);
        followed += 1;
      }
    }),
    effort(200),
  );
  assert(followed > 200, `${followed} choices`);
});

Deno.test("a drop takes away what stands in its segments and nothing else comes back", () => {
  let dropped = 0;
  const forms = fc.array(runForm(), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(forms, fc.nat(0xffff), (runs, bits) => {
      const { state, source } = treeOf(runs, runs.map(() => 0));
      const all = versionSegments(state.version);
      const segments = all.filter((_, i) => (bits >> i & 1) === 1).map((segment) => segment.id);
      const next = applied(state, source, { kind: "drop", segments });
      if (typeof next === "string") return;
      dropped += 1;
      for (const [key] of all.flatMap((segment) => source.entriesOf(segment))) {
        const [was, is] = [valueOf(state, key, source), valueOf({ ...state, version: next }, key, source)];
        const from = all.find((segment) => source.entriesOf(segment).some(([name]) => name === key))!;
        assertEquals(is, segments.includes(from.id) ? undefined : was);
      }
    }),
    effort(),
  );
  assert(dropped > 20, `${dropped} drops`);
});

/** Every run over the keys "a" and "c", in one segment or, if it has both, also in two. */
function formsOfTwoKeys(): RunForm[] {
  const states = [undefined, null, Uint8Array.of(1)];
  const forms: RunForm[] = [];
  for (const a of states) {
    for (const c of states) {
      const entries: GivenEntry[] = [];
      if (a !== undefined) entries.push(["a", a]);
      if (c !== undefined) entries.push(["c", c]);
      if (entries.length > 0) forms.push([entries]);
      if (entries.length > 1) forms.push(entries.map((entry) => [entry]));
    }
  }
  return forms;
}

/** A run of one to three segments. */
function runForm(): fc.Arbitrary<RunForm> {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc.constant(new Uint8Array(400).fill(1)),
    fc.constant(null),
    fc.constant(null),
  );
  const entries = entriesOf(byteKey, value, { minLength: 1, maxLength: 9 });
  return fc.tuple(entries, fc.integer({ min: 1, max: 3 })).map(([given, parts]) => {
    const each = Math.ceil(given.length / parts);
    const form: GivenEntry[][] = [];
    for (let i = 0; i < given.length; i += each) form.push(given.slice(i, i + each));
    return form;
  });
}

/** Returns a tree of runs, newest first, and where its segments are. */
function treeOf(
  forms: readonly RunForm[],
  levels: readonly number[],
): { readonly state: TreeState; readonly source: MemorySegments } {
  const source = new MemorySegments();
  let id = 100;
  const runs = forms.map((form, age): Run => ({
    level: levels[age]!,
    segments: form.map((entries): SegmentMeta => source.add(--id, entries)),
  }), effort());
  assertEquals(checkRuns(runs), undefined);
  const version: Version = { ...EMPTY_VERSION, runs, nextId: 100, flushedSeqno: 100 };
  return { state: { ...openedState(version, [], 100, 100, SALT), askStrategy: false }, source };
}

function tryEveryChoice(
  forms: readonly RunForm[],
  levels: readonly number[],
  counts: { legal: number; refused: number; tombstonesGone: number },
): void {
  const { state, source } = treeOf(forms, levels);
  const ids = versionSegments(state.version).map((segment) => segment.id);
  for (let bits = 1; bits < 2 ** ids.length; bits++) {
    const segments = ids.filter((_, i) => (bits >> i & 1) === 1);
    for (let destLevel = 0; destLevel < LEVELS; destLevel++) {
      compare(state, source, { kind: "merge", segments, destLevel, targetSize: 1024 }, counts);
    }
  }
}

/** Compares what is seen before and after a choice, if that is legal. */
function compare(
  state: TreeState,
  source: MemorySegments,
  choice: Exclude<CompactionChoice, { kind: "none" }>,
  counts: { legal: number; refused: number; tombstonesGone: number },
): void {
  const next = applied(state, source, choice);
  if (typeof next === "string") {
    counts.refused += 1;
    assertEquals(typeof checkChoice(choice, state.version, new Set(), LEVELS), "string");
    return;
  }
  counts.legal += 1;
  const pairs = forwards({ active: EMPTY_MEMTABLE, sealed: [], version: next }, ALL, source);
  const before = forwards(state, ALL, source);
  const same = pairs.length === before.length &&
    pairs.every(([key, value], i) => key === before[i]![0] && value === before[i]![1]);
  assert(same, `${JSON.stringify(choice)} of ${JSON.stringify(state.version.runs)}`);
  const left = (of: Version): number =>
    versionSegments(of).reduce((sum, segment) => sum + segment.tombstones, 0);
  if (left(next) < left(state.version)) counts.tombstonesGone += 1;
  if (choice.kind === "merge") checkTombstones(state.version, next, source, new Set(choice.segments));
}

/** Checks that a merge kept each tombstone that hides something and none below which nothing lies. */
function checkTombstones(
  before: Version,
  after: Version,
  source: MemorySegments,
  ids: ReadonlySet<number>,
): void {
  const known = new Set(versionSegments(before).map((segment) => segment.id));
  const kept = new Map(
    versionSegments(after).filter((segment) => !known.has(segment.id)).flatMap((segment) =>
      source.entriesOf(segment)
    ),
  );
  const newest = new Map<string, { readonly value: string | null; readonly age: number }>();
  let first = Infinity;
  for (const [age, run] of before.runs.entries()) {
    for (const segment of run.segments) {
      if (!ids.has(segment.id)) continue;
      first = Math.min(first, age);
      for (const [key, value] of source.entriesOf(segment)) {
        if (!newest.has(key)) newest.set(key, { value, age });
      }
    }
  }
  const isCovered = (key: string, from: number): boolean =>
    before.runs.slice(from + 1).some((run) =>
      run.segments.some((one) => !ids.has(one.id) && one.minKey <= key && key <= one.maxKey)
    );
  for (const [key, { value, age }] of newest) {
    if (value !== null || isCovered(key, age)) assertEquals(kept.get(key), value);
    else if (!isCovered(key, first)) assertEquals(kept.has(key), false);
  }
  assert([...kept.keys()].every((key) => newest.has(key)));
}

/** Returns the version after a choice, done through `step`; or why it was refused. */
function applied(state: TreeState, source: MemorySegments, choice: CompactionChoice): Version | string {
  const nextId = Math.max(state.version.nextId, ...source.files.keys()) + 1;
  const files = source.files.size;
  const chosen = step({ ...state, nextId }, { kind: "choose", choice, now: 1 }, SMALL);
  let [effect] = chosen.start;
  let at = chosen.state;
  if (effect === undefined) return `${at.failure!.error}`;
  assert(busySegments(at).size > 0);
  assertEquals(effect.kind === "run_task", choice.kind === "merge");
  if (effect.kind === "run_task") {
    const outputs = rewrite(effect.task, source, NO_CODEC, new MemorySink(source.files));
    const finished = { kind: "task_finished" as const, task: effect.task.id, outputs, now: 2 };
    const written = step(at, finished, SMALL);
    at = written.state;
    [effect] = written.start;
  }
  assert(effect?.kind === "commit_edit");
  const { version } = step(at, { kind: "edit_committed", now: 3 }, SMALL).state;
  assertEquals(version, applyEdit(state.version, effect.edit));
  if (choice.kind === "move") {
    // Nothing is rewritten: the same segments stand elsewhere.
    const idsOf = (of: Version): number[] => versionSegments(of).map(({ id }) => id).sort((a, b) => a - b);
    assertEquals([idsOf(version), source.files.size], [idsOf(state.version), files]);
  }
  return version;
}
