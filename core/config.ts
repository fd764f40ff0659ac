/**
 * The options that decide what a tree looks like on disk, and are stored with it.
 *
 * An option that is given wins over the stored one, the stored one over the default. What only belongs to a
 * handle (durability, caches, locks) is not here but in `io/config.ts`.
 *
 * A strategy or a compression of the user's own is a function and cannot be stored: its place is, so that the next
 * open can say that the default applies.
 *
 * @module
 */

import type { CompressionName } from "./codec.ts";
import type { ByteReader, ByteWriter } from "./little_endian.ts";
import { keyFromBytes, keyToBytes, textToBytes } from "./bytes.ts";

/** A compaction strategy by name, as it is stored. */
export interface StoredStrategy {
  /** Its name. */
  readonly name: string;
  /** Its options, in alphabetical order. */
  readonly options: readonly (readonly [name: string, value: number])[];
  /** Whether it is the user's own, so that nothing but its name is known. */
  readonly custom: boolean;
}

/** The options that are stored with a tree. */
export interface StoredConfig {
  /** Bytes appended to the journal before the memtable is sealed. */
  readonly maxMemtableSize: number;
  /** Target bytes of a data block. */
  readonly blockSize: number;
  /** How many levels there are. */
  readonly levelCount: number;
  /** Growth from level to level. */
  readonly levelRatio: number;
  /** Bits of a segment's filter for each key; 0 for no filter. */
  readonly filterBitsPerKey: number;
  /** How blocks are compressed; `"custom"` stands for a function of the user's own. */
  readonly compression: CompressionName | "custom";
  /** Which segments are merged, and when. */
  readonly strategy: StoredStrategy;
}

/** What applies where nothing is given and nothing is stored. */
export const DEFAULT_STORED_CONFIG: StoredConfig = {
  maxMemtableSize: 16 * 1024 * 1024,
  blockSize: 4 * 1024,
  levelCount: 7,
  levelRatio: 10,
  filterBitsPerKey: 10,
  compression: "none",
  strategy: { name: "leveled", options: [], custom: false },
};

/** The least and the most that a stored number may be, by option. */
const LIMITS = {
  /** Below 1 KiB a seal would cost more than what it seals; a journal's bytes are kept in memory. */
  maxMemtableSize: { least: 1024, most: 2 ** 40, whole: true },
  /** A block of several entries is at most 16 MiB; with short keys its columns may triple what was aimed at. */
  blockSize: { least: 1024, most: 4 * 1024 * 1024, whole: true },
  /** One level for flushes, one below; a level is one byte in an edit. */
  levelCount: { least: 2, most: 64, whole: true },
  levelRatio: { least: 2, most: 10_000, whole: false },
  /** A key's bits must fit into one 512-bit block of the filter. */
  filterBitsPerKey: { least: 0, most: 64, whole: false },
} as const;

/** An option of a strategy is the strategy's to check, but must be a number: `NaN` has no one encoding. */
const ANY_NUMBER = { least: -Infinity, most: Infinity, whole: false };

/**
 * Throws unless all numbers of a configuration are within their limits.
 *
 * @throws {TypeError} If one is not a number.
 * @throws {RangeError} If one is too small, too large or not whole where it must be.
 */
export function checkStoredConfig(config: StoredConfig): void {
  for (const name of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) {
    checkNumber(name, config[name], LIMITS[name]);
  }
  for (const [name, value] of config.strategy.options) checkNumber(name, value, ANY_NUMBER);
}

/** Throws unless `value` is a number within limits; `name` is the option's, for the message. */
export function checkNumber(
  name: string,
  value: unknown,
  limits: { readonly least: number; readonly most: number; readonly whole: boolean },
): void {
  if (typeof value !== "number") throw new TypeError(`Cannot use option ${name}: it is not a number`);
  if (!(value >= limits.least && value <= limits.most) || (limits.whole && !Number.isInteger(value))) {
    const kind = limits.whole ? "a whole number" : "a number";
    throw new RangeError(
      `Cannot use option ${name}: ${value} is not ${kind} from ${limits.least} to ${limits.most}`,
    );
  }
}

/** Returns which options differ, in words; none if the two are the same. */
export function configChanges(before: StoredConfig, after: StoredConfig): readonly string[] {
  return (Object.keys(before) as (keyof StoredConfig)[])
    .filter((name) => !isSameOption(before[name], after[name]))
    .map((name) => `${name} is ${optionText(after[name])} and was ${optionText(before[name])}`);
}

/** Text tells infinite numbers from each other, JSON where a name ends. */
function isSameOption(a: StoredConfig[keyof StoredConfig], b: StoredConfig[keyof StoredConfig]): boolean {
  return optionText(a) === optionText(b) && JSON.stringify(a) === JSON.stringify(b);
}

function optionText(option: StoredConfig[keyof StoredConfig]): string {
  if (typeof option !== "object") return `${option}`;
  const options = option.options.map(([name, value]) => `${name} ${value}`).join(", ");
  return `${option.custom ? "custom " : ""}${option.name}(${options})`;
}

const COMPRESSIONS = ["none", "lz4", "zstd", "custom"] as const;

/** Writes a configuration as a part of an edit. */
export function writeConfig(writer: ByteWriter, config: StoredConfig): void {
  writer.u64(config.maxMemtableSize).u32(config.blockSize).u8(config.levelCount);
  writeFloat(writer, config.levelRatio);
  writeFloat(writer, config.filterBitsPerKey);
  writer.u8(COMPRESSIONS.indexOf(config.compression));
  writeLabel(writer, config.strategy.name);
  writer.u8(config.strategy.custom ? 1 : 0).u8(config.strategy.options.length);
  for (const [name, value] of config.strategy.options) {
    writeLabel(writer, name);
    writeFloat(writer, value);
  }
}

/**
 * Reads a configuration.
 *
 * @throws {CorruptionError} If it is none.
 */
export function readConfig(reader: ByteReader): StoredConfig {
  const maxMemtableSize = reader.u64();
  const blockSize = reader.u32();
  const levelCount = reader.u8();
  const levelRatio = readFloat(reader);
  const filterBitsPerKey = readFloat(reader);
  const compression = COMPRESSIONS[reader.u8()];
  if (compression === undefined) throw reader.corrupt("its compression is unknown");
  const name = readLabel(reader);
  const custom = reader.u8();
  if (custom > 1) throw reader.corrupt("a flag is neither 0 nor 1");
  const options: [string, number][] = [];
  for (let left = reader.u8(); left > 0; left--) options.push([readLabel(reader), readFloat(reader)]);
  const config: StoredConfig = {
    maxMemtableSize,
    blockSize,
    levelCount,
    levelRatio,
    filterBitsPerKey,
    compression,
    strategy: { name, options, custom: custom === 1 },
  };
  try {
    checkStoredConfig(config);
  } catch (error) {
    throw reader.corrupt((error as Error).message);
  }
  return config;
}

/** Writes text as the key of its UTF-8 bytes. */
export function writeLabel(writer: ByteWriter, text: string): void {
  const bytes = textToBytes(text.slice(0, 10_000));
  writer.key(keyFromBytes(bytes, 0, bytes.length));
}

/**
 * Reads text that {@linkcode writeLabel} wrote.
 *
 * @throws {CorruptionError} If it is none.
 */
export function readLabel(reader: ByteReader): string {
  const bytes = keyToBytes(reader.key());
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw reader.corrupt("a text is not UTF-8");
  }
}

function writeFloat(writer: ByteWriter, value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  writer.u32(view.getUint32(0, true)).u32(view.getUint32(4, true));
}

function readFloat(reader: ByteReader): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, reader.u32(), true);
  view.setUint32(4, reader.u32(), true);
  return view.getFloat64(0, true);
}
