/**
 * Copies of files and folders, and what is in them.
 *
 * Links are copied as links, never followed: a copy of a folder holds what the folder holds. A folder is
 * never copied into itself, which would have no end.
 *
 * @module
 */

import { child, ensureDir, ensureDirSync } from "./ensure_dir.ts";

/** How to copy. */
export interface CopyOptions {
  /** Replace what has the name already, and merge into folders that are there. */
  overwrite?: boolean;
  /** Give the copies the times of the originals. */
  preserveTimestamps?: boolean;
}

/** Copies a file, or a folder with all that is in it. */
export async function copy(src: string | URL, dest: string | URL, options: CopyOptions = {}): Promise<void> {
  refuseInside(src, dest);
  const info = await Deno.lstat(src);
  if (!options.overwrite) refuseExisting(dest);
  if (info.isDirectory) {
    await ensureDir(dest);
    for (const name of await Array.fromAsync(Deno.readDir(src), (entry) => entry.name)) {
      await copy(child(src, name), child(dest, name), options);
    }
  } else if (info.isSymlink) {
    linkAgain(src, dest, options);
  } else {
    await Deno.copyFile(src, dest);
  }
  keepTimes(info, dest, options);
}

/** Copies a file, or a folder with all that is in it. */
export function copySync(src: string | URL, dest: string | URL, options: CopyOptions = {}): void {
  refuseInside(src, dest);
  const info = Deno.lstatSync(src);
  if (!options.overwrite) refuseExisting(dest);
  if (info.isDirectory) {
    ensureDirSync(dest);
    for (const entry of [...Deno.readDirSync(src)]) {
      copySync(child(src, entry.name), child(dest, entry.name), options);
    }
  } else if (info.isSymlink) {
    linkAgain(src, dest, options);
  } else {
    Deno.copyFileSync(src, dest);
  }
  keepTimes(info, dest, options);
}

function refuseInside(src: string | URL, dest: string | URL): void {
  const from = Deno.realPathSync(src);
  const to = real(dest);
  if (from === to) throw new Error("Source and destination cannot be the same");
  if (to.startsWith(`${from}/`)) {
    throw new Error(`Cannot copy '${src}' to a subdirectory of itself: '${dest}'`);
  }
}

/** The real path of what is to be created: that of the nearest folder that is there, and the names below it. */
function real(path: string | URL): string {
  const url = path instanceof URL ? path : new URL(`file://${absolute(path)}`);
  const names = decodeURIComponent(url.pathname).split("/").filter((name) => name !== "");
  for (let count = names.length; count > 0; count--) {
    try {
      return [Deno.realPathSync(`/${names.slice(0, count).join("/")}`), ...names.slice(count)].join("/");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return `/${names.join("/")}`;
}

function absolute(path: string): string {
  const whole = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  return whole.split("/").map(encodeURIComponent).join("/");
}

function refuseExisting(dest: string | URL): void {
  try {
    Deno.lstatSync(dest);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  throw new Deno.errors.AlreadyExists(`'${dest}' already exists`);
}

function linkAgain(src: string | URL, dest: string | URL, options: CopyOptions): void {
  if (options.overwrite) {
    try {
      Deno.removeSync(dest);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  Deno.symlinkSync(Deno.readLinkSync(src), dest);
}

function keepTimes(info: Deno.FileInfo, dest: string | URL, options: CopyOptions): void {
  if (!options.preserveTimestamps || info.isSymlink) return;
  if (info.atime !== null && info.mtime !== null) Deno.utimeSync(dest, info.atime, info.mtime);
}
