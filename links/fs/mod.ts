/**
 * A stand-in for `jsr:@std/fs@^1` where only an npm registry can be reached.
 *
 * The standard library's copy on npm has no `fs`, so the few functions that the project uses are
 * written here over Deno's own calls, with the signatures and the errors of the original.
 *
 * @module
 */

export * from "./copy.ts";
export * from "./ensure_dir.ts";
export * from "./exists.ts";
export * from "./walk.ts";
