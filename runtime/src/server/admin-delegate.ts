// What the admin interface asks of the server: its facts in the shapes of Envoy's admin messages.
import { performance } from "node:perf_hooks";
import type {
  AdminAddress,
  AdminCluster,
  AdminConfigDump,
  AdminDelegate,
  AdminHost,
  AdminListener,
  DrainOptions,
  HealthFlag,
  JsonObject,
  ServerStateName,
  WasmAnswer,
  WasmPush,
  WasmTrace,
} from "../admin/admin-delegate.ts";
import type { HostConfig } from "../config/snapshot.ts";
import type { ClusterResource } from "../config/translate/assemble-snapshot.ts";
import type { LogLevel } from "../core/logger.ts";
import type { RuntimeLayer } from "../core/runtime.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";
import { addressText, toSocketAddress } from "../upstream/addresses.ts";
import type { Held } from "./desired-state.ts";
import { costsPage } from "./cost-page.ts";
import { configDump } from "./dump.ts";
import type { Server } from "./server.ts";
import { WORKERS_CPU_STAT } from "./worker-cpu.ts";
import { trapsPage } from "./trap-page.ts";
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
    const { config, firstStartMs, options, restartEpoch, state } = this.#server;
    const allSeconds = Math.floor((Date.now() - firstStartMs) / 1000);
    const node = config?.snapshot.node ?? null;
    return serverInfo(options, state, uptimeSeconds, allSeconds, restartEpoch, node);
  }

  refreshStats(): void {
    this.#server.updateStats();
  }

  clusters(): readonly AdminCluster[] {
    const clusters = this.#server.desired?.clusters ?? [];
    const memberships = this.#server.updates.membership?.current() ?? [];
    const hosts = new Map(memberships.map((m) => [m.cluster, m.hosts]));
    return clusters.map((held) => adminCluster(held, hosts.get(held.resource.config.name) ?? []));
  }

  listeners(): readonly AdminListener[] {
    const listeners = this.#server.desired?.listeners ?? [];
    return listeners.map(({ resource: { config } }) => ({
      name: config.name,
      addresses: this.#server.addresses
        .filter((bound) => bound.listener === config.name)
        .map((bound): AdminAddress => {
          const port = bound.family === "unix" ? null : bound.port;
          return { address: bound.address, port };
        }),
    }));
  }

  certificates(): readonly JsonObject[] {
    return this.#server.certificates(Date.now());
  }

  configDump(): AdminConfigDump {
    return configDump(this.#server.config, this.#server.updates);
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

  runtime(): readonly RuntimeLayer[] {
    return this.#server.runtime.layers;
  }

  modifyRuntime(pairs: readonly (readonly [string, string])[]): string {
    return this.#server.runtime.modify(pairs);
  }

  wasmPlugins(): JsonObject {
    return this.#server.updates.rollouts.page();
  }

  pushWasm(plugin: string, push: WasmPush): Promise<WasmAnswer> {
    return this.#server.updates.rollouts.push(plugin, push);
  }

  promoteWasm(plugin: string, version: string): Promise<WasmAnswer> {
    return this.#server.updates.rollouts.promote(plugin, version);
  }

  rollBackWasm(plugin: string, version: string): Promise<WasmAnswer> {
    return this.#server.updates.rollouts.rollBack(plugin, version);
  }

  wasmShadow(plugin: string): JsonObject | null {
    return this.#server.updates.rollouts.shadowPage(plugin);
  }

  wasmTraces(): readonly WasmTrace[] {
    return this.#server.traces.list();
  }

  traceWasm(plugin: string, every: string, header: string): string {
    return this.#server.traces.switchOn(plugin, every, header);
  }

  untraceWasm(plugin: string): string {
    return this.#server.traces.switchOff(plugin);
  }

  wasmCosts(): JsonObject {
    const plugins = this.#server.updates.applier?.registry.plugins ?? [];
    return costsPage(plugins, this.#server.stats.value(WORKERS_CPU_STAT), performance.now());
  }

  wasmTraps(plugin: string): JsonObject | null {
    const traps = this.#server.traps.of(plugin);
    const known = this.#server.updates.applier?.registry.plugins ?? [];
    if (traps === null && !known.some(({ name }) => name === plugin)) return null;
    return trapsPage(plugin, traps);
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

function adminCluster(
  { resource, isDynamic }: Held<ClusterResource>,
  hosts: readonly HostConfig[],
): AdminCluster {
  const cluster = resource.config;
  const [normal, high] = cluster.circuitBreakers;
  return {
    name: cluster.name,
    observabilityName: cluster.statName === cluster.name ? cluster.name : cluster.statName,
    addedViaApi: isDynamic,
    edsServiceName: cluster.eds?.configuredServiceName ?? "",
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
