/**
 * Folders of stores: how large, and whether something still goes on in them.
 *
 * @module
 */

const LOOKS = 5;

/** Returns the bytes of all files in a folder and below. */
export function folderBytes(folder: string): number {
  let bytes = 0;
  eachFile(folder, (path) => bytes += sizeOf(path));
  return bytes;
}

/**
 * Waits until no file of a folder has come, gone or changed its size for a while.
 *
 * @param restMs For how long, in ms.
 * @param secondsMax After which time it is given up.
 */
export async function folderAtRest(folder: string, restMs: number, secondsMax: number): Promise<void> {
  const end = performance.now() + secondsMax * 1_000;
  let seen = "";
  let since = performance.now();
  while (performance.now() < Math.min(end, since + restMs)) {
    const now = shapeOf(folder);
    if (now !== seen) since = performance.now();
    seen = now;
    await new Promise((resolve) => setTimeout(resolve, restMs / LOOKS));
  }
}

function shapeOf(folder: string): string {
  const files: string[] = [];
  eachFile(folder, (path) => files.push(`${path} ${sizeOf(path)}`));
  return files.sort().join("\n");
}

function eachFile(folder: string, visit: (path: string) => void): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) eachFile(`${folder}/${name}`, visit);
    else visit(`${folder}/${name}`);
  }
}

/** A file may be removed by a compaction between the two looks. */
function sizeOf(path: string): number {
  try {
    return Deno.lstatSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
