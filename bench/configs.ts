// The configurations of the targets, equal work each: one worker, keep-alive, no access log.
import { createHash } from "node:crypto";
import type { BenchCertificates } from "./certificates.ts";
import type { Setup } from "./target.ts";

/** Which filters stand before the router. */
export type FilterSetup =
  | { readonly kind: "none" }
  /** The router alone, with a text access log in the default format. */
  | { readonly kind: "log" }
  /** Filters of Envoy's configuration: its native ones there, our modules here. */
  | { readonly kind: "native"; readonly count: number; readonly filter?: NativeFilter }
  | {
      readonly kind: "wasm";
      readonly count: number;
      /** Headgate's guests run unmetered. Default false. */
      readonly isUnmetered?: boolean;
      /** One text for each. */
      readonly configurations?: readonly string[];
      /** Further names of the upstream, which guests call. */
      readonly clusters?: readonly string[];
    };

/** Filters that both proxies have; header_mutation has the effect of the wasm module. */
export const NATIVE_FILTERS = ["header_mutation", "cors", "basic_auth"] as const;
export type NativeFilter = (typeof NATIVE_FILTERS)[number];

/** What a client sends so that cors and basic_auth have all their work, and let it pass. */
export const NATIVE_HEADERS: readonly string[] = [
  "Origin: http://a.test",
  `Authorization: Basic ${Buffer.from("bench:secret").toString("base64")}`,
];

const TYPE = "type.googleapis.com/envoy.extensions.filters";

const NATIVE: Readonly<Record<NativeFilter, object>> = {
  header_mutation: {
    "@type": `${TYPE}.http.header_mutation.v3.HeaderMutation`,
    mutations: {
      request_mutations: [
        {
          append: {
            header: { key: "x-filter", value: "%REQ(user-agent)%" },
            append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
          },
        },
      ],
    },
  },
  cors: { "@type": `${TYPE}.http.cors.v3.Cors` },
  basic_auth: {
    "@type": `${TYPE}.http.basic_auth.v3.BasicAuth`,
    users: {
      inline_string: `bench:{SHA}${createHash("sha1").update("secret").digest("base64")}`,
    },
  },
};

/** Of all routes; cors does nothing without one. */
const CORS_POLICY = {
  "@type": `${TYPE}.http.cors.v3.CorsPolicy`,
  allow_origin_string_match: [{ exact: "http://b.test" }, { exact: "http://a.test" }],
  allow_credentials: true,
};

const ACCESS_LOG = {
  name: "envoy.access_loggers.file",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
    path: "/dev/null",
  },
};

function wasmFilter(number: number, module: string, configuration: string | undefined): object {
  return {
    name: `envoy.filters.http.wasm.${number}`,
    typed_config: {
      "@type": `${TYPE}.http.wasm.v3.Wasm`,
      config: {
        name: `bench-${number}`,
        ...(configuration === undefined
          ? {}
          : {
              configuration: {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                value: configuration,
              },
            }),
        // A VM of its own for each filter.
        vm_config: {
          vm_id: `bench-${number}`,
          runtime: "envoy.wasm.runtime.v8",
          code: { local: { filename: module } },
        },
      },
    },
  };
}

function filters(setup: Setup, wanted: FilterSetup): object[] {
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": `${TYPE}.http.router.v3.Router` },
  };
  if (wanted.kind === "none" || wanted.kind === "log") return [router];
  if (wanted.kind === "native") {
    const { filter = "header_mutation" } = wanted;
    const all = Array.from({ length: wanted.count }, (_, at) => ({
      name: `${filter}.${at}`,
      typed_config: NATIVE[filter],
    }));
    return [...all, router];
  }
  const modules = Array.from({ length: wanted.count }, (_, at) =>
    wasmFilter(at + 1, setup.module, wanted.configurations?.[at]),
  );
  return [...modules, router];
}

function address(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

function httpManager(setup: Setup, wanted: FilterSetup): object {
  const hasCors = wanted.kind === "native" && wanted.filter === "cors";
  const policy = hasCors ? { typed_per_filter_config: { "cors.0": CORS_POLICY } } : {};
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up" }, ...policy }];
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: "bench",
      codec_type: "HTTP1",
      route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
      http_filters: filters(setup, wanted),
      ...(wanted.kind === "log" ? { access_log: [ACCESS_LOG] } : {}),
    },
  };
}

const TCP_PROXY = {
  name: "envoy.filters.network.tcp_proxy",
  typed_config: {
    "@type": `${TYPE}.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: "bench_tcp",
    cluster: "up",
  },
};

function tlsTransport(certificates: BenchCertificates): object {
  const pairs = [certificates.rsa, certificates.ec];
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      common_tls_context: {
        tls_certificates: pairs.map(({ chainFile, keyFile }) => ({
          certificate_chain: { filename: chainFile },
          private_key: { filename: keyFile },
        })),
      },
    },
  };
}

/** One listener for each protocol that is measured. */
function listeners(setup: Setup, wanted: FilterSetup): object[] {
  const { ports, protocols, certificates } = setup;
  const manager = httpManager(setup, wanted);
  const all: object[] = [
    { name: "bench", address: address(ports.http), filter_chains: [{ filters: [manager] }] },
  ];
  if (certificates !== undefined) {
    const chain = { filters: [manager], transport_socket: tlsTransport(certificates) };
    all.push({ name: "bench-tls", address: address(ports.tls), filter_chains: [chain] });
  }
  if (protocols.has("tcp")) {
    const chain = { filters: [TCP_PROXY] };
    all.push({ name: "bench-tcp", address: address(ports.tcp), filter_chains: [chain] });
  }
  return all;
}

function cluster(name: string, port: number): object {
  const endpoint = { endpoint: { address: address(port) } };
  const most = { max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000 };
  return {
    name,
    type: "STATIC",
    circuit_breakers: { thresholds: [most] },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

/** For Envoy and for Headgate: JSON, which is YAML too. */
export function envoyConfig(setup: Setup, wanted: FilterSetup): string {
  const called = wanted.kind === "wasm" ? (wanted.clusters ?? []) : [];
  const config = {
    static_resources: {
      listeners: listeners(setup, wanted),
      clusters: ["up", ...called].map((name) => cluster(name, setup.upstreamPort)),
    },
    admin: { address: address(setup.adminPort) },
  };
  return `${JSON.stringify(config, null, 1)}\n`;
}

function nginxCertificates({ rsa, ec }: BenchCertificates): string {
  return [rsa, ec]
    .map((one) => `ssl_certificate ${one.chainFile}; ssl_certificate_key ${one.keyFile};`)
    .join("\n    ");
}

/** `stream` is the file of its TCP proxy, a module of its own; undefined = there is none. */
export function nginxConfig(setup: Setup, stream: string | undefined): string {
  const { folder, ports, certificates } = setup;
  const tls =
    certificates === undefined
      ? ""
      : `listen 127.0.0.1:${ports.tls} ssl backlog=4096;
    ${nginxCertificates(certificates)}
    ssl_protocols TLSv1.2 TLSv1.3;`;
  const tcp = `
stream {
  server { listen 127.0.0.1:${ports.tcp} backlog=4096; proxy_pass 127.0.0.1:${setup.upstreamPort}; }
}`;
  const hasTcp = stream !== undefined && setup.protocols.has("tcp");
  return `
${hasTcp ? `load_module ${stream};` : ""}
daemon off; worker_processes 1; pid ${folder}/nginx.pid; worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
  uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  upstream up {
    server 127.0.0.1:${setup.upstreamPort};
    keepalive 2000; keepalive_requests 1000000000; keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:${ports.http} backlog=4096;
    ${tls}
    location / {
      proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_busy_buffers_size 128k;
    }
  }
}
${hasTcp ? tcp : ""}
`;
}

export function haproxyConfig(setup: Setup): string {
  const { ports, certificates } = setup;
  const tls =
    certificates === undefined
      ? ""
      : `bind 127.0.0.1:${ports.tls} ssl crt ${certificates.bundle} backlog 4096`;
  const tcp = `
listen tcp
  mode tcp
  bind 127.0.0.1:${ports.tcp} backlog 4096
  server one 127.0.0.1:${setup.upstreamPort}`;
  return `
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend in
  bind 127.0.0.1:${ports.http} backlog 4096
  ${tls}
  default_backend up
backend up
  server one 127.0.0.1:${setup.upstreamPort} pool-max-conn 4000
${setup.protocols.has("tcp") ? tcp : ""}
`;
}
