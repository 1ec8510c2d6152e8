// Reads Admin: where the admin interface listens, and where it logs.
import type { ConfigNode } from "../config-node.ts";
import type { AddressConfig } from "../snapshot.ts";
import { readLogPath } from "./access-log-reader.ts";
import { readAddress } from "./address-reader.ts";
import { guard } from "./guarded-fields.ts";
import type { Translation } from "./translation.ts";

const FILE = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
const STREAMS: Readonly<Record<string, string>> = {
  "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": "/dev/stdout",
  "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": "/dev/stderr",
};

export interface AdminConfig {
  readonly address: AddressConfig;
  /** Paths of the admin interface's access logs (Envoy's default format). */
  readonly accessLogPaths: readonly string[];
}

/** Null when there is no admin interface: also Envoy has none without an address. */
export function readAdmin(t: Translation, root: ConfigNode): AdminConfig | null {
  const node = root.node("admin");
  if (node === undefined) return null;
  guard(t, node);
  node.accept("profile_path", "profiles are not written");
  node.accept("ignore_global_conn_limit", "there is no global limit");
  const paths = [readLogPath(t, node, "access_log_path")];
  for (const log of node.nodes("access_log")) paths.push(readAdminLog(t, log));
  const addressNode = node.node("address");
  const address = addressNode === undefined ? null : readAddress(t, addressNode, "ip");
  const accessLogPaths = paths.filter((path) => path !== "" && path !== "/dev/null");
  return address === null ? null : { address, accessLogPaths };
}

/** A logger without a filter or a format of its own: those stay unread and are reported by name. */
function readAdminLog(t: Translation, log: ConfigNode): string {
  log.accept("name", "only a label");
  const typed = log.any("typed_config");
  if (typed === undefined) {
    t.missing(log, "typed_config");
    return "";
  }
  if (typed.typeName === FILE) return readLogPath(t, typed, "path");
  const stream = STREAMS[typed.typeName];
  if (stream !== undefined) return stream;
  typed.acceptRest("reported as a whole");
  const what = `the access logger ${typed.typeName} of the admin interface`;
  t.unsupported(log, what, "typed_config");
  return "";
}
