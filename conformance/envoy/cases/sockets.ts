// Where listeners listen: unix sockets, IPv6, both families, several addresses, ports that are not
// bound; and listener filters that are switched off by the port.
import type { Case, Connection, Group, Json, JsonObject, Site } from "../case.ts";
import { get } from "../case.ts";

const TYPES = "type.googleapis.com/envoy.extensions.filters.listener";

const FORMAT: JsonObject = {
  text_format_source: {
    inline_string:
      "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% " +
      "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%\n",
  },
};

function ip(address: string, port: Json, more: JsonObject = {}): JsonObject {
  return { socket_address: { address, port_value: port, ...more } };
}

function pipe(path: string, more: JsonObject = {}): JsonObject {
  return { pipe: { path, ...more } };
}

function to(site: string, where: NonNullable<Connection["to"]>): readonly Connection[] {
  return [{ site, send: [get("/")], to: where }];
}

const addresses: readonly Case[] = [
  {
    id: "socket-unix",
    title: "a unix socket",
    connections: to("unix", { path: "$DIR/unix.sock" }),
  },
  {
    id: "socket-unix-edge",
    title: "use_remote_address with a unix peer",
    connections: to("unixedge", { path: "$DIR/edge.sock" }),
  },
  {
    id: "socket-abstract",
    title: "an abstract unix socket",
    connections: to("abstract", { path: "\0$DIR/abstract" }),
  },
  { id: "socket-ipv6", title: "IPv6", connections: to("six", { host: "::1" }) },
  {
    id: "socket-dual-four",
    title: "ipv4_compat: IPv4 on an IPv6 socket",
    connections: to("dual", { host: "127.0.0.1" }),
  },
  {
    id: "socket-dual-six",
    title: "ipv4_compat: IPv6",
    connections: to("dual", { host: "::1" }),
  },
  {
    id: "socket-dual-match",
    title: "ipv4_compat: filter_chain_match sees IPv4",
    connections: to("dualmatch", { host: "127.0.0.1" }),
  },
  {
    id: "socket-additional-first",
    title: "additional_addresses: the first address",
    connections: to("several", { host: "127.0.0.1" }),
  },
  {
    id: "socket-additional-second",
    title: "additional_addresses: another one",
    connections: to("several", { host: "127.0.0.2" }),
  },
  {
    id: "socket-additional-unix",
    title: "additional_addresses: a unix socket beside",
    connections: to("several", { path: "$DIR/several.sock" }),
  },
  {
    id: "socket-unbound",
    title: "bind_to_port: false: nobody listens",
    connections: [{ site: "unbound", raw: true, send: [{ awaitEnd: true }] }],
  },
  {
    id: "socket-options",
    title: "options of sockets that change nothing of what is seen",
    connections: to("options", { host: "127.0.0.1" }),
  },
];

const disabled: readonly Case[] = [
  {
    id: "filter-disabled-port",
    title: "filter_disabled: the PROXY header is not looked for on this port",
    connections: [{ site: "off", send: [get("/")] }],
  },
  {
    id: "filter-disabled-other-port",
    title: "filter_disabled: another port",
    connections: [{ site: "on", raw: true, send: [get("/"), { awaitEnd: true }] }],
  },
  {
    id: "filter-disabled-silent",
    title: "filter_disabled: nobody waits for the client's bytes",
    connections: [{ site: "silent", raw: true, send: [{ awaitText: "hello" }] }],
    streams: [{ steps: ["hello"], after: "close" }],
  },
  {
    id: "filter-disabled-behind",
    title: "filter_disabled looks at the port that a filter before it has found",
    connections: [
      {
        site: "behind",
        send: [`PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n${get("/")}`],
      },
    ],
  },
];

function range(start: Json, end: Json): JsonObject {
  return { destination_port_range: { start, end } };
}

function listenerFilter(name: string, type: string, filter_disabled?: JsonObject): JsonObject {
  const typed_config = { "@type": `${TYPES}.${type}` };
  return { name, typed_config, ...(filter_disabled === undefined ? {} : { filter_disabled }) };
}

function proxy(filter_disabled?: JsonObject): JsonObject {
  return listenerFilter("proxy", "proxy_protocol.v3.ProxyProtocol", filter_disabled);
}

const base: Site = { logFormat: FORMAT };
const ALWAYS = { any_match: true };

export const sockets: Group = {
  id: "sockets",
  title: "addresses and sockets of listeners",
  stats: "listener\\.|proxy_proto\\.|tls_inspector\\.",
  sites: {
    unix: { ...base, address: pipe("$DIR/unix.sock", { mode: 0o660 }) },
    unixedge: {
      ...base,
      address: pipe("$DIR/edge.sock"),
      hcm: { use_remote_address: true },
    },
    abstract: { ...base, address: pipe("@$DIR/abstract") },
    six: { ...base, address: ip("::1", "$port:six") },
    dual: { ...base, address: ip("::", "$port:dual", { ipv4_compat: true }) },
    dualmatch: {
      address: ip("::", "$port:dualmatch", { ipv4_compat: true }),
      chains: [
        {
          ...base,
          name: "four",
          match: { prefix_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }] },
        },
      ],
    },
    several: {
      ...base,
      listener: {
        additional_addresses: [
          { address: ip("127.0.0.2", "$port:several"), tcp_keepalive: { keepalive_time: 20 } },
          { address: pipe("$DIR/several.sock"), socket_options: {} },
        ],
      },
    },
    unbound: { ...base, listener: { bind_to_port: false } },
    options: {
      ...base,
      listener: {
        tcp_keepalive: { keepalive_time: 30, keepalive_interval: 5, keepalive_probes: 3 },
        tcp_fast_open_queue_length: 16,
        tcp_backlog_size: 32,
        per_connection_buffer_limit_bytes: 4096,
        connection_balance_config: { exact_balance: {} },
        max_connections_to_accept_per_socket_event: 1,
        socket_options: [
          { level: 1, name: 9, int_value: 1, state: "STATE_PREBIND" },
          { level: 6, name: 4, int_value: 60, state: "STATE_PREBIND" },
          { level: 6, name: 5, int_value: 10, state: "STATE_BOUND" },
          { level: 6, name: 6, int_value: 4, state: "STATE_LISTENING" },
          { level: 6, name: 1, int_value: 1, state: "STATE_PREBIND" },
          { level: 1, name: 2, int_value: 1, state: "STATE_PREBIND" },
        ],
      },
    },
    off: { ...base, listenerFilters: [proxy({ not_match: range(1, 2) })] },
    on: {
      ...base,
      listenerFilters: [proxy({ and_match: { rules: [ALWAYS, range(1, 2)] } })],
    },
    silent: {
      tcp: {},
      listenerFilters: [
        proxy({ or_match: { rules: [range(1, 2), range(1024, 65_535)] } }),
        listenerFilter("tls", "tls_inspector.v3.TlsInspector", ALWAYS),
      ],
    },
    behind: {
      ...base,
      listenerFilters: [
        proxy(),
        listenerFilter("tls", "tls_inspector.v3.TlsInspector", range(443, 444)),
      ],
    },
  },
  cases: [...addresses, ...disabled],
};
