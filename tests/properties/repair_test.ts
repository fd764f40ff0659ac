/**
 * What a repair gives back of a tree that was damaged.
 *
 * - *Undamaged*: of a tree that was closed, or whose process was killed, everything, and nothing is lost.
 * - *One damage*: a byte that was changed, a file that is gone or was cut off. The new tree is clean; a key differs only if
 *   `lost` names bytes that held it, or the order of the segments is lost; what it has then is a value that it once had, or none.
 * - Of the damaged tree not a byte and not a name changes.
 *
 * One thing cannot be told: the journal of a killed tree that is gone, or ends with a whole record. That looks as if the process had been
 * killed before.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LostPart, RepairReport } from "@lsm/tree";
import { repair, Tree, verify } from "@lsm/tree";
import { SimulatedStorage } from "@lsm/tree/testing";
import {
  fileName,
  journalBatch,
  parseFileName,
  readBlock,
  scanJournal,
  segmentParts,
} from "../../core/mod.ts";
import { CODECS } from "../../io/codecs.ts";
import { effort } from "../support/effort.ts";
import type { Image, ImageEnd } from "../support/images.ts";
import { imageOf } from "../support/images.ts";
import { action, variant } from "../support/tree_actions.ts";
import { Session } from "../support/tree_session.ts";
import { configOf } from "../support/tree_worlds.ts";
import { anyKeepingWorkload, contentsOf, record } from "../support/workloads.ts";

/** So far apart are the bytes that are changed; coprime to the sizes of headers, so that each field is hit somewhere. */
const STRIDE = 5;

interface Repaired {
  readonly report: RepairReport;
  readonly contents: string;
}

async function repaired(storage: SimulatedStorage): Promise<Repaired> {
  const before = storage.files();
  const outStorage = new SimulatedStorage();
  const report = await repair("data", { out: "repaired", storage, outStorage });
  assertEquals(storage.files(), before, "a repair has changed what it was to read");
  assertEquals([storage.openHandles, storage.heldLocks], [0, 0], "handles or locks are left");
  assertEquals((await verify("repaired", { storage: outStorage })).problems, []);
  const tree = await Tree.open("repaired", { storage: outStorage });
  assert(tree.recovery.cleanClose);
  const contents = contentsOf(tree);
  assertEquals(tree.len(), report.entries);
  await tree.close();
  return { report, contents };
}

function asMap(contents: string): Map<string, string> {
  return new Map(
    contents.split("\n").filter((line) => line !== "").map((line) => line.split("=", 2) as [string, string]),
  );
}

type Files = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** Returns the keys that lost bytes held before the damage; of a file that was cut off nobody knows how long it had been. */
function keysIn(files: Files, damaged: Files, { file, offset, bytes }: LostPart): Set<string> {
  const keys = new Set<string>();
  const held = files.get(file);
  const { kind, id } = parseFileName(file)!;
  if (held === undefined) return keys;
  const known = damaged.get(file)?.length ?? 0;
  const lostEnd = offset + bytes >= known ? Infinity : offset + bytes;
  const isWithin = (start: number, end: number): boolean => start < lostEnd && end > offset;
  if (kind === "journal") {
    const scan = scanJournal(held, id);
    for (const record of scan.batches) {
      if (!isWithin(record.start - 28, record.end)) continue;
      for (const { key } of journalBatch(scan, record)) keys.add(key);
    }
  } else if (kind === "segment") {
    const segment = {
      id,
      size: held.length,
      read: (at: number, length: number) => held.slice(at, at + length),
    };
    const parts = segmentParts(segment, undefined, CODECS);
    for (let i = 0; i < parts.index!.count; i++) {
      if (!isWithin(parts.index!.offset(i), parts.index!.offset(i + 1))) continue;
      const block = readBlock(segment, parts, i, CODECS);
      for (let entry = 0; entry < block.count; entry++) keys.add(block.key(entry));
    }
  }
  return keys;
}

/** Checks that whatever differs is explained; returns whether anything does. */
async function checkExplained(
  { storage, contents }: Image,
  damaged: SimulatedStorage,
  what: string,
): Promise<boolean> {
  const { report, contents: seen } = await repaired(damaged);
  const wanted = asMap(contents.at(-1)!);
  const got = asMap(seen);
  const files = storage.files();
  const isOrderLost = report.manifest !== "used";
  assert(!isOrderLost || report.lost.some(({ file }) => /^(manifest|CURRENT)/.test(file)), what);
  const concerned = new Set(
    report.lost.filter(({ file }) => file !== "CURRENT").flatMap((
      part,
    ) => [...keysIn(files, damaged.files(), part)]),
  );
  const everWritten = new Set(contents.flatMap((one) => one.split("\n")));
  let differs = false;
  for (const key of new Set([...wanted.keys(), ...got.keys()])) {
    if (wanted.get(key) === got.get(key)) continue;
    differs = true;
    assert(concerned.has(key) || isOrderLost, `${what}: ${key} differs, and nothing explains it`);
    assert(!got.has(key) || everWritten.has(`${key}=${got.get(key)}`), `${what}: ${key} never was that`);
  }
  return differs;
}

for (const end of ["close", "compact", "kill"] as const satisfies readonly ImageEnd[]) {
  Deno.test(`a repair of an undamaged tree gives all of it: ${end}`, async () => {
    const image = await imageOf(end);
    const { report, contents } = await repaired(image.storage);
    assertEquals(contents, image.contents.at(-1));
    assertEquals([report.lost, report.manifest, report.notes], [[], "used", []]);
  });

  Deno.test(`whatever byte is changed, a repair gives the rest, and names what is lost: ${end}`, async () => {
    const image = await imageOf(end);
    const counts = { same: 0, lost: 0 };
    let start = 0;
    for (const [name, bytes] of image.storage.files()) {
      for (let offset = start++ % STRIDE; offset < bytes.length; offset += STRIDE) {
        const storage = image.storage.kill();
        storage.flip(name, offset, 1 << offset % 8);
        const differs = await checkExplained(image, storage, `byte ${offset} of ${name}`);
        counts[differs ? "lost" : "same"] += 1;
      }
    }
    assert(counts.same > 120 && counts.lost > 10, JSON.stringify(counts));
  });

  Deno.test(`a file that is gone, cut off or another's costs what it held: ${end}`, async () => {
    const image = await imageOf(end);
    for (const [name, bytes] of image.storage.files()) {
      const changed: (Uint8Array<ArrayBuffer> | undefined)[] = [undefined, new Uint8Array(bytes.length)];
      for (let length = 0; length < bytes.length; length += 11) changed.push(bytes.slice(0, length));
      for (const replacement of changed) {
        const storage = image.storage.kill();
        storage.damage(name, () => replacement);
        const what = `${name} of ${bytes.length} bytes has ${replacement?.length}`;
        if (end === "kill" && looksKilledBefore(name, replacement)) continue;
        await checkExplained(image, storage, what);
      }
    }
  });
}

function looksKilledBefore(name: string, bytes: Uint8Array | undefined): boolean {
  const file = parseFileName(name);
  if (file?.kind !== "journal") return false;
  return bytes === undefined || scanJournal(bytes, file.id).tail === undefined;
}

Deno.test("without CURRENT and manifest all that was flushed or is in journals comes back", async () => {
  for (const end of ["close", "compact", "kill"] as const) {
    const image = await imageOf(end);
    const storage = image.storage.kill();
    for (const name of storage.files().keys()) {
      if (/^(CURRENT|manifest)/.test(name)) storage.damage(name, () => undefined);
    }
    const { report, contents } = await repaired(storage);
    assertEquals([contents, report.manifest], [image.contents.at(-1), "none"]);
    assert(report.lost.length === 1 && report.notes.length >= 1);
  }
});

Deno.test("whatever was done with a tree, a repair of it after a kill and when it was closed gives all of it", async () => {
  let entries = 0;
  await fc.assert(
    fc.asyncProperty(
      variant,
      fc.array(action, { minLength: 10, maxLength: 60, size: "max" }),
      async (setup, list) => {
        const storage = new SimulatedStorage();
        let tree: Tree | undefined;
        const session = await Session.open({
          open: async (given) => (tree = await Tree.open("data", { ...configOf(given), storage })),
          openReader: () => Tree.open("data", { storage, readOnly: true }),
          check: () => {},
          closing: () => {},
          closed: () => {},
        }, setup);
        try {
          for (const one of list) await session.perform(one);
          const wanted = contentsOf(tree!);
          const image = storage.kill();
          const killed = await repaired(image);
          // What was only buffered is not there any more.
          const reopened = await Tree.open("data", { storage: image });
          assertEquals([killed.contents, killed.report.lost], [contentsOf(reopened), []]);
          await reopened.close();
          await session.end();
          const closed = await repaired(storage);
          assertEquals([closed.contents, closed.report.lost], [wanted, []]);
          entries += closed.report.entries;
        } finally {
          await session.abandon();
        }
      },
    ),
    effort(25),
  );
  assert(entries > 50, `${entries} entries`);
});

Deno.test("without an index compressed and plain blocks are found by their checksums", async () => {
  for (const compression of ["none", "lz4", "zstd"] as const) {
    const storage = new SimulatedStorage();
    const tree = await Tree.open("data", { storage, compression, blockSize: 1024, fsyncInterval: null });
    for (let i = 0; i < 100; i++) tree.insert(`key ${1000 + i}`, `value ${i} `.repeat(9));
    await tree.flushMemtable();
    const wanted = contentsOf(tree);
    await tree.close();
    const name = [...storage.files().keys()].find((one) => one.startsWith("segment"))!;
    const bytes = storage.files().get(name)!;
    for (const cut of [24, 300]) {
      const damaged = storage.kill();
      damaged.damage(name, () => bytes.slice(0, -cut));
      damaged.flip(name, 100, 4);
      const { report, contents } = await repaired(damaged);
      assertEquals(report.lost[0]!.offset, 28, compression);
      assert(report.lost[0]!.bytes < 1100);
      assertEquals(report.lost.length, cut === 24 ? 1 : 2);
      assert(report.entries > 50);
      const all = new Set(wanted.split("\n"));
      for (const line of contents.split("\n")) assert(all.has(line), line);
      assertEquals(fileName("segment", parseFileName(name)!.id), report.lost[0]!.file);
    }
  }
});

/** A repair is tried at about so many stops of each workload. */
const STOPS = 12;

Deno.test("wherever a process dies or the power fails, a repair gives what an open does, unless it says what is lost", async () => {
  const counts = { killed: 0, crashed: 0, torn: 0 };
  await fc.assert(
    fc.asyncProperty(anyKeepingWorkload, fc.nat(), async (workload, seed) => {
      const { stops } = await record(workload, new SimulatedStorage({ seed, profile: "garbage" }));
      const stride = Math.ceil(stops.length / STOPS);
      for (let i = seed % stride; i < stops.length; i += stride) {
        for (const end of ["killed", "crashed"] as const) {
          const storage = end === "killed" ? stops[i]!.storage.kill() : stops[i]!.storage.crash(seed + i);
          if (!storage.files().has("CURRENT")) continue;
          const { report, contents } = await repaired(storage);
          const opened = await Tree.open("data", { storage });
          const wanted = contentsOf(opened);
          const { dropped } = opened.recovery;
          await opened.close();
          // With a hole in the journals nobody can tell a crash from a manifest that was cut off; then all segments count.
          if (report.lost.length > 0) {
            assert(dropped !== undefined, `${end} at ${i}: ${JSON.stringify(report.lost)}`);
          } else assertEquals([report.manifest, contents], ["used", wanted], `${end} at ${i}`);
          counts[report.lost.length === 0 ? end : "torn"] += 1;
        }
      }
    }),
    effort(25),
  );
  assert(counts.killed > 100 && counts.crashed > 100 && counts.torn > 0, JSON.stringify(counts));
});
