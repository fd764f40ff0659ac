/**
 * A cursor over a sorted map: one entry after the other, either way.
 *
 * It keeps the path from the root to its leaf, so a move is O(1) amortised over a scan. It sees one immutable map: what is
 * put or deleted later makes other maps and never moves it.
 *
 * @module
 */

import type { SortedMap, SortedMapNode } from "./sorted_map.ts";
import { childAt, entryAt } from "./sorted_map.ts";

/**
 * A place in one immutable map that moves both ways.
 *
 * It is at an entry, whose `key` and `value` are plain fields, or not valid: at first, and once a
 * move or a seek finds nothing. From there only a seek leads back: `next` and `previous` do nothing.
 *
 * Requires: the map was not returned under an owner token that is still in use.
 */
export class MapCursor<V> {
  /** Whether the cursor is at an entry. */
  valid: boolean = false;
  /** The key of the entry; empty if the cursor is not valid. */
  key: string = "";
  /** The value of the entry; `undefined` if the cursor is not valid. */
  value: V = undefined as V;

  readonly #root: SortedMapNode<V>;
  /** The inner nodes from the root down to `#leaf`, and which child of each the path takes. */
  readonly #path: SortedMapNode<V>[] = [];
  readonly #turns: number[] = [];
  #leaf: SortedMapNode<V>;
  #at: number = 0;

  /**
   * Makes a cursor that is not valid yet.
   *
   * @param map The map to move in.
   */
  constructor(map: SortedMap<V>) {
    this.#root = map.root;
    this.#leaf = map.root;
  }

  /** Moves to the least key. Cost: O(log n). */
  seekFirst(): void {
    this.#descend(this.#root, 0, false);
    this.#show(0);
  }

  /** Moves to the greatest key. Cost: O(log n). */
  seekLast(): void {
    this.#descend(this.#root, 0, true);
    this.#show(this.#leaf.keys.length - 1);
  }

  /**
   * Moves to the least key that is `key` or greater. Cost: O(log n).
   *
   * @param key A byte string.
   */
  seekAtOrAfter(key: string): void {
    let node = this.#root;
    for (let depth = 0; node.children !== undefined; depth++) {
      const at = childAt(node.keys, key);
      this.#path[depth] = node;
      this.#turns[depth] = at;
      node = node.children[at]!;
    }
    this.#leaf = node;
    const at = entryAt(node.keys, key);
    if (at < node.keys.length) this.#show(at);
    else this.#nextLeaf();
  }

  /**
   * Moves to the greatest key that is less than `key`. Cost: O(log n).
   *
   * @param key A byte string.
   */
  seekBefore(key: string): void {
    let node = this.#root;
    for (let depth = 0; node.children !== undefined; depth++) {
      const at = entryAt(node.keys, key);
      this.#path[depth] = node;
      this.#turns[depth] = at;
      node = node.children[at]!;
    }
    this.#leaf = node;
    const at = entryAt(node.keys, key) - 1;
    if (at >= 0) this.#show(at);
    else this.#previousLeaf();
  }

  /** Moves to the next greater key. Cost: O(1), amortised over a scan. */
  next(): void {
    if (!this.valid) return;
    if (this.#at + 1 < this.#leaf.keys.length) this.#show(this.#at + 1);
    else this.#nextLeaf();
  }

  /** Moves to the next lesser key. Cost: O(1), amortised over a scan. */
  previous(): void {
    if (!this.valid) return;
    if (this.#at > 0) this.#show(this.#at - 1);
    else this.#previousLeaf();
  }

  #nextLeaf(): void {
    for (let depth = this.#path.length - 1; depth >= 0; depth--) {
      const children = this.#path[depth]!.children!;
      const at = this.#turns[depth]! + 1;
      if (at === children.length) continue;
      this.#turns[depth] = at;
      this.#descend(children[at]!, depth + 1, false);
      return this.#show(0);
    }
    this.#leave();
  }

  #previousLeaf(): void {
    for (let depth = this.#path.length - 1; depth >= 0; depth--) {
      const at = this.#turns[depth]! - 1;
      if (at < 0) continue;
      this.#turns[depth] = at;
      this.#descend(this.#path[depth]!.children![at]!, depth + 1, true);
      return this.#show(this.#leaf.keys.length - 1);
    }
    this.#leave();
  }

  /** Takes the first or the last child from `node` down to a leaf. All paths of a map are equally long. */
  #descend(node: SortedMapNode<V>, depth: number, last: boolean): void {
    for (; node.children !== undefined; depth++) {
      const at = last ? node.children.length - 1 : 0;
      this.#path[depth] = node;
      this.#turns[depth] = at;
      node = node.children[at]!;
    }
    this.#leaf = node;
  }

  #show(at: number): void {
    const { keys, values } = this.#leaf;
    if (keys.length === 0) return; // the empty map; the cursor has never been valid
    this.#at = at;
    this.key = keys[at]!;
    this.value = values[at]!;
    this.valid = true;
  }

  #leave(): void {
    this.key = "";
    this.value = undefined as V;
    this.valid = false;
  }
}
