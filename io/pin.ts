/**
 * Pins: who still reads an older version, so that its files stay.
 *
 * A pin is released once. Its owner is watched by the garbage collector: an owner that was forgotten and not closed
 * is a leak, which releases the pin late and is counted.
 *
 * @module
 */

import type { Version } from "../core/mod.ts";
import type { Engine } from "./engine.ts";

const FORGOTTEN: FinalizationRegistry<Pin> = new FinalizationRegistry((pin) => pin.releaseLeaked());

/** Keeps the files of a version until it is released. */
export class Pin {
  readonly #engine: Engine;
  readonly #version: Version;
  #released = false;

  /** Pins a version. */
  constructor(engine: Engine, version: Version) {
    this.#engine = engine;
    this.#version = version;
    engine.pin(version);
  }

  /** Releases the pin some day after its owner is forgotten. */
  watch(owner: object): void {
    FORGOTTEN.register(owner, this, owner);
  }

  /** Ends that watch. */
  unwatch(owner: object): void {
    FORGOTTEN.unregister(owner);
  }

  /** Lets go of the version. Calling it again does nothing. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#engine.unpin(this.#version);
  }

  /** Lets go of the version and counts a leak. */
  releaseLeaked(): void {
    if (this.#released) return;
    this.#engine.counts.leaks += 1;
    this.release();
  }
}
