// envoy.admin.v3.ServerInfo: what this process is and how it was started.
import type { JsonObject } from "../admin/admin-delegate.ts";
import type { NodeConfig } from "../config/snapshot.ts";
import type { ServerOptions } from "./options.ts";
import { logLevelName } from "./log-levels.ts";
import { ENVOY_VERSION, VERSION } from "./version.ts";

export function serverInfo(
  options: ServerOptions,
  state: string,
  uptimeSeconds: number,
  uptimeAllSeconds: number,
  restartEpoch: number,
  node: NodeConfig | null,
): JsonObject {
  return {
    version: `headgate/${VERSION}/Clean/RELEASE/node-${process.versions.node}`,
    state,
    uptime_current_epoch: `${uptimeSeconds}s`,
    uptime_all_epochs: `${uptimeAllSeconds}s`,
    hot_restart_version: "disabled",
    command_line_options: commandLine(options, restartEpoch),
    node: nodeInfo(node),
  };
}

function commandLine(options: ServerOptions, restartEpoch: number): JsonObject {
  const { takeover } = options;
  const levels = [...options.componentLevels].map(([name, l]) => `${name}:${logLevelName(l)}`);
  return {
    base_id: String(takeover.baseId),
    restart_epoch: restartEpoch,
    concurrency: options.concurrency,
    config_path: options.configPath,
    config_yaml: options.configYaml,
    allow_unknown_static_fields: options.allowUnknownStaticFields,
    admin_address_path: options.adminAddressPath,
    log_level: logLevelName(options.logLevel),
    component_log_level: levels.join(","),
    log_format: options.logFormat,
    log_path: options.logPath,
    service_cluster: options.serviceCluster,
    service_node: options.serviceNode,
    service_zone: options.serviceZone,
    file_flush_interval: seconds(options.fileFlushIntervalMs),
    drain_time: seconds(options.drainTimeMs),
    mode: options.mode === "init_only" ? "InitOnly" : "Serve",
    parent_shutdown_time: seconds(takeover.parentShutdownMs),
    disable_hot_restart: takeover.mode === "off",
    socket_path: takeover.socketPath,
    socket_mode: takeover.socketMode,
    drain_strategy: options.drainStrategy === "gradual" ? "Gradual" : "Immediate",
  };
}

function seconds(ms: number): string {
  return `${ms / 1000}s`;
}

function nodeInfo(node: NodeConfig | null): JsonObject {
  const { major, minor, patch } = ENVOY_VERSION;
  return {
    id: node?.id ?? "",
    cluster: node?.cluster ?? "",
    locality: { region: node?.region ?? "", zone: node?.zone ?? "", sub_zone: node?.subZone ?? "" },
    user_agent_name: "headgate",
    user_agent_build_version: {
      version: { major_number: major, minor_number: minor, patch },
      metadata: { "headgate.version": VERSION, "node.version": process.versions.node },
    },
  };
}
