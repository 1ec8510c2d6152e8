// Every attribute that guests may read, in each phase, byte for byte as Envoy encodes it.
import { certificateFiles, cluster, TCP_PROXY_TYPE, upstreamTls } from "../bootstrap.ts";
import { type Group, get, type JsonObject, one, post, reply } from "../case.ts";
import { scriptedChain, scriptedNetworkFilter, scriptedPlugin } from "../scripted-guest.ts";

const REQUEST = [
  ["request", "path", "url_path", "host", "scheme", "method", "headers", "headers.x-a"],
  ["request", "headers.X-A", "headers.none", "referer", "useragent", "id", "protocol", "query"],
  ["request", "time", "duration", "size", "total_size", "none"],
];
const RESPONSE = [
  ["response", "code", "code_details", "flags", "grpc_status", "headers", "headers.x-r"],
  ["response", "trailers", "size", "total_size", "backend_latency"],
];
const CERTIFICATES = [
  "tls_version",
  "subject_local_certificate",
  "subject_peer_certificate",
  "dns_san_local_certificate",
  "dns_san_peer_certificate",
  "uri_san_local_certificate",
  "uri_san_peer_certificate",
  "sha256_peer_certificate_digest",
  "transport_failure_reason",
];
const CONNECTION = [
  ["source", "address", "port"],
  ["destination", "address", "port"],
  ["connection", "id", "mtls", "requested_server_name", "termination_details", ...CERTIFICATES],
];
const UPSTREAM = [
  ["upstream", "address", "port", "local_address", "num_endpoints", "request_attempt_count"],
  ["upstream", "cx_pool_ready_duration", "locality", ...CERTIFICATES],
];
const OTHERS = [
  ["metadata", "filter_metadata", "filter_metadata.none", "filter_metadata.none.key"],
  ["xds", "node.id", "node.cluster", "node.locality.region", "node.metadata.deep.list.1"],
  ["xds", "node.metadata.deep.list", "node.metadata.deep", "node.metadata.none", "node.metadata"],
  ["xds", "cluster_name", "cluster_metadata", "cluster_metadata.filter_metadata.c.key.0"],
  [
    "xds",
    "route_name",
    "route_metadata",
    "route_metadata.filter_metadata.r.key.2",
    "route_metadata.filter_metadata.r.key",
  ],
  [
    "xds",
    "virtual_host_metadata.filter_metadata",
    "virtual_host_name",
    "virtual_host_metadata",
    "listener_direction",
    "listener_metadata",
  ],
  ["xds.virtual_host_metadata.filter_metadata", "v", "v.map", "v.map.none"],
  ["xds", "upstream_host_metadata", "upstream_host_metadata.filter_metadata.h.key.4.deep"],
  ["xds", "upstream_host_locality_metadata", "filter_chain_name"],
];
const WHOLES = [
  "request response connection source destination upstream xds metadata filter_state",
  "upstream_filter_state plugin_name plugin_root_id plugin_vm_id nothing",
]
  .join(" ")
  .split(" ");

function paths(groups: readonly (readonly string[])[]): string[] {
  return groups.flatMap(([first, ...names]) => names.map((name) => `${first}.${name}`));
}

/** Those that Envoy forgets with the request's headers, and we do not: KNOWN_DIFFERENCES.md. */
const OF_REQUESTS =
  /^request\.(path|url_path|host|scheme|method|headers.*|id|query|total_size|referer|useragent)$/;

const ALL: readonly string[] = [
  ...paths([...REQUEST, ...RESPONSE, ...CONNECTION, ...UPSTREAM, ...OTHERS]),
  ...WHOLES,
];

const LATE = ALL.filter((path) => !OF_REQUESTS.test(path));

function asking(callback: string, wanted: readonly string[] = ALL): string[] {
  return wanted.map((path) => `${callback} get_property ${path.replaceAll(".", "%00")}`);
}

function metadata(namespace: string): JsonObject {
  return {
    filter_metadata: { [namespace]: { key: ["value", true, 7, 3.5, { deep: "er" }, null] } },
  };
}

const NODE: JsonObject = {
  id: "node-1",
  cluster: "node-cluster",
  locality: { region: "r", sub_zone: "s" },
  metadata: { deep: { list: ["a", 3.5, true] } },
};

const routed = {
  virtualHosts: [
    {
      name: "hosts",
      domains: ["*"],
      metadata: { filter_metadata: { v: { map: { none: null } } } },
      routes: [
        { name: "direct", match: { path: "/direct" }, direct_response: { status: 202 } },
        { match: { path: "/unnamed" }, route: { cluster: "up" } },
        {
          name: "rest",
          match: { prefix: "/" },
          metadata: metadata("r"),
          route: { cluster: "described" },
        },
      ],
    },
  ],
};

function site(name: string, lines: readonly string[]): JsonObject {
  return scriptedChain(scriptedPlugin(name, lines));
}

const described = {
  ...cluster("described", []),
  metadata: metadata("c"),
  load_assignment: {
    cluster_name: "described",
    endpoints: [
      {
        locality: { region: "r", zone: "z2" },
        lb_endpoints: [
          {
            metadata: metadata("h"),
            endpoint: {
              address: { socket_address: { address: "127.0.0.1", port_value: "$up:up" } },
            },
          },
        ],
      },
    ],
  },
};

/** What the TCP proxy behind it knows is not its stream's: KNOWN_DIFFERENCES.md. */
const NETWORK = [...paths([...CONNECTION, ...OTHERS]), ...WHOLES].filter(
  (path) => !/^(upstream|xds\.(upstream|cluster))/.test(path),
);
const tcp = {
  name: "envoy.filters.network.tcp_proxy",
  typed_config: { "@type": TCP_PROXY_TYPE, stat_prefix: "tcp", cluster: "up" },
};

const TLS_INSPECTOR: JsonObject = {
  name: "envoy.filters.listener.tls_inspector",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  },
};

/** Envoy answers these with a message whose fields differ by what its node says of itself. */
export const guestProperties: Group = {
  id: "guest-properties",
  title: "attributes as wasm guests see them",
  guests: true,
  certificates: true,
  bootstrap: { node: NODE },
  upstreams: { secure: { certificate: "second", clientAuthority: "authority" } },
  clusters: [
    described,
    cluster("secure", ["$up:secure"], {
      transport_socket: upstreamTls({
        common_tls_context: { tls_certificates: [certificateFiles("client")] },
        sni: "second.test",
      }),
    }),
  ],
  sites: {
    main: {
      hcm: site("main", asking("request_headers")),
      ...routed,
      listener: { traffic_direction: "INBOUND", metadata: metadata("l") },
    },
    response: { hcm: site("response", asking("response_headers", LATE)), ...routed },
    log: { hcm: site("log", asking("log")), ...routed },
    root: {
      hcm: site("root", [
        ...asking("request_headers", ["plugin_name"]),
        "request_headers set_effective_context 1",
        ...asking("request_headers", [
          "xds.node.id",
          "request.path",
          "connection.id",
          "plugin_name",
        ]),
      ]),
    },
    tls: {
      hcm: site("tls", [
        ...asking("request_headers", paths(CONNECTION)),
        ...asking("response_headers", paths(UPSTREAM)),
      ]),
      tls: {
        require_client_certificate: true,
        common_tls_context: {
          tls_certificates: [certificateFiles("server")],
          validation_context: { trusted_ca: { filename: "$DIR/authority.pem" } },
        },
      },
      listenerFilters: [TLS_INSPECTOR],
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "secure" } }],
        },
      ],
    },
    ends: { filters: [scriptedNetworkFilter(scriptedPlugin("ends", [])), tcp] },
    net: {
      filters: [
        scriptedNetworkFilter(
          scriptedPlugin("net", [
            ...asking("new_connection", NETWORK),
            ...asking("upstream_data#1", NETWORK),
          ]),
        ),
        tcp,
      ],
    },
  },
  cases: [
    {
      id: "properties-request",
      title: "in on_request_headers",
      connections: one(get("/a/b?c=d", "X-A: 1", "x-a: 2", "Referer: r", "User-Agent: u")),
    },
    {
      id: "properties-request-body",
      title: "of a request with a body",
      connections: one(post("/a", "12345")),
    },
    {
      id: "properties-request-direct",
      title: "of a route without a cluster",
      connections: one(get("/direct")),
    },
    {
      id: "properties-request-unnamed",
      title: "of a route without a name",
      connections: one(get("/unnamed")),
    },
    {
      id: "properties-response",
      title: "in on_response_headers",
      connections: one(get("/a/b?c=d", "X-A: 1"), "response"),
      replies: [reply("202 Accepted", "hello", "X-R: 1", "x-r: 2")],
    },
    {
      id: "properties-response-direct",
      title: "in on_response_headers of a direct response",
      connections: one(get("/direct"), "response"),
    },
    {
      id: "properties-log",
      title: "in on_log",
      connections: one(get("/a/b?c=d", "X-A: 1"), "log"),
      replies: [reply("202 Accepted", "hello", "X-R: 1")],
    },
    {
      id: "properties-log-direct",
      title: "in on_log of a direct response",
      connections: one(get("/direct"), "log"),
    },
    {
      id: "properties-root",
      title: "of a root context",
      connections: one(get("/a"), "root"),
    },
    {
      id: "properties-tls",
      title: "of TLS on both sides",
      connections: [
        {
          site: "tls",
          send: [get("/a")],
          tls: { servername: "server.test", certificate: "client", maxVersion: "TLSv1.2" },
        },
      ],
    },
    {
      id: "network-client-first",
      title: "a network filter whose client ends before its upstream",
      connections: [
        {
          site: "ends",
          send: ["hello", { awaitText: "world" }, { fin: true }, { awaitEnd: true }],
          raw: true,
        },
      ],
      streams: [{ steps: [{ awaitText: "hello" }, "world", { awaitEnd: true }, { pauseMs: 50 }] }],
    },
    {
      id: "network-upstream-first",
      title: "a network filter whose upstream ends before its client",
      connections: [
        {
          site: "ends",
          send: [
            "hello",
            { awaitText: "world" },
            { awaitEnd: true },
            { pauseMs: 50 },
            { fin: true },
          ],
          raw: true,
        },
      ],
      streams: [
        {
          steps: [
            { awaitText: "hello" },
            "world",
            { pauseMs: 50 },
            { fin: true },
            { awaitEnd: true },
          ],
        },
      ],
    },
    {
      id: "properties-network",
      title: "of a network filter",
      connections: [
        {
          site: "net",
          send: ["hello", { awaitText: "world" }, { pauseMs: 50 }],
          raw: true,
          abort: true,
        },
      ],
      streams: [{ steps: [{ awaitText: "hello" }, "world", { awaitEnd: true }] }],
    },
  ],
};
