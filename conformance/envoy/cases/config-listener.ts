// Listeners, filter chains and listener filters of which Envoy refuses some: only yes or no is compared.
import type { Chain, ConfigCase, JsonObject, Site } from "../case.ts";

const TYPES = "type.googleapis.com";
const FILTERS = `${TYPES}/envoy.extensions.filters.listener`;
const INPUTS = `${TYPES}/envoy.extensions.matching.common_inputs.network.v3`;

function chains(...matches: readonly (JsonObject | undefined)[]): Site {
  return {
    chains: matches.map((match): Chain => (match === undefined ? { tcp: {} } : { tcp: {}, match })),
  };
}

function listener(fields: JsonObject): Site {
  return { tcp: {}, listener: fields };
}

function tcp(fields: JsonObject): Site {
  return { tcp: fields };
}

function filter(type: string, fields: JsonObject = {}, more: JsonObject = {}): Site {
  const typed_config = { "@type": `${FILTERS}.${type}`, ...fields };
  return { tcp: {}, listenerFilters: [{ name: "filter", typed_config, ...more }] };
}

const PROXY = "proxy_protocol.v3.ProxyProtocol";
const TLS = "tls_inspector.v3.TlsInspector";

function matcher(fields: JsonObject, names: readonly string[] = ["a"]): Site {
  return {
    chains: names.map((name): Chain => (name === "" ? { tcp: {} } : { name, tcp: {} })),
    listener: { filter_chain_matcher: fields },
  };
}

function to(name: string): JsonObject {
  const typed_config = { "@type": `${TYPES}/google.protobuf.StringValue`, value: name };
  return { action: { name: "chain", typed_config } };
}

function input(name: string): JsonObject {
  return { name, typed_config: { "@type": `${INPUTS}.${name}` } };
}

function tree(name: string, rest: JsonObject): JsonObject {
  return { matcher_tree: { input: input(name), ...rest } };
}

function names(...domains: readonly string[]): JsonObject {
  const typed_config = {
    "@type": `${TYPES}/xds.type.matcher.v3.ServerNameMatcher`,
    domain_matchers: [{ domains, on_match: to("a") }],
  };
  return tree("ServerNameInput", { custom_match: { name: "names", typed_config } });
}

function range(address_prefix: string, prefix_len: number): JsonObject {
  return { address_prefix, prefix_len };
}

type Row = readonly [id: string, title: string, site: Site];

const rows: readonly Row[] = [
  ["chain-twice", "two chains without a match", chains(undefined, undefined)],
  ["chain-same", "two chains with one match", chains({ source_ports: [1] }, { source_ports: [1] })],
  [
    "chain-overlap",
    "two chains that share a port",
    chains({ source_ports: [1, 2] }, { source_ports: [2] }),
  ],
  [
    "chain-nested-ranges",
    "a range within a range",
    chains({ prefix_ranges: [range("10.0.0.0", 8)] }, { prefix_ranges: [range("10.1.0.0", 16)] }),
  ],
  [
    "chain-same-range",
    "the same range, other bits behind its length",
    chains({ prefix_ranges: [range("10.0.0.0", 8)] }, { prefix_ranges: [range("10.9.9.9", 8)] }),
  ],
  [
    "chain-bad-range",
    "a range whose address is none",
    chains({ prefix_ranges: [range("10.0.0", 8)] }),
  ],
  ["chain-star-inside", "a star inside a server name", chains({ server_names: ["a.*.test"] })],
  ["chain-star-alone", "a star as a server name", chains({ server_names: ["*"] })],
  ["chain-star-glued", "a star glued to a server name", chains({ server_names: ["*a.test"] })],
  [
    "chain-name-case",
    "server names in other letters",
    chains({ server_names: ["a.test"] }, { server_names: ["A.test"] }),
  ],
  ["chain-suffix", "address_suffix", chains({ address_suffix: "x", suffix_len: 1 })],
  ["chain-none", "no filter chain at all", { listener: { filter_chains: [] } }],
  ["chain-port-zero", "a destination port of 0", chains({ destination_port: 0 })],
  ["chain-source-port-high", "a source port of 65536", chains({ source_ports: [65_536] })],
  [
    "chain-transport-odd",
    "a transport protocol that nobody has",
    chains({ transport_protocol: "quic" }),
  ],
  ["matcher-plain", "a matcher", matcher({ on_no_match: to("a") })],
  [
    "matcher-nameless",
    "a matcher, and a chain without a name",
    matcher({ on_no_match: to("a") }, ["a", ""]),
  ],
  [
    "matcher-same-names",
    "a matcher, and two chains of a name",
    matcher({ on_no_match: to("a") }, ["a", "a"]),
  ],
  ["matcher-unknown-name", "a matcher that names no chain", matcher({ on_no_match: to("b") })],
  [
    "matcher-empty-map",
    "an empty map",
    matcher(tree("SourceIPInput", { exact_match_map: { map: {} } })),
  ],
  [
    "matcher-http-input",
    "an input of requests",
    matcher({
      matcher_tree: {
        input: {
          name: "h",
          typed_config: {
            "@type": `${TYPES}/envoy.type.matcher.v3.HttpRequestHeaderMatchInput`,
            header_name: "x",
          },
        },
        exact_match_map: { map: { x: to("a") } },
      },
    }),
  ],
  [
    "matcher-action",
    "an action that is no name",
    matcher({
      on_no_match: {
        action: { name: "x", typed_config: { "@type": `${TYPES}/google.protobuf.Empty` } },
      },
    }),
  ],
  ["matcher-names", "ServerNameMatcher", matcher(names("a.test", "*.b.test", "*"))],
  ["matcher-names-twice", "ServerNameMatcher: a name twice", matcher(names("a.test", "a.test"))],
  ["matcher-names-star", "ServerNameMatcher: a star inside", matcher(names("a.*.test"))],
  [
    "proxy-both-disallowed",
    "both versions of PROXY disallowed",
    filter(PROXY, { disallowed_versions: ["V1", "V2"] }),
  ],
  [
    "proxy-tlv-high",
    "a TLV type above 255",
    filter(PROXY, { rules: [{ tlv_type: 256, on_tlv_present: { key: "a" } }] }),
  ],
  ["hello-size-small", "max_client_hello_size of 255", filter(TLS, { max_client_hello_size: 255 })],
  [
    "hello-size-large",
    "max_client_hello_size of 16385",
    filter(TLS, { max_client_hello_size: 16_385 }),
  ],
  [
    "filter-disabled-empty",
    "filter_disabled without a rule",
    filter(TLS, {}, { filter_disabled: {} }),
  ],
  [
    "filter-disabled-one",
    "filter_disabled: or of one",
    filter(TLS, {}, { filter_disabled: { or_match: { rules: [{ any_match: true }] } } }),
  ],
  ["unbound", "bind_to_port: false", listener({ bind_to_port: false })],
  ["fast-open", "tcp_fast_open_queue_length", listener({ tcp_fast_open_queue_length: 8 })],
  [
    "keep-alive-option",
    "keep-alive as socket options",
    listener({ socket_options: [{ level: 1, name: 9, int_value: 1, state: "STATE_PREBIND" }] }),
  ],
  [
    "pipe-long",
    "a path of 108 bytes",
    { tcp: {}, address: { pipe: { path: `/${"x".repeat(107)}` } } },
  ],
  [
    "pipe-mode",
    "a mode above 0777",
    { tcp: {}, address: { pipe: { path: "$DIR/x", mode: 0o1000 } } },
  ],
  [
    "pipe-abstract-mode",
    "a mode of an abstract socket",
    { tcp: {}, address: { pipe: { path: "@x", mode: 0o600 } } },
  ],
  [
    "address-name",
    "a host name as an address",
    { tcp: {}, address: { socket_address: { address: "localhost", port_value: 1 } } },
  ],
  [
    "address-compat",
    "ipv4_compat of an IPv4 address",
    {
      tcp: {},
      address: { socket_address: { address: "0.0.0.0", port_value: 1, ipv4_compat: true } },
    },
  ],
  [
    "tcp-no-cluster",
    "a TCP proxy without a cluster",
    {
      filters: [
        {
          name: "t",
          typed_config: {
            "@type": `${TYPES}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
            stat_prefix: "x",
          },
        },
      ],
    },
  ],
  ["tcp-no-prefix", "a TCP proxy without a stat_prefix", tcp({ stat_prefix: "" })],
  ["tcp-attempts-zero", "max_connect_attempts: 0", tcp({ max_connect_attempts: 0 })],
  [
    "tcp-weights-none",
    "weighted_clusters without a cluster",
    tcp({ weighted_clusters: { clusters: [] } }),
  ],
  [
    "tcp-duration-zero",
    "max_downstream_connection_duration: 0s",
    tcp({ max_downstream_connection_duration: "0s" }),
  ],
];

export const LISTENER_CONFIG_CASES: readonly ConfigCase[] = rows.map(([id, title, site]) => ({
  id: `config-listener-${id}`,
  title: `listener: ${title}`,
  site,
}));
