/**
 * The decoders of journals, manifests and `CURRENT`, and of what their records hold, for the fuzzer.
 *
 * All encodings here are canonical, but for a label that is longer than any that is written. A journal's batches are decoded as
 * recovery does it, a manifest with the version that its edits make, and with its history as somebody asks for it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { BatchBuilder, decodeBatch } from "../../core/batch.ts";
import type { Operation } from "../../core/batch.ts";
import { readConfig, writeConfig } from "../../core/config.ts";
import { decodeEdit, encodeEdit } from "../../core/edit.ts";
import { PUT } from "../../core/entry_kind.ts";
import { decodeHistory, encodeHistory, historyChanges } from "../../core/history.ts";
import { journalBatch, scanJournal } from "../../core/journal.ts";
import { ByteReader, ByteWriter, readU16, readU32, readU64 } from "../../core/little_endian.ts";
import { decodeCurrent, encodeCurrent, scanManifest } from "../../core/manifest.ts";
import { checkRuns } from "../../core/version.ts";
import { bytesOfDump, CURRENT_DUMP, HISTORY_DUMP, JOURNAL_DUMP, MANIFEST_DUMP } from "../golden/format_1.ts";
import { SAMPLE_EDITS, SAMPLE_HISTORY, SAMPLE_IDS, SAMPLE_SNAPSHOT } from "../golden/samples.ts";
import { addOperations } from "./record_files.ts";
import { resealCurrent, resealRecords } from "./resealed.ts";
import type { Decoder } from "./decoder.ts";
import { asIs, isDamage, same } from "./decoder.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const payloads = [
  [{ kind: "put", key: "a", value: "1" }, { kind: "remove", key: "b" }, { kind: "clear" }],
  [{ kind: "put", key: "k".repeat(300), value: new Uint8Array(600) }],
].map((operations) => {
  const builder = new BatchBuilder(64);
  addOperations(builder, operations as Parameters<typeof addOperations>[1]);
  const { bytes, start, end } = builder.finish();
  return bytes.slice(start + 28, end);
});

function encodedAgain(operations: readonly Operation[], bytes: Bytes): Bytes {
  const builder = new BatchBuilder(64);
  for (const { kind, key, at } of operations) {
    const start = at + 7 + key.length;
    if (kind === PUT) {
      assertEquals(readU16(bytes, at + 1), key.length);
      builder.put(key, bytes.subarray(start, start + readU32(bytes, at + 3)));
    } else if (key === "" && bytes[at] === 7) builder.clear();
    else builder.remove(key);
  }
  const batch = builder.finish();
  return batch.bytes.slice(batch.start + 28, batch.end);
}

/** A label longer than 10,000 chars is cut when it is written: nobody writes one. */
const hasLongLabel = (text: string): boolean => text.length > 10_000;

/** What a journal, a manifest and `CURRENT` are decoded with. */
export const RECORD_DECODERS: readonly Decoder[] = [
  {
    name: "batch",
    samples: payloads,
    seal: asIs,
    decode: (bytes) => {
      const operations = decodeBatch(bytes, 0, bytes.length);
      same(encodedAgain(operations, bytes), bytes);
      return operations.length;
    },
  },
  {
    name: "journal",
    samples: [bytesOfDump(JOURNAL_DUMP)],
    seal: resealRecords,
    decode: (bytes) => {
      const scan = scanJournal(bytes, SAMPLE_IDS.journal);
      return scan.batches.reduce((sum, record) => sum + 1 + journalBatch(scan, record).length, 0);
    },
  },
  {
    name: "edit",
    samples: [...SAMPLE_EDITS, SAMPLE_SNAPSHOT].map(encodeEdit),
    seal: asIs,
    decode: (bytes) => {
      const edit = decodeEdit(bytes, 0, bytes.length);
      if (![edit.reason, edit.config?.stored.strategy.name ?? ""].some(hasLongLabel)) {
        same(encodeEdit(edit), bytes);
      }
      return edit.removed.length + edit.added.length;
    },
  },
  {
    name: "configuration",
    samples: SAMPLE_EDITS.filter(({ config }) => config !== undefined).map(({ config }) => {
      const writer = new ByteWriter();
      writeConfig(writer, config!.stored);
      return writer.finish();
    }),
    seal: asIs,
    decode: (bytes) => {
      const reader = new ByteReader(bytes, 0, bytes.length, "a configuration");
      const config = readConfig(reader);
      const writer = new ByteWriter();
      writeConfig(writer, config);
      if (!hasLongLabel(config.strategy.name)) same(writer.finish(), bytes.subarray(0, reader.position));
      return config.strategy.options.length;
    },
  },
  {
    name: "history",
    samples: [encodeHistory(SAMPLE_HISTORY)],
    seal: asIs,
    decode: (bytes) => {
      const history = decodeHistory(bytes, 0, bytes.length, 3);
      same(encodeHistory(history), bytes);
      return historyChanges(history).length;
    },
  },
  {
    name: "manifest",
    samples: [bytesOfDump(MANIFEST_DUMP), bytesOfDump(HISTORY_DUMP)],
    seal: resealRecords,
    decode: (bytes) => {
      const id = bytes.length >= 16 && readU64(bytes, 8) === SAMPLE_IDS.manifest ? 7 : 8;
      const { version, edits, history } = scanManifest(bytes, id);
      assertEquals(checkRuns(version.runs), undefined);
      try {
        historyChanges(history);
      } catch (error) {
        if (!isDamage(error)) throw error;
      }
      return edits.length + version.runs.length;
    },
  },
  {
    name: "CURRENT",
    samples: [bytesOfDump(CURRENT_DUMP), encodeCurrent(2 ** 52)],
    seal: resealCurrent,
    decode: (bytes) => {
      same(encodeCurrent(decodeCurrent(bytes)), bytes);
      return 1;
    },
  },
];
