/**
 * Whether something is there, and is what one takes it for.
 *
 * Asking first and acting after is a race: this is for tests and messages, the project's own files
 * are opened, and the refusal is read.
 *
 * @module
 */

/** What to ask for beside existence. */
export interface ExistsOptions {
  /** It must be readable for this process. */
  isReadable?: boolean;
  /** It must be a folder. */
  isDirectory?: boolean;
  /** It must be a file. */
  isFile?: boolean;
}

/** Tells whether a file or a folder is there. */
export async function exists(path: string | URL, options?: ExistsOptions): Promise<boolean> {
  try {
    return fits(await Deno.stat(path), options);
  } catch (error) {
    return absent(error);
  }
}

/** Tells whether a file or a folder is there. */
export function existsSync(path: string | URL, options?: ExistsOptions): boolean {
  try {
    return fits(Deno.statSync(path), options);
  } catch (error) {
    return absent(error);
  }
}

function fits(info: Deno.FileInfo, options: ExistsOptions = {}): boolean {
  if (options.isDirectory && options.isFile) {
    throw new TypeError("ExistsOptions.isDirectory and ExistsOptions.isFile must not be true together");
  }
  if (options.isDirectory && !info.isDirectory) return false;
  if (options.isFile && !info.isFile) return false;
  return !options.isReadable || readable(info);
}

function readable(info: Deno.FileInfo): boolean {
  if (info.mode === null) return true;
  if (Deno.uid() === info.uid) return (info.mode & 0o400) !== 0;
  if (Deno.gid() === info.gid) return (info.mode & 0o040) !== 0;
  return (info.mode & 0o004) !== 0;
}

function absent(error: unknown): false {
  if (error instanceof Deno.errors.NotFound) return false;
  throw error;
}
