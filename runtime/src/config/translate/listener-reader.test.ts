import { expect, test } from "vitest";
import {
  address,
  boot,
  type Fields,
  HCM,
  listenerOf,
  problems,
  router,
  table,
  translate,
  type,
  warnings,
} from "./bootstrap-for-test.ts";

const LISTENER = "static_resources.listeners[0]";
const INSPECTOR = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
const HTTP_INSPECTOR = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector";
const ORIGINAL_DST = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst";
const PROXY_PROTOCOL = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
const RAW = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
const ALTS = "envoy.extensions.transport_sockets.alts.v3.Alts";
const alts = { ...type(ALTS), handshaker_service: "x" };
const NETWORK = "envoy.extensions.filters.network";
const ECHO = `${NETWORK}.echo.v3.Echo`;
const DIRECT_RESPONSE = `${NETWORK}.direct_response.v3.Config`;
const CONNECTION_LIMIT = `${NETWORK}.connection_limit.v3.ConnectionLimit`;
const REDIS = `${NETWORK}.redis_proxy.v3.RedisProxy`;

const STDOUT_LOG = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";

const noFilters = { networkFilters: [], hcm: null, tcpProxy: null, localFilter: null };
const redis = {
  ...type(REDIS),
  stat_prefix: "r",
  settings: { op_timeout: "1s" },
};

const listenerProblems = (listener: Fields): Promise<string[]> => problems(boot({ listener }));
const chainProblems = (chain: Fields): Promise<string[]> => problems(boot({ chain }));

const manager = {
  ...type(HCM),
  stat_prefix: "x",
  route_config: table(),
  http_filters: [router],
};

test("gives a listener of which little is said Envoy's defaults", async () => {
  const { filterChains, ...listener } = await listenerOf({});
  expect(filterChains).toHaveLength(1);
  expect(listener).toEqual({
    name: "main",
    where: LISTENER,
    address: { kind: "ip", address: "127.0.0.1", port: 0, ipv4Compat: false, pipeMode: 0 },
    additionalAddresses: [],
    statPrefix: "127.0.0.1_0",
    reusePort: true,
    backlog: 0,
    bindToPort: true,
    bypassesOverloadManager: false,
    ignoresGlobalConnectionLimit: false,
    sharedIndex: 0,
    perConnectionBufferBytesMax: 1_048_576,
    defaultFilterChain: null,
    filterChainMatcher: null,
    listenerFilters: [],
    listenerFiltersTimeoutMs: 15_000,
    continuesOnListenerFiltersTimeout: false,
    trafficDirection: "unspecified",
    drainType: "default",
    accessLogs: [],
    keepAlive: null,
    additionalKeepAlives: [],
  });
});

test("reads every field of a listener", async () => {
  const listener = await listenerOf({
    listener: {
      name: "edge",
      address: address("::1", 8080),
      additional_addresses: [{ address: { pipe: { path: "@edge" } } }],
      stat_prefix: "e:d://ge",
      enable_reuse_port: false,
      tcp_backlog_size: 64,
      per_connection_buffer_limit_bytes: 32_768,
      traffic_direction: "OUTBOUND",
      drain_type: "MODIFY_ONLY",
      tcp_keepalive: { keepalive_time: 30 },
      access_log: [{ name: "x", typed_config: type(STDOUT_LOG) }],
    },
    chain: { name: "only" },
  });
  expect(listener).toMatchObject({
    name: "edge",
    address: { kind: "ip", address: "::1", port: 8080 },
    additionalAddresses: [{ kind: "pipe", address: "@edge", port: 0, pipeMode: 0 }],
    statPrefix: "e_d_ge",
    reusePort: false,
    backlog: 64,
    perConnectionBufferBytesMax: 32_768,
    trafficDirection: "outbound",
    drainType: "modify_only",
    accessLogs: [{ filter: null, sink: { kind: "stdout", format: null } }],
    keepAlive: { idleSeconds: 30, intervalSeconds: 75, probes: 9 },
  });
  expect(listener.filterChains[0]?.name).toBe("only");
});

test("keeps connections alive after two hours when the time is not said", async () => {
  const listener = await listenerOf({ listener: { tcp_keepalive: {} } });
  expect(listener.keepAlive).toEqual({ idleSeconds: 7200, intervalSeconds: 75, probes: 9 });
});

test("lets enable_reuse_port win over the deprecated reuse_port", async () => {
  expect((await listenerOf({ listener: { reuse_port: false } })).reusePort).toBe(false);
  const both = { reuse_port: false, enable_reuse_port: true };
  expect((await listenerOf({ listener: both })).reusePort).toBe(true);
});

test("writes IPv6 addresses in names of stats as Envoy does", async () => {
  const listener = await listenerOf({ listener: { address: address("::1", 10_000) } });
  expect(listener.statPrefix).toBe("[__1]_10000");
});

test("names listeners without a name after their address, each otherwise", async () => {
  const config = boot({ listener: { name: "" } });
  const { listeners } = config["static_resources"] as { listeners: Fields[] };
  listeners.push(listeners[0] as Fields, { ...listeners[0], name: "127.0.0.1:0#3" });
  const { snapshot } = await translate(config);
  const names = snapshot.listeners.map((listener) => listener.name);
  expect(names).toEqual(["127.0.0.1:0", "127.0.0.1:0#2", "127.0.0.1:0#3"]);
});

test("refuses a name or an address that two listeners have", async () => {
  const config = boot({ listener: { address: address("127.0.0.1", 80) } });
  const { listeners } = config["static_resources"] as { listeners: Fields[] };
  listeners.push(listeners[0] as Fields);
  expect(await problems(config)).toEqual([
    "static_resources.listeners[1].name: duplicate listener 'main'",
    `static_resources.listeners[1].address: found the address 127.0.0.1:80 twice, first in ${LISTENER}`,
  ]);
});

test("lets one listener have an address twice, and all of them port 0", async () => {
  const again = [{ address: address("127.0.0.1", 80) }];
  const listener = { address: address("127.0.0.1", 80), additional_addresses: again };
  expect(await listenerProblems(listener)).toEqual([]);
});

test.each<[string, Fields, string]>([
  [
    "a name",
    address("localhost", 80),
    ".socket_address.address: malformed IP address: localhost (names need a cluster of type STRICT_DNS or LOGICAL_DNS)",
  ],
  [
    "octal bytes",
    address("127.0.0.010"),
    ".socket_address.address: malformed IP address: 127.0.0.010 (names need a cluster of type STRICT_DNS or LOGICAL_DNS)",
  ],
  [
    "ipv4_compat of IPv4",
    { socket_address: { address: "127.0.0.1", port_value: 0, ipv4_compat: true } },
    '.socket_address.ipv4_compat: found "127.0.0.1", expected an IPv6 address with ipv4_compat',
  ],
  [
    "UDP",
    { socket_address: { address: "127.0.0.1", port_value: 0, protocol: "UDP" } },
    ".socket_address.protocol: protocol UDP is not implemented by Headgate",
  ],
  [
    "a resolver",
    { socket_address: { address: "127.0.0.1", port_value: 0, resolver_name: "r" } },
    ".socket_address.resolver_name: the address resolver r is not implemented by Headgate",
  ],
  [
    "a named port",
    { socket_address: { address: "127.0.0.1", named_port: "http" } },
    ".socket_address.named_port: not implemented by Headgate",
  ],
  [
    "a network namespace",
    { socket_address: { address: "127.0.0.1", port_value: 0, network_namespace_filepath: "/n" } },
    ".socket_address.network_namespace_filepath: not implemented by Headgate",
  ],
  [
    "a path of 108 bytes",
    { pipe: { path: `/${"x".repeat(107)}` } },
    ".pipe.path: found a path of 108 bytes, expected less than 108",
  ],
  [
    "a mode of an abstract socket",
    { pipe: { path: "@a", mode: 0o600 } },
    ".pipe.mode: cannot set the mode of an abstract unix socket",
  ],
  [
    "an internal listener",
    { envoy_internal_address: { server_listener_name: "x" } },
    ".envoy_internal_address: not implemented by Headgate",
  ],
])("refuses %s as an address", async (_, value, expected) => {
  expect(await listenerProblems({ address: value })).toEqual([`${LISTENER}.address${expected}`]);
});

test("takes a unix socket with a mode, and a path of 107 bytes", async () => {
  const path = `/${"x".repeat(106)}`;
  const listener = await listenerOf({ listener: { address: { pipe: { path, mode: 0o600 } } } });
  expect(listener.address).toMatchObject({ kind: "pipe", address: path, pipeMode: 0o600 });
});

test("says what a listener lacks, and nothing of its other fields", async () => {
  expect(await listenerProblems({ address: undefined })).toEqual([
    `${LISTENER}.address: not set: value is required`,
  ]);
  expect(await listenerProblems({ filter_chains: [] })).toEqual([
    `${LISTENER}.filter_chains: no filter chains specified`,
  ]);
});

test("takes a default filter chain alone, and chains without filters", async () => {
  const chain = { name: "d", filters: [] };
  const listener = await listenerOf({
    listener: { filter_chains: [], default_filter_chain: chain },
  });
  expect(listener.filterChains).toEqual([]);
  const expected = { name: "d", match: null, tls: null, ...noFilters };
  expect(listener.defaultFilterChain).toEqual(expected);
});

test.each<[Fields, string]>([
  [{ transparent: true }, "transparent: transparent (Node cannot set IP_TRANSPARENT) is"],
  [{ freebind: true }, "freebind: freebind (Node cannot set IP_FREEBIND) is"],
  [
    { use_original_dst: true },
    "use_original_dst: use_original_dst (Node cannot ask the kernel where a connection was headed) is",
  ],
  [{ enable_mptcp: true }, "enable_mptcp:"],
  [{ udp_listener_config: { downstream_socket_config: {} } }, "udp_listener_config:"],
  [
    { socket_options: [{ level: 1, name: 7, int_value: 1 }] },
    "socket_options[0].name: the socket option SO_SNDBUF (Node cannot set it) is",
  ],
  [
    { socket_options: [{ level: 9, name: 1, int_value: 1 }] },
    "socket_options[0].name: the socket option with level and name 9/1 (Node cannot set it) is",
  ],
  [
    { socket_options: [{ level: 6, name: 4, int_value: 1, ip_version: "SOCKET_IP_VERSION_IPV4" }] },
    "socket_options[0].ip_version: an option for one version of IP is",
  ],
])("names %j as not implemented", async (listener, expected) => {
  const message = `${LISTENER}.${expected} not implemented by Headgate`;
  expect(await listenerProblems(listener)).toEqual([message]);
});

test("takes the socket options that Node can set, over tcp_keepalive", async () => {
  const option = (level: number, name: number, int_value: number, more: Fields = {}): Fields => ({
    level,
    name,
    int_value,
    ...more,
  });
  const keepAliveOf = async (socket_options: readonly Fields[], more: Fields = {}) =>
    (await listenerOf({ listener: { socket_options, ...more } })).keepAlive;
  const on = option(1, 9, 1);
  const all = [on, option(6, 4, 60), option(6, 5, 10), option(6, 6, 4)];
  expect(await keepAliveOf(all)).toEqual({ idleSeconds: 60, intervalSeconds: 10, probes: 4 });
  expect(await keepAliveOf([on])).toEqual({ idleSeconds: 7200, intervalSeconds: 75, probes: 9 });
  expect(await keepAliveOf([option(6, 4, 60)])).toBeNull();
  const usual = { tcp_keepalive: { keepalive_time: 30 } };
  expect(await keepAliveOf([option(6, 5, 10)], usual)).toEqual({
    idleSeconds: 30,
    intervalSeconds: 10,
    probes: 9,
  });
  expect(await keepAliveOf([option(1, 9, 0)], usual)).toBeNull();
  const settled = [option(6, 1, 0), option(1, 2, 1), option(1, 15, 1)];
  const datagrams = option(1, 36, 1, { type: { datagram: {} } });
  expect(await keepAliveOf([...settled, datagrams])).toBeNull();
});

test("gives additional addresses the listener's keep-alive, or their own", async () => {
  const idle = (seconds: number): readonly Fields[] => [
    { level: 1, name: 9, int_value: 1 },
    { level: 6, name: 4, int_value: seconds },
  ];
  const additional = (port: number, more: Fields = {}): Fields => ({
    address: address("127.0.0.2", port),
    ...more,
  });
  const listener = {
    socket_options: idle(60),
    additional_addresses: [
      additional(1),
      additional(2, { socket_options: {} }),
      additional(3, { socket_options: { socket_options: idle(5) } }),
      additional(4, { socket_options: {}, tcp_keepalive: { keepalive_time: 7 } }),
    ],
  };
  const { keepAlive, additionalKeepAlives } = await listenerOf({ listener });
  expect(keepAlive?.idleSeconds).toBe(60);
  expect(additionalKeepAlives.map((one) => one?.idleSeconds)).toEqual([60, undefined, 5, 7]);
});

test("refuses an additional address that says nothing", async () => {
  const [problem, ...others] = await problems(boot({ listener: { additional_addresses: [{}] } }));
  expect(problem).toContain("additional_addresses[0].address: not set: value is required");
  expect(others).toEqual([]);
});

test("reads where a listener filter is switched off", async () => {
  const range = { destination_port_range: { start: 1, end: 9 } };
  const rule = {
    or_match: {
      rules: [{ not_match: range }, { and_match: { rules: [range, { any_match: true }] } }],
    },
  };
  const filter = { name: "i", typed_config: type(INSPECTOR), filter_disabled: rule };
  const { listenerFilters } = await listenerOf({ listener: { listener_filters: [filter] } });
  const ports = { kind: "ports", start: 1, end: 9 };
  expect(listenerFilters).toEqual([
    {
      kind: "disabled",
      filter: { kind: "tls_inspector", helloBytesMax: 16_384 },
      when: {
        kind: "or",
        rules: [
          { kind: "not", rule: ports },
          { kind: "and", rules: [ports, { kind: "any" }] },
        ],
      },
    },
  ]);
});

test("does not bind what is not to be bound", async () => {
  expect((await listenerOf({ listener: { bind_to_port: false } })).bindToPort).toBe(false);
  const old = { deprecated_v1: { bind_to_port: false } };
  expect((await listenerOf({ listener: old })).bindToPort).toBe(false);
});

test("takes switches that stand at what it does anyway", async () => {
  const switches = {
    bind_to_port: true,
    transparent: false,
    freebind: false,
    use_original_dst: false,
    tcp_fast_open_queue_length: 0,
    deprecated_v1: { bind_to_port: true },
    enable_mptcp: false,
    socket_options: [],
    listener_filters: [{ name: "i", typed_config: type(INSPECTOR) }],
    listener_filters_timeout: "5s",
  };
  expect(await listenerProblems(switches)).toEqual([]);
  const chain = {
    transport_socket: { name: "raw", typed_config: type(RAW) },
    use_proxy_proto: false,
  };
  expect(await chainProblems({ ...chain, filter_chain_match: {} })).toEqual([]);
});

test.each<[string, Fields, string]>([
  [
    "another transport socket",
    { transport_socket: { name: "quic", typed_config: alts } },
    `.transport_socket: the transport socket ${ALTS} is`,
  ],
  [
    "another network filter",
    {
      filters: [{ name: "t", typed_config: redis }],
    },
    `.filters[0].typed_config: the network filter ${REDIS} is`,
  ],
  [
    "a discovered filter",
    {
      filters: [{ name: "a", config_discovery: { config_source: { ads: {} }, type_urls: ["a"] } }],
    },
    ".filters[0].config_discovery:",
  ],
])("refuses %s in a filter chain", async (_, chain, expected) => {
  const message = `${LISTENER}.filter_chains[0]${expected} not implemented by Headgate`;
  expect(await chainProblems(chain)).toEqual([message]);
});

test("reads filter chain matches, in the form that they are compared in", async () => {
  const match = {
    destination_port: 443,
    prefix_ranges: [{ address_prefix: "10.1.2.3", prefix_len: 8 }],
    server_names: ["A.example", "*.B.example"],
    transport_protocol: "tls",
    application_protocols: ["h2"],
    direct_source_prefix_ranges: [{ address_prefix: "2001:db8::7", prefix_len: 33 }],
    source_type: "EXTERNAL",
    source_prefix_ranges: [{ address_prefix: "0.0.0.0" }],
    source_ports: [1, 2],
  };
  const listener = await listenerOf({ chain: { filter_chain_match: match } });
  expect(listener.filterChains[0]?.match).toEqual({
    destinationPort: 443,
    prefixRanges: ["10.0.0.0/8"],
    serverNames: ["a.example", ".b.example"],
    transportProtocol: "tls",
    applicationProtocols: ["h2"],
    directSourcePrefixRanges: ["2001:db8::/33"],
    sourceType: "external",
    sourcePrefixRanges: ["0.0.0.0/0"],
    sourcePorts: [1, 2],
  });
});

const OVERLAP = "multiple filter chains with overlapping matching rules are defined";

/** What Envoy 1.40 refuses, and what it takes. */
test.each<[string, Fields[], string[]]>([
  ["the same name twice", [{ server_names: ["a", "a"] }], ["[0].server_names"]],
  ["a suffix in two spellings", [{ server_names: ["*.a", ".a"] }], ["[0].server_names"]],
  ["the same port twice", [{ source_ports: [1, 1] }], ["[0].source_ports"]],
  ["names of other case", [{ server_names: ["a"] }, { server_names: ["A"] }], ["[1]"]],
  [
    "ranges that differ beyond their prefix",
    [
      { prefix_ranges: [{ address_prefix: "10.1.2.3", prefix_len: 8 }] },
      { prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] },
    ],
    ["[1]"],
  ],
  ["nothing said twice", [{}, {}], ["[1]"]],
  ["one value in common", [{ source_ports: [1, 2] }, { source_ports: [2, 3] }], ["[1]"]],
  ["another port", [{ source_ports: [1] }, { source_ports: [2] }], []],
  ["one more criterion", [{ source_ports: [1] }, { source_ports: [1], server_names: ["a"] }], []],
])("compares matches as Envoy: %s", async (_, matches, paths) => {
  const chains = matches.map((match) => ({
    filter_chain_match: match,
    filters: [{ name: "m", typed_config: manager }],
  }));
  const found = await listenerProblems({ filter_chains: chains });
  expect(found.map((problem) => problem.split(": ").slice(0, 2))).toEqual(
    paths.map((path) => {
      const [chain, field] = path.split(".");
      const more = field === undefined ? "" : `.${field}`;
      return [`${LISTENER}.filter_chains${chain}.filter_chain_match${more}`, OVERLAP];
    }),
  );
});

test("refuses parts of a match that nobody implements", async () => {
  const found = await chainProblems({
    filter_chain_match: { server_names: ["w*.a"], address_suffix: "a", suffix_len: 1 },
  });
  const match = `${LISTENER}.filter_chains[0].filter_chain_match`;
  expect(found).toEqual([
    `${match}.server_names: found 'w*.a': partial wildcards are not supported in "server_names"`,
    `${match}.address_suffix: Envoy does not implement it, either`,
    `${match}.suffix_len: Envoy does not implement it, either`,
  ]);
});

test("asks for the configuration of what is only named", async () => {
  expect(await chainProblems({ filters: [{ name: "x" }] })).toEqual([
    `${LISTENER}.filter_chains[0].filters[0].typed_config: not set: value is required`,
  ]);
  expect(await chainProblems({ filters: [{ name: "x", typed_config: {} }] })).toEqual([
    `${LISTENER}.filter_chains[0].filters[0].typed_config: found no "@type" in it`,
  ]);
  expect(await chainProblems({ transport_socket: { name: "x" } })).toEqual([
    `${LISTENER}.filter_chains[0].transport_socket.typed_config: not set: value is required`,
  ]);
  expect(await listenerProblems({ listener_filters: [{ name: "x" }] })).toEqual([
    `${LISTENER}.listener_filters[0].typed_config: not set: value is required`,
  ]);
});

test("reads listener filters in their order, and their time", async () => {
  const proxy = {
    ...type(PROXY_PROTOCOL),
    stat_prefix: "p",
    allow_requests_without_proxy_protocol: true,
    disallowed_versions: ["V1"],
    pass_through_tlvs: { match_type: "INCLUDE", tlv_type: [5, 224] },
    rules: [
      { tlv_type: 0xea, on_tlv_present: { key: "a" } },
      {
        tlv_type: 4,
        on_tlv_present: { metadata_namespace: "n", key: "b", value_string_encoding: "BASE64" },
      },
    ],
  };
  const taking = { enable_ja3_fingerprinting: true, enable_ja4_fingerprinting: true };
  const filters = [proxy, { ...type(INSPECTOR), ...taking }, type(HTTP_INSPECTOR)];
  const listener = await listenerOf({
    listener: {
      listener_filters: filters.map((typed_config) => ({ name: "f", typed_config })),
      listener_filters_timeout: "1s",
      continue_on_listener_filters_timeout: true,
    },
  });
  expect(listener).toMatchObject({
    listenerFiltersTimeoutMs: 1000,
    continuesOnListenerFiltersTimeout: true,
  });
  const namespace = "envoy.filters.listener.proxy_protocol";
  expect(listener.listenerFilters).toEqual([
    {
      kind: "proxy_protocol",
      statPrefix: "p",
      isOptional: true,
      passThroughTlvs: [5, 224],
      allowsV1: false,
      allowsV2: true,
      rules: [
        { tlvType: 0xea, namespace, key: "a", isBase64: false },
        { tlvType: 4, namespace: "n", key: "b", isBase64: true },
      ],
    },
    { kind: "tls_inspector", helloBytesMax: 16_384, takesJa3: true, takesJa4: true },
    { kind: "http_inspector" },
  ]);
});

test("adds the PROXY protocol that the first chain asks for", async () => {
  const { listenerFilters } = await listenerOf({ chain: { use_proxy_proto: true } });
  expect(listenerFilters.map(({ kind }) => kind)).toEqual(["proxy_protocol"]);
});

test("warns of a match that no listener filter tells anything of, and adds none", async () => {
  const inspector = [{ name: "http", typed_config: type(HTTP_INSPECTOR) }];
  const told = async (match: Fields, filters: readonly Fields[] = []): Promise<boolean> => {
    const parts = { chain: { filter_chain_match: match }, listener: { listener_filters: filters } };
    const said = await warnings(boot(parts));
    return !said.some((text) => text.includes("add tls_inspector"));
  };
  expect(await told({ server_names: ["a"] })).toBe(false);
  expect(await told({ transport_protocol: "tls" })).toBe(false);
  expect(await told({ application_protocols: ["http/1.1"] })).toBe(false);
  expect(await told({ application_protocols: ["http/1.1"] }, inspector)).toBe(true);
  expect(await told({ server_names: ["a"] }, inspector)).toBe(false);
  expect(await told({ transport_protocol: "raw_buffer" })).toBe(true);
  const { listenerFilters } = await listenerOf({
    chain: { filter_chain_match: { server_names: ["a"] } },
  });
  expect(listenerFilters).toEqual([]);
});

test.each<[string, Fields, string]>([
  [
    "both versions disallowed",
    { ...type(PROXY_PROTOCOL), disallowed_versions: ["V1", "V2"] },
    ".disallowed_versions: all PROXY protocol versions are disallowed",
  ],
  [
    "TLVs as filter state",
    { ...type(PROXY_PROTOCOL), tlv_location: "FILTER_STATE" },
    ".tlv_location: tlv_location: FILTER_STATE is not implemented by Headgate",
  ],
  [
    "the original destination",
    type(ORIGINAL_DST),
    `: the listener filter ${ORIGINAL_DST} (Node cannot ask the kernel where a connection was headed) is not implemented by Headgate`,
  ],
])("refuses %s", async (_, typed_config, expected) => {
  const path = `${LISTENER}.listener_filters[0].typed_config`;
  const listener = { listener_filters: [{ name: "f", typed_config }] };
  expect(await listenerProblems(listener)).toEqual([path + expected]);
});

const ignoring = { ignoreUnsupported: true };

test("warns of what only tunes when --ignore-unsupported is given, and serves without it", async () => {
  const config = boot({ listener: { freebind: true, enable_mptcp: true } });
  expect(await warnings(config, ignoring)).toEqual([
    `${LISTENER}.freebind: freebind (Node cannot set IP_FREEBIND) is not implemented by Headgate`,
    `${LISTENER}.enable_mptcp: not implemented by Headgate`,
  ]);
});

test("takes the terminal filters that answer by themselves", async () => {
  const read = async (typed_config: Fields): Promise<unknown> => {
    const listener = await listenerOf({ chain: { filters: [{ name: "t", typed_config }] } });
    return listener.filterChains[0]?.localFilter;
  };
  expect(await read(type(ECHO))).toEqual({ kind: "echo" });
  const body = (text: string): unknown => ({
    kind: "direct_response",
    body: new Uint8Array(Buffer.from(text)),
  });
  expect(await read(type(DIRECT_RESPONSE))).toEqual(body(""));
  const response = { inline_string: "bye\n" };
  expect(await read({ ...type(DIRECT_RESPONSE), response })).toEqual(body("bye\n"));
});

test("the last filter of a chain is terminal, and no other one", async () => {
  const place = (index: number): string =>
    `${LISTENER}.filter_chains[0].filters[${index}].typed_config: `;
  const filters = ["a", "b"].map((name) => ({ name, typed_config: type(ECHO) }));
  expect(await chainProblems({ filters })).toEqual([
    `${place(0)}terminal filter named a must be the last filter in a network filter chain`,
  ]);
  const limit = { ...type(CONNECTION_LIMIT), stat_prefix: "l", max_connections: 1 };
  const [problem] = await chainProblems({ filters: [{ name: "l", typed_config: limit }] });
  expect(problem).toBe(
    `${place(0)}non-terminal filter named l is the last filter in a network filter chain`,
  );
});

const inFront: readonly (readonly [string, Fields, string])[] = [
  [CONNECTION_LIMIT, { stat_prefix: "l", max_connections: 1 }, "have no limit"],
  [`${NETWORK}.rbac.v3.RBAC`, { stat_prefix: "r" }, "pass that its rules deny"],
  [`${NETWORK}.ext_authz.v3.ExtAuthz`, { stat_prefix: "e" }, "pass that nobody has allowed"],
  [`${NETWORK}.sni_cluster.v3.SniCluster`, {}, "go to another cluster"],
];

test.each(inFront)("refuses %s whatever it is told to ignore", async (name, fields, why) => {
  const filters = [
    { name: "f", typed_config: { ...type(name), ...fields } },
    { name: "e", typed_config: type(ECHO) },
  ];
  const message = `the network filter ${name} is not implemented by Headgate`;
  const [problem, ...others] = await problems(boot({ chain: { filters } }));
  expect(problem).toContain(message);
  expect(others).toEqual([]);
  const [still] = await problems(boot({ chain: { filters } }), ignoring);
  expect(still).toContain(message);
  expect(still).toContain(why);
});

test("closes connections of a chain whose network filter it was told to ignore", async () => {
  const config = boot({ chain: { filters: [{ name: "t", typed_config: redis }] } });
  const { snapshot } = await translate(config, ignoring);
  const expected = { name: "", match: null, tls: null, ...noFilters };
  expect(snapshot.listeners[0]?.filterChains).toEqual([expected]);
});

test.each<[string, Fields, Fields, string]>([
  [
    "a transport socket",
    {},
    { transport_socket: { name: "t", typed_config: alts } },
    "traffic would go in plain text",
  ],
  [
    "a listener filter",
    { listener_filters: [{ name: "p", typed_config: type(ORIGINAL_DST) }] },
    {},
    "connections would pass without it",
  ],
  [
    "a socket option",
    { socket_options: [{ level: 1, name: 25, buf_value: "bG8=" }] },
    {},
    "the socket would take, or reach, whom it should not",
  ],
])("does not ignore %s: it could let somebody in", async (_, listener, chain, why) => {
  const found = await problems(boot({ listener, chain }), ignoring);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(
    `not implemented by Headgate, and --ignore-unsupported does not cover it: ${why}`,
  );
});
