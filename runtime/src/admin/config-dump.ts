// /config_dump with its parameters resource, mask and name_regex.
import { Regex } from "../core/regex.ts";
import type {
  AdminConfigDump,
  AdminDelegate,
  ConfigDumpItem,
  DumpError,
  DynamicDumpItem,
  DynamicListenerItem,
  JsonObject,
  JsonValue,
} from "./admin-delegate.ts";
import { jsonResponse, parameter } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";

const ADMIN = "type.googleapis.com/envoy.admin.v3.";
const CONFIG = "type.googleapis.com/envoy.config.";
const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/** The dumps' repeated fields, by the message that has them, with the type of their elements. */
const repeatedFields: Readonly<Record<string, string>> = {
  static_endpoint_configs: "EndpointsConfigDump.StaticEndpointConfig",
  dynamic_endpoint_configs: "EndpointsConfigDump.DynamicEndpointConfig",
  static_clusters: "ClustersConfigDump.StaticCluster",
  dynamic_active_clusters: "ClustersConfigDump.DynamicCluster",
  dynamic_warming_clusters: "ClustersConfigDump.DynamicCluster",
  static_listeners: "ListenersConfigDump.StaticListener",
  dynamic_listeners: "ListenersConfigDump.DynamicListener",
  inline_scoped_route_configs: "ScopedRoutesConfigDump.InlineScopedRouteConfigs",
  dynamic_scoped_route_configs: "ScopedRoutesConfigDump.DynamicScopedRouteConfigs",
  static_route_configs: "RoutesConfigDump.StaticRouteConfig",
  dynamic_route_configs: "RoutesConfigDump.DynamicRouteConfig",
  static_secrets: "SecretsConfigDump.StaticSecret",
  dynamic_active_secrets: "SecretsConfigDump.DynamicSecret",
  dynamic_warming_secrets: "SecretsConfigDump.DynamicSecret",
};
const singleFields: readonly string[] = ["bootstrap", "version_info", "last_updated"];

/** Fields that hold the configured thing with its name. */
const namedFields: readonly string[] = ["cluster", "listener", "route_config"];

export function configDump(request: AdminRequest, delegate: AdminDelegate): AdminResponse {
  const regexSource = parameter(request, "name_regex") ?? "";
  const regex = regexSource === "" ? null : Regex.tryCompile(regexSource);
  if (typeof regex === "string") {
    const what = `Error while parsing name_regex from ${regexSource}: ${regex}`;
    return plain(`INVALID_ARGUMENT: ${what}`, 400);
  }
  const includesEds = parameter(request, "include_eds") !== undefined;
  const dumps = dumpsOf(delegate.configDump(), regex, includesEds);
  const resource = parameter(request, "resource") ?? "";
  const mask = parameter(request, "mask") ?? "";
  if (resource !== "") return resourceDump(dumps, resource, mask);
  return mask === "" ? jsonResponse({ configs: dumps }) : maskedDump(dumps, mask);
}

/** The six dumps, in Envoy's order; seven with the endpoints. */
function dumpsOf(dump: AdminConfigDump, regex: Regex | null, includesEds: boolean): JsonObject[] {
  const isWanted = (name: string): boolean => regex === null || regex.matches(name);
  const items = (list: readonly ConfigDumpItem[], field: string, type: string): JsonObject[] =>
    list
      .filter(({ config }) => isWanted(nameOf(config)))
      .map((item) => itemJson(item, field, type));
  const { bootstrap } = dump;
  const clusters = items(dump.clusters, "cluster", "cluster.v3.Cluster");
  const listeners = items(dump.listeners, "listener", "listener.v3.Listener");
  const routes = items(dump.routes, "route_config", "route.v3.RouteConfiguration");
  return [
    {
      "@type": `${ADMIN}BootstrapConfigDump`,
      bootstrap: bootstrap.config,
      last_updated: bootstrap.lastUpdated,
    },
    dumpOf("ClustersConfigDump", dump.clustersVersion, {
      static_clusters: clusters,
      dynamic_active_clusters: items(dump.dynamicClusters, "cluster", "cluster.v3.Cluster"),
    }),
    ...(includesEds ? [endpointsDump(dump, isWanted)] : []),
    dumpOf("ListenersConfigDump", dump.listenersVersion, {
      static_listeners: listeners,
      dynamic_listeners: dump.dynamicListeners
        .filter(({ name }) => isWanted(name))
        .map(dynamicListenerJson),
    }),
    { "@type": `${ADMIN}ScopedRoutesConfigDump` },
    dumpOf("RoutesConfigDump", "", {
      static_route_configs: routes,
      dynamic_route_configs: items(
        dump.dynamicRoutes,
        "route_config",
        "route.v3.RouteConfiguration",
      ),
    }),
    secretsDump(dump, isWanted),
  ];
}

function secretsDump(
  { secrets }: AdminConfigDump,
  isWanted: (name: string) => boolean,
): JsonObject {
  const typed = (config: JsonObject): JsonObject => ({ "@type": SECRET, ...config });
  return dumpOf("SecretsConfigDump", "", {
    static_secrets: secrets.static
      .filter((config) => isWanted(nameOf(config)))
      .map((config) => ({ name: nameOf(config), secret: typed(config) })),
    dynamic_active_secrets: secrets.active
      .filter(({ config }) => isWanted(nameOf(config)))
      .map(({ config, versionInfo, lastUpdated }) => ({
        name: nameOf(config),
        ...(versionInfo === "" ? {} : { version_info: versionInfo }),
        last_updated: lastUpdated,
        secret: typed(config),
      })),
    dynamic_warming_secrets: secrets.warming.filter(isWanted).map((name) => ({
      name,
      version_info: "uninitialized",
      secret: typed({ name }),
    })),
  });
}

function endpointsDump(dump: AdminConfigDump, isWanted: (name: string) => boolean): JsonObject {
  const endpoints = dump.endpoints();
  const items = (list: readonly JsonObject[]): JsonObject[] =>
    list
      .filter((config) => isWanted(nameOf(config)))
      .map((config) => ({
        endpoint_config: { "@type": `${CONFIG}endpoint.v3.ClusterLoadAssignment`, ...config },
      }));
  return dumpOf("EndpointsConfigDump", "", {
    static_endpoint_configs: items(endpoints.static),
    dynamic_endpoint_configs: items(endpoints.dynamic),
  });
}

function dynamicListenerJson(item: DynamicListenerItem): JsonObject {
  const { name, active, draining, error } = item;
  const stateOf = (state: DynamicDumpItem): JsonObject =>
    itemJson(state, "listener", "listener.v3.Listener");
  return {
    name,
    ...(active === null ? {} : { active_state: stateOf(active) }),
    ...(draining === null ? {} : { draining_state: stateOf(draining) }),
    ...(error === null ? {} : { error_state: errorJson(error) }),
  };
}

function errorJson(error: DumpError): JsonObject {
  return {
    failed_configuration: {
      "@type": `${CONFIG}listener.v3.Listener`,
      ...error.failedConfiguration,
    },
    last_update_attempt: error.lastUpdateAttempt,
    details: error.details,
    ...(error.versionInfo === "" ? {} : { version_info: error.versionInfo }),
  };
}

function nameOf(config: JsonObject): string {
  const name = config["name"] ?? config["cluster_name"];
  return typeof name === "string" ? name : "";
}

function itemJson(
  item: ConfigDumpItem & { readonly versionInfo?: string },
  field: string,
  type: string,
): JsonObject {
  const config = { "@type": CONFIG + type, ...item.config };
  const { versionInfo = "", lastUpdated } = item;
  return {
    ...(versionInfo === "" ? {} : { version_info: versionInfo }),
    [field]: config,
    last_updated: lastUpdated,
  };
}

/** Lists without an item are left out, and so is a version that is "". */
function dumpOf(
  type: string,
  version: string,
  lists: Readonly<Record<string, readonly JsonObject[]>>,
): JsonObject {
  const filled = Object.entries(lists).filter(([, items]) => items.length > 0);
  return {
    "@type": ADMIN + type,
    ...(version === "" ? {} : { version_info: version }),
    ...Object.fromEntries(filled),
  };
}

function resourceDump(dumps: readonly JsonObject[], resource: string, mask: string): AdminResponse {
  if (singleFields.includes(resource)) {
    const hint = `Use ?mask=${resource} to get only this field`;
    return plain(`${resource} is not a repeated field. ${hint}`, 400);
  }
  const type = repeatedFields[resource];
  if (type === undefined) return plain(`${resource} not found in config dump`, 404);
  const list = dumps.flatMap((dump) => (dump[resource] ?? []) as readonly JsonObject[]);
  const typed = list.map((item): JsonObject => ({ "@type": ADMIN + type, ...item }));
  if (typed.length === 0) return jsonResponse({});
  if (mask === "") return jsonResponse({ configs: typed });
  const paths = mask.split(",");
  const masked: JsonObject[] = [];
  for (const item of typed) {
    const kept = applyMask(item, paths, [...namedFields, ...singleFields]);
    if (kept === null) {
      const text = paths.map((path) => `paths: "${path}"\n`).join("");
      return plain(`FieldMask ${text} could not be successfully used.`, 400);
    }
    masked.push(kept);
  }
  return jsonResponse({ configs: masked });
}

/** Dumps that a mask does not fit are left out. */
function maskedDump(dumps: readonly JsonObject[], mask: string): AdminResponse {
  const paths = mask.split(",");
  const masked = dumps
    .map((dump) => {
      const known = Object.entries(repeatedFields)
        .filter(([, type]) => dump["@type"] === ADMIN + type.slice(0, type.indexOf(".")))
        .map(([field]) => field);
      const isBootstrap = dump["@type"] === `${ADMIN}BootstrapConfigDump`;
      return applyMask(dump, paths, isBootstrap ? ["bootstrap", "last_updated"] : known);
    })
    .filter((dump) => dump !== null);
  if (masked.length > 0) return jsonResponse({ configs: masked });
  return plain(`FieldMask ${mask} could not be successfully applied to any configs.`, 400);
}

/**
 * Only the fields that `paths` name; null when a path leads nowhere. `known` are the message's
 * fields, which may be absent; below them a path must exist, since no descriptors are at hand here.
 */
function applyMask(
  message: JsonObject,
  paths: readonly string[],
  known: readonly string[],
): JsonObject | null {
  const kept: Record<string, JsonValue> = {};
  if (message["@type"] !== undefined) kept["@type"] = message["@type"];
  for (const path of paths) {
    const segments = path.split(".");
    const value = message[segments[0] ?? ""];
    if (value === undefined && segments.length === 1 && known.includes(path)) continue;
    if (value === undefined || !copyPath(message, kept, segments)) return null;
  }
  return kept;
}

/** Copies one path; lists can be taken whole only. */
function copyPath(
  from: JsonObject,
  to: Record<string, JsonValue>,
  segments: readonly string[],
): boolean {
  const [first = "", ...rest] = segments;
  const value = Object.hasOwn(from, first) ? from[first] : undefined;
  if (value === undefined) return false;
  if (rest.length === 0) {
    to[first] = value;
    return true;
  }
  if (!isObject(value)) return false;
  const existing = to[first];
  const inner: Record<string, JsonValue> =
    existing !== undefined && isObject(existing) ? { ...existing } : {};
  if (value["@type"] !== undefined) inner["@type"] = value["@type"];
  if (!copyPath(value, inner, rest)) return false;
  to[first] = inner;
  return true;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function plain(body: string, status: number): AdminResponse {
  return { status, contentType: "text/plain", body };
}
