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
  const idleSeconds = keepAlive.uint("keepalive_time", IDLE_SECONDS);
  const intervalSeconds = keepAlive.uint("keepalive_interval", INTERVAL_SECONDS);
  const probes = keepAlive.uint("keepalive_probes", PROBES);
  if (idleSeconds === 0 || intervalSeconds === 0 || probes === 0) return null;
  return { idleSeconds, intervalSeconds, probes };
}
