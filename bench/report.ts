// From samples to a table and a file; called by run.ts.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { median, ratioOf, scatterPercent } from "./arithmetic.ts";

/** One run of wrk against one target. */
export interface Sample {
  readonly cpuUs: number;
  /** Of cpuUs the thread's that had most: without V8's compilers, or a main thread that only looks on. */
  readonly busiestUs?: number | undefined;
  readonly requestsPerSecond: number;
  /** NaN where the client tells none, as p99Us. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly residentBytes: number;
  readonly errors: number;
}

/** All rounds of one target in one case; undefined where a round failed. */
export type Rounds = readonly (Sample | undefined)[];

/** Samples by case and then by target. */
export type Results = Readonly<Record<string, Readonly<Record<string, Rounds>>>>;

/** One line of the table. */
export interface Row {
  readonly target: string;
  readonly rounds: number;
  /** CPU per request in microseconds, median of the rounds. */
  readonly cpuUs: number;
  readonly scatterPercent: number;
  readonly toFloor: number | undefined;
  readonly toNginx: number | undefined;
  readonly toEnvoy: number | undefined;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly residentMiB: number;
  readonly errors: number;
}

/** What the numbers were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${platform()} ${release()} ${arch()}`,
    node: process.version,
  };
}

/** When and on what, for below a table. */
export function whereLine(): string {
  const { cpu, cores, kernel, node } = machine();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, ${cores} cores of ${cpu}, ${kernel}, Node ${node}, load ${loadAverage()}`;
}

/** The system's load over the last minute: how busy others keep the machine. */
export function loadAverage(): string {
  return readFileSync("/proc/loadavg", "utf8").split(" ")[0] ?? "?";
}

/** Lines of one case. Targets without a single round are left out. */
export function rowsOf(byTarget: Readonly<Record<string, Rounds>>): Row[] {
  const cpuOf = (target: string): (number | undefined)[] =>
    (byTarget[target] ?? []).map((sample) => sample?.cpuUs);
  const rows: Row[] = [];
  for (const [target, rounds] of Object.entries(byTarget)) {
    const samples = rounds.filter((sample) => sample !== undefined);
    if (samples.length === 0) continue;
    const middle = (of: (sample: Sample) => number): number => median(samples.map(of));
    rows.push({
      target,
      rounds: samples.length,
      cpuUs: middle((sample) => sample.cpuUs),
      scatterPercent: scatterPercent(samples.map((sample) => sample.cpuUs)),
      toFloor: ratioOf(cpuOf(target), cpuOf("floor")),
      toNginx: ratioOf(cpuOf(target), cpuOf("nginx")),
      toEnvoy: ratioOf(cpuOf(target), cpuOf("envoy")),
      requestsPerSecond: middle((sample) => sample.requestsPerSecond),
      p50Us: middle((sample) => sample.p50Us),
      p99Us: middle((sample) => sample.p99Us),
      residentMiB: middle((sample) => sample.residentBytes) / 2 ** 20,
      errors: samples.reduce((sum, sample) => sum + sample.errors, 0),
    });
  }
  return rows;
}

const COLUMNS = [
  "target",
  "us/req",
  "+-%",
  "/floor",
  "/nginx",
  "/envoy",
  "req/s",
  "p50 us",
  "p99 us",
  "RSS MiB",
  "errors",
] as const;

function ratio(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(2);
}

function whole(value: number): string {
  return Number.isNaN(value) ? "-" : value.toFixed(0);
}

function cells(row: Row): string[] {
  return [
    row.target,
    row.cpuUs.toFixed(1),
    row.scatterPercent.toFixed(0),
    ratio(row.toFloor),
    ratio(row.toNginx),
    ratio(row.toEnvoy),
    row.requestsPerSecond.toFixed(0),
    whole(row.p50Us),
    whole(row.p99Us),
    row.residentMiB.toFixed(0),
    String(row.errors),
  ];
}

/** A table for a terminal. */
export function textTable(rows: readonly Row[]): string {
  const lines = [[...COLUMNS], ...rows.map(cells)];
  const widths = COLUMNS.map((_, at) => Math.max(...lines.map((line) => (line[at] ?? "").length)));
  const pad = (cell: string, at: number): string =>
    at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0);
  return lines.map((line) => line.map(pad).join("  ")).join("\n");
}

/** A table for a page. */
export function markdownTable(rows: readonly Row[]): string {
  const line = (texts: readonly string[]): string => `| ${texts.join(" | ")} |`;
  const rule = COLUMNS.map((_, at) => (at === 0 ? "---" : "---:"));
  return [line(COLUMNS), line(rule), ...rows.map((row) => line(cells(row)))].join("\n");
}

/** Writes `results/<date>.json` and gives its path. */
export function writeResults(results: Results, facts: Readonly<Record<string, unknown>>): string {
  const folder = fileURLToPath(new URL("./results/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const name = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const file = `${folder}${name}.json`;
  const cases = Object.entries(results).map(([id, byTarget]) => ({
    case: id,
    rows: rowsOf(byTarget),
    samples: byTarget,
  }));
  writeFileSync(file, `${JSON.stringify({ machine: machine(), ...facts, cases }, null, 1)}\n`);
  return file;
}
