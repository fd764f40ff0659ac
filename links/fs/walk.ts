/**
 * All that is in a folder and the folders below it.
 *
 * A folder comes before what is in it, links are not followed, and the order within a folder is the
 * operating system's.
 *
 * @module
 */

/** What to walk through, and what to hand out. */
export interface WalkOptions {
  /** How many folders deep to go: 0 hands out the folder itself only. */
  maxDepth?: number;
  /** Whether to hand out files. */
  includeFiles?: boolean;
  /** Whether to hand out folders. */
  includeDirs?: boolean;
  /** Whether to hand out links. */
  includeSymlinks?: boolean;
  /** Hand out only names that end so. */
  exts?: string[];
  /** Hand out only paths that match one of these. */
  match?: RegExp[];
  /** Neither hand out nor enter paths that match one of these. */
  skip?: RegExp[];
}

/** One thing found. */
export interface WalkEntry extends Deno.DirEntry {
  /** Its path, beginning with the folder's. */
  path: string;
}

/** Walks through a folder. */
export async function* walk(root: string | URL, options: WalkOptions = {}): AsyncIterableIterator<WalkEntry> {
  const top = pathOf(root);
  const info = await Deno.lstat(top);
  const entry = { name: nameOf(top), ...kindOf(info) };
  yield* below(top, entry, options, options.maxDepth ?? Infinity);
}

/** Walks through a folder. */
export function* walkSync(root: string | URL, options: WalkOptions = {}): IterableIterator<WalkEntry> {
  const top = pathOf(root);
  const entry = { name: nameOf(top), ...kindOf(Deno.lstatSync(top)) };
  yield* belowSync(top, entry, options, options.maxDepth ?? Infinity);
}

async function* below(
  path: string,
  entry: Deno.DirEntry,
  options: WalkOptions,
  depth: number,
): AsyncIterableIterator<WalkEntry> {
  if (options.skip?.some((pattern) => pattern.test(path))) return;
  if (isWanted(path, entry, options)) yield { path, ...entry };
  if (!entry.isDirectory || depth < 1) return;
  for await (const inner of Deno.readDir(path)) {
    yield* below(join(path, inner.name), inner, options, depth - 1);
  }
}

function* belowSync(
  path: string,
  entry: Deno.DirEntry,
  options: WalkOptions,
  depth: number,
): IterableIterator<WalkEntry> {
  if (options.skip?.some((pattern) => pattern.test(path))) return;
  if (isWanted(path, entry, options)) yield { path, ...entry };
  if (!entry.isDirectory || depth < 1) return;
  for (const inner of Deno.readDirSync(path)) {
    yield* belowSync(join(path, inner.name), inner, options, depth - 1);
  }
}

function isWanted(path: string, entry: Deno.DirEntry, options: WalkOptions): boolean {
  if (entry.isDirectory && options.includeDirs === false) return false;
  if (entry.isFile && options.includeFiles === false) return false;
  if (entry.isSymlink && options.includeSymlinks === false) return false;
  if (options.exts !== undefined && !options.exts.some((ext) => path.endsWith(ext))) return false;
  return options.match === undefined || options.match.some((pattern) => pattern.test(path));
}

function kindOf(info: Deno.FileInfo): Omit<Deno.DirEntry, "name"> {
  return { isDirectory: info.isDirectory, isFile: info.isFile, isSymlink: info.isSymlink };
}

function pathOf(root: string | URL): string {
  return root instanceof URL ? decodeURIComponent(root.pathname) : root;
}

function nameOf(path: string): string {
  return path.split("/").findLast((part) => part !== "") ?? "";
}

function join(path: string, name: string): string {
  return path.endsWith("/") ? path + name : `${path}/${name}`;
}
