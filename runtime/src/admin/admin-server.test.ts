import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { gunzipSync } from "node:zlib";
import { request as httpRequest } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogLevel, silentLogger } from "../core/logger.ts";
import type { RuntimeLayer, RuntimeValue } from "../core/runtime.ts";
import { StatsAggregate } from "../stats/aggregate.ts";
import { adminCommands, ownCommands } from "./admin-commands.ts";
import type {
  AdminDelegate,
  DrainOptions,
  ServerStateName,
  WasmAnswer,
  WasmPush,
} from "./admin-delegate.ts";
import { AdminHandlers } from "./admin-handlers.ts";
import { createAdminServer } from "./admin-server.ts";
import type { AdminServer, AdminServerOptions } from "./admin-server.ts";

const help = readFileSync(new URL("./fixtures/envoy-help.txt", import.meta.url), "utf8");

/** A process with one cluster and one listener; notes what it is told to do. */
class FakeProcess implements AdminDelegate {
  readonly stats = new StatsAggregate(60_000);
  readonly calls: string[] = [];
  layers: readonly RuntimeLayer[] = [];
  stateName: ServerStateName = "LIVE";
  levels = new Map<string, LogLevel>([
    ["admin", LogLevel.Info],
    ["http", LogLevel.Error],
  ]);
  onQuit: () => void = () => {};

  state(): ServerStateName {
    return this.stateName;
  }
  serverInfo(): { version: string; state: string; uptime_current_epoch: string } {
    return { version: "abc/0.1.0", state: this.stateName, uptime_current_epoch: "3s" };
  }
  refreshStats(): void {
    this.stats.store.gauge("server.live").set(1);
  }
  clusters(): ReturnType<AdminDelegate["clusters"]> {
    const breaker = {
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      maxRetries: 3,
    };
    const host = {
      address: "127.0.0.1",
      port: 19909,
      addressText: "127.0.0.1:19909",
      hostname: "",
      healthFlags: [],
      weight: 1,
      region: "",
      zone: "",
      subZone: "",
      canary: false,
      priority: 0,
    } as const;
    return [
      {
        name: "up",
        observabilityName: "up",
        addedViaApi: false,
        edsServiceName: "",
        circuitBreakers: { default: breaker, high: breaker },
        hosts: [host],
      },
    ];
  }
  listeners(): ReturnType<AdminDelegate["listeners"]> {
    return [
      { name: "l", addresses: [{ address: "127.0.0.1", port: 28100 }] },
      { name: "six", addresses: [{ address: "::1", port: 80 }] },
      { name: "pipe", addresses: [{ address: "/run/x.sock", port: null }] },
    ];
  }
  certificates(): ReturnType<AdminDelegate["certificates"]> {
    return [];
  }
  configDump(): ReturnType<AdminDelegate["configDump"]> {
    const lastUpdated = "2026-11-21T12:21:23.968Z";
    return {
      bootstrap: { config: { node: { id: "n" }, admin: { address: { pipe: {} } } }, lastUpdated },
      clusters: [{ config: { name: "up", connect_timeout: "1s" }, lastUpdated }],
      listeners: [{ config: { name: "l" }, lastUpdated }],
      routes: [{ config: { name: "r" }, lastUpdated }],
      clustersVersion: "",
      listenersVersion: "",
      dynamicClusters: [],
      dynamicListeners: [],
      dynamicRoutes: [],
      secrets: { static: [], active: [], warming: [] },
      endpoints: () => ({ static: [], dynamic: [] }),
    };
  }
  logLevels(): [string, LogLevel][] {
    return [...this.levels];
  }
  setLogLevel(component: string | null, level: LogLevel): void {
    for (const name of this.levels.keys()) {
      if (component === null || component === name) this.levels.set(name, level);
    }
  }
  drainListeners(options: DrainOptions): void {
    this.calls.push(`drain ${JSON.stringify(options)}`);
  }
  setHealthcheckFail(isFailing: boolean): void {
    this.calls.push(`healthcheck ${isFailing ? "fail" : "ok"}`);
  }
  runtime(): readonly RuntimeLayer[] {
    return this.layers;
  }
  modifyRuntime(pairs: readonly (readonly [string, string])[]): string {
    this.calls.push(`runtime ${JSON.stringify(pairs)}`);
    return this.layers.length > 0 ? "" : "No admin layer specified";
  }
  wasmPlugins(): ReturnType<AdminDelegate["wasmPlugins"]> {
    return { plugins: [{ name: "guest" }] };
  }
  wasmTraces(): ReturnType<AdminDelegate["wasmTraces"]> {
    return [
      { plugin: "a", trace: "off", isSwitched: false },
      { plugin: "b", trace: "every stream", isSwitched: true },
    ];
  }
  traceWasm(plugin: string, every: string, header: string): string {
    this.calls.push(`trace ${plugin} ${every} ${header}`);
    return plugin === "a" ? "" : `no wasm plugin has the name "${plugin}"`;
  }
  untraceWasm(plugin: string): string {
    this.calls.push(`untrace ${plugin}`);
    return "";
  }
  wasmCosts(): ReturnType<AdminDelegate["wasmCosts"]> {
    return { workers_cpu_us: 2, plugins: [] };
  }
  wasmShadow(plugin: string): ReturnType<AdminDelegate["wasmShadow"]> {
    return plugin === "a guest" ? { plugin, differences: [] } : null;
  }
  wasmTraps(plugin: string): ReturnType<AdminDelegate["wasmTraps"]> {
    return plugin === "a guest" ? { plugin, reports: [] } : null;
  }
  pushWasm(plugin: string, push: WasmPush): Promise<WasmAnswer> {
    const { module, configuration, sourceMap, trial, isFresh } = push;
    const text = (bytes: Uint8Array | null): string | null =>
      bytes === null ? null : Buffer.from(bytes).toString("latin1");
    const map = sourceMap === null ? [] : [text(sourceMap)];
    const parts = [
      plugin,
      text(module),
      text(configuration),
      trial,
      ...map,
      ...(isFresh ? ["fresh"] : []),
    ];
    this.calls.push(`push ${JSON.stringify(parts)}`);
    return Promise.resolve({ status: module?.length === 3 ? 422 : 200, page: { plugin } });
  }
  promoteWasm(plugin: string, version: string): Promise<WasmAnswer> {
    this.calls.push(`promote ${plugin} ${version}`);
    return Promise.resolve({ status: 200, page: { plugin } });
  }
  rollBackWasm(plugin: string, version: string): Promise<WasmAnswer> {
    this.calls.push(`rollback ${plugin} ${version}`);
    return Promise.resolve({ status: 409, page: { plugin } });
  }
  resetCounters(): void {
    this.stats.resetCounters();
    this.calls.push("reset");
  }
  reopenLogs(): void {
    this.calls.push("reopen");
  }
  quit(): void {
    this.calls.push("quit");
    this.onQuit();
  }
}

let fake: FakeProcess;
let server: AdminServer;
let port: number;
let lines: string[];

const options: AdminServerOptions = {
  address: { address: "127.0.0.1", port: 0 },
  accessLogs: [{ write: (line): void => void lines.push(line) }],
  logger: silentLogger,
  wasmAccess: { from: "local", token: "" },
  pushBytesMax: 200_000,
};

beforeEach(async () => {
  fake = new FakeProcess();
  lines = [];
  server = createAdminServer(fake, options);
  port = (await server.listen()).port ?? 0;
});

afterEach(async () => {
  await server.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly bytes: Buffer;
  readonly body: string;
}

interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function call(method: string, path: string, { headers = {}, body }: Call = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { port, method, path, headers, agent: false };
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => void chunks.push(chunk));
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        const { statusCode: status = 0, rawHeaders } = response;
        resolve({ status, headers: response.headers, rawHeaders, bytes, body: bytes.toString() });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Status and body in one, as the recorded answers are written down. */
async function answerOf(method: string, path: string): Promise<string> {
  const { status, body } = await call(method, path);
  return `${status} ${body}`;
}

test("every command of the help is answered, and nothing else is", () => {
  const commands = adminCommands.map((command) => command.path);
  expect(new AdminHandlers(fake).paths).toEqual([...commands].sort());
});

test("help is Envoy's, byte for byte, and follows a wrong path", async () => {
  expect(await answerOf("GET", "/help")).toBe(`200 ${help}`);
  for (const path of ["/nope", "/stats/", "/Stats", "/server_info/"]) {
    expect(await answerOf("GET", path)).toBe(`404 invalid path. ${help}`);
  }
});

const post = (method: string): string => `405 Method ${method} not allowed, POST required.`;
const formats = "(html|active-html|json|prometheus|text)";
const buckets = "(cumulative|disjoint|detailed|summary|prometheusnative)";

test("/runtime shows each key in all layers, /runtime_modify takes query and form", async () => {
  const value = (text: string): RuntimeValue => ({ text, number: null, ppm: null });
  fake.layers = [
    {
      name: "base",
      kind: "static",
      values: new Map([
        ["k", value("1")],
        ["a", value("x")],
      ]),
    },
    { name: "admin", kind: "admin", values: new Map([["k", value("2")]]) },
  ];
  expect(JSON.parse((await call("GET", "/runtime")).body)).toEqual({
    entries: {
      a: { layer_values: ["x", ""], final_value: "x" },
      k: { layer_values: ["1", "2"], final_value: "2" },
    },
    layers: ["base", "admin"],
  });
  expect((await call("POST", "/runtime_modify?k=%7B%20%7D&gone=")).body).toBe("OK\n");
  expect(fake.calls).toEqual(['runtime [["k","{ }"],["gone",""]]']);
});

// Status and body as Envoy 1.40 answers.
test.each([
  ["GET", "/ready", "200 LIVE\n"],
  ["POST", "/ready", "200 LIVE\n"],
  ["PUT", "/ready", "200 LIVE\n"],
  ["HEAD", "/ready", "200 "],
  ["GET", "/logging", post("GET")],
  ["GET", "/quitquitquit", post("GET")],
  ["GET", "/healthcheck/fail", post("GET")],
  ["GET", "/drain_listeners", post("GET")],
  ["GET", "/reopen_logs", post("GET")],
  ["GET", "/stats/recentlookups/enable", post("GET")],
  ["DELETE", "/reset_counters", post("DELETE")],
  ["POST", "/reset_counters", "200 OK\n"],
  ["GET", "/certs", '200 {\n "certificates": []\n}\n'],
  ["GET", "/runtime", '200 {\n "entries": {},\n "layers": []\n}\n'],
  ["GET", "/init_dump", "200 {}\n"],
  ["GET", "/init_dump?mask=listener", "200 {}\n"],
  ["GET", "/hot_restart_version", "200 disabled"],
  ["POST", "/runtime_modify?a=b", "503 No admin layer specified"],
  ["POST", "/cpuprofiler", "400 ?enable=<y|n>\n"],
  ["POST", "/cpuprofiler?enable=y", "500 failure to start the profiler"],
  ["POST", "/cpuprofiler?enable=n", "200 OK\n"],
  ["POST", "/heapprofiler?enable=y", "501 The current build does not support heap profiler"],
  ["POST", "/stats/recentlookups/clear", "200 OK\n"],
  ["GET", "/stats?filter=server.live", "200 server.live: 1\n"],
  ["POST", "/stats?filter=server.live", "200 server.live: 1\n"],
  ["GET", "/stats?filter=server%2elive", "200 server.live: 1\n"],
  ["GET", "/stats?filter=a+b|server.live", "200 server.live: 1\n"],
  ["GET", "/stats?filter=server.live&type=Counters", "200 "],
  ["GET", "/stats?filter=server.live&type=counters", "400 invalid &type= param"],
  ["GET", "/stats?format=bad", `400 usage: /stats?format=${formats}\n\n`],
  ["GET", "/stats?hidden=bad", "400 usage: /stats?hidden=(include|only|exclude)\n\n"],
  ["GET", "/stats?hidden=only", "200 "],
  ["GET", "/stats?histogram_buckets=bad", `400 usage: /stats?histogram_buckets=${buckets}\n`],
  ["GET", "/stats?type=TextReadouts&format=json", '200 {"stats":[]}'],
  [
    "GET",
    "/stats?filter=server.live&format=json",
    '200 {"stats":[{"name":"server.live","value":1}]}',
  ],
  [
    "GET",
    "/stats?filter=server.live&format=prometheus",
    "200 # TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n",
  ],
  [
    "GET",
    "/stats/prometheus?type=Counters&filter=server.l",
    "200 # TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n",
  ],
  ["GET", "/stats/prometheus?filter=server_live", "200 "],
  [
    "GET",
    "/stats/prometheus?histogram_buckets=detailed",
    "400 unsupported prometheus histogram bucket mode",
  ],
  ["GET", "/clusters?filter=zz", "200 "],
  ["GET", "/clusters?filter=(", "400 Invalid re2 regex"],
  ["GET", "/listeners", "200 l::127.0.0.1:28100\nsix::[::1]:80\npipe::/run/x.sock\n"],
  ["GET", "/config_dump?resource=nope", "404 nope not found in config dump"],
  ["GET", "/config_dump?resource=dynamic_active_clusters", "200 {}\n"],
  ["GET", "/config_dump?resource=static_clusters&name_regex=zz", "200 {}\n"],
  [
    "GET",
    "/config_dump?resource=bootstrap",
    "400 bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field",
  ],
  [
    "GET",
    "/config_dump?mask=nope",
    "400 FieldMask nope could not be successfully applied to any configs.",
  ],
  [
    "GET",
    "/config_dump?mask=static_clusters.cluster.name",
    "400 FieldMask static_clusters.cluster.name could not be successfully applied to any configs.",
  ],
  [
    "GET",
    "/config_dump?resource=static_clusters&mask=cluster.nope",
    '400 FieldMask paths: "cluster.nope"\n could not be successfully used.',
  ],
])("%s %s", async (method, path, expected) => {
  expect(await answerOf(method, path)).toBe(expected);
});

test("a wrong expression is refused with RE2's words", async () => {
  for (const path of ["/stats?filter=(", "/stats/prometheus?filter=("]) {
    const { status, body } = await call("GET", path);
    expect(status).toBe(400);
    expect(body).toMatch(/^Invalid re2 regex: .*missing closing \)/);
  }
  const dump = await call("GET", "/config_dump?name_regex=(");
  expect(dump.status).toBe(400);
  expect(dump.body).toMatch(/^INVALID_ARGUMENT: Error while parsing name_regex from \(: /);
});

test("headers are Envoy's, in its order and spelling", async () => {
  const { rawHeaders } = await call("GET", "/ready");
  const names = rawHeaders.filter((_, i) => i % 2 === 0);
  expect(names).toEqual([
    "content-type",
    "cache-control",
    "x-content-type-options",
    "date",
    "server",
    "content-length",
  ]);
  const { headers } = await call("GET", "/server_info");
  expect(headers["content-type"]).toBe("application/json");
  expect(headers["cache-control"]).toBe("no-cache, max-age=0");
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(headers["server"]).toBe("envoy");
});

test("a state that is not LIVE is 503", async () => {
  for (const state of ["DRAINING", "INITIALIZING", "PRE_INITIALIZING"] as const) {
    fake.stateName = state;
    expect(await answerOf("GET", "/ready")).toBe(`503 ${state}\n`);
  }
});

test("clusters list nine counters per host, as Envoy does", async () => {
  const store = fake.stats.store;
  store.counter("@host.up|127.0.0.1:19909|cx_connect_fail").inc();
  store.counter("@host.up|127.0.0.1:19909|cx_total").inc();
  store.counter("@host.up|127.0.0.1:19909|rq_error").inc();
  store.gauge("@host.up|127.0.0.1:19909|rq_active").set(2);
  const { body } = await call("GET", "/clusters");
  const breaker = (priority: string): string =>
    ["max_connections::1024", "max_pending_requests::1024", "max_requests::1024", "max_retries::3"]
      .map((line) => `up::${priority}::${line}\n`)
      .join("");
  const host =
    "cx_active::0 cx_connect_fail::1 cx_total::1 rq_active::2 rq_error::1 rq_pending_active::0 " +
    "rq_success::0 rq_timeout::0 rq_total::0 hostname:: health_flags::healthy weight::1 " +
    "region:: zone:: sub_zone:: canary::false priority::0 success_rate::-1 " +
    "local_origin_success_rate::-1";
  const hostLines = host.split(" ").map((line) => `up::127.0.0.1:19909::${line}\n`);
  expect(body).toBe(
    `up::observability_name::up\n${breaker("default_priority")}${breaker("high_priority")}` +
      `up::added_via_api::false\n${hostLines.join("")}`,
  );
  const json = JSON.parse((await call("GET", "/clusters?format=json")).body);
  const status = json.cluster_statuses[0];
  expect(Object.keys(status)).toEqual([
    "name",
    "host_statuses",
    "circuit_breakers",
    "observability_name",
  ]);
  expect(status.host_statuses[0]).toEqual({
    address: { socket_address: { address: "127.0.0.1", port_value: 19909 } },
    stats: [
      { name: "cx_connect_fail", value: "1" },
      { name: "cx_total", value: "1" },
      { name: "rq_error", value: "1" },
      { name: "rq_success" },
      { name: "rq_timeout" },
      { name: "rq_total" },
      { type: "GAUGE", name: "cx_active" },
      { type: "GAUGE", name: "rq_active", value: "2" },
      { type: "GAUGE", name: "rq_pending_active" },
    ],
    health_status: { eds_health_status: "HEALTHY" },
    weight: 1,
    locality: {},
  });
});

test("listeners as JSON", async () => {
  const { body } = await call("GET", "/listeners?format=json");
  expect(body).toContain('{\n "listener_statuses": [\n  {\n   "name": "l",\n   "local_address": {');
  const statuses = JSON.parse(body).listener_statuses;
  expect(statuses[2].local_address).toEqual({ pipe: { path: "/run/x.sock" } });
});

test("the configuration dump has Envoy's six parts in its order", async () => {
  const { configs } = JSON.parse((await call("GET", "/config_dump")).body);
  const names = configs.map((config: { "@type": string }) => config["@type"].split(".").at(-1));
  expect(names).toEqual([
    "BootstrapConfigDump",
    "ClustersConfigDump",
    "ListenersConfigDump",
    "ScopedRoutesConfigDump",
    "RoutesConfigDump",
    "SecretsConfigDump",
  ]);
  expect(configs[1].static_clusters[0]).toEqual({
    cluster: {
      "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
      name: "up",
      connect_timeout: "1s",
    },
    last_updated: "2026-11-21T12:21:23.968Z",
  });
});

test("the dump's resource, mask and name_regex choose as in Envoy", async () => {
  const dump = async (query: string): Promise<unknown> =>
    JSON.parse((await call("GET", `/config_dump?${query}`)).body).configs;
  const type = "type.googleapis.com/envoy.admin.v3.ClustersConfigDump";
  const cluster = { "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", name: "up" };
  expect(await dump("resource=static_clusters&mask=cluster.name")).toEqual([
    { "@type": `${type}.StaticCluster`, cluster },
  ]);
  expect(await dump("mask=bootstrap.node.id,bootstrap.admin")).toEqual([
    {
      "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
      bootstrap: { node: { id: "n" }, admin: { address: { pipe: {} } } },
    },
  ]);
  const byName = (await dump("name_regex=u.")) as Record<string, unknown>[];
  expect(byName[1]?.["static_clusters"]).toHaveLength(1);
  expect(byName[2]).toEqual({
    "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
  });
});

test("wasm plugins have a page", async () => {
  const { status, body } = await call("GET", "/wasm/plugins");
  expect([status, JSON.parse(body)]).toEqual([200, fake.wasmPlugins()]);
  expect((await call("GET", "/wasm/plugins/guest/nothing")).status).toBe(404);
  const costs = await call("GET", "/wasm/costs");
  expect([costs.status, JSON.parse(costs.body)]).toEqual([200, fake.wasmCosts()]);
  const traps = await call("GET", "/wasm/plugins/a%20guest/traps");
  expect([traps.status, JSON.parse(traps.body)]).toEqual([200, fake.wasmTraps("a guest")]);
  expect(await answerOf("GET", "/wasm/plugins/b/traps")).toBe("404 no plugin b\n");
  const shadow = await call("GET", "/wasm/plugins/a%20guest/shadow");
  expect([shadow.status, JSON.parse(shadow.body)]).toEqual([200, fake.wasmShadow("a guest")]);
  expect(await answerOf("GET", "/wasm/plugins/b/shadow")).toBe("404 no plugin b\n");
  expect((await call("POST", "/wasm/plugins/a%20guest/traps")).status).toBe(405);
});

const STREAM = { kind: "stream" } as const;
const share = (more: object): object => ({ perTenThousand: 0, match: null, ...more });

test.each<[string, string, Call, string]>([
  ["a module", "a%20b/module", { body: "module" }, '["a b","module",null,null]'],
  ["what is shared", "g/module?shared_data=fresh", { body: "m" }, '["g","m",null,null,"fresh"]'],
  ["a configuration", "g/configuration", { body: "{}" }, '["g",null,"{}",null]'],
  [
    "what curl --data-binary sends",
    "g/module",
    {
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "a=b&canary=1",
    },
    '["g","a=b&canary=1",null,null]',
  ],
  [
    "both",
    "g/module",
    {
      headers: { "content-type": 'multipart/form-data; boundary="b"' },
      body:
        '--b\r\nContent-Disposition: form-data; name="module"; filename="a.wasm"\r\n\r\nbytes' +
        '\r\n--b\r\ncontent-disposition: form-data; name="configuration"\r\n\r\n\r\n--b--\r\n',
    },
    '["g","bytes","",null]',
  ],
  [
    "a module with its source map",
    "g/module",
    {
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body:
        '--b\r\ncontent-disposition: form-data; name="module"\r\n\r\nbytes' +
        '\r\n--b\r\ncontent-disposition: form-data; name="source_map"\r\n\r\n{}\r\n--b--\r\n',
    },
    '["g","bytes",null,null,"{}"]',
  ],
])("%s is pushed", async (_, path, request, expected) => {
  expect((await call("POST", `/wasm/plugins/${path}`, request)).status).toBe(200);
  expect(fake.calls).toEqual([`push ${expected}`]);
});

test.each<[string, object]>([
  ["canary=10%25", { share: share({ perTenThousand: 1000, sticky: { kind: "stream" } }) }],
  [
    "canary=0.5&sticky=header:X-User&promote=auto",
    {
      share: share({ perTenThousand: 50, sticky: { kind: "header", header: "x-user" } }),
      isPromoted: true,
    },
  ],
  [
    "canary_header=X-Canary=a=b&sticky=client",
    { share: share({ match: { header: "x-canary", value: "a=b" }, sticky: { kind: "client" } }) },
  ],
  ["shadow", { role: "shadow", share: share({ perTenThousand: 10_000, sticky: STREAM }) }],
  ["shadow=2.5%25", { role: "shadow", share: share({ perTenThousand: 250, sticky: STREAM }) }],
  [
    "shadow_header=x-try",
    { role: "shadow", share: share({ match: { header: "x-try", value: null }, sticky: STREAM }) },
  ],
])("a trial of ?%s", async (query, expected) => {
  expect((await call("POST", `/wasm/plugins/g/module?${query}`, { body: "m" })).status).toBe(200);
  const [plugin, module, configuration, trial] = JSON.parse(
    (fake.calls[0] ?? "").replace("push ", ""),
  ) as unknown[];
  expect([plugin, module, configuration]).toEqual(["g", "m", null]);
  expect(trial).toEqual({ role: "canary", isPromoted: false, ...expected });
});

test.each<[string, Call, string]>([
  ["module", {}, "found no module, expected its bytes as the body or as the part module"],
  ["module?canary=0", { body: "m" }, 'canary: found "0", expected a percentage from 0.01 to 100'],
  ["module?canary=101", { body: "m" }, 'canary: found "101", expected a percentage'],
  ["module?promote=auto", { body: "m" }, "promote is of a canary: expected canary"],
  ["module?shadow&promote=auto", { body: "m" }, "promote is of a canary: expected canary"],
  ["module?sticky=client", { body: "m" }, "sticky: expected one of canary, canary_header, shadow"],
  ["module?shadow&canary=1", { body: "m" }, "found canary and shadow, expected one of them"],
  ["module?shadow=2000", { body: "m" }, 'shadow: found "2000", expected a percentage'],
  ["module?canary=1&sticky=me", { body: "m" }, 'sticky: found "me", expected client or header'],
  ["module?canary=1&canary_header=a", { body: "m" }, "found canary and canary_header"],
  ["module?canary_header=a%20b", { body: "m" }, "canary_header: found"],
  ["module?shared_data", { body: "m" }, 'shared_data: found "", expected kept or fresh'],
  ["module?nope=1", { body: "m" }, "unknown parameter nope, expected canary"],
  [
    "module",
    { headers: { "content-type": "multipart/form-data; boundary=b" }, body: "--b\r\nx\r\n\r\ny" },
    "the body ends within a part",
  ],
  [
    "module",
    { headers: { "content-type": "multipart/form-data" }, body: "--b" },
    "the content type names no boundary",
  ],
])("a push of %s %j says what is wrong", async (path, request, expected) => {
  const { status, body } = await call("POST", `/wasm/plugins/g/${path}`, request);
  expect(status).toBe(400);
  expect((JSON.parse(body) as { problems: string[] }).problems[0]).toContain(expected);
  expect(fake.calls).toEqual([]);
});

test("what a push came to is its status, and large bodies are refused", async () => {
  const push = (body: string): Promise<Answer> => call("POST", "/wasm/plugins/g/module", { body });
  expect((await push("bad")).status).toBe(422);
  expect((await push("x".repeat(200_000))).status).toBe(200);
  expect((await push("x".repeat(200_001))).status).toBe(413);
  expect((await call("POST", "/wasm/plugins/g/promote?version=v")).status).toBe(200);
  expect((await call("POST", "/wasm/plugins/g/rollback")).status).toBe(409);
  expect(fake.calls.slice(2)).toEqual(["promote g v", "rollback g "]);
  expect((await call("GET", "/wasm/plugins/g/module")).status).toBe(405);
});

test("only who may changes plugins, and is told before the body is read", async () => {
  const push = async (headers: Call["headers"]): Promise<number> => {
    const path = "/wasm/plugins/g/module";
    return (await call("POST", path, { body: "module", ...(headers && { headers }) })).status;
  };
  expect(await push({ origin: "http://127.0.0.1" })).toBe(403);
  const access = [
    [{ from: "off", token: "" }, undefined, 403],
    [{ from: "any", token: "secret-12" }, undefined, 401],
    [{ from: "any", token: "secret-12" }, { authorization: "Bearer secret-13" }, 401],
    [{ from: "local", token: "secret-12" }, { authorization: "Bearer secret-12" }, 200],
  ] as const;
  for (const [wasmAccess, headers, status] of access) {
    await server.close();
    server = createAdminServer(fake, { ...options, wasmAccess });
    port = (await server.listen()).port ?? 0;
    expect(await push(headers)).toBe(status);
  }
  expect(fake.calls).toHaveLength(1);
});

test("log levels are listed and changed, all or none of a request", async () => {
  expect(await answerOf("POST", "/logging")).toBe(
    "200 active loggers:\n  admin: info\n  http: error\n\n",
  );
  expect((await call("POST", "/logging?level=debug")).body).toContain("http: debug");
  expect((await call("POST", "/logging?admin=trace")).body).toContain("admin: trace");
  expect((await call("POST", "/logging?paths=admin:info,http:warning")).body).toContain(
    "  admin: info\n  http: warning\n",
  );
  const errors = [
    ["level=bad", "unknown logger level"],
    ["level=warn", "unknown logger level"],
    ["admin=nope", "unknown logger level"],
    ["foo=info", "unknown logger name"],
    ["paths=admin:off,zzz:debug", "unknown logger name"],
    ["paths=admin", "empty logger name or empty logger level"],
    ["admin=info&http=info", "invalid number of parameters"],
    ["group=admin:debug", "group parameter requires fine-grain logging to be enabled"],
  ] as const;
  for (const [query, error] of errors) {
    const { status, body } = await call("POST", `/logging?${query}`);
    expect(status).toBe(400);
    expect(body.startsWith(`error: ${error}\n\nusage: /logging?<name>=<level> `)).toBe(true);
    expect(body.endsWith("active loggers:\n  admin: info\n  http: warning\n\n")).toBe(true);
  }
  for (const empty of ["level=", "paths="]) {
    expect((await call("POST", `/logging?${empty}`)).status).toBe(200);
  }
  const form = {
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "level=critical",
  };
  expect((await call("POST", "/logging", form)).body).toContain("http: critical");
});

test("commands reach the process", async () => {
  for (const path of [
    "/healthcheck/fail",
    "/healthcheck/ok",
    "/reopen_logs",
    "/drain_listeners?skip_exit",
    "/drain_listeners?graceful&inboundonly",
  ]) {
    expect(await answerOf("POST", path)).toBe("200 OK\n");
  }
  expect(fake.calls).toEqual([
    "healthcheck fail",
    "healthcheck ok",
    "reopen",
    'drain {"graceful":false,"skipExit":true,"inboundOnly":false}',
    'drain {"graceful":true,"skipExit":false,"inboundOnly":true}',
  ]);
});

test("quitting waits until the answer is sent", async () => {
  const quit = new Promise<void>((resolve) => {
    fake.onQuit = resolve;
  });
  expect(await answerOf("POST", "/quitquitquit")).toBe("200 OK\n");
  await quit;
  expect(fake.calls).toEqual(["quit"]);
});

test("large pages are compressed for those who accept it", async () => {
  const accepting = async (value: string): Promise<Answer> =>
    call("GET", "/help", { headers: { "accept-encoding": value } });
  const packed = await accepting("br, gzip;q=0.5");
  expect(packed.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(packed.bytes).toString()).toBe(help);
  for (const value of ["br", "gzip;q=0", "identity"]) {
    expect((await accepting(value)).body).toBe(help);
  }
  const small = await call("GET", "/ready", { headers: { "accept-encoding": "gzip" } });
  expect(small.headers["content-encoding"]).toBeUndefined();
});

test("what is too long or too large is refused", async () => {
  const long = await call("GET", `/stats?filter=${"a".repeat(17_000)}`);
  expect([long.status, long.body]).toEqual([414, "request target is too long\n"]);
  const large = await call("POST", "/logging", { body: "x".repeat(70_000) });
  expect([large.status, large.body]).toEqual([413, "request body is too large\n"]);
  const fits = await call("POST", "/logging", { body: "x".repeat(65_536) });
  expect(fits.status).toBe(200);
});

test("each answer is a line of the access log, in Envoy's default format", async () => {
  const headers = { "user-agent": "ua", host: "h", "x-request-id": "id" };
  await call("POST", "/reset_counters", { headers, body: "abc" });
  expect(lines.length).toBe(1);
  expect(lines[0]).toMatch(
    /^\[20\S+Z\] "POST \/reset_counters HTTP\/1\.1" 200 - 3 3 \d+ - "\S+" "ua" "id" "h" "-"\n$/,
  );
});

test("the interface counts itself under Envoy's names", async () => {
  await call("GET", "/nope");
  const { body } = await call("GET", "/stats?filter=admin.*(cx_total|rq_4xx|rq_active|rq_total)");
  expect(body).toContain("http.admin.downstream_cx_total: 2\n");
  expect(body).toContain("http.admin.downstream_rq_4xx: 1\n");
  expect(body).toContain("http.admin.downstream_rq_active: 1\n");
  expect(body).toContain("http.admin.downstream_rq_total: 2\n");
  expect(body).toContain("listener.admin.http.admin.downstream_rq_4xx: 1\n");
});

test("the process' own metrics follow a whole scrape only", async () => {
  const whole = await call("GET", "/stats/prometheus");
  expect(whole.body).toMatch(/^envoy_server_live\{\} 1$/m);
  expect(whole.body).toMatch(/^headgate_process_resident_memory_bytes \d+/m);
  const filtered = await call("GET", "/stats/prometheus?filter=live");
  expect(filtered.body).not.toContain("headgate_");
});

test("the home page shows the state and every command, with nothing unescaped", async () => {
  fake.serverInfo = () => ({ version: "<b>&", state: "LIVE", uptime_current_epoch: "3s" });
  const { headers, body } = await call("GET", "/?x=1");
  expect(headers["content-type"]).toBe("text/html; charset=UTF-8");
  const links = [...adminCommands, ...ownCommands]
    .filter(({ path }) => path !== "/")
    .map(({ path, mutates }) => (mutates ? `form="${path}"` : `href="${path}"`));
  expect(links.filter((link) => !body.includes(link))).toEqual([]);
  expect(body).toContain("&lt;b&gt;&amp;");
  expect(body).not.toContain("<b>");
});

test("whose calls are logged is shown by GET and switched by POST", async () => {
  const list = "traced wasm plugins:\n  a: off\n  b: every stream (switched here)\n";
  expect(await answerOf("GET", "/wasm/trace")).toBe(`200 ${list}`);
  expect(await answerOf("POST", "/wasm/trace?plugin=a&every=&header=x:%201")).toBe(`200 ${list}`);
  expect(await answerOf("POST", "/wasm/trace?plugin=b&off")).toBe(`200 ${list}`);
  expect(await answerOf("GET", "/wasm/trace?plugin=a")).toBe(`405 ${post("GET").slice(4)}`);
  expect(fake.calls).toEqual(["trace a  x: 1", "untrace b"]);
  const refusals: readonly (readonly [string, string])[] = [
    ["plugin=c", 'no wasm plugin has the name "c"'],
    ["every=2", "expected the name of a plugin"],
    ["plugin=a&off&every=2", "found off beside every or header, expected one of them"],
    ["plugin=a&evry=2", "unknown parameter evry"],
  ];
  for (const [query, problem] of refusals) {
    const answer = await answerOf("POST", `/wasm/trace?${query}`);
    expect(answer.split("\n")[0]).toBe(`400 error: ${problem}`);
  }
  fake.levels.set("wasm", LogLevel.Warning);
  expect(await answerOf("GET", "/wasm/trace")).toContain("the logger wasm does not show info");
});

test("a fault of a handler is 500, and the next request is served", async () => {
  fake.serverInfo = () => {
    throw new Error("boom");
  };
  expect(await answerOf("GET", "/server_info")).toBe("500 internal error\n");
  expect(await answerOf("GET", "/ready")).toBe("200 LIVE\n");
});

test("a connection is kept for further requests", async () => {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const get = "GET /ready HTTP/1.1\r\nhost: h\r\n";
  socket.write(`${get}\r\n${get}connection: close\r\n\r\n`);
  await closed;
  expect(text.match(/LIVE\n/g)?.length).toBe(2);
});

test("a client that leaves in the middle of its body does no harm", async () => {
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /logging HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.destroy();
  expect(await answerOf("GET", "/ready")).toBe("200 LIVE\n");
});

test("an address in use is an error of listen", async () => {
  const second = createAdminServer(fake, {
    address: { address: "127.0.0.1", port },
    accessLogs: [],
    logger: silentLogger,
    wasmAccess: { from: "off", token: "" },
    pushBytesMax: 1,
  });
  await expect(second.listen()).rejects.toThrow("EADDRINUSE");
});
