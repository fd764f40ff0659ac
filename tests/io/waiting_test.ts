import { assertEquals } from "@std/assert";
import { Waiting } from "../../io/waiting.ts";

Deno.test("who waits is let go when what he waits for holds, and not before", async () => {
  const waiting = new Waiting();
  let value = 0;
  const done: string[] = [];
  const first = waiting.until(() => value >= 1).then(() => done.push("first"));
  const second = waiting.until(() => value >= 2).then(() => done.push("second"));
  waiting.tell();
  await Promise.resolve();
  assertEquals(done, []);
  value = 1;
  waiting.tell();
  await first;
  assertEquals(done, ["first"]);
  value = 2;
  waiting.tell();
  await second;
  assertEquals(done, ["first", "second"]);
});

Deno.test("what holds already is not waited for", async () => {
  await new Waiting().until(() => true);
});

Deno.test("in the end everybody is let go", async () => {
  const waiting = new Waiting();
  const all = Promise.all([waiting.until(() => false), waiting.until(() => false)]);
  waiting.tellAll();
  await all;
});
