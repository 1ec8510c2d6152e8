// What memory-probe.mjs has written, summed up: medians of five minutes for the main thread and
// for each worker's place. A worker that died is replaced in its place and begins anew.
import { readFileSync } from "node:fs";
import { median } from "../arithmetic.ts";

const MIB = 1024 * 1024;
const WINDOW_MS = 5 * 60_000;

interface Look {
  readonly atMs: number;
  readonly name: string;
  readonly isCollected: boolean;
  readonly heapUsed: number;
  readonly heapPhysical: number;
  readonly external: number;
}

export interface ThreadMemory {
  readonly name: string;
  /** Of each five minutes, MiB. */
  readonly heapUsed: readonly number[];
  readonly heapPhysical: readonly number[];
  readonly external: readonly number[];
  /** Right after garbage was collected. */
  readonly live: readonly number[];
}

function inMib(bytes: number): number {
  return Math.round((bytes / MIB) * 10) / 10;
}

function summary(name: string, looks: readonly Look[], startMs: number): ThreadMemory {
  const windows: Look[][] = [];
  for (const look of looks) {
    const at = Math.floor((look.atMs - startMs) / WINDOW_MS);
    while (windows.length <= at) windows.push([]);
    windows[at]?.push(look);
  }
  const of = (field: "heapUsed" | "heapPhysical" | "external"): number[] =>
    windows.map((window) => inMib(median(window.map((look) => look[field]))));
  return {
    name,
    heapUsed: of("heapUsed"),
    heapPhysical: of("heapPhysical"),
    external: of("external"),
    live: looks.filter((look) => look.isCollected).map((look) => inMib(look.heapUsed)),
  };
}

export function readThreadMemory(path: string): ThreadMemory[] {
  const looks = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Look);
  const startMs = looks[0]?.atMs ?? 0;
  const names = [...new Set(looks.map((look) => look.name))].toSorted();
  return names.map((name) => {
    const own = looks.filter((look) => look.name === name);
    return summary(name, own, startMs);
  });
}
