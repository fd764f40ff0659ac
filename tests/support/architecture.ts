/**
 * The rules of the source tree, as pure functions from the project's files to a list of what breaks them.
 *
 * ```
 * core  <-  compaction  <-  io  <-  mod.ts  <-  cli          imports only point to the left
 * ```
 *
 * The project is a value, a map from path to text, so each rule is tested on a project of three lines that
 * breaks it; that the real one keeps it is a second test. A rule answers with one sentence per place, and
 * with none if all is well.
 *
 * @module
 */

import { type SourceFacts, sourceFacts } from "./source_facts.ts";

/** The files of the project that the rules look at. */
export interface Project {
  /** The facts of each TypeScript file, by path. */
  readonly sources: ReadonlyMap<string, SourceFacts>;
  /** What `deno.json` says, as far as the rules ask. */
  readonly config: ProjectConfig;
  /** The files by which others enter: of the stand-ins in `links/`. */
  readonly linkEntries: readonly string[];
}

interface ProjectConfig {
  readonly name: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly tasks: Readonly<Record<string, string | { readonly command: string }>>;
  readonly test: { readonly sanitizeOps?: boolean; readonly sanitizeResources?: boolean };
}

/** A rule: what breaks it, a sentence per place. */
export type Rule = (project: Project) => string[];

const FILE_LINES_MAX = 500;
const HEADER_LINES_MIN = 3;
const PURE = ["core/", "compaction/"];
const LIBRARY = [...PURE, "io/", "mod.ts"];
const SHIPPED = [...LIBRARY, "cli/"];

/** What each part may import; a part is below all that names it here. */
const LAYERS: readonly {
  readonly part: string;
  readonly from: readonly string[];
  readonly packages: boolean;
}[] = [
  { part: "core/", from: ["core/"], packages: false },
  { part: "compaction/", from: PURE, packages: false },
  { part: "io/", from: [...PURE, "io/"], packages: true },
  { part: "mod.ts", from: [...PURE, "io/"], packages: false },
  { part: "cli/", from: SHIPPED, packages: true },
];

/** The one import of a pure file from outside: native, and a pure function. */
const PURE_IMPORT = { path: "core/checksum.ts", specifier: "node:zlib", name: "crc32" };

/** Packages for tests only, and what the stand-ins stand on. */
const DEVELOPMENT_PACKAGES = ["@std/assert", "fast-check", "deno-std"];

/** Everything through which a clock, chance, the environment or the outside could come into a pure file. */
const IMPURE_NAMES = (
  "Deno process Buffer console performance crypto fetch caches navigator localStorage sessionStorage " +
  "setTimeout setInterval setImmediate clearTimeout clearInterval queueMicrotask requestAnimationFrame " +
  "globalThis self window global eval Function require " +
  "Worker BroadcastChannel MessageChannel WebSocket EventSource XMLHttpRequest Request " +
  "Date Temporal Intl WeakRef FinalizationRegistry Atomics SharedArrayBuffer " +
  "Math Math.random import.meta.url import.meta.main import.meta.dirname import.meta.filename import.meta.resolve"
).split(" ");

/** Methods whose answer depends on the machine's language. */
const IMPURE_PROPERTIES = (
  "toLocaleString toLocaleDateString toLocaleTimeString toLocaleLowerCase toLocaleUpperCase localeCompare"
).split(" ");

/** Reads a project from the texts of its files, by path. */
export function projectOf(files: ReadonlyMap<string, string>): Project {
  const sources = new Map<string, SourceFacts>();
  const linkEntries: string[] = [];
  for (const [path, text] of files) {
    if (path.endsWith(".ts")) sources.set(path, sourceFacts(path, text));
    if (/^links\/[^/]+\/deno\.json$/.test(path)) {
      linkEntries.push(resolve(path, JSON.parse(text).exports));
    }
  }
  const config: Partial<ProjectConfig> = JSON.parse(files.get("deno.json") ?? "{}");
  return {
    sources,
    config: { name: "", exports: {}, imports: {}, tasks: {}, test: {}, ...config },
    linkEntries,
  };
}

/** Imports only point down, and packages come in where I/O is done. */
export function importsPointDown(project: Project): string[] {
  return sourcesOf(project, SHIPPED).flatMap((source) => {
    const layer = LAYERS.find(({ part }) => isIn(source.path, [part]))!;
    return source.imports.flatMap(({ specifier, names }) => {
      const target = localPath(project, source.path, specifier);
      const allowed = target !== undefined
        ? isIn(target, layer.from)
        : layer.packages
        ? isPackageForUsers(project, specifier)
        : source.path === PURE_IMPORT.path && specifier === PURE_IMPORT.specifier &&
          names.every((name) => name === PURE_IMPORT.name);
      return allowed ? [] : [`${source.path} imports ${names.join(", ")} from ${specifier}`];
    });
  });
}

/** No file needs itself to be loaded: types may go in circles, code may not. */
export function importsHaveNoCircle(project: Project): string[] {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const begin = way.indexOf(path);
    if (begin >= 0) {
      circles.push([...way.slice(begin), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const { specifier, typeOnly } of project.sources.get(path)?.imports ?? []) {
      const target = localPath(project, path, specifier);
      if (target !== undefined && !typeOnly) visit(target, [...way, path]);
    }
    done.add(path);
  };
  for (const path of project.sources.keys()) visit(path, []);
  return circles;
}

/** The pure folders see no clock, no chance, no environment and nothing outside. */
export function pureFoldersArePure(project: Project): string[] {
  return sourcesOf(project, PURE).flatMap(({ path, names, properties }) => [
    ...IMPURE_NAMES.filter((name) => names.has(name)).map((name) => `${path} uses ${name}`),
    ...IMPURE_PROPERTIES.filter((name) => properties.has(name)).map((name) => `${path} uses .${name}()`),
  ]);
}

/** A library does not print. */
export function libraryIsSilent(project: Project): string[] {
  return sourcesOf(project, LIBRARY).filter(({ names }) => names.has("console")).map(({ path }) =>
    `${path} uses console`
  );
}

/** Whatever is there is used: the package's files by an export or a task, the others by them or by a test. */
export function everyFileIsUsed(project: Project): string[] {
  const { config, sources } = project;
  const commands = Object.values(config.tasks).map((task) => typeof task === "string" ? task : task.command);
  const entries = [
    ...Object.values(config.exports).map((path) => resolve("deno.json", path)),
    ...commands.flatMap((command) => command.match(/[\w./-]+\.ts\b/g) ?? []),
  ];
  const tests = [...sources.keys()].filter((path) => /_(test|bench)\.ts$/.test(path));
  const shipped = reachable(project, entries);
  const all = reachable(project, [...entries, ...tests, ...project.linkEntries]);
  return [
    ...entries.filter((path) => !sources.has(path)).map((path) =>
      `deno.json names ${path}, which is not there`
    ),
    ...[...sources.keys()].filter((path) => !(isIn(path, SHIPPED) ? shipped : all).has(path)).map((path) =>
      `${path} is not used`
    ),
  ];
}

/** A file begins by telling what it is. */
export function filesHaveHeaders(project: Project): string[] {
  return sourcesOf(project, [...SHIPPED, "tests/support/", "links/"]).flatMap(({ path, text }) => {
    const header = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? "";
    const lines = header.split("\n").map((line) => line.replace(/^\s*\*?\s*/, ""));
    const count = lines.filter((line) => line !== "" && !line.startsWith("@")).length;
    return count >= HEADER_LINES_MIN ? [] : [`${path} begins with ${count} lines about itself`];
  });
}

/** A file is about one thing, and short. */
export function filesAreShort(project: Project): string[] {
  return [...project.sources.values()].flatMap(({ path, text }) => {
    const count = text.split("\n").length - 1;
    return count <= FILE_LINES_MAX ? [] : [`${path} has ${count} lines`];
  });
}

/** Files are called alike. */
export function filesAreSnakeCase(project: Project): string[] {
  return [...project.sources.keys()].filter((path) => !/^([a-z0-9_.]+\/)*[a-z0-9_]+\.ts$/.test(path));
}

/** What is shipped is finished. */
export function nothingIsUnfinished(project: Project): string[] {
  return sourcesOf(project, SHIPPED).flatMap(({ path, text }) =>
    (text.match(/\b(todo|fixme|not implemented|placeholder|stub)\b/gi) ?? []).map((word) =>
      `${path} says "${word}"`
    )
  );
}

/** Every test runs, with the sanitizers that `deno.json` switches on for all of them. */
export function everyTestIsSanitized(project: Project): string[] {
  const { sanitizeOps, sanitizeResources } = project.config.test;
  return [
    ...(sanitizeOps === true ? [] : ["deno.json does not switch on test.sanitizeOps"]),
    ...(sanitizeResources === true ? [] : ["deno.json does not switch on test.sanitizeResources"]),
    ...sourcesOf(project, ["tests/"]).flatMap(({ path, testSwitches }) =>
      testSwitches.map((name) => `${path} has its own ${name}`)
    ),
  ];
}

/** The tests of the pure folders ask for no permission. */
export function pureTestsNeedNothing(project: Project): string[] {
  return sourcesOf(project, PURE.map((folder) => `tests/${folder}`)).filter(({ path }) =>
    reachable(project, [path]).has("tests/support/permissions.ts")
  ).map(({ path }) => `${path} has tests that need a permission`);
}

function sourcesOf(project: Project, parts: readonly string[]): SourceFacts[] {
  return [...project.sources.values()].filter(({ path }) => isIn(path, parts));
}

/** Whether a path is one of the files, or in one of the folders, that are named. */
function isIn(path: string, parts: readonly string[]): boolean {
  return parts.some((part) => part.endsWith("/") ? path.startsWith(part) : path === part);
}

/** The path in the checkout that an import leads to, if it does not lead out of it. */
function localPath(project: Project, from: string, specifier: string): string | undefined {
  if (/^\.{0,2}\//.test(specifier)) return resolve(from, specifier);
  const { name, exports } = project.config;
  if (specifier !== name && !specifier.startsWith(`${name}/`)) return undefined;
  const entry = exports[`.${specifier.slice(name.length)}`];
  return entry === undefined ? undefined : resolve("deno.json", entry);
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function isPackageForUsers(project: Project, specifier: string): boolean {
  if (specifier.startsWith("node:")) return true;
  return Object.keys(project.config.imports).some((name) =>
    !DEVELOPMENT_PACKAGES.includes(name) && (specifier === name || specifier.startsWith(`${name}/`))
  );
}

/** All files that are imported or named from some files, and these. */
function reachable(project: Project, from: readonly string[]): Set<string> {
  const found = new Set<string>();
  const visit = (path: string): void => {
    const source = project.sources.get(path);
    if (source === undefined || found.has(path)) return;
    found.add(path);
    for (const { specifier } of source.imports) {
      const target = localPath(project, path, specifier);
      if (target !== undefined) visit(target);
    }
    for (const named of source.paths) visit(resolve(path, named));
  };
  from.forEach(visit);
  return found;
}
