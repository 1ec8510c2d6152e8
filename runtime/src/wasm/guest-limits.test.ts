// What a guest may make the host hold: each limit is kept, counted, and told once.
import { expect, test } from "vitest";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import type { WasmLimits, WasmPolicy } from "../config/wasm-policy.ts";
import { type FilterHost, scriptedHost } from "./guest-script-for-test.ts";

const CALL = "http_call up :method=GET,:path=/,:authority=a ";

function policy(limits: Partial<WasmLimits>): WasmPolicy {
  return { ...defaultWasmPolicy, limits: { ...defaultWasmPolicy.limits, ...limits } };
}

/** Statuses of an operation, in order. */
function statusesOf(messages: readonly string[], operation: string): string[] {
  return messages
    .filter((message) => message.startsWith(`  ${operation}`))
    .map((message) => message.slice(message.lastIndexOf("->") + 3).split(" ")[0] as string);
}

/** How often the limit was counted; it is told once. */
function exceeded(host: FilterHost, name: string): number {
  const told = host.logs.filter(({ message }) => message.includes(`above its limit ${name} (`));
  expect(told.length).toBe(1);
  return host.stats.counter(`wasm.filter.limit.${name}`).value;
}

test("callouts that wait, and the bytes that they hold, are limited for the whole VM", async () => {
  const calls = (count: number, body: string): string[] =>
    Array.from({ length: count }, () => `request_headers ${CALL}${body} ~ 0`);
  const many = await scriptedHost(calls(5, ""), {
    clusters: { up: "never" },
    policy: policy({ calloutsPending: 7 }),
  });
  expect(statusesOf(many.request().messages, "http_call")).toEqual(["0", "0", "0", "0", "0"]);
  expect(statusesOf(many.request().messages, "http_call")).toEqual(["0", "0", "10", "10", "10"]);
  expect(exceeded(many, "callouts_pending")).toBe(3);
  many.close();
  const large = await scriptedHost(calls(3, "0123456789"), {
    clusters: { up: { status: 200 } },
    policy: policy({ calloutBytes: 25 }),
  });
  expect(statusesOf(large.request().messages, "http_call")).toEqual(["0", "0", "10"]);
  // Those of the first request were answered, and hold nothing any more.
  expect(statusesOf(large.request().messages, "http_call")).toEqual(["0", "0", "10"]);
  expect(exceeded(large, "callout_bytes")).toBe(2);
  large.close();
});

test("lines of the log are limited for each second, and written to WASI's files, too", async () => {
  const lines = ["request_headers log 2 a", "request_headers fd_write 1 b"];
  const host = await scriptedHost(lines, { policy: policy({ logLinesPerSecond: 7 }) });
  host.tick(1000);
  // Each stream: two lines of its own, and two echoes for each operation and callback.
  const seen = (): number => host.request().messages.length;
  expect(seen()).toBe(7);
  expect(seen()).toBe(0);
  expect(exceeded(host, "log_lines_per_second")).toBeGreaterThan(2);
  host.tick(1000);
  expect(seen()).toBe(7);
  host.close();
});

test("lines below the level of the log do not count", async () => {
  const debug = Array.from({ length: 20 }, () => "request_headers log 1 a");
  const host = await scriptedHost(debug, {
    logLevel: "error",
    policy: policy({ logLinesPerSecond: 1 }),
  });
  // Lines of the start are kept for its refusal.
  const { value: before } = host.stats.counter("wasm.filter.limit.log_lines_per_second");
  host.request();
  expect(host.stats.counter("wasm.filter.limit.log_lines_per_second").value).toBe(before);
  host.close();
});

test("metrics are limited by number, however they are called", async () => {
  const define = (name: string): string => `request_headers define_metric 0 ${name}`;
  const host = await scriptedHost(["a", "b", "a", "c"].map(define), {
    policy: policy({ metrics: 3 }),
  });
  expect(statusesOf(host.request().messages, "define_metric")).toEqual(["0", "0", "0", "2"]);
  expect(exceeded(host, "metrics")).toBe(1);
  host.close();
});

test("a body may grow up to its limit", async () => {
  const add = "request_body set_buffer_bytes 0 0 0 0123456789";
  const host = await scriptedHost([add, add, add], { policy: policy({ bodyBytes: 25 }) });
  const exchange = host.request({ method: "POST", body: "abc" });
  expect(statusesOf(exchange.messages, "set_buffer_bytes").slice(0, 3)).toEqual(["0", "0", "2"]);
  expect(exceeded(host, "body_bytes")).toBeGreaterThan(0);
  host.close();
});

test("a header map may grow up to its limit", async () => {
  const add = `request_headers add_header_map_value 0 x-a ${"v".repeat(5000)}`;
  const host = await scriptedHost([add, add, add], { policy: policy({ headerBytes: 12_000 }) });
  const { messages, upstreamRequest } = host.request();
  expect(statusesOf(messages, "add_header_map_value")).toEqual(["0", "0", "2"]);
  expect(upstreamRequest?.headerList.filter(([name]) => name === "x-a").length).toBe(2);
  expect(exceeded(host, "header_bytes")).toBe(1);
  host.close();
});

test("short headers in great number meet the limit, too", async () => {
  const adds = Array.from({ length: 300 }, () => "request_headers add_header_map_value 0 x-a v");
  const host = await scriptedHost(adds, { policy: policy({ headerBytes: 400 }) });
  const statuses = statusesOf(host.request().messages, "add_header_map_value");
  const taken = statuses.filter((status) => status === "0").length;
  expect(taken).toBeGreaterThan(40);
  expect(taken).toBeLessThan(65);
  host.close();
});

test("values kept with a stream are limited by number", async () => {
  const set = (name: string): string => `request_headers set_property ${name} v`;
  const host = await scriptedHost(["a", "b", "a", "c"].map(set), {
    policy: policy({ streamProperties: 2 }),
  });
  expect(statusesOf(host.request().messages, "set_property")).toEqual(["0", "0", "0", "2"]);
  // The next stream has none yet.
  expect(statusesOf(host.request().messages, "set_property")).toEqual(["0", "0", "0", "2"]);
  expect(exceeded(host, "stream_properties")).toBe(2);
  host.close();
});

test("to ask twice for what comes after the callback is to ask once", async () => {
  const reply = (body: string): string => `request_headers send_local_response 418 d ${body} ~ -1`;
  const host = await scriptedHost(Array.from({ length: 100 }, (_, index) => reply(`body${index}`)));
  const exchange = host.request();
  expect([exchange.status, exchange.text]).toEqual([418, "body0"]);
  host.close();
});

test("a root context has one timer: another period takes the place of the one before", async () => {
  const host = await scriptedHost([
    "configure set_tick_period 1",
    "configure set_tick_period 20",
    "configure set_tick_period 10",
  ]);
  host.tick(95);
  const ticks = host.logs.filter(({ message }) => message.startsWith("tick("));
  expect(ticks.length).toBe(9);
  host.close();
});
