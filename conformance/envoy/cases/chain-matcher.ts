// filter_chain_matcher: every network input, lists, maps, address tries, and what happens when a
// nested matcher finds nothing.
import type { Case, Chain, Connection, Group, Json, JsonObject, Site } from "../case.ts";
import { clientHello, type Hello } from "../client-hello.ts";

const TYPES = "type.googleapis.com";
const INPUTS = `${TYPES}/envoy.extensions.matching.common_inputs.network.v3`;
const LISTENERS = `${TYPES}/envoy.extensions.filters.listener`;

function input(name: string): JsonObject {
  return { name, typed_config: { "@type": `${INPUTS}.${name}` } };
}

/** `on_match` with the name of a chain. */
function to(name: string, more: JsonObject = {}): JsonObject {
  const typed_config = { "@type": `${TYPES}/google.protobuf.StringValue`, value: name };
  return { action: { name: "chain", typed_config }, ...more };
}

function nested(matcher: JsonObject): JsonObject {
  return { matcher };
}

function exact(name: string, map: JsonObject, more: JsonObject = {}): JsonObject {
  return { matcher_tree: { input: input(name), exact_match_map: { map } }, ...more };
}

function prefix(name: string, map: JsonObject, more: JsonObject = {}): JsonObject {
  return { matcher_tree: { input: input(name), prefix_match_map: { map } }, ...more };
}

function custom(name: string, type: string, fields: JsonObject, more: JsonObject = {}): JsonObject {
  const typed_config = { "@type": `${TYPES}/xds.type.matcher.v3.${type}`, ...fields };
  return { matcher_tree: { input: input(name), custom_match: { name, typed_config } }, ...more };
}

type Rule = readonly [predicate: JsonObject, onMatch: JsonObject];

function list(rules: readonly Rule[], more: JsonObject = {}): JsonObject {
  const matchers = rules.map(([predicate, on_match]) => ({ predicate, on_match }));
  return { matcher_list: { matchers }, ...more };
}

function is(name: string, value_match: JsonObject): JsonObject {
  return { single_predicate: { input: input(name), value_match } };
}

function range(text: string): JsonObject {
  const [address_prefix = "", length = "32"] = text.split("/");
  return { address_prefix, prefix_len: Number(length) };
}

const otherwise = { on_no_match: to("else") };

/** A chain whose TCP log has its name, and whose connections reach the upstream. */
function passes(name: string): Chain {
  return { name, tcp: {}, logFormat: CHAIN_FORMAT };
}

const CHAIN_FORMAT: JsonObject = {
  text_format_source: { inline_string: "%FILTER_CHAIN_NAME% %REQUESTED_SERVER_NAME%\n" },
};

/** A listener with chains a, b, c and else, and the matcher; on all addresses of this machine. */
function site(name: string, matcher: JsonObject, more: Site = {}): Site {
  const port_value: Json = `$port:${name}`;
  return {
    address: { socket_address: { address: "0.0.0.0", port_value } },
    chains: ["a", "b", "c", "else"].map(passes),
    ...more,
    listener: { filter_chain_matcher: matcher, ...more.listener },
  };
}

const STREAMS = [{ steps: ["hello"], after: "close" }] as const;

/** A connection that greets and shows by the log which chain it got; none: it is closed. */
function dial(name: string, host = "127.0.0.1", from = "127.0.0.1"): readonly Connection[] {
  return [
    { site: name, raw: true, send: [{ awaitEnd: true }], to: { host }, from: { host: from } },
  ];
}

/** The same with a ClientHello in front, for listeners with a tls_inspector. */
function hello(name: string, says: Hello): readonly Connection[] {
  return [{ site: name, raw: true, send: [clientHello(says), { awaitEnd: true }] }];
}

function one(id: string, title: string, connections: readonly Connection[]): Case {
  return { id: `matcher-${id}`, title, connections, streams: STREAMS };
}

const TLS = {
  name: "tls",
  typed_config: { "@type": `${LISTENERS}.tls_inspector.v3.TlsInspector` },
};
const PROXY = {
  name: "proxy",
  typed_config: { "@type": `${LISTENERS}.proxy_protocol.v3.ProxyProtocol` },
};

/** Behind a PROXY header: source 192.0.2.7:4660, destination 198.51.100.9:443. */
function proxied(name: string): readonly Connection[] {
  const header = "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";
  return [{ site: name, raw: true, send: [header, { awaitEnd: true }] }];
}

const IP_RULES: readonly JsonObject[] = [
  { ranges: [range("127.0.0.0/8")], on_match: to("a") },
  { ranges: [range("127.0.1.0/24"), range("127.0.2.0/24")], on_match: to("b") },
  {
    ranges: [range("127.0.2.9/32")],
    on_match: nested(exact("DestinationPortInput", { "1": to("c") })),
  },
];

const NAMES: JsonObject = {
  domain_matchers: [
    { domains: ["one.test"], on_match: to("a") },
    { domains: ["*.wild.test"], on_match: to("b") },
    {
      domains: ["x.wild.test"],
      on_match: nested(exact("DestinationPortInput", { "1": to("c") })),
    },
  ],
};

const sites: Readonly<Record<string, Site>> = {
  destport: site(
    "destport",
    exact("DestinationPortInput", { "$port:destport": to("a") }, otherwise),
  ),
  destip: site("destip", exact("DestinationIPInput", { "127.0.0.2": to("a") }, otherwise)),
  sourceip: site("sourceip", exact("SourceIPInput", { "127.0.0.3": to("a") }, otherwise)),
  direct: site(
    "direct",
    exact("DirectSourceIPInput", {
      "127.0.0.1": nested(exact("SourceIPInput", { "192.0.2.7": to("a") }, otherwise)),
    }),
    { listenerFilters: [PROXY] },
  ),
  ports: site(
    "ports",
    exact("SourcePortInput", {
      "4660": nested(exact("DestinationPortInput", { "443": to("a") }, otherwise)),
    }),
    { listenerFilters: [PROXY] },
  ),
  type: site("type", exact("SourceTypeInput", { local: to("a") }, otherwise)),
  typeproxied: site("typeproxied", exact("SourceTypeInput", { local: to("a") }, otherwise), {
    listenerFilters: [PROXY],
  }),
  transport: site(
    "transport",
    exact("TransportProtocolInput", { raw_buffer: to("a"), tls: to("b") }, otherwise),
    { listenerFilters: [TLS] },
  ),
  transportbare: site(
    "transportbare",
    exact("TransportProtocolInput", { raw_buffer: to("a") }, otherwise),
  ),
  name: site("name", exact("ServerNameInput", { "one.test": to("a"), "": to("b") }, otherwise), {
    listenerFilters: [TLS],
  }),
  alpn: site(
    "alpn",
    exact("ApplicationProtocolInput", { "'h2'": to("a"), "'h2','http/1.1'": to("b") }, otherwise),
    { listenerFilters: [TLS] },
  ),
  prefix: site(
    "prefix",
    prefix("DestinationIPInput", {
      "127.0.": to("a"),
      "127.0.5.": to("b"),
      "127.0.6.": nested(exact("DestinationPortInput", { "1": to("c") })),
    }),
  ),
  exactnested: site(
    "exactnested",
    exact(
      "DestinationIPInput",
      {
        "127.0.0.1": nested(exact("DestinationPortInput", { "1": to("c") })),
        "127.0.0.2": nested(exact("DestinationPortInput", { "1": to("c") }, otherwise)),
      },
      { on_no_match: to("b") },
    ),
  ),
  list: site(
    "list",
    list([
      [
        is("DestinationIPInput", { prefix: "127.0.7." }),
        nested(exact("DestinationPortInput", { "1": to("c") })),
      ],
      [is("DestinationIPInput", { suffix: ".7" }), to("a")],
      [
        {
          and_matcher: {
            predicate: [
              is("DestinationIPInput", { contains: ".8." }),
              { not_matcher: is("DestinationIPInput", { exact: "127.8.8.8" }) },
            ],
          },
        },
        to("b"),
      ],
      [
        {
          or_matcher: {
            predicate: [
              is("DestinationIPInput", {
                safe_regex: { google_re2: {}, regex: "127\\.9\\.\\d+\\.1" },
              }),
              is("DestinationIPInput", { exact: "127.9.9.9" }),
            ],
          },
        },
        to("c"),
      ],
    ]),
    { defaultChain: { ...passes("fallback") } },
  ),
  cidr: site(
    "cidr",
    list([
      [
        {
          single_predicate: {
            input: input("SourceIPInput"),
            custom_match: {
              name: "ip",
              typed_config: {
                "@type": `${TYPES}/envoy.extensions.matching.input_matchers.ip.v3.Ip`,
                stat_prefix: "x",
                cidr_ranges: [range("127.0.4.0/24")],
              },
            },
          },
        },
        to("a"),
      ],
    ]),
  ),
  trie: site(
    "trie",
    custom("DestinationIPInput", "IPMatcher", { range_matchers: IP_RULES }, otherwise),
  ),
  trieonly: site(
    "trieonly",
    custom("DestinationIPInput", "IPMatcher", {
      range_matchers: IP_RULES.map((rule, at) => (at === 1 ? { ...rule, exclusive: true } : rule)),
    }),
  ),
  names: site("names", custom("ServerNameInput", "ServerNameMatcher", NAMES, otherwise), {
    listenerFilters: [TLS],
  }),
  unknown: site(
    "unknown",
    exact("DestinationPortInput", { "1": to("a") }, { on_no_match: to("nobody") }),
    {
      defaultChain: passes("fallback"),
    },
  ),
  nothing: site("nothing", exact("DestinationPortInput", { "1": to("a") })),
  fallback: site("fallback", exact("DestinationPortInput", { "1": to("a") }), {
    defaultChain: passes("fallback"),
  }),
  fordefault: site(
    "fordefault",
    { on_no_match: to("fallback") },
    { defaultChain: passes("fallback") },
  ),
  always: site("always", { on_no_match: to("b") }),
  ignored: site(
    "ignored",
    { on_no_match: to("a") },
    {
      chains: [{ ...passes("a"), match: { destination_port: 1 } }],
    },
  ),
};

const cases: readonly Case[] = [
  one("destination-port", "DestinationPortInput", dial("destport")),
  one("destination-ip", "DestinationIPInput", dial("destip", "127.0.0.2")),
  one("destination-ip-else", "on_no_match", dial("destip", "127.0.0.4")),
  one("source-ip", "SourceIPInput", dial("sourceip", "127.0.0.1", "127.0.0.3")),
  one("direct-source-ip", "DirectSourceIPInput behind a PROXY header", proxied("direct")),
  one("ports", "SourcePortInput and DestinationPortInput of a PROXY header", proxied("ports")),
  one("source-type-local", "SourceTypeInput of a loopback peer", dial("type")),
  one("source-type-else", "SourceTypeInput of a peer elsewhere", proxied("typeproxied")),
  one("transport-tls", "TransportProtocolInput: tls", hello("transport", { servername: "a.test" })),
  one("transport-raw", "TransportProtocolInput: bytes that are no TLS", [
    { site: "transport", raw: true, send: ["\x00plain", { awaitEnd: true }] },
  ]),
  one("transport-bare", "TransportProtocolInput without an inspector", dial("transportbare")),
  one("server-name", "ServerNameInput", hello("name", { servername: "one.test" })),
  one("server-name-else", "ServerNameInput: another", hello("name", { servername: "two.test" })),
  one("server-name-none", "ServerNameInput: none", hello("name", {})),
  one("alpn-one", "ApplicationProtocolInput: one", hello("alpn", { alpn: ["h2"] })),
  one("alpn-two", "ApplicationProtocolInput: two", hello("alpn", { alpn: ["h2", "http/1.1"] })),
  one("alpn-none", "ApplicationProtocolInput: none", hello("alpn", {})),
  one("prefix-short", "prefix_match_map: the shorter", dial("prefix", "127.0.9.9")),
  one("prefix-long", "prefix_match_map: the longer wins", dial("prefix", "127.0.5.9")),
  one(
    "prefix-nested",
    "prefix_match_map: the longest finds nothing inside",
    dial("prefix", "127.0.6.9"),
  ),
  one("prefix-none", "prefix_match_map: none", dial("prefix", "127.1.6.9")),
  one("exact-nested", "exact_match_map: a nested matcher finds nothing", dial("exactnested")),
  one(
    "exact-nested-else",
    "exact_match_map: a nested on_no_match",
    dial("exactnested", "127.0.0.2"),
  ),
  one(
    "list-nested",
    "matcher_list: a nested matcher finds nothing, the next is tried",
    dial("list", "127.0.7.7"),
  ),
  one("list-nested-none", "matcher_list: and none of the next either", dial("list", "127.0.7.1")),
  one("list-suffix", "matcher_list: suffix", dial("list", "127.3.3.7")),
  one("list-and", "matcher_list: and, contains", dial("list", "127.8.8.1")),
  one("list-not", "matcher_list: not", dial("list", "127.8.8.8")),
  one("list-or", "matcher_list: or, regex", dial("list", "127.9.22.1")),
  one("list-none", "matcher_list: none: the default chain", dial("list", "127.9.22.2")),
  one("ip-custom", "custom_match Ip", dial("cidr", "127.0.0.1", "127.0.4.4")),
  one("ip-custom-none", "custom_match Ip: outside", dial("cidr", "127.0.0.1", "127.0.5.4")),
  one("trie-wide", "IPMatcher: the widest range", dial("trie", "127.3.0.1")),
  one("trie-narrow", "IPMatcher: the longest prefix", dial("trie", "127.0.1.1")),
  one("trie-nested", "IPMatcher: the longest finds nothing inside", dial("trie", "127.0.2.9")),
  one("trie-exclusive", "IPMatcher: exclusive, the longest", dial("trieonly", "127.0.1.1")),
  one(
    "trie-exclusive-nested",
    "IPMatcher: exclusive is passed over",
    dial("trieonly", "127.0.2.9"),
  ),
  one("names-exact", "ServerNameMatcher: exact", hello("names", { servername: "one.test" })),
  one("names-wild", "ServerNameMatcher: wildcard", hello("names", { servername: "y.wild.test" })),
  one(
    "names-deep",
    "ServerNameMatcher: deep wildcard",
    hello("names", { servername: "z.y.wild.test" }),
  ),
  one(
    "names-nested",
    "ServerNameMatcher: nested nothing",
    hello("names", { servername: "x.wild.test" }),
  ),
  one(
    "names-self",
    "ServerNameMatcher: the wildcard's own",
    hello("names", { servername: "wild.test" }),
  ),
  one("names-none", "ServerNameMatcher: without a name", hello("names", {})),
  one("unknown-chain", "a chain that does not exist: no default for it", dial("unknown")),
  one("no-match", "nothing matches: closed", dial("nothing")),
  one("no-match-default", "nothing matches: the default chain", dial("fallback")),
  one("default-by-name", "the default chain cannot be named", dial("fordefault")),
  one("always", "on_no_match alone", dial("always")),
  one("match-ignored", "filter_chain_match does not count beside it", dial("ignored")),
];

export const chainMatcher: Group = {
  id: "chain-matcher",
  title: "filter_chain_matcher",
  stats: "listener\\.",
  sites,
  cases,
};
