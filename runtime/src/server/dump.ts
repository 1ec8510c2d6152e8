// What /config_dump shows: everything in force, with the times and versions it came with, and what
// the last LDS response had wrong.
import type {
  AdminConfigDump,
  ConfigDumpItem,
  DumpedEndpoints,
  DumpedSecrets,
  DumpError,
  DynamicDumpItem,
  DynamicListenerItem,
  JsonObject,
  JsonValue,
} from "../admin/admin-delegate.ts";
import type { ConfigNode } from "../config/config-node.ts";
import type { HostConfig } from "../config/snapshot.ts";
import type { LoadedConfig } from "./config-loading.ts";
import type { ConfigUpdates } from "./config-updates.ts";
import type { Held } from "./desired-state.ts";
import type { InForce } from "./discovered.ts";
import { redacted } from "./redact.ts";
import type { RejectedListener } from "./rejected-listeners.ts";

type HeldNode = Held<{ readonly node: ConfigNode; readonly config: { readonly name: string } }>;

/** `config`: the bootstrap, which may be known before anything is in force. */
export function configDump(config: LoadedConfig | null, updates: ConfigUpdates): AdminConfigDump {
  const state = updates.state;
  const json = (config?.loaded.root.toProtoJson() ?? {}) as JsonValue;
  const listeners: readonly HeldNode[] = state?.listeners ?? [];
  const clusters: readonly HeldNode[] = state?.clusters ?? [];
  return {
    bootstrap: {
      config: withNode(redacted(json) as JsonObject),
      lastUpdated: state?.bootstrapUpdated ?? new Date().toISOString(),
    },
    clusters: clusters.filter((held) => !held.isDynamic).map(itemOf),
    listeners: listeners.filter((held) => !held.isDynamic).map(itemOf),
    routes: listeners.map(itemOf).flatMap(({ config: listener, lastUpdated }) =>
      routeTables(listener).map((table): ConfigDumpItem => {
        return { config: table as JsonObject, lastUpdated };
      }),
    ),
    clustersVersion: state?.cdsVersion ?? "",
    listenersVersion: state?.ldsVersion ?? "",
    dynamicClusters: clusters.filter((held) => held.isDynamic).map(itemOf),
    dynamicListeners: dynamicListeners(
      listeners,
      updates.applier?.drainingListeners ?? [],
      updates.rejectedListeners.list,
    ),
    dynamicRoutes: dynamicRoutes(updates),
    secrets: secretsOf(config, updates),
    endpoints: () => endpointsOf(updates),
  };
}

function itemOf({ resource, lastUpdated, versionInfo }: HeldNode): DynamicDumpItem {
  return { config: jsonOf(resource.node), lastUpdated, versionInfo };
}

function jsonOf(node: ConfigNode): JsonObject {
  return redacted(node.toProtoJson() as JsonValue) as JsonObject;
}

/** Those in force, then those that leave or never came. */
function dynamicListeners(
  listeners: readonly HeldNode[],
  leaving: readonly HeldNode[],
  rejected: readonly RejectedListener[],
): DynamicListenerItem[] {
  const active = new Map(dynamicOnly(listeners).map((held) => [nameOf(held), itemOf(held)]));
  const draining = new Map(dynamicOnly(leaving).map((held) => [nameOf(held), itemOf(held)]));
  const errors = new Map(rejected.map((one) => [one.name, errorOf(one)]));
  const names = new Set([...active.keys(), ...draining.keys(), ...errors.keys()]);
  return [...names].map((name) => ({
    name,
    active: active.get(name) ?? null,
    draining: draining.get(name) ?? null,
    error: errors.get(name) ?? null,
  }));
}

function dynamicOnly(listeners: readonly HeldNode[]): HeldNode[] {
  return listeners.filter((held) => held.isDynamic);
}

function nameOf({ resource }: HeldNode): string {
  return resource.config.name;
}

function errorOf({ node, versionInfo, lastUpdateAttempt, details }: RejectedListener): DumpError {
  return { failedConfiguration: jsonOf(node), versionInfo, lastUpdateAttempt, details };
}

function dynamicRoutes(updates: ConfigUpdates): DynamicDumpItem[] {
  return (updates.applier?.rds.inForce() ?? []).map(dynamicItem);
}

/** A response of one resource. */
function dynamicItem({ discovery, lastUpdated }: InForce): DynamicDumpItem {
  const node = discovery.resources[0] as ConfigNode;
  return { config: jsonOf(node), lastUpdated, versionInfo: discovery.versionInfo };
}

function secretsOf(config: LoadedConfig | null, updates: ConfigUpdates): DumpedSecrets {
  const states = updates.applier?.tlsSecrets.sdsStates() ?? [];
  return {
    static: (config?.staticSecrets.nodes ?? []).map(jsonOf),
    active: states.flatMap(({ inForce }) => (inForce === null ? [] : [dynamicItem(inForce)])),
    warming: states.filter(({ inForce }) => inForce === null).map(({ name }) => name),
  };
}

function endpointsOf(updates: ConfigUpdates): DumpedEndpoints {
  const memberships = updates.membership?.current() ?? [];
  const hosts = new Map(memberships.map((one) => [one.cluster, one.hosts]));
  const clusters = updates.state?.clusters ?? [];
  const assignments = (isDynamic: boolean): JsonObject[] =>
    clusters
      .filter((held) => held.isDynamic === isDynamic)
      .map(({ resource: { config } }) =>
        assignmentOf(config.eds?.serviceName ?? config.name, hosts.get(config.name) ?? []),
      );
  return { static: assignments(false), dynamic: assignments(true) };
}

function assignmentOf(name: string, hosts: readonly HostConfig[]): JsonObject {
  const localities = new Map<string, HostConfig[]>();
  for (const host of hosts) {
    const key = JSON.stringify([host.priority, host.region, host.zone, host.subZone]);
    localities.set(key, [...(localities.get(key) ?? []), host]);
  }
  const endpoints = [...localities.values()].map((group) => localityOf(group));
  const policy = { overprovisioning_factor: 140 };
  return { cluster_name: name, ...(endpoints.length === 0 ? {} : { endpoints }), policy };
}

function localityOf(hosts: readonly HostConfig[]): JsonObject {
  const { region, zone, subZone, priority } = hosts[0] as HostConfig;
  return {
    locality: {
      ...(region === "" ? {} : { region }),
      ...(zone === "" ? {} : { zone }),
      ...(subZone === "" ? {} : { sub_zone: subZone }),
    },
    lb_endpoints: hosts.map((host) => ({
      endpoint: {
        address: addressOf(host),
        health_check_config: {},
        ...(host.hostname === "" ? {} : { hostname: host.hostname }),
      },
      health_status: host.health.toUpperCase(),
      load_balancing_weight: host.weight,
    })),
    load_balancing_weight: 0,
    ...(priority === 0 ? {} : { priority }),
  };
}

function addressOf({ address }: HostConfig): JsonObject {
  if (address.kind === "pipe") return { pipe: { path: address.address } };
  return { socket_address: { address: address.address, port_value: address.port } };
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
