// What plugins cost between two looks at /wasm/costs. Used by index.ts.

/** One version of a plugin, as /wasm/costs tells: sums since the process began. */
export interface CostRow {
  readonly plugin: string;
  readonly version: string;
  readonly state: string;
  readonly streams: number;
  readonly traps: number;
  readonly memory_pages: number;
  readonly fuel: number;
  readonly ns: number;
  readonly hostcalls: number;
  readonly bytes: number;
  readonly callouts: number;
}

export interface CostPage {
  readonly monotonic_ms: number;
  readonly workers_cpu_us: number;
  readonly plugins: readonly CostRow[];
}

/** One version in the time between; "per stream" is 0 without streams. */
export interface Rates {
  readonly plugin: string;
  readonly version: string;
  readonly state: string;
  readonly streams_per_s: number;
  readonly ns_per_stream: number;
  readonly fuel_per_stream: number;
  readonly hostcalls_per_stream: number;
  readonly bytes_per_stream: number;
  readonly callouts_per_stream: number;
  readonly memory_pages: number;
  /** Since the process began. */
  readonly traps: number;
  /** Of the CPU time of all workers, in percent. */
  readonly cpu_percent: number;
}

const NOTHING = { streams: 0, fuel: 0, ns: 0, hostcalls: 0, bytes: 0, callouts: 0 };
const NS_PER_US = 1000;
const MS_PER_S = 1000;

/** The dearest first. */
export function ratesBetween(before: CostPage, now: CostPage): Rates[] {
  // Another process has come to the address, or this one's numbers began anew.
  const isSame = now.monotonic_ms > before.monotonic_ms;
  const ms = Math.max(1, isSame ? now.monotonic_ms - before.monotonic_ms : now.monotonic_ms);
  const cpuUs = Math.max(1, now.workers_cpu_us - (isSame ? before.workers_cpu_us : 0));
  const rates = now.plugins.map((row) => {
    const { plugin, version } = row;
    const known = before.plugins.find((one) => one.plugin === plugin && one.version === version);
    return ratesOf(isSame && known !== undefined ? known : NOTHING, row, ms, cpuUs);
  });
  const dear = (a: Rates, b: Rates): number => b.cpu_percent - a.cpu_percent;
  const fuel = (rate: Rates): number => rate.fuel_per_stream * rate.streams_per_s;
  return rates.sort((a, b) => dear(a, b) || fuel(b) - fuel(a));
}

function ratesOf(before: typeof NOTHING, row: CostRow, ms: number, cpuUs: number): Rates {
  const grown = (field: keyof typeof NOTHING): number => Math.max(0, row[field] - before[field]);
  const streams = grown("streams");
  const perStream = (field: keyof typeof NOTHING): number =>
    streams === 0 ? 0 : rounded(grown(field) / streams);
  return {
    plugin: row.plugin,
    version: row.version,
    state: row.state,
    streams_per_s: rounded((streams * MS_PER_S) / ms),
    ns_per_stream: Math.round(perStream("ns")),
    fuel_per_stream: Math.round(perStream("fuel")),
    hostcalls_per_stream: perStream("hostcalls"),
    bytes_per_stream: Math.round(perStream("bytes")),
    callouts_per_stream: perStream("callouts"),
    memory_pages: row.memory_pages,
    traps: row.traps,
    cpu_percent: rounded((grown("ns") / NS_PER_US / cpuUs) * 100),
  };
}

/** To a hundredth. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
