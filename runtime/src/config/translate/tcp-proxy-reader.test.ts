import { describe, expect, test } from "vitest";
import type { TcpProxyConfig } from "../snapshot.ts";
import {
  address,
  boot,
  type Fields,
  HCM_PATH,
  listenerOf,
  problems,
  router,
  translate,
  type,
  wasmFilter,
} from "./bootstrap-for-test.ts";

const TCP = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const WASM_LOG = "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog";
const LOG = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";

function chainOf(proxy: Fields): Fields {
  const typed_config = { ...type(TCP), stat_prefix: "t:1", ...proxy };
  return { filters: [{ name: "tcp", typed_config }] };
}

async function read(proxy: Fields): Promise<TcpProxyConfig> {
  const listener = await listenerOf({ chain: chainOf(proxy) });
  expect(listener.filterChains[0]?.hcm).toBeNull();
  return listener.filterChains[0]?.tcpProxy as TcpProxyConfig;
}

function problemsOf(proxy: Fields, ignoreUnsupported = false): Promise<string[]> {
  return problems(boot({ chain: chainOf(proxy) }), { ignoreUnsupported });
}

test("Envoy's defaults", async () => {
  expect(await read({ cluster: "up" })).toEqual({
    statPrefix: "t_1",
    clusters: [{ name: "up", weight: 1 }],
    totalWeight: 1,
    idleTimeoutMs: 3_600_000,
    maxDownstreamConnectionDurationMs: 0,
    maxDownstreamConnectionDurationJitter: 0,
    maxConnectAttempts: 1,
    connectBackOff: null,
    proxyTlvs: null,
    tunneling: null,
    accessLogs: [],
    logMoments: { atStart: false, whenConnected: false, everyMs: 0 },
  });
});

test("all that can be set", async () => {
  const config = await read({
    weighted_clusters: {
      clusters: [
        { name: "a", weight: 1 },
        { name: "b", weight: 3 },
      ],
    },
    idle_timeout: "0s",
    max_downstream_connection_duration: "2.5s",
    max_downstream_connection_duration_jitter_percentage: { value: 5 },
    max_connect_attempts: 4,
    backoff_options: { base_interval: "0.5s" },
    metadata_match: { filter_metadata: { "envoy.lb": { a: "b" } } },
    hash_policy: [{ filter_state: { key: "k" } }],
    access_log_options: { flush_access_log_on_start: true, access_log_flush_interval: "1s" },
    access_log: [{ name: "l", typed_config: type(LOG) }],
  });
  expect(config).toMatchObject({
    clusters: [
      { name: "a", weight: 1 },
      { name: "b", weight: 3 },
    ],
    totalWeight: 4,
    idleTimeoutMs: 0,
    maxDownstreamConnectionDurationMs: 2500,
    maxDownstreamConnectionDurationJitter: 0.05,
    maxConnectAttempts: 4,
    connectBackOff: { baseMs: 500, maxMs: 5000 },
    logMoments: { atStart: true, whenConnected: false, everyMs: 1000 },
    accessLogs: [{ name: "l", sink: { kind: "stdout" } }],
  });
});

test("a wasm access logger is counted among the plugins of all listeners", async () => {
  const { config } = wasmFilter("log")["typed_config"] as { config: Fields };
  const access_log = [{ name: "l", typed_config: { ...type(WASM_LOG), config } }];
  const chain = chainOf({ cluster: "up", access_log });
  const second = { name: "tcp", address: address("127.0.0.1", 7), filter_chains: [chain] };
  const first = boot({ hcm: { http_filters: [wasmFilter("w"), router] } });
  const { listeners, clusters } = first["static_resources"] as {
    listeners: Fields[];
    clusters: Fields[];
  };
  const both = { static_resources: { listeners: [...listeners, second], clusters } };
  const { snapshot } = await translate(both);
  const [log] = snapshot.listeners[1]?.filterChains[0]?.tcpProxy?.accessLogs ?? [];
  expect(log?.sink).toEqual({ kind: "wasm", plugin: 1 });
});

describe("tunneling_config", () => {
  const header = { header: { key: "X-A", value: "%PROTOCOL%" } };

  test("CONNECT or POST", async () => {
    const connect = { hostname: "h:1", propagate_response_headers: true };
    expect((await read({ cluster: "up", tunneling_config: connect })).tunneling).toEqual({
      hostname: "h:1",
      usesPost: false,
      postPath: "/",
      headersToAdd: [],
    });
    const post = { hostname: "h", use_post: true, post_path: "/p", headers_to_add: [header] };
    expect((await read({ cluster: "up", tunneling_config: post })).tunneling).toMatchObject({
      usesPost: true,
      postPath: "/p",
      headersToAdd: [{ name: "x-a", format: "%PROTOCOL%" }],
    });
  });

  test.each<[Fields, string]>([
    [{ hostname: "h", post_path: "/p" }, "Can't set a post path when POST method isn't used"],
    [{ hostname: "h", use_post: true, post_path: "p" }, "post_path must start with '/'"],
    [{ hostname: "%NONSENSE%" }, "NONSENSE"],
    [{ hostname: "" }, "hostname"],
    [{ hostname: "h", request_id_header: "x" }, "request_id_header: not implemented"],
  ])("%j is refused", async (tunneling_config, expected) => {
    const [problem] = await problemsOf({ cluster: "up", tunneling_config });
    expect(problem).toContain(expected);
  });
});

describe("proxy_protocol_tlvs", () => {
  const text = (inline_string: string): Fields => ({ text_format_source: { inline_string } });

  test("a value or a format each, and how they meet the client's own", async () => {
    const tlvs = [
      { type: 1, value: "YWI=" },
      { type: 2, format_string: text("%PROTOCOL%") },
    ];
    const policy = "OVERWRITE_BY_TYPE_IF_EXISTS_OR_ADD";
    const proxy = { cluster: "up", proxy_protocol_tlvs: tlvs };
    expect((await read(proxy)).proxyTlvs?.merge).toBe("if_absent");
    const config = await read({ ...proxy, proxy_protocol_tlv_merge_policy: policy });
    expect(config.proxyTlvs).toMatchObject({
      merge: "overwrite",
      tlvs: [
        { type: 1, value: new Uint8Array([97, 98]), format: null },
        { type: 2, format: { kind: "text", text: "%PROTOCOL%" } },
      ],
    });
  });

  test.each<[Fields, string]>([
    [{ type: 1 }, "value: found neither, expected one of value and format_string"],
    [
      { type: 1, value: "YQ==", format_string: text("a") },
      "value: found both, expected one of value and format_string",
    ],
    [{ type: 256, value: "YQ==" }, "type: found 256: value must be less than 256"],
    [{ type: 1, format_string: text("%NONSENSE%") }, "NONSENSE"],
  ])("%j is refused", async (tlv, expected) => {
    const [problem] = await problemsOf({ cluster: "up", proxy_protocol_tlvs: [tlv] });
    expect(problem).toContain(expected);
  });
});

test("a back-off whose maximum is less than its base is wrong", async () => {
  const backoff_options = { base_interval: "1s", max_interval: "0.5s" };
  const [problem] = await problemsOf({ cluster: "up", backoff_options });
  expect(problem).toContain("max_interval: found 500 ms, expected at least base_interval");
});

test("the deprecated fields of periodic logs, but not beside the new one", async () => {
  const deprecated = { access_log_flush_interval: "2s", flush_access_log_on_connected: true };
  const { logMoments } = await read({ cluster: "up", ...deprecated });
  expect(logMoments).toEqual({ atStart: false, whenConnected: true, everyMs: 2000 });
  const both = { cluster: "up", ...deprecated, access_log_options: {} };
  const words = "or access_log_options can be specified.";
  expect((await problemsOf(both)).filter((text) => text.includes(words)).length).toBe(2);
});

test("as Envoy, a cluster need not be there", async () => {
  expect((await read({ cluster: "later" })).clusters[0]?.name).toBe("later");
});

test("weights beyond 32 bits are wrong", async () => {
  const clusters = [1, 2].map((at) => ({ name: `c${at}`, weight: 0xffffffff }));
  const [problem] = await problemsOf({ weighted_clusters: { clusters } });
  expect(problem).toContain("expected a sum of at most 4294967295");
});

describe("refused by name", () => {
  const dangerous: Fields = {
    on_demand: {},
  };
  const others: Fields = {
    upstream_connect_mode: "ON_DOWNSTREAM_DATA",
  };

  test.each(Object.keys(dangerous))("%s, with --ignore-unsupported too", async (field) => {
    for (const ignoring of [false, true]) {
      const found = await problemsOf({ cluster: "up", [field]: dangerous[field] }, ignoring);
      expect(found.join()).toContain(`${HCM_PATH}.${field}`);
    }
  });

  test.each(Object.keys(others))("%s", async (field) => {
    const proxy = { cluster: "up", [field]: others[field] };
    expect((await problemsOf(proxy)).join()).toContain(`${HCM_PATH}.${field}`);
    expect(await problemsOf(proxy, true)).toEqual([]);
  });
});
