// What the SDK offers, in the proxy's own wasm host: the guest of these tests does what paths ask for
// and leaves what it saw in the property "output".
import { createFilterHost, type FilterExchange, type FilterHost } from "@headgate/runtime/testing";
import { afterEach, beforeAll, expect, test } from "vitest";
import { guestPath } from "./mini-host.ts";

let module: string;
let host: FilterHost | undefined;

beforeAll(async () => {
  module = await guestPath("probe", "debug");
});

afterEach(() => {
  host?.close();
  host = undefined;
});

async function start(options: Partial<Parameters<typeof createFilterHost>[0]> = {}): Promise<void> {
  host = await createFilterHost({ config: { name: "p" }, ...options, module });
}

function request(options: Parameters<FilterHost["request"]>[0]): FilterExchange {
  if (host === undefined) throw new Error("start first");
  return host.request(options);
}

function outputOf(exchange: FilterExchange): string {
  return Buffer.from(exchange.info.filterState?.get("wasm.output") ?? []).toString();
}

/** Headers and text of hosts are latin1: a character is a byte. */
const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

test("starts VM and plugin, each with its configuration", async () => {
  await start({ vmConfig: "vm text", config: { name: "plugin's" } });
  expect(host?.logs.map((line) => line.message)).toEqual(["vm: vm text"]);
  expect(request({ upstream: { body: "by ", trailers: {} } }).text).toBe("by plugin's");
});

test("refuses to start when the configuration is refused, with its errors", async () => {
  const refused = start({ config: { nmae: "n" } });
  await expect(refused).rejects.toMatchObject({
    reasons: expect.arrayContaining(["configuration /name: is required"]),
  });
  // Unknown members are only told when all else is right.
  await expect(start({ config: { name: "n", nmae: 1 } })).rejects.toMatchObject({
    reasons: expect.arrayContaining(["configuration /nmae: unknown field"]),
  });
});

test("chooses the plugin by root id", async () => {
  await start({ rootId: "zweite Würzel", config: "anything" });
  expect(request({ upstream: { body: "by ", trailers: {} } }).text).toBe("by second");
});

test("reads headers by name, by place and all together", async () => {
  await start();
  const exchange = request({
    path: "/read",
    headers: [
      ["X-Many", "first"],
      ["x-empty", ""],
      ["x-many", "second"],
      ["x-name", latin1("Zoë")],
    ],
    upstream: "never",
  });
  expect(outputOf(exchange).split("|")).toEqual([
    ":authority,:path,:method,:scheme,x-many,x-empty,x-name",
    "first,second",
    "truefalse",
    "null",
    "truefalsefalse",
    ":path=/read",
    "null",
    "Àbcxyz@[",
    // All values, in the order of the names.
    "example.com",
    "/read",
    "GET",
    "http",
    "first",
    "",
    "second",
    "Zoë",
  ]);
});

test("changes headers, names in lower case, values as UTF-8", async () => {
  await start();
  const { upstreamRequest } = request({
    path: "/change",
    scheme: "https",
    headers: { "x-many": "first", "x-gone": "1" },
  });
  expect(upstreamRequest?.headers).toEqual({
    ":method": "GET",
    ":path": "/changed",
    ":authority": "example.com",
    ":scheme": "https",
    "x-many": "first, third",
    "x-set": latin1("één"),
    "x-empty": "",
    "x-dynamic": "https",
  });
});

test("moves bytes that are not UTF-8 without changing them", async () => {
  await start();
  const raw = "\xff\x80 caf\xe9";
  const { upstreamRequest } = request({ path: "/bytes", headers: { "x-raw": raw } });
  const copies = upstreamRequest?.headerList.filter(([name]) => name === "x-raw-copy");
  expect(copies).toEqual([
    ["x-raw-copy", raw],
    ["x-raw-copy", raw],
  ]);
});

test("refuses line breaks in values and what is no name, and changes nothing", async () => {
  await start();
  const exchange = request({ path: "/refuse", upstream: "never" });
  expect(outputOf(exchange)).toBe(`${"false".repeat(11)}true`);
  expect(Object.keys(exchange.upstreamRequest?.headers ?? {})).toEqual(
    expect.arrayContaining([":method", ":path"]),
  );
  expect(exchange.upstreamRequest?.headerList).toHaveLength(4);
  expect(exchange.logs.filter((line) => line.level === "warn")).toHaveLength(11);
});

test("reads and sets the status; request headers that went on are out of reach", async () => {
  await start();
  const exchange = request({ path: "/a", upstream: { status: 404 } });
  expect(exchange.status).toBe(201);
  expect(outputOf(exchange)).toBe("404 ");
});

test.each([
  ["replace", "ein anderer Körper"],
  ["grow", "<grow>"],
  ["bytes", "yteyteyte"],
  ["clear", ""],
  ["other", "other"],
])("changes a request's body: %s", async (given, expected) => {
  await start();
  const { upstreamRequest } = request({ method: "POST", body: given });
  expect(upstreamRequest?.body.toString()).toBe(expected);
});

test("shows all of a body in pieces while it is paused", async () => {
  await start();
  const exchange = request({ method: "POST", body: ["one ", "two ", "three"] });
  expect(exchange.upstreamRequest?.body.toString()).toBe("one two three");
  expect(exchange.messages.filter((line) => line.startsWith("body "))).toEqual([
    "body 4 false",
    "body 8 false",
    "body 13 false",
    "body 13 true",
  ]);
});

test("appends to each piece of a response's body, the end of which is a piece of its own", async () => {
  await start();
  expect(request({ upstream: { body: ["a", "b"], trailers: {} } }).text).toBe("apbp");
  expect(request({ upstream: { body: ["a", "b"] } }).text).toBe("apbpp");
});

test("reads, sets, adds and removes trailers in both directions", async () => {
  await start();
  const exchange = request({
    method: "POST",
    body: "x",
    trailers: { "x-sum": "1" },
    upstream: { body: "y", trailers: { "x-trailer": "gone", "x-many": "one" } },
  });
  expect(exchange.upstreamRequest?.trailers).toEqual({ "x-sum": "1", "x-trailer": "seen" });
  expect(exchange.upstreamRequest?.body.toString()).toBe("x");
  expect(exchange.trailers).toEqual({ "x-many": "one, last" });
  expect(outputOf(exchange)).toBe("falsetrue");
});

test("resets a stream", async () => {
  await start();
  const exchange = request({ upstream: { body: "y", trailers: { "x-reset": "1" } } });
  expect(exchange.reset).not.toBeNull();
  expect(exchange.trailers).toEqual({});
});

test("answers by itself, with headers, details and a gRPC status", async () => {
  await start();
  const exchange = request({ path: "/reply" });
  expect(exchange).toMatchObject({
    status: 201,
    localReply: { status: 429, details: "too_fast", grpcStatus: 8 },
    upstreamRequest: null,
    reset: null,
  });
  expect(exchange.headers["retry-after"]).toBe("5");
  expect(exchange.headers).not.toHaveProperty("x-bad");
  expect(exchange.text).toContain("slow dówn");
});

test("answers with bytes, and sends an impossible status as 500", async () => {
  await start();
  const exchange = request({ path: "/reply-bytes" });
  expect(exchange.localReply?.status).toBe(500);
  expect(exchange.body.subarray(0, 3)).toEqual(Buffer.from([0, 0, 0]));
  expect(exchange.messages).toContain("local reply with status 9999: sent as 500");
});

test.each([
  ["trace", ["t", "d", "ï", "w", "e", "c"], "true"],
  ["warn", ["w", "e", "c"], "false"],
] as const)("logs from level %s on", async (logLevel, lines, isDebugEnabled) => {
  await start({ logLevel });
  const exchange = request({ path: "/log", upstream: "never" });
  expect(exchange.messages).toEqual(lines);
  expect(outputOf(exchange)).toBe(isDebugEnabled);
});

test("counts, and shares metrics among streams", async () => {
  await start();
  request({ upstream: "never" });
  request({ upstream: "never", headers: { a: "1" } });
  expect(host?.metrics.get("probe.requests")).toBe(2);
  expect(host?.metrics.get("probe.live")).toBe(2);
  expect(host?.metrics.get("probe.sizes")).toBe(2);
  request({});
  expect(host?.metrics.get("probe.requests")).toBe(3);
  expect(host?.metrics.get("probe.live")).toBe(2);
});

test("reads properties of the stream and the plugin, and keeps its own", async () => {
  await start({ name: "the plugin", rootId: "any" });
  const exchange = request({
    path: "/properties",
    info: { routeName: "the route", virtualHostName: "everything" },
    remoteAddress: "10.1.2.3:4567",
    upstream: "never",
  });
  expect(outputOf(exchange).split("|")).toEqual([
    "the route",
    "HTTP/1.1",
    "10.1.2.3:4567",
    "any",
    "the plugin",
    "kept",
    "4567",
    "a time",
  ]);
});

test("ticks at its period, and no more once it is closed", async () => {
  await start();
  host?.tick(1000);
  const ticks = (): number => host?.logs.filter((line) => line.message === "tick").length ?? 0;
  expect(ticks()).toBe(4);
  host?.close();
  host?.tick(1000);
  expect(ticks()).toBe(4);
});

test("tells a stream's end in its order, and forgets the stream", async () => {
  await start();
  const { messages } = request({ path: "/end" });
  expect(messages).toEqual(["GET example.com/end true", "log 2", "delete 2"]);
  for (let i = 0; i < 500; i += 1)
    request({ path: "/read", headers: { "x-long": "v".repeat(2000) } });
  const bytes = host?.guestMemoryBytes;
  for (let i = 0; i < 2000; i += 1)
    request({ path: "/read", headers: { "x-long": "v".repeat(2000) } });
  expect(host?.guestMemoryBytes).toBe(bytes);
  expect(host?.contexts).toBe(1);
});

test("a stream that the downstream leaves ends all the same", async () => {
  await start();
  const exchange = request({ path: "/pause" });
  expect(exchange.upstreamRequest).toBeNull();
  exchange.abort();
  expect(exchange.messages).toEqual(["log 2", "delete 2"]);
  expect(host?.contexts).toBe(1);
});
