// Sockets that workers cannot share, and socket files that nobody listens on any more. Called by
// worker-version.ts, server.ts and start-report.ts.
import { lstatSync, rmSync } from "node:fs";
import type { AddressConfig, ListenerConfig } from "../config/snapshot.ts";

/** Why one worker accepts for all of a listener's addresses; "" when every worker does. */
export function whyNotShared(config: ListenerConfig, canReusePort: boolean): string {
  if (addressesOf(config).some(({ kind }) => kind === "pipe")) {
    return "unix sockets cannot be shared";
  }
  if (!config.reusePort) return "enable_reuse_port is false";
  return canReusePort ? "" : "this system has no SO_REUSEPORT";
}

/** A socket file that another process left behind; what is no socket stays, and bind() fails. */
export function removeStaleSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) rmSync(path);
  } catch {
    // Nothing is there, or bind() will say what is wrong.
  }
}

function addressesOf(config: ListenerConfig): AddressConfig[] {
  return [config.address, ...config.additionalAddresses];
}
