// The bootstrap's `watchdogs`: when a thread that does not come back counts as stuck. Called by
// translate-bootstrap.ts.
import type { ConfigNode } from "../config-node.ts";

/** Times in milliseconds; 0 = never. Source: config.bootstrap.v3.Watchdog. */
export interface WatchdogConfig {
  /** Default 200. */
  readonly missMs: number;
  /** Default 1000. */
  readonly megaMissMs: number;
  /** Default 0. */
  readonly killMs: number;
  /** Up to this much is added to `killMs`. Default 0. */
  readonly killJitterMs: number;
  /** When `multiKillPercent` of the threads, and at least two, are stuck as long. Default 0. */
  readonly multiKillMs: number;
  /** Default 0. */
  readonly multiKillPercent: number;
}

export interface WatchdogsConfig {
  readonly main: WatchdogConfig;
  readonly worker: WatchdogConfig;
}

/** The deprecated `watchdog` is for all threads, unless `watchdogs` is there. */
export function readWatchdogs(root: ConfigNode): WatchdogsConfig {
  const both = readWatchdog(root.node("watchdog"));
  const node = root.node("watchdogs");
  if (node === undefined) return { main: both, worker: both };
  return {
    main: readWatchdog(node.node("main_thread_watchdog")),
    worker: readWatchdog(node.node("worker_watchdog")),
  };
}

function readWatchdog(node: ConfigNode | undefined): WatchdogConfig {
  node?.accept("actions", "what happens to a stuck thread is Headgate's own");
  return {
    missMs: node?.durationMs("miss_timeout", 200) ?? 200,
    megaMissMs: node?.durationMs("megamiss_timeout", 1000) ?? 1000,
    killMs: node?.durationMs("kill_timeout", 0) ?? 0,
    killJitterMs: node?.durationMs("max_kill_timeout_jitter", 0) ?? 0,
    multiKillMs: node?.durationMs("multikill_timeout", 0) ?? 0,
    multiKillPercent: node?.node("multikill_threshold")?.double("value", 0) ?? 0,
  };
}
