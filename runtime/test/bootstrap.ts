// Bootstrap configurations of process tests, as plain objects: one listener, one cluster.
export interface BootstrapParts {
  readonly upstreamPort?: number;
  /** Default: 127.0.0.1, port 0. */
  readonly address?: object;
  /** Merged into the listener. */
  readonly listener?: object;
  /** Merged into the connection manager. */
  readonly hcm?: object;
  /** Before the router. */
  readonly filters?: readonly object[];
}

const HTTP = "type.googleapis.com/envoy.extensions.filters";

export function socketAddress(port: number, address = "127.0.0.1"): object {
  return { socket_address: { address, port_value: port } };
}

/** A wasm filter; `script` goes to the VM, as test/guests/assembly/script.ts wants it. */
export function wasmFilter(filename: string, name = "guest", script = ""): object {
  const text = { "@type": "type.googleapis.com/google.protobuf.StringValue", value: script };
  const code = { local: { filename } };
  const vm_config = { runtime: "envoy.wasm.runtime.v8", code, configuration: text };
  return {
    name,
    typed_config: { "@type": `${HTTP}.http.wasm.v3.Wasm`, config: { name, vm_config } },
  };
}

export function fileAccessLog(path: string): object {
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const text_format_source = { inline_string: "%REQ(:PATH)% %RESPONSE_CODE%\n" };
  return {
    name: "file",
    typed_config: { "@type": type, path, log_format: { text_format_source } },
  };
}

export function listener(parts: BootstrapParts = {}, name = "main"): object {
  const router = { name: "router", typed_config: { "@type": `${HTTP}.http.router.v3.Router` } };
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up", timeout: "0s" } }];
  const hcm = {
    "@type": `${HTTP}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    http_filters: [...(parts.filters ?? []), router],
    ...parts.hcm,
  };
  return {
    name,
    address: parts.address ?? socketAddress(0),
    filter_chains: [{ filters: [{ name: "hcm", typed_config: hcm }] }],
    ...parts.listener,
  };
}

export function bootstrap(parts: BootstrapParts = {}, more: readonly object[] = []): object {
  const lb_endpoints = [{ endpoint: { address: socketAddress(parts.upstreamPort ?? 1) } }];
  const load_assignment = { cluster_name: "up", endpoints: [{ lb_endpoints }] };
  return {
    admin: { address: socketAddress(0) },
    static_resources: {
      listeners: [listener(parts), ...more],
      clusters: [{ name: "up", type: "STATIC", load_assignment }],
    },
  };
}
