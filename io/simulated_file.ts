/**
 * One open file of a simulated storage.
 *
 * It does what the port says, after a rule had the chance to object: nothing is changed by an operation that fails, but
 * for the bytes that a rule lets in, and for a sync, whose failure gives up what it covered. How it lies where a rule
 * says so is in `simulated_lies.ts`.
 *
 * An awaited sync covers what was written before its call, and that is durable only once it has resolved: until then a power
 * cut may take any of it.
 *
 * @module
 */

import { Sampler } from "./simulated_choices.ts";
import { survivingBytes } from "./simulated_crash.ts";
import type { Inode } from "./simulated_disk.ts";
import type { FaultKind, SimulatedOperationKind, Verdict } from "./simulated_faults.ts";
import { isSilent, refusal } from "./simulated_faults.ts";
import type { Liar } from "./simulated_lies.ts";
import { misread, miswrite } from "./simulated_lies.ts";
import type { StorageFile } from "./storage.ts";
import { checkCut, checkPosition, checkSpan, closedHandle, readOnlyHandle } from "./storage_checks.ts";

/** An awaited sync takes so many turns of the microtask queue at most: others come in between. */
const SYNC_TURNS_MAX = 12;

/** What a file needs of its storage. */
export interface FileHost extends Liar {
  /** Notes an operation and says what becomes of it. */
  readonly judge: (kind: SimulatedOperationKind, file: string, position: number, bytes: number) => Verdict;
  /** Is told when the handle is closed. */
  readonly closed: () => void;
}

/** Opens a handle on a file. */
export function simulatedFile(host: FileHost, name: string, inode: Inode, writable: boolean): StorageFile {
  return new SimulatedFile(host, name, inode, writable);
}

class SimulatedFile implements StorageFile {
  readonly name: string;
  readonly #host: FileHost;
  readonly #inode: Inode;
  readonly #writable: boolean;
  #open = true;

  constructor(host: FileHost, name: string, inode: Inode, writable: boolean) {
    this.name = name;
    this.#host = host;
    this.#inode = inode;
    this.#writable = writable;
  }

  append(bytes: Uint8Array, start: number, end: number): number {
    checkSpan(bytes, start, end);
    this.#change("append to");
    const { fault, bytes: count } = this.#transfer(
      "append",
      "append to",
      this.#inode.seen.length,
      end - start,
    );
    const written = bytes.slice(start, start + count);
    if (isSilent(fault)) miswrite(this.#host, fault, this.#inode, written);
    else if (count > 0) this.#host.disk.append(this.#inode, written);
    return count;
  }

  readAt(into: Uint8Array, start: number, end: number, position: number): number {
    checkSpan(into, start, end);
    checkPosition(position);
    this.#use("read");
    const { seen } = this.#inode;
    const there = Math.max(0, Math.min(end - start, seen.length - position));
    const { fault, bytes: count } = this.#transfer("readAt", "read", position, there);
    const read = isSilent(fault)
      ? misread(this.#host, fault, this.#inode, this.name, position, count)
      : seen.view.subarray(position, position + count);
    into.set(read, start);
    return count;
  }

  size(): number {
    this.#use("measure");
    this.#pass("size", "measure", 0);
    return this.#inode.seen.length;
  }

  truncate(length: number): void {
    this.#change("cut back");
    checkCut(length, this.#inode.seen.length);
    this.#pass("truncate", "cut back", length);
    this.#host.disk.cut(this.#inode, length);
  }

  sync(): void {
    this.#use("sync");
    const { fault } = this.#host.judge("sync", this.name, 0, 0);
    this.#finishSync(fault, this.#host.disk.now);
  }

  async syncAsync(): Promise<void> {
    this.#use("sync");
    const { fault } = this.#host.judge("sync", this.name, 0, 0);
    const before = this.#host.disk.now;
    for (let turns = this.#host.random.below(SYNC_TURNS_MAX); turns >= 0; turns--) await Promise.resolve();
    this.#finishSync(fault, before);
  }

  close(): void {
    if (this.#open) this.#host.closed();
    this.#open = false;
  }

  #finishSync(fault: FaultKind | "", before: number): void {
    const { disk, random } = this.#host;
    if (fault === "") return disk.sync(this.#inode, before);
    if (isSilent(fault)) return;
    disk.giveUp(this.#inode, survivingBytes(this.#inode, new Sampler(random)));
    throw refusal(fault, `sync "${this.name}"`, this.name);
  }

  #transfer(kind: "append" | "readAt", action: string, position: number, bytes: number): Verdict {
    const verdict = this.#host.judge(kind, this.name, position, bytes);
    if (verdict.fault !== "" && verdict.bytes === 0) {
      throw refusal(verdict.fault, `${action} "${this.name}"`, this.name);
    }
    return verdict;
  }

  #pass(kind: SimulatedOperationKind, action: string, position: number): void {
    const { fault } = this.#host.judge(kind, this.name, position, 0);
    if (fault !== "") throw refusal(fault, `${action} "${this.name}"`, this.name);
  }

  #use(action: string): void {
    if (!this.#open) throw closedHandle(action, this.name);
  }

  #change(action: string): void {
    this.#use(action);
    if (!this.#writable) throw readOnlyHandle(action, this.name);
  }
}
