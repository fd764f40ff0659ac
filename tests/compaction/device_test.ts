import { assertEquals } from "@std/assert";
import { Device } from "../../compaction/device.ts";

Deno.test("a writer waits for the oldest of the flushes that wait, and all later ones come later", () => {
  const device = new Device(1_000, 2);
  const taken: number[] = [];
  for (const time of [0, 10, 20, 30, 500]) {
    const now = device.arrive(time, 7);
    taken.push(now);
    device.work(now, 100);
  }
  // The work of each takes 100 ms; two may wait.
  assertEquals(taken, [0, 10, 100, 200, 670]);
  assertEquals(device.stalls, { count: 2, operations: 14, milliseconds: 170 });
});

Deno.test("a device that is fast enough stops nobody, however long it runs", () => {
  const device = new Device(1_000_000, 1);
  for (let i = 0; i < 5_000; i++) device.work(device.arrive(i * 10, 1), 9_000);
  assertEquals(device.stalls, { count: 0, operations: 0, milliseconds: 0 });
});
