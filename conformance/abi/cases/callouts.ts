// HTTP and gRPC calls to the suite's clusters, which answer when the guest has returned.
import { encodePairs } from "proxy-wasm-types";
import type { HostcallCases, Scene } from "../case.ts";
import { same } from "../expect.ts";
import { call, type CallbackScript, told } from "../guest.ts";

const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);
const post = encodePairs([":method", "POST", ":path", "/", ":authority", "a"]);
const TIMEOUT_MAX = 0x7fff_ffff;
const HTTP = /http_call/;
const GRPC = /_grpc_/;

/** A serialised GrpcService whose Envoy gRPC names the cluster "echo". */
const ECHO_SERVICE = Buffer.from([0x0a, 6, 0x0a, 4, ...Buffer.from("echo")]);
const grpcCallbacks = {
  proxy_on_grpc_receive_initial_metadata: {},
  proxy_on_grpc_receive: {},
  proxy_on_grpc_receive_trailing_metadata: {},
  proxy_on_grpc_close: {},
};
const needs = ["gRPC"] as const;
const mute = call("proxy_grpc_stream", "mute", "s", "m", "");
const otherMute = call("proxy_grpc_stream", "mute", "s", "m", "");
const pings = [call("proxy_grpc_call", "echo", "s", "m", "", "ping", 20_000)];
const stream = call("proxy_grpc_stream", "echo", "s", "m", encodePairs(["a", "b"]));
const late = call("proxy_grpc_stream", "echo", "s", "m", "");
const failing = call("proxy_grpc_stream", "failing", "s", "m", "");
const cancelled = call("proxy_grpc_call", "echo", "s", "m", "", "ping", 20_000);
const cancelledStream = call("proxy_grpc_stream", "echo", "s", "m", "");
const closed = call("proxy_grpc_call", "echo", "s", "m", "", "ping", 20_000);

/** A call whose answer ends the request that waits for it. */
function asked(cluster: string, timeoutMs: number = 20_000): Record<string, CallbackScript> {
  return {
    proxy_on_request_headers: {
      answer: 1,
      calls: [call("proxy_http_call", cluster, head, "", "", timeoutMs)],
    },
  };
}

/** All callouts have been answered; the request went on without waiting for them. */
function awaiting(name: string, times: number = 1): Pick<Scene, "play"> {
  return { play: [{ request: {} }, { until: name, times }] };
}

export const calloutCases: HostcallCases = {
  proxy_http_call: {
    good: call("proxy_http_call", "silent", head, "body", "", 100),
    scenes: [
      {
        what: "a token, and the answer on the root context",
        calls: [
          [call("proxy_http_call", "up", head, "body", encodePairs(["x", "y"]), 20_000), "Ok #"],
          [call("proxy_http_call", "up", head, "", "", 0), "Ok #"],
          [call("proxy_http_call", "up", head, "", "", TIMEOUT_MAX), "Ok #"],
        ],
        callbacks: { proxy_on_http_call_response: {} },
        ...awaiting("proxy_on_http_call_response", 3),
        of: HTTP,
        trace: [1, 2, 3].map(() => "proxy_on_http_call_response(1,#,#,6,1)"),
      },
      {
        what: "each call has a token of its own",
        calls: [
          [call("proxy_http_call", "silent", head, "", "", 1000), "Ok #"],
          [call("proxy_http_call", "silent", head, "", "", 1000), "Ok #"],
        ],
        holds: ({ answers }) => same("tokens", new Set(answers).size, 2),
      },
      {
        what: "unknown clusters, missing headers, times beyond 31 bits",
        spec: "BAD_ARGUMENT for an unknown upstream or missing headers; the token is Envoy's way.",
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
        verdict: "envoy",
        calls: [
          [call("proxy_http_call", "refusing", head, "", "", 100), "InternalFailure, wrote #"],
        ],
        callbacks: { proxy_on_http_call_response: {} },
        of: HTTP,
        trace: [],
      },
      {
        what: "what the cluster is asked",
        in: "proxy_on_http_call_response",
        callbacks: {
          proxy_on_request_headers: {
            calls: [
              call(
                "proxy_http_call",
                "mirror",
                encodePairs([":method", "POST", ":path", "/p?q", ":authority", "z", "x-ask", "1"]),
                "some text",
                "",
                1000,
              ),
            ],
          },
        },
        calls: [
          [
            call("proxy_get_buffer_bytes", 4, 0, 100),
            "Ok [POST /p?q z, x-ask: 1, body: some text, t: ]",
          ],
        ],
        ...awaiting("proxy_on_http_call_response"),
      },
      {
        what: "trailers where there is no body",
        envoy: "Never sends trailers.",
        in: "proxy_on_http_call_response",
        callbacks: {
          proxy_on_request_headers: {
            calls: [call("proxy_http_call", "mirror", post, "", encodePairs(["t", "2"]), 0)],
          },
        },
        calls: [
          [call("proxy_get_buffer_bytes", 4, 0, 100), "Ok [POST / a, x-ask: , body: , t: 2]"],
        ],
        ...awaiting("proxy_on_http_call_response"),
      },
      {
        what: "a request waits for an answer",
        in: "proxy_on_http_call_response",
        callbacks: asked("up"),
        calls: [
          [call("proxy_set_effective_context", 2), "Ok"],
          [call("proxy_add_header_map_value", 0, "x-answer", "came"), "Ok"],
          [call("proxy_continue_stream", 0), "Ok"],
        ],
        exchange: { status: 200, upstream: { headers: { "x-answer": "came" } } },
      },
      {
        what: "an answer becomes that of the request",
        in: "proxy_on_http_call_response",
        callbacks: asked("up"),
        calls: [
          [call("proxy_set_effective_context", 2), "Ok"],
          [call("proxy_send_local_response", 401, "", "who?", "", -1), "Ok"],
        ],
        exchange: { status: 401, body: "who?", upstream: null },
      },
      {
        what: "a time-out is told as a response 504 without an upstream's headers",
        verdict: "envoy",
        spec: "No headers and no body: the call failed.",
        in: "proxy_on_http_call_response",
        callbacks: asked("silent", 20),
        calls: [
          [call("proxy_get_header_map_value", 6, ":status"), "Ok [504]"],
          [call("proxy_set_effective_context", 2), "Ok"],
          [call("proxy_continue_stream", 0), "Ok"],
        ],
        exchange: { status: 200 },
        needs: ["callout times"],
      },
      {
        what: "the answer's maps and body are there in its callback only",
        in: "proxy_on_http_call_response",
        callbacks: {
          proxy_on_request_headers: {
            calls: [call("proxy_http_call", "up", head, "", "", 20_000)],
          },
        },
        calls: [
          [call("proxy_get_header_map_value", 6, ":status"), "Ok [201]"],
          [call("proxy_get_header_map_value", 6, "a"), "Ok [b]"],
          [call("proxy_get_header_map_value", 7, "t"), "Ok [1]"],
          [call("proxy_get_header_map_size", 6), "BadArgument"],
          [call("proxy_add_header_map_value", 6, "a", "b"), "BadArgument"],
          [call("proxy_get_buffer_bytes", 4, 0, 100), "Ok [answer]"],
          [call("proxy_get_buffer_bytes", 4, 1, 2), "Ok [ns]"],
          [call("proxy_set_buffer_bytes", 4, 0, 100, "x"), "BadArgument"],
          [call("proxy_get_status"), "Ok 0 []"],
        ],
        ...awaiting("proxy_on_http_call_response"),
      },
    ],
  },

  proxy_grpc_call: {
    good: call("proxy_grpc_call", "mute", "service", "method", "", "message", 100),
    needs,
    scenes: [
      {
        what: "a token; the message of a good answer, or the status of another",
        calls: [
          [
            call("proxy_grpc_call", "echo", "s", "m", encodePairs(["a", "b"]), "ping", 20_000),
            "Ok #",
          ],
          [call("proxy_grpc_call", "failing", "s", "m", "", "x", 0), "Ok #"],
          [call("proxy_grpc_call", ECHO_SERVICE, "s", "m", "", "", TIMEOUT_MAX), "Ok #"],
        ],
        callbacks: grpcCallbacks,
        play: [
          { request: {} },
          { until: "proxy_on_grpc_receive", times: 2 },
          { until: "proxy_on_grpc_close" },
        ],
        of: GRPC,
        holds: ({ trace }) => {
          const lines = trace.filter((line) => GRPC.test(line));
          const told = lines.map((line) => line.replace(/,\d+,/, ",#,")).toSorted();
          same("callbacks", told, [
            "proxy_on_grpc_close(1,#,7)",
            "proxy_on_grpc_receive(1,#,0)",
            "proxy_on_grpc_receive(1,#,4)",
          ]);
        },
      },
      {
        what: "the message is there in its callback only",
        in: "proxy_on_grpc_receive",
        callbacks: {
          proxy_on_request_headers: { calls: pings },
          proxy_on_log: { calls: [call("proxy_get_buffer_bytes", 5, 0, 100)] },
        },
        calls: [
          [call("proxy_get_buffer_bytes", 5, 1, 2), "Ok [in]"],
          [call("proxy_get_buffer_status", 5), "Ok 4 0"],
          [call("proxy_get_status"), "Ok 0 []"],
        ],
        ...awaiting("proxy_on_grpc_receive"),
        // The last one stands in on_log, outside of the answer's callback.
        holds: ({ answers }) =>
          same("empty buffers", answers.filter((one) => one === "Ok []").length, 1),
      },
      {
        what: "its message cannot be changed",
        verdict: "extension",
        spec: "Nothing.",
        envoy: "Takes the change.",
        in: "proxy_on_grpc_receive",
        callbacks: { proxy_on_request_headers: { calls: pings } },
        calls: [[call("proxy_set_buffer_bytes", 5, 0, 4, "x"), "BadArgument"]],
        ...awaiting("proxy_on_grpc_receive"),
      },
      {
        what: "of a cluster that nobody knows",
        verdict: "envoy",
        spec: "BAD_ARGUMENT for an unknown service.",
        calls: [[call("proxy_grpc_call", "none", "s", "m", "", "", 100), "ParseFailure"]],
        callbacks: grpcCallbacks,
        of: GRPC,
        trace: [],
      },
      {
        what: "of metadata and times that are none",
        verdict: "extension",
        spec: "BAD_ARGUMENT for metadata that is no list.",
        envoy: "Takes malformed metadata for none, and any time.",
        calls: [
          [call("proxy_grpc_call", "echo", "s", "m", "abc", "", 100), "BadArgument"],
          [call("proxy_grpc_call", "echo", "s", "m", "", "", TIMEOUT_MAX + 1), "BadArgument"],
        ],
        callbacks: grpcCallbacks,
        of: GRPC,
        trace: [],
      },
      {
        what: "a call that fails at once has no callback",
        envoy:
          "proxy_on_grpc_close comes besides, within the hostcall: the guest is entered again.",
        calls: [[call("proxy_grpc_call", "refusing", "s", "m", "", "", 100), "InternalFailure"]],
        callbacks: grpcCallbacks,
        of: GRPC,
        trace: [],
      },
    ],
  },

  proxy_grpc_stream: {
    good: call("proxy_grpc_stream", "mute", "service", "method", ""),
    needs,
    scenes: [
      {
        what: "metadata, messages, trailers, close, in this order",
        calls: [
          [stream, "Ok #"],
          [call("proxy_grpc_send", told(stream), "one", 0), "Ok"],
          [call("proxy_grpc_send", told(stream), "three", 1), "Ok"],
        ],
        callbacks: grpcCallbacks,
        ...awaiting("proxy_on_grpc_close"),
        of: GRPC,
        trace: [
          "proxy_on_grpc_receive_initial_metadata(1,#,#)",
          "proxy_on_grpc_receive(1,#,3)",
          "proxy_on_grpc_receive(1,#,5)",
          "proxy_on_grpc_receive_trailing_metadata(1,#,#)",
          "proxy_on_grpc_close(1,#,0)",
        ],
      },
      {
        what: "of a cluster that nobody knows",
        verdict: "envoy",
        spec: "BAD_ARGUMENT for an unknown service.",
        calls: [[call("proxy_grpc_stream", "none", "s", "m", ""), "ParseFailure"]],
        callbacks: grpcCallbacks,
        of: GRPC,
        trace: [],
      },
      {
        what: "of metadata that is none",
        verdict: "extension",
        spec: "BAD_ARGUMENT for metadata that is no list.",
        envoy: "Takes malformed metadata for none.",
        calls: [[call("proxy_grpc_stream", "echo", "s", "m", "abc"), "BadArgument"]],
      },
      {
        what: "one that fails at once has no callback",
        envoy:
          "Metadata and close are told besides, within the hostcall: the guest is entered again.",
        calls: [[call("proxy_grpc_stream", "refusing", "s", "m", ""), "InternalFailure"]],
        callbacks: grpcCallbacks,
        of: GRPC,
        trace: [],
      },
    ],
  },

  proxy_grpc_send: {
    good: call("proxy_grpc_send", told(mute), "message", 0),
    needs,
    before: [mute],
    scenes: [
      {
        what: "tokens of no stream, and of none that is there",
        verdict: "envoy",
        spec: "BAD_ARGUMENT for an unknown token; Envoy's tokens tell their kind.",
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
        callbacks: { ...grpcCallbacks, proxy_on_request_headers: { calls: [late] } },
        calls: [[call("proxy_grpc_send", told(late), "late", 1), "Ok"]],
        ...awaiting("proxy_on_grpc_close"),
        of: GRPC,
        trace: [
          "proxy_on_grpc_receive_initial_metadata(1,#,#)",
          "proxy_on_grpc_receive(1,#,4)",
          "proxy_on_grpc_receive_trailing_metadata(1,#,#)",
          "proxy_on_grpc_close(1,#,0)",
        ],
      },
    ],
  },

  proxy_grpc_cancel: {
    good: call("proxy_grpc_cancel", told(mute)),
    needs,
    before: [mute],
    scenes: [
      {
        what: "tokens of no gRPC call, and of none that is there",
        verdict: "envoy",
        calls: [
          [call("proxy_grpc_cancel", 4), "BadArgument"],
          [call("proxy_grpc_cancel", 7), "BadArgument"],
          [call("proxy_grpc_cancel", 5), "NotFound"],
          [call("proxy_grpc_cancel", 6), "NotFound"],
        ],
      },
      {
        what: "calls and streams; no callback follows, and they are not there any more",
        calls: [
          [cancelled, "Ok #"],
          [cancelledStream, "Ok #"],
          [call("proxy_grpc_send", told(cancelledStream), "m", 1), "Ok"],
          [call("proxy_grpc_cancel", told(cancelled)), "Ok"],
          [call("proxy_grpc_cancel", told(cancelledStream)), "Ok"],
          [call("proxy_grpc_send", told(cancelledStream), "n", 1), "NotFound"],
        ],
        callbacks: grpcCallbacks,
        of: GRPC,
        trace: [],
      },
    ],
  },

  proxy_grpc_close: {
    good: call("proxy_grpc_close", told(otherMute)),
    needs,
    before: [otherMute],
    scenes: [
      {
        what: "tokens of no gRPC call, and of none that is there",
        verdict: "envoy",
        calls: [
          [call("proxy_grpc_close", 4), "BadArgument"],
          [call("proxy_grpc_close", 7), "BadArgument"],
          [call("proxy_grpc_close", 5), "NotFound"],
          [call("proxy_grpc_close", 6), "NotFound"],
        ],
      },
      {
        what: "a stream's answer still comes, a call's does not",
        calls: [
          [closed, "Ok #"],
          [failing, "Ok #"],
          [call("proxy_grpc_close", told(closed)), "Ok"],
          [call("proxy_grpc_close", told(failing)), "Ok"],
        ],
        callbacks: grpcCallbacks,
        ...awaiting("proxy_on_grpc_close"),
        of: /_grpc_(receive\(|close)/,
        trace: ["proxy_on_grpc_close(1,#,7)"],
      },
    ],
  },

  proxy_get_status: {
    good: call("proxy_get_status"),
    in: "proxy_on_http_call_response",
    callbacks: {
      proxy_on_request_headers: {
        calls: [call("proxy_http_call", "broken", head, "", "", 20_000)],
      },
    },
    scenes: [
      { what: "nothing has ended", calls: [[call("proxy_get_status"), "Ok 0 []"]] },
      {
        what: "11 and a reason while a call that was reset is told, whose sizes are 0",
        verdict: "envoy",
        in: "proxy_on_http_call_response",
        callbacks: {
          proxy_on_request_headers: {
            calls: [call("proxy_http_call", "broken", head, "", "", 20_000)],
          },
        },
        calls: [[call("proxy_get_status"), "Ok 11 [reset]"]],
        ...awaiting("proxy_on_http_call_response"),
        of: HTTP,
        trace: ["proxy_on_http_call_response(1,#,0,0,0)"],
      },
      {
        what: "the status and the message of a gRPC call that is told to have failed",
        needs,
        callbacks: {
          proxy_on_request_headers: {
            calls: [call("proxy_grpc_call", "failing", "s", "m", "", "", 20_000)],
          },
          proxy_on_grpc_close: { calls: [call("proxy_get_status")] },
        },
        ...awaiting("proxy_on_grpc_close"),
        holds: ({ answers }) => same("status", answers[1]?.slice(0, 8), "Ok 7 [no"),
      },
    ],
  },
};
