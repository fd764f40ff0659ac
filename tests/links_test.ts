/**
 * The stand-ins for the standard library do what the originals promise, as far as the project uses them.
 *
 * @module
 */

import * as std from "@std/assert";
import { crypto, timingSafeEqual } from "@std/crypto";
import * as fs from "@std/fs";
import { DelimiterStream, mergeReadableStreams, TextLineStream, toArrayBuffer, toText } from "@std/streams";
import { testWithFiles } from "./support/permissions.ts";

const BYTES = new Uint8Array([1, 2, 3]);

Deno.test("every assertion is there, and the failed ones throw an AssertionError", async () => {
  const failing: readonly (() => void)[] = [
    () => std.assert(false),
    () => std.assertAlmostEquals(1, 2),
    () => std.assertArrayIncludes([1], [2]),
    () => std.assertEquals({ a: 1 }, { a: 2 }),
    () => std.assertExists(undefined),
    () => std.assertFalse(true),
    () => std.assertGreater(1, 1),
    () => std.assertGreaterOrEqual(1, 2),
    () => std.assertInstanceOf(BYTES, Map),
    () => std.assertIsError(new Error("a"), TypeError),
    () => std.assertLess(1, 1),
    () => std.assertLessOrEqual(2, 1),
    () => std.assertMatch("a", /b/),
    () => std.assertNotEquals([1], [1]),
    () => std.assertNotMatch("a", /a/),
    () => std.assertNotStrictEquals(1, 1),
    () => std.assertObjectMatch({ a: 1 }, { b: 1 }),
    () => std.assertStrictEquals<unknown>({}, {}),
    () => std.assertStringIncludes("a", "b"),
    () => std.assertThrows(() => 1),
    () => std.fail(),
    () => std.unreachable(),
  ];
  for (const call of failing) std.assertThrows(call, std.AssertionError);
  await std.assertRejects(() => std.assertRejects(() => Promise.resolve()), std.AssertionError);
  std.assert(std.equal(BYTES, BYTES.slice()) && !std.equal([1], [2]));
});

Deno.test("an assertion narrows the type of what it was asked about", () => {
  const value: unknown = BYTES;
  std.assertInstanceOf(value, Uint8Array);
  const first: number | undefined = value[0];
  std.assertExists(first);
  std.assertStrictEquals(first.toFixed(), "1");
});

Deno.test("a digest is that of Web Crypto, of bytes and of pieces", async () => {
  const expected = await globalThis.crypto.subtle.digest("SHA-256", BYTES);
  const pieces = [BYTES.subarray(0, 1), BYTES.subarray(1)];
  std.assertEquals(await crypto.subtle.digest("SHA-256", BYTES), expected);
  std.assertEquals(await crypto.subtle.digest("SHA-256", ReadableStream.from(pieces)), expected);
  std.assertEquals(crypto.subtle.digestSync({ name: "SHA-256" }, pieces), expected);
  std.assertEquals(crypto.subtle.digestSync("SHA-512", BYTES).byteLength, 64);
  std.assertEquals(crypto.getRandomValues(new Uint8Array(4)).length, 4);
});

Deno.test("timingSafeEqual compares bytes, and refuses different lengths", () => {
  std.assert(timingSafeEqual(BYTES, new Uint8Array([0, 1, 2, 3]).subarray(1)));
  std.assertFalse(timingSafeEqual(BYTES, new Uint8Array(3).buffer));
  std.assertThrows(() => timingSafeEqual(BYTES, new Uint8Array(4)), TypeError);
});

Deno.test("streams are cut into lines and at delimiters, merged, and read to their end", async () => {
  const lines = ReadableStream.from(["a\nb", "c\r\nd"]).pipeThrough(new TextLineStream());
  std.assertEquals(await Array.fromAsync(lines), ["a", "bc", "d"]);
  const parts = ReadableStream.from([BYTES]).pipeThrough(new DelimiterStream(new Uint8Array([2])));
  std.assertEquals((await Array.fromAsync(parts)).map((part) => part[0]), [1, 3]);
  const merged = mergeReadableStreams(ReadableStream.from(["a"]), ReadableStream.from(["b"]));
  std.assertEquals((await toText(merged)).length, 2);
  std.assertEquals(new Uint8Array(await toArrayBuffer(ReadableStream.from([BYTES, BYTES]))).length, 6);
});

testWithFiles("folders are made and emptied, by path and by URL", async (folder) => {
  const paths = [`${folder}/by path`, new URL(`file://${folder}/by%20URL/`)];
  for (const path of paths) {
    await fs.ensureDir(path);
    fs.ensureDirSync(path);
    const file = path instanceof URL ? new URL("a b", path) : `${path}/a b`;
    Deno.writeTextFileSync(file, "");
    await std.assertRejects(() => fs.ensureDir(file), Error, "expected 'dir', got 'file'");
    std.assert(await fs.exists(file, { isFile: true, isReadable: true }));
    std.assertFalse(fs.existsSync(file, { isDirectory: true }));
    await fs.emptyDir(path);
    fs.emptyDirSync(path);
    std.assertFalse(fs.existsSync(file));
    std.assert(fs.existsSync(path, { isDirectory: true }));
  }
});

testWithFiles("a copy holds what the original holds, and replaces nothing unasked", async (folder) => {
  const from = `${folder}/from`;
  fs.ensureDirSync(`${from}/inner`);
  Deno.writeTextFileSync(`${from}/inner/file`, "text");
  Deno.symlinkSync("inner/file", `${from}/link`);
  Deno.utimeSync(from, 1, 2);
  await fs.copy(from, `${folder}/a`, { preserveTimestamps: true });
  fs.copySync(from, `${folder}/b`);
  std.assertEquals(Deno.statSync(`${folder}/a`).mtime, new Date(2_000));
  for (const to of [`${folder}/a`, `${folder}/b`]) {
    std.assertEquals(Deno.readTextFileSync(`${to}/inner/file`), "text");
    std.assertEquals(Deno.readLinkSync(`${to}/link`), "inner/file");
    std.assertThrows(() => fs.copySync(from, to), Deno.errors.AlreadyExists);
    await std.assertRejects(() => fs.copy(from, to), Deno.errors.AlreadyExists);
    await fs.copy(from, to, { overwrite: true });
  }
  await std.assertRejects(() => fs.copy(from, `${from}/inner/deeper`), Error, "subdirectory of itself");
});

testWithFiles("a walk finds what is below a folder, as far as it is asked for", async (folder) => {
  fs.ensureDirSync(`${folder}/a/b`);
  Deno.writeTextFileSync(`${folder}/a/b/c.ts`, "");
  const names = async (options?: fs.WalkOptions) =>
    (await Array.fromAsync(fs.walk(`${folder}/a`, options))).map(({ path }) => path.slice(folder.length + 1));
  std.assertEquals(await names(), ["a", "a/b", "a/b/c.ts"]);
  std.assertEquals(await names({ maxDepth: 1 }), ["a", "a/b"]);
  std.assertEquals(await names({ includeDirs: false, exts: [".ts"] }), ["a/b/c.ts"]);
  std.assertEquals(await names({ skip: [/\/b$/] }), ["a"]);
  std.assertEquals([...fs.walkSync(`${folder}/a`, { match: [/c\.ts$/] })].map(({ name }) => name), ["c.ts"]);
});
