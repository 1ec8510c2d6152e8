// Reads upgrade_configs of connection managers and routes.
import type { ConfigNode } from "../config-node.ts";
import type { ConnectConfig, UpgradeConfig } from "../snapshot.ts";
import { guard } from "./guarded-fields.ts";
import type { Translation } from "./translation.ts";

/** Each type once, as Envoy: case does not count. */
export function readUpgrades(t: Translation, node: ConfigNode): UpgradeConfig[] {
  const upgrades: UpgradeConfig[] = [];
  for (const entry of node.nodes("upgrade_configs")) {
    guard(t, entry);
    const name = entry.string("upgrade_type", "");
    const type = name.toLowerCase();
    if (upgrades.some((upgrade) => upgrade.type === type)) {
      const message = `found "${name}" twice, expected each upgrade type once`;
      t.wrong(entry, message, "upgrade_type");
    }
    if (type === "connect-udp") t.unsupported(entry, `upgrade_type ${name}`, "upgrade_type");
    const connect = readConnect(t, entry, name);
    upgrades.push({ type, enabled: entry.bool("enabled", true), connect });
  }
  return upgrades;
}

const OF_ROUTE = "envoy.config.route.v3.RouteAction.UpgradeConfig";

/** Only upgrades of routes have it. */
function readConnect(t: Translation, entry: ConfigNode, name: string): ConnectConfig | null {
  const node = entry.typeName === OF_ROUTE ? entry.node("connect_config") : undefined;
  if (node === undefined) return null;
  const type = name.toLowerCase();
  if (type !== "connect" && type !== "connect-udp") {
    const message = `found upgrade_type "${name}", expected CONNECT with connect_config`;
    t.wrong(entry, message, "connect_config");
  }
  return {
    proxyProtocol: readProxyProtocol(node.node("proxy_protocol_config")),
    allowsPost: node.bool("allow_post", false),
  };
}

function readProxyProtocol(node: ConfigNode | undefined): ConnectConfig["proxyProtocol"] {
  if (node === undefined) return "none";
  const reason = "as in Envoy, a tunnel's header has no TLVs";
  node.accept("pass_through_tlvs", reason);
  node.accept("added_tlvs", reason);
  return node.enum("version") === "V2" ? "v2" : "v1";
}
