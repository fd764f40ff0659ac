import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { snapshotEdit } from "../../core/edit.ts";
import { fileName } from "../../core/file_names.ts";
import { scanJournal } from "../../core/journal.ts";
import type { ManifestScan } from "../../core/manifest.ts";
import { scanManifest } from "../../core/manifest.ts";
import { EMPTY_MEMTABLE } from "../../core/memtable.ts";
import type { RecoveryMode, RecoveryPlan } from "../../core/recovery.ts";
import { countingJournals, planRecovery } from "../../core/recovery.ts";
import type { RewrittenJournal } from "../../core/rewritten_journal.ts";
import { rewriteJournals } from "../../core/rewritten_journal.ts";
import type { Version } from "../../core/version.ts";
import { EMPTY_VERSION } from "../../core/version.ts";
import { forwards } from "../support/core_views.ts";
import { joined } from "../support/damage.ts";
import { MemorySegments } from "../support/memory_segments.ts";
import type { RecordFile } from "../support/record_files.ts";
import { recordFile, SALT } from "../support/record_files.ts";
import { ALL } from "../support/sorted_model.ts";

type Journals = ReadonlyMap<number, Uint8Array<ArrayBuffer>>;

const HEADER_BYTES = 28;

function journal(id: number, numbers: readonly number[], durable = 0, valueBytes = 5): RecordFile {
  const file = recordFile("journal", id);
  for (const number of numbers) {
    file.batch(number, [{ kind: "put", key: `key ${number}`, value: "v".repeat(valueBytes) }], durable);
  }
  return file;
}

function manifestOf(parts: Partial<Version>): ManifestScan {
  const version = { ...EMPTY_VERSION, nextId: 2, ...parts };
  return scanManifest(
    recordFile("manifest", 1).edit(1, snapshotEdit(version, "created", 0)).mark(1).bytes(),
    1,
  );
}

function planOf(
  manifest: ManifestScan,
  journals: Journals,
  maxMemtableSize = 10_000,
  mode: RecoveryMode = "tolerate-tail",
): RecoveryPlan {
  const names = [fileName("manifest", 1), ...[...journals.keys()].map((id) => fileName("journal", id))];
  const scans = countingJournals(manifest.version, names).map((id) => scanJournal(journals.get(id)!, id));
  return planRecovery({ manifest, journals: scans, names, mode, maxMemtableSize });
}

function bytesOf({ header, pieces }: RewrittenJournal): Uint8Array<ArrayBuffer> {
  return joined(header, ...Array.from(pieces(), (piece) => piece.slice()));
}

/** Returns what a plan brings back, and in which memtables. */
function contents(plan: RecoveryPlan): unknown {
  const view = { active: EMPTY_MEMTABLE, sealed: plan.sealed, version: { ...plan.version, runs: [] } };
  const ranges = plan.sealed.map(({ firstSeqno, lastSeqno }) => [firstSeqno, lastSeqno]);
  return { pairs: forwards(view, ALL, new MemorySegments()), ranges, last: plan.lastSeqno };
}

Deno.test("what was replayed from journals that no fence lists stands in one new journal", () => {
  const journals: Journals = new Map([[4, journal(4, [1, 2]).bytes()], [
    7,
    journal(7, [3, 4, 5], 2).bytes(),
  ]]);
  const plan = planOf(manifestOf({}), journals);
  const rewritten = rewriteJournals(plan, SALT)!;
  const scan = scanJournal(bytesOf(rewritten), rewritten.id);
  assertEquals([rewritten.id, rewritten.plan.nextId, plan.nextId], [8, 9, 8]);
  assertEquals([scan.batches.map(({ number }) => number), scan.tail, scan.durable], [
    [1, 2, 3, 4, 5],
    undefined,
    2,
  ]);
  assertEquals(rewritten.plan.journals, [{ id: 8, validBytes: scan.file.length, lastSeqno: 5 }]);
  assertEquals(rewritten.plan.orphans, ["journal-000004", "journal-000007"]);
});

Deno.test("a journal that a fence lists stays as it is, and a memtable may be the fold of both", () => {
  const fenced = journal(4, [1, 2]);
  const fence = {
    journals: [{ id: 4, validBytes: fenced.bytes().length, lastSeqno: 2 }],
    nextId: 6,
    lastSeqno: 2,
  };
  const journals: Journals = new Map([[4, fenced.bytes()], [7, journal(7, [3, 4]).bytes()]]);
  const { plan, id } = rewriteJournals(planOf(manifestOf({ fence, nextId: 6 }), journals), SALT)!;
  assertEquals(plan.journals.map((journal) => [journal.id, journal.lastSeqno]), [[4, 2], [id, 4]]);
  assertEquals(plan.sealed.length, 1);
  assertEquals(plan.orphans, ["journal-000007"]);
  const alone = planOf(manifestOf({ fence, nextId: 6 }), new Map([[4, fenced.bytes()]]));
  assertEquals(rewriteJournals(alone, SALT), undefined);
});

Deno.test("what nothing was replayed from is not written again, and what is given up is set aside", () => {
  const empty: Journals = new Map([[4, journal(4, []).bytes()]]);
  assertEquals(rewriteJournals(planOf(manifestOf({}), empty), SALT), undefined);
  const hole: Journals = new Map([[4, journal(4, [1, 2], 3).bytes()], [6, journal(6, [4]).bytes()]]);
  const plan = planOf(manifestOf({}), hole, 10_000, "point-in-time");
  assertEquals(plan.lost, [6]);
  assertEquals(rewriteJournals(plan, SALT)!.plan.orphans, ["journal-000004"]);
});

Deno.test("records longer and shorter than a piece come whole and in order", () => {
  for (const valueBytes of [0, 1000, 131_000, 262_144 - 60, 700_000]) {
    const journals: Journals = new Map([[4, journal(4, [1, 2, 3, 4, 5], 0, valueBytes).bytes()]]);
    const rewritten = rewriteJournals(planOf(manifestOf({}), journals), SALT)!;
    const bytes = bytesOf(rewritten);
    assertEquals(scanJournal(bytes, rewritten.id).batches.length, 5);
    assert([...rewritten.pieces()].length <= 1 + bytes.length / 100_000);
  }
});

Deno.test("with the new journal beside the old ones, cut off anywhere, a recovery finds the same", () => {
  const anyCase = fc.record({
    parts: fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
    flushed: fc.nat(3),
    maxMemtableSize: fc.integer({ min: 1, max: 400 }),
    cut: fc.nat(10_000),
  });
  let cuts = 0;
  fc.assert(fc.property(anyCase, ({ parts, flushed, maxMemtableSize, cut }) => {
    const journals = new Map<number, Uint8Array<ArrayBuffer>>();
    let number = 1;
    for (const [i, count] of parts.entries()) {
      journals.set(3 + i, journal(3 + i, Array.from({ length: count }, () => number++)).bytes());
    }
    const manifest = manifestOf({ flushedSeqno: Math.min(flushed, number - 1) });
    const plan = planOf(manifest, journals, maxMemtableSize);
    const rewritten = rewriteJournals(plan, SALT);
    if (rewritten === undefined) return assertEquals(plan.sealed, []);
    const bytes = bytesOf(rewritten);
    // Both copies, the new one cut off.
    const both = new Map(journals).set(rewritten.id, bytes.slice(0, cut % (bytes.length + 1)));
    assertEquals(contents(planOf(manifest, both, maxMemtableSize)), contents(plan));
    // The new copy alone, as the decision names it.
    const fence = { journals: rewritten.plan.journals, nextId: rewritten.plan.nextId, lastSeqno: number - 1 };
    const decided = manifestOf({
      flushedSeqno: manifest.version.flushedSeqno,
      fence,
      nextId: rewritten.plan.nextId,
    });
    const alone = planOf(decided, new Map([[rewritten.id, bytes]]), maxMemtableSize);
    assertEquals(contents(alone), contents(plan));
    assertEquals(alone.journals, rewritten.plan.journals);
    for (const { journals } of rewritten.plan.sealed) {
      assertEquals(journals.map(({ id }) => id), [rewritten.id]);
      const last = scanJournal(bytes.slice(0, journals[0]!.validBytes), rewritten.id);
      assertEquals([last.tail, last.batches.at(-1)!.number], [undefined, journals[0]!.lastSeqno]);
    }
    cuts += cut % (bytes.length + 1) > HEADER_BYTES ? 1 : 0;
  }));
  assert(cuts > 20, `${cuts}`);
});
