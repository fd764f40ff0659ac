/**
 * What the benchmark takes from the npm registry: for it alone, neither for the package nor for the tests.
 *
 * The specifiers are in no import that can be read off the source, so that a type check and a run of the tests neither need nor
 * fetch them: they are resolved when they are asked for. Each has its exact version, and `peers.lock` has the sum of
 * each package that comes with it. No install script runs; the addons come prebuilt in their packages.
 *
 * After a version was changed, `deno run -A --lock=tests/bench/peers/peers.lock tests/bench/peers/packages.ts` loads all of them and
 * completes that file.
 *
 * @module
 */

/** The packages, by the name that is used here. */
export const PACKAGES = {
  classicLevel: "npm:classic-level@3.0.0",
  lmdb: "npm:lmdb@3.5.6",
  rocksdb: "npm:@nxtedition/rocksdb@12.2.12",
  statistics: "npm:simple-statistics@7.12.1",
  plot: "npm:@observablehq/plot@0.6.17",
  dom: "npm:linkedom@0.18.15",
} as const;

/**
 * Loads a package.
 *
 * @returns What it exports, as the caller says that it is.
 */
export async function load<T>(name: keyof typeof PACKAGES): Promise<T> {
  const specifier: string = PACKAGES[name];
  return await import(specifier);
}

/** Returns the version of a package. */
export function versionOf(name: keyof typeof PACKAGES): string {
  return PACKAGES[name].slice(PACKAGES[name].lastIndexOf("@") + 1);
}

if (import.meta.main) {
  for (const name of Object.keys(PACKAGES)) await load(name as keyof typeof PACKAGES);
}
