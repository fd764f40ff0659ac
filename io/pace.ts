/**
 * Pace: long work over many bytes that neither holds the event loop nor goes on when nobody wants it any more.
 *
 * Whoever does it says after each piece how many bytes that was. Every few milliseconds the event loop gets its turn; before and
 * after it the signal is asked, and some times a second `onProgress` is told.
 *
 * @module
 */

/** How far long work is. */
export interface PaceOptions<P> {
  /** Ends it early, with its reason. */
  readonly signal?: AbortSignal;
  /** Told how far it is, some times a second and at the end. */
  readonly onProgress?: (progress: P) => void;
}

/** Bytes done of those to be done. */
interface Progress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** The longest that the event loop waits for its turn. */
const TURN_MS = 8;

/** How often progress is told. */
const TELL_MS = 50;

/**
 * Throws unless what a user said about long work is right.
 *
 * @param what What cannot be done with it, for the message.
 * @throws {TypeError} If an option has a wrong type.
 */
export function checkPaceOptions(options: PaceOptions<never>, what: string): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${what}: the options are no object`);
  }
  const { signal, onProgress } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot ${what}: the signal is not an AbortSignal`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(`Cannot ${what}: onProgress is not a function`);
  }
}

/** The pace of one piece of long work. */
export class Pace {
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  #doneBytes = 0;
  #totalBytes = 0;
  #turnAt = performance.now();
  #toldAt = performance.now();

  /** Begins; the first turn of the event loop is due in a few milliseconds. */
  constructor({ signal, onProgress }: PaceOptions<Progress>) {
    this.#signal = signal;
    this.#onProgress = onProgress;
  }

  /** Says how many bytes there are to be done in all. */
  expect(totalBytes: number): void {
    this.#doneBytes = 0;
    this.#totalBytes = totalBytes;
  }

  /**
   * Counts bytes that are done; waits if the event loop's turn is due.
   *
   * @throws The reason of the signal, or what `onProgress` throws.
   */
  async done(bytes: number): Promise<void> {
    this.#doneBytes += bytes;
    const now = performance.now();
    if (now - this.#turnAt < TURN_MS) return;
    if (now - this.#toldAt >= TELL_MS) this.#tell(now);
    await this.pause(0);
  }

  /** Gives the event loop its turn, for so many milliseconds. */
  async pause(milliseconds: number): Promise<void> {
    this.check();
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    this.check();
    this.#turnAt = performance.now();
  }

  /** Throws if nobody wants it any more. */
  check(): void {
    this.#signal?.throwIfAborted();
  }

  /** Tells that all is done. */
  finish(): void {
    this.check();
    this.#doneBytes = this.#totalBytes;
    this.#tell(performance.now());
  }

  #tell(now: number): void {
    this.#toldAt = now;
    const totalBytes = Math.max(this.#totalBytes, this.#doneBytes);
    this.#onProgress?.({ doneBytes: this.#doneBytes, totalBytes });
  }
}
