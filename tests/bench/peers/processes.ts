/**
 * Starts the processes that measure, one at a time, and gives each a folder.
 *
 * - A process for each engine, workload and round, so that none finds the other's memory, threads or compiled code.
 * - A store that others read from is loaded once for each engine and kept; what changes it works on a copy.
 * - A process that fails is a failure in the table. An interrupt ends the process that runs.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { copy } from "@std/fs";
import { TextLineStream } from "@std/streams";
import { engineNamed } from "./engines.ts";
import { type Message, PROBE, type Result, type Task } from "./task.ts";
import { LOAD, type Workload } from "./workloads.ts";

/** What is the same for all processes. */
export interface Settings {
  /** How many entries a store gets. */
  readonly entries: number;
  /** Bytes of a value. */
  readonly valueBytes: number;
  /** What order and values follow from. */
  readonly seed: number;
  /** After which time a loop is ended. */
  readonly secondsMax: number;
  /** For how long nothing may have changed in a folder for it to be at rest, in ms. */
  readonly restMs: number;
  /** The program of LevelDB, if it could be built. */
  readonly program: string;
}

/** What came of a process: with the entries that its store has or had before, and whether they are fewer than they should be. */
export type Outcome =
  | { readonly kind: "measured"; readonly result: Result; readonly loaded: number; readonly fewer: boolean }
  | { readonly kind: "failed"; readonly why: string };

/** Loading may take longer than what is measured: it is the slowest engines' only way to have something to read. */
const LOAD_SECONDS_FACTOR = 12;

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../../deno.json", import.meta.url));
const LOCK = fileURLToPath(new URL("./peers.lock", import.meta.url));

/** Starts processes for stores in one folder. */
export class Processes {
  readonly #folder: string;
  readonly #settings: Settings;
  readonly #signal: AbortSignal;
  readonly #loaded = new Map<string, Promise<Outcome>>();

  /** Nothing is started yet. */
  constructor(folder: string, settings: Settings, signal: AbortSignal) {
    this.#folder = folder;
    this.#settings = settings;
    this.#signal = signal;
  }

  /**
   * Tells whether an engine works here.
   *
   * @returns Why not, or nothing.
   */
  async probe(engine: string): Promise<string | undefined> {
    return await this.#inFolder(async (folder) => {
      const ended = await this.#start(this.#task({ engine, workload: PROBE, folder, loaded: 0 }));
      return "why" in ended ? ended.why : undefined;
    });
  }

  /** Measures one workload of an engine. */
  async measure(engine: string, workload: Workload, onProgress: (done: number) => void): Promise<Outcome> {
    if (workload.name === LOAD.name) return await this.#load(engine, onProgress);
    if (workload.onto === "empty") {
      return await this.#inFolder((folder) =>
        this.#run({ engine, workload: workload.name, folder, loaded: 0 })
      );
    }
    const loading = await this.#load(engine, onProgress);
    if (loading.kind === "failed") return { kind: "failed", why: `could not be loaded: ${loading.why}` };
    const { loaded } = loading;
    const source = this.#loadedFolder(engine);
    const run = { engine, workload: workload.name, loaded };
    if (workload.readOnly) return await this.#run({ ...run, folder: source });
    return await this.#inFolder(async (folder) => {
      await copy(source, `${folder}/copy`);
      return await this.#run({ ...run, folder: `${folder}/copy` });
    });
  }

  #load(engine: string, onProgress: (done: number) => void): Promise<Outcome> {
    const known = this.#loaded.get(engine);
    if (known !== undefined) return known;
    const folder = this.#loadedFolder(engine);
    Deno.mkdirSync(folder);
    const loading = this.#run({ engine, workload: LOAD.name, folder, loaded: 0 }, onProgress);
    this.#loaded.set(engine, loading);
    return loading;
  }

  #loadedFolder(engine: string): string {
    return `${this.#folder}/loaded ${engine}`;
  }

  async #run(
    what: Pick<Task, "engine" | "workload" | "folder" | "loaded">,
    onProgress: (done: number) => void = () => {},
  ): Promise<Outcome> {
    const ended = await this.#start(this.#task(what), onProgress);
    if ("why" in ended) return { kind: "failed", why: ended.why };
    if (!("result" in ended)) return { kind: "failed", why: "it told no result" };
    const { result } = ended;
    const loads = what.workload === LOAD.name;
    const loaded = loads ? result.operations : what.loaded;
    const fewer = !loads && loaded > 0 && loaded < this.#settings.entries;
    return { kind: "measured", result, loaded, fewer };
  }

  #task(what: Pick<Task, "engine" | "workload" | "folder" | "loaded">): Task {
    const { secondsMax } = this.#settings;
    const factor = what.workload === LOAD.name ? LOAD_SECONDS_FACTOR : 1;
    return { ...this.#settings, ...what, secondsMax: secondsMax * factor };
  }

  async #inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const folder = Deno.makeTempDirSync({ dir: this.#folder });
    try {
      return await use(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }

  async #start(
    task: Task,
    onProgress: (done: number) => void = () => {},
  ): Promise<Message | { readonly why: string }> {
    this.#signal.throwIfAborted();
    const args = ["run", "-A", "--unstable-kv", "--no-prompt", "--no-check", "--quiet"];
    const lock = engineNamed(task.engine).needs !== undefined ? ["--lock", LOCK] : ["--no-lock"];
    const files = ["--config", CONFIG, ...lock, CHILD];
    await using child = new Deno.Command(Deno.execPath(), {
      args: [...args, ...files, JSON.stringify(task)],
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const end = (): void => kill(child);
    this.#signal.addEventListener("abort", end);
    try {
      const said = new Response(child.stderr).text();
      let last: Message | undefined;
      const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
      for await (const line of lines) {
        const message: Message = JSON.parse(line);
        if ("progress" in message) onProgress(message.progress);
        else last = message;
      }
      const { success, code, signal } = await child.status;
      this.#signal.throwIfAborted();
      if (success && last !== undefined) return last;
      return { why: reasonOf(await said) ?? `it ended with ${signal ?? code}` };
    } finally {
      this.#signal.removeEventListener("abort", end);
    }
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has ended
  }
}

/** The line of what a process said on the standard error that names its error. */
function reasonOf(said: string): string | undefined {
  const lines = said.split("\n").map((line) => line.trim());
  return lines.find((line) => /error/i.test(line))?.replace(/^error: (Uncaught \(in promise\) )?/, "");
}
