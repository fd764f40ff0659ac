/**
 * Where the module comes from: a checkout, a server, a bundle.
 *
 * A Worker is a second program that must be found and may be read. Where it can be, background work runs in it; where it
 * cannot, it runs inline, `stats()` says why, and nothing else is different. A child has leave for its folder and
 * for what the case says, and asks for nothing.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { childCommand } from "../support/children.ts";
import { testWithProcesses } from "../support/permissions.ts";
import { checkStore, endOf } from "../support/worker_children.ts";
import type { LiveAnswer } from "./worker_child.ts";

const CHILD = new URL("./worker_child.ts", import.meta.url);
const ROOT = new URL("../../", import.meta.url);
/** Deno names what ends a Worker on standard error, whoever else was told. */
const WORKER_COMPLAINT = /^error: Uncaught \(in worker "lsm tree"\) [^\n]*\n$/;

/** Where background work is to run. */
type Expected = "worker" | RegExp;

async function check(
  store: string,
  command: readonly string[],
  expected: Expected,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { answer, complaint, afterMs } = await endOf<LiveAnswer>(command, env);
  const { count, modes, reason, threads, lastError, flushes, merges, stops, differing } = answer;
  if (expected === "worker") {
    assertEquals([modes, reason], [["worker", "worker"], ""]);
    assertEquals(threads[0], 0, "a Worker was there before the first task");
    assert(threads[1]! > 0 && threads[2]! > 0, `Workers that were seen: ${threads}`);
    assertEquals(stops, 0, "a writer that waits for ready() is not stopped, and so does no work itself");
  } else {
    assertEquals(modes, ["inline", "inline"]);
    assertMatch(reason, expected);
  }
  assert(flushes > 3 && merges > 3, `${flushes} flushes, ${merges} merges`);
  assertEquals([lastError, differing], ["", [[], []]]);
  assert(afterMs < 2_000, `it ended ${afterMs} ms after it had closed its tree`);
  assertEquals(await checkStore(store, count), 0);
  return complaint;
}

function flagsFor(store: string, ...more: readonly string[]): readonly string[] {
  return [`--allow-read=${[store, ...more].join(",")}`, `--allow-write=${store}`];
}

testWithProcesses("from a checkout that may be read, background work runs in Workers", async (folder) => {
  const store = `${folder}/store`;
  const flags = flagsFor(store, decodeURIComponent(ROOT.pathname));
  assertEquals(await check(store, childCommand(CHILD, ["live", store], flags), "worker"), "");
});

testWithProcesses(
  "from a checkout that may not be read, it runs inline and nobody is asked",
  async (folder) => {
    const store = `${folder}/store`;
    const command = childCommand(CHILD, ["live", store], flagsFor(store));
    assertEquals(await check(store, command, /^a worker needs read access to the module's own folder$/), "");
  },
);

testWithProcesses(
  "from a server, background work runs in Workers with leave for the folder alone",
  async (folder) => {
    const store = `${folder}/store`;
    await using server = serveModule();
    const command = importing(`${server.origin}/mod.ts`, store, server.host);
    assertEquals(await check(store, command, "worker", server.env(folder)), "");
    assert(server.served.has("/io/worker.ts"));
  },
);

testWithProcesses(
  "from a server that does not give the worker, it runs inline and nothing is lost",
  async (folder) => {
    const store = `${folder}/store`;
    await using server = serveModule("/io/worker.ts");
    const command = importing(`${server.origin}/mod.ts`, store, server.host);
    const expected = /^a worker did not start: .*Module not found "http:.*\/io\/worker\.ts"/;
    assertMatch(await check(store, command, expected, server.env(folder)), WORKER_COMPLAINT);
  },
);

testWithProcesses(
  "from a bundle without the worker's file, it runs inline whatever may be read",
  async (folder) => {
    const bundle = `${folder}/app/dist/bundle.js`;
    await bundled(bundle);
    const module = `file://${bundle}`;
    // Whose this is nobody knows.
    await Deno.writeTextFile(
      `${folder}/app/dist/worker.ts`,
      `Deno.writeTextFileSync("${folder}/all/stranger", "");`,
    );
    const reason = /^the module was bundled, without the worker's file$/;
    for (const [name, readable] of [["all", `${folder}/app`], ["dist", `${folder}/app/dist`]] as const) {
      const store = `${folder}/${name}`;
      const command = childCommand(CHILD, ["live", store, module], flagsFor(store, readable));
      assertEquals(await check(store, command, reason), "");
      assert(![...Deno.readDirSync(store)].some((entry) => entry.name === "stranger"));
    }
  },
);

/** Returns the command line of a child that imports the module from a server, and has no configuration. */
function importing(module: string, store: string, host: string): readonly string[] {
  const flags = [
    "--quiet",
    "--no-prompt",
    "--no-lock",
    "--no-check",
    "--no-config",
    `--allow-import=${host}`,
  ];
  return [Deno.execPath(), "run", ...flags, ...flagsFor(store), CHILD.href, "live", store, module];
}

/** A server of this checkout's module. */
interface ModuleServer extends AsyncDisposable {
  readonly host: string;
  readonly origin: string;
  /** The paths that it was asked for and has given. */
  readonly served: ReadonlySet<string>;
  /** What a child needs to import from it: a cache that has not seen another server at the same port. */
  env(folder: string): Readonly<Record<string, string>>;
}

function serveModule(missing?: string): ModuleServer {
  const served = new Set<string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === missing || !/^\/(mod|(core|compaction|io)\/\w+)\.ts$/.test(pathname)) {
      return new Response("Not found", { status: 404 });
    }
    const text = await Deno.readTextFile(new URL(`.${pathname}`, ROOT));
    served.add(pathname);
    return new Response(text, { headers: { "content-type": "application/typescript" } });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  return {
    host,
    origin: `http://${host}`,
    served,
    env: (folder) => ({ DENO_DIR: `${folder}/cache`, NO_PROXY: "127.0.0.1" }),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Makes one file of the module. Its tool comes from npm, once. */
async function bundled(path: string): Promise<void> {
  const flags = ["--quiet", "--no-lock", "--config", decodeURIComponent(new URL("deno.json", ROOT).pathname)];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", ...flags, "--output", path, new URL("mod.ts", ROOT).href],
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}
