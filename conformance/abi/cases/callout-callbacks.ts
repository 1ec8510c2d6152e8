// What comes of calls, queues and the host: answers, messages, items, functions.
import { encodePairs } from "proxy-wasm-types";
import type { Scene, Step } from "../case.ts";
import { same } from "../expect.ts";
import { call, told } from "../guest.ts";
import type { Scenes } from "../make-case.ts";

const all = {
  method: "POST",
  headers: { "x-a": "1" },
  body: "request",
  trailers: { t: "1" },
  upstream: { headers: { "x-b": "1" }, body: "response", trailers: { t: "1", u: "2" } },
} as const;

const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);

/** A stream with two messages, which come back. */
const grpc = call("proxy_grpc_stream", "echo", "s", "m", "");
const grpcCalls = [
  grpc,
  call("proxy_grpc_send", told(grpc), "m1", 0),
  call("proxy_grpc_send", told(grpc), "", 1),
];
const grpcStream: Pick<Scene, "callbacks" | "needs"> = {
  needs: ["gRPC"],
  callbacks: { proxy_on_request_headers: { calls: grpcCalls } },
};
const GRPC = /_grpc_/;

function grpcUntil(name: string, times: number = 1): readonly Step[] {
  return [{ request: {} }, { until: name, times }];
}

const queue = call("proxy_register_shared_queue", "queue");

export const calloutCallbacks: Readonly<Record<string, Scenes>> = {
  proxy_on_http_call_response: [
    {
      what: "on the root context: token, headers, bytes, trailers",
      callbacks: {
        proxy_on_request_headers: {
          calls: [call("proxy_http_call", "plain", head, "", "", 20_000)],
        },
        proxy_on_http_call_response: {},
      },
      play: [{ request: {} }, { until: "proxy_on_http_call_response" }],
      of: /http_call/,
      trace: ["proxy_on_http_call_response(1,#,#,3,0)"],
    },
    {
      what: "zeros for a call that fails",
      callbacks: {
        proxy_on_request_headers: {
          calls: [call("proxy_http_call", "broken", head, "", "", 20_000)],
        },
        proxy_on_http_call_response: {},
      },
      play: [{ request: {} }, { until: "proxy_on_http_call_response" }],
      of: /http_call/,
      trace: ["proxy_on_http_call_response(1,#,0,0,0)"],
    },
  ],
  proxy_on_grpc_receive_initial_metadata: [
    {
      what: "of a stream, on the root context; map 4 has it, and nothing else is there yet",
      needs: ["gRPC"],
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive_initial_metadata: {
          calls: [
            call("proxy_get_header_map_value", 4, "a"),
            call("proxy_get_header_map_value", 5, "t"),
            call("proxy_get_buffer_bytes", 5, 0, 9),
          ],
        },
      },
      play: grpcUntil("proxy_on_grpc_receive_initial_metadata"),
      of: GRPC,
      trace: ["proxy_on_grpc_receive_initial_metadata(1,#,#)"],
      holds: ({ answers }) => same("answers", answers.slice(3), ["Ok [b]", "BadArgument", "Ok []"]),
    },
  ],
  proxy_on_grpc_receive: [
    {
      what: "for each message of a stream; buffer 5 has it",
      needs: ["gRPC"],
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive: { calls: [call("proxy_get_buffer_bytes", 5, 0, 9)] },
      },
      play: grpcUntil("proxy_on_grpc_receive", 2),
      of: GRPC,
      trace: ["proxy_on_grpc_receive(1,#,2)", "proxy_on_grpc_receive(1,#,0)"],
    },
    {
      what: "for the answer of a call",
      needs: ["gRPC"],
      callbacks: {
        proxy_on_request_headers: {
          calls: [call("proxy_grpc_call", "echo", "s", "m", "", "unary", 20_000)],
        },
        proxy_on_grpc_receive: { calls: [call("proxy_get_buffer_bytes", 5, 0, 9)] },
      },
      play: grpcUntil("proxy_on_grpc_receive"),
      of: GRPC,
      trace: ["proxy_on_grpc_receive(1,#,5)"],
      holds: ({ answers }) => same("message", answers.at(-1), "Ok [unary]"),
    },
  ],
  proxy_on_grpc_receive_trailing_metadata: [
    {
      what: "of a stream, behind its messages; map 5 has it",
      needs: ["gRPC"],
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive: {},
        proxy_on_grpc_receive_trailing_metadata: {
          calls: [
            call("proxy_get_header_map_value", 5, "u"),
            call("proxy_get_header_map_value", 4, "a"),
          ],
        },
      },
      play: grpcUntil("proxy_on_grpc_receive_trailing_metadata"),
      of: GRPC,
      trace: [
        "proxy_on_grpc_receive(1,#,2)",
        "proxy_on_grpc_receive(1,#,0)",
        "proxy_on_grpc_receive_trailing_metadata(1,#,#)",
      ],
      holds: ({ answers }) => same("answers", answers.slice(3), ["Ok [2]", "BadArgument"]),
    },
  ],
  proxy_on_grpc_close: [
    {
      what: "the last of a stream",
      needs: ["gRPC"],
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive_trailing_metadata: {},
        proxy_on_grpc_close: {},
      },
      play: grpcUntil("proxy_on_grpc_close"),
      of: GRPC,
      trace: ["proxy_on_grpc_receive_trailing_metadata(1,#,#)", "proxy_on_grpc_close(1,#,0)"],
    },
    {
      what: "all that comes of a call that failed",
      needs: ["gRPC"],
      callbacks: {
        proxy_on_request_headers: {
          calls: [call("proxy_grpc_call", "denied", "s", "m", "", "unary", 20_000)],
        },
        proxy_on_grpc_receive: {},
        proxy_on_grpc_close: { calls: [call("proxy_get_status")] },
      },
      play: grpcUntil("proxy_on_grpc_close"),
      of: GRPC,
      trace: ["proxy_on_grpc_close(1,#,16)"],
      holds: ({ answers }) => same("status", answers.at(-1)?.slice(0, 13), "Ok 16 [denied"),
    },
  ],
  proxy_on_queue_ready: [
    {
      what: "once for each item, after the callback that put it there",
      callbacks: {
        proxy_on_request_headers: { calls: [queue] },
        proxy_on_log: {
          calls: [
            call("proxy_enqueue_shared_queue", told(queue), "a"),
            call("proxy_enqueue_shared_queue", told(queue), "b"),
          ],
        },
        proxy_on_queue_ready: { calls: [call("proxy_dequeue_shared_queue", told(queue))] },
      },
      play: [{ request: {} }, { until: "proxy_on_queue_ready", times: 2 }],
      of: /log|queue/,
      trace: ["proxy_on_log(2)", "proxy_on_queue_ready(1,#)", "proxy_on_queue_ready(1,#)"],
      holds: ({ answers }) => same("the last item", answers.at(-1), "Ok [b]"),
    },
  ],
  proxy_on_foreign_function: [
    {
      what: "is not called: no function of this host calls back",
      verdict: "envoy",
      callbacks: { proxy_on_foreign_function: {}, proxy_on_log: {} },
      request: all,
      trace: ["proxy_on_log(2)"],
    },
  ],
};
