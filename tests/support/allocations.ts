/**
 * How much memory a function asks for, counted where it asks: at the constructors of buffers and arrays.
 *
 * For the time of a call the global `ArrayBuffer`, the typed arrays and `Array` are stand-ins that add up what they are asked
 * for. So a claim of four gigabytes is seen as such, and refused there: it neither takes time nor ends the process.
 * `slice` of a typed array makes its copy without the global name, so it is counted by itself.
 *
 * Not counted: what natives allocate for themselves (zlib), strings, and lists that grow by `push`.
 *
 * @module
 */

/** What was asked for. */
export interface Allocations<T> {
  /** What the function returned, if it did. */
  readonly value: T | undefined;
  /** What it threw, if it did. */
  readonly error: unknown;
  /** Bytes of all buffers and arrays together. */
  readonly bytes: number;
}

/** More than this is refused, as by an engine without memory. */
const REFUSED_BYTES = 64 * 1024 * 1024;

/** What a place of an `Array` takes. */
const PLACE_BYTES = 8;

const TYPED = ["Uint8Array", "Uint16Array", "Uint32Array", "Int32Array", "Float64Array"] as const;

type Global = Record<string, unknown>;
type Constructor = new (...given: unknown[]) => object;

/** Calls a function and counts what it asks for; works for one at a time, and only for what is synchronous. */
export function allocationsOf<T>(action: () => T): Allocations<T> {
  let bytes = 0;
  const ask = (count: number): void => {
    if (count > REFUSED_BYTES) throw new RangeError(`Cannot allocate: ${count} bytes are asked for at once`);
    bytes += count;
  };
  const global = globalThis as unknown as Global;
  const names = ["ArrayBuffer", "Array", ...TYPED];
  const before = names.map((name) => global[name] as Constructor);
  const prototype = Object.getPrototypeOf(Uint8Array.prototype) as { slice: Uint8Array["slice"] };
  const { slice } = prototype;
  for (const [i, name] of names.entries()) global[name] = counting(before[i]!, ask);
  prototype.slice = function (this: Uint8Array<ArrayBuffer>, start?: number, end?: number) {
    ask(this.subarray(start, end).byteLength);
    return slice.call(this, start, end) as Uint8Array<ArrayBuffer>;
  };
  try {
    return { value: action(), error: undefined, bytes };
  } catch (error) {
    return { value: undefined, error, bytes };
  } finally {
    for (const [i, name] of names.entries()) global[name] = before[i];
    prototype.slice = slice;
  }
}

function counting(of: Constructor, ask: (count: number) => void): Constructor {
  const each = of === (Array as unknown)
    ? PLACE_BYTES
    : (of as { readonly BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  const count = (given: readonly unknown[]): void => {
    const [first] = given;
    if (typeof first === "number" && given.length === 1) ask(first * each);
    else if (Array.isArray(first) || ArrayBuffer.isView(first)) {
      ask((first as unknown as { length: number }).length * each);
    }
  };
  return new Proxy(of, {
    construct(target, given, newTarget) {
      count(given);
      return Reflect.construct(target, given, newTarget);
    },
    apply(target, self, given) { // `Array(length)` without `new`
      count(given);
      return Reflect.apply(target as unknown as () => object, self, given);
    },
  });
}
