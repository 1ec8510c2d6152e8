// The configuration of the proxy that `headgate filter run` starts for a project without an
// envoy.yaml: one listener, the filter, one upstream.
import type { ModuleProfile } from "../../module/module-profile.ts";

/** Where requests or connections go. */
export interface UpstreamAddress {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

export interface RunPlan {
  readonly plugin: string;
  /** Path of the module that is served at first. */
  readonly module: string;
  readonly isNetwork: boolean;
  /** For proxy_on_configure; "" = nothing. */
  readonly configuration: string;
  readonly port: number;
  readonly upstream: UpstreamAddress;
  /** A real upstream is told its own name; the echo tells the client's. */
  readonly rewritesHost: boolean;
}

const TYPE = "type.googleapis.com/envoy.extensions";

export function runBootstrap(plan: RunPlan): object {
  const chain = plan.isNetwork ? networkFilters(plan) : [connectionManager(plan)];
  return {
    admin: { address: socketAddress("127.0.0.1", 0) },
    static_resources: {
      listeners: [
        {
          name: "main",
          address: socketAddress("127.0.0.1", plan.port),
          filter_chains: [{ filters: chain }],
        },
      ],
      clusters: [clusterTo("upstream", plan.upstream)],
    },
  };
}

/** It has callbacks of connections, and none of requests. */
export function isNetworkFilter(profile: ModuleProfile): boolean {
  const has = (pattern: RegExp): boolean => profile.hooks.some(({ name }) => pattern.test(name));
  return !has(/_(request|response)_/) && has(/_(new_connection|downstream_|upstream_)/);
}

export function socketAddress(host: string, port: number): object {
  return { socket_address: { address: host, port_value: port } };
}

/** A plugin's configuration that is text. */
export function textConfiguration(text: string): object {
  return { "@type": "type.googleapis.com/google.protobuf.StringValue", value: text };
}

/** A line on the terminal for each request. */
export function accessLog(): object {
  const inline_string = "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %DURATION% ms\n";
  return {
    name: "stdout",
    typed_config: {
      "@type": `${TYPE}.access_loggers.stream.v3.StdoutAccessLog`,
      log_format: { text_format_source: { inline_string } },
    },
  };
}

export function clusterTo(name: string, upstream: UpstreamAddress): object {
  const { host, port, isTls } = upstream;
  const hostname = authority(upstream);
  const lb_endpoints = [{ endpoint: { address: socketAddress(host, port), hostname } }];
  const tls = {
    name: "tls",
    typed_config: {
      "@type": `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: host,
    },
  };
  return {
    name,
    type: "STRICT_DNS",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
    ...(isTls ? { transport_socket: tls } : {}),
  };
}

/** What a client of it sends as host. */
function authority({ host, port, isTls }: UpstreamAddress): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === (isTls ? 443 : 80) ? name : `${name}:${port}`;
}

function wasm({ plugin, module, configuration, isNetwork }: RunPlan): object {
  const vm_config = { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: module } } };
  const config = {
    name: plugin,
    vm_config,
    ...(configuration === "" ? {} : { configuration: textConfiguration(configuration) }),
  };
  const kind = isNetwork ? "network" : "http";
  return {
    name: plugin,
    typed_config: { "@type": `${TYPE}.filters.${kind}.wasm.v3.Wasm`, config },
  };
}

function networkFilters(plan: RunPlan): readonly object[] {
  const type = `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`;
  const proxy = { "@type": type, stat_prefix: "main", cluster: "upstream" };
  return [wasm(plan), { name: "tcp_proxy", typed_config: proxy }];
}

function connectionManager(plan: RunPlan): object {
  const route = { cluster: "upstream", ...(plan.rewritesHost ? { auto_host_rewrite: true } : {}) };
  const routes = [{ match: { prefix: "/" }, route }];
  const router = { "@type": `${TYPE}.filters.http.router.v3.Router` };
  return {
    name: "http",
    typed_config: {
      "@type": `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: "main",
      access_log: [accessLog()],
      route_config: { name: "all", virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
      http_filters: [wasm(plan), { name: "router", typed_config: router }],
    },
  };
}
