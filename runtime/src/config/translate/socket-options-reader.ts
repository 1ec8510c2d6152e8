// Reads core.v3.SocketOption of listeners: the few that Node can set, and why not the others.
import type { ConfigNode } from "../config-node.ts";
import type { TcpKeepAliveConfig } from "../snapshot.ts";
import { keepAliveOf } from "./keep-alive-reader.ts";
import type { Translation } from "./translation.ts";

/** Numbers of Linux: level and name. */
const KEEPALIVE = "1/9";
const KEEP_IDLE = "6/4";
const KEEP_INTERVAL = "6/5";
const KEEP_PROBES = "6/6";

/** What is so anyway, or has another field. */
const settled: Readonly<Record<string, string>> = {
  "1/2": "SO_REUSEADDR is set on every listener",
  "1/15": "SO_REUSEPORT: enable_reuse_port says it",
  "6/1": "TCP_NODELAY is set on every connection",
};

/** What only tunes: --ignore-unsupported goes on without it. */
const tuning: Readonly<Record<string, string>> = {
  "0/1": "IP_TOS",
  "1/7": "SO_SNDBUF",
  "1/8": "SO_RCVBUF",
  "1/12": "SO_PRIORITY",
  "1/13": "SO_LINGER",
  "1/46": "SO_BUSY_POLL",
  "1/49": "SO_INCOMING_CPU",
  "6/2": "TCP_MAXSEG",
  "6/9": "TCP_DEFER_ACCEPT",
  "6/12": "TCP_QUICKACK",
  "6/13": "TCP_CONGESTION",
  "6/18": "TCP_USER_TIMEOUT",
  "6/23": "TCP_FASTOPEN",
  "41/67": "IPV6_TCLASS",
};

/** What decides who can connect, or where to. */
const deciding: Readonly<Record<string, string>> = {
  "0/15": "IP_FREEBIND",
  "0/19": "IP_TRANSPARENT",
  "1/25": "SO_BINDTODEVICE",
  "1/36": "SO_MARK",
  "41/26": "IPV6_V6ONLY",
  "41/75": "IPV6_TRANSPARENT",
};

/**
 * The keep-alive of a socket's connections: what the options say of it, over `usual`. Accepted
 * connections have the options of the socket that they came through.
 */
export function readSocketOptions(
  t: Translation,
  nodes: readonly ConfigNode[],
  usual: TcpKeepAliveConfig | null,
): TcpKeepAliveConfig | null {
  const values = new Map<string, number>();
  for (const node of nodes) {
    const key = readOption(t, node);
    if (key !== "") values.set(key, Number(node.bigint("int_value") ?? 0n));
  }
  if (values.size === 0) return usual;
  const isOn = values.get(KEEPALIVE);
  if (isOn === 0 || (isOn === undefined && usual === null)) return null;
  return keepAliveOf(
    values.get(KEEP_IDLE) ?? usual?.idleSeconds,
    values.get(KEEP_INTERVAL) ?? usual?.intervalSeconds,
    values.get(KEEP_PROBES) ?? usual?.probes,
  );
}

/** The key of an option of keep-alive; "" and perhaps a problem for all others. */
function readOption(t: Translation, node: ConfigNode): string {
  node.accept("description", "only a label");
  node.accept("state", "Node sets options when a connection is there");
  const key = `${node.bigint("level") ?? 0n}/${node.bigint("name") ?? 0n}`;
  const type = node.node("type");
  type?.acceptRest("says which sockets");
  const isForDatagrams = type?.has("datagram") === true && !type.has("stream");
  if (isForDatagrams || settled[key] !== undefined) {
    node.acceptRest(settled[key] ?? "only for datagrams");
    return "";
  }
  if ([KEEPALIVE, KEEP_IDLE, KEEP_INTERVAL, KEEP_PROBES].includes(key)) {
    if (!node.hasEffect("ip_version")) return key;
    t.unsupported(node, "an option for one version of IP", "ip_version");
    node.acceptRest("reported as a whole");
    return "";
  }
  node.acceptRest("reported as a whole");
  const name = tuning[key] ?? deciding[key] ?? `with level and name ${key}`;
  const what = `the socket option ${name} (Node cannot set it)`;
  if (tuning[key] !== undefined) t.unsupported(node, what, "name");
  else t.guarded(node, what, "the socket would take, or reach, whom it should not", "name");
  return "";
}
