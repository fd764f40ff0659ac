/**
 * Folders that are to be there, and folders that are to be empty.
 *
 * `mkdir` with `recursive` takes a folder that is there already for a success; what it refuses is a
 * name that something else has, and a link to a folder, which is one for the original. So the folder is looked at
 * only after a refusal.
 *
 * @module
 */

/** Creates a folder and those above it, unless it is there. */
export async function ensureDir(dir: string | URL): Promise<void> {
  await Deno.mkdir(dir, { recursive: true }).catch((error) => rethrowUnlessFolder(dir, error));
}

/** Creates a folder and those above it, unless it is there. */
export function ensureDirSync(dir: string | URL): void {
  try {
    Deno.mkdirSync(dir, { recursive: true });
  } catch (error) {
    rethrowUnlessFolder(dir, error);
  }
}

/** Removes all that is in a folder, or creates it. */
export async function emptyDir(dir: string | URL): Promise<void> {
  await ensureDir(dir);
  for (const path of await Array.fromAsync(Deno.readDir(dir), (entry) => child(dir, entry.name))) {
    await Deno.remove(path, { recursive: true });
  }
}

/** Removes all that is in a folder, or creates it. */
export function emptyDirSync(dir: string | URL): void {
  ensureDirSync(dir);
  for (const entry of [...Deno.readDirSync(dir)]) {
    Deno.removeSync(child(dir, entry.name), { recursive: true });
  }
}

/** The path of a name in a folder. */
export function child(dir: string | URL, name: string): string | URL {
  if (typeof dir === "string") return dir.endsWith("/") ? dir + name : `${dir}/${name}`;
  return new URL(encodeURIComponent(name), dir.href.endsWith("/") ? dir : `${dir.href}/`);
}

function rethrowUnlessFolder(dir: string | URL, error: unknown): void {
  if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  if (Deno.statSync(dir).isDirectory) return;
  throw new Error(`Failed to ensure directory exists: expected 'dir', got 'file'`, { cause: error });
}
