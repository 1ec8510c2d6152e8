// TLS to upstreams: what the upstream sees, whom the proxy believes, and how failures are told.
import { cluster, TCP_FORMAT, upstreamTls } from "../bootstrap.ts";
import type { Case, Connection, Group, JsonObject } from "../case.ts";
import { get, one } from "../case.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** What is said of the upstream's transport, behind the code and the flags. */
const FORMAT = [
  "%RESPONSE_CODE%",
  "%RESPONSE_FLAGS%",
  "%RESPONSE_CODE_DETAILS%",
  "%UPSTREAM_CLUSTER%",
  "%UPSTREAM_HOST%",
  "%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
  "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  "%UPSTREAM_TLS_VERSION%",
  "%UPSTREAM_PEER_SUBJECT%\n",
].join("|");

function trusting(name: string, more: JsonObject = {}): JsonObject {
  return { validation_context: { trusted_ca: { filename: `$DIR/${name}.pem` }, ...more } };
}

function dnsNames(...names: readonly string[]): JsonObject {
  const match_typed_subject_alt_names = names.map((exact) => ({
    san_type: "DNS",
    matcher: { exact },
  }));
  return { match_typed_subject_alt_names };
}

/** A cluster over the upstream `port` with TLS; `common` is its CommonTlsContext. */
function secure(
  name: string,
  port: string,
  common: JsonObject,
  tls: JsonObject = {},
  more: JsonObject = {},
): JsonObject {
  return cluster(name, [`$up:${port}`], {
    transport_socket: upstreamTls({ common_tls_context: common, ...tls }),
    ...more,
  });
}

function httpOptions(options: JsonObject): JsonObject {
  return {
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
        explicit_http_config: { http_protocol_options: {} },
        upstream_http_protocol_options: options,
      },
    },
  };
}

/** One endpoint that has a name and says what it wants. */
function endpoint(name: string, port: string, more: JsonObject, metadata: JsonObject): JsonObject {
  const address = { socket_address: { address: "127.0.0.1", port_value: `$up:${port}` } };
  const filter_metadata = { "envoy.transport_socket_match": metadata };
  const lb_endpoints = [{ endpoint: { address, hostname: name }, metadata: { filter_metadata } }];
  return { load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] }, ...more };
}

const max13: JsonObject = { tls_params: { tls_maximum_protocol_version: "TLSv1_3" } };
const onceEach: JsonObject = { max_requests_per_connection: 1 };
const own: JsonObject = {
  tls_certificates: [
    {
      certificate_chain: { filename: "$DIR/client-chain.pem" },
      private_key: { filename: "$DIR/client-key.pem" },
    },
  ],
};

const clusters: readonly JsonObject[] = [
  secure("unverified", "secure", {}),
  secure("trusted", "secure", trusting("authority")),
  secure("sni", "secure", trusting("authority"), { sni: "server.test" }),
  secure("auto_sni", "secure", trusting("authority"), {}, httpOptions({ auto_sni: true })),
  secure(
    "header_sni",
    "secure",
    {},
    {},
    {
      ...httpOptions({ auto_sni: true, override_auto_sni_header: "x-name" }),
    },
  ),
  secure(
    "auto_san",
    "secure",
    trusting("authority"),
    {},
    {
      ...httpOptions({ auto_sni: true, auto_san_validation: true }),
    },
  ),
  secure("auto_san_only", "secure", {}, {}, httpOptions({ auto_san_validation: true })),
  secure("sni_san", "secure", trusting("authority"), {
    sni: "other.test",
    auto_sni_san_validation: true,
  }),
  secure(
    "host_sni",
    "secure",
    {},
    { auto_host_sni: true },
    endpoint("host.test", "secure", {}, {}),
  ),
  secure("stranger", "secure", trusting("stranger")),
  secure("san", "secure", trusting("authority", dnsNames("no.test", "server.test"))),
  secure("wrong_san", "secure", trusting("authority", dnsNames("no.test"))),
  secure("wild_san", "secure", trusting("authority", dnsNames("a.wild.test"))),
  secure("expired", "expired", trusting("authority")),
  secure("forgiven", "expired", trusting("authority", { allow_expired_certificate: true })),
  secure(
    "untrusted",
    "secure",
    trusting("stranger", {
      trust_chain_verification: "ACCEPT_UNTRUSTED",
    }),
  ),
  secure(
    "hash",
    "secure",
    trusting("authority", {
      verify_certificate_hash: ["$SHA256:server_ec"],
    }),
  ),
  secure(
    "wrong_hash",
    "secure",
    trusting("authority", {
      verify_certificate_hash: ["$SHA256:server"],
    }),
  ),
  secure(
    "spki",
    "secure",
    trusting("authority", {
      verify_certificate_spki: ["$SPKI:server", "$SPKI:server_ec"],
    }),
  ),
  secure("client", "asking", { ...trusting("authority"), ...own }),
  secure("anonymous", "asking", trusting("authority")),
  secure("old", "only13", trusting("authority")),
  secure("new", "only13", { ...trusting("authority"), ...max13 }),
  secure("alpn", "speaking", { alpn_protocols: ["custom", "http/1.1"] }),
  secure("resuming", "secure", trusting("authority"), {}, onceEach),
  secure("forgetting", "secure", trusting("authority"), { max_session_keys: 0 }, onceEach),
  secure("tunnel", "secure", trusting("authority")),
  cluster("bound", ["$up:up"], {
    upstream_bind_config: { source_address: { address: "127.0.0.9", port_value: 0 } },
  }),
  cluster("unbound", ["$up:up"], {
    upstream_bind_config: { source_address: { address: "203.0.113.9", port_value: 0 } },
  }),
  cluster("second_address", [], {
    load_assignment: {
      cluster_name: "second_address",
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: {
                address: { socket_address: { address: "127.0.0.1", port_value: "$up:dead" } },
                additional_addresses: [
                  {
                    address: { socket_address: { address: "127.0.0.1", port_value: "$up:up" } },
                  },
                ],
              },
            },
          ],
        },
      ],
    },
  }),
  cluster("no_address", [], {
    load_assignment: {
      cluster_name: "no_address",
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: {
                address: { socket_address: { address: "127.0.0.1", port_value: "$up:dead" } },
                additional_addresses: [
                  { address: { socket_address: { address: "::1", port_value: "$up:dead" } } },
                ],
              },
            },
          ],
        },
      ],
    },
  }),
  ...["plain", "tls"].map((kind) =>
    cluster(`match_${kind}`, [], {
      transport_socket_matches: [
        {
          name: "tls",
          match: { wants: "tls" },
          transport_socket: upstreamTls({ common_tls_context: {} }),
        },
      ],
      ...endpoint(`match_${kind}`, kind === "tls" ? "secure" : "up", {}, { wants: kind }),
    }),
  ),
];

function names(all: readonly JsonObject[]): string[] {
  return all.map((entry) => entry["name"] as string);
}

/** A request for /NAME goes to the cluster of that name. */
const virtualHosts: readonly JsonObject[] = [
  {
    name: "all",
    domains: ["*"],
    routes: names(clusters).map((name) => ({
      match: { path: `/${name}` },
      route: { cluster: name },
    })),
  },
];

function ask(name: string, ...lines: readonly string[]): readonly Connection[] {
  return one(get(`/${name}`, ...lines));
}

const seen: readonly Case[] = [
  { id: "uptls-unverified", title: "nobody asks who it is", connections: ask("unverified") },
  { id: "uptls-trusted", title: "a trusted authority", connections: ask("trusted") },
  { id: "uptls-sni", title: "SNI as configured", connections: ask("sni") },
  {
    id: "uptls-auto-sni",
    title: "auto_sni: the host without its port",
    connections: ask("auto_sni", "Host: name.test:8443"),
  },
  {
    id: "uptls-auto-sni-address",
    title: "auto_sni: an address is no SNI",
    connections: ask("auto_sni", "Host: 127.0.0.1:80"),
  },
  {
    id: "uptls-header-sni",
    title: "override_auto_sni_header",
    connections: ask("header_sni", "X-Name: header.test:1"),
  },
  {
    id: "uptls-header-sni-missing",
    title: "override_auto_sni_header that the request has not",
    connections: ask("header_sni", "Host: host.test"),
  },
  { id: "uptls-host-sni", title: "auto_host_sni", connections: ask("host_sni") },
  { id: "uptls-alpn", title: "ALPN as configured", connections: ask("alpn") },
  { id: "uptls-client", title: "a client certificate", connections: ask("client") },
  { id: "uptls-tls13", title: "TLS 1.3 where it is allowed", connections: ask("new") },
  {
    id: "uptls-pools",
    title: "requests for other names have other connections",
    connections: [
      {
        send: [
          get("/auto_sni", "Host: a.test"),
          { pauseMs: 60 },
          get("/auto_sni", "Host: b.test"),
          { pauseMs: 60 },
          get("/auto_sni", "Host: a.test"),
        ],
        responses: 3,
      },
    ],
  },
  {
    id: "uptls-resumed",
    title: "the next connection resumes the session",
    connections: [...ask("resuming"), ...ask("resuming")],
  },
  {
    id: "uptls-not-resumed",
    title: "max_session_keys: 0",
    connections: [...ask("forgetting"), ...ask("forgetting")],
  },
  { id: "uptls-match-tls", title: "transport_socket_matches", connections: ask("match_tls") },
  {
    id: "uptls-match-none",
    title: "transport_socket_matches that the endpoint does not match",
    connections: ask("match_plain"),
  },
];

const judged: readonly Case[] = [
  { id: "uptls-stranger", title: "an authority nobody trusts", connections: ask("stranger") },
  { id: "uptls-san", title: "one of the SANs", connections: ask("san") },
  { id: "uptls-wrong-san", title: "none of the SANs", connections: ask("wrong_san") },
  { id: "uptls-wild-san", title: "a wildcard SAN", connections: ask("wild_san") },
  { id: "uptls-expired", title: "an expired certificate", connections: ask("expired") },
  { id: "uptls-forgiven", title: "allow_expired_certificate", connections: ask("forgiven") },
  { id: "uptls-untrusted", title: "ACCEPT_UNTRUSTED", connections: ask("untrusted") },
  { id: "uptls-hash", title: "a certificate by its hash", connections: ask("hash") },
  { id: "uptls-wrong-hash", title: "another hash", connections: ask("wrong_hash") },
  { id: "uptls-spki", title: "a key by its hash", connections: ask("spki") },
  {
    id: "uptls-auto-san",
    title: "auto_san_validation: the host is in the certificate",
    connections: ask("auto_san", "Host: server.test"),
  },
  {
    id: "uptls-auto-san-wrong",
    title: "auto_san_validation: the host is not in the certificate",
    connections: ask("auto_san", "Host: evil.test"),
  },
  {
    id: "uptls-auto-san-address",
    title: "auto_san_validation of an address",
    connections: ask("auto_san", "Host: 127.0.0.1"),
  },
  {
    id: "uptls-auto-san-untrusting",
    title: "auto_san_validation without an authority",
    connections: ask("auto_san_only", "Host: evil.test"),
  },
  {
    id: "uptls-auto-san-untrusting-good",
    title: "auto_san_validation without an authority: not even the right name helps",
    connections: ask("auto_san_only", "Host: server.test"),
  },
  {
    id: "uptls-sni-san",
    title: "auto_sni_san_validation: the SNI is not in the certificate",
    connections: ask("sni_san"),
  },
  { id: "uptls-anonymous", title: "no client certificate", connections: ask("anonymous") },
  { id: "uptls-old", title: "an upstream of TLS 1.3 alone", connections: ask("old") },
];

const sockets: readonly Case[] = [
  { id: "up-bound", title: "upstream_bind_config", connections: ask("bound") },
  { id: "up-unbound", title: "an address that is not ours", connections: ask("unbound") },
  {
    id: "up-second-address",
    title: "additional_addresses: the first refuses",
    connections: ask("second_address"),
  },
  {
    id: "up-no-address",
    title: "additional_addresses: all refuse",
    connections: ask("no_address"),
  },
];

const others: readonly Case[] = [
  {
    id: "uptls-tcp",
    title: "a TCP proxy to an upstream with TLS",
    connections: [{ site: "tcp", raw: true, send: ["ping", { awaitText: "pong" }, { fin: true }] }],
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  },
  {
    id: "uptls-tcp-stranger",
    title: "a TCP proxy to an upstream nobody trusts",
    connections: [{ site: "tcp_stranger", raw: true, send: [{ awaitEnd: true }] }],
    streams: [],
  },
  {
    id: "uptls-websocket",
    title: "an upgrade on a connection with TLS",
    connections: [
      {
        raw: true,
        send: [
          get("/tunnel", "Connection: Upgrade", "Upgrade: websocket"),
          { awaitText: "101" },
          "frame",
          { awaitText: "answer" },
          { fin: true },
        ],
      },
    ],
    replies: [
      {
        steps: [
          "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
          { awaitText: "frame" },
          "answer",
        ],
        tunnel: true,
      },
    ],
  },
];

export const upstreamTlsGroup: Group = {
  id: "upstream-tls",
  title: "TLS to upstreams, source addresses, several addresses of one upstream",
  certificates: true,
  upstreams: {
    secure: { certificate: "server_ec" },
    expired: { certificate: "client_expired" },
    asking: { certificate: "server_ec", clientAuthority: "authority" },
    only13: { certificate: "server_ec", minVersion: "TLSv1.3" },
    speaking: { certificate: "server_ec", alpn: ["custom", "http/1.1"] },
  },
  sites: {
    main: {
      virtualHosts,
      logFormat: { text_format_source: { inline_string: FORMAT } },
      hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] },
    },
    tcp: { tcp: { cluster: "trusted" } },
    tcp_stranger: {
      tcp: { cluster: "stranger" },
      logFormat: { text_format_source: { inline_string: TCP_FORMAT } },
    },
  },
  clusters,
  cases: [...seen, ...judged, ...sockets, ...others],
};
