/**
 * Freezes values as deep as they go, so that a test sees any change of what should never change.
 *
 * - Typed arrays cannot be frozen; what they hold is compared instead.
 * - What was frozen before is passed over, so that a state that shares nearly everything with the one before costs next to
 *   nothing.
 *
 * @module
 */

const FROZEN: WeakSet<object> = new WeakSet();

/** Returns the value itself, frozen as deep as it goes. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || FROZEN.has(value)) return value;
  FROZEN.add(value);
  if (ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}
