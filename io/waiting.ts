/**
 * Waiting: promises for what the state will become.
 *
 * Each is asked about after every change of the state, so nobody waits for a message that another has read. Whoever waited
 * looks at the state again: it may have changed once more before his turn, and at the end of a tree everybody is let go.
 *
 * @module
 */

interface One {
  readonly holds: () => boolean;
  readonly resolve: () => void;
}

/** Who waits for the state to become something. */
export class Waiting {
  readonly #all: Set<One> = new Set();

  /** Resolves as soon as `holds`, which is asked now and at each {@linkcode tell}. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => this.#all.add({ holds, resolve }));
  }

  /** Says that the state has changed. Cost: nothing where nobody waits. */
  tell(): void {
    if (this.#all.size === 0) return;
    for (const one of this.#all) if (one.holds()) this.#end(one);
  }

  /** Lets everybody go. */
  tellAll(): void {
    for (const one of this.#all) this.#end(one);
  }

  #end(one: One): void {
    this.#all.delete(one);
    one.resolve();
  }
}
