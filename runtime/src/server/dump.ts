// What /config_dump shows: everything in force, with the times and versions it came with.
import type {
  AdminConfigDump,
  ConfigDumpItem,
  JsonObject,
  JsonValue,
} from "../admin/admin-delegate.ts";
import type { ConfigNode } from "../config/config-node.ts";
import type { LoadedConfig } from "./config-loading.ts";
import type { DesiredState, Held } from "./desired-state.ts";
import { redacted } from "./redact.ts";

/** `state` is null until the start is complete; the bootstrap may be known before. */
export function configDump(
  config: LoadedConfig | null,
  state: DesiredState | null,
): AdminConfigDump {
  const json = (config?.loaded.root.toProtoJson() ?? {}) as JsonValue;
  const listeners = (state?.listeners ?? []).map(itemOf);
  return {
    bootstrap: {
      config: withNode(redacted(json) as JsonObject),
      lastUpdated: state?.bootstrapUpdated ?? new Date().toISOString(),
    },
    clusters: (state?.clusters ?? []).map(itemOf),
    listeners,
    routes: listeners.flatMap((item) =>
      routeTables(item.config).map((table) => ({ ...item, config: table as JsonObject })),
    ),
  };
}

function itemOf({ resource, lastUpdated }: Held<{ readonly node: ConfigNode }>): ConfigDumpItem {
  const config = redacted(resource.node.toProtoJson() as JsonValue) as JsonObject;
  return { config, lastUpdated };
}

/** As Envoy, the dump always has a node that says who speaks. */
function withNode(bootstrap: JsonObject): JsonObject {
  const node = (bootstrap["node"] ?? {}) as JsonObject;
  return { ...bootstrap, node: { ...node, user_agent_name: "headgate" } };
}

/** The inline route tables of all connection managers, in the order of the listeners. */
function routeTables(value: JsonValue): JsonValue[] {
  if (Array.isArray(value)) return value.flatMap(routeTables);
  if (typeof value !== "object" || value === null) return [];
  const tables: JsonValue[] = [];
  for (const [key, inner] of Object.entries(value as JsonObject)) {
    if (key === "route_config") tables.push(inner);
    else tables.push(...routeTables(inner));
  }
  return tables;
}
