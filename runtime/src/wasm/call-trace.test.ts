// The live trace: what its lines say, which streams have them, and that there are not too many.
import { encodePairs, findHostcall, type Hostcall } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { createFilterHost } from "../../test/harness.ts";
import { TRACE_ALL, withTraceHeader } from "../config/trace-rule.ts";
import { defaultWasmPolicy, type WasmPolicy } from "../config/wasm-policy.ts";
import { argumentsText } from "./call-text.ts";
import { type FilterHost, scriptedHost } from "./guest-script-for-test.ts";
import { constant, guestBuilder } from "../module/wasm-builder-for-test.ts";
import { GuestMemory } from "./memory.ts";
import type { Vm } from "./vm.ts";

const MARK = "wasm trace ";

function policy(every: number, traceLinesPerSecond = 10_000): WasmPolicy {
  const limits = { ...defaultWasmPolicy.limits, traceLinesPerSecond };
  const trace = every === 0 ? null : { ...TRACE_ALL, every };
  return { ...defaultWasmPolicy, trace, limits, standby: "off" };
}

function linesOf({ logs }: FilterHost): string[] {
  const traced = logs.filter(({ message }) => message.startsWith(MARK));
  return traced.map(({ message }) => message.slice(MARK.length));
}

/** Without what the script says of itself. */
function callsOf(host: FilterHost): string[] {
  return linesOf(host).filter((line) => !line.includes("proxy_log("));
}

test("each call is a line with names, texts, status, results and time", async () => {
  const lines = [
    "get_header_map_value 0 x-a",
    "get_header_map_value 0 x-none",
    "get_header_map_pairs 0",
    "get_property request%00path",
    "set_header_map_pairs 0 a=1",
    "define_metric 1 seen",
    "get_buffer_bytes 99 0 5",
  ];
  const host = await scriptedHost(
    lines.map((line) => `request_headers ${line}`),
    { policy: policy(1) },
  );
  host.request({ path: "/a", headers: { "x-a": 'o"\xe9' } });
  const calls = callsOf(host);
  const from = calls.findIndex((line) => line.startsWith("filter 2: proxy_on_request_headers("));
  const headers = String.raw`":method": "GET", ":scheme": "http", "x-a": "o\"\xe9"`;
  expect(calls.slice(from, from + 9)).toEqual([
    "filter 2: proxy_on_request_headers(context_id=2, num_headers=5, end_of_stream=true)",
    String.raw`filter 2:   proxy_get_header_map_value(map_id=HttpRequestHeaders, key="x-a") -> Ok, value="o\"\xe9", 0 us`,
    'filter 2:   proxy_get_header_map_value(map_id=HttpRequestHeaders, key="x-none") -> NotFound, 0 us',
    `filter 2:   proxy_get_header_map_pairs(map_id=HttpRequestHeaders) -> Ok, map=[":authority": "example.com", ":path": "/a", ${headers}], 0 us`,
    'filter 2:   proxy_get_property(path="request.path") -> Ok, value="/a", 0 us',
    'filter 2:   proxy_set_header_map_pairs(map_id=HttpRequestHeaders, map=["a": "1"]) -> Ok, 0 us',
    'filter 2:   proxy_define_metric(metric_type=Gauge, name="seen") -> Ok, metric_id=5, 0 us',
    "filter 2:   proxy_get_buffer_bytes(buffer_id=99, offset=0, max_size=5) -> BadArgument, 0 us",
    "filter 2: proxy_on_request_headers -> Continue, 0 us",
  ]);
  expect(calls.slice(0, 3)).toEqual([
    "inline: _initialize()",
    "inline: _initialize -> returned, 0 us",
    "filter 1: proxy_on_context_create(context_id=1, parent_context_id=0)",
  ]);
  host.close();
  expect(callsOf(host).slice(-2)).toEqual([
    "filter 1: proxy_on_delete(context_id=1)",
    "filter 1: proxy_on_delete -> returned, 0 us",
  ]);
});

test("secrets of a configuration are not shown, not even one that is cut", async () => {
  const known = { user: "anne", password: 'hid"den', Authorization: "Bearer hidden" };
  const pem = "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----";
  const long = { fill: "x".repeat(220), token: `${"hidden".repeat(10)}` };
  for (const configuration of [known, { key: pem }, long].map((one) => JSON.stringify(one))) {
    const reads = ["configure get_buffer_bytes 7 0 max"];
    const host = await scriptedHost(reads, { policy: policy(1), config: configuration });
    const told = callsOf(host).find((line) => line.includes("PluginConfiguration")) ?? "";
    expect(told).toContain("[redacted]");
    expect(told).not.toContain("hid");
    const isNameShown = told.includes(String.raw`\"user\":\"anne\"`);
    expect(isNameShown).toBe(configuration.includes("anne"));
    host.close();
  }
});

test("one stream in so many is traced, the root context always", async () => {
  const host = await scriptedHost([], { policy: policy(3) });
  for (let i = 0; i < 6; i += 1) host.request();
  host.tick(1000);
  host.close();
  const contexts = new Set(callsOf(host).map((line) => line.split(":")[0]));
  expect([...contexts]).toEqual(["inline", "filter 1", "filter 3", "filter 6"]);
});

test("a call that stops the guest is shown, and so is the callback that it was in", async () => {
  const host = await scriptedHost(["request_headers proc_exit 3"], { policy: policy(1) });
  host.request();
  expect(callsOf(host).slice(-3)).toEqual([
    "filter 2: proxy_on_request_headers(context_id=2, num_headers=4, end_of_stream=true)",
    "filter 2:   proc_exit(code=3) -> the guest is stopped, 0 us",
    "filter 2: proxy_on_request_headers -> the guest is stopped, 0 us",
  ]);
  host.close();
});

test("lines of a trace are limited for each second, and what is left out is told", async () => {
  const host = await scriptedHost([], { policy: policy(1, 15) });
  for (let i = 0; i < 10; i += 1) host.request();
  expect(linesOf(host).length).toBe(15);
  const left = host.stats.counter("wasm.filter.limit.trace_lines_per_second").value;
  expect(left).toBeGreaterThan(50);
  host.tick(1000);
  host.request();
  expect(linesOf(host)[15]).toContain(`: ${left} lines were left out`);
  expect(linesOf(host).length).toBe(15 + 1 + 15);
  host.close();
});

test("a VM that is not traced has its functions as they are", async () => {
  const host = await scriptedHost([], { policy: policy(0) });
  host.request();
  expect(linesOf(host)).toEqual([]);
  const vm = host.plugin.root?.vm;
  expect(vm?.trace).toBeNull();
  // An export of a module is a native function with a number for a name.
  expect(vm?.exports.onRequestHeaders?.name).toMatch(/^\d+$/);
  host.close();
});

test("long values and maps are cut, and pointers outside of the memory are told", () => {
  const memory = new GuestMemory();
  memory.attach(new WebAssembly.Memory({ initial: 1 }), null);
  const shown = (name: string, pointer: number, size: number): string => {
    const { params } = findHostcall(name) as Hostcall;
    return argumentsText(memory, params, [0, pointer, size]);
  };
  memory.writeBytes(16, Buffer.alloc(1000, "x"));
  expect(shown("proxy_log", 16, 1000)).toBe(
    `log_level=Trace, message="${"x".repeat(256)}" and 744 bytes`,
  );
  expect(shown("proxy_log", 65_530, 10)).toBe(
    "log_level=Trace, message=(10 bytes at 65530, outside of the memory)",
  );
  const pairs = encodePairs(Array.from({ length: 140 }, (_, i) => `n${i}`));
  memory.writeBytes(4096, pairs);
  expect(shown("proxy_set_header_map_pairs", 4096, pairs.length)).toMatch(
    /^map_id=HttpRequestHeaders, map=\["n0": "n1", .*"n126": "n127"\] and 6 more$/,
  );
});

test("the streams whose request has a header are traced, whatever the guest does to it", async () => {
  const lines = ["request_headers remove_header_map_value 0 x-debug"];
  const host = await scriptedHost(lines, { policy: policy(0) });
  host.trace({ every: 1, header: "x-debug", value: "1" });
  host.request();
  host.request({ headers: { "x-debug": "2" } });
  host.request({ headers: { "x-debug": "1" } });
  const ofStreams = callsOf(host).filter((line) => line.startsWith("filter "));
  expect(new Set(ofStreams.map((line) => line.split(":")[0]))).toEqual(new Set(["filter 4"]));
  expect(ofStreams[0]).toContain("filter 4: proxy_on_context_create(");
  expect(ofStreams.at(-1)).toContain("filter 4: proxy_on_delete -> returned");
  host.trace({ every: 1, header: "x-debug", value: null });
  host.request({ headers: { "x-debug": "2" } });
  expect(callsOf(host).at(-1)).toContain("filter 5: proxy_on_delete -> returned");
  host.close();
});

test("the switch leaves the guest and its streams as they are, and nothing of it behind", async () => {
  const host = await scriptedHost([], { policy: policy(0) });
  const vm = host.plugin.root?.vm as Vm;
  const own = vm.exports.onRequestHeaders;
  const targets = vm.gates.map((gate) => gate.target);
  const stream = host.request({ upstream: "never" });
  host.trace(TRACE_ALL);
  expect(vm.gates.some((gate, at) => gate.target === targets[at])).toBe(false);
  stream.abort();
  expect(callsOf(host)[0]).toBe("filter 2: proxy_on_log(context_id=2)");
  host.trace(null);
  const count = linesOf(host).length;
  host.request();
  expect(linesOf(host).length).toBe(count);
  expect(host.plugin.root?.vm).toBe(vm);
  expect(vm.trace).toBeNull();
  expect(vm.exports.onRequestHeaders).toBe(own);
  expect(vm.gates.every((gate, at) => gate.target === targets[at])).toBe(true);
  host.close();
});

test("callbacks that do nothing are not called, but shown by a trace", async () => {
  const builder = guestBuilder();
  const params = ["i32", "i32", "i32"];
  const name = "proxy_on_response_headers";
  builder.func({ params, results: ["i32"], code: constant(0), exportAs: name });
  const host = await createFilterHost({ module: builder.build() });
  host.request();
  host.trace(TRACE_ALL);
  host.request();
  host.trace(null);
  host.request();
  expect(callsOf(host).map((line) => line.split("(")[0])).toEqual([
    `filter 3: ${name}`,
    expect.stringContaining(`filter 3: ${name} -> Continue`),
  ]);
  host.close();
});

test("the switch stands above the policy, and the next VM follows it", async () => {
  const lines = ["request_headers#1 trap", "request_headers get_status"];
  const host = await scriptedHost(lines, { policy: policy(1), failurePolicy: "fail_reload" });
  host.trace(null);
  const before = linesOf(host).length;
  host.request();
  host.tick(2000);
  expect(linesOf(host).length).toBe(before);
  host.trace(TRACE_ALL);
  host.request();
  host.tick(2000);
  host.request();
  const roots = callsOf(host).slice(before);
  expect(roots.filter((line) => line.includes("proxy_on_vm_start(")).length).toBe(1);
  host.close();
});

test.each([
  ["x-debug", { every: 1, header: "x-debug", value: null }],
  ["X-Debug: a: b ", { every: 1, header: "x-debug", value: "a: b" }],
  [":path: /a", { every: 1, header: ":path", value: "/a" }],
  ["", 'found "", expected the name of a request header, or "name: value"'],
  [":status", 'found ":status", expected the name of a request header, or "name: value"'],
  ["x y: 1", 'found "x y: 1", expected the name of a request header, or "name: value"'],
])("a header to trace by: %j", (text, expected) => {
  expect(withTraceHeader(TRACE_ALL, text)).toEqual(expected);
});
