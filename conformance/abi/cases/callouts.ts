// HTTP and gRPC calls: checks that need no network. What upstreams answer is tested beside the code.
import { encodePairs } from "proxy-wasm-types";
import { expect } from "vitest";
import { call } from "../guest.ts";
import type { HostcallCases } from "../case.ts";

const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);
const clusters = {
  up: { status: 201, headers: { a: "b" }, body: "answer", trailers: { t: "1" } },
  broken: "reset",
  refusing: "refuse",
  silent: "never",
} as const;
const host = { clusters };
const TIMEOUT_MAX = 0x7fff_ffff;

export const calloutCases: HostcallCases = {
  proxy_http_call: {
    good: call("proxy_http_call", "silent", head, "body", "", 100),
    host,
    scenes: [
      {
        what: "a token, and the answer on the root context",
        host,
        calls: [
          [call("proxy_http_call", "up", head, "body", encodePairs(["x", "y"]), 100), "Ok 4"],
          [call("proxy_http_call", "up", head, "", "", 0), "Ok 8"],
          [call("proxy_http_call", "up", head, "", "", TIMEOUT_MAX), "Ok 12"],
        ],
        callbacks: { proxy_on_http_call_response: {} },
        holds: ({ trace }) => {
          const told = trace.filter((line) => line.includes("http_call"));
          expect(told).toEqual(
            [4, 8, 12].map((token) => `proxy_on_http_call_response(1,${token},2,6,1)`),
          );
        },
      },
      {
        what: "unknown clusters, missing headers, times beyond 31 bits",
        host,
        calls: [
          [call("proxy_http_call", "none", head, "", "", 100), "BadArgument, wrote 0"],
          [call("proxy_http_call", "", head, "", "", 100), "BadArgument, wrote 0"],
          [call("proxy_http_call", "up", head, "", "", TIMEOUT_MAX + 1), "BadArgument, wrote 0"],
          ...[0, 2, 4].map((at) => {
            const pairs = [":method", "GET", ":path", "/", ":authority", "a"];
            pairs.splice(at, 2);
            const one = call("proxy_http_call", "up", encodePairs(pairs), "", "", 100);
            return [one, "BadArgument, wrote 0"] as const;
          }),
        ],
      },
      {
        what: "a call that fails at once has no callback",
        host,
        calls: [
          [call("proxy_http_call", "refusing", head, "", "", 100), "InternalFailure, wrote 0"],
        ],
        callbacks: { proxy_on_http_call_response: {} },
        holds: ({ trace }) =>
          expect(trace).toEqual(["proxy_on_request_headers" + trace[0]?.slice(24)]),
      },
      {
        what: "the answer's maps and body are there in its callback only",
        in: "proxy_on_http_call_response",
        host,
        callbacks: {
          proxy_on_request_headers: { calls: [call("proxy_http_call", "up", head, "", "", 1)] },
        },
        calls: [
          [call("proxy_get_header_map_value", 6, ":status"), "Ok [201]"],
          [call("proxy_get_header_map_value", 6, "a"), "Ok [b]"],
          [call("proxy_get_header_map_value", 7, "t"), "Ok [1]"],
          [call("proxy_get_header_map_size", 6), "BadArgument"],
          [call("proxy_add_header_map_value", 6, "a", "b"), "BadArgument"],
          [call("proxy_get_buffer_bytes", 4, 0, 100), "Ok [answer]"],
          [call("proxy_set_buffer_bytes", 4, 0, 100, "x"), "BadArgument"],
          [call("proxy_get_status"), "Ok 0 []"],
        ],
      },
    ],
  },

  proxy_grpc_call: {
    good: call("proxy_grpc_call", "grpc", "service", "method", "", "message", 100),
    scenes: [
      {
        what: "of a cluster that nobody knows",
        calls: [[call("proxy_grpc_call", "none", "s", "m", "", "", 100), "ParseFailure, wrote 0"]],
      },
    ],
  },

  proxy_grpc_stream: {
    good: call("proxy_grpc_stream", "grpc", "service", "method", ""),
    scenes: [
      {
        what: "of a cluster that nobody knows",
        calls: [[call("proxy_grpc_stream", "none", "s", "m", ""), "ParseFailure, wrote 0"]],
      },
    ],
  },

  proxy_grpc_send: {
    good: call("proxy_grpc_send", 6, "message", 0),
    scenes: [
      {
        what: "tokens of no stream, and of none that is there",
        calls: [
          [call("proxy_grpc_send", 4, "m", 0), "BadArgument"],
          [call("proxy_grpc_send", 5, "m", 0), "BadArgument"],
          [call("proxy_grpc_send", 7, "m", 0), "BadArgument"],
          [call("proxy_grpc_send", 6, "m", 0), "NotFound"],
          [call("proxy_grpc_send", 6, "", 1), "NotFound"],
        ],
      },
    ],
  },

  proxy_grpc_cancel: {
    good: call("proxy_grpc_cancel", 5),
    scenes: [
      {
        what: "tokens of no gRPC call, and of none that is there",
        calls: [
          [call("proxy_grpc_cancel", 4), "BadArgument"],
          [call("proxy_grpc_cancel", 7), "BadArgument"],
          [call("proxy_grpc_cancel", 5), "NotFound"],
          [call("proxy_grpc_cancel", 6), "NotFound"],
        ],
      },
    ],
  },

  proxy_grpc_close: {
    good: call("proxy_grpc_close", 5),
    scenes: [
      {
        what: "tokens of no gRPC call, and of none that is there",
        calls: [
          [call("proxy_grpc_close", 4), "BadArgument"],
          [call("proxy_grpc_close", 7), "BadArgument"],
          [call("proxy_grpc_close", 5), "NotFound"],
          [call("proxy_grpc_close", 6), "NotFound"],
        ],
      },
    ],
  },

  proxy_get_status: {
    good: call("proxy_get_status"),
    in: "proxy_on_http_call_response",
    host,
    callbacks: {
      proxy_on_request_headers: { calls: [call("proxy_http_call", "broken", head, "", "", 1)] },
    },
    scenes: [
      { what: "nothing has ended", calls: [[call("proxy_get_status"), "Ok 0 []"]] },
      {
        what: "11 and a reason while a call that was reset is told, whose sizes are 0",
        in: "proxy_on_http_call_response",
        host,
        callbacks: {
          proxy_on_request_headers: { calls: [call("proxy_http_call", "broken", head, "", "", 1)] },
        },
        calls: [[call("proxy_get_status"), "Ok 11 [reset]"]],
        holds: ({ trace }) => expect(trace).toContain("proxy_on_http_call_response(1,4,0,0,0)"),
      },
    ],
  },
};
