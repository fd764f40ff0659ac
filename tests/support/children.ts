/**
 * Child processes of tests: how they are started, what they say, and how they are ended.
 *
 * A child is a script of this checkout. It says something by writing a line to its standard output at once; what it
 * had written when it was killed is in the pipe and is read by `kill()`.
 *
 * Invariant: no child outlives its test. `using` kills it, also when the test fails.
 *
 * @module
 */

import { assert } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** Returns the command line of a script of this checkout that has exactly these permissions. */
export function childCommand(
  script: URL,
  args: readonly string[],
  flags: readonly string[] = ["--allow-read", "--allow-write"],
): string[] {
  const config = decodeURIComponent(new URL("deno.json", ROOT).pathname);
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    "--no-lock",
    "--no-check",
    "--config",
    config,
    ...flags,
    script.href,
    ...args,
  ];
}

/** Runs a command to its end and returns what it said. */
export async function output([command = "", ...args]: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const text = new TextDecoder();
  assert(success, `${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** Tells whether a command can be run and succeeds. */
export async function succeeds([command = "", ...args]: readonly string[]): Promise<boolean> {
  try {
    const run = new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" });
    return (await run.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A child that runs beside the test. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #text = new TextDecoder();
  #said = "";
  #ended = false;

  /** Starts a command. */
  constructor([command = "", ...args]: readonly string[]) {
    const started = new Deno.Command(command, { args, stdin: "null", stdout: "piped", stderr: "inherit" });
    this.#process = started.spawn();
    this.#reader = this.#process.stdout.getReader();
  }

  /** Waits for the next line. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#said.indexOf("\n");
      if (end >= 0) {
        const line = this.#said.slice(0, end);
        this.#said = this.#said.slice(end + 1);
        return line;
      }
      assert(await this.#read(), "the child has ended");
    }
  }

  async #read(): Promise<boolean> {
    const { value, done } = await this.#reader.read();
    if (!done) this.#said += this.#text.decode(value, { stream: true });
    return !done;
  }

  /** Kills it and returns the whole lines that were not read yet; throws if it had failed by itself before. */
  async kill(): Promise<string[]> {
    if (!this.#ended) {
      try {
        this.#process.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // It has ended by itself.
      }
      this.#ended = true;
      while (await this.#read());
      const { signal, code } = await this.#process.status;
      assert(signal === "SIGKILL" || code === 0, `the child has failed by itself, with code ${code}`);
    }
    return this.#said.split("\n").slice(0, -1);
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
