// Buffers and streams.
import { encodePairs } from "proxy-wasm-types";
import type { HostcallCases, Scene } from "../case.ts";
import { call, raw } from "../guest.ts";

const ALL = 0xffff_ffff;
const body = { method: "POST", body: "hello" } as const;
/** Buffers that nobody has. */
const noBuffers = [9, 10, -1];

function unknown(name: string, ...rest: number[]): Scene {
  return {
    what: "of buffers that do not exist",
    calls: noBuffers.map((buffer) => [raw(name, buffer, ...rest), "BadArgument"] as const),
  };
}

/** A change of the body "hello", which waits until its trailers come. */
function changed(what: string, start: number, size: number, bytes: string, sent: string): Scene {
  return {
    what,
    in: "proxy_on_request_body",
    request: { ...body, trailers: { t: "1" } },
    calls: [[call("proxy_set_buffer_bytes", 0, start, size, bytes), "Ok"]],
    exchange: { status: 200, upstream: { body: sent } },
  };
}

const paused = { answer: 1 };

export const streamCases: HostcallCases = {
  proxy_get_buffer_bytes: {
    good: call("proxy_get_buffer_bytes", 6, 0, ALL),
    plugin: { vmConfig: "vm" },
    scenes: [
      {
        what: "offset and size are cut to what is there",
        plugin: { vmConfig: "0123456789" },
        calls: [
          [call("proxy_get_buffer_bytes", 6, 0, ALL), "Ok [0123456789]"],
          [call("proxy_get_buffer_bytes", 6, 2, 3), "Ok [234]"],
          [call("proxy_get_buffer_bytes", 6, 8, 100), "Ok [89]"],
          [call("proxy_get_buffer_bytes", 6, 10, 1), "Ok []"],
          [call("proxy_get_buffer_bytes", 6, 11, 1), "Ok []"],
          [call("proxy_get_buffer_bytes", 6, ALL, ALL), "Ok []"],
          [call("proxy_get_buffer_bytes", 6, 3, 0), "Ok []"],
        ],
      },
      {
        what: "bodies are empty outside of their callbacks, other buffers are not there",
        calls: [
          ...[0, 1, 2, 3].map(
            (buffer) => [call("proxy_get_buffer_bytes", buffer, 0, ALL), "Ok []"] as const,
          ),
          [call("proxy_get_buffer_bytes", 4, 0, ALL), "NotFound"],
          [call("proxy_get_buffer_bytes", 7, 0, ALL), "NotFound"],
        ],
      },
      {
        what: "the plugin's configuration in on_configure",
        in: "proxy_on_configure",
        plugin: { config: "plugin", vmConfig: "vm" },
        calls: [
          [call("proxy_get_buffer_bytes", 7, 0, ALL), "Ok [plugin]"],
          [call("proxy_get_buffer_bytes", 6, 0, ALL), "Ok [vm]"],
        ],
      },
      {
        what: "a response body in its callback",
        in: "proxy_on_response_body",
        request: { upstream: { body: "answer", trailers: { t: "1" } } },
        calls: [
          [call("proxy_get_buffer_bytes", 1, 0, ALL), "Ok [answer]"],
          [call("proxy_get_buffer_bytes", 0, 0, ALL), "Ok []"],
        ],
      },
      unknown("proxy_get_buffer_bytes", 0, 1, 0, 4),
    ],
  },

  proxy_get_buffer_status: {
    good: call("proxy_get_buffer_status", 6),
    scenes: [
      {
        what: "the size, and flags that are 0",
        in: "proxy_on_request_body",
        request: { ...body, trailers: { t: "1" } },
        plugin: { vmConfig: "vm" },
        calls: [
          [call("proxy_get_buffer_status", 0), "Ok 5 0"],
          [call("proxy_get_buffer_status", 1), "Ok 0 0"],
          [call("proxy_get_buffer_status", 4), "NotFound"],
          [call("proxy_get_buffer_status", 6), "Ok 2 0"],
          [call("proxy_get_buffer_status", 7), "NotFound"],
        ],
      },
      unknown("proxy_get_buffer_status", 0, 4),
    ],
  },

  proxy_set_buffer_bytes: {
    good: call("proxy_set_buffer_bytes", 0, 0, 0, "x"),
    in: "proxy_on_request_body",
    scenes: [
      changed("offset 0, size 0 prepends", 0, 0, "oh ", "oh hello"),
      changed("all of it", 0, ALL, "bye", "bye"),
      changed("the first bytes", 0, 2, "J", "Jllo"),
      changed("at the end it appends", 5, 0, "?", "hello?"),
      changed("behind the end it appends", 99, 7, "?", "hello?"),
      {
        ...changed("in the middle the range is replaced", 1, 3, "--", "h--o"),
        verdict: "extension",
        spec: "The range is replaced.",
        envoy: "BAD_ARGUMENT for 0 < offset < size.",
      },
      {
        what: "nothing in place of everything",
        in: "proxy_on_request_body",
        request: { ...body, trailers: { t: "1" } },
        calls: [
          [call("proxy_set_buffer_bytes", 0, 0, ALL, ""), "Ok"],
          [call("proxy_get_buffer_status", 0), "Ok 0 0"],
        ],
        exchange: { upstream: { body: "" } },
      },
      {
        what: "buffers that cannot be changed, or are not there",
        plugin: { vmConfig: "vm" },
        calls: [
          ...[0, 1, 2, 3, 5, 6].map(
            (buffer) =>
              [call("proxy_set_buffer_bytes", buffer, 0, ALL, "x"), "BadArgument"] as const,
          ),
          [call("proxy_set_buffer_bytes", 4, 0, ALL, "x"), "NotFound"],
          [call("proxy_set_buffer_bytes", 7, 0, ALL, "x"), "NotFound"],
        ],
      },
      unknown("proxy_set_buffer_bytes", 0, 1, 0, 0),
    ],
  },

  proxy_continue_stream: {
    good: call("proxy_continue_stream", 0),
    scenes: [
      {
        what: "of a response that does not wait",
        verdict: "either",
        spec: "Continues what is paused; of what is not it says nothing.",
        envoy: "Crashes.",
        calls: [[call("proxy_continue_stream", 1), "Ok"]],
        exchange: { status: 200 },
      },
      {
        what: "of each stream type",
        verdict: "envoy",
        calls: [
          [call("proxy_continue_stream", 0), "Ok"],
          [call("proxy_continue_stream", 2), "Ok"],
          [call("proxy_continue_stream", 3), "Unimplemented"],
          [call("proxy_continue_stream", 4), "BadArgument"],
          [call("proxy_continue_stream", -1), "BadArgument"],
        ],
      },
      {
        what: "the headers are out of reach at once",
        callbacks: { proxy_on_request_headers: paused },
        calls: [
          [call("proxy_continue_stream", 0), "Ok"],
          [call("proxy_get_header_map_value", 0, ":path"), "BadArgument"],
        ],
        exchange: { status: 200 },
      },
      {
        what: "a paused response goes on",
        in: "proxy_on_tick",
        callbacks: {
          proxy_on_response_headers: {
            ...paused,
            calls: [call("proxy_set_tick_period_milliseconds", 10)],
          },
          proxy_on_log: {},
        },
        calls: [
          [call("proxy_set_effective_context", 2), "Ok"],
          [call("proxy_continue_stream", 1), "Ok"],
          [call("proxy_set_tick_period_milliseconds", 0), "Ok"],
        ],
        play: [{ request: {}, open: true }, { until: "proxy_on_log" }],
        order: ["proxy_on_response_headers", "proxy_on_tick", "proxy_on_log"],
        exchange: { status: 200 },
      },
    ],
  },

  proxy_close_stream: {
    good: call("proxy_close_stream", 0),
    scenes: [
      {
        what: "a request's stream is reset",
        calls: [[call("proxy_close_stream", 0), "Ok"]],
        exchange: { isComplete: false, upstream: null, details: "wasm_close_stream" },
      },
      {
        what: "a response's stream is reset, its details stay",
        in: "proxy_on_response_headers",
        calls: [[call("proxy_close_stream", 1), "Ok"]],
        exchange: { isComplete: false, details: "via_upstream" },
      },
      {
        what: "TCP streams have nothing to do with it, others do not exist",
        calls: [
          [call("proxy_close_stream", 2), "Ok"],
          [call("proxy_close_stream", 3), "Ok"],
          [call("proxy_close_stream", 4), "BadArgument"],
          [call("proxy_close_stream", -1), "BadArgument"],
        ],
        exchange: { status: 200 },
      },
      {
        what: "without effect in on_log",
        verdict: "either",
        spec: "Nothing.",
        envoy: "Crashes.",
        in: "proxy_on_log",
        calls: [[call("proxy_close_stream", 0), "Ok"]],
        exchange: { status: 200, isComplete: true },
      },
    ],
  },

  proxy_continue_request: {
    good: call("proxy_continue_request"),
    scenes: [
      {
        what: "a request that pauses goes on",
        callbacks: { proxy_on_request_headers: paused },
        calls: [[call("proxy_continue_request"), "Ok"]],
        exchange: { status: 200 },
      },
    ],
  },

  proxy_continue_response: {
    good: call("proxy_continue_response"),
    scenes: [
      {
        what: "a response that pauses goes on",
        in: "proxy_on_response_headers",
        callbacks: { proxy_on_response_headers: paused },
        calls: [[call("proxy_continue_response"), "Ok"]],
        exchange: { status: 200 },
      },
    ],
  },

  proxy_clear_route_cache: {
    good: call("proxy_clear_route_cache"),
    scenes: [
      {
        what: "the route is chosen again",
        calls: [
          [call("proxy_replace_header_map_value", 0, "x-route", "second"), "Ok"],
          [call("proxy_clear_route_cache"), "Ok"],
        ],
        request: { path: "/route" },
        exchange: { status: 200, upstream: { headers: { "x-chosen": "second" } } },
        needs: ["routes"],
      },
    ],
  },

  proxy_send_local_response: {
    good: call("proxy_send_local_response", 403, "why", "body", "", -1),
    scenes: [
      {
        what: "the answer, its headers and details; the callback's own answer does not count",
        callbacks: { proxy_on_request_headers: { answer: 0 } },
        calls: [
          [
            call("proxy_send_local_response", 403, "no way", "nope", encodePairs(["X-Y", "1"]), -1),
            "Ok",
          ],
        ],
        exchange: {
          status: 403,
          body: "nope",
          headers: { "x-y": "1", "content-type": "text/plain" },
          upstream: null,
          details: "no_way",
        },
      },
      {
        what: "a gRPC request gets a status that is given",
        request: { headers: { "content-type": "application/grpc" } },
        calls: [[call("proxy_send_local_response", 403, "", "no", "", 5), "Ok"]],
        exchange: { status: 200, headers: { "grpc-status": "5", "grpc-message": "no" } },
      },
      {
        what: "a gRPC request gets a status that is made of that of HTTP",
        verdict: "envoy",
        request: { headers: { "content-type": "application/grpc" } },
        calls: [[call("proxy_send_local_response", 403, "", "", "", -1), "Ok"]],
        exchange: { status: 200, headers: { "grpc-status": "7" } },
      },
      {
        what: "an empty answer",
        calls: [[call("proxy_send_local_response", 204, "", "", "", -1), "Ok"]],
        exchange: { status: 204, body: "", upstream: null },
      },
      {
        what: "in a request's body, which then goes nowhere",
        in: "proxy_on_request_body",
        request: { ...body, trailers: { t: "1" } },
        callbacks: { proxy_on_request_headers: paused },
        calls: [[call("proxy_send_local_response", 413, "", "big", "", -1), "Ok"]],
        exchange: { status: 413, body: "big", upstream: null },
        plugin: { stopIteration: true },
        needs: ["stop iteration"],
      },
      {
        what: "in response headers it replaces the response",
        in: "proxy_on_response_headers",
        calls: [[call("proxy_send_local_response", 502, "", "bad", "", -1), "Ok"]],
        exchange: { status: 502, body: "bad" },
      },
      {
        what: "behind the response's headers it resets the stream",
        verdict: "envoy",
        spec: "Nothing.",
        in: "proxy_on_response_body",
        request: { upstream: { body: "x", trailers: { t: "1" } } },
        calls: [[call("proxy_send_local_response", 502, "", "", "", -1), "Ok"]],
        exchange: { isComplete: false },
      },
      {
        what: "only the first one answers",
        calls: [
          [call("proxy_send_local_response", 401, "", "", "", -1), "Ok"],
          [call("proxy_send_local_response", 402, "", "", "", -1), "Ok"],
        ],
        exchange: { status: 401 },
      },
      {
        what: "malformed headers and line breaks are refused",
        verdict: "extension",
        spec: "BAD_ARGUMENT when the serialised headers are not a list.",
        envoy: "Takes both.",
        calls: [
          [call("proxy_send_local_response", 401, "", "", "\u0009", -1), "BadArgument"],
          [
            call("proxy_send_local_response", 401, "", "", encodePairs(["a", "b\n"]), -1),
            "BadArgument",
          ],
        ],
        exchange: { status: 200 },
      },
      {
        what: "without effect in on_log",
        verdict: "either",
        spec: "Nothing.",
        envoy: "Crashes.",
        in: "proxy_on_log",
        calls: [[call("proxy_send_local_response", 500, "", "", "", -1), "Ok"]],
        exchange: { status: 200 },
      },
    ],
  },
};
