// The configuration that the simulated proxy runs, as Envoy's YAML: three clusters of different temper, short timeouts,
// an access log with a line per request. Loaded by the loader that the product has.
import { overloadYaml } from "./overload-storm.ts";
import { type TlsPlan, transportSocketYaml } from "./secure-peers.ts";
import type { RunPlan } from "./plan.ts";

export const proxyPort = 10_000;
/** The loader wants a file that can be opened; nothing is written there: see log-file.ts. */
export const accessLogPath = "/dev/stderr";

export interface UpstreamAddress {
  readonly address: string;
  readonly port: number;
}

/** The ways that raw bytes have through the proxy, and where they begin. */
export const tunnelPorts = {
  raw: 10_001,
  ended: 10_002,
  upgrade: 10_002,
  through: 10_003,
} as const;
export type TunnelWay = keyof typeof tunnelPorts;
/** Takes raw bytes, and those of CONNECTs that the proxy ends. */
export const rawHost: UpstreamAddress = { address: "127.0.0.41", port: 80 };
/** Takes upgrades and CONNECTs. */
export const tunnelHost: UpstreamAddress = { address: "127.0.0.51", port: 80 };

export const upstreams: Readonly<Record<"a" | "b" | "c", readonly UpstreamAddress[]>> = {
  a: [
    { address: "127.0.0.11", port: 80 },
    { address: "127.0.0.12", port: 80 },
    { address: "127.0.0.13", port: 80 },
  ],
  b: [{ address: "127.0.0.21", port: 80 }],
  c: [
    { address: "127.0.0.31", port: 80 },
    { address: "127.0.0.32", port: 80 },
  ],
};

const logFormat = [
  "%REQ(x-sim-id)%",
  "%RESPONSE_CODE%",
  "%RESPONSE_FLAGS%",
  "%BYTES_RECEIVED%",
  "%BYTES_SENT%",
  "%UPSTREAM_HOST%",
  // The last, because they may contain the separator.
  "%RESPONSE_CODE_DETAILS%",
].join("|");

/** What configurations have that is not text of ours. */
export interface Attachments {
  readonly guest: Uint8Array;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** `edition` changes what may change while connections live: timeouts, filters' order, clusters. */
export function bootstrapYaml(plan: RunPlan, edition: number, attached: Attachments): string {
  const { guest } = attached;
  const breakers = plan.has("smallBreakers");
  const lives = plan.has("shortLives");
  const hasTls = plan.tls.upstream;
  // The end of a chunked answer waits until what is before it has left.
  const timeouts = plan.downstream === "narrow" ? [40, 40, 40] : [edition % 2 === 0 ? 3 : 2, 5, 4];
  const clusters = [
    cluster("a", { buffer: plan.bufferBytes, edition, lives, hasTls, more: "" }),
    cluster("b", {
      buffer: plan.bufferBytes,
      edition,
      lives,
      hasTls,
      more: breakers ? thresholds(2, 3, 4) : "",
    }),
    cluster("c", {
      buffer: plan.bufferBytes,
      edition: 0,
      lives,
      hasTls,
      more: breakers ? thresholds(3, 8, 8) : "",
    }),
  ];
  return `
node: { id: simulation, cluster: simulation }
${plan.overload === null ? "" : overloadYaml(plan.overload)}
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: ${proxyPort} } }
    per_connection_buffer_limit_bytes: ${plan.bufferBytes}
${plan.tls.downstream ? downstreamTls(plan.tls, attached) : "    filter_chains:\n    -"} filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          http_protocol_options: { enable_trailers: true }
          common_http_protocol_options:
            idle_timeout: 8s
            ${lives ? `max_requests_per_connection: ${3 + (edition % 3)}\n            max_connection_duration: 20s` : ""}
          stream_idle_timeout: 4s
          request_timeout: 12s
          request_headers_timeout: 3s
          drain_timeout: 1s
          delayed_close_timeout: 1s
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: ${accessLogPath}
              log_format: { text_format_source: { inline_string: "${logFormat}\\n" } }
          route_config:
            validate_clusters: false
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - { match: { prefix: /a }, route: { cluster: a, timeout: ${timeouts[0]}s } }
              - { match: { prefix: /b }, route: { cluster: b, timeout: ${timeouts[1]}s } }
              - { match: { prefix: /c }, route: { cluster: c, timeout: ${timeouts[2]}s, idle_timeout: 2s } }
              - { match: { prefix: /direct }, direct_response: { status: 418, body: { inline_string: teapot } } }
              - { match: { prefix: /redirect }, redirect: { path_redirect: /a } }
              - { match: { prefix: /lost }, route: { cluster: lost } }
          http_filters:
${plan.guestScript === "" ? "" : wasmFilter(plan.guestScript, guest)}
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
${plan.tunnels > 0 ? tunnelListeners() : ""}
  clusters:
${clusters.join("\n")}
${plan.tunnels > 0 ? tunnelClusters() : ""}
`;
}

function downstreamTls({ inspects }: TlsPlan, { certificatePem, keyPem }: Attachments): string {
  const inline = (pem: string): string => `{ inline_string: ${JSON.stringify(pem)} }`;
  const pair = `{ certificate_chain: ${inline(certificatePem)}, private_key: ${inline(keyPem)} }`;
  const socket = transportSocketYaml(
    "Downstream",
    `common_tls_context: { alpn_protocols: [ http/1.1 ], tls_certificates: [ ${pair} ] }`,
  );
  const inspector = `{ "@type": ${LISTENER}.tls_inspector.v3.TlsInspector }`;
  const inspection = `    listener_filters: [ { name: tls, typed_config: ${inspector} } ]\n`;
  return `${inspects ? inspection : ""}    filter_chains:
    - transport_socket_connect_timeout: 3s
      ${socket}
     `;
}

const LISTENER = "type.googleapis.com/envoy.extensions.filters.listener";
const NETWORK = "type.googleapis.com/envoy.extensions.filters.network";

/** Their idle timeouts are long: what passes slowly is not idle. */
function tunnelListeners(): string {
  const listener = (name: string, port: number, filter: string): string =>
    `  - name: ${name}
    address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
    filter_chains: [ { filters: [ { name: f, typed_config: ${filter} } ] } ]`;
  const tcp = (name: string, more: string): string =>
    `{ "@type": ${NETWORK}.tcp_proxy.v3.TcpProxy, stat_prefix: ${name}, idle_timeout: 120s, ${more} }`;
  const routes = [
    "{ match: { connect_matcher: {} }, route: { cluster: raw, upgrade_configs: [ { upgrade_type: CONNECT, connect_config: {} } ] } }",
    "{ match: { prefix: / }, route: { cluster: tunnels, timeout: 0s } }",
  ];
  const router = `{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }`;
  const hcm =
    `{ "@type": ${NETWORK}.http_connection_manager.v3.HttpConnectionManager, stat_prefix: tunnels, ` +
    "stream_idle_timeout: 120s, drain_timeout: 1s, upgrade_configs: [ { upgrade_type: websocket } ], " +
    `route_config: { virtual_hosts: [ { name: all, domains: ["*"], routes: [ ${routes.join(", ")} ] } ] }, ` +
    `http_filters: [ { name: router, typed_config: ${router} } ] }`;
  const through = 'cluster: tunnels, tunneling_config: { hostname: "sim:1" }';
  return [
    listener("raw", tunnelPorts.raw, tcp("raw", "cluster: raw")),
    listener("ended", tunnelPorts.ended, hcm),
    listener("through", tunnelPorts.through, tcp("through", through)),
  ].join("\n");
}

function tunnelClusters(): string {
  const cluster = (name: string, { address, port }: UpstreamAddress): string => {
    const host = `{ socket_address: { address: ${address}, port_value: ${port} } }`;
    return `  - name: ${name}
    type: STATIC
    connect_timeout: 30s
    load_assignment:
      cluster_name: ${name}
      endpoints: [ { lb_endpoints: [ { endpoint: { address: ${host} } } ] } ]`;
  };
  return [cluster("raw", rawHost), cluster("tunnels", tunnelHost)].join("\n");
}

/** Nothing is left: pools close as when their clusters are taken out of the configuration. */
export const emptyYaml: string = "node: { id: simulation, cluster: simulation }\n";

interface ClusterParts {
  readonly buffer: number;
  readonly edition: number;
  readonly lives: boolean;
  readonly hasTls: boolean;
  readonly more: string;
}

function cluster(name: "a" | "b" | "c", parts: ClusterParts): string {
  const endpoints = upstreams[name].map(
    ({ address, port }) =>
      `        - endpoint: { address: { socket_address: { address: ${address}, port_value: ${port} } } }`,
  );
  const requests = parts.lives
    ? "max_requests_per_connection: 3, max_connection_duration: 15s, "
    : "";
  return `  - name: ${name}
    type: STATIC
    lb_policy: ${name === "c" ? "RANDOM" : "ROUND_ROBIN"}
    connect_timeout: ${1 + (parts.edition % 2)}s
    per_connection_buffer_limit_bytes: ${parts.buffer}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        common_http_protocol_options: { ${requests}idle_timeout: 5s }
        explicit_http_config: { http_protocol_options: { enable_trailers: true } }
${parts.more}${parts.hasTls ? `\n    ${transportSocketYaml("Upstream", "sni: sim.example")}` : ""}
    load_assignment:
      cluster_name: ${name}
      endpoints:
      - lb_endpoints:
${endpoints.join("\n")}`;
}

function thresholds(connections: number, pending: number, requests: number): string {
  const limits = `max_connections: ${connections}, max_pending_requests: ${pending}, max_requests: ${requests}`;
  return `    circuit_breakers: { thresholds: [ { ${limits}, track_remaining: true } ] }`;
}

function wasmFilter(script: string, guest: Uint8Array): string {
  return `          - name: guest
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: guest
                vm_config:
                  runtime: envoy.wasm.runtime.v8
                  code: { local: { inline_bytes: ${Buffer.from(guest).toString("base64")} } }
                  configuration:
                    "@type": type.googleapis.com/google.protobuf.StringValue
                    value: ${JSON.stringify(script)}`;
}
