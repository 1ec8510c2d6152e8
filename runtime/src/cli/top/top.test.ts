import { expect, test } from "vitest";
import { type CostPage, type CostRow, type Rates, ratesBetween } from "./rates.ts";
import { tableLines } from "./table.ts";

function row(plugin: string, streams: number, fields: Partial<CostRow> = {}): CostRow {
  const zero = { traps: 0, memory_pages: 2, fuel: 0, ns: 0, hostcalls: 0, bytes: 0, callouts: 0 };
  return { plugin, version: "0123456789ab", state: "primary", streams, ...zero, ...fields };
}

function page(ms: number, cpuUs: number, ...plugins: readonly CostRow[]): CostPage {
  return { monotonic_ms: ms, workers_cpu_us: cpuUs, plugins };
}

test("rates are what has grown between two looks, the dearest first", () => {
  const before = page(1000, 5000, row("cheap", 10), row("dear", 10, { ns: 100, fuel: 50 }));
  const now = page(
    3000,
    25_000,
    row("cheap", 20, { ns: 1000 }),
    row("dear", 20, {
      ns: 5_000_100,
      fuel: 10_050,
      hostcalls: 25,
      bytes: 1004,
      callouts: 1,
      traps: 3,
    }),
  );
  const [first, second] = ratesBetween(before, now);
  expect(first).toEqual({
    plugin: "dear",
    version: "0123456789ab",
    state: "primary",
    streams_per_s: 5,
    ns_per_stream: 500_000,
    fuel_per_stream: 1000,
    hostcalls_per_stream: 2.5,
    bytes_per_stream: 100,
    callouts_per_stream: 0.1,
    memory_pages: 2,
    traps: 3,
    cpu_percent: 25,
  });
  expect([second?.plugin, second?.ns_per_stream, second?.cpu_percent]).toEqual([
    "cheap",
    100,
    0.01,
  ]);
});

test("a plugin that is new, one without streams, and a process that began anew", () => {
  const before = page(1000, 1000, row("idle", 10, { ns: 5 }));
  const later = page(2000, 2000, row("idle", 10, { ns: 5 }), row("new", 4, { fuel: 8 }));
  expect(
    ratesBetween(before, later).map(({ plugin, streams_per_s, fuel_per_stream }) => [
      plugin,
      streams_per_s,
      fuel_per_stream,
    ]),
  ).toEqual([
    ["new", 4, 2],
    ["idle", 0, 0],
  ]);
  const anew = ratesBetween(later, page(500, 100, row("idle", 5, { ns: 50_000 })));
  expect(anew).toMatchObject([{ streams_per_s: 10, ns_per_stream: 10_000, cpu_percent: 50 }]);
});

test("the table has a line for each version, as many as there is room for", () => {
  const rates = ratesBetween(
    page(0, 0),
    page(
      1000,
      1_000_000,
      row("auth", 1_234_567, { ns: 123_456_700, fuel: 1_234_567 * 98_765, traps: 7 }),
      row("waf", 2, { state: "previous", hostcalls: 3 }),
    ),
  );
  expect(tableLines(rates, 10)).toEqual([
    "PLUGIN  VERSION                CPU%  STREAMS/S  NS/STREAM  FUEL/STREAM  HOSTCALLS  BYTES  CALLOUTS  PAGES  TRAPS",
    "auth    0123456789ab           12.3      1.23M        100        98.8k          0      0         0      2      7",
    "waf     0123456789ab previous   0.0          2          0            0        1.5      0         0      2      0",
  ]);
  const many: Rates[] = Array.from({ length: 50 }, () => rates[0] as Rates);
  const lines = tableLines(many, 10);
  expect([lines.length, lines.at(-1)]).toEqual([10, "... and 42 more"]);
});
