// The configurations of the targets, equal work each: one worker, keep-alive, no access log.
import type { Setup } from "./target.ts";

/** Which filters stand before the router. */
export type FilterSetup =
  | { readonly kind: "none" }
  /** The router alone, with a text access log in the default format. */
  | { readonly kind: "log" }
  | { readonly kind: "native" }
  | { readonly kind: "wasm"; readonly count: number };

const TYPE = "type.googleapis.com/envoy.extensions.filters";

/** Envoy's own filter of the same effect as the module. */
const NATIVE = {
  name: "envoy.filters.http.header_mutation",
  typed_config: {
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
};

const ACCESS_LOG = {
  name: "envoy.access_loggers.file",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
    path: "/dev/null",
  },
};

function wasmFilter(number: number, module: string): object {
  return {
    name: `envoy.filters.http.wasm.${number}`,
    typed_config: {
      "@type": `${TYPE}.http.wasm.v3.Wasm`,
      config: {
        name: `bench-${number}`,
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
  if (wanted.kind === "native") return [NATIVE, router];
  const modules = Array.from({ length: wanted.count }, (_, at) => wasmFilter(at + 1, setup.module));
  return [...modules, router];
}

/** For Envoy and for Headgate: JSON, which is YAML too. */
export function envoyConfig(setup: Setup, wanted: FilterSetup): string {
  const address = (port: number): object => ({
    socket_address: { address: "127.0.0.1", port_value: port },
  });
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up" } }];
  const hcm = {
    "@type": `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "bench",
    codec_type: "HTTP1",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    http_filters: filters(setup, wanted),
    ...(wanted.kind === "log" ? { access_log: [ACCESS_LOG] } : {}),
  };
  const network = { name: "envoy.filters.network.http_connection_manager", typed_config: hcm };
  const endpoint = { endpoint: { address: address(setup.upstreamPort) } };
  const config = {
    static_resources: {
      listeners: [
        {
          name: "bench",
          address: address(setup.port),
          filter_chains: [{ filters: [network] }],
        },
      ],
      clusters: [
        {
          name: "up",
          type: "STATIC",
          circuit_breakers: {
            thresholds: [
              { max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000 },
            ],
          },
          load_assignment: { cluster_name: "up", endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
    admin: { address: address(setup.adminPort) },
  };
  return `${JSON.stringify(config, null, 1)}\n`;
}

export function nginxConfig(setup: Setup): string {
  const { folder } = setup;
  return `
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
    listen 127.0.0.1:${setup.port} backlog=4096;
    location / {
      proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_busy_buffers_size 128k;
    }
  }
}
`;
}

export function haproxyConfig(setup: Setup): string {
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
  bind 127.0.0.1:${setup.port} backlog 4096
  default_backend up
backend up
  server one 127.0.0.1:${setup.upstreamPort} pool-max-conn 4000
`;
}
