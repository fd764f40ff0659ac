import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { StoredConfig } from "../../core/config.ts";
import {
  checkNumber,
  checkStoredConfig,
  configChanges,
  DEFAULT_STORED_CONFIG,
  readConfig,
  readLabel,
  writeConfig,
  writeLabel,
} from "../../core/config.ts";
import { CorruptionError } from "../../core/errors.ts";
import { ByteReader, ByteWriter } from "../../core/little_endian.ts";
import { storedConfig, text } from "../support/arbitraries.ts";
import { cutOff, everyChange, sameBytes, valueUnlessDamaged } from "../support/damage.ts";

Deno.test("the defaults are within their limits", () => {
  checkStoredConfig(DEFAULT_STORED_CONFIG);
});

Deno.test("a number may be as small and as large as its limits and no further", () => {
  const limits: [name: keyof StoredConfig, least: number, most: number, step: number][] = [
    ["maxMemtableSize", 1024, 2 ** 40, 1],
    ["blockSize", 1024, 4 * 1024 * 1024, 1],
    ["levelCount", 2, 64, 1],
    ["levelRatio", 2, 10_000, 0.001],
    ["filterBitsPerKey", 0, 64, 0.001],
  ];
  for (const [name, least, most, step] of limits) {
    for (const fits of [least, most]) checkStoredConfig({ ...DEFAULT_STORED_CONFIG, [name]: fits });
    for (const wrong of [least - step, most + step, NaN, Infinity, -Infinity]) {
      const error = assertThrows(
        () => checkStoredConfig({ ...DEFAULT_STORED_CONFIG, [name]: wrong }),
        RangeError,
      );
      assert(error.message.startsWith(`Cannot use option ${name}: ${wrong} is not a`), error.message);
      assert(error.message.endsWith(`from ${least} to ${most}`), error.message);
    }
    assertThrows(() => checkStoredConfig({ ...DEFAULT_STORED_CONFIG, [name]: "4096" }), TypeError, name);
  }
});

Deno.test("sizes and counts are whole numbers, ratios need not be", () => {
  assertThrows(
    () => checkStoredConfig({ ...DEFAULT_STORED_CONFIG, blockSize: 4096.5 }),
    RangeError,
    "a whole number",
  );
  checkStoredConfig({ ...DEFAULT_STORED_CONFIG, levelRatio: 2.5, filterBitsPerKey: 9.6 });
  checkNumber("any", 0.5, { least: 0, most: 1, whole: false });
});

Deno.test("the options that differ are named with both values, and only they", () => {
  const custom = { name: "mine(a 1", options: [["a", Infinity]] as const, custom: true };
  const after = { ...DEFAULT_STORED_CONFIG, levelRatio: 2.5, compression: "zstd", strategy: custom } as const;
  assertEquals(configChanges(DEFAULT_STORED_CONFIG, after), [
    "levelRatio is 2.5 and was 10",
    "compression is zstd and was none",
    "strategy is custom mine(a 1(a Infinity) and was leveled()",
  ]);
  const alike = { name: "mine", options: [["a 1(a", Infinity]] as const, custom: true };
  assertEquals(configChanges(after, { ...after, strategy: alike }).length, 1);
  const other = { ...custom, options: [["a", -Infinity]] as const };
  assertEquals(configChanges(after, { ...after, strategy: other }).length, 1);
  fc.assert(fc.property(storedConfig, (given) => {
    assertEquals(configChanges(given, structuredClone(given)), []);
  }));
});

Deno.test("an option of a strategy that is not a number is refused before it is stored", () => {
  const strategy = { name: "leveled", options: [["l0Threshold", NaN]] as const, custom: false };
  assertThrows(() => checkStoredConfig({ ...DEFAULT_STORED_CONFIG, strategy }), RangeError, "l0Threshold");
  const infinite = { ...strategy, options: [["ttl", Infinity]] as const };
  checkStoredConfig({ ...DEFAULT_STORED_CONFIG, strategy: infinite });
});

Deno.test("every configuration comes back", () => {
  fc.assert(fc.property(storedConfig, (config) => {
    const bytes = encoded(config);
    const reader = new ByteReader(bytes, 0, bytes.length, "a test");
    assertEquals(readConfig(reader), config);
    reader.done();
  }));
});

Deno.test("a configuration that is cut off is corrupt", () => {
  for (const short of cutOff(encoded(sample()))) {
    assertInstanceOf(assertThrows(() => decoded(short)), CorruptionError);
  }
});

Deno.test("a changed configuration is corrupt, or another one with the same bytes again", () => {
  const seen = { corrupt: 0, another: 0 };
  for (const { bytes } of everyChange(encoded(sample()))) {
    const config = valueUnlessDamaged(() => decoded(bytes));
    if (config === undefined) seen.corrupt += 1;
    else {
      seen.another += 1;
      assert(sameBytes(encoded(config), bytes));
    }
  }
  assert(seen.corrupt > 100 && seen.another > 100, JSON.stringify(seen));
});

Deno.test("numbers beyond their limits are corrupt when they are read", () => {
  const bytes = encoded({ ...DEFAULT_STORED_CONFIG, levelCount: 65 });
  assertThrows(() => decoded(bytes), CorruptionError, "option levelCount: 65 is not");
});

Deno.test("a label is any text, cut where it would be too long to store", () => {
  fc.assert(fc.property(text, (given) => assertEquals(relabelled(given), given)));
  assertEquals(relabelled("\ufeffmark"), "\ufeffmark");
  assertEquals(relabelled("\u20ac".repeat(20_000)), "\u20ac".repeat(10_000));
  assertEquals(relabelled(`${"x".repeat(9_999)}\u{1f44d}`), `${"x".repeat(9_999)}\ufffd`);
});

Deno.test("a label that is not UTF-8 is corrupt", () => {
  for (const wrong of ["\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80"]) {
    const bytes = new ByteWriter().key(wrong).finish();
    const reader = new ByteReader(bytes, 0, bytes.length, "a test");
    assertThrows(() => readLabel(reader), CorruptionError, "a text is not UTF-8");
  }
});

function sample(): StoredConfig {
  return {
    ...DEFAULT_STORED_CONFIG,
    compression: "zstd",
    strategy: { name: "fifo", options: [["limit", 1e9], ["ttl", 60.5]], custom: true },
  };
}

function encoded(config: StoredConfig): Uint8Array {
  const writer = new ByteWriter();
  writeConfig(writer, config);
  return writer.finish();
}

function decoded(bytes: Uint8Array): StoredConfig {
  const reader = new ByteReader(bytes, 0, bytes.length, "a test");
  const config = readConfig(reader);
  reader.done();
  return config;
}

function relabelled(given: string): string {
  const writer = new ByteWriter();
  writeLabel(writer, given);
  const bytes = writer.finish();
  return readLabel(new ByteReader(bytes, 0, bytes.length, "a test"));
}
