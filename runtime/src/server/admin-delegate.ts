// What the admin interface asks of the server: its facts in the shapes of Envoy's admin messages.
import { performance } from "node:perf_hooks";
import type {
  AdminAddress,
  AdminCluster,
  AdminConfigDump,
  AdminDelegate,
  AdminHost,
  AdminListener,
  ConfigDumpItem,
  DrainOptions,
  HealthFlag,
  JsonObject,
  JsonValue,
  ServerStateName,
} from "../admin/admin-delegate.ts";
import type { ClusterConfig, HostConfig } from "../config/snapshot.ts";
import type { LogLevel } from "../core/logger.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";
import { addressText, toSocketAddress } from "../upstream/addresses.ts";
import { redacted } from "./redact.ts";
import type { Server } from "./server.ts";
import { serverInfo } from "./server-info.ts";

export class ServerAdmin implements AdminDelegate {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  get stats(): StatsAggregate {
    return this.#server.stats;
  }

  state(): ServerStateName {
    return this.#server.state;
  }

  serverInfo(): JsonObject {
    const uptimeSeconds = Math.floor((performance.now() - this.#server.startedMs) / 1000);
    const node = this.#server.config?.snapshot.node ?? null;
    return serverInfo(this.#server.options, this.#server.state, uptimeSeconds, node);
  }

  refreshStats(): void {
    this.#server.updateStats();
  }

  clusters(): readonly AdminCluster[] {
    const clusters = this.#server.config?.snapshot.clusters ?? [];
    const memberships = this.#server.membership?.current() ?? [];
    const hosts = new Map(memberships.map((m) => [m.cluster, m.hosts]));
    return clusters.map((cluster) => adminCluster(cluster, hosts.get(cluster.name) ?? []));
  }

  listeners(): readonly AdminListener[] {
    const listeners = this.#server.config?.snapshot.listeners ?? [];
    return listeners.map((listener) => ({
      name: listener.name,
      addresses: this.#server.addresses
        .filter((bound) => bound.listener === listener.name)
        .map((bound): AdminAddress => {
          const port = bound.family === "unix" ? null : bound.port;
          return { address: bound.address, port };
        }),
    }));
  }

  configDump(): AdminConfigDump {
    const json = this.#server.config?.loaded.root.toProtoJson() ?? {};
    const bootstrap = redacted(json as JsonValue) as JsonObject;
    const { lastUpdated } = this.#server;
    const item = (config: JsonValue): ConfigDumpItem => {
      return { config: config as JsonObject, lastUpdated };
    };
    const resources = (bootstrap["static_resources"] ?? {}) as JsonObject;
    const listeners = (resources["listeners"] ?? []) as readonly JsonValue[];
    return {
      bootstrap: item(withNode(bootstrap)),
      clusters: ((resources["clusters"] ?? []) as readonly JsonValue[]).map(item),
      listeners: listeners.map(item),
      routes: routeTables(listeners).map(item),
    };
  }

  logLevels(): readonly (readonly [string, LogLevel])[] {
    return this.#server.log.levels();
  }

  setLogLevel(component: string | null, level: LogLevel): void {
    this.#server.setLogLevel(component, level);
  }

  drainListeners(options: DrainOptions): void {
    this.#server.drainListeners(options);
  }

  setHealthcheckFail(isFailing: boolean): void {
    this.#server.setHealthcheckFailed(isFailing);
  }

  resetCounters(): void {
    this.#server.stats.resetCounters();
  }

  reopenLogs(): void {
    this.#server.reopenLogs();
  }

  quit(): void {
    this.#server.requestQuit();
  }
}

function adminCluster(cluster: ClusterConfig, hosts: readonly HostConfig[]): AdminCluster {
  const [normal, high] = cluster.circuitBreakers;
  return {
    name: cluster.name,
    observabilityName: cluster.statName === cluster.name ? cluster.name : cluster.statName,
    addedViaApi: false,
    edsServiceName: "",
    circuitBreakers: { default: normal, high },
    hosts: hosts.map(adminHost).filter((host) => host !== null),
  };
}

/** Null for a host whose address is no address (a name without an answer). */
function adminHost(host: HostConfig): AdminHost | null {
  const socket = toSocketAddress(host.address);
  if (socket === null) return null;
  return {
    address: socket.address,
    port: socket.family === "unix" ? null : socket.port,
    addressText: addressText(socket),
    hostname: host.hostname,
    healthFlags: healthFlags(host.health),
    weight: host.weight,
    region: host.region,
    zone: host.zone,
    subZone: host.subZone,
    canary: false,
    priority: host.priority,
  };
}

function healthFlags(health: HostConfig["health"]): readonly HealthFlag[] {
  switch (health) {
    case "healthy":
      return [];
    case "degraded":
      return ["degraded_eds_health"];
    case "draining":
      return ["failed_eds_health", "eds_status_draining"];
    default:
      return ["failed_eds_health"];
  }
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
