// HTTP calls of filters and plugins, in the proxy's own wasm host: answers, failures, resumption.
import {
  type ClusterRequest,
  createFilterHost,
  type FilterExchange,
  type FilterHost,
} from "@headgate/runtime/testing";
import { afterEach, beforeAll, expect, test } from "vitest";
import { guestPath } from "./mini-host.ts";

let module: string;
let host: FilterHost | undefined;
let seen: ClusterRequest[];

beforeAll(async () => {
  module = await guestPath("calls", "debug");
});

afterEach(() => {
  host?.close();
  host = undefined;
});

const madeUp = (body: string): [string, string][] => [
  ["content-length", `${body.length}`],
  ["content-type", "text/plain"],
];

/** A host with clusters that answer as real ones do; `auth` by its function. */
async function start(
  auth: (request: ClusterRequest) => ReturnType<typeof answer> = () => answer("ok"),
  options: Partial<Parameters<typeof createFilterHost>[0]> = {},
): Promise<FilterHost> {
  seen = [];
  host = await createFilterHost({
    clusters: {
      auth: (request) => {
        seen.push(request);
        return auth(request);
      },
      silent: "never",
      broken: "reset",
      refusing: "refuse",
      // As the proxy and Envoy 1.40 tell them.
      slow: { status: 504, headers: madeUp("upstream request timeout"), body: "late" },
      empty: { status: 503, headers: madeUp("no healthy upstream"), body: "none" },
      failing: { status: 503, headers: [["x-envoy-upstream-service-time", "1"]], body: "own" },
    },
    ...options,
    module,
  });
  return host;
}

function answer(body: string, status = 200): { status: number; body: string } | "reset" {
  return { status, body };
}

function request(path: string, more: Parameters<FilterHost["request"]>[0] = {}): FilterExchange {
  if (host === undefined) throw new Error("start first");
  return host.request({ path, ...more });
}

test("an answer resumes the request, which the callback may change", async () => {
  await start(() => answer("alice"));
  const exchange = request("/check");
  expect(exchange.status).toBe(200);
  expect(exchange.upstreamRequest?.headers["x-user"]).toBe("alice");
  expect(seen).toEqual([
    {
      headers: {
        ":method": "GET",
        ":path": "/check?a=b",
        ":authority": "auth",
        "x-token": Buffer.from("tö").toString("latin1"),
      },
      body: Buffer.alloc(0),
      trailers: {},
      timeoutMs: 5000,
    },
  ]);
});

test("an answer may end in one of our own", async () => {
  await start(() => answer("who?", 401));
  const exchange = request("/check");
  expect(exchange).toMatchObject({ status: 403, upstreamRequest: null });
  expect(exchange.text).toBe("denied 401 who?");
});

test.each([
  ["auth", "true none 200 ok"],
  ["failing", "true none 503 own"],
  ["slow", "false timeout 504 late"],
  ["empty", "false unavailable 503 none"],
  ["broken", "false reset 0 reset"],
  ["refusing", "false refused 0 refused by the host"],
  ["nowhere", "false refused 0 refused by the host"],
  ["header", "false refused 0 refused by the host"],
])("every end of a call reaches the one callback: %s", async (cluster, expected) => {
  await start();
  const exchange = request(`/${cluster}`);
  expect(exchange.text).toBe(expected);
  expect(exchange.upstreamRequest).toBeNull();
  // The stream was answered once, and what comes after its end reaches nobody.
  expect(exchange.messages).toContain("over true false");
  expect(host?.contexts).toBe(1);
});

test("a call without an answer holds the stream until its end", async () => {
  await start();
  const exchange = request("/silent");
  expect(exchange.upstreamRequest).toBeNull();
  exchange.abort();
  expect(host?.contexts).toBe(1);
});

test("method, authority, headers, bytes and trailers go out; headers and trailers come back", async () => {
  await start(() => ({
    ...(answer("a\x01c") as object),
    status: 200,
    body: "a\x01c",
    headers: { "x-answer": "yes", "x-two": ["1", "2"] },
    trailers: { "x-sum": "6" },
  }));
  const exchange = request("/whole");
  expect(exchange.text).toBe("yes null 1+2 1 3 6");
  expect(seen[0]).toMatchObject({
    headers: { ":method": "PUT", ":authority": "a.example:8443", "x-one": "1, 2" },
    body: Buffer.from([0, 255, 0]),
    trailers: { "x-sum": "3" },
    timeoutMs: 1,
  });
});

test("two calls at a time share a filter, the last answer resumes", async () => {
  await start(({ headers }) => answer(headers[":path"] ?? ""));
  expect(request("/two").upstreamRequest?.headers["x-seen"]).toBe("/1/2");
});

test("Gather calls back once, with all answers in their order and failures among them", async () => {
  await start(({ headers }) => ({
    ...(answer("") as object),
    status: 200,
    headers: { "X-N": (headers[":path"] ?? "").slice(1) },
    body: headers[":path"] ?? "",
  }));
  const exchange = request("/gather");
  expect(exchange.upstreamRequest?.headers["x-all"]).toBe(
    "true 200 /1 1, false 0  -, true 200 /3 3, ",
  );
});

test("calls in a chain hold and resume the response", async () => {
  await start(({ headers }) => answer(headers[":path"] ?? ""));
  const exchange = request("/response", { upstream: { headers: { "x-ask": "1" }, body: "b" } });
  expect(exchange.headers["x-asked"]).toBe("/, /2");
  expect(exchange.text).toBe("b");
  expect(exchange.localReply).toBeNull();
});

test("a hook that goes on does not wait, and its callback resumes nothing", async () => {
  await start(() => answer("late"));
  const exchange = request("/aside");
  expect(exchange.status).toBe(200);
  expect(seen).toHaveLength(1);
  expect(exchange.upstreamRequest?.headers).not.toHaveProperty("x-user");
});

test("what the host refuses calls back after the hook, and may be sent again", async () => {
  await start();
  expect(request("/again").text).toBe("false false false ");
});

test("a callback that sends for ever what is refused is given up", async () => {
  await start();
  const exchange = request("/endless");
  expect(exchange.localReply).toMatchObject({ status: 503, details: "call_refused" });
  expect(exchange.messages.filter((line) => line.startsWith("call given up"))).toHaveLength(1);
  expect(request("/check").status).toBe(200);
});

test("more calls than may wait are refused", async () => {
  await start(undefined, { config: "few" });
  expect(request("/many").text).toBe("false refused 0 refused by the host");
});

test("a plugin calls from a tick and while it is configured", async () => {
  await start(({ body }) => answer(`to ${body.toString()}`), { config: "tick" });
  const messages = (): string[] =>
    (host?.logs ?? []).filter((line) => line.isGuests).map((line) => line.message);
  host?.tick(200);
  expect(messages()).toEqual(["plugin's true 200 to tick 1", "plugin's true 200 to tick 2"]);
  host?.close();
  await start(({ body }) => answer(`to ${body.toString()}`), { config: "at once" });
  expect(messages()).toEqual(["plugin's true 200 to config 1"]);
});

test("many streams that call leave nothing behind", async () => {
  await start(() => answer("alice"));
  const run = (count: number): number => {
    for (let i = 0; i < count; i += 1) request("/check");
    return host?.guestMemoryBytes ?? 0;
  };
  const bytes = run(300);
  expect(run(2000)).toBe(bytes);
  expect(host?.contexts).toBe(1);
});
