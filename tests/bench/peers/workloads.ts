/**
 * The workloads, in the order of the table.
 *
 * "One at a time" is one call for each write, the next one after it has been acknowledged. What is durable was acknowledged by
 * the disk, everything else by the operating system. A store that is "loaded" has been filled in random order, a thousand entries
 * a batch, by another process, and has come to rest.
 *
 * @module
 */

import { GET, PUT, SEEK, UPDATE } from "./plan.ts";

/** What the keys of a workload are. */
export type WorkloadKind =
  | "inOrder"
  | "random"
  | "overwrite"
  | "get"
  | "absent"
  | "hot"
  | "seek"
  | "zipfian"
  | "scan"
  | "open";

/** Two kinds of operations, and how many of 100 are of the first. */
export interface Mix {
  /** The first kind. */
  readonly first: number;
  /** How many of 100. */
  readonly percent: number;
  /** The other kind. */
  readonly second: number;
  /** Whether what is written is new. */
  readonly inserts: boolean;
}

/** What one process measures. */
export interface Workload {
  /** What it is called. */
  readonly name: string;
  /** What it does. */
  readonly title: string;
  /** Of what kind it is. */
  readonly kind: WorkloadKind;
  /** What is there before. */
  readonly onto: "empty" | "loaded";
  /** Whether it leaves the store as it was. */
  readonly readOnly: boolean;
  /** How many operations it has, as a share of the entries; a scan has as many as there are. */
  readonly share: number;
  /** How many writes are made together. */
  readonly batch: number;
  /** How many writers there are at once. */
  readonly writers: number;
  /** Whether each write waits for the disk. */
  readonly durable: boolean;
  /** Backwards. */
  readonly reverse: boolean;
  /** What is measured: how many in a second, how long each takes, how late a timer is, how long once takes. */
  readonly measure: "rate" | "latency" | "timer" | "once";
  /** Of what it is a mix, if it is. */
  readonly mix?: Mix;
}

const DEFAULTS = {
  onto: "empty",
  readOnly: false,
  share: 1,
  batch: 1,
  writers: 1,
  durable: false,
  reverse: false,
  measure: "rate",
} as const;

const READ = { ...DEFAULTS, onto: "loaded", readOnly: true } as const;
const CHANGE = { ...DEFAULTS, onto: "loaded" } as const;

/** Makes the store that others are measured on; its bytes on disk are a row too. */
export const LOAD: Workload = {
  ...DEFAULTS,
  name: "disk",
  title: "bytes on disk, filled in random order",
  kind: "random",
  batch: 1_000,
};

/** All others. */
export const WORKLOADS: readonly Workload[] = [
  { ...DEFAULTS, name: "fillseq", title: "fill in order, one at a time", kind: "inOrder" },
  { ...DEFAULTS, name: "fillrandom", title: "fill in random order, one at a time", kind: "random" },
  {
    ...DEFAULTS,
    name: "fillbatch",
    title: "fill in random order, 1,000 a batch",
    kind: "random",
    batch: 1_000,
  },
  { ...CHANGE, name: "overwrite", title: "overwrite in random order, one at a time", kind: "overwrite" },
  { ...READ, name: "readrandom", title: "get in random order, warm", kind: "get" },
  { ...READ, name: "readmissing", title: "get what is not there", kind: "absent" },
  { ...READ, name: "readhot", title: "get 1 % of the keys over and over", kind: "hot" },
  { ...READ, name: "readseq", title: "read everything in order (entries)", kind: "scan" },
  { ...READ, name: "readreverse", title: "read everything backwards (entries)", kind: "scan", reverse: true },
  { ...READ, name: "seekrandom", title: "seek, then read 10", kind: "seek", share: 0.2 },
  {
    ...CHANGE,
    name: "ycsb-a",
    title: "YCSB A: half get, half overwrite",
    kind: "zipfian",
    mix: { first: GET, percent: 50, second: PUT, inserts: false },
  },
  {
    ...CHANGE,
    name: "ycsb-b",
    title: "YCSB B: 95 % get, 5 % overwrite",
    kind: "zipfian",
    mix: { first: GET, percent: 95, second: PUT, inserts: false },
  },
  {
    ...CHANGE,
    name: "ycsb-e",
    title: "YCSB E: 95 % read up to 100, 5 % insert",
    kind: "zipfian",
    share: 0.1,
    mix: { first: SEEK, percent: 95, second: PUT, inserts: true },
  },
  {
    ...CHANGE,
    name: "ycsb-f",
    title: "YCSB F: half get, half get and overwrite",
    kind: "zipfian",
    mix: { first: GET, percent: 50, second: UPDATE, inserts: false },
  },
  { ...DEFAULTS, name: "fillsync", title: "durable, one writer", kind: "random", share: 0.02, durable: true },
  {
    ...DEFAULTS,
    name: "fillsync64",
    title: "durable, 64 writers at once",
    kind: "random",
    share: 0.2,
    durable: true,
    writers: 64,
  },
  { ...READ, name: "open", title: "open, and one get", kind: "open", measure: "once" },
  {
    ...DEFAULTS,
    name: "putlatency",
    title: "a single put, in random order",
    kind: "random",
    measure: "latency",
  },
  { ...DEFAULTS, name: "timer", title: "a timer of 1 ms while filling", kind: "random", measure: "timer" },
];

/** Returns the workload with a name. */
export function workloadNamed(name: string): Workload {
  const found = [LOAD, ...WORKLOADS].find((workload) => workload.name === name);
  if (found === undefined) {
    throw new TypeError(`Cannot run the benchmark: there is no workload ${name}`);
  }
  return found;
}
