// One run of one client against one process: what a request cost it.
import { cpuUsPerRequest } from "./arithmetic.ts";
import { busiestNs, usageOf } from "./processes.ts";
import type { Sample } from "./report.ts";
import type { WrkReport } from "./wrk.ts";

/** A run with more errors than this share of its requests measures something else. */
const ERROR_SHARE_MAX = 0.01;

/** What a client says of the requests it made. */
export type LoadReport = Omit<WrkReport, "seconds">;

/** Throws when it measured nothing, or errors. */
export async function takeSample(pid: number, load: () => Promise<LoadReport>): Promise<Sample> {
  const before = usageOf(pid);
  const report = await load();
  const after = usageOf(pid);
  const cpuUs = cpuUsPerRequest(after.cpuNs - before.cpuNs, report.requests);
  if (cpuUs === undefined) throw new Error("no request was answered");
  if (report.errors > report.requests * ERROR_SHARE_MAX) {
    throw new Error(`${report.errors} errors in ${report.requests} requests: left out`);
  }
  return {
    cpuUs,
    busiestUs: cpuUsPerRequest(busiestNs(before, after), report.requests),
    requestsPerSecond: report.requestsPerSecond,
    p50Us: report.p50Us,
    p99Us: report.p99Us,
    residentBytes: after.residentBytes,
    errors: report.errors,
  };
}
