// What a soak run reads of Headgate every few seconds: memory, files, gauges, counters.
import { readdirSync, readFileSync } from "node:fs";

const KIB = 1024;
const MIB = 1024 * KIB;
const ARENA_BYTES = 64 * MIB;
const HOUR_S = 3600;

export interface Sample {
  /** Since the load began. */
  readonly atS: number;
  readonly rssMib: number;
  /** Pages that are the process's own, without files it has mapped. */
  readonly anonymousMib: number;
  /** What of these malloc has: V8's heaps and code are mapped without it. */
  readonly mallocMib: number;
  /** The main thread's heap. */
  readonly mainHeapMib: number;
  readonly files: number;
  readonly threads: number;
  readonly stats: Readonly<Record<string, number>>;
}

/** Gauges that must be zero when nothing is under way. */
const ACTIVE = [
  /^http\.(main|second)\.downstream_(cx|rq)_active$/,
  /^http\.(main|second)\.downstream_cx_(rx|tx)_bytes_buffered$/,
  /^listener\.(?!admin\.).*downstream_cx_active$/,
  /^server\.worker_\d+\.downstream_cx_active$/,
  /^cluster\..*\.upstream_(cx|rq)_active$/,
  /^cluster\..*\.upstream_rq_pending_active$/,
  /^cluster\..*\.upstream_cx_(rx|tx)_bytes_buffered$/,
  /^cluster\..*\.circuit_breakers\..*_open$/,
  /^cluster_manager\.warming_clusters$/,
  /^listener_manager\.total_(listeners|filter_chains)_(warming|draining)$/,
  /^filesystem\.write_total_buffered$/,
];

function statusOf(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
}

/** The pages of glibc's first heap, and of its arenas, which lie at multiples of 64 MiB. */
function mallocKib(pid: number): number {
  let sum = 0;
  let isMalloc = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, "latin1").split("\n")) {
    const mapping = /^([0-9a-f]+)-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
    if (mapping !== null) {
      const isAligned = Number.parseInt(mapping[1] ?? "", 16) % ARENA_BYTES === 0;
      isMalloc = mapping[2] === "[heap]" || (mapping[2] === "" && isAligned);
    } else if (isMalloc) sum += Number(/^Anonymous: +(\d+) kB/.exec(line)?.[1] ?? 0);
  }
  return sum;
}

export async function readStats(adminPort: number): Promise<Map<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats`);
  const stats = new Map<string, number>();
  for (const line of (await answer.text()).split("\n")) {
    const colon = line.indexOf(": ");
    const value = Number(line.slice(colon + 2));
    if (colon > 0 && !Number.isNaN(value)) stats.set(line.slice(0, colon), value);
  }
  return stats;
}

export function activeGauges(stats: ReadonlyMap<string, number>): [string, number][] {
  return [...stats].filter(([name]) => ACTIVE.some((pattern) => pattern.test(name)));
}

export async function takeSample(
  pid: number,
  adminPort: number,
  startedAtMs: number,
): Promise<Sample> {
  const stats = await readStats(adminPort);
  const memory = (await (await fetch(`http://127.0.0.1:${adminPort}/memory`)).json()) as {
    readonly allocated: string;
  };
  const sums: Record<string, number> = {};
  for (const [name, value] of activeGauges(stats)) {
    const last = name.slice(name.lastIndexOf(".") + 1);
    if (name.startsWith("server.") || name.startsWith("listener.")) continue;
    sums[last] = (sums[last] ?? 0) + value;
  }
  const kept = [
    "server.config_version",
    "server.reload_success",
    "server.reload_rejected",
    "wasm.envoy.wasm.runtime.v8.active",
    "wasm.envoy.wasm.runtime.v8.created",
    "wasm.module_update_success",
    "http.main.downstream_rq_total",
    "http.second.downstream_rq_total",
    "stats.overflow",
    "filesystem.write_dropped",
  ];
  for (const name of kept) sums[name] = stats.get(name) ?? 0;
  return {
    atS: Math.round((Date.now() - startedAtMs) / 1000),
    rssMib: (statusOf(pid, "VmRSS") * KIB) / MIB,
    anonymousMib: (statusOf(pid, "RssAnon") * KIB) / MIB,
    mallocMib: (mallocKib(pid) * KIB) / MIB,
    mainHeapMib: Number(memory.allocated) / MIB,
    files: readdirSync(`/proc/${pid}/fd`).length,
    threads: statusOf(pid, "Threads"),
    stats: sums,
  };
}

/** The slope of the least-squares line through what `of` gives, per hour. */
export function slopePerHour(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const meanX = samples.reduce((sum, one) => sum + one.atS, 0) / samples.length;
  const meanY = samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  let above = 0;
  let below = 0;
  for (const one of samples) {
    above += (one.atS - meanX) * (of(one) - meanY);
    below += (one.atS - meanX) ** 2;
  }
  return below === 0 ? 0 : (above / below) * HOUR_S;
}
