import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  fileName,
  LOCK_NAME,
  lostJournalName,
  parseFileName,
  READERS_NAME,
} from "../../core/file_names.ts";
import { safeNumber } from "../support/arbitraries.ts";

Deno.test("a numbered file is named by its kind and six digits or more", () => {
  assertEquals(fileName("journal", 12), "journal-000012");
  assertEquals(fileName("segment", 12_345_678), "segment-12345678");
  assertEquals(lostJournalName(12), "lost-journal-000012");
  assertEquals([LOCK_NAME, READERS_NAME, CURRENT_NAME], ["LOCK", "READERS", "CURRENT"]);
});

Deno.test("every name that is given out is understood, and no two files have the same", () => {
  const kind = fc.constantFrom("journal" as const, "manifest" as const, "segment" as const);
  fc.assert(fc.property(kind, safeNumber, (kind, id) => {
    assertEquals(parseFileName(fileName(kind, id)), { kind, id });
  }));
});

Deno.test("a name that is not written exactly like ours is not ours", () => {
  const foreign = [
    "",
    ".DS_Store",
    "._journal-000001",
    "journal-00012",
    "journal-0000012",
    "journal-000012.tmp",
    "journal-000012 ",
    "journal-000012\n",
    "Journal-000012",
    "journal-00001a",
    "journal--00001",
    "journal-9007199254740992",
    "journal-99999999999999999999",
    "../segment-000001",
    "segment-٠٠٠٠٠١",
    "__proto__-000001",
    lostJournalName(12),
    LOCK_NAME,
    CURRENT_NAME,
    CURRENT_TEMPORARY_NAME,
  ];
  for (const name of foreign) assertEquals(parseFileName(name), undefined, name);
});

Deno.test("any name is ours exactly if it is the one we would give", () => {
  const nearly = fc.string({ unit: fc.constantFrom(..."journal-segmt0123456789 ."), maxLength: 20 });
  fc.assert(fc.property(fc.oneof(fc.string(), nearly), (name) => {
    const parsed = parseFileName(name);
    if (parsed !== undefined) assertEquals(fileName(parsed.kind, parsed.id), name);
  }));
});
