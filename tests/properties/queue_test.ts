import { assertEquals, assertLess } from "@std/assert";
import { MemoryStorage, Tree } from "@lsm/tree";

const JOBS = 20_000;

for (const depth of [1, 100, 10_000]) {
  Deno.test(`a queue ${depth} deep stays linear over many flushes, and leaves little behind`, async () => {
    await using tree = await Tree.open("queue", { storage: new MemoryStorage(), maxMemtableSize: 8 * 1024 });
    const key = (i: number) => `job ${String(i).padStart(6, "0")}`;
    const text = new TextDecoder();
    let popped = 0;
    const pop = () => assertEquals(text.decode(tree.popFirst()![0]), key(popped++));
    const started = performance.now();
    for (let i = 0; i < JOBS; i++) {
      tree.insert(key(i), "work");
      if (i >= depth) pop();
    }
    while (popped < JOBS) pop();
    assertEquals(tree.popFirst(), undefined);
    // A queue that passed over what it had popped would need minutes.
    assertLess(performance.now() - started, 30_000);
    assertLess(tree.segmentCount(), 50);
  });
}
