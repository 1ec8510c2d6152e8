// What the log says when a server has started: engine, addresses, and what the operator should know
// of them. Called by server.ts.
import { readFileSync } from "node:fs";
import type { ListenerConfig } from "../config/snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { isSubstitute } from "./network-wish.ts";
import type { ListenerAddress } from "./protocol.ts";
import { whyNotShared } from "./shared-sockets.ts";

export interface StartReport {
  readonly logger: Logger;
  readonly engine: string;
  readonly canReusePort: boolean;
  readonly listeners: readonly ListenerConfig[];
  readonly addresses: readonly ListenerAddress[];
  readonly workers: number;
  /** How long the start took, in milliseconds. */
  readonly ms: number;
}

export function reportStart(report: StartReport): void {
  const { logger, workers } = report;
  const tell = (message: string): void => logger.log(LogLevel.Info, message);
  const level = isSubstitute(report.engine) ? LogLevel.Warning : LogLevel.Info;
  logger.log(level, `network engine: ${report.engine}`);
  for (const listener of report.listeners) {
    const bound = report.addresses.filter((address) => address.listener === listener.name);
    const texts = bound.map(addressText).join(", ");
    tell(`listener ${listener.name}: ${texts === "" ? "not bound" : texts}`);
    const reason = whyNotShared(listener, report.canReusePort);
    if (workers > 1 && texts !== "" && reason !== "") {
      tell(`listener ${listener.name}: one worker accepts, since ${reason}`);
    }
  }
  if (workers > 1) tellMigration(tell);
  tell(`all dependencies initialized in ${Math.round(report.ms)} ms; ${workers} workers`);
}

/** A dead worker's accept queue is the kernel's to give to another worker. */
function tellMigration(tell: (message: string) => void): void {
  const name = "net.ipv4.tcp_migrate_req";
  let value: string;
  try {
    value = readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8").trim();
  } catch {
    return;
  }
  const lost = "a worker that ends loses the connections in its accept queue";
  tell(value === "1" ? `${name}=1` : `${name}=${value}: ${lost}`);
}

function addressText({ address, port, family }: ListenerAddress): string {
  if (family === "unix") return address;
  return family === "ipv6" ? `[${address}]:${port}` : `${address}:${port}`;
}
