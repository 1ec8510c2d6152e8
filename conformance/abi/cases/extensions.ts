// What neither the specification nor Envoy has: guests that do not come back, limits of what they may
// use, configurations of routes. And filters behind the router, which Envoy has and the specification does not
// name.
import { encodePairs } from "proxy-wasm-types";
import { type Case, EVERYTHING, type Limits, type Reasons, type Scene } from "../case.ts";
import { same } from "../expect.ts";
import { call } from "../guest.ts";
import { makeCases, type Row } from "../make-case.ts";

const extension: Reasons = { verdict: "extension", spec: "Nothing: it is the host's affair." };
const post = { method: "POST", body: "hello", trailers: { t: "1" } } as const;
const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);

function row(name: string, doc: string): Row {
  return { name, chapter: "extensions", doc, since: "0.1.0", until: null };
}

/** So that what is checked does not take its time. */
const LITTLE: Limits = { callbackFuel: 1_000_000 };

/** A guest that is stopped, since it does not come back from a callback. */
function loopIn(name: string, more: Partial<Scene>): Scene {
  return {
    what: `a loop in ${name.replaceAll("_", " ")}`,
    needs: ["fuel"],
    callbacks: { [`proxy_on_${name}`]: { loops: true } },
    plugin: { failurePolicy: "closed", limits: LITTLE },
    ...more,
  };
}

const loops: readonly Scene[] = [
  loopIn("request_headers", { exchange: { status: 503, upstream: null } }),
  loopIn("request_body", { request: post, exchange: { status: 503 } }),
  loopIn("response_headers", { exchange: { status: 503 } }),
  loopIn("log", { exchange: { status: 200 } }),
  loopIn("configure", {
    needs: ["fuel", "limits"],
    plugin: { limits: { configureFuel: 1_000_000 } },
    isRefused: true,
  }),
  loopIn("request_trailers", {
    what: "the next stream has a new guest",
    plugin: { failurePolicy: "reload", limits: LITTLE },
    callbacks: {
      proxy_on_request_headers: { calls: [call("proxy_add_header_map_value", 0, "x-guest", "1")] },
      proxy_on_request_trailers: { loops: true },
    },
    play: [{ request: post }, { pauseMs: 2000 }, { request: { method: "GET" } }],
    exchange: { status: 200, upstream: { headers: { "x-guest": "1" } } },
    holds: ({ told }) => same("the stream that was stopped", told.exchanges[0]?.status, 503),
  }),
];

function limited(what: string, limits: Limits, more: Partial<Scene>): Scene {
  return { what, needs: ["limits"], plugin: { limits }, exchange: { status: 200 }, ...more };
}

const bounds: readonly Scene[] = [
  limited(
    "callouts that wait",
    { calloutsPending: 2 },
    {
      calls: [
        [call("proxy_http_call", "silent", head, "", "", 200), "Ok #"],
        [call("proxy_http_call", "silent", head, "", "", 200), "Ok #"],
        [call("proxy_http_call", "silent", head, "", "", 200), "InternalFailure"],
      ],
    },
  ),
  limited(
    "bytes of callouts that wait",
    { calloutBytes: 100 },
    {
      calls: [
        [call("proxy_http_call", "silent", head, "x".repeat(90), "", 200), "Ok #"],
        [call("proxy_http_call", "silent", head, "x".repeat(20), "", 200), "InternalFailure"],
      ],
    },
  ),
  limited(
    "metrics",
    { metrics: 2 },
    {
      calls: [
        [call("proxy_define_metric", 0, "$CASE.a"), "Ok #"],
        [call("proxy_define_metric", 0, "$CASE.b"), "Ok #"],
        [call("proxy_define_metric", 0, "$CASE.c"), "BadArgument"],
      ],
    },
  ),
  limited(
    "bytes of a body",
    { bodyBytes: 10 },
    {
      in: "proxy_on_request_body",
      request: post,
      calls: [
        [call("proxy_set_buffer_bytes", 0, 0, 100, "x".repeat(20)), "BadArgument"],
        [call("proxy_set_buffer_bytes", 0, 0, 100, "short"), "Ok"],
      ],
      exchange: { status: 200, upstream: { body: "short" } },
    },
  ),
  limited(
    "bytes of headers",
    { headerBytes: 8000 },
    {
      calls: [
        [call("proxy_add_header_map_value", 0, "x-one", "1".repeat(5000)), "Ok"],
        [call("proxy_add_header_map_value", 0, "x-two", "2".repeat(5000)), "BadArgument"],
      ],
      exchange: { status: 200, upstream: { headers: { "x-two": null } } },
    },
  ),
  limited(
    "properties of a stream",
    { streamProperties: 2 },
    {
      calls: [
        [call("proxy_set_property", "a", "1"), "Ok"],
        [call("proxy_set_property", "b", "1"), "Ok"],
        [call("proxy_set_property", "c", "1"), "BadArgument"],
        [call("proxy_set_property", "a", "2"), "Ok"],
      ],
    },
  ),
  limited("pages of memory", { memoryPages: 3 }, { exchange: {}, isRefused: true }),
];

const byRoute = { needs: ["routes", "route configuration"] } as const;
const second = { headers: { "x-route": "second" } } as const;

const routes: readonly Scene[] = [
  {
    what: "a configuration of a route has a root context of its own",
    ...byRoute,
    plugin: { config: "first" },
    routeConfig: { config: "another" },
    callbacks: { proxy_on_context_create: {}, proxy_on_configure: {} },
    play: [{ request: {} }, { request: second }],
    trace: [
      "proxy_on_context_create(1,0)",
      "proxy_on_configure(1,5)",
      "proxy_on_context_create(2,0)",
      "proxy_on_configure(2,7)",
      "proxy_on_context_create(3,1)",
      "proxy_on_context_create(4,2)",
    ],
  },
  {
    what: "its root_id is that of the route",
    ...byRoute,
    plugin: { rootId: "first" },
    routeConfig: { rootId: "another" },
    request: second,
    calls: [[call("proxy_get_property", "plugin_root_id"), "Ok [another]"]],
  },
  {
    what: "a route without one has the filter's",
    ...byRoute,
    plugin: { rootId: "first" },
    routeConfig: { rootId: "another" },
    calls: [[call("proxy_get_property", "plugin_root_id"), "Ok [first]"]],
  },
  {
    what: "false refuses it",
    ...byRoute,
    routeConfig: { config: "another" },
    callbacks: { proxy_on_configure: { answer: 0 } },
    isRefused: true,
  },
];

const upstream = { position: "upstream", needs: ["upstream filters"] } as const;
const follows: Reasons = { verdict: "envoy", spec: "Nothing: it knows one place for filters." };

const behindTheRouter: readonly Scene[] = [
  {
    what: "is told the same as in front of it",
    ...upstream,
    callbacks: Object.fromEntries(
      ["request", "response"].flatMap((direction) =>
        ["headers", "body", "trailers"].map((part) => [`proxy_on_${direction}_${part}`, {}]),
      ),
    ),
    request: EVERYTHING,
    order: ["request", "response"].flatMap((direction) =>
      ["headers", "body", "trailers"].map((part) => `proxy_on_${direction}_${part}`),
    ),
    exchange: { status: 200, body: "response", upstream: { body: "request" } },
  },
  {
    what: "changes what the upstream gets",
    ...upstream,
    request: EVERYTHING,
    calls: [
      [call("proxy_add_header_map_value", 0, "x-up", "1"), "Ok"],
      [call("proxy_replace_header_map_value", 0, ":path", "/other"), "Ok"],
    ],
    callbacks: {
      proxy_on_request_body: { calls: [call("proxy_set_buffer_bytes", 0, 0, 100, "changed")] },
    },
    exchange: {
      status: 200,
      upstream: { path: "/other", body: "changed", headers: { "x-up": "1" } },
    },
  },
  {
    what: "changes what the client gets",
    ...upstream,
    in: "proxy_on_response_headers",
    request: EVERYTHING,
    calls: [
      [call("proxy_add_header_map_value", 2, "x-up", "1"), "Ok"],
      [call("proxy_replace_header_map_value", 2, ":status", "299"), "Ok"],
    ],
    callbacks: {
      proxy_on_response_body: { calls: [call("proxy_set_buffer_bytes", 1, 0, 100, "changed")] },
    },
    exchange: { status: 299, body: "changed", headers: { "x-up": "1" } },
  },
  {
    what: "answers instead of the upstream",
    ...upstream,
    callbacks: {
      proxy_on_request_headers: {
        answer: 1,
        calls: [call("proxy_send_local_response", 403, "", "no", "", -1)],
      },
    },
    exchange: { status: 403, body: "no", upstream: null },
  },
  {
    what: "knows the cluster",
    ...upstream,
    calls: [[call("proxy_get_property", "xds\0cluster_name"), "Ok [$CASE]"]],
  },
  {
    what: "a trap is the stream's",
    ...upstream,
    plugin: { failurePolicy: "closed" },
    callbacks: { proxy_on_request_headers: { traps: true } },
    exchange: { status: 503, upstream: null },
  },
  {
    what: "has an end",
    ...upstream,
    callbacks: { proxy_on_done: {}, proxy_on_delete: {} },
    trace: ["proxy_on_done(#)", "proxy_on_delete(#)"],
  },
];

export function extensionCases(): Case[] {
  return [
    ...makeCases(row("fuel", "A guest that does not come back is stopped."), loops, extension),
    ...makeCases(row("limits", "What a guest makes the host hold is bounded."), bounds, extension),
    ...makeCases(row("route-configuration", "A route configures a plugin."), routes, extension),
    ...makeCases(
      row("upstream-filter", "A plugin between the router and the upstream."),
      behindTheRouter,
      follows,
    ),
  ];
}
