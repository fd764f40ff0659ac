/**
 * A mutant: the sources with one small thing wrong, which the tests must notice.
 *
 * Whether a test would fail if the store were wrong is not to be seen in a run that passes. So the store is made wrong on purpose,
 * in a way that real stores were, and the tests are run: a mutant that they let live is a hole in them (DeMillo, Lipton and Sayward,
 * "Hints on Test Data Selection", 1978).
 *
 * A mutant names its place by text and not by line, so that it outlives changes around it. `mutants_test.ts` holds, in each run
 * of the tests, that every text stands just once in its file: when the code behind a mutant changes, the list says so.
 *
 * Equivalent mutants, which change nothing that can be observed, have no place in the list: nothing could kill them.
 *
 * @module
 */

/** The sources with one small thing wrong. */
export interface Mutant {
  /** What is wrong with the mutated store, as a sentence; tells it from others. */
  readonly name: string;
  /** The source that is changed, from the root of the checkout. */
  readonly file: string;
  /** A text that stands once in it. */
  readonly find: string;
  /** What stands in its place. */
  readonly replace: string;
  /** Where this went wrong in a real store, as far as known. */
  readonly like?: string;
  /** The test files that notice it, the cheapest first. */
  readonly killedBy: readonly string[];
}

/**
 * Returns the text of a source with a mutant's change.
 *
 * @throws {RangeError} If the mutant does not fit: its text is not there just once, or it changes nothing.
 */
export function mutated(text: string, { name, file, find, replace }: Mutant): string {
  const [before, after, ...others] = text.split(find);
  const wrong = (why: string): RangeError => new RangeError(`Cannot make the mutant "${name}": ${why}`);
  if (find === "" || find === replace) throw wrong("it changes nothing");
  if (after === undefined) throw wrong(`${file} does not have the text ${JSON.stringify(find)}`);
  if (others.length > 0) throw wrong(`${file} has the text ${JSON.stringify(find)} several times`);
  return before + replace + after;
}
