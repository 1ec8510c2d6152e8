// /clusters and /listeners, as text and JSON.
import { Regex } from "../core/regex.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";
import type {
  AdminAddress,
  AdminCircuitBreaker,
  AdminCluster,
  AdminDelegate,
  AdminHost,
  HealthFlag,
  JsonObject,
} from "./admin-delegate.ts";
import { jsonResponse, parameter, textResponse } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";

/** A host's counters as Envoy's text lists them, and which of them are gauges in JSON. */
const hostStats = [
  "cx_active",
  "cx_connect_fail",
  "cx_total",
  "rq_active",
  "rq_error",
  "rq_pending_active",
  "rq_success",
  "rq_timeout",
  "rq_total",
] as const;
const hostGauges: readonly string[] = ["cx_active", "rq_active", "rq_pending_active"];

export function clusters(request: AdminRequest, delegate: AdminDelegate): AdminResponse {
  const source = parameter(request, "filter") ?? "";
  const filter = source === "" ? null : Regex.tryCompile(source);
  if (typeof filter === "string") return textResponse("Invalid re2 regex", 400);
  const wanted = delegate.clusters().filter((c) => filter === null || filter.find(c.name));
  if (parameter(request, "format") !== "json") {
    return textResponse(wanted.map((c) => clusterText(c, delegate.stats)).join(""));
  }
  if (wanted.length === 0) return jsonResponse({});
  return jsonResponse({ cluster_statuses: wanted.map((c) => clusterJson(c, delegate.stats)) });
}

export function listeners(request: AdminRequest, delegate: AdminDelegate): AdminResponse {
  const all = delegate.listeners();
  if (parameter(request, "format") !== "json") {
    const lines = all.map(
      ({ name, addresses }) => `${name}::${addresses.map(addressText).join(",")}\n`,
    );
    return textResponse(lines.join(""));
  }
  if (all.length === 0) return jsonResponse({});
  return jsonResponse({
    listener_statuses: all.map(({ name, addresses }) => {
      const [first, ...others] = addresses.map(addressJson);
      return {
        name,
        ...(first === undefined ? {} : { local_address: first }),
        ...(others.length === 0 ? {} : { additional_local_addresses: others }),
      };
    }),
  });
}

function clusterText(cluster: AdminCluster, stats: StatsAggregate): string {
  const lines: [string, string | number | boolean][] = [
    ["observability_name", cluster.observabilityName],
    ...breakerLines("default_priority", cluster.circuitBreakers.default),
    ...breakerLines("high_priority", cluster.circuitBreakers.high),
    ["added_via_api", cluster.addedViaApi],
  ];
  if (cluster.edsServiceName !== "") lines.push(["eds_service_name", cluster.edsServiceName]);
  for (const host of cluster.hosts) {
    for (const [key, value] of hostLines(cluster.name, host, stats)) {
      lines.push([`${host.addressText}::${key}`, value]);
    }
  }
  return lines.map(([key, value]) => `${cluster.name}::${key}::${value}\n`).join("");
}

function breakerLines(priority: string, breaker: AdminCircuitBreaker): [string, number][] {
  return [
    [`${priority}::max_connections`, breaker.maxConnections],
    [`${priority}::max_pending_requests`, breaker.maxPendingRequests],
    [`${priority}::max_requests`, breaker.maxRequests],
    [`${priority}::max_retries`, breaker.maxRetries],
  ];
}

function hostLines(
  cluster: string,
  host: AdminHost,
  stats: StatsAggregate,
): [string, string | number | boolean][] {
  const flags = host.healthFlags.map((flag) => `/${flag}`).join("");
  return [
    ...hostStats.map((name): [string, number] => [name, hostStat(cluster, host, name, stats)]),
    ["hostname", host.hostname],
    ["health_flags", flags === "" ? "healthy" : flags],
    ["weight", host.weight],
    ["region", host.region],
    ["zone", host.zone],
    ["sub_zone", host.subZone],
    ["canary", host.canary],
    ["priority", host.priority],
    ["success_rate", -1],
    ["local_origin_success_rate", -1],
  ];
}

function hostStat(cluster: string, host: AdminHost, name: string, stats: StatsAggregate): number {
  return stats.value(`@host.${cluster}|${host.addressText}|${name}`);
}

function clusterJson(cluster: AdminCluster, stats: StatsAggregate): JsonObject {
  const { default: normal, high } = cluster.circuitBreakers;
  return {
    name: cluster.name,
    ...(cluster.addedViaApi ? { added_via_api: true } : {}),
    ...(cluster.hosts.length === 0
      ? {}
      : { host_statuses: cluster.hosts.map((host) => hostJson(cluster.name, host, stats)) }),
    circuit_breakers: {
      thresholds: [breakerJson(normal), { priority: "HIGH", ...breakerJson(high) }],
    },
    observability_name: cluster.observabilityName,
    ...(cluster.edsServiceName === "" ? {} : { eds_service_name: cluster.edsServiceName }),
  };
}

function breakerJson(breaker: AdminCircuitBreaker): JsonObject {
  return {
    max_connections: breaker.maxConnections,
    max_pending_requests: breaker.maxPendingRequests,
    max_requests: breaker.maxRequests,
    max_retries: breaker.maxRetries,
  };
}

/**
 * Counters first, then gauges; 64-bit numbers are strings in protobuf's JSON, and 0 is left out.
 */
function hostJson(cluster: string, host: AdminHost, stats: StatsAggregate): JsonObject {
  const statOf = (name: string): JsonObject => {
    const value = hostStat(cluster, host, name, stats);
    return {
      ...(hostGauges.includes(name) ? { type: "GAUGE" } : {}),
      name,
      ...(value === 0 ? {} : { value: String(value) }),
    };
  };
  const counters = hostStats.filter((name) => !hostGauges.includes(name));
  return {
    address: addressJson(host),
    stats: [...counters.map(statOf), ...hostGauges.map(statOf)],
    health_status: healthJson(host.healthFlags),
    weight: host.weight,
    ...(host.hostname === "" ? {} : { hostname: host.hostname }),
    locality: {
      ...(host.region === "" ? {} : { region: host.region }),
      ...(host.zone === "" ? {} : { zone: host.zone }),
      ...(host.subZone === "" ? {} : { sub_zone: host.subZone }),
    },
    ...(host.priority === 0 ? {} : { priority: host.priority }),
  };
}

const healthFields: Readonly<Partial<Record<HealthFlag, string>>> = {
  failed_active_hc: "failed_active_health_check",
  failed_outlier_check: "failed_outlier_check",
  degraded_active_hc: "failed_active_degraded_check",
  pending_dynamic_removal: "pending_dynamic_removal",
  pending_active_hc: "pending_active_hc",
  excluded_via_immediate_hc_fail: "excluded_via_immediate_hc_fail",
  active_hc_timeout: "active_hc_timeout",
};

function healthJson(flags: readonly HealthFlag[]): JsonObject {
  const fields: Record<string, boolean | string> = {};
  let eds = "HEALTHY";
  for (const flag of flags) {
    const field = healthFields[flag];
    if (field !== undefined) fields[field] = true;
    else if (flag === "failed_eds_health") eds = "UNHEALTHY";
    else eds = flag === "degraded_eds_health" ? "DEGRADED" : "DRAINING";
  }
  return { ...fields, eds_health_status: eds };
}

function addressText({ address, port }: AdminAddress): string {
  if (port === null) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function addressJson({ address, port }: AdminAddress): JsonObject {
  if (port === null) return { pipe: { path: address } };
  return { socket_address: { address, ...(port === 0 ? {} : { port_value: port }) } };
}
