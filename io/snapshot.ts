/**
 * A snapshot: the tree as it was at one moment.
 *
 * A snapshot *is* a state: taking one costs nothing, and nothing that happens later changes it. What it costs is disk: the
 * segments it reads stay until it is closed.
 *
 * @module
 */

import type { TreeState } from "../core/mod.ts";
import { ClosedError } from "../core/mod.ts";
import type { Engine } from "./engine.ts";
import { Pin } from "./pin.ts";
import { Reads } from "./reads.ts";

/**
 * The tree as it was at one moment; close it, or declare it with `using`.
 *
 * @example Usage
 * ```ts
 * import { MemoryStorage, Tree } from "@lsm/tree";
 * import { assert, assertEquals } from "@std/assert";
 *
 * await using tree = await Tree.open("data", { storage: new MemoryStorage() });
 * tree.insert("a", "1");
 * {
 *   using snapshot = tree.snapshot();
 *   tree.insert("b", "2");
 *   assertEquals(snapshot.len(), 1);
 * }
 * assert(tree.containsKey("b"));
 * ```
 */
export class Snapshot extends Reads implements Disposable {
  readonly #state: TreeState;
  readonly #pin: Pin;
  #open = true;

  /**
   * Snapshots are made by `tree.snapshot()`.
   *
   * @internal
   */
  constructor(engine: Engine) {
    super(engine);
    this.#state = engine.state;
    this.#pin = new Pin(engine, this.#state.version);
    this.#pin.watch(this);
  }

  /**
   * The state that is read; throws if it may not be read any more.
   *
   * @internal
   */
  protected override readState(): TreeState {
    if (!this.#open) throw new ClosedError("Cannot read the snapshot: it is closed");
    if (this.engine.isClosed) {
      throw new ClosedError(`Cannot read the snapshot: the tree "${this.engine.folder}" is closed`);
    }
    return this.#state;
  }

  /** Lets go of the files that only this snapshot needs. Calling it again does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#pin.unwatch(this);
    this.#pin.release();
  }

  /** Closes the snapshot. */
  [Symbol.dispose](): void {
    this.close();
  }
}
