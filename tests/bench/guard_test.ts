/**
 * A change that makes the tree several times slower is seen.
 *
 * A limit is three to five times the ratio that was seen when it was set: more than what a noisy machine adds to the median
 * of interleaved rounds. Changes by some percent are for `deno task bench:peers`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { childCommand } from "../support/children.ts";
import { testWithProcesses } from "../support/permissions.ts";

/** At most so many times as long as plain TypeScript on a map in memory. */
const LIMITS: Readonly<Record<string, number>> = {
  "fill one at a time": 40,
  "fill in batches": 14,
  "get": 4,
  "get what is absent": 4,
  "scan": 2.5,
  "seek, then read 10": 4,
};

testWithProcesses("the tree is not several times slower than it was", async (folder) => {
  const [command, ...args] = childCommand(new URL("./guard.ts", import.meta.url), [folder]);
  const { success, stdout, stderr } = await new Deno.Command(command!, {
    args,
    clearEnv: true,
    env: uncountedEnvironment(),
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  assert(success, text.decode(stderr));
  const ratios: Readonly<Record<string, number>> = JSON.parse(text.decode(stdout));
  assertEquals(Object.keys(ratios), Object.keys(LIMITS));
  const sentences = Object.entries(ratios).map(([name, ratio]) =>
    `${name}: ${ratio.toFixed(1)} times as long as a map in memory, at most ${LIMITS[name]!}`
  );
  console.log(sentences.join("\n"));
  for (const [name, ratio] of Object.entries(ratios)) {
    assert(ratio <= LIMITS[name]!, `the tree has become slow:\n${sentences.join("\n")}`);
  }
});

/** The environment without what makes a child count which code was run: that slows the tree more than the baseline. */
function uncountedEnvironment(): Record<string, string> {
  const { DENO_COVERAGE_DIR: _, ...others } = Deno.env.toObject();
  return others;
}
