// Runs wrk and reads its report.
import { spawnOwned } from "./processes.ts";

/** What one run of wrk said. */
export interface WrkReport {
  readonly requests: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  /** Latency in microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Connect, read, write errors, time-outs, and statuses other than 2xx and 3xx. */
  readonly errors: number;
}

const UNIT_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 60e6,
  h: 3_600e6,
};

/** `1.25ms` as microseconds; throws on another form. */
export function parseDurationUs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h)$/.exec(text.trim());
  const unit = UNIT_US[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw new Error(`wrk: not a duration: ${text}`);
  return Number(match[1]) * unit;
}

function percentile(output: string, percent: number): number {
  const match = new RegExp(`^\\s+${percent}%\\s+(\\S+)$`, "m").exec(output);
  return parseDurationUs(match?.[1] ?? "");
}

/** Reads the report of `wrk --latency`; throws when a line is missing. */
export function parseWrk(output: string): WrkReport {
  const total = /^\s+(\d+) requests in (\S+), \S+ read$/m.exec(output);
  const rate = /^Requests\/sec:\s+(\d+(?:\.\d+)?)$/m.exec(output);
  if (total === null || rate === null) throw new Error(`wrk: no report in:\n${output}`);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(
    output,
  );
  const status = /Non-2xx or 3xx responses: (\d+)/.exec(output);
  const errors = [...(socket?.slice(1) ?? []), status?.[1] ?? "0"].map(Number);
  return {
    requests: Number(total[1]),
    seconds: parseDurationUs(total[2] ?? "") / 1e6,
    requestsPerSecond: Number(rate[1]),
    p50Us: percentile(output, 50),
    p99Us: percentile(output, 99),
    errors: errors.reduce((sum, one) => sum + one, 0),
  };
}

/**
 * One run. Ends by itself, or is told to when it shall not take whole seconds; is killed when it takes
 * 10 s more than it should.
 */
export function runWrk(
  command: readonly string[],
  url: string,
  connections: number,
  seconds: number,
  headers: readonly string[] = [],
): Promise<WrkReport> {
  const isWhole = Number.isInteger(seconds);
  const duration = isWhole ? seconds : Math.ceil(seconds) + 5;
  const counts = ["-t", "1", "-c", String(connections), "-d", `${duration}s`];
  const agent = "User-Agent: wrk/headgate-bench";
  const lines = [agent, ...headers].flatMap((line) => ["-H", line]);
  const child = spawnOwned([...command, ...counts, "--latency", ...lines, url]);
  const timer = setTimeout(() => child.kill("SIGKILL"), (seconds + 10) * 1000);
  const end = isWhole ? undefined : setTimeout(() => child.kill("SIGINT"), seconds * 1000);
  let output = "";
  child.stdout.on("data", (part: Buffer) => {
    output += part.toString("latin1");
  });
  child.stderr.on("data", (part: Buffer) => {
    output += part.toString("latin1");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      clearTimeout(end);
      try {
        if (code !== 0) throw new Error(`wrk ended with ${code}:\n${output}`);
        resolve(parseWrk(output));
      } catch (error) {
        reject(error);
      }
    });
  });
}
