import { describe, expect, test } from "vitest";
import {
  address,
  assignment,
  boot,
  cluster,
  CLUSTER_PATH,
  clusterOf,
  clusterProblems,
  endpoint,
  type Fields,
  forward,
  problems,
  table,
  translate,
  type,
  warnings,
} from "./bootstrap-for-test.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const LB = "envoy.extensions.load_balancing_policies";
const DNS_CLUSTER = "envoy.extensions.clusters.dns.v3.DnsCluster";
const CARES = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
const ALTS = "envoy.extensions.transport_sockets.alts.v3.Alts";
const alts = { ...type(ALTS), handshaker_service: "x" };
const ignoring = { ignoreUnsupported: true };

const http1 = { explicit_http_config: { http_protocol_options: {} } };
const httpOptions = (options: Fields): Fields => ({
  typed_extension_protocol_options: { [HTTP_OPTIONS]: { ...type(HTTP_OPTIONS), ...options } },
});
const policies = (...types: readonly Fields[]): Fields => ({
  load_balancing_policy: {
    policies: types.map((typed) => ({
      typed_extension_config: { name: "x", typed_config: typed },
    })),
  },
});
const named = (more: Fields = {}): Fields => ({
  type: "STRICT_DNS",
  load_assignment: assignment(endpoint("a.example", 80)),
  ...more,
});

test("gives a cluster of which little is said Envoy's defaults", async () => {
  const breakers = {
    maxConnections: 1024,
    maxPendingRequests: 1024,
    maxRequests: 1024,
    maxRetries: 3,
    trackRemaining: false,
  };
  expect(await clusterOf({ load_assignment: undefined })).toEqual({
    eds: null,
    originalDestination: null,
    name: "up",
    where: CLUSTER_PATH,
    statName: "up",
    discovery: "static",
    lbPolicy: "round_robin",
    leastRequestChoiceCount: 2,
    leastRequestActiveBias: 1,
    leastRequestActiveBiasKey: "",
    connectTimeoutMs: 5000,
    perConnectionBufferBytesMax: 1_048_576,
    dns: {
      refreshRateMs: 5000,
      failureRefreshBaseMs: 5000,
      failureRefreshMaxMs: 5000,
      respectTtl: false,
      family: "auto",
      servers: { addresses: [], queryTimeoutMs: 5000, queryTries: 2 },
    },
    http1: {
      headBytesMax: 80 * 1024,
      headersMax: 100,
      acceptHttp10: false,
      defaultHostForHttp10: "",
      allowAbsoluteUrl: true,
      allowChunkedLength: false,
      enableTrailers: false,
      headerCase: "lower",
      underscores: "allow",
    },
    http2: null,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    maxStreamDurationMs: 0,
    maxRequestsPerConnection: 0,
    circuitBreakers: [breakers, breakers],
    sharedIndex: 0,
    localities: [],
    keepAlive: null,
    healthyPanicThresholdPercent: 50,
    bindAddresses: null,
    happyEyeballs: { firstFamily: null, firstFamilyCount: 1 },
    autoSni: null,
    transportSockets: [{ name: "", match: {}, socket: { kind: "raw_buffer" } }],
    metadata: new Uint8Array(0),
  });
});

test("reads the fields of a cluster", async () => {
  const read = await clusterOf({
    alt_stat_name: "a:b://c",
    connect_timeout: "0.25s",
    per_connection_buffer_limit_bytes: 4096,
    circuit_breakers: {
      thresholds: [
        {
          priority: "HIGH",
          max_connections: 1,
          max_pending_requests: 2,
          max_requests: 3,
          max_retries: 4,
          track_remaining: true,
        },
      ],
    },
    upstream_connection_options: {
      tcp_keepalive: { keepalive_time: 9, keepalive_interval: 3, keepalive_probes: 2 },
    },
    common_lb_config: { healthy_panic_threshold: { value: 12.5 } },
    upstream_bind_config: { source_address: { address: "127.0.0.9", port_value: 0 } },
    metadata: { filter_metadata: { a: { b: "c" } } },
  });
  expect(read).toMatchObject({
    statName: "a_b_c",
    connectTimeoutMs: 250,
    perConnectionBufferBytesMax: 4096,
    keepAlive: { idleSeconds: 9, intervalSeconds: 3, probes: 2 },
    healthyPanicThresholdPercent: 12.5,
    bindAddresses: [{ kind: "ip", address: "127.0.0.9", port: 0 }],
  });
  expect(read.circuitBreakers[0].maxConnections).toBe(1024);
  expect(read.circuitBreakers[1]).toEqual({
    maxConnections: 1,
    maxPendingRequests: 2,
    maxRequests: 3,
    maxRetries: 4,
    trackRemaining: true,
  });
  // filter_metadata { "a": Struct { "b": "c" } }, in protobuf.
  const bytes = Buffer.from(read.metadata).toString("hex");
  expect(bytes).toBe("0a0f0a0161120a0a080a016212031a0163");
});

test("numbers clusters for the shared counts", async () => {
  const { snapshot } = await translate(boot({ clusters: [cluster(), cluster({ name: "b" })] }));
  expect(snapshot.clusters.map((one) => one.sharedIndex)).toEqual([0, 1]);
});

test("refuses two clusters of one name", async () => {
  expect(await problems(boot({ clusters: [cluster(), cluster()] }))).toEqual([
    "static_resources.clusters[1].name: duplicate cluster 'up'",
  ]);
});

test("lets the first of two thresholds for one priority count, as Envoy does", async () => {
  const thresholds = [{ max_connections: 1 }, { max_connections: 2, retry_budget: {} }];
  const read = await clusterOf({ circuit_breakers: { thresholds } });
  expect(read.circuitBreakers[0].maxConnections).toBe(1);
});

describe("protocol options", () => {
  test("are read from the extension", async () => {
    const common = {
      idle_timeout: "0s",
      max_connection_duration: "1.5s",
      max_stream_duration: "2.5s",
      max_headers_count: 7,
      max_requests_per_connection: 8,
      max_response_headers_kb: 9,
      headers_with_underscores_action: "REJECT_REQUEST",
    };
    const http = { http_protocol_options: { enable_trailers: true } };
    const read = await clusterOf(
      httpOptions({ common_http_protocol_options: common, explicit_http_config: http }),
    );
    expect(read).toMatchObject({
      idleTimeoutMs: 0,
      maxConnectionDurationMs: 1500,
      maxStreamDurationMs: 2500,
      maxRequestsPerConnection: 8,
      http1: { headBytesMax: 9216, headersMax: 7, enableTrailers: true, underscores: "allow" },
    });
  });

  test("are read from the cluster's deprecated fields when there is no extension", async () => {
    const read = await clusterOf({
      common_http_protocol_options: { idle_timeout: "7s" },
      http_protocol_options: { enable_trailers: true },
      max_requests_per_connection: 5,
    });
    expect(read).toMatchObject({ idleTimeoutMs: 7000, maxRequestsPerConnection: 5 });
    expect(read.http1.enableTrailers).toBe(true);
  });

  test("of the extension win as a whole", async () => {
    const deprecated = {
      common_http_protocol_options: { idle_timeout: "7s" },
      http2_protocol_options: {},
    };
    const read = await clusterOf({ ...deprecated, ...httpOptions(http1) });
    expect(read.idleTimeoutMs).toBe(3_600_000);
  });

  test.each<[string, Fields, string]>([
    [
      "keep-alive of HTTP/2",
      { http2_protocol_options: { connection_keepalive: { timeout: "1s" } } },
      ".http2_protocol_options.connection_keepalive:",
    ],
    [
      "the client's protocol",
      httpOptions({ use_downstream_protocol_config: {} }),
      `.typed_extension_protocol_options["${HTTP_OPTIONS}"].use_downstream_protocol_config:`,
    ],
  ])("that ask for %s are named", async (_, more, expected) => {
    const message = `${CLUSTER_PATH}${expected} not implemented by Headgate`;
    expect(await clusterProblems(more)).toEqual([message]);
  });

  test("of HTTP/2: by extension, or by the deprecated field", async () => {
    const http2_protocol_options = {
      max_concurrent_streams: 5,
      initial_stream_window_size: 70_000,
      hpack_table_size: 0,
    };
    const common = { max_headers_count: 7 };
    const expected = {
      streamsMax: 5,
      streamWindowBytes: 70_000,
      connectionWindowBytes: 16 * 1024 * 1024,
      headerTableBytes: 0,
      headBytesMax: 60 * 1024,
      headersMax: 7,
    };
    const extension = httpOptions({
      explicit_http_config: { http2_protocol_options },
      common_http_protocol_options: common,
    });
    expect((await clusterOf(extension)).http2).toEqual(expected);
    const deprecated = { http2_protocol_options, common_http_protocol_options: common };
    expect((await clusterOf(deprecated)).http2).toEqual(expected);
    expect((await clusterOf({})).http2).toBeNull();
  });

  test("stand under their own name", async () => {
    const options = { foo: { ...type(HTTP_OPTIONS), ...http1 } };
    expect(await clusterProblems({ typed_extension_protocol_options: options })).toEqual([
      `${CLUSTER_PATH}.typed_extension_protocol_options["foo"]: found the key "foo", expected ${HTTP_OPTIONS}`,
    ]);
  });
});

describe("balancing", () => {
  test.each<[Fields, Fields]>([
    [{ lb_policy: "random" }, { lbPolicy: "random" }],
    [
      {
        lb_policy: "LEAST_REQUEST",
        least_request_lb_config: {
          choice_count: 3,
          active_request_bias: { default_value: 1.5, runtime_key: "k" },
        },
      },
      {
        lbPolicy: "least_request",
        leastRequestChoiceCount: 3,
        leastRequestActiveBias: 1.5,
        leastRequestActiveBiasKey: "k",
      },
    ],
    [policies(type(`${LB}.random.v3.Random`)), { lbPolicy: "random" }],
    [
      policies({ ...type(`${LB}.least_request.v3.LeastRequest`), choice_count: 4 }),
      { lbPolicy: "least_request", leastRequestChoiceCount: 4, leastRequestActiveBias: 1 },
    ],
    [
      { lb_policy: "RANDOM", ...policies(type(`${LB}.round_robin.v3.RoundRobin`)) },
      { lbPolicy: "round_robin" },
    ],
    [
      policies(type(`${LB}.maglev.v3.Maglev`), type(`${LB}.random.v3.Random`)),
      { lbPolicy: "random" },
    ],
    [{ round_robin_lb_config: {} }, { lbPolicy: "round_robin" }],
  ])("%j", async (more, expected) => {
    expect(await clusterOf(more)).toMatchObject(expected);
  });

  test.each<[Fields, string]>([
    [{ lb_policy: "MAGLEV" }, ".lb_policy: lb_policy MAGLEV is not implemented by Headgate"],
    [{ load_balancing_policy: {} }, ".load_balancing_policy: expected a policy"],
    [
      policies(type(`${LB}.maglev.v3.Maglev`)),
      `.load_balancing_policy: the load balancing policy ${LB}.maglev.v3.Maglev is not implemented by Headgate`,
    ],
    [
      policies({ ...type(`${LB}.least_request.v3.LeastRequest`), selection_method: "FULL_SCAN" }),
      ".load_balancing_policy.policies[0].typed_extension_config.typed_config.selection_method: selection_method FULL_SCAN is not implemented by Headgate",
    ],
    [
      { round_robin_lb_config: { slow_start_config: {} } },
      ".round_robin_lb_config: not implemented by Headgate",
    ],
    [{ lb_subset_config: {} }, ".lb_subset_config: not implemented by Headgate"],
  ])("refuses %j", async (more, expected) => {
    expect(await clusterProblems(more)).toEqual([`${CLUSTER_PATH}${expected}`]);
  });

  test("falls back to round robin when told to ignore", async () => {
    const config = boot({ clusters: [cluster({ lb_policy: "RING_HASH" })] });
    const { snapshot } = await translate(config, ignoring);
    expect(snapshot.clusters[0]?.lbPolicy).toBe("round_robin");
  });
});

describe("discovery", () => {
  test("reads how names are resolved", async () => {
    const read = await clusterOf(
      named({
        dns_refresh_rate: "3s",
        dns_failure_refresh_rate: { base_interval: "2s" },
        respect_dns_ttl: true,
        dns_lookup_family: "V4_PREFERRED",
      }),
    );
    expect(read.discovery).toBe("strict_dns");
    expect(read.dns).toEqual({
      refreshRateMs: 3000,
      failureRefreshBaseMs: 2000,
      failureRefreshMaxMs: 20_000,
      respectTtl: true,
      family: "v4_preferred",
      servers: { addresses: [], queryTimeoutMs: 5000, queryTries: 2 },
    });
  });

  test.each<[string, Fields, string]>([
    ["strict", {}, "strict_dns"],
    ["logical", { all_addresses_in_single_endpoint: true }, "logical_dns"],
  ])("reads the DNS extension: %s", async (_, more, discovery) => {
    const typed = { ...type(DNS_CLUSTER), dns_refresh_rate: "9s", ...more };
    const read = await clusterOf(
      named({
        type: undefined,
        cluster_type: { name: "dns", typed_config: typed },
        dns_refresh_rate: "3s",
      }),
    );
    expect(read).toMatchObject({ discovery, dns: { refreshRateMs: 9000 } });
  });

  test("knows extensions without configuration by name", async () => {
    const logical = { type: undefined, cluster_type: { name: "envoy.cluster.logical_dns" } };
    expect((await clusterOf(named(logical))).discovery).toBe("logical_dns");
    expect(await clusterProblems({ type: undefined, cluster_type: { name: "x" } })).toEqual([
      `${CLUSTER_PATH}.cluster_type: cluster type x is not implemented by Headgate`,
    ]);
  });

  test("takes resolvers without options", async () => {
    const resolver = { name: "cares", typed_config: type(CARES) };
    expect(await clusterProblems(named({ typed_dns_resolver_config: resolver }))).toEqual([]);
    const tuned = {
      name: "cares",
      typed_config: {
        ...type(CARES),
        use_resolvers_as_fallback: true,
        resolvers: [address("192.0.2.1", 5353)],
      },
    };
    expect(await clusterProblems(named({ typed_dns_resolver_config: tuned }))).toEqual([
      `${CLUSTER_PATH}.typed_dns_resolver_config.typed_config.use_resolvers_as_fallback: not implemented by Headgate`,
    ]);
  });

  test("reads the servers of the c-ares resolver", async () => {
    const typed_config = {
      ...type(CARES),
      resolvers: [address("192.0.2.1", 5353), address("::1", 0)],
      query_timeout_seconds: 1,
      query_tries: 3,
    };
    const resolver = { name: "cares", typed_config };
    const { dns } = await clusterOf(named({ typed_dns_resolver_config: resolver }));
    expect(dns.servers).toEqual({
      addresses: ["192.0.2.1:5353", "[::1]:53"],
      queryTimeoutMs: 1000,
      queryTries: 3,
    });
  });

  const single =
    "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint";
  const two = assignment(endpoint("a", 1), endpoint("b", 1));
  const one = { lb_endpoints: [endpoint("a", 1)] };
  test.each<[Fields, string]>([
    [{ type: "EDS" }, ".eds_cluster_config: cannot create an EDS cluster without an EDS config"],
    [
      { type: "EDS", eds_cluster_config: { eds_config: { path: "/nowhere" } } },
      ".eds_cluster_config.eds_config.path: paths must refer to an existing path in the system: '/nowhere' does not exist",
    ],
    [
      named({ dns_failure_refresh_rate: { base_interval: "2s", max_interval: "1s" } }),
      ".dns_failure_refresh_rate.max_interval: found 1000 ms, expected at least base_interval",
    ],
    [named({ dns_jitter: "1s" }), ".dns_jitter: not implemented by Headgate"],
    [named({ type: "LOGICAL_DNS", load_assignment: two }), `.load_assignment: ${single}`],
    [named({ type: "LOGICAL_DNS", load_assignment: undefined }), `: ${single}`],
    [
      named({
        type: "LOGICAL_DNS",
        load_assignment: { cluster_name: "up", endpoints: [one, {}] },
      }),
      `.load_assignment: ${single}`,
    ],
  ])("refuses %j", async (more, expected) => {
    expect(await clusterProblems(more)).toEqual([`${CLUSTER_PATH}${expected}`]);
  });

  test("does not mind intervals of a cluster that resolves nothing", async () => {
    const rate = { base_interval: "2s", max_interval: "1s" };
    expect(await clusterProblems({ dns_failure_refresh_rate: rate })).toEqual([]);
  });
});

describe("endpoints", () => {
  const at = `${CLUSTER_PATH}.load_assignment.endpoints[0].lb_endpoints[0]`;
  const one = (lbEndpoint: Fields): Fields => ({ load_assignment: assignment(lbEndpoint) });

  test("are read with their localities", async () => {
    const read = await clusterOf({
      load_assignment: {
        cluster_name: "else",
        endpoints: [
          {
            locality: { region: "r", zone: "z", sub_zone: "s" },
            metadata: { filter_metadata: { a: {} } },
            priority: 2,
            load_balancing_weight: 3,
            lb_endpoints: [
              {
                endpoint: { address: address("::1", 81), hostname: "h" },
                health_status: "draining",
                load_balancing_weight: 4,
              },
              {
                endpoint: { address: { pipe: { path: "/run/x" } } },
                metadata: {
                  filter_metadata: {
                    "envoy.transport_socket_match": { id: "a", tags: { y: [true], x: 1 } },
                    "envoy.lb": { id: "b" },
                  },
                },
              },
            ],
          },
        ],
      },
    });
    expect(read.localities).toEqual([
      {
        region: "r",
        zone: "z",
        subZone: "s",
        metadata: new Uint8Array(Buffer.from("\n\x05\n\x01a\x12\0")),
        priority: 2,
        weight: 3,
        endpoints: [
          {
            address: { kind: "ip", address: "::1", port: 81, ipv4Compat: false, pipeMode: 0 },
            additionalAddresses: [],
            hostname: "h",
            weight: 4,
            health: "draining",
            transportSocketMatch: {},
            metadata: null,
          },
          {
            address: { kind: "pipe", address: "/run/x", port: 0, ipv4Compat: false, pipeMode: 0 },
            additionalAddresses: [],
            hostname: "",
            weight: 1,
            health: "healthy",
            transportSocketMatch: { id: '"a"', tags: '{"x":1,"y":[true]}' },
            metadata: expect.any(Uint8Array),
          },
        ],
      },
    ]);
  });

  test("may have names where names are resolved", async () => {
    const read = await clusterOf(named());
    expect(read.localities[0]?.endpoints[0]?.address.address).toBe("a.example");
  });

  test.each<[Fields, string]>([
    [
      endpoint("localhost"),
      ".endpoint.address.socket_address.address: malformed IP address: localhost (names need a cluster of type STRICT_DNS or LOGICAL_DNS)",
    ],
    [{}, ".endpoint: not set: value is required"],
    [{ endpoint: {} }, ".endpoint.address: not set: value is required"],
    [{ endpoint_name: "x" }, ".endpoint_name: not implemented by Headgate"],
    [
      { endpoint: { address: address(), additional_addresses: [{ address: address("a.b", 1) }] } },
      ".endpoint.additional_addresses[0].address.socket_address.address: malformed IP address: a.b (names need a cluster of type STRICT_DNS or LOGICAL_DNS)",
    ],
  ])("refuse %j", async (lbEndpoint, expected) => {
    expect(await clusterProblems(one(lbEndpoint))).toEqual([`${at}${expected}`]);
  });
});

const source = (ip: string): Fields => ({ address: ip, port_value: 0 });
const bind = (more: Fields): Fields => ({
  upstream_bind_config: { source_address: source("127.0.0.2"), ...more },
});

test("reads where connections come from, and the bootstrap's for those that do not say", async () => {
  const own = await clusterOf(bind({ extra_source_addresses: [{ address: source("::1") }] }));
  expect(own.bindAddresses?.map(({ address: ip }) => ip)).toEqual(["127.0.0.2", "::1"]);
  const shared = { cluster_manager: { upstream_bind_config: { source_address: source("::5") } } };
  const ips = async (more: Fields): Promise<(string | undefined)[]> => {
    const { snapshot } = await translate(boot({ clusters: [cluster(more)], bootstrap: shared }));
    return snapshot.clusters.flatMap(
      ({ bindAddresses }) => bindAddresses?.map(({ address: ip }) => ip) ?? [],
    );
  };
  expect(await ips({})).toEqual(["::5"]);
  expect(await ips({ upstream_bind_config: {} })).toEqual([]);
});

test("reads what requests say about TLS, in either place", async () => {
  const options = { auto_sni: true, override_auto_sni_header: "X-Name" };
  const expected = { setsServerName: true, verifiesName: false, headerName: "x-name" };
  const inExtension = httpOptions({ ...http1, upstream_http_protocol_options: options });
  expect((await clusterOf(inExtension)).autoSni).toEqual(expected);
  expect((await clusterOf({ upstream_http_protocol_options: options })).autoSni).toEqual(expected);
  const verifying = { upstream_http_protocol_options: { auto_san_validation: true } };
  expect((await clusterOf(verifying)).autoSni).toMatchObject({ verifiesName: true });
  expect((await clusterOf({ upstream_http_protocol_options: {} })).autoSni).toBe(null);
});

test("reads the addresses of an endpoint and which family goes first", async () => {
  const endpoint = { address: address(), additional_addresses: [{ address: address("::1", 9) }] };
  const read = await clusterOf({
    load_assignment: assignment({ endpoint }),
    upstream_connection_options: {
      happy_eyeballs_config: { first_address_family_version: "V6", first_address_family_count: 2 },
    },
  });
  expect(read.happyEyeballs).toEqual({ firstFamily: "ipv6", firstFamilyCount: 2 });
  expect(read.localities[0]?.endpoints[0]?.additionalAddresses).toMatchObject([
    { kind: "ip", address: "::1", port: 9 },
  ]);
});

test.each<[Fields, string]>([
  [
    { upstream_bind_config: { source_address: { address: "localhost", port_value: 0 } } },
    ".upstream_bind_config.source_address.address: malformed IP address: localhost (names need a cluster of type STRICT_DNS or LOGICAL_DNS)",
  ],
  [
    { upstream_bind_config: { freebind: true } },
    ".upstream_bind_config.freebind: freebind is not implemented by Headgate",
  ],
  [
    { upstream_bind_config: { extra_source_addresses: [{ address: source("::1") }] } },
    ".upstream_bind_config: Cluster up's upstream binding config has extra/additional source addresses but no source_address",
  ],
  [
    bind({
      extra_source_addresses: [{ address: source("::1") }, { address: source("::2") }],
    }),
    ".upstream_bind_config: Cluster up's upstream binding config has more than one extra/additional source addresses",
  ],
  [
    bind({
      extra_source_addresses: [{ address: source("::1") }],
      additional_source_addresses: [source("::2")],
    }),
    ".upstream_bind_config: Can't specify both `extra_source_addresses` and `additional_source_addresses` in the Cluster up's upstream binding config",
  ],
  [
    bind({ additional_source_addresses: [source("127.0.0.3")] }),
    ".upstream_bind_config: Cluster up's upstream binding config has two same IP version source addresses",
  ],
  [{ health_checks: [{}] }, ".health_checks: not implemented by Headgate"],
  [{ outlier_detection: {} }, ".outlier_detection: not implemented by Headgate"],
  [
    { transport_socket: { name: "alts", typed_config: alts } },
    `.transport_socket: the transport socket ${ALTS} is not implemented by Headgate`,
  ],
])("refuses %j", async (more, expected) => {
  expect(await clusterProblems(more)).toContain(`${CLUSTER_PATH}${expected}`);
});

test("does not report what is switched off by name", async () => {
  expect(await clusterProblems({ track_timeout_budgets: false, health_checks: [] })).toEqual([]);
});

test("sends nothing in plain text because it was told to ignore a transport socket", async () => {
  const socket = { transport_socket: { name: "alts", typed_config: alts } };
  const why = ", and --ignore-unsupported does not cover it: traffic would go in plain text";
  expect(await problems(boot({ clusters: [cluster(socket)] }), ignoring)).toEqual([
    `${CLUSTER_PATH}.transport_socket: the transport socket ${ALTS} is not implemented by Headgate${why}`,
  ]);
});

test("has no hosts for a cluster type that it was told to ignore", async () => {
  const eds = { name: "up", type: "EDS", eds_cluster_config: { eds_config: { ads: {} } } };
  const config = boot({ clusters: [eds], routes: table(forward()) });
  expect(await warnings(config, ignoring)).toEqual([
    `${CLUSTER_PATH}.eds_cluster_config.eds_config.ads: xDS from ads is not implemented by Headgate`,
  ]);
  const { snapshot } = await translate(config, ignoring);
  expect(snapshot.clusters[0]).toMatchObject({ discovery: "static", localities: [] });
});
