/**
 * A stand-in for `jsr:@std/assert@^1` where only an npm registry can be reached.
 *
 * The functions are the standard library's own, from its copy on npm, which has no types. This file
 * gives them the signatures of the original, so that code which compiles here compiles against the
 * original too: nothing is added, and what the project does not use is left out.
 *
 * @module
 */

import * as std from "deno-std/assert/mod.js";

/** Any class, abstract ones included. */
// deno-lint-ignore no-explicit-any -- a constructor's parameters are contravariant: `unknown` would fit none
export type AnyConstructor = abstract new (...args: any[]) => unknown;

/** What an instance of a class is. */
export type GetConstructorType<C extends AnyConstructor> = InstanceType<C>;

/** Anything with a length and numbered places, a string included. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/** The error of a failed assertion. */
export type AssertionError = Error;

/** The error of a failed assertion, with the message it is to carry. */
export const AssertionError: new (message: string, options?: ErrorOptions) => AssertionError =
  std.AssertionError;

/** Asserts that `expr` is truthy. */
export const assert: (expr: unknown, msg?: string) => asserts expr = std.assert;

/** Asserts that `expr` is falsy. */
export const assertFalse: (expr: unknown, msg?: string) => asserts expr is Falsy = std.assertFalse;

/** All that is falsy. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** Asserts that two numbers differ by at most `tolerance`. */
export const assertAlmostEquals: (
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
) => void = std.assertAlmostEquals;

/** Asserts that `actual` holds every element of `expected`. */
export const assertArrayIncludes: <T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
) => void = std.assertArrayIncludes;

/** Asserts that two values are deeply equal. */
export const assertEquals: <T>(actual: T, expected: T, msg?: string) => void = std.assertEquals;

/** Asserts that two values are not deeply equal. */
export const assertNotEquals: <T>(actual: T, expected: T, msg?: string) => void = std.assertNotEquals;

/** Asserts that two values are the same by `Object.is`. */
export const assertStrictEquals: <T>(actual: unknown, expected: T, msg?: string) => asserts actual is T =
  std.assertStrictEquals;

/** Asserts that two values are not the same by `Object.is`. */
export const assertNotStrictEquals: <T>(actual: T, expected: T, msg?: string) => void =
  std.assertNotStrictEquals;

/** Asserts that `actual` is neither `null` nor `undefined`. */
export const assertExists: <T>(actual: T, msg?: string) => asserts actual is NonNullable<T> =
  std.assertExists;

/** Asserts that `actual > expected`. */
export const assertGreater: <T>(actual: T, expected: T, msg?: string) => void = std.assertGreater;

/** Asserts that `actual >= expected`. */
export const assertGreaterOrEqual: <T>(actual: T, expected: T, msg?: string) => void =
  std.assertGreaterOrEqual;

/** Asserts that `actual < expected`. */
export const assertLess: <T>(actual: T, expected: T, msg?: string) => void = std.assertLess;

/** Asserts that `actual <= expected`. */
export const assertLessOrEqual: <T>(actual: T, expected: T, msg?: string) => void = std.assertLessOrEqual;

/** Asserts that `actual` is an instance of `expectedType`. */
export const assertInstanceOf: <T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg?: string,
) => asserts actual is GetConstructorType<T> = std.assertInstanceOf;

/** Asserts that `error` is an error, of a class and with a message that holds a text where these are given. */
export const assertIsError: <E extends Error = Error>(
  error: unknown,
  // deno-lint-ignore no-explicit-any -- as in `AnyConstructor`
  ErrorClass?: abstract new (...args: any[]) => E,
  msgMatches?: string | RegExp,
  msg?: string,
) => asserts error is E = std.assertIsError;

/** Asserts that `actual` matches a pattern. */
export const assertMatch: (actual: string, expected: RegExp, msg?: string) => void = std.assertMatch;

/** Asserts that `actual` does not match a pattern. */
export const assertNotMatch: (actual: string, expected: RegExp, msg?: string) => void = std.assertNotMatch;

/** Asserts that `actual` has at least the properties of `expected`, deeply. */
export const assertObjectMatch: (
  // deno-lint-ignore no-explicit-any -- the original's own signature: an interface is no `Record<_, unknown>`
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
) => void = std.assertObjectMatch;

/** Asserts that `actual` holds the text `expected`. */
export const assertStringIncludes: (actual: string, expected: string, msg?: string) => void =
  std.assertStringIncludes;

/** Asserts that a function throws, and returns what it threw. */
export interface AssertThrows {
  /** Whatever is thrown. */
  (fn: () => unknown, msg?: string): unknown;
  /** An error of a class, with a message that holds a text where one is given. */
  <E extends Error = Error>(
    fn: () => unknown,
    // deno-lint-ignore no-explicit-any -- as in `AnyConstructor`
    ErrorClass: abstract new (...args: any[]) => E,
    msgIncludes?: string,
    msg?: string,
  ): E;
}

/** Asserts that a function throws, and returns what it threw. */
export const assertThrows: AssertThrows = std.assertThrows;

/** Asserts that a function's promise rejects, and resolves to the reason. */
export interface AssertRejects {
  /** Whatever the reason. */
  (fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
  /** An error of a class, with a message that holds a text where one is given. */
  <E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    // deno-lint-ignore no-explicit-any -- as in `AnyConstructor`
    ErrorClass: abstract new (...args: any[]) => E,
    msgIncludes?: string,
    msg?: string,
  ): Promise<E>;
}

/** Asserts that a function's promise rejects, and resolves to the reason. */
export const assertRejects: AssertRejects = std.assertRejects;

/** Tells whether two values are deeply equal. */
export const equal: (a: unknown, b: unknown) => boolean = std.equal;

/** Fails with a message. */
export const fail: (msg?: string) => never = std.fail;

/** Fails because a place was reached that should not have been. */
export const unreachable: (msg?: string) => never = std.unreachable;
