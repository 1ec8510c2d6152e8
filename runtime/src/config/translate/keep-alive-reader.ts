// Reads core.v3.TcpKeepalive of listeners and clusters.
import type { ConfigNode } from "../config-node.ts";
import type { TcpKeepAliveConfig } from "../snapshot.ts";

/** What Linux does when nothing else is said. */
const IDLE_SECONDS = 7200;
const INTERVAL_SECONDS = 75;
const PROBES = 9;

/** Null when it is not set, and, as in Envoy, when a number of it is 0. */
export function readKeepAlive(node: ConfigNode | undefined): TcpKeepAliveConfig | null {
  const keepAlive = node?.node("tcp_keepalive");
  if (keepAlive === undefined) return null;
  return keepAliveOf(
    keepAlive.uint("keepalive_time"),
    keepAlive.uint("keepalive_interval"),
    keepAlive.uint("keepalive_probes"),
  );
}

/** What is not said is Linux's own; null when a number is 0. */
export function keepAliveOf(
  idleSeconds: number = IDLE_SECONDS,
  intervalSeconds: number = INTERVAL_SECONDS,
  probes: number = PROBES,
): TcpKeepAliveConfig | null {
  if (idleSeconds === 0 || intervalSeconds === 0 || probes === 0) return null;
  return { idleSeconds, intervalSeconds, probes };
}
