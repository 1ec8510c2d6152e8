// HTTP and gRPC calls to clusters of the harness, which answer when the guest has returned.
import { encodePairs } from "proxy-wasm-types";
import { expect } from "vitest";
import { call } from "../guest.ts";
import type { HostcallCases } from "../case.ts";
import type { Played } from "../rig.ts";

const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);
const clusters = {
  up: { status: 201, headers: { a: "b" }, body: "answer", trailers: { t: "1" } },
  broken: "reset",
  refusing: "refuse",
  silent: "never",
} as const;
const host = { clusters };
const TIMEOUT_MAX = 0x7fff_ffff;

const grpcHost = {
  clusters: {
    echo: { status: 0, headers: { a: "b" }, trailers: { t: "1", u: "2" } },
    failing: { status: 7, body: "no" },
    refusing: "refuse",
    silent: "never",
  },
} as const;
/** A serialised GrpcService whose Envoy gRPC names the cluster "echo". */
const ECHO_SERVICE = Buffer.from([0x0a, 6, 0x0a, 4, ...Buffer.from("echo")]);
const grpcCallbacks = {
  proxy_on_grpc_receive_initial_metadata: {},
  proxy_on_grpc_receive: {},
  proxy_on_grpc_receive_trailing_metadata: {},
  proxy_on_grpc_close: {},
};
/** One of them has token 10, whether a call was made before or not. */
const twoStreams = [
  call("proxy_grpc_stream", "silent", "s", "m", ""),
  call("proxy_grpc_stream", "silent", "s", "m", ""),
];

/** Exactly these callbacks of gRPC came. */
function told(...wanted: readonly string[]): (played: Played) => void {
  return ({ trace }) => expect(trace.filter((line) => line.includes("_grpc_"))).toEqual(wanted);
}

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
    good: call("proxy_grpc_call", "silent", "service", "method", "", "message", 100),
    host: grpcHost,
    scenes: [
      {
        what: "a token; the message of a good answer, or the status of another",
        host: grpcHost,
        calls: [
          [call("proxy_grpc_call", "echo", "s", "m", encodePairs(["a", "b"]), "ping", 100), "Ok 5"],
          [call("proxy_grpc_call", "failing", "s", "m", "", "x", 0), "Ok 9"],
          [call("proxy_grpc_call", ECHO_SERVICE, "s", "m", "", "", TIMEOUT_MAX), "Ok 13"],
        ],
        callbacks: grpcCallbacks,
        holds: told(
          "proxy_on_grpc_receive(1,5,4)",
          "proxy_on_grpc_close(1,9,7)",
          "proxy_on_grpc_receive(1,13,0)",
        ),
      },
      {
        what: "the message is there in its callback only",
        in: "proxy_on_grpc_receive",
        host: grpcHost,
        callbacks: {
          proxy_on_request_headers: {
            calls: [call("proxy_grpc_call", "echo", "s", "m", "", "ping", 100)],
          },
          proxy_on_log: { calls: [call("proxy_get_buffer_bytes", 5, 0, 100)] },
        },
        calls: [
          [call("proxy_get_buffer_bytes", 5, 1, 2), "Ok [in]"],
          [call("proxy_get_buffer_status", 5), "Ok 4 0"],
          [call("proxy_set_buffer_bytes", 5, 0, 4, "x"), "BadArgument"],
          [call("proxy_get_status"), "Ok 0 []"],
        ],
        // The last one stands in on_log, outside of the answer's callback.
        holds: ({ answers }) => expect(answers.filter((one) => one === "Ok []")).toHaveLength(1),
      },
      {
        what: "of a cluster that nobody knows, of metadata and times that are none",
        host: grpcHost,
        calls: [
          [call("proxy_grpc_call", "none", "s", "m", "", "", 100), "ParseFailure, wrote 0"],
          [call("proxy_grpc_call", "echo", "s", "m", "abc", "", 100), "BadArgument, wrote 0"],
          [
            call("proxy_grpc_call", "echo", "s", "m", "", "", TIMEOUT_MAX + 1),
            "BadArgument, wrote 0",
          ],
        ],
        callbacks: grpcCallbacks,
        holds: told(),
      },
      {
        what: "a call that fails at once has no callback",
        host: grpcHost,
        calls: [
          [call("proxy_grpc_call", "refusing", "s", "m", "", "", 100), "InternalFailure, wrote 0"],
        ],
        callbacks: grpcCallbacks,
        holds: told(),
      },
    ],
  },

  proxy_grpc_stream: {
    good: call("proxy_grpc_stream", "silent", "service", "method", ""),
    host: grpcHost,
    scenes: [
      {
        what: "metadata, messages, trailers, close, in this order",
        host: grpcHost,
        calls: [
          [call("proxy_grpc_stream", "echo", "s", "m", encodePairs(["a", "b"])), "Ok 6"],
          [call("proxy_grpc_send", 6, "one", 0), "Ok"],
          [call("proxy_grpc_send", 6, "three", 1), "Ok"],
        ],
        callbacks: grpcCallbacks,
        holds: told(
          "proxy_on_grpc_receive_initial_metadata(1,6,1)",
          "proxy_on_grpc_receive(1,6,3)",
          "proxy_on_grpc_receive(1,6,5)",
          "proxy_on_grpc_receive_trailing_metadata(1,6,2)",
          "proxy_on_grpc_close(1,6,0)",
        ),
      },
      {
        what: "of a cluster that nobody knows or that refuses, of metadata that is none",
        host: grpcHost,
        calls: [
          [call("proxy_grpc_stream", "none", "s", "m", ""), "ParseFailure, wrote 0"],
          [call("proxy_grpc_stream", "refusing", "s", "m", ""), "InternalFailure, wrote 0"],
          [call("proxy_grpc_stream", "echo", "s", "m", "abc"), "BadArgument, wrote 0"],
        ],
        callbacks: grpcCallbacks,
        holds: told(),
      },
    ],
  },

  proxy_grpc_send: {
    good: call("proxy_grpc_send", 10, "message", 0),
    host: grpcHost,
    before: twoStreams,
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
      {
        what: "from another callback, while the stream is there",
        in: "proxy_on_log",
        host: grpcHost,
        callbacks: {
          ...grpcCallbacks,
          proxy_on_request_headers: { calls: [call("proxy_grpc_stream", "echo", "s", "m", "")] },
        },
        calls: [[call("proxy_grpc_send", 6, "late", 1), "Ok"]],
        holds: told(
          "proxy_on_grpc_receive_initial_metadata(1,6,1)",
          "proxy_on_grpc_receive(1,6,4)",
          "proxy_on_grpc_receive_trailing_metadata(1,6,2)",
          "proxy_on_grpc_close(1,6,0)",
        ),
      },
    ],
  },

  proxy_grpc_cancel: {
    good: call("proxy_grpc_cancel", 10),
    host: grpcHost,
    before: twoStreams,
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
      {
        what: "calls and streams; no callback follows, and they are not there any more",
        host: grpcHost,
        calls: [
          [call("proxy_grpc_call", "echo", "s", "m", "", "ping", 100), "Ok 5"],
          [call("proxy_grpc_stream", "echo", "s", "m", ""), "Ok 10"],
          [call("proxy_grpc_send", 10, "m", 1), "Ok"],
          [call("proxy_grpc_cancel", 5), "Ok"],
          [call("proxy_grpc_cancel", 10), "Ok"],
          [call("proxy_grpc_send", 10, "n", 1), "NotFound"],
        ],
        callbacks: grpcCallbacks,
        holds: told(),
      },
    ],
  },

  proxy_grpc_close: {
    good: call("proxy_grpc_close", 10),
    host: grpcHost,
    before: twoStreams,
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
      {
        what: "a stream's answer still comes, a call's does not",
        host: grpcHost,
        calls: [
          [call("proxy_grpc_call", "echo", "s", "m", "", "ping", 100), "Ok 5"],
          [call("proxy_grpc_stream", "failing", "s", "m", ""), "Ok 10"],
          [call("proxy_grpc_close", 5), "Ok"],
          [call("proxy_grpc_close", 10), "Ok"],
        ],
        callbacks: grpcCallbacks,
        holds: told(
          "proxy_on_grpc_receive_initial_metadata(1,10,0)",
          "proxy_on_grpc_receive_trailing_metadata(1,10,0)",
          "proxy_on_grpc_close(1,10,7)",
        ),
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
      {
        what: "the status and the message of a gRPC call that is told to have failed",
        in: "proxy_on_grpc_close",
        host: grpcHost,
        callbacks: {
          proxy_on_request_headers: {
            calls: [call("proxy_grpc_call", "failing", "s", "m", "", "", 1)],
          },
        },
        calls: [[call("proxy_get_status"), "Ok 7 [no]"]],
      },
    ],
  },
};
