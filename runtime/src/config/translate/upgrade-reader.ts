// Reads upgrade_configs of connection managers and routes.
import type { ConfigNode } from "../config-node.ts";
import type { UpgradeConfig } from "../snapshot.ts";
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
    upgrades.push({ type, enabled: entry.bool("enabled", true) });
  }
  return upgrades;
}
