import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { checksum } from "../../core/checksum.ts";
import { CorruptionError, UnsupportedFormatError } from "../../core/errors.ts";
import type { FileKind } from "../../core/file_header.ts";
import { decodeFileHeader, encodeFileHeader, FILE_HEADER_BYTES, fileSalt } from "../../core/file_header.ts";
import { writeU32 } from "../../core/little_endian.ts";
import { safeNumber, salt } from "../support/arbitraries.ts";
import { cutOff, everyChange, joined, valueUnlessDamaged } from "../support/damage.ts";
import { SALT } from "../support/record_files.ts";

const KINDS: readonly FileKind[] = ["journal", "manifest", "segment"];
const kind = fc.constantFrom(...KINDS);

Deno.test("a file header says what the file is, which one, and how its checksums are seeded", () => {
  const { header, bytes } = encodeFileHeader("journal", 12, SALT);
  assertEquals(bytes.length, FILE_HEADER_BYTES);
  assertEquals(new TextDecoder().decode(bytes.subarray(0, 5)), "LSMTJ");
  assertEquals(decodeFileHeader(bytes, "journal", 12, "journal-000012"), header);
});

Deno.test("every header comes back, whatever stands behind it", () => {
  fc.assert(fc.property(kind, safeNumber, salt, fc.uint8Array(), (kind, id, salt, rest) => {
    const { header, bytes } = encodeFileHeader(kind, id, salt);
    assertEquals(decodeFileHeader(joined(bytes, rest), kind, id, "file"), header);
    assertEquals(encodeFileHeader(header.kind, header.id, header.salt).bytes, bytes);
  }));
});

Deno.test("every changed byte of a header is found, and every header that is cut off", () => {
  const { bytes } = encodeFileHeader("segment", 34, SALT);
  for (const { bytes: changed } of everyChange(bytes)) {
    assertThrows(() => decodeFileHeader(changed, "segment", 34, "segment-000034"), CorruptionError);
  }
  for (const short of cutOff(bytes)) {
    assertThrows(
      () => decodeFileHeader(short, "segment", 34, "segment-000034"),
      CorruptionError,
      "ends before",
    );
  }
});

Deno.test("a file under another file's name, or of another kind, is found out", () => {
  const { bytes } = encodeFileHeader("journal", 12, SALT);
  const error = assertThrows(() => decodeFileHeader(bytes, "journal", 13, "journal-000013"), CorruptionError);
  assertEquals([error.file, error.offset], ["journal-000013", 0]);
  assertThrows(() => decodeFileHeader(bytes, "manifest", 12, "x"), CorruptionError, "it is not a manifest");
  assertThrows(
    () => decodeFileHeader(new Uint8Array(28), "journal", 0, "x"),
    CorruptionError,
    "does not begin",
  );
});

Deno.test("a whole header of a later version is unsupported and not corrupt", () => {
  const error = assertThrows(
    () => decodeFileHeader(forged(5, 2), "journal", 12, "journal-000012"),
    UnsupportedFormatError,
    `Cannot read "journal-000012": it has format 2, this module knows up to 1; update the module`,
  );
  assertEquals([error.file, error.offset], ["journal-000012", 5]);
  assertThrows(() => decodeFileHeader(forged(6, 1), "journal", 12, "x"), CorruptionError);
  assertThrows(
    () => decodeFileHeader(forged(15, 1), "journal", 12, "x"),
    CorruptionError,
    "another file's name",
  );
});

Deno.test("any bytes are a header, corrupt or unsupported", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), kind, (bytes, kind) => {
    assertEquals(valueUnlessDamaged(() => decodeFileHeader(bytes, kind, 1, "file")), undefined);
  }));
});

Deno.test("files of one open have different salts, and so has a file whose id came back in another", () => {
  const drawn = { low: 0, high: 0 };
  const salts = Array.from({ length: 2_000 }, (_, id) => fileSalt(drawn, id));
  assertEquals(new Set(salts.map(({ low, high }) => `${low} ${high}`)).size, 2_000);
  const far = fileSalt(drawn, 2 ** 32 + 1);
  assert(far.high !== fileSalt(drawn, 1).high);
  fc.assert(fc.property(salt, salt, safeNumber, (a, b, id) => {
    const [ofA, ofB] = [fileSalt(a, id), fileSalt(b, id)];
    assertEquals(ofA.low === ofB.low && ofA.high === ofB.high, a.low === b.low && a.high === b.high);
    assertEquals([ofA.low >>> 0, ofA.high >>> 0], [ofA.low, ofA.high]);
  }));
});

/** Returns the header of journal 12 with one byte changed and a checksum that fits. */
function forged(at: number, value: number): Uint8Array {
  const { bytes } = encodeFileHeader("journal", 12, SALT);
  bytes[at] = value;
  writeU32(bytes, 24, checksum(bytes, 0, 24, 0));
  return bytes;
}
