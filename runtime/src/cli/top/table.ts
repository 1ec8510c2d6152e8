// The table of `headgate top`. Used by index.ts.
import type { Rates } from "./rates.ts";

interface Column {
  readonly title: string;
  readonly text: (rates: Rates) => string;
  /** Texts stand at the left, numbers at the right. */
  readonly isText?: boolean;
}

/** Longer names are cut. */
const NAME_CHARS = 32;

const columns: readonly Column[] = [
  { title: "PLUGIN", text: ({ plugin }) => plugin.slice(0, NAME_CHARS), isText: true },
  { title: "VERSION", text: ({ version, state }) => `${version}${markOf(state)}`, isText: true },
  { title: "CPU%", text: ({ cpu_percent }) => cpu_percent.toFixed(1) },
  { title: "STREAMS/S", text: ({ streams_per_s }) => short(streams_per_s) },
  { title: "NS/STREAM", text: ({ ns_per_stream }) => short(ns_per_stream) },
  { title: "FUEL/STREAM", text: ({ fuel_per_stream }) => short(fuel_per_stream) },
  { title: "HOSTCALLS", text: ({ hostcalls_per_stream }) => short(hostcalls_per_stream) },
  { title: "BYTES", text: ({ bytes_per_stream }) => short(bytes_per_stream) },
  { title: "CALLOUTS", text: ({ callouts_per_stream }) => short(callouts_per_stream) },
  { title: "PAGES", text: ({ memory_pages }) => short(memory_pages) },
  { title: "TRAPS", text: ({ traps }) => short(traps) },
];

/** Lines without line feeds, at most so many. */
export function tableLines(rates: readonly Rates[], linesMax: number): string[] {
  const rows = rates.map((one) => columns.map(({ text }) => text(one)));
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) =>
        columns[at]?.isText === true
          ? cell.padEnd(widths[at] ?? 0)
          : cell.padStart(widths[at] ?? 0),
      )
      .join("  ")
      .trimEnd();
  const lines = [line(columns.map(({ title }) => title)), ...rows.map(line)];
  if (lines.length <= linesMax) return lines;
  const shown = Math.max(1, linesMax - 1);
  return [...lines.slice(0, shown), `... and ${lines.length - shown} more`];
}

/** The version that serves has none. */
function markOf(state: string): string {
  return state === "primary" ? "" : ` ${state}`;
}

/** 1234567 as 1.23M. */
function short(value: number): string {
  for (const [unit, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e4, "k"],
  ] as const) {
    if (value >= unit) {
      const scaled = value / (letter === "k" ? 1000 : unit);
      return `${scaled.toFixed(scaled < 10 ? 2 : 1)}${letter}`;
    }
  }
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
