// A version in the shadow of another, in a real process: what is told of its differences, and that
// nobody feels it. Both versions are the scripted guest of test/guests, with scripts that are pushed.
import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess, StartOptions } from "./headgate-process.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";
import type { ShadowPage } from "../src/cli/filter/shadow.ts";

const TYPE = "type.googleapis.com/envoy.extensions";
const upstream = useUpstream("answer");
const processes = useProcesses({ concurrency: 1 });
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
});

class Rig {
  readonly headgate: HeadgateProcess;
  readonly target: string;
  #count: number = 0;

  constructor(headgate: HeadgateProcess, target: string) {
    this.headgate = headgate;
    this.target = target;
  }

  static get module(): string {
    const path = processes.scratch.path("guest.wasm");
    writeFileSync(path, guest);
    return path;
  }

  /** `policy`: more of the default one. */
  static async start(policy = "", options: StartOptions = {}, config?: object): Promise<Rig> {
    const text = `default: {start_time_ms: off${policy}}`;
    const flags = ["--wasm-policy", processes.scratch.write("policy.yaml", text)];
    const filters = [wasmFilter(Rig.module)];
    const plain = bootstrap({ upstreamPort: upstream.port, filters });
    const headgate = await processes.start(config ?? plain, { ...options, flags });
    return new Rig(headgate, await headgate.listener());
  }

  async post(what: string, script = ""): Promise<Record<string, unknown>> {
    const url = `http://${this.headgate.adminAddress}/wasm/plugins/guest/${what}`;
    const response = await fetch(url, { method: "POST", body: script });
    return (await response.json()) as Record<string, unknown>;
  }

  /**
   * Both versions, on VMs of their own: their first streams are context 2. Answers with what came
   * of the pushes.
   */
  async serve(
    primary: readonly string[],
    shadow: readonly string[],
    share = "",
  ): Promise<readonly unknown[]> {
    // Another text, so that it is another version whatever was before.
    this.#count += 1;
    const script = (lines: readonly string[]): string =>
      [...lines, `case ${this.#count}`].join("\n");
    const served = await this.post("configuration", script(primary));
    const what = `configuration?shadow${share}`;
    const tried = await this.post(what, script([...shadow, "shadow"]));
    return [served["state"], tried["state"]];
  }

  async request(path = "/", init: RequestInit = {}): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://${this.target}${path}`, init);
    return { status: response.status, text: await response.text() };
  }

  async page(): Promise<ShadowPage> {
    return JSON.parse(await this.headgate.admin("/wasm/plugins/guest/shadow")) as ShadowPage;
  }

  /** When so many streams were compared. */
  async compared(count = 1): Promise<ShadowPage> {
    await this.headgate.waitFor(async () => {
      const { stats, differences } = await this.page();
      const kinds = Object.keys(stats?.differences ?? {}).length;
      // Counts are read from memory, differences come by messages.
      return (stats?.streams_compared ?? 0) >= count && differences.length >= kinds;
    });
    return await this.page();
  }
}

type Case = readonly [
  name: string,
  primary: readonly string[],
  shadow: readonly string[],
  differences: Readonly<Record<string, readonly [primary: string, shadow: string]>>,
];

const replace = (name: string, value: string): string =>
  `request_headers replace_header_map_value 0 ${name} ${value}`;
const reply = (status: number, body: string): string =>
  `request_headers send_local_response ${status} gone ${body} a=b -1`;
const call = (body: string): readonly string[] => [
  `request_headers http_call up :method=POST,:path=/call,:authority=up ${body} ~ 1000`,
  "request_headers return 1",
  "http_call_response set_effective_context 2",
];
const answered = (value: string): readonly string[] => [
  `http_call_response replace_header_map_value 0 x-called ${value}`,
  "http_call_response continue_stream 0",
];

const cases: readonly Case[] = [
  ["the same", [replace("x-a", "1")], [replace("x-a", "1")], {}],
  [
    "a request header",
    [replace("x-a", "1"), replace("x-both", "b")],
    [replace("x-a", "2"), replace("x-both", "b")],
    { request_headers: ["x-a: 1", "x-a: 2"] },
  ],
  [
    "a response header",
    [],
    ["response_headers add_header_map_value 2 x-b 1"],
    { response_headers: ["", "x-b: 1"] },
  ],
  [
    "bodies",
    ["request_body set_buffer_bytes 0 0 0 one-"],
    ["request_body set_buffer_bytes 0 0 0 two-", "response_body#1 set_buffer_bytes 1 0 max %20"],
    { request_body: ["one-body", "two-body"], response_body: ["answer", "1 bytes"] },
  ],
  ["local replies", [reply(403, "no")], [reply(403, "no")], {}],
  ["a local reply", [], [reply(403, "no")], { local_reply: ["no reply", "403 gone\na: b\nno"] }],
  [
    "the parts of a local reply",
    [reply(403, "no")],
    [reply(404, "no")],
    { local_reply: ["403 gone\na: b\nno", "404 gone\na: b\nno"] },
  ],
  ["callouts", [...call("c"), ...answered("1")], [...call("c"), ...answered("1")], {}],
  [
    "what is made of a callout's answer",
    [...call("c"), ...answered("1")],
    [...call("c"), ...answered("2")],
    { request_headers: ["x-called: 1", "x-called: 2"] },
  ],
  [
    "a local reply after a callout",
    [...call("c"), "http_call_response send_local_response 401 who no ~ -1"],
    [...call("c"), "http_call_response send_local_response 401 who no ~ -1"],
    {},
  ],
  [
    "callouts of other bodies",
    [...call("c"), ...answered("1")],
    [...call("d"), ...answered("1")],
    {
      callouts: ["up: POST up/call, 1 bytes", "up: POST up/call, 1 bytes"],
      pause: ["let go", "held"],
    },
  ],
  [
    "a gRPC call, which nobody answers",
    [],
    ["request_headers grpc_call up s m ~ 1000"],
    { callouts: ["", "up: gRPC /s/m, not made: gRPC calls of a shadow fail"] },
  ],
  [
    "a pause",
    [],
    ["request_headers return 1"],
    {
      pause: ["pauses in nothing; request headers let go", "RequestHeaders; request headers held"],
    },
  ],
  [
    "a close",
    [],
    ["response_headers close_stream 1"],
    { close: ["the stream goes on", "the stream is reset"] },
  ],
  [
    "the route",
    [],
    ["request_headers call_foreign_function clear_route_cache ~"],
    { route: ["the route stays", "the route is chosen anew"] },
  ],
  [
    "values",
    ["request_headers set_property color red"],
    ["request_headers set_property color blue"],
    { values: ["filter state wasm.color: red", "filter state wasm.color: blue"] },
  ],
];

test("differences are told by their kinds, and are nobody's else", async () => {
  const rig = await Rig.start();
  for (const [name, primary, shadow, differences] of cases) {
    expect(await rig.serve(primary, shadow)).toEqual(["primary", "shadow"]);
    const plain = primary.some((line) => line.includes("send_local_response"));
    const { text } = await rig.request("/x", { method: "POST", body: "body" });
    expect([name, text]).toEqual([name, plain ? "no" : "answer"]);
    const page = await rig.compared();
    const found = page.differences.map(({ kind, primary: a, shadow: b }) => [kind, a, b] as const);
    expect([name, found.map(([kind]) => kind).sort()]).toEqual([
      name,
      Object.keys(differences).sort(),
    ]);
    for (const [kind, a, b] of found) {
      const [ofPrimary, ofShadow] = differences[kind] ?? ["", ""];
      expect([name, a]).toEqual([name, expect.stringContaining(ofPrimary)]);
      expect([name, b]).toEqual([name, expect.stringContaining(ofShadow)]);
    }
    const isSame = found.length === 0;
    expect(page).toMatchObject({
      state: "shadow",
      stats: { streams_same: isSame ? 1 : 0, streams_different: isSame ? 0 : 1 },
    });
  }
}, 180_000);

test("a shadow that is stopped, that holds too much, or that has no share: nobody feels it", async () => {
  const rig = await Rig.start(", fuel: {callback: 1000000}, limits: {shadow_bytes: 1000}", {
    concurrency: 2,
  });
  const load = new Load({ target: rig.target, keepAlive: 8, body: "answer" });
  const trap = "response_headers#3 trap";
  expect(await rig.serve([], [trap, "response_headers#5 loop"])).toEqual(["primary", "shadow"]);
  const stopped = await rig.headgate.waitFor(async () => {
    const { stats } = await rig.page();
    return (stats?.streams_not_compared["stopped"] ?? 0) > 2 ? stats : undefined;
  }, "a stop");
  expect(stopped).toMatchObject({ streams_different: 0 });
  const { version } = await rig.page();
  await rig.headgate.waitFor(async () => {
    const page = await rig.headgate.admin("/wasm/plugins/guest/traps");
    const { reports } = JSON.parse(page) as { reports: { version: string }[] };
    return reports.some((report) => report.version === version);
  }, "a report of its trap");
  expect(await rig.headgate.stat("wasm.guest.stopped.trap")).toBe(0);
  expect(await rig.headgate.stat("shadow.wasm.guest.stopped.trap")).toBeGreaterThan(0);
  // More than it may hold; and a share that nobody has asked for.
  expect(await rig.serve([], ["request_headers return 1"])).toEqual(["primary", "shadow"]);
  const large = await rig.request("/", { method: "POST", body: "x".repeat(20_000) });
  expect(large).toEqual({ status: 200, text: "answer" });
  const page = await rig.compared();
  expect(page.stats?.streams_not_compared).toMatchObject({ over_limit: 1, stopped: 0 });
  expect(await rig.headgate.stat("shadow.wasm.guest.limit.shadow_bytes")).toBe(1);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await rig.serve([], [replace("x-a", "1")], "_header=x-try=yes")).toEqual([
    "primary",
    "shadow",
  ]);
  await rig.request("/no");
  await rig.request("/yes", { headers: { "x-try": "yes" } });
  const { stats, differences } = await rig.compared();
  expect([stats?.streams_compared, differences[0]?.path]).toEqual([1, "/yes"]);
}, 60_000);

test("of a stream with more calls than are compared nothing is said of calls, and it is counted", async () => {
  const rig = await Rig.start();
  const limit = "shadow.wasm.guest.limit.calls_compared";
  const calls = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, i) => call(`c${i}`)[0] as string);
  for (const [count, kinds, counted] of [
    [64, ["callouts"], 0],
    [65, [], 1],
  ] as const) {
    expect(await rig.serve([], calls(count))).toEqual(["primary", "shadow"]);
    expect(await rig.request("/x")).toEqual({ status: 200, text: "answer" });
    const page = await rig.compared();
    expect(page.differences.map(({ kind }) => kind)).toEqual(kinds);
    // The worker's count may come behind its page.
    await expect.poll(() => rig.headgate.stat(limit), { timeout: 20_000 }).toBe(counted);
  }
}, 60_000);

test("what a shadow writes is its own, and goes with it", async () => {
  const rig = await Rig.start();
  const { headgate } = rig;
  const get = "request_headers get_shared_data key";
  const set = (value: string): string => `request_headers set_shared_data key ${value} 0`;
  const counts = [
    "configure define_metric 0 hits",
    "request_headers increment_metric 4 1",
    "configure register_shared_queue q",
    "request_headers enqueue_shared_queue 1 item",
  ];
  expect(await rig.serve([set("p"), get, ...counts], [get, set("s"), get, ...counts])).toEqual([
    "primary",
    "shadow",
  ]);
  const from = headgate.output.length;
  await rig.request();
  await rig.compared();
  await rig.request();
  expect((await rig.compared(2)).stats?.streams_same).toBe(2);
  const got = [...headgate.output.slice(from).matchAll(/(shadow: )?wasm log.*_data key -> (.*)/g)];
  expect(got.map(([, shadow, value]) => `${shadow ?? ""}${value}`).join(", ")).toBe(
    "0 [p], shadow: 0 [p], shadow: 0 [s], 0 [p], shadow: 0 [s], shadow: 0 [s]",
  );
  expect(await headgate.stat("wasmcustom.hits")).toBe(2);
  expect(await headgate.stat("shadow.wasmcustom.hits")).toBe(2);
  // Promoted, it has what the other one has left, and nothing of its own.
  expect(await rig.post("promote")).toMatchObject({ state: "primary" });
  const promoted = headgate.output.length;
  await rig.request();
  await headgate.says(/get_shared_data key -> 0 \[p\]/, promoted);
  expect(await rig.page()).toMatchObject({ state: "primary" });
  expect((await rig.compared(2)).stats?.streams_compared).toBe(2);
  expect(await rig.post("promote")).toEqual({
    plugin: "guest",
    problems: ["no version is tried as a canary or in the shadow"],
  });
  // The next one begins with nothing, and goes when it is rolled back.
  expect(await rig.serve([get], [set("t")])).toEqual(["primary", "shadow"]);
  await rig.request();
  await rig.compared();
  expect(await rig.serve([get], [get])).toEqual(["primary", "shadow"]);
  const next = headgate.output.length;
  await rig.request();
  await headgate.says(/shadow: wasm log guest: {3}get_shared_data key -> 0 \[s\]/, next);
  expect(await rig.post("rollback")).toMatchObject({ state: "previous" });
  await rig.request();
  expect((await rig.page()).state).not.toBe("shadow");
});

test("filters of clusters have shadows; loggers, network filters and services are refused", async () => {
  const filtered = bootstrap({ upstreamPort: upstream.port }) as {
    static_resources: { listeners: object[]; clusters: Record<string, unknown>[] };
  };
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const [cluster] = filtered.static_resources.clusters;
  const codec = `${TYPE}.filters.http.upstream_codec.v3.UpstreamCodec`;
  (cluster as Record<string, unknown>)["typed_extension_protocol_options"] = {
    [options]: {
      "@type": `type.googleapis.com/${options}`,
      explicit_http_config: { http_protocol_options: {} },
      http_filters: [wasmFilter(Rig.module), { name: "c", typed_config: { "@type": codec } }],
    },
  };
  const logger = wasmFilter(Rig.module, "logger") as { typed_config: { config: object } };
  const config = logger.typed_config.config;
  const access_log = [
    {
      name: "l",
      typed_config: { "@type": `${TYPE}.access_loggers.wasm.v3.WasmAccessLog`, config },
    },
  ];
  (filtered.static_resources.listeners[0] as Record<string, unknown>)["access_log"] = access_log;
  const rig = await Rig.start("", {}, filtered);
  const edit = "response_headers add_header_map_value 2 x-b 1";
  expect(await rig.serve([], [edit])).toEqual(["primary", "shadow"]);
  expect(await rig.request("/up")).toEqual({ status: 200, text: "answer" });
  expect((await rig.compared()).differences).toMatchObject([
    { kind: "response_headers", path: "/up", primary: "", shadow: "x-b: 1" },
  ]);
  const answer = await fetch(
    `http://${rig.headgate.adminAddress}/wasm/plugins/logger/configuration?shadow`,
    { method: "POST", body: "other" },
  );
  expect([answer.status, await answer.json()]).toEqual([
    409,
    {
      plugin: "logger",
      problems: [expect.stringMatching(/^found it as an access logger \(.*access_log/)],
    },
  ]);
});

test("a route's own configuration is the shadow's, too, and neither clears the other's route", async () => {
  const route = (prefix: string, script: readonly string[]): object => {
    const value = script.join("\n");
    const configuration = { "@type": "type.googleapis.com/google.protobuf.StringValue", value };
    const own = { "@type": `${TYPE}.filters.http.wasm.v3.Wasm`, config: { configuration } };
    const match = { prefix, headers: [{ name: "x-to", string_match: { exact: prefix.slice(1) } }] };
    return { match, route: { cluster: "up" }, typed_per_filter_config: { guest: own } };
  };
  const plain = { match: { prefix: "/" }, direct_response: { status: 404 } };
  const routes = [route("/one", [replace("x-a", "one")]), route("/two", []), plain];
  const virtual_hosts = [{ name: "all", domains: ["*"], routes }];
  const filters = [wasmFilter(Rig.module)];
  const hcm = { route_config: { virtual_hosts } };
  const rig = await Rig.start("", {}, bootstrap({ upstreamPort: upstream.port, filters, hcm }));
  const clear = "request_headers call_foreign_function clear_route_cache ~";
  expect(await rig.serve([], [replace("x-to", "two"), clear])).toEqual(["primary", "shadow"]);
  const from = rig.headgate.output.length;
  const one = await rig.request("/one", { headers: { "x-to": "one" } });
  expect(one).toEqual({ status: 200, text: "answer" });
  expect((await rig.request("/", { headers: { "x-to": "one" } })).status).toBe(404);
  const { differences } = await rig.compared(2);
  expect(differences.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
    "request_headers /",
    "request_headers /one",
    "route /",
    "route /one",
  ]);
  // Root context 1 has the plugin's configuration, 2 has that of the route.
  const creates = [
    ...rig.headgate.output.slice(from).matchAll(/(shadow: )?\S+ log \S+ create\((.*)\)/g),
  ];
  expect(creates.map(([, shadow = "", ids]) => shadow + ids)).toEqual([
    "4,2",
    "shadow: 4,2",
    "5,1",
    "shadow: 5,1",
  ]);
});
