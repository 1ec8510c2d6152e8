// The callbacks of HTTP streams: when each is called, with what, and what its answer does.
import type { AbiVersion } from "proxy-wasm-types";
import type { Scene } from "../case.ts";
import { type Call, call } from "../guest.ts";
import type { Scenes } from "../make-case.ts";

const all = {
  method: "POST",
  headers: { "x-a": "1" },
  body: "request",
  trailers: { t: "1" },
  upstream: { headers: { "x-b": "1" }, body: "response", trailers: { t: "1", u: "2" } },
} as const;

/** What a header callback is told: the end of stream since 0.2.0. */
function headers(
  name: string,
  context: number,
  count: number,
  end = 0,
): Record<AbiVersion, string[]> {
  const old = `${name}(${context},${count})`;
  const now = `${name}(${context},${count},${end})`;
  return { "0.1.0": [old], "0.2.0": [now], "0.2.1": [now] };
}

/** Paused, it lets nothing through until a tick continues it. */
function pausedIn(name: string, type: 0 | 1, version: AbiVersion): Scene {
  const direction = type === 0 ? "request" : "response";
  const go =
    version === "0.1.0" ? call(`proxy_continue_${direction}`) : call("proxy_continue_stream", type);
  // Behind a paused body, trailers would let it go.
  const { trailers, upstream, ...rest } = all;
  const { trailers: _, ...answer } = upstream;
  const isBody = name.endsWith("body");
  const ticks = call("proxy_set_tick_period_milliseconds", 10);
  const after = name.endsWith("headers") ? `proxy_on_${direction}_body` : "proxy_on_log";
  return {
    what: "the answer Pause holds the stream until it is continued",
    callbacks: {
      [name]: { answer: 1, calls: [ticks] },
      ...(after === "proxy_on_log" ? {} : { [after]: {} }),
      proxy_on_tick: {
        calls: [
          call("proxy_set_effective_context", 2),
          go,
          call("proxy_set_tick_period_milliseconds", 0),
        ],
      },
      proxy_on_log: {},
    },
    request: isBody ? { ...rest, upstream: answer } : { ...rest, trailers, upstream },
    play: [{ request: {}, open: true }, { until: "proxy_on_log" }],
    order: [name, "proxy_on_tick", after],
    exchange: {
      status: 200,
      body: "response",
      upstream: { body: "request", trailers: isBody ? {} : { t: "1" } },
    },
  };
}

/** The length of the default request's map: four pseudo headers, x-a, x-forwarded-proto. */
const COUNT = 6;

function goesOn(version: AbiVersion): readonly Call[] {
  const old = version === "0.1.0";
  return [
    call("proxy_set_effective_context", 2),
    old ? call("proxy_continue_request") : call("proxy_continue_stream", 0),
    call("proxy_set_tick_period_milliseconds", 0),
  ];
}

export const httpCallbacks: Readonly<Record<string, Scenes>> = {
  proxy_on_request_headers: (version) => [
    {
      what: "with the number of entries, pseudo headers among them",
      verdict: "envoy",
      spec: "The number of entries; it does not say whether pseudo headers are among them.",
      callbacks: { proxy_on_request_headers: {} },
      request: all,
      trace: headers("proxy_on_request_headers", 2, COUNT),
    },
    {
      what: "a request that ends with its headers",
      callbacks: { proxy_on_request_headers: {}, proxy_on_request_body: {} },
      trace: headers("proxy_on_request_headers", 2, COUNT, 1),
    },
    pausedIn("proxy_on_request_headers", 0, version),
  ],
  proxy_on_request_body: (version) => [
    {
      what: "piece by piece; behind the last one come trailers",
      callbacks: { proxy_on_request_body: {} },
      request: { ...all, body: ["ab", "cde"] },
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,3,0)"],
    },
    {
      what: "the end of an HTTP/1 body without trailers comes by itself",
      verdict: "envoy",
      spec: "end_of_stream is told with the last piece.",
      callbacks: { proxy_on_request_body: {} },
      request: { method: "POST", body: "ab" },
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,0,1)"],
    },
    {
      what: "paused, the next size is that of all that is held",
      callbacks: { proxy_on_request_body: { answer: 1 } },
      request: { ...all, body: ["ab", "cde"] },
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,5,0)"],
      exchange: { upstream: { body: "abcde" } },
    },
    {
      what: "not while the headers wait",
      verdict: "envoy",
      callbacks: {
        proxy_on_request_headers: {
          answer: 1,
          // All of the body has come then.
          calls: [call("proxy_set_tick_period_milliseconds", 1500)],
        },
        proxy_on_request_body: {},
        proxy_on_tick: { calls: goesOn(version) },
      },
      request: { ...all, body: ["ab", "cde"] },
      order: ["proxy_on_request_headers", "proxy_on_tick", "proxy_on_request_body(2,5,0)"],
      play: [{ request: {}, open: true }, { until: "proxy_on_request_body" }],
    },
    pausedIn("proxy_on_request_body", 0, version),
  ],
  proxy_on_request_trailers: (version) => [
    {
      what: "with the number of entries",
      callbacks: { proxy_on_request_trailers: {} },
      request: all,
      trace: ["proxy_on_request_trailers(2,1)"],
    },
    {
      what: "behind headers and body",
      callbacks: {
        proxy_on_request_headers: {},
        proxy_on_request_body: {},
        proxy_on_request_trailers: {},
      },
      request: all,
      order: ["proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers"],
    },
    pausedIn("proxy_on_request_trailers", 0, version),
  ],
  proxy_on_request_metadata: [
    {
      what: "does not come where there is no METADATA",
      verdict: "envoy",
      callbacks: { proxy_on_request_metadata: {}, proxy_on_request_trailers: {} },
      request: all,
      trace: ["proxy_on_request_trailers(2,1)"],
    },
  ],
  proxy_on_response_headers: (version) => [
    {
      what: "with the number of entries, the status among them",
      verdict: "envoy",
      spec: "The number of entries; it does not say whether pseudo headers are among them.",
      callbacks: { proxy_on_response_headers: {} },
      request: all,
      // :status, x-b, transfer-encoding.
      trace: headers("proxy_on_response_headers", 2, 3),
    },
    {
      what: "a response that ends with its headers",
      callbacks: { proxy_on_response_headers: {}, proxy_on_response_body: {} },
      trace: headers("proxy_on_response_headers", 2, 2, 1),
    },
    pausedIn("proxy_on_response_headers", 1, version),
  ],
  proxy_on_response_body: (version) => [
    {
      what: "piece by piece; behind the last one come trailers",
      callbacks: { proxy_on_response_body: {} },
      request: { upstream: { ...all.upstream, body: ["res", "ponse"] } },
      trace: ["proxy_on_response_body(2,3,0)", "proxy_on_response_body(2,5,0)"],
    },
    {
      what: "the end of an HTTP/1 body without trailers comes by itself",
      verdict: "envoy",
      spec: "end_of_stream is told with the last piece.",
      callbacks: { proxy_on_response_body: {} },
      request: { upstream: { body: "ab" } },
      trace: ["proxy_on_response_body(2,2,0)", "proxy_on_response_body(2,0,1)"],
    },
    {
      what: "paused, the next size is that of all that is held",
      callbacks: { proxy_on_response_body: { answer: 1 } },
      request: { upstream: { ...all.upstream, body: ["res", "ponse"] } },
      trace: ["proxy_on_response_body(2,3,0)", "proxy_on_response_body(2,8,0)"],
      exchange: { body: "response" },
    },
    pausedIn("proxy_on_response_body", 1, version),
  ],
  proxy_on_response_trailers: (version) => [
    {
      what: "with the number of entries",
      callbacks: { proxy_on_response_trailers: {} },
      request: all,
      trace: ["proxy_on_response_trailers(2,2)"],
    },
    pausedIn("proxy_on_response_trailers", 1, version),
  ],
  proxy_on_response_metadata: [
    {
      what: "does not come where there is no METADATA",
      verdict: "envoy",
      callbacks: { proxy_on_response_metadata: {}, proxy_on_response_trailers: {} },
      request: all,
      trace: ["proxy_on_response_trailers(2,2)"],
    },
  ],
};
